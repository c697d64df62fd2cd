"""The reference shows every public name, and nothing else."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
import typing as t
from pathlib import Path, PurePosixPath

import pytest
from werkzeug.wrappers import Request as WerkzeugRequest
from werkzeug.wrappers import Response as WerkzeugResponse

import command_table
import reference
from erlen.testing import fixtures

pytest.importorskip("sphinx", reason="the comments that document attributes are read by Sphinx")

ROOT = Path(__file__).parents[2]
FLASK: dict[str, t.Any] = json.loads((ROOT / "tests/api/names.json").read_text(encoding="utf-8"))["modules"]


@pytest.fixture(scope="module")
def shown() -> set[str]:
    return reference.shown_by_pages()


def text_of(page: str) -> str:
    return (ROOT / "docs" / "api" / f"{page}.md").read_text(encoding="utf-8")


def rows_of(page: str, heading: str) -> list[str]:
    """Return the first cells of the tables below a heading."""
    below = text_of(page).partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)`", below, re.MULTILINE)


def test_every_public_name_is_shown(shown: set[str]) -> None:
    assert reference.missing_from(shown) == []


def test_every_name_that_is_shown_is_there() -> None:
    # In a process of its own, where nobody has imported Flask before 'erlen.as_flask'.
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "reference.py"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(" names are shown, and none is missing.\n")


@pytest.mark.parametrize(
    "path", ["erlen.url_for", "erlen.Erlen.route", "erlen.sessions.SessionMixin.permanent"]
)
def test_a_name_that_is_not_shown_is_missing(shown: set[str], path: str) -> None:
    name = path.rpartition(".")[2]
    rest = {one for one in shown if one.rpartition(".")[2] != name}
    assert path in {one.replace("erlen.app.", "erlen.") for one in reference.missing_from(rest)}


def test_a_name_that_does_not_exist_is_unknown() -> None:
    wrong = {"erlen.url_fro", "erlen.Erlen.roote", "erlen.nothing.at_all"}
    assert set(reference.unknown_of(wrong | {"erlen.url_for", "erlen.Erlen.url_map"})) == wrong


def test_a_class_is_shown_with_the_members_that_its_options_say(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(
        "```{eval-rst}\n.. autoclass:: erlen.Config\n   :no-members:\n\n"
        ".. autoclass:: erlen.ctx.RequestContext\n   :members:\n\n.. automethod:: erlen.Erlen.run\n```\n",
        encoding="utf-8",
    )
    shown = reference.shown_by_pages(tmp_path)
    assert {"erlen.Config", "erlen.ctx.RequestContext.copy", "erlen.Erlen.run"} <= shown
    assert not {"erlen.Config.from_object", "erlen.ctx.RequestContext.hold", "erlen.Erlen.route"} & shown


def test_members_that_are_left_out_are_not_shown(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text(
        "```{eval-rst}\n.. autoclass:: erlen.Config\n   :members:\n   :exclude-members: from_file, root_path\n```\n",
        encoding="utf-8",
    )
    shown = reference.shown_by_pages(tmp_path)
    assert "erlen.Config.from_object" in shown
    assert not {"erlen.Config.from_file", "erlen.Config.root_path"} & shown


def test_a_new_name_of_a_public_module_is_missing(shown: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    class Gauge:
        def read(self) -> int:
            """Return a number."""
            return 0

    Gauge.__module__ = "erlen.helpers"
    members_of = reference.members_of
    helpers = reference.public_modules()["erlen.helpers"]
    monkeypatch.setattr(helpers, "Gauge", Gauge, raising=False)
    monkeypatch.setattr(helpers, "gauge", Gauge().read, raising=False)
    monkeypatch.setattr(helpers, "__all__", [*helpers.__all__, "Gauge", "gauge"])
    monkeypatch.setattr(reference, "members_of", lambda cls: ["read"] if cls is Gauge else members_of(cls))
    assert reference.missing_from(shown) == [
        "erlen.helpers.Gauge",
        "erlen.helpers.Gauge.read",
        "erlen.helpers.gauge",
    ]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("erlen.Response.status", True),
        ("erlen.Response.response", False),
        ("erlen.Response.direct_passthrough", False),
        ("erlen.Request.path", False),
        ("erlen.Request.user_agent", False),
    ],
)
def test_the_text_of_another_package_is_noticed(path: str, expected: bool) -> None:
    """A build warns of such a text on a page. What is inherited as it is has no text but that."""
    assert of_extension("reference_texts", "is_borrowed")(path) is expected


def test_an_attribute_that_is_made_late_says_what_its_method_says() -> None:
    text_of = of_extension("reference_texts", "text_of")
    assert text_of("erlen.Request.path").startswith("The path below :attr:`root_path`")
    assert text_of("erlen.ext.security.events.Signals.logged_in") == "Somebody logged in."
    assert text_of("erlen.Request.url_rule") is None, "a comment says it, which Sphinx reads"


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("(data: dict[str, ~typing.Any]=<factory>)", "(data: dict[str, ~typing.Any]=...)"),
        ("(clock=<function utc_now>, name: str = '<b>')", "(clock=..., name: str = '<b>')"),
        ("(exc: BaseException | None = _sentinel)", "(exc: BaseException | None = ...)"),
    ],
)
def test_defaults_of_signatures_can_be_read(signature: str, expected: str) -> None:
    assert of_extension("reference_texts", "shorten_signature")(signature) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("'safe'", "'safe'"),
        ("<class 'erlen.config.Config'>", "erlen.config.Config"),
        ("<module 'erlen.json' from '/somewhere/json.py'>", None),
        ("<signal logged_in of erlen.ext.security>", None),
        (repr(dict.fromkeys(range(100))), None),
    ],
)
def test_values_are_shown_that_can_be_written(value: str, expected: str | None) -> None:
    assert of_extension("reference_texts", "shown_value")(value) == expected


@pytest.mark.parametrize("module", sorted(FLASK))
def test_names_of_flask_are_public(module: str) -> None:
    own = reference.public_modules()["erlen" + module.removeprefix("flask")]
    names = {"Erlen" if name == "Flask" else name for name in FLASK[module]}
    assert sorted(names - set(own.__all__)) == []


def test_the_first_page_has_every_public_module() -> None:
    table = text_of("index").partition("| module | holds |")[2]
    named = set(re.findall(r"`(erlen[\w.]*)`", table))
    accounts = "erlen.ext.security."
    public = {name for name in reference.public_modules() if not name.startswith(accounts)}
    assert named == public | {"erlen.as_flask"}


@pytest.mark.parametrize(
    ("page", "own", "theirs"),
    [("requests", "erlen.Request", WerkzeugRequest), ("responses", "erlen.Response", WerkzeugResponse)],
)
def test_the_tables_have_what_is_inherited(shown: set[str], page: str, own: str, theirs: type) -> None:
    rows = rows_of(page, "From Werkzeug")
    assert len(rows) == len(set(rows))
    names = {name for name in [*dir(theirs), *theirs.__annotations__] if name[0] != "_"}
    names |= {"method"} if page == "requests" else {"headers"}
    documented = {path.rpartition(".")[2] for path in shown if path.rpartition(".")[0] == own}
    assert sorted(names - documented - set(rows)) == []
    assert sorted(set(rows) - names) == []


def test_the_page_of_commands_is_up_to_date() -> None:
    """When this fails: `python tools/command_table.py` writes the page anew."""
    assert command_table.PAGE.read_text(encoding="utf-8") == command_table.page()


def test_the_page_of_commands_has_those_that_are_loaded_late() -> None:
    commands = re.findall(r"^## erlen (\w+)$", command_table.page(), re.MULTILINE)
    assert commands == ["check", "new", "routes", "run", "serve", "shell", "security"]


def test_the_plugin_for_pytest_is_listed(pytestconfig: pytest.Config) -> None:
    rows = rows_of("testing", "The plugin for pytest")
    # What pytest knows of options is private to it: asking for one that is not there raises.
    options = [name for name in rows if name.startswith("erlen_")]
    for name in options:
        pytestconfig.getini(name)
    source = (ROOT / "src/erlen/testing/plugin.py").read_text(encoding="utf-8")
    assert sorted(options) == sorted(re.findall(r'addini\(\s*"(\w+)"', source))
    assert [name for name in rows if name not in options] == list(fixtures.NAMES)


def of_extension(name: str, function: str) -> t.Callable[..., t.Any]:
    # Extensions of Sphinx are no modules of a path.
    path = str(ROOT / "docs" / "_ext" / f"{name}.py")
    return t.cast("t.Callable[..., t.Any]", runpy.run_path(path)[function])


def for_the_site() -> t.Callable[[str, PurePosixPath, PurePosixPath], str]:
    return of_extension("repository", "for_the_site")


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("[a](docs/async.md#life-span)", "[a](../async.md#life-span)"),
        ("[b](SECURITY.md)", "[b](security-policy.md)"),
        ("[c](examples/data)", "[c](../examples/data.md)"),
        ("[d](benchmarks/README.md)", "d (`benchmarks/README.md`)"),
        ("[`e`](Makefile)", "`e`"),
        ("[f](https://example.com)", "[f](https://example.com)"),
        ("[g](#habits)", "[g](#habits)"),
    ],
)
def test_links_of_files_at_the_root_are_right_on_the_site(link: str, expected: str) -> None:
    assert for_the_site()(link, PurePosixPath(), PurePosixPath("docs/project")) == expected
