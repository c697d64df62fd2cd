"""Every subject of the benchmarks answers every case it has as the case says."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from benchmarks.apps import ASGI_SUBJECTS, WSGI_SUBJECTS, Subject
from benchmarks.cases import ASGI_CASES, CASES
from benchmarks.suites import SUITES

from source import ROOT

#: More routes show nothing more here, and take a minute to make.
SMALL = {name: case for name, case in ASGI_CASES.items() if (case.size or 0) <= 10}

OWN = {
    name: subject
    for name, subject in {**WSGI_SUBJECTS, **ASGI_SUBJECTS}.items()
    if subject.distribution in {"flask", "erlen"}
}


def answers(*options: str) -> str:
    """Return what ``--answers`` prints. A process of its own: Django is configured once in each."""
    cases = [word for name in SMALL for word in ("--case", name)]
    command = [sys.executable, "-m", "benchmarks", "--answers", *options, *cases]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def titles(section: str) -> set[str]:
    """Return whose answers stand below a case: titles, then on the same line or the next a status and a size."""
    labels = re.findall(r"^  (?!compared)(\S.*?)(?: +\d{3}; \d+ bytes.*)?$", section, re.MULTILINE)
    return {title for label in labels for title in label.split("; ")}


@pytest.mark.parametrize("flag", ["wsgi", "asgi"])
def test_all_subjects_answer_as_the_cases_say(flag: str) -> None:
    printed = answers(f"--{flag}")
    assert max(len(line) for line in printed.splitlines()) <= 110
    parts = iter(printed.split("\n\n"))
    for suite in (suite for suite in SUITES if suite.flag == flag):
        assert next(parts).startswith(f"{suite.protocol}: ")
        peers = {subject.title for subject in suite.subjects.values() if subject.is_peer}
        for name in (name for name in suite.cases if name in SMALL):
            section = next(parts).lstrip("\n")
            assert section.startswith(f"{name}: ")
            answering = titles(section)
            assert suite.subjects[suite.own].title in answering
            # Nothing is measured that no other framework can do; over WSGI two can: Flask is there always.
            assert len(answering & peers) >= (2 if suite.protocol == "WSGI" else 1), name
            assert answering <= {subject.title for subject in suite.subjects.values()}
        while not next(parts).startswith("  x-content-type-options"):
            pass


@pytest.mark.parametrize("subject", OWN.values(), ids=OWN)
def test_flask_and_erlen_have_every_case(subject: Subject) -> None:
    cases = ASGI_CASES if subject in ASGI_SUBJECTS.values() else CASES
    lacking = [name for name, case in cases.items() if subject.factory(case.factory) is None]
    assert not lacking
