"""Erlen, a microframework for the web: Flask's API on Werkzeug and Jinja2.

PYTEST_DONT_REWRITE
"""

# The line above is for pytest: it rewrites the assertions of every package with a plugin, and warns of one that was
# imported before, as ``python -m erlen.as_flask -m pytest`` does.

# Layers, from the bottom up. A file imports only from files further up in this list; tests/architecture
# reads it and checks the imports. One line a layer, names as in ``src/erlen``.
#
# layers:
#   variables compat.names
#   compat.distribution compat.running
#   compat.finder
#   as_flask
#   deprecation lazy messages signals registry profiles namespace
#   marks
#   pipeline.loops
#   pipeline.bridge
#   config
#   typing
#   paths
#   scopes headers
#   teardown
#   ctx
#   streams bodies files
#   json.provider
#   json.tag
#   json
#   logging debug
#   multipart
#   forms
#   fields
#   websockets received
#   response
#   wrappers
#   eventstream sessions
#   urls
#   helpers views
#   engines
#   jinja
#   templating
#   debugger
#   development
#   cli
#   testing
#   routing
#   pipeline.safety pipeline.responses pipeline.errors pipeline.hooks
#   pipeline.matching
#   pipeline.steps
#   pipeline.base
#   pipeline.dispatch
#   protocols.wsgi protocols.sending protocols.lifespan protocols.choice
#   protocols.handshake
#   protocols.websocket
#   protocols.asgi
#   lifespans
#   lifecycle
#   scaffold
#   blueprints
#   registration
#   app
#   globals
#   public
#   compat.stacks compat.removed compat.styles compat.contexts
#   compat.encoders
#   compat.application
#   commands
#   ext

from __future__ import annotations

import sys

# As typing's constant of that name; typing itself would be loaded for it.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from .public import *
else:
    # Not by the builtin, which the module ``erlen.globals`` hides here once it is loaded.
    _namespace = vars(sys.modules[__name__])

    def __getattr__(name):
        """Load the public names when one is asked for first (PEP 562).

        ``erlen.as_flask`` has to come before everything, so that an import of the package alone loads nothing yet.
        """
        # 'erlen.as_flask' acts on the process: a tool that looks at everything must not switch it on.
        if (name.startswith("_") and name != "__all__") or name == "as_flask" or not name.isidentifier():
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        # Slow, and only for the first name.
        from importlib import import_module
        from importlib.util import find_spec

        # 'from . import urls' in a module of this package asks for that alone.
        if name != "__all__" and find_spec(f"{__name__}.{name}") is not None:
            return import_module(f"{__name__}.{name}")
        public = import_module(f"{__name__}.public")
        if "__all__" not in _namespace:
            names = {one: value for one, value in vars(public).items() if one in public.__all__}
            _namespace.update(names, __all__=sorted(public.__all__))
        if name not in _namespace:
            if name not in public.__all__:
                raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
            # Of a module that not every application needs.
            _namespace[name] = getattr(public, name)
        return _namespace[name]

    def __dir__():
        return sorted({*_namespace, *__getattr__("__all__")} - {"_namespace", "sys", "TYPE_CHECKING"})
