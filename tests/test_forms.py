"""The strict parser of forms and queries; what reaches it over WSGI is in ``bad_input``."""

from __future__ import annotations

import copy
import io
import pickle
import typing as t
from urllib.parse import parse_qsl, quote_plus, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug.datastructures import ImmutableMultiDict, MultiDict
from werkzeug.exceptions import BadRequest, BadRequestKeyError, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from erlen import Erlen, Request, request
from erlen.forms import FormParser, parse_pairs, storage_of
from erlen.scopes import MalformedScope

MULTIPART = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"

unicode = st.text(st.characters(codec="utf-8"), max_size=8)


def parse(
    body: bytes, mimetype: str = URLENCODED, *, strict: bool = True, boundary: str = "b", **limits: t.Any
) -> tuple[t.Any, t.Any]:
    parser = FormParser(**limits)
    parser.strict = strict
    _, fields, files = parser.parse(io.BytesIO(body), mimetype, len(body), {"boundary": boundary})
    return fields, files


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a=1&b=&c", [("a", "1"), ("b", ""), ("c", "")]),
        ("a=1&a=2", [("a", "1"), ("a", "2")]),
        ("a=b%20c+d", [("a", "b c d")]),
        ("gr%C3%B6%c3%9fe=größe", [("größe", "größe")]),
        ("+&;=1", [(" ", ""), (";", "1")]),
        ("a=1;b=2", [("a", "1;b=2")]),
        ("&&", []),
        ("=", [("", "")]),
        ("a=1=2", [("a", "1=2")]),
    ],
)
def test_pairs_are_read(text: str, expected: list[tuple[str, str]]) -> None:
    """A semicolon separates nothing: Bottle CVE-2020-28473."""
    assert parse_pairs(text, "query") == expected


