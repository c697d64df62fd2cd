"""Mail of a small shop, over SMTP: from templates, with attachments, in bulk, in a thread; recorded; refused."""

from __future__ import annotations

import typing as t
from pathlib import Path
from smtplib import SMTPRecipientsRefused
from threading import Thread

from flask import Flask, copy_current_request_context, current_app, jsonify, render_template, request, url_for
from flask_mail import BadHeaderError, Mail, Message, email_dispatched

from serving import Letter, taking_mail

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-Mail"]

VARIES = [
    (r"={15}\d+==", "<boundary>"),
    (r"<[\d.]+@[\w.-]+>", "<id>"),
    (r"\w{3}, \d\d? \w{3} \d{4} [\d:]{8} [+-]\d{4}", "<date>"),
]

ORDER_HTML = """<p>Dear {{ name }}, your <a href="{{ url_for('order', number=number, _external=True) }}">order</a>.</p>"""
ORDER_TEXT = "Dear {{ name }}, your order {{ number }} is on its way: {{ url_for('order', number=number) }}"


def make_app(folder: Path) -> Flask:
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "templates" / "order.html").write_text(ORDER_HTML, encoding="utf-8")
    (folder / "templates" / "order.txt").write_text(ORDER_TEXT, encoding="utf-8")
    app = Flask(__name__, root_path=str(folder))
    app.config.update(MAIL_DEFAULT_SENDER=("Corner Shop", "shop@example.org"), MAIL_MAX_EMAILS=3)
    mail = Mail()
    app.extensions["scenario"] = mail

    @app.post("/orders/<int:number>")
    def order(number: int) -> t.Any:
        name, address = request.form["name"], request.form["address"]
        letter = Message(f"Your order {number}", recipients=[(name, address)], bcc=["books@example.org"])
        letter.body = render_template("order.txt", name=name, number=number)
        letter.html = render_template("order.html", name=name, number=number)
        letter.reply_to = "help@example.org"
        letter.extra_headers = {"X-Order": str(number)}
        mail.send(letter)
        return jsonify(link=url_for("order", number=number)), 201

    @app.post("/invoice")
    def invoice() -> t.Any:
        with current_app.open_resource("templates/order.txt") as file:
            attached = file.read()
        letter = Message(
            "Fällig",
            recipients=["ada@example.org"],
            body="Grüße",
            sender="money@example.org",
            cc=["law@example.org"],
        )
        letter.attach("Rechnung für Ada.txt", "text/plain", attached)
        for upload in request.files.getlist("paper"):
            letter.attach(upload.filename, upload.mimetype, upload.read(), headers={"X-Size": "small"})
        mail.send(letter)
        return f"{len(letter.attachments)} papers"

    @app.post("/news")
    def news() -> t.Any:
        with mail.connect() as connection:
            for address in request.form.getlist("to"):
                connection.send(Message("News", body=f"Dear {address}", recipients=[address]))
        return "", 204

    @app.post("/later")
    def later() -> t.Any:
        letter = Message("Later", recipients=["ada@example.org"], body="From a thread.")
        app = current_app._get_current_object()

        def send_with_app() -> None:
            with app.app_context():
                mail.send(letter)

        @copy_current_request_context
        def send_with_request() -> None:
            mail.send_message("Of the request", recipients=["ada@example.org"], body=request.url)

        for function in (send_with_app, send_with_request):
            thread = Thread(target=function)
            thread.start()
            thread.join()
        return "", 202

    @app.errorhandler(BadHeaderError)
    def injected(error: BadHeaderError) -> t.Any:
        return "one line, please", 400

    @app.errorhandler(SMTPRecipientsRefused)
    def refused(error: SMTPRecipientsRefused) -> t.Any:
        return jsonify({address: code for address, (code, _) in error.recipients.items()}), 422

    @app.post("/subject")
    def subject() -> t.Any:
        mail.send_message(
            request.form["subject"], recipients=[request.form.get("to", "ada@example.org")], body="!"
        )
        return "sent"

    @app.cli.command("remind")
    def remind() -> None:
        """Send a reminder, in the context of the command."""
        with mail.record_messages() as outbox:
            mail.send_message("Do not forget", recipients=["ada@example.org"], body="the milk")
        print(outbox[0].subject, "to", *outbox[0].recipients)

    return app


