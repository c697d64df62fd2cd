"""The fixtures of the plugin for pytest, in projects on which pytest runs as it does for its users."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_projects import Project

SHOP = """
    import click
    from erlen import Erlen, g, request, session

    def create_app(name="plain", secret_key="test"):
        app = Erlen(__name__)
        app.secret_key = secret_key
        app.config["SHOP"] = name

        @app.get("/")
        def index():
            session["seen"] = True
            return f"shop {app.config['SHOP']}"

        @app.cli.command("count")
        @click.argument("number", type=int)
        def count(number):
            click.echo(f"{app.config['SHOP']} {number + 1}")

        return app
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = Project(tmp_path)
    project.write("shop.py", SHOP)
    return project


def test_each_fixture_is_there(project: Project) -> None:
    project.configure('erlen_app = shop:create_app("named/by/option//")')
    project.write(
        "tests/test_shop.py",
        """
        from urllib.request import urlopen

        import pytest
        from erlen import Erlen, has_app_context, session
        from erlen.testing import AsyncErlenClient, ErlenClient, ErlenCliRunner, LiveServer

        def test_app(app: Erlen) -> None:
            assert app.testing
            assert type(app) is Erlen
            assert app.config["SHOP"] == "named/by/option//"

        def test_client(client: ErlenClient) -> None:
            assert client.get("/").text == "shop named/by/option//"
            assert not has_app_context()

        def test_client_in_a_block(client: ErlenClient) -> None:
            with client:
                client.get("/")
                assert session["seen"]
            assert not has_app_context()

        @pytest.mark.anyio
        async def test_async_client(async_client: AsyncErlenClient) -> None:
            assert (await async_client.get("/")).text == "shop named/by/option//"

        def test_runner(runner: ErlenCliRunner) -> None:
            assert runner.invoke(args=["count", "1"]).output == "named/by/option// 2\\n"

        def test_live_server(app: Erlen, live_server: LiveServer) -> None:
            app.config["SHOP"] = "changed"
            assert urlopen(live_server.url_for("index")).read() == b"shop changed"

        def test_they_are_of_one_application(app, client, async_client, runner, live_server) -> None:
            assert client.application is async_client.application is runner.app is live_server.app is app

        @pytest.fixture
        def anyio_backend():
            return "asyncio"
        """,
    )
    # The option counts more than the variable.
    outcome = project.run(plugins=["anyio.pytest_plugin"], variables={"ERLEN_APP": "nothing"})
    assert outcome.counts == {"passed": 7}, outcome.text


def test_a_factory_is_called_for_each_test_and_a_module_keeps_its_application(project: Project) -> None:
    project.write("one.py", "from shop import create_app\napp = create_app('module')\n")
    test = """
        import pytest
        seen = []

        @pytest.mark.parametrize("number", range(3))
        def test_app(app, client, number):
            seen.append(app)
            assert "LEFT" not in app.config
            assert app.config["SHOP"] == "{name}"
            assert app.config["TESTING"]
            app.config.update(LEFT=True, SHOP="another")
            assert client.get("/").text == "shop another"
            assert len({{id(one) for one in seen}}) == ({count} if number == 2 else number + 1 if {count} > 1 else 1)

        def teardown_module():
            assert [one.config["TESTING"] for one in seen] == [False] * 3
        """
    for option, name, count in [("shop:create_app('factory')", "factory", 3), ("one", "module", 1)]:
        project.configure(f"erlen_app = {option}")
        project.write("test_shop.py", test.format(name=name, count=count))
        outcome = project.run()
        assert outcome.counts == {"passed": 3}, outcome.text


