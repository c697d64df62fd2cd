"""What is meant to differ between Flask 3.1.3 and Erlen with ``profile="flask"``, by the name of the case.

Each entry says why. A listed case that no longer differs fails the tests, so the table cannot grow stale.
"""

from __future__ import annotations

DIFFERENCES: dict[str, str] = {}
