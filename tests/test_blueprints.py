"""Blueprints: what they keep, how they are merged, nested and registered more than once."""

from __future__ import annotations

import inspect
import typing as t
from pathlib import Path

import click
import pytest

from erlen import (
    Blueprint,
    Erlen,
    Response,
    abort,
    g,
    render_template,
    render_template_string,
    request,
    url_for,
)
from erlen.blueprints import BlueprintSetupState
from erlen.scaffold import SetupError


def view(**values: object) -> str:
    return f"{request.endpoint} {sorted(values.items())}"


def plain(*arguments: object) -> str:
    return "answer"


def rules(app: Erlen) -> dict[str, tuple[str, str | None]]:
    return {
        rule.endpoint: (rule.rule, rule.subdomain)
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static"
    }


@pytest.mark.parametrize(
    ("outer", "inner", "rule", "expected"),
    [
        ("/p", "/c", "/r", "/p/c/r"),
        ("/p/", "/c/", "/r/", "/p/c/r/"),
        ("/p", None, "/r", "/p/r"),
        (None, "/c", "/r", "/c/r"),
        (None, None, "/r", "/r"),
        ("/p", "/c", "", "/p/c"),
        ("/p", "", "x", "/p/x"),
        ("", "/", "/", "/"),
    ],
)
def test_prefixes_are_joined(
    app: Erlen, outer: str | None, inner: str | None, rule: str, expected: str
) -> None:
    parent, child = Blueprint("p", __name__, url_prefix=outer), Blueprint("c", __name__, url_prefix=inner)
    child.add_url_rule(rule, "v", view)
    parent.register_blueprint(child)
    app.register_blueprint(parent)
    assert rules(app) == {"p.c.v": (expected, "")}


def test_prefix_of_the_registration_wins(app: Erlen) -> None:
    parent, child = Blueprint("p", __name__, url_prefix="/p"), Blueprint("c", __name__, url_prefix="/c")
    child.add_url_rule("/", "v", view)
    parent.register_blueprint(child, url_prefix="/inner")
    app.register_blueprint(parent, url_prefix="/outer")
    assert rules(app)["p.c.v"][0] == "/outer/inner/"


def test_empty_rule_without_a_prefix_is_refused(app: Erlen) -> None:
    blueprint = Blueprint("p", __name__)
    blueprint.add_url_rule("", "v", view)
    with pytest.raises(ValueError, match="must start with a slash"):
        app.register_blueprint(blueprint)


@pytest.mark.parametrize(
    ("outer", "inner", "options", "expected"),
    [
        ("p", "c", {}, "c.p"),
        (None, "c", {}, "c"),
        ("p", None, {}, "p"),
        ("p", "c", {"subdomain": "own"}, "own.p"),
    ],
)
def test_subdomains_are_joined(
    app: Erlen, outer: str | None, inner: str | None, options: dict[str, str], expected: str
) -> None:
    parent, child = Blueprint("p", __name__, subdomain=outer), Blueprint("c", __name__, subdomain=inner)
    child.add_url_rule("/", "v", view)
    child.add_url_rule("/", "w", view, subdomain="rule")
    parent.register_blueprint(child, **options)
    app.register_blueprint(parent)
    assert rules(app) == {"p.c.v": ("/", expected), "p.c.w": ("/", "rule")}


def test_nested_subdomain_is_matched() -> None:
    app = Erlen("site", root_path="/srv", subdomain_matching=True)
    app.config["SERVER_NAME"] = "example.test"
    parent, child = Blueprint("p", __name__, subdomain="p"), Blueprint("c", __name__, subdomain="c")
    child.add_url_rule("/", "v", plain)
    parent.register_blueprint(child)
    app.register_blueprint(parent)
    client = app.test_client()
    assert client.get("/", base_url="http://c.p.example.test").text == "answer"
    assert client.get("/", base_url="http://p.example.test").status_code == 404


