"""The context of a request, a command or a test (D5).

One object holds what Flask keeps in two: the application, and where there is one the request. It is bound to a
single context variable; the proxies in ``globals.py`` read that variable.
"""

from __future__ import annotations

import sys
import typing as t
from contextvars import ContextVar, Token
from functools import update_wrapper
from types import TracebackType

from werkzeug.exceptions import HTTPException

from .lazy import Lazy
from .messages import NO_APP_CONTEXT, NO_REQUEST_CONTEXT, NO_WEBSOCKET, NOTHING_TO_COPY, wrong_pop
from .namespace import Namespace
from .pipeline.bridge import is_async
from .pipeline.loops import in_a_loop
from .signals import (
    appcontext_popped,
    appcontext_pushed,
    atell,
    forget_freed,
    listened,
    tell,
)
from .teardown import atear_down_context, tear_down_context
from .typing import Application

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ["AppContext", "RequestContext", "after_this_request", "copy_current_request_context", "has_app_context", "has_request_context"]  # fmt: skip

F = t.TypeVar("F", bound=t.Callable[..., t.Any])

_sentinel: t.Any = object()

#: The rule that answers a request, the values of its variables (``None`` for none), the steps of its endpoint, and whether its
#: view can be called without the phases before it (see ``matching.py``).
Match: t.TypeAlias = "tuple[t.Any, dict[str, t.Any] | None, t.Any, int]"

#: Classes of contexts that override ``request``: proxies do not look behind it then.
shows_another: list[type[AppContext]] = []

# Whether threads run at the same time (PEP 703).
_is_free_threaded = not getattr(sys, "_is_gil_enabled", lambda: True)()

#: The one context variable of Erlen. What it holds is mutable, so no step depends on copying it back.
context_var: ContextVar[AppContext] = ContextVar("erlen.context")


class _AppCtxGlobals(Namespace):
    """The namespace behind ``g``: any attribute, for as long as the context lives."""

    def __repr__(self) -> str:
        context = context_var.get(None)
        return object.__repr__(self) if context is None else f"<erlen.g of {context.app.name!r}>"


