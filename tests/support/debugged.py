"""Requests of an application in the debugger, over either protocol, as a server hands them on."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import typing as t

import werkzeug.test
from werkzeug.datastructures import Headers

from asgi_calls import Call, http_scope, run_on_a_loop
from erlen.debugger import Debugger

#: What a browser asks for when somebody types an address into it.
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

HOST = "127.0.0.1:5000"


@dataclasses.dataclass
class Answered:
    """The response to a request."""

    status: int
    headers: Headers
    text: str

    @property
    def json(self) -> t.Any:
        """The body, read as JSON."""
        return json.loads(self.text)

    @property
    def page_token(self) -> str:
        """The token of the page, by which its consoles are found."""
        return self._attribute("page")

    def _attribute(self, name: str) -> str:
        found = re.search(rf'data-{name}="([^"]*)"', self.text)
        assert found is not None
        return found[1]

    def frame_number(self, function: str) -> str:
        """Return the number of the first frame of a function on the page."""
        found = re.search(
            rf'data-frame="(\d+)" data-function="{re.escape(html.escape(function))}"', self.text
        )
        assert found is not None, function
        return found[1]


class Visitor:
    """Sends requests to a debugger.

    :param debugger: the debugger.
    :param protocol: ``"wsgi"`` or ``"asgi"``.
    """

    def __init__(self, debugger: Debugger, protocol: str = "wsgi") -> None:
        self.debugger = debugger
        self.protocol = protocol
        #: Sent with each request.
        self.cookie = ""

    def ask(
        self,
        path: str = "/",
        *,
        method: str = "GET",
        accept: str | None = BROWSER,
        client: str | None = "127.0.0.1",
        host: str = HOST,
        headers: t.Mapping[str, str] | None = None,
        data: t.Any = None,
    ) -> Answered:
        """Send a request and return the response."""
        sent = Headers({"Host": host})
        if accept is not None:
            sent["Accept"] = accept
        if self.cookie:
            sent["Cookie"] = self.cookie
        sent.update(headers or {})
        if self.protocol == "asgi":
            return self._ask_asgi(path, method, client, sent, data)
        # Werkzeug's would keep a host that is no name from being sent.
        builder = werkzeug.test.EnvironBuilder(path, method=method, data=data)
        environ = builder.get_environ()
        for name, value in sent:
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        if "HTTP_CONTENT_TYPE" in environ:
            environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE")
        if client is not None:
            environ["REMOTE_ADDR"] = client
        # Through its module, where the tests put their validator.
        body: t.Any
        body, status, sent = werkzeug.test.run_wsgi_app(self.debugger, environ)
        text = b"".join(body).decode()
        if hasattr(body, "close"):
            body.close()
        return Answered(int(status[:3]), sent, text)

    def _ask_asgi(self, path: str, method: str, client: str | None, sent: Headers, data: t.Any) -> Answered:
        body = data.encode() if isinstance(data, str) else data
        pairs = [(name.lower().encode(), value.encode("latin1")) for name, value in sent]
        if body is not None:
            pairs.append((b"content-length", str(len(body)).encode()))
        scope = http_scope(path, method, client=None if client is None else (client, 50000))
        scope["headers"] = pairs

        async def call() -> Call:
            events = [{"type": "http.request", "body": body or b"", "more_body": False}]
            return await Call(self.debugger, scope=scope, events=events).run()

        called = run_on_a_loop(call)
        headers = Headers(
            [(name.decode(), value.decode("latin1")) for name, value in called.sent[0]["headers"]]
        )
        return Answered(called.status, headers, called.text)

    def post(self, name: str, content: t.Any, **options: t.Any) -> Answered:
        """Post to one of the debugger's own addresses, as its page does."""
        host = options.get("host", HOST)
        headers = {
            "Content-Type": "application/json",
            "Origin": f"http://{host}",
            "Sec-Fetch-Site": "same-origin",
            **options.pop("headers", {}),
        }
        data = content if isinstance(content, str) else json.dumps(content)
        return self.ask(
            f"/__debugger__/{name}",
            method="POST",
            accept="application/json",
            headers={key: value for key, value in headers.items() if value},
            data=data,
            **options,
        )

    def unlock(self) -> Answered:
        """Unlock the console, and send the cookie from now on."""
        answer = self.post("unlock", {"secret": self.debugger.secret})
        assert answer.status == 200, answer.text
        self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return answer

    def run(self, page: Answered, function: str, code: str) -> str:
        """Run code in a frame of a page, and return the output."""
        content = {"page": page.page_token, "frame": page.frame_number(function), "code": code}
        answer = self.post("run", content)
        assert answer.status == 200, answer.text
        return t.cast(str, answer.json["output"])
