"""The environment variables of the command line, by the prefixes they may have."""

from __future__ import annotations

import os

#: The prefixes, the one that counts most first. ``erlen.as_flask`` adds ``"FLASK"``.
prefixes = ["ERLEN"]


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
    """Set a variable with the last prefix, and with that alone.

    Applications change ``FLASK_RUN_FROM_CLI`` and ``FLASK_DEBUG`` themselves: no second one may say otherwise then.

    :param name: without prefix.
    :param value: its value.
    """
    for prefix in prefixes[:-1]:
        os.environ.pop(f"{prefix}_{name}", None)
    os.environ[f"{prefixes[-1]}_{name}"] = value
