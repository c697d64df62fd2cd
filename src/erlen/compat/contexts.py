"""Contexts that are made inside of others, as in Flask 3.1.

There ``with app.app_context():`` around a request lends the request its application context: both have one ``g``, what
extensions keep by ``app_ctx`` (a session of Flask-SQLAlchemy) is the same, and ``teardown_appcontext`` runs once, at the end
of the block. Test suites are written for that, with a client that calls the application in their own thread; what comes
over ASGI has a context of its own.

The other way round, ``with app.app_context():`` inside of a request has a ``g`` of its own, and the request stays in sight.
"""

from __future__ import annotations

import typing as t

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


class FlaskAppContext(AppContext):
    """The context without a request of :class:`~erlen.compat.application.Flask`. The argument is that of its base."""

    #: The context of the request that is handled around this one.
    around: AppContext | None = None

    def _look_around(self) -> None:
        if self._token is None:
            outer = context_var.get(None)
            if isinstance(outer, FlaskAppContext):
                self.around = outer.around
            else:
                self.around = outer if outer is not None and outer.has_request else None

    def push(self) -> None:
        """Make this the active context, with the request in sight that is being handled."""
        self._look_around()
        super().push()

    async def apush(self) -> None:
        """Do what :meth:`push` does."""
        self._look_around()
        await super().apush()

    def _make_request(self) -> t.Any:
        return None if self.around is None else self.around._make_request()

    @property
    def has_request(self) -> bool:
        """Whether a request is in sight."""
        return self.around is not None

    def open_session(self) -> t.Any:
        """Open the session of the request in sight, and return it."""
        if self.around is None:
            return super().open_session()
        self._session = self.around.open_session()
        return self._session

    async def aopen_session(self) -> t.Any:
        """Do what :meth:`open_session` does."""
        if self.around is None:
            return await super().aopen_session()
        self._session = await self.around.aopen_session()
        return self._session

    @property
    def url_adapter(self) -> t.Any:
        """The adapter of the request in sight, if it is one of this application."""
        around = self.around
        same = around is not None and around.app is self.app
        return around.url_adapter if around is not None and same else AppContext.url_adapter.__get__(self)

    @url_adapter.setter
    def url_adapter(self, value: t.Any) -> None:
        self._url_adapter = value

    def copy(self) -> AppContext:
        """Return a new context, of the request in sight where there is one."""
        return super().copy() if self.around is None else self.around.copy()


def _of_the_request(name: str) -> t.Any:
    """Return a property that is an attribute of the context of the request in sight."""

    def get(context: FlaskAppContext) -> t.Any:
        return None if context.around is None else getattr(context.around, name)

    def put(context: FlaskAppContext, value: t.Any) -> None:
        if context.around is not None:
            setattr(context.around, name, value)

    return property(get, put)


# What belongs to the response of the request, and not to a context.
for _name in ("_after_request_functions", "flashes"):
    setattr(FlaskAppContext, _name, _of_the_request(_name))
