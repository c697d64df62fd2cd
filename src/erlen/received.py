"""The part of a request that its body is received, limited and parsed by."""

from __future__ import annotations

import typing as t

from werkzeug.datastructures import iter_multi_items
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.wrappers import Request as RequestBase

from .bodies import BodyStream, LimitedBody, OnThread, ReceivedBody, too_large
from .ctx import context_var
from .forms import FormParser
from .lazy import cached_property
from .typing import Application

_FORMS = frozenset({"multipart/form-data", "application/x-www-form-urlencoded"})


class ReceivedRequest(RequestBase):
    """A request of Werkzeug's whose body is limited by the application, and under ASGI may still come."""

    form_data_parser_class: type[FormDataParser] = FormParser

    # Whether ``close`` has anything to do at the end of the request.
    _must_close: bool = False
    _body: ReceivedBody | None = None
    _application: Application | None = None
    _max_content_length: int | None = None
    _max_form_memory_size: int | None = None
    _max_form_parts: int | None = None

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
        if self._max_content_length is None:
            return t.cast("int | None", self._limit("MAX_CONTENT_LENGTH"))
        return self._max_content_length

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
        return t.cast("int | None", self._limit("MAX_FORM_PARTS", super().max_form_parts))

    @max_form_parts.setter
    def max_form_parts(self, value: int | None) -> None:
        self._max_form_parts = value

    @cached_property
    def stream(self) -> BodyStream:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """The body as a stream, limited to :attr:`max_content_length`. Async code reads it with ``async for``."""
        limit = self.max_content_length
        try:
            stream = super().stream
        except RequestEntityTooLarge:
            raise too_large(limit, self._is_strict()) from None
        self._stream_body()
        if limit is not None and "wsgi.input_terminated" in self.environ:
            return LimitedBody(self.environ["wsgi.input"], limit, self._is_strict())
        return BodyStream(stream)

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
        body = self.environ.get("wsgi.input") if self._body is None else self._body
        return body if isinstance(body, ReceivedBody) else None

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

    def make_form_data_parser(self) -> FormDataParser:
        """Return the parser for the form of this request, a ``form_data_parser_class``."""
        parser = super().make_form_data_parser()
        if isinstance(parser, FormParser):
            parser.strict = self._is_strict()
        return parser

    def _load_form_data(self) -> None:
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
