"""Litestar with async handlers. Its files know no conditional requests and no ranges.

Its sessions in cookies are encrypted, not only signed, and sent again with each answer.
"""

from __future__ import annotations

import asyncio
import typing as t

from litestar import Litestar, MediaType, Request, Response, Router, get, post
from litestar import head as head_of
from litestar.contrib.jinja import JinjaTemplateEngine
from litestar.datastructures import UploadFile
from litestar.enums import RequestEncodingType
from litestar.middleware import DefineMiddleware
from litestar.middleware.session.client_side import CookieBackendConfig
from litestar.params import Body, Parameter
from litestar.plugins.flash import FlashConfig, FlashPlugin, get_flashes
from litestar.plugins.flash import flash as add_flash
from litestar.response import Redirect, Stream, Template
from litestar.static_files import create_static_files_router
from litestar.template import TemplateConfig

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
    ROWS,
    STATIC,
    TEMPLATE,
    TEMPLATE_NAME,
    TEMPLATES,
    USER,
    Trouble,
    uploaded,
)
from .asgi_hooks import LevelMiddleware

_Request = Request[t.Any, t.Any, t.Any]


@get("/", media_type=MediaType.HTML)
async def _plain() -> str:
    return "Hello, World!"


@head_of("/", media_type=MediaType.HTML)
async def _head() -> None:
    return None


@get("/json")
async def _json() -> dict[str, t.Any]:
    return MESSAGE


@get("/products")
async def _products() -> dict[str, t.Any]:
    return PRODUCTS


@get("/items/{number:int}", media_type=MediaType.HTML, name="item")
async def _item(number: int) -> str:
    return f"item {number + 1}"


@get("/hello/{name:str}", media_type=MediaType.HTML)
async def _hello(name: str) -> str:
    return f"hello {name}"


@get("/files/{rest:path}", media_type=MediaType.HTML)
async def _file(rest: str) -> str:
    return f"file {rest.removeprefix('/')}"


@get("/search", media_type=MediaType.HTML)
async def _search(q: str, name: t.Annotated[str, Parameter(header=HEADER)]) -> str:
    return f"{q} by {name}"


@post("/form", media_type=MediaType.HTML, status_code=200)
async def _form(
    data: t.Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)],
) -> str:
    return f"{data['name']} {data['mail']} {len(data['note'])}"


@post("/upload", media_type=MediaType.HTML, status_code=200)
async def _upload(
    data: t.Annotated[dict[str, t.Any], Body(media_type=RequestEncodingType.MULTI_PART)],
) -> str:
    file: UploadFile = data["file"]
    return uploaded(data["title"], file.filename, await file.read())


@post("/orders", media_type=MediaType.HTML, status_code=200)
async def _orders(data: dict[str, t.Any]) -> str:
    items = data["items"]
    return f"{data['customer']['name']} {len(items)} {sum(item['count'] for item in items)}"


@get("/", media_type=MediaType.HTML)
async def _waiting() -> str:
    await asyncio.sleep(0)
    return "Hello, World!"


@get("/rows")
async def _rows() -> Template:
    return Template(template_name=TEMPLATE_NAME, context={"rows": ROWS})


@get("/rows", media_type=MediaType.HTML)
async def _rows_of_string() -> Template:
    return Template(template_str=TEMPLATE, context={"rows": ROWS})


@get("/login", media_type=MediaType.HTML)
async def _login(request: _Request) -> str:
    request.set_session({"user": USER, "cart": CART})
    return "written"


@get("/session", media_type=MediaType.HTML)
async def _read(request: _Request) -> str:
    return f"{request.session['user']} {len(request.session['cart'])}"


@get("/untouched", media_type=MediaType.HTML)
async def _untouched() -> str:
    return "Hello, World!"


@get("/urls", media_type=MediaType.HTML)
async def _urls(request: _Request) -> str:
    return "\n".join([request.app.route_reverse("item", number=number) for number in NUMBERS])


