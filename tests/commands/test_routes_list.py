"""``erlen routes``: the table on terminals and through pipes, and the same as JSON."""

from __future__ import annotations

import json
import os
import textwrap
import typing as t
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from werkzeug.routing import Rule

from erlen import Blueprint, Erlen
from erlen.cli import ErlenGroup, routes_command
from erlen.cli.routes.tables import fitting, wrapped
from terminals import Terminal

APP = """
    from erlen import Erlen

    app = Erlen(__name__, static_folder=None)

    @app.get("/")
    def index():
        return ""

    @app.get("/departments/<department>/employees/<int:number>/documents/<path:document>")
    def document(department, number, document):
        return ""

    @app.post("/departments/<department>/employees/<int:number>/<any(hired,promoted):event>")
    def event(department, number, event):
        return ""
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(app: Erlen, *arguments: str) -> Result:
    return CliRunner().invoke(ErlenGroup(create_app=lambda: app), ["routes", *arguments])


def routes_of(app: Erlen, *arguments: str) -> list[dict[str, t.Any]]:
    result = run(app, "--json", *arguments)
    assert result.exit_code == 0, result.output
    routes: list[dict[str, t.Any]] = json.loads(result.stdout)["routes"]
    return routes


def view(**values: t.Any) -> str:
    return ""


@pytest.fixture
def app() -> Erlen:
    app = Erlen("made", static_folder=None)
    admin = Blueprint("admin", "made", url_prefix="/admin")
    admin.add_url_rule("/users/<int:id>", "user", view, methods=["GET", "POST"])
    app.register_blueprint(admin)
    app.add_url_rule("/pages/", "pages", view, defaults={"page": 1})
    app.add_url_rule("/pages/<int:page>", "pages", view)
    app.add_url_rule("/old", "old", redirect_to="/pages/")
    app.add_url_rule("/cdn", "cdn", build_only=True)
    app.url_map.add(Rule("/any", endpoint="any"))

    @app.websocket("/chat")
    async def chat() -> None:
        """Do nothing."""

    return app


def test_the_table_says_what_is_special(app: Erlen) -> None:
    assert run(app).output == SPECIAL


SPECIAL = """\
Endpoint    Methods    Rule                   Notes
----------  ---------  ---------------------  --------------------
admin.user  GET, POST  /admin/users/<int:id>
any         any        /any
cdn         GET        /cdn                   only builds URLs
chat        WEBSOCKET  /chat
old         GET        /old                   redirects to /pages/
pages       GET        /pages/                page=1
pages       GET        /pages/<int:page>
"""


def test_the_views_are_shown_when_asked_for(app: Erlen) -> None:
    lines = run(app, "--verbose").output.splitlines()
    assert lines[0].split() == ["Endpoint", "Methods", "Rule", "Notes", "View", "File"]
    [line] = [line for line in lines if line.startswith("admin.user")]
    name, place = line.split()[-2:]
    assert name == f"{__name__}:view"
    assert place.rpartition(":")[0] == __file__
    assert any(line.split() == ["any", "any", "/any", "none", "registered"] for line in lines)


def test_files_below_this_folder_are_named_from_here(folder: Path) -> None:
    (folder / "here.py").write_text("def index():\n    return ''\n", encoding="utf-8")
    names: dict[str, t.Any] = {"__name__": "here"}
    exec(compile((folder / "here.py").read_text(encoding="utf-8"), str(folder / "here.py"), "exec"), names)
    app = Erlen("made", static_folder=None)
    app.add_url_rule("/", "index", names["index"])
    assert run(app, "-v").output.splitlines()[-1].split()[-2:] == ["here:index", "here.py:1"]


def test_json_has_every_route_whole(app: Erlen) -> None:
    routes = {route["rule"]: route for route in routes_of(app)}
    line = routes["/admin/users/<int:id>"]["view"].pop("line")
    assert isinstance(line, int)
    assert routes["/admin/users/<int:id>"] == {
        "endpoint": "admin.user",
        "rule": "/admin/users/<int:id>",
        "methods": ["GET", "HEAD", "OPTIONS", "POST"],
        "host": None,
        "subdomain": None,
        "websocket": False,
        "arguments": {"id": "int"},
        "defaults": {},
        "redirect_to": None,
        "alias": False,
        "build_only": False,
        "blueprint": "admin",
        "view": {"name": f"{__name__}:view", "file": __file__},
    }
    assert routes["/any"]["methods"] is None
    assert routes["/any"]["view"] is None
    assert routes["/chat"]["websocket"] is True
    assert routes["/old"]["redirect_to"] == "/pages/"
    assert routes["/cdn"]["build_only"] is True
    assert routes["/pages/"]["defaults"] == {"page": 1}


def test_json_of_no_routes_is_an_empty_list() -> None:
    assert routes_of(Erlen("made", static_folder=None)) == []


def test_json_is_sorted_as_the_table_is(app: Erlen) -> None:
    rules = [route["rule"] for route in routes_of(app, "--sort", "rule")]
    assert rules == sorted(rules)


def test_routes_are_sorted_in_the_order_in_which_they_are_tried() -> None:
    app = Erlen("made", static_folder=None)
    for rule in ("/<path:rest>", "/shelf/<name>", "/shelf/<int:number>", "/shelf/new"):
        app.add_url_rule(rule, rule)
    app.add_url_rule("/elsewhere", "built", build_only=True)
    assert [route["rule"] for route in routes_of(app, "--sort", "match")] == [
        "/shelf/new",
        "/shelf/<int:number>",
        "/shelf/<name>",
        "/<path:rest>",
        "/elsewhere",
    ]


def test_a_map_without_a_matcher_lists_its_routes_as_they_were_registered() -> None:
    app = Erlen("made", static_folder=None)
    app.add_url_rule("/<name>", "named")
    app.add_url_rule("/new", "new")
    app.url_map._matcher = None  # type: ignore[assignment]
    app.url_map._remap = False
    assert [route["endpoint"] for route in routes_of(app, "--sort", "match")] == ["named", "new"]


def test_routes_are_sorted_by_their_views() -> None:
    def second() -> str:
        return ""

    def first() -> str:
        return ""

    app = Erlen("made", static_folder=None)
    for endpoint, function in (("a", second), ("b", first), ("c", None)):
        app.add_url_rule(f"/{endpoint}", endpoint, function)
    assert [route["endpoint"] for route in routes_of(app, "--sort", "view")] == ["c", "b", "a"]


def test_a_function_that_redirects_has_its_name_in_the_json() -> None:
    app = Erlen("made", static_folder=None)
    app.add_url_rule("/old", "old", redirect_to=lambda adapter: "/")
    assert routes_of(app)[0]["redirect_to"].endswith("<lambda>")
    assert "redirects to what a function returns" in run(app).output


def test_a_sort_that_is_none_is_refused() -> None:
    result = run(Erlen("made"), "--sort", "colour")
    assert result.exit_code == 2
    assert "'colour'" in result.stderr


def test_the_command_can_be_called_as_a_function_of_click(app: Erlen) -> None:
    with app.app_context():
        assert CliRunner().invoke(routes_command, []).output.startswith("Endpoint")


# Widths


def test_a_cell_goes_on_before_slashes_and_behind_spaces() -> None:
    assert wrapped("/departments/<name>/employees", 20) == ["/departments/<name>", "/employees"]
    assert wrapped("redirects to /pages/", 12) == ["redirects to", "/pages/"]
    assert wrapped("unbreakable", 4) == ["unbr", "eaka", "ble"]
    assert wrapped("", 4) == [""]


@pytest.mark.parametrize(
    ("natural", "room", "expected"),
    [
        ([10, 10], 30, [10, 10]),
        ([10, 40], 32, [10, 20]),
        ([30, 40], 42, [20, 20]),
        ([60, 60], 10, [12, 12]),
    ],
)
def test_the_widest_column_gives_first(natural: list[int], room: int, expected: list[int]) -> None:
    assert fitting(["A", "B"], natural, room) == expected


def test_nothing_is_cut_through_a_pipe() -> None:
    app = Erlen("made", static_folder=None)
    rule = "/" + "/".join(["segment"] * 40)
    app.add_url_rule(rule, "e" * 100, view)
    assert run(app).output.splitlines()[-1].split() == ["e" * 100, "GET", rule]


def on_terminal(*arguments: str, columns: int, environment: dict[str, str] | None = None) -> tuple[str, str]:
    """Return what a terminal shows, as text and with its sequences."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ERLEN_", "PYTHON", "COLUMNS"))
    }
    kept.pop("NO_COLOR", None)
    with Terminal(
        "-m", "erlen", "routes", *arguments, environment={**kept, **(environment or {})}, columns=columns
    ) as terminal:
        assert terminal.ends() == 0
        return terminal.text, terminal.raw


