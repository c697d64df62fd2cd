"""The command line: finding the application, the groups, and the program as users start it."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import textwrap
import time
import typing as t
from pathlib import Path
from types import ModuleType

import click
import pytest
from click.testing import CliRunner, Result
from werkzeug import serving

from erlen import Blueprint, Erlen, current_app
from erlen import cli as cli_module
from erlen.cli import (
    AppGroup,
    CertParamType,
    ErlenGroup,
    FlaskGroup,
    NoAppException,
    ScriptInfo,
    SeparatedPathType,
    cli,
    find_app_by_string,
    find_best_app,
    get_debug_flag,
    get_load_dotenv,
    load_dotenv,
    locate_app,
    main,
    pass_script_info,
    prepare_import,
    show_server_banner,
    with_appcontext,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Path]:
    """Run each test in a folder of its own, and take back what commands do to the process."""
    environ, modules = dict(os.environ), set(sys.modules)
    for name in list(os.environ):
        if name.startswith(("ERLEN_", "WERKZEUG_")):
            del os.environ[name]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path
    os.environ.clear()
    os.environ.update(environ)
    for name in set(sys.modules) - modules:
        # A folder without '__init__.py' has a path alone.
        file = getattr(sys.modules[name], "__file__", None) or next(
            iter(getattr(sys.modules[name], "__path__", ())), None
        )
        if file and Path(file).is_relative_to(tmp_path):
            del sys.modules[name]


def write(path: str, text: str) -> Path:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return file


def module_of(**names: t.Any) -> ModuleType:
    module = ModuleType("shop")
    vars(module).update(names)
    return module


def run(*args: str, group: click.Command = cli, **kwargs: t.Any) -> Result:
    return CliRunner().invoke(group, list(args), **kwargs)


APP = """
    from erlen import Erlen

    app = Erlen(__name__)

    @app.get("/")
    def index():
        return "first"

    @app.cli.command()
    def hello():
        print("hello from", app.name)
