"""``erlen check``: looks at the configured application, and says what is unsafe or slow and how to mend it.

``table`` lists the checks, ``runner`` makes them, ``report`` and ``command`` show what they found. Extensions add checks with an
entry point of the group ``erlen.checks``, which names a :class:`Check` or a list of them.
"""

from __future__ import annotations

from .command import check_command as check_command
from .model import Check as Check
from .model import DoesNotApply as DoesNotApply
from .model import Finding as Finding
from .model import Severity as Severity
from .model import Subject as Subject

__all__ = ["Check", "DoesNotApply", "Finding", "Severity", "Subject"]
