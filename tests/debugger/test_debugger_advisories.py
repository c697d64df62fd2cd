"""Published weaknesses of debuggers in the browser, and the rules of ours: who sees what, and who may run code."""

from __future__ import annotations

import concurrent.futures
import logging
import re
import subprocess
import sys
import threading
import typing as t

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from debugged import BROWSER, HOST, Visitor
from erlen import Erlen, request
from erlen.debugger import Debugger
from erlen.debugger.access import Access
from erlen.debugger.lock import TRIES

ALLOWED_BY = {"client": "--debugger-clients", "host": "--debugger-hosts"}


def says_nothing(text: str) -> bool:
    return text == "Internal Server Error\n"


# -- the published ones

XSS = "<script>alert(1)</script>'\"><img src=x onerror=alert(1)>{{ 7 * 7 }}"


@pytest.mark.parametrize("kind", ["message", "note", "variable", "name", "class", "header", "path", "repr"])
def test_no_text_of_anybody_is_markup(visitor: Visitor, failing: Erlen, kind: str) -> None:
    """CVE-2016-10516: what an exception, a variable or a request holds became HTML in the debugger's page."""

    class Shown:
        def __repr__(self) -> str:
            return XSS

    @failing.get("/xss", defaults={"rest": ""})
    @failing.get("/xss/<path:rest>")
    def view(rest: str) -> str:
        error: Exception = ValueError(XSS if kind == "message" else "plain")
        if kind == "note":
            error.add_note(XSS)
        if kind == "class":
            error = t.cast(Exception, type(XSS, (Exception,), {})())
        variable: t.Any = XSS if kind == "variable" else Shown() if kind == "repr" else None
        assert variable is None or variable is not view
        if kind == "name":
            exec(compile("raise ValueError", XSS, "exec"))
        raise error

    headers = {"X-Shown": XSS} if kind == "header" else {}
    path = "/xss/" + "%3Cscript%3Ealert(1)%3C/script%3E" if kind == "path" else "/xss"
    page = visitor.ask(path, headers=headers)
    assert page.status == 500
    assert "<script>alert" not in page.text and "<img" not in page.text
    assert "&lt;script&gt;alert" in page.text
    assert "49" not in re.findall(r"onerror=alert\(1\)&gt;(.*?)<", page.text)


def test_the_output_of_the_console_is_no_markup(visitor: Visitor) -> None:
    """CVE-2016-10516: it comes as text in JSON, and the page's script makes no HTML of it."""
    visitor.unlock()
    page = visitor.ask("/divide")
    content = {
        "page": page.page_token,
        "frame": page.frame_number("divide"),
        "code": f"print({XSS!r})",
    }
    answer = visitor.post("run", content)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.json["output"] == XSS + "\n"
    [script] = re.findall(r"<script nonce=[^>]*>(.*)</script>", page.text, re.DOTALL)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(", script)


def test_the_secret_is_another_one_in_each_process() -> None:
    """CVE-2019-14806: the PIN was made of the machine, so that all containers had the same."""
    code = "from erlen.debugger import Debugger; print(Debugger(None).secret)"
    run = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    secrets = {one.stdout.strip() for one in run} | {Debugger(None).secret for _ in range(50)}
    assert len(secrets) == 52
    # 256 bits in base64.
    assert {len(secret) for secret in secrets} == {43}


@pytest.mark.parametrize("secret", ["", "123-456-789", "x" * 21])
def test_a_secret_that_could_be_guessed_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match=f"has {len(secret)} characters, and so could be guessed"):
        Debugger(None, secret=secret)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:5000", "localhost.evil.example", "127.0.0.1.evil.example", "evillocalhost",
             "128.0.0.1", "[::2]", "user@localhost", "localhost/", "localhost:5000:80", "0x7f.1", "", "[::1", "a b"]
)  # fmt: skip
def test_nothing_is_shown_under_a_foreign_name(
    visitor: Visitor, host: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """CVE-2024-34069: with a name of his own that leads to 127.0.0.1, somebody else's page could reach the debugger."""
    page = visitor.ask("/divide", host=host)
    if page.status == 400:
        # No name at all: the application has refused it.
        assert "ZeroDivisionError" not in page.text
    else:
        assert says_nothing(page.text)
        assert "--debugger-hosts" in capfd.readouterr().err
    for name, method in [("", "GET"), ("state", "GET"), ("unlock", "POST"), ("run", "POST")]:
        # As if there were no debugger.
        assert visitor.ask(f"/__debugger__/{name}", method=method, host=host).status in {400, 403, 404}
    assert visitor.debugger._lock.tries_left == TRIES


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:5000",
        "shop.localhost:80",
        "127.0.0.1",
        "127.1.2.3:1",
        "[::1]:5000",
        "LOCALHOST",
    ],
)
def test_the_names_of_this_machine_are_allowed(visitor: Visitor, host: str) -> None:
    """CVE-2024-34069: browsers resolve these without asking anybody."""
    assert "ZeroDivisionError" in visitor.ask("/divide", host=host).text


