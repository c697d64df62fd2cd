"""The test client, its environments, and the runner for commands."""

from __future__ import annotations

import typing as t
from decimal import Decimal

import click
import pytest
import werkzeug.test
from werkzeug.wrappers import Request as WerkzeugRequest
from werkzeug.wrappers import Response as WerkzeugResponse

from erlen import (
    Erlen,
    Request,
    current_app,
    g,
    has_app_context,
    has_request_context,
    redirect,
    request,
    session,
    stream_with_context,
)
from erlen.cli import ScriptInfo, with_appcontext
from erlen.json.provider import DefaultJSONProvider
from erlen.testing import EnvironBuilder, ErlenClient, ErlenCliRunner, FlaskClient, FlaskCliRunner


@pytest.fixture
def app() -> Erlen:
    app = Erlen("erlen_test", static_folder=None)
    app.config.update(TESTING=True, SECRET_KEY="a key for tests")

    @app.route("/", methods=["GET", "POST"])
    def index() -> dict[str, t.Any]:
        g.seen = request.path
        return {
            "url": request.url,
            "agent": request.user_agent.string,
            "address": request.remote_addr,
            "args": request.args,
            "method": request.method,
        }

    @app.get("/other")
    def other() -> str:
        return "other"

    @app.post("/echo")
    def echo() -> t.Any:
        return {"json": request.get_json()}

    @app.get("/away")
    def away() -> WerkzeugResponse:
        return redirect("/")

    @app.post("/keep")
    def keep() -> WerkzeugResponse:
        return redirect("/", 307)

    @app.get("/fail")
    def fail() -> str:
        raise ZeroDivisionError("planned")

    @app.get("/session")
    def show_session() -> dict[str, t.Any]:
        return dict(session)

    return app


@pytest.fixture
def client(app: Erlen) -> ErlenClient:
    return app.test_client()


# EnvironBuilder


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "http://localhost/"),
        ({"path": "/a?b=1"}, "http://localhost/a?b=1"),
        ({"path": "/a", "query_string": {"b": "1"}}, "http://localhost/a?b=1"),
        ({"path": "http://example.org:8080/a?b=1"}, "http://example.org:8080/a?b=1"),
        ({"path": "//example.org/a"}, "http://example.org/a"),
        ({"subdomain": "api"}, "http://api.localhost/"),
        ({"url_scheme": "https"}, "https://localhost/"),
        ({"base_url": "https://example.org/root", "path": "/a"}, "https://example.org/root/a"),
        ({"path": "/größe"}, "http://localhost/größe"),
    ],
)
def test_builder_makes_the_url(app: Erlen, arguments: dict[str, t.Any], expected: str) -> None:
    assert EnvironBuilder(app, **arguments).get_request(Request).url == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"path": "/a"}, "https://example.com/root/a"),
        ({"path": "/a", "subdomain": "api"}, "https://api.example.com/root/a"),
        ({"path": "http://example.org/a"}, "http://example.org/root/a"),
        ({"path": "/a", "base_url": "http://example.org"}, "http://example.org/a"),
    ],
)
def test_builder_reads_the_configuration(app: Erlen, arguments: dict[str, t.Any], expected: str) -> None:
    app.config.update(SERVER_NAME="example.com", APPLICATION_ROOT="/root", PREFERRED_URL_SCHEME="https")
    assert EnvironBuilder(app, **arguments).get_request(Request).url == expected


@pytest.mark.parametrize("more", [{"subdomain": "api"}, {"url_scheme": "https"}])
def test_builder_refuses_a_base_url_said_twice(app: Erlen, more: dict[str, t.Any]) -> None:
    with pytest.raises(TypeError, match=r"together with base_url='http://example\.org', which says both"):
        EnvironBuilder(app, base_url="http://example.org", **more)


def test_builder_serializes_json_with_the_provider_of_the_application(app: Erlen) -> None:
    builder = EnvironBuilder(app, "/", method="POST", json={"price": Decimal("1.50")})
    assert builder.get_request(Request).get_data() == app.json.dumps({"price": Decimal("1.50")}).encode()


# Requests


def test_aliases_are_the_same_classes() -> None:
    assert (FlaskClient, FlaskCliRunner) == (ErlenClient, ErlenCliRunner)


def test_client_is_of_the_class_the_application_names(app: Erlen) -> None:
    class OwnClient(ErlenClient):
        def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
            self.token = kwargs.pop("token", None)
            super().__init__(*args, **kwargs)

    app.test_client_class = OwnClient
    client = app.test_client(token="abc")
    assert isinstance(client, OwnClient)
    assert client.token == "abc"


def test_request_says_where_it_comes_from(client: ErlenClient) -> None:
    answer = client.get("/").get_json()
    assert answer["address"] == "127.0.0.1"
    assert answer["agent"].startswith("Werkzeug/")


def test_environ_base_counts_for_every_request(client: ErlenClient) -> None:
    client.environ_base["REMOTE_ADDR"] = "192.0.2.7"
    assert client.get("/").get_json()["address"] == "192.0.2.7"
    assert client.get("/", environ_base={"HTTP_USER_AGENT": "probe"}).get_json()["agent"] == "probe"
    assert client.get("/").get_json()["agent"] != "probe"


