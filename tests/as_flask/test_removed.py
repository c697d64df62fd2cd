"""What Flask removed in 2.0 to 3.0 does what it did."""

from __future__ import annotations

import importlib
import typing as t
from datetime import timedelta

import pytest
from flask import Flask
from werkzeug.exceptions import NotFound

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def old(name: str) -> t.Any:
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def test_markup_and_escape() -> None:
    assert old("flask.escape")("<b>") == old("flask.Markup")("&lt;b&gt;")


def test_safe_join() -> None:
    assert old("flask.safe_join")("folder", "file") == "folder/file"
    with pytest.raises(NotFound):
        old("flask.helpers.safe_join")("folder", "../file")


def test_total_seconds() -> None:
    assert old("flask.helpers.total_seconds")(timedelta(days=1, seconds=2.5)) == 86402


def test_htmlsafe_dumps() -> None:
    with Flask("removed").app_context():
        assert old("flask.json.htmlsafe_dumps")("</script>") == '"\\u003c/script\\u003e"'


def test_what_was_always_there() -> None:
    assert old("flask.signals_available") is True
    assert old("flask.signals.signals_available") is True
    assert old("flask.json_available") is True


def test_compat() -> None:
    assert old("flask._compat.text_type") is str
    assert isinstance("text", old("flask._compat.string_types"))
    assert isinstance(1, old("flask._compat.integer_types"))
    mapping = {"a": 1}
    assert list(old("flask._compat.iteritems")(mapping)) == [("a", 1)]
    assert list(old("flask._compat.iterkeys")(mapping)) == ["a"]
    assert list(old("flask._compat.itervalues")(mapping)) == [1]
    error = KeyError("raised again")
    with pytest.raises(KeyError, match="raised again"):
        old("flask._compat.reraise")(KeyError, error)

    class Meta(type):
        pass

    class Base:
        pass

    class Made(old("flask._compat.with_metaclass")(Meta, Base)):  # type: ignore[misc]
        pass

    assert type(Made) is Meta
    assert issubclass(Made, Base)


def test_cached_property() -> None:
    made: list[int] = []

    class Owner:
        @old("flask.helpers.locked_cached_property")  # type: ignore[untyped-decorator]
        def value(self) -> int:
            made.append(1)
            return 5

    owner = Owner()
    assert [owner.value, owner.value, made] == [5, 5, [1]]