@pytest.fixture
def without_rich(folder: Path) -> dict[str, str]:
    fake = folder / "without" / "rich"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("raise ImportError('not for this test')\n", encoding="utf-8")
    return {"PYTHONPATH": str(fake.parent)}


@pytest.fixture
def terminals() -> None:
    pytest.importorskip("termios", reason="needs terminals of POSIX")
    Path("app.py").write_text(textwrap.dedent(APP), encoding="utf-8")


NARROW = """\
Endpoint  Methods  Rule
--------  -------  -----------------------------------------------------------
document  GET      /departments/<department>/employees/<int:number>/documents
                   /<path:document>
event     POST     /departments/<department>/employees/<int:number>
                   /<any(hired,promoted):event>
index     GET      /
"""


@pytest.mark.usefixtures("terminals")
def test_a_terminal_of_80_columns_is_not_overrun(without_rich: dict[str, str]) -> None:
    text, raw = on_terminal(columns=80, environment=without_rich)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert [line.split() for line in text.splitlines() if not line.startswith("-")] == [
        line.split() for line in NARROW.splitlines() if not line.startswith("-")
    ]
    assert "\x1b" not in raw


@pytest.mark.usefixtures("terminals")
def test_views_stand_below_their_rules_where_they_have_no_room(without_rich: dict[str, str]) -> None:
    text, _ = on_terminal("--verbose", columns=80, environment=without_rich)
    assert "View" not in text
    assert "\n    app:index  app.py:6\n" in text
    wide, _ = on_terminal("--verbose", columns=160, environment=without_rich)
    assert wide.splitlines()[0].split() == ["Endpoint", "Methods", "Rule", "View", "File"]


