"""``erlen security users``."""

from __future__ import annotations

import typing as t

import click

from ..errors import EmailTaken, InvalidEmail
from ..events import clean_text
from ..types import User
from .base import (
    BY,
    Commands,
    Extension,
    confirmed,
    counted,
    echo_json,
    extension,
    new_password,
    user_named,
    when,
)
from .tables import echo_pairs, echo_table

users = Commands(
    "users", help="Make, show, switch on and off, and delete users. USER is an address or a uid."
)

_stdin = click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
_yes = click.option("--yes", is_flag=True, help="Do not ask.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@users.command("create")
@click.argument("email")
@click.option("--role", "roles", multiple=True, metavar="NAME", help="A role to grant. May be repeated.")
@click.option("--not-activated", is_flag=True, help="The address has to be confirmed by mail first.")
@click.option("--no-password", is_flag=True, help="The user sets one through a recovery mail.")
@_stdin
@_json
def create(
    email: str,
    roles: tuple[str, ...],
    *,
    not_activated: bool,
    no_password: bool,
    password_stdin: bool,
    as_json: bool,
) -> None:
    """Make an account for the address EMAIL.

    The password is asked for, and has to keep the rules that everybody's has to.
    """
    # Start-up cost: the parser is large.
    from ..emails import parse_email

    if no_password and password_stdin:
        raise click.UsageError(
            "--no-password and --password-stdin exclude each other. Leave one of them out."
        )
    security = extension()
    taken = f"{clean_text(email)!r} has an account. 'erlen security users show' shows it."
    # Before anybody types a password for nothing.
    try:
        key = parse_email(email).key
    except InvalidEmail as error:
        raise click.ClickException(f"{clean_text(email)!r} cannot be used. {error}") from None
    if security.store.user_by_email(key) is not None:
        raise click.ClickException(taken)
    for role in roles:
        need_role(security, role)
    password = None if no_password else new_password(email, from_stdin=password_stdin)
    try:
        user = security.accounts.create(email, password, activated=not not_activated, roles=roles)
    except EmailTaken:
        raise click.ClickException(taken) from None
    if as_json:
        echo_json(as_values(security, user))
    else:
        click.echo(f"Made the account of {user.email}, uid {user.uid}.")


@users.command("list")
@click.option("--search", default="", metavar="TEXT", help="Only addresses that contain this.")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1, 100_000), help="How many at most."
)
@_json
def list_users(search: str, limit: int, *, as_json: bool) -> None:
    """List users in the order of their addresses."""
    if not search.isprintable():
        raise click.UsageError("--search has characters that no address has. Type a part of the address.")
    security = extension()
    found = list(security.store.users(search, limit=limit + 1))
    shown = found[:limit]
    if as_json:
        echo_json({"users": [as_values(security, user) for user in shown]})
        return
    if not shown:
        click.echo(f"No address contains {clean_text(search)!r}." if search else "There are no users.")
        return
    rows = [
        [user.email, state_of(security, user), _roles_of(user), when(user.current_login_at)] for user in shown
    ]
    echo_table(["E-mail", "State", "Roles", "Last login"], rows)
    if len(found) > limit:
        click.echo(f"These are the first {limit}. Add --search or --limit for others.", err=True)


@users.command("show")
@click.argument("name", metavar="USER")
@_json
def show(name: str, *, as_json: bool) -> None:
    """Show everything about USER that is no secret."""
    security, user = extension(), user_named(name)
    if as_json:
        echo_json(as_values(security, user))
        return
    factors = security.factors.available(user)
    tokens = len(security.tokens.api_tokens(user)), len(security.tokens.families(user))
    echo_pairs(
        {
            "E-mail": user.email,
            "Uid": user.uid,
            "State": state_of(security, user),
            "Roles": _roles_of(user) or "none",
            "Password": f"changed {when(user.password_changed_at)}" if user.password_hash else "none",
            "Second factors": ", ".join(factors) or "none",
            "Made": when(user.created_at),
            "Activated": when(user.activated_at),
            "Last login": _login(user.current_login_at, user.current_login_address),
            "Before that": _login(user.last_login_at, user.last_login_address),
            "Logins": f"{user.login_count}, and {user.failed_count} failed since the last one",
            "Sessions": str(len(security.sessions.all(user))),
            "Tokens": f"{counted(tokens[0], 'named token')}, {counted(tokens[1], 'login')} of programs",
        }
    )


