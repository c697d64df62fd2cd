"""Compiled routing (D7): Werkzeug's ``Map`` is the model, this is how it is walked quickly.

:func:`compile_routes` reads the state machine that Werkzeug itself built for a map and mirrors it into nodes whose
look-ups are cheap. :meth:`Routes.match` answers only what is certain; for everything else (another method,
redirects, slashes to add, aliases, host matching) it raises :exc:`Undecided`, and Werkzeug's matcher is asked.
:class:`Builders` is the way back, from an endpoint and values to a URL.
"""

from __future__ import annotations

from .building import Builders as Builders
from .compiler import compile_routes as compile_routes
from .matcher import Leaf as Leaf
from .matcher import Node as Node
from .matcher import Routes as Routes
from .matcher import Segment as Segment
from .matcher import Undecided as Undecided