@pytest.mark.usefixtures("terminals")
def test_rich_adds_colours_and_nothing_else(without_rich: dict[str, str]) -> None:
    pytest.importorskip("rich")
    for arguments in ([], ["--verbose"]):
        plain, _ = on_terminal(*arguments, columns=80, environment=without_rich)
        text, raw = on_terminal(*arguments, columns=80)
        assert "\x1b[36m<department>\x1b[0m" in raw
        words = [[line.rstrip() for line in shown.splitlines()] for shown in (plain, text)]
        assert words[0][0] == words[1][0]
        assert words[0][2:] == words[1][2:]


@pytest.mark.usefixtures("terminals")
def test_colours_are_left_out_where_they_are_not_wanted() -> None:
    pytest.importorskip("rich")
    _, raw = on_terminal(columns=80, environment={"NO_COLOR": "1"})
    assert "\x1b[3" not in raw


def test_the_framework_s_own_routes_show_the_folder_they_serve(tmp_path: Path) -> None:
    for name in ("public", "assets"):
        (tmp_path / name).mkdir()
    app = Erlen("made", root_path=str(tmp_path), static_folder="public")
    shop = Blueprint("shop", "made", root_path=str(tmp_path), static_folder="assets", url_prefix="/shop")
    app.register_blueprint(shop)
    app.register_blueprint(Blueprint("own", "made", url_prefix="/own"))
    app.add_url_rule("/own/<filename>", "own.static", view)
    lines = run(app, "-v").stdout.splitlines()
    assert [" ".join(line.split()[3:]) for line in lines if "static" in line.split()[0]] == [
        f"{__name__}:view {Path(__file__)}:{view.__code__.co_firstlineno}",
        "static files of assets",
        "static files of public",
    ]
    result = run(app, "--match", "/public/site.css")
    assert "View       static files of public\n  Arguments" in result.stdout
    assert routes_of(app)[-1]["view"]["name"].startswith("erlen.registration:")
