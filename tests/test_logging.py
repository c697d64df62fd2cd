from __future__ import annotations

import io
import logging
import sys
import typing as t

import pytest

from erlen import Erlen
from erlen.logging import create_logger, default_handler, has_level_handler, printable, wsgi_errors_stream


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[logging.Logger]:
    """Yield a root logger without handlers; pytest adds its own to the real one."""
    root = logging.RootLogger(logging.WARNING)
    logger = logging.getLogger("erlen_test")
    monkeypatch.setattr(logger, "parent", root)
    monkeypatch.setattr(logger, "handlers", [])
    monkeypatch.setattr(logger, "level", logging.NOTSET)
    yield root
    # Levels are cached for each logger until one is set.
    logger.setLevel(logging.NOTSET)


def test_the_logger_has_the_name_of_the_application(app: Erlen) -> None:
    assert app.logger.name == app.name == "erlen_test"
    assert app.logger is app.logger


def test_the_logger_has_the_default_handler(app: Erlen) -> None:
    assert app.logger.level == logging.NOTSET
    assert app.logger.handlers == [default_handler]


def test_the_default_handler_is_added_once(app: Erlen) -> None:
    assert create_logger(t.cast(t.Any, app)) is create_logger(t.cast(t.Any, app))
    assert app.logger.handlers == [default_handler]


def test_debug_mode_sets_the_level(app: Erlen) -> None:
    app.debug = True
    assert app.logger.level == logging.DEBUG


def test_debug_mode_keeps_a_level_that_was_set(app: Erlen) -> None:
    logging.getLogger("erlen_test").setLevel(logging.ERROR)
    app.debug = True
    assert app.logger.level == logging.ERROR


def test_no_handler_is_added_where_logging_is_configured(app: Erlen, root: logging.Logger) -> None:
    root.addHandler(logging.StreamHandler())
    assert app.logger.handlers == []


def test_a_handler_for_higher_levels_does_not_count() -> None:
    logger = logging.getLogger("erlen_test")
    logger.setLevel(logging.INFO)
    handler = logging.StreamHandler()
    handler.setLevel(logging.ERROR)
    logger.addHandler(handler)
    assert not has_level_handler(logger)
    handler.setLevel(logging.INFO)
    assert has_level_handler(logger)


def test_handlers_behind_a_logger_that_does_not_propagate_do_not_count(root: logging.Logger) -> None:
    root.addHandler(logging.NullHandler())
    logger = logging.getLogger("erlen_test.child")
    assert has_level_handler(logger)
    logger.propagate = False
    try:
        assert not has_level_handler(logger)
    finally:
        logger.propagate = True


def test_the_stream_is_the_servers_during_a_request(app: Erlen) -> None:
    stream = io.StringIO()
    with app.test_request_context(errors_stream=stream):
        app.logger.error("in a request")
        assert wsgi_errors_stream.write == stream.write
    assert "ERROR in test_logging: in a request\n" in stream.getvalue()


def test_the_stream_is_stderr_else(app: Erlen, capsys: pytest.CaptureFixture[str]) -> None:
    with app.app_context():
        app.logger.error("in a command")
    app.logger.error("outside")
    error = capsys.readouterr().err
    assert "in a command\n" in error
    assert "outside\n" in error
    assert wsgi_errors_stream.write == sys.stderr.write


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("/plain path?x=1", "/plain path?x=1"),
        ("/größe/日本", "/größe/日本"),
        ("/a\r\nERROR in app: forged", "/a\\r\\nERROR in app: forged"),
        ("/a\\nb", "/a\\\\nb"),
        ("\x1b[2J\x00\t\x7f", "\\x1b[2J\\x00\\t\\x7f"),
        ("a\x85b\u2028c\u2029d", "a\\x85b\\u2028c\\u2029d"),
    ],
)
def test_printable_text_cannot_forge_lines_of_a_log(text: str, escaped: str) -> None:
    """CVE-2024-1681."""
    assert printable(text) == escaped
    assert len(printable(text).splitlines()) == 1
