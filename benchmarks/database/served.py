"""What a server imports: the pages in one framework, with the database that the variables of its process name."""

from __future__ import annotations

import os
import typing as t

from . import asgi_apps, wsgi_apps
from .sources import async_source, plain_source
from .targets import ADDRESS, ENGINE, NAME, PROTOCOL, SUBJECTS


def _make() -> t.Any:
    protocol, engine, address = (os.environ[name] for name in (PROTOCOL, ENGINE, ADDRESS))
    subject = SUBJECTS[protocol][os.environ[NAME]]
    if protocol == "wsgi":
        return getattr(wsgi_apps, subject.factory)(plain_source(engine, address), *subject.arguments)
    return getattr(asgi_apps, subject.factory)(async_source(engine, address), *subject.arguments)


app = _make()
