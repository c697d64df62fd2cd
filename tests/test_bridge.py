"""Async callables under WSGI: one loop a thread, context variables both ways, errors as they are."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import subprocess
import sys
import threading
import time
import typing as t
import weakref
from contextvars import ContextVar
from pathlib import Path

import pytest
from greenlet import greenlet  # type: ignore[import-untyped]

from erlen import (
    Blueprint,
    Erlen,
    appcontext_pushed,
    copy_current_request_context,
    g,
    has_app_context,
    render_template_string,
    request,
    session,
    stream_with_context,
)
from erlen.pipeline.bridge import run_coroutine, to_sync
from erlen.testing import ErlenClient
from erlen.views import MethodView, View

language: ContextVar[str] = ContextVar("language", default="none")


def on_thread(function: t.Callable[[], t.Any]) -> t.Any:
    """Return what a function returns on a thread of its own, or raise what it raises."""
    results: list[t.Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(function())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def loop_view(loops: list[t.Any]) -> t.Callable[[], t.Any]:
    async def index() -> str:
        loops.append(asyncio.get_running_loop())
        return "text"

    return index


# Every kind of callable


def test_async_view(app: Erlen, client: ErlenClient) -> None:
    @app.route("/<name>")
    async def index(name: str) -> t.Any:
        await asyncio.sleep(0)
        return {"name": name, "path": request.path}, 201

    response = client.get("/Ada")
    assert (response.status_code, response.json) == (201, {"name": "Ada", "path": "/Ada"})


def test_async_hooks_run_in_the_order_of_plain_ones(app: Erlen, client: ErlenClient) -> None:
    log: list[str] = []

    @app.before_request
    async def before() -> None:
        await asyncio.sleep(0)
        log.append("before async")

    @app.before_request
    def before_plain() -> None:
        log.append("before plain")

    @app.after_request
    def after_plain(response: t.Any) -> t.Any:
        log.append("after plain")
        return response

    @app.after_request
    async def after(response: t.Any) -> t.Any:
        await asyncio.sleep(0)
        log.append("after async")
        return response

    @app.teardown_request
    async def teardown(exc: BaseException | None) -> None:
        log.append(f"teardown request {exc}")

    @app.teardown_appcontext
    async def teardown_context(exc: BaseException | None) -> None:
        log.append(f"teardown appcontext {exc}")

    @app.route("/")
    async def index() -> str:
        log.append("view")
        return "text"

    client.get("/")
    assert log == [
        "before async",
        "before plain",
        "view",
        "after async",
        "after plain",
        "teardown request None",
        "teardown appcontext None",
    ]


def test_async_before_request_answers(app: Erlen, client: ErlenClient) -> None:
    @app.before_request
    async def before() -> t.Any:
        return "stopped", 203

    app.add_url_rule("/", "index", lambda: "text")
    assert (client.get("/").status_code, client.get("/").text) == (203, "stopped")


@pytest.mark.parametrize("error", [LookupError, 404])
def test_async_error_handler(app: Erlen, client: ErlenClient, error: t.Any) -> None:
    @app.errorhandler(error)
    async def handle(raised: Exception) -> t.Any:
        return f"handled {type(raised).__name__}", 418

    @app.route("/LookupError")
    async def index() -> str:
        raise LookupError

    response = client.get("/LookupError" if error is LookupError else "/nowhere")
    assert response.status_code == 418
    assert response.text == ("handled LookupError" if error is LookupError else "handled NotFound")


def test_async_context_processor(app: Erlen, client: ErlenClient) -> None:
    @app.context_processor
    async def values() -> dict[str, t.Any]:
        await asyncio.sleep(0)
        return {"name": request.args["name"]}

    @app.route("/")
    async def index() -> str:
        return render_template_string("{{ name }}")

    assert client.get("/?name=Ada").text == "Ada"


def test_async_hooks_of_a_blueprint(app: Erlen, client: ErlenClient) -> None:
    blueprint = Blueprint("part", "part", root_path=".")

    @blueprint.before_request
    async def before() -> None:
        g.name = "blueprint"

    @blueprint.route("/")
    async def index() -> str:
        return t.cast(str, g.name)

    app.register_blueprint(blueprint)
    assert client.get("/").text == "blueprint"


def test_async_methods_of_a_method_view(app: Erlen, client: ErlenClient) -> None:
    class Item(MethodView):
        async def get(self, name: str) -> str:
            await asyncio.sleep(0)
            return f"get {name}"

        def put(self, name: str) -> str:
            return f"put {name}"

    app.add_url_rule("/<name>", view_func=Item.as_view("item"))
    assert client.get("/a").text == "get a"
    assert client.put("/a").text == "put a"
    assert client.head("/a").status_code == 200


def test_async_dispatch_of_a_view_class(app: Erlen, client: ErlenClient) -> None:
    class Page(View):
        async def dispatch_request(self, **kwargs: t.Any) -> str:
            return request.path

    app.add_url_rule("/page", view_func=Page.as_view("page"))
    assert client.get("/page").text == "/page"


def test_object_with_an_async_call(app: Erlen, client: ErlenClient) -> None:
    class Page:
        async def __call__(self) -> str:
            return "called"

    app.add_url_rule("/", "page", Page())
    assert client.get("/").text == "called"


def test_async_receiver_of_a_signal(app: Erlen) -> None:
    seen: list[str] = []

    async def receive(sender: Erlen) -> None:
        await asyncio.sleep(0)
        seen.append(sender.name)

    with appcontext_pushed.connected_to(receive, app), app.app_context():
        pass
    assert seen == ["erlen_test"]


def test_request_session_and_g_are_those_of_the_request(app: Erlen, client: ErlenClient) -> None:
    app.secret_key = "key"

    @app.before_request
    async def before() -> None:
        g.name = "g"
        session["name"] = "session"

    @app.route("/")
    async def index() -> t.Any:
        return [g.name, session["name"], request.path]

    response = client.get("/")
    assert response.json == ["g", "session", "/"]
    assert "session=" in response.headers["Set-Cookie"]


def test_ensure_sync_leaves_a_plain_function_alone(app: Erlen) -> None:
    def plain() -> None:
        """Do nothing."""

    assert app.ensure_sync(plain) is plain


def test_ensure_sync_keeps_the_name_of_an_async_function(app: Erlen) -> None:
    async def work() -> str:
        """Work."""
        return "done"

    wrapped = app.ensure_sync(work)
    assert (wrapped.__name__, wrapped.__doc__, wrapped()) == ("work", "Work.", "done")


def test_async_to_sync_replaced_by_a_subclass_is_used() -> None:
    used: list[str] = []

    class Counting(Erlen):
        def async_to_sync(self, func: t.Any) -> t.Any:
            used.append(func.__name__)
            return super().async_to_sync(func)

    app = Counting("counting", root_path=".")

    @app.route("/")
    async def index() -> str:
        return "text"

    client = app.test_client()
    assert [client.get("/").text, client.get("/").text] == ["text", "text"]
    assert used == ["index"]


# Context variables


def test_context_variable_of_an_async_hook_is_seen_by_every_later_step(
    app: Erlen, client: ErlenClient
) -> None:
    seen: list[str] = []

    @app.before_request
    async def choose() -> None:
        seen.append(language.get())
        language.set("async hook")

    @app.before_request
    def look() -> None:
        seen.append(language.get())
        language.set("plain hook")

    @app.route("/")
    async def index() -> str:
        seen.append(language.get())
        language.set("view")
        return "text"

    @app.after_request
    async def after(response: t.Any) -> t.Any:
        seen.append(language.get())
        language.set("after")
        return response

    @app.teardown_request
    def teardown(exc: BaseException | None) -> None:
        seen.append(language.get())

    on_thread(lambda: client.get("/"))
    assert seen == ["none", "async hook", "plain hook", "view", "after"]


def test_context_variable_set_before_an_async_view_raised_is_seen_by_its_handler(
    app: Erlen, client: ErlenClient
) -> None:
    @app.route("/")
    async def index() -> str:
        language.set("set by the view")
        raise LookupError

    @app.errorhandler(LookupError)
    def handle(error: Exception) -> str:
        return language.get()

    assert on_thread(lambda: client.get("/").text) == "set by the view"


def test_context_variable_is_copied_back_from_a_helper_thread() -> None:
    async def choose() -> None:
        language.set("helper")

    async def main() -> str:
        run_coroutine(choose())
        return language.get()

    assert asyncio.run(main()) == "helper"


def test_context_variable_of_one_thread_is_not_seen_on_another(app: Erlen, client: ErlenClient) -> None:
    @app.route("/")
    async def index() -> str:
        before = language.get()
        language.set("set")
        return before

    assert [on_thread(lambda: client.get("/").text) for _ in range(2)] == ["none", "none"]


def test_context_pushed_inside_an_async_view_is_gone_after_it(app: Erlen, client: ErlenClient) -> None:
    other = Erlen("other", root_path=".")

    @app.route("/")
    async def index() -> str:
        with other.app_context():
            await asyncio.sleep(0)
            g.name = "other"
        return str(g.get("name"))

    assert client.get("/").text == "None"
    assert not has_app_context()


# Loops


@pytest.mark.protocol("wsgi")
def test_loop_is_kept_for_its_thread(app: Erlen, client: ErlenClient) -> None:
    loops: list[t.Any] = []
    app.add_url_rule("/", "index", loop_view(loops))
    on_thread(lambda: [client.get("/"), client.get("/")])
    assert loops[0] is loops[1]


@pytest.mark.protocol("wsgi")
def test_all_steps_of_a_request_share_the_loop(app: Erlen, client: ErlenClient) -> None:
    loops: list[t.Any] = []
    note = loop_view(loops)

    @app.before_request
    async def before() -> None:
        await note()

    @app.teardown_request
    async def teardown(exc: BaseException | None) -> None:
        await note()

    app.add_url_rule("/", "index", note)
    client.get("/")
    assert len(loops) == 3 and len(set(map(id, loops))) == 1


@pytest.mark.protocol("wsgi")
def test_threads_have_loops_of_their_own(app: Erlen) -> None:
    loops: list[t.Any] = []
    app.add_url_rule("/", "index", loop_view(loops))
    barrier = threading.Barrier(2)

    def work() -> None:
        app.test_client().get("/")
        barrier.wait(10)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loops[0] is not loops[1]


def test_task_created_in_a_view_survives_the_response(app: Erlen, client: ErlenClient) -> None:
    """Under WSGI on the loop kept for the thread, under ASGI on the server's."""
    may_go_on, done = threading.Event(), threading.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def background() -> None:
        await asyncio.to_thread(may_go_on.wait)
        done.set()

    @app.route("/start")
    async def start() -> str:
        tasks.add(asyncio.create_task(background()))
        return "started"

    @app.route("/wait")
    async def wait() -> str:
        may_go_on.set()
        await asyncio.gather(*tasks)
        return "done"

    def work() -> None:
        assert client.get("/start").text == "started"
        assert not done.is_set()
        assert client.get("/wait").text == "done"

    on_thread(work)
    assert done.is_set()


