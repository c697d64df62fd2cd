"""Django, with function views, and with the middleware alone that a case needs.

``CommonMiddleware`` is always there: it sets the ``Content-Length``, which the others send as well. Translations are
off, as its documentation advises those who have none. Templates are Jinja2's, an engine that Django has built in, and
faster than its own language. Files are served by the view its documentation has for development, which knows no ranges.
There is one application in a process: the settings are the last one's.
"""

from __future__ import annotations

import importlib
import json
import typing as t

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
    TEMPLATE_NAME,
    TEMPLATES,
    USER,
    Trouble,
    uploaded,
)

# Django has no types.
django: t.Any = importlib.import_module("django")
http: t.Any = importlib.import_module("django.http")
messages_of: t.Any = importlib.import_module("django.contrib.messages")
settings: t.Any = importlib.import_module("django.conf").settings
shortcuts: t.Any = importlib.import_module("django.shortcuts")
templates: t.Any = importlib.import_module("django.template")
urls_of: t.Any = importlib.import_module("django.urls")
require_http_methods: t.Any = importlib.import_module("django.views.decorators.http").require_http_methods
serve: t.Any = importlib.import_module("django.views.static").serve

HttpResponse = http.HttpResponse
path = urls_of.path

COMMON = "django.middleware.common.CommonMiddleware"
SESSION = "django.contrib.sessions.middleware.SessionMiddleware"
MESSAGES = "django.contrib.messages.middleware.MessageMiddleware"
HERE = __name__


class _Urls:
    """What ``ROOT_URLCONF`` names: a module, by its patterns."""

    def __init__(self, urlpatterns: list[t.Any]) -> None:
        self.urlpatterns = urlpatterns


def _configure() -> None:
    settings.configure(
        ALLOWED_HOSTS=["127.0.0.1"],
        SECRET_KEY=KEY,
        USE_I18N=False,
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        MESSAGE_STORAGE="django.contrib.messages.storage.cookie.CookieStorage",
        TEMPLATES=[{"BACKEND": "django.template.backends.jinja2.Jinja2", "DIRS": [str(TEMPLATES)]}],
    )
    django.setup()


def _app(*patterns: t.Any, middleware: tuple[str, ...] = ()) -> t.Any:
    if not settings.configured:
        _configure()
    settings.ROOT_URLCONF = _Urls(list(patterns))
    settings.MIDDLEWARE = [*middleware, COMMON]
    return importlib.import_module("django.core.handlers.wsgi").WSGIHandler()


def _plain(request: t.Any) -> t.Any:
    return HttpResponse("Hello, World!")


def plain() -> t.Any:
    return _app(path("", _plain))


head = plain


def get_only() -> t.Any:
    return _app(path("", require_http_methods(["GET", "HEAD"])(_plain)))


def as_json() -> t.Any:
    return _app(path("json", lambda request: http.JsonResponse(MESSAGE)))


def large_json() -> t.Any:
    return _app(path("products", lambda request: http.JsonResponse(PRODUCTS)))


def parameter() -> t.Any:
    def item(request: t.Any, number: int) -> t.Any:
        return HttpResponse(f"item {number + 1}")

    return _app(path("items/<int:number>", item))


def string_parameter() -> t.Any:
    def hello(request: t.Any, name: str) -> t.Any:
        return HttpResponse(f"hello {name}")

    return _app(path("hello/<name>", hello))


def path_parameter() -> t.Any:
    def file(request: t.Any, rest: str) -> t.Any:
        return HttpResponse(f"file {rest}")

    return _app(path("files/<path:rest>", file))


def query_and_header() -> t.Any:
    def search(request: t.Any) -> t.Any:
        return HttpResponse(f"{request.GET[QUERY]} by {request.headers[HEADER]}")

    return _app(path("search", search))


def routes(size: int) -> t.Any:
    def end(request: t.Any, value: str) -> t.Any:
        return HttpResponse(f"end {value}")

    return _app(*(path(f"part{number}/<value>/end", end) for number in range(size)))


def form() -> t.Any:
    def post(request: t.Any) -> t.Any:
        fields = request.POST
        return HttpResponse(f"{fields['name']} {fields['mail']} {len(fields['note'])}")

    return _app(path("form", post))


