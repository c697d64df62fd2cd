"""What only an application registers, and what it refuses when it is too late."""

from __future__ import annotations

import functools
import inspect
import re
import typing as t

import pytest
from werkzeug.routing import BaseConverter, BuildError, Map, Rule

from erlen import Blueprint, Erlen, render_template_string
from erlen.scaffold import SetupError
from erlen.testing import ErlenClient
from erlen.views import MethodView, View


def view() -> str:
    return "answer"


def other() -> str:
    return "other"


def methods_of(app: Erlen, endpoint: str) -> set[str]:
    (rule,) = app.url_map.iter_rules(endpoint)
    assert rule.methods is not None
    return rule.methods


def test_methods_default_to_get(app: Erlen) -> None:
    app.add_url_rule("/", "e", view)
    assert methods_of(app, "e") == {"GET", "HEAD", "OPTIONS"}


def test_methods_are_read_in_any_case(app: Erlen) -> None:
    app.add_url_rule("/", "e", view, methods=("get", "Put"))
    assert methods_of(app, "e") == {"GET", "HEAD", "PUT", "OPTIONS"}


def test_methods_of_the_view_are_used(app: Erlen) -> None:
    class Form(View):
        methods = ["put"]

        def dispatch_request(self) -> str:
            return "put"

    app.add_url_rule("/", view_func=Form.as_view("e"))
    assert methods_of(app, "e") == {"PUT", "OPTIONS"}


def test_required_methods_of_the_view_are_added(app: Erlen) -> None:
    @functools.wraps(view)
    def needs() -> str:
        return "needs"

    t.cast("t.Any", needs).required_methods = ["purge"]
    app.add_url_rule("/", "e", needs, methods=["POST"])
    assert methods_of(app, "e") == {"POST", "PURGE", "OPTIONS"}


def test_methods_as_a_string_show_the_right_call(app: Erlen) -> None:
    with pytest.raises(TypeError) as caught:
        app.route("/form", methods="POST")(view)
    assert str(caught.value) == (
        "The rule '/form' was given methods='POST', a string, which would be read letter by letter. Pass a list: "
        "@app.route('/form', methods=['POST'])."
    )


def test_automatic_options_switched_off_by_argument(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "e", view, provide_automatic_options=False)
    assert client.options("/").status_code == 405


def test_automatic_options_switched_off_by_the_view(app: Erlen) -> None:
    class Quiet(View):
        provide_automatic_options = False

        def dispatch_request(self) -> str:
            return ""

    app.add_url_rule("/", view_func=Quiet.as_view("e"))
    assert methods_of(app, "e") == {"GET", "HEAD"}


def test_automatic_options_switched_off_by_configuration(app: Erlen, client: ErlenClient) -> None:
    app.config["PROVIDE_AUTOMATIC_OPTIONS"] = False
    app.add_url_rule("/", "e", view)
    app.add_url_rule("/on", "on", view, provide_automatic_options=True)
    assert client.options("/").status_code == 405
    assert client.options("/on").headers["Allow"].split(", ").count("OPTIONS") == 1


def test_rule_that_names_options_answers_it_itself(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "e", view, methods=["GET", "OPTIONS"])
    assert client.options("/").text == "answer"


def test_endpoint_of_another_view_shows_both(app: Erlen) -> None:
    app.add_url_rule("/", "e", view)
    with pytest.raises(AssertionError) as caught:
        app.add_url_rule("/2", "e", other)
    assert str(caught.value) == (
        f"The rule '/2' would give the endpoint 'e' to other ({__file__}:{other.__code__.co_firstlineno}), but it "
        f"belongs to view ({__file__}:{view.__code__.co_firstlineno}). Two views of one name, or a decorator without "
        f"'functools.wraps', are the likely cause. Rename one, or name the endpoint: @app.route('/2', endpoint='e_2')."
    )


def test_endpoint_of_another_view_leaves_nothing_behind(app: Erlen) -> None:
    app.add_url_rule("/", "e", view)
    with pytest.raises(AssertionError):
        app.add_url_rule("/2", "e", other)
    assert [rule.rule for rule in app.url_map.iter_rules("e")] == ["/"]


def test_one_view_may_have_several_rules(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "e", view)
    app.add_url_rule("/2", "e", view)
    assert client.get("/2").text == "answer"


