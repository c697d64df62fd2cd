"""These tests run in a process with ``erlen.as_flask``: ``python -m erlen.as_flask -m pytest tests/as_flask``.

``tests/test_as_flask.py`` starts that process, so that they run with all others.
"""

from __future__ import annotations

from erlen.compat.finder import is_installed

collect_ignore_glob = [] if is_installed() else ["test_*.py"]
