"""Makes the checks, those of extensions included, and collects what they say."""

from __future__ import annotations

import traceback
import typing as t
from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path

from .model import SEVERITIES, Check, DoesNotApply, Finding, Severity, Subject
from .surroundings import relative

#: The group of entry points with checks of extensions.
GROUP = "erlen.checks"


@dataclass(frozen=True)
class Skip:
    """A check that somebody does not want.

    :param id: the check.
    :param reason: why, as it was written; empty where it was not.
    """

    id: str
    reason: str


@dataclass
class Report:
    """What was found.

    :param findings: each with its check and its severity, the worst first.
    :param passed: the checks that found nothing.
    :param skipped: the checks that were not made because somebody said so.
    :param not_applicable: those that had nothing to look at, with the reason.
    """

    findings: list[tuple[Check, Finding, Severity]] = field(
        default_factory=list[tuple[Check, Finding, Severity]]
    )
    passed: list[Check] = field(default_factory=list[Check])
    skipped: list[Skip] = field(default_factory=list[Skip])
    not_applicable: list[tuple[Check, str]] = field(default_factory=list[tuple[Check, str]])

    def count(self, severity: Severity) -> int:
        """Return how many findings are of a severity.

        :param severity: the severity.
        """
        return Counter(one for *_, one in self.findings)[severity]

    def fails_at(self, level: Severity | t.Literal["never"]) -> bool:
        """Return whether there is a finding of a level or a worse one.

        :param level: the least severity that counts; with ``"never"`` none does.
        """
        if level == "never":
            return False
        return any(self.count(one) for one in SEVERITIES[: SEVERITIES.index(level) + 1])


def load_checks(own: t.Iterable[Check]) -> tuple[list[Check], dict[str, str]]:
    """Return all checks, and the entry points whose checks could not be loaded, with the reasons.

    :param own: the checks of this package, which come first.
    """
    checks = {check.id: check for check in own}
    broken: dict[str, str] = {}
    for entry_point in sorted(entry_points(group=GROUP), key=lambda one: one.name):
        try:
            loaded = entry_point.load()
            added: list[t.Any] = [loaded] if isinstance(loaded, Check) else list(loaded)
        except Exception as error:  # Whatever an extension raises, the other checks are made.
            broken[entry_point.name] = f"{type(error).__name__} while {entry_point.value!r} was loaded"
            continue
        for check in added:
            if not isinstance(check, Check):
                broken[entry_point.name] = (
                    f"{entry_point.value!r} holds a {type(check).__name__}, not a Check"
                )
            elif check.id in checks:
                broken[entry_point.name] = f"there is another check with the id {check.id!r}"
            else:
                checks[check.id] = check
    return list(checks.values()), broken


def run_checks(subject: Subject, checks: t.Iterable[Check], skips: t.Mapping[str, str]) -> Report:
    """Make checks.

    :param subject: what they look at.
    :param checks: the checks.
    :param skips: ids of checks not to make, with the reasons.
    """
    report = Report()
    for check in checks:
        if check.id in skips:
            report.skipped.append(Skip(check.id, skips[check.id]))
            continue
        try:
            found = list(check.find(subject))
        except DoesNotApply as nothing:
            report.not_applicable.append((check, nothing.reason))
            continue
        except Exception as error:  # A mistake in one check must not hide what the others find.
            found = [_about_itself(check, error, subject)]
        for one in found:
            severity: Severity = one.severity or check.severity
            report.findings.append((check, one, severity))
        if not found:
            report.passed.append(check)
    report.findings.sort(key=lambda finding: SEVERITIES.index(finding[2]))
    return report


def _about_itself(check: Check, error: Exception, subject: Subject) -> Finding:
    # Without the error's text: values of the configuration may be in it.
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{relative(Path(frame.filename), subject.folder)}:{frame.lineno}"
    return Finding(
        f"This check itself failed with {type(error).__name__} ({place}), so that nothing is known of what it looks at.",
        f"# Report it to those who wrote it; until then:\nerlen check --skip {check.id}",
        "error",
    )