"""


# find_best_app


@pytest.mark.parametrize("name", ["app", "application"])
def test_application_of_the_usual_name_is_the_best(name: str) -> None:
    best = Erlen("best")
    assert find_best_app(module_of(**{name: best, "admin": Erlen("admin")})) is best


def test_only_application_is_the_best_whatever_its_name() -> None:
    only = Erlen("only")
    assert find_best_app(module_of(shop=only, number=1, Erlen=Erlen)) is only


def test_one_application_with_two_names_is_one() -> None:
    only = Erlen("only")
    assert find_best_app(module_of(shop=only, wsgi=only)) is only


def test_two_applications_are_named_in_the_error() -> None:
    with pytest.raises(NoAppException) as caught:
        find_best_app(module_of(shop=Erlen("a"), admin=Erlen("b")))
    assert caught.value.message == (
        "Module 'shop' holds 2 applications: 'admin', 'shop'. Say which one, for example '--app shop:admin'."
    )


def test_subclass_of_the_application_is_found() -> None:
    class Shop(Erlen):
        pass

    shop = Shop("shop")
    assert find_best_app(module_of(something=shop)) is shop


def test_proxies_and_blueprints_are_no_applications() -> None:
    only = Erlen("only")
    module = module_of(current_app=current_app, admin=Blueprint("admin", "admin"), shop=only)
    assert find_best_app(module) is only


@pytest.mark.parametrize("name", ["create_app", "make_app"])
def test_factory_is_called_without_arguments(name: str) -> None:
    def factory(config: str = "default") -> Erlen:
        return Erlen(config)

    assert find_best_app(module_of(**{name: factory})).name == "default"


def test_factory_that_needs_arguments_is_shown_with_its_signature() -> None:
    def create_app(config: str) -> Erlen:
        return Erlen(config)

    with pytest.raises(NoAppException) as caught:
        find_best_app(module_of(create_app=create_app))
    assert "create_app(config: 'str')" in caught.value.message
    assert "missing a required argument: 'config'" in caught.value.message
    assert "--app \"shop:create_app('value')\"" in caught.value.message


def test_error_inside_a_factory_stays_what_it_is() -> None:
    def create_app() -> Erlen:
        raise TypeError("the factory's own")

    with pytest.raises(TypeError, match="the factory's own"):
        find_best_app(module_of(create_app=create_app))


def test_factory_that_forgets_to_return_is_named() -> None:
    module = module_of(create_app=lambda: None)

    for find in (find_best_app, lambda module: find_app_by_string(module, "create_app")):
        with pytest.raises(
            NoAppException, match=r"^'create_app' in module 'shop' .* returned None.*'return app' missing"
        ):
            find(module)


def test_module_without_an_application_says_what_was_looked_for() -> None:
    with pytest.raises(NoAppException) as caught:
        find_best_app(module_of(create_app=lambda: "no application"))
    assert "No application in module 'shop'" in caught.value.message
    for name in ("app", "application", "create_app", "make_app"):
        assert repr(name) in caught.value.message
    assert "'--app shop:name'" in caught.value.message


# find_app_by_string


def shop_module() -> ModuleType:
    def create_app(name: str = "made", *, debug: bool = False) -> Erlen:
        app = Erlen(name)
        app.debug = debug
        return app

    return module_of(app=Erlen("plain"), create_app=create_app, number=1)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("app", "plain"),
        (" app ", "plain"),
        ("create_app", "made"),
        ("create_app()", "made"),
        ("create_app('test')", "test"),
        ("create_app(name='test', debug=True)", "test"),
        ('  create_app( "test" , ) ', "test"),
    ],
)
def test_application_is_found_by_name_or_call(text: str, name: str) -> None:
    assert find_app_by_string(shop_module(), text).name == name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Could not read '' as a name or a call"),
        ("create_app(", "Could not read 'create_app(' as a name or a call"),
        ("create_app()\x00", "as a name or a call"),
        ("app.wsgi", "neither a plain name nor a call"),
        ("apps[0]", "neither a plain name nor a call"),
        ("factories.create_app()", "neither a plain name nor a call"),
        ("create_app(name)", "not all literal values"),
        ("create_app(*[1])", "not all literal values"),
        ("create_app(**{})", "not all literal values"),
        ("create_app({[]})", "not all literal values"),
        ("create_app(1, 2, 3)", "too many positional arguments"),
        ("create_app(colour=1)", "unexpected keyword argument 'colour'"),
        ("missing", "Module 'shop' (built in) has no 'missing'"),
        ("number", "'shop:number' gave a int, not an application"),
        ("number()", "'shop:number()' gave a int, not an application"),
    ],
)
def test_bad_name_of_an_application_is_explained(text: str, message: str) -> None:
    with pytest.raises(NoAppException) as caught:
        find_app_by_string(shop_module(), text)
    assert message in caught.value.message


def test_name_of_an_application_executes_nothing(folder: Path) -> None:
    with pytest.raises(NoAppException):
        find_app_by_string(shop_module(), "create_app(open('made', 'w'))")
    assert not (folder / "made").exists()


# prepare_import, locate_app


@pytest.mark.parametrize(
    ("path", "name", "root"),
    [
        ("shop", "shop", "."),
        ("shop.py", "shop", "."),
        ("src/shop.py", "shop", "src"),
        ("src/pack/sub/views.py", "pack.sub.views", "src"),
        ("src/pack/sub", "pack.sub", "src"),
        ("src/pack/__init__.py", "pack", "src"),
        ("pack.views", "pack.views", "."),
    ],
)
def test_path_becomes_a_name_and_a_place(folder: Path, path: str, name: str, root: str) -> None:
    write("src/pack/__init__.py", "")
    write("src/pack/sub/__init__.py", "")
    assert prepare_import(path) == name
    assert Path(sys.path[0]) == (folder / root).resolve()


def test_preparing_twice_adds_the_place_once() -> None:
    prepare_import("shop")
    count = len(sys.path)
    prepare_import("shop")
    assert len(sys.path) == count


def test_missing_module_says_where_it_was_looked_for(folder: Path) -> None:
    with pytest.raises(NoAppException) as caught:
        locate_app(prepare_import("nowhere"), None)
    assert "Could not import 'nowhere'" in caught.value.message
    assert repr(str(folder.resolve())) in caught.value.message


@pytest.mark.parametrize("name", ["nowhere", "nowhere.sub"])
def test_missing_module_may_be_none(name: str) -> None:
    assert locate_app(name, None, raise_if_not_found=False) is None


@pytest.mark.parametrize("raise_if_not_found", [True, False])
@pytest.mark.parametrize("missing", ["import not_there", "import shop.not_there", "from os import not_there"])
def test_import_error_inside_the_module_shows_its_line(missing: str, raise_if_not_found: bool) -> None:
    write("shop.py", f"first = 1\n{missing}\n")
    with pytest.raises(NoAppException) as caught:
        locate_app(prepare_import("shop"), None, raise_if_not_found)
    assert "while 'shop' was being imported" in caught.value.message
    assert 'shop.py", line 2' in caught.value.message
    assert missing in caught.value.message
    assert "importlib" not in caught.value.message


def test_a_missing_library_is_the_users_own_traceback_and_asks_for_the_environment() -> None:
    write("shop.py", "first = 1\nimport not_there\n")
    result = run("--app", "shop", "routes")
    assert result.exit_code == 1
    assert result.stderr.startswith("Traceback (most recent call last):\n")
    assert f"Is 'not_there' installed for this Python, {sys.executable}?" in result.stderr
    assert "Usage:" not in result.stderr
    assert "Error: " not in result.stderr.replace("ModuleNotFoundError: ", "")


def test_a_circular_import_is_shown_with_the_chain() -> None:
    write("shop.py", "from prices import euro\nname = 'shop'\n")
    write("prices.py", "from taxes import rate\neuro = 1\n")
    write("taxes.py", "from shop import name\nrate = 7\n")
    result = run("--app", "shop", "routes")
    assert result.exit_code == 1
    places = re.findall(r'(\w+\.py)", line (\d+)', result.stderr)
    assert places == [("shop.py", "1"), ("prices.py", "1"), ("taxes.py", "1")]
    assert "circular import" in result.stderr
    assert "installed" not in result.stderr


def test_a_missing_application_says_nothing_of_how_the_command_is_used() -> None:
    result = run("--app", "nowhere", "routes")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: Could not import 'nowhere': ")


@pytest.mark.parametrize("name", ["wsgi", "app"])
def test_an_application_elsewhere_on_the_path_is_somebody_elses(name: str) -> None:
    sys.path.insert(0, str(write(f"elsewhere/{name}.py", APP).parent.resolve()))
    result = run("routes")
    assert result.exit_code == 2
    assert "neither 'wsgi.py' nor 'app.py' is in" in result.stderr


def test_a_package_is_found_by_the_name_of_the_file() -> None:
    write("app/__init__.py", APP)
    assert run("routes").exit_code == 0


def test_a_file_that_another_module_hides_is_named() -> None:
    file = write("json.py", APP)
    result = run("--app", "json.py", "routes")
    assert result.exit_code == 2
    assert f"{str(file.resolve())!r} cannot be imported as 'json'" in result.stderr
    assert "Rename the file." in result.stderr


@pytest.mark.parametrize("path", ["shop", "shop.py", "./shop.py"])
def test_a_file_that_was_imported_before_is_found_again(path: str) -> None:
    write("shop.py", APP)
    assert run("--app", "shop", "routes").exit_code == 0
    assert run("--app", path, "routes").exit_code == 0


def test_a_name_without_a_module_is_explained() -> None:
    result = run("--app", ":app", "routes")
    assert result.stderr == "Error: ':app' names no module. Write it before the colon: '--app module:app'.\n"


def test_a_folder_without_an_application_is_named() -> None:
    folder = write("shop/views.py", "").parent.resolve()
    assert f"No application in module 'shop' ({folder})" in run("--app", "shop", "routes").stderr


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("settings:nothing", "'nothing' in the module 'settings' is not there"),
        ("settings:number", "'number' in the module 'settings' is 1, not an ssl.SSLContext"),
        ("setings:tls", "there is no module 'setings' that could have an SSLContext 'tls'"),
        ("some/file.pem", "File 'some/file.pem' does not exist."),
    ],
)
def test_a_certificate_that_is_not_there_is_explained(value: str, message: str) -> None:
    write("settings.py", "number = 1\n")
    result = run("run", "--cert", value)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


def test_a_context_for_tls_is_imported_from_the_working_folder(folder: Path) -> None:
    write("settings.py", "import ssl\ntls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n")
    sys.path[:] = [one for one in sys.path if one not in {"", str(folder)}]
    context = CertParamType().convert("settings:tls", None, None)
    assert type(context).__name__ == "SSLContext"


def test_the_help_of_an_empty_folder_reports_no_error() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert result.stderr == ""


def test_a_command_is_not_guessed_at_where_the_application_was_not_loaded() -> None:
    write("shop.py", "import not_there\n")
    result = run("--app", "shop", "send-mail")
    assert result.exit_code == 2
    assert "import not_there" in result.stderr
    assert "'send-mail' is none of Erlen's own commands (" in result.stderr
    assert "Did you mean" not in result.stderr


def test_a_command_that_the_application_does_not_have_is_refused() -> None:
    write("shop.py", APP)
    result = run("--app", "shop", "send-mail")
    assert result.exit_code == 2
    assert "No such command 'send-mail'" in result.stderr


@pytest.mark.parametrize(("text", "error"), [("1 1", SyntaxError), ("1 / 0", ZeroDivisionError)])
def test_other_errors_of_the_module_stay_what_they_are(text: str, error: type[Exception]) -> None:
    write("shop.py", text)
    with pytest.raises(error):
        locate_app(prepare_import("shop"), None)


# ScriptInfo


def test_script_info_calls_its_factory_once() -> None:
    info = ScriptInfo(create_app=lambda: Erlen("made"))
    assert info.load_app().name == "made"
    assert info.load_app() is info.load_app()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("shop", "plain"),
        ("shop.py", "plain"),
        ("shop:other", "other"),
        ("shop.py:create_app('a:b')", "a:b"),
        ("pack.site:app", "packed"),
        ("pack/site.py", "packed"),
    ],
)
def test_script_info_loads_what_the_path_names(path: str, name: str) -> None:
    write(
        "shop.py",
        """
        from erlen import Erlen

        app = Erlen("plain")
        other = Erlen("other")

        def create_app(name):
            return Erlen(name)
        """,
    )
    write("pack/__init__.py", "")
    write("pack/site.py", "from erlen import Erlen\napp = Erlen('packed')\n")
    assert ScriptInfo(path).load_app().name == name


def test_script_info_takes_an_absolute_path_with_a_name(folder: Path) -> None:
    write("shop.py", APP)
    assert ScriptInfo(f"{folder / 'shop.py'}:app").load_app().name == "shop"


def test_wsgi_py_comes_before_app_py() -> None:
    write("app.py", "from erlen import Erlen\napp = Erlen('second')\n")
    assert ScriptInfo().load_app().name == "second"
    write("wsgi.py", "from erlen import Erlen\napp = Erlen('first')\n")
    assert ScriptInfo().load_app().name == "first"


def test_nothing_to_load_says_where_it_was_looked_for(folder: Path) -> None:
    with pytest.raises(NoAppException) as caught:
        ScriptInfo().load_app()
    assert caught.value.message == (
        f"No application was named, and neither 'wsgi.py' nor 'app.py' is in {str(folder)!r}. Name it with"
        " 'erlen --app path/to/module.py', or set ERLEN_APP."
    )


def test_the_variable_of_flask_is_told_not_to_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_APP", "shop")

    with pytest.raises(
        NoAppException, match=r"set ERLEN_APP\. FLASK_APP is set, and read only with ERLEN_AS_FLASK=1\.$"
    ):
        ScriptInfo().load_app()


@pytest.mark.parametrize("port", ["65536", "-1"])
def test_a_port_that_does_not_exist_is_refused(port: str) -> None:
    result = CliRunner().invoke(cli, ["run", "--port", port])

    assert result.exit_code == 2
    assert f"{port} is not in the range 0<=x<=65535" in result.output


@pytest.mark.parametrize(("value", "debug"), [("1", True), ("true", True), ("0", False), ("No", False)])
def test_script_info_sets_debug_mode(value: str, debug: bool) -> None:
    os.environ["ERLEN_DEBUG"] = value
    assert get_debug_flag() is debug
    assert ScriptInfo(create_app=lambda: Erlen("made")).load_app().debug is debug


def test_script_info_leaves_debug_mode_alone_when_told() -> None:
    os.environ["ERLEN_DEBUG"] = "1"

    def create_app() -> Erlen:
        app = Erlen("made")
        app.debug = False
        return app

    assert ScriptInfo(create_app=create_app, set_debug_flag=False).load_app().debug is False


# Groups and contexts


def test_plain_command_is_given_the_context() -> None:
    @click.command()
    @click.argument("greeting")
    @with_appcontext
    def greet(greeting: str) -> None:
        """Say it."""
        click.echo(f"{greeting} {current_app.name}")

    result = run("hello", group=greet, obj=ScriptInfo(create_app=lambda: Erlen("made")))
    assert (result.output, result.exit_code) == ("hello made\n", 0)
    assert greet.help == "Say it."


def test_plain_command_without_script_info_looks_for_the_application() -> None:
    write("app.py", APP)

    @click.command()
    @with_appcontext
    def name() -> None:
        click.echo(current_app.name)

    assert run(group=name).output == "app\n"


def test_context_that_is_active_is_kept(app: Erlen) -> None:
    @click.command()
    @with_appcontext
    def name() -> None:
        click.echo(current_app.name)

    with app.app_context():
        result = run(group=name, obj=ScriptInfo(create_app=lambda: Erlen("another")))
    assert result.output == "erlen_test\n"


def test_context_of_a_command_is_torn_down_once() -> None:
    app = Erlen("made")
    ended: list[BaseException | None] = []
    app.teardown_appcontext(ended.append)

    @app.cli.command()
    def work() -> None:
        click.echo(f"ended: {len(ended)}")

    assert run("work", group=ErlenGroup(create_app=lambda: app)).output == "ended: 0\n"
    assert ended == [None]


def test_command_may_do_without_a_context() -> None:
    group = AppGroup("tools")

    @group.command(with_appcontext=False)
    def plain() -> None:
        click.echo(str(bool(current_app)))

    @group.command("bound")
    def bound() -> None:
        click.echo(str(bool(current_app)))

    info = ScriptInfo(create_app=lambda: Erlen("made"))
    assert run("plain", group=group, obj=info).output == "False\n"
    assert run("bound", group=group, obj=info).output == "True\n"


def test_command_decorator_works_without_parentheses() -> None:
    group = AppGroup("tools")

    @group.command
    def plain() -> None:
        click.echo(current_app.name)

    assert run("plain", group=group, obj=ScriptInfo(create_app=lambda: Erlen("made"))).output == "made\n"


def test_group_in_a_group_is_of_the_same_kind() -> None:
    group = AppGroup("tools")

    @group.group()
    def db() -> None:
        pass

    @db.command()
    def upgrade() -> None:
        click.echo(current_app.name)

    assert isinstance(db, AppGroup)
    info = ScriptInfo(create_app=lambda: Erlen("made"))
    assert run("db", "upgrade", group=group, obj=info).output == "made\n"


def test_pass_script_info_passes_it_on() -> None:
    @click.command()
    @pass_script_info
    def show(info: ScriptInfo) -> None:
        click.echo(info.app_import_path)

    assert run(group=show, obj=ScriptInfo("shop")).output == "shop\n"


def blueprint_with_command(**options: t.Any) -> Erlen:
    app = Erlen("made")
    registered = options.pop("registered", {})
    blueprint = Blueprint("admin", "admin", **options)

    @blueprint.cli.command()
    def tidy() -> None:
        click.echo(f"tidied {current_app.name}")

    app.register_blueprint(blueprint, **registered)
    return app


@pytest.mark.parametrize(
    ("options", "args"),
    [
        ({}, ["admin", "tidy"]),
        ({"cli_group": "care"}, ["care", "tidy"]),
        ({"cli_group": None}, ["tidy"]),
        ({"registered": {"cli_group": "late"}}, ["late", "tidy"]),
        ({"cli_group": "early", "registered": {"cli_group": None}}, ["tidy"]),
    ],
)
def test_blueprint_brings_its_commands(options: dict[str, t.Any], args: list[str]) -> None:
    app = blueprint_with_command(**options)
    assert app.test_cli_runner().invoke(args=args).output == "tidied made\n"


@pytest.mark.parametrize(
    ("outer_group", "inner_group", "args"),
    [
        ({}, {}, ["outer.inner", "tidy"]),
        ({"cli_group": "care"}, {"cli_group": None}, ["tidy"]),
        ({"cli_group": None}, {"cli_group": "care"}, ["care", "tidy"]),
    ],
)
def test_nested_blueprint_brings_its_commands(
    outer_group: dict[str, t.Any], inner_group: dict[str, t.Any], args: list[str]
) -> None:
    app = Erlen("made")
    outer, inner = Blueprint("outer", "outer", **outer_group), Blueprint("inner", "inner", **inner_group)

    @inner.cli.command()
    def tidy() -> None:
        click.echo(f"tidied {current_app.name}")

    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    assert app.test_cli_runner().invoke(args=args).output == "tidied made\n"


# The group of all commands


def test_alias_is_the_same_class() -> None:
    assert FlaskGroup is ErlenGroup


def test_program_of_ones_own_runs_commands_of_its_application() -> None:
    def create_app() -> Erlen:
        app = Erlen("made")

        @app.cli.command()
        def work() -> None:
            click.echo(current_app.name)

        return app

    @click.group(cls=ErlenGroup, create_app=create_app)
    def program() -> None:
        """Manage the shop."""

    assert run("work", group=program).output == "made\n"
    assert "work" in run("--help", group=program).output


def test_program_may_do_without_the_built_in_commands() -> None:
    program = ErlenGroup(
        add_default_commands=False, add_version_option=False, create_app=lambda: Erlen("made")
    )
    assert "routes" not in run("--help", group=program).output
    assert run("--version", group=program).exit_code == 2


def test_built_in_command_comes_before_the_application_s() -> None:
    app = Erlen("made")

    @app.cli.command("routes")
    def own_routes() -> None:
        click.echo("own")

    assert run("routes", group=ErlenGroup(create_app=lambda: app)).output != "own\n"


def test_help_lists_the_commands_of_the_application() -> None:
    write("app.py", APP)
    for args in (["--help"], ["--app", "app", "--help"]):
        result = run(*args)
        assert result.exit_code == 0
        assert re.search(r"^  hello", result.output, re.MULTILINE)


def test_help_finds_the_application_in_the_environment() -> None:
    write("shop.py", APP)
    os.environ["ERLEN_APP"] = "shop"
    assert re.search(r"^  hello", run("--help").output, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("raise OSError('no disk')", "OSError: no disk"),
        ("import not_there", "No module named 'not_there'"),
        ("", "No application in module 'app'"),
    ],
)
def test_help_is_shown_although_the_application_is_broken(text: str, expected: str) -> None:
    write("app.py", text)
    result = run("--help")
    assert result.exit_code == 0
    assert expected in result.stderr
    assert "Show the routes" in result.stdout


def test_unknown_command_is_an_error() -> None:
    write("app.py", APP)
    result = run("helo")
    assert result.exit_code == 2
    assert "helo" in result.stderr


def test_app_option_may_call_a_factory() -> None:
    write(
        "shop.py",
        """
        from erlen import Erlen

        def create_app(name, debug=False):
            app = Erlen(name)

            @app.cli.command()
            def who():
                print(app.name, debug)

            return app
        """,
    )
    assert run("--app", "shop:create_app('a shop', debug=True)", "who").output == "a shop True\n"


@pytest.mark.parametrize(
    ("args", "expected"), [(["--debug"], "True\n"), (["--no-debug"], "False\n"), ([], "True\n")]
)
def test_debug_option_comes_before_the_environment(args: list[str], expected: str) -> None:
    write(
        "app.py",
        "from erlen import Erlen\napp = Erlen(__name__)\napp.cli.command('d')(lambda: print(app.debug))",
    )
    os.environ["ERLEN_DEBUG"] = "1"
    assert run(*args, "d").output == expected


def test_version_names_the_three_that_matter() -> None:
    lines = run("--version").output.splitlines()
    assert [line.split()[0] for line in lines] == ["Python", "Erlen", "Werkzeug"]


def test_a_folder_that_was_deleted_has_no_env_files(folder: Path) -> None:
    gone = folder / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    assert run("--version").exit_code == 0
    assert not load_dotenv()


def test_plugin_adds_its_command(folder: Path) -> None:
    write("demo_plugin.py", "import click\n@click.command()\ndef demo():\n    click.echo('demo!')\n")
    write("demo_plugin-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo-plugin\nVersion: 1\n")
    write(
        "demo_plugin-1.dist-info/entry_points.txt",
        "[erlen.commands]\ndemo = demo_plugin:demo\nlost = demo_plugin:lost\n",
    )
    sys.path.insert(0, str(folder))
    result = run("demo", group=ErlenGroup(create_app=lambda: Erlen("made")))
    assert result.stdout == "demo!\n"
    assert "Left out the command 'lost' of the plugin 'demo_plugin:lost': AttributeError" in result.stderr


def test_plugin_does_not_replace_the_development_server(folder: Path) -> None:
    write("demo_plugin.py", "import click\n@click.command()\ndef run():\n    click.echo('another server')\n")
    write("demo_plugin-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: demo-plugin\nVersion: 1\n")
    write("demo_plugin-1.dist-info/entry_points.txt", "[erlen.commands]\nrun = demo_plugin:run\n")
    sys.path.insert(0, str(folder))
    group = ErlenGroup()
    result = run("--help", group=group)
    assert "Left out the command 'run' of the plugin 'demo_plugin:run'" in result.stderr
    assert "another server" not in run("run", "--help", group=ErlenGroup()).output


# Env files


def test_env_files_have_an_order() -> None:
    pytest.importorskip("dotenv")
    write(".erlenenv", "ERLEN_A=1\nERLEN_B=1\nERLEN_C=1\nERLEN_D=1\n")
    write(".env", "ERLEN_B=2\nERLEN_C=2\nERLEN_D=2\n")
    named = write("named.env", "ERLEN_C=3\nERLEN_D=3\n")
    os.environ["ERLEN_D"] = "4"
    assert load_dotenv(named) is True
    assert [os.environ[f"ERLEN_{letter}"] for letter in "ABCD"] == ["1", "2", "3", "4"]


def test_env_files_of_folders_above_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dotenv")
    write(".env", "ERLEN_FOUND=größer\n")
    Path("sub").mkdir()
    monkeypatch.chdir("sub")
    assert load_dotenv() is True
    assert os.environ["ERLEN_FOUND"] == "größer"


def test_default_env_files_may_be_left_out() -> None:
    pytest.importorskip("dotenv")
    write(".env", "ERLEN_A=1\n")
    assert load_dotenv(load_defaults=False) is False
    assert load_dotenv("missing.env", load_defaults=False) is False
    assert "ERLEN_A" not in os.environ


def test_env_file_may_name_the_application() -> None:
    pytest.importorskip("dotenv")
    write("shop.py", APP)
    write("named.env", "ERLEN_APP=shop\n")
    assert run("--env-file", "named.env", "hello").output == "hello from shop\n"
    os.environ.pop("ERLEN_APP")
    write(".erlenenv", "ERLEN_APP=shop\n")
    assert run("hello").output == "hello from shop\n"


def test_skip_variable_leaves_the_default_env_files_out() -> None:
    pytest.importorskip("dotenv")
    write("shop.py", APP)
    write(".env", "ERLEN_APP=shop\n")
    os.environ["ERLEN_SKIP_DOTENV"] = "1"
    assert get_load_dotenv() is False
    assert run("hello").exit_code == 2


@pytest.mark.parametrize(("value", "expected"), [("", True), ("1", False), ("0", True), ("FALSE", True)])
def test_skip_variable_has_two_senses(value: str, expected: bool) -> None:
    os.environ["ERLEN_SKIP_DOTENV"] = value
    assert get_load_dotenv() is expected


def test_missing_dotenv_is_a_hint_where_files_wait(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dotenv", None)
    assert load_dotenv() is False
    assert capsys.readouterr().err == ""
    write(".env", "A=1\n")
    assert load_dotenv() is False
    assert capsys.readouterr().err == " * Not read: .env. To read env files: pip install python-dotenv\n"


# routes


@pytest.fixture
def routed() -> Erlen:
    app = Erlen("made", static_folder=None)
    for rule, endpoint, methods in [
        ("/b/<int:number>", "zeta", ["GET"]),
        ("/c", "alpha", ["POST", "GET"]),
        ("/a", "mid", ["DELETE"]),
    ]:
        app.add_url_rule(rule, endpoint, methods=methods)
    return app


def test_routes_are_a_table(routed: Erlen) -> None:
    lines = [
        "Endpoint  Methods    Rule",
        "--------  ---------  ---------------",
        "alpha     GET, POST  /c",
        "mid       DELETE     /a",
        "zeta      GET        /b/<int:number>",
    ]
    assert run("routes", group=ErlenGroup(create_app=lambda: routed)).output.splitlines() == lines


@pytest.mark.parametrize(
    ("key", "order"),
    [
        ("endpoint", ["alpha", "mid", "zeta"]),
        ("methods", ["mid", "zeta", "alpha"]),
        ("rule", ["mid", "zeta", "alpha"]),
        ("domain", None),
        ("match", None),
    ],
)
def test_routes_are_sorted(routed: Erlen, key: str, order: list[str] | None) -> None:
    output = run("routes", "--sort", key, group=ErlenGroup(create_app=lambda: routed)).output
    expected = order or [rule.endpoint for rule in routed.url_map.iter_rules()]
    assert [line.split()[0] for line in output.splitlines()[2:]] == expected


def test_routes_show_all_methods(routed: Erlen) -> None:
    output = run("routes", "--all-methods", group=ErlenGroup(create_app=lambda: routed)).output
    assert "GET, HEAD, OPTIONS, POST" in output


def test_routes_show_subdomains() -> None:
    app = Erlen("made", static_folder=None, subdomain_matching=True)
    app.add_url_rule("/", "index")
    app.add_url_rule("/", "api", subdomain="api")
    lines = run("routes", "--sort", "domain", group=ErlenGroup(create_app=lambda: app)).output.splitlines()
    assert lines[0] == "Endpoint  Methods  Subdomain  Rule"
    assert [line.split()[0] for line in lines[2:]] == ["index", "api"]


def test_routes_show_hosts() -> None:
    app = Erlen("made", static_folder=None, host_matching=True)
    app.add_url_rule("/", "index", host="example.com")
    assert (
        "Endpoint  Methods  Host         Rule"
        in run("routes", group=ErlenGroup(create_app=lambda: app)).output.splitlines()
    )


def test_no_routes_are_said_to_be_none() -> None:
    app = Erlen("made", static_folder=None)
    assert run("routes", group=ErlenGroup(create_app=lambda: app)).output == "No routes were registered.\n"


# run


class Served(t.NamedTuple):
    args: tuple[t.Any, ...]
    kwargs: dict[str, t.Any]


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Served]:
    """Catch what the server would be started with; replacing it in Werkzeug's module is a supported thing."""
    calls: list[Served] = []
    monkeypatch.setattr(serving, "run_simple", lambda *args, **kwargs: calls.append(Served(args, kwargs)))
    return calls


