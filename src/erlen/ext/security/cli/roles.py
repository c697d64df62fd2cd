"""``erlen security roles``."""

from __future__ import annotations

import click

from ..events import clean_text
from .base import BY, Commands, confirmed, echo_json, extension, user_named
from .tables import echo_table
from .users import need_role

roles = Commands("roles", help="Make, grant, withdraw and delete roles. USER is an address or a uid.")

_NAME_LENGTH = 80


@roles.command("create")
@click.argument("name")
@click.option("--description", default="", metavar="TEXT", help="What the role is for.")
@click.option(
    "--permission", "permissions", multiple=True, metavar="NAME", help="What it permits. May be repeated."
)
@click.option("--change", is_flag=True, help="Change the role of that name, all of it.")
def create(name: str, description: str, permissions: tuple[str, ...], *, change: bool) -> None:
    """Make the role NAME."""
    store = extension().store
    for text in (name, *permissions):
        if not 0 < len(text) <= _NAME_LENGTH or not text.isprintable() or text != text.strip():
            raise click.UsageError(
                f"{clean_text(text)!r} is no name of a role or a permission. Those have 1 to {_NAME_LENGTH} printable"
                " characters, and no space around them."
            )
    known = store.role(name)
    if change and known is None:
        need_role(extension(), name)
    if not change and known is not None:
        raise click.ClickException(f"There is a role {name!r}. Add --change to replace what it permits.")
    store.put_role(name, clean_text(description), sorted(set(permissions)))
    click.echo(f"{'Changed' if known else 'Made'} the role {name}.")


@roles.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_roles(*, as_json: bool) -> None:
    """List roles and what they permit."""
    found = extension().store.roles()
    if as_json:
        values = [
            {"name": one.name, "description": one.description, "permissions": sorted(one.permissions)}
            for one in found
        ]
        echo_json({"roles": values})
    elif found:
        rows = [[one.name, ", ".join(sorted(one.permissions)), one.description] for one in found]
        echo_table(["Role", "Permissions", "Description"], rows)
    else:
        click.echo("There are no roles.")


@roles.command("grant")
@click.argument("name", metavar="USER")
@click.argument("role")
def grant(name: str, role: str) -> None:
    """Give USER the role ROLE."""
    security, user = extension(), user_named(name)
    need_role(security, role)
    if not security.store.grant(user.uid, role):
        click.echo(f"{user.email} has the role {role} already.")
        return
    security.kit.events.tell("role_granted", user, role=role, by=BY)
    click.echo(f"{user.email} has the role {role} now.")


@roles.command("withdraw")
@click.argument("name", metavar="USER")
@click.argument("role")
def withdraw(name: str, role: str) -> None:
    """Take the role ROLE from USER."""
    security, user = extension(), user_named(name)
    need_role(security, role)
    if not security.store.withdraw(user.uid, role):
        click.echo(f"{user.email} does not have the role {role}.")
        return
    security.kit.events.tell("role_withdrawn", user, role=role, by=BY)
    click.echo(f"{user.email} does not have the role {role} any more.")


@roles.command("delete")
@click.argument("role")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(role: str, *, yes: bool) -> None:
    """Delete the role ROLE; nobody has it after that."""
    security = extension()
    need_role(security, role)
    confirmed(f"Delete the role {role}? All users lose it.", yes=yes)
    if security.store.delete_role(role):
        security.kit.events.tell("role_withdrawn", None, role=role, by=BY, of="all users")
    click.echo(f"The role {role} was deleted.")
