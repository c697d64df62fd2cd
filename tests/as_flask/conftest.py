"""These tests run in a process with ``erlen.as_flask``: ``python -m erlen.as_flask -m pytest tests/as_flask``.

``tests/test_as_flask.py`` starts that process, so that they run with all others.
"""

from __future__ import annotations

import os

from erlen.compat.finder import is_installed

collect_ignore_glob = [] if is_installed() or "ON_FLASK" in os.environ else ["test_*.py"]
