"""The public names of the package, which ``erlen`` shows as its own."""

from __future__ import annotations

import typing as t

from . import json as json
from .app import Erlen as Erlen
from .blueprints import Blueprint as Blueprint
from .bodies import stream_request_body as stream_request_body
from .config import Config as Config
from .ctx import after_this_request as after_this_request
from .ctx import copy_current_request_context as copy_current_request_context
from .ctx import has_app_context as has_app_context
from .ctx import has_request_context as has_request_context
from .globals import current_app as current_app
from .globals import g as g
from .globals import request as request
from .globals import session as session
from .globals import websocket as websocket
from .helpers import abort as abort
from .helpers import flash as flash
from .helpers import get_flashed_messages as get_flashed_messages
from .helpers import get_template_attribute as get_template_attribute
from .helpers import make_response as make_response
from .helpers import redirect as redirect
from .helpers import send_file as send_file
from .helpers import send_from_directory as send_from_directory
from .helpers import url_for as url_for
from .pipeline.bridge import nonblocking as nonblocking
from .pipeline.safety import cross_origin_exempt as cross_origin_exempt
from .signals import appcontext_popped as appcontext_popped
from .signals import appcontext_pushed as appcontext_pushed
from .signals import appcontext_tearing_down as appcontext_tearing_down
from .signals import before_render_template as before_render_template
from .signals import got_request_exception as got_request_exception
from .signals import message_flashed as message_flashed
from .signals import request_finished as request_finished
from .signals import request_started as request_started
from .signals import request_tearing_down as request_tearing_down
from .signals import template_rendered as template_rendered
from .streams import stream_with_context as stream_with_context
from .templating import arender_template as arender_template
from .templating import arender_template_string as arender_template_string
from .templating import render_template as render_template
from .templating import render_template_string as render_template_string
from .templating import stream_template as stream_template
from .templating import stream_template_string as stream_template_string
from .wrappers import Request as Request
from .wrappers import Response as Response

if t.TYPE_CHECKING:
    from .eventstream import EventStream as EventStream
    from .eventstream import JSONLines as JSONLines
    from .eventstream import ServerSentEvent as ServerSentEvent
    from .websockets import WebSocketDisconnected as WebSocketDisconnected

    # The layer of ``json`` lies below that of the response, so its own annotation cannot name it.
    def jsonify(*args: t.Any, **kwargs: t.Any) -> Response:
        """Make a JSON response; see :func:`erlen.json.jsonify`."""
        ...

else:
    from .json import jsonify as jsonify

    # Names of modules that are slow to load, and that most applications do without.
    _later = {
        "EventStream": "eventstream",
        "JSONLines": "eventstream",
        "ServerSentEvent": "eventstream",
        "WebSocketDisconnected": "websockets",
    }

    __all__ = [name for name in {*dir(), *_later} if name[0] != "_" and name not in {"annotations", "t"}]

    def __getattr__(name):
        """Load a module when one of its names is asked for (PEP 562)."""
        if name not in _later:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        # Slow.
        from importlib import import_module

        return getattr(import_module(f"{__package__}.{_later[name]}"), name)