def test_defaults_of_blueprint_registration_and_rule(app: Erlen) -> None:
    blueprint = Blueprint("b", __name__, url_defaults={"a": "blueprint", "b": "blueprint", "c": "blueprint"})
    blueprint.add_url_rule("/", "v", view, defaults={"c": "rule"})
    app.register_blueprint(blueprint, url_defaults={"b": "registration"})
    assert app.test_client().get("/").text == (
        "b.v [('a', 'blueprint'), ('b', 'registration'), ('c', 'rule')]"
    )


def test_registered_twice_under_two_names(app: Erlen) -> None:
    blueprint = Blueprint("b", __name__)
    blueprint.add_url_rule("/", "v", view)
    app.register_blueprint(blueprint, url_prefix="/1")
    app.register_blueprint(blueprint, url_prefix="/2", name="second", url_defaults={"n": 2})
    client = app.test_client()
    assert client.get("/1/").text == "b.v []"
    assert client.get("/2/").text == "second.v [('n', 2)]"


def test_registered_twice_under_one_name_is_refused(app: Erlen) -> None:
    blueprint = Blueprint("b", "erlen")
    app.register_blueprint(blueprint)
    with pytest.raises(ValueError) as caught:
        app.register_blueprint(blueprint)
    assert str(caught.value) == (
        "The name 'b' is taken by this blueprint, so the endpoints of <Blueprint 'b'> of 'erlen' could not be told "
        "apart from its. Register it under another: register_blueprint(blueprint, name='b_2')."
    )


def test_name_of_another_blueprint_is_refused(app: Erlen) -> None:
    app.register_blueprint(Blueprint("b", "erlen"))
    with pytest.raises(ValueError, match="'b' is taken by another blueprint, of 'erlen'"):
        app.register_blueprint(Blueprint("b", __name__))


def test_same_name_may_stand_in_different_parents(app: Erlen) -> None:
    for name in ("one", "two"):
        parent, child = Blueprint(name, __name__, url_prefix=f"/{name}"), Blueprint("c", __name__)
        child.add_url_rule("/", "v", view)
        parent.register_blueprint(child)
        app.register_blueprint(parent)
    assert list(app.blueprints) == ["one", "one.c", "two", "two.c"]
    assert app.test_client().get("/two/").text == "two.c.v []"


def test_one_blueprint_on_two_applications() -> None:
    once: list[Erlen] = []
    blueprint = Blueprint("b", __name__)
    blueprint.record_once(lambda state: once.append(state.app))
    blueprint.before_app_request(plain)
    apps = [Erlen("one", root_path="/srv"), Erlen("two", root_path="/srv")]
    for app in apps:
        app.register_blueprint(blueprint)
        assert app.before_request_funcs[None] == [plain]
    assert once == apps


def test_setup_state_of_each_registration(app: Erlen) -> None:
    states: list[BlueprintSetupState] = []
    first: list[BlueprintSetupState] = []
    blueprint = Blueprint("b", __name__, url_prefix="/b", url_defaults={"x": 1})
    blueprint.record(states.append)
    blueprint.record_once(first.append)
    app.register_blueprint(blueprint)
    app.register_blueprint(blueprint, name="b2", url_prefix="/x", subdomain="s", own=3)
    assert [vars(state) for state in states] == [
        {
            "app": app,
            "blueprint": blueprint,
            "options": {},
            "first_registration": True,
            "subdomain": None,
            "url_prefix": "/b",
            "name": "b",
            "name_prefix": "",
            "url_defaults": {"x": 1},
        },
        {
            "app": app,
            "blueprint": blueprint,
            "options": {"name": "b2", "url_prefix": "/x", "subdomain": "s", "own": 3},
            "first_registration": False,
            "subdomain": "s",
            "url_prefix": "/x",
            "name": "b2",
            "name_prefix": "",
            "url_defaults": {"x": 1},
        },
    ]
    assert first == states[:1]


