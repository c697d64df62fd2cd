"""The debugger in the browser: an application wrapped in it answers an exception with a page that shows where it came from.

The parts, in the order in which an exception meets them. From ``answers`` on they are loaded at the first one.

- ``middleware``: :class:`Debugger`, which calls the application and catches what it raises, over WSGI and ASGI
- ``access``: who may see anything of it; ``lock``: who may use the console
- ``exchange``: what both sides of the wrapper have in common
- ``answers``: decides what is answered, and answers the debugger's own addresses
- ``masking``, ``values``: what must not be shown, and how values are printed within bounds of size and time
- ``source``, ``frames``, ``problems``: an exception as data: its frames with source and local variables, its causes, its group
- ``asked``: the request as data
- ``reports``, ``page``: that data as text, as JSON and as a page
- ``console``, ``kept``: code run in a frame, and the frames it is run in
"""

from __future__ import annotations

from .middleware import Debugger as Debugger

__all__ = ["Debugger"]
