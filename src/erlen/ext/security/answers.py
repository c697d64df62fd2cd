"""What is answered to those who are not let in, by what the client accepts.

A browser that opens a page is sent to the login page; another request of a browser gets a page that says what happened. All
other clients get a problem (RFC 9457), whose ``code`` tells programs what to do. As these are HTTP exceptions, an error handler
of the application may answer in their place.

A 401 says how to be let in (RFC 9110, section 15.5.2): ``Basic`` (RFC 7617), ``Bearer`` (RFC 6750), and for a session ``Cookie``
with the address of the login page, which no browser knows and asks nobody a password for.
"""

from __future__ import annotations

import collections.abc as cabc
import json
import re
import typing as t
from urllib.parse import quote, urlsplit

from markupsafe import Markup
from werkzeug.exceptions import Forbidden, HTTPException, TooManyRequests, Unauthorized
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.routing import BuildError
from werkzeug.urls import iri_to_uri

from erlen import current_app, redirect, render_template, request, url_for

from .current import is_websocket, state
from .errors import TooManyAttempts

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

PROBLEM = "application/problem+json"

#: The longest address that a login leads back to; longer ones do not fit in the address of the login page everywhere.
MAX_NEXT = 2000

_PAGE = Markup("""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1.1rem/1.5 system-ui, sans-serif; margin: 15vh auto; max-width: 32rem; padding: 0 1.5rem; color-scheme: light dark }}
</style>
<h1>{title}</h1>
<p>{text}</p>
{action}
""")


def is_for_people() -> bool:
    """Return whether the client of the active request asks for a page rather than for data."""
    if is_websocket():
        return False
    # What comes first counts where a client takes anything, as programs do that say nothing.
    kinds = [PROBLEM, "application/json", "text/html"]
    return request.accept_mimetypes.best_match(kinds, PROBLEM) == "text/html"


def is_navigation() -> bool:
    """Return whether a browser opens a page, so that it may be sent to another one."""
    return request.method in {"GET", "HEAD"} and not is_script() and is_for_people()


def is_script() -> bool:
    """Return whether a script in a page asks, as far as it is told."""
    mode = request.headers.get("Sec-Fetch-Mode", "navigate")
    return mode != "navigate" or request.headers.get("X-Requested-With") == "XMLHttpRequest"


def problem(status: int, code: str, detail: str, **members: t.Any) -> t.Any:
    """Return a response that tells a program of a problem (RFC 9457).

    :param status: the status.
    :param code: a name for this problem, which stays the same.
    :param detail: a sentence for people.
    :param members: more of it, values that JSON has.
    """
    title = HTTP_STATUS_CODES.get(status, "Error")
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        **members,
    }
    return current_app.response_class(
        json.dumps(body), status, {"Cache-Control": "no-store", "Vary": "Accept"}, content_type=PROBLEM
    )


