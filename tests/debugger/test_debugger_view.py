"""Mistakes of a view that are found when it has returned, or cannot be called: no frame of the traceback is the user's."""

from __future__ import annotations

import dataclasses
import functools
import html
import re
import typing as t
from pathlib import Path

import pytest

from debugged import Visitor
from erlen import Blueprint, Erlen
from erlen.debugger import Debugger
from erlen.views import MethodView, View

LINES = Path(__file__).read_text(encoding="utf-8").splitlines()
FILE = Path(__file__).name


@dataclasses.dataclass
class Point:
    """No value that a view returns."""

    x: int


def nothing() -> t.Any:
    amount = 7
    assert amount


def number() -> t.Any:
    return 3


def point() -> t.Any:
    return Point(1)


async def nothing_async() -> t.Any:
    return None


def no_parameter() -> t.Any:
    return "never called"


def passed_on(function: t.Any) -> t.Any:
    @functools.wraps(function)
    def wrapper(**values: t.Any) -> t.Any:
        return function(**values)

    return wrapper


@passed_on
@passed_on
def decorated() -> t.Any:
    return 3


def bound(value: int) -> t.Any:
    return value


class Method(MethodView):
    """Fails in one of its methods."""

    def get(self) -> t.Any:
        return 3


class Dispatched(View):
    """Fails in the method of all."""

    def dispatch_request(self) -> t.Any:
        return 3


class Called:
    """An object in place of a function."""

    def __call__(self) -> t.Any:
        return 3


def line_of(begin: str, after: str = "") -> int:
    """Return the number of the first line that begins so, behind another one."""
    start = next(at for at, line in enumerate(LINES) if line.startswith(after))
    return next(at + 1 for at, line in enumerate(LINES) if at >= start and line.strip().startswith(begin))


VIEWS = pytest.mark.parametrize(("view", "name", "line"), [
    (nothing, "nothing", line_of("def nothing(")),
    (number, "number", line_of("def number(")),
    (point, "point", line_of("def point(")),
    (nothing_async, "nothing_async", line_of("async def nothing_async(")),
    (no_parameter, "no_parameter", line_of("def no_parameter(")),
    (decorated, "decorated", line_of("def decorated(")),
    (functools.partial(bound, 3), "bound", line_of("def bound(")),
    (Method.as_view("fails"), "Method.get", line_of("def get(", "class Method(")),
    (passed_on(Method.as_view("fails")), "Method.get", line_of("def get(", "class Method(")),
    (Dispatched.as_view("fails"), "Dispatched.dispatch_request", line_of("def dispatch_request(", "class Dispatched(")),
    (Called(), "Called.__call__", line_of("def __call__(", "class Called")),
])  # fmt: skip


def register(app: Erlen | Blueprint, view: t.Any) -> None:
    rule = "/fails/<int:number>" if view is no_parameter else "/fails"
    app.add_url_rule(rule, "fails", view_func=view)


def path_of(view: t.Any) -> str:
    return "/fails/3" if view is no_parameter else "/fails"


@VIEWS
def test_the_page_names_and_shows_the_view(
    visitor: Visitor, failing: Erlen, view: t.Any, name: str, line: int
) -> None:
    register(failing, view)
    page = visitor.ask(path_of(view)).text
    headline = re.search(r'<p class="raised">(.*)</p>', page)
    assert headline is not None
    plain = re.sub("<[^>]*>", "", headline[1])
    assert plain.startswith(f"in {name}, ") and plain.endswith(f"{FILE}:{line}")
    # It is the first and the only open one.
    [first] = re.findall(r'<details class="frame[^>]*id="([^"]*)" open>', page)
    assert f'href="#{first}"' in headline[1]
    assert page.index(f'id="{first}"') < page.index('<details class="folded">')
    section = page[page.index(f'id="{first}"') : page.index('<details class="folded">')]
    current = re.search(r'<span class="line current">(.*?)</span></span>', section, re.DOTALL)
    assert current is not None
    assert html.unescape(re.sub("<[^>]*>", "", current[1])).rstrip().endswith(LINES[line - 1].strip())
    assert "the view of this request" in section
    assert "data-frame" not in section and "Local variables" not in section


@VIEWS
def test_text_names_the_view_in_place_of_the_frames(
    visitor: Visitor, failing: Erlen, view: t.Any, name: str, line: int
) -> None:
    register(failing, view)
    text = visitor.ask(path_of(view), accept="*/*").text
    second = text.splitlines()[1]
    assert second.startswith(f"View: {__name__}.{name}, ") and second.endswith(f"{FILE}:{line}")
    assert text.count("View: ") == 1
    assert '  File "' not in text
    assert "\nTypeError: " in text
    assert re.search(r"^\[\d+ frames, all of libraries, are not shown", text, re.MULTILINE)


