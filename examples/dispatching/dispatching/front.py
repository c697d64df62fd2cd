"""The front door: another application beside the notice boards."""

from __future__ import annotations

import typing as t

from erlen import Erlen


def create_front(links: t.Mapping[str, str]) -> Erlen:
    """Make the application that answers where no notice board does.

    :param links: title and address of each notice board.
    """
    app = Erlen(__name__, static_folder=None)

    @app.get("/")
    def index() -> dict[str, str]:  # pyright: ignore[reportUnusedFunction]
        return dict(links)

    return app
