"""The part of a request that its body is received, limited and parsed by."""

from __future__ import annotations

import typing as t
from io import BytesIO

from werkzeug.datastructures import EnvironHeaders, FileStorage, ImmutableMultiDict, iter_multi_items
from werkzeug.exceptions import ClientDisconnected
from werkzeug.formparser import FormDataParser
from werkzeug.wrappers import Request as RequestBase
from werkzeug.wsgi import get_content_length

from .bodies import (
    BodyStream,
    LimitedBody,
    MeasuredBody,
    OnThread,
    ReceivedBody,
    ReceivedFile,
    UnreadBody,
    too_large,
)
from .ctx import context_var
from .fields import RequestHeaders, ScopeHeaders
from .forms import FormParser, storage_at_once
from .lazy import cached_property
from .multipart import UploadedFile
from .typing import Application, Scope

_URLENCODED = "application/x-www-form-urlencoded"
_JSON = "application/json"
_FORMS = frozenset({"multipart/form-data", _URLENCODED})

_SHALLOW = (
    "This request was made with 'shallow=True', so its body is not read. Leave that out where the body is needed, or read "
    "'request.input_stream', which has no limit."
)

#: How many bytes a body has at most that is read at once.
SHORT = 64 * 1024

# Of a request that nobody has given others.
_HEADERS = frozenset({EnvironHeaders, RequestHeaders, ScopeHeaders})

# Nobody can put one in.
_NO_FILES: t.Any = ImmutableMultiDict()

# What says how a body is read, a form and JSON. A class that has one of its own, or an instance, is asked for it.
_READING = frozenset(
    {
        "_max_content_length",
        "_received_body",
        "content_length",
        "environ",
        "max_content_length",
        "shallow",
        "stream",
    }
)
_OF_FORMS = _READING | {
    "_get_stream_for_parsing",
    "_parse_content_type",
    "form_data_parser_class",
    "make_form_data_parser",
    "_max_form_memory_size",
    "_max_form_parts",
    "max_form_memory_size",
    "max_form_parts",
    "mimetype",
    "mimetype_params",
    "want_form_data_parsed",
}
_OF_JSON = _READING | {"_parse_content_type", "get_data", "is_json", "mimetype"}

# What an instance has once its body has been read, or somebody has set.
_SEEN_OF_FORMS = _OF_FORMS - {"environ", "content_length"} | {"_cached_data", "form", "files", "stream"}
_SEEN_OF_JSON = _OF_JSON - {"environ", "content_length"} | {"_cached_data", "_cached_json", "stream"}


def _is_of(content_type: str, mimetype: str) -> bool:
    # The parameters behind the type, if there are any, do not change how it is read.
    return content_type.partition(";")[0].strip(" \t").lower() == mimetype


