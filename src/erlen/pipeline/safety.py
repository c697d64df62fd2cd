"""What the safe profile adds to a request (D8); each part is one value of the configuration.

Cross-origin protection follows Go's ``http.CrossOriginProtection`` and the OWASP cheat sheet on cross-site request
forgery: browsers say with ``Sec-Fetch-Site`` (W3C Fetch Metadata) where a request comes from, older ones send
``Origin`` (RFC 6454); a client that sends neither is no browser, and holds no cookies of a victim.
"""

from __future__ import annotations

import re
import secrets
import typing as t
from urllib.parse import urlsplit

from werkzeug.exceptions import BadRequest, Forbidden, RequestEntityTooLarge

from ..config import Config

__all__ = ["CrossOriginRequestRefused", "cross_origin_exempt"]

F = t.TypeVar("F", bound=t.Callable[..., t.Any])

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

#: More digits than the length of any body has; beyond 4,300 Python refuses to read a number at all.
MAX_LENGTH_DIGITS = 20

#: Characters of a host name (RFC 1035) with colon and port.
MAX_HOST_LENGTH = 253 + 6

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class CrossOriginRequestRefused(Forbidden):
    """A request that changes something came from a page of another origin."""

    description = (
        "This request was sent from a page of another site, so it was refused. If that site is meant to send "
        "it, its origin has to be named in TRUSTED_ORIGINS of this application's configuration. If it is this very "
        "site, a proxy in front of the application has to hand on the Host header, or ProxyFix to be told of it."
    )


def cross_origin_exempt(view: F) -> F:
    """Let requests from pages of any origin reach a view: for webhooks and public APIs without cookies.

    Place it below the route decorator. Classes derived from an exempt ``View`` are exempt as well.

    :param view: the view function, or a ``View`` class as a whole.
    :raises TypeError: for anything else, a blueprint or a bound method for example.
    """
    given: t.Any = view
    if not callable(given) or hasattr(given, "__self__"):
        raise TypeError(
            f"'cross_origin_exempt' was put on {view!r}, which is neither a view function nor a View class. Put it on "
            f"each view, below its route: @app.post('/hook') and then @cross_origin_exempt."
        )
    view.cross_origin_exempt = True  # type: ignore[attr-defined]
    return view


def origin_of(text: str) -> str:
    """Return a trusted origin in the form browsers send, or raise :exc:`ValueError` with the right form.

    :param text: ``scheme://host[:port]`` as in ``TRUSTED_ORIGINS``.
    """
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except (AttributeError, TypeError, ValueError):
        raise ValueError(_no_origin(text)) from None
    rest = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    shown = f"[{host}]" if ":" in host else host
    if not parts.scheme or rest or not is_host(shown):
        raise ValueError(_no_origin(text))
    scheme = parts.scheme.lower()
    return f"{scheme}://{_without_default_port(scheme, shown if port is None else f'{shown}:{port}')}"


def _no_origin(text: object) -> str:
    return (
        f"TRUSTED_ORIGINS has {text!r}, which is no origin. Write the scheme, the host and, where it is not the "
        f"default, the port: 'https://app.example.com' or 'http://localhost:3000'. There are no wildcards: name each "
        f"host."
    )


def _without_default_port(scheme: str, host: str) -> str:
    return host.removesuffix(_DEFAULT_PORTS.get(scheme, ":"))


