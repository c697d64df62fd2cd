from __future__ import annotations

import typing as t
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import erlen
from chapter_03 import BuildError, Router, Rule, Sapling
from chapter_03.routing import CONVERTERS
from framework_support import ask, chapter, new_app, told
from solutions import chapter_03 as solution

segments = st.sampled_from(["a", "b", "<x>", "<int:x>"])
ends = st.sampled_from(["", "/", "/<path:rest>"])
rules = st.builds(
    lambda parts, end: "/" + "/".join(numbered(parts)) + end, st.lists(segments, min_size=1, max_size=3), ends
)
methods = st.sampled_from(["GET", "POST"])
paths = st.builds(
    lambda parts, end: "/" + "/".join(parts) + end,
    st.lists(st.sampled_from(["a", "b", "c", "7", "ö"]), min_size=1, max_size=4),
    st.sampled_from(["", "/"]),
)


def numbered(parts: list[str]) -> list[str]:
    return [part.replace("x>", f"x{number}>") for number, part in enumerate(parts)]


def application(framework: t.Any, table: t.Iterable[tuple[str, str]]) -> t.Any:
    app = new_app(framework)
    for number, (path, method) in enumerate(table):

        def view(*args: t.Any, number: int = number, **values: t.Any) -> dict[str, t.Any]:
            return {"rule": number, "values": values}

        app.route(path, methods=[method], endpoint=f"rule{number}")(view)
    return app


@given(
    st.lists(st.tuples(rules, methods), min_size=1, max_size=5, unique_by=lambda one: one),
    st.lists(paths, max_size=6),
)
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("number", [3, 12])
def test_rules_lead_where_they_lead_in_erlen(
    number: int, table: list[tuple[str, str]], asked: list[str]
) -> None:
    ours, theirs = application(chapter(number), table), application(erlen, table)
    for path in asked:
        for method in ("GET", "HEAD", "POST", "OPTIONS", "PUT"):
            mine, erlens = ask(ours, path, method), ask(theirs, path, method)
            assert told(mine)[:1] + told(mine)[2:] == told(erlens)[:1] + told(erlens)[2:], (path, method)
            if mine.is_json and method != "HEAD":
                assert mine.json == erlens.json


@pytest.fixture
def app() -> Sapling:
    return t.cast(
        "Sapling", application(chapter(3), [("/", "GET"), ("/shop/<int:number>", "GET"), ("/files/", "GET")])
    )


def test_a_rule_without_a_variable_comes_first_whatever_the_order() -> None:
    router = Router()
    router.add(Rule("/users/<name>", "user", {"GET"}))
    router.add(Rule("/users/me", "me", {"GET"}))
    assert router.match("/users/me", "GET")[0].endpoint == "me"


def test_the_slash_at_the_end_is_added_with_the_query(app: Sapling) -> None:
    assert ask(app, "/files?sort=size").location == "http://localhost/files/?sort=size"


def test_no_path_leads_to_another_site(app: Sapling) -> None:
    app.route("/<name>/", endpoint="name")(lambda request, name: name)
    response = ask(app, "/", environ_overrides={"PATH_INFO": "//evil.example"})
    assert (response.status_code, response.location) == (308, "http://localhost/evil.example/")


@pytest.mark.parametrize("number", [3, 12])
@pytest.mark.parametrize("rule", ["/<path:x>", "/<x>"])
@pytest.mark.parametrize("value", ["/evil.example", "//evil.example", "\\\\evil.example"])
def test_no_value_makes_a_url_of_another_site(number: int, rule: str, value: str) -> None:
    ours, theirs = application(chapter(number), [(rule, "GET")]), new_app(erlen)
    theirs.add_url_rule(rule, "rule0", lambda x: x)
    with theirs.test_request_context():
        assert ours.url_for("rule0", x=value) == erlen.url_for("rule0", x=value)
    assert not ours.url_for("rule0", x=value).startswith("//")


def test_digits_that_are_no_number_are_not_found(app: Sapling) -> None:
    assert ask(app, "/shop/" + "9" * 5000).status_code == 404


def test_a_url_is_built_with_its_values_and_the_rest_as_query(app: Sapling) -> None:
    assert app.url_for("rule1", number=7, page=2) == "/shop/7?page=2"


@given(st.text(st.characters(exclude_characters="/", exclude_categories=["Cs", "Cc"]), min_size=1))
@settings(max_examples=30, deadline=None)
def test_what_a_url_is_built_of_comes_back(text: str) -> None:
    app = Sapling()
    app.route("/<text>/end", endpoint="text")(lambda request, text: {"text": text})
    assert ask(app, app.url_for("text", text=text)).json == {"text": text}


def test_messages_say_what_to_do(app: Sapling) -> None:
    with pytest.raises(ValueError, match="Write '/shop'"):
        Rule("shop", "shop", {"GET"})
    with pytest.raises(LookupError, match="There are: int, string, path"):
        Rule("/<float:x>", "shop", {"GET"})
    with pytest.raises(ValueError, match="neither a text nor one variable"):
        Rule("/v<x>", "shop", {"GET"})
    with pytest.raises(BuildError, match="needs a value for: number"):
        app.url_for("rule1")
    with pytest.raises(BuildError, match="There are: rule0, rule1, rule2"):
        app.url_for("shop")
    with pytest.raises(ValueError, match="Two views have the endpoint 'rule0'"):
        app.route("/other", endpoint="rule0")(lambda request: "")


def test_a_converter_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("solutions.chapter_03.CONVERTERS", CONVERTERS)
    monkeypatch.setitem(CONVERTERS, "uuid", CONVERTERS["string"])
    solution.register()
    rule, value = Rule("/<uuid:key>", "key", {"GET"}), uuid.uuid4()
    assert rule.values_of(f"/{value}") == {"key": value}
    assert rule.values_of("/text") is None
