"""Values, exceptions and surroundings that make it hard to show anything."""

from __future__ import annotations

import contextlib
import os
import threading
import typing as t
from pathlib import Path

import pytest

from debugged import BROWSER, Visitor
from erlen import Erlen, request
from erlen.debugger import Debugger, values


class Leaves(Exception):
    """Ends the process when it is printed."""

    def __str__(self) -> str:
        raise SystemExit("gone")


def no_notes(error: Exception) -> list[str]:
    raise RuntimeError("no notes")


# Raises when its notes are asked for.
WithoutNotes: type[Exception] = type("WithoutNotes", (Exception,), {"__notes__": property(no_notes)})


def syntax_error(*details: t.Any) -> SyntaxError:
    return SyntaxError("made up", details)


@pytest.mark.parametrize("accept", [BROWSER, "application/json", "*/*"])
@pytest.mark.parametrize(
    "error",
    [
        Leaves(),
        WithoutNotes("shown"),
        syntax_error("file", 3, "four", "text"),
        syntax_error("file", 3, 1, "text", "four", "five"),
        syntax_error("file", 10**9, 1, "text"),
        syntax_error("file", -3, -1, "text", -5, -5),
    ],
    ids=["leaves", "notes", "offset", "end", "line", "negative"],
)
def test_an_exception_with_anything_in_it_is_shown(
    visitor: Visitor, failing: Erlen, error: Exception, accept: str, capfd: pytest.CaptureFixture[str]
) -> None:
    @failing.get("/raises")
    def raises() -> str:
        raise error

    answer = None
    # What is raised on could not be printed by pytest either.
    with contextlib.suppress(Exception, SystemExit):
        answer = visitor.ask("/raises", accept=accept)
    error.__traceback__ = None
    assert answer is not None
    assert answer.status == 500
    assert type(error).__name__ in answer.text and "raises" in answer.text
    written = capfd.readouterr().err
    assert "The debugger failed" not in written
    assert "in raises" in written


def test_names_that_are_no_text_are_left_out(visitor: Visitor, failing: Erlen) -> None:
    @failing.get("/exec")
    def executes() -> str:
        names: dict[t.Any, int] = {1: 2, (): 3, "shown": 4}
        exec("1/0", {}, names)
        return ""

    answer = visitor.ask("/exec", accept="application/json").json
    assert answer["error"]["frames"][-1]["variables"] == {"shown": "4"}


def test_a_module_without_a_name_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERLEN_DEBUG", "1")
    names: dict[str, t.Any] = {"__name__": None}
    exec("def nameless(environ, start_response): 1/0", names)
    answer = Visitor(Debugger(names["nameless"])).ask(accept="application/json").json
    assert [frame["function"] for frame in answer["error"]["frames"]] == ["nameless"]


@pytest.mark.skipif(
    os.name == "nt", reason="Windows keeps the working folder of a process from being removed"
)
def test_a_working_folder_that_is_gone_is_no_obstacle(
    visitor: Visitor, failing: Erlen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()

    @failing.get("/relative")
    def relative() -> str:
        exec(compile("1/0", "relative.py", "exec"))
        return ""

    text = visitor.ask("/relative").text
    assert "relative.py" in text and "ZeroDivisionError" in text


def test_a_slow_item_of_a_list_is_waited_for_once(visitor: Visitor, failing: Erlen) -> None:
    leave = threading.Event()

    class SlowItem:
        def __repr__(self) -> str:
            leave.wait(60)
            return "at last"

    @failing.get("/slow")
    def slow() -> str:
        items = {"one": [SlowItem()]}
        raise LookupError(len(items))

    def shown() -> str:
        answer = visitor.ask("/slow", accept="application/json").json
        return t.cast(str, answer["error"]["frames"][-1]["variables"]["items"])

    try:
        assert "SlowItem, which took longer than 2 seconds to print" in shown()
        assert "SlowItem, which took too long to print before" in shown()
    finally:
        leave.set()


def test_a_slow_value_of_the_rule_does_not_keep_the_page(
    visitor: Visitor, failing: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(values.print_all, "__defaults__", (0.2,))
    leave = threading.Event()

    class SlowPart:
        def __repr__(self) -> str:
            leave.wait(60)
            return "at last"

    @failing.url_value_preprocessor
    def slow(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
        assert values is not None
        values["part"] = SlowPart()

    @failing.before_request
    def fails() -> None:
        raise LookupError(request.endpoint)

    try:
        text = visitor.ask("/divide").text
        assert "part=&lt;" in text and "SlowPart, which took longer than" in text
    finally:
        leave.set()


def test_a_message_of_any_length_is_cut(
    visitor: Visitor, failing: Erlen, capfd: pytest.CaptureFixture[str]
) -> None:
    @failing.get("/long")
    def long() -> str:
        raise LookupError("x" * 3_000_000)

    assert len(visitor.ask("/long").text) < 200_000
    assert len(visitor.ask("/long", accept="*/*").text) < 50_000
    assert "x ... (30000" in capfd.readouterr().err


@pytest.mark.parametrize("control", ["\x1b]0;title\x07", "\x9b2J", "\x08", "\r"])
def test_a_message_cannot_move_the_cursor_of_the_terminal(
    visitor: Visitor, failing: Erlen, capfd: pytest.CaptureFixture[str], control: str
) -> None:
    @failing.get("/control")
    def controls() -> str:
        raise LookupError(f"a{control}b\tc")

    text = visitor.ask("/control", accept="*/*").text
    for written in (text, capfd.readouterr().err):
        assert control not in written
        assert f"\\x{ord(control[0]):02x}" in written and "b\tc" in written
