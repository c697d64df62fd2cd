from __future__ import annotations

import dataclasses
import io
import json as standard_json
import typing as t
import uuid
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import flask
import flask.json.provider
import pytest
from flask.json.tag import TaggedJSONSerializer as FlaskTaggedJSONSerializer
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from erlen import Erlen, Response, json, jsonify, request
from erlen.json.provider import DefaultJSONProvider, JSONProvider
from erlen.json.tag import JSONTag, PassList, TaggedJSONSerializer
from erlen.testing import ErlenClient

flask_app = flask.Flask("erlen_test", root_path=".")
# Providers refer to their application weakly.
ERLEN_APP: t.Any = Erlen("erlen_test", root_path=".")

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = st.text() | st.sampled_from([" t", " di", " b", " t__", " di__", " m", " u", " d"])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
#: Points in time without a fraction of a second: the format has whole seconds.
TIMES = st.datetimes(min_value=datetime(1970, 1, 1), timezones=st.just(UTC)).map(
    lambda time: time.replace(microsecond=0, fold=0)
)
TAGGED_SCALARS = SCALARS | st.binary() | st.uuids() | st.text().map(Markup) | TIMES
TAGGED = st.recursive(
    TAGGED_SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
    ),
    max_leaves=12,
)


@dataclasses.dataclass
class Point:
    x: int
    y: date


class Html:
    def __html__(self) -> str:
        return "<b>"


# The provider.


@given(JSON)
def test_the_text_is_that_of_flask(value: t.Any) -> None:
    ours = DefaultJSONProvider(ERLEN_APP)
    theirs = flask.json.provider.DefaultJSONProvider(flask_app)
    assert ours.dumps(value) == theirs.dumps(value)
    assert ours.dumps(value, separators=(",", ":")) == theirs.dumps(value, separators=(",", ":"))
    assert ours.dumps(value, indent=2, sort_keys=False) == theirs.dumps(value, indent=2, sort_keys=False)
    assert ours.loads(ours.dumps(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2026, 1, 2, 3, 4, 5), '"Fri, 02 Jan 2026 03:04:05 GMT"'),
        (datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))), '"Fri, 02 Jan 2026 01:00:00 GMT"'),
        (date(2026, 1, 2), '"Fri, 02 Jan 2026 00:00:00 GMT"'),
        (Decimal("1.10"), '"1.10"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (Point(1, date(2026, 1, 2)), '{"x": 1, "y": "Fri, 02 Jan 2026 00:00:00 GMT"}'),
        (Html(), '"<b>"'),
        (Markup("<i>"), '"<i>"'),
        ({"b": 1, "a": "ü"}, '{"a": "\\u00fc", "b": 1}'),
        ((1, 2), "[1, 2]"),
    ],
)
def test_types_beyond_json(app: Erlen, value: t.Any, text: str) -> None:
    assert app.json.dumps(value) == text
    assert flask_app.json.dumps(value) == text
    assert json.dumps(value, sort_keys=True) == text


@pytest.mark.parametrize("value", [object(), {1}, Point, {"x": b"y"}])
def test_other_types_are_refused_with_the_fix(app: Erlen, value: t.Any) -> None:
    with pytest.raises(TypeError, match=r"Object of type \w+ is not JSON serializable") as raised:
        app.json.dumps(value)
    assert "app.json.default = convert" in str(raised.value)


def test_keys_of_several_types_need_unsorted_keys(app: Erlen) -> None:
    provider = t.cast(DefaultJSONProvider, app.json)
    with pytest.raises(TypeError):
        provider.dumps({1: 1, "a": 2})
    provider.sort_keys = False
    assert provider.dumps({1: 1, "a": 2}) == '{"1": 1, "a": 2}'