@pytest.mark.parametrize(("named", "host", "is_allowed"), [
    ("dev.example", "dev.example:5000", True), ("Dev.Example", "dev.example", True), ("dev.example", "a.dev.example", False),
    (".example", "dev.example", True), ("192.168.1.5", "192.168.1.5:80", True), ("dev.example", "dev.example.evil", False),
    ("[fd00::1]", "[fd00::1]:80", True),
])  # fmt: skip
def test_names_are_added_by_an_option(failing: Erlen, named: str, host: str, is_allowed: bool) -> None:
    page = Visitor(Debugger(failing, hosts=[named])).ask("/divide", host=host)
    assert ("ZeroDivisionError" in page.text) is is_allowed


def test_ten_wrong_tries_lock_the_console_until_the_next_start(visitor: Visitor) -> None:
    """Werkzeug allowed one try too many."""
    wrong = [visitor.post("unlock", {"secret": f"{number}"}) for number in range(TRIES)]
    assert [answer.status for answer in wrong] == [403] * 10
    assert [answer.json["tries_left"] for answer in wrong] == list(range(9, -1, -1))
    assert "locked until the server starts again" in wrong[-1].json["error"]
    right = visitor.post("unlock", {"secret": visitor.debugger.secret})
    assert right.status == 403
    assert "Set-Cookie" not in right.headers


def test_the_tenth_try_may_be_right(visitor: Visitor) -> None:
    for number in range(TRIES - 1):
        visitor.post("unlock", {"secret": f"{number}"})
    assert visitor.unlock().status == 200


@pytest.mark.parametrize("wrong", [TRIES - 1, TRIES, 40])
def test_tries_at_the_same_time_are_counted_one_by_one(debugger: Debugger, wrong: int) -> None:
    """Werkzeug's counter was read, and written later."""
    lock, barrier = debugger._lock, threading.Barrier(wrong)

    def attempt(number: int) -> bool:
        barrier.wait()
        return lock.opens(f"wrong {number}")

    with concurrent.futures.ThreadPoolExecutor(wrong) as pool:
        assert not any(pool.map(attempt, range(wrong)))
    assert lock.tries_left == max(TRIES - wrong, 0)
    assert lock.opens(lock.secret) is (wrong < TRIES)


def test_a_browser_that_was_unlocked_is_locked_out_as_well(visitor: Visitor) -> None:
    visitor.unlock()
    page = visitor.ask("/divide")
    for number in range(TRIES):
        visitor.post("unlock", {"secret": f"{number}"})
    content = {"page": page.page_token, "frame": "1", "code": "1"}
    assert visitor.post("run", content).json == {"error": "The console is locked.", "is_locked": True}


# -- who sees anything


