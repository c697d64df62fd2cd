"""Extensions and applications of Flask, played on Flask and on Erlen: the answers have to be the same."""

from __future__ import annotations

import json
import re
import subprocess
import typing as t
from functools import cache
from pathlib import Path

import pytest

from processes import Playing, interpreter, start
from table import ENVIRONMENTS, constant, names, normalized, versions

Transcript: t.TypeAlias = list[dict[str, t.Any]]


#: Scenarios of extensions whose release needs what Flask has removed, and the others.
OLD = [name for name in names() if constant(name, "REMOVED_FROM_FLASK")]
CURRENT = [name for name in names() if name not in OLD]


def case(name: str, *values: str) -> t.Any:
    """Return the parameters of a test, marked when the scenario is played in an environment of its own."""
    return pytest.param(
        name, *values, marks=pytest.mark.applications if constant(name, "ENVIRONMENT") else ()
    )


@cache
def installed(python: str) -> dict[str, str]:
    """Return the version of each distribution in the environment of an interpreter."""
    program = (
        "import json; from importlib.metadata import distributions;"
        "print(json.dumps({one.name: one.version for one in distributions()}))"
    )
    told = subprocess.run([python, "-I", "-c", program], check=True, capture_output=True, text=True)
    return {normalized(name): version for name, version in json.loads(told.stdout).items()}


@pytest.fixture(scope="session")
def on_flask(tmp_path_factory: pytest.TempPathFactory) -> t.Callable[[str], Playing]:
    started: dict[str, Playing] = {}

    def begin(name: str) -> Playing:
        if name not in started:
            started[name] = start(name, "flask", "wsgi", tmp_path_factory.mktemp(f"{name}_flask"))
        return started[name]

    return begin


@pytest.fixture(scope="session")
def answers_of_flask(on_flask: t.Callable[[str], Playing]) -> t.Callable[[str], Transcript]:
    transcripts: dict[str, Transcript] = {}

    def wait(name: str) -> Transcript:
        if name not in transcripts:
            transcripts[name] = on_flask(name).transcript()
        return transcripts[name]

    return wait


@pytest.mark.parametrize(
    ("name", "protocol"),
    [case(name, protocol) for name in CURRENT for protocol in constant(name, "PROTOCOLS", ["wsgi", "asgi"])],
)
def test_answers_are_those_of_flask(
    name: str,
    protocol: str,
    on_flask: t.Callable[[str], Playing],
    answers_of_flask: t.Callable[[str], Transcript],
    tmp_path: Path,
) -> None:
    on_flask(name)
    erlen = start(name, "erlen", protocol, tmp_path)
    expected = answers_of_flask(name)
    answers = erlen.transcript()
    for answer, wanted in zip(answers, expected, strict=False):
        assert answer == wanted
    assert len(answers) == len(expected)


@pytest.mark.parametrize("name", OLD)
def test_flask_lacks_what_an_old_extension_needs(name: str, tmp_path: Path) -> None:
    playing = start(name, "flask", "wsgi", tmp_path)
    error = playing.output.strip().splitlines()[-1]
    assert playing.process.returncode != 0
    assert error.startswith(("ImportError: ", "AttributeError: ")), playing.output
    # The first of the names ends it there.
    missing = constant(name, "REMOVED_FROM_FLASK")[0].rpartition(".")[2]
    assert repr(missing) in error


@pytest.mark.parametrize("name", OLD)
def test_old_extension_works_and_is_told_what_was_removed(name: str, tmp_path: Path) -> None:
    playing: dict[str, Playing] = {}
    for protocol in ("wsgi", "asgi"):
        folder = tmp_path / protocol
        folder.mkdir()
        playing[protocol] = start(name, "erlen", protocol, folder, with_warnings=True)
    assert playing["asgi"].transcript() == playing["wsgi"].transcript()
    for removed in constant(name, "REMOVED_FROM_FLASK"):
        assert f"DeprecationWarning: {removed!r} was removed in Flask" in playing["wsgi"].output


@pytest.mark.parametrize("name", names())
def test_scenario_says_what_it_is_about(name: str) -> None:
    assert constant(name, "__doc__")
    assert constant(name, "DISTRIBUTIONS")
    if constant(name, "PROTOCOLS", ["wsgi", "asgi"]) != ["wsgi", "asgi"]:
        assert constant(name, "NOT_ON_ASGI"), "PROTOCOLS leaves ASGI out: say why in NOT_ON_ASGI"


@pytest.mark.parametrize("name", [case(name) for name in names()])
def test_what_is_pinned_is_installed(name: str) -> None:
    for distribution in [*constant(name, "DISTRIBUTIONS"), "Flask", "Werkzeug"]:
        assert (
            installed(interpreter(name))[normalized(distribution)] == versions(name)[normalized(distribution)]
        )


def test_environments_are_pins_and_each_has_a_scenario() -> None:
    files = sorted(ENVIRONMENTS.glob("*.txt"))
    assert [file.stem for file in files] == sorted(
        {constant(name, "ENVIRONMENT") for name in names()} - {None}
    )
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            assert re.fullmatch(r"[\w.-]+==[\w.+!]+", line), f"{file.name}: {line}"
