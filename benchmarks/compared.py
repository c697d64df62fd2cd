"""What was compared: the answer of each subject to each case, with ``--answers``."""

from __future__ import annotations

import textwrap
import typing as t

from .answers import ALLOWED, Answer
from .cases import Case
from .runner import prepared
from .suites import Suite

WIDTH = 110
_INDENT = " " * 26


def print_answers(suite: Suite) -> None:
    """Print of every case what is compared, and the answers; subjects that answer the same share a line.

    :raises Unequal: where a subject does not answer as the case says.
    """
    print(f"{suite.protocol}: the answers, each checked against its case\n")
    with suite.preparing() as prepare:
        for name, case in suite.cases.items():
            running = prepared(case, suite.subjects, prepare)
            answers = {suite.subjects[key].title: one.answer for key, one in running.items()}
            print(f"{name}: {case.method} {case.path}{'?' if case.query else ''}{case.query}")
            _wrapped("compared", compared(case))
            for titles, answer in alike(answers):
                _wrapped("; ".join(titles), described(answer))
            print()
    print("Compared or not, an answer may have these headers beside those of its case, and no other:\n")
    for header, reason in ALLOWED.items():
        _wrapped(header, reason)
    print()


def compared(case: Case) -> str:
    """Return what has to be the same in every answer to a case."""
    parts = [f"status {case.status}"]
    if case.content_type is not None:
        parts.append(f"content-type {case.content_type}")
    parts += [f"{header} {value}" if value else f"that there is {header}" for header, value in case.required]
    if case.chunked:
        parts.append("no length is needed")
    elif case.status != 304:
        parts.append("that there is content-length")
    if case.method != "HEAD" and case.body is not None:
        parts.append(
            f"the body, {len(case.body)} bytes" + (" or as many as its JSON takes" if _json(case) else "")
        )
    if case.again is not None:
        parts.append(f"what the cookies hold, at {case.again[0]}")
    return "; ".join(parts)


def _json(case: Case) -> bool:
    return (case.content_type or "").endswith("json")


def alike(answers: dict[str, Answer]) -> t.Iterator[tuple[list[str], Answer]]:
    """Give the answers, each once, with the titles of the subjects that give it."""
    groups: dict[str, tuple[list[str], Answer]] = {}
    for title, answer in answers.items():
        groups.setdefault(described(answer), ([], answer))[0].append(title)
    yield from groups.values()


def described(answer: Answer) -> str:
    """Return an answer in a line: its status, how much there is of its body, its headers."""
    headers = sorted((name.lower(), value) for name, value in answer.headers)
    shown = [f"{name}: {value if len(value) <= 60 else value[:48] + ' ...'}" for name, value in headers]
    return "; ".join([f"{answer.status}", f"{len(answer.body)} bytes", *shown])


def _wrapped(label: str, text: str) -> None:
    """Print a label and what it is about, which goes on below itself."""
    first = f"  {label}"
    if len(first) >= len(_INDENT):
        print(first)
        first = ""
    print(
        textwrap.fill(
            text,
            WIDTH,
            initial_indent=first.ljust(len(_INDENT)),
            subsequent_indent=_INDENT,
            break_long_words=False,
            break_on_hyphens=False,
        )
    )