@VIEWS
def test_json_has_the_view_and_the_whole_traceback(
    visitor: Visitor, failing: Erlen, view: t.Any, name: str, line: int
) -> None:
    register(failing, view)
    report = visitor.ask(path_of(view), accept="application/json").json
    shown = report["error"]["view"]
    assert (Path(shown["file"]).name, shown["line"], shown["function"]) == (FILE, line, name)
    assert (shown["source"], shown["variables"]) == (LINES[line - 1].strip(), {})
    assert all(frame["is_library"] for frame in report["error"]["frames"])
    assert report["traceback"].count('  File "') >= len(report["error"]["frames"])


def test_what_is_copied_names_the_view(visitor: Visitor, failing: Erlen) -> None:
    register(failing, nothing)
    page = visitor.ask("/fails").text
    copied = page[page.index('<pre id="text"') :]
    assert f"\nView: {__name__}.nothing, " in copied and "  File " not in html.unescape(copied)


def test_the_terminal_has_the_whole_traceback(
    visitor: Visitor, failing: Erlen, capfd: pytest.CaptureFixture[str]
) -> None:
    register(failing, nothing)
    visitor.ask("/fails", accept="*/*")
    assert "responses.py" in capfd.readouterr().err


def test_the_view_of_a_blueprint_is_named(visitor: Visitor, failing: Erlen) -> None:
    blueprint = Blueprint("shop", __name__, url_prefix="/shop")
    register(blueprint, nothing)
    failing.register_blueprint(blueprint)
    report = visitor.ask("/shop/fails", accept="application/json").json
    assert (report["request"]["endpoint"], report["error"]["view"]["function"]) == ("shop.fails", "nothing")


def test_a_frame_of_the_users_comes_before_the_view(visitor: Visitor) -> None:
    report = visitor.ask("/divide", accept="application/json").json
    assert report["error"]["view"] is None
    assert "the view of this request" not in visitor.ask("/divide").text
    assert '  File "' in visitor.ask("/divide", accept="*/*").text


def test_a_group_with_a_frame_of_the_users_is_no_mistake_of_the_view(
    visitor: Visitor, failing: Erlen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "raises_groups.py").write_text(
        "def raise_group(errors):\n    raise ExceptionGroup('outer', errors)\n"
    )
    monkeypatch.syspath_prepend(folder)
    module: t.Any = __import__("raises_groups")

    def fail(*, is_raised: bool) -> Exception:
        error = ValueError("inner")
        if not is_raised:
            return error
        try:
            raise error
        except ValueError:
            return error

    register(failing, nothing)
    errors = [fail(is_raised=False)]
    failing.before_request(functools.partial(module.raise_group, errors))
    assert visitor.ask("/fails", accept="application/json").json["error"]["view"]["function"] == "nothing"
    errors[0] = fail(is_raised=True)
    assert visitor.ask("/fails", accept="application/json").json["error"]["view"] is None


def test_a_view_without_source_changes_nothing(visitor: Visitor, failing: Erlen) -> None:
    names: dict[str, t.Any] = {"__name__": "made"}
    exec("def made():\n    return 3\n", names)
    register(failing, names["made"])
    report = visitor.ask("/fails", accept="application/json").json
    assert report["error"]["view"] is None
    page = visitor.ask("/fails").text
    assert re.search(r'<p class="raised">in .*responses\.py:\d+</p>', page)
    assert '  File "' in visitor.ask("/fails", accept="*/*").text


def test_a_view_that_is_a_librarys_is_not_shown(visitor: Visitor, failing: Erlen) -> None:
    failing.add_url_rule("/of-a-library", "library", view_func=t.cast("t.Any", dataclasses.asdict))
    report = visitor.ask("/of-a-library", accept="application/json").json
    assert report["error"]["view"] is None
    assert "dataclasses" in report["request"]["view"]


def test_a_view_that_cannot_be_asked_changes_nothing(visitor: Visitor, failing: Erlen) -> None:
    circular: t.Any = passed_on(nothing)
    register(failing, circular)
    circular.__wrapped__ = circular
    report = visitor.ask("/fails", accept="application/json").json
    assert (report["error"]["view"], report["request"]["view"]) == (None, "")


def test_a_long_view_is_cut(failing: Erlen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "".join(f"    value_{at} = {at}\n" for at in range(200))
    (tmp_path / "long_view.py").write_text(f"def long():\n{body}\ndef short():\n{body[:160]}")
    monkeypatch.syspath_prepend(tmp_path)
    module: t.Any = __import__("long_view")
    visitor = Visitor(Debugger(failing))
    failing.add_url_rule("/long", view_func=module.long)
    failing.add_url_rule("/short", view_func=module.short)
    long = re.sub("<[^>]*>", "", visitor.ask("/long").text)
    assert "value_39 = 39" in long and "value_45 = 45" not in long
    assert "value_7 = 7" in re.sub("<[^>]*>", "", visitor.ask("/short").text)
