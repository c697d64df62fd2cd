"""``erlen security sessions``, ``log`` and ``purge``."""

from __future__ import annotations

import difflib
import json
import typing as t

import click

from erlen.cli import with_appcontext

from ..events import NAMES
from ..types import Event
from ..upkeep import purge as purge_all
from .base import Commands, counted, echo_json, extension, id_of, user_named, when
from .tables import echo_table

sessions = Commands("sessions", help="List and end sessions. USER is an address or a uid.")

_ID_SHOWN = 8


@sessions.command("list")
@click.argument("name", metavar="USER")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_sessions(name: str, *, as_json: bool) -> None:
    """List the sessions of USER, those seen last first."""
    security, user = extension(), user_named(name)
    found = security.sessions.all(user)
    if as_json:
        # All but the key, which is the digest of a secret.
        names = (
            "id methods created_at authenticated_at last_seen_at expires_at remember address agent".split()
        )
        echo_json({"sessions": [{name: getattr(one, name) for name in names} for one in found]})
    elif found:
        rows = [
            [one.id[:_ID_SHOWN], ", ".join(one.methods), when(one.last_seen_at), one.address or ""]
            for one in found
        ]
        echo_table(["Id", "Logged in with", "Last seen", "Address"], rows, [one.agent for one in found])
    else:
        click.echo(f"{user.email} has no sessions.")


@sessions.command("revoke")
@click.argument("name", metavar="USER")
@click.argument("session_id", metavar="ID", required=False)
@click.option("--all", "every", is_flag=True, help="All sessions, and the logins of programs.")
def revoke(name: str, session_id: str | None, *, every: bool) -> None:
    """End the session of USER whose id begins with ID, at once."""
    if (session_id is None) != every:
        raise click.UsageError("Name the session by the beginning of its id, or all of them with --all.")
    security, user = extension(), user_named(name)
    if session_id is None:
        ended = security.sessions.revoke_all(user)
        programs = security.tokens.revoke_families(user)
        click.echo(
            f"Ended {counted(ended, 'session')} and {counted(programs, 'login')} of programs of {user.email}."
        )
        return
    id = id_of("session", session_id, [one.id for one in security.sessions.all(user)])
    security.sessions.revoke(user, id)
    click.echo(f"Ended 1 session of {user.email}.")


def _event_name(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is None or value in NAMES:
        return value
    near = difflib.get_close_matches(value, NAMES, 1)
    hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(NAMES)}."
    raise click.BadParameter(f"{value!r} is no event. {hint}")


@click.command("log")
@click.option("--user", "name", metavar="USER", help="What happened to one user.")
@click.option("--event", "event_name", metavar="NAME", callback=_event_name, help="Only events of this name.")
@click.option(
    "--limit", default=50, show_default=True, type=click.IntRange(1, 100_000), help="How many at most."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@with_appcontext
def log(name: str | None, event_name: str | None, limit: int, *, as_json: bool) -> None:
    """Show what happened, the newest first."""
    store = extension().store
    uid = None if name is None else user_named(name).uid
    found = store.events(uid, name=event_name, limit=limit)
    if as_json:
        names = "at name uid address agent details".split()
        echo_json({"events": [{name: getattr(one, name) for name in names} for one in found]})
        return
    if not found:
        click.echo("The log has nothing of that.")
        return
    emails: dict[str | None, str] = {None: ""}
    for one in found:
        if one.uid not in emails:
            user = store.user(t.cast("str", one.uid))
            emails[one.uid] = f"({t.cast('str', one.uid)[:_ID_SHOWN]})" if user is None else user.email
    rows = [[when(one.at), one.name, emails[one.uid], one.address or ""] for one in found]
    echo_table(["Time", "Event", "User", "Address"], rows, [_in_words(one) for one in found])


def _in_words(event: Event) -> str:
    return "; ".join(f"{name}: {_plain(value)}" for name, value in event.details.items())


def _plain(value: t.Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, t.cast("list[t.Any]", value))) or "none"
    return value if isinstance(value, str) else json.dumps(value)


@click.command("purge")
@with_appcontext
def purge() -> None:
    """Delete what has expired: sessions, tokens, and events older than the settings say.

    Run it once a day. Nothing that works is touched.
    """
    click.echo(f"Deleted {counted(purge_all(extension().kit), 'row')} that had expired.")