def test_settings_may_change_at_any_time(app: Erlen) -> None:
    provider = t.cast(DefaultJSONProvider, app.json)
    value = {"b": "ü", "a": 1}
    assert provider.dumps(value) == '{"a": 1, "b": "\\u00fc"}'
    provider.ensure_ascii = False
    assert provider.dumps(value) == '{"a": 1, "b": "ü"}'
    provider.sort_keys = False
    assert provider.dumps(value) == '{"b": "ü", "a": 1}'
    assert provider.dumps(value, separators=(",", ":")) == '{"b":"ü","a":1}'
    provider.default = repr
    assert provider.dumps({1}) == '"{1}"'
    assert provider.dumps({1}, default=str, indent=1) == '"{1}"'


def test_a_subclass_may_convert_more() -> None:
    class Provider(DefaultJSONProvider):
        sort_keys = False

        @staticmethod
        def default(o: t.Any) -> t.Any:
            return sorted(o) if isinstance(o, set) else DefaultJSONProvider.default(o)

    provider = Provider(ERLEN_APP)
    assert provider.dumps({"b": {2, 1}, "a": Decimal(1)}) == '{"b": [1, 2], "a": "1"}'
    assert DefaultJSONProvider(ERLEN_APP).dumps({"b": 1, "a": 2}) == '{"a": 2, "b": 1}'


def test_a_circular_value_is_refused(app: Erlen) -> None:
    value: list[t.Any] = []
    value.append(value)
    for _ in range(2):
        with pytest.raises(ValueError, match="Circular"):
            app.json.dumps(value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-32-be"])
def test_unicode_encodings_are_detected(app: Erlen, encoding: str) -> None:
    assert app.json.loads('{"a": "ü"}'.encode(encoding)) == {"a": "ü"}


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        ('{"a": "ü"}'.encode("latin-1"), "latin-1"),
        ('{"a": 1}'.encode("utf-7") + b"+AGE-" * 9, "utf-7"),
        ('{"a": 1}'.encode("cp500"), "cp500"),
        (b"\xff\xfe\x00", "utf-16"),
        (b"x\x9c" + b"\x00" * 64, "zlib"),
    ],
)
def test_other_encodings_are_a_400_whatever_the_header_says(
    app: Erlen, client: ErlenClient, body: bytes, charset: str
) -> None:
    """CVE-2018-1000656, CVE-2019-1010083."""

    @app.post("/")
    def view() -> t.Any:
        return {"got": request.get_json()}

    response = client.post("/", data=body, content_type=f"application/json; charset={charset}")
    assert response.status_code == 400


def test_json_nested_too_deeply_is_a_400(app: Erlen, client: ErlenClient) -> None:
    @app.post("/")
    def view() -> t.Any:
        return {"got": request.get_json()}

    response = client.post("/", data=b"[" * 200_000, content_type="application/json")
    assert response.status_code == 400
    with pytest.raises(ValueError, match="nests arrays and objects more deeply than can be read"):
        app.json.loads("[" * 200_000)


def test_files_are_written_and_read(app: Erlen) -> None:
    file = io.StringIO()
    app.json.dump({"a": Decimal(1)}, file, indent=1)
    file.seek(0)
    assert app.json.load(file) == {"a": "1"}
    assert app.json.load(io.BytesIO(b'"\xc3\xbc"')) == "ü"


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize("compact", [None, False, True])
def test_responses_are_indented_as_in_flask(app: Erlen, debug: bool, compact: bool | None) -> None:
    theirs = flask.Flask("erlen_test", root_path=".")
    for each in t.cast(t.Any, (app, theirs)):
        each.debug = debug
        each.json.compact = compact
    value = {"b": [1, 2], "a": {"c": None}}
    assert app.json.response(value).data == t.cast(t.Any, theirs.json.response(value)).data
    assert (b"\n  " in app.json.response(value).data) is (compact is False or (compact is None and debug))


