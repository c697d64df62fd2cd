"""Compiled routing (D7): Werkzeug's ``Map`` is the model, this is how it is walked quickly.

:func:`compile_routes` reads the state machine that Werkzeug itself built for a map and mirrors it into nodes whose
look-ups are cheap. :meth:`Routes.match` answers only what is certain; for everything else (no match, wrong
method, redirects, slashes to add, aliases, host matching) it returns ``None``, and Werkzeug's matcher is asked.
"""

from __future__ import annotations

from .compiler import compile_routes
from .matcher import Leaf, Node, Routes, Segment

__all__ = ["Leaf", "Node", "Routes", "Segment", "compile_routes"]
