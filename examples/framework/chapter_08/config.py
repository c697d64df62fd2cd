"""The settings of an application."""

from __future__ import annotations

import json
import os
import typing as t

DEFAULTS: dict[str, t.Any] = {
    "SECRET_KEY": None,
    "TESTING": False,
    "SESSION_COOKIE_NAME": "session",
    "SESSION_COOKIE_SECURE": False,
    "SESSION_COOKIE_SAMESITE": "Lax",
    "SESSION_LIFETIME": 31 * 24 * 3600,
    "MAX_CONTENT_LENGTH": 16 * 1024 * 1024,
}


class Config(dict[str, t.Any]):
    """A dict of settings, with ways to fill it. Settings have names in capitals."""

    def from_object(self, holder: object) -> None:
        """Take the settings that a class or a module holds."""
        self.update({name: getattr(holder, name) for name in dir(holder) if name.isupper()})

    def from_prefixed_env(self, prefix: str = "SAPLING") -> None:
        """Take settings from variables of the environment, ``SAPLING_TESTING=true``.

        A value is read as JSON, so that numbers and booleans are what they look like; one that is none is a text.
        """
        for name, text in os.environ.items():
            if not name.startswith(f"{prefix}_"):
                continue
            try:
                value = json.loads(text)
            except ValueError:
                value = text
            self[name.removeprefix(f"{prefix}_")] = value
