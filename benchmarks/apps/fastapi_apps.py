"""FastAPI with async path operations. What it takes over from Starlette is imported from FastAPI where it has a name there."""

from __future__ import annotations

import asyncio
import typing as t

from fastapi import APIRouter, Depends, FastAPI, Form, Header, Request, Response, UploadFile
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from starlette.middleware.sessions import SessionMiddleware

from ..data import (
    CART,
    CHUNKS,
    KEY,
    LEVEL_HEADERS,
    LEVELS,
    MESSAGE,
    NUMBERS,
    PRODUCTS,
    ROWS,
    STATIC,
    TEMPLATE_NAME,
    TEMPLATES,
    USER,
    Trouble,
    uploaded,
)
from .asgi_hooks import LevelMiddleware

# As its documentation has pages: no model for the response.
HTML: t.Any = {"response_class": HTMLResponse, "response_model": None}


async def _plain() -> str:
    return "Hello, World!"


async def _json() -> dict[str, t.Any]:
    return MESSAGE


async def _products() -> dict[str, t.Any]:
    return PRODUCTS


async def _item(number: int) -> str:
    return f"item {number + 1}"


async def _hello(name: str) -> str:
    return f"hello {name}"


async def _file(rest: str) -> str:
    return f"file {rest}"


async def _search(q: str, x_name: t.Annotated[str, Header()]) -> str:
    return f"{q} by {x_name}"


async def _end(value: str) -> str:
    return f"end {value}"


async def _form(
    name: t.Annotated[str, Form()], mail: t.Annotated[str, Form()], note: t.Annotated[str, Form()]
) -> str:
    return f"{name} {mail} {len(note)}"


async def _upload(title: t.Annotated[str, Form()], file: UploadFile) -> str:
    return uploaded(title, file.filename or "", await file.read())


async def _orders(order: dict[str, t.Any]) -> str:
    items = order["items"]
    return f"{order['customer']['name']} {len(items)} {sum(item['count'] for item in items)}"


async def _waiting() -> str:
    await asyncio.sleep(0)
    return "Hello, World!"


async def _login(request: Request) -> str:
    request.session["user"] = USER
    request.session["cart"] = CART
    return "written"


async def _read(request: Request) -> str:
    return f"{request.session['user']} {len(request.session['cart'])}"


async def _urls(request: Request) -> str:
    return "\n".join([request.app.url_path_for("item", number=number) for number in NUMBERS])


async def _seen(request: Request) -> str:
    return " ".join(request.state.seen)


async def _order() -> str:
    raise Trouble("sold out")


async def _trouble(request: Request, error: Exception) -> Response:
    return HTMLResponse(f"trouble: {error}", status_code=409)


async def _old() -> Response:
    return RedirectResponse("/new?page=2", status_code=302)


async def _chunks() -> t.AsyncIterator[bytes]:
    for chunk in CHUNKS:
        yield chunk


async def _stream() -> Response:
    return StreamingResponse(_chunks(), media_type="text/html")


def plain() -> FastAPI:
    app = FastAPI()
    app.get("/", **HTML)(_plain)
    return app


get_only = plain


def head() -> FastAPI:
    app = FastAPI()
    app.get("/", **HTML)(_plain)
    # A HEAD has a path operation of its own.
    app.head("/", **HTML)(_plain)
    return app


def as_json() -> FastAPI:
    app = FastAPI()
    app.get("/json")(_json)
    return app


def large_json() -> FastAPI:
    app = FastAPI()
    app.get("/products")(_products)
    return app


def parameter() -> FastAPI:
    app = FastAPI()
    app.get("/items/{number}", **HTML)(_item)
    return app


def string_parameter() -> FastAPI:
    app = FastAPI()
    app.get("/hello/{name}", **HTML)(_hello)
    return app


def path_parameter() -> FastAPI:
    app = FastAPI()
    app.get("/files/{rest:path}", **HTML)(_file)
    return app


def query_and_header() -> FastAPI:
    app = FastAPI()
    app.get("/search", **HTML)(_search)
    return app


def routes(size: int) -> FastAPI:
    app = FastAPI()
    for number in range(size):
        app.get(f"/part{number}/{{value}}/end", **HTML)(_end)
    return app


def form() -> FastAPI:
    app = FastAPI()
    app.post("/form", **HTML)(_form)
    return app


def upload() -> FastAPI:
    app = FastAPI()
    app.post("/upload", **HTML)(_upload)
    return app


def json_post() -> FastAPI:
    app = FastAPI()
    app.post("/orders", **HTML)(_orders)
    return app


def waiting() -> FastAPI:
    app = FastAPI()
    app.get("/", **HTML)(_waiting)
    return app


def template() -> FastAPI:
    templates = Jinja2Templates(directory=TEMPLATES)

    async def rows(request: Request) -> Response:
        return templates.TemplateResponse(request, TEMPLATE_NAME, {"rows": ROWS})

    app = FastAPI()
    app.get("/rows", **HTML)(rows)
    return app


def session() -> FastAPI:
    app = FastAPI()
    app.add_middleware(SessionMiddleware, secret_key=KEY)
    app.get("/login", **HTML)(_login)
    app.get("/session", **HTML)(_read)
    app.get("/untouched", **HTML)(_plain)
    return app


def url_for() -> FastAPI:
    app = FastAPI()
    app.get("/items/{number}", name="item", **HTML)(_item)
    app.get("/urls", **HTML)(_urls)
    return app


def hooks() -> FastAPI:
    """Have a middleware for the application, and dependencies for the routers: those have no middleware."""

    async def outer_level(request: Request, response: Response) -> None:
        request.state.seen.append(LEVELS[1])
        response.headers[LEVEL_HEADERS[1]] = "1"

    async def inner_level(request: Request, response: Response) -> None:
        request.state.seen.append(LEVELS[2])
        response.headers[LEVEL_HEADERS[2]] = "1"

    app = FastAPI()
    app.add_middleware(LevelMiddleware, level=LEVELS[0], header=LEVEL_HEADERS[0])
    inner = APIRouter(prefix="/inner", dependencies=[Depends(inner_level)])
    inner.get("/page", **HTML)(_seen)
    outer = APIRouter(prefix="/outer", dependencies=[Depends(outer_level)])
    outer.include_router(inner)
    app.include_router(outer)
    return app


def error_handler() -> FastAPI:
    app = FastAPI(exception_handlers={Trouble: _trouble})
    app.get("/order", **HTML)(_order)
    return app


def redirect() -> FastAPI:
    app = FastAPI()
    app.get("/old", **HTML)(_old)
    return app


def stream() -> FastAPI:
    app = FastAPI()
    app.get("/stream", **HTML)(_stream)
    return app


def static() -> FastAPI:
    app = FastAPI()
    app.mount("/static", StaticFiles(directory=STATIC))
    return app


static_304 = static_range = static
