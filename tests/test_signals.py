"""Each signal: who is told, of what, and when."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import typing as t
from pathlib import Path

import blinker
import pytest

import erlen.signals
from erlen import (
    Erlen,
    appcontext_popped,
    appcontext_pushed,
    appcontext_tearing_down,
    before_render_template,
    flash,
    g,
    got_request_exception,
    has_app_context,
    message_flashed,
    render_template,
    render_template_string,
    request,
    request_finished,
    request_started,
    request_tearing_down,
    stream_with_context,
    template_rendered,
)
from erlen.ctx import context_var
from erlen.signals import RequestSignal, listened
from erlen.testing import ErlenClient

SIGNALS: dict[str, t.Any] = {
    "appcontext_popped": appcontext_popped,
    "appcontext_pushed": appcontext_pushed,
    "appcontext_tearing_down": appcontext_tearing_down,
    "before_render_template": before_render_template,
    "got_request_exception": got_request_exception,
    "message_flashed": message_flashed,
    "request_finished": request_finished,
    "request_started": request_started,
    "request_tearing_down": request_tearing_down,
    "template_rendered": template_rendered,
}


@pytest.fixture(autouse=True)
def quiet() -> t.Iterator[None]:
    """Keep errors that are meant to be out of the log: its records would keep their frames alive."""
    logger = logging.getLogger("erlen_test")
    logger.disabled = True
    yield
    logger.disabled = False


@contextlib.contextmanager
def recorded(app: Erlen, *names: str) -> t.Generator[list[tuple[str, dict[str, t.Any]]]]:
    """Record name and arguments of what an application sends; without names, of all signals."""
    log: list[tuple[str, dict[str, t.Any]]] = []
    with contextlib.ExitStack() as stack:
        for name in names or SIGNALS:

            def receive(sender: t.Any, _name: str = name, **arguments: t.Any) -> None:
                assert sender is app
                log.append((_name, arguments))

            stack.enter_context(SIGNALS[name].connected_to(receive, app))
        yield log


def index() -> str:
    flash("message", "category")
    return render_template_string("{{ name }}", name="value")


@pytest.mark.parametrize("name", SIGNALS)
def test_signal_is_blinkers_and_named_as_documented(name: str) -> None:
    signal = SIGNALS[name]
    assert isinstance(signal, blinker.NamedSignal)
    assert signal.name == name.replace("_", "-")
    assert getattr(erlen.signals, name) is signal


@pytest.mark.parametrize("name", SIGNALS)
def test_signal_of_the_same_name_in_another_namespace_is_another(name: str) -> None:
    assert blinker.signal(SIGNALS[name].name) is not SIGNALS[name]


def test_signals_of_a_request_in_their_order(app: Erlen, client: ErlenClient) -> None:
    app.secret_key = "key"
    app.add_url_rule("/", "index", index)
    with recorded(app) as log:
        client.get("/")
    assert [name for name, _ in log] == [
        "appcontext_pushed",
        "request_started",
        "message_flashed",
        "before_render_template",
        "template_rendered",
        "request_finished",
        "request_tearing_down",
        "appcontext_tearing_down",
        "appcontext_popped",
    ]


def test_signals_of_a_context_without_a_request(app: Erlen) -> None:
    with recorded(app) as log, app.app_context():
        assert [name for name, _ in log] == ["appcontext_pushed"]
    assert log == [
        ("appcontext_pushed", {}),
        ("appcontext_tearing_down", {"exc": None}),
        ("appcontext_popped", {}),
    ]


def test_signals_of_a_request_that_fails(app: Erlen) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    error = LookupError("view")

    @app.route("/")
    def fail() -> str:
        raise error

    names = (
        "request_started",
        "got_request_exception",
        "request_finished",
        "request_tearing_down",
        "appcontext_tearing_down",
    )
    with recorded(app, *names) as log:
        response = app.test_client().get("/")
    assert response.status_code == 500
    sent = log[2][1].pop("response")
    assert sent.status_code == 500
    assert log == [
        ("request_started", {}),
        ("got_request_exception", {"exception": error}),
        ("request_finished", {}),
        ("request_tearing_down", {"exc": error}),
        ("appcontext_tearing_down", {"exc": error}),
    ]


def test_got_request_exception_is_sent_when_it_is_propagated(app: Erlen, client: ErlenClient) -> None:
    @app.route("/")
    def fail() -> str:
        raise LookupError("view")

    with recorded(app, "got_request_exception", "request_finished") as log:
        with pytest.raises(LookupError) as caught:
            client.get("/")
    assert log == [("got_request_exception", {"exception": caught.value})]


def test_got_request_exception_is_sent_before_the_handler_for_500(app: Erlen) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    log: list[str] = []

    @app.errorhandler(500)
    def handle(error: Exception) -> t.Any:
        log.append("handler")
        return "text", 500

    @app.route("/")
    def fail() -> str:
        raise LookupError

    def receive(sender: Erlen, exception: Exception) -> None:
        log.append(f"signal {request.path}")

    with got_request_exception.connected_to(receive, app):
        app.test_client().get("/")
    assert log == ["signal /", "handler"]


@pytest.mark.parametrize("path", ["/handled", "/nowhere"])
def test_got_request_exception_is_not_sent_for_what_is_answered(
    app: Erlen, client: ErlenClient, path: str
) -> None:
    app.register_error_handler(LookupError, lambda error: "handled")

    @app.route("/handled")
    def fail() -> str:
        raise LookupError

    with recorded(app, "got_request_exception") as log:
        client.get(path)
    assert log == []


def test_request_started_is_sent_before_the_first_hook(app: Erlen, client: ErlenClient) -> None:
    log: list[str] = []
    app.before_request(lambda: log.append("before_request"))

    @app.route("/<name>")
    def view(name: str) -> str:
        log.append("view")
        return name

    def receive(sender: Erlen) -> None:
        log.append(f"signal {request.endpoint} {request.view_args}")

    with request_started.connected_to(receive, app):
        client.get("/Ada")
    assert log == ["signal view {'name': 'Ada'}", "before_request", "view"]


def test_request_finished_is_sent_after_the_last_hook_with_the_response(
    app: Erlen, client: ErlenClient
) -> None:
    app.secret_key = "key"
    app.add_url_rule("/", "index", index)

    @app.after_request
    def replace(response: t.Any) -> t.Any:
        return app.response_class("replaced")

    seen: list[t.Any] = []

    def receive(sender: Erlen, response: t.Any) -> None:
        seen.append((response.get_data(as_text=True), "Set-Cookie" in response.headers))
        response.headers["X-Signal"] = "seen"

    with request_finished.connected_to(receive, app):
        response = client.get("/")
    assert seen == [("replaced", True)]
    assert response.headers["X-Signal"] == "seen"


def test_appcontext_pushed_and_popped_see_the_context_and_its_absence(app: Erlen) -> None:
    seen: list[t.Any] = []

    def pushed(sender: Erlen) -> None:
        seen.append(context_var.get(None))
        g.name = "set by a receiver"

    def popped(sender: Erlen) -> None:
        seen.append(context_var.get(None))

    with appcontext_pushed.connected_to(pushed, app), appcontext_popped.connected_to(popped, app):
        with app.app_context() as context:
            assert g.name == "set by a receiver"
    assert seen == [context, None]


def test_tearing_down_signals_see_the_context(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "view", lambda: g.setdefault("name", "value"))
    seen: list[str] = []

    def receive(sender: Erlen, exc: BaseException | None) -> None:
        seen.append(f"{request.path} {g.name}")

    with (
        request_tearing_down.connected_to(receive, app),
        appcontext_tearing_down.connected_to(receive, app),
    ):
        client.get("/")
    assert seen == ["/ value", "/ value"]


def test_tearing_down_signals_wait_for_the_end_of_a_stream(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "view", lambda: stream_with_context(iter("abc")))
    with recorded(app, "request_tearing_down", "appcontext_tearing_down") as log:
        response = client.get("/")
        assert log == []
        response.close()
        assert log == [("request_tearing_down", {"exc": None}), ("appcontext_tearing_down", {"exc": None})]


def test_message_flashed_has_message_and_category(app: Erlen) -> None:
    app.secret_key = "key"
    with recorded(app, "message_flashed") as log, app.test_request_context("/"):
        flash("plain")
        flash("wrong", "error")
    assert log == [
        ("message_flashed", {"message": "plain", "category": "message"}),
        ("message_flashed", {"message": "wrong", "category": "error"}),
    ]


def test_template_signals_have_template_and_context(app: Erlen, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("{{ name }}")
    app.template_folder = str(tmp_path)
    with recorded(app, "before_render_template", "template_rendered") as log, app.app_context():
        assert render_template("page.html", name="value") == "value"
    assert [name for name, _ in log] == ["before_render_template", "template_rendered"]
    for _, arguments in log:
        assert set(arguments) == {"template", "context"}
        assert arguments["template"].name == "page.html"
        assert arguments["context"]["name"] == "value"


def test_before_render_template_can_change_the_context(app: Erlen) -> None:
    def receive(sender: Erlen, template: t.Any, context: dict[str, t.Any]) -> None:
        context["name"] = "changed"

    with before_render_template.connected_to(receive, app), app.app_context():
        assert render_template_string("{{ name }}", name="value") == "changed"


def test_receiver_of_one_application_is_not_told_of_another(app: Erlen) -> None:
    other = Erlen("other", root_path=".")
    for one in (app, other):
        one.add_url_rule("/", "view", lambda: "text")
    with recorded(app) as log:
        assert other.test_client().get("/").text == "text"
        assert log == []
        app.test_client().get("/")
        assert log


def test_receiver_of_any_sender_is_told_of_all_applications(app: Erlen) -> None:
    other = Erlen("other", root_path=".")
    senders: list[t.Any] = []

    def receive(sender: Erlen) -> None:
        senders.append(sender)

    with appcontext_pushed.connected_to(receive):
        for one in (app, other):
            with one.app_context():
                pass
    assert senders == [app, other]


@pytest.mark.parametrize("name", SIGNALS)
def test_async_receiver_of_each_signal(app: Erlen, name: str) -> None:
    app.config.update(SECRET_KEY="key", PROPAGATE_EXCEPTIONS=False)
    app.add_url_rule("/", "index", index)

    @app.route("/fail")
    def fail() -> str:
        raise LookupError

    seen: list[t.Any] = []

    async def receive(sender: t.Any, **arguments: t.Any) -> None:
        await asyncio.sleep(0)
        seen.append(sender)

    with SIGNALS[name].connected_to(receive, app):
        app.test_client().get("/fail" if name == "got_request_exception" else "/")
    assert seen == [app]


def test_async_receiver_goes_through_ensure_sync_of_the_application() -> None:
    wrapped: list[str] = []

    class Counting(Erlen):
        def ensure_sync(self, func: t.Any) -> t.Any:
            wrapped.append(func.__name__)
            return super().ensure_sync(func)

    async def receive(sender: t.Any) -> None:
        """Do nothing."""

    app = Counting("counting", root_path=".")
    with appcontext_pushed.connected_to(receive, app), app.app_context():
        pass
    assert wrapped == ["receive"]


def test_nothing_is_sent_while_nobody_listens(app: Erlen, client: ErlenClient) -> None:
    """What is sent to nobody costs a fifth of a request; ``send`` is looked at through a subclass."""
    app.config.update(SECRET_KEY="key")
    app.add_url_rule("/", "index", index)
    sent: list[str] = []

    class Counting(RequestSignal):
        def send(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
            sent.append(self.name)
            return super().send(*args, **kwargs)

    def receive(sender: t.Any, **arguments: t.Any) -> None:
        """Do nothing."""

    # Receivers that other tests have left connected are somebody who listens.
    kept = {signal: (type(signal), signal.receivers) for signal in SIGNALS.values()}
    for signal in kept:
        signal.__class__, signal.receivers = Counting, {}
    try:
        client.get("/")
        assert sent == []
        with request_started.connected_to(receive, app):
            client.get("/")
        assert sent == ["request-started"]
    finally:
        for signal, (kind, receivers) in kept.items():
            signal.__class__, signal.receivers = kind, receivers


def test_receiver_connected_after_the_first_request_is_told(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "view", lambda: "text")
    client.get("/")
    with recorded(app) as log:
        client.get("/")
    assert len(log) == 6
    client.get("/")
    assert len(log) == 6


def test_receiver_is_told_inside_a_disconnecting_one(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "view", lambda: "text")
    seen: list[str] = []

    def once(sender: t.Any) -> None:
        seen.append("once")
        request_started.disconnect(once, app)

    request_started.connect(once, app)
    client.get("/")
    client.get("/")
    assert seen == ["once"]


@pytest.mark.parametrize("name", ["request_started", "request_finished"])
def test_receiver_that_raises_is_an_error_of_the_request(app: Erlen, name: str) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.add_url_rule("/", "view", lambda: "text")

    def refuse(sender: t.Any, **arguments: t.Any) -> None:
        raise LookupError

    with SIGNALS[name].connected_to(refuse, app):
        assert app.test_client().get("/").status_code == 500
    assert not has_app_context()
    assert app.test_client().get("/").text == "text"


def test_receiver_of_popped_that_raises_leaves_nothing_pushed(app: Erlen) -> None:
    def refuse(sender: t.Any) -> None:
        raise LookupError("popped")

    with appcontext_popped.connected_to(refuse, app):
        with pytest.raises(LookupError, match="popped"), app.app_context():
            pass
    assert not has_app_context()


def test_receivers_that_were_freed_are_forgotten(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "view", lambda: "text")

    def receive(sender: t.Any, **arguments: t.Any) -> None:
        """Do nothing."""

    before = set(listened)
    request_started.connect(receive, app)
    assert "request-started" in listened
    del receive
    client.get("/")
    assert set(listened) == before - {"request-started"}
