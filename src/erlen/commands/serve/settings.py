"""What a server is told: the settings, the file they may stand in, and what is wrong with them."""

from __future__ import annotations

import dataclasses
import difflib
import importlib.util
import os
import tomllib
import typing as t
from pathlib import Path

import click

#: What is said where Granian is missing.
MISSING = (
    "'erlen serve' serves with Granian, which is not installed. Install it with: pip install 'erlen[serve]'"
)

#: What is listed in the file is a list of texts, which for static files may be a table as well.
_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "text": ((str,), "a text in quotes"),
    "number": ((int,), "a whole number"),
    "switch": ((bool,), "true or false"),
    "workers": ((int, str), 'a whole number, or "auto"'),
    "http": ((int, str), '"auto", 1 or 2'),
    "texts": ((str, list), "a text or a list of texts"),
    "static": ((list, dict), 'a list such as ["/static=folder"], or a table such as {"/static" = "folder"}'),
}

#: The keys of the file, each with the kind of its value. A test holds them to the options of the command.
KEYS = {
    "host": "text",
    "port": "number",
    "unix_socket": "text",
    "unix_mode": "text",
    "interface": "text",
    "workers": "workers",
    "threads": "number",
    "http": "http",
    "websockets": "switch",
    "cert": "text",
    "key": "text",
    "key_password": "text",
    "client_ca": "text",
    "static": "static",
    "trusted_proxy": "texts",
    "access_log": "switch",
    "access_log_format": "text",
    "log_level": "text",
    "backlog": "number",
    "max_connections": "number",
    "max_requests": "number",
    "worker_lifetime": "number",
    "timeout": "number",
    "pid_file": "text",
}

# Relative paths in a file are relative to the file, not to where the command is called.
_PATHS = frozenset({"unix_socket", "cert", "key", "client_ca", "pid_file"})


@dataclasses.dataclass(frozen=True)
class Settings:
    """All settings of a server, checked; only what JSON knows, as worker processes are handed them."""

    host: str = "127.0.0.1"
    port: int = 8000
    unix_socket: str | None = None
    unix_mode: int | None = None
    interface: str = "auto"
    workers: int = 1
    threads: int | None = None
    http: str = "auto"
    websockets: bool = True
    cert: str | None = None
    key: str | None = None
    key_password: str | None = dataclasses.field(default=None, repr=False)
    client_ca: str | None = None
    static: list[tuple[str, str]] = dataclasses.field(default_factory=list[tuple[str, str]])
    trusted_proxy: list[str] = dataclasses.field(default_factory=list[str])
    access_log: bool = False
    access_log_format: str | None = None
    log_level: str = "info"
    backlog: int = 1024
    max_connections: int = 1024
    max_requests: int = 0
    worker_lifetime: int = 0
    timeout: int = 30
    pid_file: str | None = None


def read_file(path: str | None) -> tuple[dict[str, t.Any], str | None]:
    """Return the settings that stand in a file, and its name.

    :param path: the file that was named; without one it is the ``pyproject.toml`` of this folder, if there is one.
    :raises click.UsageError: for a file that cannot be read, and for what is wrong in it.
    """
    named = path is not None
    file = Path(path if path is not None else "pyproject.toml")
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        if not named:
            return {}, None
        raise click.UsageError(f"There is no file {str(file)!r}, which '--config' names.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"Could not read {str(file)!r}: {error}.") from None
    except tomllib.TOMLDecodeError as error:
        raise click.UsageError(f"{str(file)!r} is not valid TOML: {error}.") from None
    table, where = _table_of(content, file)
    return {key: _checked(key, value, file, where) for key, value in table.items()}, str(file)


def _table_of(content: dict[str, t.Any], file: Path) -> tuple[dict[str, t.Any], str]:
    if file.name == "pyproject.toml":
        path = ["tool", "erlen", "serve"]
    elif "serve" in content:
        path = ["serve"]
    else:
        return content, "at its top level"
    table: t.Any = content
    for index, name in enumerate(path):
        table = table.get(name, {})
        if not isinstance(table, dict):
            raise click.UsageError(
                f"{'.'.join(path[: index + 1])!r} in {str(file)!r} is no table: write '[{'.'.join(path)}]' on a line of"
                " its own, and the settings below it."
            )
    return table, f"in [{'.'.join(path)}]"


def _checked(key: str, value: t.Any, file: Path, where: str) -> t.Any:
    kind = KEYS.get(key)
    if kind is None:
        raise click.UsageError(f"{str(file)!r} has {key!r} {where}, which is no setting. {_guess(key, KEYS)}")
    types, words = _KINDS[kind]
    # Python takes true and false for numbers.
    fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
    if isinstance(value, list | dict):
        items = t.cast("t.Iterable[t.Any]", value.values() if isinstance(value, dict) else value)
        fits = fits and all(isinstance(item, str) for item in items)
    if not fits:
        raise click.UsageError(f"{key!r} {where} of {str(file)!r} is {value!r}, and has to be {words}.")
    return _in_folder(key, value, file.parent)


def _in_folder(key: str, value: t.Any, folder: Path) -> t.Any:
    """Return a value as the option takes it, its paths relative to the folder of the file."""
    if key in _PATHS:
        return str(folder / value)
    if key == "static":
        pairs = value.items() if isinstance(value, dict) else [item.partition("=")[::2] for item in value]
        return [f"{prefix}={folder / path if path else ''}" for prefix, path in pairs]
    if key == "trusted_proxy":
        return [value] if isinstance(value, str) else value
    return str(value) if key in {"workers", "http"} else value


def _guess(name: str, names: t.Iterable[str]) -> str:
    spelled = name.replace("-", "_").lower()
    names = sorted(names)
    close = [spelled] if spelled in names else difflib.get_close_matches(spelled, names, 1)
    return f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(names)}."


