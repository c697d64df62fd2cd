"""A form with files, lists and translated errors; tokens in fields and headers, missing, old, foreign; exemptions."""

from __future__ import annotations

import io
import re
import typing as t
from pathlib import Path

from flask import Blueprint, Flask, jsonify, redirect, render_template_string, request, session, url_for
from flask_babel import Babel
from flask_wtf import FlaskForm
from flask_wtf.csrf import CSRFError, CSRFProtect
from flask_wtf.file import FileAllowed, FileField, FileRequired, FileSize, MultipleFileField
from itsdangerous import TimestampSigner, URLSafeTimedSerializer
from wtforms import (
    BooleanField,
    EmailField,
    FieldList,
    Form,
    FormField,
    IntegerField,
    SelectField,
    StringField,
    ValidationError,
)
from wtforms.validators import DataRequired, Email, Length, NumberRange, Optional

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-WTF", "email-validator", "Flask-Babel"]

SECRET_KEY = "only for this scenario"


class StayForm(Form):
    city = StringField(validators=[DataRequired()])
    nights = IntegerField(validators=[NumberRange(min=1, max=30)])


class RefundForm(FlaskForm):
    """What a traveller hands in to be paid back."""

    name = StringField("Your name", validators=[DataRequired(), Length(max=12)])
    email = EmailField("Your address", validators=[DataRequired(), Email()])
    currency = SelectField(choices=[("eur", "Euro"), ("chf", "Franc")], default="eur")
    urgent = BooleanField()
    stays = FieldList(FormField(StayForm), min_entries=1, max_entries=2)
    receipt = FileField(validators=[FileRequired(), FileAllowed(["pdf", "png"]), FileSize(max_size=200)])
    photos = MultipleFileField(validators=[Optional(), FileAllowed(["png"], "Photos are PNG files.")])

    def validate_name(self, field: StringField) -> None:
        if field.data == "admin":
            raise ValidationError("Not by this name.")


class NoteForm(FlaskForm):
    text = StringField(validators=[DataRequired()])


PAGE = """<!doctype html>
<html lang="{{ language }}"><head>{{ csrf_meta_tag() }}</head>
<form method="post" enctype="multipart/form-data">
{{ form.hidden_tag() }}
{% for field in form if field.widget.input_type != "hidden" %}
<div>{{ field.label }} {{ field }}{% for error in field.errors %} <em>{{ error }}</em>{% endfor %}</div>
{%- endfor %}
</form>"""


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.config["SECRET_KEY"] = SECRET_KEY
    Babel(app, locale_selector=lambda: request.accept_languages.best_match(["en", "de"]))
    csrf = CSRFProtect(app)

    @app.errorhandler(CSRFError)
    def refused(error: CSRFError) -> t.Any:
        return jsonify(refused=error.description, endpoint=request.endpoint), error.code

    @app.route("/refunds", methods=["GET", "POST"])
    def refunds() -> t.Any:
        form = RefundForm()
        if form.validate_on_submit():
            receipt = form.receipt.data
            receipt.save(folder / "receipt")
            session["handed in"] = {
                "by": f"{form.name.data} <{form.email.data}>",
                "currency": form.currency.data,
                "urgent": form.urgent.data,
                "stays": form.stays.data,
                "receipt": [receipt.filename, receipt.mimetype, (folder / "receipt").read_text()],
                "photos": [(photo.filename, len(photo.read())) for photo in form.photos.data or []],
            }
            return redirect(url_for("handed_in"))
        language = request.accept_languages.best_match(["en", "de"], "en")
        # 422 only for what was sent: a page that is asked for has no errors yet.
        status = 422 if form.is_submitted() else 200
        return render_template_string(PAGE, form=form, language=language), status

    @app.get("/handed-in")
    def handed_in() -> t.Any:
        return session.get("handed in", {})

    @app.route("/notes/<int:id>", methods=["PUT", "PATCH", "DELETE"])
    def note(id: int) -> t.Any:
        form = NoteForm(meta={"csrf": False})
        if request.method == "DELETE":
            return "", 204
        if form.validate_on_submit():
            return {"id": id, "text": form.text.data}
        return form.errors, 422

    @app.post("/payments/notify")
    @csrf.exempt
    def notify() -> str:
        return "Noted"

    api = Blueprint("api", __name__, url_prefix="/api")
    csrf.exempt(api)

    @api.post("/refunds")
    def count() -> t.Any:
        # The blueprint has no tokens in general; this view wants one when there is a session.
        if session:
            csrf.protect()
        return {"names": sorted(request.json)}

    app.register_blueprint(api)
    return app


