"""Forms: what they take from HTML and from JSON, and what they say of themselves."""

from __future__ import annotations

import json
import typing as t

import pytest
from werkzeug.exceptions import BadRequest

from erlen import Erlen, request
from erlen.ext.security import forms
from erlen.ext.security.forms import Field, Filled, Form

FORM = Form(
    "example",
    Field(name="email", kind="email", max_length=20),
    Field(name="password", kind="password", max_length=30),
    Field(name="remember", kind="checkbox", required=False),
    Field(name="colour", kind="choice", choices=(("red", "Red"), ("blue", "Blue")), required=False),
    Field(name="scopes", kind="choices", choices=(("read", "Read"), ("write", "Write")), required=False),
    Field(name="credential", kind="object", required=False),
)

RIGHT: dict[str, t.Any] = {"email": "ada@example.com", "password": "correct horse"}


def read(form: Form = FORM, **arguments: t.Any) -> Filled:
    app = Erlen(__name__)
    with app.test_request_context("/", method="POST", **arguments):
        return form.read(request)


def test_a_form_of_html_is_read() -> None:
    sent = {**RIGHT, "remember": "yes", "colour": "red", "scopes": ["write", "read"], "button": "x"}
    filled = read(data=sent)
    assert filled.errors == {}
    assert filled.values == {
        **RIGHT,
        "remember": True,
        "colour": "red",
        "scopes": ["read", "write"],
        "credential": None,
    }


def test_json_is_read() -> None:
    filled = read(json={**RIGHT, "remember": True, "scopes": ["read"], "credential": {"id": "x"}})
    assert filled.errors == {}
    assert filled["remember"] is True
    assert filled["credential"] == {"id": "x"}
    assert filled["colour"] == ""


@pytest.mark.parametrize("value", [1, 1.5, True, None, [], ["a"], {}, {"a": 1}])
def test_json_that_is_no_text_is_refused_with_its_field(value: t.Any) -> None:
    """'A non-string JSON field answered with 500'."""
    filled = read(json={**RIGHT, "email": value})
    assert list(filled.errors) == ["email"]
    filled = read(json={**RIGHT, "password": value})
    assert list(filled.errors) == ["password"]


@pytest.mark.parametrize("value", ["yes", 1, 0, "true", [True]])
def test_a_checkbox_in_json_is_true_or_false(value: t.Any) -> None:
    assert read(json={**RIGHT, "remember": value}).errors == {"remember": [forms.NOT_TRUTH]}


@pytest.mark.parametrize("value", ["read", {"read": True}, [1], [["read"]], ["delete"], [None]])
def test_choices_in_json_are_a_list_of_what_is_offered(value: t.Any) -> None:
    assert list(read(json={**RIGHT, "scopes": value}).errors) == ["scopes"]


@pytest.mark.parametrize("value", ["x", [], 1])
def test_an_object_in_json_is_an_object(value: t.Any) -> None:
    assert read(json={**RIGHT, "credential": value}).errors == {"credential": [forms.NOT_OBJECT]}


def test_an_object_cannot_come_from_a_form_of_html() -> None:
    assert read(data={**RIGHT, "credential": "{}"}).errors == {"credential": [forms.NOT_OBJECT]}


@pytest.mark.parametrize("body", ["[]", '"text"', "1", "null", "{", "", "[" * 100_000, '{"a": NaN'])
def test_json_that_is_no_object_is_refused(body: str) -> None:
    with pytest.raises(BadRequest):
        read(data=body, content_type="application/json")


def test_unknown_fields_of_json_are_refused() -> None:
    filled = read(json={**RIGHT, "is_admin": True, "roles": ["admin"]})
    assert filled.errors == {"is_admin": [forms.UNKNOWN], "roles": [forms.UNKNOWN]}
    assert "is_admin" not in filled.values


def test_a_name_that_cannot_be_written_does_not_break_the_answer() -> None:
    body = '{"\\ud800' + "x" * 500 + '": 1}'
    filled = read(data=body, content_type="application/json")
    json.dumps(filled.errors).encode()
    assert max(map(len, filled.errors)) <= 100


