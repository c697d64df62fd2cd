"""The compiled matcher finds what Werkzeug's finds."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import BaseConverter, Map, Rule, ValidationError

from erlen.routing import Undecided, compile_routes


class EvenConverter(BaseConverter):
    regex = r"\d+"

    def to_python(self, value: str) -> int:
        if int(value) % 2:
            raise ValidationError()
        return int(value)


class RestConverter(BaseConverter):
    regex = r"[^x].*?"
    part_isolating = False


CONVERTERS = {"even": EvenConverter, "rest": RestConverter}

segments = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        "<v>",
        "<int:v>",
        "<float:v>",
        "<string(length=2):v>",
        "<any(a,b):v>",
        "<even:v>",
        "a-<int:v>",
        "<v>.html",
        "<path:v>",
        "<rest:v>",
        "<int(fixed_digits=2):v>",
        "ü",
    ]
)
method_sets: st.SearchStrategy[list[str] | None] = st.sampled_from([None, ["GET"], ["POST"], ["GET", "POST"]])


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    parts = draw(st.lists(segments, max_size=4))
    # Names of variables must differ within a rule.
    path = "/".join(part.replace("v>", f"v{number}>") for number, part in enumerate(parts))
    ends_with_slash: bool = draw(st.booleans())
    slash = "/" if parts and ends_with_slash else ""
    methods = draw(method_sets)
    return Rule(
        f"/{path}{slash}",
        endpoint=draw(st.sampled_from(["one", "two", "three"])),
        methods=methods,
        strict_slashes=draw(st.sampled_from([None, None, False])),
        merge_slashes=draw(st.sampled_from([None, None, False])),
        defaults=draw(st.sampled_from([None, None, None, {"v0": 1}, {"extra": 2}])),
        alias=draw(st.sampled_from([False, False, False, True])),
        websocket=methods is None and draw(st.sampled_from([False, False, True])),
        redirect_to=draw(st.sampled_from([None, None, None, None, "elsewhere"])),
    )


paths = st.one_of(
    st.lists(
        st.sampled_from(["a", "b", "ab", "1", "22", "1.5", "a-3", "x.html", "", "ü", "xy", "٣", "\n", "a\n"]),
        max_size=5,
    ).map(lambda parts: "/" + "/".join(parts)),
    st.text(alphabet="ab1/.-x", max_size=8).map(lambda text: "/" + text),
)


def outcome_of_werkzeug(url_map: Map, path: str, method: str) -> t.Any:
    adapter = url_map.bind("localhost", "/")
    try:
        return adapter.match(path, method, return_rule=True)
    except HTTPException as error:
        return error


@settings(max_examples=400, deadline=None)
@given(
    st.lists(rules(), min_size=1, max_size=10),
    st.lists(paths, min_size=1, max_size=12),
    st.sampled_from(["GET", "POST", "PUT"]),
)
def test_compiled_routes_agree_with_werkzeug(made: list[Rule], asked: list[str], method: str) -> None:
    """What is found is what Werkzeug finds; and what Werkzeug answers otherwise is never found."""
    try:
        url_map = Map(made, converters=CONVERTERS)
        url_map.update()
    except (ValueError, LookupError, TypeError):
        return  # such a rule cannot be registered
    routes = compile_routes(url_map)
    assert routes is not None
    for path in asked:
        try:
            found = routes.match(path, method)
        except Undecided:
            continue
        expected = outcome_of_werkzeug(url_map, path, method)
        if found is None:
            assert isinstance(expected, NotFound), f"not found, Werkzeug answers {expected!r}"
            continue
        assert isinstance(expected, tuple), f"found {found}, Werkzeug answers {expected!r}"
        assert found[0] is expected[0]
        assert found[1] == expected[1]


@settings(max_examples=400, deadline=None)
@given(
    st.lists(rules(), min_size=1, max_size=10),
    st.lists(paths, min_size=1, max_size=12),
    st.sampled_from(["GET", "POST", "PUT", "--"]),
    st.booleans(),
)
def test_allowed_methods_are_those_that_werkzeug_names(
    made: list[Rule], asked: list[str], method: str, merges: bool
) -> None:
    try:
        url_map = Map(made, converters=CONVERTERS, merge_slashes=merges)
        url_map.update()
    except (ValueError, LookupError, TypeError):
        return  # such a rule cannot be registered
    routes = compile_routes(url_map)
    assert routes is not None
    for path in asked:
        try:
            allowed = routes.allowed(path, method)
        except Undecided:
            continue
        expected = outcome_of_werkzeug(url_map, path, method)
        if allowed:
            assert isinstance(expected, MethodNotAllowed), f"Werkzeug answers {expected!r}"
            assert allowed == sorted(expected.valid_methods or ())
        else:
            assert not isinstance(expected, tuple | MethodNotAllowed), f"Werkzeug answers {expected!r}"


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("/", "/"),
        ("/a/b", "/a/b"),
        ("/u/<int:id>", "/u/42"),
        ("/f/<path:p>", "/f/a/b/c"),
        ("/<name>.txt", "/a.txt"),
    ],
)
def test_common_rules_tell_their_methods_without_werkzeug(rule: str, path: str) -> None:
    """The fast way is taken at all: without this, the comparison above could pass on nothing."""
    url_map = Map(
        [Rule(rule, endpoint="e", methods=["PUT", "POST"]), Rule(rule, endpoint="f", methods=["DELETE"])]
    )
    routes = compile_routes(url_map)
    assert routes is not None
    assert routes.allowed(path, "GET") == ["DELETE", "POST", "PUT"]
    with pytest.raises(Undecided):
        routes.allowed(path, "PUT")


@pytest.mark.parametrize(
    ("rule", "path", "values"),
    [
        ("/", "/", {}),
        ("/a/b", "/a/b", {}),
        ("/a/", "/a/", {}),
        ("/u/<name>", "/u/ada", {"name": "ada"}),
        ("/u/<int:id>", "/u/42", {"id": 42}),
        ("/u/<int:id>/edit", "/u/42/edit", {"id": 42}),
        ("/f/<path:p>", "/f/a/b/c", {"p": "a/b/c"}),
        ("/x-<int:a>.<ext>", "/x-1.txt", {"a": 1, "ext": "txt"}),
        ("/ü/<name>", "/ü/ß", {"name": "ß"}),
    ],
)
def test_common_rules_are_found_without_werkzeug(rule: str, path: str, values: dict[str, t.Any]) -> None:
    """The fast way is taken at all: without this, the comparison above could pass on nothing."""
    url_map = Map([Rule(rule, endpoint="e", methods=["GET"])])
    routes = compile_routes(url_map)
    assert routes is not None
    found = routes.match(path, "GET")
    assert found is not None
    assert found[1] == values


def test_values_are_new_for_each_match() -> None:
    url_map = Map([Rule("/", endpoint="e", defaults={"page": 1}), Rule("/a", endpoint="a")])
    routes = compile_routes(url_map)
    assert routes is not None
    first = routes.match("/", "GET")
    assert first is not None
    first[1]["page"] = 2
    second = routes.match("/", "GET")
    assert second is not None
    assert second[1] == {"page": 1}


class Doubling:
    """What converts a value, and is equal to whatever converts another."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, more: int) -> None:
        self.more = more

    def __eq__(self, other: object) -> bool:
        return True

    def __call__(self, value: str) -> int:
        return 2 * int(value) + self.more


