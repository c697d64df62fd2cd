"""Checks of the files that say how the application is started where it is served."""

from __future__ import annotations

import ast
import re
import typing as t
from pathlib import Path

from ...variables import prefixes
from .model import Finding, Subject
from .surroundings import relative

_FILES = (
    "Procfile",
    "Dockerfile",
    "*.Dockerfile",
    "Containerfile",
    "compose*.y*ml",
    "docker-compose*.y*ml",
    "*.service",
    "supervisord.conf",
    "entrypoint.sh",
    "docker-entrypoint.sh",
)
_FOLDERS = ("", "deploy", "deployment", "docker", "systemd")

# Files of these names are for a developer's machine.
_FOR_DEVELOPMENT = re.compile(r"dev|override|local|test|debug", re.IGNORECASE)

_WORDS = re.compile(r"[\w./:=@-]+")
_PROGRAMS = {"erlen", "flask"}
_OPTIONS_WITH_VALUE = {"-A", "--app", "-e", "--env-file"}
_FIX = "# Or gunicorn, granian, uvicorn ... as in docs/deploying.md:\nerlen --app {app} serve"


def development_server(subject: Subject) -> t.Iterator[Finding]:
    """Find the development server in the files that start the application, and debug mode in them."""
    for folder in (subject.folder / name for name in _FOLDERS):
        paths = sorted({path for pattern in _FILES for path in folder.glob(pattern) if path.is_file()})
        for path in paths:
            if not _FOR_DEVELOPMENT.search(path.name):
                yield from _look_into(path, subject)


def _look_into(path: Path, subject: Subject) -> t.Iterator[Finding]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return
    place = relative(path, subject.folder)
    first = 0
    if path.suffix in {"", ".Dockerfile"} and path.name != "Procfile":
        # What is built without asking for another is the last stage.
        first = max(
            (number for number, line in enumerate(lines) if line.upper().startswith("FROM ")), default=0
        )
    for number, line in enumerate(lines[first:], first + 1):
        text = line.partition(" #")[0].strip()
        if text.startswith("#"):
            continue
        started = _development_command(text, path.parent, subject.folder)
        if started is not None:
            yield Finding(
                f"{place}:{number} starts the development server ({started}), which is neither safe nor fast enough to "
                f"serve strangers.",
                _FIX.format(app=subject.app.import_name.partition(".")[0]),
            )
        debugs = _DEBUGS.search(text)
        if debugs is not None and debugs[1] in prefixes:
            yield Finding(
                f"{place}:{number} switches debug mode on with {debugs[1]}_DEBUG. Errors show the code and its "
                f"variables to strangers.",
                f"# Remove {debugs[1]}_DEBUG from {place}.",
            )


_DEBUGS = re.compile(r"\b(ERLEN|FLASK)_DEBUG\b[\"']?\s*[=: ]\s*[\"']?(?:1|true|yes|on)\b", re.IGNORECASE)


def _development_command(line: str, *folders: Path) -> str | None:
    """Return the command of a line that starts a development server, ``None`` where there is none."""
    words: list[str] = _WORDS.findall(line)
    for index, word in enumerate(words):
        program = word.rpartition("/")[2]
        if program in _PROGRAMS and _first_argument(words[index + 1 :]) == "run":
            return f"{program} run"
        if re.fullmatch(r"python[\d.]*", program):
            script = next((one for one in words[index + 1 :] if not one.startswith("-")), "")
            if _runs_itself(script, folders):
                return f"{program} {script}"
    return "run_simple" if "run_simple" in line else None


def _first_argument(words: t.Sequence[str]) -> str | None:
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            return word
        if word in _OPTIONS_WITH_VALUE:
            next(rest, None)
    return None


def _runs_itself(script: str, folders: t.Iterable[Path]) -> bool:
    """Return whether a script or module calls ``app.run()`` or Werkzeug's ``run_simple``."""
    name = script.removeprefix("./")
    names = (
        [name]
        if name.endswith(".py")
        else [f"{name.replace('.', '/')}{end}" for end in (".py", "/__main__.py")]
    )
    for path in (
        folder / Path(one).name if one.startswith("/") else folder / one
        for folder in folders
        for one in names
    ):
        try:
            tree = ast.parse(path.read_text("utf-8"))
        except (OSError, ValueError, SyntaxError):
            continue
        return any(_starts_server(node) for node in ast.walk(tree) if isinstance(node, ast.Call))
    return False


def _starts_server(call: ast.Call) -> bool:
    function = call.func
    if isinstance(function, ast.Name):
        return function.id == "run_simple"
    if not isinstance(function, ast.Attribute):
        return False
    if function.attr == "run_simple":
        return True
    owner = function.value
    made = owner.func if isinstance(owner, ast.Call) else owner
    return (
        function.attr == "run"
        and isinstance(made, ast.Name)
        and made.id in {"app", "application", "create_app", "make_app"}
    )