class ReceivedRequest(RequestBase):
    """A request of Werkzeug's whose body is limited by the application, and under ASGI may still come."""

    form_data_parser_class: type[FormDataParser] = FormParser

    # What ASGI has called the application with; and what every request has of its environment.
    _scope: Scope | None
    head: dict[str, t.Any]
    _environ: dict[str, t.Any] | None

    # Whether ``close`` has anything to do at the end of the request.
    _must_close: bool = False
    _body: ReceivedBody | None = None
    _application: Application | None
    _max_content_length: int | None = None
    _max_form_memory_size: int | None = None
    _max_form_parts: int | None = None
    # Whether the body was read at once, so that nothing is left for its stream.
    _is_taken: bool = False
    # Whether nothing a subclass overrides has a say in how forms and JSON are read.
    _parses_plainly: t.ClassVar[bool] = True
    _loads_plainly: t.ClassVar[bool] = True

    @classmethod
    def _note_overrides(cls, base: type[ReceivedRequest]) -> None:
        replaced = {name for name in _OF_FORMS | _OF_JSON if getattr(cls, name) is not getattr(base, name)}
        cls._parses_plainly = replaced.isdisjoint(_OF_FORMS)
        cls._loads_plainly = replaced.isdisjoint(_OF_JSON)

    def _is_strict(self) -> bool:
        app = self._application
        return app is not None and bool(app.config["REFUSE_MALFORMED_REQUESTS"])

    def _limit(self, name: str, default: t.Any = None) -> t.Any:
        app = self._application
        if app is None and (context := context_var.get(None)) is not None:
            # Somebody has made this request by hand.
            app = context.app
        return default if app is None else app.config[name]

    @property
    def max_content_length(self) -> int | None:
        """The largest body in bytes; a larger one is answered with 413. ``None`` where there is no limit.

        Set it on a request, before its body is read, to differ from ``MAX_CONTENT_LENGTH``. ``None`` set on a request
        stands for ``MAX_CONTENT_LENGTH`` again, as in Flask.
        """
        limit = self._max_content_length
        if limit is None:
            app = self._application
            limit = self._limit("MAX_CONTENT_LENGTH") if app is None else app.config["MAX_CONTENT_LENGTH"]
        return limit

    @max_content_length.setter
    def max_content_length(self, value: int | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        before, self._max_content_length = self.max_content_length, value
        if before is not None and value is not None and value > before:
            # What was too large is going to be read.
            self._stream_body()

    @property
    def max_form_memory_size(self) -> int | None:
        """The largest form field in bytes; a larger one is answered with 413. ``None`` for any size.

        Set it on a request, before its form is read, to differ from ``MAX_FORM_MEMORY_SIZE``.
        """
        if self._max_form_memory_size is not None:
            return self._max_form_memory_size
        if self._application is not None:
            limit: int | None = self._application.config["MAX_FORM_MEMORY_SIZE"]
            return limit
        return t.cast("int | None", self._limit("MAX_FORM_MEMORY_SIZE", super().max_form_memory_size))

    @max_form_memory_size.setter
    def max_form_memory_size(self, value: int | None) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self._max_form_memory_size = value

    @property  # type: ignore[override]
    def max_form_parts(self) -> int | None:
        """The largest number of parts of a multipart form; more are answered with 413. ``None`` for any number.

        Set it on a request, before its form is read, to differ from ``MAX_FORM_PARTS``.
        """
        if self._max_form_parts is not None:
            return self._max_form_parts
        if self._application is not None:
            limit: int | None = self._application.config["MAX_FORM_PARTS"]
            return limit
        return t.cast("int | None", self._limit("MAX_FORM_PARTS", super().max_form_parts))

    @max_form_parts.setter
    def max_form_parts(self, value: int | None) -> None:
        self._max_form_parts = value

    @cached_property
    def stream(self) -> BodyStream:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """The body as a stream, limited to :attr:`max_content_length`. Async code reads it with ``async for``."""
        if self.shallow:
            raise RuntimeError(_SHALLOW)
        environ, limit = self.environ, self.max_content_length
        length = 0 if self._is_taken else get_content_length(environ)
        if length is not None and limit is not None and length > limit:
            raise too_large(limit, self._is_strict())
        self._stream_body()
        file = environ["wsgi.input"]
        if self._is_taken and self._body is not None:
            # The one whose end was reached, whatever stands in the environment since.
            file = ReceivedFile(self._body)
        if "wsgi.input_terminated" not in environ:
            # Nobody says where a body ends whose length is not told: it is taken for empty.
            return MeasuredBody(file, length or 0)
        return BodyStream(file) if limit is None else LimitedBody(file, limit, self._is_strict())

    @cached_property
    def form(self) -> ImmutableMultiDict[str, str]:
        """The fields of the form, a multi-dict; empty where the body is none."""
        known = self.__dict__
        if "form" not in known:
            self._load_form_data()
        form: ImmutableMultiDict[str, str] | None = known.get("form")
        # Not the attribute where that can be avoided: a subclass may have a property that asks for this one.
        return self.form if form is None else form

    @cached_property
    def files(self) -> ImmutableMultiDict[str, FileStorage]:
        """The files of a multipart form by their fields' names, a multi-dict."""
        known = self.__dict__
        if "files" not in known:
            self._load_form_data()
        files: ImmutableMultiDict[str, FileStorage] | None = known.get("files")
        return self.files if files is None else files

    async def receive_body(self) -> None:
        """Receive what has not come yet of the body, so that form, files, data and JSON can be read without waiting.

        Under ASGI, for async views that begin before the body has been received (see
        :func:`erlen.stream_request_body`), or that have raised :attr:`max_content_length`.

        :raises RequestEntityTooLarge: for a body larger than that.
        :raises ClientDisconnected: when the client went away.
        """
        body, limit = self._received_body(), self.max_content_length
        if body is None or body.is_complete:
            return
        if limit is not None and (self.content_length or 0) > limit:
            raise too_large(limit, self._is_strict())
        await body.fill(limit, self._on_thread)
        await self.parse_ahead()

    async def parse_ahead(self) -> None:
        """Parse a large form on a worker thread, as an event loop would stand still meanwhile."""
        body = self._received_body()
        if body is None or not (body.is_large and body.is_complete) or self.mimetype not in _FORMS:
            return
        try:
            await self._on_thread(self._load_form_data)
        except Exception as error:
            # Whoever asks for the form is told; the limits may be others by then.
            body.refused = self._form_limits(), error.with_traceback(None)
            error.__context__ = error.__cause__ = None
        else:
            body.parsed = self._form_limits(), self.form, self.files
            body.files = [file for _, file in iter_multi_items(self.files)]
        for name in ("form", "files", "stream"):
            self.__dict__.pop(name, None)
        body.rewind()

    def _received_body(self) -> ReceivedBody | None:
        """Return the body as ASGI sends it; behind middleware for WSGI it comes with the environment."""
        if self._body is not None:
            return self._body
        file = self.environ.get("wsgi.input")
        return file.body if isinstance(file, ReceivedFile) else None

    def _stream_body(self) -> None:
        """Leave what has not come yet of the body to be read, also after the response has started."""
        body = self._received_body()
        if body is not None:
            body.is_streamed = True

    @property
    def _on_thread(self) -> OnThread:
        app: t.Any = self._application
        return t.cast("OnThread", app.on_thread)

    def _form_limits(self) -> tuple[int | None, ...]:
        return self.max_content_length, self.max_form_memory_size, self.max_form_parts

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> t.IO[bytes]:
        """Return the place for a file of a form; a subclass may return another file that can be written and read.

        :param total_content_length: the bytes of the whole body, where that is known.
        :param content_type: the type of the file.
        :param filename: its name.
        :param content_length: its own length, which browsers do not tell.
        """
        return t.cast("t.IO[bytes]", UploadedFile())

    def make_form_data_parser(self) -> FormDataParser:
        """Return the parser for the form of this request, a ``form_data_parser_class``."""
        parser = super().make_form_data_parser()
        if isinstance(parser, FormParser):
            parser.strict = self._is_strict()
        return parser

    def _take(self, limit: int | None, most: int = SHORT) -> bytes | None:
        """Return a short body as a whole, ``None`` where its stream has to be read.

        :param limit: ``MAX_CONTENT_LENGTH``.
        :param most: the number of bytes that a body has at most that is read so.
        """
        head = self.head
        if self._environ is not head and self._environ is not None:
            # It was replaced, and with it the body.
            return None
        if limit is not None and limit < most:
            most = limit
        if self._scope is not None:
            body = self._body
            if "wsgi.input" in head and getattr(head["wsgi.input"], "body", None) is not body:
                # It was replaced in the environment.
                return None
            whole = None if body is None else body.take(most)
            self._is_taken = whole is not None
            return whole
        length = head.get("CONTENT_LENGTH", "")
        if (
            not length.isdigit()
            or len(length) > 6
            or not length.isascii()
            or (size := int(length)) > most
            or "HTTP_TRANSFER_ENCODING" in head
        ):
            return None
        if "wsgi.input_terminated" in head:
            return self._take_terminated(size)
        stream = head["wsgi.input"]
        data = b""
        try:
            if size:
                data = stream.read(size)
        except (OSError, ValueError) as error:
            self.__dict__["stream"] = MeasuredBody(stream, size)
            raise ClientDisconnected from error
        if len(data) < size:
            # A stream may return less than it was asked for. Where nothing more comes, there is no other way to read it later.
            rest = self.__dict__["stream"] = MeasuredBody(stream, size - len(data))
            data += rest.readall()
        self._is_taken = True
        return data

    def _take_terminated(self, size: int) -> bytes | None:
        """Return a body that ends where the server's stream ends, ``None`` where it is longer than was announced.

        PERF: form POST under gunicorn, which says of each body that it ends: 13 us.

        :param size: the announced length.
        """
        stream, data = self.stream, b""
        # What decompresses a body may have left the length as it was: its end counts.
        while piece := stream.read(size + 1 - len(data)):
            data += piece
            if len(data) > size:
                self.__dict__["stream"] = UnreadBody(data, stream)
                return None
        return data

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> t.Any:
        """Return the body as the value that its JSON stands for.

        :param force: whether the content type may be any.
        :param silent: whether ``None`` is returned for what cannot be read; otherwise :meth:`on_json_loading_failed` is
            called.
        :param cache: whether the value is kept for the next call.
        """
        # PERF: JSON POST: without a stream, and with the type as it stands in the head, 15 us.
        plan = None if self._application is None else self._application.plan
        if (
            plan is not None
            and cache
            and self._loads_plainly
            and _SEEN_OF_JSON.isdisjoint(known := self.__dict__)
            and ("headers" not in known or type(known["headers"]) in _HEADERS)
            and ((content_type := self.head.get("CONTENT_TYPE", "")) == _JSON or _is_of(content_type, _JSON))
            and (data := self._take(plan.body_limits[0])) is not None
        ):
            self._cached_data = data
            try:
                value = self.json_module.loads(data)
            except ValueError:
                # It is told of below.
                pass
            else:
                self._cached_json = value, value
                return value
        return super().get_json(force, silent, cache)

    def _load_short_form(self) -> bool:
        """Parse a short urlencoded form, and return whether that was done.

        PERF: form POST: without streams and parsers, 15 us.
        """
        known, content_type = self.__dict__, self.head.get("CONTENT_TYPE", "")
        plan = None if self._application is None else self._application.plan
        if (
            plan is None
            or (content_type != _URLENCODED and not _is_of(content_type, _URLENCODED))
            or plan.explains_forms
            or self.form_data_parser_class is not FormParser
            or not _SEEN_OF_FORMS.isdisjoint(known)
            or ("headers" in known and type(known["headers"]) not in _HEADERS)
        ):
            return False
        limit, most, parts = plan.body_limits
        if most is None or most > SHORT:
            most = SHORT
        data = self._take(limit, most)
        if data is None:
            return False
        cls = self.parameter_storage_class
        try:
            form = storage_at_once(cls, data.decode(), parts)
        except UnicodeDecodeError:
            form = None
        if form is not None:
            known["form"], known["files"] = form, _NO_FILES if cls is ImmutableMultiDict else cls()
            return True
        # Something is wrong with it, which the parser tells.
        known["stream"] = BodyStream(BytesIO(data))
        return False

    def _load_form_data(self) -> None:
        if self._parses_plainly and self._load_short_form():
            return
        body = self._received_body()
        if body is not None and body.parsed is not None and "form" not in self.__dict__:
            (limits, form, files), body.parsed = body.parsed, None
            if limits == self._form_limits():
                body.skip()
                self.__dict__.update(form=form, files=files)
                return
            # Somebody has changed the limits since.
            for _, file in iter_multi_items(files):
                file.close()
        if body is not None and body.refused is not None:
            (limits, error), body.refused = body.refused, None
            if limits == self._form_limits():
                try:
                    raise error
                finally:
                    # Its traceback holds this frame.
                    del error
        super()._load_form_data()
        self._must_close = True
        app = self._application
        if app is not None and app.debug and self.mimetype != "multipart/form-data" and not self.files:
            # Slow to load, and only for debug mode.
            from .debug import attach_enctype_error

            attach_enctype_error(self)
