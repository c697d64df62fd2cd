"""The request and the response: Werkzeug's classes, with the parts that most requests never touch made lazily."""

from __future__ import annotations

import typing as t
from io import BytesIO

from werkzeug.datastructures import (
    Authorization,
    EnvironHeaders,
    Headers,
    ImmutableMultiDict,
    MultiDict,
)
from werkzeug.exceptions import BadRequest, HTTPException
from werkzeug.routing import Rule
from werkzeug.sansio.http import parse_cookie
from werkzeug.sansio.utils import get_current_url
from werkzeug.wrappers import Request as RequestBase
from werkzeug.wrappers import Response as ResponseBase
from werkzeug.wsgi import ClosingIterator

from . import json
from .bodies import ReceivedBody, ReceivedFile
from .ctx import context_var
from .forms import storage_at_once, storage_of
from .lazy import Lazy, cached_property
from .received import ReceivedRequest
from .registry import tells_of
from .scopes import PRESERVE_CONTEXT, SCOPE, add_changes, fill_environ, has_body, joined, malformed, path_info
from .streams import AsyncBody
from .typing import Receive, Scope

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# Upper case already. PERF: plaintext: a look-up is cheaper than another copy.
_COMMON_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

# Headers whose values Werkzeug makes URIs of when the response is sent.
_URL_HEADERS = frozenset({"location", "content-location"})

#: How many names of hosts are remembered.
KNOWN_HOSTS = 256

#: Bodies of fewer bytes share the header with their length.
KNOWN_LENGTHS = 8192

# Statuses whose responses have no body (RFC 9110, section 6.4.1).
_WITHOUT_BODY = frozenset({*range(100, 200), 204, 304})

T = t.TypeVar("T")


def _lazy(make: t.Callable[[t.Any], T]) -> T:
    """Return a descriptor that makes an attribute which Werkzeug's request declares as a plain one."""
    return t.cast(T, Lazy(make))


def _decoded(text: str) -> str:
    # WSGI hands on bytes as latin-1 (PEP 3333); URLs are UTF-8.
    return text if text.isascii() else text.encode("latin1").decode(errors="replace")


def split_blueprint_path(name: str) -> list[str]:
    """Return a blueprint's dotted name and those of its parents, the innermost first.

    :param name: for example ``"shop.admin"``, for which ``["shop.admin", "shop"]`` is returned.
    """
    names = [name]
    while (parent := name.rpartition(".")[0]) != "":
        names.append(parent)
        name = parent
    return names


