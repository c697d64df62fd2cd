"""A load of clients in threads, that counts what is lost: each request has to get a whole answer."""

from __future__ import annotations

import collections
import contextlib
import http.client
import threading
import typing as t


class Load:
    """Clients that send requests until they are told to stop.

    :param port: of the server.
    :param keeping: how many keep their connection open.
    :param fresh: how many make a connection for each request.
    """

    def __init__(self, port: int, keeping: int = 8, fresh: int = 4) -> None:
        self.port = port
        #: How often each text was answered, and how often each error happened.
        self.answers: collections.Counter[str] = collections.Counter()
        self.errors: collections.Counter[str] = collections.Counter()
        #: How many connections the server has closed after an answer that said so.
        self.closed = 0
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=[keeps], daemon=True)
            for keeps in [True] * keeping + [False] * fresh
        ]

    def __enter__(self) -> t.Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a request got no answer within 30 s"

    @property
    def total(self) -> int:
        return self.answers.total()

    def _run(self, keeps: bool) -> None:
        answers: collections.Counter[str] = collections.Counter()
        errors: collections.Counter[str] = collections.Counter()
        closed = 0
        while not self._over.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            with contextlib.closing(connection):
                goes_on = True
                while goes_on and not self._over.is_set():
                    try:
                        # Without the repetition that some clients do: what was lost has to be seen.
                        connection.request("GET", "/")
                        response = connection.getresponse()
                        text = response.read().decode()
                    except (OSError, http.client.HTTPException) as error:
                        errors[f"{'kept' if keeps else 'fresh'}: {error!r}"] += 1
                        break
                    answers[text if response.status == 200 else f"{response.status} {text}"] += 1
                    self.answers[text] += 1
                    closed += keeps and response.will_close
                    goes_on = keeps and not response.will_close
        with self._lock:
            self.errors += errors
            self.closed += closed