@users.command("activate")
@click.argument("name", metavar="USER")
@click.option("--confirm-address", is_flag=True, help="Take the address for confirmed as well.")
def activate(name: str, *, confirm_address: bool) -> None:
    """Switch the account of USER on."""
    security, user = extension(), user_named(name)
    if not user.is_active:
        security.accounts.set_active(user, True)
    if confirm_address and user.activated_at is None:
        security.store.change_user(user.uid, activated_at=security.kit.clock())
        security.kit.events.tell("activated", user, by=BY)
    click.echo(f"The account of {user.email} is switched on.")
    if user.activated_at is None and not confirm_address and security.kit.settings.activation_required:
        click.echo(
            "Its address is not confirmed, so nobody can log in to it yet. The user confirms it by mail, or you with"
            " --confirm-address.",
            err=True,
        )


@users.command("deactivate")
@click.argument("name", metavar="USER")
def deactivate(name: str) -> None:
    """Switch the account of USER off, and end its sessions and tokens."""
    security, user = extension(), user_named(name)
    if user.is_active:
        security.accounts.set_active(user, False)
    click.echo(f"The account of {user.email} is switched off.")


@users.command("reset-password")
@click.argument("name", metavar="USER")
@_stdin
def reset_password(name: str, *, password_stdin: bool) -> None:
    """Give USER another password, and end all sessions and tokens of the account."""
    security, user = extension(), user_named(name)
    security.accounts.set_password(user, new_password(user.email, from_stdin=password_stdin))
    click.echo(f"The account of {user.email} has a new password. Its sessions and tokens have ended.")


@users.command("reset-factors")
@click.argument("name", metavar="USER")
@_yes
def reset_factors(name: str, *, yes: bool) -> None:
    """Remove all second factors of USER, and end all sessions of the account.

    For somebody who has lost them. Make sure that it is the owner who asks: from here on the password is enough.
    """
    security, user = extension(), user_named(name)
    factors = security.factors.available(user)
    if not factors:
        click.echo(f"{user.email} has no second factor.")
        return
    confirmed(f"Remove {', '.join(factors)} of {user.email}?", yes=yes)
    security.factors.remove_all(user)
    security.sessions.revoke_all(user)
    security.tokens.revoke_families(user)
    click.echo(f"The second factors of {user.email} were removed, and the sessions have ended.")


@users.command("delete")
@click.argument("name", metavar="USER")
@_yes
def delete(name: str, *, yes: bool) -> None:
    """Delete the account of USER and everything that is theirs. The log keeps what happened to it."""
    security, user = extension(), user_named(name)
    confirmed(f"Delete the account of {user.email}? This cannot be undone.", yes=yes)
    security.accounts.delete(user)
    click.echo(f"The account of {user.email} was deleted.")


def need_role(security: Extension, name: str) -> None:
    """End the command where there is no such role.

    :param security: the extension.
    :param name: the name of the role.
    """
    if security.store.role(name) is not None:
        return
    known = ", ".join(role.name for role in security.store.roles())
    raise click.ClickException(
        f"There is no role {clean_text(name)!r}. "
        + (f"There are: {known}." if known else "Make one with 'erlen security roles create'.")
    )


def state_of(security: Extension, user: User) -> str:
    """Return in a word or two whether an account may be used.

    :param security: the extension.
    :param user: the user.
    """
    if not user.is_active:
        return "switched off"
    if user.activated_at is None and security.kit.settings.activation_required:
        return "not activated"
    return "active"


def as_values(security: Extension, user: User) -> dict[str, t.Any]:
    """Return a user as JSON has it.

    :param security: the extension.
    :param user: the user.
    """
    names = (
        "uid email is_active activated_at created_at password_changed_at current_login_at current_login_address"
        " last_login_at last_login_address login_count failed_count last_failed_at"
    )
    return {
        **{name: getattr(user, name) for name in names.split()},
        "has_password": user.password_hash is not None,
        "roles": [role.name for role in user.roles],
        "second_factors": security.factors.available(user),
    }


def _roles_of(user: User) -> str:
    return ", ".join(role.name for role in user.roles)


def _login(time: t.Any, address: str | None) -> str:
    return f"{when(time)} from {address}" if time and address else when(time)