@pytest.mark.parametrize("character", ["\0", "\x1b", "\n", "\x7f", "\x85", "\ud800"])
def test_characters_that_cannot_be_used_are_refused(character: str) -> None:
    body = json.dumps({**RIGHT, "email": f"a{character}b"})
    assert read(data=body, content_type="application/json").errors == {"email": [forms.UNREADABLE]}


@pytest.mark.parametrize("character", ["\0", "\ud800"])
def test_of_a_password_only_what_cannot_be_hashed_is_refused(character: str) -> None:
    body = json.dumps({**RIGHT, "password": f"correct{character}horse"})
    assert read(data=body, content_type="application/json").errors == {"password": [forms.UNREADABLE]}
    assert (
        read(json={**RIGHT, "password": " tab\t\u202e\U0001f40e "})["password"] == " tab\t\u202e\U0001f40e "
    )


def test_blanks_around_an_address_are_dropped_and_those_of_a_password_are_kept() -> None:
    filled = read(data={"email": " ada@example.com ", "password": " correct horse "})
    assert (filled["email"], filled["password"]) == ("ada@example.com", " correct horse ")


def test_blanks_in_a_code_are_dropped() -> None:
    assert forms.CODE.clean("123 456") == "123456"


@pytest.mark.parametrize("value", ["", "   "])
def test_what_is_required_is_more_than_blanks(value: str) -> None:
    assert read(data={**RIGHT, "email": value}).errors == {"email": [forms.REQUIRED]}


def test_long_texts_are_refused_and_not_shown_again() -> None:
    filled = read(data={**RIGHT, "email": "x" * 400_000})
    assert filled.errors == {"email": ["Write at most 20 characters."]}
    assert filled.shown("email") == ""


def test_a_field_that_is_sent_twice_is_refused() -> None:
    filled = read(data={"email": ["a@example.com", "b@example.com"], "password": "correct horse"})
    assert filled.errors == {"email": [forms.TWICE]}


def test_what_is_not_offered_is_refused() -> None:
    assert read(data={**RIGHT, "colour": "green"}).errors == {"colour": [forms.NOT_OFFERED]}


def test_passwords_and_codes_are_never_shown_again() -> None:
    filled = read(data={"email": "", "password": "correct horse"})
    assert filled.shown("password") == ""
    assert filled["password"] == "correct horse"
    assert forms.TOTP.blank(code="123456").shown("code") == ""


def test_a_password_may_be_pasted_whole() -> None:
    """ASVS 6.2.7: paste, password managers; so no length that cuts off."""
    attributes = forms.PASSWORD.attributes
    assert "maxlength" not in attributes
    assert not any(name.startswith("on") for name in attributes)


@pytest.mark.parametrize(
    ("field", "kind", "autocomplete"),
    [
        (forms.LOGIN.fields["email"], "email", "username"),
        (forms.LOGIN.fields["password"], "password", "current-password"),
        (forms.REGISTER.fields["password"], "password", "new-password"),
        (forms.RESET.fields["password"], "password", "new-password"),
        (forms.PASSWORD_CHANGE.fields["current"], "password", "current-password"),
        (forms.VERIFY.fields["code"], "text", "one-time-code"),
    ],
)
def test_password_managers_know_the_fields(field: Field, kind: str, autocomplete: str) -> None:
    assert (field.attributes["type"], field.attributes["autocomplete"]) == (kind, autocomplete)


def test_the_schema_says_what_is_taken() -> None:
    assert FORM.schema == {
        "type": "object",
        "properties": {
            "email": {"type": "string", "maxLength": 20, "minLength": 1, "format": "email"},
            "password": {"type": "string", "maxLength": 30, "minLength": 1, "format": "password"},
            "remember": {"type": "boolean", "default": False},
            "colour": {"type": "string", "enum": ["red", "blue"]},
            "scopes": {
                "type": "array",
                "items": {"type": "string", "enum": ["read", "write"]},
                "uniqueItems": True,
            },
            "credential": {"type": "object"},
        },
        "additionalProperties": False,
        "required": ["email", "password"],
    }
