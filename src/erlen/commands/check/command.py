"""The command ``erlen check``."""

from __future__ import annotations

import difflib
import json
import os
import traceback
import typing as t
from pathlib import Path

import click

from ...cli import NoAppException, ScriptInfo, pass_script_info
from ...debug import own_traceback
from .explain import print_explanation, print_list
from .model import SEVERITIES, Check, Severity, Subject
from .report import as_json, print_report
from .runner import load_checks, run_checks
from .skipping import read_skips
from .table import CHECKS

#: Exit codes: nothing found, findings of the level or worse, nothing could be looked at.
FINE, FOUND, FAILED = 0, 1, 2


@click.command("check", short_help="Say what is unsafe or slow.")
@click.option("--deploy", is_flag=True, help="Check what matters where the application is served, too.")
@click.option(
    "--fail-level",
    type=click.Choice((*SEVERITIES, "never")),
    default="error",
    show_default=True,
    help="The least severity that makes the exit code 1.",
)
@click.option("--skip", "skipped", multiple=True, metavar="ID", help="Leave a check out; may be repeated.")
@click.option("--json", "prints_json", is_flag=True, help="Print the report as JSON.")
@click.option("--explain", "explained", metavar="ID", help="Say what a check is about, and end.")
@click.option("--list", "lists", is_flag=True, help="List the checks with their ids, and end.")
@pass_script_info
def check_command(
    info: ScriptInfo,
    deploy: bool,
    fail_level: Severity | t.Literal["never"],
    skipped: tuple[str, ...],
    prints_json: bool,
    explained: str | None,
    lists: bool,
) -> None:
    """Look at the configured application, and say what is unsafe or slow, with the fix.

    It is loaded and never started: no request is sent, no session and no database is opened. Call it with the
    configuration and the environment of the place where the application is served.

    The exit code is 0 when nothing was found of the level that counts, 1 when something was (see --fail-level), 2
    when the application could not be loaded or the command was called wrongly.
    """
    folder = Path.cwd()
    checks, broken = load_checks(CHECKS)
    ids = [check.id for check in checks]
    for one in skipped:
        _look_up(checks, one, "--skip")
    if explained is not None:
        print_explanation(_look_up(checks, explained, "--explain"))
        return
    if lists:
        print_list(checks)
        return
    configured = read_skips(folder)
    app = _load(info, deploy, prints_json)
    subject = Subject(
        app,
        folder,
        os.environ,
        broken_plugins=broken,
        unknown_skips=[one for one in configured if one not in ids],
    )
    made = [check for check in checks if deploy or not check.deploy]
    report = run_checks(subject, made, {**configured, **dict.fromkeys(skipped, "--skip")})
    failed = report.fails_at(fail_level)
    if prints_json:
        named = {"name": str(app.name), "class": type(app).__name__, "profile": app.profile}
        _echo_json(as_json(report, application=named, deploy=deploy, failed=failed, error=None))
    else:
        print_report(report, _in_words(app, made, deploy))
    if failed:
        raise SystemExit(FOUND)


def _look_up(checks: t.Sequence[Check], wanted: str, option: str) -> Check:
    for check in checks:
        if check.id == wanted:
            return check
    near = difflib.get_close_matches(wanted, [check.id for check in checks], n=1)
    meant = f" Did you mean {near[0]!r}?" if near else ""
    raise click.BadParameter(
        f"There is no check {wanted!r}.{meant} 'erlen check --list' names all of them.", param_hint=option
    )


def _in_words(app: t.Any, checks: t.Sequence[Check], deploy: bool) -> str:
    hint = "" if deploy else ", without those of --deploy"
    return f"{app.name!r} ({type(app).__name__}, profile {app.profile!r}): {len(checks)} checks{hint}"


def _load(info: ScriptInfo, deploy: bool, prints_json: bool) -> t.Any:
    """Load the application as servers do: with the debug mode that it has itself."""
    try:
        app = info.load_app()
    except NoAppException as error:
        message = error.format_message()
        if not prints_json:
            error.show()
            raise SystemExit(FAILED) from None
    except Exception as error:  # Whatever the user's module raises: its traceback is the message.
        message = "".join(traceback.format_exception(own_traceback(error)))
    else:
        if info.configured_debug is not None:
            app.debug = info.configured_debug
        return app
    if prints_json:
        _echo_json(as_json(None, application=None, deploy=deploy, failed=True, error=message))
    else:
        click.echo(
            f"{message}\nError: The application could not be loaded; the last lines above say why.", err=True
        )
    raise SystemExit(FAILED)


def _echo_json(value: t.Any) -> None:
    click.echo(json.dumps(value, indent=2))