class AppContext:
    """The context: its application, and with a request the request, its session and its match.

    Use :meth:`erlen.Erlen.app_context`, :meth:`~erlen.Erlen.request_context` and
    :meth:`~erlen.Erlen.test_request_context` to make one, in a ``with`` block. Any attribute may be set on it.

    :param app: the application.
    :param request: the request, or ``None`` for a command or a test without one.
    :param session: a session that is open already; without it the session is opened when it is first touched.
    """

    # PERF: class-level defaults; an instance pays for these attributes only when they are used. What every request reads is no
    # such default: Python 3.11 finds an instance's attribute ten times faster where its class has none of that name.
    _g: _AppCtxGlobals | None = None
    _url_adapter: t.Any = None
    # What relative URLs are built with while there is no adapter; see ``urls.py``.
    _mount: tuple[str, str, str] | None = None
    # What ended the request while a stream held the context.
    _failure: BaseException | None = None
    # Of a WebSocket's handler.
    _websocket: t.Any = None
    #: The flashed messages that were taken out of the session, ``None`` until somebody asks for them.
    flashes: list[tuple[str, str]] | None = None
    #: Whether ``match_request`` is not overridden, so that the compiled routes may be asked directly.
    matches_plainly: t.ClassVar[bool] = True
    #: Whether ``url_adapter`` is not overridden, so that relative URLs may be built without it.
    binds_plainly: t.ClassVar[bool] = True
    #: Whether this is the copy of another context, whose end is that of the request.
    is_copy: bool = False
    #: The context whose ``g`` this one has, and whose end is that of the application context; ``erlen.as_flask`` sets it.
    lender: AppContext | None = None

    def __init__(self, app: Application, *, request: t.Any = None, session: t.Any = None) -> None:
        self.app: t.Any = app
        self._request: t.Any = request
        self._begin(request, session)

    def _begin(self, request: t.Any, session: t.Any) -> None:
        """Set what every request reads; ``matching.py`` sets the same."""
        # What a request is made of when it is asked for: the environment, or the scope of ASGI with
        # ``receive`` and headers. Then its cookies, ``bytes`` over ASGI, and the match, where that was made before the request.
        self._given: t.Any = None
        self._receive: t.Any = None
        self._fields: dict[bytes, bytes] | None = None
        self._cookie: str | bytes | None = None if request is None else request.head.get("HTTP_COOKIE")
        self._match: t.Any = None
        #: The frozen steps of the matched endpoint; the pipeline sets it.
        self.steps: t.Any = None
        # The request as soon as it was made.
        self._made: t.Any = request
        self._token: Token[AppContext] | None = None
        self._session: t.Any = session
        self._after_request_functions: list[t.Callable[[t.Any], t.Any]] | None = None
        self._held: int = 0
        # Of the pushes after the first.
        self._more_tokens: t.Sequence[Token[AppContext]] = ()

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.matches_plainly = cls.match_request is AppContext.match_request
        if cls.request is not AppContext.request:
            shows_another.append(cls)
        cls.binds_plainly = cls.url_adapter is AppContext.url_adapter
        # A class that replaces both knows how they belong together.
        if cls.push is not AppContext.push and "push_at_once" not in vars(cls):
            cls.push_at_once = _never  # type: ignore[assignment, method-assign]
        if cls.pop is not AppContext.pop and "pop_at_once" not in vars(cls):
            cls.pop_at_once = _never  # type: ignore[assignment, method-assign]

    def _make_request(self) -> t.Any:
        """Return the request, made if it is not there yet, or ``None`` for a context without one."""
        return self._request

    @property
    def has_request(self) -> bool:
        """Whether this context was made for a request."""
        return self._request is not None

    @property
    def request(self) -> t.Any:
        """The request. Raises :exc:`RuntimeError` in a context without one."""
        if (request := self._make_request()) is None:
            raise RuntimeError(NO_REQUEST_CONTEXT)
        return request

    @request.setter
    def request(self, value: t.Any) -> None:
        _ = self.request  # Raises where there is none.
        self._cookie = value.head.get("HTTP_COOKIE")
        self._request = self._made = value

    @property
    def websocket(self) -> t.Any:
        """The WebSocket. Raises :exc:`RuntimeError` in a context that is not of one."""
        if self._websocket is None:
            raise RuntimeError(NO_WEBSOCKET)
        return self._websocket

    @property
    def g(self) -> t.Any:
        """The namespace of this context, an ``app.app_ctx_globals_class``, made when first touched."""
        if (namespace := self._g) is None:
            namespace = self._g = self.app.app_ctx_globals_class()
        return namespace

    @g.setter
    def g(self, value: t.Any) -> None:
        self._g = value

    @property
    def session(self) -> t.Any:
        """The session of the request, opened when first touched; touching it marks it accessed.

        Raises :exc:`RuntimeError` in a context without a request.
        """
        # PERF: session read: a call for each look at it costs 0.1 us.
        if (session := self._session) is None:
            session = self.open_session()
        session.accessed = True
        return session

    def open_session(self) -> t.Any:
        """Open the session if it is not open yet and return it, without marking it accessed."""
        if (session := self._session) is None:
            app, interface = self.app, self.app.session_interface
            if (app.plan or app.freeze()).opens_every_session:
                session = app.ensure_sync(interface.open_session)(app, self.request)
            else:
                # PERF: session read: that of the cookie waits for nothing, and is not asked each time whether it does, 1 us.
                session = interface.open_session(app, self.request)
            if session is None:
                session = interface.make_null_session(self.app)
            self._session = session
        return session

    async def aopen_session(self) -> t.Any:
        """Do what :meth:`open_session` does; an interface that may wait is asked on a worker thread."""
        if (session := self._session) is None:
            app, interface = self.app, self.app.session_interface
            if (app.plan or app.freeze()).opens_every_session:
                session = await app.ensure_async(interface.open_session)(app, self.request)
            else:
                session = interface.open_session(app, self.request)
            if session is None:
                session = interface.make_null_session(self.app)
            self._session = session
        return session

    @property
    def session_is_open(self) -> bool:
        """Whether anything has opened the session of this request."""
        return self._session is not None

    @property
    def url_adapter(self) -> t.Any:
        """The ``MapAdapter`` bound to this request, ``None`` where URLs cannot be built; made on first use."""
        if (adapter := self._url_adapter) is None:
            adapter = self._url_adapter = self.app.create_url_adapter(self._request)
        return adapter

    @url_adapter.setter
    def url_adapter(self, value: t.Any) -> None:
        self._url_adapter = value

    def match_request(self) -> None:
        """Find the rule that answers the request; a subclass may override this.

        An :exc:`~werkzeug.exceptions.HTTPException` becomes ``request.routing_exception``, which the
        pipeline raises when it is the view's turn.
        """
        request = self._request
        try:
            request.url_rule, request.view_args = self.url_adapter.match(return_rule=True)
        except HTTPException as error:
            request.routing_exception = error

    def copy(self) -> AppContext:
        """Return a new context with the same application, request and session, and a ``g`` of its own."""
        return self._copied_to(type(self)(self.app, request=self._request, session=self._session))

    def _copied_to(self, copied: t.Self) -> t.Self:
        copied._websocket = self._websocket
        # A match that is not made again: hooks may have changed the values of the URL since.
        copied.steps, copied.is_copy = self.steps, True
        return copied

    def push_at_once(self) -> bool:
        """Make this the active context if nobody has to be told of it; return whether that was done."""
        # PERF: plaintext, async plaintext: this and 'pop_at_once' are the common cases of 'push' and 'pop', in which
        # nothing can wait: 0.1 us each under WSGI, 0.2 without the coroutine under ASGI.
        if listened or self._token is not None:
            return False
        self._token = context_var.set(self)
        if self.steps is None:
            (self.app.plan or self.app.freeze()).match(self)
        return True

    def _bind(self) -> None:
        forget_freed()
        token = context_var.set(self)
        if self._token is None:
            # PERF: plaintext: a list for the one push that nearly all contexts see costs 0.1 us.
            self._token = token
        else:
            self._more_tokens = [*self._more_tokens, token]

    def push(self) -> None:
        """Make this the active context, and match the request the first time."""
        self._bind()
        if appcontext_pushed.receivers and self.lender is None:
            tell(appcontext_pushed, self.app)
        request = self._request
        if request is not None and self.steps is None:
            (self.app.plan or self.app.freeze()).match(self)

    async def apush(self) -> None:
        """Do what :meth:`push` does."""
        self._bind()
        if appcontext_pushed.receivers and self.lender is None:
            await atell(appcontext_pushed, self.app)
        request = self._request
        if request is not None and self.steps is None:
            (self.app.plan or self.app.freeze()).match(self)

    def pop_at_once(self) -> bool:
        """Make the context that was active before this one active again if there is nothing to tear down.

        :return: whether that was done; if not, :meth:`pop` has to be called.
        """
        steps, request = self.steps, self._made
        if (
            steps is None
            or steps.ends
            or self._more_tokens
            or self._held
            or context_var.get(None) is not self
            or listened
        ):
            return False
        if request is not None:
            if request._must_close:
                return False
            request.head["werkzeug.request"] = None
        token: t.Any = self._token
        context_var.reset(token)
        self._token = None
        return True

    def pop(self, exc: BaseException | None = _sentinel) -> None:
        """Make the context that was active before this one active again.

        The last pop runs the teardown functions, unless a stream still holds the context: then the end of the
        stream runs them.

        :param exc: the unhandled exception the teardown functions are given; by default the one being handled.
        """
        active = context_var.get(None)
        if active is not self and not self._is_below(active):
            raise AssertionError(wrong_pop(self, active))
        if active is not self:
            # Whoever left another context pushed made a mistake; this one ends all the same.
            context_var.set(self)
        try:
            if not self._more_tokens:
                if exc is _sentinel:
                    exc = sys.exc_info()[1]
                if self._held:
                    self._failure = exc
                else:
                    tear_down_context(self, exc)
        finally:
            token: t.Any = self._token
            if self._more_tokens:
                *self._more_tokens, token = self._more_tokens
            else:
                self._token = None
            context_var.reset(token)
            if appcontext_popped.receivers and self.lender is None:
                tell(appcontext_popped, self.app)
        if active is not self:
            raise AssertionError(wrong_pop(self, active))

    async def apop(self, exc: BaseException | None = _sentinel) -> None:
        """Do what :meth:`pop` does, with async teardown functions awaited where they stand.

        :param exc: as for :meth:`pop`.
        """
        active = context_var.get(None)
        if active is not self and not self._is_below(active):
            raise AssertionError(wrong_pop(self, active))
        if active is not self:
            # Whoever left another context pushed made a mistake; this one ends all the same.
            context_var.set(self)
        try:
            if not self._more_tokens:
                if exc is _sentinel:
                    exc = sys.exc_info()[1]
                if self._held:
                    self._failure = exc
                else:
                    await atear_down_context(self, exc)
        finally:
            token: t.Any = self._token
            if self._more_tokens:
                *self._more_tokens, token = self._more_tokens
            else:
                self._token = None
            context_var.reset(token)
            if appcontext_popped.receivers and self.lender is None:
                await atell(appcontext_popped, self.app)
        if active is not self:
            raise AssertionError(wrong_pop(self, active))

    def _is_below(self, active: AppContext | None) -> bool:
        """Return whether this context was pushed in this thread or task, and others on top of it."""
        seen: dict[int, int] = {}
        while active is not None and active is not self:
            # A context may be pushed several times: each time it comes up, it is its next older token that counts.
            count = seen[id(active)] = seen.get(id(active), 0) + 1
            tokens = [active._token, *active._more_tokens]
            token = tokens[-count] if count <= len(tokens) else None
            before = None if token is None else token.old_value
            active = before if isinstance(before, AppContext) else None
        return active is self and self._token is not None

    def hold(self) -> None:
        """Keep this context alive after its last pop, until :meth:`release` is called as often."""
        self._held += 1

    def release(self, exc: BaseException | None = None) -> None:
        """End one :meth:`hold`; the last one runs the teardown when the context is popped already.

        May be called on another thread than the one that pushed the context.
        """
        self._held -= 1
        if not self._held and self._token is None:
            token = context_var.set(self)
            try:
                tear_down_context(self, exc or self._failure)
            finally:
                self._failure = None
                context_var.reset(token)

    async def arelease(self, exc: BaseException | None = None) -> None:
        """Do what :meth:`release` does."""
        self._held -= 1
        if not self._held and self._token is None:
            token = context_var.set(self)
            try:
                await atear_down_context(self, exc or self._failure)
            finally:
                self._failure = None
                context_var.reset(token)

    def __enter__(self) -> t.Self:
        try:
            self.push()
        except BaseException as error:
            self.pop(error)
            raise
        return self

    async def __aenter__(self) -> t.Self:
        try:
            await self.apush()
        except BaseException as error:
            await self.apop(error)
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.pop(exc_value)

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.apop(exc_value)

    def __repr__(self) -> str:
        if self._request is None:
            return f"<{type(self).__name__} of {self.app.name}>"
        return f"<{type(self).__name__} {self._request.url!r} [{self._request.method}] of {self.app.name}>"


