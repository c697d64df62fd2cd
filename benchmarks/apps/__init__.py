"""The same applications in each framework; each file has the same functions, one for each kind of case.

A function that a framework has no equivalent of is missing there, and the table says so.
"""

from __future__ import annotations

import importlib
import typing as t
from dataclasses import dataclass
from types import ModuleType


@dataclass(frozen=True)
class Subject:
    """One column of a table.

    :param module: the file or the package in this folder.
    :param distribution: whose version is shown, ``None`` where there is no framework.
    :param options: arguments of the framework's application class.
    """

    title: str
    module: str
    distribution: str | None = None
    options: tuple[tuple[str, t.Any], ...] = ()

    @property
    def is_peer(self) -> bool:
        """Whether this is another framework: neither Erlen nor none at all."""
        return self.distribution not in {None, "erlen"}

    def factory(self, name: str) -> t.Callable[..., t.Any] | None:
        """Return the function that makes the application of a case, ``None`` where the framework has no such thing."""
        module: ModuleType = importlib.import_module(f".{self.module}", __name__)
        make: t.Callable[..., t.Any] | None = getattr(module, name, None)
        return make


_ERLEN = (("framework", "erlen"), ("name", "erlen:Erlen"))
_FLASK_PROFILE = (*_ERLEN, ("profile", "flask"))
_AS_FLASK = (("framework", "erlen"), ("name", "erlen.compat.application:Flask"))

#: What is measured over WSGI.
WSGI_SUBJECTS: dict[str, Subject] = {
    "flask": Subject("Flask", "flask_like", "flask", (("framework", "flask"), ("name", "flask:Flask"))),
    "erlen": Subject("Erlen", "flask_like", "erlen", _ERLEN),
    "erlen-flask": Subject("Erlen, flask profile", "flask_like", "erlen", _FLASK_PROFILE),
    "erlen-as-flask": Subject("Erlen, as_flask mode", "flask_like", "erlen", _AS_FLASK),
    "falcon": Subject("Falcon", "falcon_apps", "falcon"),
    "bottle": Subject("Bottle", "bottle_apps", "bottle"),
    "pyramid": Subject("Pyramid", "pyramid_apps", "pyramid"),
    "django": Subject("Django", "django_apps", "django"),
    "bare": Subject("bare callable", "bare_wsgi"),
}

#: What is measured over ASGI: views that are ``async def``.
ASGI_SUBJECTS: dict[str, Subject] = {
    "starlette": Subject("Starlette", "starlette_apps", "starlette"),
    "erlen-async": Subject("Erlen", "flask_like_async", "erlen", _ERLEN),
    "erlen-async-flask": Subject("Erlen, flask profile", "flask_like_async", "erlen", _FLASK_PROFILE),
    "blacksheep": Subject("BlackSheep", "blacksheep_apps", "blacksheep"),
    "falcon": Subject("Falcon", "falcon_asgi_apps", "falcon"),
    "litestar": Subject("Litestar", "litestar_apps", "litestar"),
    "fastapi": Subject("FastAPI", "fastapi_apps", "fastapi"),
    "quart": Subject("Quart", "quart_apps", "quart", (("framework", "quart"), ("name", "quart:Quart"))),
    "bare": Subject("bare callable", "bare_asgi"),
}

#: What is measured over ASGI as well: plain functions, which run in a thread pool.
POOL_SUBJECTS: dict[str, Subject] = {
    "starlette-pool": Subject("Starlette", "starlette_pool_apps", "starlette"),
    "erlen-pool": Subject("Erlen", "flask_like", "erlen", _ERLEN),
    "fastapi-pool": Subject("FastAPI", "fastapi_pool_apps", "fastapi"),
}
