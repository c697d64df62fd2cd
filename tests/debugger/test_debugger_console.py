"""Code run in a frame: what it sees, what it changes, what is shown of it."""

from __future__ import annotations

import contextlib
import io
import sys
import threading
import types
import typing as t

import pytest

from debugged import Visitor
from erlen import Erlen, g, session
from erlen.ctx import context_var
from erlen.debugger.console import LONGEST, Console


def frame_of(function: t.Callable[[], t.Any]) -> types.FrameType:
    """Return the last frame of a function that raises."""
    try:
        function()
    except BaseException as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        assert trace is not None
        return trace.tb_frame
    raise AssertionError("it did not raise")


at_the_top = "a global"


@pytest.fixture
def console() -> Console:
    def fail() -> None:
        number, items = 7, [1, 2]
        raise LookupError(number, items)

    return Console(frame_of(fail), None)


@pytest.mark.parametrize(("code", "output"), [
    ("number", "7\n"),
    ("number + len(items)", "9\n"),
    ("at_the_top", "'a global'\n"),
    ("None", ""),
    ("", ""),
    ("   # nothing", ""),
    ("print('a'); print('b')", "a\nb\n"),
    ("[number + item for item in items]", "[8, 9]\n"),
    ("sum(number for _ in items)", "14\n"),
    ("(lambda: number * 2)()", "14\n"),
    ("len(items), max(items)", "(2, 2)\n"),
    ("import math\nmath.floor(2.5)\nnumber", "2\n7\n"),
    ("for item in items:\n    item\n", "1\n2\n"),
    ("def double(x):\n    return x * number\n\n", ""),
    ("import sys; sys.stdout.isatty()", "False\n"),
    ("import sys; sys.stderr.write('told') and None", "told"),
    ("__name__", f"{__name__!r}\n"),
])  # fmt: skip
def test_code_sees_the_frame(console: Console, code: str, output: str) -> None:
    assert console.run(code) == (output, False)


def test_what_is_assigned_stays(console: Console) -> None:
    console.run("number = 8")
    console.run("def double(x):\n    return x * number\n\n")
    console.run("class Box:\n    size = number\n\n")
    assert console.run("double(2), Box.size, number").output == "(16, 8, 8)\n"
    console.run("import json as j")
    assert console.run("j.dumps(_)").output == "'[16, 8, 8]'\n"


def test_a_name_is_deleted(console: Console) -> None:
    console.run("del number")
    assert "NameError: name 'number' is not defined" in console.run("number").output


def test_globals_are_read_as_they_are_and_changed_where_declared(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "at_the_top", "changed since")
    assert console.run("at_the_top").output == "'changed since'\n"
    assert console.run("(lambda: at_the_top)()").output == "'changed since'\n"
    console.run("def change():\n    global at_the_top\n    at_the_top = 'from the console'\n\n")
    console.run("global at_the_top; at_the_top = 'declared'")
    assert at_the_top == "declared"


def test_the_console_of_a_module_changes_the_module() -> None:
    names: dict[str, t.Any] = {"__name__": "made"}
    code = compile("value = 1\nraise LookupError", "made.py", "exec")
    console = Console(frame_of(lambda: exec(code, names)), None)
    console.run("value = 2")
    assert names["value"] == 2


@pytest.mark.parametrize(
    "code", ["for x in items:", "def f():", "(1 +", "'''text", "if number:\n    pass", "@staticmethod"]
)
def test_code_that_is_not_complete_waits_for_more(console: Console, code: str) -> None:
    assert console.run(code) == ("", True)


@pytest.mark.parametrize(("code", "expected"), [
    ("1 / 0", "ZeroDivisionError: division by zero"),
    ("number /", "SyntaxError: invalid syntax"),
    ("a b", "SyntaxError"),
    ("x = 1\ny = = 2", "SyntaxError"),
    ("\x00", "null bytes"),
    ("unknown", "NameError: name 'unknown' is not defined"),
    ("raise SystemExit(3)", "SystemExit: 3"),
    ("exit()", "SystemExit"),
    ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ("raise ExceptionGroup('group', [ValueError('one')])", "ValueError: one"),
    ("'\ud800'", "UnicodeEncodeError"),
])  # fmt: skip
def test_an_error_is_shown_and_ends_nothing(console: Console, code: str, expected: str) -> None:
    output = console.run(code).output
    assert expected in output
    assert "debugger" not in output
    assert console.run("number").output == "7\n"


def test_code_that_is_too_deep_to_compile_is_an_error(console: Console) -> None:
    for code in ("-" * 200_000 + "1", "a" + ".a" * 50_000):
        output = console.run(code).output
        assert "RecursionError" in output or "MemoryError" in output
    assert console.run("1 + 1").output == "2\n"


def test_statements_after_one_that_fails_do_not_run(console: Console) -> None:
    assert console.run("number = 1\n1 / 0\nnumber = 2").output.endswith("division by zero\n")
    assert console.run("number").output == "1\n"


