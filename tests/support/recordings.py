"""Pages of the documentation that are recordings of a terminal: played again, block by block.

The blocks of such a page, by what stands behind their three ticks:

- ``console``: commands behind ``$``, and what they print
- ``console server``: a terminal of its own, whose last command goes on; a later block of it is what that prints next, and
  ``^C`` is typed; ``...`` stands for lines that are left out
- ``python library/app.py``: what the file of that name holds from now on
- ``pycon``: typed into the console of the innermost frame of the last error, in the debugger
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import threading
import time
import typing as t
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

#: How many seconds anything may take: on a machine that does much else at once, 'pytest' of a page takes half a minute.
LIMIT = 120

#: What commands see of the environment of here. Of the rest a reader's terminal knows nothing, and some of it changes what is
#: printed: pytest cuts no line where ``CI`` is set.
KEPT = ("HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PATH", "SYSTEMROOT", "TMPDIR")

_BLOCK = re.compile(r"^```(\w+)(?: ([\w./]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What is another one each time: what it looks like, and what takes its place.
_VARYING = (
    (re.compile(r"(/__debugger__/#)\S+"), r"\1..."),
    (re.compile(r"\[\d\d/\w{3}/\d{4} [\d:]{8}\]"), "[date]"),
    (re.compile(r"\d{4}-\d\d-\d\d [\d:]{8} [+-]\d{4}"), "date"),
    (re.compile(r"\[(worker \d+|serve), \d+\]"), r"[\1, pid]"),
    (re.compile(r"\bPython \d[\w.]+"), "Python 3"),
    (re.compile(r"\b(Erlen|Werkzeug|Jinja2|curl)[ /]\d[\w.]+"), r"\1 1"),
    (re.compile(r"\bin \d+\.\d\ds"), "in 0.01s"),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
)


@dataclass(frozen=True)
class Block:
    """One block of a page.

    :param kind: the first word behind the ticks.
    :param name: the second one, ``""`` where there is none.
    :param text: what it holds.
    :param line: where it begins in the page.
    """

    kind: str
    name: str
    text: str
    line: int


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page that a recording is made of."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(one[1], one[2] or "", one[3], text.count("\n", 0, one.start()) + 1)
        for one in _BLOCK.finditer(text)
    ]


@dataclass
class Terminal:
    """A command that goes on, and what it has printed and nobody has read."""

    process: subprocess.Popen[str]
    printed: str = ""
    reader: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed += line

    def take(self, lines: int) -> str:
        """Return the next lines, when they are there."""
        for _ in range(LIMIT * 50):
            if self.printed.count("\n") >= lines or self.process.poll() is not None:
                break
            time.sleep(0.02)
        # What comes too late, and should not come, is seen with the next block.
        taken = self.printed.splitlines(keepends=True)[:lines]
        self.printed = self.printed[sum(map(len, taken)) :]
        return "".join(taken)

    def skip_to(self, line: str, plain: t.Callable[[str], str]) -> None:
        """Leave out what comes before a line."""
        for _ in range(LIMIT * 50):
            lines = self.printed.splitlines(keepends=True)
            for number, one in enumerate(lines):
                if plain(one).rstrip("\n") == line:
                    self.printed = "".join(lines[number:])
                    return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"{line!r} has not come, but: {self.printed}")

    def end(self) -> None:
        """Type Ctrl-C, and wait for the end."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(LIMIT)
        finally:
            self.process.kill()
            self.reader.join(LIMIT)
            assert self.process.stdout is not None
            self.process.stdout.close()


