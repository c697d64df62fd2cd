"""The application in its wrapper, over WSGI and over ASGI.

Of this only the wrapper is on the way of a request that succeeds. What an exception needs is loaded at the first one.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import traceback
import typing as t
from io import BytesIO
from types import TracebackType

from ..helpers import get_debug_flag
from ..logging import printable
from ..marks import mark_as_coroutine_function, mark_instance
from ..scopes import PRESERVE_CONTEXT, path_info
from ..wrappers import Request
from .access import Access
from .exchange import LARGEST, PREFIX, Answer, bare_answer, write_error
from .lock import Lock

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from ..typing import Message, Receive, Scope, Send
    from .answers import Answers

T = t.TypeVar("T")


class Debugger:
    """Wraps an application, and answers what it raises in debug mode with a page that shows where it came from.

    It is called over WSGI with two arguments and over ASGI with three, and has the attributes of the application. While the
    application is not in debug mode it does nothing. An application without an attribute ``debug``, as one of another
    framework, counts as in debug mode where ``ERLEN_DEBUG`` says so.

    :param application: an :class:`erlen.Erlen`, or any callable of WSGI or ASGI.
    :param secret: what unlocks the console, at least 22 characters; a new one by default. The development server hands it on
        to the process that it starts again.
    :param clients: addresses or networks that may see tracebacks, besides this machine.
    :param hosts: names in the ``Host`` header under which they may, besides ``localhost`` and addresses of this machine. One
        that begins with a dot stands for all names below it.
    :raises ValueError: for a secret that is too short, or a client that is no address.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        application: t.Any,
        *,
        secret: str | None = None,
        clients: t.Iterable[str] = (),
        hosts: t.Iterable[str] = (),
    ) -> None:
        self._application = application
        self._lock = Lock(secret)
        self._access = Access(clients, hosts)
        self._loading = threading.Lock()
        self._answers: Answers | None = None
        mark_instance(self, Debugger)

    @property
    def secret(self) -> str:
        """What unlocks the console."""
        return self._lock.secret

    def unlock_url(self, base_url: str) -> str:
        """Return the link that unlocks the console in the browser that opens it.

        The secret is the fragment of the URL, which browsers do not send, so that no log has it.

        :param base_url: where the application is served, for example ``"http://127.0.0.1:5000"``.
        """
        return f"{base_url.rstrip('/')}{PREFIX}#{self._lock.secret}"

    def __getattr__(self, name: str) -> t.Any:
        if name.startswith("__") or name == "_application":
            raise AttributeError(name)
        return getattr(self._application, name)

    def __repr__(self) -> str:
        return f"<Debugger of {self._application!r}>"

    @t.overload
    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse, /) -> t.Iterable[bytes]: ...
    @t.overload
    def __call__(self, scope: Scope, receive: Receive, send: Send, /) -> t.Awaitable[None]: ...
    def __call__(self, environ: t.Any, start_response: t.Any, send: t.Any = None) -> t.Any:
        """Answer what a server hands on: over WSGI with two arguments, over ASGI with three."""
        if send is None:
            return self._answer_wsgi(environ, start_response)
        return self._answer_asgi(environ, start_response, send)

    def _is_on(self) -> bool:
        debug = getattr(self._application, "debug", None)
        return debug if isinstance(debug, bool) else get_debug_flag()

    def _load(self) -> Answers:
        """Return what answers exceptions."""
        with self._loading:
            if self._answers is None:
                # Slow to import, and needed by those who make mistakes alone.
                from .answers import Answers

                self._answers = Answers(self._application, self._lock, self._access)
            return self._answers

    def _answer_wsgi(self, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        if not self._is_on():
            return t.cast("t.Iterable[bytes]", self._application(environ, start_response))
        if environ.get("PATH_INFO", "").startswith(PREFIX) and self._access.refusal(environ) is None:
            answer = self._load().own(environ, _wsgi_body(environ))
            start_response(answer.status, answer.headers)
            return [answer.body]
        exchange = _Exchange(self, environ, start_response)
        try:
            body: t.Iterable[bytes] = self._application(environ, exchange.start)
        except Exception as error:
            return [exchange.answer(error)]
        if type(body) is list:
            exchange.contexts.clear()
            return body
        return _WatchedBody(body, exchange)

    async def _answer_asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("type") != "http" or not self._is_on():
            # What the handler of a WebSocket raises is logged by the application, or by the server.
            await self._application(scope, receive, send)
            return
        if PREFIX in scope["path"] and path_info(scope).startswith(PREFIX):
            environ = _environ_of(scope)
            if self._access.refusal(environ) is None:
                body = await _asgi_body(environ, receive)
                await _send_answer(send, await _on_thread(self._load().own, environ, body))
                return
        has_begun = False

        def send_on(message: Message) -> t.Awaitable[None]:
            nonlocal has_begun
            has_begun = True
            return send(message)

        contexts: list[t.Any] = []
        try:
            # A scope is not changed for those that have handed it on (ASGI 3).
            await self._application(_telling(dict(scope), contexts), receive, send_on)
        except Exception as error:
            if not self._is_on():
                raise
            environ = _environ_of(scope)
            if has_begun:
                say_too_late(environ)
                raise
            await _send_answer(send, await _on_thread(self._failure, error, environ, contexts))
        finally:
            contexts.clear()

    def _failure(self, error: Exception, environ: WSGIEnvironment, contexts: list[t.Any]) -> Answer:
        try:
            return self._load().failure(error, environ, contexts)
        except Exception as failure:
            # Not raised on: what cannot be shown perhaps cannot be logged either, and then a server answers nothing.
            what = "The debugger failed to show an exception. That is a mistake of the debugger's:\n"
            write_error(environ, f"{what}{_printed(failure)}It was to show:\n{_printed(error)}")
            return bare_answer(environ)


mark_as_coroutine_function(Debugger)


class _Exchange:
    """One request over WSGI, and what an exception of it is answered with."""

    def __init__(self, debugger: Debugger, environ: WSGIEnvironment, start_response: StartResponse) -> None:
        self._debugger = debugger
        # Middleware such as ProxyFix changes the environment, and who asked is for the server to say.
        self._told = environ.copy()
        self._start_response = start_response
        self._has_started = False
        #: The contexts that the application has had when the exception left it.
        self.contexts: list[t.Any] = []
        _telling(environ, self.contexts)

    def start(self, *args: t.Any) -> t.Callable[[bytes], object]:
        """Start the response of the application; its ``start_response``."""
        self._has_started = True
        return self._start_response(*args)

    def answer(self, error: Exception, *, has_begun: bool = False) -> bytes:
        """Start the response for an exception, and return its body.

        :param error: the exception; it is raised where it is too late for that.
        :param has_begun: whether something has been sent.
        """
        try:
            if not self._debugger._is_on():
                raise error
            if not has_begun:
                answer = self._debugger._failure(error, self._told, self.contexts)
                if not self._has_started:
                    self._start_response(answer.status, answer.headers)
                    return answer.body
                with contextlib.suppress(type(error)):
                    # In place of another response. Servers raise the exception again if that is being sent (PEP 3333).
                    self._start_response(
                        answer.status,
                        answer.headers,
                        (type(error), error, t.cast(TracebackType, error.__traceback__)),
                    )
                    return answer.body
            say_too_late(self._told)
            raise error
        finally:
            self.contexts.clear()
            del error


class _WatchedBody:
    """The body of a response that may still fail."""

    def __init__(self, body: t.Iterable[bytes], exchange: _Exchange) -> None:
        self._body = body
        self._exchange = exchange
        self._pieces: t.Iterator[bytes] | None = None
        self._has_begun = False

    def __iter__(self) -> t.Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self._pieces is None:
                self._pieces = iter(self._body)
            piece = next(self._pieces)
        except StopIteration:
            self._exchange.contexts.clear()
            raise
        except Exception as error:
            piece = self._exchange.answer(error, has_begun=self._has_begun)
            self._pieces = iter(())
        if piece:
            self._has_begun = True
        return piece

    def close(self) -> None:
        """Close the body of the application."""
        self._exchange.contexts.clear()
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


def _telling(environ: t.Any, contexts: list[t.Any]) -> t.Any:
    """Let an environment or a scope ask for the context of its request."""
    others = environ.get(PRESERVE_CONTEXT)
    if others is None:
        environ[PRESERVE_CONTEXT] = contexts.append
    else:

        def tell(context: t.Any) -> None:
            contexts.append(context)
            others(context)

        environ[PRESERVE_CONTEXT] = tell
    return environ


def _environ_of(scope: Scope) -> WSGIEnvironment:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    environ = Request.of_scope(scope, receive).environ
    environ["wsgi.input"] = BytesIO()
    del environ["werkzeug.request"]
    return environ


def _length(environ: WSGIEnvironment) -> int:
    text = environ.get("CONTENT_LENGTH") or ""
    # Of more digits none is a length that is read.
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else LARGEST + 1


def _wsgi_body(environ: WSGIEnvironment) -> bytes | None:
    """Return the body of a request, ``None`` for one that is too large or says no length."""
    if environ.get("REQUEST_METHOD") != "POST":
        return b""
    length = _length(environ)
    return t.cast(bytes, environ["wsgi.input"].read(length)) if length <= LARGEST else None


async def _asgi_body(environ: WSGIEnvironment, receive: Receive) -> bytes | None:
    if environ.get("REQUEST_METHOD") != "POST":
        return b""
    body = b""
    if _length(environ) > LARGEST:
        return None
    while len(body) <= LARGEST:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return t.cast(bytes, body)
    return None


async def _send_answer(send: Send, answer: Answer) -> None:
    headers = [(name.lower().encode(), value.encode("latin1")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": int(answer.status[:3]), "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _on_thread(function: t.Callable[..., T], *args: t.Any) -> T:
    """Call a function in a thread of its own: it may run for ever, and must not keep the process from its end."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[T] = loop.create_future()

    def settle(settle: t.Callable[[t.Any], None], value: t.Any) -> None:
        if not result.done():
            settle(value)

    def run() -> None:
        outcome: tuple[t.Any, t.Any]
        try:
            outcome = result.set_result, function(*args)
        except BaseException as error:
            outcome = result.set_exception, error
        # A loop that is closed waits for nothing.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, *outcome)

    variables = contextvars.copy_context()
    threading.Thread(target=variables.run, args=(run,), name="erlen-debugger", daemon=True).start()
    return await result


def _printed(error: Exception) -> str:
    try:
        return "".join(traceback.format_exception(error, chain=False))
    except Exception:
        return "".join([*traceback.format_tb(error.__traceback__), f"{type(error).__name__}\n"])


def say_too_late(environ: WSGIEnvironment) -> None:
    """Say in the terminal why an exception is raised further: the server logs it then.

    :param environ: the request.
    """
    method, path = environ.get("REQUEST_METHOD", ""), environ.get("PATH_INFO", "")
    write_error(
        environ,
        f"The debugger cannot show the exception of {printable(method)} {printable(path)} in the browser: its response had "
        f"begun. The server has its traceback.\n",
    )