def test_run_serves_the_application(served: list[Served]) -> None:
    app = Erlen("made")
    result = run("run", group=ErlenGroup(create_app=lambda: app))
    assert result.output == " * Debug mode: off\n"
    [call] = served
    assert call.args == ("127.0.0.1", 5000, app)
    assert call.kwargs == {
        "use_reloader": False,
        "use_debugger": False,
        "threaded": True,
        "ssl_context": None,
        "extra_files": None,
        "exclude_patterns": None,
    }


@pytest.mark.parametrize(
    ("args", "reloader", "debugger"),
    [
        (["--debug", "run"], True, True),
        (["run", "--debug"], True, True),
        (["run", "--debug", "--no-reload"], False, True),
        (["run", "--debug", "--no-debugger"], True, False),
        (["run", "--reload"], True, False),
    ],
)
def test_debug_mode_turns_on_reloader_and_debugger(
    served: list[Served], args: list[str], reloader: bool, debugger: bool
) -> None:
    run(*args, group=ErlenGroup(create_app=lambda: Erlen("made")))
    assert served[0].kwargs["use_reloader"] is reloader
    assert served[0].kwargs["use_debugger"] is debugger


def test_run_takes_its_options_from_the_environment(served: list[Served]) -> None:
    os.environ.update(ERLEN_RUN_HOST="0.0.0.0", ERLEN_RUN_PORT="8000")
    run("run", "--without-threads", group=ErlenGroup(create_app=lambda: Erlen("made")))
    assert served[0].args[:2] == ("0.0.0.0", 8000)
    assert served[0].kwargs["threaded"] is False


