"""Containers that tell their owner, and what an application makes of being told."""

from __future__ import annotations

import typing as t
from collections import defaultdict

import pytest

from erlen import Erlen
from erlen.registry import HookRegistry, TellingDict, TellingList, tells_of
from erlen.testing import ErlenClient

Mutation: t.TypeAlias = t.Callable[[t.Any], object]

LIST_MUTATIONS: dict[str, Mutation] = {
    "item": lambda given: given.__setitem__(0, 9),
    "slice": lambda given: given.__setitem__(slice(0, 2), [9]),
    "del item": lambda given: given.__delitem__(0),
    "del slice": lambda given: given.__delitem__(slice(None)),
    "+=": lambda given: given.__iadd__([9]),
    "*=": lambda given: given.__imul__(2),
    "append": lambda given: given.append(9),
    "clear": lambda given: given.clear(),
    "extend": lambda given: given.extend([9]),
    "insert": lambda given: given.insert(0, 9),
    "pop": lambda given: given.pop(),
    "remove": lambda given: given.remove(1),
    "reverse": lambda given: given.reverse(),
    "sort": lambda given: given.sort(key=lambda item: -item),
}

DICT_MUTATIONS: dict[str, Mutation] = {
    "item": lambda given: given.__setitem__("new", 9),
    "del item": lambda given: given.__delitem__("one"),
    "|=": lambda given: given.__ior__({"new": 9}),
    "clear": lambda given: given.clear(),
    "pop": lambda given: given.pop("one"),
    "pop with a default": lambda given: given.pop("new", None),
    "popitem": lambda given: given.popitem(),
    "setdefault": lambda given: given.setdefault("new", 9),
    "update": lambda given: given.update(new=9),
    "update with pairs": lambda given: given.update([("new", 9)]),
}


def telling(container: t.Any) -> tuple[t.Any, list[str]]:
    """Return a container and the list that grows each time it tells."""
    told: list[str] = []
    container.changed = lambda: told.append("changed")
    return container, told


# The simple containers


@pytest.mark.parametrize("name", LIST_MUTATIONS)
def test_list_tells_of_each_mutation_and_does_what_a_list_does(name: str) -> None:
    plain = [1, 2, 3]
    container, told = telling(TellingList[t.Any](plain))
    returned = LIST_MUTATIONS[name](container)
    expected = LIST_MUTATIONS[name](plain)
    assert container == plain
    assert told == ["changed"]
    assert returned is container if expected is plain else returned == expected


@pytest.mark.parametrize("name", DICT_MUTATIONS)
def test_dict_tells_of_each_mutation_and_does_what_a_dict_does(name: str) -> None:
    plain: dict[str, t.Any] = {"one": 1, "two": 2}
    container, told = telling(TellingDict[str, t.Any](plain))
    returned = DICT_MUTATIONS[name](container)
    expected = DICT_MUTATIONS[name](plain)
    assert container == plain
    assert told == ["changed"]
    assert returned is container if expected is plain else returned == expected


def test_every_method_that_changes_a_built_in_container_is_covered() -> None:
    """A new Python may bring another mutator; this compares what each method does to a container."""
    readers = {"copy", "count", "index", "fromkeys", "get", "items", "keys", "values"}
    for base, mutations in ((list, LIST_MUTATIONS), (dict, DICT_MUTATIONS)):
        names = {name for name in dir(base) if not name.startswith("_")} - readers
        assert names == {name.partition(" ")[0] for name in mutations if name[0].isalpha()} - {
            "item",
            "slice",
            "del",
        }


@pytest.mark.parametrize("name", ["in", "len", "iter", "get", "copy", "==", "items"])
def test_reading_tells_nothing(name: str) -> None:
    container, told = telling(TellingDict[str, t.Any](one=1))
    reading: dict[str, t.Callable[[], object]] = {
        "in": lambda: "one" in container,
        "len": lambda: len(container),
        "iter": lambda: list(container),
        "get": lambda: container.get("one"),
        "copy": lambda: container.copy(),
        "==": lambda: container == {},
        "items": lambda: list(container.items()),
    }
    reading[name]()
    assert told == []


def test_container_without_an_owner_tells_nobody() -> None:
    container = TellingList[int]()
    container.append(1)
    assert container == [1] and container.changed is None


def test_change_is_told_after_it_is_made() -> None:
    container = TellingList[int]()
    seen: list[list[int]] = []
    container.changed = lambda: seen.append(list(container))
    container.append(1)
    assert seen == [[1]]


def test_mutation_that_fails_half_way_is_told() -> None:
    def items() -> t.Iterator[int]:
        yield 1
        raise LookupError

    container, told = telling(TellingList[int]())
    with pytest.raises(LookupError):
        container.extend(items())
    assert container == [1] and told == ["changed"]


def test_mutators_keep_name_and_documentation() -> None:
    assert TellingList.append.__name__ == "append"
    assert TellingList.append.__doc__ == list.append.__doc__


def test_any_class_can_be_made_to_tell() -> None:
    @tells_of(["add"])
    class Numbers(set[int]):
        changed: t.Callable[[], object] | None = None

    container, told = telling(Numbers())
    container.add(1)
    assert container == {1} and told == ["changed"]


# The registry


def registry() -> tuple[t.Any, list[str]]:
    told: list[str] = []
    return HookRegistry[t.Any, t.Any](TellingList).listen(lambda: told.append("changed")), told


def test_registry_is_a_defaultdict_of_lists() -> None:
    hooks, _ = registry()
    assert isinstance(hooks, defaultdict)
    hooks["name"].append(1)
    assert hooks == {"name": [1]} and isinstance(hooks["name"], TellingList)
    assert hooks.get("other") is None and "other" not in hooks


