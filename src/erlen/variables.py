"""The environment variables of the command line, by the prefixes they may have."""

from __future__ import annotations

import os

#: The prefixes, the first one first. ``erlen.as_flask`` adds ``"FLASK"``.
prefixes = ["ERLEN"]

# Read where they are asked for, as a program may change them.
_NOT_ADOPTED = frozenset({"AS_FLASK", "DEBUG", "RUN_FROM_CLI", "SKIP_DOTENV"})


def get_variable(name: str) -> str | None:
    """Return the value of a variable, with the first prefix that has one.

    :param name: without prefix, for example ``"DEBUG"``.
    """
    for prefix in prefixes:
        value = os.environ.get(f"{prefix}_{name}")
        if value is not None:
            return value
    return None


def set_variable(name: str, value: str) -> None:
    """Set a variable with every prefix, as extensions may read either.

    :param name: without prefix.
    :param value: its value.
    """
    for prefix in prefixes:
        os.environ[f"{prefix}_{name}"] = value


def adopt_variables() -> None:
    """Give what has another prefix the first one as well, where that is free: Click knows one prefix."""
    first, *others = prefixes
    for prefix in others:
        for variable, value in list(os.environ.items()):
            name = variable.removeprefix(f"{prefix}_")
            if name not in (variable, *_NOT_ADOPTED):
                os.environ.setdefault(f"{first}_{name}", value)
