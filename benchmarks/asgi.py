"""Requests over ASGI 3, all on one event loop, each with a scope, a header list and a ``receive`` of its own."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import typing as t
from dataclasses import dataclass, field

from .answers import Answer, checked, introduce
from .apps import Subject
from .cases import Case, Scope, scope_of
from .clock import now
from .runner import Prepare, Runnable, Stock

#: Bytes of a body in one message, as the servers read them.
PART = 1 << 16

DISCONNECT: dict[str, t.Any] = {"type": "http.disconnect"}

Message = dict[str, t.Any]
Receive = t.Callable[[], t.Awaitable[Message]]
Send = t.Callable[[Message], t.Awaitable[None]]
Application = t.Callable[[Scope, Receive, Send], t.Awaitable[None]]


def parts_of(sent: bytes) -> tuple[Message, ...]:
    """Return the messages a body arrives in: servers hand it on as they read it, 64 KiB at most."""
    pieces = [sent[start : start + PART] for start in range(0, len(sent), PART)] or [b""]
    last = len(pieces) - 1
    return tuple(
        {"type": "http.request", "body": piece, "more_body": number < last}
        for number, piece in enumerate(pieces)
    )


def exchange(parts: tuple[Message, ...], kept: list[Message] | None = None) -> tuple[Receive, Send]:
    """Return the ``receive`` and the ``send`` of one request: the body at once, and a disconnect after the answer.

    :param kept: where the messages of the answer go, ``None`` to drop them.
    """
    left = list(reversed(parts))
    ended = False
    waiting: asyncio.Future[Message] | None = None

    async def receive() -> Message:
        nonlocal waiting
        if left:
            # A copy: what was handed out belongs to the application.
            return left.pop().copy()
        if ended:
            return DISCONNECT.copy()
        # The client stays connected until it has its answer.
        waiting = asyncio.get_running_loop().create_future()
        return await waiting

    async def send(message: Message) -> None:
        nonlocal ended
        if kept is not None:
            kept.append(message)
        if not message.get("more_body") and message["type"] == "http.response.body":
            ended = True
            if waiting is not None and not waiting.done():
                waiting.set_result(DISCONNECT.copy())

    return receive, send


def own(scope: Scope) -> Scope:
    """Return a copy for one request; an application may write into the scope and its list of headers."""
    request = scope.copy()
    request["headers"] = request["headers"].copy()
    return request


async def ask(application: Application, scope: Scope, sent: bytes) -> Answer:
    """Send one request and read the whole answer."""
    messages: list[Message] = []
    await application(own(scope), *exchange(parts_of(sent), messages))
    start, *parts = messages
    headers = tuple((name.decode("latin1"), value.decode("latin1")) for name, value in start["headers"])
    return Answer(start["status"], headers, b"".join(part.get("body", b"") for part in parts))


@dataclass
class Lifespan:
    """Start-up and shut-down of an application, for those that know the lifespan protocol and those that do not."""

    application: Application
    _messages: asyncio.Queue[Message] = field(default_factory=asyncio.Queue[Message])
    _answers: asyncio.Queue[Message] = field(default_factory=asyncio.Queue[Message])
    _task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Have the application get ready.

        :raises RuntimeError: where it says that it cannot.
        """
        self._task = asyncio.create_task(self._run())
        answer = await self._ask("startup")
        if answer is not None and answer["type"] != "lifespan.startup.complete":
            raise RuntimeError(f"the application does not start: {answer}")

    async def stop(self) -> None:
        """Have the application end what it started."""
        await self._ask("shutdown")
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        scope: Scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        # The specification: whatever is raised here means that the application does without the protocol.
        with contextlib.suppress(Exception):
            await self.application(scope, self._messages.get, self._answers.put)

    async def _ask(self, what: str) -> Message | None:
        """Return what the application says to an event, ``None`` where it has left the protocol."""
        assert self._task is not None
        self._messages.put_nowait({"type": f"lifespan.{what}"})
        answer = asyncio.ensure_future(self._answers.get())
        await asyncio.wait((self._task, answer), return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        return None


@dataclass
class AsgiRunnable:
    """A subject with its application, started, and the scope of a case."""

    runner: asyncio.Runner
    application: Application
    scope: Scope
    parts: tuple[Message, ...]
    answer: Answer
    loops: int = 1

    def time_loops(self) -> float:
        """Return the seconds that ``loops`` requests took."""
        # A context of its own: no subject looks for its variables among those another has set.
        return self.runner.run(self._time_loops(), context=contextvars.Context())

    async def _time_loops(self) -> float:
        application, scope, parts, loops = self.application, self.scope, self.parts, self.loops

        # A thread pool may live as long as the loop runs, here one round: not timed is the request that fills it.
        await application(own(scope), *exchange(parts))
        began = now()
        for _ in range(loops):
            await application(own(scope), *exchange(parts))
        # What a subject has left to the loop is part of its requests.
        await asyncio.sleep(0)
        return now() - began


def prepare(runner: asyncio.Runner, stock: Stock, case: Case, name: str, subject: Subject) -> Runnable | None:
    """Get a subject's application and check its answer, ``None`` where the framework lacks what the case needs.

    :raises Unequal: for an answer that is not the case's.
    """
    application = stock.application(case, name, subject)
    if application is None:
        return None

    def asking(case: Case, more: tuple[tuple[str, str], ...]) -> Answer:
        return runner.run(ask(application, scope_of(case, more), case.sent))

    more = introduce(case, name, asking)
    answer = checked(case, name, asking, more)
    return AsgiRunnable(runner, application, scope_of(case, more), parts_of(case.sent), answer)


@contextlib.contextmanager
def living(runner: asyncio.Runner, application: Application) -> t.Generator[None]:
    """Start an application, and stop it after the block."""
    lifespan = Lifespan(application)
    runner.run(lifespan.start())
    try:
        yield
    finally:
        runner.run(lifespan.stop())


@contextlib.contextmanager
def preparing() -> t.Generator[Prepare]:
    """Give ``prepare`` the loop that all subjects run on and its stock of applications, for the time of the block."""
    with (
        asyncio.Runner() as runner,
        contextlib.closing(Stock(functools.partial(living, runner))) as stock,
    ):
        yield functools.partial(prepare, runner, stock)
