"""Threads, greenlets, tasks and applications see their own, also at the first request and while it changes."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import sys
import threading
import traceback
import typing as t
import weakref

import pytest
from greenlet import greenlet  # type: ignore[import-untyped]
from werkzeug.exceptions import Conflict, NotFound
from werkzeug.test import create_environ

from erlen import (
    Blueprint,
    Erlen,
    current_app,
    g,
    got_request_exception,
    has_app_context,
    render_template_string,
    request,
    request_started,
    session,
    stream_with_context,
    url_for,
)
from erlen.json.provider import DefaultJSONProvider
from erlen.testing import ErlenClient


def in_threads(*functions: t.Callable[[], t.Any], timeout: float = 30) -> list[t.Any]:
    """Call functions on threads that start together; return their results, or raise the first error."""
    results: list[t.Any] = [None] * len(functions)
    errors: list[BaseException] = []
    barrier = threading.Barrier(len(functions))

    def run(number: int) -> None:
        try:
            barrier.wait(timeout)
            results[number] = functions[number]()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(functions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]
    return results


@pytest.fixture
def frequent_switches() -> t.Iterator[None]:
    """Let threads take turns far more often than usual, so that a race shows."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


def make_app(name: str = "instance", **config: t.Any) -> Erlen:
    """Make one of several instances, as an application factory does."""
    app = Erlen(name, root_path=".")
    app.config.update(config)

    @app.route("/")
    def index() -> t.Any:
        return {"key": app.config.get("KEY"), "same": current_app == app}

    @app.route("/login/<name>")
    def login(name: str) -> str:
        session["name"] = name
        return name

    @app.route("/who")
    def who() -> str:
        return str(session.get("name"))

    return app


# One application: threads, greenlets, tasks


def meeting_app(meet: t.Callable[[], object]) -> Erlen:
    """Return an application whose view waits for the others in the middle."""
    app = Erlen("meeting", root_path=".")
    app.config.update(SECRET_KEY="key", TESTING=True)

    @app.route("/<name>")
    def index(name: str) -> t.Any:
        g.name = name
        session["name"] = name
        before = request._get_current_object()  # type: ignore[attr-defined]
        meet()
        same = before is request._get_current_object()  # type: ignore[attr-defined]
        return [name, g.name, session["name"], request.path, same]

    return app


def expected(name: str) -> list[t.Any]:
    return [name, name, name, f"/{name}", True]


def test_threads_see_their_own_request_g_and_session() -> None:
    names = "abcd"
    barrier = threading.Barrier(len(names))
    app = meeting_app(lambda: barrier.wait(30))
    answers = in_threads(*(lambda name=name: app.test_client().get(f"/{name}").json for name in names))
    assert answers == [expected(name) for name in names]


@pytest.mark.protocol("wsgi")
def test_greenlets_see_their_own_request_g_and_session() -> None:
    names = "abcd"
    main = greenlet.getcurrent()
    app = meeting_app(main.switch)
    workers = [greenlet(lambda name=name: app.test_client().get(f"/{name}").json) for name in names]
    for worker in workers:
        worker.switch()
        assert not has_app_context()
    assert [worker.switch() for worker in workers] == [expected(name) for name in names]


@pytest.mark.protocol("wsgi")
def test_greenlets_that_end_in_another_order_than_they_began() -> None:
    names = "abc"
    main = greenlet.getcurrent()
    app = meeting_app(main.switch)
    workers = {name: greenlet(lambda name=name: app.test_client().get(f"/{name}").json) for name in names}
    for worker in workers.values():
        worker.switch()
    assert [workers[name].switch() for name in "bca"] == [expected(name) for name in "bca"]


def test_asyncio_tasks_see_their_own_request_g_and_session() -> None:
    app = Erlen("tasks", root_path=".")
    app.secret_key = "key"

    async def work(name: str) -> list[t.Any]:
        with app.test_request_context(f"/{name}"):
            g.name = session["name"] = name
            before = request._get_current_object()  # type: ignore[attr-defined]
            await asyncio.sleep(0.001)
            same = before is request._get_current_object()  # type: ignore[attr-defined]
            return [name, g.name, session["name"], request.path, same]

    async def main() -> list[list[t.Any]]:
        return await asyncio.gather(*(work(name) for name in "abc"))

    assert asyncio.run(main()) == [expected(name) for name in "abc"]
    assert not has_app_context()


