"""What the pages ask for: definitions of forms, read from a form of HTML or from JSON.

One definition says what a field may hold, which attributes its element has, and what the OpenAPI document says of it. Whatever a
client sends, what comes out is text, a truth value or a list of texts, or an error that names the field.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t
from dataclasses import dataclass, field

from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest

from erlen import Request

__all__ = ["Field", "Filled", "Form", "Invalid"]

Kind: t.TypeAlias = t.Literal[
    "text", "email", "password", "code", "hidden", "checkbox", "choice", "choices", "object"
]

#: More than a password may have, so that the rules for passwords can say how many it may.
PASSWORD_CHARACTERS = 4096

REQUIRED = "Fill in this field."
NOT_TEXT = "This has to be a text."
NOT_TRUTH = "This has to be true or false."
NOT_LIST = "This has to be a list of texts."
NOT_OBJECT = "This has to be an object."
NOT_OFFERED = "Choose one of what is offered."
TWICE = "This was sent more than once."
UNREADABLE = "This has characters that cannot be used."
UNKNOWN = "There is no such field."

#: What does not depend on what was sent.
FORM_TEXTS = frozenset(
    {REQUIRED, NOT_TEXT, NOT_TRUTH, NOT_LIST, NOT_OBJECT, NOT_OFFERED, TWICE, UNREADABLE, UNKNOWN}
)

# Half of a character that UTF-16 writes in two parts; JSON can say it, and nothing can store it.
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Invalid(ValueError):
    """A value that a field refuses; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing that a form asks for.

    An application writes some for what it wants to know of who registers: ``Security(app, ..., register_fields=[Field(name="nickname",
    label="Nickname")])``. A checkbox is a truth value to the user's class, ``choices`` a list of texts, all others are texts.

    :param name: its name in forms and JSON.
    :param label: what people read.
    :param kind: ``text``, ``email``, ``password``, ``code`` (of an authenticator application, or a recovery code), ``hidden``,
        ``checkbox``, ``choice`` (of several), ``choices`` (any number of several), or ``object`` (of JSON alone).
    :param hint: what helps to fill it in.
    :param autocomplete: the token by which browsers and password managers know it (HTML, section 4.10.18.7).
    :param required: whether it has to be filled in.
    :param max_length: the most characters.
    :param choices: values and what people read of them.

    .. versionadded:: 0.1
    """

    name: str
    label: str = ""
    kind: Kind = "text"
    hint: str = ""
    autocomplete: str = "off"
    required: bool = True
    max_length: int = 200
    choices: tuple[tuple[str, str], ...] = ()

    def clean(self, value: t.Any) -> t.Any:
        """Return a value as services take it.

        :param value: any value that JSON has; ``None`` where there is none.
        :raises Invalid: with what is wrong.
        """
        if value is None:
            if self.required:
                raise Invalid(REQUIRED)
            return self._nothing()
        if self.kind == "checkbox":
            if type(value) is not bool:
                raise Invalid(NOT_TRUTH)
            return value
        if self.kind == "object":
            if type(value) is not dict:
                raise Invalid(NOT_OBJECT)
            return t.cast("dict[str, t.Any]", value)
        if self.kind == "choices":
            return self._chosen(value)
        return self._text(value)

    def _nothing(self) -> t.Any:
        nothings: dict[str, t.Any] = {"checkbox": False, "choices": [], "object": None}
        return nothings.get(self.kind, "")

    def _text(self, value: t.Any) -> str:
        if not isinstance(value, str):
            raise Invalid(NOT_TEXT)
        is_password = self.kind == "password"
        text = value if is_password else value.strip()
        # Applications show codes in groups, and people type them so.
        if self.kind == "code":
            text = "".join(text.split())
        if not text:
            if self.required:
                raise Invalid(REQUIRED)
            return ""
        # The length first: the rest reads the whole text.
        if len(text) > self.max_length:
            raise Invalid(f"Write at most {self.max_length} characters.")
        if _SURROGATE.search(text) or ("\0" in text if is_password else _CONTROL.search(text)):
            raise Invalid(UNREADABLE)
        if self.kind == "choice" and text not in dict(self.choices):
            raise Invalid(NOT_OFFERED)
        return text

    def _chosen(self, value: t.Any) -> list[str]:
        offered = dict(self.choices)
        if not isinstance(value, list):
            raise Invalid(NOT_LIST)
        values: list[t.Any] = value
        if not all(isinstance(one, str) for one in values):
            raise Invalid(NOT_LIST)
        if not all(one in offered for one in values):
            raise Invalid(NOT_OFFERED)
        if self.required and not values:
            raise Invalid(NOT_OFFERED)
        return [one for one in offered if one in values]

    def of_form(self, sent: MultiDict[str, str]) -> t.Any:
        """Return the value in a form of HTML, in the way that JSON would say it.

        :param sent: the form.
        :raises Invalid: where a field that may be there once is there twice.
        """
        values = sent.getlist(self.name)
        if self.kind == "checkbox":
            return bool(values)
        if self.kind == "choices":
            return values
        if len(values) > 1:
            raise Invalid(TWICE)
        return values[0] if values else None

    @property
    def attributes(self) -> dict[str, t.Any]:
        """The attributes of the element, but for id and value."""
        kinds = {"email": "email", "password": "password", "hidden": "hidden"}
        found: dict[str, t.Any] = {
            "type": kinds.get(self.kind, "text"),
            "name": self.name,
            "autocomplete": self.autocomplete,
        }
        if self.required:
            found["required"] = True
        # A password that was pasted must not be cut off without a word.
        if self.kind != "password":
            found["maxlength"] = self.max_length
        if self.kind in {"email", "password", "code"}:
            found |= {"autocapitalize": "none", "spellcheck": "false"}
        if self.kind == "code" and self.autocomplete == "one-time-code":
            found["inputmode"] = "numeric"
            # Written in two groups it has a space.
            found["maxlength"] = max(self.max_length, 7)
        return found

    @property
    def schema(self) -> dict[str, t.Any]:
        """The JSON Schema of the field."""
        found: dict[str, t.Any]
        if self.kind == "checkbox":
            found = {"type": "boolean", "default": False}
        elif self.kind == "object":
            found = {"type": "object"}
        elif self.kind == "choices":
            found = {
                "type": "array",
                "items": {"type": "string", "enum": [value for value, _ in self.choices]},
                "uniqueItems": True,
            }
        else:
            found = {"type": "string", "maxLength": self.max_length}
            if self.kind == "choice":
                found = {"type": "string", "enum": [value for value, _ in self.choices]}
            elif self.required:
                found["minLength"] = 1
            if self.kind in {"email", "password"}:
                found["format"] = self.kind
        if self.hint or self.label:
            found["description"] = self.hint or self.label
        return found


@dataclass(slots=True)
class Filled:
    """A form with what was sent.

    :param form: the definition.
    :param values: what is right, by field.
    :param errors: what is wrong, by field; under ``""`` what is wrong with the whole.
    :param status: of the answer where something is wrong.
    :param retry_after: in how many seconds it may be tried again.
    """

    form: Form
    values: dict[str, t.Any] = field(default_factory=dict[str, t.Any])
    errors: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    status: int = 422
    retry_after: int | None = None

    def __getitem__(self, name: str) -> t.Any:
        return self.values[name]

    def refuse(self, name: str, *reasons: str) -> None:
        """Add errors.

        :param name: the field, or ``""`` for the whole form.
        :param reasons: sentences that people read.
        """
        self.errors.setdefault(name, []).extend(reasons)

    def shown(self, name: str) -> t.Any:
        """Return what the element of a field shows again: never a password, never a code.

        :param name: the field.
        """
        if self.form.fields[name].kind in {"password", "code", "object"}:
            return ""
        return self.values.get(name, "")


class Form:
    """The definition of a form.

    :param name: its name, for ids and the OpenAPI document.
    :param fields: its fields, in the order in which they are seen.
    """

    def __init__(self, name: str, *fields: Field) -> None:
        self.name = name
        self.fields: dict[str, Field] = {one.name: one for one in fields}

    def blank(self, **values: t.Any) -> Filled:
        """Return the form before anything was sent.

        :param values: what its fields show.
        """
        return Filled(self, values)

    def changed(self, name: str, **changes: t.Any) -> Form:
        """Return the form with another field in the place of one.

        :param name: the field.
        :param changes: attributes of :class:`Field`.
        """
        fields = [
            dataclasses.replace(one, **changes) if one.name == name else one for one in self.fields.values()
        ]
        return Form(self.name, *fields)

    def with_fields(self, fields: t.Iterable[Field]) -> Form:
        """Return the form with further fields at its end.

        :param fields: the fields.
        """
        return Form(self.name, *self.fields.values(), *fields)

    def read(self, request: Request) -> Filled:
        """Return what a request sends.

        In JSON every value has to be of its type, and unknown fields are refused: a client that sends one means something that
        would not happen. Of forms they are ignored, as they hold tokens and buttons as well.

        :param request: the request.
        :raises BadRequest: for JSON that cannot be read, or that is no object.
        """
        filled = Filled(self)
        sent = _object_of(request) if request.is_json else None
        for name, one in self.fields.items():
            try:
                value = one.of_form(request.form) if sent is None else sent.get(name)
                filled.values[name] = one.clean(value)
            except Invalid as error:
                filled.refuse(name, str(error))
                # A page shows again what is nearly right, such as an address that is too long.
                if (
                    type(shown := request.form.get(name)) is str
                    and len(shown) <= self.fields[name].max_length
                ):
                    filled.values[name] = shown
        for name in sorted((sent or {}).keys() - self.fields.keys(), key=repr)[:10]:
            filled.refuse(name[:100].encode("utf-8", "replace").decode(), UNKNOWN)
        return filled

    @property
    def schema(self) -> dict[str, t.Any]:
        """The JSON Schema of the object that the form takes."""
        found: dict[str, t.Any] = {
            "type": "object",
            "properties": {name: one.schema for name, one in self.fields.items()},
            "additionalProperties": False,
        }
        if required := [name for name, one in self.fields.items() if one.required]:
            found["required"] = required
        return found


def _object_of(request: Request) -> dict[str, t.Any]:
    try:
        sent: t.Any = request.get_json()
    except RecursionError:
        raise BadRequest("The JSON of this request is nested too deeply.") from None
    if type(sent) is not dict:
        raise BadRequest("The JSON of this request has to be an object: {...}.")
    return t.cast("dict[str, t.Any]", sent)


# Fields that several forms have

EMAIL = Field(name="email", label="E-mail address", kind="email", autocomplete="username", max_length=254)
PASSWORD = Field(
    name="password",
    label="Password",
    kind="password",
    autocomplete="current-password",
    max_length=PASSWORD_CHARACTERS,
)
NEW_PASSWORD = dataclasses.replace(PASSWORD, label="New password", autocomplete="new-password")
REMEMBER = Field(name="remember", label="Keep me signed in on this device", kind="checkbox", required=False)
PENDING = Field(
    name="pending",
    label="What the first step has answered",
    kind="hidden",
    required=False,
    max_length=200,
)
CODE = Field(name="code", label="Code", kind="code", autocomplete="one-time-code", max_length=40)

# The forms

LOGIN = Form("login", EMAIL, PASSWORD, REMEMBER)
PASSKEY_LOGIN = Form("passkey_login", Field(name="credential", kind="object"), REMEMBER)
VERIFY = Form(
    "verify",
    Field(
        name="kind",
        label="How to confirm",
        kind="choice",
        choices=(
            ("totp", "Code of the authenticator app"),
            ("code", "Recovery code"),
            ("passkey", "Passkey"),
        ),
    ),
    dataclasses.replace(CODE, required=False),
    Field(name="credential", kind="object", required=False),
    PENDING,
)
REAUTHENTICATE = Form(
    "reauthenticate",
    dataclasses.replace(PASSWORD, required=False),
    dataclasses.replace(CODE, required=False),
    Field(name="credential", kind="object", required=False),
)
REGISTER = Form("register", EMAIL, dataclasses.replace(NEW_PASSWORD, label="Password"))
#: Who has a password has to send it. An account that an administrator has made may have none.
ACTIVATE = Form(
    "activate", dataclasses.replace(PASSWORD, hint="The one you chose when you registered.", required=False)
)
ADDRESS = Form("address", EMAIL)
RESET = Form("reset", NEW_PASSWORD)
PASSWORD_CHANGE = Form(
    "password_change",
    dataclasses.replace(PASSWORD, name="current", label="Current password", required=False),
    NEW_PASSWORD,
)
NEW_EMAIL = Form("new_email", dataclasses.replace(EMAIL, label="New e-mail address", autocomplete="email"))
TOTP = Form(
    "totp",
    dataclasses.replace(CODE, label="Code that the app shows", max_length=10),
    Field(name="sealed", label="The secret, as the page has it", kind="hidden", max_length=2000),
)
TOKEN = Form(
    "token",
    Field(name="name", label="Name", hint="What it is for, so that you know it again.", max_length=80),
    Field(name="scopes", label="What it permits", kind="choices", required=False),
    Field(
        name="days",
        label="Works for",
        kind="choice",
        choices=(("7", "7 days"), ("30", "30 days"), ("90", "90 days")),
    ),
)
SCOPES = Form("scopes", Field(name="scopes", label="What it permits", kind="choices", required=False))
PASSKEY = Form(
    "passkey",
    Field(name="name", label="Name", hint="Such as the device it is on.", max_length=80),
    Field(name="credential", kind="object"),
)
REFRESH = Form(
    "refresh", Field(name="refresh_token", label="The refresh token", kind="hidden", max_length=500)
)
PASSKEY_OPTIONS = Form(
    "passkey_options",
    Field(
        name="step",
        label="What it is for: a login with nothing else, unless it is one of these",
        kind="choice",
        choices=(("login", "Login"), ("verify", "Second step"), ("reauthenticate", "Once more")),
        required=False,
    ),
    PENDING,
)
IDENTITY = Form(
    "identity",
    Field(name="issuer", label="Who says so", kind="hidden", max_length=2000),
    Field(name="subject", label="How they call you", kind="hidden", max_length=300),
)
NOTHING = Form("nothing")
