"""Which folders and files a reload depends on: the user's own, and nothing that was installed."""

from __future__ import annotations

import fnmatch
import os
import sys
import typing as t
from dataclasses import dataclass, field

# Beside these, folders whose name begins with a dot, and virtual environments of any name.
_IGNORED = {"__pycache__", "node_modules", "site-packages", "dist-packages"}

_STANDARD_LIBRARY = os.path.dirname(os.path.abspath(os.__file__))

#: What tells one content of a file from another.
Signature: t.TypeAlias = "tuple[int, int]"


@dataclass
class Survey:
    """What was found on a walk through the folders.

    :param folders: all of them, without those that are ignored.
    :param files: all that are in them, with their signatures. Whether one counts is asked later: a file may have become one
        of a module meanwhile.
    """

    folders: set[str] = field(default_factory=set[str])
    files: dict[str, Signature] = field(default_factory=dict[str, Signature])

    def differences(self, later: Survey) -> t.Iterator[str]:
        """Return the files that are not the same in a later survey of the same roots.

        :param later: that survey.
        """
        for path in sorted(self.files.keys() | later.files.keys()):
            if self.files.get(path) != later.files.get(path):
                yield path


class Rules:
    """What counts as a change.

    :param extra_files: files and folders that count whatever is in them.
    :param exclude_patterns: shell patterns of what does not.
    """

    def __init__(self, extra_files: t.Iterable[str], exclude_patterns: t.Iterable[str]) -> None:
        extra = [os.path.abspath(path) for path in extra_files]
        self.extra_folders = [path for path in extra if os.path.isdir(path)]
        self.extra_files = {path for path in extra if not os.path.isdir(path)}
        self._patterns = list(exclude_patterns)
        self._here = os.getcwd()
        # Files of modules, whatever they are called.
        self._of_modules: set[str] = set()

    def roots(self) -> frozenset[tuple[str, bool]]:
        """Return where to look now: folders, with whether what is in them counts as well."""
        found = {(path, True) for path in (self._here, *self.extra_folders)}
        for path in sys.path:
            path = os.path.abspath(path)
            if os.path.isfile(path):
                self._of_modules.add(path)
            elif not is_installed(path) and not _holds_programs(path):
                found.add((path, True))
        for module in list(sys.modules.values()):
            file = getattr(module, "__file__", None)
            if isinstance(file, str) and os.path.isabs(file) and not is_installed(file):
                self._of_modules.add(file)
                found.add((os.path.dirname(file), False))
        # A file may not be there yet.
        found.update((os.path.dirname(path), False) for path in self.extra_files)
        return frozenset(root for root in found if os.path.isdir(root[0]))

    def counts(self, path: str) -> bool:
        """Return whether a change of a file is to start the server again.

        :param path: absolute.
        """
        if self._is_excluded(path):
            return False
        if path in self.extra_files or path in self._of_modules:
            return True
        name = os.path.basename(path)
        if any(_is_below(path, folder) for folder in self.extra_folders):
            return not name.endswith(("~", ".swp"))
        return name.endswith(".py") and not name.startswith(".")

    def all_extra_files(self) -> list[str]:
        """Return the extra files, and those that are in extra folders now."""
        surveys = [self.survey([(folder, True)]) for folder in self.extra_folders]
        inside = [file for survey in surveys for file in survey.files if self.counts(file)]
        return [*self.extra_files, *self.extra_folders, *inside]

    def all_patterns(self) -> list[str]:
        """Return the patterns of what does not count, for who compares them with absolute paths alone."""
        relative = [pattern for pattern in self._patterns if not pattern.startswith(("*", os.sep))]
        return [*self._patterns, *(os.path.join(self._here, pattern) for pattern in relative)]

    def _is_excluded(self, path: str) -> bool:
        beside = os.path.relpath(path, self._here) if _is_below(path, self._here) else path
        return any(
            fnmatch.fnmatch(path, pattern) or fnmatch.fnmatch(beside, pattern) for pattern in self._patterns
        )

    def survey(self, roots: t.Iterable[tuple[str, bool]]) -> Survey:
        """Walk through folders.

        :param roots: as from :meth:`roots`.
        """
        survey = Survey()
        seen: set[str] = set()
        for root, is_deep in sorted(roots):
            self._walk(root, is_deep, survey, seen)
        return survey

    def _walk(self, root: str, is_deep: bool, survey: Survey, seen: set[str]) -> None:
        everything = any(_is_below(root, folder) for folder in self.extra_folders)
        # A folder is gone into where it or the one above it holds modules: a home folder is not read as a whole.
        waiting = [(root, True)]
        while waiting:
            folder, above = waiting.pop()
            survey.folders.add(folder)
            subfolders, has_modules = self._read(folder, survey)
            if not is_deep or not (everything or above or has_modules):
                continue
            for subfolder in subfolders:
                # Symbolic links may lead in circles.
                real = os.path.realpath(subfolder)
                if real not in seen:
                    seen.add(real)
                    waiting.append((subfolder, has_modules))

    def _read(self, folder: str, survey: Survey) -> tuple[list[str], bool]:
        subfolders: list[str] = []
        has_modules = False
        try:
            entries = list(os.scandir(folder))
        except OSError:
            # Not readable, or gone meanwhile.
            return [], False
        for entry in entries:
            try:
                if entry.is_dir():
                    if not is_ignored(entry.name) and not os.path.exists(f"{entry.path}/pyvenv.cfg"):
                        subfolders.append(entry.path)
                    continue
                has_modules = has_modules or entry.name.endswith(".py")
                status = entry.stat()
                survey.files[entry.path] = status.st_mtime_ns, status.st_size
                if entry.is_symlink() and self.counts(entry.path):
                    self._follow(entry.path, survey)
            except OSError:
                continue
        return subfolders, has_modules

    def _follow(self, link: str, survey: Survey) -> None:
        """Look at the file that a link leads to as well: that is where an editor writes."""
        real = os.path.realpath(link)
        self._of_modules.add(real)
        survey.folders.add(os.path.dirname(real))


def is_ignored(name: str) -> bool:
    """Return whether a folder of that name is not looked into."""
    return name in _IGNORED or name.startswith(".")


def is_installed(path: str) -> bool:
    """Return whether a path belongs to Python itself, to an environment, or to what was installed into one.

    :param path: absolute.
    """
    if "site-packages" in path or "dist-packages" in path or _is_below(path, _STANDARD_LIBRARY):
        return True
    return sys.prefix != sys.base_prefix and _is_below(path, sys.prefix)


def _holds_programs(path: str) -> bool:
    # Python puts the folder of the program 'erlen' first on its path.
    return os.path.basename(path) in {"bin", "Scripts"} and path == os.path.dirname(
        os.path.abspath(sys.argv[0])
    )


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder if folder.endswith(os.sep) else folder + os.sep)