def test_new_thread_has_no_context(app: Erlen) -> None:
    with app.test_request_context("/"):
        assert in_threads(has_app_context, has_app_context) == [False, False]


def test_one_request_after_another_leaves_nothing_of_g_and_session(app: Erlen, client: ErlenClient) -> None:
    app.secret_key = "key"

    @app.route("/<name>")
    def index(name: str) -> t.Any:
        return [g.setdefault("name", name), session.setdefault("name", name)]

    anonymous = app.test_client(use_cookies=False)
    assert [anonymous.get(f"/{name}").json for name in "ab"] == [["a", "a"], ["b", "b"]]
    assert [client.get(f"/{name}").json for name in "ab"] == [["a", "a"], ["b", "a"]]


# The first requests, and changes while requests run


@pytest.mark.usefixtures("frequent_switches")
def test_first_requests_of_many_threads_are_all_answered() -> None:
    for _ in range(10):
        app = Erlen("freezing", root_path=".")
        app.config.update(SECRET_KEY="key", TESTING=True)
        part = Blueprint("part", "part", root_path=".", url_prefix="/part")
        log: list[str] = []

        def note(name: str, log: list[str] = log) -> t.Callable[..., None]:
            return lambda *args: log.append(name)

        app.before_request(note("before"))
        app.teardown_request(note("teardown"))
        part.before_request(note("part"))

        @app.after_request
        def after(response: t.Any) -> t.Any:
            response.headers["X-After"] = "after"
            return response

        for number in range(20):
            app.add_url_rule(f"/{number}/<name>", f"view{number}", lambda name, n=number: f"{n} {name}")
            part.add_url_rule(f"/{number}/<name>", f"view{number}", lambda name, n=number: f"part {n} {name}")
        app.register_blueprint(part)

        def work(number: int, app: Erlen = app) -> list[t.Any]:
            client = app.test_client()
            responses = [
                client.get(path) for path in (f"/{number}/a", f"/part/{number}/b", f"/{number}", "/nowhere")
            ]
            assert {response.headers["X-After"] for response in responses} == {"after"}
            return [
                response.text if response.status_code == 200 else response.status_code
                for response in responses
            ]

        answers = in_threads(*(lambda number=number: work(number) for number in range(8)))
        assert answers == [[f"{n} a", f"part {n} b", 404, 404] for n in range(8)]
        assert {name: log.count(name) for name in ("before", "teardown", "part")} == {
            "before": 32,
            "teardown": 32,
            "part": 8,
        }


@pytest.mark.usefixtures("frequent_switches")
def test_views_and_hooks_put_in_while_threads_send_requests() -> None:
    app = Erlen("changing", root_path=".")
    app.config.update(TESTING=True)
    for name in "ab":
        app.add_url_rule(f"/{name}", name, lambda name=name: f"{name} 0")
    stop = threading.Event()

    def request_all(name: str) -> int:
        client = app.test_client()
        seen = -1
        while True:
            last = stop.is_set()
            response = client.get(f"/{name}")
            assert response.status_code == 200
            text, _, number = response.text.partition(" ")
            # What was put in before this request began is seen, and nothing older comes back.
            assert text == name and int(number) >= seen
            seen = int(number)
            if last:
                return seen

    def change() -> int:
        try:
            for number in range(1, 61):
                for name in "ab":
                    app.view_functions[name] = lambda name=name, number=number: f"{name} {number}"
                app.before_request_funcs.setdefault(None, []).append(lambda: None)
                app.teardown_request_funcs[None].append(lambda exc: None)
                app.config["CONTENT_TYPE_OPTIONS"] = None if number % 2 else "nosniff"
        finally:
            stop.set()
        return 60

    assert in_threads(lambda: request_all("a"), lambda: request_all("b"), change) == [60, 60, 60]


@pytest.mark.usefixtures("frequent_switches")
def test_thawing_while_threads_send_requests() -> None:
    app = make_app(TESTING=True, KEY="value")
    stop = threading.Event()

    def send() -> set[int]:
        client = app.test_client()
        statuses: set[int] = set()
        while True:
            statuses |= {client.get(path).status_code for path in ("/", "/who", "/nowhere")}
            if stop.is_set():
                return statuses

    def thaw() -> None:
        try:
            for _ in range(150):
                app._thaw()
                app.freeze()
        finally:
            stop.set()

    assert in_threads(send, send, thaw)[:2] == [{200, 404}, {200, 404}]