def test_an_exception_that_cannot_be_printed_is_shown(console: Console) -> None:
    code = "class Bad(Exception):\n    def __str__(self):\n        raise RuntimeError\n\n"
    console.run(code)
    assert "Bad" in console.run("raise Bad").output


def test_a_value_that_cannot_be_printed_is_an_error(console: Console) -> None:
    console.run("class Bad:\n    def __repr__(self):\n        raise RuntimeError('no')\n\n")
    assert console.run("Bad()").output.endswith("RuntimeError: no\n")


def test_long_output_is_cut(console: Console) -> None:
    output = console.run("print('x' * 10_000_000)").output
    assert len(output) < LONGEST + 100
    assert output.endswith(f"{10_000_001 - LONGEST} more characters\n")


def test_future_imports_are_remembered(console: Console) -> None:
    console.run("from __future__ import annotations")
    assert console.run("def f(x: unknown): pass\n\n").output == ""
    assert console.run("f.__annotations__").output == "{'x': 'unknown'}\n"


def test_output_of_others_goes_where_it_went(console: Console) -> None:
    """Werkzeug's console puts the stream back that another evaluation has put there."""
    here, there, running = io.StringIO(), threading.Event(), threading.Event()
    console.names.update(running=running, there=there)
    with contextlib.redirect_stdout(here):
        before = sys.stdout, sys.stderr, sys.displayhook
        results: list[str] = []
        thread = threading.Thread(
            target=lambda: results.append(
                console.run("print('mine'); running.set(); there.wait(10); print('mine again')").output
            )
        )
        thread.start()
        assert running.wait(10)
        print("of somebody else")
        other = Console(frame_of(lambda: dict[str, int]()["x"]), None)
        assert other.run("print('of the other console')").output == "of the other console\n"
        there.set()
        thread.join()
        assert (sys.stdout, sys.stderr, sys.displayhook) == before
    assert results == ["mine\nTrue\nmine again\n"]
    assert here.getvalue() == "of somebody else\n"


def test_a_thread_of_the_code_writes_where_the_process_writes(
    console: Console, capsys: pytest.CaptureFixture[str]
) -> None:
    console.run("import threading")
    code = "thread = threading.Thread(target=print, args=('from a thread',)); thread.start(); thread.join()"
    assert console.run(code).output == ""
    assert capsys.readouterr().out == "from a thread\n"


def test_the_underscore_of_builtins_stays(console: Console) -> None:
    import builtins

    console.run("number")
    assert console.run("_").output == "7\n"
    assert not hasattr(builtins, "_")


def test_help_is_printed(console: Console) -> None:
    assert "Return the number of items" in console.run("help(len)").output


# -- in a request


def test_the_request_is_there_as_it_was(visitor: Visitor, failing: Erlen) -> None:
    teardowns: list[object] = []
    failing.teardown_request(teardowns.append)

    @failing.get("/look/<int:number>")
    def look(number: int) -> str:
        g.user = "ada"
        session["basket"] = [number]
        raise LookupError

    visitor.unlock()
    page = visitor.ask("/look/3?page=2")
    assert len(teardowns) == 1
    function = look.__qualname__
    visitor.run(page, function, "from erlen import current_app, g, request, session, url_for")
    assert (
        visitor.run(page, function, "request.args['page'], request.view_args, g.user")
        == "('2', {'number': 3}, 'ada')\n"
    )
    assert visitor.run(page, function, "session['basket'], current_app.name") == "([3], 'erlen_test')\n"
    assert visitor.run(page, function, "url_for('look', number=4)") == "'/look/4'\n"
    # To look is no end of a request.
    assert len(teardowns) == 1
    assert context_var.get(None) is None


def test_each_frame_has_its_own_console(visitor: Visitor) -> None:
    visitor.unlock()
    page = visitor.ask("/divide")
    assert visitor.run(page, "divide", "parts = 2; amount / parts") == "3.5\n"
    assert "NameError" in visitor.run(page, "failing.<locals>.division", "parts")
    assert visitor.run(page, "divide", "parts") == "2\n"
    assert visitor.run(visitor.ask("/divide"), "divide", "parts") == "0\n"


def test_frames_of_causes_and_members_have_consoles(visitor: Visitor, failing: Erlen) -> None:
    def inner() -> None:
        depth = "inner"
        raise KeyError(depth)

    @failing.get("/chain")
    def chain() -> str:
        try:
            inner()
        except KeyError as error:
            raise ExceptionGroup("group", [error]) from None
        return ""

    visitor.unlock()
    page = visitor.ask("/chain")
    assert visitor.run(page, inner.__qualname__, "depth") == "'inner'\n"


def test_an_async_frame_has_a_console(visitor: Visitor) -> None:
    visitor.unlock()
    page = visitor.ask("/divide-async")
    assert visitor.run(page, "failing.<locals>.division_async", "amount") == "7\n"
