from __future__ import annotations

import asyncio
import threading
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from werkzeug.test import Client

from chapter_04 import Sapling, copy_current_context, current_app, g, request, url_for
from framework_support import ask
from solutions.chapter_04 import stream_with_context


@pytest.fixture
def app() -> Sapling:
    app = Sapling()

    @app.route("/<name>")
    def show(name: str) -> str:
        return (
            f"{name} {request.args.get('a')} {url_for('show', name='x')} {current_app.router is app.router}"
        )

    return app


def test_the_request_is_found_without_being_handed_on(app: Sapling) -> None:
    assert ask(app, "/ada?a=1").text == "ada 1 /x True"


def test_nothing_is_active_afterwards(app: Sapling) -> None:
    ask(app, "/ada")
    with pytest.raises(RuntimeError, match="Nothing is active here"):
        request.path  # noqa: B018


def test_an_application_without_a_request_says_so(app: Sapling) -> None:
    with app.app_context():
        assert url_for("show", name="x") == "/x"
        with pytest.raises(RuntimeError, match="but no request"):
            request.path  # noqa: B018


def test_contexts_within_each_other_come_back(app: Sapling) -> None:
    with app.test_request_context("/outer"):
        g.who = "outer"
        with app.test_request_context("/inner"):
            assert (request.path, hasattr(g, "who")) == ("/inner", False)
        assert (request.path, g.who) == ("/outer", "outer")


def test_requests_of_two_threads_do_not_see_each_other(app: Sapling) -> None:
    both = threading.Barrier(2)

    @app.route("/wait/<name>")
    def wait(name: str) -> str:
        g.name = name
        both.wait(5)
        return f"{g.name} {request.path}"

    with ThreadPoolExecutor(2) as pool:
        texts = pool.map(lambda name: ask(app, f"/wait/{name}").text, ["a", "b"])
    assert list(texts) == ["a /wait/a", "b /wait/b"]


def test_requests_of_two_tasks_do_not_see_each_other(app: Sapling) -> None:
    async def one(path: str) -> str:
        with app.test_request_context(path):
            await asyncio.sleep(0)
            return request.path

    async def both() -> list[str]:
        return list(await asyncio.gather(one("/a"), one("/b")))

    assert asyncio.run(both()) == ["/a", "/b"]


def test_a_thread_has_the_context_only_if_it_is_given(app: Sapling) -> None:
    def path() -> str:
        return request.path

    with app.test_request_context("/here"), ThreadPoolExecutor(1) as pool:
        with pytest.raises(RuntimeError, match="copy_current_context"):
            pool.submit(path).result()
        assert pool.submit(copy_current_context(path)).result() == "/here"


def streaming(app: Sapling, wrap: t.Callable[[t.Any], t.Any]) -> None:
    @app.route("/stream")
    def stream() -> t.Any:
        def parts() -> t.Generator[str, None, None]:
            yield request.path
            yield " twice"

        return wrap(parts())


def test_a_generator_runs_when_the_request_is_over(app: Sapling) -> None:
    streaming(app, lambda parts: parts)
    with pytest.raises(RuntimeError, match="Nothing is active here"):
        Client(app).get("/stream")


def test_a_generator_can_keep_its_context(app: Sapling) -> None:
    streaming(app, stream_with_context)
    assert ask(app, "/stream").text == "/stream twice"


def test_a_kept_context_is_active_in_steps_alone(app: Sapling) -> None:
    seen: list[str] = []

    def parts() -> t.Generator[str, None, None]:
        try:
            yield request.path
        finally:
            seen.append(request.path)

    with app.test_request_context("/kept"):
        stream = stream_with_context(parts())
    assert next(stream) == "/kept"
    with pytest.raises(RuntimeError):
        request.path  # noqa: B018
    with ThreadPoolExecutor(1) as pool:
        pool.submit(stream.close).result()
    assert seen == ["/kept"]
