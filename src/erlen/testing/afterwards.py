"""What an application begins when a response has been sent, where nothing is sent: in a test, over WSGI."""

from __future__ import annotations

import typing as t

from werkzeug.wsgi import ClosingIterator

Begin: t.TypeAlias = t.Callable[[], object]


class Afterwards:
    """What begins when a test has the response of one request.

    A server closes each response, and that begins it. The plain client closes none that it was not told to, as Werkzeug's
    and Flask's do: extensions see no other order of things in a test than there.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[t.Any, Begin]] = []

    def add(self, response: t.Any, begin: Begin) -> None:
        """Note what is to begin after a response; the second call of it does nothing.

        :param response: the response.
        :param begin: begins it.
        """
        self._waiting.append((response, begin))

    def begin_after(self, pieces: t.Iterable[bytes], is_read: bool) -> t.Iterable[bytes]:
        """Begin what need not wait for the body to be read, and return a body that begins the rest at its end.

        :param pieces: the body.
        :param is_read: whether it was read, or is none.
        """
        streamed: list[Begin] = []
        for response, begin in self._waiting:
            if is_read or response.is_sequence:
                begin()
            else:
                streamed.append(begin)
        if not streamed:
            return pieces
        return ClosingIterator(_read(pieces, streamed), getattr(pieces, "close", None))


def _read(pieces: t.Iterable[bytes], begins: list[Begin]) -> t.Iterator[bytes]:
    yield from pieces
    for begin in begins:
        begin()
