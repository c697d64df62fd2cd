"""``erlen routes --match``: what answers a URL is what a request gets, and why the others do not answer."""

from __future__ import annotations

import json
import re
import typing as t
from urllib.parse import urlsplit

import hypothesis
import pytest
from click.testing import CliRunner, Result
from hypothesis import strategies as st
from werkzeug.routing import BaseConverter, Rule

from erlen import Blueprint, Erlen
from erlen.cli import ErlenGroup
from erlen.cli.routes.matching import Answer, ask
from erlen.cli.routes.reasons import others
from erlen.views import MethodView


def run(app: Erlen, *arguments: str) -> Result:
    return CliRunner().invoke(ErlenGroup(create_app=lambda: app), ["routes", *arguments])


def match(app: Erlen, *arguments: str) -> dict[str, t.Any]:
    """Return the JSON of a match, with the reasons of each other rule by its address."""
    result = run(app, "--json", "--match", *arguments)
    assert result.stderr == "", result.stderr
    answer: dict[str, t.Any] = json.loads(result.stdout)
    answer["exit_code"] = result.exit_code
    answer["near"] = {
        other["route"]["rule"]: [reason["kind"] for reason in other["reasons"]] for other in answer["others"]
    }
    answer["why"] = {
        other["route"]["rule"]: "; ".join(reason["message"] for reason in other["reasons"])
        for other in answer["others"]
    }
    return answer


def app_of(*rules: str) -> Erlen:
    """Return an application with rules, each with its address as its endpoint; ``"POST /a"`` is one of that method."""
    app = Erlen("made", static_folder=None)
    for rule in rules:
        method, address = re.split(" (?=/)", f" {rule}", maxsplit=1)
        app.add_url_rule(address, address, lambda **values: values, methods=[method.strip() or "GET"])
    return app


@pytest.fixture
def app() -> Erlen:
    app = Erlen("made", static_folder=None)
    users = Blueprint("users", "made", url_prefix="/users")

    @users.get("/")
    def index() -> str:
        return ""

    @users.get("/<int:id>")
    def show(id: int) -> str:
        return ""

    @users.post("/<int(max=100):id>")
    def change(id: int) -> str:
        return ""

    @users.get("/<name>")
    def by_name(name: str) -> str:
        return ""

    @users.get("/me")
    def me() -> str:
        return ""

    app.register_blueprint(users)

    @app.websocket("/chat/<room>")
    async def chat(room: str) -> None:
        """Do nothing."""

    return app


# The answer


def test_what_answers_is_shown_with_its_view_and_arguments(app: Erlen) -> None:
    result = run(app, "--match", "/users/7?page=2")
    assert result.exit_code == 0
    head, _, rest = result.stdout.partition("\n\n")
    shown = dict(line.split(None, 1) for line in head.splitlines()[1:])
    assert head.splitlines()[0] == "GET http://localhost/users/7?page=2"
    assert shown.pop("File").rpartition(":")[0].endswith("test_routes_match.py")
    assert shown == {
        "Rule": "/users/<int:id>",
        "Methods": "GET, HEAD, OPTIONS",
        "Endpoint": "users.show",
        "Blueprint": "users",
        "View": f"{__name__}:app.<locals>.show",
        "Arguments": "id=7 (int)",
    }
    assert rest.startswith("Why others do not answer:\n\nRule ")


def test_the_answer_is_json(app: Erlen) -> None:
    answer = match(app, "/users/7")
    line = answer["route"]["view"].pop("line")
    assert isinstance(line, int)
    assert answer["route"]["view"].pop("file").endswith("test_routes_match.py")
    del answer["others"]
    assert answer == {
        "method": "GET",
        "url": "http://localhost/users/7",
        "websocket": False,
        "status": "matched",
        "code": None,
        "route": {
            "endpoint": "users.show",
            "rule": "/users/<int:id>",
            "methods": ["GET", "HEAD", "OPTIONS"],
            "host": None,
            "subdomain": None,
            "websocket": False,
            "arguments": {"id": "int"},
            "defaults": {},
            "redirect_to": None,
            "alias": False,
            "build_only": False,
            "blueprint": "users",
            "view": {"name": f"{__name__}:app.<locals>.show"},
        },
        "arguments": {"id": {"value": 7, "type": "int"}},
        "allowed_methods": [],
        "location": None,
        "location_endpoint": None,
        "hints": [],
        "exit_code": 0,
        "near": {"/users/<name>": ["order"], "/users/<int(max=100):id>": ["method"]},
        "why": {
            "/users/<name>": "fits as well; '/users/<int:id>' is tried first: 'int' comes before 'string'",
            "/users/<int(max=100):id>": "answers OPTIONS, POST, not GET",
        },
    }