def unknown_variables(prefixes: t.Iterable[str]) -> t.Iterator[str]:
    """Yield a sentence for each variable that is spelled like one of a setting, and is none.

    :param prefixes: the prefixes of variables that are read.
    """
    for prefix in prefixes:
        known = {f"{prefix}_SERVE_{key}".upper() for key in (*KEYS, "config")}
        for name in sorted(os.environ):
            if name.startswith(f"{prefix}_SERVE_") and name not in known:
                close = difflib.get_close_matches(name, sorted(known), 1)
                yield f"The variable {name} is no setting." + (f" Did you mean {close[0]}?" if close else "")


def cpu_count() -> int:
    """Return how many processors this process may use: those it may run on, within the quota of its container."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, _, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").partition(" ")
        return max(1, min(usable, int(quota) // int(period)))
    except (OSError, ValueError):
        # Not Linux, another version of control groups, or no quota ("max").
        return max(1, usable)


# What does not go together


def check(settings: Settings, given: t.Collection[str]) -> None:
    """Raise for settings that contradict each other or name what is not there.

    :param settings: the settings.
    :param given: the names of those that were given, and are not defaults.
    :raises click.UsageError: with the first conflict.
    """
    _check_address(settings, given)
    _check_protocol(settings, given)
    _check_tls(settings)
    for prefix, folder in settings.static:
        if not Path(folder).is_dir():
            raise click.UsageError(f"'--static {prefix}={folder}': there is no folder {folder!r}.")


def _check_address(settings: Settings, given: t.Collection[str]) -> None:
    if settings.unix_socket == "":
        raise click.UsageError(
            "'--unix-socket' is empty. Name a path, such as '/run/shop/shop.sock', or leave the option out."
        )
    if settings.unix_socket is not None:
        both = [f"'--{name}'" for name in ("host", "port") if name in given]
        if both:
            raise click.UsageError(
                f"'--unix-socket' and {' and '.join(both)} were both given, and a server listens at one address. Leave"
                " one out."
            )
    elif settings.unix_mode is not None:
        raise click.UsageError(
            "'--unix-mode' sets the permissions of a Unix socket: add '--unix-socket PATH'."
        )


def _check_protocol(settings: Settings, given: t.Collection[str]) -> None:
    if "websockets" not in given or not settings.websockets:
        return
    if settings.interface == "wsgi":
        raise click.UsageError(
            "'--websockets' and '--interface wsgi' contradict each other: WSGI has no WebSockets. Take '--interface asgi'"
            " or 'auto'."
        )
    if settings.http == "2":
        raise click.UsageError(
            "'--websockets' and '--http 2' contradict each other: Granian speaks WebSockets over HTTP/1 only. Take"
            " '--http auto', which speaks both versions."
        )


def _check_tls(settings: Settings) -> None:
    if settings.cert is None:
        for name in ("key", "client_ca", "key_password"):
            if getattr(settings, name) is not None:
                raise click.UsageError(
                    f"'{name.replace('_', '-')}' is for TLS, which needs a certificate: add '--cert FILE --key FILE'."
                )
        return
    if settings.key is None:
        raise click.UsageError("A certificate needs its key: add '--key FILE'.")
    check_certificate(settings)


def check_certificate(settings: Settings) -> None:
    """Raise for a certificate or a key that cannot be used; they may change between two reloads.

    :param settings: the settings.
    :raises click.UsageError: with what is wrong.
    """
    if settings.cert is None or settings.key is None:
        return
    # Slow to import, and for TLS alone.
    import ssl

    for name in ("cert", "key", "client_ca"):
        path = getattr(settings, name)
        if path is not None:
            _check_readable(name.replace("_", "-"), path)
    key = Path(settings.key).read_text("latin1")
    if settings.key_password is None and "ENCRYPTED" in key:
        raise click.UsageError(
            f"The key {settings.key!r} is encrypted: put its password into the variable ERLEN_SERVE_KEY_PASSWORD, or into"
            " the configuration file as 'key_password'."
        )
    if settings.key_password is not None and "ENCRYPTED" not in key:
        raise click.UsageError(
            f"A password was given for the key {settings.key!r}, which is not encrypted. Leave it out."
        )
    if settings.key_password is not None and importlib.util.find_spec("cryptography") is None:
        raise click.UsageError(
            "A key with a password is decrypted with the library 'cryptography', which is not installed. Install it with:"
            " pip install cryptography"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.cert, settings.key, lambda: settings.key_password or "")
        if settings.client_ca is not None:
            context.load_verify_locations(settings.client_ca)
    except (ssl.SSLError, ValueError, OSError) as error:
        raise click.UsageError(
            f"The certificate {settings.cert!r} with the key {settings.key!r} cannot be used: {error}. Both have to be PEM"
            " files ('-----BEGIN'), the key has to belong to the certificate, and a password has to be the right one."
        ) from None


def _check_readable(name: str, path: str) -> None:
    try:
        with Path(path).open("rb"):
            return
    except OSError as error:
        raise click.UsageError(
            f"'--{name} {path}' cannot be read: {error.strerror or error}. The user that runs the server has to be allowed to."
        ) from None
