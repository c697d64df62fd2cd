"""Counts what a request costs, in a way that is the same each time: calls, and steps of the interpreter."""

from __future__ import annotations

import gc
import io
import sys
import typing as t

if t.TYPE_CHECKING:
    from types import FrameType


class Cost(t.NamedTuple):
    """What something costs.

    :param calls: calls of functions, of those written in C as well.
    :param instructions: instructions of Python's virtual machine; what happens in C is not among them.
    """

    calls: int
    instructions: int


def environ_for(path: str) -> dict[str, t.Any]:
    """Return what a server would say of a small GET request."""
    return {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "localhost",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }


def request_cost(app: t.Any, path: str) -> Cost:
    """Return what a warm request costs: the third of its kind."""

    def start_response(status: str, headers: t.Any, exc_info: t.Any = None) -> None:
        pass

    def ask() -> None:
        body = app(environ_for(path), start_response)
        b"".join(body)
        if close := getattr(body, "close", None):
            close()

    ask()
    ask()
    return cost_of(ask)


def cost_of(function: t.Callable[[], object]) -> Cost:
    """Return what a call of a function costs."""
    # The end of what was before is not part of it.
    gc.disable()
    try:
        return Cost(calls_of(function), instructions_of(function))
    finally:
        gc.enable()


def calls_of(function: t.Callable[[], object]) -> int:
    """Count the calls of functions, of those written in C as well."""
    calls = 0

    def profile(frame: FrameType, event: str, argument: t.Any) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(before)
    return calls


def instructions_of(function: t.Callable[[], object]) -> int:
    """Count the instructions of the virtual machine."""
    instructions = 0

    def trace(frame: FrameType, event: str, argument: t.Any) -> t.Any:
        nonlocal instructions
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        instructions += event == "opcode"
        return trace

    def count(*args: t.Any) -> None:
        nonlocal instructions
        instructions += 1

    if sys.version_info >= (3, 12):
        # Tracing is built on this there, and no longer tells of each instruction.
        monitoring, tool = sys.monitoring, sys.monitoring.PROFILER_ID
        monitoring.use_tool_id(tool, "counting")
        monitoring.register_callback(tool, monitoring.events.INSTRUCTION, count)
        monitoring.set_events(tool, monitoring.events.INSTRUCTION)
        try:
            function()
        finally:
            monitoring.set_events(tool, 0)
            monitoring.free_tool_id(tool)
        return instructions
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return instructions
