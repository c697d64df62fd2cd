"""The application object: its arguments, its files, its contexts, its development server."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys
import time
import typing as t
import urllib.request
import weakref
from pathlib import Path

import flask
import pytest
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BuildError

from erlen import Erlen, Response, current_app, g, request, session
from erlen.config import Config
from erlen.profiles import DEFAULTS
from erlen.testing import ErlenClient
from waiting import until


def test_arguments_are_kept(tmp_path: Path) -> None:
    app = Erlen(
        "own",
        static_url_path="/files",
        static_folder="assets",
        static_host="static.test",
        host_matching=True,
        subdomain_matching=True,
        template_folder=tmp_path / "pages",
        instance_path=str(tmp_path / "instance"),
        instance_relative_config=True,
        root_path=str(tmp_path),
        profile="flask",
    )
    assert (app.import_name, app.name, app.root_path) == ("own", "own", str(tmp_path))
    assert (app.static_url_path, app.static_folder) == ("/files", str(tmp_path / "assets"))
    assert (app.url_map.host_matching, app.subdomain_matching) == (True, True)
    assert app.template_folder == tmp_path / "pages"
    assert (app.instance_path, app.config.root_path) == (
        str(tmp_path / "instance"),
        str(tmp_path / "instance"),
    )
    assert app.profile == "flask"
    (rule,) = app.url_map.iter_rules()
    assert (rule.rule, rule.endpoint, rule.host) == ("/files/<path:filename>", "static", "static.test")


def test_arguments_are_taken_in_flasks_order(tmp_path: Path) -> None:
    given: t.Any = ("own", "/s", "st", None, False, True, "tpl", str(tmp_path), True, str(tmp_path))
    ours, theirs = Erlen(*given), flask.Flask(*given)
    for name in (
        "import_name static_url_path static_folder subdomain_matching template_folder instance_path root_path name"
    ).split():
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.config.root_path == theirs.config.root_path


def test_defaults_are_those_of_flask() -> None:
    ours, theirs = Erlen("own"), flask.Flask("own")
    for name in (
        "static_url_path static_folder subdomain_matching template_folder instance_path root_path name extensions "
        "secret_key testing debug permanent_session_lifetime test_client_class test_cli_runner_class"
    ).split():
        assert getattr(ours, name) == getattr(theirs, name), name


def test_profile_is_a_keyword() -> None:
    positional: t.Any = Erlen
    with pytest.raises(TypeError):
        positional("own", None, None, None, False, False, None, None, False, None, "flask")


@pytest.mark.parametrize("path", ["instance", "./instance", "../x"])
def test_relative_instance_path_is_explained(path: str) -> None:
    with pytest.raises(ValueError, match="is relative") as caught:
        Erlen("own", instance_path=path)
    assert str(caught.value) == (
        f"instance_path={path!r} is relative, and depends on where the process was started. Pass an absolute path: "
        f"os.path.abspath({path!r})."
    )


def test_instance_path_of_a_package_and_of_a_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "site_package").mkdir()
    (tmp_path / "site_package" / "__init__.py").write_text("")
    (tmp_path / "site_module.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("site_package", "site_module"):
        assert Erlen(name).instance_path == str(tmp_path / "instance") == flask.Flask(name).instance_path


# The name


def test_name_is_the_import_name() -> None:
    assert Erlen("some.package").name == "some.package"


def test_name_of_main_is_that_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "größe_app.py"
    file.write_text("from erlen import Erlen\nprint(ascii(Erlen(__name__).name))\n", "utf-8")
    assert _run(str(file)) == ascii("größe_app")


def test_name_of_main_without_a_file() -> None:
    assert _run("-c", "from erlen import Erlen; print(Erlen(__name__).name)") == "__main__"


def _run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip()


# Files


def test_instance_resource_is_written_and_read(tmp_path: Path) -> None:
    app = Erlen("own", instance_path=str(tmp_path))
    with app.open_instance_resource("größe.txt", "w") as file:
        file.write("12 m²")
    assert (tmp_path / "größe.txt").read_text("utf-8") == "12 m²"
    with app.open_instance_resource("größe.txt") as file:
        assert file.read() == "12 m²".encode()
    with app.open_instance_resource("größe.txt", "r", encoding="latin-1") as file:
        assert file.read() == "12 mÂ²"


def test_resource_is_read_below_the_root_path(tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text("größe", "utf-8")
    app = Erlen("own", root_path=str(tmp_path))
    with app.open_resource("schema.sql") as file:
        assert file.read() == "größe".encode()
    with app.open_resource("schema.sql", "r") as file:
        assert file.read() == "größe"


# Configuration


def test_default_config_of_a_subclass_is_what_it_starts_with() -> None:
    class Own(Erlen):
        default_config = {**Erlen.default_config, "OWN": [1], "MAX_CONTENT_LENGTH": 5}

    one, two = Own("one"), Own("two")
    assert (one.config["OWN"], one.config["MAX_CONTENT_LENGTH"]) == ([1], 5)
    one.config["MAX_CONTENT_LENGTH"] = 6
    assert two.config["MAX_CONTENT_LENGTH"] == 5
    assert one.config["REFERRER_POLICY"] == DEFAULTS["safe"]["REFERRER_POLICY"]


def test_lists_of_a_default_config_are_not_shared() -> None:
    one, two = Erlen("one"), Erlen("two")
    one.config["TRUSTED_ORIGINS"].append("https://one.test")
    assert two.config["TRUSTED_ORIGINS"] == []


def test_profile_comes_before_the_default_config_of_a_subclass() -> None:
    class Own(Erlen):
        default_config = {**Erlen.default_config, "OWN": 1}

    assert "OWN" not in Own("own", profile="flask").config


def test_default_profile_of_a_subclass() -> None:
    class Lax(Erlen):
        default_profile = "flask"

    assert Lax("lax").profile == "flask"
    assert Lax("lax").config["MAX_CONTENT_LENGTH"] is None
    assert Lax("lax", profile="safe").config["MAX_CONTENT_LENGTH"] == 16 * 1024 * 1024


def test_make_config_may_be_overridden() -> None:
    class Own(Erlen):
        def make_config(self, instance_relative: bool = False) -> Config:
            config = super().make_config(instance_relative)
            config["INSTANCE_RELATIVE"] = instance_relative
            return config

    assert Own("own", instance_relative_config=True).config["INSTANCE_RELATIVE"] is True


@pytest.mark.parametrize(("value", "expected"), [(None, False), ("1", True), ("0", False), ("true", True)])
def test_debug_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, value: str | None, expected: bool
) -> None:
    monkeypatch.delenv("ERLEN_DEBUG", raising=False)
    if value is not None:
        monkeypatch.setenv("ERLEN_DEBUG", value)
    assert Erlen("own").debug is expected


def test_debug_reloads_templates_unless_configured(app: Erlen) -> None:
    assert app.jinja_env.auto_reload is False
    app.debug = True
    assert (app.config["DEBUG"], app.jinja_env.auto_reload) == (True, True)
    app.debug = False
    assert app.jinja_env.auto_reload is False
    app.config["TEMPLATES_AUTO_RELOAD"] = True
    app.debug = True
    app.debug = False
    assert app.debug is False


def test_debug_set_before_the_environment_is_made_counts_as_well(app: Erlen) -> None:
    app.debug = True
    assert "jinja_env" not in vars(app)
    assert app.jinja_env.auto_reload is True


def test_attributes_stand_for_settings(app: Erlen) -> None:
    app.secret_key, app.testing = "key", False
    app.config["PERMANENT_SESSION_LIFETIME"] = 60
    assert (app.config["SECRET_KEY"], app.config["TESTING"]) == ("key", False)
    assert app.permanent_session_lifetime.total_seconds() == 60


# Contexts


def test_test_request_context_makes_a_request_and_runs_no_hook(app: Erlen) -> None:
    app.before_request(lambda: pytest.fail("a hook was called"))
    app.add_url_rule("/größe/<int:number>", "size", lambda number: "never called", methods=["POST"])
    with app.test_request_context(
        "/größe/7?q=ä", method="POST", data={"a": "ü"}, headers={"X-One": "1"}
    ) as context:
        assert (request.path, request.args["q"], request.form["a"]) == ("/größe/7", "ä", "ü")
        assert (request.endpoint, request.view_args, request.headers["X-One"]) == ("size", {"number": 7}, "1")
        assert context.request is request._get_current_object()  # type: ignore[attr-defined]


def test_test_request_context_is_served_where_the_configuration_says(app: Erlen) -> None:
    app.config.update(SERVER_NAME="example.org:8080", APPLICATION_ROOT="/app", PREFERRED_URL_SCHEME="https")
    with app.test_request_context("/path", subdomain="sub"):
        assert request.url == "https://sub.example.org:8080/app/path"


def test_contexts_nest_and_each_has_a_g_of_its_own(app: Erlen) -> None:
    other = Erlen("other")
    with app.app_context():
        g.name = "outer"
        with other.test_request_context("/"):
            assert current_app.name == "other"
            assert "name" not in g
        assert (current_app.name, g.name) == ("erlen_test", "outer")


def test_shell_context_has_the_application_and_what_was_registered(app: Erlen) -> None:
    app.shell_context_processor(lambda: {"one": 1, "app": "replaced"})
    app.shell_context_processor(lambda: {"two": 2})
    names = app.make_shell_context()
    assert (names["one"], names["two"], names["app"]) == (1, 2, "replaced")
    with app.app_context():
        g.name = "seen"
        assert names["g"].name == "seen"
    assert Erlen.make_shell_context(Erlen("bare"))["app"].name == "bare"


# URLs


def test_url_for_of_the_application(app: Erlen) -> None:
    app.add_url_rule("/größe/<int:number>", "size", lambda number: "")
    app.config["SERVER_NAME"] = "example.org"
    with app.app_context():
        assert app.url_for("size", number=7, q="ä") == "http://example.org/gr%C3%B6%C3%9Fe/7?q=%C3%A4"
    with app.test_request_context():
        assert app.url_for("size", number=7, _anchor="ä b") == "/gr%C3%B6%C3%9Fe/7#%C3%A4%20b"
        with pytest.raises(BuildError):
            app.url_for("missing")


def test_build_errors_may_be_handled_by_a_subclass() -> None:
    class Own(Erlen):
        def handle_url_build_error(self, error: BuildError, endpoint: str, values: dict[str, t.Any]) -> str:
            return f"/handled/{endpoint}/{values['a']}"

    app = Own("own")
    with app.test_request_context():
        assert app.url_for("missing", a=1) == "/handled/missing/1"


def test_inject_url_defaults_is_asked(app: Erlen) -> None:
    app.add_url_rule("/<language>/", "index", lambda language: "")
    app.url_defaults(lambda endpoint, values: values.setdefault("language", "de"))
    values: dict[str, t.Any] = {}
    app.inject_url_defaults("index", values)
    assert values == {"language": "de"}
    with app.test_request_context():
        assert app.url_for("index") == "/de/"


def test_redirect_is_of_the_response_class(app: Erlen) -> None:
    class Own(Response):
        """Another class."""

    app.response_class = Own
    response = app.redirect("/größe", 303)
    assert (type(response), response.status_code, response.location) == (Own, 303, "/größe")


def test_aborter_of_the_application(app: Erlen) -> None:
    with pytest.raises(HTTPException) as caught:
        app.aborter(418)
    assert caught.value.code == 418


# What it leaves alone


@pytest.mark.parametrize(
    "requests",
    [
        0,
        1,
    ],
)
def test_application_without_references_is_freed_at_once(requests: int) -> None:
    gc.disable()
    try:
        app = Erlen("freed")
        app.add_url_rule("/", "index", lambda: "index")
        for _ in range(requests):
            app.test_client().get("/")
        alive = weakref.ref(app)
        del app
        # Over ASGI the thread of the loop may still be on its way out of the request.
        asyncio.run(until(lambda: alive() is None))
    finally:
        gc.enable()


def test_applications_share_nothing_of_a_request() -> None:
    one, two = Erlen("one"), Erlen("two", profile="flask")
    for app in (one, two):
        app.secret_key = app.name
        app.add_url_rule("/", "index", lambda: session.setdefault("app", current_app.name))
    assert [one.test_client().get("/").text, two.test_client().get("/").text] == ["one", "two"]
    assert "Referrer-Policy" in one.test_client().get("/").headers
    assert "Referrer-Policy" not in two.test_client().get("/").headers


def test_representation(app: Erlen) -> None:
    assert repr(app) == "<Erlen 'erlen_test'>"


# The development server

SERVER = """
from erlen import Erlen, request

