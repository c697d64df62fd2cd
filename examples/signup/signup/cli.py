"""Commands: ``erlen --app signup init-db``."""

from __future__ import annotations

import click

from erlen import Erlen

from .database import create_tables, store


def init_app(app: Erlen) -> None:
    """Add the commands to ``erlen``."""

    @app.cli.command("init-db")
    def init_db() -> None:  # pyright: ignore[reportUnusedFunction]
        """Make missing tables. The application does so itself when it starts; this only checks the database."""
        create_tables(store.engine)
        click.echo(f"The tables are ready in {store.engine.url.render_as_string(hide_password=True)}")
