"""The pages of accounts, and the same as JSON: one blueprint, whose addresses are in ``api.ROUTES``.

An application replaces a page with a template of its own of the same name, and the frame of all with ``security/base.html``.
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import typing as t
from urllib.parse import urlsplit

from werkzeug.exceptions import HTTPException

from erlen import Blueprint, Response, current_app, jsonify, request

from .. import forms
from ..access import fresh_login_required, login_required
from ..answers import Refused
from ..api import ROUTES, Needs, Route
from ..current import state
from ..openapi import document
from .base import Pages, Parts, wants_json
from .factors import FactorPages
from .login import LoginPages
from .openid import OpenIDPages
from .profile import ProfilePages
from .recovery import RecoveryPages
from .registration import RegistrationPages
from .tokens import TokenPages

View: t.TypeAlias = cabc.Callable[..., Response]

SUBJECTS: tuple[type[Pages], ...] = (
    LoginPages,
    RegistrationPages,
    RecoveryPages,
    ProfilePages,
    TokenPages,
    FactorPages,
    OpenIDPages,
)


class DocumentPages(Pages):
    """The document about everything else."""

    def openapi(self) -> Response:
        """Return the OpenAPI document."""
        # Of no person, so it may be kept.
        cookie = current_app.config["SESSION_COOKIE_NAME"]
        site = f"{self.origin()}{request.root_path}"
        return jsonify(document(self.security.settings, site, cookie, self.security.register_form))


class Frame(Pages):
    """What all answers of the blueprint have in common."""

    def headers(self, response: Response) -> Response:
        """Set the headers of security. A function of the application that runs after this one may change them."""
        if request.endpoint == "security.static":
            return response
        targets = " ".join(["'self'", *_origins(self.security.settings.redirect_origins)])
        # Nothing inline, so that no text of anybody can become a script; `connect-src` is for passkeys.
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
            f"form-action {targets}; frame-ancestors 'none'; base-uri 'none'"
        )
        response.headers["X-Content-Type-Options"] = "nosniff"
        # Paths of links in mails have secrets. With 'no-referrer' browsers would send 'Origin: null' with forms, which is
        # refused as that of another site; this keeps the address within the site just as well.
        response.headers["Referrer-Policy"] = "same-origin"
        response.headers["Cache-Control"] = "no-store"
        response.vary.update(["Accept", "Cookie"])
        return response

    def http_error(self, error: HTTPException) -> t.Any:
        """Answer errors in the way of all the other answers."""
        if error.response is not None or isinstance(error, Refused):
            return error.get_response()
        status = error.code or 500
        if wants_json():
            answer = self.problem(status, error.description or "")
        else:
            answer = self.page("error", status, title=error.name, text=error.description)
        for name, value in error.get_headers():
            if name.lower() not in {"content-type", "content-length"}:
                answer.headers[name] = value
        return answer


def _origins(allowed: cabc.Iterable[str]) -> cabc.Iterator[str]:
    for origin in allowed:
        parts = urlsplit(origin)
        yield f"{parts.scheme}://{parts.netloc}"


def _bare(view: View, pages: Pages) -> View:
    """Refuse JSON of a client that means something by it, where nothing is taken."""

    @functools.wraps(view)
    def checked(**values: t.Any) -> Response:
        if request.method == "POST" and (filled := forms.NOTHING.read(request)).errors:
            return pages.problem(filled.status, errors=filled.errors)
        return view(**values)

    return checked


def _guarded(view: View, needs: Needs) -> View:
    if needs == "fresh":
        return _received(fresh_login_required(view))
    return _received(login_required(view)) if needs == "session" else view


def _received(view: View) -> View:
    """Have the whole request before it is asked who sends it.

    Over WSGI a body comes as slowly as its sender likes. Who is thrown out meanwhile would be let in already, and make a token, or
    another second factor, with what they send then.
    """

    @functools.wraps(view)
    def after_body(**values: t.Any) -> Response:
        if request.method == "POST":
            request.get_data(parse_form_data=True)
            state().sessions.look_anew()
        return view(**values)

    return after_body


def _view_of(route: Route, subjects: cabc.Sequence[Pages]) -> View:
    pages = next(one for one in subjects if hasattr(type(one), route.endpoint))
    view: View = getattr(pages, route.endpoint)
    if route.post is not None and route.post.form is forms.NOTHING:
        view = _bare(view, pages)
    return _guarded(view, route.needs)


def make_blueprint(security: Parts) -> Blueprint:
    """Return the pages of an application's accounts.

    :param security: the parts of the extension.
    """
    blueprint = Blueprint(
        "security",
        "erlen.ext.security",
        url_prefix=security.settings.url_prefix,
        template_folder="templates",
        static_folder="static",
    )
    frame = Frame(security)
    subjects = [subject(security) for subject in (*SUBJECTS, DocumentPages)]
    for route in ROUTES:
        blueprint.add_url_rule(
            route.rule,
            route.endpoint,
            _view_of(route, subjects),
            methods=route.methods,
        )
    blueprint.context_processor(frame.context)
    # What `denied.html` needs, which views of the application show as well.
    blueprint.add_app_template_global(frame.context, "security_page")
    blueprint.after_request(frame.headers)
    blueprint.register_error_handler(HTTPException, frame.http_error)
    return blueprint
