"""Makes the example importable: it is a folder to copy, not an installed distribution."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