app = Erlen(__name__)


@app.get("/größe")
def index():
    return f"{request.path} {app.debug} {request.host}"


app.run(**{OPTIONS!r})
app.add_url_rule("/late", "late", lambda: "registered again")
"""


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def _ask(url: str, server: subprocess.Popen[str]) -> str:
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                body: bytes = response.read()
                return body.decode()
        except OSError:
            if time.monotonic() > deadline or server.poll() is not None:
                raise
            time.sleep(0.05)


@pytest.mark.parametrize("where", ["arguments", "SERVER_NAME"])
def test_run_serves_over_http(tmp_path: Path, where: str) -> None:
    port = _free_port()
    options: dict[str, t.Any] = {"debug": True, "use_reloader": False, "load_dotenv": False}
    source = SERVER
    if where == "arguments":
        options |= {"host": "127.0.0.1", "port": port}
    else:
        source = source.replace("app.run", f"app.config['SERVER_NAME'] = '127.0.0.1:{port}'\napp.run")
    file = tmp_path / "served.py"
    file.write_text(source.replace("{OPTIONS!r}", repr(options)), "utf-8")
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("ERLEN", "WERKZEUG"))
    }
    with subprocess.Popen(
        [sys.executable, str(file)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ
    ) as server:
        try:
            answer = _ask(f"http://127.0.0.1:{port}/gr%C3%B6%C3%9Fe", server)
            assert answer == f"/größe True 127.0.0.1:{port}"
        finally:
            server.terminate()
            printed = server.communicate(timeout=30)[0]
    assert "served" in printed
    assert "Debug mode: on" in printed


def test_run_does_nothing_where_the_command_line_serves(monkeypatch: pytest.MonkeyPatch, app: Erlen) -> None:
    monkeypatch.setenv("ERLEN_RUN_FROM_CLI", "true")
    app.run(port=1)


def test_port_that_is_taken_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "served.py"
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        file.write_text(SERVER.replace("{OPTIONS!r}", repr({"port": port, "load_dotenv": False})), "utf-8")
        done = subprocess.run(
            [sys.executable, str(file)], capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode != 0
    assert f"Port {port} is in use" in done.stderr


def test_application_is_a_wsgi_callable_with_middleware(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: request.environ["own"])
    inner = app.wsgi_app

    def middleware(environ: t.Any, start_response: t.Any) -> t.Any:
        return inner({**environ, "own": "by middleware"}, start_response)

    app.wsgi_app = middleware  # type: ignore[assignment, method-assign]
    assert client.get("/").text == "by middleware"
