"""Exercise of chapter 4: generators in which the request is still active."""

from __future__ import annotations

import typing as t

from chapter_04.ctx import Context, current_context


class WithContext:
    """An iterator that makes a context active for each step, and for no moment between them.

    Between two steps a server may do other work on this thread, and the last step may run on another one.
    """

    def __init__(self, generator: t.Generator[t.Any, None, None], context: Context) -> None:
        self._generator = generator
        self._context = context

    def __iter__(self) -> t.Self:
        return self

    def __next__(self) -> t.Any:
        with self._context:
            return next(self._generator)

    def close(self) -> None:
        """End the generator early, also with its context: it may clean up in a ``finally``."""
        with self._context:
            self._generator.close()


def stream_with_context(generator: t.Generator[t.Any, None, None]) -> WithContext:
    """Return an iterator over a generator that may use ``request`` after the view has returned."""
    return WithContext(generator, current_context())
