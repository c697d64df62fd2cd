"""Forms that only our own pages can send.

Erlen's core refuses unsafe requests of other origins, by ``Sec-Fetch-Site`` and ``Origin``. Two kinds of requests are left for
a token in the form: those with neither header, of old browsers, and all of an application whose
``CROSS_ORIGIN_PROTECTION`` is off, or of a view that is exempt from it. A token is bound to the session; for a visitor, to a
cookie that is made with the first form.

What says that it is JSON needs none: pages of other origins cannot send that without being asked for leave (CORS), which nothing here
gives.
"""

from __future__ import annotations

import base64
import hmac
import secrets
import typing as t
from urllib.parse import urlsplit

from markupsafe import Markup

from erlen import after_this_request, current_app, request, session

from . import answers
from .current import is_websocket, state
from .sessions import KEY

#: The name of the field, and of the header for scripts.
FIELD, HEADER = "csrf_token", "X-CSRF-Token"

_COOKIE = "security_form"
_NONCE = 16
_TEXT = "This form is not from a page of this site, or it is out of date. Go back, load the page again, and send it once more."
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_PORTS = {"http": ":80", "https": ":443"}


def csrf_token() -> str:
    """Return a token for forms of the page that is being made, another one each time (so that compression tells nothing).

    .. versionadded:: 0.1
    """
    nonce = secrets.token_bytes(_NONCE)
    binding = _binding() or _new_binding()
    return base64.urlsafe_b64encode(nonce + _macs(nonce, binding)[0]).decode("ascii")


def csrf_field() -> Markup:
    """Return a hidden field with a token, to stand in each form of a template.

    .. versionadded:: 0.1
    """
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, csrf_token())


def check_csrf(*, by_session: bool = True) -> None:
    """Refuse the active request if another site may have had a browser send it.

    :param by_session: whether a session lets it in. Browsers send passwords of HTTP Basic along as well, but there is
        no page of ours that could have a token for those: then it is the headers that count.
    :raises ~.answers.Refused: for such a request.

    .. versionadded:: 0.1
    """
    if is_websocket():
        # Its handshake is a GET, and no form. The core has looked at it, unless it was told not to.
        if not _is_protected() and not _is_own_by_headers():
            raise answers.forbidden("csrf", "This WebSocket was opened by a page of another site.")
        return
    if request.method in _SAFE:
        return
    if not by_session:
        if not _is_protected() and not _is_own_by_headers():
            raise answers.forbidden("csrf", _TEXT)
        return
    # An empty header says nothing, to the core as well.
    if _is_protected() and (request.headers.get("Sec-Fetch-Site") or request.headers.get("Origin")):
        return
    if _is_json() or _is_valid(request.headers.get(HEADER) or _of_form()):
        return
    raise answers.forbidden("csrf", _TEXT)


def _is_protected() -> bool:
    """Return whether the core has looked at this request."""
    if not current_app.config["CROSS_ORIGIN_PROTECTION"]:
        return False
    view: t.Any = current_app.view_functions.get(request.endpoint or "")
    exempt = getattr(view, "cross_origin_exempt", False)
    return not (exempt or getattr(getattr(view, "view_class", None), "cross_origin_exempt", False))


def _is_own_by_headers() -> bool:
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site in {"same-origin", "none"} or (site is None and origin is None):
        return True
    return origin is not None and (_is_own(origin) or origin.lower() in current_app.config["TRUSTED_ORIGINS"])


def _is_own(origin: str) -> bool:
    try:
        parts = urlsplit(origin.lower())
    except ValueError:
        return False
    port = _PORTS.get(parts.scheme, ":")
    return bool(parts.netloc) and parts.netloc.removesuffix(port) == request.host.lower().removesuffix(port)


def _is_json() -> bool:
    return request.mimetype == "application/json" or request.mimetype.endswith("+json")


def _of_form() -> str:
    if request.mimetype not in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        return ""
    return request.form.get(FIELD, "")


def _is_valid(token: str) -> bool:
    binding = _binding()
    try:
        decoded = base64.urlsafe_b64decode(token.encode("ascii"))
    except ValueError:
        return False
    nonce, mac = decoded[:_NONCE], decoded[_NONCE:]
    return binding is not None and any(hmac.compare_digest(mac, one) for one in _macs(nonce, binding))


def _macs(nonce: bytes, binding: str) -> list[bytes]:
    text = nonce + binding.encode("utf-8", "surrogatepass")
    return [hmac.digest(key, text, "sha256") for key in state().kit.keys.derive("csrf")]


# What a token is bound to


def _binding() -> str | None:
    secret = session.get(KEY)
    if isinstance(secret, str):
        return f"session:{secret}"
    value = getattr(request, "erlen_security_form", None) or request.cookies.get(_cookie_name())
    return f"visitor:{value}" if value else None


def _new_binding() -> str:
    value = secrets.token_urlsafe(_NONCE)
    carrier: t.Any = request
    carrier.erlen_security_form = value

    @after_this_request
    def set_cookie(response: t.Any) -> t.Any:
        response.set_cookie(
            _cookie_name(), value, path="/", secure=_is_secure(), httponly=True, samesite="Lax"
        )
        response.headers.setdefault("Cache-Control", "no-store, private")
        return response

    return f"visitor:{value}"


def _is_secure() -> bool:
    return bool(current_app.session_interface.get_cookie_secure(t.cast("t.Any", current_app)))


def _cookie_name() -> str:
    # With this prefix browsers take it from this very host only, not from a neighbour below the same domain.
    return f"__Host-{_COOKIE}" if _is_secure() else _COOKIE
