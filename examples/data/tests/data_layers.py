"""The six data layers, as the tests see them."""

from __future__ import annotations

import importlib
import os
import typing as t
import warnings
from dataclasses import dataclass

import pytest

from erlen import Erlen


@dataclass(frozen=True)
class Layer:
    """One data layer.

    :param name: its file is ``with_<name>.py``.
    :param in_thread: whether it keeps its connection in the thread.
    """

    name: str
    in_thread: bool = False

    @property
    def module(self) -> t.Any:
        """The file of this layer."""
        with warnings.catch_warnings():
            # On Python 3.11 and 3.12, FormEncode (of SQLObject) imports a module that Python 3.13 has no more. It
            # does without it there.
            warnings.filterwarnings("ignore", "'cgi' is deprecated", DeprecationWarning)
            return importlib.import_module(f"with_{self.name}")

    def create_app(self, database: str) -> Erlen:
        """Make an application, as in a new process."""
        if self.name == "django":
            self.module.settings.DATABASES["default"]["NAME"] = ""
        return t.cast(Erlen, self.module.create_app(database))

    def close(self, app: Erlen) -> None:
        """Close what an application keeps open as long as its process."""
        if app.is_serving:
            app.stop_serving()
        books: t.Any = app.extensions["books"]
        if self.name == "sqlalchemy":
            books.engine.dispose()
        if self.name == "zodb":
            books.database.close()

    def connections(self, app: Erlen, database: str) -> int:
        """Count the connections that somebody has, and those that nobody uses and no pool keeps."""
        books: t.Any = app.extensions["books"]
        if self.name == "sqlalchemy":
            return t.cast(int, books.engine.pool.checkedout())
        if self.name == "zodb":
            with books.database._opening:
                opened = books.database._opened
            return 0 if opened is None else sum(bool(one["opened"]) for one in opened.connectionDebugInfo())
        return open_files(database)

    def lose_connection(self, app: Erlen) -> None:
        """Close the connection of the current request behind the back of its layer."""
        books: t.Any = app.extensions["books"]
        if self.name == "sqlalchemy":
            books.session.connection().connection.dbapi_connection.close()
        elif self.name == "sqlobject":
            books.transaction._connection.close()
        elif self.name == "django":
            self.module.connection.connection.close()
        elif self.name == "peewee":
            books.database.connection().close()
        else:
            books.database.get_connection().close()


def open_files(path: str) -> int:
    """Count how often this process has a file open."""
    count = 0
    for number in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink(f"/proc/self/fd/{number}") == path
        except FileNotFoundError:
            # The listing itself, or another thread's.
            continue
    return count


LAYERS = [
    Layer("sqlalchemy"),
    Layer("peewee", in_thread=True),
    Layer("pony", in_thread=True),
    Layer("sqlobject"),
    Layer("django", in_thread=True),
    Layer("zodb"),
]


def only(*names: str) -> pytest.MarkDecorator:
    """Run a test with some of the layers."""
    layers = [layer for layer in LAYERS if layer.name in names]
    assert len(layers) == len(names)
    return pytest.mark.parametrize("layer", layers, indirect=True, ids=lambda layer: layer.name)


def without(name: str) -> pytest.MarkDecorator:
    """Run a test with all layers but one."""
    return only(*[layer.name for layer in LAYERS if layer.name != name])
