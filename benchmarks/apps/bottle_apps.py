"""Bottle. It has no sessions; its templates are Jinja2's, through its own ``jinja2_template``, which keeps strings too."""

from __future__ import annotations

import importlib
import typing as t

from ..data import (
    CHUNKS,
    HEADER,
    LEVEL_HEADERS,
    LEVELS,
    MESSAGE,
    NUMBERS,
    PRODUCTS,
    QUERY,
    ROWS,
    STATIC,
    TEMPLATE,
    TEMPLATE_NAME,
    TEMPLATES,
    uploaded,
)

# Bottle has no types.
_bottle: t.Any = importlib.import_module("bottle")

_LOOKUP = [str(TEMPLATES)]
_SETTINGS = {"autoescape": True}


def _app(rule: str, view: t.Callable[..., t.Any], method: str = "GET") -> t.Any:
    app = _bottle.Bottle()
    app.route(rule, method, view)
    return app


def plain() -> t.Any:
    return _app("/", lambda: "Hello, World!")


get_only = head = plain


def as_json() -> t.Any:
    return _app("/json", lambda: MESSAGE)


def large_json() -> t.Any:
    return _app("/products", lambda: PRODUCTS)


def parameter() -> t.Any:
    def item(number: int) -> str:
        return f"item {number + 1}"

    return _app("/items/<number:int>", item)


def string_parameter() -> t.Any:
    def hello(name: str) -> str:
        return f"hello {name}"

    return _app("/hello/<name>", hello)


def path_parameter() -> t.Any:
    def file(rest: str) -> str:
        return f"file {rest}"

    return _app("/files/<rest:path>", file)


def query_and_header() -> t.Any:
    def search() -> str:
        return f"{_bottle.request.query[QUERY]} by {_bottle.request.get_header(HEADER)}"

    return _app("/search", search)


def routes(size: int) -> t.Any:
    def end(value: str) -> str:
        return f"end {value}"

    app = _bottle.Bottle()
    for number in range(size):
        app.route(f"/part{number}/<value>/end", "GET", end)
    return app


def form() -> t.Any:
    def post() -> str:
        fields = _bottle.request.forms
        return f"{fields['name']} {fields['mail']} {len(fields['note'])}"

    return _app("/form", post, "POST")


def upload() -> t.Any:
    def post() -> str:
        file = _bottle.request.files["file"]
        return uploaded(_bottle.request.forms["title"], file.filename, file.file.read())

    return _app("/upload", post, "POST")


def json_post() -> t.Any:
    def post() -> str:
        order = _bottle.request.json
        items = order["items"]
        return f"{order['customer']['name']} {len(items)} {sum(item['count'] for item in items)}"

    return _app("/orders", post, "POST")


def template() -> t.Any:
    def rows() -> t.Any:
        return _bottle.jinja2_template(
            TEMPLATE_NAME, template_lookup=_LOOKUP, template_settings=_SETTINGS, rows=ROWS
        )

    return _app("/rows", rows)


def template_string() -> t.Any:
    def rows() -> t.Any:
        return _bottle.jinja2_template(
            TEMPLATE, template_lookup=_LOOKUP, template_settings=_SETTINGS, rows=ROWS
        )

    return _app("/rows", rows)


def url_for() -> t.Any:
    def urls() -> str:
        return "\n".join([app.get_url("item", number=number) for number in NUMBERS])

    app = _app("/urls", urls)
    app.route("/items/<number:int>", "GET", lambda number: f"item {number}", name="item")
    return app


def hooks() -> t.Any:
    """Have hooks on the application; a route has decorators, the outer one and the inner one."""

    def before() -> None:
        _bottle.request.seen = [LEVELS[0]]

    def after() -> None:
        _bottle.response.set_header(LEVEL_HEADERS[0], "1")

    def page() -> str:
        return " ".join(_bottle.request.seen)

    app = _bottle.Bottle()
    app.add_hook("before_request", before)
    app.add_hook("after_request", after)
    decorators = [_level(level, header) for level, header in zip(LEVELS[1:], LEVEL_HEADERS[1:], strict=True)]
    app.route("/outer/inner/page", "GET", page, apply=decorators)
    return app


def _level(level: str, header: str) -> t.Callable[[t.Any], t.Any]:
    def decorator(view: t.Any) -> t.Any:
        def wrapper(**values: t.Any) -> t.Any:
            _bottle.request.seen.append(level)
            answer = view(**values)
            _bottle.response.set_header(header, "1")
            return answer

        return wrapper

    return decorator


def error_handler() -> t.Any:
    """Take a status in place of an exception: that is what Bottle has handlers for."""

    def order() -> None:
        _bottle.abort(409, "sold out")

    def trouble(error: t.Any) -> str:
        return f"trouble: {error.body}"

    app = _app("/order", order)
    app.error(409)(trouble)
    return app


def redirect() -> t.Any:
    return _app("/old", lambda: _bottle.redirect("/new?page=2", 302))


def stream() -> t.Any:
    return _app("/stream", lambda: iter(CHUNKS))


def static() -> t.Any:
    def file(path: str) -> t.Any:
        return _bottle.static_file(path, root=str(STATIC))

    return _app("/static/<path:path>", file)


static_304 = static_range = static