@pytest.mark.parametrize("text", ["%", "a%", "%2", "%zz", "%%20", "% 20", "%u0041", "a=%\u0661\u0661"])
def test_percent_without_two_digits_is_refused(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_pairs(text, "query")
    assert (
        caught.value.description
        == "The query of this request has a '%' that no two hexadecimal digits follow."
    )


@pytest.mark.parametrize("text", ["%ff", "a=%C3", "%C3%28", "a=%ED%A0%80", "%C0%AF=1", "%F5%80%80%80"])
def test_bytes_that_are_no_utf8_are_refused(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_pairs(text, "form")
    assert caught.value.description == "The form of this request is not UTF-8."


ESCAPES = "%3D %26 %25 %2B %0A %41 %aF %C3%A4 %c3 %ED%A0%80 %F0%9F%98%80"
PIECES = [*"ab=&+;_%ß \n\r\0", *ESCAPES.split()]
urlencoded = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


@given(urlencoded, st.sampled_from([MultiDict, ImmutableMultiDict]))
@example("a=%C3%A4&a=b=c%3D&%0A=%0D%20", MultiDict)
@example("a=%\n1&b=%=3D", MultiDict)
@example("a=%\u0661\u0661%20", MultiDict)
@example("ä=%20ä%C3", MultiDict)
def test_text_becomes_the_storage_that_the_standard_librarys_pairs_make(text: str, cls: t.Any) -> None:
    pairs = parse_qsl(text, keep_blank_values=True, errors="werkzeug.url_quote")
    storage = storage_of(cls, text, "form", strict=False)
    assert isinstance(storage, cls)
    assert list(storage.lists()) == list(cls(pairs).lists())
    try:
        refused = ""
        expected = cls(parse_pairs(text, "form"))
    except BadRequest as error:
        refused = str(error)
        with pytest.raises(BadRequest) as caught:
            storage_of(cls, text, "form", strict=True)
        assert str(caught.value) == refused
    else:
        assert list(storage_of(cls, text, "form", strict=True).lists()) == list(expected.lists())


@given(unicode)
def test_everything_that_was_quoted_comes_back(text: str) -> None:
    assert parse_pairs(f"a={quote_plus(text)}", "query") == [("a", text)]


@given(st.lists(st.tuples(unicode, unicode), max_size=6))
def test_urlencoded_form_comes_back(pairs: list[tuple[str, str]]) -> None:
    fields, files = parse(urlencode(pairs).encode())
    assert list(fields.items(multi=True)) == [
        (name, value) for name, values in _grouped(pairs).items() for value in values
    ]
    assert not files


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


@given(st.binary(max_size=40))
def test_any_urlencoded_bytes_are_parsed_as_by_werkzeug_or_refused(body: bytes) -> None:
    try:
        fields, _ = parse(body)
    except BadRequest:
        return
    _, expected, _ = FormDataParser().parse(io.BytesIO(body), URLENCODED, len(body), {})
    assert fields == expected


@given(st.binary(max_size=60))
def test_any_multipart_bytes_are_parsed_as_by_werkzeug_or_refused(body: bytes) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="a"\r\n' + body + b"\r\n--b--\r\n"
    try:
        fields, files = parse(body, MULTIPART)
    except (BadRequest, RequestEntityTooLarge):
        return
    _, expected, expected_files = FormDataParser().parse(
        io.BytesIO(body), MULTIPART, len(body), {"boundary": "b"}
    )
    assert fields == expected
    assert files.keys() == expected_files.keys()


@pytest.mark.parametrize(
    ("body", "boundary"),
    [
        (b"", "b"),
        (b"text", "b"),
        (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1', "b"),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--\r\n", "b"),
        (b"--b\r\nContent-Type: text/plain\r\n\r\n1\r\n--b--\r\n", "b"),
        (b"--b\r\nbroken\r\n\r\n1\r\n--b--\r\n", "b"),
        (b"--b--\r\n", ""),
    ],
)
def test_multipart_form_that_cannot_be_read_is_refused(body: bytes, boundary: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse(body, MULTIPART, boundary=boundary)
    assert caught.value.description == "The multipart/form-data body of this request cannot be read."
    assert caught.value.__cause__ is not None


def test_multipart_form_without_an_end_is_empty_when_not_strict() -> None:
    fields, files = parse(b"text", MULTIPART, strict=False)
    assert not fields
    assert not files


def test_other_types_have_no_fields() -> None:
    assert parse(b"a=1", "text/plain") == ({}, {})


# Limits (CVE-2024-49767, CVE-2026-54283: limits that an urlencoded body escapes)


@pytest.mark.parametrize(("body", "fits"), [(b"a=12", True), (b"a=123", False), (b"", True)])
def test_urlencoded_form_keeps_the_memory_limit(body: bytes, fits: bool) -> None:
    if fits:
        parse(body, max_form_memory_size=4)
    else:
        with pytest.raises(RequestEntityTooLarge) as caught:
            parse(body, max_form_memory_size=4)
        assert caught.value.description == "This form is larger than 4 bytes (MAX_FORM_MEMORY_SIZE)."


@pytest.mark.parametrize(
    ("body", "fits"), [(b"a=1&b=2", True), (b"a=1&b=2&c=3", False), (b"&&", False), (b"", True)]
)
def test_urlencoded_form_keeps_the_limit_of_parts(body: bytes, fits: bool) -> None:
    if fits:
        parse(body, max_form_parts=2)
    else:
        with pytest.raises(RequestEntityTooLarge) as caught:
            parse(body, max_form_parts=2)
        assert caught.value.description == "This form has more than 2 fields (MAX_FORM_PARTS)."


@pytest.mark.parametrize("strict", [True, False])
def test_urlencoded_form_without_limits(strict: bool) -> None:
    body = b"&".join([b"a=1"] * 3000)
    fields, _ = parse(body, strict=strict, max_form_memory_size=None, max_form_parts=None)
    assert len(fields.getlist("a")) == 3000


def test_no_more_is_read_than_the_memory_limit_allows() -> None:
    class Endless(io.BytesIO):
        read_bytes = 0

        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            assert size > 0
            self.read_bytes += size
            return b"a" * size

    parser, stream = FormParser(max_form_memory_size=100_000), Endless()
    parser.strict = True
    with pytest.raises(RequestEntityTooLarge):
        parser.parse(stream, URLENCODED, None, {})
    assert stream.read_bytes == 100_001


def test_body_that_arrives_in_pieces_is_read_whole() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(1)

    parser = FormParser(max_form_memory_size=100)
    parser.strict = True
    _, fields, _ = parser.parse(Slow(b"name=gr%C3%B6%C3%9Fe"), URLENCODED, None, {})
    assert fields.to_dict() == {"name": "größe"}


# As a request uses it


def test_strictness_is_a_value_of_the_configuration(app: Erlen) -> None:
    for strict in (True, False):
        app.config["REFUSE_MALFORMED_REQUESTS"] = strict
        with app.test_request_context("/", method="POST", data=b"a=%zz", content_type=URLENCODED):
            if strict:
                with pytest.raises(BadRequest):
                    _ = request.form
            else:
                assert request.form["a"] == "%zz"


def test_parser_of_another_class_is_used_as_it_is(app: Erlen) -> None:
    class Own(FormDataParser):
        pass

    with app.test_request_context("/", method="POST", data=b"a=%zz", content_type=URLENCODED):
        request.form_data_parser_class = Own
        assert request.form["a"] == "%zz"


def test_storage_of_another_class_gets_the_pairs_in_their_order() -> None:
    made: list[t.Any] = storage_of(list, "b=1&a=%20&b=3", "query", strict=True)
    assert made == [("b", "1"), ("a", " "), ("b", "3")]


def test_storage_is_a_whole_one() -> None:
    storage = storage_of(ImmutableMultiDict, "a=1&a=2", "query", strict=True)
    assert storage == ImmutableMultiDict([("a", "1"), ("a", "2")])
    assert hash(storage) == hash(ImmutableMultiDict([("a", "1"), ("a", "2")]))
    again = pickle.loads(pickle.dumps(storage))
    assert again == storage
    assert type(again) is ImmutableMultiDict
    assert copy.deepcopy(storage) == storage
    assert repr(storage) == "ImmutableMultiDict([('a', '1'), ('a', '2')])"
    assert (storage["a"], storage.get("a", type=int), storage.get("b", "none")) == ("1", 1, "none")
    with pytest.raises(BadRequestKeyError) as caught:
        _ = storage["b"]
    assert caught.value.args == ("b",)
    assert copy.copy(storage).getlist("a") == ["1", "2"]
    with pytest.raises(TypeError, match="immutable"):
        storage["b"] = "3"


@given(st.text(st.sampled_from("ab%25C3A4=&"), max_size=10))
def test_query_is_read_as_by_werkzeug_or_refused(query: str) -> None:
    app = Erlen("forms")
    with app.test_request_context(environ_overrides={"QUERY_STRING": query}) as context:
        try:
            args = context.request.args
        except BadRequest:
            return
    app.config["REFUSE_MALFORMED_REQUESTS"] = False
    with app.test_request_context(environ_overrides={"QUERY_STRING": query}) as context:
        assert context.request.args == args


# The query, which is read of the scope over ASGI and without the attribute that holds its bytes


def test_query_that_was_assigned_is_the_one_that_is_read(app: Erlen) -> None:
    with app.test_request_context("/?a=1"):
        request.query_string = b"a=2"
        assert request.args["a"] == "2"
    with app.test_request_context("/?a=1"):
        request.environ["QUERY_STRING"] = "a=3"
        assert request.args["a"] == "3"


def test_class_with_a_query_string_of_its_own_is_asked_for_it(app: Erlen) -> None:
    class Own(Request):
        query_string = property(lambda self: b"a=own")  # pyright: ignore

    app.request_class = Own
    with app.test_request_context("/?a=1"):
        assert request.args["a"] == "own"


SCOPE: dict[str, t.Any] = {"type": "http", "method": "GET", "path": "/", "headers": []}


@given(st.text(st.characters(codec="latin1"), max_size=10))
def test_query_of_a_scope_is_that_of_its_environment(query: str) -> None:
    async def receive() -> t.Any:
        raise AssertionError("a query needs no body")

    def read(touch: bool) -> t.Any:
        own = Request.of_scope(SCOPE | {"query_string": query.encode("latin1")}, receive)
        if touch:
            assert own.environ["QUERY_STRING"] == query
        try:
            return list(own.args.lists())
        except UnicodeDecodeError as error:
            return str(error)

    assert read(touch=False) == read(touch=True)


def test_query_of_an_environment_that_was_changed_counts_for_a_scope() -> None:
    async def receive() -> t.Any:
        raise AssertionError("a query needs no body")

    own = Request.of_scope(SCOPE | {"query_string": b"a=1"}, receive)
    own.environ["QUERY_STRING"] = "a=2"
    assert own.args["a"] == "2"
    with pytest.raises(MalformedScope, match="its 'query_string' is 'a=1', not bytes"):
        _ = Request.of_scope(SCOPE | {"query_string": "a=1"}, receive).args
