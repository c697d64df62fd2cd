"""Figures that are read, drawn and written into the page."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import typing as t
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from benchmarks.publishing import __main__ as program
from benchmarks.publishing import charts, overview, page
from benchmarks.publishing.results import (
    FOLDER,
    KINDS,
    Results,
    Table,
    behind,
    best_peer,
    ratio,
    read,
    read_all,
    shown,
)

ROOT = Path(__file__).parents[2]


def timing(median: float) -> dict[str, t.Any]:
    return {"median": median, "spread": median / 10, "rounds": [median]}


IN_PROCESS: dict[str, t.Any] = {
    "python": "CPython 3.11.7",
    "unit": "microseconds",
    "rounds": 3,
    "wsgi": {
        "plaintext": {"flask": timing(300), "erlen": timing(20), "falcon": timing(25), "bare": timing(2)},
        "form POST": {"flask": timing(400), "erlen": timing(60), "falcon": timing(40), "bare": timing(9)},
        "session read": {"flask": timing(500), "erlen": timing(90), "falcon": None, "bare": None},
    },
}
SERVERS: dict[str, t.Any] = {
    "kind": "servers",
    "python": "CPython 3.13.0",
    "machine": {
        "processor": "Some",
        "cores": 2,
        "memory_mib": 2048,
        "system": "Linux 6",
        "load_average": 0.1,
    },
    "versions": {"erlen": "0.1.0", "granian": "2.8.7"},
    "date": "2026-01-02",
    "options": {"rounds": 3, "pinning": "long"},
    "tables": {
        "granian-wsgi": {
            "plaintext": {
                name: {**timing(value), "unit": "requests/s", "p99_ms": {"median": 1.5, "rounds": [1.5]}}
                for name, value in (("flask", 5000), ("erlen", 9000), ("falcon", 9900), ("bare", 10000))
            }
        }
    },
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "docs" / "benchmarks"
    place.mkdir(parents=True)
    for name, content in (("in-process-3.11", IN_PROCESS), ("servers-3.13", SERVERS)):
        (place / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    (place / "README.md").write_bytes((FOLDER / "README.md").read_bytes())
    return place


@pytest.fixture
def table(folder: Path) -> Table:
    return read(folder / "in-process-3.11.json").tables["wsgi"]


@pytest.fixture
def rates(folder: Path) -> Table:
    return read(folder / "servers-3.13.json").tables["granian-wsgi"]


def texts_of(file: Path) -> list[str]:
    """Return the texts of a picture, in the order in which they stand in it."""
    return [
        "".join(node.itertext()).strip() for node in ET.parse(file).iter("{http://www.w3.org/2000/svg}text")
    ]


def test_roles_are_known_from_names(table: Table, rates: Table) -> None:
    assert {name: bar.role for name, bar in table.subjects.items()} == {
        "flask": "reference",
        "erlen": "own",
        "falcon": "peer",
        "bare": "floor",
    }
    assert (table.reference, rates.reference) == ("flask", "bare")
    assert (table.more_is_better, rates.more_is_better) == (False, True)


def test_relations_are_worked_out_the_right_way_round(table: Table, rates: Table) -> None:
    assert ratio(table, "plaintext", "erlen") == 15
    assert behind(table, "plaintext") == 0.8
    assert behind(table, "form POST") == 1.5
    assert ratio(rates, "plaintext", "erlen") == 0.9
    assert behind(rates, "plaintext") == pytest.approx(1.1)


def test_what_a_framework_has_not_is_no_figure(table: Table) -> None:
    assert ratio(table, "session read", "falcon") is None
    best = best_peer(table, "session read")
    assert best is not None
    assert best.subject == "flask"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.12"), (9.876, "9.88"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346")],
)
def test_figures_are_shown_with_the_digits_that_say_something(value: float, text: str) -> None:
    assert shown(value) == text


def test_a_file_with_another_name_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "figures-3.11.json"
    file.write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"figures-3\.11\.json is no file of figures: .*in-process, servers"):
        read(file)


def test_charts_hold_every_figure_the_best_first(folder: Path) -> None:
    assert charts.draw_all(folder) == [
        "in-process-wsgi.svg",
        "servers-granian-wsgi.svg",
        "overview-wsgi-3.11.svg",
    ]
    assert texts_of(folder / "in-process-wsgi.svg")[3:11] == (
        ["bare callable", "2.00 µs", "Erlen", "20.0 µs", "Falcon", "25.0 µs", "Flask", "300 µs"]
    )
    assert texts_of(folder / "servers-granian-wsgi.svg")[3:7] == [
        "bare callable",
        "10,000/s",
        "Falcon",
        "9,900/s",
    ]


def test_the_overview_sets_every_framework_in_relation(folder: Path) -> None:
    charts.draw_all(folder)
    texts = texts_of(folder / "overview-wsgi-3.11.svg")
    assert texts[0] == "Times cheaper than Flask"
    rest = texts[texts.index("plaintext") :]
    assert rest == [
        "plaintext",
        "15.0",
        "12.0",
        "150",
        "form POST",
        "6.7",
        "10.0",
        "44",
        "session read",
        "5.6",
        "-",
        "-",
    ]


def test_the_same_figures_give_the_same_bytes(folder: Path) -> None:
    names = charts.draw_all(folder)
    first = [(folder / name).read_bytes() for name in names]
    assert charts.draw_all(folder) == names
    assert [(folder / name).read_bytes() for name in names] == first


def test_pictures_that_nothing_is_drawn_for_any_more_go(folder: Path) -> None:
    (folder / "in-process-wsgi-9.svg").write_text("<svg/>", encoding="utf-8")
    charts.draw_all(folder)
    assert not (folder / "in-process-wsgi-9.svg").exists()


@pytest.mark.parametrize("value", [0.001, 0.2, 0.99, 1.0, 1.01, 3.0, 8.0, 1000.0])
def test_numbers_can_be_read_on_the_colour_of_their_cell(value: float) -> None:
    def luminance(parts: t.Iterable[float]) -> float:
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))

    ink = [int(overview.ink(value)[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    lower, upper = sorted((luminance(ink), luminance(overview.colour(value))))
    # WCAG 2.2, 1.4.3.
    assert (upper + 0.05) / (lower + 0.05) >= 4.5


def test_the_page_names_what_is_slower_than_a_peer(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert page.main(folder) == 0
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "In 2 of 4 lines a framework is better than Erlen by more than 3%" in text
    assert "| form POST | in-process, WSGI | 3.11 | 60.0 µs | Falcon 40.0 µs | 1.50 |" in text
    assert "| plaintext | servers, Granian WSGI | 3.13 | 9,000/s | Falcon 9,900/s | 1.10 |" in text
    assert "| plaintext | 300 | 20.0 | **25.0** | 2.00 | 15.0 | 0.80 |" in text
    assert "|  | **Erlen** | 9,000 ±10% | 0.90 | 1.50 |" in text
    assert "Some, 2 cores, 2 GiB, Linux 6, load 0.1" in text
    assert "Versions: erlen 0.1.0, granian 2.8.7." in text
    assert "docs/benchmarks/README.md has the figures" in capsys.readouterr().out


def test_a_page_without_figures_says_so(tmp_path: Path) -> None:
    text = page.written((FOLDER / "README.md").read_text(encoding="utf-8"), read_all(tmp_path))
    assert text.count("*Not measured yet.*") == len(re.findall("<!-- begin: ", text))


def committed() -> list[Results]:
    return read_all()


def test_the_page_has_the_figures_of_the_files_beside_it() -> None:
    """When this fails: ``make bench-charts``."""
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert committed()
    assert page.written(text, committed()) == text


def test_the_pictures_have_the_figures_of_the_files_beside_them() -> None:
    """When this fails: ``make bench-charts``."""
    wanted = charts.charts(committed())
    overviews = (*overview.overviews(committed()), *overview.summaries(committed()))
    names = {one.file for one in wanted} | {one.file for one in overviews}
    assert names == {file.name for file in FOLDER.glob("*.svg")}
    for chart in wanted:
        drawn = texts_of(FOLDER / chart.file)[2:]
        expected = [
            text
            for panel in chart.panels
            for text in (
                panel.title,
                *(text for bar in panel.bars for text in (bar.title, charts.value(bar))),
            )
        ]
        assert drawn == expected, chart.file


def test_without_the_library_for_charts_it_names_the_extra() -> None:
    code = "import sys; sys.modules['matplotlib'] = None; from benchmarks.publishing.charts import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.strip().endswith("Install it with: pip install 'erlen[charts]'")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_there_is_a_program_for_each_kind(kind: str) -> None:
    command = program.command(kind, 2)
    assert command[-2] == "--json"
    assert Path(command[-1]).name.startswith(f"{kind}-")
    assert ("--rounds" in command) is (kind != "instructions")
