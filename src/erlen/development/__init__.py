"""The development server: what ``erlen run`` and ``app.run()`` need besides an application.

One process (``running``) binds the socket (``sockets``). With the reloader it does nothing else: it starts the process that loads the
application, hands the socket over, and starts the next one when files have changed (``reloader``, ``watching``). The
process that serves (``process``) takes Werkzeug's server (``wsgi``) or uvicorn (``asgi``). Nothing in here is imported
by an application that is served by something else.
"""

from __future__ import annotations

from .running import run as run
from .settings import Settings as Settings