def test_rule_and_map_classes_are_replaceable() -> None:
    class OwnRule(Rule):
        pass

    class OwnMap(Map):
        pass

    class Own(Erlen):
        url_rule_class = OwnRule
        url_map_class = OwnMap

    app = Own("own", root_path="/srv")
    app.add_url_rule("/", "e", view)
    assert type(app.url_map) is OwnMap
    assert {type(rule) for rule in app.url_map.iter_rules()} == {OwnRule}


@pytest.mark.parametrize(
    ("f_name", "call"),
    [
        ("route", lambda app: app.route("/late")),
        ("get", lambda app: app.get("/late")),
        ("add_url_rule", lambda app: app.add_url_rule("/late", "late", view)),
        ("endpoint", lambda app: app.endpoint("late")),
        ("before_request", lambda app: app.before_request(view)),
        ("after_request", lambda app: app.after_request(view)),
        ("teardown_request", lambda app: app.teardown_request(view)),
        ("context_processor", lambda app: app.context_processor(view)),
        ("url_value_preprocessor", lambda app: app.url_value_preprocessor(view)),
        ("url_defaults", lambda app: app.url_defaults(view)),
        ("errorhandler", lambda app: app.errorhandler(404)),
        ("register_error_handler", lambda app: app.register_error_handler(404, view)),
        ("register_blueprint", lambda app: app.register_blueprint(Blueprint("late", __name__))),
        ("template_filter", lambda app: app.template_filter("late")),
        ("add_template_filter", lambda app: app.add_template_filter(view)),
        ("template_test", lambda app: app.template_test("late")),
        ("add_template_test", lambda app: app.add_template_test(view)),
        ("template_global", lambda app: app.template_global("late")),
        ("add_template_global", lambda app: app.add_template_global(view)),
        ("teardown_appcontext", lambda app: app.teardown_appcontext(view)),
        ("shell_context_processor", lambda app: app.shell_context_processor(view)),
    ],
)
def test_registering_after_the_first_request_is_refused(
    app: Erlen, client: ErlenClient, f_name: str, call: t.Callable[[Erlen], object]
) -> None:
    client.get("/")
    with pytest.raises(SetupError, match=f"'{f_name}' was called on the application 'erlen_test'"):
        call(app)


def test_late_call_names_its_line(app: Erlen, client: ErlenClient) -> None:
    client.get("/")
    frame = inspect.currentframe()
    assert frame is not None
    line = frame.f_lineno + 2
    with pytest.raises(AssertionError) as caught:
        app.add_url_rule("/late", view_func=view)
    assert str(caught.value) == (
        f"{__file__}:{line}: 'add_url_rule' was called on the application 'erlen_test', which has begun to serve: "
        "its first request came, or a server has started it. Requests before and after would be answered differently. "
        "The likely cause: the module is imported late, by a view or a command, or a view registers something itself. "
        "Move the call to where the application is made, or import its module there, before the server starts."
    )
    assert t.cast("SetupError", caught.value).location == f"{__file__}:{line}"


def test_late_call_after_the_start_alone_speaks_of_the_start(app: Erlen) -> None:
    app.start_serving()
    try:
        with pytest.raises(
            SetupError, match="begun to serve: its first request came, or a server has started it"
        ):
            app.add_url_rule("/late", view_func=view)
    finally:
        app.stop_serving()


async def awaited_by_nobody(*args: t.Any) -> t.Any:
    raise AssertionError("nobody calls this")


class AwaitedByNobody:
    async def __call__(self, endpoint: str, values: dict[str, t.Any]) -> None:
        raise AssertionError("nobody calls this")


@pytest.mark.parametrize(
    ("f_name", "register"),
    [
        ("url_defaults", lambda app: app.url_defaults),
        ("url_defaults", lambda app: Blueprint("b", __name__).url_defaults),
        ("app_url_defaults", lambda app: Blueprint("b", __name__).app_url_defaults),
        ("shell_context_processor", lambda app: app.shell_context_processor),
    ],
)
@pytest.mark.parametrize(
    "function", [awaited_by_nobody, AwaitedByNobody(), functools.partial(awaited_by_nobody, 1)]
)
def test_async_function_is_refused_where_nothing_awaits_it(
    app: Erlen, f_name: str, register: t.Callable[[Erlen], t.Callable[[t.Any], object]], function: t.Any
) -> None:
    with pytest.raises(
        TypeError, match=rf"^'{f_name}' was given .*it would never run. Write 'def' in place of"
    ):
        register(app)(function)
    assert not app.url_default_functions
    assert not app.shell_context_processors