def test_the_view_of_a_class_is_the_method_that_answers() -> None:
    class Things(MethodView):
        def get(self) -> str:
            return ""

        def post(self) -> str:
            return ""

    app = Erlen("made", static_folder=None)
    app.add_url_rule("/things", view_func=Things.as_view("things"))
    names = [match(app, "/things", "--method", method)["route"]["view"]["name"] for method in ("get", "post")]
    assert [name.rpartition(".")[2] for name in names] == ["get", "post"]


def test_options_are_answered_by_the_application_itself(app: Erlen) -> None:
    assert (
        "OPTIONS is answered by the application itself"
        in run(app, "--match", "/users/me", "-m", "OPTIONS").stdout
    )


def test_a_rule_without_a_view_says_so() -> None:
    app = Erlen("made", static_folder=None)
    app.add_url_rule("/", "index")
    result = run(app, "--match", "/")
    assert "none is registered for this endpoint: a request fails" in result.stdout
    assert match(app, "/")["route"]["view"] is None


def test_values_that_json_has_not_are_text() -> None:
    app = app_of("/<uuid:key>")
    key = "a8098c1a-f86e-11da-bd1a-00112444be1e"
    assert match(app, f"/{key}")["arguments"] == {"key": {"value": key, "type": "UUID"}}


def test_percent_encodings_are_decoded(app: Erlen) -> None:
    assert match(app, "/users/J%C3%BCrgen%20B")["arguments"]["name"]["value"] == "Jürgen B"
    assert match(app, "/users/Jürgen B")["arguments"]["name"]["value"] == "Jürgen B"


def test_a_redirect_says_where_it_leads_and_what_answers_there(app: Erlen) -> None:
    result = run(app, "--match", "/users?a=1")
    assert result.exit_code == 0
    assert "308 Permanent Redirect, to http://localhost/users/?a=1\n" in result.stdout
    assert "There 'users.index' answers, by the rule '/users/'.\n" in result.stdout
    answer = match(app, "/users")
    assert (answer["status"], answer["code"], answer["location_endpoint"]) == ("redirect", 308, "users.index")


def test_a_redirect_to_another_host_is_not_followed() -> None:
    app = Erlen("made", static_folder=None)
    app.add_url_rule("/", "out", redirect_to="https://example.com/")
    answer = match(app, "/")
    assert (answer["location"], answer["location_endpoint"]) == ("https://example.com/", None)


def test_a_method_that_is_not_allowed_is_no_answer(app: Erlen) -> None:
    result = run(app, "--match", "/users/me", "--method", "POST")
    assert result.exit_code == 1
    assert "405 Method Not Allowed. Allowed: GET, HEAD, OPTIONS.\n" in result.stdout
    answer = match(app, "/users/me", "--method", "post")
    assert (answer["status"], answer["allowed_methods"]) == ("method_not_allowed", ["GET", "HEAD", "OPTIONS"])


def test_nothing_near_is_said() -> None:
    result = run(app_of("/a/b/c"), "--match", "/zzz")
    assert result.exit_code == 1
    assert result.stdout == (
        "GET http://localhost/zzz\n404 Not Found\nNo rule is near. 'erlen routes' lists all of them.\n"
    )


