"""``erlen security tokens``."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

import click

from ..types import Token
from .base import Commands, counted, echo_json, extension, id_of, user_named, when
from .tables import echo_table

tokens = Commands("tokens", help="Make, list and revoke tokens of programs. USER is an address or a uid.")

# As much of an id as tables show; commands take any beginning that is one token's alone.
ID_SHOWN = 8


@tokens.command("create")
@click.argument("user_name", metavar="USER")
@click.option("--name", required=True, help="What the token is for.")
@click.option("--scope", "scopes", multiple=True, metavar="NAME", help="What it permits. May be repeated.")
@click.option(
    "--days",
    type=click.IntRange(1),
    metavar="N",
    help="How long it works; the longest that may be, if left out.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def create(user_name: str, name: str, scopes: tuple[str, ...], days: int | None, *, as_json: bool) -> None:
    """Make a token for a program of USER, and print it. It cannot be shown again."""
    security, user = extension(), user_named(user_name)
    # A number of days that no duration holds is too long as well.
    lifetime = None if days is None else timedelta(days=min(days, 1_000_000))
    secret, token = security.tokens.create_api_token(user, name, scopes, lifetime)
    if as_json:
        echo_json({"token": secret, **_as_values(token, "named")})
        return
    click.echo(secret)
    # Beside the token, so that a pipe has that alone.
    click.echo(
        f"This token of {user.email} is shown this once. It works until {when(token.expires_at)} UTC.",
        err=True,
    )


@tokens.command("list")
@click.argument("user_name", metavar="USER")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_tokens(user_name: str, *, as_json: bool) -> None:
    """List the tokens of USER, and the logins of programs that refresh theirs."""
    security, user = extension(), user_named(user_name)
    named, logins = security.tokens.api_tokens(user), security.tokens.families(user)
    found = [*((token, "named") for token in named), *((token, "login") for token in logins)]
    if as_json:
        echo_json({"tokens": [_as_values(token, kind) for token, kind in found]})
    elif found:
        now = security.kit.clock()
        rows = [
            [
                token.id[:ID_SHOWN],
                token.name or "(login)",
                " ".join(token.scopes),
                _end(token, now),
                when(token.last_used_at),
            ]
            for token, _ in found
        ]
        echo_table(["Id", "Name", "Scopes", "Works until", "Last used"], rows)
    else:
        click.echo(f"{user.email} has no tokens.")


@tokens.command("revoke")
@click.argument("user_name", metavar="USER")
@click.argument("token_id", metavar="ID", required=False)
@click.option("--all", "every", is_flag=True, help="All tokens and logins of programs.")
def revoke(user_name: str, token_id: str | None, *, every: bool) -> None:
    """End the token of USER whose id begins with ID, at once."""
    if (token_id is None) != every:
        raise click.UsageError("Name the token by the beginning of its id, or all of them with --all.")
    security, user = extension(), user_named(user_name)
    named = [token.id for token in security.tokens.api_tokens(user)]
    logins = [token.id for token in security.tokens.families(user)]
    if token_id is not None:
        id = id_of("token", token_id, [*named, *logins])
        named, logins = ([one for one in ids if one == id] for ids in (named, logins))
    ended = sum(security.tokens.revoke_api_token(user, id) for id in named)
    ended += sum(security.tokens.revoke_family(user, id) for id in logins)
    click.echo(f"Revoked {counted(ended, 'token')} of {user.email}.")


def _end(token: Token, now: datetime) -> str:
    is_over = token.expires_at is not None and token.expires_at <= now
    return "expired" if is_over else when(token.expires_at)


def _as_values(token: Token, kind: str) -> dict[str, t.Any]:
    names = "id name scopes created_at expires_at last_used_at"
    return {"kind": kind, **{name: getattr(token, name) for name in names.split()}}
