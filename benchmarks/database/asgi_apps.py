"""The three pages over ASGI with async views, in each framework; templates are Jinja2's everywhere."""

# The frameworks look at the annotations of handlers, which therefore are no strings here.

import importlib
import json
import pkgutil
import typing as t
from urllib.parse import parse_qs

from jinja2 import DictLoader, Environment

from .sources import AsyncSource
from .tables import TEMPLATE, arranged, bounded

_TEMPLATES = {"fortunes.html": TEMPLATE}
HTML, JSON = "text/html; charset=utf-8", "application/json"


def flask_like(source: AsyncSource, name: str) -> t.Any:
    """Quart and Erlen, as their API differs in the templates alone.

    :param name: the class, as ``package:name``.
    """
    framework: t.Any = importlib.import_module(name.partition(":")[0])
    app: t.Any = pkgutil.resolve_name(name)("benchmark", root_path=".")
    app.jinja_loader = DictLoader(_TEMPLATES)

    async def one() -> t.Any:
        return (await source.worlds(1))[0]

    async def several() -> t.Any:
        return await source.worlds(bounded(framework.request.args.get("queries")))

    async def fortunes() -> t.Any:
        return framework.render_template("fortunes.html", fortunes=arranged(await source.fortunes()))

    async def fortunes_of_quart() -> t.Any:
        return await framework.render_template("fortunes.html", fortunes=arranged(await source.fortunes()))

    app.add_url_rule("/db", "one", one)
    app.add_url_rule("/queries", "several", several)
    app.add_url_rule(
        "/fortunes", "fortunes", fortunes_of_quart if framework.__name__ == "quart" else fortunes
    )
    return app


def starlette(source: AsyncSource) -> t.Any:
    """Starlette with its own class for Jinja2."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse, Response
    from starlette.routing import Route
    from starlette.templating import Jinja2Templates

    templates = Jinja2Templates(env=Environment(autoescape=True, loader=DictLoader(_TEMPLATES)))

    async def one(request: Request) -> Response:
        return JSONResponse((await source.worlds(1))[0])

    async def several(request: Request) -> Response:
        return JSONResponse(await source.worlds(bounded(request.query_params.get("queries"))))

    async def fortunes(request: Request) -> Response:
        rows = arranged(await source.fortunes())
        return templates.TemplateResponse(request, "fortunes.html", {"fortunes": rows})

    routes = [Route("/db", one), Route("/queries", several), Route("/fortunes", fortunes)]
    return Starlette(routes=routes)


def fastapi(source: AsyncSource) -> t.Any:
    """FastAPI, with types where it makes something of them."""
    from fastapi import FastAPI, Request
    from fastapi.responses import HTMLResponse
    from starlette.templating import Jinja2Templates

    app = FastAPI()
    templates = Jinja2Templates(env=Environment(autoescape=True, loader=DictLoader(_TEMPLATES)))

    async def one() -> dict[str, int]:
        return (await source.worlds(1))[0]

    async def several(queries: str | None = None) -> list[dict[str, int]]:
        return await source.worlds(bounded(queries))

    async def fortunes(request: Request) -> t.Any:
        rows = arranged(await source.fortunes())
        return templates.TemplateResponse(request, "fortunes.html", {"fortunes": rows})

    app.get("/db")(one)
    app.get("/queries")(several)
    app.get("/fortunes", response_class=HTMLResponse)(fortunes)
    return app


def litestar(source: AsyncSource) -> t.Any:
    """Litestar; Jinja2 is called directly."""
    from litestar import Litestar, MediaType, Request, get

    template = Environment(autoescape=True).from_string(TEMPLATE)

    @get("/db")
    async def one() -> dict[str, int]:
        return (await source.worlds(1))[0]

    @get("/queries")
    async def several(request: Request[t.Any, t.Any, t.Any]) -> list[dict[str, int]]:
        return await source.worlds(bounded(request.query_params.get("queries")))

    @get("/fortunes", media_type=MediaType.HTML)
    async def fortunes() -> str:
        return template.render(fortunes=arranged(await source.fortunes()))

    return Litestar([one, several, fortunes], openapi_config=None)


def blacksheep(source: AsyncSource) -> t.Any:
    """BlackSheep; Jinja2 is called directly."""
    from blacksheep import Application, Request, Response, html
    from blacksheep import json as as_json
    from blacksheep.server.routing import Router

    template = Environment(autoescape=True).from_string(TEMPLATE)
    app = Application(router=Router())

    async def one() -> Response:
        return as_json((await source.worlds(1))[0])

    async def several(request: Request) -> Response:
        asked = request.query.get("queries") or [""]
        return as_json(await source.worlds(bounded(asked[0])))

    async def fortunes() -> Response:
        return html(template.render(fortunes=arranged(await source.fortunes())))

    app.router.add_get("/db", one)
    app.router.add_get("/queries", several)
    app.router.add_get("/fortunes", fortunes)
    return app


def falcon(source: AsyncSource) -> t.Any:
    """Falcon, which has no templates: Jinja2 is called directly."""
    framework: t.Any = importlib.import_module("falcon.asgi")
    template = Environment(autoescape=True).from_string(TEMPLATE)

    class One:
        async def on_get(self, request: t.Any, response: t.Any) -> None:
            response.media = (await source.worlds(1))[0]

    class Several:
        async def on_get(self, request: t.Any, response: t.Any) -> None:
            response.media = await source.worlds(bounded(request.get_param("queries")))

    class Fortunes:
        async def on_get(self, request: t.Any, response: t.Any) -> None:
            response.content_type = HTML
            response.text = template.render(fortunes=arranged(await source.fortunes()))

    app = framework.App()
    app.add_route("/db", One())
    app.add_route("/queries", Several())
    app.add_route("/fortunes", Fortunes())
    return app


def bare(source: AsyncSource) -> t.Any:
    """No framework: a dict of the paths."""
    template = Environment(autoescape=True).from_string(TEMPLATE)

    async def one(scope: dict[str, t.Any]) -> tuple[str, str]:
        return JSON, json.dumps((await source.worlds(1))[0])

    async def several(scope: dict[str, t.Any]) -> tuple[str, str]:
        asked = parse_qs(scope["query_string"].decode()).get("queries", [""])
        return JSON, json.dumps(await source.worlds(bounded(asked[0])))

    async def fortunes(scope: dict[str, t.Any]) -> tuple[str, str]:
        return HTML, template.render(fortunes=arranged(await source.fortunes()))

    pages = {"/db": one, "/queries": several, "/fortunes": fortunes}

    async def app(scope: dict[str, t.Any], receive: t.Any, send: t.Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"scopes of the type {scope['type']!r}")
        kind, text = await pages[scope["path"]](scope)
        body = text.encode()
        headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return app
