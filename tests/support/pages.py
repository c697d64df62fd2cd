"""Pages of the documentation that are played: what they show is run, in a folder of its own.

The blocks of a page, by what stands behind their three ticks:

- ``python``: executed, in one namespace for the page
- any language and a file name: what the file of that name holds from now on
- ``pycon``: a doctest in the same namespace
- ``console`` and ``console NAME``: as in :mod:`recordings`; ``...`` stands for what is left out
- ``<!-- check``: Python that readers do not see

Everything else is shown alone.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import logging
import os
import re
import shutil
import socket
import sys
import types
import typing as t
from pathlib import Path

from erlen import Erlen
from recordings import Block, Recording

ROOT = Path(__file__).parents[2]

_BLOCK = re.compile(
    r"^```(?P<kind>\w+)(?: (?P<name>[\w./-]+))?\n(?P<text>.*?)^```$|^<!-- check\n(?P<check>.*?)^-->$",
    re.MULTILINE | re.DOTALL,
)
_OPTIONS = doctest.ELLIPSIS | doctest.FAIL_FAST


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page, with the hidden checks, in their order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            one["kind"] or "check",
            one["name"] or "",
            one["text"] if one["kind"] else one["check"],
            text.count("\n", 0, one.start()) + 1,
        )
        for one in _BLOCK.finditer(text)
    ]


def play(pages: t.Sequence[Path], folder: Path) -> int:
    """Play pages one after the other in the same folder, and return how many blocks were run.

    :raises AssertionError: for what is not as a page says, with the page and the line.
    """
    player = _Player(folder)
    with _put_back(folder), contextlib.closing(player):
        return sum(player.play(page, block) for page in pages for block in blocks_of(page))


class _Player:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known = frozenset(sys.modules)
        #: Modules of others in whose place a file of the page has come.
        self._hidden: dict[str, types.ModuleType] = {}
        self._module = types.ModuleType("documented")
        self._module.__file__ = str(folder / "documented.py")
        run, serve = _free_port(), _free_port()
        environ = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ERLEN_RUN_PORT": str(run),
            "ERLEN_SERVE_PORT": str(serve),
            "PYTHONUNBUFFERED": "1",
            "COLUMNS": "80",
            # What a reader has: pytest with the plugin of Erlen, and not with those of the tests of this repository.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_PLUGINS": "erlen.testing.plugin",
            # Folders of its own: pytest deletes the old ones of everybody when it ends, which may take longer than its tests.
            "PYTEST_DEBUG_TEMPROOT": str(folder),
        }
        self._recording = Recording(folder, environ, {5000: run, 8000: serve})
        sys.modules["documented"] = self._module

    def play(self, page: Path, block: Block) -> bool:
        where = f"{page.relative_to(ROOT)}, line {block.line}"
        if block.kind == "console":
            assert shutil.which("curl") or "$ curl " not in block.text, f"{where}: curl is not installed"
            said, came = self._recording.play(block)
            assert _matches(said, came), f"{where}\n\nsays:\n{said}\nwhat came:\n{came}"
        elif block.name:
            path = self._folder / block.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
            self._hide(block.name.partition("/")[0].removesuffix(".py"))
            # A module that was imported before is another one from now on.
            _forget_modules(self._folder, self._known - self._hidden.keys())
        elif block.kind in {"python", "check"}:
            # In the lines of the page, so that a traceback leads there.
            code = compile("\n" * block.line + block.text, str(page), "exec", dont_inherit=True)
            exec(code, vars(self._module))
        elif block.kind == "pycon":
            self._type(block, where)
        else:
            return False
        return True

    def _hide(self, name: str) -> None:
        """Let a module of the page stand where one of the same name is that an example has, or a test."""
        file = getattr(sys.modules.get(name), "__file__", None)
        if name in self._known and file and ROOT in Path(file).parents and "site-packages" not in file:
            for one in [one for one in sys.modules if one == name or one.startswith(f"{name}.")]:
                self._hidden[one] = sys.modules.pop(one)

    def _type(self, block: Block, where: str) -> None:
        names = vars(self._module)
        test = doctest.DocTestParser().get_doctest(block.text, names, where, where, block.line)
        # Not a copy: functions of the page see what is assigned here.
        test.globs = names
        said: list[str] = []
        runner = doctest.DocTestRunner(optionflags=_OPTIONS)
        runner.run(test, out=said.append, clear_globs=False)
        assert not runner.failures, "".join(said)
        assert test.examples, f"{where}: nothing is behind '>>>'"

    def close(self) -> None:
        self._recording.close()
        for value in list(vars(self._module).values()):
            if isinstance(value, Erlen):
                value.stop_serving()
        del sys.modules["documented"]
        sys.modules.update(self._hidden)


def _matches(said: str, came: str) -> bool:
    """Whether lines are those of a page, where ``...`` stands for any of them, in a line or alone."""
    shown = said.splitlines()
    if shown and shown[-1] == "^C":
        # What it prints at its end is no subject of the page.
        shown.append("...")
    wanted = [_line_of(line) for line in shown]
    lines = came.splitlines()
    # One look back for each line at most: a regular expression for all of it takes hours where it does not match.
    at = line = 0
    back: tuple[int, int] | None = None
    while line < len(lines):
        one: re.Pattern[str] | t.Literal[False] | None = wanted[at] if at < len(wanted) else False
        if one is None:
            back = (at, line)
            at += 1
        elif one and one.fullmatch(lines[line].rstrip()):
            at, line = at + 1, line + 1
        elif back:
            back = (back[0], back[1] + 1)
            at, line = back[0] + 1, back[1]
        else:
            return False
    return all(one is None for one in wanted[at:])


def _line_of(line: str) -> re.Pattern[str] | None:
    """Return what matches one line of a page; ``None`` where it stands for any number of lines."""
    if line.strip() == "...":
        return None
    # Three of them and no more: pytest prints a dot for each test.
    return re.compile(".*".join(map(re.escape, re.split(r"(?<!\.)\.{3}(?!\.)", line.rstrip()))))


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _forget_modules(folder: Path, known: t.Collection[str]) -> None:
    """Forget what was imported from a folder; a package that was there before may have parts there as well."""
    gone: list[str] = []
    for name, module in sys.modules.items():
        if name in known or name == "documented":
            continue
        # A package without an '__init__.py' has no file, and its folders.
        files = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
        if any(file and folder in Path(file).parents for file in files):
            gone.append(name)
    # Afterwards: the folders of a package are those of the one that it is in.
    for name in gone:
        del sys.modules[name]
    importlib.invalidate_caches()


@contextlib.contextmanager
def _put_back(folder: Path) -> t.Generator[None, None, None]:
    """Be in a folder whose modules can be imported, and put back what pages change in the process."""
    environ, path, here, known = dict(os.environ), list(sys.path), Path.cwd(), frozenset(sys.modules)
    loggers = {one: _state_of(one) for one in _loggers()}
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        os.chdir(here)
        _forget_modules(folder, known)
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(environ)
        for one in _loggers():
            level, handlers, one.disabled, one.propagate = loggers.get(one, (logging.NOTSET, [], False, True))
            one.setLevel(level)
            one.handlers[:] = handlers


def _loggers() -> list[logging.Logger]:
    root = logging.getLogger()
    return [root, *(one for one in root.manager.loggerDict.values() if isinstance(one, logging.Logger))]


def _state_of(logger: logging.Logger) -> tuple[int, list[logging.Handler], bool, bool]:
    return logger.level, list(logger.handlers), logger.disabled, logger.propagate
