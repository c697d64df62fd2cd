"""What the debugger answers, to whom in which form, and what it shows of an exception and of the request."""

from __future__ import annotations

import asyncio
import base64
import gc
import io
import json
import os
import re
import time
import typing as t
import weakref
from pathlib import Path

import pytest

from asgi_calls import Call, on_a_loop
from debugged import BROWSER, Answered, Visitor
from erlen import (
    Erlen,
    Response,
    g,
    render_template,
    render_template_string,
    request,
    session,
    stream_with_context,
)
from erlen.ctx import context_var
from erlen.debugger import Debugger
from erlen.debugger.kept import MOST as MOST_PAGES
from erlen.debugger.values import LONGEST

HERE = Path(__file__)


def shown_variables(visitor: Visitor, path: str, function: str) -> dict[str, str]:
    """Return the local variables of a function as JSON shows them."""
    error = visitor.ask(path, accept="application/json").json["error"]
    [frame] = [frame for frame in error["frames"] if frame.get("function", "").endswith(function)]
    return t.cast("dict[str, str]", frame["variables"])


def failing_view(app: Erlen, function: t.Callable[[], t.Any]) -> str:
    app.add_url_rule(f"/{function.__name__}", view_func=function)
    return f"/{function.__name__}"


# -- in which form


@pytest.mark.parametrize("path", ["/divide", "/divide-async"])
def test_a_browser_is_shown_a_page(visitor: Visitor, path: str) -> None:
    page = visitor.ask(path)
    assert page.status == 500
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert '<h1 class="type">ZeroDivisionError</h1>' in page.text
    assert '<p class="message">division by zero</p>' in page.text
    assert "<mark>amount / parts</mark>" in re.sub(r'<span class="\w+">([^<]*)</span>', r"\1", page.text)


@pytest.mark.parametrize(("accept", "headers", "kind"), [
    (BROWSER, {}, "text/html; charset=utf-8"),
    ("application/json", {}, "application/json"),
    ("application/json, text/plain, */*", {}, "application/json"),
    ("text/html;q=0.5, application/json", {}, "application/json"),
    ("text/plain", {}, "text/plain; charset=utf-8"),
    ("*/*", {}, "text/plain; charset=utf-8"),
    (None, {}, "text/plain; charset=utf-8"),
    ("", {}, "text/plain; charset=utf-8"),
    ("image/avif,image/webp,*/*;q=0.8", {}, "text/plain; charset=utf-8"),
    ("*/*", {"Sec-Fetch-Dest": "empty"}, "application/json"),
    ("*/*", {"X-Requested-With": "XMLHttpRequest"}, "application/json"),
    ("application/xhtml+xml", {}, "text/html; charset=utf-8"),
    ("text/html;q=0", {}, "text/plain; charset=utf-8"),
])  # fmt: skip
def test_the_client_says_in_which_form(
    visitor: Visitor, accept: str | None, headers: dict[str, str], kind: str
) -> None:
    answer = visitor.ask("/divide", accept=accept, headers=headers)
    assert (answer.status, answer.headers["Content-Type"], answer.headers["Vary"]) == (500, kind, "Accept")


def test_json_has_everything_that_the_page_has(visitor: Visitor) -> None:
    report = visitor.ask("/divide?page=2", accept="application/json").json
    assert (report["error"]["type"], report["error"]["message"]) == ("ZeroDivisionError", "division by zero")
    last = report["error"]["frames"][-1]
    assert last["function"] == "divide"
    assert last["source"] == "return amount / parts"
    line = (HERE.parent / "conftest.py").read_text(encoding="utf-8").splitlines()[last["line"] - 1]
    columns = last["columns"]
    assert line[columns["begin"] : columns["end"]] == "amount / parts"
    assert last["variables"] == {"amount": "7", "parts": "0"}
    assert not last["is_library"]
    assert report["error"]["frames"][0]["is_library"]
    assert report["request"]["url"] == "http://127.0.0.1:5000/divide?page=2"
    assert report["request"]["query"] == [["page", "2"]]
    assert (report["request"]["endpoint"], report["request"]["rule"]) == ("division", "/divide")
    assert "failing.<locals>.division" in report["request"]["view"]
    assert report["traceback"].startswith("Traceback (most recent call last):")
    assert set(report["versions"]) == {"Python", "Erlen", "Werkzeug", "Jinja2"}


def test_text_begins_in_the_users_code(visitor: Visitor) -> None:
    text = visitor.ask("/divide", accept="*/*").text
    assert text.startswith("GET http://127.0.0.1:5000/divide\n")
    first = re.search(r'Traceback.*\n  File "([^"]+)"', text)
    assert first is not None and first[1].endswith("conftest.py")
    assert text.count("\nPython ") == 1


