"""Test an application without a server: clients for requests and WebSockets, a runner for commands."""

from __future__ import annotations

from .asynchronous import AsyncErlenClient as AsyncErlenClient
from .client import EnvironBuilder as EnvironBuilder
from .client import ErlenClient as ErlenClient
from .client import ErlenCliRunner as ErlenCliRunner
from .client import FlaskClient as FlaskClient
from .client import FlaskCliRunner as FlaskCliRunner
from .client import _werkzeug_version as _werkzeug_version
from .sockets import AsyncWebSocketSession as AsyncWebSocketSession
from .sockets import WebSocketRejected as WebSocketRejected
from .sockets import WebSocketSession as WebSocketSession
