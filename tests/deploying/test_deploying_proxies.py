"""nginx and Apache with the files of the example, in front of servers that are started with the commands of the page."""

from __future__ import annotations

import http.client
import json
import signal
import ssl
import typing as t
from pathlib import Path

import pytest

from . import page
from .fronts import KINDS, Front, missing
from .running import HOST
from .servers import TCP, UNIX, Asked, Command, Served, until

#: The servers behind them, over a Unix socket and over TCP.
BACKENDS: dict[str, Command] = {
    **{f"{name} (unix)": command for name, command in UNIX.items()},
    **{f"{name} (tcp)": TCP[name] for name in ("gunicorn-asgi", "uwsgi")},
}

#: What a client makes up about itself.
MADE_UP = {
    "X-Forwarded-For": "192.0.2.6",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "other.example",
    "X-Forwarded-Port": "1",
    "X-Forwarded-Prefix": "/made-up",
    "Forwarded": "for=192.0.2.6;host=other.example",
    "X_Forwarded_For": "192.0.2.6",
    "X_Forwarded-For": "192.0.2.6",
    "X-Forwarded_For": "192.0.2.6",
    "X_Forwarded_Proto": "http",
    "X_Forwarded-Proto": "http",
    "X-Forwarded_Proto": "http",
    "Script_Name": "/made-up",
    "Path_Info": "/owner/",
}


class Pair(t.NamedTuple):
    """A server in front and the one behind it."""

    front: Front
    served: Served


@pytest.fixture(scope="module")
def served_ones(place: t.Callable[[str], Path]) -> t.Iterator[dict[str, Served]]:
    """Return the servers that were started; each is, once, for both in front."""
    started: dict[str, Served] = {}
    yield started
    for served in started.values():
        served.stop()


@pytest.fixture(
    scope="module",
    params=[(kind, name) for name in BACKENDS for kind in KINDS],
    ids=lambda pair: " + ".join(pair),
)
def pair(
    request: pytest.FixtureRequest, place: t.Callable[[str], Path], served_ones: dict[str, Served]
) -> t.Iterator[Pair]:
    """Return a server in front and the one behind it."""
    kind, name = request.param
    reason = missing(kind) or BACKENDS[name].missing
    if reason:
        pytest.skip(reason)
    short = f"{list(BACKENDS).index(name)}"
    if name not in served_ones:
        served_ones[name] = Served(BACKENDS[name], place(f"behind-{short}"), "observed:app")
    served = served_ones[name]
    address = served.site.path or served.site.port
    front = Front(kind, place(f"{kind}-{short}"), address, page.EXAMPLE / "signup" / "static")
    yield Pair(front, served)
    front.stop()


def test_the_page_comes_through_and_what_is_sent_with_it(pair: Pair) -> None:
    answer = pair.front.https.get("/")
    assert (answer.status, "Ebb" in answer.text) == (200, True)
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_a_form_is_taken_from_a_page_of_the_site_alone(pair: Pair) -> None:
    answer = pair.front.https.sign_up("ada@example.com")
    assert (answer.status, answer.headers["Location"]) == (303, "/thanks")
    assert "; Secure" in answer.headers["Set-Cookie"]
    cookie = answer.headers["Set-Cookie"].partition(";")[0]
    assert "Ada" in pair.front.https.get("/thanks", {"Cookie": cookie}).text
    assert pair.front.https.sign_up("eve@example.com", "https://other.example").status == 403