def test_run_marks_the_environment_so_that_app_run_does_nothing(served: list[Served]) -> None:
    run("run", group=ErlenGroup(create_app=lambda: Erlen("made")))
    assert os.environ["ERLEN_RUN_FROM_CLI"] == "true"


def test_run_watches_more_files(served: list[Served]) -> None:
    files = os.pathsep.join(["a.toml", "b.toml"])
    run(
        "run",
        "--extra-files",
        files,
        "--exclude-patterns",
        files,
        group=ErlenGroup(create_app=lambda: Erlen("a")),
    )
    assert served[0].kwargs["extra_files"] == ["a.toml", "b.toml"]
    assert served[0].kwargs["exclude_patterns"] == ["a.toml", "b.toml"]


def test_run_takes_a_certificate_and_its_key(served: list[Served], folder: Path) -> None:
    write("cert.pem", "")
    write("key.pem", "")
    program = ErlenGroup(create_app=lambda: Erlen("made"))
    for args in (["--cert", "cert.pem", "--key", "key.pem"], ["--key", "key.pem", "--cert", "cert.pem"]):
        run("run", *args, group=program)
    real = folder.resolve()
    pair = (str(real / "cert.pem"), str(real / "key.pem"))
    assert [call.kwargs["ssl_context"] for call in served] == [pair, pair]


