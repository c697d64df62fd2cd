"""Where the settings come from, and the secrets that are made when nobody set them."""

from __future__ import annotations

import os
import secrets
import tempfile
import typing as t
from pathlib import Path

import click
from sqlalchemy import URL

from erlen import Erlen

DEFAULTS: dict[str, t.Any] = {
    "APP_NAME": "Ebb",
    "OWNER_NAME": "owner",
    "OWNER_PASSWORD": None,
    "DATABASE_URL": None,
    "PAGE_SIZE": 25,
    # The form is two short fields, so much less than the framework's default is plenty.
    "MAX_CONTENT_LENGTH": 64 * 1024,
    "MAX_FORM_MEMORY_SIZE": 16 * 1024,
    "MAX_FORM_PARTS": 20,
    # Nothing on these pages is inline or comes from elsewhere, so the policy needs no exception.
    "CONTENT_SECURITY_POLICY": {
        "default-src": "'none'",
        "style-src": "'self'",
        "img-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    },
}

_SHORT_PASSWORD = 12


def load(app: Erlen, config: t.Mapping[str, t.Any]) -> None:
    """Fill the configuration of the application and make its instance folder.

    :param app: the application.
    :param config: settings that win over defaults, file and environment.
    """
    app.config.from_mapping(DEFAULTS)
    app.config.from_pyfile("config.py", silent=True)
    # Values stay text: read as JSON, the password "1e5" would become the number 100000.0.
    app.config.from_prefixed_env("SIGNUP", loads=str)
    app.config.from_mapping(config)
    app.config["PAGE_SIZE"] = _positive(app.config["PAGE_SIZE"], "PAGE_SIZE")

    instance = Path(app.instance_path)
    instance.mkdir(parents=True, exist_ok=True)
    if not app.config["DATABASE_URL"]:
        app.config["DATABASE_URL"] = URL.create("sqlite", database=str(instance / "signup.sqlite"))
    if not app.config["SECRET_KEY"]:
        app.config["SECRET_KEY"] = kept_secret(instance / "secret-key.txt")
    _settle_owner_password(app, instance)


def kept_secret(path: Path) -> str:
    """Return the secret kept in a file; make the file, readable by its owner alone, when it is missing.

    :param path: the file. Processes that start at the same time all end up with the same secret.
    """
    if not path.exists():
        descriptor, draft = tempfile.mkstemp(dir=path.parent)  # made with mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(secrets.token_urlsafe(24) + "\n")
            # A link is made whole or not at all, and only when the name is free: nobody reads half a secret.
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(draft)
    return path.read_text(encoding="utf-8").strip()


def _settle_owner_password(app: Erlen, instance: Path) -> None:
    password = app.config["OWNER_PASSWORD"]
    if password is not None and not isinstance(password, str):
        raise TypeError(
            f"OWNER_PASSWORD is {type(password).__name__}, it must be text. In instance/config.py write it "
            'in quotes: OWNER_PASSWORD = "..."'
        )
    if not password and (app.debug or _started_by_development_server()):
        path = instance / "owner-password.txt"
        app.config["OWNER_PASSWORD"] = password = kept_secret(path)
        app.logger.warning(
            "Owner area at /owner/: user %r, password %r, made for development and kept in %s. "
            "Set SIGNUP_OWNER_PASSWORD to choose your own.",
            app.config["OWNER_NAME"],
            password,
            path,
        )
    elif password and len(password) < _SHORT_PASSWORD:
        app.logger.warning(
            "The owner's password has %d characters, and nothing slows down guessing. Take %d or more: "
            "python -c 'import secrets; print(secrets.token_urlsafe(24))'",
            len(password),
            _SHORT_PASSWORD,
        )


def _started_by_development_server() -> bool:
    command = click.get_current_context(silent=True)
    return command is not None and command.info_name == "run"


def _positive(value: t.Any, name: str) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise ValueError(f"{name} is {value!r}, it must be a whole number from 1 up. Set SIGNUP_{name}=25")
    return number