def test_change_made_while_a_plan_is_made_is_not_lost(app: Erlen) -> None:
    """A hook registered from inside the freezing of another thread is in the next request's plan."""
    ready, go = threading.Event(), threading.Event()

    class Slow(Erlen):
        def ensure_sync(self, func: t.Any) -> t.Any:
            if getattr(func, "__name__", "") == "slow_teardown" and not ready.is_set():
                ready.set()
                go.wait(30)
            return super().ensure_sync(func)

    slow = Slow("slow", root_path=".")
    slow.testing = True
    told: list[str] = []

    @slow.teardown_appcontext
    def slow_teardown(exc: BaseException | None) -> None:
        told.append("first")

    slow.add_url_rule("/", "index", lambda: "text")

    def late() -> None:
        assert ready.wait(30)
        changing = threading.Thread(
            target=lambda: slow.teardown_appcontext_funcs.append(lambda exc: told.append("late"))
        )
        changing.start()
        go.set()
        changing.join(30)

    in_threads(lambda: slow.test_client().get("/"), late)
    told.clear()
    slow.test_client().get("/")
    assert told == ["late", "first"]


def test_plan_is_made_once_and_kept(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: "text")
    client.get("/")
    plan = app.plan
    assert plan is not None
    app.config["OF_AN_EXTENSION"] = 1
    app.extensions["extension"] = object()
    client.get("/")
    client.get("/nowhere")
    assert app.plan is plan


# Two applications


def test_instances_of_one_factory_have_their_own_configuration() -> None:
    one, two = make_app(KEY="one"), make_app(KEY="two")
    for _ in range(2):
        assert one.test_client().get("/").json == {"key": "one", "same": True}
        assert two.test_client().get("/").json == {"key": "two", "same": True}
    one.config["CONTENT_TYPE_OPTIONS"] = None
    assert "X-Content-Type-Options" not in one.test_client().get("/").headers
    assert two.test_client().get("/").headers["X-Content-Type-Options"] == "nosniff"


def test_mutable_defaults_of_the_configuration_are_not_shared() -> None:
    one, two = make_app(), make_app()
    mutable = {key: value for key, value in one.config.items() if isinstance(value, list | dict | set)}
    assert mutable
    assert [key for key, value in mutable.items() if two.config[key] is value] == []


def test_instances_used_by_threads_at_the_same_time_keep_apart() -> None:
    apps = [make_app(SECRET_KEY=f"key {number}", KEY=number) for number in range(4)]

    def work(app: Erlen) -> list[t.Any]:
        client = app.test_client()
        answers: list[t.Any] = []
        for _ in range(10):
            client.get(f"/login/user-{app.config['KEY']}")
            answers.append((client.get("/").get_json()["key"], client.get("/who").text))
        return answers

    answers = in_threads(*(lambda app=app: work(app) for app in apps))
    assert answers == [[(number, f"user-{number}")] * 10 for number in range(4)]


def test_instance_called_inside_a_request_of_another() -> None:
    outer, inner = make_app("outer", SECRET_KEY="1"), make_app("inner", SECRET_KEY="2", KEY="inner")

    @outer.route("/nested")
    def nested() -> t.Any:
        g.name, session["name"] = "outer", "outer"
        answer = inner.test_client().get("/").json
        return [answer, current_app.name, g.name, session["name"], request.path]

    assert outer.test_client().get("/nested").json == [
        {"key": "inner", "same": True},
        "outer",
        "outer",
        "outer",
        "/nested",
    ]


def test_session_cookie_of_another_key_is_not_accepted() -> None:
    one, two, twin = (make_app(SECRET_KEY=key) for key in ("one", "two", "one"))
    cookie = one.test_client().get("/login/Ada").headers["Set-Cookie"].partition(";")[0]
    headers = {"Cookie": cookie}
    assert twin.test_client(use_cookies=False).get("/who", headers=headers).text == "Ada"
    assert two.test_client(use_cookies=False).get("/who", headers=headers).text == "None"


