"""Mail through exchangeable backends: an outbox for tests, files, SMTP and one of the application's own."""

from __future__ import annotations

import typing as t
from email import message_from_bytes
from pathlib import Path
from threading import Thread

from flask import Flask, current_app, flash, get_flashed_messages, jsonify, render_template_string, request
from flask_mailman import BadHeaderError, EmailMessage, EmailMultiAlternatives, Mail
from flask_mailman.backends.base import BaseEmailBackend

from serving import taking_mail

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-Mailman"]

# The boundary between the parts of a letter.
VARIES = [(r"={15}\d+==", "<boundary>")]

# Else they have the moment and this computer's name.
STEADY = {"Date": "Thu, 29 Feb 2024 12:30:00 -0000", "Message-ID": "<1@example.org>"}


class Gateway(BaseEmailBackend):
    """A backend as an application writes one, for a service with an interface of its own."""

    def send_messages(self, messages: t.Sequence[EmailMessage]) -> int:
        for message in messages:
            current_app.extensions["gateway"].append(
                [message.subject, message.recipients(), message.from_email]
            )
        return len(messages)


def make_app(folder: Path, **config: t.Any) -> Flask:
    app = Flask(__name__)
    app.testing = True
    app.secret_key = "only for this scenario"
    app.config.update(
        MAIL_DEFAULT_SENDER=("Club", "club@example.org"), MAIL_FILE_PATH=str(folder / "mail"), **config
    )
    mail = Mail(app)
    app.extensions["gateway"] = []

    @app.post("/welcome")
    def welcome() -> t.Any:
        name = request.form["name"]
        message = EmailMultiAlternatives(
            f"Welcome, {name}",
            render_template_string("Hello {{ name }}, from {{ request.host }}", name=name),
            to=[request.form["address"]],
            bcc=["archive@example.org"],
            reply_to=["office@example.org"],
            headers=STEADY | {"X-Club": "yes"},
        )
        message.attach_alternative(
            render_template_string("<b>Hello {{ name }}</b>", name=f"<{name}>"), "text/html"
        )
        message.attach("rules.csv", "rule,text\n1,be kind\n", "text/csv")
        message.attach("badge.png", b"\x89PNG", "image/png")
        flash(f"{message.send()} sent")
        return jsonify(get_flashed_messages())

    @app.post("/simple")
    def simple() -> t.Any:
        return str(
            mail.send_mail(
                request.form["subject"],
                "A plain text",
                None,
                request.form.getlist("to"),
                html_message="<p>A plain text</p>" if "html" in request.form else None,
            )
        )

    @app.post("/mass")
    def mass() -> t.Any:
        data = [(f"Number {number}", "text", None, [f"{number}@example.org"]) for number in range(3)]
        return str(mail.send_mass_mail(data))

    @app.post("/connection")
    def one_connection() -> t.Any:
        with mail.get_connection(backend=request.form.get("backend")) as connection:
            sent = [
                EmailMessage(
                    f"Copy {number}", "text", to=["ada@example.org"], connection=connection, headers=STEADY
                ).send()
                for number in range(2)
            ]
        return jsonify(sent)

    @app.post("/thread")
    def thread() -> t.Any:
        app = current_app._get_current_object()
        message = EmailMessage("From a thread", "text", to=["ada@example.org"], headers=STEADY)
        errors: list[str] = []

        def send(context: bool) -> None:
            try:
                if context:
                    with app.app_context():
                        message.send()
                else:
                    EmailMessage("Without a context")
            except RuntimeError as error:
                errors.append(str(error).split(".")[0])

        for context in (True, False):
            worker = Thread(target=send, args=(context,))
            worker.start()
            worker.join()
        return jsonify(errors)

    @app.errorhandler(BadHeaderError)
    def injected(error: BadHeaderError) -> t.Any:
        return jsonify(error=str(error)), 400

    @app.errorhandler(RuntimeError)
    def failed(error: RuntimeError) -> t.Any:
        return jsonify(error=str(error)), 500

    return app


def note(visitor: Visitor, text: bytes) -> t.Any:
    message = message_from_bytes(text)
    parts = [
        [part.get_content_type(), part.get_filename(), None if part.is_multipart() else part.get_payload()]
        for part in message.walk()
    ]
    visitor.note("letter", [sorted(message.items()), parts])
    return message


def play(visitor: Visitor) -> None:
    outbox = visitor.app.extensions["mailman"]
    assert outbox.backend == "locmem"
    with visitor.app.app_context():
        assert visitor.post("/welcome", data={"name": "Ada", "address": "ada@example.org"}).json == ["1 sent"]
        sent = outbox.outbox.pop()
        assert sent.recipients() == ["ada@example.org", "archive@example.org"]
        letter = note(visitor, sent.message().as_bytes())
        assert letter["From"] == "Club <club@example.org>"
        assert letter.get_payload(1).get_filename() == "rules.csv"
        alternatives = letter.get_payload(0).get_payload()
        assert [part.get_payload() for part in alternatives] == [
            "Hello Ada, from localhost",
            "<b>Hello &lt;Ada&gt;</b>",
        ]

    assert (
        visitor.post("/simple", data={"subject": "Plain", "to": ["a@example.org", "b@example.org"]}).text
        == "1"
    )
    assert visitor.post("/simple", data={"subject": "Both", "to": "a@example.org", "html": "on"}).text == "1"
    # Nobody to send to.
    assert visitor.post("/simple", data={"subject": "Nobody"}).text == "0"
    assert visitor.post("/mass").text == "3"
    assert visitor.post("/connection").json == [1, 1]
    assert visitor.post("/thread").json == ["Working outside of application context"]
    visitor.note("outbox", [[message.subject, message.recipients()] for message in outbox.outbox])
    assert len(outbox.outbox) == 8
    injected = visitor.post("/simple", data={"subject": "Two\nlines", "to": "a@example.org"})
    assert injected.status_code == 400
    assert "newlines" in injected.json["error"]
    unknown = visitor.post("/connection", data={"backend": "pigeon"})
    assert "console, dummy, file, smtp, locmem" in unknown.json["error"]

    def another(**config: t.Any) -> Visitor:
        app = make_app(visitor.folder, **config)
        return type(visitor)(app, visitor.protocol, visitor.folder, visitor.transcript, VARIES)

    filed = another(MAIL_BACKEND="file")
    assert filed.post("/connection").json == [1, 1]
    (file,) = (visitor.folder / "mail").iterdir()
    assert note(visitor, file.read_bytes().split(b"-" * 79)[1].lstrip())["Subject"] == "Copy 1"

    own = another(MAIL_BACKEND=Gateway)
    assert own.post("/simple", data={"subject": "By the gateway", "to": "a@example.org"}).text == "1"
    assert own.post("/mass").text == "3"
    visitor.note("gateway", own.app.extensions["gateway"])
    assert own.app.extensions["gateway"][0] == [
        "By the gateway",
        ["a@example.org"],
        "Club <club@example.org>",
    ]

    with taking_mail() as mailbox:
        real = another(MAIL_BACKEND="smtp", MAIL_SERVER=mailbox.host, MAIL_PORT=mailbox.port)
        assert real.post("/connection").json == [1, 1]
        assert mailbox.connections == 1
        assert real.post("/welcome", data={"name": "Grace", "address": "grace@example.org"}).json == [
            "1 sent"
        ]
        assert sorted(mailbox.letters[-1].recipients) == ["archive@example.org", "grace@example.org"]
        assert "archive" not in note(visitor, mailbox.letters[-1].message.as_bytes()).as_string()
