"""``python -m erlen.as_flask``: run a script, a module or a line of code in which ``import flask`` is Erlen."""

from __future__ import annotations

import os
import sys
from types import ModuleType

USAGE = """\
Usage: python -m erlen.as_flask SCRIPT [arguments]
       python -m erlen.as_flask -m MODULE [arguments]
       python -m erlen.as_flask -c CODE [arguments]

Runs it as python would, with 'import flask' answered by Erlen. Processes that it starts do the same, through
ERLEN_AS_FLASK=1 in their environment.
"""


def main() -> None:
    """Run what the command line names."""
    arguments = sys.argv[1:]
    kind = arguments[0] if arguments else ""
    if not kind or kind in {"-h", "--help"} or (kind in {"-m", "-c"} and len(arguments) < 2):
        sys.stderr.write(USAGE)
        sys.exit(0 if kind in {"-h", "--help"} else 2)
    os.environ["ERLEN_AS_FLASK"] = "1"
    # Slow.
    import runpy

    if kind == "-m":
        sys.argv = arguments[1:]
        if _is_missing(arguments[1]):
            sys.exit(
                f"There is no module {arguments[1]!r}. Options of python itself come first: python -W error -m erlen.as_flask ..."
            )
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv = ["-c", *arguments[2:]]
        code = compile(arguments[1], "<string>", "exec")
        own, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
        try:
            # What 'python -c' does, with the code of whoever calls this.
            exec(code, vars(sys.modules["__main__"]))  # noqa: S102
        finally:
            sys.modules["__main__"] = own
    elif not os.path.exists(kind):
        sys.exit(
            f"There is no script {kind!r} in {os.getcwd()!r}. To run a module: python -m erlen.as_flask -m {kind}"
        )
    else:
        sys.argv = arguments
        # As python does for a script: '__file__' is absolute there, and data beside it are found by that. runpy looks after
        # the path for folders and archives.
        if os.path.isfile(kind):
            sys.path[0] = os.path.dirname(os.path.realpath(kind))
        runpy.run_path(os.path.abspath(kind), run_name="__main__")


def _is_missing(name: str) -> bool:
    # Slow.
    from importlib.util import find_spec

    try:
        return find_spec(name) is None
    except (ImportError, ValueError):
        # Something on the way to it: the attempt to run it tells more.
        return False