@pytest.mark.parametrize("client", ["192.168.1.7", "8.8.8.8", "::2", "::ffff:10.0.0.1", "", "<local>", None])
def test_other_machines_see_nothing(
    visitor: Visitor, client: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    page = visitor.ask("/divide", client=client)
    assert page.status == 500
    assert says_nothing(page.text)
    output = capfd.readouterr().err
    assert "ZeroDivisionError" in output and "showed nothing of it to the client" in output
    if client == "192.168.1.7":
        assert "'erlen run --debugger-clients 192.168.1.7' allows it" in output
    assert visitor.ask("/__debugger__/", client=client).status == 404


@pytest.mark.parametrize("client", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_this_machine_sees_the_page(visitor: Visitor, client: str) -> None:
    assert "ZeroDivisionError" in visitor.ask("/divide", client=client).text


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via"]
)
def test_what_comes_through_a_proxy_is_not_this_machine(
    visitor: Visitor, header: str, capfd: pytest.CaptureFixture[str]
) -> None:
    page = visitor.ask("/divide", headers={header: "127.0.0.1"})
    assert says_nothing(page.text)
    output = capfd.readouterr().err
    assert "came through a proxy" in output and "--debugger-clients 127.0.0.1" in output
    assert visitor.ask("/__debugger__/", headers={header: "127.0.0.1"}).status == 404


def test_middleware_does_not_make_a_stranger_local(failing: Erlen) -> None:
    """ProxyFix writes what a client says of itself into the environment; the server's word counts."""
    failing.wsgi_app = t.cast(t.Any, ProxyFix(failing.wsgi_app))  # type: ignore[method-assign]
    seen: list[str | None] = []

    @failing.before_request
    def look() -> None:
        seen.append(request.remote_addr)
        # As other middleware does.
        del request.environ["HTTP_X_FORWARDED_FOR"]

    page = Visitor(Debugger(failing)).ask(
        "/divide", client="10.0.0.9", headers={"X-Forwarded-For": "127.0.0.1"}
    )
    assert seen == ["127.0.0.1"]
    assert says_nothing(page.text)


@pytest.mark.parametrize(("clients", "client", "is_allowed"), [
    (["192.168.1.7"], "192.168.1.7", True), (["192.168.1.7"], "192.168.1.8", False), (["192.168.1.0/24"], "192.168.1.8", True),
    (["192.168.1.9/24"], "192.168.1.8", True), (["fd00::/8"], "fd00::1", True), (["fd00::/8"], "10.0.0.1", False),
    (["0.0.0.0/0"], "8.8.8.8", True), (["10.0.0.0/8"], "::ffff:10.1.1.1", True),
])  # fmt: skip
def test_clients_are_added_by_an_option(
    failing: Erlen, clients: list[str], client: str, is_allowed: bool
) -> None:
    page = Visitor(Debugger(failing, clients=clients)).ask("/divide", client=client)
    assert ("ZeroDivisionError" in page.text) is is_allowed


def test_a_proxy_may_be_named(failing: Erlen) -> None:
    visitor = Visitor(Debugger(failing, clients=["127.0.0.1"]))
    assert "ZeroDivisionError" in visitor.ask("/divide", headers={"X-Forwarded-For": "8.8.8.8"}).text


@pytest.mark.parametrize("client", ["localhost", "10.0.0.0/33", "everybody", ""])
def test_a_client_that_is_no_address_is_refused_with_the_fix(client: str) -> None:
    with pytest.raises(ValueError, match=r"(?s)neither an address nor a network.*'192\.168\.1\.0/24'"):
        Access([client], [])


@pytest.mark.parametrize(
    "environ",
    [
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "evil\x1b[31m\nforged"},
        {"REMOTE_ADDR": "evil\x1b[31m\nforged"},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_EVIL\x1b\nFORGED": "1"},
    ],
)
def test_a_line_of_the_terminal_cannot_be_forged(environ: dict[str, str]) -> None:
    reason = Access([], []).refusal(environ)
    assert reason is not None
    assert "evil" in reason.lower() and "\x1b" not in reason and "\n" not in reason


