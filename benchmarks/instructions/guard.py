"""The comparison with the committed figures."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .callgrind import Count

#: By how much a figure may grow, and how far it may fall before the file is to be written anew.
LIMIT = 0.05

#: The same with another build of Python than the committed figures are of. In relation to the calibration those of two
#: builds of 3.11 are within 3 % of each other, but one: 3.11.2 looks up the line of every traceback at once, 16 %.
LIMIT_OF_OTHER_BUILD = 0.2

#: How many functions a message names.
_NAMED = 6


class Unreadable(Exception):
    """The file of the committed figures holds something else."""


@dataclass(frozen=True)
class Figures:
    """What was counted with one version of Python.

    :param build: what the figures depend on beside the source.
    :param versions: those of the libraries.
    :param calibration: what the fixed loop takes.
    :param cases: what a request of each case takes.
    """

    build: dict[str, str]
    versions: dict[str, str]
    calibration: int
    cases: dict[str, Count]

    @property
    def key(self) -> str:
        """Under which they stand in the file: implementation and minor version."""
        return self.build["python"].rpartition(".")[0]


@dataclass(frozen=True)
class Line:
    """One case beside its committed figure.

    :param before: as committed, scaled to this build of Python; ``None`` where nothing is committed.
    """

    label: str
    before: int | None
    now: int

    @property
    def growth(self) -> float:
        """The growth, as a part of what was before; 0 where nothing was."""
        return (self.now - self.before) / self.before if self.before else 0.0


@dataclass(frozen=True)
class Verdict:
    """The result of a comparison.

    :param failures: texts that make the guard fail.
    :param notes: texts that do not.
    """

    lines: list[Line]
    failures: list[str]
    notes: list[str]


def read(file: Path) -> dict[str, Figures]:
    """Return the committed figures, by implementation and minor version; none where the file is not there.

    :raises Unreadable: where something else is in it.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        return {key: _figures(entry) for key, entry in content.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreadable(
            f"{file.name} does not hold instruction counts as the guard writes them ({type(error).__name__}: {error}), "
            "perhaps after a merge. Take it from an earlier commit, or delete it and write the figures anew with --write."
        ) from error


def _figures(entry: dict[str, t.Any]) -> Figures:
    cases = {label: Count(one["instructions"], one["calls"]) for label, one in entry["cases"].items()}
    return Figures(entry["build"], entry["versions"], entry["calibration"], cases)


def write(file: Path, figures: Figures) -> None:
    """Put figures into the file, in the place of those of the same implementation and minor version."""
    all_figures = {**read(file), figures.key: figures}
    content = {
        key: {
            "build": one.build,
            "versions": one.versions,
            "calibration": one.calibration,
            "cases": {
                label: {"instructions": count.instructions, "calls": count.calls}
                for label, count in one.cases.items()
            },
        }
        for key, one in sorted(all_figures.items(), key=lambda pair: _order(pair[0]))
    }
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _order(key: str) -> tuple[str, list[int]]:
    name, _, version = key.partition(" ")
    return name, [int(part) for part in version.split(".")]


def compare(committed: Figures | None, now: Figures, accept: str, *, whole: bool = True) -> Verdict:
    """Compare what was counted with what is committed.

    :param accept: the command that writes the figures, which messages name.
    :param whole: everything was counted, so what is committed beyond that is left over.
    """
    if committed is None:
        return Verdict(
            [Line(label, None, count.instructions) for label, count in now.cases.items()],
            [_none_committed(now, accept)],
            [],
        )
    scale = now.calibration / committed.calibration
    same = committed.build == now.build
    limit = LIMIT if same else LIMIT_OF_OTHER_BUILD
    notes = [] if same else [_other_build(committed, now, scale)]
    lines: list[Line] = []
    failures: list[str] = []
    for label, count in now.cases.items():
        before = committed.cases.get(label)
        line = Line(label, None if before is None else round(before.instructions * scale), count.instructions)
        lines.append(line)
        if before is None:
            failures.append(
                f"{label}: no figure is committed for {now.key}. Write it and commit the file: {accept}"
            )
        elif line.growth > limit:
            failures.append(_grown(line, likely_cause(before, count, committed, now), limit, accept))
        elif line.growth < -limit:
            notes.append(
                f"{label} takes {-line.growth:.1%} fewer instructions than committed: {line.before:,} before, "
                f"{line.now:,} now. Write the new figures, so that the guard holds them from now on: {accept}"
            )
    if whole:
        left_over = [label for label in committed.cases if label not in now.cases]
        failures += [f"{label}: committed, but not among the guarded cases. {accept}" for label in left_over]
    return Verdict(lines, failures, notes)


def _none_committed(now: Figures, accept: str) -> str:
    return (
        f"No figures are committed for {now.key}, so there is nothing to compare with. "
        f"Write those of this Python and commit the file: {accept}"
    )


def _other_build(committed: Figures, now: Figures, scale: float) -> str:
    different = [
        f"{name} {before!r} there, {now.build.get(name)!r} here"
        for name, before in committed.build.items()
        if before != now.build.get(name)
    ]
    return (
        f"The committed figures are of another build: {'; '.join(different)}. They are scaled by {scale:.3f}, what the "
        f"calibration says, and {LIMIT_OF_OTHER_BUILD:.0%} is allowed in place of {LIMIT:.0%}."
    )


def _grown(line: Line, cause: str, limit: float, accept: str) -> str:
    return (
        f"{line.label} takes {line.growth:.1%} more instructions than committed: {line.before:,} before, {line.now:,} "
        f"now; {limit:.0%} is allowed.\n"
        f"  Likely cause: {cause}\n"
        f"  Where that is wanted, write the new figures and commit the file: {accept}"
    )


def likely_cause(before: Count, now: Count, committed: Figures, current: Figures) -> str:
    """Return what has probably made a case grow, from the functions that a request calls."""
    causes = [
        f"{name} is {current.versions.get(name)} here, {version} when that was written"
        for name, version in committed.versions.items()
        if version != current.versions.get(name)
    ]
    added = {name: times for name, times in now.calls.items() if name not in before.calls}
    more = {
        name: (before.calls[name], times)
        for name, times in now.calls.items()
        if times > before.calls.get(name, times)
    }
    if added:
        causes.append(
            "called now, not before: " + _some([f"{name} ({times}x)" for name, times in _ours_first(added)])
        )
    if more:
        causes.append(
            "called more often: "
            + _some([f"{name} ({few}x, now {many}x)" for name, (few, many) in _ours_first(more)])
        )
    if not causes:
        causes.append(
            "the same functions are called as often as before, so one of them does more than it did; "
            "'git diff' over them shows it"
        )
    return "; ".join(causes) + "."


_Value = t.TypeVar("_Value")


def _ours_first(functions: dict[str, _Value]) -> list[tuple[str, _Value]]:
    """Return functions with Erlen's own in front, then those of modules, then the built-in ones."""
    return sorted(
        functions.items(), key=lambda pair: (not pair[0].startswith("erlen."), "." not in pair[0], pair[0])
    )


def _some(names: list[str]) -> str:
    rest = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")