def test_unsafe_request_passes_the_safe_profile_plainly(client: ErlenClient) -> None:
    assert client.post("/").get_json()["method"] == "POST"


def test_json_travels_both_ways(client: ErlenClient) -> None:
    assert client.post("/echo", json={"name": "Zoë"}).json == {"json": {"name": "Zoë"}}


def test_response_reads_json_with_the_provider_of_the_application(app: Erlen, client: ErlenClient) -> None:
    class Shouting(DefaultJSONProvider):
        def loads(self, s: str | bytes, **kwargs: t.Any) -> t.Any:
            return {"shouted": super().loads(s, **kwargs)}

    app.json = Shouting(app)
    assert client.get("/session").get_json() == {"shouted": {}}


def test_client_sends_a_builder_and_leaves_it_as_it_was(app: Erlen, client: ErlenClient) -> None:
    builder = EnvironBuilder(app, "/?a=1", method="POST")
    before = dict(builder.environ_base or {})
    for _ in range(2):
        assert client.open(builder).get_json() == client.post("/?a=1").get_json()
    assert dict(builder.environ_base or {}) == before


def test_client_sends_a_builder_of_werkzeug(client: ErlenClient) -> None:
    assert client.open(werkzeug.test.EnvironBuilder("/?a=1")).get_json()["args"] == {"a": "1"}


def test_client_sends_an_environ_and_leaves_it_as_it_was(app: Erlen, client: ErlenClient) -> None:
    environ = EnvironBuilder(app, "/?a=1").get_environ()
    before = dict(environ)
    assert client.open(environ).get_json()["args"] == {"a": "1"}
    assert environ == before


def test_client_sends_a_request_and_leaves_it_as_it_was(app: Erlen, client: ErlenClient) -> None:
    given = EnvironBuilder(app, "/?a=1").get_request()
    before = dict(given.environ)
    assert client.open(given).get_json()["args"] == {"a": "1"}
    assert given.environ == before
    assert type(given) is WerkzeugRequest


def test_client_follows_redirects(client: ErlenClient) -> None:
    response = client.get("/away", follow_redirects=True)
    assert (response.status_code, response.request.path) == (200, "/")
    assert [earlier.status_code for earlier in response.history] == [302]


def test_client_follows_redirects_that_keep_the_method(client: ErlenClient) -> None:
    assert client.post("/keep", follow_redirects=True).get_json()["method"] == "POST"


def test_error_of_a_view_reaches_the_test(client: ErlenClient) -> None:
    with pytest.raises(ZeroDivisionError, match="planned"):
        client.get("/fail")


# The context after a request


def test_context_is_gone_without_a_with_block(client: ErlenClient) -> None:
    client.get("/")
    assert not has_request_context()
    assert not has_app_context()


def test_context_of_the_last_request_is_kept_in_a_with_block(client: ErlenClient) -> None:
    with client:
        client.get("/?name=Ada")
        assert request.args["name"] == "Ada"
        assert g.seen == "/"
        assert current_app.name == "erlen_test"
        client.get("/other")
        assert request.path == "/other"
        assert "seen" not in g
    assert not has_request_context()


def test_context_is_kept_when_the_view_fails(client: ErlenClient) -> None:
    with client:
        with pytest.raises(ZeroDivisionError):
            client.get("/fail")
        assert request.path == "/fail"
    assert not has_request_context()


def test_context_is_kept_when_there_is_no_route(client: ErlenClient) -> None:
    with client:
        assert client.get("/missing").status_code == 404
        assert request.path == "/missing"


def test_context_after_a_redirect_is_that_of_the_last_request(client: ErlenClient) -> None:
    with client:
        client.get("/away", follow_redirects=True)
        assert request.path == "/"
    assert not has_request_context()


def test_request_that_is_sent_again_after_the_block_keeps_no_context(client: ErlenClient) -> None:
    with client:
        response = client.get("/")
    client.open(response.request)
    assert not has_app_context()


def test_context_is_kept_after_a_stream(app: Erlen, client: ErlenClient) -> None:
    @app.get("/stream")
    def stream() -> t.Iterator[str]:
        @stream_with_context
        def generate() -> t.Iterator[str]:
            yield request.path
            yield "!"

        return generate()

    with client:
        assert client.get("/stream", buffered=True).text == "/stream!"
        assert request.path == "/stream"
    assert not has_request_context()


def test_teardown_runs_at_the_end_of_the_request_and_of_the_block(app: Erlen, client: ErlenClient) -> None:
    ended: list[str] = []

    @app.teardown_request
    def end_request(error: BaseException | None) -> None:
        ended.append("request")

    @app.teardown_appcontext
    def end_context(error: BaseException | None) -> None:
        ended.append("context")

    with client:
        client.get("/")
        assert ended == ["request", "context"]
    assert ended == ["request", "context"] * 2