def test_run_takes_an_ssl_context(served: list[Served]) -> None:
    ssl = pytest.importorskip("ssl")
    write("tls.py", "import ssl\ncontext = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n")
    sys.path.insert(0, str(Path.cwd()))
    run("run", "--cert", "tls:context", group=ErlenGroup(create_app=lambda: Erlen("made")))
    assert isinstance(served[0].kwargs["ssl_context"], ssl.SSLContext)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--cert", "cert.pem"], "A certificate file needs its key"),
        (["--key", "cert.pem"], "A key needs its certificate"),
        (["--cert", "nowhere.pem"], "does not exist"),
        (["--cert", "tls:context", "--key", "cert.pem"], "'--cert' is an SSLContext, which takes no key"),
    ],
)
def test_run_refuses_half_a_certificate(served: list[Served], args: list[str], message: str) -> None:
    write("cert.pem", "")
    write("tls.py", "import ssl\ncontext = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n")
    sys.path.insert(0, str(Path.cwd()))
    result = run("run", *args, group=ErlenGroup(create_app=lambda: Erlen("made")))
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert not served


def test_adhoc_certificate_names_the_library_it_needs(
    served: list[Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    program = ErlenGroup(create_app=lambda: Erlen("made"))
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "cryptography", raising=False)
    result = run("run", "--cert", "adhoc", group=program)
    assert "pip install cryptography" in " ".join(result.stderr.split())


def test_separated_paths_are_a_list() -> None:
    joined = os.pathsep.join(["a", "b"])
    assert SeparatedPathType().convert(joined, None, None) == ["a", "b"]
    with pytest.raises(click.BadParameter, match="does not exist"):
        SeparatedPathType(exists=True).convert(joined, None, None)


def test_banner_is_printed_by_the_first_process_alone(capsys: pytest.CaptureFixture[str]) -> None:
    show_server_banner(True, "shop")
    assert capsys.readouterr().out == " * Serving Erlen app 'shop'\n * Debug mode: on\n"
    os.environ["WERKZEUG_RUN_MAIN"] = "true"
    show_server_banner(True, "shop")
    assert capsys.readouterr().out == ""


def test_run_fails_at_once_when_the_first_load_fails(served: list[Served]) -> None:
    write("app.py", "1 / 0")
    result = run("run")
    assert isinstance(result.exception, ZeroDivisionError)
    assert not served


def test_run_serves_the_error_after_a_reload(served: list[Served]) -> None:
    write("app.py", "1 / 0")
    os.environ["WERKZEUG_RUN_MAIN"] = "true"
    result = run("run")
    assert result.exit_code == 0
    assert 'app.py", line 1' in result.stderr
    application = served[0].args[2]
    depths: list[int] = []
    for _ in range(2):
        with pytest.raises(ZeroDivisionError) as caught:
            application({}, None)
        depths.append(len(caught.traceback))
    assert depths[0] == depths[1]


# The program as users start it


def command(*args: str) -> list[str]:
    return [sys.executable, "-m", "erlen", *args]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(Path.cwd()), "PYTHONUNBUFFERED": "1"}


