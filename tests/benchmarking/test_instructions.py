"""The guard over instruction counts: what it says to which figures, and one real count."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import typing as t
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.instructions import __main__ as program
from benchmarks.instructions import callgrind, guard
from benchmarks.instructions.callgrind import Count
from benchmarks.instructions.guard import Figures
from benchmarks.suites import SUITES

ROOT = Path(__file__).parents[2]
ACCEPT = "make bench-guard ARGS=--write"

BUILD = {"python": "CPython 3.11.7", "compiler": "GCC 12.2.0", "options": "-O3", "valgrind": "3.19.0"}
CALLS = {"erlen.app.answer": 1, "len": 2}


def figures(**cases: int) -> Figures:
    return Figures(
        BUILD, {"werkzeug": "3.1.9"}, 1000, {name: Count(value, CALLS) for name, value in cases.items()}
    )


@pytest.mark.parametrize(("now", "fails"), [(1000, False), (1050, False), (1051, True), (500, False)])
def test_more_than_five_per_cent_of_growth_fail(now: int, fails: bool) -> None:
    verdict = guard.compare(figures(plain=1000), figures(plain=now), ACCEPT)
    assert bool(verdict.failures) is fails
    assert [line.growth for line in verdict.lines] == [pytest.approx(now / 1000 - 1)]


def test_a_failure_tells_the_figures_the_cause_and_what_to_do() -> None:
    now = replace(
        figures(plain=1120),
        cases={"plain": Count(1120, {"erlen.app.answer": 2, "len": 2, "erlen.forms.read": 1})},
    )
    [text] = guard.compare(figures(plain=1000), now, ACCEPT).failures
    assert text == (
        "plain takes 12.0% more instructions than committed: 1,000 before, 1,120 now; 5% is allowed.\n"
        "  Likely cause: called now, not before: erlen.forms.read (1x); called more often: erlen.app.answer (1x, now 2x).\n"
        "  Where that is wanted, write the new figures and commit the file: make bench-guard ARGS=--write"
    )


def test_the_cause_may_be_another_version_of_a_library() -> None:
    now = replace(figures(plain=1120), versions={"werkzeug": "3.2.0"})
    [text] = guard.compare(figures(plain=1000), now, ACCEPT).failures
    assert "Likely cause: werkzeug is 3.2.0 here, 3.1.9 when that was written." in text


def test_where_the_same_functions_are_called_one_of_them_does_more() -> None:
    [text] = guard.compare(figures(plain=1000), figures(plain=1120), ACCEPT).failures
    assert "Likely cause: the same functions are called as often as before" in text


def test_a_cause_names_the_functions_of_erlen_first_and_not_all() -> None:
    calls = {f"module.f{number}": 1 for number in range(9)} | {"erlen.app.new": 1, "len": 3}
    before, now = figures(plain=1000), figures(plain=2000)
    text = guard.likely_cause(before.cases["plain"], Count(2000, calls), before, now)
    assert text.startswith("called now, not before: erlen.app.new (1x), module.f0 (1x)")
    assert "and 4 more" in text


def test_a_large_fall_is_told_and_does_not_fail() -> None:
    verdict = guard.compare(figures(plain=1000), figures(plain=900), ACCEPT)
    assert verdict.failures == []
    [note] = verdict.notes
    assert note == (
        "plain takes 10.0% fewer instructions than committed: 1,000 before, 900 now. Write the new figures, so that the "
        "guard holds them from now on: make bench-guard ARGS=--write"
    )


def test_a_python_without_figures_fails_and_says_how_to_write_them() -> None:
    [text] = guard.compare(None, figures(plain=1000), ACCEPT).failures
    assert text.startswith("No figures are committed for CPython 3.11,")
    assert ACCEPT in text


def test_a_case_without_a_figure_fails() -> None:
    [text] = guard.compare(figures(plain=1000), figures(plain=1000, form=2000), ACCEPT).failures
    assert text.startswith("form: no figure is committed for CPython 3.11.")


def test_a_figure_without_a_case_fails_where_all_were_counted() -> None:
    committed, now = figures(plain=1000, form=2000), figures(plain=1000)
    [text] = guard.compare(committed, now, ACCEPT).failures
    assert text.startswith("form: committed, but not among the guarded cases.")
    assert guard.compare(committed, now, ACCEPT, whole=False).failures == []


def test_another_build_is_set_in_relation_by_the_calibration_and_has_more_room() -> None:
    other = replace(figures(plain=1050), build={**BUILD, "python": "CPython 3.11.2"}, calibration=900)
    verdict = guard.compare(figures(plain=1000), other, ACCEPT)
    assert [(line.before, line.now) for line in verdict.lines] == [(900, 1050)]
    assert verdict.failures == []
    [note] = verdict.notes
    assert "python 'CPython 3.11.7' there, 'CPython 3.11.2' here" in note
    assert "scaled by 0.900" in note
    worse = replace(other, cases={"plain": Count(1090, CALLS)})
    assert "20% is allowed" in guard.compare(figures(plain=1000), worse, ACCEPT).failures[0]


def test_what_is_written_is_read_again_and_other_pythons_stay(tmp_path: Path) -> None:
    file = tmp_path / "instructions.json"
    assert guard.read(file) == {}
    newer = replace(figures(plain=900), build={**BUILD, "python": "CPython 3.13.0"})
    guard.write(file, newer)
    guard.write(file, figures(plain=1000))
    guard.write(file, figures(plain=1001))
    assert guard.read(file) == {"CPython 3.11": figures(plain=1001), "CPython 3.13": newer}


@pytest.mark.parametrize("content", ["<<<<<<< ours\n", "[]", '{"CPython 3.11": {}}'])
def test_a_file_with_something_else_in_it_is_told_of(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "instructions.json"
    file.write_text(content, encoding="utf-8")
    assert program.main(["--guard", "--file", str(file)]) == 1
    assert "instructions.json does not hold instruction counts" in capsys.readouterr().err


def test_without_valgrind_it_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--instructions", "--guard"],
        cwd=ROOT,
        env={**os.environ, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("valgrind is not installed, so no instructions can be counted.")
    assert "apt-get install valgrind" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--write", "--case", "plaintext"], "leave out --case"),
        (["--guard", "--asgi", "--case", "form POST"], "no such case among those asked for: form POST"),
    ],
)
def test_what_does_not_go_together_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        program.main(arguments)
    assert message in capsys.readouterr().err


def test_the_committed_figures_are_of_the_guarded_cases() -> None:
    labels = [f"{protocol} {name}" for protocol, names in program.GUARDED.items() for name in names]
    committed = guard.read(program.FILE)
    assert committed
    assert [list(one.cases) for one in committed.values()] == [labels] * len(committed)


@pytest.mark.skipif(shutil.which("valgrind") is None, reason="valgrind is not installed")
def test_a_real_count_repeats_and_is_guarded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [suite] = [one for one in SUITES if one.protocol == "WSGI"]
    case = callgrind.Counted("WSGI", "plaintext", suite.cases["plaintext"])
    calibration, counts = callgrind.count([case])
    [one] = counts.values()
    # A request of Erlen's takes some ten thousand; a tenth, or ten times as many, would be no such request.
    assert 5_000 < one.instructions < 500_000
    assert calibration > 5_000
    assert any(name.startswith("erlen.") for name in one.calls)
    # What is committed is much smaller: the guard, counting again, has to fail and to say so.
    file = tmp_path / "instructions.json"
    small = Count(one.instructions // 2, dict.fromkeys(list(one.calls)[1:], 1))
    now = Figures(callgrind.build(), callgrind.versions(), calibration, {case.label: small})
    guard.write(file, now)
    assert program.main(["--guard", "--wsgi", "--case", "plaintext", "--file", str(file)]) == 1
    told = capsys.readouterr()
    assert "Nothing has grown" not in told.out
    assert "WSGI plaintext takes" in told.err
    [again] = [int(line.split()[3].replace(",", "")) for line in told.out.splitlines() if "plaintext" in line]
    assert again == pytest.approx(one.instructions, rel=0.02)
    content: dict[str, t.Any] = json.loads(file.read_text(encoding="utf-8"))
    assert list(content) == [now.key]
