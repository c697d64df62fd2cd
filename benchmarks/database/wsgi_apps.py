"""The three pages over WSGI, in each framework; templates are Jinja2's everywhere."""

from __future__ import annotations

import importlib
import json
import pkgutil
import typing as t
from urllib.parse import parse_qs

from jinja2 import DictLoader, Environment

from .sources import Source
from .tables import TEMPLATE, arranged, bounded

_TEMPLATES = {"fortunes.html": TEMPLATE}
HTML, JSON = "text/html; charset=utf-8", "application/json"


def flask_like(source: Source, name: str) -> t.Any:
    """Flask and Erlen, as their API is one.

    :param name: the class, as ``package:name``.
    """
    framework: t.Any = importlib.import_module(name.partition(":")[0])
    app: t.Any = pkgutil.resolve_name(name)("benchmark", root_path=".")
    app.jinja_loader = DictLoader(_TEMPLATES)

    def one() -> t.Any:
        return source.worlds(1)[0]

    def several() -> t.Any:
        return source.worlds(bounded(framework.request.args.get("queries")))

    def fortunes() -> t.Any:
        return framework.render_template("fortunes.html", fortunes=arranged(source.fortunes()))

    app.add_url_rule("/db", "one", one)
    app.add_url_rule("/queries", "several", several)
    app.add_url_rule("/fortunes", "fortunes", fortunes)
    return app


def falcon(source: Source) -> t.Any:
    """Falcon, which has no templates: Jinja2 is called directly."""
    framework: t.Any = importlib.import_module("falcon")
    template = Environment(autoescape=True).from_string(TEMPLATE)

    class One:
        def on_get(self, request: t.Any, response: t.Any) -> None:
            response.media = source.worlds(1)[0]

    class Several:
        def on_get(self, request: t.Any, response: t.Any) -> None:
            response.media = source.worlds(bounded(request.get_param("queries")))

    class Fortunes:
        def on_get(self, request: t.Any, response: t.Any) -> None:
            response.content_type = HTML
            response.text = template.render(fortunes=arranged(source.fortunes()))

    app = framework.App()
    app.add_route("/db", One())
    app.add_route("/queries", Several())
    app.add_route("/fortunes", Fortunes())
    return app


def bottle(source: Source) -> t.Any:
    """Bottle with Jinja2, through its own class for it."""
    framework: t.Any = importlib.import_module("bottle")
    template = framework.Jinja2Template(source=TEMPLATE, autoescape=True)
    app = framework.Bottle()

    def one() -> t.Any:
        return source.worlds(1)[0]

    def several() -> str:
        # It makes JSON of dicts alone.
        framework.response.content_type = JSON
        return json.dumps(source.worlds(bounded(framework.request.query.get("queries"))))

    def fortunes() -> t.Any:
        framework.response.content_type = HTML
        return template.render(fortunes=arranged(source.fortunes()))

    app.route("/db", "GET", one)
    app.route("/queries", "GET", several)
    app.route("/fortunes", "GET", fortunes)
    return app


def bare(source: Source) -> t.Any:
    """No framework: a dict of the paths."""
    template = Environment(autoescape=True).from_string(TEMPLATE)

    def one(environ: dict[str, t.Any]) -> tuple[str, str]:
        return JSON, json.dumps(source.worlds(1)[0])

    def several(environ: dict[str, t.Any]) -> tuple[str, str]:
        asked = parse_qs(environ["QUERY_STRING"]).get("queries", [""])
        return JSON, json.dumps(source.worlds(bounded(asked[0])))

    def fortunes(environ: dict[str, t.Any]) -> tuple[str, str]:
        return HTML, template.render(fortunes=arranged(source.fortunes()))

    pages = {"/db": one, "/queries": several, "/fortunes": fortunes}

    def app(environ: dict[str, t.Any], start_response: t.Any) -> list[bytes]:
        kind, text = pages[environ["PATH_INFO"]](environ)
        body = text.encode()
        start_response("200 OK", [("Content-Type", kind), ("Content-Length", str(len(body)))])
        return [body]

    return app
