"""The end of a context: all of it runs, whatever one function raises, and whether the client goes meanwhile (D5)."""

from __future__ import annotations

import typing as t

from .scopes import ENDING, WATCH
from .signals import appcontext_tearing_down, request_tearing_down


def tear_down_context(context: t.Any, exc: BaseException | None) -> None:
    """Run everything that is to be done at the end of a context, and raise what it raises at the end.

    :param context: the context.
    :param exc: the unhandled exception that ended it.
    """
    request = context._request
    # What gives back a connection is not cut short because a client goes away.
    watch = None if request is None else request.head.get(WATCH)
    if watch is not None:
        watch.pause()
    elif request is not None:
        request.head[ENDING] = True
    try:
        errors = _end_of(context, request, exc)
    finally:
        if watch is None and request is not None and request.head.pop(ENDING, False):
            # One that has begun while this ran is paused.
            watch = request.head.get(WATCH)
        if watch is not None:
            watch.resume()
    if errors is not None:
        raise_all(errors, "tearing down the context")


async def atear_down_context(context: t.Any, exc: BaseException | None) -> None:
    """Do what :func:`tear_down_context` does."""
    request = context._request
    watch = None if request is None else request.head.get(WATCH)
    if watch is not None:
        await watch.apause()
    elif request is not None:
        request.head[ENDING] = True
    try:
        errors = await _aend_of(context, request, exc)
    finally:
        if watch is None and request is not None and request.head.pop(ENDING, False):
            # One that has begun while this ran is paused.
            watch = request.head.get(WATCH)
        if watch is not None:
            watch.resume()
    if errors is not None:
        raise_all(errors, "tearing down the context")


def _end_of(context: t.Any, request: t.Any, exc: BaseException | None) -> list[BaseException] | None:
    app = context.app
    plan = app.plan or app.freeze()
    errors: list[BaseException] | None = None
    # PERF: plaintext: what has nothing to do is not called, 0.7 us each.
    if request is not None and (
        context.steps is None or context.steps.tears_down or request_tearing_down.receivers
    ):
        errors = called(app.do_teardown_request, exc, errors)
    if (plan.tears_down or appcontext_tearing_down.receivers) and context.lender is None:
        errors = called(app.do_teardown_appcontext, exc, errors)
    if request is not None and not context.is_copy:
        # The environ holds the request and the request the environ: without this only the garbage collector
        # would free both.
        request.head["werkzeug.request"] = None
        if request.routing_exception is not None:
            # Its traceback holds this context, for the garbage collector again, and so does that of what it was made of.
            request.routing_exception.__traceback__ = request.routing_exception.__context__ = None
        if request._must_close:
            errors = called(lambda exc: request.close(), exc, errors)
    return errors


async def _aend_of(context: t.Any, request: t.Any, exc: BaseException | None) -> list[BaseException] | None:
    app = context.app
    plan = app.plan or app.freeze()
    errors: list[BaseException] | None = None
    if request is not None and (
        context.steps is None or context.steps.tears_down or request_tearing_down.receivers
    ):
        errors = await acalled(app.ado_teardown_request, exc, errors)
    if (plan.tears_down or appcontext_tearing_down.receivers) and context.lender is None:
        errors = await acalled(app.ado_teardown_appcontext, exc, errors)
    if request is not None and not context.is_copy:
        request.head["werkzeug.request"] = None
        if request.routing_exception is not None:
            request.routing_exception.__traceback__ = request.routing_exception.__context__ = None
        if request._must_close:
            errors = called(lambda exc: request.close(), exc, errors)
    return errors


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