class Recording:
    """Plays a page in a folder.

    :param folder: where it begins.
    :param environ: what its commands have beside the path, the home and the language of here.
    :param ports: the ports of the page, and those that are taken in their place.
    """

    def __init__(self, folder: Path, environ: dict[str, str], ports: dict[int, int]) -> None:
        self._start = folder
        #: Where each terminal is; the first one has no name.
        self._folders: dict[str, Path] = {}
        self._environ = {name: os.environ[name] for name in KEPT if name in os.environ} | environ
        self._ports = ports
        self._terminals: dict[str, Terminal] = {}
        self._unlock_url = self._failed_url = ""

    def play(self, block: Block) -> tuple[str, str]:
        """Play one block, and return what it says and what has come, without what varies."""
        if block.kind == "python":
            (self._start / block.name).write_text(block.text, encoding="utf-8")
            return "", ""
        if block.kind == "pycon":
            return block.text, self._type_into_debugger(block.text)
        come = self._continue(block) if block.name else self._run(block.text)
        return self._plain(block.text), self._plain(come)

    def close(self) -> None:
        """End what goes on."""
        for terminal in self._terminals.values():
            with contextlib.suppress(OSError):
                terminal.end()

    def _run(self, text: str) -> str:
        """Run the commands of a block, and return them with what they print."""
        come = ""
        for line in text.splitlines():
            if line.startswith("$ "):
                come += f"{line}\n" + self._output(line[2:], "")
        return come

    def _output(self, command: str, terminal: str) -> str:
        folder = self._folders.get(terminal, self._start)
        if command.startswith("cd "):
            self._folders[terminal] = (folder / command[3:]).resolve()
            return ""
        # It draws a bar where it does not print to a terminal.
        command = self._with_ports(command).replace("curl ", "curl --silent ")
        if found := re.search(r"http://\S+", command):
            self._failed_url = found[0]
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=folder,
            env=self._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        return done.stdout if done.stdout.endswith("\n") or not done.stdout else f"{done.stdout}\n"

    def _continue(self, block: Block) -> str:
        """Start the last command of a block, or see what the one that goes on has printed since."""
        lines = block.text.splitlines()
        commands = [line for line in lines if line.startswith("$ ")]
        come = ""
        for line in commands[:-1]:
            come += f"{line}\n" + self._output(line[2:], block.name)
        if commands:
            process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {self._with_ports(commands[-1][2:])}"],
                cwd=self._folders.get(block.name, self._start),
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            self._terminals[block.name] = Terminal(process)
            come += f"{commands[-1]}\n"
            lines = lines[lines.index(commands[-1]) + 1 :]
        terminal = self._terminals[block.name]
        shown = "\n".join(lines).partition("^C")[0].splitlines()
        if shown[:1] == ["..."]:
            come += "...\n"
            shown = shown[1:]
            terminal.skip_to(self._plain(shown[0]), self._plain)
        printed = terminal.take(len(shown))
        come += printed
        if found := re.search(r"http://\S+/__debugger__/#\S+", printed):
            self._unlock_url = found[0]
        if "^C" in block.text:
            terminal.end()
            come += f"^C\n{terminal.printed}"
            del self._terminals[block.name]
        return come

    def _with_ports(self, text: str) -> str:
        for shown, real in self._ports.items():
            text = text.replace(f":{shown}", f":{real}")
        return text

    def _plain(self, text: str) -> str:
        for shown, real in self._ports.items():
            text = text.replace(f":{real}", f":{shown}")
        text = text.replace(str(self._start.resolve()), "~")
        for pattern, instead in _VARYING:
            text = pattern.sub(instead, text)
        return text

    def _type_into_debugger(self, text: str) -> str:
        """Load the last address that failed, and run the lines behind ``>>>`` in the frame that its page shows first."""
        base = self._unlock_url.partition("/__debugger__/")[0]
        answer, cookie = self._post(base, "unlock", {"secret": self._unlock_url.rpartition("#")[2]}, "")
        assert answer["is_open"], answer
        request = urllib.request.Request(self._failed_url, headers={"Accept": "text/html"})
        try:
            with urllib.request.urlopen(request, timeout=LIMIT) as response:
                raise AssertionError(f"{self._failed_url} did not fail: {response.status}")
        except urllib.error.HTTPError as error:
            page = error.read().decode()
        token, frame = re.search(r'data-page="([^"]*)"', page), re.search(r'data-frame="(\d+)"', page)
        assert token is not None
        assert frame is not None
        come = ""
        for line in text.splitlines():
            if line.startswith(">>> "):
                fields = {"page": token[1], "frame": frame[1], "code": line[4:]}
                come += f"{line}\n{self._post(base, 'run', fields, cookie)[0]['output']}"
        return come

    @staticmethod
    def _post(base: str, name: str, fields: dict[str, str], cookie: str) -> tuple[dict[str, t.Any], str]:
        headers = {
            "Content-Type": "application/json",
            "Origin": base,
            "Sec-Fetch-Site": "same-origin",
            "Cookie": cookie,
        }
        request = urllib.request.Request(f"{base}/__debugger__/{name}", json.dumps(fields).encode(), headers)
        with urllib.request.urlopen(request, timeout=LIMIT) as response:
            answer: dict[str, t.Any] = json.load(response)
            return answer, response.headers.get("Set-Cookie", "").partition(";")[0]
