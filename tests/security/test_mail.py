"""Mails: what SMTP carries, which servers are trusted, where links lead, what the templates say."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import datetime
import io
import logging
import re
import socketserver
import ssl
import threading
import typing as t
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jinja2 import FileSystemLoader

from account_site import app_with_pages as site
from account_site import kit_for
from erlen import Erlen, has_request_context, request
from erlen.ext.security.errors import ConfigurationError
from erlen.ext.security.kit import Kit
from erlen.ext.security.mail import (
    ConsoleMailer,
    Courier,
    Links,
    Mail,
    NoMailer,
    Outbox,
    Postman,
    SMTPMailer,
    mailer_of,
    postman_of,
)
from erlen.ext.security.mail.messages import NOTICES, SUBJECTS
from erlen.ext.security.settings import Settings
from erlen.ext.security.types import User
from memory_store import MemoryStore

Clock: t.TypeAlias = cabc.Callable[[], datetime.datetime]


def kit_of(settings: Settings, store: t.Any, clock: Clock) -> Kit:
    return kit_for(None, settings, store, clock)


def add_user(store: t.Any, email: str = "ada@example.com") -> User:
    user: User = store.add_user(email=email, email_key=email)
    return user


def mail(**values: str) -> Mail:
    given = {
        "to": "jane@example.com",
        "subject": "Hello",
        "text": "Hello Jane\n",
        "html": "<p>Hello Jane",
        "sender": "Shop <shop@example.com>",
    }
    return Mail(**{**given, **values})


# A mail server: small, but a real one


class Conversation(socketserver.StreamRequestHandler):
    """One connection to the server."""

    def handle(self) -> None:
        server = t.cast("MailServer", self.server)
        if server.implicit:
            self.encrypt()
        self.say("220 mail.test ESMTP")
        while line := self.rfile.readline():
            text = line.decode("utf-8").strip()
            server.commands.append((text, isinstance(self.connection, ssl.SSLSocket)))
            verb = text.split(" ")[0].upper()
            if verb == "STARTTLS":
                self.say("220 go ahead")
                self.encrypt()
            elif verb == "DATA":
                self.say("354 go ahead")
                data = b""
                while not data.endswith(b"\r\n.\r\n"):
                    data += self.rfile.readline()
                server.received.append(data.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n."))
                self.say("250 ok")
            elif verb == "QUIT":
                self.say("221 bye")
                return
            else:
                self.say(server.answers.get(verb, "250 ok"))

    def finish(self) -> None:
        # The one of TLS is another socket than the one that the server closes.
        with contextlib.suppress(OSError):
            super().finish()
        self.connection.close()

    def say(self, text: str) -> None:
        self.wfile.write(text.replace("\n", "\r\n").encode() + b"\r\n")
        self.wfile.flush()

    def encrypt(self) -> None:
        server = t.cast("MailServer", self.server)
        self.connection = server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")


class MailServer(socketserver.ThreadingTCPServer):
    """Keeps what it is sent."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, tls: ssl.SSLContext, *, implicit: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), Conversation)
        self.tls, self.implicit = tls, implicit
        self.commands: list[tuple[str, bool]] = []
        self.received: list[bytes] = []
        self.answers = {
            "EHLO": "250-mail.test\n250-SMTPUTF8\n250-8BITMIME\n250-AUTH PLAIN\n250 STARTTLS",
            "AUTH": "235 welcome",
        }

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Say nothing of connections that the client gives up."""

    def messages(self) -> list[EmailMessage]:
        return [message_from_bytes(one, policy=policy.SMTP) for one in self.received]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for ``localhost``, which nobody trusts who was not told to."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("certificate")
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder


def served(certificate: Path, *, implicit: bool = False) -> t.Iterator[MailServer]:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with MailServer(tls, implicit=implicit) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def server(certificate: Path) -> t.Iterator[MailServer]:
    yield from served(certificate)


@pytest.fixture
def tls_server(certificate: Path) -> t.Iterator[MailServer]:
    yield from served(certificate, implicit=True)


@pytest.fixture
def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate / "cert.pem"))


def test_a_mail_arrives_encrypted_with_text_and_html(server: MailServer, trusting: ssl.SSLContext) -> None:
    mailer = SMTPMailer(
        host="localhost", port=server.port, user="shop", password="hush", context=trusting, timeout=5
    )
    mailer.send(mail(subject="Grüße", text="Grüße\n.\n..two\n", html="<p>Grüße"))
    (message,) = server.messages()
    assert message["From"] == "Shop <shop@example.com>"
    assert message["To"] == "jane@example.com"
    assert message["Subject"] == "Grüße"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"].endswith("@example.com>")
    assert message["Date"] is not None
    assert message.get_content_type() == "multipart/alternative"
    text, html = t.cast("list[EmailMessage]", message.get_payload())
    assert (text.get_content_type(), text.get_content().splitlines()) == (
        "text/plain",
        ["Grüße", ".", "..two"],
    )
    assert (html.get_content_type(), html.get_content().strip()) == ("text/html", "<p>Grüße")
    # Nothing but the greeting was readable on the way.
    plain = [command.split(" ")[0].upper() for command, encrypted in server.commands if not encrypted]
    assert plain == ["EHLO", "STARTTLS"]
    assert "AUTH" in [command.split(" ")[0] for command, encrypted in server.commands if encrypted]


def test_tls_may_begin_with_the_connection(tls_server: MailServer, trusting: ssl.SSLContext) -> None:
    SMTPMailer(host="localhost", port=tls_server.port, implicit_tls=True, context=trusting, timeout=5).send(
        mail()
    )
    assert len(tls_server.received) == 1
    assert all(encrypted for _, encrypted in tls_server.commands)


def test_a_server_without_starttls_gets_no_mail(server: MailServer, trusting: ssl.SSLContext) -> None:
    """Whoever sits in between may have taken the offer away (RFC 3207, section 6)."""
    server.answers["EHLO"] = "250 mail.test"
    with pytest.raises(OSError, match="STARTTLS extension not supported"):
        SMTPMailer(host="localhost", port=server.port, user="shop", password="hush", context=trusting).send(
            mail()
        )
    assert server.received == []
    assert not any(command.startswith(("MAIL", "AUTH")) for command, _ in server.commands)


def test_a_server_whose_certificate_nobody_vouches_for_gets_no_mail(server: MailServer) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        SMTPMailer(host="localhost", port=server.port, user="shop", password="hush").send(mail())
    assert server.received == []


def test_a_certificate_of_another_host_is_none(server: MailServer, trusting: ssl.SSLContext) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        SMTPMailer(host="127.0.0.1", port=server.port, context=trusting).send(mail())
    assert server.received == []


def test_a_server_that_does_not_answer_is_given_up(trusting: ssl.SSLContext) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as silent:
        port = int(silent.server_address[1])
        with pytest.raises(OSError, match="timed out"):
            SMTPMailer(host="localhost", port=port, timeout=0.05, context=trusting).send(mail())


def test_addresses_beyond_ascii_arrive(server: MailServer, trusting: ssl.SSLContext) -> None:
    mailer = SMTPMailer(host="localhost", port=server.port, context=trusting, timeout=5)
    mailer.send(mail(to="jane@bücher.example"))
    mailer.send(mail(to="jörg@example.com"))
    recipients = [command for command, _ in server.commands if command.upper().startswith("RCPT")]
    # The case of the command differs between versions of Python.
    assert recipients[0].lower().startswith("rcpt to:<jane@xn--bcher-kva.example>")
    assert recipients[1].lower().startswith("rcpt to:<jörg@example.com>")


def test_a_server_on_this_machine_may_do_without_tls(server: MailServer) -> None:
    mailer = mailer_of(f"smtp://localhost:{server.port}?tls=no", debug=False)
    mailer.send(mail())
    assert len(server.received) == 1
    with pytest.raises(ConfigurationError, match=r"'mail\.example\.com' were to be sent without TLS"):
        mailer_of("smtp://mail.example.com:25?tls=no", debug=False)


# Headers


@pytest.mark.parametrize("name", ["to", "subject", "sender"])
@pytest.mark.parametrize(
    "text", ["\n", "\r", "\r\nBcc: mallory@example.com", "\0", "\x0b", "\x85", "\u2028", "\ud800"]
)
def test_no_header_can_be_injected(name: str, text: str) -> None:
    """A line break in an address or a subject would begin another header."""
    with pytest.raises(ValueError, match=f"The {name} of a mail is "):
        mail(**{name: f"jane@example.com{text}"})


@pytest.mark.parametrize(
    "to",
    [
        "",
        "jane",
        "jane@",
        "@example.com",
        "jane@example.com, mallory@example.com",
        "jane@example.com;mallory@example.com",
        "jane@example.com mallory@example.com",
        "jane@example.com <mallory@example.com>, x",
        "friends: jane@example.com;",
        "jane@example.com(mallory@example.com)",
        '"jane@example.com"@example.org',
    ],
)
def test_a_mail_has_one_recipient(to: str) -> None:
    with pytest.raises(ValueError, match="is not one address of e-mail"):
        mail(to=to)


# Which mailer


def test_a_url_names_server_and_user() -> None:
    mailer = mailer_of("smtp://shop%40example.com:p%2Fw%3A@mail.example.com", debug=False)
    assert mailer == SMTPMailer(host="mail.example.com", user="shop@example.com", password="p/w:")
    assert "p/w" not in repr(mailer)
    assert mailer_of("smtps://mail.example.com", debug=False) == SMTPMailer(
        host="mail.example.com", port=465, implicit_tls=True
    )
    assert mailer_of("smtp://mail.example.com:2525/", debug=False) == SMTPMailer(
        host="mail.example.com", port=2525
    )


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com",
        "http://shop:hush@mail.example.com",
        "smtp://",
        "smtp://shop:hush@mail.example.com:port",
        "smtp://shop:hush@mail.example.com/path",
        "smtp://shop:hush@mail.example.com?tls=off",
        "smtp://shop:hush@[mail.example.com",
    ],
)
def test_another_url_is_refused_without_showing_the_password(url: str) -> None:
    with pytest.raises(
        ConfigurationError, match="SECURITY_MAIL_URL .* It has to be 'smtp://user:password@host:587'"
    ) as e:
        mailer_of(url, debug=True)
    assert "hush" not in str(e.value)


def test_without_a_url_mails_are_printed_in_debug_mode_alone() -> None:
    assert isinstance(mailer_of("", debug=True), ConsoleMailer)
    assert isinstance(mailer_of("", debug=False), NoMailer)


def test_printing_mails_outside_of_debug_mode_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    mailer = mailer_of("console:", debug=False)
    assert isinstance(mailer, ConsoleMailer)
    # A command that sends none is not disturbed.
    assert caplog.text == ""
    mailer.send(mail())
    mailer.send(mail())
    assert caplog.text.count("reads the links that reset passwords") == 1
    caplog.clear()
    mailer_of("console:", debug=True).send(mail())
    assert caplog.text == ""


def test_a_mail_is_readable_on_any_terminal() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    ConsoleMailer(stream).send(mail(subject="Grüße", text="https://example.com/x\n"))
    shown = raw.getvalue().decode()
    assert "To:      jane@example.com\n" in shown
    assert "Subject: Gr\\xfc\\xdfe\n" in shown
    assert "\nhttps://example.com/x\n" in shown


# Links


def test_a_forged_host_does_not_get_into_a_mail(settings: Settings) -> None:
    """The Host header of who asks for a recovery would lead its owner, and the token, elsewhere."""
    app = site()
    links = Links(app, settings)
    with app.test_request_context(base_url="http://evil.test"):
        assert links("security.reset", {"token": "t"}) == "https://example.test/account/reset?token=t"


def test_without_a_site_url_no_link_is_built_of_a_request() -> None:
    """The same where the setting was forgotten: an error says what to set, rather than a link that goes anywhere."""
    app = site()
    links = Links(app, Settings())
    with (
        app.test_request_context(base_url="http://evil.test"),
        pytest.raises(ConfigurationError, match=r'Set SECURITY_SITE_URL = "https://example\.com"'),
    ):
        links("security.reset", {})


@pytest.mark.parametrize("mode", ["TESTING", "DEBUG"])
def test_in_development_the_request_says_where_the_site_is(mode: str) -> None:
    app = site(**t.cast("t.Any", {mode: True}))
    links = Links(app, Settings())
    with app.test_request_context("/x", base_url="http://localhost:5000/app"):
        assert links("security.login", {}) == "http://localhost:5000/app/account/login"
    assert links("security.login", {}) == "http://localhost:5000/account/login"


def test_a_site_may_be_below_a_path(settings: Settings) -> None:
    links = Links(site(), Settings(site_url="https://example.com:8443/shop/"))
    assert links("security.login", {}) == "https://example.com:8443/shop/account/login"


@pytest.mark.parametrize(
    "url",
    [
        "example.com",
        "ftp://example.com",
        "https://",
        "https://u@example.com",
        "https://example.com?x=1",
        "https://a:b",
        "https://[a",
    ],
)
def test_a_site_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="It has to be scheme and host"):
        Links(site(), Settings(site_url=url))


# Templates


class Shown(HTMLParser):
    """The text and the links of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.links, self.tags = "", list[str](), list[str]()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def kit(settings: Settings, store: MemoryStore, clock: Clock) -> Kit:
    return kit_of(settings, store, clock)


