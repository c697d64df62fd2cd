"""Generated requests, answered by both frameworks."""

from __future__ import annotations

import functools
import os
import string
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .calling import Answer, Case, call
from .cases_content import BOUNDARY, JSON, URLENCODED, multipart, part
from .cases_listed import PATHS
from .framework import ERLEN, FLASK
from .scenario import build

if t.TYPE_CHECKING:
    from erlen import Erlen

BOUNDED = settings(
    max_examples=150,
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)

pytestmark = pytest.mark.filterwarnings("ignore:Unclosed file <tempfile:ResourceWarning")

WORDS = [
    "plain",
    "int",
    "7",
    "string",
    "path",
    "slash",
    "a",
    "edit",
    "both",
    "defaults",
    "page",
    "1",
    "ü",
    "list",
    "any",
]
METHODS = st.sampled_from(
    ["GET", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE", "TRACE"]
)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="?#%"), max_size=8)
SEGMENTS = st.lists(st.sampled_from(WORDS) | TEXT | st.just(""), max_size=5)
TARGETS = st.sampled_from(PATHS) | SEGMENTS.map(lambda parts: "/" + "/".join(parts))
ESCAPES = st.text("%0123456789abcdefABCDEF&=+;ax", max_size=20)
QUERIES = ESCAPES | st.text(string.ascii_letters + "&=%+", max_size=20)
#: What a server lets through in a header: no control characters, and latin-1.
HEADER_TEXT = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=30
)
HEADER_NAMES = st.sampled_from(
    "Accept Accept-Language Authorization Cache-Control Cookie Content-Type If-Match If-None-Match If-Range "
    "If-Modified-Since Range User-Agent Referer Origin X-Own Content-Length".split()
)
HEADERS = st.lists(st.tuples(HEADER_NAMES, HEADER_TEXT), max_size=4).map(tuple)


@functools.cache
def pair(name: str) -> tuple[Erlen, Erlen]:
    return build(FLASK, name), build(ERLEN, name)


def compare(case: Case) -> None:
    flask, erlen = pair(case.app)
    expected = call(flask, case)
    compare_answers(case, call(erlen, case), expected)
    # What a wrong length means is the ASGI server's to say.
    if all(name != "Content-Length" for name, _ in case.headers):
        compare_answers(case, call(erlen, case, "asgi").without_reason(), expected.without_reason())


def compare_answers(case: Case, got: Answer, expected: Answer) -> None:
    if "/json" in case.target and expected.status.startswith("400"):
        # The text is an intended difference, see differences.py.
        assert got.status == expected.status
    else:
        assert str(got) == str(expected)


@BOUNDED
@given(METHODS, TARGETS, QUERIES)
def test_paths_and_methods(method: str, path: str, query: str) -> None:
    compare(Case("routing", method, f"{path}?{query}"))


@BOUNDED
@given(
    METHODS,
    st.sampled_from(["url", "args", "parsed", "headers", "cookies", "basic", "values"]),
    QUERIES,
    HEADERS,
)
def test_queries_and_headers(method: str, view: str, query: str, headers: t.Any) -> None:
    compare(Case("requests", method, f"/request/{view}?{query}", headers))


@BOUNDED
@given(
    st.sampled_from(["form", "values", "data", "json", "json/silent", "stream", "limited"]),
    st.sampled_from([URLENCODED, BOUNDARY, JSON, ("Content-Type", "text/plain"), ("X-None", "")]),
    st.binary(max_size=60) | ESCAPES.map(str.encode),
)
def test_bodies(view: str, content_type: tuple[str, str], body: bytes) -> None:
    compare(Case("requests", "POST", f"/request/{view}", (content_type,), body))


@BOUNDED
@given(
    st.lists(
        st.tuples(st.text("abü\\'; ", max_size=5), st.binary(max_size=20), st.none() | TEXT), max_size=4
    ),
    st.integers(min_value=0, max_value=40),
)
def test_multipart_bodies(parts: list[tuple[str, bytes, str | None]], cut: int) -> None:
    quoted = [part(name, content, filename=_quotable(filename)) for name, content, filename in parts]
    body = multipart(*quoted)
    compare(
        Case("requests", "POST", "/request/form", (BOUNDARY,), body[: len(body) - cut] if cut > 30 else body)
    )


def _quotable(filename: str | None) -> str | None:
    return None if filename is None else "".join(one for one in filename if one.isprintable() and one != '"')


@BOUNDED
@given(
    st.sampled_from(["/file/plain", "/file-memory", "/file/own-etag"]),
    HEADER_TEXT,
    st.text("0123456789-,= ", max_size=9),
)
def test_ranges_and_conditions(path: str, etag: str, numbers: str) -> None:
    headers = (("Range", f"bytes={numbers}"), ("If-None-Match", etag), ("If-Range", etag))
    compare(Case("files", "GET", path, headers))
    compare(Case("files", "GET", path, headers[:1]))
