"""The end of the serving process: by a signal, or because it is to be started again; never by waiting for ever."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
import typing as t

#: How many seconds a server has to end its connections, then the application its life span, then threads their work.
SERVER, LIFE_SPAN, THREADS = 1.5, 10.0, 0.4

#: How long a signal may be noted, and not heard.
WAKING = 0.1


def signals_of_end() -> list[signal.Signals]:
    """Return the signals that are heard: among them that of a terminal that was closed, unless somebody wants that ignored."""
    found = [signal.SIGINT, signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:
        found.append(signal.SIGHUP)
    return found


class Ending:
    """Hears that the process is to end, and sees to it that it does.

    :param owns_process: whether the process may be ended with whatever still runs in it.
    """

    def __init__(self, owns_process: bool) -> None:
        self._owns_process = owns_process
        #: The exit code, when something has asked for the end.
        self.code: int | None = None
        #: The signal that has asked.
        self.signal: int | None = None
        #: Ends the server; where there is none, a signal raises :exc:`KeyboardInterrupt`.
        self.stop: t.Callable[[], object] | None = None
        self._server_ended = threading.Event()
        self._over = threading.Event()

    @contextlib.contextmanager
    def hearing_signals(self) -> t.Generator[None]:
        """Hear the signals that mean the end, where that is possible."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handlers = {number: signal.signal(number, self._hear) for number in signals_of_end()}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                # The application may have set its own.
                if signal.getsignal(number) == self._hear:
                    signal.signal(number, handler)

    @contextlib.contextmanager
    def waking(self) -> t.Generator[None]:
        """See to it that a signal is heard at once.

        Python notes a signal, and calls its handler when the main thread gets there. Where that is about to wait for something
        else, it may wait with the signal noted, until the next one.
        """
        if os.name != "posix" or threading.current_thread() is not threading.main_thread():
            yield
            return
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        threading.Thread(target=self._wake, args=(reading,), name="erlen-signals", daemon=True).start()
        try:
            yield
        finally:
            signal.set_wakeup_fd(before)
            os.close(writing)

    def _wake(self, reading: int) -> None:
        main = threading.main_thread().ident
        assert main is not None
        with open(reading, "rb", buffering=0) as signals:
            while numbers := signals.read(16):
                time.sleep(WAKING)
                for number in {signal.SIGINT, signal.SIGTERM}.intersection(numbers):
                    if self.code is None and signal.getsignal(number) == self._hear:
                        # It is noted once, however often it comes.
                        signal.pthread_kill(main, number)

    @contextlib.contextmanager
    def hearing_for_loop(self) -> t.Generator[None]:
        """Hear signals while an event loop runs, in place of handlers of the application, which are called afterwards.

        They may raise, and what they raise would end a loop in the middle of something.
        """
        with self.hearing_signals():
            yield
        if self.signal is not None and callable(signal.getsignal(self.signal)) and not self._is_heard_here():
            signal.raise_signal(self.signal)

    def hear_again(self) -> None:
        """Hear Ctrl-C again after a breakpoint: the debugger keeps it for itself when the program goes on."""
        if threading.current_thread() is threading.main_thread() and self.code is None:
            signal.signal(signal.SIGINT, self._hear)

    def _is_heard_here(self) -> bool:
        assert self.signal is not None
        return signal.getsignal(self.signal) == self._hear

    @property
    def ends_process(self) -> bool:
        """Whether the process is to end with the server: after Ctrl-C in 'app.run()' a script goes on."""
        return self.code is not None and (self._owns_process or self.signal != signal.SIGINT)

    def _hear(self, number: int, frame: object) -> None:
        if self.code is not None:
            if number == signal.SIGINT and self.signal == number and self._owns_process:
                leave(128 + number)
            return
        self.signal, self.code = number, 0 if self.stop is not None else 128 + number
        if self._owns_process:
            threading.Thread(target=self._bound, args=(None,), name="erlen-ending", daemon=True).start()
        if self.stop is None:
            raise KeyboardInterrupt
        self.stop()

    def is_asked(self, code: int | None = None) -> bool:
        """Return whether something has asked for the end, with one code or with any.

        :param code: the exit code.
        """
        return self.code is not None if code is None else self.code == code

    def ask(self, code: int) -> None:
        """End the server from another thread, and be sure of it.

        :param code: the exit code.
        """
        if self.code is not None:
            return
        self.code = code
        if self.stop is not None:
            self.stop()
        self._bound(LIFE_SPAN)

    def insist(self) -> None:
        """See to an end that something else has asked for, and that may take as long as it likes."""
        if not self._over.wait(LIFE_SPAN):
            leave(self.code or 0)

    def _bound(self, life_span: float | None) -> None:
        if not self._server_ended.wait(SERVER) or not self._over.wait(life_span):
            leave(self.code or 0)

    def server_ended(self) -> None:
        """Note that no request is answered any more."""
        self._server_ended.set()

    def over(self) -> None:
        """Note that the application has ended, and let threads that still work not keep the process."""
        if self._over.is_set():
            return
        self._over.set()
        if not self.ends_process:
            return
        assert self.code is not None
        # What is registered last is called first, and after threads have been waited for: then nothing is in the way.
        ends = threading.Event()
        atexit.register(ends.set)
        threading.Thread(
            target=_leave_threads, args=(ends, self.code), name="erlen-ending", daemon=True
        ).start()


def _leave_threads(ends: threading.Event, code: int) -> None:
    if not ends.wait(THREADS):
        # As the interpreter would after the threads.
        atexit._run_exitfuncs()
        leave(code)


def leave(code: int) -> t.NoReturn:
    """End the process at once, whatever its threads do.

    :param code: the exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)
