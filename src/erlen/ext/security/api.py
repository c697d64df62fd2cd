"""The table of addresses: what is where, who may ask for it, what it takes and what it answers in JSON.

Views are registered by it and the OpenAPI document is built of it, so that neither can forget one.
"""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t
from dataclasses import dataclass

from . import forms
from .forms import Form

#: Who may ask: anybody; who is logged in with a session of a browser; who has shown lately who they are.
Needs: t.TypeAlias = t.Literal["nobody", "session", "fresh"]

Schema: t.TypeAlias = cabc.Mapping[str, t.Any]

_SEGMENT = re.compile(r"<(?:\w+:)?(\w+)>")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What one method of an address does for a client that speaks JSON.

    :param summary: what it does.
    :param form: what it takes.
    :param answer: the schema of what it answers.
    :param status: of the answer.
    :param faults: further status codes, with what they say.
    """

    summary: str
    answer: Schema
    form: Form | None = None
    status: int = 200
    faults: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One address of the pages.

    :param endpoint: its name in the blueprint.
    :param rule: its path below the prefix.
    :param subject: under which heading the document has it.
    :param needs: who may ask for it.
    :param page: whether browsers get a page with ``GET``.
    :param get: what ``GET`` does in JSON, ``None`` where there is only a page or nothing.
    :param post: what ``POST`` does in JSON.
    """

    endpoint: str
    rule: str
    subject: str
    needs: Needs = "nobody"
    page: bool = True
    get: Operation | None = None
    post: Operation | None = None

    @property
    def methods(self) -> list[str]:
        """The methods that the address has."""
        methods = ["GET"] if self.page or self.get is not None else []
        return [*methods, "POST"] if self.post is not None else methods

    @property
    def path(self) -> str:
        """The path as OpenAPI writes it."""
        return _SEGMENT.sub(r"{\1}", self.rule)

    @property
    def variables(self) -> list[str]:
        """The names of the variable parts of the path."""
        return _SEGMENT.findall(self.rule)


