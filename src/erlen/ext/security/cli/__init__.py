"""``erlen security``: users, roles, tokens, sessions and the log, from the command line.

The extension adds it to the commands of its application. Passwords are asked for, or read from standard input; they never
stand among the arguments, where other users of the machine and the shell's history would see them. Exit codes: 0 when it was
done, 1 when it could not be done, 2 for a mistake in the call, 130 after Ctrl-C.
"""

from __future__ import annotations

from .base import Commands
from .roles import roles
from .sessions import log, purge, sessions
from .tokens import tokens
from .users import users

#: The group; ``app.cli.add_command(commands)``.
commands = Commands("security", help="Manage accounts: users, roles, tokens, sessions and the log.")

for _command in (users, roles, tokens, sessions, log, purge):
    commands.add_command(_command)
