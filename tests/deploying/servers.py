"""The application servers of the page: the commands that it has for each, and how they are started here."""

from __future__ import annotations

import collections
import dataclasses
import functools
import http.client
import importlib.util
import shutil
import signal
import sys
import threading
import time
import typing as t
from pathlib import Path

from erlen.cli.program import LAZY_COMMANDS

from . import page
from .page import replaced
from .running import LIMIT, SCRIPTS, Running, Site, despite_others, free_port, variables

#: Where the socket of every command of the page is.
SOCKET = "/run/signup/signup.sock"


@dataclasses.dataclass(frozen=True)
class Command:
    """A command of the page.

    :param heading: the section it stands in.
    :param program: its first word.
    :param containing: words that no other command of this program in the section has, where there are several.
    :param stop: the signal after which running requests may end.
    :param ready: what it logs for each of its workers that is ready. One that is told to stop before that may not hear it.
    """

    heading: str
    program: str
    containing: str = ""
    stop: signal.Signals = signal.SIGTERM
    ready: str = ""

    @property
    def words(self) -> list[str]:
        """The command as it stands in the page."""
        return page.command(self.heading, self.program, self.containing)

    @functools.cached_property
    def missing(self) -> str | None:
        """What is not there to run it, as a sentence."""
        if self.program == "erlen":
            return None if "serve" in LAZY_COMMANDS else "erlen has no command 'serve'"
        if self.program == "uwsgi":
            found = shutil.which("uwsgi", path=variables(Path())["PATH"])
            return None if found and sys.version_info[:2] in uwsgi_versions() else _no_uwsgi()
        return (
            None
            if importlib.util.find_spec(self.program.partition("-")[0])
            else f"{self.program} is not installed"
        )

    @property
    def is_asgi(self) -> bool:
        """Whether it serves over ASGI."""
        words = self.words
        return self.program in {"uvicorn", "hypercorn"} or "asgi" in words


def _no_uwsgi() -> str:
    return f"uwsgi for Python {sys.version_info[0]}.{sys.version_info[1]} is not installed"


def uwsgi_versions() -> set[tuple[int, int]]:
    """Return the versions of Python that the machine's uwsgi can load."""
    if (SCRIPTS / "uwsgi").exists():
        return {sys.version_info[:2]}
    names = [path.name for path in Path("/usr/lib/uwsgi/plugins").glob("python3*_plugin.so")]
    digits = [name.removeprefix("python3").removesuffix("_plugin.so") for name in names]
    return {(3, int(number)) for number in digits if number}


#: Over TCP.
TCP = {
    "erlen serve": Command("### erlen serve", "erlen", "--port"),
    "gunicorn": Command("### gunicorn", "gunicorn", "--threads"),
    "gunicorn-asgi": Command("### gunicorn", "gunicorn", "asgi"),
    "granian": Command("### granian", "granian", "wsgi --port", ready="Started worker-"),
    "granian-asgi": Command("### granian", "granian", "asgi", ready="Started worker-"),
    "uvicorn": Command("### uvicorn", "uvicorn", "--port", ready="startup complete"),
    "hypercorn": Command("### hypercorn", "hypercorn", "127.0.0.1:8000"),
    # The signal that it is stopped with is what it ends with.
    "waitress": Command("### waitress", "waitress-serve", "--listen=127.0.0.1:8000", stop=signal.SIGINT),
    "uwsgi": Command("### uWSGI", "uwsgi", ready="WSGI app 0"),
}

#: On a Unix socket.
UNIX = {
    "erlen serve": Command("### erlen serve", "erlen", "--unix-socket"),
    "gunicorn": Command("### gunicorn", "gunicorn", "--config"),
    "granian": Command("### granian", "granian", "--uds"),
    "uvicorn": Command("### uvicorn", "uvicorn", "--uds"),
    "hypercorn": Command("### hypercorn", "hypercorn", f"unix:{SOCKET}"),
    "waitress": Command("### waitress", "waitress-serve", f"--unix-socket={SOCKET}"),
}


