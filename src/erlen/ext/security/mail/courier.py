"""Work that is done when the answer is out already, so that its time tells nothing: looking for the account, and writing to its owner."""

from __future__ import annotations

import collections.abc as cabc
import logging
import os
import threading
import typing as t
from collections import deque

from erlen import copy_current_request_context, has_request_context

Work: t.TypeAlias = cabc.Callable[[], object]

logger = logging.getLogger(__name__)

#: How much may wait. More than that comes from a mail server that hangs, or from an attack.
WAITING = 500


class Courier:
    """Does work one after the other, on one thread of the application's background threads.

    What fails is logged, and nobody else hears of it. When the application stops, what waits is done within its
    ``SHUTDOWN_TIMEOUT``.

    :param spawn: runs a function in the background: ``app.spawn``.
    :param waiting: how much may wait; what comes on top of that is dropped, and logged.
    """

    def __init__(self, spawn: cabc.Callable[[Work], object], waiting: int = WAITING) -> None:
        self._spawn, self._limit = spawn, waiting
        self._lock = threading.Lock()
        self._waiting: deque[Work] = deque()
        # The process whose thread works: a fork has the queue, but not the thread.
        self._at_work: int | None = None

    def take(self, work: Work) -> None:
        """Do something later, with the request of now.

        :param work: a plain function.
        """
        work = copy_current_request_context(work) if has_request_context() else work
        with self._lock:
            is_full = len(self._waiting) >= self._limit
            if not is_full:
                self._waiting.append(work)
            begins = not is_full and self._at_work != os.getpid()
            if begins:
                self._at_work = os.getpid()
        if is_full:
            logger.error(
                "A mail was not sent, as %d wait already. Does the mail server of SECURITY_MAIL_URL answer?",
                self._limit,
            )
        if begins:
            self._begin()

    def _begin(self) -> None:
        try:
            self._spawn(self._work)
        except BaseException:
            self._at_work = None
            raise

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._at_work = None
                    return
                work = self._waiting.popleft()
            try:
                work()
            except Exception:
                # Its asker has got the answer; whoever runs the site reads this.
                logger.exception("A mail was not sent")
