"""How a worker ends without losing a request.

1. The listening socket is taken away: new connections go to other workers. Its queue is shared, so nobody is reset.
2. Each answer over HTTP/1 says ``Connection: close``, so that clients which keep connections open leave on their own.
   Closing one that seems idle would meet the next request that is already on its way.
3. When no connection is left, or the time for that is over, Granian is told to stop: it closes idle connections, and
   waits for requests that are being answered. Over HTTP/2 it says which requests it still takes.
"""

from __future__ import annotations

import os
import threading
import time
import typing as t

from .gate import Gate
from .sockets import open_connections, silent_listener

#: How many seconds clients have to leave a worker that others have taken the place of.
LEAVING = 5.0

#: The same when the whole server stops: the time for what has been accepted to be read.
STOPPING = 0.15

_LOOKS_EVERY = 0.05


class Ending:
    """The end of a worker, which may be asked for several times.

    :param gate: what answers requests, and closes connections from then on.
    :param listener: the socket that listens; its number is Granian's.
    :param left: is called when no new connection comes here any more.
    """

    def __init__(self, gate: Gate, listener: t.Any, left: t.Callable[[], object]) -> None:
        self._left = left
        self._gate = gate
        # Granian closes its own when it stops, and this is asked of afterwards.
        self._listener = listener.dup()
        self._number: int = listener.fileno()
        # Protects what follows: the end is asked for by a signal, by the main process, and by neither before it can be.
        self._lock = threading.RLock()
        self._until: float | None = None
        self._tells: t.Callable[[], object] | None = None
        self._stops: t.Callable[[], object] | None = None
        self._hurry = threading.Event()
        self._runs = False

    @property
    def has_begun(self) -> bool:
        """Whether the end was asked for."""
        return self._until is not None

    def begins_with(self, tells: t.Callable[[], object], stops: t.Callable[[], object]) -> None:
        """Take what ends the server; an end that was asked for before begins now.

        :param tells: tells the application that it stops.
        :param stops: stops Granian.
        """
        with self._lock:
            self._tells, self._stops = tells, stops
            if self._until is not None:
                self._start()

    def begin(self, seconds: float) -> None:
        """Begin to end.

        :param seconds: how long clients may take to leave. Less than before shortens that.
        """
        with self._lock:
            until = time.monotonic() + seconds
            if self._until is None or until < self._until:
                self._until = until
                self._hurry.set()
            if self._stops is not None:
                self._start()

    def _start(self) -> None:
        if not self._runs:
            self._runs = True
            threading.Thread(target=self._run, name="erlen-ending", daemon=True).start()

    def _run(self) -> None:
        assert self._tells is not None
        assert self._stops is not None
        with silent_listener(self._listener) as silent:
            # What Granian accepts from is another socket from now on; that of all workers stays open.
            os.dup2(silent.fileno(), self._number, inheritable=False)
        self._gate.close()
        self._left()
        while (left := (self._until or 0) - time.monotonic()) > 0:
            if left > STOPPING and not open_connections(self._listener):
                # Once more after a moment: one may have been accepted just now.
                with self._lock:
                    self._until = min(self._until or 0, time.monotonic() + STOPPING)
                continue
            self._hurry.clear()
            self._hurry.wait(min(left, _LOOKS_EVERY))
        self._tells()
        self._stops()
