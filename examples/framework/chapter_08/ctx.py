"""The context: what is active while a request is answered, or a command runs."""

from __future__ import annotations

import typing as t
from contextvars import ContextVar, Token
from functools import wraps
from types import SimpleNamespace

if t.TYPE_CHECKING:
    from types import TracebackType

    from werkzeug.exceptions import HTTPException

    from .app import Sapling
    from .routing import Rule
    from .sessions import Session
    from .wrappers import Request, Response

P = t.ParamSpec("P")
R = t.TypeVar("R")

#: The active context of this thread, or of this task. Each has a value of its own.
context_var: ContextVar[Context] = ContextVar("sapling.context")

NO_CONTEXT = (
    "Nothing is active here: the code runs outside of a request. In a script or a test, write 'with "
    "app.app_context():' around it; for a function that runs in another thread, 'copy_current_context'."
)
NO_REQUEST = "An application is active here, but no request. In a test, write 'with app.test_request_context():' around it."


class Context:
    """The application, its ``g``, and the request if there is one.

    :param app: the application.
    :param request: the request; none for commands and scripts.
    """

    def __init__(self, app: Sapling, request: Request | None = None) -> None:
        self.app = app
        self.g = SimpleNamespace()
        self._request = request
        self._session: Session | None = None
        self.flashes: list[tuple[str, str]] | None = None
        self.rule: Rule | None = None
        self.view_args: dict[str, t.Any] = {}
        self.routing_error: HTTPException | None = None
        self._tokens: list[Token[Context]] = []

    @property
    def request(self) -> Request:
        """The request; what is not there is told with the remedy."""
        if self._request is None:
            raise RuntimeError(NO_REQUEST)
        return self._request

    @property
    def has_request(self) -> bool:
        """Whether this is the context of a request."""
        return self._request is not None

    @property
    def blueprint(self) -> str | None:
        """The name of the blueprint that answers the request, if one does."""
        return None if self.rule is None else self.rule.endpoint.rpartition(".")[0] or None

    @property
    def owners(self) -> list[str | None]:
        """Whose hooks and handlers are for this request: the application's, then the blueprint's."""
        return [None] if self.blueprint is None else [None, self.blueprint]

    def collect(self, registry: t.Mapping[str | None, list[R]]) -> list[R]:
        """Return what a registry has for this request."""
        return [one for owner in self.owners if owner in registry for one in registry[owner]]

    @property
    def session(self) -> Session:
        """The session, opened when it is first asked for: most requests never verify a signature."""
        if self._session is None:
            self._session = self.app.session_interface.open_session(self.app, self.request)
        return self._session

    def save_session(self, response: Response) -> None:
        """Put the session into a response, if anybody has asked for it."""
        if self._session is not None:
            self.app.session_interface.save_session(self.app, self._session, response)

    def push(self) -> None:
        """Make this the active context."""
        self._tokens.append(context_var.set(self))

    def pop(self, failure: BaseException | None = None) -> None:
        """Make the context active that was it before; the last time, everything of this one is torn down.

        :param failure: the exception that nobody has handled.
        """
        try:
            if len(self._tokens) == 1:
                self.app.do_teardown(failure)
        finally:
            context_var.reset(self._tokens.pop())

    def __enter__(self) -> t.Self:
        self.push()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.pop(exc_value)


def current_context() -> Context:
    """Return the active context, or say what to do where there is none."""
    context = context_var.get(None)
    if context is None:
        raise RuntimeError(NO_CONTEXT)
    return context


def copy_current_context(function: t.Callable[P, R]) -> t.Callable[P, R]:
    """Wrap a function so that this request is active in it, in whichever thread it runs. Its ``g`` is new."""
    active = current_context()

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with Context(active.app, active._request):
            return function(*args, **kwargs)

    return run
