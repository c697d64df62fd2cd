"""What is decided before the first request, and only read by each."""

from __future__ import annotations

import typing as t

from .compiled import Routes
from .wrappers import Response

if t.TYPE_CHECKING:
    from .dispatch import Dispatch


#: What the short way leaves out.
LEFT_OUT = (
    *("full_dispatch_request", "preprocess_request", "dispatch_request", "finalize_request"),
    *("afull_dispatch_request", "apreprocess_request", "adispatch_request", "afinalize_request"),
    "make_response",
)


class Steps:
    """What is run for one endpoint, in order.

    :param app: the application.
    :param endpoint: the endpoint; ``None`` for requests that no rule answers.
    """

    def __init__(self, app: Dispatch, endpoint: str | None) -> None:
        blueprint = endpoint.rpartition(".")[0] if endpoint else ""
        owners = [None, blueprint] if blueprint else [None]
        self.view: t.Any = None if endpoint is None else app.view_functions[endpoint]
        self.before = [hook for owner in owners for hook in app.before_request_funcs.get(owner, ())]
        self.after = [hook for owner in owners for hook in app.after_request_funcs.get(owner, ())][::-1]
        #: Whether nothing stands between the match and the view, and nothing between the view and the server.
        self.is_short = self.view is not None and not self.before and not self.after and sends_plainly(app)


class Plan:
    """The routes and the steps of an application as it was when this was made."""

    def __init__(self, app: Dispatch) -> None:
        self.routes = Routes(app.router.rules)
        self.steps = {endpoint: Steps(app, endpoint) for endpoint in (None, *app.view_functions)}


def sends_plainly(app: Dispatch) -> bool:
    """Return whether nobody has replaced what the short way leaves out."""
    from .dispatch import Dispatch  # It imports this file for its own start.

    kept = (getattr(type(app), name) is getattr(Dispatch, name) for name in LEFT_OUT)
    return app.response_class is Response and all(kept)