def test_the_terminal_has_the_traceback_as_well(visitor: Visitor, capfd: pytest.CaptureFixture[str]) -> None:
    visitor.ask("/divide")
    output = capfd.readouterr().err
    assert output.startswith("Exception on /divide [GET]\nTraceback (most recent call last):\n")
    assert output.endswith("ZeroDivisionError: division by zero\n")


def test_what_is_answered_is_not_changed(visitor: Visitor) -> None:
    answer = visitor.ask("/fine")
    assert (answer.status, answer.text) == (200, "fine")
    assert visitor.ask("/missing").status == 404


def test_a_handler_of_the_application_comes_first(visitor: Visitor, failing: Erlen) -> None:
    failing.register_error_handler(ZeroDivisionError, lambda error: ("handled", 503))
    answer = visitor.ask("/divide")
    assert (answer.status, answer.text) == (503, "handled")


def test_head_has_no_body(visitor: Visitor, failing: Erlen) -> None:
    answer = visitor.ask("/divide", method="HEAD")
    assert (answer.status, answer.text) == (500, "")
    assert int(answer.headers["Content-Length"]) > 1000


def test_attributes_are_the_applications(failing: Erlen) -> None:
    debugger: t.Any = Debugger(failing)
    assert debugger.name == "erlen_test"
    assert debugger.test_client.__self__ is failing
    assert debugger.asgi_reason() == failing.asgi_reason()
    with pytest.raises(AttributeError, match="no_such"):
        debugger.no_such


# -- where it came from