class Request(ReceivedRequest):
    """The request of one context, read-only and made lazily from the WSGI environment.

    Under ASGI :meth:`of_scope` makes it, and the environment is made when something asks for it.

    :param environ: the WSGI environment (PEP 3333).
    :param populate_request: whether to store the request as ``environ["werkzeug.request"]``.
    :param shallow: whether reading the body is refused, for middleware.
    """

    #: The rule that matched. Its endpoint is :attr:`endpoint`.
    url_rule: Rule | None = None

    #: The values of the rule's variables, ``None`` where no rule matched.
    view_args: dict[str, t.Any] | None = None

    #: What matching raised, and the pipeline will raise when it is the view's turn.
    routing_exception: HTTPException | None = None

    shallow = False
    # Whether a subclass has a constructor, which then gets its environment also under ASGI.
    _needs_environ: t.ClassVar[bool] = False
    # Whether the query string is what the server has handed on.
    _reads_query_plainly: t.ClassVar[bool] = True
    _json_module: t.Any = None

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.close is not RequestBase.close:
            cls._must_close = True
        cls._needs_environ = cls.__init__ is not Request.__init__
        cls._note_overrides(Request)
        cls._reads_query_plainly = cls.query_string is Request.query_string and cls.environ is Request.environ

    def __init__(
        self, environ: WSGIEnvironment, populate_request: bool = True, shallow: bool = False
    ) -> None:
        # PERF: plaintext: Werkzeug's constructor decodes the path twice, looks for the server and makes the
        # header object: 5 us. Here each is made when it is read; its attributes are the same.
        self.environ = environ
        #: The environment. Under ASGI it has only what answering always takes, until something asks for ``environ``.
        self.head = environ
        method: str = environ.get("REQUEST_METHOD", "GET")
        self.method = method if method in _COMMON_METHODS else method.upper()
        if shallow:
            self.shallow = True
        elif populate_request:
            environ["werkzeug.request"] = self

    @classmethod
    def of_scope(cls, scope: Scope, receive: Receive, app: t.Any = None) -> t.Self:
        """Make the request of an ASGI scope.

        :param scope: the scope of an HTTP request or a WebSocket.
        :param receive: the server's callable for the body.
        :param app: the application, ``None`` for none.
        """
        try:
            pairs = scope["headers"]
            # PERF: async plaintext: a dict and a few look-ups cost a third of walking through the headers.
            headers: dict[bytes, bytes] = dict(pairs)
            if len(headers) != len(pairs):
                headers = joined(pairs)
            path: str = scope["path"]
            # Called on the class, as bytes have the method as well.
            if not str.isascii(path) or scope.get("root_path"):
                path = path_info(scope)
            method: str = scope.get("method", "GET")
            head: dict[str, t.Any] = {"REQUEST_METHOD": method, "PATH_INFO": path}
            if b"host" in headers:
                head["HTTP_HOST"] = _hosts[headers[b"host"]]
            if PRESERVE_CONTEXT in scope:
                head[PRESERVE_CONTEXT] = scope[PRESERVE_CONTEXT]
            if b"cookie" in headers:
                head["HTTP_COOKIE"] = headers[b"cookie"].decode("latin1")
            request = object.__new__(cls)
            request._scope, request._application, request.head = scope, app, head
            request.method = method if method in _COMMON_METHODS else str.upper(method)
            if method != "GET" or b"content-length" in headers or b"transfer-encoding" in headers:
                if b"content-length" in headers:
                    head["CONTENT_LENGTH"] = headers[b"content-length"].decode("latin1")
                add_changes(head, headers)
                # What comes to a WebSocket are its messages, whatever the headers of its handshake say.
                if has_body(scope, head, headers) and scope["type"] == "http":
                    request._body = ReceivedBody(receive)
            if cls._needs_environ:
                fill_environ(head, scope, BytesIO() if request._body is None else ReceivedFile(request._body))
                cls.__init__(request, head)
        except Exception as error:
            raise malformed(scope, error) from error
        return request

    @_lazy
    def environ(self) -> WSGIEnvironment:
        """The WSGI environment, made of the scope under ASGI."""
        assert self._scope is not None
        try:
            fill_environ(
                self.head, self._scope, BytesIO() if self._body is None else ReceivedFile(self._body)
            )
        except Exception as error:
            raise malformed(self._scope, error) from error
        self.head["werkzeug.request"] = self
        return self.head

    @property
    def scope(self) -> Scope | None:
        """The ASGI scope of this request, ``None`` under WSGI."""
        return self.environ.get(SCOPE) if self._scope is None else self._scope

    @property
    def is_websocket(self) -> bool:
        """Whether this is the handshake of a WebSocket, which hooks see as a request."""
        return self._scope is not None and self._scope["type"] == "websocket"

    @property
    def last_event_id(self) -> str:
        """The id of the last event that a client of server-sent events has seen, empty for a first connection."""
        # Browsers send the id as it came, in UTF-8 (WHATWG HTML, section 9.2.4).
        return _decoded(self.headers.get("Last-Event-ID", ""))

    @_lazy
    def scheme(self) -> str:
        """The scheme of the URL, ``http`` or ``https``."""
        return t.cast(str, self.environ.get("wsgi.url_scheme", "http"))

    @_lazy
    def server(self) -> tuple[str, int | None] | None:
        """Name and port the server listens on, ``None`` where it does not say."""
        environ = self.environ
        if "SERVER_NAME" not in environ:
            return None
        port = str(environ.get("SERVER_PORT", ""))
        return environ["SERVER_NAME"], int(port) if port.isdecimal() else None

    @_lazy
    def root_path(self) -> str:
        """The prefix the application is mounted at, without a slash at the end."""
        return _decoded(self.environ.get("SCRIPT_NAME") or "").rstrip("/")

    @_lazy
    def path(self) -> str:
        """The path below :attr:`root_path`, decoded, with one slash in front."""
        return "/" + _decoded(self.environ.get("PATH_INFO") or "").lstrip("/")

    @_lazy
    def query_string(self) -> bytes:
        """The query as it was sent, without the question mark."""
        return t.cast(str, self.environ.get("QUERY_STRING", "")).encode("latin1")

    @_lazy
    def headers(self) -> Headers:
        """The headers of the request, by names in any case."""
        return EnvironHeaders(self.environ)

    @_lazy
    def remote_addr(self) -> str | None:
        """The address of the client, or of the proxy in front; ``None`` where the server does not say."""
        return t.cast("str | None", self.environ.get("REMOTE_ADDR"))

    @property
    def json_module(self) -> t.Any:
        """What reads the JSON of this request: the application's provider, unless another is assigned."""
        if self._json_module is not None:
            return self._json_module
        return json if self._application is None else self._application.json

    @json_module.setter
    def json_module(self, value: t.Any) -> None:
        self._json_module = value

    @property
    def endpoint(self) -> str | None:
        """The endpoint that matched, ``None`` where none did."""
        rule = self.url_rule
        return None if rule is None else t.cast(str, rule.endpoint)

    @property
    def blueprint(self) -> str | None:
        """The dotted name of the blueprint that was registered with the endpoint, ``None`` without one."""
        endpoint = self.endpoint
        if endpoint is None or "." not in endpoint:
            return None
        return endpoint.rpartition(".")[0]

    @property
    def blueprints(self) -> list[str]:
        """The names of the blueprint of the endpoint and of its parents, the innermost first."""
        name = self.blueprint
        return [] if name is None else split_blueprint_path(name)

    @cached_property
    def args(self) -> MultiDict[str, str]:
        """The query (WHATWG URL), a multi-dict. Raises the 400 for one that does not decode, where configured."""
        args: MultiDict[str, str] | None = None
        # PERF: query and header: as text that needs no decoding, and without a call that keeps it as bytes: 0.5 us.
        if self._reads_query_plainly and "query_string" not in self.__dict__:
            # Over ASGI the query stands in the scope as well, and nobody needs the environment for it.
            is_made = "environ" in self.__dict__
            query = self.environ.get("QUERY_STRING") if is_made else self._query_of_scope()
            if type(query) is str and query.isascii():
                args = storage_at_once(self.parameter_storage_class, query)
        return self._read_args() if args is None else args

    def _query_of_scope(self) -> str | None:
        query = None if self._scope is None else self._scope.get("query_string", b"")
        return query.decode("latin1") if type(query) is bytes else None

    def _read_args(self) -> MultiDict[str, str]:
        """Return the query in the general way."""
        strict = self._is_strict()
        try:
            text = self.query_string.decode()
        except UnicodeDecodeError:
            if not strict:
                raise
            raise BadRequest("The query of this request is not UTF-8.") from None
        args: MultiDict[str, str] = storage_of(self.parameter_storage_class, text, "query", strict)
        return args

    @cached_property
    def cookies(self) -> ImmutableMultiDict[str, str]:
        """The cookies of the request (RFC 6265), a multi-dict."""
        # PERF: session read: Werkzeug's own looks through all headers for it, 8 us.
        cookies: t.Any = parse_cookie(self.head.get("HTTP_COOKIE", ""), self.dict_storage_class)
        return t.cast("ImmutableMultiDict[str, str]", cookies)

    @cached_property
    def url(self) -> str:
        """The whole URL, as an IRI (RFC 3987)."""
        return self._url_of(self.root_path, self.path, self.query_string)

    @cached_property
    def base_url(self) -> str:
        """The URL without the query, as an IRI."""
        return self._url_of(self.root_path, self.path)

    @cached_property
    def root_url(self) -> str:
        """The URL the application is mounted at, as an IRI with a slash at the end."""
        return self._url_of(self.root_path)

    @cached_property
    def host_url(self) -> str:
        """Scheme and host, as an IRI with a slash at the end."""
        return self._url_of()

    def _url_of(self, *parts: t.Any) -> str:
        try:
            return get_current_url(self.scheme, self.host, *parts)
        except UnicodeError:
            # A name of IDNA 2008 that the standard library's IDNA 2003 cannot decode: it stays in its ASCII form.
            return get_current_url(self.scheme, "host.invalid", *parts).replace("host.invalid", self.host, 1)

    @cached_property
    def authorization(self) -> Authorization | None:
        """The credentials of the ``Authorization`` header (RFC 9110, section 11.6.2), ``None`` without readable ones."""
        try:
            return Authorization.from_header(self.environ.get("HTTP_AUTHORIZATION"))
        except ValueError:
            # Characters beyond ASCII in the base64 of Basic.
            return None

    def on_json_loading_failed(self, e: ValueError | None) -> t.Any:
        """Raise the 400 for a body that is no JSON, or the 415 for one whose content type says so.

        :param e: what the JSON provider raised, ``None`` where the content type is not JSON.
        """
        if e is None or (self._application is not None and self._application.debug):
            return super().on_json_loading_failed(e)
        # The parser's message quotes the body and the versions in use: that is for debug mode.
        raise BadRequest("The body of this request is not the JSON that its content type announces.") from e


