"""The measuring: equal answers first, then interleaved rounds."""

from __future__ import annotations

import gc
import io
import json
import statistics
import time
import typing as t
from dataclasses import dataclass

from .apps import Subject
from .cases import Case, Environ, environ_of, session_content

Application = t.Callable[[Environ, t.Any], t.Iterable[bytes]]

#: A round of one subject takes about this long, in seconds: short, so that all meet the same noise.
ROUND = 0.02


class Unequal(Exception):
    """A subject does not answer as the case says, so comparing times would mean nothing."""


@dataclass(frozen=True)
class Timing:
    """Microseconds a request: the median of all rounds, and the distance of their quartiles."""

    median: float
    spread: float
    rounds: tuple[float, ...]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def cookie(self) -> str:
        """What a browser sends back of the cookie that was set."""
        return (self.header("set-cookie") or "").partition(";")[0]


def ask(application: Application, environ: Environ, sent: bytes) -> Answer:
    """Send one request and read the whole answer."""
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: t.Any = None) -> t.Any:
        started.append((status, headers))

    environ["wsgi.input"] = io.BytesIO(sent)
    result = application(environ, start_response)
    body = b"".join(result)
    if hasattr(result, "close"):
        t.cast(t.Any, result).close()
    status, headers = started[0]
    return Answer(int(status[:3]), tuple(headers), body)


@dataclass
class Runnable:
    """A subject with its application and the environ of a case."""

    name: str
    application: Application
    environ: Environ
    sent: bytes
    loops: int = 1

    def time_loops(self) -> float:
        """Return the seconds that ``loops`` requests took."""
        application, environ, sent, loops = self.application, self.environ, self.sent, self.loops
        copy, stream = environ.copy, io.BytesIO

        def start_response(status: str, headers: t.Any, exc_info: t.Any = None) -> None:
            return None

        began = time.perf_counter()
        for _ in range(loops):
            # Each request has an environ and a stream of its own, as a server makes them; all subjects pay for it.
            request = copy()
            request["wsgi.input"] = stream(sent)
            result = application(request, start_response)
            for _ in result:
                pass
            # PEP 3333: a server closes what can be closed.
            if hasattr(result, "close"):
                t.cast(t.Any, result).close()
        return time.perf_counter() - began


def prepare(case: Case, name: str, subject: Subject) -> Runnable | None:
    """Make a subject's application and check its answer, ``None`` where the framework lacks what the case needs.

    :raises Unequal: for an answer that is not the case's.
    """
    make = subject.factory(case.factory)
    if make is None:
        return None
    options = dict(subject.options)
    if case.size is not None:
        options["size"] = case.size
    application = make(**options)
    cookies = "" if case.login is None else ask(application, environ_of(case, path=case.login), b"").cookie
    environ = environ_of(case, cookies)
    check(case, name, ask(application, environ.copy(), case.sent))
    return Runnable(name, application, environ, case.sent)


def check(case: Case, name: str, answer: Answer) -> None:
    """Raise :exc:`Unequal` where an answer's status, content type, body or session is not the case's."""
    if answer.status != case.status:
        raise Unequal(f"{name} answers {answer.status}, not {case.status}: {answer.body[:200]!r}")
    kind = answer.header("content-type")
    if case.content_type is not None and (kind or "").lower() != case.content_type:
        raise Unequal(f"{name} answers with the content type {kind!r}, not {case.content_type!r}")
    if case.body is not None and normal(case, answer.body) != normal(case, case.body):
        raise Unequal(f"{name} answers {answer.body[:200]!r}, not {case.body[:200]!r}")
    if case.sets_cookie:
        content = session_content(answer.cookie.partition("=")[2])
        if content != {"user": "ann", "cart": [1, 2]}:
            raise Unequal(f"{name} keeps {content!r} in its session")


def normal(case: Case, body: bytes) -> t.Any:
    """Return a body as it is compared: of JSON what it says, as separators and a last line break are free."""
    return json.loads(body) if case.content_type == "application/json" else body


def measure(case: Case, subjects: dict[str, Subject], rounds: int) -> dict[str, Timing | None]:
    """Time a case with every subject, in turns, so that a slower spell of the machine meets all of them.

    :raises Unequal: where the answers are not the same.
    """
    prepared = {name: prepare(case, name, subject) for name, subject in subjects.items()}
    running = [one for one in prepared.values() if one is not None]
    for one in running:
        calibrate(one)
    # What the applications are made of stays, so the collector need not walk it: 5,000 routes of four frameworks
    # would make each of them slower in the rounds of the others.
    gc.collect()
    gc.freeze()
    seconds: dict[str, list[float]] = {one.name: [] for one in running}
    for turn in range(rounds):
        # The first of a round is another one each time.
        for place in range(len(running)):
            one = running[(turn + place) % len(running)]
            # The same for all: nobody pays for another's garbage, and nobody's own is free.
            gc.collect()
            seconds[one.name].append(one.time_loops() / one.loops)
    gc.unfreeze()
    return {name: timing(seconds[name]) if name in seconds else None for name in subjects}


def calibrate(one: Runnable) -> None:
    """Warm a subject up, and find how many requests make a round."""
    one.loops = 20
    one.time_loops()
    spent = one.time_loops() / one.loops
    one.loops = max(20, int(ROUND / spent))
    one.time_loops()


def timing(seconds: list[float]) -> Timing:
    """Return the median and the distance of the quartiles, in microseconds."""
    figures = sorted(1e6 * one for one in seconds)
    first, _, third = statistics.quantiles(figures, n=4) if len(figures) > 1 else (figures[0],) * 3
    return Timing(statistics.median(figures), third - first, tuple(1e6 * one for one in seconds))