def _never(context: AppContext) -> bool:
    return False


class RequestContext(AppContext):
    """The context of one request.

    :param app: the application.
    :param environ: the WSGI environment (PEP 3333).
    :param request: a request made from that environment already.
    :param session: a session that is open already.
    """

    #: Whether the pipeline may make such contexts without their constructor. A class says so for itself: one derived from it
    #: may do anything.
    is_made_plainly: t.ClassVar[bool] = True

    def __init__(
        self,
        app: Application,
        environ: WSGIEnvironment,
        request: t.Any = None,
        session: t.Any = None,
    ) -> None:
        if request is None:
            request = app.request_class(environ)
            request._application = app
        self.app, self._request = app, request
        self._begin(request, session)

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.is_made_plainly = vars(cls).get("is_made_plainly", False)

    def _make_request(self) -> t.Any:
        request = self._made
        if request is None:
            make = self.steps.request_of
            request = make(self)
            # Threads of one request, which share its context, may ask for it at once: it may be made twice, the first is kept.
            if _is_free_threaded:
                request = vars(self).setdefault("_first", request)
            # PERF: query and header: without a lock, 2,000 of 53,000 instructions. From here on nothing is called, and Python
            # lets another thread run at calls and jumps back alone; test_short_way.py looks at its instructions.
            if self._made is not None:
                return self._made
            if self._receive is None:
                # First, as others take the request from the context.
                self._given["werkzeug.request"] = request
            self._made = request
        return request

    # PERF: plaintext: what nobody asks for is not made, 0.5 us.
    _request = Lazy(_make_request)

    @property
    def has_request(self) -> bool:
        """Whether this context was made for a request: it was."""
        return True

    def copy(self) -> RequestContext:
        """Return a new context with the same application, request and session, and a ``g`` of its own."""
        request = self.request
        return self._copied_to(type(self)(self.app, request.environ, request=request, session=self._session))


