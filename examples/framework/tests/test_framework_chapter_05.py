from __future__ import annotations

import logging
import typing as t

import pytest
from werkzeug.exceptions import NotFound

import erlen
from chapter_05 import Response, Sapling
from framework_support import ask, chapter, new_app, told
from solutions.chapter_05 import WithHooks, after_this_request


def build(framework: t.Any, calls: list[str]) -> t.Any:
    app = new_app(framework)

    for name in ("first", "second"):

        def before(name: str = name) -> str | None:
            calls.append(f"before {name}")
            return "stopped" if framework.request.args.get("stop") == name else None

        def after(response: t.Any, name: str = name) -> t.Any:
            calls.append(f"after {name}")
            return response

        def teardown(failure: BaseException | None, name: str = name) -> None:
            calls.append(f"end {name} {failure!r}")

        app.before_request(before)
        app.after_request(after)
        app.teardown_appcontext(teardown)

    @app.route("/<what>/")
    def show(what: str) -> str:
        calls.append("view")
        if what == "missing":
            raise KeyError(what)
        if what == "broken":
            raise ZeroDivisionError
        return what

    @app.errorhandler(LookupError)
    def lookup(error: LookupError) -> tuple[str, int]:
        return f"no {error}", 404

    @app.errorhandler(405)
    def method(error: t.Any) -> tuple[str, int]:
        return "another method", 405

    @app.errorhandler(500)
    def failed(error: t.Any) -> tuple[str, int]:
        return f"sorry {error.original_exception!r}", 500

    return app


REQUESTS = [
    ("/page/", "GET"), ("/page", "GET"), ("/page/?stop=first", "GET"), ("/page/?stop=second", "GET"),
    ("/missing/", "GET"), ("/broken/", "GET"), ("/a/b/", "GET"), ("/page/", "PUT"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(5, 13))
@pytest.mark.parametrize(("path", "method"), REQUESTS)
def test_hooks_and_handlers_are_called_as_in_erlen(number: int, path: str, method: str) -> None:
    ours, theirs = list[str](), list[str]()
    mine, erlens = ask(build(chapter(number), ours), path, method), ask(build(erlen, theirs), path, method)
    assert ours == theirs
    assert told(mine) == told(erlens)
    assert (mine.text == erlens.text) or path == "/page"


def test_a_handler_of_all_exceptions_leaves_redirects_alone() -> None:
    app = Sapling()
    app.route("/files/", endpoint="files")(lambda: "files")
    app.errorhandler(Exception)(lambda error: ("caught", 418))
    assert ask(app, "/files").status_code == 308
    assert ask(app, "/other").status_code == 418


def test_every_function_is_called_at_the_end_also_when_one_raises() -> None:
    app, calls = Sapling(), list[str]()
    app.teardown_appcontext(lambda failure: calls.append("first"))

    @app.teardown_appcontext
    def broken(failure: BaseException | None) -> None:
        raise OSError("gone")

    with pytest.raises(ExceptionGroup) as raised, app.app_context():
        pass
    assert [type(error) for error in raised.value.exceptions] == [OSError]
    assert calls == ["first"]


def test_an_exception_that_nobody_handles_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    app = Sapling()

    @app.route("/")
    def index() -> str:
        raise ValueError("secret")

    with caplog.at_level(logging.ERROR, "sapling"):
        response = ask(app, "/")
    assert (response.status_code, "secret" in response.text) == (500, False)
    assert "secret" in caplog.text
    app.testing = True
    with pytest.raises(ValueError, match="secret"):
        ask(app, "/")


def test_a_hook_that_is_broken_does_not_break_the_page_about_it() -> None:
    app = Sapling()
    app.route("/", endpoint="index")(lambda: "index")

    @app.after_request
    def broken(response: Response) -> Response:
        raise OSError

    assert ask(app, "/").status_code == 500


def test_a_handler_that_could_never_be_called_is_refused() -> None:
    with pytest.raises(ValueError, match="No exception has the status 200"):
        Sapling().errorhandler(200)(lambda error: "")


def test_the_nearest_class_answers() -> None:
    app = Sapling()
    app.errorhandler(Exception)(lambda error: "any")
    app.errorhandler(NotFound)(lambda error: "not found")
    assert ask(app, "/").text == "not found"


def test_a_hook_can_be_for_one_response() -> None:
    app = WithHooks()

    @app.route("/<int:number>")
    def show(number: int) -> str:
        @after_this_request
        def mark(response: Response) -> Response:
            response.headers["X-Number"] = f"{number}"
            return response

        return "shown"

    app.route("/plain", endpoint="plain")(lambda: "plain")
    assert ask(app, "/7").headers["X-Number"] == "7"
    assert "X-Number" not in ask(app, "/plain").headers
