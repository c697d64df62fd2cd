"""What extensions and larger applications do with the public API: ``init_app``, subclasses, replaced parts."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest
from jinja2 import StrictUndefined, UndefinedError
from werkzeug.datastructures import ImmutableMultiDict
from werkzeug.exceptions import Aborter, HTTPException
from werkzeug.routing import BaseConverter, Map, Rule

from erlen import (
    Blueprint,
    Config,
    Erlen,
    Request,
    Response,
    abort,
    current_app,
    g,
    render_template,
    render_template_string,
    request,
    session,
    signals,
    url_for,
)
from erlen.globals import app_ctx
from erlen.json.provider import DefaultJSONProvider
from erlen.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionInterface, SessionMixin
from erlen.templating import Environment
from erlen.testing import ErlenClient, ErlenCliRunner

# An extension as the documentation of Flask describes it


class Counter:
    """Counts the requests of each application it is installed on."""

    def __init__(self, app: Erlen | None = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Erlen) -> None:
        app.config.setdefault("COUNTER_START", 0)
        app.extensions["counter"] = self
        app.before_request(self.count)
        app.teardown_appcontext(self.forget)
        app.context_processor(lambda: {"count": self.value})
        app.add_template_filter(lambda value: f"#{value}", "numbered")
        blueprint = Blueprint("counter", __name__, url_prefix="/counter")
        blueprint.add_url_rule("/", "show", lambda: f"{self.value}")
        blueprint.cli.command("reset")(lambda: print("reset"))
        app.register_blueprint(blueprint)

    @property
    def value(self) -> int:
        return t.cast("int", current_app.config["COUNTER_START"])

    def count(self) -> None:
        current_app.config["COUNTER_START"] += 1
        g.counted = True

    def forget(self, error: BaseException | None) -> None:
        g.pop("counted", None)


def test_extension_installs_itself_with_its_constructor(app: Erlen, client: ErlenClient) -> None:
    counter = Counter(app)
    assert app.extensions == {"counter": counter}
    assert client.get("/counter/").text == "1"
    assert client.get("/counter/").text == "2"


def test_one_extension_serves_several_applications() -> None:
    counter = Counter()
    first, second = Erlen("first"), Erlen("second")
    first.config["COUNTER_START"] = 10
    for app in (first, second):
        counter.init_app(app)
    assert first.test_client().get("/counter/").text == "11"
    assert second.test_client().get("/counter/").text == "1"
    assert first.test_client().get("/counter/").text == "12"


def test_extension_adds_to_templates_and_commands(app: Erlen) -> None:
    Counter(app)
    app.add_url_rule("/", "index", lambda: render_template_string("{{ count|numbered }}"))
    assert app.test_client().get("/").text == "#1"
    result = app.test_cli_runner().invoke(args=["counter", "reset"])
    assert result.output == "reset\n"


def test_extension_listens_to_signals(app: Erlen, client: ErlenClient) -> None:
    seen: list[t.Any] = []

    def finished(sender: t.Any, response: t.Any, **more: t.Any) -> None:
        seen.append((sender, response.status_code))

    with signals.request_finished.connected_to(finished, app):
        client.get("/missing")
    client.get("/missing")
    assert seen == [(app, 404)]


def test_extension_keeps_things_on_the_context(app: Erlen, client: ErlenClient) -> None:
    """A database session is kept under the identity of the context, and closed with it."""
    sessions: dict[int, str] = {}

    def identity() -> int:
        return id(t.cast("t.Any", app_ctx)._get_current_object())

    def opened() -> None:
        sessions[identity()] = "open"

    def closed(error: BaseException | None) -> None:
        del sessions[identity()]

    app.before_request(opened)
    app.teardown_appcontext(closed)
    app.add_url_rule("/", "index", lambda: sessions[identity()])
    assert client.get("/").text == "open"
    assert sessions == {}


def test_contexts_requests_and_g_take_any_attribute(app: Erlen) -> None:
    with app.test_request_context() as context:
        targets: list[t.Any] = [context, context.request, context.g]
        for target in targets:
            target.of_an_extension = "kept"
            assert target.of_an_extension == "kept"


def test_blueprint_of_a_package_brings_templates_and_static_files(
    app: Erlen, client: ErlenClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "shop_of_a_package"
    for folder in ("templates/shop", "static"):
        (package / folder).mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from erlen import Blueprint, render_template\n"
        "shop = Blueprint('shop', __name__, template_folder='templates', static_folder='static',\n"
        "                 url_prefix='/shop')\n"
        "from . import views\n"
    )
    (package / "views.py").write_text(
        "from . import render_template, shop\n\n\n"
        "@shop.get('/')\ndef index():\n    return render_template('shop/index.html', name='größe')\n",
        "utf-8",
    )
    (package / "templates/shop/index.html").write_text(
        "{{ url_for('.static', filename='a.css') }} {{ name }}"
    )
    (package / "static/a.css").write_text("a {}")
    monkeypatch.syspath_prepend(str(tmp_path))
    from importlib import import_module

    module = import_module("shop_of_a_package")
    try:
        assert module.shop.root_path == str(package)
        app.register_blueprint(module.shop)
        assert client.get("/shop/").text == "/shop/static/a.css größe"
        with client.get("/shop/static/a.css") as response:
            assert response.get_data(as_text=True) == "a {}"
    finally:
        for name in ("shop_of_a_package", "shop_of_a_package.views"):
            del sys.modules[name]


# Subclasses


def test_subclass_of_the_application_changes_the_parts_it_is_made_of() -> None:
    class OwnConfig(Config):
        def doubled(self, key: str) -> int:
            return t.cast("int", self[key]) * 2

    class OwnJSON(DefaultJSONProvider):
        def dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
            return f"/**/{super().dumps(obj, **kwargs)}"

    class OwnRequest(Request):
        parameter_storage_class = t.cast("t.Any", ImmutableMultiDict)

        @property
        def first_word(self) -> str:
            return self.args.get("q", "").split()[0]

    class OwnResponse(Response):
        default_mimetype = "text/plain"

    class OwnClient(ErlenClient):
        def say(self, path: str) -> str:
            return self.get(path).text

    class OwnRunner(ErlenCliRunner):
        def say(self, *arguments: str) -> str:
            return self.invoke(args=list(arguments)).output

    class Own(Erlen):
        config_class = OwnConfig
        json_provider_class = OwnJSON
        request_class = OwnRequest
        response_class = OwnResponse
        test_client_class = OwnClient
        test_cli_runner_class = OwnRunner

    app = Own("own")
    app.config["SIZE"] = 4

    def index() -> str:
        word = t.cast("OwnRequest", request).first_word
        return f"{word} {t.cast('OwnConfig', app.config).doubled('SIZE')}"

    app.add_url_rule("/", "index", index)
    app.add_url_rule("/json", "json", lambda: {"a": 1})
    app.cli.command("speak")(lambda: print("spoken"))
    client, runner = app.test_client(), app.test_cli_runner()
    assert (type(client), type(runner)) == (OwnClient, OwnRunner)
    assert t.cast("OwnClient", client).say("/?q=two+words") == "two 8"
    assert client.get("/").status_code == 500
    assert client.get("/json").text == '/**/{"a":1}\n'
    assert client.get("/?q=a").mimetype == "text/plain"
    assert t.cast("OwnRunner", runner).say("speak") == "spoken\n"


def test_globals_class_is_that_of_the_application(app: Erlen, client: ErlenClient) -> None:
    class Globals:
        user = "nobody"

    app.app_ctx_globals_class = Globals
    app.add_url_rule("/", "index", lambda: g.user)
    assert client.get("/").text == "nobody"


def test_aborter_class_knows_more_codes() -> None:
    class Payment(HTTPException):
        code = 402
        description = "Pay first."

    class OwnAborter(Aborter):
        def __init__(self) -> None:
            super().__init__(extra={402: Payment})

    class Own(Erlen):
        aborter_class = OwnAborter

    app = Own("own")
    app.add_url_rule("/", "index", lambda: abort(402))
    app.register_error_handler(Payment, lambda error: (error.description, 402))
    response = app.test_client().get("/")
    assert (response.status_code, response.text) == (402, "Pay first.")


def test_jinja_environment_and_its_options() -> None:
    class OwnEnvironment(Environment):
        """Another class."""

    class Own(Erlen):
        jinja_environment = OwnEnvironment
        jinja_options: t.ClassVar[dict[str, t.Any]] = {  # type: ignore[misc]
            "undefined": StrictUndefined,
            "variable_start_string": "[[",
            "variable_end_string": "]]",
        }

        def select_jinja_autoescape(self, filename: str | None) -> bool:
            return False

        def create_jinja_environment(self) -> t.Any:
            environment = super().create_jinja_environment()
            t.cast("t.Any", environment.globals)["greeting"] = "<hello>"
            return environment

    app = Own("own")
    assert type(app.jinja_env) is OwnEnvironment
    with app.test_request_context():
        assert render_template_string("[[ greeting ]]") == "<hello>"
        with pytest.raises(UndefinedError):
            render_template_string("[[ missing ]]")
    assert app.jinja_env.overlay(block_start_string="<%").block_start_string == "<%"


def test_template_loader_of_a_subclass() -> None:
    from jinja2 import DictLoader

    class Own(Erlen):
        def create_global_jinja_loader(self) -> t.Any:
            return DictLoader({"page.html": "from a dict"})

    with Own("own").test_request_context():
        assert render_template("page.html") == "from a dict"


# Routing


class Prefixed(Rule):
    """A rule below a version."""

    def __init__(self, string: str, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(f"/v1{string}", *args, **kwargs)


class Numbers(BaseConverter):
    """Several numbers with a plus between them."""

    regex = r"\d+(?:\+\d+)*"

    def to_python(self, value: str) -> list[int]:
        return [int(number) for number in value.split("+")]

    def to_url(self, value: t.Any) -> str:
        return "+".join(str(number) for number in value)


class OwnMap(Map):
    """A map with a converter of its own."""

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self.converters = {**self.converters, "numbers": Numbers}


def test_rule_and_map_class_of_a_subclass() -> None:
    class Own(Erlen):
        url_rule_class = Prefixed
        url_map_class = OwnMap

    app = Own("own")
    app.add_url_rule("/sum/<numbers:values>", "sum", lambda values: f"{sum(values)}")
    assert app.test_client().get("/v1/sum/1+2+3").text == "6"
    with app.test_request_context():
        assert url_for("sum", values=[4, 5]) == "/v1/sum/4+5"


def test_converter_of_the_map(app: Erlen, client: ErlenClient) -> None:
    app.url_map.converters["numbers"] = Numbers
    app.add_url_rule("/<numbers:values>", "sum", lambda values: f"{sum(values)}")
    assert client.get("/1+2").text == "3"
    assert client.get("/1-2").status_code == 404


def test_url_map_may_be_read_and_bound(app: Erlen) -> None:
    app.add_url_rule("/size/<int:number>", "size", lambda number: "", methods=["GET", "PUT"])
    adapter = app.url_map.bind("example.org")
    assert adapter.match("/size/7", "PUT") == ("size", {"number": 7})
    assert adapter.build("size", {"number": 8}) == "/size/8"
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == {"static", "size"}


# Sessions


class Memory(SecureCookieSession):
    """A session with a method of its own."""

    def name(self) -> str:
        return t.cast("str", self.get("name", "nobody"))


def test_session_class_of_the_interface(app: Erlen, client: ErlenClient) -> None:
    class Own(SecureCookieSessionInterface):
        session_class = Memory

    app.secret_key = "key"
    app.session_interface = Own()
    app.add_url_rule("/", "index", lambda: t.cast("Memory", session).name())
    with client.session_transaction() as transaction:
        assert isinstance(transaction, Memory)
        transaction["name"] = "Ada"
    assert client.get("/").text == "Ada"


class Stored(SessionInterface):
    """Keeps sessions in a dict, under the number in a cookie."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, t.Any]] = {}
        self.calls: list[str] = []

    def open_session(self, app: t.Any, request: t.Any) -> SessionMixin:
        self.calls.append("open")
        return Memory(self.kept.get(request.cookies.get("number", ""), {}))

    def save_session(self, app: t.Any, session: SessionMixin, response: t.Any) -> None:
        self.calls.append("save")
        self.kept["1"] = dict(session)
        response.set_cookie("number", "1")


