"""Versions of packages, compared as PEP 440 orders them."""

from __future__ import annotations

import re
import typing as t

_VERSION = re.compile(
    r"v?(?:(?P<epoch>\d+)!)?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[-_.]?(?P<kind>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?P<number>\d*))?"
    r"(?P<post>-(?P<implicit>\d+)|[-_.]?(?:post|rev|r)[-_.]?(?P<explicit>\d*))?"
    r"(?P<dev>[-_.]?dev[-_.]?(?P<dev_number>\d*))?"
    r"(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?",
    re.ASCII,
)

_KINDS = {"alpha": 0, "a": 0, "beta": 1, "b": 1, "preview": 2, "pre": 2, "c": 2, "rc": 2}

_Key: t.TypeAlias = tuple[int, tuple[int, ...], tuple[int, int], int, tuple[int, int]]


def version_key(text: str) -> _Key:
    """Return what orders versions as PEP 440 does. What follows a plus sign does not count.

    :param text: the version.
    :raises ValueError: for a text that is none.
    """
    found = _VERSION.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(
            f"{text!r} is no version as PEP 440 has them: '1.2', '1.2rc1' or '1.2.post1', for example."
        )
    numbers = [int(part) for part in found["release"].split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    if found["kind"]:
        stage = (_KINDS[found["kind"]], int(found["number"] or 0))
    elif found["dev"] and not found["post"]:
        # '1.0.dev1' comes before '1.0a1'.
        stage = (-1, 0)
    else:
        stage = (3, 0)
    post = int(found["implicit"] or found["explicit"] or 0) if found["post"] else -1
    dev = (0, int(found["dev_number"] or 0)) if found["dev"] else (1, 0)
    return int(found["epoch"] or 0), tuple(numbers), stage, post, dev


def is_within(version: str, ranges: t.Iterable[str]) -> bool:
    """Return whether a version is in one of several ranges.

    :param version: the version.
    :param ranges: each as ``">=3.0,<3.0.1"`` or ``"<2.3.8"``; all conditions of one hold.
    :raises ValueError: for a version or a range that is none.
    """
    key = version_key(version)
    return any(all(_holds(key, condition.strip()) for condition in one.split(",")) for one in ranges)


def _holds(key: _Key, condition: str) -> bool:
    for operator, compare in _COMPARE.items():
        if condition.startswith(operator):
            return compare(key, version_key(condition.removeprefix(operator)))
    raise ValueError(f"{condition!r} is no condition: it begins with one of {', '.join(_COMPARE)}.")


_COMPARE: dict[str, t.Callable[[_Key, _Key], bool]] = {
    ">=": lambda one, other: one >= other,
    "==": lambda one, other: one == other,
    "<": lambda one, other: one < other,
}
