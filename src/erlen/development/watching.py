"""Hears of changes of files: by watchfiles where it is installed, else by Werkzeug's reloader."""

from __future__ import annotations

import os
import sys
import threading
import typing as t
from importlib.util import find_spec

from .folders import Rules, Survey, is_ignored, is_installed
from .terminal import say, styled

# Elsewhere the operating system watches whole trees; Linux each folder by itself, so what is ignored costs nothing.
_IS_DEEP = sys.platform != "linux"

# How often, in milliseconds, new folders are looked for that are none of a change: another module was loaded.
_INTERVAL = 1000

# How many seconds to wait at the beginning: watchfiles takes time to load.
_DELAY = 0.4

# How many seconds the end of a watch may take.
_PATIENCE = 0.3


class Watcher:
    """A thread that waits for the first change.

    :param rules: what counts as one.
    :param changed: called with the path; then the thread ends.
    """

    def __init__(self, rules: Rules, changed: t.Callable[[str], object]) -> None:
        self._rules = rules
        self._changed = changed
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; what changes from now on counts, also while the application is still being loaded."""
        self._thread = threading.Thread(
            target=self._run, args=self._survey(), name="erlen-reloader", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End the watch; at the end of the process, code that is not Python's own should not wait for it."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_PATIENCE)

    def _survey(self) -> tuple[frozenset[tuple[str, bool]], Survey]:
        roots = self._rules.roots()
        return roots, self._rules.survey(roots)

    def _run(self, roots: frozenset[tuple[str, bool]], survey: Survey) -> None:
        # The first answer comes first. What changes meanwhile differs from the survey.
        self._stopping.wait(_DELAY)
        path = self._difference(survey, self._rules.survey(roots))
        if path is None and not self._stopping.is_set():
            path = self._wait_for_change(roots, survey)
        if path is not None:
            say(f" * {styled(_shown(path), bold=True)} has changed: starting again")
            self._changed(path)

    def _wait_for_change(self, roots: frozenset[tuple[str, bool]], survey: Survey) -> str | None:
        if find_spec("watchfiles") is not None:
            try:
                return self._watch(roots, survey)
            except ImportError:
                # It is there, and does not work.
                pass
            except OSError as error:
                say(
                    f" * The system does not watch so many folders ({error}). Looking at the files each second instead;"
                    " 'sudo sysctl fs.inotify.max_user_watches=524288' permits more."
                )
        return self._watch_with_werkzeug(roots, survey)

    def _watch(self, roots: frozenset[tuple[str, bool]], survey: Survey) -> str | None:
        # Optional dependency.
        import watchfiles

        while True:
            paths = {root for root, _ in roots} if _IS_DEEP else survey.folders
            changes = watchfiles.watch(
                *paths,
                watch_filter=None,
                stop_event=self._stopping,
                step=50,
                rust_timeout=_INTERVAL,
                yield_on_timeout=True,
                raise_interrupt=False,
                recursive=_IS_DEEP,
                ignore_permission_denied=True,
            )
            again, path = self._follow(changes, roots, survey)
            if path is not None or self._stopping.is_set():
                return path
            roots, survey = again

    def _follow(
        self, changes: t.Iterable[set[tuple[t.Any, str]]], roots: frozenset[tuple[str, bool]], survey: Survey
    ) -> tuple[tuple[frozenset[tuple[str, bool]], Survey], str | None]:
        """Wait for a change, or for other folders to watch."""
        begins = True
        for found in changes:
            for _, path in sorted(found, key=lambda change: change[1]):
                if self._is_ours(path, roots) and self._rules.counts(path):
                    return (roots, survey), path
            has_new_folder = any(
                os.path.isdir(path) and not is_ignored(os.path.basename(path)) for _, path in found
            )
            if not (begins or has_new_folder or self._rules.roots() != roots):
                continue
            # What has changed between the survey and the beginning of the watch, or in a folder before it was watched.
            later = self._rules.survey(roots)
            changed = self._difference(survey, later)
            if changed is not None:
                return (roots, later), changed
            again = self._survey()
            if again[1].folders != survey.folders:
                return again, None
            begins, (roots, survey) = False, again
        return (roots, survey), None

    @staticmethod
    def _is_ours(path: str, roots: frozenset[tuple[str, bool]]) -> bool:
        """Return whether nothing between a root and a file is ignored; asked where whole trees are watched."""
        if not _IS_DEEP:
            return True
        if is_installed(path):
            return False
        inside = [os.path.relpath(path, root) for root, _ in roots if path.startswith(root + os.sep)]
        parts = os.path.dirname(min(inside, key=len)).split(os.sep) if inside else []
        return not any(is_ignored(part) for part in parts if part)

    def _difference(self, survey: Survey, later: Survey) -> str | None:
        return next((path for path in survey.differences(later) if self._rules.counts(path)), None)

    def _watch_with_werkzeug(self, roots: frozenset[tuple[str, bool]], survey: Survey) -> str | None:
        # Only where watchfiles is not there. The module is Werkzeug's own affair, and has no other way in.
        from werkzeug._reloader import reloader_loops

        found: list[str] = []
        installed = [
            f"*{os.sep}{name}{os.sep}*" for name in ("site-packages", "dist-packages", "node_modules")
        ]
        loop: t.Any = reloader_loops["auto"](
            extra_files=self._rules.all_extra_files(),
            exclude_patterns=[*installed, *self._rules.all_patterns()],
        )
        loop.log_reload = lambda path: found.append(os.fsdecode(path))
        try:
            with loop:
                # What has changed before it had looked for the first time.
                path = self._difference(survey, self._rules.survey(roots))
                if path is not None:
                    return path
                loop.run()
        except SystemExit:
            return found[0] if found else None
        return None


def _shown(path: str) -> str:
    try:
        beside = os.path.relpath(path)
    except ValueError:
        # Another drive.
        return path
    return path if beside.startswith(os.pardir) else beside