def test_refused_async_function_is_named_with_its_line(app: Erlen) -> None:
    line = awaited_by_nobody.__code__.co_firstlineno
    with pytest.raises(TypeError) as caught:
        app.url_defaults(t.cast("t.Any", awaited_by_nobody))
    assert str(caught.value) == (
        f"'url_defaults' was given awaited_by_nobody ({__file__}:{line}), which is async, and 'url_for' calls it in the "
        "middle of plain code, where nothing can be awaited: it would never run. Write 'def' in place of 'async def', "
        "and await what it needs in a 'before_request' function, which keeps it in 'g'."
    )


def test_late_call_inside_a_view_is_refused(app: Erlen, client: ErlenClient) -> None:
    @app.get("/")
    def index() -> str:
        app.route("/late")(other)
        return "registered"

    with pytest.raises(SetupError, match="'route' was called on the application"):
        client.get("/")


def test_view_put_into_the_registry_late_is_seen(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "e", view)
    assert client.get("/").text == "answer"
    app.view_functions["e"] = other
    assert client.get("/").text == "other"


def test_hook_put_into_the_registry_late_is_seen(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "e", view)
    client.get("/")
    app.before_request_funcs.setdefault(None, []).append(other)
    assert client.get("/").text == "other"


@pytest.mark.parametrize("kind", ["filter", "test", "global"])
def test_template_helper_in_every_spelling(app: Erlen, kind: str) -> None:
    decorator = getattr(app, f"template_{kind}")

    def bare(value: object) -> bool:
        return value == 1

    assert decorator(bare) is bare
    assert decorator()(bare) is bare
    assert decorator("positional")(bare) is bare
    assert decorator(name="keyword")(bare) is bare
    getattr(app, f"add_template_{kind}")(bare, "added")
    getattr(app, f"add_template_{kind}")(bare, name="named")
    known = getattr(app.jinja_env, f"{kind}s")
    assert [known[name] for name in ("bare", "positional", "keyword", "added", "named")] == [bare] * 5


def test_template_helpers_in_a_template(app: Erlen) -> None:
    app.add_template_filter(lambda value: value * 2, "double")
    app.add_template_test(lambda value: value == 4, "four")
    app.add_template_global(lambda: 2, "two")
    with app.app_context():
        assert render_template_string("{{ two()|double is four }}") == "True"


def test_teardown_appcontext_runs(app: Erlen) -> None:
    ended: list[object] = []
    assert app.teardown_appcontext(ended.append) == ended.append
    with app.app_context():
        assert ended == []
    assert ended == [None]


def test_shell_context_processor_is_kept(app: Erlen) -> None:
    def names() -> dict[str, t.Any]:
        return {"answer": 42}

    assert app.shell_context_processor(names) is names
    assert app.make_shell_context()["answer"] == 42


def test_url_build_error_handler_is_asked(app: Erlen) -> None:
    def build(error: BuildError, endpoint: str, values: dict[str, t.Any]) -> str:
        return f"/external/{endpoint}"

    app.url_build_error_handlers.append(build)
    with app.test_request_context():
        assert app.url_for("elsewhere") == "/external/elsewhere"


def test_blueprints_in_the_order_of_their_registration(app: Erlen) -> None:
    parts = [Blueprint(name, __name__) for name in ("b", "a")]
    for part in parts:
        app.register_blueprint(part)
    assert list(app.iter_blueprints()) == parts
    assert list(app.blueprints) == ["b", "a"]


def test_static_route_needs_a_host_where_hosts_are_matched() -> None:
    with pytest.raises(AssertionError) as caught:
        Erlen("hosts", host_matching=True, root_path="/srv")
    assert str(caught.value) == (
        "static_host=None does not go with host_matching=True: a rule that is matched by host needs one, others "
        "cannot have one. Pass both, host_matching=True and static_host='static.example.com', or neither; without "
        "static files, static_folder=None."
    )


