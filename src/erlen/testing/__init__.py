"""Test an application: clients for requests and WebSockets, a runner for commands, a live server, fixtures for pytest."""

from __future__ import annotations

# As typing's constant of that name; typing itself would be loaded for it.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from .live import LiveServer as LiveServer
    from .public import *
else:

    def __getattr__(name):
        """Load the public names when one is asked for first (PEP 562).

        Every run of pytest imports the plugin in this package, also where nobody uses Erlen, and before anybody measures
        coverage or has imported ``erlen.as_flask``.
        """
        if name.startswith("_") and name != "__all__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        # Slow, and only for the first name.
        from importlib import import_module
        from importlib.util import find_spec

        # 'from . import exchange' in a module of this package asks for that alone.
        if name != "__all__" and find_spec(f"{__name__}.{name}") is not None:
            return import_module(f"{__name__}.{name}")
        if name == "LiveServer":
            # Start-up cost: most tests use the others alone.
            globals()[name] = import_module(f"{__name__}.live").LiveServer
            return globals()[name]
        public = vars(import_module(f"{__name__}.public"))
        names = {one: value for one, value in public.items() if one[0] != "_" and one != "annotations"}
        globals().update(names, __all__=sorted([*names, "LiveServer"]))
        if name not in globals():
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals()[name]

    def __dir__():
        return sorted({*globals(), *__getattr__("__all__")} - {"TYPE_CHECKING"})
