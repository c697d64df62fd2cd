"""The JSON files in ``docs/benchmarks``: ``<kind>-<minor version of Python>.json``, as the measuring programs write them."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ..apps import ASGI_SUBJECTS, WSGI_SUBJECTS

FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"

KINDS = ("in-process", "servers", "database", "startup", "memory", "instructions")

Role = t.Literal["own", "variant", "reference", "peer", "floor"]

#: Whom the others are set in relation to, the first of these that a table has. Behind servers that is no framework.
_REFERENCES = ("flask", "starlette", "starlette-pool", "quart", "flask run", "flask run --debug")
_REFERENCES_BEHIND_SERVERS = ("bare", *_REFERENCES)

_OWN = {"erlen", "erlen-async", "erlen-pool", "erlen run", "erlen run --debug"}

_FLOOR = {"bare", "bare-safe"}

_TITLES = {
    **{name: subject.title for name, subject in (*ASGI_SUBJECTS.items(), *WSGI_SUBJECTS.items())},
    "bare": "bare callable",
    "bare-safe": "bare, Erlen's headers",
    "erlen-pool": "Erlen",
    "starlette-pool": "Starlette",
    "fastapi-pool": "FastAPI",
    "fastapi": "FastAPI",
    "blacksheep": "BlackSheep",
    "django": "Django",
    "pyramid": "Pyramid",
}

#: Where both stand in one table.
_TITLES_BESIDE_EACH_OTHER = {"erlen": "Erlen, WSGI", "erlen-async": "Erlen, ASGI"}


@dataclass(frozen=True)
class Bar:
    """The figure of one subject in one case.

    :param more: other figures of the same rounds, by name.
    """

    subject: str
    title: str
    role: Role
    median: float
    spread: float
    unit: str
    more: dict[str, float]


@dataclass(frozen=True)
class Table:
    """The figures of all cases of a table.

    :param reference: the subject that the others are set in relation to.
    :param cases: by case, by subject; ``None`` where a framework has no such thing.
    """

    kind: str
    name: str
    reference: str
    cases: dict[str, dict[str, Bar | None]]

    @property
    def subjects(self) -> dict[str, Bar]:
        """One bar of each subject, for its title and role."""
        every = [bar for bars in self.cases.values() for bar in bars.values() if bar is not None]
        names = dict.fromkeys(name for bars in self.cases.values() for name in bars)
        found = {name: next((bar for bar in every if bar.subject == name), None) for name in names}
        return {name: bar for name, bar in found.items() if bar is not None}

    @property
    def own(self) -> str | None:
        """Erlen's own name in the table, as it starts."""
        return next((name for name, bar in self.subjects.items() if bar.role == "own"), None)

    @property
    def more_is_better(self) -> bool:
        """Whether the figures are rates."""
        return next(iter(self.subjects.values())).unit.endswith("/s")


@dataclass(frozen=True)
class Results:
    """One file.

    :param how: how it was measured: rounds, seconds and the like.
    """

    file: str
    kind: str
    python: str
    date: str
    machine: dict[str, t.Any]
    versions: dict[str, str]
    how: dict[str, t.Any]
    tables: dict[str, Table]

    @property
    def minor(self) -> tuple[int, ...]:
        """The minor version of Python, to be sorted by."""
        return tuple(int(part) for part in self.python.rpartition(" ")[2].split(".")[:2])

    @property
    def short(self) -> str:
        """The minor version of Python, as it stands in the name of the file."""
        return ".".join(str(part) for part in self.minor)


def read_all(folder: Path = FOLDER) -> list[Results]:
    """Return what all files of a folder hold, by kind, of each the newest Python first."""
    found = [read(file) for file in sorted(folder.glob("*.json"))]
    return sorted(found, key=lambda one: (KINDS.index(one.kind), [-part for part in one.minor]))


