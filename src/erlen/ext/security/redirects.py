"""Where ``next`` may lead: to a page of this site, or to an origin that the settings name.

Browsers read addresses leniently: backslashes are slashes, tabs and line ends are dropped, ``https:/evil.com`` has a host. Each of
these was a hole in somebody's check. So this one takes less than browsers do, and returns an address of its own making: the origin is never
a part of what was sent, but the text from the settings that it is equal to.
"""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t
from urllib.parse import quote

import idna

from .errors import ConfigurationError

#: Longer addresses are cut somewhere on their way.
LONGEST = 2048

_PORTS = {"http": 80, "https": 443}

# RFC 3986, 3.1: only what begins so has a scheme. Browsers say the same.
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_ABSOLUTE = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[^\s/?#\\@:%\[\]]+)(?::(?P<port>[0-9]{0,5}))?(?P<rest>(?:[/?#].*)?)",
    re.IGNORECASE,
)
# Browsers drop or replace these before they read the rest; in an honest address they are percent-encoded.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# What stands between two slashes and means no folder, percent-encoded dots included.
_DOT = re.compile(r"\.|%2e", re.IGNORECASE)
# A server on the way may decode these; then the path has two slashes in front, which are a host.
_HIDDEN_SLASH = re.compile(r"/(?:%2f|%5c|%0[0-9a-f]|%1[0-9a-f]|%20)", re.IGNORECASE)


class _Origin(t.NamedTuple):
    scheme: str
    host: str
    port: int


def safe_target(target: object, own_origin: str, allowed: cabc.Iterable[str] = ()) -> str | None:
    """Return an address that a redirect may lead to, ``None`` where the one that was asked for is not.

    For a page of the site itself it is a path, which begins with one slash; for another origin a whole address. A path without a slash
    counts from the root.

    :param target: what was asked for: of ``next`` in a query or a form, or of JSON.
    :param own_origin: of the site, as in ``https://example.com``.
    :param allowed: other origins.
    :raises ConfigurationError: for an origin that is none.

    .. versionadded:: 0.1
    """
    own = _origin(own_origin)
    others = {_origin(text): text.rstrip("/") for text in allowed}
    if not isinstance(target, str) or not target or len(target) > LONGEST:
        return None
    if target != target.strip() or _CONTROL.search(target):
        return None
    if not _SCHEME.match(target):
        return _own_path(target if target[0] in "/\\" else f"/{target}")
    found = _ABSOLUTE.fullmatch(target)
    origin = _origin_of(found) if found else None
    if found is None or origin is None:
        return None
    path = _own_path(found["rest"] if found["rest"].startswith("/") else f"/{found['rest']}")
    if path is None or origin == own:
        return path
    return f"{others[origin]}{path}" if origin in others else None


def _origin(text: str) -> _Origin:
    found = _ABSOLUTE.fullmatch(text)
    origin = _origin_of(found) if found and found["rest"] in {"", "/"} else None
    if origin is None:
        raise ConfigurationError(
            f"{text!r} is no origin. An origin is a scheme and a host, as in 'https://example.com', with a port where it is not the usual one."
        )
    return origin


def _origin_of(found: re.Match[str]) -> _Origin | None:
    scheme, host = found["scheme"].lower(), found["host"].lower()
    port = int(found["port"]) if found["port"] else _PORTS[scheme]
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            return None
    return _Origin(scheme, host, port) if port < 2**16 else None


def _own_path(target: str) -> str | None:
    path = re.split(r"[?#]", target, maxsplit=1)[0]
    # Dots first: what is left of `/..//evil.com` begins with two slashes.
    if "\\" in path or any(
        one.startswith("//") or _HIDDEN_SLASH.match(one) for one in (path, _without_dots(path))
    ):
        return None
    try:
        return quote(target, safe="/%:@!$&'()*+,;=-._~?#")
    except UnicodeEncodeError:
        # Half of a surrogate pair.
        return None


def _without_dots(path: str) -> str:
    kept: list[str] = []
    for part in path.split("/")[1:]:
        match _DOT.sub(".", part):
            case ".":
                continue
            case "..":
                del kept[-1:]
            case _:
                kept.append(part)
    return "/" + "/".join(kept)
