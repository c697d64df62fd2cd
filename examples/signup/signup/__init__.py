"""A sign-up page: visitors ask for an app, its owner sees who did."""

from __future__ import annotations

import typing as t
from pathlib import Path

from erlen import Erlen

from . import cli, errors, owner, pages, settings
from .database import store

__all__ = ["create_app"]


def create_app(
    config: t.Mapping[str, t.Any] | None = None, *, instance_path: str | Path | None = None
) -> Erlen:
    """Make the application.

    Settings come from ``settings.DEFAULTS``, then ``config.py`` in the instance folder, then environment
    variables that begin with ``SIGNUP_``, then the argument; the last one wins.

    :param config: settings that win over all others; tests pass theirs here.
    :param instance_path: absolute path of the instance folder, where the database and the secrets are kept.
    """
    app = Erlen(
        __name__,
        instance_path=None if instance_path is None else str(instance_path),
        instance_relative_config=True,
    )
    settings.load(app, config or {})
    store.init_app(app)
    app.register_blueprint(pages.blueprint)
    app.register_blueprint(owner.blueprint)
    errors.init_app(app)
    cli.init_app(app)
    return app