@pytest.mark.parametrize(
    ("rule", "path", "why"),
    [
        (
            "/items/{id}",
            "/items/7",
            "'{id}' is literal in this rule; write '<id>', or '<int:id>' for a number",
        ),
        (
            "/items/:id",
            "/items/7/",
            "':id' is literal in this rule; write '<id>', or '<int:id>' for a number",
        ),
        ("/items/{id:int}", "/items/7", "'{id:int}' is literal in this rule; write '<int:id>'"),
        (
            "/{a}/<b>/{c:path}",
            "/1/2/3/4",
            "'{a}' and '{c:path}' are literal in this rule; write '<a>' and '<path:c>'",
        ),
    ],
)
def test_a_variable_of_another_framework_is_the_reason(rule: str, path: str, why: str) -> None:
    answer = match(app_of(rule, "/elsewhere"), path)
    assert (answer["status"], answer["near"], answer["why"]) == (
        "not_found",
        {rule: ["literal"]},
        {rule: why},
    )


def test_slashes_in_a_row_that_a_converter_refuses_are_merged() -> None:
    answer = match(app_of("/b/<path:rest>"), "/b//a")
    assert (answer["status"], answer["near"]) == ("redirect", {"/b/<path:rest>": ["merged_slashes"]})


def test_a_variable_of_another_framework_is_a_reason_beside_what_answers() -> None:
    answer = match(app_of("/items/{id}", "/items/<path:rest>"), "/items/7")
    assert (answer["route"]["rule"], answer["near"]) == ("/items/<path:rest>", {"/items/{id}": ["literal"]})


def test_braces_that_the_path_does_not_fit_are_no_reason() -> None:
    assert match(app_of("/items/{id}"), "/others/7")["near"] == {}


@pytest.mark.parametrize("url", ["/chat/1 --websocket", "ws://localhost/chat/1", "wss://localhost/chat/1"])
def test_a_websocket_is_matched_as_such(app: Erlen, url: str) -> None:
    answer = match(app, *url.split())
    assert (answer["status"], answer["route"]["endpoint"], answer["websocket"]) == ("matched", "chat", True)
    assert answer["url"].startswith("ws")


def test_a_websocket_asked_for_over_http_says_so(app: Erlen) -> None:
    result = run(app, "--match", "/chat/1")
    assert result.exit_code == 1
    assert "426 Upgrade Required. This address speaks WebSocket: ask with '--websocket'." in result.stdout
    assert match(app, "/chat/1")["near"] == {"/chat/<room>": ["websocket"]}


def test_an_address_of_http_asked_for_as_a_websocket_says_so() -> None:
    app = app_of("/page")
    answer = match(app, "/page", "--websocket")
    assert (answer["exit_code"], answer["status"]) == (1, "websocket_mismatch")
    assert answer["near"] == {"/page": ["websocket"]}
    assert "This address speaks HTTP, and no WebSocket." in run(app, "--match", "/page", "--websocket").stdout


# The reasons


@pytest.mark.parametrize(
    ("rule", "path", "message"),
    [
        ("/<int:a>", "/x", "'x' is not a whole number for <int:a>"),
        ("/<int:a>", "/-1", "'-1' is not a whole number for <int:a>, which takes no sign"),
        ("/<int(max=5):a>", "/9", "'9' is refused by the converter of <int:a>: max=5"),
        ("/<int(fixed_digits=4):a>", "/9", "'9' is refused by the converter of <int:a>: fixed_digits=4"),
        ("/<float:a>", "/1", "'1' is not a number with a decimal point for <float:a>"),
        ("/<uuid:a>", "/1", "'1' is not a UUID for <uuid:a>"),
        ("/<any(new, old):a>", "/mid", "'mid' is none of 'new', 'old' for <any:a>"),
        ("/<string(length=2):a>", "/abc", "'abc' does not have the pattern [^/]{2} of <a>"),
        ("/v<int:a>-<int:b>", "/vx-2", "'x' is not a whole number for <int:a>"),
        (
            "/<int:a>/<int:b>",
            "/x/y",
            "'x' is not a whole number for <int:a>; 'y' is not a whole number for <int:b>",
        ),
    ],
)
def test_a_value_that_a_converter_refuses_is_named(rule: str, path: str, message: str) -> None:
    answer = match(app_of(rule), path)
    assert answer["why"] == {rule: message}
    assert (answer["status"], answer["exit_code"]) == ("not_found", 1)