@get("/page", media_type=MediaType.HTML)
async def _seen(request: _Request) -> str:
    return " ".join(request.state["seen"])


@get("/order", media_type=MediaType.HTML)
async def _order() -> str:
    raise Trouble("sold out")


def _trouble(request: _Request, error: Trouble) -> Response[str]:
    return Response(f"trouble: {error}", status_code=409, media_type=MediaType.HTML)


@get("/old", status_code=302)
async def _old() -> Redirect:
    return Redirect("/new?page=2", status_code=302)


async def _chunks() -> t.AsyncIterator[bytes]:
    for chunk in CHUNKS:
        yield chunk


@get("/stream")
async def _stream() -> Stream:
    return Stream(_chunks, media_type=MediaType.HTML)


def _app(handlers: list[t.Any], **options: t.Any) -> Litestar:
    # Else it takes over the logging of the whole process, and the others would pay for that.
    return Litestar(handlers, logging_config=None, **options)


def plain() -> Litestar:
    return _app([_plain])


get_only = plain


def head() -> Litestar:
    # A HEAD has a handler of its own, which returns nothing.
    return _app([_plain, _head])


def as_json() -> Litestar:
    return _app([_json])


def large_json() -> Litestar:
    return _app([_products])


def parameter() -> Litestar:
    return _app([_item])


def string_parameter() -> Litestar:
    return _app([_hello])


def path_parameter() -> Litestar:
    return _app([_file])


def query_and_header() -> Litestar:
    return _app([_search])


def routes(size: int) -> Litestar:
    async def end(value: str) -> str:
        return f"end {value}"

    paths = [f"/part{number}/{{value:str}}/end" for number in range(size)]
    return _app([get(paths, media_type=MediaType.HTML)(end)])


def form() -> Litestar:
    return _app([_form])


def upload() -> Litestar:
    return _app([_upload])


def json_post() -> Litestar:
    return _app([_orders])


def waiting() -> Litestar:
    return _app([_waiting])


def _templates() -> TemplateConfig[t.Any]:
    return TemplateConfig(directory=TEMPLATES, engine=JinjaTemplateEngine)


def template() -> Litestar:
    return _app([_rows], template_config=_templates())


def template_string() -> Litestar:
    return _app([_rows_of_string], template_config=_templates())


def _sessions() -> DefineMiddleware:
    return CookieBackendConfig(secret=KEY.encode()[:32]).middleware


def session() -> Litestar:
    return _app([_login, _read, _untouched], middleware=[_sessions()])


def flash() -> Litestar:
    @get("/flash", media_type=MediaType.HTML)
    async def add(request: _Request) -> str:
        add_flash(request, "saved", category="info")
        return "flashed"

    @get("/messages", media_type=MediaType.HTML)
    async def messages(request: _Request) -> str:
        # What the plugin gives templates under this name asks for no more of their context.
        shown = " ".join(message["message"] for message in get_flashes({"request": request}))
        add_flash(request, "saved", category="info")
        return shown

    templates = _templates()
    plugin = FlashPlugin(FlashConfig(template_config=templates))
    return _app([add, messages], plugins=[plugin], middleware=[_sessions()], template_config=templates)


def url_for() -> Litestar:
    return _app([_item, _urls])


def hooks() -> Litestar:
    # Starlette's types and Litestar's say the same in other words.
    middleware: t.Any = LevelMiddleware
    levels = [
        DefineMiddleware(middleware, level=level, header=header)
        for level, header in zip(LEVELS, LEVEL_HEADERS, strict=True)
    ]
    inner = Router("/inner", route_handlers=[_seen], middleware=[levels[2]])
    outer = Router("/outer", route_handlers=[inner], middleware=[levels[1]])
    return _app([outer], middleware=[levels[0]])


def error_handler() -> Litestar:
    return _app([_order], exception_handlers={Trouble: _trouble})


def redirect() -> Litestar:
    return _app([_old])


def stream() -> Litestar:
    return _app([_stream])


def static() -> Litestar:
    return _app([create_static_files_router("/static", [STATIC])])
