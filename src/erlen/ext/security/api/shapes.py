"""What the table of addresses is made of: routes, operations, and the schemas of answers."""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t
from dataclasses import dataclass

from ..forms import Form

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


def list_of(items: Schema) -> dict[str, t.Any]:
    """Return the schema of a list."""
    return {"type": "array", "items": dict(items)}


TEXT: Schema = {"type": "string"}
TIME: Schema = {"type": "string", "format": "date-time"}
TIME_OR_NONE: Schema = {"type": ["string", "null"], "format": "date-time"}
TEXT_OR_NONE: Schema = {"type": ["string", "null"]}
TRUTH: Schema = {"type": "boolean"}
NUMBER: Schema = {"type": "integer"}
TEXTS = list_of(TEXT)
FACTORS = list_of({"type": "string", "enum": ["totp", "code", "passkey"]})

DONE = status("done")
#: What is answered whether or not the address has an account.
SENT = status("sent")
STEP = status(
    "logged_in",
    "second_factor",
    pending={"type": "string", "description": "What the second step needs; it is a secret."},
    factors=FACTORS,
    next={"type": "string", "description": "Where a browser would be led."},
    must_set_up={"type": "boolean", "description": "Whether the account has to get a second factor first."},
)
PAIR = record(
    access_token=TEXT,
    refresh_token=TEXT,
    token_type={"type": "string", "enum": ["Bearer"]},
    expires_in=NUMBER,
    scope={"type": "string", "description": "Scopes with spaces between them (RFC 6749, section 3.3)."},
)
ACCOUNT = record(
    email=TEXT,
    roles=TEXTS,
    created_at=TIME,
    current_login_at=TIME_OR_NONE,
    last_login_at=TIME_OR_NONE,
    last_login_address=TEXT_OR_NONE,
    login_count=NUMBER,
    failed_count=NUMBER,
    factors=FACTORS,
    must_set_up=TRUTH,
)
SESSION = record(
    id=TEXT,
    current=TRUTH,
    device=TEXT,
    address=TEXT_OR_NONE,
    methods=TEXTS,
    created_at=TIME,
    last_seen_at=TIME,
    expires_at=TIME,
    remember=TRUTH,
)
PROGRAM = record(
    id=TEXT,
    scopes=TEXTS,
    methods=TEXTS,
    created_at=TIME,
    last_used_at=TIME_OR_NONE,
    expires_at=TIME_OR_NONE,
)
TOKEN = record(
    id=TEXT,
    name=TEXT,
    scopes=TEXTS,
    created_at=TIME,
    expires_at=TIME_OR_NONE,
    last_used_at=TIME_OR_NONE,
)
PASSKEY = record(id=TEXT, name=TEXT, created_at=TIME, last_used_at=TIME_OR_NONE, backed_up=TRUTH)
IDENTITY = record(issuer=TEXT, subject=TEXT, email=TEXT, created_at=TIME)
EVENT = record(name=TEXT, at=TIME, address=TEXT_OR_NONE, device=TEXT)
CREATED_TOKEN = record(
    token={"type": "string", "description": "The token, which is never shown again."}, **TOKEN["properties"]
)
#: The options of WebAuthn are documented there.
OPTIONS: Schema = {"type": "object"}
