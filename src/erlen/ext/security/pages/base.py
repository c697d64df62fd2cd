"""What the views of all subjects share: pages and JSON, errors, where it goes on."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t
from urllib.parse import urlsplit

from erlen import (
    Response,
    abort,
    current_app,
    flash,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    session,
    url_for,
)

from ..answers import is_for_people, problem
from ..errors import ConfigurationError, InvalidEmail, SecurityError, TooManyAttempts, WeakPassword
from ..forms import FORM_TEXTS, Filled, Form
from ..redirects import safe_target
from ..sessions import put_with_new_id
from ..types import Authentication, User
from .shown import moment

if t.TYPE_CHECKING:
    from ..accounts import Accounts
    from ..factors import Factors
    from ..kit import Kit
    from ..limits import Limits
    from ..logins import Logins, Step
    from ..openid import OpenID
    from ..sessions import Sessions
    from ..settings import Settings
    from ..store import Store
    from ..tokens import Tokens

#: Under which name the browser's session has what the second step of a login needs, and what a provider's answer does.
PENDING = "_account_pending"
PROVIDER = "_account_provider"

#: What a page says because another one led there. No session is made for a visitor to carry it.
NOTICES: cabc.Mapping[str, str] = {
    "activated": "Your account is activated. You can sign in now.",
    "reset": "Your password is set. Sign in with it.",
    "email": "Your e-mail address is changed.",
    "signed-out": "You are signed out.",
    "deleted": "Your account is deleted.",
    "kept": "Your address stays as it was, and everybody is signed out. Set a new password with the mail we have sent.",
    "expired": "That took too long. Sign in again.",
}


#: The category of flashed messages of these pages.
OURS = "security"

#: What may be looked up in a catalogue of translations. Other texts may have something in them that a visitor has written.
KNOWN_TEXTS = FORM_TEXTS


class Parts(t.Protocol):
    """What the pages need of the extension."""

    settings: Settings
    store: Store
    kit: Kit
    limits: Limits
    tokens: Tokens
    sessions: Sessions
    factors: Factors
    accounts: Accounts
    logins: Logins
    openid: OpenID
    register_form: Form


def in_english(text: str, **values: t.Any) -> str:
    """Return a text as it is: what translates where nothing else does.

    :param text: with ``%(name)s`` for values.
    :param values: the values.
    """
    return text % values if values else text


def wants_json() -> bool:
    """Return whether a client rather has data than a page: a browser asks for ``text/html``."""
    return not is_for_people()


#: Names for programs, and texts where an error has none.
_CODES = {400: "refused", 404: "not_found", 422: "invalid_fields", 429: "too_many_attempts", 502: "provider"}
_USELESS = "This does not work any more. It was used already, took too long, or was not whole."


class Pages:
    """The base of views.

    :param security: the parts of the extension.
    """

    def __init__(self, security: Parts) -> None:
        self.security = security

    # Answers

    def page(self, name: str, status: int = 200, /, **values: t.Any) -> Response:
        """Return a page.

        :param name: of its template in ``security/``, without ``.html``.
        :param status: of the answer.
        :param values: what the template shows.
        """
        return make_response(render_template(f"security/{name}.html", **values), status)

    def json(self, values: cabc.Mapping[str, t.Any], status: int = 200) -> Response:
        """Return JSON.

        :param values: the object.
        :param status: of the answer.
        """
        answer = jsonify(dict(values))
        answer.status_code = status
        return answer

    def again(self, name: str, filled: Filled, /, **values: t.Any) -> Response:
        """Return what was wrong with a form: on its page, or as a problem.

        :param name: of the template.
        :param filled: the form.
        :param values: what the template shows.
        """
        if wants_json():
            answer = self.problem(filled.status, " ".join(filled.errors.get("", ())), errors=filled.errors)
        else:
            answer = self.page(name, filled.status, form=filled, **values)
        if filled.retry_after is not None:
            answer.headers["Retry-After"] = str(filled.retry_after)
        return answer

    def problem(
        self, status: int, detail: str = "", errors: cabc.Mapping[str, cabc.Sequence[str]] | None = None
    ) -> Response:
        """Return what is wrong as a problem (RFC 9457).

        :param status: of the answer.
        :param detail: a sentence.
        :param errors: what is wrong with fields.
        """
        members: dict[str, t.Any] = {}
        if found := {name: list(texts) for name, texts in (errors or {}).items() if name}:
            members["errors"] = found
            detail = detail or "Some fields are not right."
        answer: Response = problem(status, _CODES.get(status, "refused"), detail, **members)
        return answer

    def done(self, endpoint: str, message: str = "", **values: t.Any) -> Response:
        """Return that something was done: another page that says so, or JSON.

        :param endpoint: of the page, in the blueprint.
        :param message: what it says; only where somebody is logged in, as it makes a session.
        :param values: what JSON has beside it.
        """
        if wants_json():
            return self.json({"status": "done", **values})
        if message:
            flash(message, OURS)
        return self.see(self.url(endpoint))

    def noticed(self, endpoint: str, notice: str) -> Response:
        """Return that something was done to somebody who may not be logged in.

        :param endpoint: of the page that says so.
        :param notice: a key of :data:`NOTICES`.
        """
        if wants_json():
            return self.json({"status": "done"})
        return self.see(self.url(endpoint, notice=notice))

    def sent(self, endpoint: str) -> Response:
        """Return that there will be a mail, if there is anything to be mailed: always the same answer.

        :param endpoint: of the page that was filled in.
        """
        if wants_json():
            return self.json({"status": "sent"}, 202)
        return self.see(self.url(endpoint, sent="1"))

    def see(self, target: str) -> Response:
        """Lead a browser on with ``GET`` (RFC 9110, section 15.4.4)."""
        answer: t.Any = redirect(target, 303)
        return t.cast(Response, answer)

    # Addresses

    def url(self, endpoint: str, **values: t.Any) -> str:
        """Return the path of one of the pages."""
        return url_for(f"security.{endpoint}", **values)

    def origin(self) -> str:
        """Return the origin of the site."""
        parts = urlsplit(self.security.settings.site_url or request.host_url)
        return f"{parts.scheme}://{parts.netloc}"

    def absolute(self, endpoint: str, **values: t.Any) -> str:
        """Return the address of one of the pages for others."""
        return self.origin() + self.url(endpoint, **values)

    def next_asked(self) -> str | None:
        """Return where the query asks to go on, if that is safe."""
        target = request.args.get("next")
        return safe_target(target, self.origin(), self.security.settings.redirect_origins) if target else None

    # Who asks

    def auth(self) -> Authentication | None:
        """Return who asks with a session of a browser."""
        return self.security.sessions.current()

    def user(self) -> User:
        """Return who asks, in a view that asks for a login."""
        auth = self.auth()
        assert auth is not None  # the view is behind `login_required`
        return auth.user

    def is_still_in(self) -> bool:
        """Return whether who asks has not been thrown out since the request began, for what would outlive that."""
        auth = self.auth()
        return auth is not None and (
            auth.record is None or self.security.sessions.look_again(auth.record) is not None
        )

    def need_passkeys(self) -> None:
        """Answer 404 where the site has no passkeys, as the package for them is not installed."""
        if not self.security.factors.passkeys.is_supported:
            abort(404, "This site has no passkeys.")

    def after(self, step: Step, target: str | None = None) -> Response:
        """Return where a login goes on: to the second factor, to setting one up, to where it was asked for.

        :param step: what the login has come to.
        :param target: where it was asked for, if not by this request; a safe one.
        """
        target = target or self.next_asked()
        if not step.done:
            if wants_json():
                return self.json(
                    {"status": "second_factor", "pending": step.pending, "factors": list(step.factors)}
                )
            # Whoever has planted the id of this session would stand where the password has been shown.
            put_with_new_id(PENDING, step.pending or "")
            return self.see(self.url("verify", next=target))
        session.pop(PENDING, None)
        must_set_up = step.must_set_up
        if must_set_up:
            target = self.url("second_factor")
        target = target or self.security.settings.login_redirect
        if wants_json():
            return self.json({"status": "logged_in", "next": target, "must_set_up": must_set_up})
        return self.see(target)

    def context(self) -> dict[str, t.Any]:
        """Return what all templates of the blueprint have."""
        # What installs a translation, `gettext` and all, is asked; it is in the templates of the application already.
        translate = current_app.jinja_env.globals.get("_", in_english)
        return {
            "_": translate,
            "moment": moment,
            "known_texts": KNOWN_TEXTS,
            "flashed_texts": OURS,
            "security": self.security,
            "settings": self.security.settings,
            "notice": NOTICES.get(request.args.get("notice", "")),
            "next_query": {"next": target} if (target := self.next_asked()) else {},
        }


@contextlib.contextmanager
def refusing(filled: Filled) -> cabc.Generator[None]:
    """Put what services refuse into the errors of a form.

    :param filled: the form; what is new in it is called ``email`` and ``password``.
    """
    try:
        yield
    except ConfigurationError:
        # For whoever runs the site: the log has it, and visitors learn nothing of settings.
        raise
    except WeakPassword as error:
        filled.refuse("password", *error.problems)
    except InvalidEmail as error:
        filled.refuse("email", str(error))
    except TooManyAttempts as error:
        filled.status, filled.retry_after = 429, error.retry_after
        filled.refuse("", str(error))
    except SecurityError as error:
        filled.status = 400
        filled.refuse("", str(error) or _USELESS)
