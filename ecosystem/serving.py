"""Real servers for scenarios that need sockets, on ports that are free: Werkzeug's with threads, and one for mail."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

from werkzeug.serving import WSGIRequestHandler, make_server


class Quiet(WSGIRequestHandler):
    """A handler of requests that logs nothing."""

    def log(self, type: str, message: str, *args: t.Any) -> None:
        """Print nothing."""


@contextmanager
def serving(app: t.Any) -> t.Generator[str, None, None]:
    """Serve an application over WSGI as long as the block lasts.

    :param app: the application.
    :return: the host and the port, as in a URL.
    """
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Letter:
    """A mail that has arrived.

    :param sender: who the envelope says it is from.
    :param recipients: who it is for.
    :param message: what is in it.
    """

    sender: str
    recipients: list[str]
    message: Message


@dataclass
class Mailbox:
    """What a server for mail knows.

    :param host: where it is.
    :param port: its port.
    :param letters: the mails that have arrived.
    :param connections: how many times somebody has connected.
    """

    host: str
    port: int
    letters: list[Letter] = field(default_factory=list)
    connections: int = 0


class Postman(StreamRequestHandler):
    """As much of SMTP (RFC 5321) as :mod:`smtplib` needs. It does not know who has ``unknown`` in the address."""

    def handle(self) -> None:
        """Answer the commands of one connection."""
        mailbox: Mailbox = self.server.mailbox  # type: ignore[attr-defined]
        mailbox.connections += 1
        sender, recipients = "", list[str]()
        self.wfile.write(b"220 ready\r\n")
        for line in self.rfile:
            command = line[:4].upper()
            answer = b"250 fine"
            if command == b"MAIL":
                sender, recipients = _address(line), []
            elif command == b"RCPT":
                if "unknown" in _address(line):
                    answer = b"550 no such user"
                else:
                    recipients.append(_address(line))
            elif command == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                text = b"".join(line.removeprefix(b".") for line in iter(self.rfile.readline, b".\r\n"))
                mailbox.letters.append(Letter(sender, recipients, message_from_bytes(text)))
            elif command == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(answer + b"\r\n")


def _address(line: bytes) -> str:
    return line.decode().split("<", 1)[1].split(">", 1)[0]


@contextmanager
def taking_mail() -> t.Generator[Mailbox, None, None]:
    """Take mail as long as the block lasts."""
    with ThreadingTCPServer(("127.0.0.1", 0), Postman) as server:
        host, port = server.server_address[:2]
        mailbox = server.mailbox = Mailbox(str(host), port)  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield mailbox
        finally:
            server.shutdown()
            thread.join()