def test_responses_have_the_class_and_type_of_the_application(app: Erlen) -> None:
    class MyResponse(Response):
        pass

    app.response_class = MyResponse
    t.cast(DefaultJSONProvider, app.json).mimetype = "application/vnd.api+json"
    response = app.json.response(a=1)
    assert type(response) is MyResponse
    assert response.mimetype == "application/vnd.api+json"
    assert response.data == b'{"a":1}\n'


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((), {}, b"null\n"),
        ((1,), {}, b"1\n"),
        ((None,), {}, b"null\n"),
        (([],), {}, b"[]\n"),
        ((1, 2), {}, b"[1,2]\n"),
        ((), {"a": 1}, b'{"a":1}\n'),
    ],
)
def test_jsonify(app: Erlen, args: tuple[t.Any, ...], kwargs: dict[str, t.Any], text: bytes) -> None:
    with app.app_context():
        assert jsonify(*args, **kwargs).data == text
    with flask_app.app_context():
        assert flask.jsonify(*args, **kwargs).data == text


def test_jsonify_refuses_both_kinds_of_arguments(app: Erlen) -> None:
    with app.app_context(), pytest.raises(TypeError, match=r"1 positional and 1 keyword .* jsonify\(a, b\)"):
        jsonify(1, a=2)


def test_jsonify_needs_an_application() -> None:
    with pytest.raises(RuntimeError, match="Working outside of application context"):
        jsonify(1)


class Shouting(JSONProvider):
    """A provider of its own, of the abstract class."""

    def dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
        return standard_json.dumps(obj).upper()

    def loads(self, s: str | bytes, **kwargs: t.Any) -> t.Any:
        return standard_json.loads(s.lower())


def test_another_provider_takes_over(app: Erlen, client: ErlenClient) -> None:
    app.json = Shouting(t.cast(t.Any, app))

    @app.post("/")
    def view() -> t.Any:
        return [request.get_json(), json.dumps("x")]

    assert client.post("/", json={"a": "b"}).data == b'[{"A": "B"}, "\\"X\\""]'


def test_a_provider_without_methods_explains_itself() -> None:
    provider = JSONProvider(ERLEN_APP)
    with pytest.raises(NotImplementedError, match=r"'JSONProvider' .* 'def dumps\(self, obj, \*\*kwargs\)"):
        provider.dumps(1)
    with pytest.raises(NotImplementedError, match=r"'loads'"):
        provider.loads("1")


# The functions of the package.


def test_functions_work_without_an_application() -> None:
    file = io.StringIO()
    json.dump({"b": Decimal(1), "a": 2}, file)
    assert file.getvalue() == json.dumps({"b": Decimal(1), "a": 2}) == '{"b": "1", "a": 2}'
    file.seek(0)
    assert json.load(file) == json.loads(file.getvalue()) == {"b": "1", "a": 2}
    assert json.dumps({1}, default=list) == "[1]"


def test_functions_ask_the_active_application(app: Erlen) -> None:
    app.json = Shouting(t.cast(t.Any, app))
    file = io.StringIO()
    with app.app_context():
        json.dump("a", file)
        assert file.getvalue() == json.dumps("a") == '"A"'
        file.seek(0)
        assert json.load(file) == json.loads('"A"') == "a"


# Tags.


@given(TAGGED)
def test_tagged_text_is_that_of_flask(value: t.Any) -> None:
    ours, theirs = TaggedJSONSerializer(), FlaskTaggedJSONSerializer()
    text = ours.dumps(value)
    assert text == theirs.dumps(value)
    assert ours.loads(text) == theirs.loads(text)


@given(TAGGED)
def test_tagged_values_keep_their_types(value: t.Any) -> None:
    serializer = TaggedJSONSerializer()
    read = serializer.loads(serializer.dumps(value))
    assert read == value
    assert repr(read) == repr(value)


@given(JSON)
def test_any_json_is_untagged_as_in_flask(value: t.Any) -> None:
    def outcome(serializer: t.Any) -> t.Any:
        try:
            return serializer.loads(text)
        except Exception:
            return "refused"

    text = standard_json.dumps(value)
    assert repr(outcome(TaggedJSONSerializer())) == repr(outcome(FlaskTaggedJSONSerializer()))


class Money(t.NamedTuple):
    cents: int


