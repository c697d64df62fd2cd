"""Requests over WSGI (PEP 3333), each with an environ and a stream of its own."""

from __future__ import annotations

import contextlib
import functools
import io
import typing as t
from dataclasses import dataclass

from .answers import Answer, checked, introduce
from .apps import Subject
from .cases import Case, Environ, environ_of
from .clock import now
from .runner import Prepare, Runnable, Stock

Application = t.Callable[[Environ, t.Any], t.Iterable[bytes]]


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
class WsgiRunnable:
    """A subject with its application and the environ of a case."""

    application: Application
    environ: Environ
    sent: bytes
    answer: Answer
    loops: int = 1

    def time_loops(self) -> float:
        """Return the seconds that ``loops`` requests took."""
        application, environ, sent, loops = self.application, self.environ, self.sent, self.loops
        copy, stream = environ.copy, io.BytesIO

        def start_response(status: str, headers: t.Any, exc_info: t.Any = None) -> None:
            return None

        began = now()
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
        return now() - began


def prepare(stock: Stock, case: Case, name: str, subject: Subject) -> Runnable | None:
    """Get a subject's application and check its answer, ``None`` where the framework lacks what the case needs.

    :raises Unequal: for an answer that is not the case's.
    """
    application = stock.application(case, name, subject)
    if application is None:
        return None

    def asking(case: Case, more: tuple[tuple[str, str], ...]) -> Answer:
        return ask(application, environ_of(case, more), case.sent)

    more = introduce(case, name, asking)
    answer = checked(case, name, asking, more)
    return WsgiRunnable(application, environ_of(case, more), case.sent, answer)


@contextlib.contextmanager
def preparing() -> t.Generator[Prepare]:
    """Give ``prepare`` its stock of applications, for the time of the block."""
    with contextlib.closing(Stock()) as stock:
        yield functools.partial(prepare, stock)
