"""The plugin for pytest where it is not alone: with other plugins, in projects that do not use Erlen, as Flask."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

from pytest_projects import Project

# As pytest-flask and pytest-django have them: fixtures for everybody, one under a name of its own.
OTHER = """
    import pytest

    @pytest.fixture
    def client():
        return "client of the other plugin"

    @pytest.fixture(name="live_server")
    def make_live_server():
        return "server of the other plugin"

    # Neither of these is a fixture.
    runner = object()

    def async_client():
        raise AssertionError
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.write("app.py", "from erlen import Erlen\napp = Erlen(__name__)\n")
    project.write("other.py", OTHER)
    project.write(
        "test_kinds.py",
        """
        def test_kinds(app, client, async_client, runner, live_server, record_property):
            kinds = [one if isinstance(one, str) else type(one).__name__ for one in (client, live_server)]
            print("KINDS", *kinds, type(app).__name__, type(async_client).__name__, type(runner).__name__)
        """,
    )
    return project


def kinds(text: str) -> str:
    found = re.search("KINDS (.*)", text)
    assert found is not None, text
    return found[1]


REST = "Erlen AsyncErlenClient ErlenCliRunner"


def test_a_fixture_whose_name_another_plugin_has_is_that_of_the_other(project: Project) -> None:
    outcome = project.run("-s", "-v", plugins=["other"])
    assert kinds(outcome.text) == f"client of the other plugin server of the other plugin {REST}"
    assert (
        "erlen: fixtures of other plugins: 'client' of 'other', 'live_server' of 'other'; Erlen's with "
        "'erlen_fixtures = always'" in outcome.text
    )


def test_that_is_said_only_when_asked(project: Project) -> None:
    assert "erlen:" not in project.run(plugins=["other"]).text


def test_an_option_brings_them_back(project: Project) -> None:
    project.configure("erlen_fixtures = always")
    assert kinds(project.run("-s", plugins=["other"]).text) == f"ErlenClient LiveServer {REST}"


def test_an_option_leaves_all_of_them_out(project: Project) -> None:
    project.configure("erlen_fixtures = never")
    outcome = project.run()
    assert outcome.counts == {"error": 1}, outcome.text
    assert "fixture 'app' not found" in outcome.text
    assert "_erlen_config" not in outcome.text


def test_a_plugin_of_the_project_itself_comes_first_as_its_conftest_does(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        import pytest
        pytest_plugins = ["other"]

        @pytest.fixture
        def app(app):
            app.config["CONFTEST"] = True
            return app
        """,
    )
    project.write("test_app.py", "def test_app(app):\n    assert app.testing and app.config['CONFTEST']\n")
    outcome = project.run("-s")
    assert kinds(outcome.text) == f"client of the other plugin server of the other plugin {REST}"
    assert outcome.counts == {"passed": 2}, outcome.text


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            "erlen_fixtures = maybe",
            "erlen_fixtures = 'maybe' in the configuration of pytest is not one of auto, always, never.",
        ),
        (
            "erlen_interface = http",
            "erlen_interface = 'http' in the configuration of pytest is not one of auto, wsgi, asgi.",
        ),
    ],
)
def test_an_option_that_means_nothing_is_refused(project: Project, line: str, message: str) -> None:
    project.configure(line)
    outcome = project.run()
    assert outcome.code == pytest.ExitCode.USAGE_ERROR
    assert message in outcome.text
    assert "Traceback" not in outcome.text


def test_the_interface_of_the_live_server_is_an_option(project: Project) -> None:
    project.write("test_kinds.py", "def test_live(live_server):\n    print('KINDS', live_server.interface)\n")
    project.configure("erlen_interface = asgi")
    assert kinds(project.run("-s").text) == "asgi"


def test_nothing_of_erlen_is_loaded_where_nobody_uses_it(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        import sys

        def pytest_unconfigure():
            roots = ("erlen", "werkzeug", "jinja2", "click", "uvicorn")
            print("KINDS", *sorted(name for name in sys.modules if name.partition(".")[0] in roots))
        """,
    )
    project.write("test_kinds.py", "def test_nothing(): ...\n")
    outcome = project.run("-s")
    assert kinds(outcome.text) == "erlen erlen.testing erlen.testing.fixtures erlen.testing.plugin"


def test_erlen_can_still_become_flask_in_a_conftest(project: Project) -> None:
    project.write("conftest.py", "import erlen.as_flask\n")
    project.write("app.py", "from flask import Flask\napp = Flask(__name__)\n")
    project.write(
        "test_kinds.py",
        """
        import flask.testing
        from flask.testing import FlaskClient, make_test_environ_builder

        def test_flask(client, app):
            assert type(client) is FlaskClient is flask.testing.FlaskClient
            assert isinstance(app, flask.Flask)
            assert "FlaskClient" in dir(flask.testing)
            assert not hasattr(flask.testing, "Nothing")
        """,
    )
    outcome = project.run("-W", "ignore::DeprecationWarning")
    assert outcome.counts == {"passed": 1}, outcome.text


def test_a_process_that_began_as_flask_has_no_warning_of_pytest(project: Project) -> None:
    project.write("test_kinds.py", "from flask import Flask\ndef test_flask(client):\n    assert client\n")
    # It finds the plugin by itself: then it looks at what has been imported before.
    outcome = project.python("-W", "error", "-m", "erlen.as_flask", "-m", "pytest")
    assert outcome.code == 0, outcome.text


def test_pytest_loads_the_plugin_by_itself(project: Project) -> None:
    """It is an entry point; without one here, this environment was made before: 'make clean'."""
    [entry] = metadata.entry_points(group="pytest11", name="erlen")
    assert entry.value == "erlen.testing.plugin"
    outcome = project.python("-m", "pytest", "-s")
    assert kinds(outcome.text) == f"ErlenClient LiveServer {REST}"


def test_pytest_lists_what_the_plugin_has(project: Project) -> None:
    listed = project.run("--fixtures", "--markers").text
    assert "@pytest.mark.erlen_config(**values): set values in the configuration" in listed
    listed = project.run("--fixtures").text
    for name in ("app", "client", "async_client", "runner", "live_server"):
        description = re.search(rf"^{name} -- .*\n    (Return .*\.)$", listed, re.MULTILINE)
        assert description is not None, name
    assert "_erlen_config" not in listed


def test_configuration_in_toml_works(project: Project) -> None:
    (project.folder / "pytest.ini").unlink()
    project.write(
        "pyproject.toml",
        """
        [tool.pytest.ini_options]
        erlen_app = "app"
        erlen_interface = "asgi"
        erlen_check_contexts = true
        """,
    )
    outcome = project.run("-s")
    assert kinds(outcome.text) == f"ErlenClient LiveServer {REST}"
    assert outcome.counts == {"passed": 1}, outcome.text