def test_registry_tells_of_what_is_put_in_its_lists() -> None:
    hooks, told = registry()
    hooks[None].append(1)
    told.clear()
    hooks[None].append(2)
    assert told == ["changed"]


@pytest.mark.parametrize("name", DICT_MUTATIONS)
def test_registry_tells_of_each_mutation(name: str) -> None:
    hooks, told = registry()
    hooks["one"], hooks["two"] = [1], [2]
    told.clear()
    DICT_MUTATIONS[name](hooks)
    assert told


@pytest.mark.parametrize("name", LIST_MUTATIONS)
def test_registry_tells_of_each_mutation_of_a_list_in_it(name: str) -> None:
    hooks, told = registry()
    hooks["one"] = [1, 2, 3]
    told.clear()
    LIST_MUTATIONS[name](hooks["one"])
    assert told == ["changed"]


@pytest.mark.parametrize(
    "put",
    [
        pytest.param(lambda hooks, value: hooks.__setitem__("name", value), id="item"),
        pytest.param(lambda hooks, value: hooks.setdefault("name", value), id="setdefault"),
        pytest.param(lambda hooks, value: hooks.update(name=value), id="update"),
        pytest.param(lambda hooks, value: hooks.__ior__({"name": value}), id="|="),
    ],
)
@pytest.mark.parametrize("value", [[1], {"key": 1}], ids=["list", "dict"])
def test_plain_containers_put_in_are_adopted(put: t.Callable[[t.Any, t.Any], object], value: t.Any) -> None:
    hooks, told = registry()
    put(hooks, value)
    assert hooks["name"] == value
    told.clear()
    if isinstance(value, list):
        hooks["name"].append(2)
    else:
        hooks["name"]["other"] = 2
    assert told == ["changed"]


def test_setdefault_returns_what_is_stored() -> None:
    hooks, told = registry()
    hooks.setdefault(None, []).append(1)
    assert hooks == {None: [1]}
    told.clear()
    assert hooks.setdefault(None, [2]) is hooks[None]
    hooks.setdefault(None, []).append(3)
    assert hooks == {None: [1, 3]} and told


def test_other_values_are_stored_as_they_are() -> None:
    class Hooks(list[int]):
        """A list of the user's own."""

    hooks, _ = registry()
    given = Hooks([1])
    hooks["name"] = given
    assert hooks["name"] is given


def test_nested_registry_tells_from_the_depth() -> None:
    told: list[str] = []
    spec = HookRegistry[t.Any, t.Any](lambda: HookRegistry[t.Any, t.Any](TellingDict))
    spec["before"][404][LookupError] = "handler"
    spec.listen(lambda: told.append("changed"))
    spec["before"][404][LookupError] = "another"
    assert told == ["changed"]
    spec["name"][500][Exception] = "handler"
    told.clear()
    del spec["name"][500][Exception]
    assert told == ["changed"]


def test_registry_without_an_owner_tells_nobody() -> None:
    hooks = HookRegistry[t.Any, t.Any](TellingList)
    hooks["name"].append(1)
    assert hooks == {"name": [1]}


# What an application makes of it


def named(name: str) -> t.Callable[[], str]:
    return lambda: name


@pytest.fixture
def answered(app: Erlen, client: ErlenClient) -> ErlenClient:
    """Return a client of ``app`` that has sent its first request."""
    app.add_url_rule("/", "index", named("first"))
    assert client.get("/").text == "first"
    return client


def test_view_replaced_after_the_first_request_answers(app: Erlen, answered: ErlenClient) -> None:
    app.view_functions["index"] = named("second")
    assert answered.get("/").text == "second"


def test_view_functions_updated_after_the_first_request_answer(app: Erlen, answered: ErlenClient) -> None:
    app.view_functions.update(index=named("second"))
    assert answered.get("/").text == "second"


@pytest.mark.parametrize("way", ["append", "setdefault", "item", "assigned"])
def test_hook_added_after_the_first_request_runs(app: Erlen, answered: ErlenClient, way: str) -> None:
    hook = named("hook")
    if way == "append":
        app.before_request_funcs[None].append(hook)
    elif way == "setdefault":
        app.before_request_funcs.setdefault(None, []).append(hook)
    elif way == "item":
        app.before_request_funcs[None] = [hook]
    else:
        t.cast("t.Any", app).before_request_funcs = defaultdict(list, {None: [hook]})
    assert answered.get("/").text == "hook"


def test_hook_removed_after_the_first_request_does_not_run(app: Erlen, client: ErlenClient) -> None:
    hook = named("hook")
    app.before_request(hook)
    app.add_url_rule("/", "index", named("view"))
    assert client.get("/").text == "hook"
    app.before_request_funcs[None].remove(hook)
    assert client.get("/").text == "view"


def test_hook_appended_to_an_updated_registry_after_the_first_request_runs(
    app: Erlen, client: ErlenClient
) -> None:
    app.before_request_funcs.update({None: []})
    app.add_url_rule("/", "index", named("view"))
    assert client.get("/").text == "view"
    app.before_request_funcs[None].append(named("hook"))
    assert client.get("/").text == "hook"


def test_teardown_added_after_the_first_request_runs(app: Erlen, answered: ErlenClient) -> None:
    told: list[t.Any] = []
    app.teardown_appcontext_funcs.append(told.append)
    app.teardown_request_funcs[None].append(told.append)
    answered.get("/")
    assert told == [None, None]


def test_configuration_changed_after_the_first_request_counts(app: Erlen, answered: ErlenClient) -> None:
    assert answered.get("/").headers["X-Content-Type-Options"] == "nosniff"
    app.config.update(CONTENT_TYPE_OPTIONS=None)
    assert "X-Content-Type-Options" not in answered.get("/").headers
