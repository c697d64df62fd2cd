"""Pyramid, with imperative configuration, and Jinja2 through ``pyramid_jinja2``, which its documentation names.

A method that a view does not take is a 404 there, and it has no templates in strings.
"""

from __future__ import annotations

import importlib
import typing as t
import warnings

from ..data import (
    AFTER_HEADER,
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

# Pyramid has no types. It imports what setuptools has given up, which says so.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    _config: t.Any = importlib.import_module("pyramid.config")
_events: t.Any = importlib.import_module("pyramid.events")
_exceptions: t.Any = importlib.import_module("pyramid.httpexceptions")
_session: t.Any = importlib.import_module("pyramid.session")
Response: t.Any = importlib.import_module("pyramid.response").Response

View = t.Callable[[t.Any], t.Any]


def _add(config: t.Any, name: str, pattern: str, view: View, **options: t.Any) -> None:
    config.add_route(name, pattern)
    config.add_view(view, route_name=name, **options)


def _app(pattern: str, view: View, method: str = "GET", **options: t.Any) -> t.Any:
    config = _config.Configurator()
    _add(config, "view", pattern, view, request_method=method, **options)
    return config.make_wsgi_app()


def plain() -> t.Any:
    return _app("/", lambda request: Response("Hello, World!"))


head = plain


def as_json() -> t.Any:
    return _app("/json", lambda request: MESSAGE, renderer="json")


def large_json() -> t.Any:
    return _app("/products", lambda request: PRODUCTS, renderer="json")


def parameter() -> t.Any:
    def item(request: t.Any) -> t.Any:
        return Response(f"item {int(request.matchdict['number']) + 1}")

    return _app(r"/items/{number:\d+}", item)


def string_parameter() -> t.Any:
    return _app("/hello/{name}", lambda request: Response(f"hello {request.matchdict['name']}"))


def path_parameter() -> t.Any:
    return _app("/files/{rest:.+}", lambda request: Response(f"file {request.matchdict['rest']}"))


def query_and_header() -> t.Any:
    def search(request: t.Any) -> t.Any:
        return Response(f"{request.GET[QUERY]} by {request.headers[HEADER]}")

    return _app("/search", search)


def routes(size: int) -> t.Any:
    def end(request: t.Any) -> t.Any:
        return Response(f"end {request.matchdict['value']}")

    config = _config.Configurator()
    for number in range(size):
        _add(config, f"part{number}", f"/part{number}/{{value}}/end", end)
    return config.make_wsgi_app()


def form() -> t.Any:
    def post(request: t.Any) -> t.Any:
        fields = request.POST
        return Response(f"{fields['name']} {fields['mail']} {len(fields['note'])}")

    return _app("/form", post, "POST")


def upload() -> t.Any:
    def post(request: t.Any) -> t.Any:
        file = request.POST["file"]
        return Response(uploaded(request.POST["title"], file.filename, file.file.read()))

    return _app("/upload", post, "POST")


def json_post() -> t.Any:
    def post(request: t.Any) -> t.Any:
        order = request.json_body
        items = order["items"]
        return Response(f"{order['customer']['name']} {len(items)} {sum(item['count'] for item in items)}")

    return _app("/orders", post, "POST")


def template() -> t.Any:
    config = _config.Configurator()
    config.include("pyramid_jinja2")
    config.add_jinja2_renderer(".html")
    config.add_jinja2_search_path(str(TEMPLATES), name=".html")
    _add(config, "rows", "/rows", lambda request: {"rows": ROWS}, renderer=TEMPLATE_NAME)
    return config.make_wsgi_app()


def _with_sessions() -> t.Any:
    # Like Flask's: without an end of their own, and sent when they have changed.
    factory = _session.SignedCookieSessionFactory(KEY, timeout=None, reissue_time=None)
    return _config.Configurator(session_factory=factory)


def session() -> t.Any:
    def login(request: t.Any) -> t.Any:
        request.session["user"] = USER
        request.session["cart"] = CART
        return Response("written")

    def read(request: t.Any) -> t.Any:
        return Response(f"{request.session['user']} {len(request.session['cart'])}")

    config = _with_sessions()
    _add(config, "login", "/login", login)
    _add(config, "session", "/session", read)
    _add(config, "untouched", "/untouched", lambda request: Response("Hello, World!"))
    return config.make_wsgi_app()


def flash() -> t.Any:
    def add(request: t.Any) -> t.Any:
        request.session.flash("saved")
        return Response("flashed")

    def messages(request: t.Any) -> t.Any:
        shown = " ".join(request.session.pop_flash())
        request.session.flash("saved")
        return Response(shown)

    config = _with_sessions()
    _add(config, "flash", "/flash", add)
    _add(config, "messages", "/messages", messages)
    return config.make_wsgi_app()


def after_this_request() -> t.Any:
    def add(request: t.Any, response: t.Any) -> None:
        response.headers[AFTER_HEADER] = "1"

    def index(request: t.Any) -> t.Any:
        request.add_response_callback(add)
        return Response("Hello, World!")

    return _app("/", index)


def url_for() -> t.Any:
    def urls(request: t.Any) -> t.Any:
        return Response("\n".join([request.route_path("item", number=number) for number in NUMBERS]))

    config = _config.Configurator()
    _add(config, "item", r"/items/{number:\d+}", lambda request: Response("item"))
    _add(config, "urls", "/urls", urls)
    return config.make_wsgi_app()


def hooks() -> t.Any:
    """Subscribe to the events of the application; a view has decorators, the outer one and the inner one."""

    def before(event: t.Any) -> None:
        event.request.seen = [LEVELS[0]]

    def after(event: t.Any) -> None:
        event.response.headers[LEVEL_HEADERS[0]] = "1"

    config = _config.Configurator()
    config.add_subscriber(before, _events.NewRequest)
    config.add_subscriber(after, _events.NewResponse)
    decorators = tuple(
        _level(level, header) for level, header in zip(LEVELS[1:], LEVEL_HEADERS[1:], strict=True)
    )
    _add(
        config,
        "page",
        "/outer/inner/page",
        lambda request: Response(" ".join(request.seen)),
        decorator=decorators,
    )
    return config.make_wsgi_app()


def _level(level: str, header: str) -> t.Callable[[t.Any], t.Any]:
    def decorator(view: t.Any) -> t.Any:
        def wrapper(context: t.Any, request: t.Any) -> t.Any:
            request.seen.append(level)
            response = view(context, request)
            response.headers[header] = "1"
            return response

        return wrapper

    return decorator


def error_handler() -> t.Any:
    def order(request: t.Any) -> t.Any:
        raise Trouble("sold out")

    def trouble(error: Trouble, request: t.Any) -> t.Any:
        return Response(f"trouble: {error}", status=409)

    config = _config.Configurator()
    _add(config, "order", "/order", order)
    config.add_exception_view(trouble, context=Trouble)
    return config.make_wsgi_app()


def redirect() -> t.Any:
    return _app("/old", lambda request: _exceptions.HTTPFound("/new?page=2"))


def stream() -> t.Any:
    return _app("/stream", lambda request: Response(app_iter=iter(CHUNKS)))


def static() -> t.Any:
    config = _config.Configurator()
    config.add_static_view("static", str(STATIC))
    return config.make_wsgi_app()


static_304 = static_range = static