def upload() -> t.Any:
    def post(request: t.Any) -> t.Any:
        file = request.FILES["file"]
        return HttpResponse(uploaded(request.POST["title"], file.name, file.read()))

    return _app(path("upload", post))


def json_post() -> t.Any:
    def post(request: t.Any) -> t.Any:
        order = json.loads(request.body)
        items = order["items"]
        return HttpResponse(
            f"{order['customer']['name']} {len(items)} {sum(item['count'] for item in items)}"
        )

    return _app(path("orders", post))


def template() -> t.Any:
    def rows(request: t.Any) -> t.Any:
        return shortcuts.render(request, TEMPLATE_NAME, {"rows": ROWS})

    return _app(path("rows", rows))


def template_string() -> t.Any:
    def rows(request: t.Any) -> t.Any:
        return HttpResponse(templates.engines["jinja2"].from_string(TEMPLATE).render({"rows": ROWS}))

    return _app(path("rows", rows))


def session() -> t.Any:
    def login(request: t.Any) -> t.Any:
        request.session["user"] = USER
        request.session["cart"] = CART
        return HttpResponse("written")

    def read(request: t.Any) -> t.Any:
        return HttpResponse(f"{request.session['user']} {len(request.session['cart'])}")

    patterns = (path("login", login), path("session", read), path("untouched", _plain))
    return _app(*patterns, middleware=(SESSION,))


def flash() -> t.Any:
    def add(request: t.Any) -> t.Any:
        messages_of.info(request, "saved")
        return HttpResponse("flashed")

    def messages(request: t.Any) -> t.Any:
        shown = " ".join(str(message) for message in messages_of.get_messages(request))
        messages_of.info(request, "saved")
        return HttpResponse(shown)

    return _app(path("flash", add), path("messages", messages), middleware=(MESSAGES,))


def url_for() -> t.Any:
    def item(request: t.Any, number: int) -> t.Any:
        return HttpResponse(f"item {number}")

    def urls(request: t.Any) -> t.Any:
        return HttpResponse(
            "\n".join([urls_of.reverse("item", kwargs={"number": number}) for number in NUMBERS])
        )

    return _app(path("items/<int:number>", item, name="item"), path("urls", urls))


def level_middleware(get_response: t.Any) -> t.Any:
    """Be the hooks of the application."""

    def middleware(request: t.Any) -> t.Any:
        request.seen = [LEVELS[0]]
        response = get_response(request)
        response.headers[LEVEL_HEADERS[0]] = "1"
        return response

    return middleware


def _level(view: t.Any, level: str, header: str) -> t.Any:
    def wrapper(request: t.Any) -> t.Any:
        request.seen.append(level)
        response = view(request)
        response.headers[header] = "1"
        return response

    return wrapper


def hooks() -> t.Any:
    """Have a middleware for the application, and decorate the view twice: what is included has no middleware."""

    def page(request: t.Any) -> t.Any:
        return HttpResponse(" ".join(request.seen))

    view = page
    # From the inside out.
    for level, header in zip(LEVELS[:0:-1], LEVEL_HEADERS[:0:-1], strict=True):
        view = _level(view, level, header)
    inner = [path("page", view)]
    outer = [path("inner/", urls_of.include(inner))]
    return _app(path("outer/", urls_of.include(outer)), middleware=(f"{HERE}.level_middleware",))


class TroubleMiddleware:
    """What Django has for exceptions of views: a hook of a middleware."""

    def __init__(self, get_response: t.Any) -> None:
        self.get_response = get_response

    def __call__(self, request: t.Any) -> t.Any:
        return self.get_response(request)

    def process_exception(self, request: t.Any, exception: Exception) -> t.Any:
        if isinstance(exception, Trouble):
            return HttpResponse(f"trouble: {exception}", status=409)
        return None


def error_handler() -> t.Any:
    def order(request: t.Any) -> t.Any:
        raise Trouble("sold out")

    return _app(path("order", order), middleware=(f"{HERE}.TroubleMiddleware",))


def redirect() -> t.Any:
    return _app(path("old", lambda request: http.HttpResponseRedirect("/new?page=2")))


def stream() -> t.Any:
    return _app(path("stream", lambda request: http.StreamingHttpResponse(iter(CHUNKS))))


def static() -> t.Any:
    return _app(path("static/<path:path>", serve, {"document_root": str(STATIC)}))


static_304 = static
