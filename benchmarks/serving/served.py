"""What a server imports: one application, as the variables of its process say."""

from __future__ import annotations

import os
import typing as t

from ..cases import CASES
from .targets import CASE, PROTOCOL, SUBJECT, subjects


def _make() -> t.Any:
    subject, case = subjects(os.environ[PROTOCOL])[os.environ[SUBJECT]], CASES[os.environ[CASE]]
    factory = subject.factory(case.factory)
    if factory is None:
        raise RuntimeError(f"{subject.title} has no application for {os.environ[CASE]!r}")
    return factory(**dict(subject.options))


app = _make()