class CrossOriginProtection:
    """Refuses unsafe requests that a page of another origin sent.

    :param config: the configuration; ``TRUSTED_ORIGINS`` names origins whose pages may send them nevertheless. It is
        read when it matters, so that an origin that is taken out of the list is out at once.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        # A mistake in the list is reported by the first request, not by the first attack.
        self.trusted_origins()

    def trusted_origins(self) -> frozenset[str]:
        """Return the origins as browsers send them.

        :raises ValueError: for one that is none.
        :raises TypeError: for a string in place of a list.
        """
        origins = self._config["TRUSTED_ORIGINS"] or ()
        if isinstance(origins, str):
            raise TypeError(
                f"TRUSTED_ORIGINS is {origins!r}, a string, which would be read letter by letter. Make it a list: "
                f"[{origins!r}]."
            )
        return frozenset(origin_of(text) for text in origins)

    def check(self, environ: t.Mapping[str, t.Any]) -> None:
        """Raise :exc:`CrossOriginRequestRefused` for a request from another origin.

        :param environ: the WSGI environment of a request whose method is not safe (RFC 9110, section 9.2.1).
        """
        site = environ.get("HTTP_SEC_FETCH_SITE") or None
        if site in {"same-origin", "none"}:
            return
        origin = environ.get("HTTP_ORIGIN")
        if origin is None:
            if site is None:
                return
        elif (site is None and self._is_own(origin, environ)) or origin.lower() in self.trusted_origins():
            return
        raise CrossOriginRequestRefused

    def _is_own(self, origin: str, environ: t.Mapping[str, t.Any]) -> bool:
        scheme, separator, host = origin.lower().partition("://")
        own = str(environ.get("HTTP_HOST", "")).lower()
        if not separator or not own:
            return False
        # The scheme is not compared: behind a proxy that ends TLS, the application sees http.
        return _without_default_port(scheme, host) == _without_default_port(scheme, own)


def check_form(environ: t.Mapping[str, t.Any], path: str) -> None:
    """Raise :exc:`~werkzeug.exceptions.BadRequest` for a request line or a header no correct client sends.

    :param environ: the WSGI environment.
    :param path: ``PATH_INFO`` as the server handed it on.
    """
    host = environ.get("HTTP_HOST")
    if host is not None and not is_host(host):
        raise BadRequest("The Host header of this request is not a host name with an optional port.")
    length = environ.get("CONTENT_LENGTH")
    if length and not (length.isascii() and length.isdigit()):
        raise BadRequest("The Content-Length header of this request is not a number of bytes.")
    if length and len(length) > MAX_LENGTH_DIGITS:
        raise RequestEntityTooLarge
    check_path(path)


def check_path(path: str) -> None:
    """Raise :exc:`~werkzeug.exceptions.BadRequest` for a path no correct client sends.

    :param path: ``PATH_INFO`` as the server handed it on.
    """
    if path.isascii():
        if path.isprintable():
            return
        raise BadRequest("The path of this request has control characters.")
    try:
        text = path.encode("latin1").decode()
    except UnicodeError:
        raise BadRequest("The path of this request is not UTF-8.") from None
    if _CONTROL.search(text):
        raise BadRequest("The path of this request has control characters.")


def is_length(text: str) -> bool:
    """Return whether a ``Content-Length`` header is a number (RFC 9110, section 8.6), and one that some body could have.

    :param text: the value of the header.
    """
    return text.isdigit() and text.isascii() and len(text) <= MAX_LENGTH_DIGITS


def is_host(text: str) -> bool:
    """Return whether a ``Host`` header has the form of RFC 9110, section 7.2, with a port that exists.

    :param text: the value of the header.
    """
    if len(text) > MAX_HOST_LENGTH or _HOST.fullmatch(text) is None:
        return False
    _, colon, port = text.rpartition(":")
    return not colon or port.endswith("]") or 0 < int(port) < 65536


def default_headers(config: Config) -> list[tuple[str, str]]:
    """Return the headers that each response gets unless a view sets its own.

    :param config: the application's configuration.
    """
    named = {
        "X-Content-Type-Options": config["CONTENT_TYPE_OPTIONS"],
        "Referrer-Policy": config["REFERRER_POLICY"],
    }
    return [(name, clean_header(name, value)) for name, value in named.items() if value]


def clean_header(name: str, value: t.Any) -> str:
    """Return a header's value, or raise :exc:`ValueError` for one that cannot be sent.

    :param name: the header, for the message.
    :param value: its value.
    """
    if not isinstance(value, str) or _CONTROL.search(value) or not value.isascii():
        raise ValueError(
            f"{name} is set to {value!r}, which no header can have: a value is one line of ASCII text. Correct the "
            f"setting, or set it to None for no header."
        )
    return value


class ContentSecurityPolicy:
    """The Content-Security-Policy header (CSP level 3), with a nonce for each request where it asks for one.

    :param header: the header's name.
    :param policy: the text of the policy, or a mapping of directives to one source or several. ``{nonce}`` in it is
        replaced by the request's nonce: ``{"script-src": ["'self'", "'nonce-{nonce}'"]}``.
    """

    def __init__(self, header: str, policy: str | t.Mapping[str, str | t.Iterable[str]]) -> None:
        self.header = header
        if not isinstance(policy, str):
            policy = "; ".join(_directive(name, sources) for name, sources in policy.items())
        self.text = clean_header(header, policy)
        self.has_nonce = "{nonce}" in self.text

    def add_to(self, response: t.Any, context: t.Any) -> None:
        """Set the header on a response, unless a view has set its own.

        :param response: the response. One that is sent for several requests gets the nonce of each.
        :param context: the request's context, which keeps the nonce.
        """
        present = response.headers.get(self.header)
        if present is None or present == getattr(response, "_added_policy", None):
            value = self.text.replace("{nonce}", nonce_of(context)) if self.has_nonce else self.text
            response.headers[self.header] = response._added_policy = value


def _directive(name: str, sources: str | t.Iterable[str] | bool | None) -> str:
    # A directive without sources: {"upgrade-insecure-requests": True}.
    if sources is None or sources is True:
        return name
    if isinstance(sources, str):
        return f"{name} {sources}".strip()
    return " ".join([name, *t.cast("t.Iterable[str]", sources)])


def policies(config: Config) -> list[ContentSecurityPolicy]:
    """Return the policies of a configuration, none by default.

    :param config: the application's configuration.
    """
    return [
        ContentSecurityPolicy(header, config[key])
        for header, key in (
            ("Content-Security-Policy", "CONTENT_SECURITY_POLICY"),
            ("Content-Security-Policy-Report-Only", "CONTENT_SECURITY_POLICY_REPORT_ONLY"),
        )
        if config[key]
    ]


def nonce_of(context: t.Any) -> str:
    """Return the nonce of a request, 128 random bits in URL-safe base64, made on first use.

    :param context: the request's context.
    """
    nonce: str | None = getattr(context, "_csp_nonce", None)
    if nonce is None:
        nonce = context._csp_nonce = secrets.token_urlsafe(16)
    return nonce