@tells_of(
    "__delitem__ __ior__ __setitem__ add add_header clear extend pop popitem remove set setdefault "
    "setlist setlistdefault update".split()
)
class ResponseHeaders(Headers):
    """Headers made from a list of pairs that is known to be clean, which remember whether they were changed.

    :param pairs: names and values, each a ``str`` without line breaks; the list becomes the headers' own.
    """

    # Set by the first mutation, through what ``tells_of`` puts around the methods.
    is_changed = False

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        # PERF: plaintext: Headers() checks each value again: 2 us for four headers.
        self._list = self.pairs = pairs

    def changed(self) -> None:
        """Remember that these are no longer the headers they were made of."""
        self.is_changed = True


class _Lengths(dict[int, tuple[str, str]]):
    """The headers that tell lengths, those of short bodies made once.

    PERF: plaintext, json: 0.1 us, most of it when ASGI looks up how they are encoded.
    """

    def __missing__(self, length: int) -> tuple[str, str]:
        header = ("Content-Length", str(length))
        if length < KNOWN_LENGTHS:
            self[length] = header
        return header


class _Hosts(dict[bytes, str]):
    """Names of hosts as an environment has them. A site has few, and whoever makes up others gets no room here.

    PERF: async plaintext: 0.05 us.
    """

    def __missing__(self, name: bytes) -> str:
        text = name.decode("latin1")
        if len(self) < KNOWN_HOSTS and len(name) < 256:
            self[name] = text
        return text


