"""Does the time of a login tell whether there is an account? ``python -m benchmarks.logins``.

Two kinds of logins take turns, in an order of chance: with a wrong password for an account that is there, and for one that is not. The table has
quantiles of both, and how often one of the second kind took longer than one of the first: half the time where they are alike. The
last line says how far from half it is by chance alone (the test of Mann and Whitney).

``--flow`` says what is compared: the check of a password alone, or whole requests to the pages of accounts, with a database of SQLite and
the answer: a login, a registration, a recovery. ``compare`` takes any two calls.
"""

from __future__ import annotations

import argparse
import bisect
import logging
import math
import random
import statistics
import tempfile
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from erlen import Erlen
from erlen.ext.security import Security
from erlen.ext.security.errors import ConfigurationError
from erlen.ext.security.kit import utc_now
from erlen.ext.security.passwords import Passwords
from erlen.ext.security.settings import Settings
from erlen.ext.security.sqlalchemy import SQLAlchemyStore, UserMixin, make_models

from .machine import python, sentence

FLOWS = ("check", "login", "register", "recover")
PASSWORD, WRONG = "correct horse battery staple", "a wrong password"
#: Seconds in which a mail is written and thrown away.
PAUSE = 0.05
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


def compare(
    known: t.Callable[[], object], unknown: t.Callable[[], object], count: int, pause: float = 0
) -> Comparison:
    """Measure two calls in turns.

    :param known: a login for an account that is there.
    :param unknown: one for an account that is not.
    :param count: how often each is called.
    :param pause: seconds after each call for what it has left to do in the background.
    """
    for _ in range(3):
        known()
        unknown()
        time.sleep(pause)
    times: dict[bool, list[float]] = {True: [], False: []}
    order = [True, False] * count
    random.shuffle(order)
    for is_known in order:
        call = known if is_known else unknown
        start = time.perf_counter()
        call()
        times[is_known].append(time.perf_counter() - start)
        time.sleep(pause)
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
    stored = passwords.hash(PASSWORD)
    return lambda: passwords.verify(WRONG, stored), lambda: passwords.verify(WRONG, None)


class _Base(DeclarativeBase):
    pass


class _User(UserMixin, _Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)


_MODELS = make_models(_Base, _User)


class _Sink:
    """Gets mails in the background, as a mail server does, and throws them away."""

    def send(self, mail: object) -> None:
        """Do nothing."""


def site(folder: Path, memory: int, accounts: int) -> Erlen:
    """Return an application with accounts in a database of SQLite.

    :param folder: where the database is.
    :param memory: KiB of memory a password costs.
    :param accounts: how many there are: ``known0@example.com`` and so on.
    """

    engine = create_engine(f"sqlite:///{folder / 'accounts.db'}")
    _Base.metadata.create_all(engine)
    store = SQLAlchemyStore(sessionmaker(engine), _MODELS)
    app = Erlen(__name__)
    # A line for each event would hide the table.
    logging.getLogger("erlen.security").addHandler(logging.NullHandler())
    app.config.update(SECRET_KEY="of the benchmark", SECURITY_SITE_URL="https://example.test")
    app.config.update(SECURITY_ARGON2_MEMORY=memory, SECURITY_MAIL_SENDER="accounts@example.test")
    # What is measured is the answer of those who are under every limit.
    app.config.update(dict.fromkeys(("SECURITY_LOGIN_RATE", "SECURITY_MAIL_RATE"), "1000000 per minute"))
    app.config.update(SECURITY_LOCK_AFTER=1_000_000)
    Security(app, store=store, mailer=_Sink())
    hashed, now = Passwords(Settings(argon2_memory=memory)).hash(PASSWORD), utc_now()
    for number in range(accounts):
        email = f"known{number}@example.com"
        store.add_user(email=email, email_key=email, password_hash=hashed, activated_at=now)
    return app


def of_requests(
    flow: str, app: Erlen, accounts: int
) -> tuple[t.Callable[[], object], t.Callable[[], object]]:
    """Return a request about an account that is there, and one about an account that is not; each call has another address.

    :param flow: ``login``, ``register`` or ``recover``.
    :param app: the application.
    :param accounts: how many it has.
    """
    client = app.test_client()
    expected = {"login": 400, "register": 202, "recover": 202}[flow]

    def request(kind: str) -> t.Callable[[], None]:
        numbers = iter(range(accounts))

        def call() -> None:
            values = {"email": f"{kind}{next(numbers)}@example.com"}
            if flow != "recover":
                values["password"] = WRONG if flow == "login" else "another long sentence"
            answer = client.post(f"/account/{flow}", json=values, headers={"Accept": "application/json"})
            if answer.status_code != expected:
                raise RuntimeError(f"The request was answered with {answer.status}: {answer.text}")

        return call

    return request("known"), request("other")


def main() -> None:
    """Measure one flow, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.logins",
        description="Compare the time of logins for known and unknown accounts.",
    )
    parser.add_argument("--count", type=int, default=500, help="how many logins of each kind; 500 by default")
    parser.add_argument(
        "--memory", type=int, default=Settings().argon2_memory, help="KiB of memory a password costs"
    )
    parser.add_argument("--flow", choices=FLOWS, default="check", help="what is compared; check by default")
    arguments = parser.parse_args()
    if arguments.count < 2:
        parser.error(f"--count {arguments.count}: two are the fewest that have a distribution")
    try:
        settings = Settings(argon2_memory=arguments.memory)
    except ConfigurationError as error:
        parser.error(str(error))
    print(f"{python()}, {sentence()}\n")
    if arguments.flow == "check":
        print(table(compare(*of_passwords(settings), arguments.count)))
        return
    # The first calls, which are not measured, have an address as well.
    accounts = arguments.count + 3
    with tempfile.TemporaryDirectory() as folder:
        app = site(Path(folder), arguments.memory, accounts)
        calls = of_requests(arguments.flow, app, accounts)
        print(table(compare(*calls, arguments.count, PAUSE)))
        time.sleep(1)


if __name__ == "__main__":
    main()