class Served:
    """A command of the page that runs.

    :param command: which.
    :param folder: a new folder: the socket, the log and what the application keeps go there.
    :param application: served in place of ``wsgi:app``, as the page has it, if given.
    :param more: environment variables besides.
    """

    def __init__(self, command: Command, folder: Path, application: str = "", **more: str) -> None:
        #: Its name among the commands, for those who started it by that.
        self.name = ""
        self.command = command
        self.state = folder / "state"
        self.state.mkdir(mode=0o700)
        self._folder = folder
        self._application = application
        self._environment = variables(self.state, **more)
        self.running = despite_others(self._start)

    def _start(self) -> Running:
        is_unix = any(SOCKET in word for word in self.command.words)
        self.site = Site(path=self._folder / "application.sock") if is_unix else Site(free_port())
        words = [
            self._changed(word, self._application) for word in self._words(self._folder, self._application)
        ]
        running = Running(words, self._folder / "application.txt", self._environment)
        running.wait_for(lambda: self._is_ready(running))
        return running

    def start(self) -> None:
        """Start it again, when it was stopped."""
        self.running = self._start()

    def _is_ready(self, running: Running) -> bool:
        if self.site.get("/").status != 200:
            return False
        # Every command of the page that has several has two.
        return running.log().count(self.command.ready) >= 2 if self.command.ready else True

    def ready(self) -> int:
        """Return how many workers have said that they are ready; none where they do not."""
        return self.running.log().count(self.command.ready) if self.command.ready else 0

    def _words(self, folder: Path, application: str) -> list[str]:
        words = self.command.words
        if self.command.program != "uwsgi":
            return words
        # The address and the application stand in its file, and where that is.
        ini = replaced(
            (page.FILES / "uwsgi.ini").read_text(encoding="utf-8"),
            (r"%d\.\.", str(page.EXAMPLE)),
            (r"127\.0\.0\.1:8000", f"127.0.0.1:{self.site.port}"),
            (r"wsgi:app$", application or "wsgi:app"),
        )
        (folder / "uwsgi.ini").write_text(ini, encoding="utf-8")
        plugin = [] if (SCRIPTS / "uwsgi").exists() else ["--plugin", "python3"]
        changes = {"deploy/uwsgi.ini": str(folder / "uwsgi.ini"), "/srv/signup/.venv": sys.prefix}
        assert changes.keys() <= set(words)
        return [words[0], *plugin, *(changes.get(word, word) for word in words[1:])]

    def _changed(self, word: str, application: str) -> str:
        if application and word.endswith("wsgi:app"):
            return word.replace("wsgi:app", application)
        if word == "8000":
            return str(self.site.port)
        return word.replace(page.PORT, f"127.0.0.1:{self.site.port}").replace(SOCKET, str(self.site.path))

    def stop(self, number: signal.Signals | None = None) -> int:
        """End it as the page says."""
        return self.running.stop(number or self.command.stop)


class Asked:
    """Requests of several clients, one after the other each, for as long as the block goes on.

    :param site: where they are sent.
    :param clients: how many there are.
    """

    def __init__(self, site: Site, clients: int = 2) -> None:
        self.site = site
        #: How often each status, or each error, was the answer.
        self.answers: collections.Counter[str] = collections.Counter()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self) -> None:
        while not self._ended.is_set():
            try:
                answer = str(self.site.get("/").status)
            except (OSError, http.client.HTTPException) as error:
                answer = repr(error)
            self.answers[answer] += 1
            # What is asked about runs on the same processors.
            time.sleep(0.03)

    def __enter__(self) -> Asked:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()


def until(condition: t.Callable[[], object], what: str) -> None:
    """Wait until a condition holds.

    :param condition: what has to hold.
    :param what: the same, in words.
    """
    end = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {LIMIT} s"
        time.sleep(0.02)