def test_static_route_on_its_host() -> None:
    app = Erlen("hosts", host_matching=True, static_host="static.example.com", root_path="/srv")
    (rule,) = app.url_map.iter_rules("static")
    assert (rule.host, rule.rule) == ("static.example.com", "/static/<path:filename>")


def test_applications_share_nothing() -> None:
    one, two = Erlen("one", root_path="/srv"), Erlen("two", root_path="/srv")
    one.add_url_rule("/", "e", view)
    one.before_request(other)
    one.add_template_filter(view)
    assert "e" not in two.view_functions
    assert None not in two.before_request_funcs or two.before_request_funcs[None] == []
    assert "view" not in two.jinja_env.filters


def test_a_view_class_without_as_view_is_refused_with_the_right_call(app: Erlen) -> None:
    class Items(MethodView):
        def get(self) -> str:
            return ""

    with pytest.raises(
        TypeError, match=r"'/items' was given the class .*Items' .*view_func=Items\.as_view\('items'\)"
    ):
        app.add_url_rule("/items", view_func=t.cast(t.Any, Items))


@pytest.mark.parametrize(
    ("rule", "mended"),
    [
        ("/items/{number}", "/items/<number>"),
        ("/items/{number:int}/parts", "/items/<int:number>/parts"),
        ("/items/{number:str}", "/items/<string:number>"),
    ],
)
def test_a_rule_with_braces_for_a_parameter_is_refused_with_the_right_rule(
    app: Erlen, rule: str, mended: str
) -> None:
    def show(number: str) -> str:
        return number

    with pytest.raises(TypeError, match=rf"stand for themselves.*show.*'number'.* brackets: '{mended}'\.$"):
        app.add_url_rule(rule, view_func=show)
    with pytest.raises(TypeError, match="A variable part has angle brackets"):
        blueprint = Blueprint("b", __name__, url_prefix="/b")
        blueprint.add_url_rule(rule, view_func=show)
        app.register_blueprint(blueprint)
    assert [str(one) for one in app.url_map.iter_rules() if "items" in str(one)] == []


def test_a_websocket_whose_rule_has_braces_is_refused(app: Erlen) -> None:
    async def talk(socket: t.Any, room: str) -> None: ...

    with pytest.raises(TypeError, match=r"nothing gives its view .*talk.* brackets: '/talk/<room>'\.$"):
        app.websocket("/talk/{room}")(talk)


def give_number(f: t.Callable[[int], str]) -> t.Callable[[], str]:
    @functools.wraps(f)
    def give() -> str:
        return f(7)

    return give


class InBraces(BaseConverter):
    part_isolating = True

    def __init__(self, url_map: Map, pattern: str) -> None:
        super().__init__(url_map)
        self.regex = pattern.replace("{number}", "{1}")


@pytest.mark.parametrize(
    ("rule", "path", "options"),
    [
        ("/{number}", "/{number}", {"defaults": {"number": 7}}),
        ("/{number}/<number>", "/{number}/7", {}),
        ("/{number}/<int(min=1):number>", "/{number}/7", {}),
        ("/<in_braces('[0-9]{number}'):number>", "/7", {}),
    ],
)
def test_braces_beside_what_gives_the_argument_are_a_rule(
    app: Erlen, rule: str, path: str, options: dict[str, t.Any]
) -> None:
    app.url_map.converters["in_braces"] = InBraces
    app.add_url_rule(rule, view_func=lambda number: f"{number}", **options)
    assert app.test_client().get(path).text == "7"


def test_braces_where_a_decorator_gives_the_argument_are_a_rule(app: Erlen) -> None:
    @app.get("/{number}")
    @give_number
    def show(number: int) -> str:
        return f"{number}"

    assert app.test_client().get("/{number}").text == "7"


def test_braces_where_the_arguments_have_no_names_of_their_own_are_a_rule(app: Erlen) -> None:
    app.add_url_rule("/{args}/{kwargs}", view_func=lambda *args, **kwargs: "none")
    assert app.test_client().get("/{args}/{kwargs}").text == "none"