_hosts = _Hosts()
_lengths = _Lengths()
_new_headers: t.Any = object.__new__


class Response(ResponseBase):
    """The response a view's return value becomes. HTML by default."""

    default_mimetype: str | None = "text/html"
    json_module: t.Any = json
    autocorrect_location_header = False

    # The body that ``of_bytes`` made, as long as nobody assigns another.
    _whole: list[bytes] = []

    # What a response begins with; Werkzeug's constructor sets the same on each.
    _status = "200 OK"
    _status_code = 200
    direct_passthrough = False

    #: Whether the pipeline has given this response the headers of the safe profile.
    has_default_headers = False

    # Whether nothing a subclass overrides has a say in how a complete body is sent.
    _sends_plainly: t.ClassVar[bool] = True

    #: Whether some subclass of this process is called in a way of its own, and is to be given a whole environment.
    needs_environ: t.ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__call__ is not Response.__call__:
            Response.needs_environ = True
        cls._sends_plainly = all(
            getattr(cls, name) is getattr(Response, name)
            for name in ("get_wsgi_headers", "get_app_iter", "get_wsgi_response", "iter_encoded", "close")
        )

    @property
    def max_cookie_size(self) -> int:  # type: ignore[override]
        """The largest cookie in bytes that is set without a warning: ``MAX_COOKIE_SIZE`` of the configuration."""
        context = context_var.get(None)
        return super().max_cookie_size if context is None else context.app.config["MAX_COOKIE_SIZE"]

    @classmethod
    def of_bytes(cls, body: bytes, content_type: tuple[str, str], more: list[tuple[str, str]]) -> t.Self:
        """Make a response with status 200 of a whole body.

        :param body: the body, encoded.
        :param content_type: the ``Content-Type`` header.
        :param more: the headers of the safe profile, clean and no ``Location`` among them.
        """
        # PERF: plaintext, json: the same attributes as the constructor sets, for a tenth of its 8 us.
        response = object.__new__(cls)
        # PERF: plaintext, json: a call of their constructor costs 0.1 us.
        response.headers = headers = _new_headers(ResponseHeaders)
        headers._list = headers.pairs = [content_type, _lengths[len(body)], *more]
        response.response = response._whole = [body]
        response._on_close = []
        response.has_default_headers = True
        return response

    def _wrap_async_body(self) -> None:
        body: t.Any = self.response
        if hasattr(body, "__aiter__") and type(body) is not AsyncBody:
            self.response = AsyncBody(body)

    def iter_encoded(self) -> t.Iterator[bytes]:
        """Return an iterator over the body, encoded; plain code may iterate over an async one as well."""
        self._wrap_async_body()
        return super().iter_encoded()

    def close(self) -> None:
        """Close the body, and call what ``call_on_close`` has registered."""
        self._wrap_async_body()
        super().close()

    async def aclose(self) -> None:
        """Close an async body; :meth:`close` does the rest."""
        self._wrap_async_body()
        body: t.Any = self.response
        if type(body) is AsyncBody:
            await body.aclose()

    def get_app_iter(self, environ: WSGIEnvironment) -> t.Iterable[bytes]:
        """Return what a server iterates over: the body, or nothing where there is none to send.

        :param environ: the WSGI environment of the request.
        """
        sent = super().get_app_iter(environ)
        if not isinstance(sent, ClosingIterator):
            return sent
        kind = type(self.response)
        if kind is AsyncBody:
            is_sent = environ["REQUEST_METHOD"] != "HEAD" and self._status_code not in _WITHOUT_BODY
            return AsyncStream(sent, self) if is_sent else sent
        if (kind is list or kind is tuple) and self._sends_plainly:
            # ASGI sends it without a worker thread, which only what is called at the end needs.
            pieces = [bytes(piece) for piece in sent]
            return WholeBody(pieces, self) if self._on_close else pieces
        return sent

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        """Send this response: status and headers through ``start_response``, the body as the result.

        :param environ: the WSGI environment of the request.
        :param start_response: the server's callable (PEP 3333).
        """
        headers = self.headers
        if (
            type(headers) is ResponseHeaders
            and self._status_code == 200
            and self._sends_plainly
            and environ["REQUEST_METHOD"] != "HEAD"
            and not self._on_close
            and self.response is (whole := self._whole)
            and len(whole) == 1
        ):
            # PERF: plaintext, json: nothing in such a response depends on the environment, so that copying and
            # correcting its headers would give the same ones: 10 us.
            if not headers.is_changed:
                start_response(self._status, headers.pairs.copy())
                return whole
            pairs = headers.to_wsgi_list()
            if _need_nothing(pairs):
                start_response(self._status, pairs)
                return whole
        if "wsgi.version" not in environ and (context := context_var.get(None)) is not None:
            # The head that ASGI makes of a scope: the request fills it.
            environ = context.request.environ
        return super().__call__(environ, start_response)