def test_setup_state_can_be_replaced(app: Erlen) -> None:
    class Versioned(BlueprintSetupState):
        def add_url_rule(
            self, rule: str, endpoint: str | None = None, view_func: t.Any = None, **options: t.Any
        ) -> None:
            super().add_url_rule(f"/v1{rule}", endpoint, view_func, **options)

    class Api(Blueprint):
        def make_setup_state(
            self, app: t.Any, options: dict[str, t.Any], first_registration: bool = False
        ) -> BlueprintSetupState:
            return Versioned(self, app, options, first_registration)

    api = Api("api", __name__)
    api.add_url_rule("/", "v", view)
    app.register_blueprint(api)
    assert rules(app)["api.v"][0] == "/v1/"


def test_register_can_be_overridden(app: Erlen) -> None:
    class Greedy(Blueprint):
        def register(self, app: t.Any, options: dict[str, t.Any]) -> None:
            super().register(app, {**options, "url_prefix": "/greedy"})

    greedy = Greedy("g", __name__)
    greedy.add_url_rule("/", "v", view)
    app.register_blueprint(greedy)
    assert rules(app)["g.v"][0] == "/greedy/"


@pytest.mark.parametrize("name", ["a.b", ""])
def test_name_with_a_dot_or_empty_is_refused(name: str) -> None:
    with pytest.raises(
        ValueError, match="a dot in it.*use 'a_b'" if name else "Blueprint\\('admin', __name__\\)"
    ):
        Blueprint(name, __name__)


def test_endpoint_with_a_dot_is_refused() -> None:
    with pytest.raises(ValueError, match=r"the endpoint 'a\.b', which has a dot in it"):
        Blueprint("b", __name__).route("/", endpoint="a.b")(plain)


def test_view_whose_name_has_a_dot_is_refused() -> None:
    def dotted() -> str:
        return ""

    dotted.__name__ = "a.b"
    with pytest.raises(ValueError, match=r"the view_func 'a\.b', which has a dot in it"):
        Blueprint("b", __name__).add_url_rule("/", view_func=dotted)


def test_nesting_in_itself_is_refused() -> None:
    blueprint = Blueprint("b", __name__)
    with pytest.raises(ValueError, match="'b' cannot be registered on 'b'"):
        blueprint.register_blueprint(blueprint)


def test_nesting_in_a_circle_is_refused() -> None:
    one, two, three = (Blueprint(name, __name__) for name in ("one", "two", "three"))
    one.register_blueprint(two)
    two.register_blueprint(three)
    with pytest.raises(ValueError, match="'one' cannot be registered on 'three'"):
        three.register_blueprint(one)


def test_change_after_registration_names_its_line(app: Erlen) -> None:
    blueprint = Blueprint("b", __name__)
    app.register_blueprint(blueprint)
    frame = inspect.currentframe()
    assert frame is not None
    line = frame.f_lineno + 2
    with pytest.raises(AssertionError) as caught:
        blueprint.get("/late")
    assert str(caught.value) == (
        f"{__file__}:{line}: 'get' was called on the blueprint 'b', which is registered on an application already. "
        "The application would not learn of it. The likely cause: 'register_blueprint' runs before this module is "
        "imported, or before this line. Move the call above 'register_blueprint(...)', or import the module that makes "
        "it before registering."
    )


