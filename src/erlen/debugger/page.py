"""What is shown of an exception as a page: one document without anything from elsewhere."""

from __future__ import annotations

import functools
import secrets
import typing as t
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .frames import Entry, Frame, Gap
from .problems import CAUSE, Problem
from .reports import Report, facts, to_copy, versions

#: Sent with every page of the debugger. Nobody else may hold it in a frame, keep it, or be told of its address.
HEADERS = [
    ("Content-Type", "text/html; charset=utf-8"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
]


class Run(t.NamedTuple):
    """Frames that are folded together, or one that is not.

    :param frames: the frames, the last call first.
    :param is_folded: whether they are a library's.
    :param text: of what the frames are, or in place of them.
    """

    frames: list[Frame]
    is_folded: bool
    text: str


def runs_of(problem: Problem) -> list[Run]:
    """Return the frames of an exception as they are shown: the last call first, those of libraries folded together.

    :param problem: the exception.
    """
    runs: list[Run] = []
    folded: list[Frame] = []

    def fold() -> None:
        if folded:
            packages = ", ".join(dict.fromkeys(frame.package or frame.path for frame in folded))
            noun = "frame" if len(folded) == 1 else "frames"
            runs.append(Run(list(folded), True, f"{len(folded)} {noun} of {packages}"))
            folded.clear()

    entry: Entry
    for entry in reversed(problem.entries):
        if isinstance(entry, Gap):
            fold()
            runs.append(Run([], False, entry.text))
        elif entry.is_open:
            fold()
            runs.append(Run([entry], False, ""))
        else:
            folded.append(entry)
    fold()
    return runs


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("erlen.debugger"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    known: t.Any = environment.globals
    folder = files("erlen.debugger") / "templates"
    for name in ("style.css", "page.js", "unlock.js"):
        # Erlen's own text, which has its place between the tags as it is.
        text = Markup((folder / name).read_text(encoding="utf-8"))  # noqa: S704 (no text of anybody else's)
        known[name.replace(".", "_")] = text
    known.update(runs_of=runs_of, facts=facts, versions=versions, to_copy=to_copy, CAUSE=CAUSE)
    return environment


def _render(name: str, variables: dict[str, t.Any]) -> tuple[bytes, list[tuple[str, str]]]:
    nonce = secrets.token_urlsafe(16)
    html = _environment().get_template(name).render(nonce=nonce, **variables)
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; img-src data:; "
        f"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
    return html.encode("utf-8", "backslashreplace"), [*HEADERS, ("Content-Security-Policy", policy)]


def error_page(report: Report, base: str, token: str) -> tuple[bytes, list[tuple[str, str]]]:
    """Return the page for an exception, and its headers.

    :param report: what it shows.
    :param base: the path of the debugger's own addresses.
    :param token: by which the console finds the frames of this page, empty for a page without a console.
    """
    return _render("page.html", {"report": report, "base": base, "token": token})


def unlock_page(base: str) -> tuple[bytes, list[tuple[str, str]]]:
    """Return the page that unlocks the console, and its headers.

    :param base: the path of the debugger's own addresses.
    """
    return _render("unlock.html", {"base": base})
