"""BlackSheep with async handlers. It has no flashed messages, no templates in strings, and for a wrong method a 404."""

from __future__ import annotations

import asyncio
import functools
import typing as t

from blacksheep import Application, Request, Response, StreamedContent, html, json
from blacksheep import redirect as to
from blacksheep.server.rendering.jinja2 import JinjaRenderer
from blacksheep.server.responses import view
from blacksheep.server.routing import Router
from blacksheep.settings.html import html_settings
from jinja2 import DictLoader

from ..data import (
    CART,
    CHUNKS,
    HEADER,
    KEY,
    LEVEL_HEADERS,
    LEVELS,
    MESSAGE,
    NUMBERS,
    PRODUCTS,
    QUERY,
    ROWS,
    STATIC,
    TEMPLATE,
    USER,
    Trouble,
    uploaded,
)

Handler = t.Callable[[Request], t.Awaitable[Response]]


async def _plain() -> Response:
    return html("Hello, World!")


async def _json() -> Response:
    return json(MESSAGE)


async def _products() -> Response:
    return json(PRODUCTS)


async def _item(number: int) -> Response:
    return html(f"item {number + 1}")


async def _hello(name: str) -> Response:
    return html(f"hello {name}")


async def _file(rest: str) -> Response:
    return html(f"file {rest}")


async def _search(request: Request) -> Response:
    name = request.get_first_header(HEADER.encode()) or b""
    return html(f"{request.query[QUERY][0]} by {name.decode()}")


async def _end(value: str) -> Response:
    return html(f"end {value}")


async def _form(request: Request) -> Response:
    fields: t.Any = await request.form()
    return html(f"{fields['name']} {fields['mail']} {len(fields['note'])}")


async def _upload(request: Request) -> Response:
    fields: t.Any = await request.form()
    file = fields["file"][0]
    content = file.file.read() if file.file else file.data
    return html(uploaded(fields["title"], file.file_name.decode(), content))


async def _orders(request: Request) -> Response:
    order = await request.json()
    items = order["items"]
    return html(f"{order['customer']['name']} {len(items)} {sum(item['count'] for item in items)}")


async def _waiting() -> Response:
    await asyncio.sleep(0)
    return html("Hello, World!")


async def _rows() -> Response:
    return view("rows", rows=ROWS)


async def _login(request: Request) -> Response:
    request.session["user"] = USER
    request.session["cart"] = CART
    return html("written")


async def _read(request: Request) -> Response:
    return html(f"{request.session['user']} {len(request.session['cart'])}")


async def _order() -> Response:
    raise Trouble("sold out")


async def _trouble(app: Application, request: Request, error: Trouble) -> Response:
    return html(f"trouble: {error}", 409)


async def _old() -> Response:
    return to("/new?page=2")


async def _chunks() -> t.AsyncIterator[bytes]:
    for chunk in CHUNKS:
        yield chunk


async def _stream() -> Response:
    return Response(200, content=StreamedContent(b"text/html; charset=utf-8", _chunks))


def _app(path: str | None = None, handler: t.Any = None, method: str = "GET") -> Application:
    # The router that is made for an application by default is one for the whole process.
    app = Application(router=Router())
    if path is not None:
        app.router.add(method, path, handler)
    return app


def plain() -> Application:
    return _app("/", _plain)


def head() -> Application:
    app = plain()
    app.router.add_head("/", _plain)
    return app


def as_json() -> Application:
    return _app("/json", _json)


def large_json() -> Application:
    return _app("/products", _products)


def parameter() -> Application:
    return _app("/items/{int:number}", _item)


def string_parameter() -> Application:
    return _app("/hello/{name}", _hello)


def path_parameter() -> Application:
    return _app("/files/{path:rest}", _file)


def query_and_header() -> Application:
    return _app("/search", _search)


def routes(size: int) -> Application:
    app = _app()
    for number in range(size):
        app.router.add_get(f"/part{number}/{{value}}/end", _end)
    return app


def form() -> Application:
    return _app("/form", _form, "POST")


def upload() -> Application:
    return _app("/upload", _upload, "POST")


def json_post() -> Application:
    return _app("/orders", _orders, "POST")


def waiting() -> Application:
    return _app("/", _waiting)


def template() -> Application:
    # Its names have an ending of their own. A template is read once, wherever it comes from.
    html_settings.use(JinjaRenderer(DictLoader({"rows.jinja": TEMPLATE})))
    return _app("/rows", _rows)


def session() -> Application:
    app = _app("/login", _login)
    app.router.add_get("/session", _read)
    app.router.add_get("/untouched", _plain)
    app.use_sessions(KEY)
    return app


def url_for() -> Application:
    app = _app()
    app.router.add("GET", "/items/{int:number}", _item, name="item")

    async def urls() -> Response:
        return html("\n".join([app.router.url_for("item", number=str(number)) for number in NUMBERS]))

    app.router.add_get("/urls", urls)
    return app


def _seen(request: Request) -> list[str]:
    # The scope is where a request keeps what belongs to it; by its types it knows the keys of ASGI alone.
    scope = t.cast("dict[str, list[str]]", request.scope)
    return scope.setdefault("seen", [])


def _level(level: str, header: str) -> t.Callable[[Handler], Handler]:
    name = header.encode()

    def decorator(handler: Handler) -> Handler:
        @functools.wraps(handler)
        async def wrapped(request: Request) -> Response:
            _seen(request).append(level)
            response = await handler(request)
            response.add_header(name, b"1")
            return response

        return wrapped

    return decorator


def hooks() -> Application:
    """Have a middleware for the application, and wrap the handler twice: an application in a mounted one is not found."""

    async def middleware(request: Request, handler: Handler) -> Response:
        _seen(request).append(LEVELS[0])
        response = await handler(request)
        response.add_header(LEVEL_HEADERS[0].encode(), b"1")
        return response

    @_level(LEVELS[1], LEVEL_HEADERS[1])
    @_level(LEVELS[2], LEVEL_HEADERS[2])
    async def page(request: Request) -> Response:
        return html(" ".join(_seen(request)))

    app = _app("/outer/inner/page", page)
    app.middlewares.append(middleware)
    return app


def error_handler() -> Application:
    app = _app("/order", _order)
    app.exceptions_handlers[Trouble] = _trouble
    return app


def redirect() -> Application:
    return _app("/old", _old)


def stream() -> Application:
    return _app("/stream", _stream)


def static() -> Application:
    app = _app()
    app.serve_files(STATIC, root_path="static")
    return app


static_304 = static_range = static