@pytest.mark.parametrize(
    ("f_name", "call"),
    [
        ("route", lambda blueprint: blueprint.route("/")),
        ("add_url_rule", lambda blueprint: blueprint.add_url_rule("/", "e", plain)),
        ("record", lambda blueprint: blueprint.record(plain)),
        ("record_once", lambda blueprint: blueprint.record_once(plain)),
        ("register_blueprint", lambda blueprint: blueprint.register_blueprint(Blueprint("c", __name__))),
        ("before_request", lambda blueprint: blueprint.before_request(plain)),
        ("before_app_request", lambda blueprint: blueprint.before_app_request(plain)),
        ("after_app_request", lambda blueprint: blueprint.after_app_request(plain)),
        ("teardown_app_request", lambda blueprint: blueprint.teardown_app_request(plain)),
        ("app_context_processor", lambda blueprint: blueprint.app_context_processor(plain)),
        ("app_errorhandler", lambda blueprint: blueprint.app_errorhandler(404)),
        ("app_url_value_preprocessor", lambda blueprint: blueprint.app_url_value_preprocessor(plain)),
        ("app_url_defaults", lambda blueprint: blueprint.app_url_defaults(plain)),
        ("app_template_filter", lambda blueprint: blueprint.app_template_filter()),
        ("add_app_template_filter", lambda blueprint: blueprint.add_app_template_filter(plain)),
        ("app_template_test", lambda blueprint: blueprint.app_template_test()),
        ("add_app_template_test", lambda blueprint: blueprint.add_app_template_test(plain)),
        ("app_template_global", lambda blueprint: blueprint.app_template_global()),
        ("add_app_template_global", lambda blueprint: blueprint.add_app_template_global(plain)),
    ],
)
def test_every_change_after_registration_is_refused(
    app: Erlen, f_name: str, call: t.Callable[[Blueprint], object]
) -> None:
    blueprint = Blueprint("b", __name__)
    app.register_blueprint(blueprint)
    with pytest.raises(SetupError, match=f"'{f_name}' was called on the blueprint 'b'"):
        call(blueprint)


def test_registering_after_the_first_request_is_refused(app: Erlen) -> None:
    app.test_client().get("/")
    with pytest.raises(SetupError, match="'register_blueprint' was called on the application"):
        app.register_blueprint(Blueprint("b", __name__))


def test_functions_are_merged_under_the_dotted_name(app: Erlen) -> None:
    parent, child = Blueprint("p", __name__), Blueprint("c", __name__)
    child.before_request(plain)
    child.after_request(t.cast("t.Any", plain))
    child.teardown_request(t.cast("t.Any", plain))
    child.context_processor(t.cast("t.Any", plain))
    child.url_defaults(t.cast("t.Any", plain))
    child.url_value_preprocessor(t.cast("t.Any", plain))
    child.register_error_handler(404, plain)
    child.register_error_handler(ValueError, plain)
    child.endpoint("full.endpoint")(plain)
    parent.register_blueprint(child)
    app.register_blueprint(parent)
    for registry in (
        app.before_request_funcs,
        app.after_request_funcs,
        app.teardown_request_funcs,
        app.template_context_processors,
        app.url_default_functions,
        app.url_value_preprocessors,
    ):
        assert t.cast("dict[str, t.Any]", registry)["p.c"] == [plain]
    assert set(app.error_handler_spec["p.c"]) == {404, None}
    assert list(app.error_handler_spec["p.c"][None].items()) == [(ValueError, plain)]
    assert app.view_functions["full.endpoint"] is plain


def test_blueprint_keeps_its_own_functions_under_none(app: Erlen) -> None:
    blueprint = Blueprint("b", __name__)
    blueprint.before_request(plain)
    app.register_blueprint(blueprint)
    assert blueprint.before_request_funcs == {None: [plain]}
    app.before_request_funcs["b"].clear()
    assert blueprint.before_request_funcs == {None: [plain]}


def test_hooks_run_from_the_application_inwards_and_back(app: Erlen) -> None:
    parent, child = Blueprint("p", __name__), Blueprint("c", __name__)
    seen: list[str] = []

    def note(owner: t.Any, name: str) -> None:
        owner.url_value_preprocessor(lambda endpoint, values: seen.append(f"values {name}"))
        owner.before_request(lambda: seen.append(f"before {name}"))

        def after(response: Response) -> Response:
            seen.append(f"after {name}")
            return response

        owner.after_request(after)
        owner.teardown_request(lambda error: seen.append(f"teardown {name}"))

    for owner, name in ((child, "child"), (parent, "parent"), (app, "app")):
        note(owner, name)
    child.add_url_rule("/", "v", plain)
    parent.register_blueprint(child)
    app.register_blueprint(parent)
    assert app.test_client().get("/").text == "answer"
    assert seen == [
        "values app", "values parent", "values child",
        "before app", "before parent", "before child",
        "after child", "after parent", "after app",
        "teardown child", "teardown parent", "teardown app",
    ]  # fmt: skip


