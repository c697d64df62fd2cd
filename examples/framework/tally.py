"""An extension: it counts the answers of an application by their status, and shows them at an address.

It asks an application for nothing but what every framework of this family has, so it works with each chapter from the
ninth on, with Erlen, and with Flask.
"""

from __future__ import annotations

import typing as t
from collections import Counter

Hook = t.TypeVar("Hook", bound=t.Callable[..., t.Any])


class Application(t.Protocol):
    """What the extension needs of an application."""

    @property
    def config(self) -> t.Any:
        """Settings."""

    @property
    def extensions(self) -> dict[str, t.Any]:
        """What extensions keep, by their names."""
        ...

    def after_request(self, hook: Hook, /) -> Hook:
        """Register a hook that gets each response."""
        ...

    @property
    def add_url_rule(self) -> t.Callable[..., None]:
        """Register a view: path, endpoint, view."""
        ...


class Tally:
    """Counts answers by their status.

    ``TALLY_PATH`` says where they are shown.

    :param app: the application, where it exists already; :meth:`init_app` is for the others.
    """

    def __init__(self, app: Application | None = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Application) -> None:
        """Prepare an application. What is counted belongs to it, and not to this object, which may serve several."""
        app.config.setdefault("TALLY_PATH", "/tally")
        counts = app.extensions["tally"] = Counter[str]()

        def count(response: t.Any) -> t.Any:
            counts[str(response.status_code)] += 1
            return response

        def show() -> dict[str, int]:
            return dict(sorted(counts.items()))

        app.after_request(count)
        app.add_url_rule(app.config["TALLY_PATH"], "tally", show)
