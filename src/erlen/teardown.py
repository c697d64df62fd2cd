"""Teardown runs all of it: what one function raises does not keep the next from running (D5)."""

from __future__ import annotations

import typing as t


def called(
    tear_down: t.Callable[[BaseException | None], object],
    exc: BaseException | None,
    errors: list[BaseException] | None,
) -> list[BaseException] | None:
    """Call a function and return the errors with what it raised, ``None`` as long as there are none.

    :param tear_down: the function.
    :param exc: the unhandled exception it is told of.
    :param errors: what others have raised.
    """
    try:
        tear_down(exc)
    except BaseException as error:
        errors = [] if errors is None else errors
        errors.append(error)
    return errors


async def acalled(
    tear_down: t.Callable[[BaseException | None], t.Awaitable[object]],
    exc: BaseException | None,
    errors: list[BaseException] | None,
) -> list[BaseException] | None:
    """Do what :func:`called` does."""
    try:
        await tear_down(exc)
    except BaseException as error:
        errors = [] if errors is None else errors
        errors.append(error)
    return errors


def raise_all(errors: list[BaseException], doing: str) -> None:
    """Raise what was collected: nothing, the one exception, or a group of them.

    :param errors: the exceptions, in the order in which they were raised.
    :param doing: what was being done, for the group's message.
    """
    if not errors:
        return
    error = errors[0]
    if len(errors) > 1:
        error = BaseExceptionGroup(f"{len(errors)} callbacks raised while {doing}", tuple(errors))
    # The frames that the exception holds have the list, and would keep it alive, and with it the request.
    errors.clear()
    try:
        raise error
    finally:
        del error