def test_task_created_in_a_view_goes_on_without_another_request(app: Erlen, client: ErlenClient) -> None:
    done = threading.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def background() -> None:
        await asyncio.sleep(0.01)
        done.set()

    @app.route("/")
    async def start() -> str:
        tasks.add(asyncio.create_task(background()))
        return "started"

    client.get("/")
    assert done.wait(10)


def test_lock_and_queue_made_in_one_request_work_in_the_next(app: Erlen, client: ErlenClient) -> None:
    made: list[asyncio.Queue[str]] = []

    @app.route("/put")
    async def put() -> str:
        made.append(asyncio.Queue())
        await made[0].put("item")
        return "put"

    @app.route("/get")
    async def get() -> str:
        return await made[0].get()

    assert on_thread(lambda: (client.get("/put"), client.get("/get").text)[1]) == "item"


@pytest.mark.protocol("wsgi")
def test_loop_is_closed_when_its_thread_ends(app: Erlen, client: ErlenClient) -> None:
    """ResourceWarning is an error here: an unclosed loop fails the test as well."""
    loops: list[t.Any] = []
    app.add_url_rule("/", "index", loop_view(loops))

    def work() -> None:
        client.get("/")
        assert not loops[0].is_closed()

    on_thread(work)
    gc.collect()
    assert loops[0].is_closed()