def start(*args: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*args), input=text, capture_output=True, text=True, env=environment(), timeout=60, check=False
    )


def test_program_shows_routes() -> None:
    write("app.py", APP)
    finished = start("routes")
    assert finished.returncode == 0, finished.stderr
    assert re.search(r"^index +GET +/$", finished.stdout, re.MULTILINE)


def test_program_runs_code_from_a_pipe_in_the_shell() -> None:
    write(
        "shop.py",
        """
        from erlen import Erlen

        app = Erlen(__name__)

        @app.shell_context_processor
        def add_price():
            return {"price": 42}
        """,
    )
    finished = start("--app", "shop", "shell", text="print(app.name, price)\n")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "shop 42\n", "")


def test_program_shows_the_user_s_own_lines_of_an_error() -> None:
    write("app.py", "def broken():\n    1 / 0\n\nbroken()\n")
    finished = start("routes")
    assert finished.returncode == 1
    assert re.findall(r'File "(?:.*/)?(\S+)", line (\d+)', finished.stderr) == [
        ("app.py", "4"),
        ("app.py", "2"),
    ]
    assert finished.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_program_shows_a_syntax_error_at_its_place() -> None:
    write("app.py", "first = 1\nsecond = = 2\n")
    finished = start("routes")
    assert finished.returncode == 1
    assert finished.stderr.startswith('  File "')
    assert 'app.py", line 2' in finished.stderr
    assert "second = = 2" in finished.stderr