VALUES: dict[str, t.Any] = {
    "new": "new@example.com",
    "factor": "a passkey",
    "at": datetime.datetime(2030, 1, 2, 3, 4, tzinfo=datetime.UTC),
    "until": datetime.datetime(2030, 1, 3, 3, 4, tzinfo=datetime.UTC),
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_every_mail_says_the_same_in_text_and_html(name: str, kit: Kit) -> None:
    outbox = Outbox()
    endpoint = "" if name == "deleted" else "security.reset"
    postman_of(site(), kit, outbox).send(name, "jane@example.com", endpoint=endpoint, token="t0ken", **VALUES)
    (sent,) = outbox.mails
    assert "shop" in sent.subject
    shown = Shown(sent.html)
    words = re.sub(r"\s+", " ", shown.text)
    link = "https://example.test/account/reset?token=t0ken"
    assert shown.links == ([link, link] if endpoint else [])
    assert (link in sent.text.splitlines()) == bool(endpoint)
    for paragraph in sent.text.split("\n\n"):
        if paragraph.strip() and not paragraph.startswith("-- "):
            assert " ".join(paragraph.split()) in words
    assert "%(" not in sent.text + sent.html
    assert not {"script", "img", "link", "iframe"} & set(shown.tags)
    assert max(map(len, sent.text.splitlines())) <= 76


def test_values_are_escaped_in_html_and_left_as_they_are_in_text(kit: Kit) -> None:
    outbox = Outbox()
    postman = postman_of(site(), kit, outbox)
    values = {**VALUES, "new": "<b>&@example.com"}
    postman.send("email_changed", "jane@example.com", endpoint="security.object_email", **values)
    assert "<b>" not in outbox.mails[0].html
    assert "&lt;b&gt;&amp;@example.com" in outbox.mails[0].html
    assert "<b>&@example.com" in outbox.mails[0].text


def test_an_application_puts_its_own_template_in_place(tmp_path: Path, kit: Kit) -> None:
    (tmp_path / "security/mail").mkdir(parents=True)
    (tmp_path / "security/mail/recover.txt").write_text("Our own: {{ link }}")
    app, outbox = site(), Outbox()
    app.jinja_loader = FileSystemLoader(tmp_path)
    postman_of(app, kit, outbox).send("recover", "jane@example.com", endpoint="security.reset", **VALUES)
    assert outbox.mails[0].text == "Our own: https://example.test/account/reset\n"
    assert "Choose a new password" in outbox.mails[0].html


def test_every_sentence_can_be_translated(kit: Kit) -> None:
    """``gettext`` of one argument does, and that of Flask-Babel."""
    asked: list[str] = []

    def translate(text: str) -> str:
        asked.append(text)
        return {"Confirm address": "Adresse bestätigen", "en": "de"}.get(
            text, text.upper().replace("%(SITE)S", "%(site)s").replace("%(UNTIL)S", "%(until)s")
        )

    outbox = Outbox()
    postman_of(site(), kit, outbox, translate=translate).send(
        "activate", "jane@example.com", endpoint="security.activate", **VALUES
    )
    (sent,) = outbox.mails
    assert sent.subject == "CONFIRM YOUR ADDRESS FOR shop"
    assert ">Adresse bestätigen</a>" in sent.html
    assert '<html lang="de">' in sent.html
    text = re.sub(r"https?://\S+|shop|UTC|2030.*\.", "", sent.text)
    assert text == text.upper()
    assert asked


@pytest.mark.parametrize("newstyle", [True, False])
def test_what_templates_of_the_application_call_gettext_translates_mails(kit: Kit, newstyle: bool) -> None:
    """As Flask-Babel sets it up."""

    def gettext(text: str, **values: t.Any) -> str:
        text = text.replace("Your account at %(site)s was deleted", "Konto <bei> %(site)s gelöscht")
        return text % values if values else text

    app, outbox = site("A & B"), Outbox()
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(gettext, None, newstyle=newstyle)
    postman_of(app, kit, outbox).send("deleted", "jane@example.com", **VALUES)
    assert outbox.mails[0].subject == "Konto <bei> A & B gelöscht"
    assert "Konto <bei> A & B gelöscht" in outbox.mails[0].text
    assert "Konto &lt;bei&gt; A &amp; B gelöscht" in outbox.mails[0].html


def test_the_sender_is_that_of_the_settings(store: MemoryStore, clock: Clock) -> None:
    settings = Settings(
        site_url="https://example.test", mail_sender="Shop & Co <shop@example.com>", site_name="Shop & Co"
    )
    outbox = Outbox()
    postman_of(site(), kit_of(settings, store, clock), outbox).send("deleted", "jane@example.com", **VALUES)
    assert outbox.mails[0].sender == "Shop & Co <shop@example.com>"
    assert outbox.mails[0].subject == "Your account at Shop & Co was deleted"


def test_a_sender_that_is_none_is_refused(store: MemoryStore, clock: Clock) -> None:
    settings = Settings(mail_sender="a@example.com, b@example.com")
    with pytest.raises(ConfigurationError, match=r"SECURITY_MAIL_SENDER is 'a@example\.com, b@example\.com'"):
        postman_of(site(), kit_of(settings, store, clock), Outbox())


def test_what_is_missing_is_said_before_an_answer_promises_a_mail(store: MemoryStore, clock: Clock) -> None:
    def check(settings: Settings) -> None:
        postman_of(site(), kit_of(settings, store, clock)).check()

    with pytest.raises(ConfigurationError, match="SECURITY_MAIL_URL is not set"):
        check(Settings(site_url="https://example.test"))
    with pytest.raises(ConfigurationError, match="SECURITY_MAIL_SENDER is not set"):
        check(Settings(site_url="https://example.test", mail_url="smtp://localhost"))
    with pytest.raises(ConfigurationError, match="SECURITY_SITE_URL is not set"):
        check(Settings(mail_url="smtp://localhost", mail_sender="shop@example.com"))
    check(Settings(site_url="https://a.test", mail_url="smtp://localhost", mail_sender="shop@example.com"))


# Changes that users hear of


@pytest.mark.parametrize("event", NOTICES)
def test_users_hear_of_new_and_removed_factors_whoever_changed_them(
    event: str, clock: Clock, settings: Settings
) -> None:
    """ASVS 6.3.7: users are told of changes of how they authenticate."""
    app, outbox, store = site(), Outbox(), MemoryStore()
    kit = kit_for(app, settings, store, clock)
    postman = postman_of(app, kit, outbox)
    kit.events.tell(event, add_user(store), factor="totp")
    (sent,) = outbox.to("ada@example.com")
    assert sent.subject == SUBJECTS[NOTICES[event][0]] % {"site": "shop"}
    assert {
        "factor_added": "an authenticator application",
        "factor_removed": "an authenticator application",
        "codes_made": "new recovery codes",
        "identity_added": "an account somewhere else",
        "identity_removed": "an account somewhere else",
    }[event] in " ".join(sent.text.split())
    del postman


def test_a_change_stands_where_no_mail_can_be_sent(
    store: MemoryStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    postman = postman_of(site(), kit_of(Settings(site_url="https://a.test"), store, clock))
    postman.notify("password_changed", add_user(store))
    assert "A user was not told of a change of their account (password_changed)" in caplog.text


# In the background


class Slow:
    """A mailer that waits until it is told, and then breaks or not."""

    def __init__(self) -> None:
        self.began, self.go = threading.Event(), threading.Event()
        self.sent: list[tuple[Mail, str, bool]] = []
        self.breaks = False

    def send(self, mail: Mail) -> None:
        self.began.set()
        assert self.go.wait(10)
        if self.breaks:
            raise ConnectionRefusedError("nobody there")
        self.sent.append((mail, threading.current_thread().name, has_request_context()))


def background(app: Erlen, mailer: t.Any, store: MemoryStore, clock: Clock) -> Postman:
    settings = Settings(site_url="https://example.test", mail_sender="shop@example.com")
    return postman_of(app, kit_of(settings, store, clock), mailer)


def test_a_mail_is_sent_after_the_answer_and_before_the_end(store: MemoryStore, clock: Clock) -> None:
    app, mailer = site(), Slow()
    postman = background(app, mailer, store, clock)

    @app.post("/ask")
    def ask() -> str:
        postman.later(lambda: postman.send("deleted", f"{request.args['to']}@example.com", **VALUES))
        return "asked"

    client = app.test_client()
    for to in ("a", "b", "c"):
        # Answered although the mailer hangs.
        assert client.post(f"/ask?to={to}").text == "asked"
    assert mailer.began.wait(10)
    assert mailer.sent == []
    mailer.go.set()
    app.stop_serving()
    assert [one.to for one, _, _ in mailer.sent] == ["a@example.com", "b@example.com", "c@example.com"]
    assert all(thread != threading.current_thread().name and had for _, thread, had in mailer.sent)


def test_a_broken_mail_server_is_logged_and_not_shown(
    store: MemoryStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    app, mailer = site(), Slow()
    mailer.breaks = True
    mailer.go.set()
    postman = background(app, mailer, store, clock)
    postman.notify("deleted", add_user(store), endpoint="")
    app.stop_serving()
    assert "A mail was not sent" in caplog.text
    assert "nobody there" in caplog.text
    mailer.breaks = False
    postman.notify("deleted", add_user(store, "eve@example.com"), endpoint="")
    app.stop_serving()
    assert [one.to for one, _, _ in mailer.sent] == ["eve@example.com"]


def test_a_queue_that_is_full_drops_what_comes_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    app, go = site(), threading.Event()
    began, done = threading.Event(), list[int]()
    courier = Courier(app.spawn, waiting=2)

    def work(number: int) -> cabc.Callable[[], object]:
        def run() -> None:
            began.set()
            assert go.wait(10)
            done.append(number)

        return run

    courier.take(work(0))
    assert began.wait(10)
    for number in (1, 2, 3):
        courier.take(work(number))
    go.set()
    app.stop_serving()
    assert done == [0, 1, 2]
    assert [record.levelno for record in caplog.records if "as 2 wait already" in record.message] == [
        logging.ERROR
    ]


def test_work_that_comes_while_the_thread_ends_is_done() -> None:
    app, done = site(), list[int]()
    courier = Courier(app.spawn)
    for number in range(200):
        courier.take(partial(done.append, number))
    app.stop_serving()
    assert done == list(range(200))
