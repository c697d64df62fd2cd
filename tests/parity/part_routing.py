"""Rules, converters, redirects, methods, URL building, class-based and async views."""

# Views are registered by their decorators; nothing else mentions them.
# pyright: reportUnusedFunction=false
from __future__ import annotations

import asyncio
import typing as t

from werkzeug.routing import BaseConverter, BuildError

from .framework import Framework

if t.TYPE_CHECKING:
    from erlen import Erlen


class ListConverter(BaseConverter):
    """Names joined with plus signs."""

    def to_python(self, value: str) -> list[str]:
        return value.split("+")

    def to_url(self, value: t.Any) -> str:
        return "+".join(super(ListConverter, self).to_url(part) for part in value)


class TwoParts(BaseConverter):
    """A converter that spans two parts of a path."""

    regex = "[a-z]+/[0-9]+"
    part_isolating = False


RULES: dict[str, dict[str, t.Any]] = {
    "/plain": {},
    "/plain/sub": {},
    "/slash/": {},
    "/slash/deeper/": {},
    "/lax/": {"strict_slashes": False},
    "/lax-leaf": {"strict_slashes": False},
    "/string/<value>": {},
    "/string/fixed": {},
    "/length/<string(length=2):value>": {},
    "/bounds/<string(minlength=2, maxlength=4):value>": {},
    "/int/<int:value>": {},
    "/int-bounds/<int(min=1, max=9):value>": {},
    "/int-fixed/<int(fixed_digits=3):value>": {},
    "/signed/<int(signed=True):value>": {},
    "/float/<float:value>": {},
    "/float-signed/<float(signed=True, max=10):value>": {},
    "/path/<path:value>": {},
    "/path/<path:value>/edit": {},
    "/any/<any(red, green, 'light blue'):value>": {},
    "/uuid/<uuid:value>": {},
    "/list/<list:value>": {},
    "/two/<two:value>": {},
    "/mixed/<int:number>-<name>": {},
    "/mixed/<name>.json": {},
    "/both/<int:value>": {},
    "/both/<value>": {"note": "string"},
    "/deep/<one>/<int:two>/<path:three>": {},
    "/defaults/": {"defaults": {"page": 1}, "endpoint": "defaults"},
    "/defaults/page/<int:page>": {"endpoint": "defaults"},
    "/alias": {"endpoint": "aliased"},
    "/old-alias": {"endpoint": "aliased", "alias": True},
    "/moved": {"redirect_to": "/plain"},
    "/moved/<int:value>": {"redirect_to": "/int/<value>"},
    "/only-post": {"methods": ["POST"]},
    "/put-delete": {"methods": ["PUT", "DELETE"]},
    "/no-options": {"methods": ["GET"], "provide_automatic_options": False},
    "/own-options": {"methods": ["OPTIONS", "GET"]},
    "/custom-method": {"methods": ["PURGE", "propfind"]},
    "/ünï/<value>": {},
    "/with space": {},
    "/a//b": {},
    "/keep//<value>": {"merge_slashes": False},
    "/websocket": {"websocket": True},
}


def _echo(f: Framework, rule: str) -> t.Callable[..., t.Any]:
    def view(**values: t.Any) -> t.Any:
        request = f.request
        shown = {key: f"{type(value).__name__} {value!r}" for key, value in values.items()}
        return {
            "rule": rule,
            "matched": request.url_rule.rule,
            "endpoint": request.endpoint,
            "values": shown,
            "method": request.method,
            "path": request.path,
        }

    return view


def register(app: Erlen, f: Framework) -> None:
    app.url_map.converters.update(list=ListConverter, two=TwoParts)
    seen: set[str] = set()
    for rule, options in RULES.items():
        keywords = dict(options)
        keywords.pop("note", None)
        endpoint = keywords.pop("endpoint", f"rule {rule}".replace(".", "_"))
        view = None if endpoint in seen else _echo(f, rule)
        seen.add(endpoint)
        app.add_url_rule(rule, endpoint, view, **keywords)
    _shortcuts(app, f)
    _classes(app, f)
    _building(app, f)
    _asynchronous(app, f)


