"""Does the time of a login tell whether there is an account? ``python -m benchmarks.logins``.

Two kinds of logins take turns, in an order of chance: with a wrong password for an account that is there, and for one that is not. The table has
quantiles of both, and how often one of the second kind took longer than one of the first: half the time where they are alike. The
last line says how far from half it is by chance alone (the test of Mann and Whitney).

``compare`` takes any two calls, so that whole logins, with database and answer, are compared by the same lines.
"""

from __future__ import annotations

import argparse
import bisect
import math
import random
import statistics
import time
import typing as t
from dataclasses import dataclass

from erlen.ext.security.errors import ConfigurationError
from erlen.ext.security.passwords import Passwords
from erlen.ext.security.settings import Settings

from .machine import python, sentence

QUANTILES = (5, 25, 50, 75, 95, 99)


@dataclass(frozen=True)
class Comparison:
    """The times of two calls.

    :param known: seconds of each call for an account that is there.
    :param unknown: the same for one that is not.
    """

    known: tuple[float, ...]
    unknown: tuple[float, ...]

    @property
    def longer(self) -> float:
        """How often an unknown account takes longer than a known one, from 0 to 1; ties count half."""
        ordered = sorted(self.known)
        below = sum(
            bisect.bisect_left(ordered, one) + bisect.bisect_right(ordered, one) for one in self.unknown
        )
        return below / (2 * len(self.known) * len(self.unknown))

    @property
    def chance(self) -> float:
        """How likely two samples of one distribution are as far from half as these, by the normal approximation."""
        first, second = len(self.known), len(self.unknown)
        deviation = math.sqrt((first + second + 1) / (12 * first * second))
        return math.erfc(abs(self.longer - 0.5) / deviation / math.sqrt(2))


def compare(known: t.Callable[[], object], unknown: t.Callable[[], object], count: int) -> Comparison:
    """Measure two calls in turns.

    :param known: a login for an account that is there.
    :param unknown: one for an account that is not.
    :param count: how often each is called.
    """
    for _ in range(3):
        known(), unknown()
    times: dict[bool, list[float]] = {True: [], False: []}
    order = [True, False] * count
    random.shuffle(order)
    for is_known in order:
        call = known if is_known else unknown
        start = time.perf_counter()
        call()
        times[is_known].append(time.perf_counter() - start)
    return Comparison(tuple(times[True]), tuple(times[False]))


def table(comparison: Comparison) -> str:
    """Return the figures as lines of text."""
    lines = [f"{'milliseconds':14}{'known':>10}{'unknown':>10}{'difference':>12}"]
    known, unknown = (
        statistics.quantiles(times, n=100, method="inclusive")
        for times in (comparison.known, comparison.unknown)
    )
    for percent in QUANTILES:
        one, other = known[percent - 1] * 1000, unknown[percent - 1] * 1000
        lines.append(
            f"{'median' if percent == 50 else f'{percent} %':14}{one:10.3f}{other:10.3f}{(other - one) / one:12.2%}"
        )
    longer, chance = comparison.longer, comparison.chance
    lines += [
        "",
        f"An unknown account took longer in {longer:.1%} of all pairs; 50 % is what nobody can tell apart.",
        f"Samples of one distribution are as far from 50 % in {chance:.1%} of all cases.",
    ]
    return "\n".join(lines)


def of_passwords(settings: Settings) -> tuple[t.Callable[[], object], t.Callable[[], object]]:
    """Return the check of a password alone, with a stored hash and without."""
    passwords = Passwords(settings)
    stored = passwords.hash("correct horse battery staple")
    return lambda: passwords.verify("a wrong password", stored), lambda: passwords.verify(
        "a wrong password", None
    )


def main() -> None:
    """Measure the check of a password, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.logins", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--count", type=int, default=500, help="how many logins of each kind; 500 by default")
    parser.add_argument(
        "--memory", type=int, default=Settings().argon2_memory, help="KiB of memory a password costs"
    )
    arguments = parser.parse_args()
    if arguments.count < 2:
        parser.error(f"--count {arguments.count}: two are the fewest that have a distribution")
    try:
        known, unknown = of_passwords(Settings(argon2_memory=arguments.memory))
    except ConfigurationError as error:
        parser.error(str(error))
    print(f"{python()}, {sentence()}\n")
    print(table(compare(known, unknown, arguments.count)))


if __name__ == "__main__":
    main()
