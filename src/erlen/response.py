"""The response: Werkzeug's class, made and sent without the parts of the work that most responses do not need.

What a subclass overrides is asked as Werkzeug asks it. Where it overrides nothing of that, :class:`Response` makes the same
attributes and sends the same bytes on a shorter way; ``tests/test_responses.py`` compares both.
"""

from __future__ import annotations

import re
import typing as t
from http import HTTPStatus

from werkzeug.datastructures import Headers
from werkzeug.http import HTTP_STATUS_CODES, remove_entity_headers
from werkzeug.utils import get_content_type
from werkzeug.wrappers import Response as ResponseBase
from werkzeug.wsgi import ClosingIterator

from . import json
from .ctx import context_var
from .files import FileBody
from .streams import AsyncBody

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

Pairs: t.TypeAlias = list[tuple[str, str]]
Body: t.TypeAlias = (
    "str | bytes | t.Iterable[str] | t.Iterable[bytes] | t.AsyncIterable[str] | t.AsyncIterable[bytes]"
)

#: Bodies of fewer bytes share the header with their length.
KNOWN_LENGTHS = 8192

#: How many types of content are remembered, each with at most as many characters.
KNOWN_TYPES = 64

# Statuses whose responses have no body (RFC 9110, section 6.4.1).
_WITHOUT_BODY = frozenset({*range(100, 200), 204, 304})

# Paths that stay as they are when Werkzeug makes URIs of them (RFC 3986, section 3.3), with a query or without.
# PERF: redirect: 4 us.
_is_plain_path = re.compile(
    r"/(?:[A-Za-z0-9._~%!$&'()*+,:;=@-][A-Za-z0-9._~%!$&'()*+,/:;=@-]*)?(?:\?[A-Za-z0-9._~%!$&'()*+,/:;=?@-]+)?"
).fullmatch

# What has a say in how a response is made, and in how it is sent.
_MAKERS = ("_clean_status", "set_data", "status", "status_code")
_SENDERS = (
    "close",
    "get_app_iter",
    "get_wsgi_headers",
    "get_wsgi_response",
    "is_sequence",
    "iter_encoded",
    "status",
    "status_code",
)


class ResponseHeaders(Headers):
    """Headers that know whether they are still those that their response was made with."""

    #: The headers of a response as its constructor has set them: clean, and no URLs. ``None`` where others were given.
    made: Pairs | None = None

    def add_missing(self, more: Pairs) -> None:
        """Add those of some headers whose names are not there yet.

        :param more: clean ones, and no URLs.
        """
        if self._list == self.made:
            # The type of the content and its length, and those are not among them.
            self._list += more
            self.made = self._list.copy()
            return
        names = {name.lower() for name, _ in self._list}
        self._list += [header for header in more if header[0].lower() not in names]

    def add_clean(self, name: str, value: str) -> None:
        """Add a header that can be sent as it is: one line of Latin-1, and no URL.

        :param name: its name.
        :param value: its value.
        """
        header = (name, value)
        if self._list == self.made:
            # PERF: session write: headers that have not changed otherwise still need nothing before they are sent, 2 us.
            self.made = [*self._list, header]
        self._list.append(header)


class _Lengths(dict[int, tuple[str, str]]):
    """The headers that tell lengths, those of short bodies made once.

    PERF: plaintext, json: 0.1 us, most of it when ASGI looks up how they are encoded.
    """

    def __missing__(self, length: int) -> tuple[str, str]:
        header = ("Content-Length", str(length))
        if length < KNOWN_LENGTHS:
            self[length] = header
        return header


class _ContentTypes(dict[t.Any, tuple[str, str]]):
    """The headers that tell types, with a charset where they have one. An application has few.

    PERF: tuple with a status: 0.7 us.
    """

    def __missing__(self, mimetype: t.Any) -> tuple[str, str]:
        # Raises for line breaks.
        header = Headers([("Content-Type", get_content_type(mimetype, "utf-8"))])[0]
        if type(mimetype) is str and len(self) < KNOWN_TYPES and len(mimetype) <= KNOWN_TYPES:
            self[mimetype] = header
        return header


LENGTHS = _Lengths()
_content_types = _ContentTypes()
_new_headers: t.Any = object.__new__


