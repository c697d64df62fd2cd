"""Falcon. It has no templates (Jinja2 is called directly), no sessions, and builds no addresses."""

from __future__ import annotations

import typing as t

import falcon
from jinja2 import Environment, FileSystemLoader

from ..data import (
    CHUNKS,
    HEADER,
    LEVEL_HEADERS,
    LEVELS,
    MESSAGE,
    PRODUCTS,
    QUERY,
    ROWS,
    STATIC,
    TEMPLATE_NAME,
    TEMPLATES,
    Trouble,
    uploaded,
)

HTML = "text/html; charset=utf-8"


def _app(route: str | None = None, resource: object = None, **options: t.Any) -> t.Any:
    app: t.Any = falcon.App(**options)
    # What the other frameworks take unless told otherwise.
    app.resp_options.default_media_type = HTML
    if route is not None:
        app.add_route(route, resource)
    return app


class _Plain:
    def on_get(self, request: t.Any, response: t.Any) -> None:
        response.text = "Hello, World!"

    # Falcon answers HEAD where a resource says how.
    def on_head(self, request: t.Any, response: t.Any) -> None:
        response.text = "Hello, World!"


class _Json:
    def __init__(self, content: t.Any) -> None:
        self.content = content

    def on_get(self, request: t.Any, response: t.Any) -> None:
        response.media = self.content
        response.content_type = falcon.MEDIA_JSON


class _Item:
    def on_get(self, request: t.Any, response: t.Any, number: int) -> None:
        response.text = f"item {number + 1}"


class _Hello:
    def on_get(self, request: t.Any, response: t.Any, name: str) -> None:
        response.text = f"hello {name}"


class _File:
    def on_get(self, request: t.Any, response: t.Any, rest: str) -> None:
        response.text = f"file {rest}"


class _Search:
    def on_get(self, request: t.Any, response: t.Any) -> None:
        response.text = f"{request.get_param(QUERY)} by {request.get_header(HEADER)}"


class _End:
    def on_get(self, request: t.Any, response: t.Any, value: str) -> None:
        response.text = f"end {value}"


class _Form:
    def on_post(self, request: t.Any, response: t.Any) -> None:
        fields = request.get_media()
        response.text = f"{fields['name']} {fields['mail']} {len(fields['note'])}"


class _Upload:
    def on_post(self, request: t.Any, response: t.Any) -> None:
        title, filename, content = "", "", b""
        for part in request.get_media():
            if part.name == "title":
                title = part.text
            elif part.name == "file":
                filename, content = part.filename, part.stream.read()
        response.text = uploaded(title, filename, content)


class _Orders:
    def on_post(self, request: t.Any, response: t.Any) -> None:
        order = request.get_media()
        items = order["items"]
        response.text = f"{order['customer']['name']} {len(items)} {sum(item['count'] for item in items)}"


class _Rows:
    def __init__(self) -> None:
        loader = FileSystemLoader(TEMPLATES)
        self.environment = Environment(loader=loader, autoescape=True, auto_reload=False)

    def on_get(self, request: t.Any, response: t.Any) -> None:
        response.text = self.environment.get_template(TEMPLATE_NAME).render(rows=ROWS)


class _Order:
    def on_get(self, request: t.Any, response: t.Any) -> None:
        raise Trouble("sold out")


class _Old:
    def on_get(self, request: t.Any, response: t.Any) -> None:
        raise falcon.HTTPFound("/new?page=2")


class _Stream:
    def on_get(self, request: t.Any, response: t.Any) -> None:
        response.stream = iter(CHUNKS)


def plain() -> t.Any:
    return _app("/", _Plain())


get_only = head = plain


def as_json() -> t.Any:
    return _app("/json", _Json(MESSAGE))


def large_json() -> t.Any:
    return _app("/products", _Json(PRODUCTS))


def parameter() -> t.Any:
    return _app("/items/{number:int}", _Item())


def string_parameter() -> t.Any:
    return _app("/hello/{name}", _Hello())


def path_parameter() -> t.Any:
    return _app("/files/{rest:path}", _File())


def query_and_header() -> t.Any:
    return _app("/search", _Search())


def routes(size: int) -> t.Any:
    end = _End()
    app = _app()
    for number in range(size):
        app.add_route(f"/part{number}/{{value}}/end", end)
    return app


def form() -> t.Any:
    return _app("/form", _Form())


def upload() -> t.Any:
    return _app("/upload", _Upload())


def json_post() -> t.Any:
    return _app("/orders", _Orders())


def template() -> t.Any:
    return _app("/rows", _Rows())


def hooks() -> t.Any:
    """Make a middleware for the application; a resource has hooks of its own, once outside and once inside."""

    class Middleware:
        def process_request(self, request: t.Any, response: t.Any) -> None:
            request.context.seen = [LEVELS[0]]

        def process_response(
            self, request: t.Any, response: t.Any, resource: object, succeeded: bool
        ) -> None:
            response.set_header(LEVEL_HEADERS[0], "1")

    def before(request: t.Any, response: t.Any, resource: object, params: t.Any, level: str) -> None:
        request.context.seen.append(level)

    def after(request: t.Any, response: t.Any, resource: object, header: str) -> None:
        response.set_header(header, "1")

    @falcon.before(before, LEVELS[1])
    @falcon.after(after, LEVEL_HEADERS[1])
    @falcon.before(before, LEVELS[2])
    @falcon.after(after, LEVEL_HEADERS[2])
    class Page:
        def on_get(self, request: t.Any, response: t.Any) -> None:
            response.text = " ".join(request.context.seen)

    return _app("/outer/inner/page", Page(), middleware=[Middleware()])


def error_handler() -> t.Any:
    def trouble(request: t.Any, response: t.Any, error: Trouble, params: t.Any) -> None:
        response.status = falcon.HTTP_409
        response.text = f"trouble: {error}"

    app = _app("/order", _Order())
    app.add_error_handler(Trouble, trouble)
    return app


def redirect() -> t.Any:
    return _app("/old", _Old())


def stream() -> t.Any:
    return _app("/stream", _Stream())


def static() -> t.Any:
    app = _app()
    app.add_static_route("/static", STATIC)
    return app


static_304 = static_range = static