def test_session_interface_on_a_server(app: Erlen, client: ErlenClient) -> None:
    interface = app.session_interface = Stored()

    def visit() -> str:
        session["visits"] = session.get("visits", 0) + 1
        return f"{session['visits']}"

    app.add_url_rule("/", "visit", visit)
    assert [client.get("/").text for _ in range(3)] == ["1", "2", "3"]
    assert client.get("/missing").status_code == 404
    # As in Flask, such a session is opened and saved with every request.
    assert interface.calls == ["open", "save"] * 4
    assert interface.kept == {"1": {"visits": 3}}


def test_interface_that_opens_nothing_gives_a_null_session(app: Erlen, client: ErlenClient) -> None:
    class Nothing(SessionInterface):
        def open_session(self, app: t.Any, request: t.Any) -> None:
            return None

        def save_session(self, app: t.Any, session: SessionMixin, response: t.Any) -> None:
            pytest.fail("a null session was saved")

    app.session_interface = Nothing()
    app.add_url_rule("/", "index", lambda: f"{dict(session)}")
    assert client.get("/").text == "{}"


# Blueprints


def test_subclass_of_a_blueprint_records_its_own(app: Erlen, client: ErlenClient) -> None:
    class Versioned(Blueprint):
        def add_url_rule(self, rule: str, *args: t.Any, **kwargs: t.Any) -> None:
            super().add_url_rule(f"/v1{rule}", *args, **kwargs)

        def register(self, app: t.Any, options: dict[str, t.Any]) -> None:
            app.extensions["versioned"] = options
            super().register(app, options)

    blueprint = Versioned("own", __name__)
    seen: list[t.Any] = []
    blueprint.record(lambda state: seen.append(("each", state.name, state.app is app)))
    blueprint.record_once(lambda state: seen.append(("once", state.name)))
    blueprint.add_url_rule("/", "index", lambda: url_for(".index"))
    app.register_blueprint(blueprint, own="option")
    app.register_blueprint(blueprint, name="again", url_prefix="/again")
    assert app.extensions["versioned"] == {"name": "again", "url_prefix": "/again"}
    assert seen == [("each", "own", True), ("once", "own"), ("each", "again", True)]
    assert [client.get("/v1/").text, client.get("/again/v1/").text] == ["/v1/", "/again/v1/"]


def test_extension_may_wrap_a_phase_and_call_what_was_there(app: Erlen, client: ErlenClient) -> None:
    """As APIs for REST do with the error handlers, one around the other."""
    app.testing = False
    seen: list[str] = []

    def wrap(label: str) -> None:
        inner_user, inner = app.handle_user_exception, app.handle_exception

        def user(e: Exception) -> t.Any:
            seen.append(f"user {label}")
            return inner_user(e)

        def handle(e: Exception) -> t.Any:
            seen.append(f"exception {label}")
            return inner(e)

        app.handle_user_exception = user  # type: ignore[method-assign]
        app.handle_exception = handle  # type: ignore[method-assign]

    def view() -> t.NoReturn:
        raise LookupError

    app.add_url_rule("/", "index", view)
    wrap("inner")
    wrap("outer")
    assert client.get("/").status_code == 500
    assert seen == ["user outer", "user inner", "exception outer", "exception inner"]


def test_extension_may_replace_a_view_by_a_wrapped_one(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: "view")
    for endpoint, view in list(app.view_functions.items()):
        app.view_functions[endpoint] = lambda view=view, **values: f"<{view(**values)}>"
    assert client.get("/").text == "<view>"
