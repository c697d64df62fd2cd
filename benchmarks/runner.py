"""The measuring, the same for both protocols: equal answers first, then interleaved rounds."""

from __future__ import annotations

import contextlib
import gc
import statistics
import typing as t
from dataclasses import dataclass

from .answers import Answer
from .apps import Subject
from .cases import Case

#: A round of one subject takes about this long, in seconds: short, so that all meet the same noise.
ROUND = 0.02

#: Requests of a round at the least, and rounds of a case that takes long: enough for a median.
FEWEST_REQUESTS, FEWEST_ROUNDS = 4, 5


@dataclass(frozen=True)
class Timing:
    """Microseconds a request: the median of all rounds, and the distance of their quartiles."""

    median: float
    spread: float
    rounds: tuple[float, ...]


class Runnable(t.Protocol):
    """A subject with its application, ready for the request of a case."""

    #: What it answers, as was checked.
    answer: Answer
    #: Requests of one round.
    loops: int

    def time_loops(self) -> float:
        """Return the seconds that ``loops`` requests took."""
        ...


#: Makes a subject's application and checks its answer; ``None`` where the framework lacks what the case needs.
Prepare = t.Callable[[Case, str, Subject], "Runnable | None"]


def make_application(case: Case, subject: Subject) -> t.Any:
    """Return a subject's application for a case, ``None`` where the framework lacks what the case needs."""
    make = subject.factory(case.factory)
    if make is None:
        return None
    options = dict(subject.options)
    if case.size is not None:
        options["size"] = case.size
    return make(**options)


#: Starts an application for the time of a block.
Start = t.Callable[[t.Any], contextlib.AbstractContextManager[t.Any]]


class Stock:
    """The applications of a case, kept for those that follow and ask for the same: 5,000 routes take some 10 seconds.

    :param start: that of the protocol.
    """

    def __init__(self, start: Start = contextlib.nullcontext) -> None:
        self._start = start
        self._key: tuple[str, int | None] | None = None
        self._made: dict[str, t.Any] = {}
        self._running = contextlib.ExitStack()

    def application(self, case: Case, name: str, subject: Subject) -> t.Any:
        """Return a subject's application, started; ``None`` where the framework lacks what the case needs."""
        key = case.factory, case.size
        if key != self._key:
            self.close()
            self._key = key
        if name not in self._made:
            application = make_application(case, subject)
            if application is not None:
                self._running.enter_context(self._start(application))
            self._made[name] = application
        return self._made[name]

    def close(self) -> None:
        """End all of them."""
        self._made.clear()
        self._running.close()


def measure(
    case: Case, subjects: dict[str, Subject], rounds: int, prepare: Prepare
) -> dict[str, Timing | None]:
    """Time a case with every subject, in turns, so that a slower spell of the machine meets all of them.

    :param prepare: that of the protocol.
    :raises Unequal: where the answers are not the same.
    """
    running = prepared(case, subjects, prepare)
    spent = sum(calibrate(one) for one in running.values())
    # Twice as long as a case of cheap requests, no longer: one request may take more than a round should.
    affordable = int(2 * rounds * ROUND * len(running) / spent)
    seconds = take_turns(running, min(rounds, max(affordable, FEWEST_ROUNDS)))
    return {name: timing(seconds[name]) if name in seconds else None for name in subjects}


def prepared(case: Case, subjects: dict[str, Subject], prepare: Prepare) -> dict[str, Runnable]:
    """Return all subjects that have what a case needs, with their answers checked.

    :raises Unequal: where the answers are not the same.
    """
    running: dict[str, Runnable] = {}
    for name, subject in subjects.items():
        try:
            one = prepare(case, name, subject)
        except Exception as error:
            error.add_note(f"raised by {name}")
            raise
        if one is not None:
            running[name] = one
    return running


def take_turns(running: dict[str, Runnable], rounds: int) -> dict[str, list[float]]:
    """Return the seconds a request took in each round of each subject."""
    # What the applications are made of stays, so the collector need not walk it: 5,000 routes of four frameworks
    # would make each of them slower in the rounds of the others.
    gc.collect()
    gc.freeze()
    names = list(running)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        # The first of a round is another one each time.
        for place in range(len(names)):
            name = names[(turn + place) % len(names)]
            one = running[name]
            # The same for all: nobody pays for another's garbage, and nobody's own is free.
            gc.collect()
            seconds[name].append(one.time_loops() / one.loops)
    gc.unfreeze()
    return seconds


def calibrate(one: Runnable) -> float:
    """Warm a subject up, find how many requests make a round, and return how long that takes, in seconds."""
    one.loops = FEWEST_REQUESTS
    one.time_loops()
    for loops in (FEWEST_REQUESTS, 20):
        one.loops = loops
        spent = one.time_loops()
        if spent > ROUND:
            break
    one.loops = max(FEWEST_REQUESTS, int(ROUND * one.loops / spent))
    return one.time_loops()


def timing(seconds: list[float]) -> Timing:
    """Return the median and the distance of the quartiles, in microseconds."""
    figures = sorted(1e6 * one for one in seconds)
    first, _, third = statistics.quantiles(figures, n=4) if len(figures) > 1 else (figures[0],) * 3
    return Timing(statistics.median(figures), third - first, tuple(1e6 * one for one in seconds))