def test_program_shows_an_error_of_a_command_from_the_user_s_code_on() -> None:
    write("app.py", APP + "        1 / 0\n")
    finished = start("hello")
    assert finished.returncode == 1
    assert "hello from app" in finished.stdout
    assert re.findall(r'File "(?:.*/)?(\S+)", line', finished.stderr) == ["app.py"]


def test_main_is_the_program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["erlen", "--version"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 0
    assert "Erlen" in capsys.readouterr().out
    assert cli_module.cli is cli


class Server:
    """An ``erlen run`` in a process group of its own, which is ended with it."""

    def __init__(self, *args: str) -> None:
        self.output = Path("server.log")
        with self.output.open("wb") as log:
            self.process = subprocess.Popen(
                command(*args),
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(),
                start_new_session=True,
            )
        self.port = int(self.wait_for(lambda: re.search(r"http://127\.0\.0\.1:(\d+)", self.log()))[1])

    def log(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def wait_for(self, found: t.Callable[[], t.Any], seconds: float = 30) -> t.Any:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if (value := found()) is not None:
                return value
            time.sleep(0.05)
        pytest.fail(f"nothing happened in {seconds} s; the server wrote:\n{self.log()}")

    def get(self, path: str = "/", **headers: str) -> tuple[int, str] | None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers=headers)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, http.client.HTTPException):
            # It is being started again.
            return None
        finally:
            connection.close()

    def wait_for_answer(self, status: int, text: str) -> None:
        def answered() -> bool | None:
            answer = self.get()
            return True if answer and answer[0] == status and text in answer[1] else None

        self.wait_for(answered)

    def __enter__(self) -> t.Self:
        return self

    def __exit__(self, *details: object) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)


