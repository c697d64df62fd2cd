"""Starlette with async endpoints. It has no flashed messages, and no templates in strings."""

from __future__ import annotations

import asyncio
import typing as t

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

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
    TEMPLATE_NAME,
    TEMPLATES,
    USER,
    Trouble,
    uploaded,
)
from .asgi_hooks import LevelMiddleware


async def _plain(request: Request) -> Response:
    return HTMLResponse("Hello, World!")


async def _json(request: Request) -> Response:
    return JSONResponse(MESSAGE)


async def _products(request: Request) -> Response:
    return JSONResponse(PRODUCTS)


async def _item(request: Request) -> Response:
    return HTMLResponse(f"item {request.path_params['number'] + 1}")


async def _hello(request: Request) -> Response:
    return HTMLResponse(f"hello {request.path_params['name']}")


async def _file(request: Request) -> Response:
    return HTMLResponse(f"file {request.path_params['rest']}")


async def _search(request: Request) -> Response:
    return HTMLResponse(f"{request.query_params[QUERY]} by {request.headers[HEADER]}")


async def _end(request: Request) -> Response:
    return HTMLResponse(f"end {request.path_params['value']}")


async def _form(request: Request) -> Response:
    async with request.form() as fields:
        return HTMLResponse(f"{fields['name']} {fields['mail']} {len(str(fields['note']))}")


async def _upload(request: Request) -> Response:
    async with request.form() as fields:
        file = fields["file"]
        assert isinstance(file, UploadFile)
        return HTMLResponse(uploaded(str(fields["title"]), file.filename or "", await file.read()))


async def _orders(request: Request) -> Response:
    order = await request.json()
    items = order["items"]
    return HTMLResponse(f"{order['customer']['name']} {len(items)} {sum(item['count'] for item in items)}")


async def _waiting(request: Request) -> Response:
    await asyncio.sleep(0)
    return HTMLResponse("Hello, World!")


async def _login(request: Request) -> Response:
    request.session["user"] = USER
    request.session["cart"] = CART
    return HTMLResponse("written")


async def _read(request: Request) -> Response:
    return HTMLResponse(f"{request.session['user']} {len(request.session['cart'])}")


async def _urls(request: Request) -> Response:
    return HTMLResponse("\n".join([request.app.url_path_for("item", number=number) for number in NUMBERS]))


async def _seen(request: Request) -> Response:
    return HTMLResponse(" ".join(request.state.seen))


async def _order(request: Request) -> Response:
    raise Trouble("sold out")


async def _trouble(request: Request, error: Exception) -> Response:
    return HTMLResponse(f"trouble: {error}", status_code=409)


async def _old(request: Request) -> Response:
    return RedirectResponse("/new?page=2", status_code=302)


async def _chunks() -> t.AsyncIterator[bytes]:
    for chunk in CHUNKS:
        yield chunk


async def _stream(request: Request) -> Response:
    return StreamingResponse(_chunks(), media_type="text/html")


def plain() -> Starlette:
    return Starlette(routes=[Route("/", _plain)])


get_only = head = plain


def as_json() -> Starlette:
    return Starlette(routes=[Route("/json", _json)])


def large_json() -> Starlette:
    return Starlette(routes=[Route("/products", _products)])


def parameter() -> Starlette:
    return Starlette(routes=[Route("/items/{number:int}", _item)])


def string_parameter() -> Starlette:
    return Starlette(routes=[Route("/hello/{name}", _hello)])


def path_parameter() -> Starlette:
    return Starlette(routes=[Route("/files/{rest:path}", _file)])


def query_and_header() -> Starlette:
    return Starlette(routes=[Route("/search", _search)])


def routes(size: int) -> Starlette:
    return Starlette(routes=[Route(f"/part{number}/{{value}}/end", _end) for number in range(size)])


def form() -> Starlette:
    return Starlette(routes=[Route("/form", _form, methods=["POST"])])


def upload() -> Starlette:
    return Starlette(routes=[Route("/upload", _upload, methods=["POST"])])


def json_post() -> Starlette:
    return Starlette(routes=[Route("/orders", _orders, methods=["POST"])])


def waiting() -> Starlette:
    return Starlette(routes=[Route("/", _waiting)])


def template() -> Starlette:
    templates = Jinja2Templates(directory=TEMPLATES)

    async def rows(request: Request) -> Response:
        return templates.TemplateResponse(request, TEMPLATE_NAME, {"rows": ROWS})

    return Starlette(routes=[Route("/rows", rows)])


def session() -> Starlette:
    pages = [Route("/login", _login), Route("/session", _read), Route("/untouched", _plain)]
    return Starlette(routes=pages, middleware=[Middleware(SessionMiddleware, secret_key=KEY)])


def url_for() -> Starlette:
    return Starlette(routes=[Route("/items/{number:int}", _item, name="item"), Route("/urls", _urls)])


def hooks() -> Starlette:
    levels = [
        [Middleware(LevelMiddleware, level=level, header=header)]
        for level, header in zip(LEVELS, LEVEL_HEADERS, strict=True)
    ]
    inner = Mount("/inner", routes=[Route("/page", _seen)], middleware=levels[2])
    outer = Mount("/outer", routes=[inner], middleware=levels[1])
    return Starlette(routes=[outer], middleware=levels[0])


def error_handler() -> Starlette:
    return Starlette(routes=[Route("/order", _order)], exception_handlers={Trouble: _trouble})


def redirect() -> Starlette:
    return Starlette(routes=[Route("/old", _old)])


def stream() -> Starlette:
    return Starlette(routes=[Route("/stream", _stream)])


def static() -> Starlette:
    return Starlette(routes=[Mount("/static", StaticFiles(directory=STATIC))])


static_304 = static_range = static