def current_context() -> AppContext:
    """Return the active context, or raise :exc:`RuntimeError` with the fix."""
    context = context_var.get(None)
    if context is None:
        raise RuntimeError(NO_APP_CONTEXT)
    return context


def current_app_context() -> AppContext:
    """Return what stands for the active application: the active context, or what that has borrowed from."""
    context = current_context()
    return context.lender or context


def current_request_context() -> AppContext:
    """Return the active context of a request, or raise :exc:`RuntimeError` with the fix."""
    context = context_var.get(None)
    if context is None or not context.has_request:
        raise RuntimeError(NO_REQUEST_CONTEXT)
    return context


def has_request_context() -> bool:
    """Return whether a request is being handled here."""
    context = context_var.get(None)
    return context is not None and context.has_request


def has_app_context() -> bool:
    """Return whether an application is active here."""
    return context_var.get(None) is not None


def after_this_request(f: F) -> F:
    """Call a function with the response of this request; what it returns is sent instead.

    Such functions run before the ones of ``after_request``, in the order in which they were added.

    :param f: takes the response and returns a response, plain or async.
    """
    context = context_var.get(None)
    if context is None or not context.has_request:
        raise RuntimeError(
            "'after_this_request' was called without a request being handled, so there is no response to wait "
            "for. Call it in a view or a hook; for every response, register '@app.after_request'."
        )
    if context._websocket is not None and context._websocket.is_accepted:
        raise RuntimeError(
            "'after_this_request' was called after the WebSocket was accepted, so its response has been sent. Call it "
            "before 'await websocket.accept()' and before the first 'receive' and 'send'."
        )
    if context._after_request_functions is None:
        context._after_request_functions = []
    context._after_request_functions.append(f)
    return f


def copy_current_request_context(f: F) -> F:
    """Wrap a function so that it runs with a copy of this request's context, wherever it is called.

    For a function that a view hands to a thread, a greenlet or a task: request and session are the same objects,
    ``g`` is new.

    :param f: the function, plain or async. An async one gives a coroutine where an event loop runs, and is run to
        its end where none does.
    """
    context = context_var.get(None)
    if context is None or not context.has_request:
        raise RuntimeError(NOTHING_TO_COPY)
    copied = context.copy()
    gives_coroutine = is_async(f)

    async def arun(*args: t.Any, **kwargs: t.Any) -> t.Any:
        async with copied.copy():
            return await f(*args, **kwargs)

    def run(*args: t.Any, **kwargs: t.Any) -> t.Any:
        if gives_coroutine and in_a_loop():
            return arun(*args, **kwargs)
        with copied.copy():
            return copied.app.ensure_sync(f)(*args, **kwargs)

    return t.cast(F, update_wrapper(run, f))
