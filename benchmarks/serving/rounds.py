"""The rounds: for each a new process, warmed, checked, loaded, and ended."""

from __future__ import annotations

import typing as t

from ..figures import Figure, turns
from . import wrk
from .process import Process, pinned
from .servers import Server
from .targets import Target
from .wrk import Failed, Load


class Round(t.NamedTuple):
    """What one round says of one subject.

    :param p99: in milliseconds.
    :param processor: microseconds of a core that the server has spent on a request; ``None`` where the system does
        not tell.
    """

    rps: float
    p99: float
    processor: float | None
    requests: int


def measure(
    server: Server,
    targets: t.Mapping[str, Target],
    load: Load,
    rounds: int,
    told: t.Callable[[str], None] = lambda text: None,
) -> dict[str, Figure]:
    """Load each target in turns, so that a slower spell of the machine meets all of them.

    :param targets: by name.
    :param told: hears what is measured now.
    :raises Failed: where one does not start, answers wrong, or has errors under load.
    """
    figures: dict[str, list[Round]] = {name: [] for name in targets}
    for number, name in turns(list(targets), rounds):
        told(f"{server.heading}: {targets[name].title}, round {number + 1} of {rounds}")
        try:
            figures[name].append(one_round(server, targets[name], load))
        except Failed as error:
            raise Failed(f"{targets[name].title} on {server.heading}: {error}") from None
    return {name: figure(values) for name, values in figures.items()}


def one_round(server: Server, target: Target, load: Load) -> Round:
    """Start a server, load it once, and end it.

    :raises Failed: where it does not start, answers wrong, or has errors under load.
    """
    line = [*pinned(1)]
    with Process(server.command(target.app), target.variables) as process:
        target.check(process.wait(target.path, target.headers))
        process.warm(target.path, target.headers)
        before = process.processor_time()
        result = wrk.run([*line, *wrk.command(load, process.port, target.path, target.headers)], load)
        after = process.processor_time()
        # The load has not broken it.
        target.check(process.ask(target.path, target.headers))
    spent = None if before is None or after is None else 1e6 * (after - before) / max(1, result.requests)
    return Round(result.rps, result.p99, spent, result.requests)


def figure(rounds: t.Sequence[Round]) -> Figure:
    """Return the rounds of one subject as one figure."""
    return Figure(
        tuple(one.rps for one in rounds),
        "requests/s",
        {
            "p99_ms": tuple(one.p99 for one in rounds),
            "processor_us": tuple(one.processor for one in rounds if one.processor is not None),
            "requests": tuple(float(one.requests) for one in rounds),
        },
    )