class Response(ResponseBase):
    """The response a view's return value becomes. HTML by default.

    :param response: the body: ``str``, ``bytes``, or an iterable of them, plain or async.
    :param status: a code, or code and reason as a string.
    :param headers: a mapping, pairs, or a ``Headers`` object, which becomes the response's own.
    :param mimetype: the type of the content, to which text gets a charset.
    :param content_type: the whole ``Content-Type`` in place of that.
    :param direct_passthrough: whether the body is handed to the server as it is.
    """

    #: The media type where none is given.
    default_mimetype: str | None = "text/html"
    #: What ``get_json`` reads JSON with.
    #:
    #: :meta hide-value:
    json_module: t.Any = json
    #: Whether a relative ``Location`` is made absolute.
    autocorrect_location_header = False

    # The body that the constructor or ``of_bytes`` made, as long as nobody assigns another.
    _whole: list[bytes] = []

    #: The body: a list of one item where it is whole, else what is iterated over.
    response: t.Iterable[str] | t.Iterable[bytes]

    # What a response begins with; Werkzeug's constructor sets the same on each.
    _status = "200 OK"
    _status_code = 200
    #: Whether the body is handed to the server as it is, as that of :func:`erlen.send_file` is.
    direct_passthrough = False

    #: Whether the pipeline has given this response the headers of the safe profile.
    has_default_headers = False

    #: Whether nothing a subclass overrides has a say in how cookies are set.
    sets_cookies_plainly: t.ClassVar[bool] = True

    # Whether nothing a subclass overrides has a say in how a response is made, and in how it is sent.
    _is_made_plainly: t.ClassVar[bool] = True
    _sends_plainly: t.ClassVar[bool] = True

    #: Whether some subclass of this process is called in a way of its own, and is to be given a whole environment.
    needs_environ: t.ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__call__ is not Response.__call__:
            Response.needs_environ = True
        cls.sets_cookies_plainly = (
            cls.set_cookie is Response.set_cookie and cls.max_cookie_size is Response.max_cookie_size
        )
        # Another class between the two may have its own way with everything.
        is_next = cls.__mro__[cls.__mro__.index(Response) + 1] is ResponseBase
        cls._is_made_plainly = (
            is_next
            and all(getattr(cls, name) is getattr(Response, name) for name in _MAKERS)
            and not (hasattr(cls, "headers") or hasattr(cls, "response"))
        )
        cls._sends_plainly = is_next and all(
            getattr(cls, name) is getattr(Response, name) for name in _SENDERS
        )

    def __init__(
        self,
        response: Body | None = None,
        status: int | str | HTTPStatus | None = None,
        headers: t.Mapping[str, str | t.Iterable[str]] | t.Iterable[tuple[str, str]] | None = None,
        mimetype: str | None = None,
        content_type: str | None = None,
        direct_passthrough: bool = False,
    ) -> None:
        if not self._is_made_plainly or isinstance(headers, Headers):
            super().__init__(
                t.cast(t.Any, response), status, headers, mimetype, content_type, direct_passthrough
            )
            return
        # PERF: tuple with a status: what Werkzeug's constructor sets, for a fifth of its 8 us.
        self.headers: Headers
        self.headers = own = _new_headers(ResponseHeaders)
        own._list = pairs = _pairs_of(headers) if headers else []
        names = {name.lower() for name, _ in pairs} if pairs else ()
        is_typed = "content-type" in names
        if content_type is None and mimetype is None and not is_typed:
            mimetype = self.default_mimetype
        if content_type is None and mimetype is not None and not is_typed:
            pairs.append(_content_types[mimetype])
        elif content_type is not None or mimetype is not None:
            own["Content-Type"] = _content_types[mimetype][1] if content_type is None else content_type
        self._set_status(self.default_status if status is None else status)
        if direct_passthrough:
            self.direct_passthrough = direct_passthrough
        self._on_close: list[t.Callable[[], t.Any]] = []
        self._set_body(response, names)
        if not headers:
            own.made = pairs.copy()

    def _set_body(self, body: t.Any, names: t.Container[str]) -> None:
        """Set the body, and its length where it has one.

        :param names: the names of the headers that the constructor was given, in lower case.
        """
        if type(body) is str:
            body = body.encode()
        if type(body) is bytes and "content-length" not in names:
            self.response = self._whole = [body]
            if self.automatically_set_content_length:
                self.headers._list.append(LENGTHS[len(body)])
        elif body is None:
            self.response = []
        elif isinstance(body, str | bytes | bytearray):
            self.set_data(t.cast(bytes, body))
        else:
            self.response = body

    def _set_status(self, status: t.Any) -> None:
        # PERF: tuple with a status: without the properties, 0.4 us.
        if type(status) is int and status in HTTP_STATUS_CODES:
            if status != 200:
                self._status, self._status_code = f"{status} {HTTP_STATUS_CODES[status].upper()}", status
        else:
            self.status = status

    @property
    def max_cookie_size(self) -> int:  # type: ignore[override]
        """The largest cookie in bytes that is set without a warning: ``MAX_COOKIE_SIZE`` of the configuration."""
        context = context_var.get(None)
        return super().max_cookie_size if context is None else context.app.config["MAX_COOKIE_SIZE"]

    @classmethod
    def of_bytes(cls, body: bytes, content_type: tuple[str, str], more: Pairs) -> t.Self:
        """Make a response with status 200 of a whole body.

        :param body: the body, encoded.
        :param content_type: the ``Content-Type`` header.
        :param more: the headers of the safe profile, clean and no ``Location`` among them.
        """
        # PERF: plaintext, json: the same attributes as the constructor sets, for half of its time.
        response = object.__new__(cls)
        # PERF: plaintext, json: a call of their constructor costs 0.1 us.
        response.headers = headers = _new_headers(ResponseHeaders)
        headers._list = pairs = [content_type, LENGTHS[len(body)], *more]
        headers.made = pairs.copy()
        response.response = response._whole = [body]
        response._on_close = []
        response.has_default_headers = True
        return response

    @classmethod
    def of_parts(cls, body: bytes, code: int, headers: Pairs, more: Pairs) -> t.Self:
        """Make a response of a whole body.

        :param body: the body, encoded.
        :param code: the status.
        :param headers: clean headers without a length, and no URLs among them.
        :param more: the headers of the safe profile, of which none is among the others.
        """
        response = object.__new__(cls)
        response.headers = own = _new_headers(ResponseHeaders)
        own._list = [*headers, LENGTHS[len(body)], *more]
        own.made = own._list.copy()
        response.response = response._whole = [body]
        response._on_close = []
        response._set_status(code)
        response.has_default_headers = True
        return response

    @classmethod
    def of_file(cls, body: FileBody, code: int, headers: Pairs, more: Pairs) -> t.Self:
        """Make a response of a file.

        :param body: the file.
        :param code: the status.
        :param headers: clean headers, and no URLs among them.
        :param more: the headers of the safe profile, clean, no ``Location`` among them, and none of the first ones.
        """
        response = object.__new__(cls)
        response.headers = own = _new_headers(ResponseHeaders)
        own._list = [*headers, *more]
        own.made = own._list.copy()
        response.response = body
        response.direct_passthrough = True
        response._on_close = []
        response._set_status(code)
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
        is_sent = environ["REQUEST_METHOD"] != "HEAD" and self._status_code not in _WITHOUT_BODY
        if self._sends_plainly:
            plain = self._body_to_send(self.response, is_sent)
            if plain is not None:
                return plain
        sent = super().get_app_iter(environ)
        if is_sent and isinstance(sent, ClosingIterator) and type(self.response) is AsyncBody:
            return AsyncStream(self, sent)
        if is_sent and self.direct_passthrough and self._on_close:
            # Werkzeug hands the server the file alone, whose end nobody hears of.
            return ClosingIterator(sent, self.close)
        return sent

    def _body_to_send(self, body: t.Any, is_sent: bool) -> t.Iterable[bytes] | None:
        """Return what :meth:`get_app_iter` does, ``None`` where Werkzeug has to say."""
        kind = type(body)
        if kind is FileBody and not is_sent and not self._on_close:
            body.close()
            return []
        if is_sent and self.direct_passthrough:
            whole = body.take() if kind is FileBody else None
            if whole is not None:
                return WholeBody([whole], self) if self._on_close else [whole]
            return None
        if kind is list or kind is tuple:
            # ASGI sends it without a worker thread, which only what is called at the end needs.
            pieces = [_encoded(piece) for piece in body] if is_sent else []
            return WholeBody(pieces, self) if self._on_close else pieces
        if not is_sent:
            return None
        if hasattr(body, "__aiter__"):
            self._wrap_async_body()
            return AsyncStream(self)
        return PlainStream(self)

    def _headers_to_send(self) -> Pairs | None:
        """Return what :meth:`get_wsgi_headers` makes of the headers, ``None`` where Werkzeug has to say.

        PERF: 404, redirect, tuple with a status: 7 us sooner.
        """
        headers, code = self.headers, self._status_code
        if type(headers) is not ResponseHeaders and type(headers) is not Headers:
            return None
        pairs = headers._list.copy()
        if code not in _WITHOUT_BODY and not self.is_sequence and pairs == getattr(headers, "made", None):
            return pairs
        has_length = has_location = False
        for name, value in pairs:
            lower = name.lower()
            if lower == "content-length":
                has_length = True
            elif lower == "content-location":
                return None
            elif lower == "location":
                is_plain = (
                    name == "Location" and not self.autocorrect_location_header and _is_plain_path(value)
                )
                if has_location or not is_plain:
                    return None
                has_location = True
        if code in _WITHOUT_BODY:
            if code == 304:
                remove_entity_headers(pairs)
            elif has_length:
                pairs = [pair for pair in pairs if pair[0].lower() != "content-length"]
        elif not has_length and self.automatically_set_content_length and self.is_sequence:
            pairs.append(LENGTHS[sum(map(len, self.iter_encoded()))])
        return pairs

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        """Send this response: status and headers through ``start_response``, the body as the result.

        :param environ: the WSGI environment of the request.
        :param start_response: the server's callable (PEP 3333).
        """
        if self._sends_plainly:
            headers: t.Any = self.headers
            if (
                self.response is (whole := self._whole)
                and len(whole) == 1
                and type(whole[0]) is bytes
                and not self._on_close
                and self._status_code not in _WITHOUT_BODY
            ):
                # PERF: plaintext, json: nothing in such a response depends on the environment, so that copying and
                # correcting its headers would give the same ones: 10 us.
                is_as_made = type(headers) is ResponseHeaders and headers._list == headers.made
                pairs = headers._list.copy() if is_as_made else self._headers_to_send()
                if pairs is not None:
                    start_response(self._status, pairs)
                    return whole if environ["REQUEST_METHOD"] != "HEAD" else []
            elif (pairs := self._headers_to_send()) is not None:
                body = self.get_app_iter(environ)
                start_response(self._status, pairs)
                return body
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