def record(**properties: t.Any) -> dict[str, t.Any]:
    """Return the schema of an object that has all of some properties and nothing else."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def status(*names: str, **more: t.Any) -> dict[str, t.Any]:
    """Return the schema of an object whose ``status`` says what has happened, and of what may be beside it."""
    return {
        "type": "object",
        "properties": {"status": {"type": "string", "enum": list(names)}, **more},
        "required": ["status"],
        "additionalProperties": False,
    }


def _list(items: Schema) -> dict[str, t.Any]:
    return {"type": "array", "items": dict(items)}


_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_TIME_OR_NONE: Schema = {"type": ["string", "null"], "format": "date-time"}
_TEXT_OR_NONE: Schema = {"type": ["string", "null"]}
_TRUTH: Schema = {"type": "boolean"}
_NUMBER: Schema = {"type": "integer"}
_TEXTS = _list(_TEXT)
_FACTORS = _list({"type": "string", "enum": ["totp", "code", "passkey"]})

DONE = status("done")
#: What is answered whether or not the address has an account.
SENT = status("sent")
STEP = status(
    "logged_in",
    "second_factor",
    pending={"type": "string", "description": "What the second step needs; it is a secret."},
    factors=_FACTORS,
    next={"type": "string", "description": "Where a browser would be led."},
    must_set_up={"type": "boolean", "description": "Whether the account has to get a second factor first."},
)
PAIR = record(
    access_token=_TEXT,
    refresh_token=_TEXT,
    token_type={"type": "string", "enum": ["Bearer"]},
    expires_in=_NUMBER,
    scope={"type": "string", "description": "Scopes with spaces between them (RFC 6749, section 3.3)."},
)
ACCOUNT = record(
    email=_TEXT,
    roles=_TEXTS,
    created_at=_TIME,
    current_login_at=_TIME_OR_NONE,
    last_login_at=_TIME_OR_NONE,
    last_login_address=_TEXT_OR_NONE,
    login_count=_NUMBER,
    failed_count=_NUMBER,
    factors=_FACTORS,
    must_set_up=_TRUTH,
)
SESSION = record(
    id=_TEXT,
    current=_TRUTH,
    device=_TEXT,
    address=_TEXT_OR_NONE,
    methods=_TEXTS,
    created_at=_TIME,
    last_seen_at=_TIME,
    expires_at=_TIME,
    remember=_TRUTH,
)
TOKEN = record(
    id=_TEXT,
    name=_TEXT,
    scopes=_TEXTS,
    created_at=_TIME,
    expires_at=_TIME_OR_NONE,
    last_used_at=_TIME_OR_NONE,
)
PASSKEY = record(id=_TEXT, name=_TEXT, created_at=_TIME, last_used_at=_TIME_OR_NONE, backed_up=_TRUTH)
IDENTITY = record(issuer=_TEXT, subject=_TEXT, email=_TEXT, created_at=_TIME)
EVENT = record(name=_TEXT, at=_TIME, address=_TEXT_OR_NONE, device=_TEXT)
CREATED_TOKEN = record(
    token={"type": "string", "description": "The token, which is never shown again."}, **TOKEN["properties"]
)
#: The options of WebAuthn are documented there.
OPTIONS: Schema = {"type": "object"}

_LOGIN = (
    Route(
        endpoint="login",
        rule="/login",
        subject="login",
        post=Operation(
            summary="Log in with a password; it may ask for a second factor",
            form=forms.LOGIN,
            answer=STEP,
            faults=(400, 429),
        ),
    ),
    Route(
        endpoint="passkey_options",
        rule="/login/passkey/options",
        subject="login",
        page=False,
        post=Operation(
            summary="Get what navigator.credentials.get() needs",
            form=forms.PASSKEY_OPTIONS,
            answer=OPTIONS,
            faults=(
                400,
                429,
            ),
        ),
    ),
    Route(
        endpoint="passkey_login",
        rule="/login/passkey",
        subject="login",
        page=False,
        post=Operation(
            summary="Log in with a passkey alone", form=forms.PASSKEY_LOGIN, answer=STEP, faults=(400, 429)
        ),
    ),
    Route(
        endpoint="verify",
        rule="/verify",
        subject="login",
        post=Operation(
            summary="Answer with the second factor", form=forms.VERIFY, answer=STEP, faults=(400, 429)
        ),
    ),
    Route(
        endpoint="reauthenticate",
        rule="/reauthenticate",
        subject="login",
        needs="session",
        post=Operation(
            summary="Show again who you are, for what is sensitive",
            form=forms.REAUTHENTICATE,
            answer=status("done", next=_TEXT),
            faults=(400, 429),
        ),
    ),
    Route(
        endpoint="logout",
        rule="/logout",
        subject="login",
        post=Operation(summary="End the session of this browser", form=forms.NOTHING, answer=DONE),
    ),
)

_REGISTRATION = (
    Route(
        endpoint="register",
        rule="/register",
        subject="registration",
        post=Operation(
            summary="Make an account; a mail says how it goes on",
            form=forms.REGISTER,
            answer=SENT,
            status=202,
            faults=(429,),
        ),
    ),
    Route(
        endpoint="activate",
        rule="/activate/<token>",
        subject="registration",
        post=Operation(
            summary="Activate an account with the token of a mail",
            form=forms.NOTHING,
            answer=DONE,
            faults=(400,),
        ),
    ),
    Route(
        endpoint="resend_activation",
        rule="/activate",
        subject="registration",
        post=Operation(
            summary="Have the activation mail sent again",
            form=forms.ADDRESS,
            answer=SENT,
            status=202,
            faults=(429,),
        ),
    ),
)

_RECOVERY = (
    Route(
        endpoint="recover",
        rule="/recover",
        subject="recovery",
        post=Operation(
            summary="Have a recovery mail sent", form=forms.ADDRESS, answer=SENT, status=202, faults=(429,)
        ),
    ),
    Route(
        endpoint="reset",
        rule="/reset/<token>",
        subject="recovery",
        post=Operation(
            summary="Set a password with the token of a mail",
            form=forms.RESET,
            answer=DONE,
            faults=(400, 429),
        ),
    ),
)

_PROFILE = (
    Route(
        endpoint="overview",
        rule="/",
        subject="account",
        needs="session",
        get=Operation(summary="Get your account", answer=ACCOUNT),
    ),
    Route(
        endpoint="password",
        rule="/password",
        subject="account",
        needs="fresh",
        post=Operation(
            summary="Change your password", form=forms.PASSWORD_CHANGE, answer=DONE, faults=(400, 429)
        ),
    ),
    Route(
        endpoint="email",
        rule="/email",
        subject="account",
        needs="fresh",
        post=Operation(
            summary="Ask for another address of e-mail",
            form=forms.NEW_EMAIL,
            answer=SENT,
            status=202,
            faults=(429,),
        ),
    ),
    Route(
        endpoint="confirm_email",
        rule="/email/<token>",
        subject="account",
        post=Operation(
            summary="Confirm a new address with the token of a mail",
            form=forms.NOTHING,
            answer=DONE,
            faults=(400,),
        ),
    ),
    Route(
        endpoint="object_email",
        rule="/email/keep/<token>",
        subject="account",
        post=Operation(
            summary="Undo a change of address that the owner has not asked for",
            form=forms.NOTHING,
            answer=DONE,
            faults=(400,),
        ),
    ),
    Route(
        endpoint="delete",
        rule="/delete",
        subject="account",
        needs="fresh",
        post=Operation(summary="Delete your account", form=forms.NOTHING, answer=DONE),
    ),
    Route(
        endpoint="log",
        rule="/log",
        subject="account",
        needs="session",
        get=Operation(summary="Get what has happened to your account", answer=record(events=_list(EVENT))),
    ),
    Route(
        endpoint="sessions",
        rule="/sessions",
        subject="sessions",
        needs="session",
        get=Operation(summary="List your sessions", answer=record(sessions=_list(SESSION))),
    ),
    Route(
        endpoint="revoke_session",
        rule="/sessions/<id>/revoke",
        subject="sessions",
        needs="session",
        page=False,
        post=Operation(summary="End one of your sessions", form=forms.NOTHING, answer=DONE, faults=(404,)),
    ),
    Route(
        endpoint="revoke_other_sessions",
        rule="/sessions/revoke",
        subject="sessions",
        needs="session",
        page=False,
        post=Operation(
            summary="End all your sessions but this one",
            form=forms.NOTHING,
            answer=status("done", count=_NUMBER),
        ),
    ),
)

_TOKENS = (
    Route(
        endpoint="tokens",
        rule="/tokens",
        subject="tokens",
        needs="session",
        get=Operation(summary="List your tokens for programs", answer=record(tokens=_list(TOKEN))),
    ),
    Route(
        endpoint="create_token",
        rule="/tokens/new",
        subject="tokens",
        needs="fresh",
        post=Operation(
            summary="Make a token for a program", form=forms.TOKEN, answer=CREATED_TOKEN, status=201
        ),
    ),
    Route(
        endpoint="revoke_token",
        rule="/tokens/<id>/revoke",
        subject="tokens",
        needs="session",
        page=False,
        post=Operation(summary="Revoke one of your tokens", form=forms.NOTHING, answer=DONE, faults=(404,)),
    ),
    Route(
        endpoint="token",
        rule="/token",
        subject="tokens",
        needs="fresh",
        page=False,
        post=Operation(
            summary="Get an access token and a refresh token for your session", form=forms.SCOPES, answer=PAIR
        ),
    ),
    Route(
        endpoint="refresh_token",
        rule="/token/refresh",
        subject="tokens",
        page=False,
        post=Operation(
            summary="Exchange a refresh token for a new pair",
            form=forms.REFRESH,
            answer=PAIR,
            faults=(400, 429),
        ),
    ),
    Route(
        endpoint="revoke_refresh_token",
        rule="/token/revoke",
        subject="tokens",
        page=False,
        post=Operation(
            summary="Revoke a refresh token and all that came of it", form=forms.REFRESH, answer=DONE
        ),
    ),
)

_FACTOR_ROUTES = (
    Route(
        endpoint="second_factor",
        rule="/second-factor",
        subject="second factors",
        needs="session",
        get=Operation(
            summary="Get which second factors you have",
            answer=record(factors=_FACTORS, codes_left=_NUMBER, must_set_up=_TRUTH),
        ),
    ),
    Route(
        endpoint="totp",
        rule="/second-factor/app",
        subject="second factors",
        needs="fresh",
        get=Operation(
            summary="Get a secret for an authenticator application",
            answer=record(secret=_TEXT, uri=_TEXT, sealed=_TEXT),
        ),
        post=Operation(
            summary="Confirm it with the first code",
            form=forms.TOTP,
            answer=status("done", codes=_TEXTS),
            status=201,
            faults=(400, 429),
        ),
    ),
    Route(
        endpoint="remove_totp",
        rule="/second-factor/app/remove",
        subject="second factors",
        needs="fresh",
        page=False,
        post=Operation(
            summary="Do without the authenticator application", form=forms.NOTHING, answer=DONE, faults=(404,)
        ),
    ),
    Route(
        endpoint="codes",
        rule="/second-factor/codes",
        subject="second factors",
        needs="fresh",
        get=Operation(summary="Get how many recovery codes are left", answer=record(codes_left=_NUMBER)),
        post=Operation(
            summary="Make new recovery codes; the old ones end",
            form=forms.NOTHING,
            answer=record(codes=_TEXTS),
            status=201,
            faults=(409,),
        ),
    ),
    Route(
        endpoint="passkeys",
        rule="/passkeys",
        subject="second factors",
        needs="fresh",
        get=Operation(summary="List your passkeys", answer=record(passkeys=_list(PASSKEY))),
        post=Operation(
            summary="Add a passkey",
            form=forms.PASSKEY,
            answer=status("done", codes=_TEXTS),
            status=201,
            faults=(400,),
        ),
    ),
    Route(
        endpoint="new_passkey_options",
        rule="/passkeys/options",
        subject="second factors",
        needs="fresh",
        page=False,
        post=Operation(
            summary="Get what navigator.credentials.create() needs", form=forms.NOTHING, answer=OPTIONS
        ),
    ),
    Route(
        endpoint="remove_passkey",
        rule="/passkeys/<id>/remove",
        subject="second factors",
        needs="fresh",
        page=False,
        post=Operation(summary="Remove a passkey", form=forms.NOTHING, answer=DONE, faults=(404,)),
    ),
)

_OPENID = (
    Route(
        endpoint="identities",
        rule="/identities",
        subject="signing in with others",
        needs="fresh",
        get=Operation(
            summary="List the accounts elsewhere that log you in", answer=record(identities=_list(IDENTITY))
        ),
    ),
    Route(
        endpoint="remove_identity",
        rule="/identities/remove",
        subject="signing in with others",
        needs="fresh",
        page=False,
        post=Operation(
            summary="Forget an account elsewhere", form=forms.IDENTITY, answer=DONE, faults=(404, 409)
        ),
    ),
    Route(
        endpoint="openid_start",
        rule="/openid/<name>",
        subject="signing in with others",
        page=False,
        post=Operation(
            summary="Get where to send the browser for signing in with a provider",
            form=forms.NOTHING,
            answer=record(url=_TEXT),
            faults=(404, 502),
        ),
    ),
    # Browsers alone come back from a provider.
    Route(endpoint="openid_callback", rule="/openid/<name>/callback", subject="signing in with others"),
)

_DOCUMENT = (
    Route(
        endpoint="openapi",
        rule="/openapi.json",
        subject="this document",
        page=False,
        get=Operation(summary="Get this document", answer={"type": "object"}),
    ),
)

#: Everything there is.
ROUTES: tuple[Route, ...] = (
    *_LOGIN,
    *_REGISTRATION,
    *_RECOVERY,
    *_PROFILE,
    *_TOKENS,
    *_FACTOR_ROUTES,
    *_OPENID,
    *_DOCUMENT,
)