# -- only in debug mode


def test_outside_of_debug_mode_nothing_of_it_answers(
    visitor: Visitor, failing: Erlen, caplog: pytest.LogCaptureFixture
) -> None:
    visitor.unlock()
    page = visitor.ask("/divide")
    failing.debug = False
    with caplog.at_level(logging.CRITICAL):
        shown = visitor.ask("/divide")
    assert "ZeroDivisionError" not in shown.text and "__debugger__" not in shown.text
    assert visitor.ask("/__debugger__/").status == 404
    assert visitor.ask("/__debugger__/state").status == 404
    content = {"page": page.page_token, "frame": "1", "code": "1"}
    assert visitor.post("run", content).status == 404
    assert visitor.post("unlock", {"secret": visitor.debugger.secret}).status == 404


def test_outside_of_debug_mode_exceptions_are_raised_on(visitor: Visitor, failing: Erlen) -> None:
    failing.debug = False
    failing.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(ZeroDivisionError):
        visitor.ask("/divide")


def test_debug_mode_that_ends_during_a_request_counts(visitor: Visitor, failing: Erlen) -> None:
    failing.config["PROPAGATE_EXCEPTIONS"] = True

    @failing.get("/ends")
    def ends() -> str:
        failing.debug = False
        raise LookupError

    with pytest.raises(LookupError):
        visitor.ask("/ends")


@pytest.mark.parametrize(("variable", "is_shown"), [("1", True), ("0", False), (None, False)])
def test_an_application_without_a_debug_attribute_follows_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, is_shown: bool
) -> None:
    if variable is None:
        monkeypatch.delenv("ERLEN_DEBUG", raising=False)
    else:
        monkeypatch.setenv("ERLEN_DEBUG", variable)

    def foreign(environ: t.Any, start_response: t.Any) -> t.Any:
        raise LookupError("of another framework")

    visitor = Visitor(Debugger(foreign))
    if is_shown:
        assert "of another framework" in visitor.ask().text
    else:
        with pytest.raises(LookupError):
            visitor.ask()


def test_the_import_of_the_wrapper_loads_nothing_of_the_page() -> None:
    code = (
        "import sys, erlen; from erlen.debugger import Debugger\n"
        "app = erlen.Erlen('a'); app.debug = True; app.route('/')(lambda: 'fine')\n"
        "from werkzeug.test import Client\n"
        "assert Client(Debugger(app)).get('/').text == 'fine'\n"
        "print(sorted(name for name in sys.modules if name.startswith(('erlen.debugger.', 'werkzeug.debug'))))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(
        [f"erlen.debugger.{name}" for name in ("access", "exchange", "lock", "middleware")]
    )


# -- the console


def content_of(visitor: Visitor, **changes: str) -> dict[str, str]:
    page = visitor.ask("/divide")
    return {
        "page": page.page_token,
        "frame": page.frame_number("divide"),
        "code": "amount",
        **changes,
    }


def test_code_runs_with_everything_that_is_asked_for(visitor: Visitor) -> None:
    visitor.unlock()
    answer = visitor.post("run", content_of(visitor))
    assert answer.json == {"output": "7\n", "is_incomplete": False}


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        "erlen_debugger_5000=",
        "erlen_debugger_5000=0",
        "erlen_debugger_5001={right}",
        "erlen_debugger_5000=é",
    ],
)
def test_no_code_runs_without_the_cookie(visitor: Visitor, cookie: str) -> None:
    content = content_of(visitor)
    visitor.cookie = cookie.replace("{right}", visitor.debugger._lock.cookie)
    answer = visitor.post("run", content)
    assert (answer.status, answer.json["is_locked"]) == (403, True)


def test_the_secret_is_not_the_cookie(visitor: Visitor) -> None:
    content = content_of(visitor)
    visitor.cookie = f"erlen_debugger_5000={visitor.debugger.secret}"
    assert visitor.post("run", content).status == 403