def play(visitor: Visitor) -> None:
    app = visitor.app
    mail = app.extensions["scenario"]
    dispatched: list[str] = []

    def remember(sender: Flask, message: Message) -> None:
        dispatched.append(f"{sender.name}: {message.subject}")

    def note(letter: Letter) -> Letter:
        parts = [
            [
                part.get_content_type(),
                part.get_filename(),
                None if part.is_multipart() else part.get_payload(),
            ]
            for part in letter.message.walk()
        ]
        headers = sorted(letter.message.items())
        visitor.note("letter", [letter.sender, sorted(letter.recipients), headers, parts])
        return letter

    with taking_mail() as mailbox, email_dispatched.connected_to(remember):
        app.config.update(MAIL_SERVER=mailbox.host, MAIL_PORT=mailbox.port)
        mail.init_app(app)

        ordered = visitor.post("/orders/7", data={"name": "Ada Müller", "address": "ada@example.org"})
        assert (ordered.status_code, ordered.json) == (201, {"link": "/orders/7"})
        letter = note(mailbox.letters.pop())
        assert letter.sender == "shop@example.org"
        assert sorted(letter.recipients) == ["ada@example.org", "books@example.org"]
        assert "books" not in letter.message.as_string()
        text, html = letter.message.get_payload()[0].get_payload()
        assert "is on its way: /orders/7" in text.get_payload(decode=True).decode()
        assert 'href="http://localhost/orders/7"' in html.get_payload(decode=True).decode()

        paper = (visitor.folder / "paper.bin", b"\x00\x01\xff")
        paper[0].write_bytes(paper[1])
        with paper[0].open("rb") as file:
            assert visitor.post("/invoice", data={"paper": (file, "paper.bin")}).text == "2 papers"
        letter = note(mailbox.letters.pop())
        assert letter.message["Cc"] == "law@example.org"
        assert [part.get_filename() for part in letter.message.walk()][2:] == [
            "Rechnung für Ada.txt",
            "paper.bin",
        ]
        assert letter.message.get_payload()[2].get_payload(decode=True) == paper[1]

        # One connection takes three letters, as configured.
        before = mailbox.connections
        assert (
            visitor.post("/news", data={"to": [f"{name}@example.org" for name in "abcde"]}).status_code == 204
        )
        assert mailbox.connections == before + 2
        assert [letter.recipients for letter in mailbox.letters] == [
            [f"{name}@example.org"] for name in "abcde"
        ]
        mailbox.letters.clear()

        assert visitor.post("/later", base_url="https://shop.example.org").status_code == 202
        for letter in mailbox.letters:
            note(letter)
        assert mailbox.letters[1].message.get_payload().strip() == "https://shop.example.org/later"
        mailbox.letters.clear()

        injected = visitor.post("/subject", data={"subject": "Hello\nBcc: everybody@example.org"})
        assert (injected.status_code, injected.text) == (400, "one line, please")
        assert visitor.post("/subject", data={"subject": "Hello", "to": "unknown@example.org"}).json == {
            "unknown@example.org": 550
        }
        assert mailbox.letters == []

        assert visitor.run("remind") == "Do not forget to ada@example.org\n"
        assert mailbox.letters.pop().message["Subject"] == "Do not forget"

    # Nothing is sent in tests, and still recorded; the server is gone.
    app.config["MAIL_SUPPRESS_SEND"] = True
    mail.init_app(app)
    with mail.record_messages() as outbox:
        assert visitor.post("/subject", data={"subject": "Into the void"}).text == "sent"
    assert [message.subject for message in outbox] == ["Into the void"]
    visitor.note("dispatched", dispatched)
