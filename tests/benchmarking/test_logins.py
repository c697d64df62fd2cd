"""The comparison of two distributions of times."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from pathlib import Path

from benchmarks.logins import Comparison, compare, of_passwords, table
from erlen.ext.security.settings import Settings


def test_it_counts_the_pairs_of_which_the_second_is_longer() -> None:
    known, unknown = (1.0, 2.0, 2.0, 5.0), (0.5, 2.0, 3.0)
    pairs = list(itertools.product(known, unknown))
    longer = sum(1.0 if other > one else 0.5 if other == one else 0.0 for one, other in pairs) / len(pairs)
    assert math.isclose(Comparison(known, unknown).longer, longer)


def test_what_is_alike_is_likely_and_what_is_apart_is_not() -> None:
    alike = Comparison(tuple(map(float, range(100))), tuple(number + 0.5 for number in range(-1, 99)))
    assert alike.longer > 0.49
    assert alike.chance > 0.9
    apart = Comparison(tuple(map(float, range(100))), tuple(float(number + 60) for number in range(100)))
    assert apart.longer > 0.9
    assert apart.chance < 1e-9


def test_the_table_shows_where_they_differ() -> None:
    text = table(Comparison((0.001, 0.001, 0.001), (0.002, 0.002, 0.002)))
    assert "median             1.000     2.000     100.00%" in text
    assert "longer in 100.0% of all pairs" in text


def test_each_call_is_made_as_often_as_the_other() -> None:
    calls: list[str] = []
    found = compare(lambda: calls.append("known"), lambda: calls.append("unknown"), 20)
    assert (len(found.known), len(found.unknown)) == (20, 20)
    assert calls.count("known") == calls.count("unknown") == 23


def test_the_checks_that_are_measured_both_fail() -> None:
    known, unknown = of_passwords(Settings(argon2_memory=7168, argon2_time=1))
    assert known() == unknown()


def test_a_cost_that_is_refused_is_no_traceback() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.logins", "--memory", "5"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 2
    assert "It has to be 7168 or more" in done.stderr
    assert "Traceback" not in done.stderr