@pytest.mark.parametrize(
    ("folder", "file", "variables"),
    [
        (".", "app.py", {}),
        ("tests", "wsgi.py", {}),
        (".", "elsewhere.py", {"ERLEN_APP": "elsewhere.py"}),
        ("tests", "src/package/module.py", {"ERLEN_APP": "{root}/src/package/module:create_app('test')"}),
    ],
)
def test_an_application_that_is_not_named_is_found_as_the_command_line_does(
    project: Project, folder: str, file: str, variables: dict[str, str]
) -> None:
    project.write(file, "from shop import create_app\n")
    project.write("src/package/__init__.py", "")
    project.write(".env", "ERLEN_APP=nothing\nSHOP_DATABASE=production\n")
    project.write(
        "tests/test_shop.py",
        """
        import os

        def test_client(client):
            assert client.get("/").text[:4] == "shop"
            # The command line does that, and a test must not.
            assert "SHOP_DATABASE" not in os.environ
        """,
    )
    named = {key: value.format(root=project.folder) for key, value in variables.items()}
    outcome = project.run(folder=folder, variables=named)
    assert outcome.counts == {"passed": 1}, outcome.text


def test_fixtures_of_the_project_come_first(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        import pytest
        from shop import create_app

        @pytest.fixture
        def app():
            return create_app("of the project")

        @pytest.fixture
        def client(client):
            client.environ_base["REMOTE_ADDR"] = "192.0.2.1"
            return client
        """,
    )
    project.write(
        "test_shop.py",
        """
        from urllib.request import urlopen

        def test_client(client, app):
            assert client.get("/").text == "shop of the project"
            assert client.get("/").request.remote_addr == "192.0.2.1"
            # Nothing is switched on in an application of the project's own.
            assert not app.testing

        def test_live_server(live_server):
            assert urlopen(live_server.url).read() == b"shop of the project"

        def test_contexts_are_checked_only_where_that_is_asked_for(app):
            app.app_context().push()
        """,
    )
    outcome = project.run()
    assert outcome.counts == {"passed": 3}, outcome.text


LIFE = """
    import asyncio
    from erlen import Erlen

    events = []

    def create_app():
        app = Erlen(__name__)
        app.testing = True

        @app.lifespan
        async def life():
            app.extensions["loop"] = asyncio.get_running_loop()
            events.append("begun")
            yield
            # Not reached when the loop just ends.
            events.append("ended")

        @app.get("/")
        async def index():
            return str(asyncio.get_running_loop() is app.extensions["loop"])

        return app
"""


def test_the_life_span_lasts_as_long_as_the_test(project: Project) -> None:
    project.configure("erlen_app = life:create_app()")
    project.write("life.py", LIFE)
    project.write(
        "test_life.py",
        """
        import asyncio
        from urllib.request import urlopen

        import pytest
        from life import events

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.fixture(autouse=True)
        def around():
            events.clear()
            yield
            assert events == ["begun", "ended"]

        def test_client(around, client):
            assert events == ["begun"]
            assert client.get("/").text == "False"
            assert events == ["begun"]

        def test_client_in_a_block(around, client):
            with client:
                client.get("/")
            assert events == ["begun"]

        def test_live_server(around, live_server):
            assert events == ["begun"]
            assert urlopen(live_server.url).read() == b"True"

        @pytest.mark.anyio
        async def test_async_client(around, async_client):
            assert events == ["begun"]
            assert (await async_client.get("/")).text == "True"

        @pytest.mark.anyio
        async def test_async_client_in_a_block(around, async_client):
            async with async_client:
                await async_client.get("/")
            assert events == ["begun"]

        class TestInAClass:
            @pytest.mark.anyio
            @pytest.mark.parametrize("number", [1, 2])
            async def test_async_client(self, around, async_client, number):
                assert (await async_client.get("/")).text == "True"

        @pytest.fixture
        async def answer(around, async_client, anyio_backend):
            return (await async_client.get("/")).text

        @pytest.mark.anyio
        async def test_a_request_in_an_async_fixture(answer, async_client):
            assert answer == "True"
            assert (await async_client.get("/")).text == "True"
            assert events == ["begun"]

        def test_async_client_in_a_plain_test(around, async_client):
            async def main():
                async with async_client:
                    return (await async_client.get("/")).text
            assert asyncio.run(main()) == "True"

        def test_live_server_beside_a_client(around, live_server, client):
            assert client.get("/").text == "False"
            assert urlopen(live_server.url).read() == b"True"

        def test_client_beside_a_live_server(around, client, live_server):
            urlopen(live_server.url).read()
            assert client.get("/").text == "False"

        @pytest.mark.anyio
        async def test_async_client_beside_a_live_server(around, async_client, live_server):
            assert await asyncio.to_thread(lambda: urlopen(live_server.url).read()) == b"True"
            assert (await async_client.get("/")).text == "False"
        """,
    )
    outcome = project.run(plugins=["anyio.pytest_plugin"])
    assert outcome.counts == {"passed": 12}, outcome.text


def test_a_failing_life_span_is_shown(project: Project) -> None:
    project.configure("erlen_app = life:create_app()")
    project.write("life.py", LIFE.replace('events.append("begun")', "1 / 0"))
    project.write(
        "test_life.py",
        """
        import pytest

        def test_client(client): ...
        def test_live_server(live_server): ...

        @pytest.mark.anyio
        @pytest.mark.parametrize("anyio_backend", ["asyncio"])
        async def test_async_client(async_client): ...
        """,
    )
    outcome = project.run(plugins=["anyio.pytest_plugin"])
    assert outcome.counts == {"error": 2, "failed": 1}, outcome.text
    assert outcome.text.count("ZeroDivisionError: division by zero") >= 3, outcome.text


def test_a_view_that_fails_in_the_live_server_fails_the_test(project: Project) -> None:
    project.write(
        "app.py", "from erlen import Erlen\napp = Erlen(__name__)\n@app.get('/')\ndef index(): return 1 / 0\n"
    )
    project.write(
        "test_live.py",
        """
        from urllib.error import HTTPError
        from urllib.request import urlopen

        import pytest

        def test_without_notice(live_server):
            with pytest.raises(HTTPError):
                urlopen(live_server.url)

        def test_with_notice(live_server):
            with pytest.raises(HTTPError):
                urlopen(live_server.url)
            assert isinstance(live_server.errors.pop(), ZeroDivisionError)

        @pytest.mark.erlen_config(PROPAGATE_EXCEPTIONS=False)
        def test_of_the_page(live_server):
            with pytest.raises(HTTPError) as caught:
                urlopen(live_server.url)
            assert b"Internal Server Error" in caught.value.read()
        """,
    )
    outcome = project.run()
    assert outcome.counts == {"passed": 3, "error": 1}, outcome.text
    assert "ERROR at teardown of test_without_notice" in outcome.text
    assert "def index(): return 1 / 0" in outcome.text


# Where there is no application


def message_of(project: Project, **variables: str) -> str:
    project.write("test_shop.py", "def test_app(app): ...\n")
    outcome = project.run(variables=variables)
    assert outcome.counts == {"error": 1}, outcome.text
    # No frame of the plugin's.
    assert "provided.py" not in outcome.text
    return " ".join(line.removeprefix("E").strip() for line in outcome.text.splitlines())


HOW = "[tool.pytest.ini_options] erlen_app = \"shop:create_app('test')\"  or define a fixture 'app' in conftest.py"


def test_without_an_application_the_message_says_what_to_write(project: Project) -> None:
    message = message_of(project)
    assert f"there is no 'wsgi.py' and no 'app.py' in '{project.folder}'" in message
    assert HOW in message


def test_a_module_that_is_not_there_is_named_with_its_source(project: Project) -> None:
    project.configure("erlen_app = shp:create_app()")
    message = message_of(project)
    assert "The fixture 'app' looked where 'erlen_app' in the configuration of pytest says" in message
    assert "'shp'" in message
    assert HOW in message


def test_a_name_that_is_not_there_is_named_with_its_source(project: Project) -> None:
    message = message_of(project, ERLEN_APP="shop:make")
    assert "The fixture 'app' looked where the variable ERLEN_APP says" in message
    assert "has no 'make'" in message


def test_a_file_without_an_application_is_named(project: Project) -> None:
    project.write("app.py", "import shop\n")
    message = message_of(project)
    assert (
        f"The fixture 'app' looked where 'app.py' in '{project.folder}' says. No application in module 'app'"
        in message
    )


def test_a_mistake_in_the_module_is_shown_with_its_own_traceback(project: Project) -> None:
    project.write("app.py", "import nothing_of_that_name\n")
    message = message_of(project)
    assert "No module named 'nothing_of_that_name'" in message
    assert f'File "{project.folder / "app.py"}", line 1' in message


def test_what_a_factory_raises_is_the_error_of_the_test(project: Project) -> None:
    project.write("app.py", "def create_app():\n    raise LookupError('no database')\n")
    project.write("test_shop.py", "def test_app(app): ...\n")
    outcome = project.run()
    assert outcome.counts == {"error": 1}, outcome.text
    assert "E       LookupError: no database" in outcome.text
    assert "fixtures.py" not in outcome.text, outcome.text


# The marker


def test_the_marker_sets_configuration_for_one_test(project: Project) -> None:
    project.configure("erlen_app = life:create_app()")
    project.write("life.py", LIFE.replace('events.append("begun")', "events.append(app.config.get('KEY'))"))
    project.write(
        "test_marker.py",
        """
        import pytest
        from life import create_app, events

        @pytest.fixture(autouse=True)
        def clear():
            events.clear()

        @pytest.mark.erlen_config(KEY="of the test", SECRET_KEY="one")
        def test_before_anything_else(client, app):
            assert events == ["of the test"]
            assert app.secret_key == "one"

        def test_others_have_none(client):
            assert events == [None]

        @pytest.mark.erlen_config(KEY="of the class", OTHER=1)
        class TestClass:
            @pytest.mark.erlen_config(KEY="of the test")
            def test_the_nearest_counts(self, app):
                assert (app.config["KEY"], app.config["OTHER"]) == ("of the test", 1)

            @pytest.mark.parametrize("key", [pytest.param(1, marks=pytest.mark.erlen_config(KEY=1)), "of the class"])
            def test_of_a_parameter(self, app, key):
                assert app.config["KEY"] == key

        @pytest.mark.erlen_config("KEY")
        def test_what_is_no_key_is_refused(): ...
        """,
    )
    project.write(
        "wide/test_wide.py",
        """
        import pytest
        from life import create_app

        @pytest.fixture(scope="session")
        def app():
            return create_app()

        @pytest.mark.erlen_config(KEY=1)
        def test_1(app):
            assert app.config["KEY"] == 1

        def test_2(app):
            assert "KEY" not in app.config

        @pytest.mark.erlen_config(KEY=2)
        def test_an_application_that_no_argument_names():
            pass
        """,
    )
    outcome = project.run("--strict-markers")
    assert outcome.counts == {"passed": 8, "error": 1}, outcome.text
    assert "The marker 'erlen_config('KEY')' takes keys" in outcome.text


# The check of contexts


def test_a_context_that_a_test_leaves_fails_it_when_that_is_asked_for(project: Project) -> None:
    project.write(
        "test_contexts.py",
        """
        import pytest
        from erlen import has_app_context
        from shop import create_app

        @pytest.fixture
        def app():
            return create_app()

        @pytest.fixture(scope="session")
        def wide():
            with create_app().app_context():
                yield

        @pytest.fixture
        def pushed(app):
            with app.app_context():
                yield

        @pytest.fixture
        def client(app):
            with app.test_client() as client:
                yield client

        def test_1_leaves_one(app):
            app.app_context().push()
            app.test_request_context("/left").push()

        def test_2_is_not_blamed(app):
            assert not has_app_context()

        def test_3_has_one_of_a_fixture(pushed, client):
            client.get("/")

        def test_4_has_one_of_all_tests(wide, pushed):
            assert has_app_context()

        def test_5_pops_its_own(wide, app):
            with app.app_context():
                pass

        def test_6_leaves_one_on_top(wide, app):
            app.app_context().push()

        def test_7_is_not_blamed(wide, client):
            client.get("/")
        """,
    )
    project.configure("erlen_check_contexts = true")
    outcome = project.run()
    assert outcome.counts == {"passed": 7, "error": 2}, outcome.text
    assert "ERROR at teardown of test_1_leaves_one" in outcome.text
    assert "ERROR at teardown of test_6_leaves_one_on_top" in outcome.text
    assert "innermost first: <AppContext" in outcome.text
