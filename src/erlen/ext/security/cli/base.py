"""What the commands share: the extension, users as they are named on a command line, errors, passwords, answers."""

from __future__ import annotations

import collections.abc as cabc
import json
import sys
import typing as t
from datetime import UTC, datetime

import click

from erlen import current_app
from erlen.cli import AppGroup

from ..errors import InvalidEmail, SecurityError
from ..events import clean_text
from ..kit import Kit
from ..store import Store
from ..tokens import Tokens
from ..types import SessionRecord, User

_INTERRUPTED = 130

#: How events name who did it.
BY = "command line"

# More than any setting takes.
_MAX_PASSWORD = 2**16


class Accounts(t.Protocol):
    """What the commands need of accounts."""

    def create(
        self,
        email: str,
        password: str | None = None,
        *,
        activated: bool = True,
        roles: cabc.Iterable[str] = (),
    ) -> User:
        """Make an account."""
        ...

    def set_active(self, user: User, active: bool) -> None:
        """Switch an account on or off."""
        ...

    def set_password(self, user: User, password: str) -> None:
        """Set a password, and end sessions and tokens."""
        ...

    def delete(self, user: User) -> None:
        """Delete an account."""
        ...


class Sessions(t.Protocol):
    """What the commands need of sessions."""

    def all(self, user: User) -> cabc.Sequence[SessionRecord]:
        """Return the sessions of a user."""
        ...

    def revoke(self, user: User, id: str) -> bool:
        """End one session."""
        ...

    def revoke_all(self, user: User) -> int:
        """End all sessions."""
        ...


class Factors(t.Protocol):
    """What the commands need of second factors."""

    def available(self, user: User) -> list[str]:
        """Return the factors a user has set up."""
        ...

    def remove_all(self, user: User) -> bool:
        """Remove all factors of a user."""
        ...


class Extension(t.Protocol):
    """What the commands need of the extension."""

    @property
    def kit(self) -> Kit:
        """Settings, store, clock and events."""
        ...

    @property
    def store(self) -> Store:
        """Users, roles, sessions, tokens and the log."""
        ...

    @property
    def tokens(self) -> Tokens:
        """Tokens."""
        ...

    @property
    def accounts(self) -> Accounts:
        """Accounts."""
        ...

    @property
    def sessions(self) -> Sessions:
        """Sessions."""
        ...

    @property
    def factors(self) -> Factors:
        """Second factors."""
        ...


class Commands(AppGroup):
    """A group whose commands show the extension's errors as sentences, and end with 130 when they are interrupted."""

    def invoke(self, ctx: click.Context) -> t.Any:
        """Run a command.

        :param ctx: its context.
        """
        try:
            return super().invoke(ctx)
        except SecurityError as error:
            raise click.ClickException(str(error)) from None
        except (KeyboardInterrupt, click.Abort):
            # The terminal shows '^C' on the line of the question.
            click.echo("\nStopped.", err=True)
            ctx.exit(_INTERRUPTED)


def extension() -> Extension:
    """Return the extension of the application."""
    found: Extension | None = current_app.extensions.get("security")
    if found is None:
        raise click.ClickException(
            f"The application {current_app.name!r} has no accounts: erlen.ext.security was not given to it."
            " Add Security(app, store=...) to it, or name another application with --app."
        )
    return found


def user_named(name: str) -> User:
    """Return the user with an address or a uid.

    :param name: what was typed.
    """
    # Start-up cost, and not every command has a user.
    from ..emails import parse_email

    name = name.strip()
    store = extension().store
    if not name.isprintable():
        # Bytes that are no text; not every database takes them.
        pass
    elif "@" not in name:
        if (user := store.user(name)) is not None:
            return user
    else:
        try:
            key = parse_email(name).key
        except InvalidEmail as error:
            raise click.ClickException(f"{clean_text(name)!r} cannot be used. {error}") from None
        if (user := store.user_by_email(key)) is not None:
            return user
    raise click.ClickException(
        f"There is no user {clean_text(name)!r}. Name one by the whole address or the uid;"
        " 'erlen security users list' shows them."
    )


def id_of(kind: str, start: str, ids: cabc.Iterable[str]) -> str:
    """Return the one id that begins as it was typed.

    :param kind: what it is of, for the message.
    :param start: what was typed.
    :param ids: those there are.
    """
    found = [id for id in ids if id.startswith(start)] if start else []
    if len(found) == 1:
        return found[0]
    what = f"begins with {clean_text(start, 40)!r}"
    if found:
        raise click.ClickException(f"The id of more than one {kind} {what}. Type more of it.")
    raise click.ClickException(f"This user has no {kind} whose id {what}. 'list' shows those there are.")


def new_password(user_or_email: str, *, from_stdin: bool) -> str:
    """Return a new password: asked for twice, or read from standard input.

    :param user_or_email: whose it is to be.
    :param from_stdin: read it from standard input.
    """
    if not from_stdin:
        if not sys.stdin.isatty():
            raise click.UsageError(
                "The password cannot be asked for, as standard input is no terminal."
                " Write it to standard input and add --password-stdin."
            )
        asked: str = click.prompt(
            f"New password for {user_or_email}", hide_input=True, confirmation_prompt=True
        )
        return asked
    try:
        text = sys.stdin.buffer.read(_MAX_PASSWORD + 1).decode()
    except UnicodeDecodeError:
        raise click.ClickException("Standard input is not UTF-8. Write the password to it in that.") from None
    # What 'echo' and editors add is none of it.
    password = text.removesuffix("\n").removesuffix("\r")
    if not password or "\n" in password or len(password) > _MAX_PASSWORD:
        what = "is empty" if not password else "has more than one line" if "\n" in password else "is too long"
        raise click.ClickException(f"Standard input {what}. Write the password to it, and nothing else.")
    return password


def confirmed(question: str, *, yes: bool) -> None:
    """Ask before something that cannot be undone, and end the command where the answer is no.

    :param question: the question.
    :param yes: whether the answer was given with the call.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Standard input is no terminal to answer that. Add --yes.")
    if not click.confirm(question):
        raise click.ClickException("Nothing was changed.")


def echo_json(value: t.Any) -> None:
    """Print a value as JSON.

    :param value: what JSON has, and times.
    """
    click.echo(json.dumps(value, indent=2, default=_plain))


def _plain(value: t.Any) -> t.Any:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def when(time: datetime | None, nothing: str = "never") -> str:
    """Return a time as tables have it, in UTC.

    :param time: the time.
    :param nothing: what stands for ``None``.
    """
    return nothing if time is None else f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun.

    :param number: the number.
    :param one: the noun for one.
    :param many: the noun for another number; with an s where it is empty.
    """
    return f"{number} {one if number == 1 else many or one + 's'}"