def test_hooks_stay_inside_their_blueprint(app: Erlen) -> None:
    one, two = Blueprint("one", __name__), Blueprint("two", __name__)
    one.before_request(lambda: "stopped")
    one.add_url_rule("/one", "v", plain)
    two.add_url_rule("/two", "v", plain)
    app.register_blueprint(one)
    app.register_blueprint(two)
    client = app.test_client()
    assert [client.get(path).text for path in ("/one", "/two")] == ["stopped", "answer"]


def test_error_handlers_from_the_innermost_outwards(app: Erlen) -> None:
    parent, child = Blueprint("p", __name__), Blueprint("c", __name__)
    app.register_error_handler(403, lambda error: ("app 403", 403))
    app.register_error_handler(410, lambda error: ("app 410", 410))
    app.register_error_handler(404, lambda error: ("app 404", 404))
    parent.register_error_handler(410, lambda error: ("parent 410", 410))
    parent.register_error_handler(404, lambda error: ("parent 404", 404))
    child.register_error_handler(404, lambda error: ("child 404", 404))
    child.add_url_rule("/<int:code>", "v", abort)
    parent.register_blueprint(child)
    app.register_blueprint(parent)
    client = app.test_client()
    assert [client.get(f"/{code}").text for code in (404, 410, 403)] == ["child 404", "parent 410", "app 403"]
    assert client.get("/no/route").text == "app 404"


