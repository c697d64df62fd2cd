"""A request inside of an application context, as in Flask 3.1; ``tests/test_as_flask.py`` runs this on Flask as well."""

from __future__ import annotations

import asyncio
import typing as t

import flask.globals
import pytest
from flask import (
    Flask,
    Response,
    after_this_request,
    copy_current_request_context,
    current_app,
    flash,
    g,
    get_flashed_messages,
    has_request_context,
    render_template_string,
    request,
    session,
    url_for,
)


@pytest.fixture
def app() -> Flask:
    app = Flask("contexts")
    app.config["ENDED"] = ended = list[str]()

    @app.teardown_request
    def end_of_request(error: BaseException | None) -> None:
        ended.append("request")

    @app.teardown_appcontext
    def end_of_application(error: BaseException | None) -> None:
        ended.append("application")

    @app.get("/")
    def index() -> str:
        g.setdefault("seen", []).append(request.path)
        return f"{id(_app_ctx())} {g.get('name', 'nobody')}"

    return app


def _app_ctx() -> t.Any:
    return t.cast("t.Any", flask.globals.app_ctx)._get_current_object()


def test_a_request_alone_has_all_of_its_own(app: Flask) -> None:
    assert app.test_client().get("/").text.endswith(" nobody")
    assert app.config["ENDED"] == ["request", "application"]


def test_a_request_shares_the_application_context_around_it(app: Flask) -> None:
    with app.app_context() as context:
        g.name = "ada"
        assert app.test_client().get("/").text == f"{id(context)} ada"
        assert app.test_client().get("/").text == f"{id(context)} ada"
        assert g.seen == ["/", "/"]
        assert app.config["ENDED"] == ["request", "request"]
    assert app.config["ENDED"] == ["request", "request", "application"]


def test_a_request_inside_of_a_request_shares_it_as_well(app: Flask) -> None:
    with app.test_request_context("/outer"):
        outer = _app_ctx()
        g.name = "grace"
        assert app.test_client().get("/").text == f"{id(outer)} grace"
        assert request.path == "/outer"
        with app.app_context():
            assert "name" not in g


def test_another_application_shares_nothing(app: Flask) -> None:
    other = Flask("other")
    with other.app_context():
        g.name = "of the other"
        assert app.test_client().get("/").text.endswith(" nobody")
        assert current_app == other
    assert app.config["ENDED"] == ["request", "application"]


def test_a_client_that_keeps_its_context(app: Flask) -> None:
    with app.app_context(), app.test_client() as client:
        client.get("/")
        assert g.seen == ["/"]
        assert app.config["ENDED"] == ["request"]
    # Flask runs the functions of the request twice here.
    assert app.config["ENDED"][-2:] == ["request", "application"]
    assert app.config["ENDED"].count("application") == 1


def test_a_failing_view(app: Flask) -> None:
    @app.get("/fail")
    def fail() -> str:
        raise OSError("of the test")

    with app.app_context():
        assert app.test_client().get("/fail").status_code == 500
        assert app.config["ENDED"] == ["request"]
    assert app.config["ENDED"] == ["request", "application"]


def test_an_async_request_inside_of_a_context(app: Flask) -> None:
    @app.get("/async")
    async def view() -> str:
        return str(g.get("name"))

    with app.app_context():
        g.name = "lovelace"
        assert app.test_client().get("/async").text == "lovelace"
    assert app.config["ENDED"] == ["request", "application"]


def test_a_context_that_is_used_again_borrows_anew(app: Flask) -> None:
    context = app.test_request_context("/")
    with app.app_context():
        g.name = "lent"
        with context:
            assert g.name == "lent"
    app.config["ENDED"].clear()
    with context:
        assert "name" not in g
    assert app.config["ENDED"] == ["request", "application"]