@pytest.mark.parametrize("of_blueprint", [False, True])
def test_braces_where_a_preprocessor_gives_the_argument_are_a_rule(app: Erlen, of_blueprint: bool) -> None:
    owner = Blueprint("owner", __name__) if of_blueprint else app
    owner.add_url_rule("/<int:number>", "other", lambda number: f"{number}")

    @owner.url_value_preprocessor
    def give(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
        assert values is not None
        values["number"] = 7

    owner.add_url_rule("/{number}", view_func=lambda number: f"{number}", endpoint="show")
    if isinstance(owner, Blueprint):
        app.register_blueprint(owner)
    assert app.test_client().get("/{number}").text == "7"


def test_a_view_whose_annotations_cannot_be_looked_up_may_have_braces(
    app: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(view: t.Any) -> t.NoReturn:
        raise NameError("name 'Undefined' is not defined")

    # As from Python 3.14 on.
    monkeypatch.setattr(inspect, "signature", look_up)
    app.add_url_rule("/{number}", view_func=lambda number: f"{number}")
    assert [str(one) for one in app.url_map.iter_rules()].count("/{number}") == 1


def test_a_rule_that_is_no_text_keeps_the_words_of_werkzeug(app: Erlen) -> None:
    with pytest.raises(TypeError, match=r"^startswith first arg must be bytes"):
        app.add_url_rule(t.cast(t.Any, b"/x"), view_func=lambda: "")
    with pytest.raises(AttributeError, match=r"^'int' object has no attribute 'startswith'$"):
        app.add_url_rule(t.cast(t.Any, 5), view_func=lambda: "")


@pytest.mark.parametrize("error", [KeyError(), LookupError(), LookupError("no such colour"), KeyError("red")])
def test_an_error_of_a_converter_stays_as_it_is(app: Erlen, error: LookupError) -> None:
    class Broken(BaseConverter):
        def __init__(self, url_map: Map) -> None:
            raise error

    app.url_map.converters["broken"] = Broken
    with pytest.raises(LookupError) as caught:
        app.add_url_rule("/<broken:number>", view_func=lambda number: number)
    assert caught.value is error


def test_a_rule_with_braces_that_are_meant_is_a_rule(app: Erlen) -> None:
    app.add_url_rule("/{uuid}", view_func=lambda: "braces")
    app.add_url_rule("/{a}/<int:number>", "other", lambda number, a="a": f"{number} {a}")
    client = app.test_client()
    assert client.get("/{uuid}").text == "braces"
    assert client.get("/{a}/7").text == "7 a"


def test_an_option_that_no_rule_has_is_refused_with_those_there_are(app: Erlen) -> None:
    with pytest.raises(
        TypeError,
        match=r"^The rule '/orders' was given status_code=201, which is no option of a rule\. There are alias, .*methods, "
        r".*websocket\. .* its status .* return value, 201\.$",
    ):
        app.post("/orders", status_code=201)(lambda: "")


@pytest.mark.parametrize(
    ("rule", "fix"),
    [
        ("/orders/<number:int>", r"The converter comes first: '<int:number>'\."),
        ("/orders/<number:str>", r"The converter comes first: '<string:number>'\."),
        ("/orders/<str:number>", r"It is called 'string' here: '/orders/<string:number>'\."),
        (
            "/orders/<str(length=2):strs>/<int:str>",
            r"It is called .*: '/orders/<string\(length=2\):strs>/<int:str>'\.",
        ),
        (
            "/orders/<slug:name>",
            r"Add one of your own before the rule: app\.url_map\.converters\['slug'\] = a class\.",
        ),
    ],
)
def test_a_converter_that_is_not_there_is_explained(app: Erlen, rule: str, fix: str) -> None:
    with pytest.raises(
        LookupError,
        match=rf"^The rule '{re.escape(rule)}' asks for the converter '\w+', .* There are any, float, int, .*uuid\. {fix}$",
    ):
        app.add_url_rule(rule, view_func=lambda number: number)


def test_other_errors_of_a_rule_stay_as_they_are(app: Erlen) -> None:
    class Picky(Rule):
        def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
            if kwargs.pop("colour", None):
                raise TypeError("no colours")
            super().__init__(*args, **kwargs)

    app.url_rule_class = Picky
    with pytest.raises(TypeError, match=r"^no colours$"):
        app.add_url_rule("/", view_func=lambda: "", colour="red")
    with pytest.raises(ValueError, match="must start with a slash"):
        app.add_url_rule("x", view_func=lambda: "")
