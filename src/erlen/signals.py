"""The signals an application sends: the sender is the application, the rest are keyword arguments.

See Blinker's documentation for how to connect to them. Sending costs nothing while nobody listens: callers look at
``signal.receivers`` first.
"""

from __future__ import annotations

import typing as t

from blinker import NamedSignal, Namespace

# Names that belong to the framework; extensions make a namespace of their own.
_signals = Namespace()

template_rendered = _signals.signal("template-rendered", doc="A template was rendered: template, context.")
before_render_template = _signals.signal(
    "before-render-template", doc="A template is about to be rendered: template, context."
)
request_started = _signals.signal(
    "request-started", doc="A request is about to be dispatched; its context is active."
)
request_finished = _signals.signal("request-finished", doc="A response is ready to be sent: response.")
request_tearing_down = _signals.signal(
    "request-tearing-down", doc="A request is over, also when it failed: exc."
)
got_request_exception = _signals.signal(
    "got-request-exception", doc="Nothing handled an exception of a request: exception."
)
appcontext_tearing_down = _signals.signal(
    "appcontext-tearing-down", doc="A context ends, that of a request or another: exc."
)
appcontext_pushed = _signals.signal("appcontext-pushed", doc="A context became active.")
appcontext_popped = _signals.signal("appcontext-popped", doc="A context is no longer active.")
message_flashed = _signals.signal("message-flashed", doc="A message was flashed: message, category.")


def tell(signal: NamedSignal, app: t.Any, /, **values: t.Any) -> None:
    """Send a signal; async receivers are run to their end.

    :param signal: the signal. Look at its ``receivers`` first.
    :param app: the application that sends it.
    :param values: what the receivers are given.
    """
    signal.send(app, _async_wrapper=app.ensure_sync, **values)


async def atell(signal: NamedSignal, app: t.Any, /, **values: t.Any) -> None:
    """Send a signal; plain receivers run on a worker thread."""
    # What ends a context is told of it whatever is cancelled meanwhile.
    ends = signal is request_tearing_down or signal is appcontext_tearing_down
    ensure = app._ensure_called if ends else app.ensure_async
    await signal.send_async(app, _sync_wrapper=ensure, **values)