def test_session_cookie_names_and_interfaces_are_per_instance() -> None:
    one, two = make_app(SECRET_KEY="key", SESSION_COOKIE_NAME="one"), make_app(SECRET_KEY="key")
    assert one.test_client().get("/login/Ada").headers["Set-Cookie"].startswith("one=")
    assert two.test_client().get("/login/Ada").headers["Set-Cookie"].startswith("session=")


def test_jinja_filters_tests_and_globals_are_per_instance() -> None:
    one, two = make_app(), make_app()
    one.add_template_filter(lambda value: f"filtered {value}", "shown")
    one.add_template_test(lambda value: True, "odd_one")
    one.add_template_global(lambda: "global", "called")
    one.jinja_env.globals["value"] = "one"
    one.jinja_env.policies["own"] = True
    for kind, name in (
        ("filters", "shown"),
        ("tests", "odd_one"),
        ("globals", "called"),
        ("globals", "value"),
    ):
        assert name in getattr(one.jinja_env, kind)
        assert name not in getattr(two.jinja_env, kind)
    assert "own" not in two.jinja_env.policies


def test_templates_of_the_same_source_use_the_filters_of_their_instance() -> None:
    apps = [make_app(), make_app()]
    for number, app in enumerate(apps):
        app.add_template_filter(lambda value, number=number: f"{value} {number}", "numbered")
    for number, app in enumerate(apps):
        with app.app_context():
            assert render_template_string("{{ 'value' | numbered }}") == f"value {number}"


def test_jinja_options_of_an_instance_are_its_own() -> None:
    one, two = make_app(), make_app()
    one.jinja_options = {**one.jinja_options, "trim_blocks": True}
    assert one.jinja_env.trim_blocks and not two.jinja_env.trim_blocks
    assert two.jinja_options == {} == Erlen.jinja_options


def test_context_processors_are_per_instance() -> None:
    one, two = make_app(), make_app()
    one.context_processor(lambda: {"name": "one"})
    with two.app_context():
        assert render_template_string("[{{ name }}]") == "[]"
    with one.app_context():
        assert render_template_string("[{{ name }}]") == "[one]"


def test_json_settings_are_per_instance() -> None:
    one, two = make_app(), make_app()
    provider = t.cast("DefaultJSONProvider", one.json)
    provider.sort_keys, provider.ensure_ascii, provider.mimetype = False, False, "application/vnd.one+json"
    for app in (one, two):
        app.add_url_rule("/json", "json", lambda: {"ü": 1, "a": 2})
    assert one.test_client().get("/json").text == '{"ü":1,"a":2}\n'
    assert two.test_client().get("/json").text == '{"a":2,"\\u00fc":1}\n'
    assert two.test_client().get("/json").mimetype == "application/json"


def test_json_default_of_an_instance_is_its_own() -> None:
    class Value:
        """Something JSON does not know."""

    one, two = make_app(), make_app()
    t.cast("t.Any", one.json).default = lambda value: "a value"
    assert json.loads(one.json.dumps({"value": Value()})) == {"value": "a value"}
    with pytest.raises(TypeError, match="Value"):
        two.json.dumps({"value": Value()})


def test_loggers_of_two_names_are_two() -> None:
    one, two = make_app("isolated.one"), make_app("isolated.two")
    one.logger.setLevel(logging.CRITICAL)
    assert one.logger is not two.logger
    assert two.logger.level == logging.NOTSET


def test_loggers_of_instances_of_one_name_write_each_line_once() -> None:
    instances = [make_app("isolated.same") for _ in range(3)]
    handlers = [list(app.logger.handlers) for app in instances]
    assert handlers[0] == handlers[1] == handlers[2] and len(handlers[0]) <= 1


def test_error_handlers_are_per_instance() -> None:
    one, two = make_app(), make_app()
    one.register_error_handler(404, lambda error: ("one's own", 404))
    assert one.test_client().get("/nowhere").text == "one's own"
    assert "one's own" not in two.test_client().get("/nowhere").text


def test_url_maps_and_converters_are_per_instance() -> None:
    one, two = make_app(), make_app()
    one.url_map.converters["own"] = one.url_map.converters["int"]
    one.add_url_rule("/only/<own:number>", "only", lambda number: str(number + 1))
    one.url_map.strict_slashes = False
    assert one.test_client().get("/only/1").text == "2"
    assert two.test_client().get("/only/1").status_code == 404
    assert "own" not in two.url_map.converters and two.url_map.strict_slashes
    with two.test_request_context("/"):
        assert url_for("index") == "/"
        with pytest.raises(Exception, match="only"):
            url_for("only", number=1)


