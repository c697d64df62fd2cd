from __future__ import annotations

import gc
import typing as t

import flask
import pytest

import chapter_09
import erlen
from chapter_09 import Sapling, render_template_string, request_started
from framework_support import CHAPTERS, ask, chapter, new_app
from solutions.chapter_09 import captured_templates
from tally import Tally


def apps() -> list[t.Any]:
    ours = [new_app(chapter(number)) for number in CHAPTERS if number >= 9]
    return [*ours, new_app(erlen), flask.Flask("framework_example")]


@pytest.mark.parametrize("app", apps(), ids=lambda app: type(app).__module__)
def test_an_extension_works_with_each_framework(app: t.Any) -> None:
    Tally(app)
    client = app.test_client() if hasattr(app, "test_client") else None
    get = client.get if client else lambda path: ask(app, path)
    get("/nowhere")
    get("/tally")
    assert get("/tally").json == {"200": 1, "404": 1}


def test_one_extension_serves_two_applications() -> None:
    tally, one, two = Tally(), new_app(chapter_09), new_app(chapter_09)
    two.config["TALLY_PATH"] = "/counts"
    tally.init_app(one)
    tally.init_app(two)
    ask(one, "/nowhere")
    assert ask(two, "/counts").json == {}
    assert ask(one, "/tally").json == {"404": 1}


def broken() -> str:
    raise ValueError("broken")


@pytest.mark.parametrize("number", [number for number in CHAPTERS if number >= 9])
def test_signals_are_sent_as_by_erlen(number: int) -> None:
    told: list[list[str]] = []
    for framework in (chapter(number), erlen):
        app, heard = new_app(framework), list[str]()
        app.add_url_rule("/", "index", lambda: "index")
        app.add_url_rule("/broken", "broken", broken)

        def hear(name: str, heard: list[str] = heard) -> t.Callable[..., None]:
            return lambda sender, **values: heard.append(f"{name} {sorted(values)}")

        listening = [hear(name) for name in ("request_started", "request_finished", "got_request_exception")]
        for name, listener in zip(
            ("request_started", "request_finished", "got_request_exception"), listening, strict=True
        ):
            getattr(framework, name).connect(listener, app)
        ask(app, "/")
        ask(app, "/broken")
        told.append(heard)
    assert told[0] == told[1]
    assert told[0][:2] == ["request_started []", "request_finished ['response']"]


def test_a_function_that_nobody_keeps_is_not_told() -> None:
    app, heard = Sapling("framework_example"), list[str]()

    def connect() -> None:
        def hear(sender: Sapling) -> None:
            heard.append("heard")

        request_started.connect(hear, app)

    connect()
    gc.collect()
    ask(app, "/")
    assert heard == []


def test_rendered_templates_can_be_collected() -> None:
    app = Sapling("framework_example")
    app.route("/", endpoint="index")(lambda: render_template_string("text"))
    with captured_templates(app) as names:
        ask(app, "/")
    ask(app, "/")
    assert names == [None]
