"""The signals an application sends. See Blinker's documentation for how to connect to them.

Sending costs nothing while nobody listens: the pipeline looks at ``signal.receivers`` first.
"""

from __future__ import annotations

from blinker import Namespace

# Names that belong to the framework; extensions make a namespace of their own.
_signals = Namespace()

template_rendered = _signals.signal("template-rendered")
before_render_template = _signals.signal("before-render-template")
request_started = _signals.signal("request-started")
request_finished = _signals.signal("request-finished")
request_tearing_down = _signals.signal("request-tearing-down")
got_request_exception = _signals.signal("got-request-exception")
appcontext_tearing_down = _signals.signal("appcontext-tearing-down")
appcontext_pushed = _signals.signal("appcontext-pushed")
appcontext_popped = _signals.signal("appcontext-popped")
message_flashed = _signals.signal("message-flashed")
