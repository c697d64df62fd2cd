"""Functions of a file as servers of their own: HTTP, typed, events of the cloud, crashes, ids in the log, its own server."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import typing as t
from contextlib import redirect_stdout
from pathlib import Path
from urllib.request import Request, urlopen

from functions_framework import create_app

if t.TYPE_CHECKING:
    from flask import Flask

    from visitor import Visitor

DISTRIBUTIONS = ["functions-framework"]
APPLICATION = True

# What the framework makes up where the caller gives no id.
VARIES = ((r'(made up":"|Function-Execution-Id: )\w{12}\b', r"\1<id>"),)

#: The source file, as it is deployed.
FUNCTIONS = '''\
"""What somebody puts into the cloud."""

from dataclasses import dataclass
from pathlib import Path

import flask
import functions_framework


@functions_framework.http
def greet(request):
    if request.path == "/json":
        return {"query": request.args.to_dict(), "sent": request.get_json(silent=True)}
    if request.path == "/page":
        return flask.render_template("page.html", name=request.args["name"])
    if request.path == "/crash":
        raise ValueError("no tea left")
    name = request.args.get("name", "you")
    return f"Hello {name}, this is {request.method} {flask.request.path}, {flask.current_app.name}\\n"


@functions_framework.errorhandler(ZeroDivisionError)
def divided(error):
    return f"No: {error}", 418


@functions_framework.http
def divide(request):
    return str(1 // int(request.args["by"]))


@functions_framework.http
def who(request):
    print("somebody asks")
    return {request.args["as"]: request.headers["Function-Execution-Id"]}


@dataclass
class Order:
    tea: str
    cups: int

    @staticmethod
    def from_dict(content):
        return Order(content["tea"], content["cups"])

    def to_dict(self):
        return {"tea": self.tea.upper(), "cups": self.cups + 1}


@functions_framework.typed(Order)
def order(order):
    return order


@functions_framework.cloud_event
def stored(event):
    Path(__file__).with_name("events").write_text(f"{event['type']} of {event['source']}: {event.data}")


def published(data, context):
    Path(__file__).with_name("events").write_text(f"{context.event_type} {context.event_id}: {data['word']}")
'''


def make_app(folder: Path, function: str = "greet", kind: str | None = None) -> Flask:
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "templates" / "page.html").write_text("<p>Hello {{ name }}")
    source = folder / "main.py"
    source.write_text(FUNCTIONS)
    return create_app(function, str(source), kind)


def of(visitor: Visitor, function: str, kind: str | None = None) -> Visitor:
    """Return a visitor of another function: each is an application."""
    app = make_app(visitor.folder, function, kind)
    return type(visitor)(app, visitor.protocol, visitor.folder, visitor.transcript, VARIES)


def play(visitor: Visitor) -> None:
    call(visitor)
    call_with_objects(visitor)
    send_events(visitor)
    follow_the_log(visitor)
    start_its_server(visitor)


def call(visitor: Visitor) -> None:
    assert visitor.get("/?name=Ada").text == "Hello Ada, this is GET /, greet\n"
    assert visitor.put("/any/path").text == "Hello you, this is PUT /any/path, greet\n"
    # It answers every method, also one that nobody has heard of.
    assert visitor.ask("BREW", "/").text == "Hello you, this is BREW /, greet\n"
    assert visitor.ask("HEAD", "/").content_length == len("Hello you, this is HEAD /, greet\n")
    assert visitor.post("/json?cups=2", json={"tea": "oolong"}).json == {
        "query": {"cups": "2"},
        "sent": {"tea": "oolong"},
    }
    assert visitor.get("/page?name=<Ada>").text == "<p>Hello &lt;Ada&gt;"
    assert visitor.get("/robots.txt").status_code == 404
    crashed = visitor.get("/crash")
    assert (crashed.status_code, crashed.headers["X-Google-Status"]) == (500, "crash")
    divide = of(visitor, "divide")
    assert divide.get("/?by=1").text == "1"
    assert divide.get("/?by=0").status_code == 418
    # Whoever does not name a request gets a name, by middleware around the application.
    who = of(visitor, "who")
    assert who.get("/?as=given", headers={"Function-Execution-Id": "abc"}).json == {"given": "abc"}
    assert len(who.get("/?as=made up").json["made up"]) == 12


def call_with_objects(visitor: Visitor) -> None:
    order = of(visitor, "order")
    assert json.loads(order.post("/", json={"tea": "oolong", "cups": 1}).text) == {"tea": "OOLONG", "cups": 2}
    assert order.post("/", json={"tea": "oolong"}).status_code == 500
    assert order.post("/", data="no JSON").status_code == 500
    assert order.get("/").status_code == 405


def send_events(visitor: Visitor) -> None:
    events = visitor.folder / "events"
    stored = of(visitor, "stored")
    headers = {"ce-id": "1", "ce-source": "shelf", "ce-type": "org.example.stored", "ce-specversion": "1.0"}
    assert stored.post("/", json={"tea": "oolong"}, headers=headers).text == "OK"
    assert events.read_text() == "org.example.stored of shelf: {'tea': 'oolong'}"
    whole = {name.removeprefix("ce-"): value for name, value in headers.items()} | {"data": "all in one"}
    assert stored.post("/", json=whole, content_type="application/cloudevents+json").text == "OK"
    assert events.read_text() == "org.example.stored of shelf: all in one"
    refused = stored.post("/", json={"tea": "oolong"})
    assert refused.status_code == 400
    assert "parsing CloudEvent failed" in refused.text

    published = of(visitor, "published", "event")
    event = {"context": {"eventId": "7", "eventType": "org.example.said"}, "data": {"word": "tea"}}
    assert published.post("/", json=event).text == "OK"
    assert events.read_text() == "org.example.said 7: tea"
    assert published.post("/", json={}).status_code == 400
    assert published.get("/").text == ""


def follow_the_log(visitor: Visitor) -> None:
    os.environ["LOG_EXECUTION_ID"] = "true"
    with redirect_stdout(io.StringIO()) as printed:
        who = of(visitor, "who")
        who.get("/?as=given", headers={"Function-Execution-Id": "abc"})
    del os.environ["LOG_EXECUTION_ID"]
    assert json.loads(printed.getvalue()) == {
        "message": "somebody asks",
        "logging.googleapis.com/labels": {"execution_id": "abc"},
    }


def start_its_server(visitor: Visitor) -> None:
    """Start gunicorn by the command, with the interpreter and the options that this process was started with."""
    options = sys.orig_argv[1 : sys.orig_argv.index(sys.argv[0])]
    command = [sys.executable, *options, "-m", "functions_framework", "--target", "greet", "--port", "0"]
    with subprocess.Popen(
        [*command, "--host", "127.0.0.1"],
        cwd=visitor.folder,
        env=os.environ | {"GUNICORN_LOG_LEVEL": "info"},
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            line = next(line for line in server.stderr if "Listening at: " in line)
            url = line.split()[-2]
            with urlopen(f"{url}/tea?name=Ada", timeout=10) as answer:
                greeting = answer.read().decode()
            sent = Request(f"{url}/json", b"[1]", {"Content-Type": "application/json"})
            with urlopen(sent, timeout=10) as answer:
                visitor.note("over gunicorn", [greeting, answer.status, answer.read().decode()])
        finally:
            server.terminate()
            rest = server.stderr.read()
    assert greeting == "Hello Ada, this is GET /tea, greet\n"
    assert "Shutting down" in rest
