"""What answers a request for a URL: the application's own matcher is asked, as a request asks it."""

from __future__ import annotations

import typing as t
import warnings
from urllib.parse import urlsplit

import click
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import MapAdapter, RequestRedirect, Rule
from werkzeug.routing.exceptions import WebsocketMismatch

from ...typing import Application
from ...websockets import UpgradeRequired

_SCHEMES = ("http", "https", "ws", "wss")

_AS_WEBSOCKET = {"http": "ws", "https": "wss"}


class Answer(t.NamedTuple):
    """What a request gets.

    :param method: its method.
    :param url: its whole URL.
    :param websocket: whether it is the handshake of a WebSocket.
    :param adapter: what it was matched with, ``None`` where its host is not trusted.
    :param rule: the rule that answers.
    :param values: the values of its variables.
    :param error: what answers instead: a redirect, 404, 405 ...
    :param hints: what may be wrong with the request as a whole.
    """

    method: str
    url: str
    websocket: bool
    adapter: MapAdapter | None
    rule: Rule | None
    values: dict[str, t.Any]
    error: HTTPException | None
    hints: list[str]

    @property
    def status(self) -> str:
        """In one word."""
        if self.error is None:
            return "matched"
        if isinstance(self.error, RequestRedirect):
            return "redirect"
        if isinstance(self.error, MethodNotAllowed):
            return "method_not_allowed"
        if isinstance(self.error, WebsocketMismatch | UpgradeRequired):
            return "websocket_mismatch"
        return "not_found" if self.error.code == 404 else "refused"

    @property
    def location(self) -> str | None:
        """Where a redirect leads."""
        return self.error.new_url if isinstance(self.error, RequestRedirect) else None

    @property
    def allowed_methods(self) -> list[str]:
        """The methods of a 405."""
        methods = self.error.valid_methods if isinstance(self.error, MethodNotAllowed) else None
        return sorted(methods or ())

    @property
    def path(self) -> str:
        """The path that rules are matched against."""
        path = "" if self.adapter is None else self.adapter.path_info
        # As Werkzeug does.
        return f"/{path.lstrip('/')}"


def ask(application: Application, url: str, method: str, *, websocket: bool) -> Answer:
    """Return what a request gets.

    :param application: the application.
    :param url: a path, below the root of the application, or a whole URL; with a query or without.
    :param method: in upper case.
    :param websocket: whether it is the handshake of a WebSocket.
    :raises click.BadParameter: for what is no URL.
    """
    try:
        path, place = _split(application, url, websocket=websocket)
        websocket = (place.get("base_url") or place.get("url_scheme") or "").startswith("ws")
        headers = {"Connection": "Upgrade", "Upgrade": "websocket"} if websocket else {}
        context: t.Any = application.test_request_context(path, method=method, headers=headers, **place)
    except ValueError as error:
        raise click.BadParameter(f"{url!r} is no URL: {error}.", param_hint="'--match'") from None
    with warnings.catch_warnings():
        # That the host is not below SERVER_NAME is one of the hints.
        warnings.simplefilter("ignore")
        with context:
            request = context.request
            if websocket:
                # An environment is one of WSGI, over which no WebSocket is answered: asked again as ASGI would.
                request.routing_exception = request.url_rule = request.view_args = None
                context.app.plan.match_websocket(context)
            adapter = _adapter_of(context)
    failure: HTTPException | None = request.routing_exception
    hints = [] if failure is None else _hints(application, adapter, path)
    # That of a request whose host is not trusted cannot be asked for.
    whole = url if adapter is None else request.url
    return Answer(
        method, whole, websocket, adapter, request.url_rule, dict(request.view_args or {}), failure, hints
    )


def _adapter_of(context: t.Any) -> MapAdapter | None:
    try:
        return t.cast("MapAdapter | None", context.url_adapter)
    except HTTPException:
        return None


def _split(application: Application, url: str, *, websocket: bool) -> tuple[str, dict[str, str]]:
    """Return the path with its query, and what is said of the place it is at."""
    parts = urlsplit(f"/{url.lstrip('/')}" if url.startswith("/") else url)
    path = f"/{parts.path.lstrip('/')}"
    place: dict[str, str] = {}
    if parts.netloc:
        if parts.scheme not in _SCHEMES:
            raise ValueError(f"its scheme is {parts.scheme!r}, and not one of {', '.join(_SCHEMES)}")
        # Looked at for its ValueError.
        _ = parts.port
        root = _root(application)
        if is_below := _is_below(root, path):
            path = path[len(root) :] or "/"
        scheme = _AS_WEBSOCKET.get(parts.scheme, parts.scheme) if websocket else parts.scheme
        place["base_url"] = f"{scheme}://{parts.netloc}{root if is_below else ''}/"
    elif parts.scheme:
        raise ValueError(
            f"it has {parts.scheme!r} in front of the colon, and no host; write 'http://{url}' or '/{url}'"
        )
    elif websocket:
        place["url_scheme"] = _AS_WEBSOCKET[application.config["PREFERRED_URL_SCHEME"]]
    return f"{path}?{parts.query}" if parts.query else path, place


def _root(application: Application) -> str:
    return str(application.config["APPLICATION_ROOT"] or "").rstrip("/")


def _is_below(root: str, path: str) -> bool:
    return bool(root) and f"{path}/".startswith(f"{root}/")


def _hints(application: Application, adapter: MapAdapter | None, path: str) -> list[str]:
    """Return what may be wrong with the URL as a whole."""
    hints: list[str] = []
    root, bare = _root(application), path.partition("?")[0]
    if _is_below(root, bare):
        meant = bare[len(root) :] or "/"
        hints.append(f"Paths are below APPLICATION_ROOT, {root!r}. Was {meant!r} meant?")
    if adapter is not None and adapter.subdomain == "<invalid>":
        name = application.config["SERVER_NAME"]
        hints.append(f"The host is not below SERVER_NAME, {name!r}: no rule is asked.")
    return hints