def test_routes_can_be_added_in_a_with_block_before_its_first_request(
    app: Erlen, client: ErlenClient
) -> None:
    with client:

        @app.get("/late")
        def late() -> str:
            return "late"

        assert client.get("/late").text == "late"
        with pytest.raises(AssertionError):
            app.add_url_rule("/later", view_func=late)
    assert not app.is_serving


def test_with_blocks_of_one_client_do_not_nest(client: ErlenClient) -> None:
    with client, pytest.raises(RuntimeError, match="in a 'with' block already"), client:
        pass


def test_with_blocks_of_two_clients_nest(app: Erlen, client: ErlenClient) -> None:
    with client:
        client.get("/")
        with app.test_client() as inner:
            inner.get("/other")
            assert request.path == "/other"
        assert request.path == "/"


def test_client_works_again_after_an_error_in_the_block(client: ErlenClient) -> None:
    with pytest.raises(KeyError), client:
        client.get("/")
        raise KeyError
    with client:
        client.get("/other")
        assert request.path == "/other"


# Sessions


def test_session_transaction_sets_what_the_next_request_sees(client: ErlenClient) -> None:
    with client.session_transaction() as before:
        before["user"] = "ada"
    assert client.get("/session").get_json() == {"user": "ada"}


def test_session_transaction_reads_what_a_request_set(app: Erlen, client: ErlenClient) -> None:
    @app.get("/set")
    def set_user() -> str:
        session["user"] = "grace"
        return ""

    client.get("/set")
    with client.session_transaction() as after:
        assert after["user"] == "grace"
        after["user"] = "ada"
    assert client.get("/session").get_json() == {"user": "ada"}


def test_session_transaction_does_not_save_after_an_error(client: ErlenClient) -> None:
    with pytest.raises(KeyError), client.session_transaction() as before:
        before["user"] = "ada"
        raise KeyError
    assert client.get("/session").get_json() == {}


def test_session_transaction_leaves_the_kept_context_alone(client: ErlenClient) -> None:
    with client:
        client.get("/")
        with client.session_transaction() as between:
            assert request.path == "/"
            between["user"] = "ada"
        client.get("/session")
        assert session["user"] == "ada"


def test_session_transaction_is_for_the_host_it_names(client: ErlenClient) -> None:
    with client.session_transaction(base_url="http://example.org") as before:
        before["user"] = "ada"
    assert client.get("/session").get_json() == {}
    assert client.get("/session", base_url="http://example.org").get_json() == {"user": "ada"}


def test_session_transaction_keeps_a_cookie_of_its_own_kind(client: ErlenClient) -> None:
    client.set_cookie("theme", "dark")
    with client.session_transaction() as before:
        before["user"] = "ada"
    with client:
        client.get("/session")
        assert request.cookies["theme"] == "dark"


def test_session_transaction_without_cookies_says_what_to_do(app: Erlen) -> None:
    with (
        pytest.raises(TypeError, match=r"keeps no cookies.*app\.test_client\(use_cookies=True\)"),
        app.test_client(use_cookies=False).session_transaction(),
    ):
        pass


def test_session_transaction_without_a_secret_key_says_what_to_do(app: Erlen, client: ErlenClient) -> None:
    app.secret_key = None
    with (
        pytest.raises(RuntimeError, match=r"opened no session.*set 'app\.secret_key'"),
        client.session_transaction(),
    ):
        pass


# Commands


@click.command("who")
@click.argument("greeting", default="I am")
@with_appcontext
def who(greeting: str) -> None:
    click.echo(f"{greeting} {current_app.name}")


def test_runner_runs_commands_of_the_application(app: Erlen) -> None:
    app.cli.add_command(who)
    result = app.test_cli_runner().invoke(args=["who", "this is"])
    assert (result.output, result.exit_code) == ("this is erlen_test\n", 0)


def test_runner_runs_a_command_by_itself(app: Erlen) -> None:
    assert app.test_cli_runner().invoke(who).output == "I am erlen_test\n"


def test_runner_leaves_debug_mode_as_the_test_set_it(app: Erlen) -> None:
    app.debug = True
    app.test_cli_runner().invoke(who)
    assert app.debug is True


def test_runner_takes_another_script_info(app: Erlen) -> None:
    other = ScriptInfo(create_app=lambda: Erlen("another"))
    assert app.test_cli_runner().invoke(who, obj=other).output == "I am another\n"


def test_runner_reports_the_error_of_a_command(app: Erlen) -> None:
    @app.cli.command("break")
    def break_() -> None:
        raise ZeroDivisionError("planned")

    result = app.test_cli_runner().invoke(args=["break"])
    assert isinstance(result.exception, ZeroDivisionError)
    with pytest.raises(ZeroDivisionError, match="planned"):
        app.test_cli_runner().invoke(args=["break"], catch_exceptions=False)


def test_runner_is_of_the_class_the_application_names(app: Erlen) -> None:
    class OwnRunner(ErlenCliRunner):
        pass

    app.test_cli_runner_class = OwnRunner
    assert isinstance(app.test_cli_runner(), OwnRunner)