def test_program_runs_a_server() -> None:
    write("shop.py", APP + "\n    app.run(port=1)\n")
    with Server("--app", "shop", "run", "--port", "0") as server:
        assert server.get() == (200, "first")
        assert " * Serving Erlen app 'shop'" in server.log()
        assert " * Debug mode: off" in server.log()


def free_port() -> str:
    server = serving.make_server("127.0.0.1", 0, Erlen("probe"))
    server.server_close()
    return str(server.server_port)


def test_server_outlives_an_error_in_a_reloaded_module() -> None:
    # The reloader then looks at the files itself: not every container tells watchdog about changes.
    write("watchdog.py", "raise ImportError")
    write("app.py", APP)
    with Server("run", "--debug", "--port", free_port()) as server:
        server.wait_for_answer(200, "first")
        write("app.py", APP + "\n    an error of the user\n")
        server.wait_for_answer(500, "SyntaxError")
        write("app.py", APP.replace("first", "second, and repaired"))
        server.wait_for_answer(200, "second, and repaired")


def test_debugger_answers_no_foreign_host_cve_2024_34069() -> None:
    write("app.py", APP)
    with Server("run", "--debug", "--no-reload", "--port", free_port()) as server:
        server.wait_for_answer(200, "first")
        assert t.cast("tuple[int, str]", server.get("/__debugger__/", Host="attacker.example"))[0] in {
            400,
            404,
        }
        assert t.cast("tuple[int, str]", server.get("/__debugger__/"))[0] == 200