class TagMoney(JSONTag):
    __slots__ = ()
    key = " money"

    def check(self, value: t.Any) -> bool:
        return isinstance(value, Money)

    def to_json(self, value: t.Any) -> t.Any:
        return value.cents

    def to_python(self, value: t.Any) -> t.Any:
        return Money(value)


class TagWords(JSONTag):
    """A tag for a type that JSON has."""

    __slots__ = ()
    key = " w"

    def check(self, value: t.Any) -> bool:
        return isinstance(value, str) and " " in value

    def to_json(self, value: t.Any) -> t.Any:
        return value.split(" ")

    def to_python(self, value: t.Any) -> t.Any:
        return " ".join(value)


def test_a_registered_tag_is_tried_where_it_is_put() -> None:
    serializer = TaggedJSONSerializer()
    serializer.register(TagMoney)
    assert serializer.dumps(Money(1)) == '{" t":[1]}'
    first = TaggedJSONSerializer()
    first.register(TagMoney, index=0)
    assert first.dumps({"a": [Money(1)]}) == '{"a":[{" money":1}]}'
    assert first.loads('{"a":[{" money":1}]}') == {"a": [Money(1)]}
    assert type(first.order[0]) is TagMoney
    assert type(first.tags[" money"]) is TagMoney


def test_a_registered_tag_may_take_types_that_json_has() -> None:
    serializer = TaggedJSONSerializer()
    serializer.register(TagWords)
    assert (
        serializer.dumps({"a": "b c", "d": ["e", "f g"]})
        == '{"a":{" w":["b","c"]},"d":["e",{" w":["f","g"]}]}'
    )
    assert serializer.loads(serializer.dumps({"a": "b c"})) == {"a": "b c"}


def test_the_order_may_be_changed_directly() -> None:
    serializer = TaggedJSONSerializer()
    assert serializer.dumps("b c") == '"b c"'
    serializer.order.append(TagWords(serializer))
    assert serializer.dumps("b c") == '{" w":["b","c"]}'


def test_tags_of_a_subclass() -> None:
    class Serializer(TaggedJSONSerializer):
        default_tags: t.ClassVar[list[type[JSONTag]]] = [PassList, TagWords]

    assert Serializer().dumps(["b c", {"d": 1}]) == '[{" w":["b","c"]},{"d":1}]'


def test_a_taken_key_is_explained_unless_forced() -> None:
    class Other(TagMoney):
        __slots__ = ()

    serializer = TaggedJSONSerializer()
    serializer.register(TagMoney)
    with pytest.raises(
        KeyError, match=r"' money' of 'Other' is taken by 'TagMoney'.*register\(Other, force=True\)"
    ):
        serializer.register(Other)
    serializer.register(Other, force=True)
    assert type(serializer.tags[" money"]) is Other


def test_a_tag_without_methods_explains_itself() -> None:
    tag = JSONTag(TaggedJSONSerializer())
    for call in (tag.check, tag.to_json, tag.to_python):
        with pytest.raises(NotImplementedError, match="'JSONTag' needs a method"):
            call(1)


def test_tags_go_through_the_provider_of_the_application(app: Erlen) -> None:
    serializer = TaggedJSONSerializer()
    app.json = Shouting(t.cast(t.Any, app))
    with app.app_context():
        assert serializer.dumps({"a": (1,)}) == '{"A": {" T": [1]}}'
        assert serializer.loads('{"A": {" T": [1]}}') == {"a": (1,)}
    assert serializer.dumps(Decimal(1)) == '"1"'


@pytest.mark.parametrize(
    "value",
    [{}, {" t": 1}, {" di": {" t": 1}}, {" t__": 1}, {" t": 1, "b": 2}, [{" b": "x"}], {"a": {" m": ()}}],
)
def test_dicts_that_look_tagged_are_kept(value: t.Any) -> None:
    serializer = TaggedJSONSerializer()
    assert serializer.loads(serializer.dumps(value)) == value
    assert serializer.dumps(value) == FlaskTaggedJSONSerializer().dumps(value)
