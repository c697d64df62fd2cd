"""Each server of the page, started with its command: what the page says of it is so."""

from __future__ import annotations

import http.client
import signal
import threading
import typing as t
from pathlib import Path

import pytest

from .running import HOST, LIMIT
from .servers import TCP, Asked, Served, until

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://{HOST}"}

#: What a proxy sends that is on this machine, for a client that has made up the first address.
FROM_PROXY = {"X-Forwarded-For": "192.0.2.6, 203.0.113.7", "X-Forwarded-Proto": "https"}


#: granian ends an old worker so many seconds after it has started a new one, ready or not. On a busy machine the 3.5 that it
#: waits from the start may be too few.
PATIENCE = {"GRANIAN_RESPAWN_INTERVAL": "5"}


#: Those of which the page says that a reload loses no request. granian over ASGI has the same main process as over WSGI.
RELOADING = ("erlen serve", "gunicorn", "gunicorn-asgi", "granian", "uwsgi")


@pytest.fixture(scope="module")
def cache() -> t.Iterator[dict[str, Served]]:
    """Return the servers that were started: each is, once."""
    started: dict[str, Served] = {}
    yield started
    for served in started.values():
        served.stop()


@pytest.fixture(scope="module", params=TCP)
def served(
    request: pytest.FixtureRequest, place: t.Callable[[str], Path], cache: dict[str, Served]
) -> Served:
    """Return a server, started with its command, with the application that says what it sees."""
    name: str = request.param
    command = TCP[name]
    if command.missing:
        pytest.skip(command.missing)
    if name not in cache:
        cache[name] = Served(command, place(name.replace(" ", "-")), "observed:app", **PATIENCE)
        cache[name].name = name
    return cache[name]


@pytest.mark.parametrize("name", TCP)
def test_the_command_of_the_page_serves_the_example(name: str, place: t.Callable[[str], Path]) -> None:
    command = TCP[name]
    if command.missing:
        pytest.skip(command.missing)
    served = Served(command, place(f"as-it-stands-{name.replace(' ', '-')}"))
    try:
        assert "Ebb" in served.site.get("/").text
        assert served.site.get("/", host="other.example").status == 400
    finally:
        code = served.stop()
    # Over ASGI uvicorn raises the signal once more, and waitress ends with that it was stopped with.
    assert code in {0, -served.command.stop}, served.running.log()


def test_a_form_is_taken_from_a_page_of_the_site_alone(served: Served) -> None:
    answer = served.site.sign_up("ada@example.com", headers=FROM_PROXY)
    assert (answer.status, answer.headers["Location"]) == (303, "/thanks")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("session=")
    assert "; Secure" in cookie
    assert served.site.sign_up("eve@example.com", "https://other.example", FROM_PROXY).status == 403


def test_the_client_is_who_the_proxy_says(served: Served) -> None:
    seen = served.site.get("/seen/x", FROM_PROXY).text
    assert '"client":"203.0.113.7"' in seen
    assert f'"url":"https://{HOST}/seen/x"' in seen


def test_a_redirect_leads_to_the_name_and_the_scheme_outside(served: Served) -> None:
    answer = served.site.get("/owner", FROM_PROXY)
    assert (answer.status, answer.headers["Location"]) == (308, f"https://{HOST}/owner/")


def test_a_body_that_is_too_large_is_answered_with_413(served: Served) -> None:
    assert served.site.request("POST", "/", b"name=" + b"x" * 70_000, FORM).status == 413


def test_static_files_are_served(served: Served) -> None:
    answer = served.site.get("/static/site.css")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/css")


def processes(served: Served) -> set[str]:
    """Return which processes answer, of twenty times."""
    return {served.site.get("/process").text for _ in range(20)}


def reload(served: Served) -> None:
    """Tell a server to reload while requests come, and see that none is lost."""
    before, ready = processes(served), served.ready()
    with Asked(served.site) as asked:
        served.running.process.send_signal(signal.SIGHUP)
        # New ones alone: also the last of the old workers has gone.
        until(
            lambda: not before & processes(served) and served.ready() >= 2 * ready,
            "new workers have taken over from the old ones",
        )
    assert set(asked.answers) == {"200"}, (asked.answers, served.running.log())
    assert served.running.process.poll() is None


def test_requests_survive_a_reload_where_the_page_says_so_and_a_stop(served: Served) -> None:
    if served.name in RELOADING:
        reload(served)
    answers: list[object] = []

    def ask() -> None:
        try:
            answers.append(served.site.get("/slow").status)
        except (OSError, http.client.HTTPException) as error:
            answers.append(error)

    asking = threading.Thread(target=ask)
    asking.start()
    until((served.state / "slow").exists, "the request runs")
    code = served.stop()
    asking.join(LIMIT)
    assert answers == [200], served.running.log()
    assert code in {0, -served.command.stop}
