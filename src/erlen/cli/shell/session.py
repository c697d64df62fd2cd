"""One call of ``erlen shell``: what is begun around the prompt, and which prompt it is."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
import typing as t

import click
from werkzeug.local import LocalProxy

from ...ctx import context_var
from ...pipeline.bridge import run_coroutine
from ...typing import Application
from .running import Runner, run_source

#: Runs the prompt, with the names and the banner.
Start: t.TypeAlias = t.Callable[[dict[str, t.Any], str], None]

# What has to be installed for a shell, in the order in which they are tried.
_PACKAGES = {"ipython": "IPython", "bpython": "bpython"}

_WAITS = "'await' works at the prompt"


def run_shell(
    application: Application, *, interface: str, code: str | None, serving: bool, path: str | None
) -> None:
    """Run code, or let the user enter some, inside the active context of an application.

    :param application: the application.
    :param interface: ``"ipython"``, ``"bpython"``, ``"python"`` or ``"auto"``.
    :param code: what to run instead of starting a shell.
    :param serving: whether the life span of the application runs meanwhile.
    :param path: makes up a request for this path.
    """
    with contextlib.ExitStack() as stack:
        if path is not None:
            stack.enter_context(application.test_request_context(path))
        source = "<string>" if code is not None else "<stdin>"
        if code is None and not _is_terminal():
            # Without any standard input Python has none.
            code = sys.stdin.read() if sys.stdin else ""
        if code is not None:
            _begin_serving(application, run_coroutine, stack, serving=serving)
            # As in a script, where 'if __name__ == "__main__"' is true.
            namespace = {"__name__": "__main__", **_names(application, with_request=path is not None)}
            sys.exit(run_source(code, source, namespace))
        shell = _choose(interface)
        _begin_serving(application, shell.run, stack, serving=serving)
        namespace = _names(application, with_request=path is not None)
        shell.start(namespace, _banner(application, namespace, shell, serving=serving))


class _Shell(t.NamedTuple):
    """A shell that can be started.

    :param start: starts it.
    :param run: runs a coroutine where it runs those of the prompt.
    :param awaits: what to tell of ``await``.
    :param names_python: whether it names the version of Python itself.
    """

    start: Start
    run: Runner = run_coroutine
    awaits: str = f"{_WAITS}; tasks go on while it waits."
    names_python: bool = False


def _begin_serving(
    application: Application, run: Runner, stack: contextlib.ExitStack, *, serving: bool
) -> None:
    """Begin the life span where the user wants it, and end it with the stack.

    :param run: runs the coroutines of the prompt, so that what the life span makes can be awaited there.
    """
    if serving:
        run(application.astart_serving())
        stack.callback(lambda: run(application.astop_serving()))


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _names(application: Application, *, with_request: bool) -> dict[str, t.Any]:
    of_request = {name: LocalProxy(context_var, name) for name in ("request", "session")}
    return {**(of_request if with_request else {}), **application.make_shell_context()}


def _choose(interface: str) -> _Shell:
    if interface in _PACKAGES:
        if importlib.util.find_spec(_PACKAGES[interface]) is None:
            raise click.UsageError(
                f"'--interface {interface}' was given, and {interface} is not installed. Install it with: pip install"
                f" {interface}"
            )
        return _load(interface)
    for name, package in _PACKAGES.items():
        if interface == "auto" and importlib.util.find_spec(package) is not None:
            try:
                return _load(name)
            except ImportError as error:
                click.secho(f" * {name} is installed, and cannot be imported: {error}", fg="yellow", err=True)
    return _load("python")


def _load(name: str) -> _Shell:
    """Import a shell.

    :raises ImportError: when it is broken, or not made for this system.
    """
    if name == "ipython":
        # Optional dependency.
        from .with_ipython import start_ipython

        return _Shell(start_ipython, names_python=True)
    if name == "bpython":
        # Optional dependency.
        from .with_bpython import Loop, start_bpython

        loop = Loop()
        return _Shell(
            lambda namespace, banner: start_bpython(namespace, banner, loop),
            loop.run,
            f"{_WAITS}; tasks go on only while it does.",
        )
    # Only one of the three is needed.
    from .console import start_console

    return _Shell(start_console)


def _banner(
    application: Application, namespace: t.Mapping[str, t.Any], shell: _Shell, *, serving: bool
) -> str:
    lines = [] if shell.names_python else [f"Python {sys.version.split()[0]} on {sys.platform}"]
    lines += [
        f"App: {application.import_name}" + (" (debug mode)" if application.debug else ""),
        f"Instance: {application.instance_path}",
        f"Names: {', '.join(sorted(name for name in namespace if not name.startswith('_')))}",
        f"Async: {shell.awaits}",
    ]
    if application.has_life_span():
        begun = "begun, and ends with the shell." if serving else "not begun. '--serving' begins it."
        lines.append(f"Life span: {begun}")
    return "\n".join(lines)
