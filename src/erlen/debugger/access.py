"""Who may see anything of the debugger: this machine, and whom its options name."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from werkzeug.sansio.utils import host_is_trusted

from ..logging import printable

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Address: t.TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: t.TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

# Names that browsers resolve to this machine without asking anybody (RFC 6761, section 6.3).
_LOOPBACK_NAMES = ("localhost", ".localhost")

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::[0-9]{1,5})?", re.ASCII)

# What proxies add. Others begin with HTTP_X_FORWARDED.
_PROXY_KEYS = frozenset(
    {
        "HTTP_FORWARDED",
        "HTTP_VIA",
        "HTTP_X_REAL_IP",
        "HTTP_X_CLIENT_IP",
        "HTTP_X_CLUSTER_CLIENT_IP",
        "HTTP_TRUE_CLIENT_IP",
        "HTTP_CF_CONNECTING_IP",
    }
)


class Access:
    """Decides who may see tracebacks, and reach the debugger's own addresses.

    :param clients: addresses or networks that may, besides loopback.
    :param hosts: names in the ``Host`` header under which it answers, besides those of loopback; one that begins with a
        dot stands for all names below it.
    :raises ValueError: for what is neither an address nor a network.
    """

    def __init__(self, clients: t.Iterable[str], hosts: t.Iterable[str]) -> None:
        self._networks = [_network(client) for client in clients]
        self._hosts = [host.lower() for host in hosts if host]

    def refusal(self, environ: WSGIEnvironment) -> str | None:
        """Return why a request may see nothing, with the option that allows it; ``None`` where it may.

        :param environ: the request as the server has handed it on, before any middleware has changed it.
        """
        return self._of_client(environ) or self._of_host(environ)

    def _of_client(self, environ: WSGIEnvironment) -> str | None:
        told = environ.get("REMOTE_ADDR") or ""
        address = _address(told)
        if address is None:
            return (
                f"the server does not say from which address the request came, but {printable(told)!r}. The debugger answers "
                f"addresses of this machine: serve on 127.0.0.1."
            )
        if any(address.version == network.version and address in network for network in self._networks):
            return None
        proxied = next(
            (key for key in environ if key in _PROXY_KEYS or key.startswith("HTTP_X_FORWARDED")), None
        )
        option = f"'erlen run --debugger-clients {address}' allows it"
        if proxied is not None:
            header = printable(proxied[5:].replace("_", "-").title())
            return (
                f"the request came through a proxy, as it has the header {header!r}, so its address {address} is not that of "
                f"the client. {option}, for everybody that this proxy lets through."
            )
        if not address.is_loopback:
            return f"the request came from {address}, and the debugger answers this machine alone. {option}."
        return None

    def _of_host(self, environ: WSGIEnvironment) -> str | None:
        host = environ.get("HTTP_HOST") or ""
        if self.is_named(host):
            return None
        # With such a name the page of somebody else could be the same origin (DNS rebinding).
        return (
            f"the request was sent to the host {printable(host)!r}, which is no name of this machine. If it is one of yours: "
            f"'erlen run --debugger-hosts {_name(host) or 'NAME'}' allows it."
        )

    def is_named(self, host: str) -> bool:
        """Return whether the debugger answers under a name.

        :param host: the value of a ``Host`` header.
        """
        name = _name(host)
        if not name:
            return False
        address = _address(name.strip("[]"))
        if address is not None and address.is_loopback:
            return True
        return host_is_trusted(name, [*_LOOPBACK_NAMES, *self._hosts]) or name in self._hosts


def _name(host: str) -> str:
    match = _HOST.fullmatch(host.lower())
    return match["name"] if match else ""


def _address(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # An IPv6 socket that takes IPv4 as well.
    return getattr(address, "ipv4_mapped", None) or address


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither an address nor a network, and cannot be a client of the debugger. Write an address such as "
            f"'192.168.1.7', or a network such as '192.168.1.0/24'."
        ) from None
