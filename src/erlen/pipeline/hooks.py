"""Hooks in the async spelling: plain ones that stand together become one step on a worker thread."""

from __future__ import annotations

import typing as t
from itertools import groupby

from ..ctx import context_var
from ..teardown import raise_all
from .bridge import is_async, is_nonblocking

Hook: t.TypeAlias = t.Callable[..., t.Any]
AsyncHook: t.TypeAlias = t.Callable[..., t.Coroutine[t.Any, t.Any, t.Any]]


def awaited(
    ensure_async: t.Callable[[Hook], AsyncHook],
    hooks: t.Iterable[Hook],
    together: t.Callable[[list[Hook]], Hook],
) -> list[AsyncHook]:
    """Return hooks as async functions, in their order.

    :param ensure_async: makes an async function of one hook.
    :param hooks: plain and async ones.
    :param together: makes one plain function of several, so that they cost one hop.
    """
    result: list[AsyncHook] = []
    for may_wait, group in groupby(hooks, lambda hook: not (is_async(hook) or is_nonblocking(hook))):
        members = list(group)
        if may_wait and len(members) > 1:
            members = [together(members)]
        result += map(ensure_async, members)
    return result


def all_of(hooks: list[Hook]) -> Hook:
    """Return a function that calls all hooks with the endpoint and the values of the URL, which each may replace."""

    def call(*args: t.Any) -> None:
        request = context_var.get().request
        for hook in hooks:
            hook(request.endpoint, request.view_args)

    return call


def first_of(hooks: list[Hook]) -> Hook:
    """Return a function that calls hooks until one returns something, and returns that."""

    def call() -> t.Any:
        for hook in hooks:
            value = hook()
            if value is not None:
                return value
        return None

    return call


def one_after_another(hooks: list[Hook]) -> Hook:
    """Return a function that hands a response from hook to hook."""

    def call(response: t.Any) -> t.Any:
        for hook in hooks:
            response = checked(hook, hook(response))
        return response

    return call


def each_of(hooks: list[Hook]) -> Hook:
    """Return a function that calls all hooks, also when one raises."""

    def call(exc: BaseException | None) -> None:
        errors: list[BaseException] = []
        for hook in hooks:
            try:
                hook(exc)
            except BaseException as error:
                errors.append(error)
        raise_all(errors, "tearing down the context")

    return call


def checked(hook: t.Any, response: t.Any) -> t.Any:
    """Return the response that a hook after a request has returned.

    :param hook: the hook, for the message.
    :raises TypeError: where it has returned none.
    """
    if response is None:
        name = getattr(hook, "__qualname__", repr(hook))
        raise TypeError(
            f"The after-request function {name!r} in module {getattr(hook, '__module__', None)!r} returned None, so "
            f"there is no response to send. End it with 'return response'."
        )
    return response