def test_a_module_that_cannot_be_imported_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As the development server answers with it until the mistake is mended."""
    monkeypatch.setenv("ERLEN_DEBUG", "1")
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "outer_module.py").write_text("import inner_module\n")
    (tmp_path / "inner_module.py").write_text("import no_such_dependency\n")

    def raising(environ: t.Any, start_response: t.Any) -> t.Any:
        __import__("outer_module")

    visitor = Visitor(Debugger(raising))
    error = visitor.ask(accept="application/json").json["error"]
    assert error["message"] == "No module named 'no_such_dependency'"
    own = [frame for frame in error["frames"] if not frame["is_library"]]
    assert [Path(frame["file"]).name for frame in own] == [HERE.name, "outer_module.py", "inner_module.py"]
    assert visitor.ask().page_token


def test_a_syntax_error_shows_its_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ERLEN_DEBUG", "1")
    file = tmp_path / "broken.py"
    file.write_text("first = 1\nsecond = (1,\nthird = 3 +* 4\n")

    def raising(environ: t.Any, start_response: t.Any) -> t.Any:
        compile(file.read_text(), str(file), "exec")

    visitor = Visitor(Debugger(raising))
    frame = visitor.ask(accept="application/json").json["error"]["frames"][-1]
    assert (frame["file"], frame["function"]) == (str(file), "the source itself")
    assert frame["source"] == file.read_text().splitlines()[frame["line"] - 1]
    page = visitor.ask()
    assert "the source itself" in page.text and "<mark>" in page.text


def test_the_source_of_a_template_is_shown(visitor: Visitor, failing: Erlen, tmp_path: Path) -> None:
    (tmp_path / "base.html").write_text("<main>{% block body %}{% endblock %}</main>\n")
    (tmp_path / "page.html").write_text(
        "{% extends 'base.html' %}\n{% block body %}\n<p>{{ total / count }}</p>\n{% endblock %}\n"
    )
    failing.template_folder = str(tmp_path)

    def template() -> str:
        return render_template("page.html", total=5, count=0)

    path = failing_view(failing, template)
    frame = visitor.ask(path, accept="application/json").json["error"]["frames"][-1]
    assert frame["file"] == str(tmp_path / "page.html")
    assert (frame["line"], frame["function"], frame["source"]) == (
        3,
        "block 'body'",
        "<p>{{ total / count }}</p>",
    )
    assert (frame["variables"]["total"], frame["variables"]["count"]) == ("5", "0")
    assert "range" not in frame["variables"]
    assert "&lt;p&gt;{{ total / count }}&lt;/p&gt;" in visitor.ask(path).text


def test_the_source_of_a_template_in_a_string_is_shown(visitor: Visitor, failing: Erlen) -> None:
    def inline() -> str:
        return render_template_string("<i>\n{{ 1 / zero }}\n</i>", zero=0)

    frame = visitor.ask(failing_view(failing, inline), accept="application/json").json["error"]["frames"][-1]
    assert (frame["line"], frame["source"]) == (2, "{{ 1 / zero }}")


def test_a_template_that_cannot_be_read_shows_its_line(
    visitor: Visitor, failing: Erlen, tmp_path: Path
) -> None:
    (tmp_path / "page.html").write_text("<p>\n{% if %}\n</p>\n")
    failing.template_folder = str(tmp_path)

    def template() -> str:
        return render_template("page.html")

    error = visitor.ask(failing_view(failing, template), accept="application/json").json["error"]
    assert error["type"] == "jinja2.exceptions.TemplateSyntaxError"
    assert error["message"].startswith("Expected an expression")
    frame = error["frames"][-1]
    assert (frame["file"], frame["line"], frame["source"]) == (str(tmp_path / "page.html"), 2, "{% if %}")


def test_causes_and_contexts_are_shown_each_with_its_frames(visitor: Visitor, failing: Erlen) -> None:
    def chained() -> str:
        try:
            try:
                raise KeyError("innermost")
            except KeyError as error:
                raise ValueError("middle") from error
        except ValueError:
            raise RuntimeError("outermost")

    path = failing_view(failing, chained)
    error = visitor.ask(path, accept="application/json").json["error"]
    assert (error["message"], error["cause"]) == ("outermost", None)
    middle = error["context"]
    assert (middle["message"], middle["context"]) == ("middle", None)
    assert middle["cause"]["message"] == "'innermost'"
    assert len(middle["cause"]["frames"]) == 1
    text = visitor.ask(path).text
    assert (
        text.index("outermost")
        < text.index("Raised while this was handled")
        < text.index("This was caused by")
    )


def test_a_suppressed_context_is_not_shown(visitor: Visitor, failing: Erlen) -> None:
    def suppressed() -> str:
        try:
            raise KeyError("before")
        except KeyError:
            raise ValueError("after") from None

    error = visitor.ask(failing_view(failing, suppressed), accept="application/json").json["error"]
    assert (error["message"], error["context"], error["cause"]) == ("after", None, None)


def test_a_chain_that_closes_in_itself_ends(visitor: Visitor, failing: Erlen) -> None:
    def circle() -> str:
        first, second = ValueError("first"), ValueError("second")
        first.__cause__, second.__cause__ = second, first
        raise first

    error = visitor.ask(failing_view(failing, circle), accept="application/json").json["error"]
    assert error["cause"]["message"] == "second"
    assert error["cause"]["cause"] is None


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_groups_are_shown_with_what_is_in_them(visitor: Visitor, failing: Erlen, kind: str) -> None:
    def fail(number: int) -> Exception:
        try:
            raise ValueError(f"part {number}")
        except ValueError as error:
            error.add_note(f"note {number}")
            return error

    def plain() -> str:
        raise ExceptionGroup("outer", [fail(1), ExceptionGroup("inner", [fail(2), fail(3)])])

    async def asynchronous() -> str:
        raise ExceptionGroup("outer", [fail(1), ExceptionGroup("inner", [fail(2), fail(3)])])

    path = failing_view(failing, plain if kind == "plain" else asynchronous)
    error = visitor.ask(path, accept="application/json").json["error"]
    first, inner = error["exceptions"]
    assert (first["message"], first["notes"]) == ("part 1", ["note 1"])
    assert inner["message"] == "inner (2 sub-exceptions)"
    assert [one["message"] for one in inner["exceptions"]] == ["part 2", "part 3"]
    assert [frame["function"] for frame in first["frames"]] == [fail.__qualname__]
    text = visitor.ask(path).text
    assert "Exception 1 of 2 in the group" in text and "note 3" in text


def test_a_task_group_of_an_async_view_is_shown(visitor: Visitor, failing: Erlen) -> None:
    async def tasks() -> str:
        async def fail() -> None:
            raise LookupError("in a task")

        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
        return ""

    error = visitor.ask(failing_view(failing, tasks), accept="application/json").json["error"]
    assert [one["message"] for one in error["exceptions"]] == ["in a task"]


def test_a_large_group_is_shown_in_part(visitor: Visitor, failing: Erlen) -> None:
    def large() -> str:
        raise ExceptionGroup("many", [ValueError(str(number)) for number in range(1000)])

    path = failing_view(failing, large)
    assert len(visitor.ask(path, accept="application/json").json["error"]["exceptions"]) == 15
    assert "985 more are not shown" in visitor.ask(path).text


@pytest.mark.parametrize("period", [1, 2])
def test_a_recursion_is_shown_once(
    visitor: Visitor, failing: Erlen, period: int, capfd: pytest.CaptureFixture[str]
) -> None:
    def down(depth: int) -> int:
        return up(depth + 1) if period == 2 else down(depth + 1)

    def up(depth: int) -> int:
        return down(depth + 1)

    def recursion() -> int:
        return down(0)

    path = failing_view(failing, recursion)
    frames = visitor.ask(path, accept="application/json").json["error"]["frames"]
    assert len(frames) < 40
    [gap] = [frame["left_out"] for frame in frames if "left_out" in frame]
    times = int(re.findall(r"\d+", gap)[-1])
    assert times > 300
    assert "in a row" in visitor.ask(path).text
    assert len(capfd.readouterr().err.splitlines()) < 800


def test_a_long_traceback_is_shown_in_part(visitor: Visitor, failing: Erlen, tmp_path: Path) -> None:
    source = "\n".join(f"def f{number}(): return f{number + 1}()" for number in range(200))
    names: dict[str, t.Any] = {}
    exec(source, names)

    def long() -> t.Any:
        return names["f0"]()

    frames = visitor.ask(failing_view(failing, long), accept="application/json").json["error"]["frames"]
    assert len(frames) == 81
    assert re.fullmatch(r"\d+ frames between are not shown", frames[30]["left_out"])
    assert frames[-1]["function"] == "f199"


def test_code_without_source_has_its_variables(visitor: Visitor, failing: Erlen) -> None:
    def executed() -> str:
        exec("def made():\n    inside = 3\n    raise LookupError('made')\nmade()")
        return ""

    path = failing_view(failing, executed)
    frame = visitor.ask(path, accept="application/json").json["error"]["frames"][-1]
    assert (frame["file"], frame["source"], frame["variables"]) == ("<string>", "", {"inside": "3"})
    assert "There is no source" in visitor.ask(path).text


def test_a_mark_is_counted_in_characters(visitor: Visitor, failing: Erlen, tmp_path: Path) -> None:
    """PEP 657 counts bytes of UTF-8."""
    file = tmp_path / "accents.py"
    file.write_text("def fail():\n    größe, zero = 'ü', 0; return 'ééé' and (1 / zero)\n", encoding="utf-8")
    names: dict[str, t.Any] = {}
    exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), names)

    def accents() -> t.Any:
        return names["fail"]()

    text = re.sub(
        r'<span class="\w+">([^<]*)</span>', r"\1", visitor.ask(failing_view(failing, accents)).text
    )
    assert "and (<mark>1 / zero</mark>)" in text


def test_a_call_of_several_lines_is_marked_on_each(visitor: Visitor, failing: Erlen) -> None:
    def several() -> t.Any:
        numbers = [1, 2]
        return numbers.index(
            3,
        )

    text = re.sub(
        r'<span class="\w+">([^<]*)</span>', r"\1", visitor.ask(failing_view(failing, several)).text
    )
    assert "<mark>numbers.index(</mark>" in text and "<mark>3,</mark>" in text


def test_an_edited_file_is_read_again(visitor: Visitor, failing: Erlen, tmp_path: Path) -> None:
    file = tmp_path / "edited.py"

    def load() -> t.Any:
        names: dict[str, t.Any] = {}
        exec(compile(file.read_text(), str(file), "exec"), names)
        return names["fail"]()

    path = failing_view(failing, load)
    for number, source in enumerate(["raise LookupError('one')", "raise LookupError('and another')"]):
        file.write_text(f"def fail():\n    {source}\n")
        os.utime(file, (1_000_000 + number, 1_000_000 + number))
        assert visitor.ask(path, accept="application/json").json["error"]["frames"][-1]["source"] == source


def test_frames_of_async_generators_are_shown(visitor: Visitor, failing: Erlen) -> None:
    async def numbers() -> t.AsyncIterator[int]:
        inside = "generator"
        yield len(inside)
        raise LookupError("after the first")

    async def generated() -> str:
        return str([number async for number in numbers()])

    frames = visitor.ask(failing_view(failing, generated), accept="application/json").json["error"]["frames"]
    assert frames[-1]["variables"] == {"inside": "'generator'"}


def test_libraries_are_folded_and_own_code_is_open(visitor: Visitor, failing: Erlen) -> None:
    def parsed() -> t.Any:
        return json.loads("{")

    page = visitor.ask(failing_view(failing, parsed))
    assert re.search(r"<summary>\d+ frames of json</summary>", page.text)
    opened = re.findall(r'<details class="frame (\w+)" id="[^"]*"( open)?>', page.text)
    assert ("own", " open") in opened and ("library", "") in opened
    assert ("library", " open") not in opened and ("own", "") not in opened


def test_an_exception_in_a_library_alone_is_open_where_it_was_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERLEN_DEBUG", "1")
    from werkzeug.middleware.dispatcher import DispatcherMiddleware

    page = Visitor(Debugger(DispatcherMiddleware(t.cast(t.Any, None)))).ask()
    assert len(re.findall(r'<details class="frame library" id="[^"]*" open>', page.text)) == 1


# -- what users' objects do


class Hostile(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@pytest.mark.parametrize("accept", [BROWSER, "application/json", "*/*"])
def test_an_exception_that_cannot_be_printed_is_shown(visitor: Visitor, failing: Erlen, accept: str) -> None:
    def hostile() -> str:
        raise Hostile

    answer = visitor.ask(failing_view(failing, hostile), accept=accept)
    assert answer.status == 500
    assert "Hostile" in answer.text


def test_variables_that_cannot_be_printed_are_named(visitor: Visitor, failing: Erlen) -> None:
    class Unprintable:
        def __repr__(self) -> str:
            raise SystemExit("gone")

    class NoText:
        def __repr__(self) -> t.Any:
            return 3

    def unprintable() -> str:
        one, two, three = Unprintable(), NoText(), [Hostile()]
        raise LookupError(bool((one, two, three)))

    variables = shown_variables(visitor, failing_view(failing, unprintable), "unprintable")
    assert variables["one"].endswith("Unprintable whose __repr__ raised SystemExit>")
    assert variables["two"].endswith("NoText whose __repr__ raised TypeError>")
    assert "whose __repr__ raised" in variables["three"]


def test_large_variables_are_cut(visitor: Visitor, failing: Erlen) -> None:
    class Verbose:
        def __repr__(self) -> str:
            return "v" * 1_000_000

    def large() -> str:
        text, data, items = "x" * 5_000_000, b"y" * 5_000_000, list(range(1_000_000))
        mapping, number, verbose = {str(n): n for n in range(100_000)}, 10**10_000, Verbose()
        nested: list[t.Any] = []
        nested.append(nested)
        raise LookupError(bool((text, data, items, mapping, number, verbose)))

    path = failing_view(failing, large)
    variables = shown_variables(visitor, path, "large")
    assert all(len(text) < LONGEST + 100 for text in variables.values())
    assert variables["text"].endswith("(5000000 characters)")
    assert variables["data"].endswith("(5000000 bytes)")
    assert variables["items"].endswith("... and 999940 more]")
    assert variables["number"] == "<an int of 33220 bits>"
    assert variables["nested"].count("[") < 10
    assert len(visitor.ask(path).text) < 300_000


def test_a_variable_that_never_prints_does_not_keep_the_page(visitor: Visitor, failing: Erlen) -> None:
    leave = False

    class Slow:
        def __repr__(self) -> str:
            while not leave:
                time.sleep(0.01)
            return "at last"

    def slow() -> str:
        before, value = "before", Slow()
        raise LookupError(bool((before, value)))

    path = failing_view(failing, slow)
    try:
        variables = shown_variables(visitor, path, "slow")
        assert variables["before"] == "'before'"
        assert "Slow, which took longer than 2 seconds to print" in variables["value"]
        # Its class is known then, and not waited for again.
        assert "Slow, which took too long to print before" in shown_variables(visitor, path, "slow")["value"]
    finally:
        leave = True


@pytest.mark.parametrize("accept", [BROWSER, "application/json", "*/*"])
def test_half_of_a_surrogate_pair_is_shown(visitor: Visitor, failing: Erlen, accept: str) -> None:
    class Half:
        def __repr__(self) -> str:
            return "half \ud800"

    def surrogates() -> str:
        text, half = "\udcff", Half()
        error = LookupError("\ud83d", bool((text, half)))
        error.add_note("\ude00")
        raise error

    answer = visitor.ask(failing_view(failing, surrogates), accept=accept)
    assert answer.status == 500
    assert "\\ud800" in answer.text or accept == "*/*"


def test_a_traceback_that_was_taken_away_is_no_obstacle(visitor: Visitor, failing: Erlen) -> None:
    def bare() -> str:
        error = LookupError("outer")
        error.__cause__ = KeyError("never raised")
        raise error

    assert "It has no traceback, as it was never raised." in visitor.ask(failing_view(failing, bare)).text


def test_proxies_stand_for_what_they_stood_for(visitor: Visitor, failing: Erlen) -> None:
    def proxies() -> str:
        g.user = "ada"
        asked, known = request, session
        raise LookupError(bool((asked, not known)))

    variables = shown_variables(visitor, failing_view(failing, proxies), "proxies")
    assert variables["asked"] == "<Request 'http://127.0.0.1:5000/proxies' [GET]>"


# -- the request, and its secrets

SECRETS = {
    "cookie": "value-of-the-cookie",
    "bearer": "token-of-the-header",
    "password": "correct horse battery",
    "query": "secret-in-the-query",
    "key": "the-key-of-the-application",
    "session": "token-of-the-session",
}


def ask_with_secrets(visitor: Visitor, accept: str) -> Answered:
    visitor.cookie = f"shop={SECRETS['cookie']}; theme=dark"
    return visitor.ask(
        f"/form?api_key={SECRETS['query']}&page=2",
        method="POST",
        accept=accept,
        headers={
            "Authorization": f"Bearer {SECRETS['bearer']}",
            "X-Api-Key": "key-of-the-header",
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": "http://127.0.0.1:5000",
        },
        data=f"name=Ada&password={SECRETS['password'].replace(' ', '+')}",
    )


@pytest.mark.parametrize("accept", [BROWSER, "application/json", "*/*"])
def test_the_request_is_shown_without_its_secrets(visitor: Visitor, accept: str) -> None:
    answer = ask_with_secrets(visitor, accept)
    assert answer.status == 500
    for name, secret in {**SECRETS, "other": "key-of-the-header"}.items():
        assert secret not in answer.text, name
        assert secret.replace(" ", "+") not in answer.text, name
    for shown in (
        "Ada",
        "api_key",
        "page",
        "shop",
        "theme",
        "X-Api-Key",
        "csrf_token",
        "user",
        "ada",
        "Bearer",
    ):
        assert shown in answer.text, shown
    assert "dark" not in re.findall(r"theme[^\n]*", answer.text)[0].replace("theme (value hidden)", "")


def test_the_request_as_data(visitor: Visitor) -> None:
    asked = ask_with_secrets(visitor, "application/json").json["request"]
    assert asked["form"] == [["name", "Ada"], ["password", "[hidden]"]]
    assert asked["session"] == {"user": "'ada'", "csrf_token": "[hidden]"}
    assert asked["query"] == [["api_key", "[hidden]"], ["page", "2"]]
    assert asked["cookies"] == ["shop", "theme"]
    headers = dict(asked["headers"])
    assert headers["Authorization"] == "Bearer [hidden]"
    assert headers["Cookie"] == headers["X-Api-Key"] == "[hidden]"
    assert asked["url"] == "http://127.0.0.1:5000/form?api_key=[hidden]&page=2"
    assert asked["protocol"].endswith("WSGI" if visitor.protocol == "wsgi" else "ASGI")


def test_secrets_in_variables_are_hidden(visitor: Visitor, failing: Erlen) -> None:
    class User:
        def __repr__(self) -> str:
            return "User(name='ada', password='hunter-two', api_key=\"k-1-2-3\")"

    def variables() -> str:
        password, csrf_token, user = "hunter-two", "abcdef", User()
        nested = {
            "user": {"passwd": "hunter-three"},
            "list": [("Cookie", "a=b"), ("Accept", "c")],
            "api_key": None,
        }
        environ, headers, config = request.environ, request.headers, failing.config
        database = "postgresql://shop:db-pass@localhost/shop"
        header = f"Cookie: {request.cookies['shop']}"
        author, has_password = "Jane", True
        raise LookupError(
            f"{password} {header}",
            bool((csrf_token, user, nested, environ, headers, config, database)),
            author,
            has_password,
        )

    visitor.cookie = f"shop={SECRETS['cookie']}"
    path = failing_view(failing, variables)
    shown = shown_variables(visitor, path, "variables")
    assert shown["password"] == shown["csrf_token"] == "[hidden]"
    assert "hunter-two" not in shown["user"] and "k-1-2-3" not in shown["user"] and "'ada'" in shown["user"]
    assert shown["nested"] == (
        "{'user': {'passwd': [hidden]}, 'list': [('Cookie', [hidden]), ('Accept', 'c')], 'api_key': None}"
    )
    assert SECRETS["cookie"] not in shown["environ"] + shown["headers"] + shown["header"]
    assert SECRETS["key"] not in shown["config"]
    assert shown["database"] == "'postgresql://shop:[hidden]@localhost/shop'"
    assert (shown["author"], shown["has_password"]) == ("'Jane'", "True")
    # A message may quote what the request has brought.
    assert SECRETS["cookie"] not in visitor.ask(path, accept="*/*").text.partition("Headers")[0]


def test_ordinary_words_of_the_configuration_stay_readable(visitor: Visitor, failing: Erlen) -> None:
    def words() -> str:
        session["basket"] = "auto"
        text = f"the session, set to auto by an error in {request.cookies['language']}"
        raise LookupError(text)

    visitor.cookie = "language=english"
    answer = visitor.ask(failing_view(failing, words), accept="application/json").json
    assert answer["error"]["message"] == "the session, set to auto by an error in english"


def test_credentials_of_basic_are_hidden_in_either_form(visitor: Visitor, failing: Erlen) -> None:
    def basic() -> str:
        credentials = request.authorization
        assert credentials is not None
        raise LookupError(f"refused {credentials.password}")

    encoded = base64.b64encode(b"ada:open sesame").decode()
    text = visitor.ask(
        failing_view(failing, basic), accept="*/*", headers={"Authorization": f"Basic {encoded}"}
    ).text
    assert "refused [hidden]" in text
    assert encoded not in text


def test_a_form_that_was_not_read_is_not_read(visitor: Visitor, failing: Erlen) -> None:
    @failing.post("/unread")
    def unread() -> str:
        raise LookupError

    options = {
        "method": "POST",
        "data": "a=1",
        "headers": {"Content-Type": "application/x-www-form-urlencoded"},
    }
    assert visitor.ask("/unread", accept="application/json", **options).json["request"]["form"] is None  # type: ignore[arg-type]
    assert "The application had not read it" in visitor.ask("/unread", **options).text  # type: ignore[arg-type]


def test_files_are_named(visitor: Visitor, failing: Erlen) -> None:
    @failing.post("/upload")
    def upload() -> str:
        raise LookupError(len(request.files))

    body = '--b\r\nContent-Disposition: form-data; name="picture"; filename="a.png"\r\nContent-Type: image/png\r\n\r\nPNG\r\n--b--\r\n'
    answer = visitor.ask(
        "/upload",
        method="POST",
        accept="application/json",
        data=body,
        headers={"Content-Type": "multipart/form-data; boundary=b"},
    )
    assert answer.json["request"]["files"] == [["picture", "'a.png', image/png"]]


def test_a_session_that_nobody_opened_stays_closed(visitor: Visitor) -> None:
    assert visitor.ask("/divide", accept="application/json").json["request"]["session"] is None


def test_a_request_outside_of_any_context_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERLEN_DEBUG", "1")

    def foreign(environ: t.Any, start_response: t.Any) -> t.Any:
        raise LookupError

    asked = Visitor(Debugger(foreign)).ask("/a/b?c=d", accept="application/json").json["request"]
    assert (asked["url"], asked["query"], asked["endpoint"]) == (
        "http://127.0.0.1:5000/a/b?c=d",
        [["c", "d"]],
        "",
    )


# -- when the response has started


def stream_app(failing: Erlen) -> None:
    @failing.get("/stream/<int:count>")
    def stream(count: int) -> Response:
        def pieces() -> t.Iterator[str]:
            for number in range(count):
                yield f"piece {number}"
            raise LookupError("in the stream")

        return Response(stream_with_context(pieces()))


def test_a_stream_that_fails_at_once_is_answered_with_the_page_over_wsgi(failing: Erlen) -> None:
    """PEP 3333: until the first piece the headers are not sent, and may be replaced."""
    stream_app(failing)
    started: list[t.Any] = []

    def start_response(status: str, headers: t.Any, exc_info: t.Any = None) -> t.Any:
        started.append((status, exc_info is not None))

    body: t.Any = Debugger(failing)(environ_of("/stream/0"), start_response)
    text = b"".join(body).decode()
    body.close()
    assert started == [("200 OK", False), ("500 INTERNAL SERVER ERROR", True)]
    assert "in the stream" in text


def environ_of(path: str) -> t.Any:
    from werkzeug.test import create_environ

    environ = create_environ(path, "http://127.0.0.1:5000", headers={"Accept": BROWSER})
    return {**environ, "REMOTE_ADDR": "127.0.0.1", "wsgi.errors": io.StringIO()}


def test_a_stream_that_has_begun_is_raised_on_over_wsgi(failing: Erlen) -> None:
    stream_app(failing)
    environ = environ_of("/stream/2")
    body: t.Any = Debugger(failing)(environ, lambda *args: print)
    pieces: list[bytes] = []
    with pytest.raises(LookupError, match="in the stream"):
        pieces.extend(body)
    body.close()
    assert next(iter(pieces), b"piece 0") == b"piece 0"
    assert "its response had begun" in environ["wsgi.errors"].getvalue()


def test_a_server_that_has_sent_the_headers_is_believed(failing: Erlen) -> None:
    """Some send them before the first piece."""
    stream_app(failing)
    started: list[str] = []

    def start_response(status: str, headers: t.Any, exc_info: t.Any = None) -> t.Any:
        if exc_info is not None:
            raise exc_info[1].with_traceback(exc_info[2])
        started.append(status)

    environ = environ_of("/stream/0")
    body: t.Any = Debugger(failing)(environ, start_response)
    with pytest.raises(LookupError, match="in the stream"):
        list(body)
    body.close()
    assert started == ["200 OK"]
    assert "its response had begun" in environ["wsgi.errors"].getvalue()


def test_a_generator_application_is_answered_with_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERLEN_DEBUG", "1")

    def application(environ: t.Any, start_response: t.Any) -> t.Iterator[bytes]:
        raise LookupError("in a generator")
        yield b""

    assert "in a generator" in Visitor(Debugger(application)).ask().text


@on_a_loop
async def test_a_stream_that_has_begun_is_raised_on_over_asgi() -> None:
    app = Erlen("erlen_test")
    app.debug = True

    @app.get("/stream")
    async def stream() -> Response:
        async def pieces() -> t.AsyncIterator[str]:
            yield "first"
            raise LookupError("in the stream")

        return Response(pieces())

    call = Call(Debugger(app), "/stream")
    with pytest.raises(LookupError, match="in the stream"):
        await call.run()
    assert (call.status, call.pieces) == (200, [b"first"])


@on_a_loop
async def test_websockets_and_the_life_span_pass_through() -> None:
    seen: list[str] = []

    async def application(scope: t.Any, receive: t.Any, send: t.Any) -> None:
        seen.append(scope["type"])
        raise LookupError(scope["type"])

    application.debug = True  # type: ignore[attr-defined]
    for kind in ("websocket", "lifespan"):
        with pytest.raises(LookupError, match=kind):
            await Debugger(application)(
                {"type": kind, "path": "/"}, t.cast(t.Any, None), t.cast(t.Any, print)
            )
    assert seen == ["websocket", "lifespan"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_process_passes_through(failing: Erlen, error: type[BaseException]) -> None:
    def ends() -> str:
        raise error

    visitor = Visitor(Debugger(failing))
    with pytest.raises(error):
        visitor.ask(failing_view(failing, ends))


@pytest.mark.parametrize("over", ["wsgi", "asgi"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_mistake_of_the_debugger_does_not_hide_the_exception(
    failing: Erlen, capfd: pytest.CaptureFixture[str], over: str, method: str
) -> None:
    class Broken(dict[str, t.Any]):
        def items(self) -> t.Any:
            raise RuntimeError("no items")

    failing.config = Broken(failing.config)  # type: ignore[assignment]
    answer = Visitor(Debugger(failing), over).ask("/divide", method=method)
    assert (answer.status, answer.text) == (500, "" if method == "HEAD" else "Internal Server Error\n")
    assert answer.headers["Content-Length"] == "22"
    written = capfd.readouterr().err.partition("The debugger failed to show an exception.")[2]
    assert "RuntimeError: no items" in written and "ZeroDivisionError: division by zero" in written


# -- what is kept


class Local:
    """A local variable that is looked for afterwards."""


@pytest.mark.parametrize("over", ["wsgi", "asgi"])
@pytest.mark.parametrize("accept", ["application/json", BROWSER])
def test_frames_are_kept_for_the_last_pages_alone(failing: Erlen, over: str, accept: str) -> None:
    references: list[weakref.ref[Local]] = []
    contexts: list[weakref.ref[t.Any]] = []

    def remembered() -> str:
        local = Local()
        references.append(weakref.ref(local))
        contexts.append(weakref.ref(context_var.get()))
        raise LookupError

    path = failing_view(failing, remembered)
    visitor = Visitor(Debugger(failing), over)
    for _ in range(MOST_PAGES + 5):
        visitor.ask(path, accept=accept)
    kept = MOST_PAGES if accept == BROWSER else 0

    def alive(references: list[t.Any]) -> int:
        gc.collect()
        return sum(reference() is not None for reference in references)

    for _ in range(100):
        # The thread that has answered the last one may not have ended yet.
        if alive(references) == alive(contexts) == kept:
            break
        time.sleep(0.01)
    assert (alive(references), alive(contexts)) == (kept, kept)


@pytest.mark.parametrize("over", ["wsgi", "asgi"])
def test_the_context_of_a_request_that_succeeds_is_freed_at_once(failing: Erlen, over: str) -> None:
    contexts: list[weakref.ref[t.Any]] = []

    @failing.after_request
    def remember(response: Response) -> Response:
        contexts.append(weakref.ref(context_var.get()))
        return response

    visitor = Visitor(Debugger(failing), over)
    gc.collect()
    gc.disable()
    try:
        visitor.ask("/fine")
        assert contexts[0]() is None
    finally:
        gc.enable()


def test_who_else_asks_for_the_context_gets_it(failing: Erlen) -> None:
    with failing.test_client() as client:
        client.application = t.cast(t.Any, Debugger(failing))
        client.get("/fine")
    environ, kept = environ_of("/fine"), list[t.Any]()
    environ["werkzeug.debug.preserve_context"] = kept.append
    list(Debugger(failing)(environ, lambda *args: print))
    assert len(kept) == 1


def test_the_example_of_the_documentation_works() -> None:
    page = (HERE.parents[2] / "docs" / "debugging.md").read_text(encoding="utf-8")
    [block] = [part.partition("```")[0] for part in page.split("```python\n")[1:]]
    names: dict[str, t.Any] = {"__name__": "documented"}
    exec(block, names)

    def fails() -> str:
        raise LookupError("documented")

    names["app"].add_url_rule("/", view_func=fails)

    assert names["link"].startswith("http://127.0.0.1:5000/__debugger__/#")
    assert "documented" in Visitor(names["debugged"]).ask(client="192.168.1.7", host="devbox.example").text