def test_private_names_stand_for_the_same_context(app: Flask) -> None:
    variable = t.cast("t.Any", flask.globals)._cv_app

    @app.get("/same")
    def same() -> str:
        return f"{id(variable.get())} {id(_app_ctx())}"

    with app.app_context() as context:
        assert app.test_client().get("/same").text == f"{id(context)} {id(context)}"


def test_signals_are_sent_for_contexts_of_their_own_only(app: Flask) -> None:
    sent: list[str] = []
    with (
        flask.appcontext_pushed.connected_to(lambda sender: sent.append("pushed"), app),
        flask.appcontext_popped.connected_to(lambda sender: sent.append("popped"), app),
    ):
        with app.app_context():
            app.test_client().get("/")
            with app.test_request_context("/"):
                pass
        assert sent == ["pushed", "popped"]
        app.test_client().get("/")
    assert sent == ["pushed", "popped"] * 2


def test_a_request_stays_in_sight_in_an_application_context(app: Flask) -> None:
    @app.get("/around/<name>")
    def around(name: str) -> list[t.Any]:
        g.name = name
        session["name"] = name
        flash("before")

        @after_this_request
        def outside(response: Response) -> Response:
            response.headers.add("X-Order", "outside")
            return response

        with app.app_context():
            with app.app_context():
                assert has_request_context()
                session["inside"] = request.view_args
            assert "name" not in g
            flash("inside")

            @after_this_request
            def inside(response: Response) -> Response:
                response.headers.add("X-Order", "inside")
                return response

            seen = [
                request.path,
                session["name"],
                url_for("index"),
                url_for(".index"),
                get_flashed_messages(),
            ]
            copied = copy_current_request_context(lambda: request.path)
        with Flask("other").app_context():
            seen.append([current_app.name, request.path])
        return [*seen, render_template_string("{{ request.path }} {{ g.name }}"), copied()]  # type: ignore[no-untyped-call]

    app.secret_key = "test"
    client = app.test_client()
    answer = client.get("/around/ada")
    assert answer.json == [
        "/around/ada", "ada", "/", "/", ["before", "inside"], ["other", "/around/ada"], "/around/ada ada", "/around/ada",
    ]  # fmt: skip
    assert answer.headers.getlist("X-Order") == ["outside", "inside"]
    with client.session_transaction() as kept:
        assert kept["inside"] == {"name": "ada"}
        assert kept["name"] == "ada"


def test_the_end_of_the_block_is_not_that_of_the_request(app: Flask) -> None:
    @app.get("/around")
    def around() -> str:
        with app.app_context():
            return request.path

    assert app.test_client().get("/around").text == "/around"
    assert app.config["ENDED"] == ["application", "request", "application"]


def test_a_block_that_fails_ends_before_its_request(app: Flask) -> None:
    @app.get("/fails")
    def fails() -> str:
        with app.app_context():
            raise KeyError(request.path)

    assert app.test_client().get("/fails").status_code == 500
    assert app.config["ENDED"] == ["application", "request", "application"]
    assert not has_request_context()


def test_the_request_of_an_async_view_stays_in_sight(app: Flask) -> None:
    @app.get("/async/<name>")
    async def of_async(name: str) -> str:
        with app.app_context():
            await asyncio.sleep(0)
            session["name"] = name
            return f"{request.path} {url_for('index')}"

    app.secret_key = "test"
    client = app.test_client()
    assert [client.get(f"/async/{name}").text for name in ("ada", "bob")] == ["/async/ada /", "/async/bob /"]
    with client.session_transaction() as kept:
        assert kept["name"] == "bob"


def test_no_request_is_in_sight_afterwards(app: Flask) -> None:
    context = app.app_context()
    with app.test_request_context("/first"), context:
        assert request.path == "/first"
    with context:
        assert not has_request_context()
        with pytest.raises(RuntimeError, match="outside of request context"):
            _ = request.path
        with pytest.raises(RuntimeError, match="SERVER_NAME"):
            url_for("index")
