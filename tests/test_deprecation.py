from __future__ import annotations

import inspect
import warnings

import pytest

from erlen.deprecation import deprecated, deprecated_attribute, warn_deprecated


def here() -> int:
    """Return the line of the caller."""
    frame = inspect.currentframe()
    assert frame is not None
    assert frame.f_back is not None
    return frame.f_back.f_lineno


def old() -> None:
    warn_deprecated("old()", instead="new()", removal="2.0")


def older() -> None:
    inner_of_older()


def inner_of_older() -> None:
    warn_deprecated("older()", instead="new()", removal="2.0", stacklevel=2)


@deprecated("decorated()", instead="new()", removal="3.1")
def decorated(value: int) -> int:
    """Have a docstring."""
    return value + 1


def test_the_text_names_replacement_and_removal() -> None:
    with pytest.warns(DeprecationWarning) as caught:
        old()
    assert str(caught[0].message) == (
        "'old()' is deprecated and will be removed in Erlen 2.0. Use 'new()' instead."
    )


def test_the_warning_points_at_the_call() -> None:
    with pytest.warns(DeprecationWarning) as caught:
        line = here() + 1
        old()
    assert (caught[0].filename, caught[0].lineno) == (__file__, line)


def test_the_warning_points_at_the_call_from_deeper_down() -> None:
    with pytest.warns(DeprecationWarning) as caught:
        line = here() + 1
        older()
    assert (caught[0].filename, caught[0].lineno) == (__file__, line)


def test_a_decorated_function_warns_at_its_call() -> None:
    with pytest.warns(DeprecationWarning, match=r"'decorated\(\)' .* Erlen 3\.1") as caught:
        line = here() + 1
        result = decorated(1)
    assert result == 2
    assert (caught[0].filename, caught[0].lineno) == (__file__, line)
    assert (decorated.__name__, decorated.__doc__) == ("decorated", "Have a docstring.")


def test_an_attribute_of_a_module_warns_where_it_is_read() -> None:
    get = deprecated_attribute("erlen.thing", {"old": ("erlen.new", 42)}, removal="2.0")
    with pytest.warns(DeprecationWarning, match=r"'erlen\.thing\.old' .* 'erlen\.new'") as caught:
        line = here() + 1
        value = get("old")
    assert value == 42
    assert (caught[0].filename, caught[0].lineno) == (__file__, line)


def test_an_unknown_attribute_of_a_module_is_missing_as_usual() -> None:
    get = deprecated_attribute("erlen.thing", {}, removal="2.0")
    with (
        warnings.catch_warnings(),
        pytest.raises(AttributeError, match=r"module 'erlen\.thing' has no attribute 'x'"),
    ):
        get("x")