def test_a_wrong_cookie_is_no_try(visitor: Visitor) -> None:
    """Of an earlier start every browser has one."""
    visitor.cookie = "erlen_debugger_5000=0"
    for _ in range(TRIES + 1):
        visitor.post("run", {"page": "", "frame": "1", "code": "1"})
    assert visitor.debugger._lock.tries_left == TRIES


@pytest.mark.parametrize("headers", [
    {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": ""}, {"Origin": "https://127.0.0.1:5000"},
    {"Origin": "http://127.0.0.1:5001"}, {"Origin": "http://127.0.0.1"}, {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"},
])  # fmt: skip
@pytest.mark.parametrize("name", ["run", "unlock"])
def test_pages_of_other_origins_can_post_nothing(
    visitor: Visitor, headers: dict[str, str], name: str
) -> None:
    visitor.unlock()
    content = content_of(visitor) if name == "run" else {"secret": "wrong"}
    answer = visitor.post(name, content, headers=headers)
    assert answer.status == 403
    assert answer.json == {"error": "The request did not come from this page."}
    assert visitor.debugger._lock.tries_left == TRIES


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_what_a_form_can_send_is_refused(visitor: Visitor, content_type: str) -> None:
    visitor.unlock()
    assert visitor.post("run", content_of(visitor), headers={"Content-Type": content_type}).status == 400


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"code": 1}', "[" * 100_000, '{"page": "\\ud800"}'])
def test_malformed_content_is_refused(visitor: Visitor, text: str) -> None:
    visitor.unlock()
    # Without content there is no length either, and over WSGI none is no end.
    assert visitor.post("run", text).status in ({400, 404} if text else {400, 413})


def test_too_much_content_is_refused(visitor: Visitor) -> None:
    visitor.unlock()
    assert visitor.post("run", content_of(visitor, code="#" * 300_000)).status == 413


@pytest.mark.parametrize(
    "changes",
    [{"page": ""}, {"page": "x" * 32}, {"frame": "9999"}, {"frame": ""}, {"frame": "-1"}, {"frame": "١"}],
)
def test_no_code_runs_without_the_token_of_a_page(visitor: Visitor, changes: dict[str, str]) -> None:
    visitor.unlock()
    answer = visitor.post("run", content_of(visitor, **changes))
    assert answer.status == 404
    assert "Reload the page" in answer.json["error"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_code_runs_by_post_alone(visitor: Visitor, method: str) -> None:
    visitor.unlock()
    for name in ("run", "unlock"):
        assert (
            visitor.ask(f"/__debugger__/{name}?secret={visitor.debugger.secret}", method=method).status == 405
        )


def test_a_script_that_fetches_the_page_gets_no_token(visitor: Visitor) -> None:
    assert visitor.ask("/divide", headers={"Sec-Fetch-Dest": "document"}).page_token
    for destination in ("empty", "iframe", "embed"):
        assert visitor.ask("/divide", headers={"Sec-Fetch-Dest": destination}).page_token == ""


def test_tokens_of_pages_are_long_and_differ(visitor: Visitor) -> None:
    tokens = {visitor.ask("/divide").page_token for _ in range(3)}
    assert len(tokens) == 3
    assert {len(token) for token in tokens} == {32}


# -- the cookie, the secret, the headers


def test_the_cookie_is_for_the_console_alone(visitor: Visitor) -> None:
    cookie = visitor.unlock().headers["Set-Cookie"]
    assert re.fullmatch(
        r"erlen_debugger_5000=[0-9a-f]{64}; HttpOnly; Path=/__debugger__/; SameSite=Strict", cookie
    )
    assert visitor.debugger.secret not in cookie


def test_the_cookie_is_another_one_for_each_port(failing: Erlen) -> None:
    visitor = Visitor(Debugger(failing))
    names = {
        visitor.post("unlock", {"secret": visitor.debugger.secret}, host=host)
        .headers["Set-Cookie"]
        .partition("=")[0]
        for host in ("localhost:5000", "localhost:8000", "localhost", "[::1]", "[::1]:5000")
    }
    assert names == {"erlen_debugger_5000", "erlen_debugger_8000", "erlen_debugger_http"}


def test_the_secret_is_in_the_fragment_of_the_link(debugger: Debugger) -> None:
    """Browsers send no fragment, so that no log of a server has it, and no Referer."""
    link = debugger.unlock_url("http://127.0.0.1:5000/")
    assert link == f"http://127.0.0.1:5000/__debugger__/#{debugger.secret}"


@pytest.mark.parametrize("accept", [BROWSER, "application/json", "*/*"])
def test_the_secret_is_in_nothing_that_is_sent_or_written(
    visitor: Visitor, failing: Erlen, accept: str, capfd: pytest.CaptureFixture[str]
) -> None:
    debugger = visitor.debugger

    @failing.get("/leak")
    def leak() -> str:
        link, text, known = debugger.unlock_url("http://localhost"), f"it is {debugger.secret}", debugger
        raise LookupError(link, text, known)

    visitor.unlock()
    answers = [
        visitor.ask(path, accept=accept)
        for path in ("/divide", "/leak", "/__debugger__/", "/__debugger__/state")
    ]
    answers += [
        visitor.post("unlock", {"secret": debugger.secret}),
        visitor.post("unlock", {"secret": "wrong"}),
    ]
    for answer in answers:
        assert debugger.secret not in answer.text
        assert debugger.secret not in str(answer.headers)
    assert debugger._lock.cookie not in "".join(answer.text for answer in answers)
    assert debugger.secret not in repr(debugger)
    # What an application writes into its own message is its own; the debugger adds nothing.
    assert capfd.readouterr().err.count(debugger.secret) == 2


def test_to_unlock_leads_nowhere_else(visitor: Visitor) -> None:
    """No parameter names where to go on: there is no redirect that could be an open one."""
    for query in ("next=//evil.example", "url=https://evil.example"):
        assert visitor.ask(f"/__debugger__/?{query}").status == 200
        assert "evil" not in visitor.ask(f"/__debugger__/?{query}").text
    answer = visitor.post("unlock?next=//evil.example", {"secret": visitor.debugger.secret})
    assert (answer.status, "Location" in answer.headers) == (200, False)


@pytest.mark.parametrize("path", ["/divide", "/__debugger__/"])
def test_pages_are_sealed_off(visitor: Visitor, path: str) -> None:
    page = visitor.ask(path)
    headers = page.headers
    [nonce] = set(re.findall(r'nonce="([^"]+)"', page.text))
    policy = headers["Content-Security-Policy"]
    for part in ("default-src 'none'", f"script-src 'nonce-{nonce}'", f"style-src 'nonce-{nonce}'", "connect-src 'self'",
                 "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"):  # fmt: skip
        assert part in policy.split("; ")
    assert "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert nonce not in visitor.ask(path).text
    # Nothing from elsewhere, no handler in an attribute.
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:|//)|\son\w+=|style=""", page.text)


@pytest.mark.parametrize("accept", ["application/json", "text/plain"])
def test_other_forms_are_sealed_off_as_well(visitor: Visitor, accept: str) -> None:
    headers = visitor.ask("/divide", accept=accept).headers
    assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


def test_other_addresses_are_the_applications(visitor: Visitor, failing: Erlen) -> None:
    @failing.get("/<path:rest>")
    def everything(rest: str) -> str:
        return rest

    for path in ("__debugger__", "__debugger__x", "a/__debugger__/state", "console"):
        assert visitor.ask(f"/{path}").text == path
    assert visitor.ask("/?__debugger__=yes&cmd=resource&f=style.css").status == 404
    assert visitor.ask("/__debugger__/other").json == {"error": "The debugger has no such address."}


def test_the_host_of_the_page_is_that_of_the_request() -> None:
    assert Access([], []).is_named(HOST)
