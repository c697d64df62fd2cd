"""What is shown of an exception, together, and as text and as JSON."""

from __future__ import annotations

import dataclasses
import json
import platform
import typing as t
from importlib.metadata import PackageNotFoundError, version

from .asked import Asked, Pairs
from .frames import Frame, Gap
from .problems import CAUSE, Problem


@dataclasses.dataclass
class Report:
    """Everything that is shown of an exception.

    :param problem: the exception.
    :param text: it as Python prints it.
    :param short: that without its frames, where all of them are of libraries and the view says more.
    :param asked: the request.
    """

    problem: Problem
    text: str
    short: str
    asked: Asked


def versions() -> dict[str, str]:
    """Return the versions of Python and of what answers requests."""
    found = {"Python": platform.python_version()}
    for name in ("Erlen", "Werkzeug", "Jinja2"):
        try:
            found[name] = version(name.lower())
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def as_text(report: Report) -> str:
    """Return a report as plain text.

    :param report: the report.
    """
    asked = report.asked
    known = facts(asked)
    if report.problem.view is not None:
        # The only place in the user's own code comes first.
        known.sort(key=lambda pair: pair[0] != "View")
    lines = [f"{asked.method} {asked.url}"]
    lines += [f"{name}: {value}" for name, value in known]
    lines += ["", report.short.rstrip(), ""]
    lines += _block("Query", asked.query) + _block("Headers", asked.headers)
    if asked.form is not None:
        lines += _block("Form", asked.form) + _block("Files", asked.files)
    if asked.session is not None:
        lines += _block("Session", asked.session)
    lines.append(", ".join(f"{name} {number}" for name, number in versions().items()))
    return "\n".join(lines) + "\n"


def to_copy(report: Report) -> str:
    """Return what somebody is sent who is asked for help: the request, the traceback, the versions.

    :param report: the report.
    """
    numbers = ", ".join(f"{name} {number}" for name, number in versions().items())
    view = "" if report.problem.view is None else f"View: {report.asked.view}\n"
    return f"{report.asked.method} {report.asked.url}\n{view}\n{report.short.rstrip()}\n\n{numbers}\n"


def facts(asked: Asked) -> Pairs:
    """Return what is known of a request beside its URL, without what is empty.

    :param asked: the request.
    """
    known = [
        ("Endpoint", asked.endpoint),
        ("Rule", asked.rule),
        ("View", asked.view),
        ("Variables of the rule", ", ".join(f"{name}={value}" for name, value in asked.values)),
        ("Cookies", ", ".join(f"{name} (value hidden)" for name in asked.cookies)),
        ("Client", asked.client),
        ("Protocol", asked.protocol),
    ]
    return [(name, value) for name, value in known if value]


def _block(title: str, pairs: Pairs) -> list[str]:
    return [title, *(f"  {name}: {value}" for name, value in pairs), ""] if pairs else []


def as_json(report: Report) -> str:
    """Return a report as JSON.

    :param report: the report.
    """
    asked = dataclasses.asdict(report.asked)
    for key in ("query", "headers", "form", "files"):
        # A name may come several times.
        asked[key] = None if asked[key] is None else [list(pair) for pair in asked[key]]
    for key in ("session", "values"):
        asked[key] = None if asked[key] is None else dict(asked[key])
    content = {
        "error": _problem(report.problem),
        "request": asked,
        "traceback": report.text,
        "versions": versions(),
    }
    return json.dumps(content, indent=2) + "\n"


def _problem(problem: Problem) -> dict[str, t.Any]:
    return {
        "type": problem.type,
        "message": problem.message,
        "notes": problem.notes,
        "frames": [
            {"left_out": entry.text} if isinstance(entry, Gap) else _frame(entry) for entry in problem.entries
        ],
        "view": None if problem.view is None else _frame(problem.view),
        "cause": None if problem.origin is None or problem.relation != CAUSE else _problem(problem.origin),
        "context": None if problem.origin is None or problem.relation == CAUSE else _problem(problem.origin),
        "exceptions": [_problem(member) for member in problem.members],
    }


def _frame(frame: Frame) -> dict[str, t.Any]:
    marked = frame.marked
    return {
        "file": frame.filename,
        "line": frame.line,
        "function": frame.function,
        "module": frame.module,
        "source": frame.current_line,
        "columns": None
        if marked is None
        else {"line": marked[0], "begin": marked[1], "end_line": marked[2], "end": marked[3]},
        "is_library": frame.is_library,
        "variables": {variable.name: variable.text for variable in frame.variables},
    }