def test_hooks_blueprints_extensions_and_commands_are_per_instance() -> None:
    one, two = make_app(), make_app()
    one.before_request(lambda: "stopped")
    one.register_blueprint(Blueprint("part", "part", root_path="."))
    one.extensions["extension"] = object()
    one.cli.command("own")(lambda: None)
    assert one.test_client().get("/").text == "stopped"
    assert two.test_client().get("/").json == {"key": None, "same": True}
    assert two.blueprints == {} and two.extensions == {} and "own" not in two.cli.commands


def test_one_blueprint_on_two_instances() -> None:
    part = Blueprint("part", "part", root_path=".")
    part.before_request(lambda: g.setdefault("seen", current_app.config["KEY"]) and None)
    part.add_url_rule("/part", "view", lambda: str(g.seen))
    one, two = make_app(KEY="one"), make_app(KEY="two")
    one.register_blueprint(part, url_prefix="/one")
    two.register_blueprint(part)
    assert one.test_client().get("/one/part").text == "one"
    assert two.test_client().get("/part").text == "two"
    assert one.test_client().get("/part").status_code == 404


def test_blueprint_on_two_instances_passes_no_hooks_from_one_to_the_other() -> None:
    part = Blueprint("part", "part", root_path=".")
    part.add_url_rule("/part", "view", lambda: "text")
    one, two = make_app(), make_app()
    one.register_blueprint(part)
    two.register_blueprint(part)
    one.before_request_funcs["part"].append(lambda: "stopped in one")
    assert one.test_client().get("/part").text == "stopped in one"
    assert two.test_client().get("/part").text == "text"


def test_signals_of_one_instance_do_not_reach_receivers_of_another() -> None:
    one, two = make_app(), make_app()
    told: list[t.Any] = []

    def receive(sender: Erlen, **arguments: t.Any) -> None:
        told.append(sender)

    with request_started.connected_to(receive, one), got_request_exception.connected_to(receive, one):
        two.test_client().get("/")
        assert told == []
        one.test_client().get("/")
    assert told == [one]


def test_method_assigned_on_one_instance_is_not_called_for_another() -> None:
    one, two = make_app(), make_app()
    t.cast("t.Any", one).preprocess_request = lambda: "replaced"
    assert one.test_client().get("/").text == "replaced"
    assert two.test_client().get("/").json == {"key": None, "same": True}


def test_profiles_are_per_instance() -> None:
    safe, flask = Erlen("safe", root_path="."), Erlen("flask", root_path=".", profile="flask")
    for app in (safe, flask):
        app.add_url_rule("/", "index", lambda: "text", methods=["POST"])
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert safe.test_client().post("/", headers=headers).status_code == 403
    assert flask.test_client().post("/", headers=headers).status_code == 200


# What remains of an application


def test_application_that_sent_no_request_is_freed_at_once() -> None:
    gc.collect()
    gc.disable()
    try:
        app = make_app(SECRET_KEY="key")
        reference = weakref.ref(app)
        # A view of its own that closes over the application would keep it: this one does.
        app.view_functions.clear()
        app.url_map = app.url_map_class()
        del app
        assert reference() is None
    finally:
        gc.enable()


@pytest.mark.protocol("wsgi")
@pytest.mark.parametrize(
    "use",
    [
        "request",
        "template",
        "session",
        "error",
        "async",
        "stream",
        "command",
    ],
)
def test_application_is_freed_when_dropped(use: str) -> None:
    def used() -> weakref.ref[Erlen]:
        app = make_app(SECRET_KEY="key", PROPAGATE_EXCEPTIONS=False)
        app.logger.disabled = True

        @app.route("/template")
        def template() -> str:
            return render_template_string("{{ url_for('index') }}")

        @app.route("/error")
        def error() -> str:
            raise LookupError

        @app.route("/async")
        async def asynchronous() -> str:
            return "text"

        @app.route("/stream")
        def stream() -> t.Any:
            return stream_with_context(iter("abc"))

        app.cli.command("own")(lambda: None)
        path = {"request": "/", "session": "/login/Ada", "command": ""}.get(use, f"/{use}")
        if path:
            app.test_client().get(path).close()
        else:
            assert app.test_cli_runner().invoke(args=["own"]).exit_code == 0
        return weakref.ref(app)

    def is_freed() -> bool:
        reference = used()
        gc.collect()
        return reference() is None

    # On a thread of its own, so that its event loop is one that no test before has made.
    assert in_threads(is_freed) == [True]