def test_a_converter_of_the_application_is_named() -> None:
    class Even(BaseConverter):
        regex = r"\d+"

        def to_python(self, value: str) -> int:
            if int(value) % 2:
                raise ValueError
            return int(value)

    app = Erlen("made", static_folder=None)
    app.url_map.converters["even"] = Even
    app.add_url_rule("/<even:number>", "even", lambda number: str(number))
    assert match(app, "/4")["route"]["arguments"] == {"number": "even"}
    assert match(app, "/x")["why"] == {
        "/<even:number>": r"'x' does not have the pattern \d+ of <even:number>"
    }
    app.add_url_rule("/only/<even:number>", "only", lambda number: str(number))


def test_a_converter_that_refuses_a_value_keeps_later_rules_from_being_tried() -> None:
    answer = match(app_of("/<int(max=5):a>", "/<b>"), "/9")
    assert answer["near"] == {"/<b>": ["order"], "/<int(max=5):a>": ["converter"]}
    assert "'/<int(max=5):a>' is tried first" in answer["why"]["/<b>"]
    assert "nothing else is tried" in answer["why"]["/<b>"]


@pytest.mark.parametrize(
    ("rules", "path", "loser", "message"),
    [
        (["/<name>", "/me"], "/me", "/<name>", "the fixed text 'me' comes before a variable"),
        (["/<name>", "/<int:id>"], "/1", "/<name>", "'int' comes before 'string'"),
        (["/<path:rest>", "/<name>"], "/a", "/<path:rest>", "'string' comes before 'path'"),
        (["/<a>", "/<b>"], "/1", "/<b>", "it was registered before"),
        (["/<a>", "/x<b>"], "/x1", "/<a>", "the fixed text 'x' comes before a variable"),
    ],
)
def test_why_a_rule_comes_first_is_said(rules: list[str], path: str, loser: str, message: str) -> None:
    answer = match(app_of(*rules), path)
    assert answer["status"] == "matched"
    assert answer["near"] == {loser: ["order"]}
    assert answer["why"][loser].endswith(f"is tried first: {message}")


@pytest.mark.parametrize(
    ("rule", "path", "kinds"),
    [
        ("/a/", "/a", ["slash"]),
        ("/a", "/a/", ["slash"]),
        ("/a/<int:b>/", "/a/x", ["slash", "converter"]),
        ("/a/b", "/a//b", ["merged_slashes"]),
        ("/About", "/about", ["case"]),
        ("/users/<int:id>", "/user/7", ["similar"]),
        ("/users/<int:id>", "/userss/7", ["similar"]),
        ("/api/v2/users/<int:id>", "/users/7", ["prefix"]),
        ("/users/<int:id>", "/shop/users/7", ["prefix"]),
        ("POST /a", "/a", ["method"]),
        ("POST /a/", "/a", ["slash", "method"]),
    ],
)
def test_what_is_near_says_what_differs(rule: str, path: str, kinds: list[str]) -> None:
    assert match(app_of(rule), path)["near"] == {rule.rpartition(" ")[2]: kinds}


def test_a_rule_without_strict_slashes_takes_both() -> None:
    app = Erlen("made", static_folder=None)
    app.url_map.strict_slashes = False
    app.add_url_rule("/a/", "a", lambda: "", methods=["POST"])
    assert match(app, "/a")["near"] == {"/a/": ["method"]}


def test_rules_that_redirect_say_by_what() -> None:
    app = Erlen("made", static_folder=None)
    app.add_url_rule("/pages/", "pages", lambda page: "", defaults={"page": 1})
    app.add_url_rule("/pages/<int:page>", "pages")
    app.add_url_rule("/old", "old", redirect_to="/pages/")
    app.add_url_rule("/alias", "pages", defaults={"page": 1}, alias=True)
    assert match(app, "/pages/1")["why"]["/pages/<int:page>"] == (
        "redirects: '/pages/' has such values as its defaults"
    )
    assert match(app, "/old")["why"] == {"/old": "redirects by its redirect_to"}
    assert match(app, "/alias")["why"] == {
        "/alias": "is an alias, and redirects to the rule that it is one of"
    }


