"""What the fixtures for pytest do."""

from __future__ import annotations

import functools
import inspect
import os
import typing as t
from contextlib import contextmanager

import pytest

from ..cli.locate import DEFAULT_FILES, NoAppException, ScriptInfo, default_path, load_path
from ..typing import Application
from ..variables import get_variable
from .asynchronous import AsyncErlenClient
from .client import ErlenClient

_HOW_TO_NAME_IT = """\
Name it in the configuration of pytest, for example in pyproject.toml:

    [tool.pytest.ini_options]
    erlen_app = "shop:create_app('test')"

or define a fixture 'app' in conftest.py that returns it."""

_NOT_FOUND = """\
The fixture 'app' found no application: neither 'erlen_app' in the configuration of pytest nor the variable ERLEN_APP names \
one, and there is no {files} in {folder!r}.

"""


def found_application(config: pytest.Config) -> Application:
    """Return the application of the fixture ``app``; a factory is called by each call.

    Env files are not read: they hold the settings of another place than a test.

    :param config: the configuration of this run.
    """
    __tracebackhide__ = True
    root, source = str(config.rootpath), ""
    try:
        if name := config.getini("erlen_app"):
            source = "'erlen_app' in the configuration of pytest"
            # Joined as text: the arguments of a factory are no path.
            return _load(os.path.join(root, name))
        if name := get_variable("APP"):
            source = "the variable ERLEN_APP"
            return _load(name)
        if (path := default_path(root)) is not None:
            source = f"{os.path.basename(path)!r} in {root!r}"
            return load_path(path, None)
    except NoAppException as error:
        # Failing in here would show the error twice.
        message = (
            f"The fixture 'app' looked where {source} says. {error.format_message()}\n\n{_HOW_TO_NAME_IT}"
        )
    else:
        files = " and no ".join(map(repr, DEFAULT_FILES))
        message = _NOT_FOUND.format(files=files, folder=root) + _HOW_TO_NAME_IT
    pytest.fail(message, pytrace=False)


def _load(import_path: str) -> Application:
    __tracebackhide__ = True
    return ScriptInfo(import_path, set_debug_flag=False, load_dotenv_defaults=False).load_app()


def marked_configuration(markers: t.Sequence[pytest.Mark]) -> dict[str, t.Any]:
    """Return what the markers of a test say; the nearest counts.

    :param markers: the nearest first.
    """
    values: dict[str, t.Any] = {}
    for marker in reversed(markers):
        if marker.args or not marker.kwargs:
            shown = ", ".join(map(repr, marker.args))
            pytest.fail(
                f"The marker 'erlen_config({shown})' takes keys of the configuration and their values: "
                "@pytest.mark.erlen_config(PROPAGATE_EXCEPTIONS=False).",
                pytrace=False,
            )
        values.update(marker.kwargs)
    return values


@contextmanager
def kept_configuration(app: Application) -> t.Generator[None]:
    """Put the configuration of an application back at the end of the block; what its values hold is not copied.

    :param app: the application.
    """
    before = dict(app.config)
    try:
        yield
    finally:
        now = app.config
        if now.keys() != before.keys() or any(now[key] is not value for key, value in before.items()):
            for key in now.keys() - before.keys():
                del now[key]
            now.update(before)


@contextmanager
def begun_client(app: t.Any) -> t.Generator[ErlenClient]:
    """Return a client, and begin and end the life span around the block. No context is kept, as ``with client`` would.

    :param app: the application.
    """
    client: ErlenClient = app.test_client()
    has_begun = client._begin()
    try:
        yield client
    finally:
        if has_begun:
            app.stop_serving()


@contextmanager
def begun_async_client(app: t.Any, test: t.Any) -> t.Generator[AsyncErlenClient]:
    """Return an async client, and let the life span begin and end around an async test function, on its loop.

    A fixture that is async itself would need one of the plugins that run async tests, and a way for each.

    :param app: the application.
    :param test: the test.
    """
    client: AsyncErlenClient = app.async_test_client()
    function: t.Any = getattr(test, "obj", None)
    if not inspect.iscoroutinefunction(function):
        yield client
        return
    is_begun_elsewhere: bool = app.is_serving

    @functools.wraps(function)
    async def with_life_span(*args: t.Any, **kwargs: t.Any) -> t.Any:
        __tracebackhide__ = True
        if not is_begun_elsewhere and app.has_life_span():
            await app.astart_serving()
        try:
            return await function(*args, **kwargs)
        finally:
            if not is_begun_elsewhere:
                await app.astop_serving()

    test.obj = with_life_span
    try:
        yield client
    finally:
        test.obj = function
