"""The one way to deprecate a name."""

from __future__ import annotations

import typing as t
import warnings
from functools import wraps

P = t.ParamSpec("P")
R = t.TypeVar("R")


def warn_deprecated(name: str, *, instead: str, removal: str, stacklevel: int = 1) -> None:
    """Warn that a name is deprecated, at the line of the user's code.

    :param name: what is deprecated, as users write it.
    :param instead: what to write instead.
    :param removal: the version the name is removed in.
    :param stacklevel: how many functions lie between this call and the user's code: 1 when the user called the
        function that calls this one.
    """
    warnings.warn(
        f"{name!r} is deprecated and will be removed in Erlen {removal}. Use {instead!r} instead.",
        DeprecationWarning,
        stacklevel=stacklevel + 2,
    )


def deprecated(name: str, *, instead: str, removal: str) -> t.Callable[[t.Callable[P, R]], t.Callable[P, R]]:
    """Decorate a function so that each call of it warns, at the line of the caller.

    :param name: what is deprecated, as users write it.
    :param instead: what to write instead.
    :param removal: the version the name is removed in.
    """

    def decorate(function: t.Callable[P, R]) -> t.Callable[P, R]:
        @wraps(function)
        def warn_and_call(*args: P.args, **kwargs: P.kwargs) -> R:
            warn_deprecated(name, instead=instead, removal=removal)
            return function(*args, **kwargs)

        return warn_and_call

    return decorate


def deprecated_attribute(
    module: str, names: t.Mapping[str, tuple[str, t.Any]], removal: str
) -> t.Callable[[str], t.Any]:
    """Return a ``__getattr__`` for a module some of whose names are deprecated (PEP 562).

    :param module: the module's ``__name__``.
    :param names: each deprecated name, with the dotted name that replaces it and the object it stands for.
    :param removal: the version the names are removed in.
    """

    def __getattr__(name: str) -> t.Any:  # noqa: N807 (what it becomes in the module)
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        instead, value = names[name]
        warn_deprecated(f"{module}.{name}", instead=instead, removal=removal)
        return value

    return __getattr__
