"""Several requests of one visitor, whose cookies move between the two frameworks."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from .calling import Answer, Case, call
from .framework import ERLEN, FLASK, Framework
from .scenario import build

#: A step is a target of the application "requests", or of the one named before the colon.
CONVERSATIONS: dict[str, list[str]] = {
    "a value is kept": ["/session/set?a=1", "/session/get", "/session/untouched", "/session/get"],
    "a value changes": ["/session/set?a=1&b=2", "/session/set?a=3", "/session/get", "/session/pop", "/session/get"],
    "a session ends": ["/session/set?a=1", "/session/clear", "/session/get"],
    "unicode": ["/session/set?a=%C3%BC%F0%9F%8C%8A", "/session/get"],
    "all kinds of values": ["/session/kinds", "/session/get", "/session/length", "/session/contains"],
    "a compressed session": ["/session/set?a=" + "x" * 500, "/session/get", "/session/set?b=1", "/session/get"],
    "a large session": ["/session/set?a=" + "".join(f"{n:x}" for n in range(9000, 10500)), "/session/untouched"],
    "a permanent session": ["/session/permanent/1", "/session/get", "/session/untouched", "/session/permanent/0"],
    "a nested change is not seen": ["/session/nested", "/session/nested", "/session/get"],
    "a nested change is told": ["/session/nested?modified=1", "/session/nested?modified=1", "/session/get"],
    "flashes wait": ["/session/flash", "/session/flash", "/session/flashes", "/session/flashes", "/session/get"],
    "flashes in a template": ["/session/set?a=%3Cb%3E", "/session/flash", "/session/template", "/session/template"],
    "only read": ["/session/contains", "/session/length", "/session/get"],
    "a new key opens an old session": [
        "/session/set?a=1", "requests-rotated:/session/get", "requests-rotated:/session/set?b=2",
        "requests-rotated:/session/get", "/session/get",
    ],
    "another cookie name": ["requests-session:/session/set?a=1", "requests-session:/session/get", "/session/get"],
    "a permanent session that is not refreshed": [
        "requests-session:/session/permanent/1", "requests-session:/session/get", "requests-session:/session/untouched",
    ],
}  # fmt: skip


def say(applications: dict[str, t.Any], f: Framework, step: str, cookies: dict[str, str]) -> Answer:
    name, _, target = step.rpartition(":")
    case = Case(name or "requests", "GET", target)
    if cookies:
        header = "; ".join(f"{key}={value}" for key, value in cookies.items())
        case = replace(case, headers=(("Cookie", header),))
    key = f"{f.name} {case.app}"
    if key not in applications:
        applications[key] = build(f, case.app)
    answer = call(applications[key], case)
    cookies.update(answer.cookies)
    for gone in [key for key, value in cookies.items() if not value]:
        del cookies[gone]
    return answer


@pytest.mark.parametrize("exchanged", [False, True], ids=["own cookies", "exchanged cookies"])
@pytest.mark.parametrize("name", list(CONVERSATIONS))
@pytest.mark.filterwarnings("ignore:The 'session' cookie is too large:UserWarning")
def test_a_visitor_sees_the_same(name: str, exchanged: bool) -> None:
    applications: dict[str, t.Any] = {}
    to_flask: dict[str, str] = {}
    to_erlen: dict[str, str] = {}
    for step in CONVERSATIONS[name]:
        expected, got = say(applications, FLASK, step, to_flask), say(applications, ERLEN, step, to_erlen)
        assert str(got) == str(expected), step
        if exchanged:
            to_flask, to_erlen = to_erlen, to_flask
