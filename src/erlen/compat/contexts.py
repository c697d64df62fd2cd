"""The context of a request that is made inside of another context, as in Flask 3.1.

There ``with app.app_context():`` around a request lends the request its application context: both have one ``g``, what
extensions keep by ``app_ctx`` (a session of Flask-SQLAlchemy) is the same, and ``teardown_appcontext`` runs once, at the end
of the block. Test suites are written for that, with a client that calls the application in their own thread; what comes
over ASGI has a context of its own.
"""

from __future__ import annotations

from ..ctx import AppContext, RequestContext, context_var


class FlaskRequestContext(RequestContext):
    """The context of a request of :class:`~erlen.compat.application.Flask`. The arguments are those of its base."""

    is_made_plainly = True

    def _borrow(self) -> None:
        if self._token is not None:
            return
        outer = context_var.get(None)
        # A server's loop hands what was active when it began on to all requests: they must not have one 'g'.
        borrows = (
            outer is not None
            and outer.app is self.app
            and self._receive is None
            and self._request._scope is None
        )
        lender = (outer.lender or outer) if outer is not None and borrows else None
        if lender is not self.lender:
            self.lender, self._g = lender, None if lender is None else lender.g

    def push(self) -> None:
        """Make this the active context, in the application context that is active already if there is one."""
        self._borrow()
        super().push()

    async def apush(self) -> None:
        """Do what :meth:`push` does."""
        self._borrow()
        await super().apush()

    def push_at_once(self) -> bool:
        """Make this the active context if none is active, and nobody has to be told of it.

        :return: whether that was done.
        """
        return context_var.get(None) is None and self.lender is None and AppContext.push_at_once(self)
