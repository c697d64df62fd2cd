"""``erlen serve``: the production server on one machine, on Granian.

A main process listens, and starts worker processes, which load the application and serve it. It never loads the application
itself, so that a reload is new code.

- ``command`` is the command, ``settings`` what may be set, and what contradicts what;
- ``sockets`` makes the socket that all workers share;
- ``master`` starts, watches, replaces and stops workers, each a ``processes.Worker``, and talks to them over a ``channel``;
- ``entry`` is where such a process begins, with a ``task``, and ``worker`` is what it does: ``engine`` drives Granian,
  ``gate`` is what that calls, with ``proxies`` and ``access`` around the application, and ``ending`` is how it stops
  without losing a request.
"""

from __future__ import annotations
