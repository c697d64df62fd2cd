"""The contexts that a test client keeps after an answer, for the test to look at."""

from __future__ import annotations

import typing as t
from contextlib import AsyncExitStack
from contextvars import Token

from ..ctx import AppContext, context_var

# The attribute of a context that is kept no more: the token of its being active.
_ENDED = "_ended_after_preservation"


class PreservedContexts:
    """The contexts of the last request of one async client, active in the task that has sent it.

    They are not pushed meanwhile: another task may end them, and several clients may end theirs in any order.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[AppContext, Token[AppContext]]] = []

    async def keep(self, contexts: t.Iterable[AppContext]) -> None:
        """Make contexts active in this task, the last on top, and end those that are kept already.

        :param contexts: contexts whose requests are over.
        """
        ended = self._leave()
        self._kept = [(context, context_var.set(context)) for context in contexts]
        await _tear_down(ended)

    async def end(self) -> None:
        """Make active in this task what was active before, and tear down what is kept."""
        await _tear_down(self._leave())

    def _leave(self) -> list[AppContext]:
        kept, self._kept = self._kept, []
        for context, token in kept:
            setattr(context, _ENDED, token)
        _leave_ended()
        return [context for context, _ in kept]


async def _tear_down(contexts: list[AppContext]) -> None:
    """Push contexts once more, and pop them; the last first."""
    async with AsyncExitStack() as stack:
        for context in contexts:
            stack.push_async_callback(_pass_through, context)


async def _pass_through(context: AppContext) -> None:
    async with context:
        pass


def _leave_ended() -> None:
    active = context_var.get(None)
    while active is not None and (token := vars(active).get(_ENDED)) is not None:
        if token.old_value is not Token.MISSING:
            active = token.old_value
            context_var.set(t.cast(AppContext, active))
            continue
        try:
            context_var.reset(token)
        except ValueError:
            # Another task has set it, and this one has begun with a copy.
            context_var.set(t.cast(t.Any, None))
        return
