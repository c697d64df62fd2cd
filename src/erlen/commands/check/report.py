"""How a report looks: on a terminal, in a log, and as JSON."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
import typing as t
from collections import Counter

import click

from .model import SEVERITIES, Check, Finding, Severity
from .runner import Report

#: Of the form below; a change that is not an addition makes it another one.
SCHEMA = 1

_HEADINGS: dict[Severity, str] = {"error": "Errors", "warning": "Warnings", "info": "Notes"}
#: The colour of each severity.
COLOURS: dict[Severity, str] = {"error": "red", "warning": "yellow", "info": "cyan"}
_WIDEST, _NARROWEST = 80, 40
_INDENT = "    "


def print_report(report: Report, application: str) -> None:
    """Print a report for people: in colours on a terminal, without them elsewhere and with ``NO_COLOR``.

    :param report: the report.
    :param application: what was looked at, in words.
    """
    width = width_of_text()
    lines = [*wrapped(f"Looked at {application}.", width), ""]
    for severity in SEVERITIES:
        of_severity = [(check, finding) for check, finding, one in report.findings if one == severity]
        if of_severity:
            lines.append(click.style(_HEADINGS[severity], fg=COLOURS[severity], bold=True))
            for check, finding in of_severity:
                lines += ["", *_lines_of(check, finding, severity, width)]
            lines.append("")
    if report.skipped:
        lines.append(click.style("Skipped", bold=True))
        for skip in report.skipped:
            text = f"{skip.id}: {skip.reason}" if skip.reason else skip.id
            lines += wrapped(text, width, "  ", _INDENT)
        lines.append("")
    lines += wrapped(summary(report), width)
    echo_lines(lines)


def width_of_text() -> int:
    """Return how long lines of prose are here."""
    return max(min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST), _NARROWEST)


def echo_lines(lines: t.Iterable[str]) -> None:
    """Print lines: in colours on a terminal, without them elsewhere and with ``NO_COLOR``.

    :param lines: the lines, styled.
    """
    color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    click.echo("\n".join(lines), color=color)


def _lines_of(check: Check, finding: Finding, severity: Severity, width: int) -> t.Iterator[str]:
    yield "  " + click.style(check.id, fg=COLOURS[severity])
    yield from wrapped(finding.message, width, _INDENT)
    for line in finding.fix.splitlines():
        # Lines to be written stay whole.
        yield f"{_INDENT}{click.style('>', dim=True)} {line}"
    yield click.style(f"{_INDENT}{check.link}", dim=True)
    yield click.style(f"{_INDENT}More: erlen check --explain {check.id}", dim=True)


def wrapped(text: str, width: int, indent: str = "", following: str | None = None) -> list[str]:
    """Return the lines of a text; words stay whole.

    :param text: the text.
    :param width: the length of a line.
    :param indent: what stands in front of the first line.
    :param following: what stands in front of the others; by default the same.
    """
    return textwrap.wrap(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent if following is None else following,
        break_long_words=False,
        break_on_hyphens=False,
    )


def summary(report: Report) -> str:
    """Return the last line: how many of what.

    :param report: the report.
    """
    counts = {"error": report.count("error"), "warning": report.count("warning")}
    if notes := report.count("info"):
        counts["note"] = notes
    counts["check"] = len(report.passed)
    parts = [f"{count} {word}{'' if count == 1 else 's'}" for word, count in counts.items()]
    parts[-1] += " passed"
    if report.not_applicable:
        count = len(report.not_applicable)
        parts.append(f"{count} {'does' if count == 1 else 'do'} not apply")
    if report.skipped:
        parts.append(f"{len(report.skipped)} skipped")
    return ", ".join(parts)


def as_json(
    report: Report | None,
    *,
    application: dict[str, str] | None,
    deploy: bool,
    failed: bool,
    error: str | None,
) -> dict[str, t.Any]:
    """Return a report for programs; ``docs/checks.md`` describes it.

    :param report: the report, ``None`` where the application could not be loaded.
    :param application: name, class and profile, ``None`` where it could not be loaded.
    :param deploy: whether the checks of ``--deploy`` were made.
    :param failed: whether the exit code is not 0.
    :param error: why nothing could be looked at.
    """
    made = report or Report()
    severities = Counter(one for *_, one in made.findings)
    return {
        "schema": SCHEMA,
        "application": application,
        "deploy": deploy,
        "failed": failed,
        "error": error,
        "findings": [
            {
                "id": check.id,
                "severity": severity,
                "title": check.title,
                "message": finding.message,
                "fix": finding.fix,
                "page": check.link,
            }
            for check, finding, severity in made.findings
        ],
        "passed": [check.id for check in made.passed],
        "not_applicable": [{"id": check.id, "reason": reason} for check, reason in made.not_applicable],
        "skipped": [{"id": skip.id, "reason": skip.reason} for skip in made.skipped],
        "counts": {
            **{severity: severities[severity] for severity in SEVERITIES},
            "passed": len(made.passed),
            "not_applicable": len(made.not_applicable),
            "skipped": len(made.skipped),
        },
    }