def test_what_a_client_makes_up_about_itself_does_not_count(pair: Pair) -> None:
    answer = pair.front.https.get("/seen/x", MADE_UP)
    assert answer.status == 200, answer.text
    assert json.loads(answer.text) == {
        "client": "127.0.0.1",
        "url": f"https://{HOST}/seen/x",
        "root": "",
        "rest": "x",
        "headers": {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": None, "Forwarded": None},
    }
    assert "; Secure" in pair.front.https.sign_up("ada@example.com", headers=MADE_UP).headers["Set-Cookie"]
    assert "192.0.2.6" not in pair.front.accesses()


def test_a_path_arrives_as_it_was_sent(pair: Pair) -> None:
    paths = {"a%20b": "a b", "%C3%A9": "é", "a%2Fb": "a/b", "a%25b": "a%b", "a//b": "a//b", "a;b": "a;b"}
    arrived = {sent: json.loads(pair.front.https.get(f"/seen/{sent}").text)["rest"] for sent in paths}
    assert arrived == paths


def test_redirects_lead_to_the_name_and_the_scheme_outside(pair: Pair) -> None:
    slash = pair.front.https.get("/owner")
    assert (slash.status, slash.headers["Location"]) == (308, f"https://{HOST}/owner/")
    plain = pair.front.http.get("/thanks?a=b")
    assert (plain.status, plain.headers["Location"]) == (301, f"https://{HOST}/thanks?a=b")


def test_another_name_gets_no_page(pair: Pair) -> None:
    other = "other.example"
    if pair.front.kind == "nginx":
        with pytest.raises(ssl.SSLError, match="unrecognized name"):
            pair.front.https.get("/", host=other)
        with pytest.raises(ConnectionError):
            pair.front.http.get("/", host=other)
    else:
        assert pair.front.https.get("/", host=other).status == 403
        assert pair.front.http.get("/", host=other).status == 403


def test_another_name_in_the_request_than_in_the_handshake_gets_no_page(pair: Pair) -> None:
    if pair.front.kind == "nginx":
        with pytest.raises(http.client.RemoteDisconnected):
            pair.front.https.get("/", {"Host": "other.example"})
    else:
        assert pair.front.https.get("/", {"Host": "other.example"}).status == 421


def test_a_body_that_is_too_large_is_answered_with_413_and_never_reaches_the_application(pair: Pair) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Forwarded-For": "192.0.2.6"}
    before = pair.served.running.log().count("413")
    for size in (64 * 1024 + 1, 5_000_000):
        answer = pair.front.https.request("POST", "/", b"x" * size, headers)
        assert answer.status == 413
        assert pair.front.kind in answer.text.lower() or "Request Entity Too Large" in answer.text
    assert pair.served.running.log().count("413") == before
    # The limit is that of the application, to the byte.
    allowed = pair.front.https.request("POST", "/length", b"x" * 64 * 1024)
    assert (allowed.status, allowed.text) == (200, "65536")


def test_static_files_come_from_the_server_in_front_and_nothing_beside_them(pair: Pair) -> None:
    answer = pair.front.https.get("/static/site.css")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/css")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "max-age=3600"
    assert answer.headers["Strict-Transport-Security"]
    for path in ("/static../settings.py", "/static/../settings.py", "/static/..%2fsettings.py"):
        assert "SECRET_KEY" not in pair.front.https.get(path).text
    assert pair.front.https.get("/static/").status in {403, 404}


def test_http_2_is_spoken_with_browsers(pair: Pair) -> None:
    with pair.front.https.connect(protocols=("h2", "http/1.1")) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        assert connection.selected_alpn_protocol() == "h2"
        assert connection.version() in {"TLSv1.2", "TLSv1.3"}


def test_a_reload_behind_loses_no_request_and_a_restart_is_noticed_at_once(
    place: t.Callable[[str], Path],
) -> None:
    reasons = [reason for kind in KINDS if (reason := missing(kind))]
    if reasons:
        pytest.skip(", ".join(reasons))
    served = Served(UNIX["gunicorn"], place("reloaded"), "observed:app")
    static = page.EXAMPLE / "signup" / "static"
    fronts = [Front(kind, place(f"before-reloaded-{kind}"), served.site.path or 0, static) for kind in KINDS]
    nginx, apache = fronts
    try:
        before = {served.site.get("/process").text for _ in range(20)}
        with Asked(nginx.https, 1) as through_nginx, Asked(apache.https, 1) as through_apache:
            served.running.process.send_signal(signal.SIGHUP)
            until(
                lambda: not before & {served.site.get("/process").text for _ in range(20)},
                "new workers have taken over",
            )
        assert set(through_nginx.answers) == {"200"}, (through_nginx.answers, nginx.log())
        assert set(through_apache.answers) == {"200"}, (through_apache.answers, apache.log())
        served.stop()
        assert [front.https.get("/").status for front in fronts] == [502, 503]
        served.start()
        assert [front.https.get("/").status for front in fronts] == [200, 200]
    finally:
        for front in fronts:
            front.stop()
        served.stop()
