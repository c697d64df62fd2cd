"""The middle of rounds, their spread, and the JSON they are written to."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest
from benchmarks import machine
from benchmarks.database import tables
from benchmarks.figures import Figure, quartiles, turns
from hypothesis import given
from hypothesis import strategies as st

ROUNDS = st.lists(st.floats(0.001, 1e9), min_size=1, max_size=20)


def test_the_median_is_that_of_the_rounds() -> None:
    figure = Figure((30.0, 10.0, 20.0), "requests/s", {"p99_ms": (3.0, 1.0, 2.0), "processor_us": ()})
    assert (figure.median, figure.spread) == (20.0, 20.0)
    assert figure.median_of("p99_ms") == 2.0
    assert figure.median_of("processor_us") is None


@given(ROUNDS)
def test_the_spread_lies_between_nothing_and_all(values: list[float]) -> None:
    assert 0 <= quartiles(values) <= max(values) - min(values) + 1e-6


@given(st.floats(0.001, 1e9), st.integers(1, 20))
def test_equal_rounds_have_no_spread(value: float, count: int) -> None:
    assert quartiles([value] * count) == pytest.approx(0)
    assert Figure((value,) * count, "ms").median == pytest.approx(value)


@given(ROUNDS)
def test_the_median_does_not_depend_on_the_order(values: list[float]) -> None:
    assert Figure(tuple(sorted(values)), "ms").median == Figure(tuple(values), "ms").median
    assert Figure(tuple(values), "ms").median == statistics.median(values)


@given(st.integers(1, 6), st.integers(1, 12))
def test_all_have_their_turn_in_each_round_and_another_one_begins(subjects: int, rounds: int) -> None:
    names = [str(number) for number in range(subjects)]
    order = list(turns(names, rounds))
    for number in range(rounds):
        in_this = [name for turn, name in order if turn == number]
        assert sorted(in_this) == names
        assert in_this[0] == names[number % subjects]


def test_the_file_holds_the_rounds_and_what_they_were_measured_on(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    figure = Figure((2.0, 1.0, 3.0), "requests/s", {"p99_ms": (5.0, 4.0, 6.0)})
    versions = machine.versions(["flask", "no-such-distribution", None])
    machine.write_json(
        file, "servers", {"granian-wsgi": {"plaintext": {"erlen": figure}}}, versions, {"rounds": 3}
    )
    content = json.loads(file.read_text(encoding="utf-8"))
    assert list(content) == ["kind", "python", "machine", "versions", "date", "options", "tables"]
    assert content["versions"] == {"flask": "3.1.3"}
    assert content["machine"]["cores"] >= 1
    assert content["machine"]["processor"]
    assert content["tables"]["granian-wsgi"]["plaintext"]["erlen"] == {
        "median": 2.0,
        "spread": 2.0,
        "unit": "requests/s",
        "rounds": [2.0, 1.0, 3.0],
        "p99_ms": {"median": 5.0, "rounds": [5.0, 4.0, 6.0]},
    }


@pytest.mark.parametrize(
    ("text", "count"),
    [(None, 1), ("", 1), ("20", 20), ("0", 1), ("-3", 1), ("501", 500), ("x", 1), ("1.5", 1)],
)
def test_the_number_of_queries_is_bounded(text: str | None, count: int) -> None:
    assert tables.bounded(text) == count


def test_the_page_of_fortunes_is_sorted_escaped_and_has_the_row_that_is_added() -> None:
    page = tables.page()
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert f"<td>0</td><td>{tables.ADDED[1]}</td>" in page
    assert page.count("<tr><td>") == len(tables.MESSAGES) + 1
    messages = [message for _, message in tables.arranged(tables.fortunes())]
    assert messages == sorted(messages)