class PlainStream:
    """What a server iterates over for a response whose body comes in pieces.

    PERF: stream of 100 chunks: iterating gets to the generator itself, 6 us.

    :param response: the response, which is closed at the end.
    """

    def __init__(self, response: Response) -> None:
        self._response = response
        self._pieces = _pieces_of(response.response)

    def __iter__(self) -> t.Iterator[bytes]:
        return self._pieces

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        """Close the response, and with it the body."""
        self._pieces.close()
        self._response.close()


def _pieces_of(body: t.Iterable[t.Any]) -> t.Generator[bytes]:
    for piece in body:
        yield piece.encode() if isinstance(piece, str) else piece


class AsyncStream:
    """What a server iterates over for a response with an async body: under ASGI as it is, under WSGI plainly.

    :param response: the response, which is closed at the end.
    :param plain: what WSGI iterates over, where a subclass has a say in that.
    """

    def __init__(self, response: Response, plain: t.Iterator[bytes] | None = None) -> None:
        self._response = response
        self._plain = plain
        self._body = t.cast(AsyncBody, response.response)

    def __iter__(self) -> t.Iterator[bytes]:
        return self._response.iter_encoded() if self._plain is None else self._plain

    def __aiter__(self) -> t.AsyncIterator[bytes]:
        return self._body

    def pieces(self) -> t.AsyncIterable[t.Any]:
        """Return what gives the pieces, of text or of bytes; it is closed by :meth:`aclose`."""
        return self._body.pieces()

    @property
    def ends_at_once(self) -> bool:
        """Whether :meth:`close` has nothing to do after :meth:`aclose`."""
        return self._response._sends_plainly and not self._response._on_close

    async def aclose(self) -> None:
        """Close the async body; :meth:`close` does the rest."""
        await self._body.aclose()

    def close(self) -> None:
        """Close the response, and with it the body."""
        self._response.close()


def _encoded(piece: t.Any) -> bytes:
    return piece if type(piece) is bytes else bytes(piece.encode() if isinstance(piece, str) else piece)


def _pairs_of(headers: t.Any) -> Pairs:
    """Return headers as a list of pairs of its own, each value checked."""
    if type(headers) is dict and all(map(is_clean, headers.values())):
        return list(headers.items())
    return Headers(headers)._list


def is_clean(value: t.Any) -> bool:
    """Return whether a header's value may be sent as it is."""
    return type(value) is str and "\n" not in value and "\r" not in value