def test_a_rule_that_only_builds_urls_says_so() -> None:
    app = Erlen("made", static_folder=None)
    app.add_url_rule("/cdn", "cdn", build_only=True)
    assert match(app, "/cdn")["near"] == {"/cdn": ["build_only"]}


def test_only_so_many_are_listed_and_all_are_in_the_json() -> None:
    app = app_of(*(f"/<int(min={number}):a>" for number in range(12)))
    result = run(app, "--match", "/x")
    assert result.stdout.count("is not a whole number") == 8
    assert "4 more are near; '--json' has all of them." in result.stdout
    assert len(match(app, "/x")["near"]) == 12


def test_similar_rules_are_proposed() -> None:
    result = run(app_of("/users/<int:id>", "/about"), "--match", "/user/7")
    assert "Was one of these meant?\n" in result.stdout
    assert "/users/<int:id>" in result.stdout and "/about" not in result.stdout


# Hosts, roots and schemes


@pytest.fixture
def shop() -> Erlen:
    app = Erlen("made", static_folder=None, subdomain_matching=True)
    app.config.update(SERVER_NAME="example.com", APPLICATION_ROOT="/shop", TRUSTED_HOSTS=[".example.com"])
    app.add_url_rule("/", "api", lambda: "", subdomain="api")
    app.add_url_rule("/", "tenant", lambda tenant: tenant, subdomain="<tenant>")
    app.add_url_rule("/only", "only", lambda: "", subdomain="api")
    app.add_url_rule("/all", "all", lambda: "")
    return app


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("http://api.example.com/shop/", "api"),
        ("http://api.example.com/shop", "api"),
        ("http://ada.example.com/shop/", "tenant"),
        ("https://api.example.com/shop/only", "only"),
        ("/all", "all"),
        ("http://example.com/shop/all", "all"),
    ],
)
def test_a_whole_url_has_host_and_root(shop: Erlen, url: str, endpoint: str) -> None:
    answer = match(shop, url)
    assert (answer["status"], (answer["route"] or {}).get("endpoint")) == ("matched", endpoint)


def test_subdomains_that_do_not_fit_are_named(shop: Erlen) -> None:
    assert match(shop, "http://x.example.com/shop/only")["why"] == {
        "/only": "is for the subdomain 'api'; asked was 'x'"
    }
    assert match(shop, "/only")["why"] == {"/only": "is for the subdomain 'api'; asked was no subdomain"}
    assert match(shop, "http://x.example.com/shop/all")["why"] == {
        "/all": "is for no subdomain; asked was 'x'"
    }
    result = run(shop, "--match", "http://api.example.com/shop/")
    assert "Subdomain" in result.stdout
    assert "'/' of 'api' is tried first: the fixed text 'api' comes before a variable" in result.stdout


def test_a_subdomain_without_subdomain_matching_says_what_is_missing() -> None:
    app = Erlen("made", static_folder=None)
    app.add_url_rule("/", "api", lambda: "", subdomain="api")
    assert "made without subdomain_matching=True" in match(app, "/")["why"]["/"]


def test_a_host_that_is_not_trusted_is_refused(shop: Erlen) -> None:
    result = run(shop, "--match", "http://evil.example/")
    assert result.exit_code == 1
    assert result.stdout == "GET http://evil.example/\n400 Bad Request. Host 'evil.example' is not trusted.\n"


def test_a_host_outside_of_the_server_name_is_a_hint(shop: Erlen) -> None:
    shop.config["TRUSTED_HOSTS"] = None
    answer = match(shop, "http://other.example/all")
    assert answer["hints"] == ["The host is not below SERVER_NAME, 'example.com': no rule is asked."]
    assert answer["status"] == "not_found"


