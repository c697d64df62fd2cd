"""Signals: what an application tells those who want to know, and expects no answer to.

The sender is the application; the rest are keyword arguments.
"""

from __future__ import annotations

from blinker import Namespace

_signals = Namespace()

request_started = _signals.signal("request-started", doc="A request is about to be answered.")
request_finished = _signals.signal("request-finished", doc="A response is about to be sent: response.")
got_request_exception = _signals.signal(
    "got-request-exception", doc="Nobody handled an exception: exception."
)
template_rendered = _signals.signal("template-rendered", doc="A template was rendered: template, context.")
