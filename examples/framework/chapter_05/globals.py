"""Names that stand for whatever is active. Framework code below this file takes the context instead."""

from __future__ import annotations

import typing as t

from werkzeug.local import LocalProxy

from .ctx import NO_CONTEXT, context_var

if t.TYPE_CHECKING:
    from types import SimpleNamespace

    from .app import Sapling
    from .wrappers import Request

current_app = t.cast("Sapling", LocalProxy(context_var, "app", unbound_message=NO_CONTEXT))
g = t.cast("SimpleNamespace", LocalProxy(context_var, "g", unbound_message=NO_CONTEXT))
request = t.cast("Request", LocalProxy(context_var, "request", unbound_message=NO_CONTEXT))