def test_what_looks_equal_is_kept_apart() -> None:
    """Equal parts of many rules are one object; what somebody else has made may say that it is equal, and is not."""
    converters = {
        f"number_{more}": type("Numbers", (BaseConverter,), {"to_python": Doubling(more)}) for more in (0, 1)
    }
    url_map = Map(
        [Rule(f"/{name}/<{name}:n>", endpoint=name) for name in converters],
        converters=converters,
    )
    routes = compile_routes(url_map)
    assert routes is not None
    found = [routes.match(f"/number_{more}/5", "GET") for more in (0, 1)]
    assert [match and match[1] for match in found] == [{"n": 10}, {"n": 11}]


def test_equal_parts_of_rules_are_one_object() -> None:
    url_map = Map([Rule(f"/{name}/<int:n>", endpoint=name, methods=["GET"]) for name in "ab"])
    routes = compile_routes(url_map)
    assert routes is not None
    one, other = (routes._variable[f"/{name}"].dynamic[0] for name in "ab")
    assert one.find is other.find
    assert one.groups is other.groups
    (leaf,), (another,) = one.node.leaves, other.node.leaves
    assert leaf.methods is another.methods
    assert leaf.quick is another.quick
    assert leaf.rule is not another.rule


def test_hosts_are_left_to_werkzeug() -> None:
    url_map = Map([Rule("/", endpoint="e", host="a.example")], host_matching=True)
    assert compile_routes(url_map) is None


def test_a_path_that_no_rule_has_is_not_found_without_werkzeug() -> None:
    routes = compile_routes(Map([Rule("/a/<int:v>", endpoint="e")]))
    assert routes is not None
    assert routes.match("/b/1", "GET") is None
    assert routes.match("/a/x", "GET") is None


@pytest.mark.parametrize("path", ["/a/", "/b", "//a", "/a//a", "", "a"])
def test_what_is_uncertain_is_left_to_werkzeug(path: str) -> None:
    url_map = Map([Rule("/a", endpoint="e"), Rule("/b/", endpoint="b")])
    routes = compile_routes(url_map)
    assert routes is not None
    with pytest.raises(Undecided):
        routes.match(path, "GET")


def test_another_method_is_left_to_werkzeug() -> None:
    routes = compile_routes(
        Map([Rule("/a", endpoint="a", methods=["POST"]), Rule("/<v>/b", endpoint="b", methods=["POST"])])
    )
    assert routes is not None
    for path in ("/a", "/x/b"):
        with pytest.raises(Undecided):
            routes.match(path, "GET")


def test_cost_does_not_grow_with_the_number_of_routes() -> None:
    """The walk looks at one entry a segment, however many siblings there are."""
    url_map = Map([Rule(f"/r{number}/<int:id>", endpoint=f"e{number}") for number in range(500)])
    routes = compile_routes(url_map)
    assert routes is not None
    lookups = 0

    class Counting(dict[str, t.Any]):
        def get(self, key: t.Any, default: t.Any = None) -> t.Any:
            nonlocal lookups
            lookups += 1
            return super().get(key, default)

    def count(node: t.Any) -> None:
        node.static = Counting(node.static)
        for child in node.static.values():
            count(child)
        for segment in node.dynamic:
            count(segment.node)

    count(routes._root)
    assert routes.match("/r499/7", "GET") is not None
    assert lookups <= 4
