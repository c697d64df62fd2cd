"""The middle of several rounds, and how far they lie apart."""

from __future__ import annotations

import statistics
import typing as t
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """What all rounds of one subject say.

    :param rounds: the figure of each round, in the order of time.
    :param unit: what is counted.
    :param more: other figures of the same rounds, by what they are called.
    """

    rounds: tuple[float, ...]
    unit: str
    more: dict[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])

    @property
    def median(self) -> float:
        """The middle of the rounds."""
        return statistics.median(self.rounds)

    @property
    def spread(self) -> float:
        """The distance of the quartiles."""
        return quartiles(self.rounds)

    def median_of(self, name: str) -> float | None:
        """Return the middle of another figure, ``None`` where no round has it."""
        values = self.more.get(name)
        return statistics.median(values) if values else None

    def as_json(self) -> dict[str, t.Any]:
        """Return everything, as it is written to a file."""
        return {
            "median": round(self.median, 3),
            "spread": round(self.spread, 3),
            "unit": self.unit,
            "rounds": [round(one, 3) for one in self.rounds],
            **{
                name: {"median": round(statistics.median(values), 3), "rounds": [round(v, 3) for v in values]}
                for name, values in self.more.items()
                if values
            },
        }


def quartiles(values: t.Sequence[float]) -> float:
    """Return the distance of the quartiles; of fewer than four values that of the smallest and the largest."""
    if len(values) < 4:
        return max(values) - min(values)
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return third - first


def turns(names: t.Sequence[str], rounds: int) -> t.Iterator[tuple[int, str]]:
    """Yield who is measured when: all of them in each round, the first of which is another one each time."""
    for number in range(rounds):
        for place in range(len(names)):
            yield number, names[(number + place) % len(names)]
