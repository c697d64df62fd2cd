"""Hand-listed requests, answered by both frameworks."""

from __future__ import annotations

import functools
import typing as t

import pytest

from . import cases_content, cases_listed
from .calling import Case, call
from .differences import DIFFERENCES, OVER_ASGI
from .framework import ERLEN, FLASK, Framework
from .scenario import build

if t.TYPE_CHECKING:
    from erlen import Erlen

# Werkzeug's parser leaves the file of a part open when the body ends in the middle of it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Unclosed file <tempfile:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Current server name:UserWarning"),
]

CASES = [
    *cases_listed.returns(),
    *cases_listed.hooks(),
    *cases_listed.errors(),
    *cases_listed.routing(),
    *cases_listed.hosts(),
    *cases_content.requests(),
    *cases_content.files(),
]


@functools.cache
def application(f_name: str, name: str) -> Erlen:
    return build(FLASK if f_name == FLASK.name else ERLEN, name)


def answer(f: Framework, case: Case, protocol: str = "wsgi") -> t.Any:
    return call(application(f.name, case.app), case, protocol)


@pytest.mark.protocol("wsgi", "asgi")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_both_frameworks_answer_alike(case: Case, protocol: str) -> None:
    expected, got = answer(FLASK, case), answer(ERLEN, case, protocol)
    if protocol == "asgi":
        expected = expected.without_reason()
        got = got.without_reason()
    if case.name in DIFFERENCES or (protocol == "asgi" and case.name in OVER_ASGI):
        assert got != expected, f"remove {case.name!r} from differences.py: it does not differ any more"
    else:
        assert str(got) == str(expected)


def test_each_case_has_a_name_of_its_own() -> None:
    names = [case.name for case in CASES]
    assert sorted(names) == sorted(set(names))


def test_every_listed_difference_names_a_case() -> None:
    assert {*DIFFERENCES, *OVER_ASGI} <= {case.name for case in CASES}


def test_enough_is_compared() -> None:
    assert len(CASES) >= 250
