"""The signals an application sends: the sender is the application, the rest are keyword arguments.

See Blinker's documentation for how to connect to them. Sending costs nothing while nobody listens: callers look at
``signal.receivers`` first.
"""

from __future__ import annotations

import typing as t

from blinker import ANY, NamedSignal, Namespace

__all__ = [
    "appcontext_popped",
    "appcontext_pushed",
    "appcontext_tearing_down",
    "before_render_template",
    "got_request_exception",
    "message_flashed",
    "request_finished",
    "request_started",
    "request_tearing_down",
    "template_rendered",
]

F = t.TypeVar("F", bound=t.Callable[..., t.Any])


class RequestSignal(NamedSignal):
    """A signal that is sent for every request. It says in :data:`listened` whether anybody has connected to it."""

    def connect(self, receiver: F, sender: t.Any = ANY, weak: bool = True) -> F:
        """Connect a function to this signal; the arguments are Blinker's."""
        connected = super().connect(receiver, sender, weak)
        listened[self.name] = self
        return connected

    def disconnect(self, receiver: t.Callable[..., t.Any], sender: t.Any = ANY) -> None:
        """Disconnect a function from this signal; the arguments are Blinker's."""
        super().disconnect(receiver, sender)
        forget_freed()


def forget_freed() -> None:
    """Take signals out of :data:`listened` whose receivers were all freed."""
    for signal in list(listened.values()):
        if not signal.receivers:
            listened.pop(signal.name, None)
            # In this order: another thread may connect meanwhile.
            if signal.receivers:
                listened[signal.name] = signal


def _request_signal(name: str, doc: str) -> NamedSignal:
    signal = _signals[name] = RequestSignal(name, doc)
    return signal


# Names that belong to the framework; extensions make a namespace of their own.
_signals = Namespace()

#: The signals of requests and contexts that somebody has connected to: one look instead of six. A receiver that was freed
#: may have left its signal in here until the next request, so this says when nobody listens, and not who does.
#:
#: PERF: plaintext: 0.1 us.
listened: dict[str, RequestSignal] = {}

template_rendered = _signals.signal(
    "template-rendered", doc="A template was rendered. Receivers get ``template`` and ``context``."
)
before_render_template = _signals.signal(
    "before-render-template",
    doc="A template is about to be rendered. Receivers get ``template`` and ``context``.",
)
request_started = _request_signal(
    "request-started", doc="A request is about to be dispatched; its context is active."
)
request_finished = _request_signal(
    "request-finished", doc="A response is ready to be sent. Receivers get ``response``."
)
request_tearing_down = _request_signal(
    "request-tearing-down",
    doc="A request is over, also when it failed. Receivers get ``exc``, an exception or ``None``.",
)
got_request_exception = _signals.signal(
    "got-request-exception", doc="Nothing handled an exception of a request. Receivers get ``exception``."
)
appcontext_tearing_down = _request_signal(
    "appcontext-tearing-down",
    doc="A context ends, that of a request or another. Receivers get ``exc``, an exception or ``None``.",
)
appcontext_pushed = _request_signal("appcontext-pushed", doc="A context became active.")
appcontext_popped = _request_signal("appcontext-popped", doc="A context is no longer active.")
message_flashed = _signals.signal(
    "message-flashed", doc="A message was flashed. Receivers get ``message`` and ``category``."
)


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
