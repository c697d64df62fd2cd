"""What the development server was asked for."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

#: The command of who calls the method of the application.
IN_CODE = "app.run()"

# What 'app.run()' takes for Werkzeug's function, and the server made here takes as well.
_SERVER_OPTIONS = ("passthrough_errors", "processes", "request_handler", "static_files")
_OPTIONS = {
    *_SERVER_OPTIONS,
    "exclude_patterns",
    "extra_files",
    "ssl_context",
    "threaded",
    "use_debugger",
    "use_reloader",
}

#: Files of certificate and key, ``"adhoc"``, an :class:`ssl.SSLContext`, or nothing.
Certificate: t.TypeAlias = t.Any

#: Returns the application, or raises what keeps it from being there.
Load: t.TypeAlias = t.Callable[[], t.Any]


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

    @classmethod
    def of_options(cls, host: str, port: int, options: dict[str, t.Any]) -> Settings | None:
        """Return the settings for options of :func:`werkzeug.serving.run_simple`.

        :param host: the address.
        :param port: the port.
        :param options: the others.
        :return: ``None`` where one of them is of a kind that only that function knows.
        """
        if not _OPTIONS.issuperset(options):
            return None
        server_options = {name: options[name] for name in _SERVER_OPTIONS if name in options}
        return cls(
            host,
            port,
            IN_CODE,
            owns_process=False,
            reloads=bool(options.get("use_reloader")),
            debugger=bool(options.get("use_debugger")),
            threaded=bool(options.get("threaded")),
            # These are about the server for WSGI.
            interface="wsgi" if server_options else "auto",
            certificate=options.get("ssl_context"),
            extra_files=tuple(options.get("extra_files") or ()),
            exclude_patterns=tuple(options.get("exclude_patterns") or ()),
            server_options=server_options,
        )


def with_option(command: str, name: str, value: object) -> str:
    """Return what to type or to write, with another option.

    :param command: what the user has typed.
    :param name: of the option.
    :param value: of it.
    """
    return f"app.run({name}={value!r})" if command == IN_CODE else f"{command} --{name} {value}"
