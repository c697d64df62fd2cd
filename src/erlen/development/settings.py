"""What the development server was asked for."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

#: Files of certificate and key, ``"adhoc"``, an :class:`ssl.SSLContext`, or nothing.
Certificate: t.TypeAlias = t.Any


@dataclass
class Settings:
    """The options of ``erlen run`` and ``app.run()``.

    :param command: what the user typed to get here, for messages that say what to type instead.
    :param owns_process: whether the process ends with the server. After ``app.run()`` a script may go on.
    :param server_options: more for :func:`werkzeug.serving.make_server`.
    """

    host: str
    port: int
    command: str = "erlen run"
    owns_process: bool = True
    reloads: bool = False
    debugger: bool = False
    debugger_clients: t.Sequence[str] = ()
    debugger_hosts: t.Sequence[str] = ()
    threaded: bool = True
    interface: str = "auto"
    certificate: Certificate = None
    extra_files: t.Sequence[str] = ()
    exclude_patterns: t.Sequence[str] = ()
    server_options: dict[str, t.Any] = field(default_factory=dict[str, t.Any])