class WholeBody(list[bytes]):
    """What a server iterates over for a response that is complete, and that calls something when it has been sent.

    :param pieces: the body.
    :param response: the response, which is closed at the end.
    """

    def __init__(self, pieces: t.Iterable[bytes], response: Response) -> None:
        super().__init__(pieces)
        self._response = response

    def close(self) -> None:
        """Close the response."""
        self._response.close()


class AsyncStream:
    """What a server iterates over for a response with an async body: under ASGI as it is, under WSGI plainly.

    :param plain: what WSGI iterates over.
    :param response: the response, which is closed at the end.
    """

    def __init__(self, plain: ClosingIterator, response: Response) -> None:
        self._plain = plain
        self._response = response
        self._body = t.cast(AsyncBody, response.response)

    def __iter__(self) -> t.Iterator[bytes]:
        return self._plain

    def __aiter__(self) -> t.AsyncIterator[bytes]:
        return self._body

    async def aclose(self) -> None:
        """Close the async body; :meth:`close` does the rest."""
        await self._body.aclose()

    def close(self) -> None:
        """Close the response, and with it the body."""
        self._response.close()


def _need_nothing(headers: list[tuple[str, str]]) -> bool:
    """Return whether headers can be sent as they are: with the body's length, and without URLs to make URIs of."""
    names = {name.lower() for name, _ in headers}
    return "content-length" in names and not names & _URL_HEADERS