@pytest.mark.protocol("wsgi")
def test_request_is_freed_at_once_when_it_was_answered() -> None:
    app = make_app(SECRET_KEY="key", PROPAGATE_EXCEPTIONS=False)
    references: list[weakref.ref[t.Any]] = []
    app.before_request(
        lambda: references.append(weakref.ref(request._get_current_object()))  # type: ignore[attr-defined]
    )
    app.add_url_rule("/folder/", "folder", lambda: "text", methods=["POST"])
    client = app.test_client()
    # The last two are redirected and refused.
    paths = ("/", "/login/Ada", "/who", "/nowhere", "/folder", "/folder/")
    for path in paths:
        client.get(path)
    references.clear()
    gc.collect()
    gc.disable()
    try:
        for path in paths:
            # The client's response keeps the environment, which is not the application's doing.
            client.get(path).close()
            client._answered.clear()
        assert [
            path for path, reference in zip(paths, references, strict=True) if reference() is not None
        ] == []
    finally:
        gc.enable()


class Broken(io.BytesIO):
    """A body that cannot be read to its end."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell():
            raise OSError("the connection is gone")
        return super().read(3)


@pytest.mark.protocol("wsgi")
@pytest.mark.parametrize(
    ("content_type", "body", "stream", "status"),
    [
        ("application/json", b'{"a', io.BytesIO, "400"),
        ("application/json", b'{"a"', Broken, "400"),
        ("application/x-www-form-urlencoded", b"a=\xff", io.BytesIO, "400"),
        ("application/x-www-form-urlencoded", b"a=%zz", io.BytesIO, "400"),
        ("application/x-www-form-urlencoded", b"a=1&b=2", Broken, "400"),
        ("multipart/form-data; boundary=b", b"--b\r\nx", io.BytesIO, "400"),
        ("text/plain", b"text", io.BytesIO, "415"),
        ("text/own", b"text", io.BytesIO, "409"),
    ],
)
@pytest.mark.parametrize("is_terminated", [False, True])
def test_request_that_cannot_be_read_is_freed_at_once(
    content_type: str, body: bytes, stream: t.Any, status: str, is_terminated: bool
) -> None:
    app, answers = Erlen("unread", root_path="."), list[str]()
    references: list[weakref.ref[t.Any]] = []

    @app.post("/")
    def read() -> t.Any:
        references.append(weakref.ref(request._get_current_object()))  # type: ignore[attr-defined]
        if content_type == "text/own":
            try:
                raise LookupError(content_type)
            except LookupError as error:
                raise Conflict from error
        return request.form if "form" in content_type else request.get_json()

    def start_response(status: str, headers: t.Any, error: t.Any = None) -> t.Any:
        answers.append(status[:3])

    def ask() -> None:
        environ = create_environ(
            "/", method="POST", input_stream=stream(body), content_type=content_type, content_length=len(body)
        )
        if is_terminated:
            environ["wsgi.input_terminated"] = True
        answer = app(environ, start_response)
        b"".join(answer)

    gc.collect()
    gc.disable()
    try:
        for _ in range(2):
            ask()
        assert answers == [status] * 2
        assert [reference() for reference in references] == [None, None]
    finally:
        gc.enable()


@pytest.mark.protocol("wsgi")
def test_error_that_is_being_handled_keeps_its_traceback_when_another_is_answered() -> None:
    app = Erlen("kept", root_path=".")
    client, answered = app.test_client(), list[Exception]()

    @app.get("/missing")
    def missing() -> t.NoReturn:
        try:
            raise LookupError("missing")
        except LookupError as error:
            answered.append(error)
            raise NotFound from error

    def fail() -> t.NoReturn:
        raise ZeroDivisionError

    handled: BaseException | None = None
    try:
        fail()
    except ZeroDivisionError as error:
        client.get("/missing")
        handled = error
    # The one that the view has handled has lost it, and is still there.
    assert answered[0].__traceback__ is None
    assert answered[0].__context__ is handled is not None
    assert traceback.extract_tb(handled.__traceback__)[-1].name == "fail"
