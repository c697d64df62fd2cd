"""Flask and Erlen: one file, as their API is one."""

from __future__ import annotations

import importlib
import pkgutil
import typing as t

from ..cases import HEADER, QUERY, ROWS

TEMPLATE = "<ul>{% for row in rows %}<li>{{ row.name }}: {{ row.price }}</li>{% endfor %}</ul>"


def make_app(options: dict[str, t.Any]) -> tuple[t.Any, t.Any]:
    framework: t.Any = importlib.import_module(options.pop("framework"))
    application: t.Any = pkgutil.resolve_name(options.pop("name"))
    return framework, application("benchmark", root_path=".", **options)


def plain(**options: t.Any) -> t.Any:
    _, app = make_app(options)
    app.add_url_rule("/", "index", lambda: "Hello, World!")
    return app


def as_json(**options: t.Any) -> t.Any:
    _, app = make_app(options)
    app.add_url_rule("/json", "json", lambda: {"message": "Hello, World!", "n": [1, 2, 3]})
    return app


def parameter(**options: t.Any) -> t.Any:
    _, app = make_app(options)

    def item(number: int) -> str:
        return f"item {number + 1}"

    app.add_url_rule("/items/<int:number>", "item", item)
    return app


def query_and_header(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    def search() -> str:
        return f"{framework.request.args[QUERY]} by {framework.request.headers[HEADER]}"

    app.add_url_rule("/search", "search", search)
    return app


def routes(size: int, **options: t.Any) -> t.Any:
    _, app = make_app(options)

    def end(value: str) -> str:
        return f"end {value}"

    for number in range(size):
        app.add_url_rule(f"/part{number}/<value>/end", f"part{number}", end)
    return app


def form(**options: t.Any) -> t.Any:
    framework, app = make_app(options)

    def post() -> str:
        fields = framework.request.form
        return f"{fields['name']} {fields['mail']} {len(fields['note'])}"

    app.add_url_rule("/form", "form", post, methods=["POST"])
    return app


def template(**options: t.Any) -> t.Any:
    framework, app = make_app(options)
    from jinja2 import DictLoader  # here, so that the other frameworks run without Jinja2

    app.jinja_loader = DictLoader({"rows.html": TEMPLATE})

    def rows() -> t.Any:
        return framework.render_template("rows.html", rows=ROWS)

    app.add_url_rule("/rows", "rows", rows)
    return app


def session(**options: t.Any) -> t.Any:
    framework, app = make_app(options)
    # Only here: with a key Flask opens a session for every request, which would add 50 us to all its other cases.
    app.config["SECRET_KEY"] = "a key of the benchmark"

    def login() -> str:
        framework.session["user"] = "ann"
        framework.session["cart"] = [1, 2]
        return "written"

    def read() -> str:
        return f"{framework.session['user']} {len(framework.session['cart'])}"

    app.add_url_rule("/login", "login", login)
    app.add_url_rule("/session", "read", read)
    return app
