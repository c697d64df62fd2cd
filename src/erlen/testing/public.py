"""The public names of ``erlen.testing``, which it shows when one is first asked for; ``LiveServer`` comes alone."""

from __future__ import annotations

from .asynchronous import AsyncErlenClient as AsyncErlenClient
from .client import EnvironBuilder as EnvironBuilder
from .client import ErlenClient as ErlenClient
from .client import ErlenCliRunner as ErlenCliRunner
from .client import FlaskClient as FlaskClient
from .client import FlaskCliRunner as FlaskCliRunner
from .sockets import AsyncWebSocketSession as AsyncWebSocketSession
from .sockets import WebSocketRejected as WebSocketRejected
from .sockets import WebSocketSession as WebSocketSession
