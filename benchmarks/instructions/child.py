"""The process whose instructions are counted: one case, or the calibration, warmed up and run in several lengths."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sys
import types
import typing as t
from collections import Counter

from ..suites import SUITES
from .calibration import Calibration

#: What is measured, by protocol: Erlen as it starts.
SUBJECTS = {"WSGI": "erlen", "ASGI": "erlen-async"}

CALIBRATION = "calibration"


def main(arguments: list[str]) -> None:
    """Run ``count`` or ``calls``.

    :param arguments: which of the two; the protocol or ``calibration``; the case; the numbers of requests, the first to
        warm up.
    """
    what, protocol, case, *numbers = arguments
    first, *lengths = [int(number) for number in numbers]
    with ready(protocol, case) as one:
        one.loops = first
        one.time_loops()
        # What stands is left alone, and nobody collects in the middle of a count.
        gc.collect()
        gc.freeze()
        gc.disable()
        if what == "count":
            count(one, lengths)
        else:
            json.dump(calls(one, lengths), sys.stdout)


class Loops(t.Protocol):
    """What is run: a subject ready for the request of a case, or the calibration."""

    #: How often.
    loops: int

    def time_loops(self) -> float:
        """Run; the seconds are of no interest here."""
        ...


@contextlib.contextmanager
def ready(protocol: str, case: str) -> t.Generator[Loops]:
    """Give Erlen's application for a case, with its answer checked."""
    if protocol == CALIBRATION:
        yield Calibration()
        return
    [suite] = [suite for suite in SUITES if suite.protocol == protocol]
    name = SUBJECTS[protocol]
    with suite.preparing() as prepare:
        one = prepare(suite.cases[case], name, suite.subjects[name])
        assert one is not None, f"Erlen has no application for {case!r}"
        yield one


def count(one: Loops, lengths: list[int]) -> None:
    """Run the lengths, with a mark before, between and behind them.

    The mark is a call of ``getsid``, where callgrind writes down what it has counted since the last one. It is a function
    of the C library, so its name is there in any build, and nothing else here calls it.
    """
    os.getsid(0)
    for length in lengths:
        one.loops = length
        one.time_loops()
        os.getsid(0)


def calls(one: Loops, lengths: list[int]) -> dict[str, int]:
    """Return which functions a request calls and how often, without what is called once a run."""
    few, many = lengths
    fewer, more = called(one, few), called(one, many)
    each = {name: round((more[name] - fewer[name]) / (many - few)) for name in more}
    return {name: times for name, times in sorted(each.items()) if times}


def called(one: Loops, length: int) -> Counter[str]:
    """Return how often each function is called while ``length`` requests are answered."""
    seen: Counter[str] = Counter()

    def note(frame: types.FrameType, event: str, argument: object) -> None:
        if event == "call":
            seen[f"{frame.f_globals.get('__name__', '?')}.{frame.f_code.co_qualname}"] += 1
        elif event == "c_call":
            seen[_name_in_c(argument)] += 1

    one.loops = length
    sys.setprofile(note)
    try:
        one.time_loops()
    finally:
        sys.setprofile(None)
    return seen


def _name_in_c(function: t.Any) -> str:
    module = getattr(function, "__module__", None)
    name: str = function.__qualname__
    return name if module in {None, "builtins"} else f"{module}.{name}"


if __name__ == "__main__":
    main(sys.argv[1:])