def test_app_wide_hooks_reach_every_view(app: Erlen) -> None:
    blueprint = Blueprint("b", __name__)
    seen: list[str] = []

    @blueprint.after_app_request
    def after(response: Response) -> Response:
        response.headers["X-From"] = "blueprint"
        return response

    @blueprint.app_url_value_preprocessor
    def pull(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
        g.language = (values or {}).pop("language", None)

    @blueprint.app_url_defaults
    def add(endpoint: str, values: dict[str, t.Any]) -> None:
        values.setdefault("language", "de")

    blueprint.before_app_request(lambda: seen.append("before"))
    blueprint.teardown_app_request(lambda error: seen.append("teardown"))
    blueprint.app_context_processor(lambda: {"name": "everywhere"})
    blueprint.app_errorhandler(404)(lambda error: ("missing", 404))
    app.register_blueprint(blueprint)
    app.add_url_rule(
        "/<language>/",
        "index",
        lambda: render_template_string("{{ name }} {{ g.language }} {{ url_for('index') }}"),
    )
    client = app.test_client()
    response = client.get("/en/")
    assert response.text == "everywhere en /de/"
    assert response.headers["X-From"] == "blueprint"
    assert seen == ["before", "teardown"]
    assert client.get("/").text == "missing"


@pytest.mark.parametrize("kind", ["filter", "test", "global"])
def test_app_template_helper_in_every_spelling(app: Erlen, kind: str) -> None:
    blueprint = Blueprint("b", __name__)
    decorator = getattr(blueprint, f"app_template_{kind}")

    def bare(value: object) -> bool:
        return value == 1

    assert decorator(bare) is bare
    assert decorator()(bare) is bare
    assert decorator("positional")(bare) is bare
    assert decorator(name="keyword")(bare) is bare
    getattr(blueprint, f"add_app_template_{kind}")(bare, "added")
    app.register_blueprint(blueprint)
    known = getattr(app.jinja_env, f"{kind}s")
    assert [known[name] for name in ("bare", "positional", "keyword", "added")] == [bare] * 4


@pytest.mark.parametrize("own", ["unset", None, "group"])
@pytest.mark.parametrize("option", ["unset", None, "option"])
def test_commands_are_grouped(app: Erlen, own: str | None, option: str | None) -> None:
    given: dict[str, t.Any] = {} if own == "unset" else {"cli_group": own}
    blueprint = Blueprint("b", __name__, **given)
    blueprint.cli.command("hello")(lambda: click.echo("hello"))
    app.register_blueprint(blueprint, name="named", **({} if option == "unset" else {"cli_group": option}))
    group = option if option != "unset" else own
    words = {"unset": ["named"], None: []}.get(group, [str(group)])
    assert app.test_cli_runner().invoke(args=[*words, "hello"]).output == "hello\n"


def test_commands_of_a_nested_blueprint(app: Erlen) -> None:
    parent, child = Blueprint("p", __name__), Blueprint("c", __name__)
    child.cli.command("hello")(lambda: click.echo("hello"))
    parent.register_blueprint(child)
    app.register_blueprint(parent)
    assert list(app.cli.commands) == ["p.c"]


def test_command_groups_of_two_applications_keep_their_names() -> None:
    blueprint = Blueprint("b", __name__)
    blueprint.cli.command("hello")(lambda: click.echo("hello"))
    for name in ("one", "two"):
        app = Erlen(name, root_path="/srv")
        app.register_blueprint(blueprint, name=name)
        assert list(app.cli.commands) == [name]
    assert blueprint.cli.name == "b"


def test_url_for_inside_a_blueprint_is_relative_to_it(app: Erlen) -> None:
    blueprint = Blueprint("b", __name__, url_prefix="/b")
    blueprint.add_url_rule("/", "v", lambda: f"{url_for('.v')} {url_for('b.v')} {url_for('index')}")
    app.register_blueprint(blueprint)
    app.add_url_rule("/", "index", plain)
    assert app.test_client().get("/b/").text == "/b/ /b/ /"


def test_request_knows_its_blueprints(app: Erlen) -> None:
    parent, child = Blueprint("p", __name__), Blueprint("c", __name__)
    child.add_url_rule("/", "v", lambda: {"blueprint": request.blueprint, "blueprints": request.blueprints})
    parent.register_blueprint(child)
    app.register_blueprint(parent)
    assert app.test_client().get("/").json == {"blueprint": "p.c", "blueprints": ["p.c", "p"]}


def test_static_files_of_a_blueprint(app: Erlen, tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "a.css").write_text("a {}", "utf-8")
    blueprint = Blueprint("b", __name__, "assets", url_prefix="/b", root_path=str(tmp_path))
    app.register_blueprint(blueprint)
    with app.test_request_context():
        assert url_for("b.static", filename="a.css") == "/b/assets/a.css"
    with app.test_client().get("/b/assets/a.css") as response:
        assert response.get_data() == b"a {}"


def test_static_max_age_of_a_blueprint(app: Erlen, tmp_path: Path) -> None:
    class Cached(Blueprint):
        def get_send_file_max_age(self, filename: str | None) -> int | None:
            return 100

    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.css").touch()
    app.register_blueprint(Cached("b", __name__, "static", "/files", root_path=str(tmp_path)))
    with app.test_client().get("/files/a.css") as response:
        assert response.cache_control.max_age == 100


def test_templates_of_the_application_come_before_those_of_a_blueprint(tmp_path: Path) -> None:
    for owner, names in (("app", ["both"]), ("part", ["both", "own"])):
        (tmp_path / owner / "templates").mkdir(parents=True)
        for name in names:
            (tmp_path / owner / "templates" / f"{name}.txt").write_text(owner, "utf-8")
    app = Erlen("app", root_path=str(tmp_path / "app"))
    app.register_blueprint(Blueprint("b", "b", template_folder="templates", root_path=str(tmp_path / "part")))
    with app.app_context():
        assert [render_template("both.txt"), render_template("own.txt")] == ["app", "part"]
