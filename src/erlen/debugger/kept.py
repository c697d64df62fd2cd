"""The frames of the last pages, for their consoles. Everything else of them is forgotten at once."""

from __future__ import annotations

import secrets
import threading
import types
from collections import OrderedDict

from ..ctx import AppContext
from .console import Console

#: How many pages.
MOST = 20


class Kept:
    """Keeps the frames of pages by a token that each page has."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._pages: OrderedDict[
            str, tuple[dict[int, types.FrameType], AppContext | None, dict[int, Console]]
        ] = OrderedDict()

    def keep(self, frames: dict[int, types.FrameType], context: AppContext | None) -> str:
        """Keep the frames of a page, let go of those of the oldest, and return the token.

        :param frames: frames by their numbers on the page.
        :param context: the context of the request.
        """
        token = secrets.token_urlsafe(24)
        with self._changing:
            self._pages[token] = (frames, context, {})
            while len(self._pages) > MOST:
                self._pages.popitem(last=False)
        return token

    def console(self, token: str, number: int) -> Console | None:
        """Return the console of a frame, ``None`` for a page that is forgotten or never was.

        :param token: of the page.
        :param number: of the frame.
        """
        with self._changing:
            page = self._pages.get(token)
            if page is None or number not in page[0]:
                return None
            frames, context, consoles = page
            console = consoles.get(number)
            if console is None:
                console = consoles[number] = Console(frames[number], context)
            return console