class Refused(HTTPException):
    """A request that is not answered as it was asked to be.

    :param code: a name for programs: ``login_required``, ``invalid_token``, ``insufficient_scope``, ``wrong_credentials``,
        ``fresh_login_required``, ``second_factor_required``, ``forbidden``, ``csrf``, ``too_many_attempts``.
    :param detail: a sentence for people.
    :param headers: headers of the answer.
    :param action: where a person may go on, and the text of the link.

    .. versionadded:: 0.1
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        headers: cabc.Iterable[tuple[str, str]] = (),
        action: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        #: The answer, ``None`` until it is made.
        self.response: t.Any = None
        #: The name for programs.
        self.reason = code
        #: Headers of the answer.
        self.extra_headers = tuple(headers)
        self.action = action

    def get_headers(
        self, environ: WSGIEnvironment | None = None, scope: dict[str, t.Any] | None = None
    ) -> list[tuple[str, str]]:
        """Return the headers of the answer, those that it was made with at the end."""
        return [*super().get_headers(environ, scope), *self.extra_headers]

    def get_response(self, environ: t.Any = None, scope: dict[str, t.Any] | None = None) -> t.Any:
        """Return the answer that fits the client."""
        if self.response is None:
            self.prepare()
        return self.response

    def prepare(self) -> None:
        """Make the answer now. Its template may ask for the user, which is nothing to wait for on an event loop."""
        status, detail = t.cast(int, self.code), t.cast(str, self.description)
        if is_for_people():
            headers = {"Cache-Control": "no-store", "Vary": "Accept"}
            response = current_app.response_class(self._page(status, detail), status, headers, "text/html")
        else:
            response = problem(status, self.reason, detail)
        for name, value in self.extra_headers:
            response.headers.add(name, value)
        self.response = response

    def _page(self, status: int, detail: str) -> str:
        # Jinja is slow to load, and other engines have errors of their own.
        from jinja2 import TemplateNotFound

        url, label = self.action or ("", "")
        values = {
            "status": status,
            "title": _TITLES[status],
            "text": detail,
            "action_url": url,
            "action_label": label,
        }
        try:
            return render_template("security/denied.html", **values)
        except TemplateNotFound:
            link = Markup('<p><a href="{}">{}</a></p>').format(url, label) if url else ""
            return _PAGE.format(title=_TITLES[status], text=detail, action=link)


# Each is what Werkzeug calls it as well, so that error handlers for the code are asked.


class NotKnown(Refused, Unauthorized):
    """Nobody is known to ask."""


class NotAllowed(Refused, Forbidden):
    """Whoever asks may not do this."""


class TooOften(Refused, TooManyRequests):
    """Somebody asks too often."""


_TITLES = {401: "Please log in", 403: "This is not for you", 429: "Please wait"}

_NEEDED = {
    "login_required": "Log in to go on.",
    "invalid_token": "The token is not right, or not any more.",
    "wrong_credentials": "These credentials are not right.",
    "fresh_login_required": "This needs you to show once more who you are.",
}


# Who is not known


def unknown(methods: cabc.Sequence[str], code: str = "login_required") -> HTTPException:
    """Return the answer to a request that nobody is known of.

    :param methods: how one may be let in: ``session``, ``token``, ``basic``.
    :param code: a name for programs: ``login_required``, ``invalid_token`` or ``wrong_credentials``.
    """
    is_by_session = "session" in methods
    if is_by_session and code == "login_required" and is_navigation():
        return _sent_to("login", next_target())
    headers = [("WWW-Authenticate", challenge) for challenge in challenges(methods, code)]
    action = (_address_of("login", None), "Log in") if is_by_session else None
    return NotKnown(code, _NEEDED[code], headers=headers, action=action)


def stale() -> HTTPException:
    """Return the answer to a user whose login was too long ago for what is asked."""
    if is_navigation():
        return _sent_to("reauthenticate", next_target())
    code = "fresh_login_required"
    headers = [("WWW-Authenticate", challenge) for challenge in challenges(("session",), code)]
    action = _address_of("reauthenticate", None), "Show who you are"
    return NotKnown(code, _NEEDED[code], headers=headers, action=action)


def without_factor() -> HTTPException:
    """Return the answer to a user who has a role that asks for a second factor, and none."""
    if is_navigation():
        return _sent_to("second_factor", None)
    text = "Your role asks for a second factor. Set one up to go on."
    action = _address_of("second_factor", None), "Set one up"
    return NotAllowed("second_factor_required", text, action=action)


def _sent_to(page: str, target: str | None) -> HTTPException:
    response = redirect(_address_of(page, target))
    response.headers["Cache-Control"] = "no-store"
    # Without a code it is no error, so that an application's page for 401 does not stand in the way.
    return HTTPException(response=response)


def challenges(methods: cabc.Sequence[str], code: str, scopes: cabc.Sequence[str] = ()) -> list[str]:
    """Return the challenges of ``WWW-Authenticate`` (RFC 9110, section 11.6.1).

    :param methods: how one may be let in.
    :param code: what was wrong.
    :param scopes: what a token would have to permit.
    """
    realm = _quoted(state().kit.settings.site_name or current_app.name)
    # Browsers would ask for a password in the middle of a page that has its own way to log in.
    is_disturbing = len(methods) > 1 and not is_websocket() and is_script()
    found: list[str] = []
    for method in methods:
        if method == "token":
            found.append(f"Bearer realm={realm}{_error(code, scopes)}")
        elif method == "session":
            found.append(f"Cookie realm={realm}, form-action={_quoted(_address_of('login', None))}")
        elif not is_disturbing:
            found.append(f'Basic realm={realm}, charset="UTF-8"')
    return found


def _error(code: str, scopes: cabc.Sequence[str]) -> str:
    # RFC 6750, section 3.1: a request that shows no token at all is told of no error.
    if code == "invalid_token":
        return f', error="invalid_token", error_description={_quoted(_NEEDED[code])}'
    if code == "insufficient_scope":
        return f', error="insufficient_scope", scope={_quoted(" ".join(scopes))}'
    return ""


def _quoted(text: str) -> str:
    """Return a text as a header may have it between quotes (RFC 9110, section 5.6.4)."""
    clean = re.sub(r"[^\x20-\x7e]", "?", text)
    return '"{}"'.format(clean.replace("\\", "\\\\").replace('"', '\\"'))


def next_target() -> str | None:
    """Return the address of the active request without its origin, ``None`` for one that may lead somewhere else."""
    parts = urlsplit(iri_to_uri(request.url))
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    # The login page checks it again, as anybody can write such an address.
    if len(target) > MAX_NEXT or not target.startswith("/") or re.match(r"/[/\\]", target):
        return None
    return target


def _address_of(page: str, target: str | None) -> str:
    try:
        # What is None is no part of the address.
        return url_for(f"security.{page}", next=target)
    except BuildError:
        # An application may do without our pages, and have its own at the same address.
        address = f"{request.root_path}{state().kit.settings.url_prefix}/{page}"
        return address if target is None else f"{address}?next={quote(target, safe='/')}"


# Who is known


def forbidden(code: str = "forbidden", detail: str = "You are not allowed to do this.") -> Refused:
    """Return the answer to a user who may not do this.

    :param code: a name for programs.
    :param detail: a sentence for people.
    """
    return NotAllowed(code, detail)


def insufficient_scope(methods: cabc.Sequence[str], scopes: cabc.Sequence[str]) -> Refused:
    """Return the answer to a token that does not permit this (RFC 6750, section 3.1).

    :param methods: how one may be let in.
    :param scopes: what it would have to permit.
    """
    found = challenges([one for one in methods if one == "token"], "insufficient_scope", scopes)
    text = f"The token does not permit this. It needs: {', '.join(scopes)}."
    return NotAllowed("insufficient_scope", text, headers=[("WWW-Authenticate", one) for one in found])


def too_many(error: TooManyAttempts) -> Refused:
    """Return the answer to a client that has reached a limit.

    :param error: says which.
    """
    headers = [("Retry-After", str(max(1, error.retry_after)))]
    return TooOften("too_many_attempts", str(error), headers=headers)


def answer(error: Refused) -> t.Any:
    """Return the answer of a refusal; where an application handles all of ``HTTPException``, it is this one all the same.

    :param error: the refusal.
    """
    return error.get_response()