def test_a_path_with_the_root_in_front_is_a_hint(shop: Erlen) -> None:
    assert match(shop, "/shop/all")["hints"] == [
        "Paths are below APPLICATION_ROOT, '/shop'. Was '/all' meant?"
    ]


def test_hosts_are_matched_where_the_map_does_that() -> None:
    app = Erlen("made", static_folder=None, host_matching=True)
    app.add_url_rule("/", "one", lambda: "", host="one.example")
    app.add_url_rule("/", "any", lambda name: name, host="<name>.example")
    assert match(app, "http://one.example/")["route"]["endpoint"] == "one"
    answer = match(app, "http://two.example/")
    assert (answer["route"]["endpoint"], answer["arguments"]["name"]["value"]) == ("any", "two")
    assert answer["why"] == {"/": "is for the host 'one.example'; asked was 'two.example'"}
    assert "Host" in run(app, "--match", "http://two.example/").stdout


# Bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--match", "http://[::1"], "'http://[::1' is no URL"),
        (["--match", "http://a:99999/"], "is no URL: Port out of range"),
        (["--match", "ftp://a/"], "its scheme is 'ftp', and not one of http, https, ws, wss"),
        (["--match", "localhost:5000/a"], "write 'http://localhost:5000/a'"),
        (["--match", "/", "--method", "A B"], "'A B' is no method"),
        (["--match", "/", "--method", "POST", "--websocket"], "a WebSocket begins with a GET"),
        (["--method", "POST"], "'--method' says how to match a URL: add '--match URL'"),
        (["--websocket"], "'--websocket' says how to match a URL: add '--match URL'"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_the_fix(app: Erlen, arguments: list[str], message: str) -> None:
    result = run(app, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert result.stdout == ""


@pytest.mark.parametrize("url", ["", "users/me", "//users/me", "/users/me#part"])
def test_a_path_may_be_written_in_several_ways(app: Erlen, url: str) -> None:
    answer = match(app, url)
    expected = "not_found" if not url else "matched"
    assert answer["status"] == expected


def test_an_error_of_a_converter_is_the_user_s_own() -> None:
    class Broken(BaseConverter):
        def to_python(self, value: str) -> t.Any:
            raise LookupError(value)

    app = Erlen("made", static_folder=None)
    app.url_map.converters["broken"] = Broken
    app.add_url_rule("/<broken:a>", "a", lambda a: a)
    assert isinstance(run(app, "--match", "/x").exception, LookupError)


# The oracle: what a request gets


PIECES = [
    "a",
    "b",
    "ab",
    "<x>",
    "<int:x>",
    "<int(max=5):x>",
    "<any(a,b):x>",
    "<path:x>",
    "a<x>",
    "<x>-b",
    "<float:x>",
]
METHODS = ["GET", "POST", "PUT"]


@st.composite
def maps(draw: st.DrawFn) -> list[Rule]:
    rules: list[Rule] = []
    for number in range(draw(st.integers(1, 6))):
        pieces = draw(st.lists(st.sampled_from(PIECES), max_size=3))
        # Each variable has a name of its own, and nothing follows a path.
        named = [piece.replace("x>", f"x{place}>") for place, piece in enumerate(pieces)]
        address = "/" + "/".join(named) + draw(st.sampled_from(["", "/"]) if named else st.just(""))
        methods = draw(st.sets(st.sampled_from(METHODS), min_size=1))
        strict = draw(st.sampled_from([True, True, False]))
        websocket = draw(st.sampled_from([False] * 5 + [True]))
        rules.append(
            Rule(
                address, endpoint=f"e{number}", methods=None if websocket else methods, strict_slashes=strict,
                websocket=websocket,
            )
        )  # fmt: skip
    return rules


texts = st.lists(st.sampled_from(["", "a", "b", "A", "ab", "3", "7", "1.5", "x-b", "é", "a b"]), max_size=4)
# The test client takes what stands behind two slashes for a host.
paths = texts.map(lambda parts: "/" + "/".join(parts)).filter(lambda path: path[:2] != "//")


def made_of(rules: list[Rule]) -> Erlen:
    app = Erlen("made", static_folder=None)
    for rule in rules:
        app.url_map.add(rule)

        def view(_endpoint: str = rule.endpoint, **values: t.Any) -> dict[str, t.Any]:
            return {"endpoint": _endpoint, "values": values}

        app.view_functions[rule.endpoint] = view
    return app


def copy_of(rule: Rule) -> Rule:
    """Return a rule for another map; that of ``rule.empty()`` is no WebSocket any more."""
    return Rule(
        rule.rule, endpoint=rule.endpoint, methods=rule.methods, strict_slashes=rule.strict_slashes,
        websocket=rule.websocket,
    )  # fmt: skip


def told(answer: Answer) -> tuple[t.Any, ...]:
    if answer.rule is not None and answer.error is None:
        return 200, answer.rule.endpoint, answer.values
    assert answer.error is not None
    if answer.location is not None:
        return answer.error.code, answer.location
    return (answer.error.code, answer.allowed_methods) if answer.error.code == 405 else (answer.error.code,)


@hypothesis.given(maps(), paths, st.sampled_from(METHODS))
@hypothesis.settings(max_examples=150)
def test_the_answer_is_that_of_a_request(rules: list[Rule], path: str, method: str) -> None:
    app = made_of(rules)
    response = app.test_client().open(path, base_url="http://localhost/", method=method)
    answer = ask(app, path, method, websocket=False)
    if response.status_code == 200:
        told_json: t.Any = response.json
        expected: tuple[t.Any, ...] = 200, told_json["endpoint"], told_json["values"]
    elif response.status_code == 308:
        expected = 308, response.location
    elif response.status_code == 405:
        expected = 405, sorted(response.headers["Allow"].split(", "))
    else:
        expected = (response.status_code,)
    assert told(answer) == expected


@hypothesis.given(maps(), paths, st.sampled_from(METHODS))
@hypothesis.settings(max_examples=150)
def test_the_reasons_are_true(rules: list[Rule], path: str, method: str) -> None:
    app = made_of(rules)
    answer = ask(app, path, method, websocket=False)
    for other in others(app, answer):
        assert other.rule is not answer.rule
        kinds = [reason.kind for reason in other.reasons]
        alone = made_of([copy_of(other.rule)])
        by_itself = ask(alone, path, method, websocket=False).status
        if kinds in (["order"], ["redirect"]):
            assert by_itself == "matched"
        else:
            assert by_itself != "matched"
        # Of a rule without strict slashes Werkzeug says 404 for the other spelling with another method.
        refused = {"not_found"} if not other.rule.strict_slashes else set[str]()
        if kinds == ["method"]:
            assert by_itself in {"method_not_allowed", *refused}
            [one, *_] = sorted(other.rule.methods or ())
            assert ask(alone, path, one, websocket=False).status == "matched"
        if kinds == ["websocket"]:
            assert by_itself in {"websocket_mismatch", *refused}
        if kinds == ["converter"]:
            assert by_itself == "not_found"
        if kinds == ["merged_slashes"]:
            assert by_itself == "redirect"


@hypothesis.given(maps(), paths, st.sampled_from(METHODS))
@hypothesis.settings(max_examples=100)
def test_every_rule_that_would_answer_alone_is_named(rules: list[Rule], path: str, method: str) -> None:
    app = made_of(rules)
    answer = ask(app, path, method, websocket=False)
    named = {id(other.rule) for other in others(app, answer)} | {id(answer.rule)}
    for rule in app.url_map.iter_rules():
        if ask(made_of([copy_of(rule)]), path, method, websocket=False).status in {"matched", "redirect"}:
            assert id(rule) in named


def test_a_location_is_below_the_root(shop: Erlen) -> None:
    shop.add_url_rule("/deep/", "deep", lambda: "")
    answer = match(shop, "/deep")
    assert urlsplit(answer["location"]).path == "/shop/deep/"
    assert answer["location_endpoint"] == "deep"
