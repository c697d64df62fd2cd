"""The page that steers a load test: start, numbers as JSON, CSV and a report, logs, stop, a login, over gevent's own server."""

from __future__ import annotations

# First, as it has gevent replace parts of the standard library.
import locust  # isort: skip

import typing as t
from pathlib import Path
from urllib.request import urlopen

import gevent
from flask import Flask, redirect, request, url_for
from flask_login import UserMixin, current_user, login_user
from locust.env import Environment
from locust.html import DEFAULT_BUILD_PATH

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["locust", "gevent"]
APPLICATION = True
PROTOCOLS = ["wsgi"]
NOT_ON_ASGI = "it has gevent put greenlets in the place of threads, beside which no event loop can run"

# How many requests there were in a second, and when.
VARIES = (
    (
        r'"((?:current|total)_(?:rps|fail_per_sec)|response_time_percentile_0.\d+)": ?[\w.-]+',
        r'"\1": <varies>',
    ),
    (r'"((?:first|last)_seen)": ?\d{10}\.\d+', r'"\1": <time>'),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "<time>"),
    (r"\d{4}-\d\d-\d\d-\d\dh\d\d", "<time>"),
)


class Drinker(locust.User):
    """Somebody who asks twice, and then for nothing more. The times are made up, so that they are the same each time."""

    wait_time = locust.constant(60)

    @locust.task
    def drink(self) -> None:
        request = {"request_type": "TEA", "response_length": 7, "context": {}}
        fire = self.environment.events.request.fire
        fire(name="/brew", response_time=30, exception=None, **request)
        fire(name="/pour", response_time=5, exception=ValueError("the pot is empty"), **request)


class Reader(locust.HttpUser):
    """Somebody who really asks, once."""

    wait_time = locust.constant(60)

    @locust.task
    def read(self) -> None:
        self.client.get("/mine")


class Member(UserMixin):
    """Who signs in."""

    def __init__(self, name: str) -> None:
        self.id = name


def make_app(folder: Path) -> Flask:
    test = Environment(user_classes=[Drinker], host="http://kettle.example.org", locustfile="drinkers.py")
    test.create_local_runner()
    page = test.create_web_ui("127.0.0.1", 0, delayed_start=True)
    app = page.app
    app.extensions["test"] = test

    @app.get("/mine")
    @page.auth_required_if_enabled
    def mine() -> str:
        return f"A page of one's own, for {request.remote_addr}"

    return app


def wait_for(happened: t.Callable[[], t.Any]) -> None:
    with gevent.Timeout(10):
        while not happened():
            gevent.sleep(0.02)


def play(visitor: Visitor) -> None:
    look(visitor)
    run_a_test(visitor)
    sign_in(visitor)
    serve(visitor)


def look(visitor: Visitor) -> None:
    page = visitor.get("/").text
    assert "<title>Locust</title>" in page
    assert "http://kettle.example.org" in page
    assert visitor.get("/mine").text == "A page of one's own, for 127.0.0.1"
    script = next(path.name for path in Path(DEFAULT_BUILD_PATH, "assets").glob("*.js"))
    # Larger than a transcript has to be.
    answer = visitor.client.get(f"/assets/{script}")
    visitor.note("script", [answer.status, answer.content_type, len(answer.data)])
    assert visitor.get("/assets/none.js").status_code == 404
    assert visitor.get("/nothing").status_code == 404
    assert visitor.get("/stop").status_code == 405
    assert visitor.get("/stats/requests_full_history/csv").status_code == 404
    assert visitor.get("/login").location == "/"


def run_a_test(visitor: Visitor) -> None:
    test = visitor.app.extensions["test"]
    started = visitor.post(
        "/swarm", data={"user_count": "3", "spawn_rate": "100", "host": "http://pot.example.org"}
    )
    assert started.json["success"] is True
    wait_for(lambda: test.runner.stats.total.num_requests == 6 and test.runner.state == "running")
    origin = "https://board.example.org"
    assert visitor.get("/mine", headers={"Origin": origin}).access_control_allow_origin == origin
    numbers = visitor.get("/stats/requests").json
    assert (numbers["state"], numbers["user_count"], numbers["fail_ratio"]) == ("running", 3, 0.5)
    assert [one["name"] for one in numbers["stats"]] == ["/brew", "/pour", "Aggregated"]
    assert numbers["errors"][0]["occurrences"] == 3
    assert visitor.get("/tasks").json["per_class"] == {
        "Drinker": {"ratio": 1.0, "tasks": {"drink": {"ratio": 1.0}}}
    }
    assert visitor.post("/stop").json == {"success": True, "message": "Test stopped"}
    failures = visitor.get("/stats/failures/csv")
    assert failures.mimetype == "text/csv"
    assert "ValueError('the pot is empty'),3" in failures.text
    assert visitor.get("/exceptions/csv").text.startswith("Count,Message")
    # Rates and percentiles over time are in these.
    table = visitor.client.get("/stats/requests/csv")
    visitor.note("table", [line.split(",")[:5] for line in table.text.splitlines()])
    report = visitor.client.get("/stats/report?download=1&theme=dark")
    assert "the pot is empty" in report.text
    assert report.headers["Content-Disposition"].startswith("attachment;filename=Locust_")
    visitor.note("report", [report.status, report.content_type, "window.templateArgs" in report.text])
    assert visitor.post("/stats/reset").text == "ok"
    assert test.runner.stats.total.num_requests == 0


def sign_in(visitor: Visitor) -> None:
    closed = Environment(user_classes=[Drinker])
    closed.create_local_runner()
    page = closed.create_web_ui("127.0.0.1", 0, delayed_start=True, web_login=True)
    page.app.secret_key = "only for this scenario"
    page.login_manager.user_loader(Member)
    page.auth_args = {"username_password_callback": "/enter"}

    @page.app.post("/enter")
    def enter() -> t.Any:
        login_user(Member(request.form["name"]))
        return redirect(url_for("locust.index"))

    @page.app.get("/who")
    @page.auth_required_if_enabled
    def who() -> str:
        return current_user.id

    guest = type(visitor)(page.app, visitor.protocol, visitor.folder, visitor.transcript, VARIES)
    assert guest.get("/").location == "/login?next=%2F"
    assert guest.post("/swarm").status_code == 302
    assert "/enter" in guest.get("/login").text
    assert guest.post("/enter", data={"name": "ada"}).location == "/"
    assert guest.get("/who").text == "ada"
    assert guest.get("/worker-count").json == {"worker_count": 0}
    closed.runner.quit()


def serve(visitor: Visitor) -> None:
    """Serve the page with gevent's server, as locust does, and let its own users visit it."""
    page = visitor.app.extensions["test"].web_ui
    page.start()
    wait_for(lambda: page.server and page.server.started)
    url = f"http://127.0.0.1:{page.server.server_port}"
    with urlopen(f"{url}/mine", timeout=10) as answer:
        visitor.note("over gevent", [answer.status, answer.read().decode()])
    load = Environment(user_classes=[Reader], host=url)
    load.create_local_runner().start(5, spawn_rate=100)
    wait_for(lambda: load.stats.total.num_requests == 5)
    load.runner.quit()
    page.stop()
    read = load.stats.get("/mine", "GET")
    visitor.note("read", [read.num_requests, read.num_failures, read.total_content_length])
    assert (read.num_requests, read.num_failures) == (5, 0)