def read(file: Path) -> Results:
    """Return what a file holds.

    :raises ValueError: where its name does not begin with a kind.
    """
    kind, _, _ = file.stem.rpartition("-")
    if kind not in KINDS:
        raise ValueError(
            f"{file.name} is no file of figures: such a file is called <kind>-<version of Python>.json, and a kind is one "
            f"of {', '.join(KINDS)}. Rename it or move it elsewhere."
        )
    content: dict[str, t.Any] = json.loads(file.read_text(encoding="utf-8"))
    # In process the tables stand beside the rest, and each has an entry that tells of its subjects.
    told: dict[str, dict[str, t.Any]] = content.get("subjects", {})
    tables: dict[str, t.Any] = content.get("tables") or {
        key: content[key] for key in ("wsgi", "asgi", "asgi-pool") if key in content
    }
    how = content.get("options") or ({"rounds": content["rounds"]} if "rounds" in content else {})
    unit = str(content.get("unit", ""))
    return Results(
        file.name,
        kind,
        str(content["python"]),
        str(content.get("date", "")),
        content.get("machine", {}),
        content.get("versions", {}),
        how,
        {name: _table(kind, name, cases, unit, told.get(name, {})) for name, cases in tables.items()},
    )


def _table(kind: str, name: str, cases: dict[str, t.Any], unit: str, told: dict[str, t.Any]) -> Table:
    names = {subject for figures in cases.values() for subject in figures}
    order = _REFERENCES_BEHIND_SERVERS if kind in {"servers", "database"} else _REFERENCES
    reference = next((one for one in order if one in names), "")
    if names >= _TITLES_BESIDE_EACH_OTHER.keys():
        told = {**told, **{one: {"title": title} for one, title in _TITLES_BESIDE_EACH_OTHER.items()}}
    bars = {
        case: {
            subject: None if figure is None else _bar(subject, figure, unit, reference, told.get(subject, {}))
            for subject, figure in figures.items()
        }
        for case, figures in cases.items()
    }
    return Table(kind, name, reference, bars)


def _bar(subject: str, figure: t.Any, unit: str, reference: str, told: dict[str, t.Any]) -> Bar:
    title = str(told.get("title") or _TITLES.get(subject) or subject)
    role = _role(subject, reference)
    if not isinstance(figure, dict):
        return Bar(subject, title, role, float(figure), 0.0, unit, {})
    values = t.cast("dict[str, t.Any]", figure)
    more = {
        name: float(value["median"])
        for name, value in values.items()
        if isinstance(value, dict) and "median" in value
    }
    spread = float(values.get("spread", 0.0))
    return Bar(subject, title, role, float(values["median"]), spread, str(values.get("unit", unit)), more)


def _role(subject: str, reference: str) -> Role:
    if subject in _OWN:
        return "own"
    if subject.startswith("erlen"):
        return "variant"
    if subject in _FLOOR:
        return "floor"
    return "reference" if subject == reference else "peer"


def ratio(table: Table, case: str, subject: str) -> float | None:
    """Return how many times better than the reference a subject is, below 1 where it is worse.

    :returns: ``None`` where one of the two has no figure.
    """
    bars = table.cases[case]
    one, reference = bars.get(subject), bars.get(table.reference)
    if one is None or reference is None or not one.median or not reference.median:
        return None
    return one.median / reference.median if table.more_is_better else reference.median / one.median


def best_peer(table: Table, case: str) -> Bar | None:
    """Return the best of the other frameworks in a case."""
    peers = [
        bar
        for bar in table.cases[case].values()
        if bar is not None and bar.role in {"peer", "reference"} and bar.subject not in _FLOOR
    ]
    choose = max if table.more_is_better else min
    return choose(peers, key=lambda bar: bar.median, default=None)


def behind(table: Table, case: str) -> float | None:
    """Return how many times worse than the best of the others Erlen is, below 1 where it is better.

    :returns: ``None`` where there is nobody to compare with.
    """
    own = table.cases[case].get(table.own or "")
    peer = best_peer(table, case)
    if own is None or peer is None or not own.median or not peer.median:
        return None
    return peer.median / own.median if table.more_is_better else own.median / peer.median


def shown(value: float) -> str:
    """Return a figure with three digits that say something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