@pytest.mark.protocol("wsgi")
def test_no_loop_is_left_as_the_threads_current_one(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", loop_view([]))

    def work() -> None:
        client.get("/")
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        assert asyncio.run(asyncio.sleep(0, "own")) == "own"
        client.get("/")

    on_thread(work)


# Inside a running loop


def test_client_called_inside_a_running_loop(app: Erlen, client: ErlenClient) -> None:
    loops: list[t.Any] = []
    app.add_url_rule("/", "index", loop_view(loops))

    async def main() -> str:
        loops.append(asyncio.get_running_loop())
        return client.get("/").text

    assert asyncio.run(main()) == "text"
    assert loops[0] is not loops[1]


def test_async_view_that_calls_an_async_function_through_a_plain_one(app: Erlen, client: ErlenClient) -> None:
    async def inner() -> str:
        await asyncio.sleep(0)
        return request.path

    @app.route("/path")
    async def index() -> str:
        return t.cast(str, app.ensure_sync(inner)())

    assert client.get("/path").text == "/path"


@pytest.mark.protocol("wsgi")
def test_async_view_that_sends_a_request_to_another_application(app: Erlen, client: ErlenClient) -> None:
    other = Erlen("other", root_path=".")

    @other.route("/inner")
    async def inner() -> str:
        return request.path

    @app.route("/")
    async def index() -> str:
        answer = other.test_client().get("/inner").text
        return f"{answer} in {request.path}"

    assert client.get("/").text == "/inner in /"


@pytest.mark.protocol("wsgi")
def test_helper_thread_of_a_running_loop_ends_with_its_loop(app: Erlen, client: ErlenClient) -> None:
    loops: list[t.Any] = []
    app.add_url_rule("/", "index", loop_view(loops))

    async def main() -> None:
        client.get("/")

    asyncio.run(main())
    gc.collect()
    assert loops[0].is_closed()
    assert not [thread for thread in threading.enumerate() if thread.name == "erlen-bridge"]


def test_exception_crosses_a_running_loop(app: Erlen, client: ErlenClient) -> None:
    error = LookupError("across")

    @app.route("/")
    async def index() -> str:
        raise error

    async def main() -> None:
        client.get("/")

    with pytest.raises(LookupError) as caught:
        asyncio.run(main())
    assert caught.value is error


# Exceptions


@pytest.mark.protocol("wsgi")
@pytest.mark.parametrize("error", [LookupError("plain"), KeyboardInterrupt(), SystemExit(3)])
def test_exception_of_an_async_view_propagates(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    told: list[BaseException | None] = []
    app.teardown_request(told.append)

    @app.route("/")
    async def index() -> str:
        await asyncio.sleep(0)
        raise error

    with pytest.raises(type(error)):
        client.get("/")
    assert [type(one) for one in told] == [type(error)]
    assert not has_app_context()


@pytest.mark.parametrize(
    "error",
    [
        LookupError,
        KeyboardInterrupt,
        SystemExit,
        asyncio.CancelledError,
    ],
)
def test_exception_is_logged_by_no_loop(caplog: pytest.LogCaptureFixture, error: type[BaseException]) -> None:
    async def work() -> None:
        raise error

    with caplog.at_level(logging.DEBUG, "asyncio"), contextlib.suppress(error, RuntimeError):
        on_thread(to_sync(work))
    gc.collect()
    messages = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert messages == []


@pytest.mark.protocol("wsgi")
@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_loop_is_kept_after_an_exception(app: Erlen, client: ErlenClient, error: type[BaseException]) -> None:
    loops: list[t.Any] = []
    note = loop_view(loops)
    app.add_url_rule("/", "index", note)

    @app.route("/fail")
    async def fail() -> str:
        await note()
        raise error

    def work() -> None:
        client.get("/")
        with pytest.raises(RuntimeError if error is asyncio.CancelledError else error):
            client.get("/fail")
        assert client.get("/").text == "text"

    on_thread(work)
    gc.collect()
    assert len(loops) == 3 and len(set(map(id, loops))) == 1
    assert loops[0].is_closed()


def test_keyboard_interrupt_of_the_loop_lets_the_coroutine_clean_up(app: Erlen) -> None:
    log: list[str] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    async def work() -> None:
        asyncio.get_running_loop().call_soon(interrupt)
        try:
            await asyncio.sleep(10)
        finally:
            log.append("cleaned up")

    async def after() -> str:
        await asyncio.sleep(0)
        return "next"

    def both() -> str:
        with pytest.raises(KeyboardInterrupt):
            run_coroutine(work())
        assert log == ["cleaned up"]
        return run_coroutine(after())

    assert on_thread(both) == "next"


def test_cancelled_task_inside_a_view_can_be_caught(app: Erlen, client: ErlenClient) -> None:
    @app.route("/")
    async def index() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.sleep(10)
        except TimeoutError:
            return "timed out"
        return "not timed out"

    assert client.get("/").text == "timed out"


async def await_a_cancelled_task() -> None:
    task = asyncio.create_task(asyncio.sleep(10))
    await asyncio.sleep(0)
    task.cancel()
    await task


def cancelled_views(app: Erlen) -> None:
    @app.route("/async")
    async def in_async_code() -> t.Any:
        await await_a_cancelled_task()

    @app.route("/plain")
    def in_plain_code() -> t.Any:
        app.ensure_sync(await_a_cancelled_task)()

    @app.route("/raised")
    def raised() -> t.Any:
        raise asyncio.CancelledError


@pytest.mark.parametrize("path", ["/async", "/plain", "/raised"])
def test_cancellation_that_nobody_ordered_is_an_error_that_a_handler_answers(
    app: Erlen, client: ErlenClient, path: str
) -> None:
    told: list[t.Any] = []
    app.teardown_request(told.append)
    cancelled_views(app)

    @app.errorhandler(RuntimeError)
    def handle(error: RuntimeError) -> t.Any:
        told.append(type(error.__cause__))
        return str(error), 418

    response = client.get(path)
    assert response.status_code == 418
    assert "nobody has cancelled what it ended" in response.text and "suppress(" in response.text
    assert told == [asyncio.CancelledError, None]


@pytest.mark.parametrize("path", ["/async", "/plain", "/raised"])
def test_cancellation_that_nobody_ordered_is_logged(
    app: Erlen, client: ErlenClient, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False
    told: list[t.Any] = []
    app.teardown_request(told.append)
    cancelled_views(app)
    assert client.get(path).status_code == 500
    errors = [record.exc_info for record in caplog.records if record.name == app.name]
    assert [error and error[0] for error in errors] == [RuntimeError]
    assert [type(error) for error in told] == [RuntimeError]


@pytest.mark.parametrize("where", ["after", "teardown", "stream", "stream with context"])
def test_cancellation_that_nobody_ordered_reaches_no_server(
    app: Erlen, client: ErlenClient, where: str
) -> None:
    if where == "after":

        @app.after_request
        async def after(response: t.Any) -> t.Any:
            await await_a_cancelled_task()
            return response

    if where == "teardown":

        @app.teardown_request
        async def tear_down(exc: BaseException | None) -> None:
            await await_a_cancelled_task()

    @app.route("/")
    async def index() -> t.Any:
        async def generate() -> t.AsyncIterator[str]:
            await await_a_cancelled_task()
            yield "never"

        if where == "stream with context":
            return stream_with_context(generate())
        return generate() if where == "stream" else "text"

    with pytest.raises(RuntimeError, match="nobody has cancelled what it ended"):
        assert client.get("/").text


def test_result_and_coroutine_are_freed_after_the_call() -> None:
    class Result:
        """Something a weak reference can point to."""

    async def work() -> Result:
        await asyncio.sleep(0)
        return Result()

    gc.collect()
    gc.disable()
    try:
        result = run_coroutine(work())
        reference = weakref.ref(result)
        del result
        assert reference() is None
    finally:
        gc.enable()


# Greenlets


@pytest.mark.protocol("wsgi")
def test_greenlet_that_waits_inside_an_async_view_leaves_the_others_working(app: Erlen) -> None:
    main = greenlet.getcurrent()

    @app.route("/wait")
    async def wait() -> str:
        await asyncio.sleep(0)
        main.switch("waiting")
        await asyncio.sleep(0)
        return request.path

    @app.route("/other")
    async def other() -> str:
        await asyncio.sleep(0)
        return request.path

    def get(path: str) -> str:
        return app.test_client().get(path).text

    waiting = greenlet(get)
    assert waiting.switch("/wait") == "waiting"
    assert not has_app_context()
    assert greenlet(get).switch("/other") == "/other"
    assert waiting.switch() == "/wait"


REPLACING = """
from gevent import monkey
monkey.patch_all()
from erlen import Erlen

app = Erlen("replaced", root_path=".")


@app.route("/plain")
def plain():
    return "text"


@app.route("/view")
async def view():
    return "text"


@app.route("/stream")
def stream():
    async def generate():
        yield "text"

    return generate()


async def work():
    pass


@app.route("/spawned")
def spawned():
    app.spawn(work)
    return "text"


app.testing = True
client = app.test_client()
assert client.get("/plain").text == "text"
for path in "/view", "/stream", "/spawned":
    try:
        print(client.get(path).text)
    except RuntimeError as error:
        assert "in which gevent has replaced threads" in str(error), error
        assert "'gunicorn --threads 8 module:app'" in str(error), error
    else:
        raise AssertionError(path)
assert client.get("/plain").text == "text"
"""


@pytest.mark.protocol("wsgi")
def test_async_code_where_gevent_has_replaced_threads_is_told_so(tmp_path: Path) -> None:
    pytest.importorskip("gevent")
    script = tmp_path / "replacing.py"
    script.write_text(REPLACING)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.protocol("wsgi")
def test_greenlets_that_switch_between_async_steps_keep_apart(app: Erlen) -> None:
    main = greenlet.getcurrent()

    @app.before_request
    async def before() -> None:
        g.name = request.path
        language.set(request.path)

    @app.before_request
    def wait() -> None:
        main.switch()

    @app.route("/<name>")
    async def index(name: str) -> t.Any:
        return [name, g.name, language.get()]

    workers = {name: greenlet(lambda name=name: app.test_client().get(f"/{name}").json) for name in "ab"}
    for worker in workers.values():
        worker.switch()
        assert not has_app_context() and language.get() == "none"
    assert [worker.switch() for worker in workers.values()] == [["a", "/a", "/a"], ["b", "/b", "/b"]]


def test_async_view_works_in_a_greenlet_with_a_copied_context(app: Erlen) -> None:
    with app.test_request_context("/copied"):

        @copy_current_request_context
        async def work() -> str:
            await asyncio.sleep(0)
            return request.path

        worker: t.Any = greenlet(work)
        assert worker.switch() == "/copied"


# What views leave unfinished


@pytest.mark.protocol("wsgi")
def test_loop_does_not_keep_the_first_request_alive(app: Erlen) -> None:
    references: list[weakref.ref[t.Any]] = []

    @app.route("/")
    async def index() -> str:
        references.append(weakref.ref(g._get_current_object()))
        return "text"

    def work() -> bool:
        app.test_client().get("/").close()
        gc.collect()
        return references[0]() is None

    assert on_thread(work)


def test_task_left_pending_goes_on_after_its_thread_has_ended() -> None:
    log: list[str] = []
    done = threading.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def background() -> None:
        await asyncio.sleep(0.01)
        log.append("done")
        done.set()

    async def start() -> None:
        tasks.add(asyncio.create_task(background()))

    on_thread(to_sync(start))
    assert done.wait(10) and log == ["done"]


def test_task_left_pending_goes_on_while_its_thread_does_something_else() -> None:
    done = threading.Event()
    tasks: set[asyncio.Task[None]] = set()

    async def background() -> None:
        await asyncio.sleep(0.01)
        done.set()

    async def start() -> None:
        tasks.add(asyncio.create_task(background()))

    def work() -> bool:
        to_sync(start)()
        return done.wait(10)

    assert on_thread(work)


def test_coroutine_that_comes_while_a_task_is_left_runs_on_the_same_loop() -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    events: list[asyncio.Event] = []
    tasks: set[asyncio.Task[t.Any]] = set()

    async def start() -> None:
        loops.append(asyncio.get_running_loop())
        events.append(asyncio.Event())
        tasks.add(asyncio.create_task(events[0].wait()))

    async def end() -> bool:
        loops.append(asyncio.get_running_loop())
        events[0].set()
        return all(await asyncio.gather(*tasks))

    async def after() -> None:
        loops.append(asyncio.get_running_loop())

    def work() -> bool:
        to_sync(start)()
        result = to_sync(end)()
        to_sync(after)()
        return result

    assert on_thread(work)
    assert len(loops) == 3 and len(set(map(id, loops))) == 1


@pytest.mark.parametrize("how", [SystemExit, KeyboardInterrupt, "stop"])
def test_task_left_that_takes_its_loop_down_leaves_the_loop_working(how: t.Any) -> None:
    tasks: list[asyncio.Task[t.Any]] = []

    async def background() -> None:
        await asyncio.sleep(0)
        if how == "stop":
            asyncio.get_running_loop().stop()
        else:
            raise how

    async def start() -> None:
        tasks.append(asyncio.create_task(asyncio.sleep(0.05)))
        tasks.append(asyncio.create_task(background()))

    async def after() -> asyncio.AbstractEventLoop:
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    def work() -> bool:
        to_sync(start)()
        loop = to_sync(after)()
        for _ in range(500):
            if "erlen-keeper" not in [thread.name for thread in threading.enumerate()]:
                break
            time.sleep(0.01)
        return loop is to_sync(after)() and tasks[0].done() and not tasks[0].cancelled()

    assert on_thread(work)
    assert "erlen-keeper" not in [thread.name for thread in threading.enumerate()]
    if how != "stop":
        assert isinstance(tasks[1].exception(), how)


def test_loop_with_a_task_left_is_closed_when_the_task_is_done() -> None:
    loops: list[asyncio.AbstractEventLoop] = []
    tasks: list[asyncio.Task[None]] = []

    async def start() -> None:
        loops.append(asyncio.get_running_loop())
        tasks.append(asyncio.create_task(asyncio.sleep(0.01)))

    on_thread(to_sync(start))
    for _ in range(500):
        if loops[0].is_closed():
            break
        time.sleep(0.01)
    assert loops[0].is_closed() and tasks[0].done() and not tasks[0].cancelled()


def test_async_generator_left_unfinished_is_closed_when_its_thread_ends() -> None:
    log: list[str] = []
    left: list[t.Any] = []

    async def generate() -> t.AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            log.append("closed")

    async def start() -> None:
        left.append(generate())
        await anext(left[0])

    on_thread(to_sync(start))
    assert log == ["closed"]


# Processes

FORKING = """
import os, signal
from erlen import Erlen

app = Erlen("forking", root_path=".")


@app.route("/")
async def index():
    # A thread hands its result over through the loop's own descriptors.
    return str(await asyncio.to_thread(lambda: 7))


import asyncio
client = app.test_client()
assert client.get("/").text == "7"
child = os.fork()
signal.alarm(10)
if child == 0:
    assert client.get("/").text == "7"
    raise SystemExit(0)
assert os.waitpid(child, 0)[1] == 0
assert client.get("/").text == "7"
"""

FORKING_ON_A_WORKER = """
import os, signal
from erlen import Erlen

app = Erlen("forking", root_path=".")


async def seven():
    return str(await asyncio.to_thread(lambda: 7))


@app.route("/")
def index():
    child = os.fork()
    signal.alarm(10)
    if child == 0:
        os._exit(int(app.ensure_sync(seven)() != "7"))
    assert os.waitpid(child, 0)[1] == 0
    return app.ensure_sync(seven)()


import asyncio
assert app.test_client(protocol="asgi").get("/").text == "7"
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="os.fork is missing on this system")
@pytest.mark.parametrize(
    "source", [FORKING, FORKING_ON_A_WORKER], ids=["after a request", "in a plain view over ASGI"]
)
def test_loop_is_not_shared_with_a_forked_process(source: str, tmp_path: Path) -> None:
    """A server that forks after an async view ran: neither process waits for the other's events."""
    script = tmp_path / "forking.py"
    script.write_text(source)
    # Python 3.12 and later warn of the executor's thread, which the child does not use.
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.protocol("wsgi")
def test_request_of_an_async_error_is_freed_at_once(app: Erlen, client: ErlenClient) -> None:
    requests: list[weakref.ref[t.Any]] = []
    app.config["PROPAGATE_EXCEPTIONS"] = False

    class Noted(app.request_class):  # type: ignore[name-defined, misc]
        def __init__(self, *args: t.Any) -> None:
            super().__init__(*args)
            requests.append(weakref.ref(self))

    app.request_class = Noted

    @app.get("/")
    async def index() -> str:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    @app.errorhandler(ZeroDivisionError)
    def handle(error: Exception) -> tuple[str, int]:
        return "answered", 500

    gc.collect()
    gc.disable()
    try:
        assert [client.get("/").status_code for _ in range(3)] == [500] * 3
        # The client keeps the last one.
        assert [one() for one in requests[:-1]] == [None, None]
    finally:
        gc.enable()


def test_loop_that_is_stopped_from_within_says_so() -> None:
    async def stop() -> None:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(10)

    async def after() -> str:
        await asyncio.sleep(0)
        return "next"

    def both() -> str:
        with pytest.raises(RuntimeError, match="stopped by code that runs on it"):
            run_coroutine(stop())
        return run_coroutine(after())

    assert on_thread(both) == "next"
