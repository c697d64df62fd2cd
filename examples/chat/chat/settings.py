"""The configuration, and the key that signs the sessions."""

from __future__ import annotations

import os
import secrets
import typing as t
from pathlib import Path

from erlen import Erlen, current_app

DEFAULTS: dict[str, t.Any] = {
    # Two short fields, and messages of 500 characters at most.
    "MAX_CONTENT_LENGTH": 16 * 1024,
    "WEBSOCKET_MAX_MESSAGE_SIZE": 16 * 1024,
    # 'self' in connect-src is for the WebSocket and the events; nothing on the pages is inline.
    "CONTENT_SECURITY_POLICY": {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    },
}


def load(app: Erlen, config: t.Mapping[str, t.Any]) -> None:
    """Fill the configuration: defaults, then variables that begin with ``CHAT_``, then the argument."""
    app.config.from_mapping(DEFAULTS)
    app.config.from_prefixed_env("CHAT", loads=str)
    app.config.from_mapping(config)


def settle_secret_key() -> None:
    """Take the key of an earlier start, or make one: who has a name keeps it when the server starts again."""
    app = current_app
    if app.secret_key:
        return
    path = Path(app.instance_path, "secret-key.txt")
    path.parent.mkdir(exist_ok=True)
    try:
        # For its owner's eyes alone from the moment it exists.
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32))
    except FileExistsError:
        pass
    app.secret_key = path.read_text()
