"""Checks of folders: what the static ones publish, and who can write to caches."""

from __future__ import annotations

import fnmatch
import os
import stat
import typing as t
from pathlib import Path

from .model import Finding, Subject
from .surroundings import is_a, relative

# So many files are looked at in one folder: a check must not take minutes.
_MOST_FILES = 20_000
_SHOWN = 3

_FOLDERS_OF_TOOLS = {"__pycache__", "node_modules", "site-packages", "build", "dist"}

# What nobody publishes on purpose, and what somebody does perhaps.
_SECRET = (
    ".env", ".env.*", ".erlenenv", ".flaskenv", ".git", ".hg", ".svn", ".htpasswd", ".netrc", ".pgpass", "id_rsa",
    "id_ed25519", "*.key", "*.pyc", "*.sqlite", "*.sqlite3", "*.db",
)  # fmt: skip
_DOUBTFUL = ("*.py", "*.bak", "*.sql", "*.log")
_HARMLESS = {"thumbs.db", ".env.example", ".env.sample", ".env.template"}


def project_files(subject: Subject, suffix: str) -> t.Iterator[Path]:
    """Yield the files of the project, those of environments, tools and the instance folder left out.

    :param subject: what is looked at.
    :param suffix: the end of their names, such as ``".py"``.
    """
    root = Path(subject.app.root_path).resolve()
    folder = subject.folder.resolve()
    left_out = Path(subject.app.instance_path).resolve()
    count = 0
    for path, folders, names in os.walk(folder if root.is_relative_to(folder) else root):
        here = Path(path)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in _FOLDERS_OF_TOOLS
            and here / name != left_out
            and not (here / name / "pyvenv.cfg").exists()
        )
        for name in sorted(names):
            if name.endswith(suffix):
                yield here / name
        count += len(names)
        if count > _MOST_FILES:
            return


def static_secrets(subject: Subject) -> t.Iterator[Finding]:
    """Find files in static folders that are not meant for visitors."""
    app = subject.app
    folders: dict[str, t.Any] = {}
    for owner in (app, *app.iter_blueprints()):
        if owner.static_folder is not None and owner.has_static_folder:
            folders.setdefault(os.path.realpath(owner.static_folder), owner)
    for folder in folders:
        names = list(_published(folder))
        for patterns, severity in ((_SECRET, None), (_DOUBTFUL, "warning")):
            found = sorted(one for one in names if _matches(Path(one).name, patterns))
            if not found:
                continue
            shown = ", ".join(found[:_SHOWN]) + (
                f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            )
            yield Finding(
                f"Anybody can fetch {shown} from the static folder {relative(Path(folder), subject.folder)!r}.",
                "# Move them out of that folder. Secrets that were in it are known: make\n# new ones.",
                t.cast("t.Any", severity),
            )


def _published(folder: str) -> t.Iterator[str]:
    count = 0
    for path, folders, names in os.walk(folder):
        for name in list(folders):
            if name in {".git", ".hg", ".svn"}:
                # One entry for all that is in it.
                folders.remove(name)
                yield os.path.relpath(os.path.join(path, name), folder)
        for name in names:
            yield os.path.relpath(os.path.join(path, name), folder)
        count += len(names)
        if count > _MOST_FILES:
            return


def _matches(name: str, patterns: t.Iterable[str]) -> bool:
    lower = name.lower()
    return lower not in _HARMLESS and any(fnmatch.fnmatchcase(lower, pattern) for pattern in patterns)


def shared_caches(subject: Subject) -> t.Iterator[Finding]:
    """Find caches of executable content in folders that others can write to.

    Jinja's bytecode and pickles are executed or may execute code when they are read (Jinja2, CVE-2014-0012).
    """
    config = subject.config
    caches: list[tuple[str, t.Any]] = []
    bytecode: t.Any = getattr(subject.app.jinja_env, "bytecode_cache", None)
    if is_a(bytecode, "jinja2.bccache.FileSystemBytecodeCache"):
        caches.append(("Jinja's bytecode cache", bytecode.directory))
    if "file" in str(config.get("CACHE_TYPE", "")).lower():
        caches.append(("the cache of CACHE_DIR", config.get("CACHE_DIR")))
    if config.get("SESSION_TYPE") == "filesystem":
        caches.append(("the session store of SESSION_FILE_DIR", config.get("SESSION_FILE_DIR")))
    for what, folder in caches:
        if isinstance(folder, str | os.PathLike) and _others_write(Path(folder)):
            yield Finding(
                f"{what[0].upper()}{what[1:]} is in {str(folder)!r}, a folder that other users of this machine can "
                f"write to. What they put there is executed.",
                "# Name a folder of the application's own, such as:\n"
                'cache = os.path.join(app.instance_path, "cache")\n'
                "os.makedirs(cache, mode=0o700, exist_ok=True)",
            )


def _others_write(folder: Path) -> bool:
    try:
        found = folder.stat()
    except OSError:
        return False
    # Only where users have numbers: elsewhere the mode says nothing.
    own = os.getuid() if hasattr(os, "getuid") else None
    if own is None:
        return False
    return bool(found.st_mode & stat.S_IWOTH) or found.st_uid not in {own, 0}