def token_of(page: str) -> str:
    """Return the token that the page's form carries."""
    found = re.search(r'name="csrf_token" type="hidden" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def token_of_yesterday(visitor: Visitor) -> str:
    """Sign the visitor's token as of a day ago."""

    class Yesterday(TimestampSigner):
        def get_timestamp(self) -> int:
            return super().get_timestamp() - 24 * 60 * 60

    with visitor.client.session_transaction() as session:
        return URLSafeTimedSerializer(SECRET_KEY, salt="wtf-csrf-token", signer=Yesterday).dumps(
            session["csrf_token"]
        )


def file(name: str, content: bytes = b"content") -> tuple[io.BytesIO, str]:
    return io.BytesIO(content), name


def play(visitor: Visitor) -> None:
    good = {"name": "Ada", "email": "ada@example.org", "stays-0-city": "Basel", "stays-0-nights": "2"}
    missing = visitor.post("/refunds", data=good)
    assert missing.status_code == 400
    assert missing.json == {"refused": "The CSRF token is missing.", "endpoint": "refunds"}

    page = visitor.get("/refunds")
    assert '<input id="stays-0-city"' in page.text
    assert page.text.count(token_of(page.text)) == 2  # in the form and in the page's head
    token = good["csrf_token"] = token_of(page.text)

    empty = visitor.post("/refunds", data={"csrf_token": token})
    assert empty.status_code == 422
    # Name, address, the city and the receipt, in the form's own way of showing a list of forms.
    assert empty.text.count("This field is required.") == 4
    wrong = visitor.post(
        "/refunds",
        data={
            **good,
            "name": "Ada, Countess of Lovelace",
            "email": "ada at example",
            "currency": "guilder",
            "stays-0-nights": "many",
            "receipt": file("receipt.exe"),
            "photos": [file("one.png"), file("two.gif")],
        },
        headers={"Accept-Language": "de"},
    )
    assert wrong.status_code == 422
    assert "Feld kann nicht länger als 12 Zeichen sein." in wrong.text
    assert "Ungültige E-Mail-Adresse." in wrong.text
    assert (
        "Not a valid integer value." in wrong.text
    )  # the list's forms are WTForms' own, without translations
    assert "File does not have an approved extension: pdf, png" in wrong.text
    assert "Photos are PNG files." in wrong.text
    large = visitor.post("/refunds", data={**good, "name": "admin", "receipt": file("a.pdf", b"x" * 201)})
    assert "Not by this name." in large.text
    assert "File must be between 0 and 200 bytes." in large.text

    assert visitor.get("/handed-in").json == {}
    sent = visitor.post(
        "/refunds",
        data={
            **good,
            "currency": "chf",
            "urgent": "on",
            "stays-1-city": "Zürich",
            "stays-1-nights": "1",
            "receipt": file("receipt.PDF", b"120 francs"),
            "photos": [file("one.png", b"1"), file("two.png", b"22")],
        },
    )
    assert sent.location == "/handed-in"
    assert visitor.get("/handed-in").json == {
        "by": "Ada <ada@example.org>",
        "currency": "chf",
        "urgent": True,
        "stays": [{"city": "Basel", "nights": 2}, {"city": "Zürich", "nights": 1}],
        "receipt": ["receipt.PDF", "application/pdf", "120 francs"],
        "photos": [["one.png", 1], ["two.png", 2]],
    }

    # What a script on the page sends: the token in a header, JSON as the form.
    assert visitor.put("/notes/3", json={"text": "Hello"}).json["refused"] == "The CSRF token is missing."
    assert visitor.put("/notes/3", json={"text": "Hello"}, headers={"X-CSRFToken": token}).json["id"] == 3
    assert visitor.patch("/notes/3", json={}, headers={"X-CSRF-Token": token}).json == {
        "text": ["This field is required."]
    }
    assert visitor.delete("/notes/3", headers={"X-CSRFToken": token}).status_code == 204
    assert (
        visitor.delete("/notes/3", headers={"X-CSRFToken": token + "x"})
        .json["refused"]
        .endswith("is invalid.")
    )
    old = visitor.delete("/notes/3", headers={"X-CSRFToken": token_of_yesterday(visitor)})
    assert old.json["refused"] == "The CSRF token has expired."

    # Over TLS the page that sends has to be one of this host.
    secure = {"base_url": "https://localhost"}
    named = {"X-CSRFToken": token}
    refused = visitor.delete("/notes/3", headers=named, **secure)
    assert refused.json["refused"] == "The referrer header is missing."
    elsewhere = {**named, "Referer": "https://example.com/"}
    assert (
        visitor.delete("/notes/3", headers=elsewhere, **secure)
        .json["refused"]
        .endswith("not match the host.")
    )
    here = {**named, "Referer": "https://localhost/refunds"}
    assert visitor.delete("/notes/3", headers=here, **secure).status_code == 204

    another = visitor.another()
    assert another.delete("/notes/3", headers=named).json["refused"] == "The CSRF session token is missing."
    another.get("/refunds")
    assert another.delete("/notes/3", headers=named).json["refused"] == "The CSRF tokens do not match."
    assert another.post("/payments/notify").text == "Noted"
    assert another.post("/api/refunds", json={"a": 1}).status_code == 400
    assert visitor.another().post("/api/refunds", json={"a": 1}).json == {"names": ["a"]}
    assert another.post("/nowhere").status_code == 404
