"""The main process: starts workers, replaces them, and stops them.

A reload starts a whole generation of new workers beside the old ones. When each of them has loaded the application, they
begin to answer requests; when each of them does, the old ones are told to leave. When one fails, all of the new ones are
stopped, and the old ones go on.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import sys
import time
import typing as t

from . import notify
from .logs import logger, say
from .processes import Worker

#: Seconds after which a worker that ended by itself is replaced: at once, and later each time, up to the last.
PAUSES = (0.0, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)

#: How often in a row replacements may fail to start while nobody serves; then the server ends.
ATTEMPTS = 5

#: A worker that has served this many seconds was not ended by what it begins with.
STABLE = 60.0

#: Seconds after which being told to stop once more means at once.
AGAIN = 1.0

#: The most seconds to wait for something; the system knows a limit, which a long '--timeout' may exceed.
LONGEST = 3600.0

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SIGNALS = {*_STOP_SIGNALS, signal.SIGHUP}


@contextlib.contextmanager
def holding_signals() -> t.Generator[None]:
    """Hold signals back while nobody hears them: what has been made is removed, and who knows the number may tell it to reload.

    Those that come after the end of the server are forgotten: they want what has happened.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        yield
    finally:
        while waiting := signal.sigpending() & _SIGNALS:
            signal.sigwait(waiting)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Master:
    """The main process.

    :param start: starts a worker, by its number and its generation.
    :param count: how many workers there are.
    :param timeout: the seconds a worker has to end.
    :param started: is called when all have started, with what one has said of the application.
    """

    def __init__(
        self,
        start: t.Callable[[int, int], Worker],
        count: int,
        timeout: float,
        started: t.Callable[[dict[str, t.Any]], object],
    ) -> None:
        self._start = start
        self._count = count
        self._timeout = timeout
        self._started = started
        self._generation = 0
        #: Those that serve, by their numbers.
        self._serving: dict[int, Worker] = {}
        #: Those of a start or a reload, which begin to serve together.
        self._coming: dict[int, Worker] = {}
        #: Those that take the place of a single one.
        self._replacing: dict[int, Worker] = {}
        #: Those that were told to end.
        self._leaving: set[Worker] = set()
        #: Those of them that may still take connections, after a reload.
        self._taking: set[Worker] = set()
        #: When to replace which, and how often that was necessary lately.
        self._due: dict[int, float] = {}
        self._failures: dict[int, int] = {}
        self._signals: list[int] = []
        self._is_stopping, self._stopped_at = False, 0.0
        self._has_served = False
        self._has_terminal = _has_terminal()
        self._exit_code: int | None = None
        self._shown = ""
        self._selector = selectors.DefaultSelector()

    # The loop

    def run(self) -> int:
        """Serve until the end, and return the exit code; called within :func:`holding_signals`."""
        wake, wakes = socket.socketpair()
        for end in (wake, wakes):
            end.setblocking(False)
        self._selector.register(wake, selectors.EVENT_READ)
        handled = (*_SIGNALS, signal.SIGCHLD)
        before = {number: signal.signal(number, self._hear) for number in handled}
        before_fd = signal.set_wakeup_fd(wakes.fileno(), warn_on_full_buffer=False)
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            self._begin()
            while not self._is_over():
                self._selector.select(self._pause())
                self._empty(wake)
                self._act_on_signals()
                self._listen_to_workers()
                self._reap()
                self._keep_up()
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
            signal.set_wakeup_fd(before_fd)
            for number, handler in before.items():
                signal.signal(number, handler)
            for worker in self._all():
                worker.kill()
            self._selector.close()
            wake.close()
            wakes.close()
        return self._exit_code or 0

    def _hear(self, number: int, frame: t.Any) -> None:
        if number != signal.SIGCHLD:
            self._signals.append(number)

    @staticmethod
    def _empty(wake: socket.socket) -> None:
        try:
            while wake.recv(4096):
                pass
        except BlockingIOError:
            pass

    def _is_over(self) -> bool:
        return (self._is_stopping or self._exit_code is not None) and not self._all()

    def _all(self) -> list[Worker]:
        return [
            *self._serving.values(),
            *self._coming.values(),
            *self._replacing.values(),
            *self._leaving,
        ]

    def _pause(self) -> float | None:
        """Return how long nothing has to be done unless something happens."""
        times = [worker.deadline for worker in self._leaving if worker.deadline is not None]
        if not self._coming:
            times += self._due.values()
        return min(LONGEST, max(0.0, min(times) - time.monotonic())) if times else None

    # Signals

    def _act_on_signals(self) -> None:
        while self._signals:
            number = self._signals.pop(0)
            # That is also sent when a terminal is closed, and nobody wants a reload then.
            if number == signal.SIGHUP and _has_terminal() == self._has_terminal:
                self._reload()
            elif self._is_stopping and time.monotonic() < self._stopped_at + AGAIN:
                # The same wish: a supervisor may tell the process, and the group it is in.
                continue
            elif self._is_stopping:
                logger.warning("Told to stop once more: workers are ended at once")
                for worker in self._all():
                    worker.kill()
            else:
                self._stop(signal.Signals(number).name)

    def _stop(self, why: str) -> None:
        logger.info("Stopping (%s); what has been asked is answered first", why)
        notify.send("STOPPING=1")
        self._is_stopping, self._stopped_at = True, time.monotonic()
        self._taking.clear()
        self._due.clear()
        for worker in self._all():
            worker.stop(self._timeout)
        self._leaving.update(self._all())
        self._serving, self._coming, self._replacing = {}, {}, {}

    def _reload(self) -> None:
        if self._is_stopping or self._exit_code is not None:
            return
        logger.info("Reloading: new workers are started")
        notify.send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        self._begin()

    # Starting

    def _begin(self) -> None:
        """Start a generation; one that has not begun to serve is given up."""
        self._generation += 1
        self._give_up(self._coming)
        # When this generation fails, what was due before still is.
        self._due.update(dict.fromkeys(self._replacing, time.monotonic()))
        self._give_up(self._replacing)
        self._coming = {number: self._new(number) for number in range(1, self._count + 1)}

    def _new(self, number: int) -> Worker:
        worker = self._start(number, self._generation)
        self._selector.register(worker.channel.socket, selectors.EVENT_READ, worker)
        logger.debug("Worker %d has process %d", number, worker.pid)
        return worker

    def _give_up(self, workers: dict[int, Worker]) -> None:
        for worker in workers.values():
            if worker.is_ready:
                worker.leave(self._timeout)
            else:
                worker.stop(self._timeout)
        self._leaving.update(workers.values())
        workers.clear()

    def _take_over(self) -> None:
        """Let a generation serve that has started, and the one before it leave."""
        is_first, self._has_served = not self._has_served, True
        old = list(self._serving.values())
        self._serving, self._coming = self._coming, {}
        self._failures.clear()
        self._due.clear()
        self._shown = ""
        for worker in old:
            worker.leave(self._timeout)
        self._leaving.update(old)
        self._taking |= set(old)
        if is_first:
            self._started(self._serving[min(self._serving)].said)
            notify.send("READY=1")
        else:
            self._tell_of_reload()

    def _tell_of_reload(self, left: Worker | None = None) -> None:
        """Say that a reload is done, when none of the old workers takes new connections any more.

        :param left: one that does not.
        """
        if left is not None:
            if left not in self._taking:
                return
            self._taking.discard(left)
        if self._taking or not self._serving:
            return
        numbers = ", ".join(str(worker.pid) for worker in self._serving.values())
        logger.info("Reloaded: new workers serve (%s)", numbers)
        notify.send("READY=1")

    def _refuse(self, worker: Worker, how: str) -> None:
        """Give up a generation of which one has failed to start."""
        self._coming.pop(worker.number, None)
        self._give_up(self._coming)
        text, code = self._why(worker, how)
        self._show(text)
        if self._serving:
            logger.error("Not reloaded: the workers that were there go on. Mend it, and reload once more")
            notify.send("READY=1")
        else:
            if self._has_served:
                logger.error("Nobody serves any more, and the new workers do not start: the server ends")
            self._exit_code = code

    @staticmethod
    def _why(worker: Worker, how: str) -> tuple[str, int]:
        if worker.failure is not None:
            return worker.failure["text"], worker.failure["code"]
        text = (
            f"Error: Worker {worker.number} ended with {how} while it loaded the application. If nothing else is"
            " shown, a library has ended the process."
        )
        return text, 1

    def _show(self, text: str) -> None:
        """Print why a worker has failed, unless the one before it said the same."""
        if text != self._shown:
            say(text)
        self._shown = text

    # What workers say, and how they end

    def _listen_to_workers(self) -> None:
        for worker in self._all():
            messages = worker.channel.receive() if worker.channel.socket.fileno() >= 0 else []
            if messages is None:
                self._forget_channel(worker)
            for message in messages or ():
                self._hear_worker(worker, message)

    def _forget_channel(self, worker: Worker) -> None:
        if worker.channel.socket.fileno() >= 0:
            self._selector.unregister(worker.channel.socket)
            worker.channel.socket.close()

    def _hear_worker(self, worker: Worker, message: dict[str, t.Any]) -> None:
        if message["event"] == "failed":
            worker.failure = message
        elif message["event"] == "left":
            self._tell_of_reload(worker)
        elif message["event"] == "worn":
            if self._serving.get(worker.number) is worker and worker.number not in self._replacing:
                logger.info("Worker %d is replaced: %s", worker.number, message["why"])
                self._due.setdefault(worker.number, time.monotonic())
        elif message["event"] == "loaded":
            worker.has_loaded = True
            worker.said = message
            self._let_go(worker)
        elif message["event"] == "ready":
            worker.is_ready = True
            if self._replacing.get(worker.number) is worker:
                self._replace(worker)
            elif self._coming and all(one.is_ready for one in self._coming.values()):
                self._take_over()

    def _let_go(self, worker: Worker) -> None:
        """Let workers answer requests: one that takes the place of another, and a generation when all have loaded."""
        if self._replacing.get(worker.number) is worker:
            worker.go()
        elif self._coming.get(worker.number) is worker and all(
            one.has_loaded for one in self._coming.values()
        ):
            for one in self._coming.values():
                one.go()

    def _replace(self, worker: Worker) -> None:
        old = self._serving.pop(worker.number, None)
        self._serving[worker.number] = self._replacing.pop(worker.number)
        logger.info("Worker %d serves in process %d", worker.number, worker.pid)
        if old is not None:
            old.leave(self._timeout)
            self._leaving.add(old)

    def _reap(self) -> None:
        now = time.monotonic()
        for worker in self._all():
            how = worker.ended()
            if how is None:
                if worker.deadline is not None and now >= worker.deadline:
                    logger.warning(
                        "Worker %d (process %d) is killed: it has not ended within %g seconds ('--timeout')",
                        worker.number,
                        worker.pid,
                        self._timeout,
                    )
                    worker.kill()
                    worker.deadline = None
                continue
            # What it has said last.
            while messages := worker.channel.receive() if worker.channel.socket.fileno() >= 0 else None:
                for message in messages:
                    self._hear_worker(worker, message)
            self._forget_channel(worker)
            self._has_ended(worker, how)

    def _has_ended(self, worker: Worker, how: str) -> None:
        number = worker.number
        if worker in self._leaving:
            self._leaving.discard(worker)
            self._tell_of_reload(worker)
            if worker.failure is not None and worker.is_ready:
                logger.error("Worker %d ended with an error:\n%s", number, worker.failure["text"])
            logger.debug("Worker %d (process %d) has ended with %s", number, worker.pid, how)
        elif self._coming.get(number) is worker:
            self._refuse(worker, how)
        elif self._replacing.get(number) is worker:
            del self._replacing[number]
            self._show(self._why(worker, how)[0])
            self._try_later(number, f"A new worker {number} did not start")
        elif self._serving.get(number) is worker:
            del self._serving[number]
            if worker.failure is not None:
                self._show(worker.failure["text"])
            if time.monotonic() - worker.began > STABLE:
                self._failures.pop(number, None)
            self._try_later(number, f"Worker {number} (process {worker.pid}) ended by itself, with {how}")

    def _try_later(self, number: int, what: str) -> None:
        failures = self._failures[number] = self._failures.get(number, 0) + 1
        others = [*self._serving, *self._replacing, *self._coming]
        if failures > ATTEMPTS and not others:
            logger.error("%s, %d times in a row: the server ends", what, failures)
            self._exit_code = 1
            self._due.clear()
            return
        pause = PAUSES[min(failures, len(PAUSES)) - 1]
        logger.error("%s. The next is started %s", what, f"in {pause:g} s" if pause else "now")
        self._due[number] = time.monotonic() + pause

    def _keep_up(self) -> None:
        """Start what is due; while a generation starts, it has all that is needed."""
        if self._is_stopping or self._exit_code is not None or self._coming:
            return
        now = time.monotonic()
        for number in [number for number, when in self._due.items() if when <= now]:
            del self._due[number]
            if number not in self._replacing:
                self._replacing[number] = self._new(number)


def _has_terminal() -> bool:
    try:
        return os.isatty(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False