def _shortcuts(app: Erlen, f: Framework) -> None:
    @app.get("/resource")
    def read() -> t.Any:
        return "read"

    @app.post("/resource")
    def create() -> t.Any:
        return "create", 201

    @app.put("/resource")
    def replace() -> t.Any:
        return "replace"

    @app.patch("/resource")
    def change() -> t.Any:
        return "change"

    @app.delete("/resource")
    def remove() -> t.Any:
        return "", 204

    @app.route("/twice/a")
    @app.route("/twice/b", methods=["POST"])
    def twice() -> t.Any:
        return f.request.method

    @app.endpoint("named endpoint")
    def named() -> t.Any:
        return f.request.endpoint

    app.add_url_rule("/named-endpoint", endpoint="named endpoint")
    app.add_url_rule("/no-view", endpoint="without view")


def _classes(app: Erlen, f: Framework) -> None:
    views = f.module("views")

    def marked(view: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def wrapper(**values: t.Any) -> t.Any:
            app.extensions["parity"].append("decorated")
            return view(**values)

        return wrapper

    class Counter(views.View):  # type: ignore[misc, name-defined, unused-ignore]
        methods: t.ClassVar[set[str]] = {"GET", "POST"}
        decorators: t.ClassVar[list[t.Any]] = [marked]
        init_every_request = False

        def __init__(self, start: int) -> None:
            self.count = start

        def dispatch_request(self, **values: t.Any) -> t.Any:
            self.count += 1
            return f"{type(self).__name__} {values}"

    class Items(views.MethodView):  # type: ignore[misc, name-defined, unused-ignore]
        def get(self, item: int | None = None) -> t.Any:
            return {"item": item}

        def post(self) -> t.Any:
            return "posted", 201

        def delete(self, item: int) -> t.Any:
            return f"deleted {item}"

    class WithHead(Items):
        def head(self, item: int | None = None) -> t.Any:
            return "", 200, {"X-Head": "own"}

    class Asynchronous(views.MethodView):  # type: ignore[misc, name-defined, unused-ignore]
        async def get(self) -> t.Any:
            await asyncio.sleep(0)
            return "async method"

    app.add_url_rule("/class/counter/<int:value>", view_func=Counter.as_view("counter", 5))
    items = Items.as_view("items")
    app.add_url_rule("/class/items", view_func=items, methods=["GET", "POST"])
    app.add_url_rule("/class/items/<int:item>", view_func=items, methods=["GET", "DELETE", "PUT"])
    app.add_url_rule("/class/head", view_func=WithHead.as_view("with_head"))
    app.add_url_rule("/class/async", view_func=Asynchronous.as_view("async_items"))


BUILDS: dict[str, tuple[str, dict[str, t.Any]]] = {
    "plain": ("rule /plain", {}),
    "query": ("rule /plain", {"a": "1 2", "b": ["x", "y"], "none": None, "ü": "ß&="}),
    "anchor": ("rule /plain", {"_anchor": "top ü"}),
    "external": ("rule /plain", {"_external": True}),
    "scheme": ("rule /plain", {"_scheme": "https"}),
    "scheme-relative": ("rule /plain", {"_scheme": "", "_external": True}),
    "scheme-internal": ("rule /plain", {"_scheme": "https", "_external": False}),
    "method": ("rule /put-delete", {"_method": "DELETE"}),
    "method-wrong": ("rule /put-delete", {"_method": "GET"}),
    "int": ("rule /int/<int:value>", {"value": 7}),
    "int-fixed": ("rule /int-fixed/<int(fixed_digits=3):value>", {"value": 7}),
    "string": ("rule /string/<value>", {"value": "a b/ü?"}),
    "path": ("rule /path/<path:value>", {"value": "a b/ü?"}),
    "list": ("rule /list/<list:value>", {"value": ["a", "b/c"]}),
    "any": ("rule /any/<any(red, green, 'light blue'):value>", {"value": "red"}),
    "any-wrong": ("rule /any/<any(red, green, 'light blue'):value>", {"value": "pink"}),
    "missing": ("rule /int/<int:value>", {}),
    "unknown": ("nowhere", {}),
    "unknown-handled": ("handled elsewhere", {"a": "b"}),
    "defaults": ("defaults", {}),
    "defaults-one": ("defaults", {"page": 1}),
    "defaults-two": ("defaults", {"page": 2}),
    "aliased": ("aliased", {}),
    "static": ("static", {"filename": "a b/ü.css"}),
    "injected": ("injected", {}),
    "injected-own": ("injected", {"lang": "en"}),
    "relative-dot": (".read", {}),
    "unicode-rule": ("rule /ünï/<value>", {"value": "ß"}),
}


def _building(app: Erlen, f: Framework) -> None:
    @app.url_defaults
    def add_language(endpoint: str, values: dict[str, t.Any]) -> None:
        if endpoint == "injected":
            values.setdefault("lang", "de")

    def elsewhere(error: Exception, endpoint: str, values: dict[str, t.Any]) -> str:
        if endpoint == "handled elsewhere":
            return f"/else/{sorted(values.items())}"
        raise error

    app.url_build_error_handlers.append(elsewhere)

    @app.route("/injected/<lang>")
    def injected(lang: str) -> t.Any:
        return lang

    @app.route("/build/<name>")
    def build(name: str) -> t.Any:
        endpoint, values = BUILDS[name]
        try:
            return f.url_for(endpoint, **values)
        except BuildError as error:
            return f"{error}", 400
        except ValueError:
            return "ValueError", 400


def _asynchronous(app: Erlen, f: Framework) -> None:
    @app.route("/async/view/<int:value>")
    async def view(value: int) -> t.Any:
        await asyncio.sleep(0)
        f.g.value = value
        return {"value": f.g.value, "path": f.request.path}

    @app.route("/async/raise")
    async def failing() -> t.Any:
        await asyncio.sleep(0)
        raise AsyncFailure("async")

    @app.route("/async/session")
    async def in_session() -> t.Any:
        f.session["async"] = True
        return "kept"

    @app.route("/async/hooked")
    async def hooked() -> t.Any:
        async def after(response: t.Any) -> t.Any:
            response.headers["X-Async"] = "after"
            return response

        f.after_this_request(after)
        return "hooked"

    @app.errorhandler(AsyncFailure)
    async def handler(error: AsyncFailure) -> t.Any:
        return f"handled {error}", 499


class AsyncFailure(Exception):
    """Raised by an async view, answered by an async handler."""


def register_hosts(app: Erlen, f: Framework) -> None:
    """Register rules that depend on the host; the application matches hosts."""

    @app.route("/", host="one.test")
    def one() -> t.Any:
        return "one " + f.url_for("two", name="x")

    @app.route("/", host="<name>.two.test")
    def two(name: str) -> t.Any:
        return f"two {name} " + f.url_for("one") + " " + f.url_for("one", _external=False)

    @app.route("/port", host="one.test:8080")
    def port() -> t.Any:
        return "port"


def register_subdomains(app: Erlen, f: Framework) -> None:
    """Register rules that depend on the subdomain; the application matches subdomains."""

    @app.route("/")
    def index() -> t.Any:
        return "index " + f.url_for("admin.index")

    @app.route("/", subdomain="<user>")
    def user(user: str) -> t.Any:
        return f"user {user} " + f.url_for("index")

    blueprint = f.blueprint("admin", subdomain="admin")

    @blueprint.route("/home/")
    def home() -> t.Any:
        return "admin " + f.url_for("user", user="ann")

    blueprint.add_url_rule("/", "index", home)
    app.register_blueprint(blueprint)
