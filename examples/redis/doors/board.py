"""The board: notes in Redis, and the news of them, which every process hears and hands to the pages that are open at it.

All of it is called on the event loop of the server. One connection listens for the whole process, however many pages are open.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
import typing as t
from dataclasses import asdict, dataclass

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as ConnectionLost
from redis.exceptions import RedisError

from erlen import ServerSentEvent, current_app, json

# A child of the application's logger: an event stream that has outlived its request has no 'current_app'.
_logger = logging.getLogger(__name__)

NOTES = "doors:notes"

#: How many notes are kept: a page that was away for longer has missed some.
KEPT = 200

#: How many events may wait for one page. One that is slower is sent away, and comes back for what it has missed.
WAITING = 100

#: Seconds of silence after which Redis is asked whether it is still there.
SILENCE = 10.0

#: Seconds between two attempts to reach it, at first and at most.
PAUSE, LONGEST_PAUSE = 0.1, 3.0

# The note is stored and told in one step, so that all hear the notes in the order of their ids.
_PIN = """
local id = redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], '*', 'note', ARGV[1])
redis.call('PUBLISH', KEYS[1], id .. ' ' .. ARGV[1])
return id
"""

_ID = re.compile(r"\d{1,16}-\d{1,16}")


@dataclass(frozen=True)
class Note:
    """A note on the board.

    :param id: given by Redis; a later note has a larger one.
    :param by: who has written it.
    :param text: what it says.
    :param door: the process that it came in by.
    :param at: when, in seconds since 1970.
    """

    id: str
    by: str
    text: str
    door: str
    at: float

    @classmethod
    def read(cls, id: str, text: str) -> Note | None:
        """Return the note that stands in Redis, ``None`` where it cannot be read.

        Another version of this program may have written it, as both run while a release is rolled out.
        """
        try:
            values = json.loads(text)
            return cls(id, values["by"], values["text"], values["door"], values["at"])
        except (ValueError, KeyError, TypeError):
            _logger.warning("The note %s in Redis could not be read, and is left out.", id)
            return None


def order(id: str) -> tuple[int, int]:
    """Return what the ids of notes are compared by."""
    time, _, number = id.partition("-")
    return int(time), int(number)


class Board:
    """The notes, as one process sees them.

    :param client: a client of Redis for async code, which decodes responses.
    """

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._pin = client.register_script(_PIN)
        self._pages: set[asyncio.Queue[Note | bool | None]] = set()
        #: The id of the last note that was handed on, ``None`` until Redis was asked for the first time.
        self._last: str | None = None
        #: Whether news from Redis arrive.
        self.is_connected = False

    async def pin(self, by: str, text: str, door: str) -> str:
        """Put a note on the board, and return its id."""
        note = json.dumps({"by": by, "text": text, "door": door, "at": time.time()})
        return t.cast("str", await self._pin(keys=[NOTES], args=[note, KEPT]))

    async def newest(self, count: int = 30) -> list[Note]:
        """Return the last notes, the newest first."""
        return _notes(await self._client.xrevrange(NOTES, count=count))

    async def since(self, id: str) -> list[Note]:
        """Return the notes that came after one, the oldest first."""
        return _notes(await self._client.xrange(NOTES, min=f"({id}"))

    async def follow(self, seen: str) -> t.AsyncIterator[ServerSentEvent]:
        """Yield the notes that come after one, and whether Redis is there when that changes.

        :param seen: the id of the last note that the page has; without a valid one it gets the notes from now on.
        """
        is_behind = _ID.fullmatch(seen) is not None
        seen = seen if is_behind else "0-0"
        # Before the missed notes are asked for, so that none falls in between.
        with self._page() as queue:
            news: Note | bool | None = self.is_connected
            while news is not None:
                if is_behind and isinstance(news, bool):
                    try:
                        missed = await self.since(seen)
                    except RedisError:
                        # Asked for again when Redis is heard again. Where it is heard, and yet has not answered, the
                        # browser comes back.
                        if self.is_connected:
                            return
                    else:
                        is_behind = False
                        for note in missed:
                            seen = note.id
                            yield _event(note)
                if isinstance(news, bool):
                    yield ServerSentEvent({"connected": news}, event="line")
                elif not is_behind and order(news.id) > order(seen):
                    yield _event(news)
                news = await queue.get()

    @contextlib.contextmanager
    def _page(self) -> t.Generator[asyncio.Queue[Note | bool | None]]:
        queue: asyncio.Queue[Note | bool | None] = asyncio.Queue(WAITING)
        self._pages.add(queue)
        try:
            yield queue
        finally:
            self._pages.discard(queue)

    def _tell(self, news: Note | bool) -> None:
        for queue in list(self._pages):
            try:
                queue.put_nowait(news)
            except asyncio.QueueFull:
                self._pages.discard(queue)
                queue.get_nowait()
                queue.put_nowait(None)

    # Listening

    async def listen_for_ever(self) -> None:
        """Hand on what comes from Redis, and come back to it whenever it was lost."""
        pause = PAUSE
        while True:
            try:
                await self._listen()
            except RedisError as error:
                pause = PAUSE if self.is_connected else min(2 * pause, LONGEST_PAUSE)
                self._connected(False, str(error))
                await asyncio.sleep(pause)

    async def _listen(self) -> None:
        async with self._client.pubsub() as channel:
            await channel.subscribe(NOTES)
            is_asked = False
            while True:
                message = t.cast("t.Any", await channel.get_message(timeout=SILENCE))
                if message is not None:
                    is_asked = False
                    await self._heard(message["type"], message["data"])
                elif is_asked:
                    raise ConnectionLost(f"Redis has not answered for {SILENCE} seconds.")
                else:
                    # A line that was cut without a word says nothing, and nor does Redis when there is no news.
                    await channel.ping()
                    is_asked = True

    async def _heard(self, kind: str, data: t.Any) -> None:
        if kind == "subscribe":
            # The client subscribes anew by itself when its connection was cut, and says so by this alone. What was pinned
            # meanwhile nobody has told it.
            await self._catch_up()
            self._connected(True)
        elif kind == "message":
            id, _, text = data.partition(" ")
            if note := Note.read(id, text):
                self._take(note)

    async def _catch_up(self) -> None:
        """Hand on what was pinned while nobody listened here."""
        if self._last is None:
            newest = await self.newest(1)
            self._last = newest[0].id if newest else "0-0"
            return
        for note in await self.since(self._last):
            self._take(note)

    def _take(self, note: Note) -> None:
        if order(note.id) > order(self._last or "0-0"):
            self._last = note.id
            self._tell(note)

    def _connected(self, is_connected: bool, reason: str = "") -> None:
        if is_connected != self.is_connected:
            self.is_connected = is_connected
            self._tell(is_connected)
        if reason:
            current_app.logger.warning("Redis cannot be reached, and is asked again: %s", reason)


def _event(note: Note) -> ServerSentEvent:
    return ServerSentEvent(asdict(note), event="note", id=note.id)


def _notes(entries: t.Any) -> list[Note]:
    read = (Note.read(id, fields.get("note", "")) for id, fields in entries or ())
    return [note for note in read if note is not None]


def current_board() -> Board:
    """Return the board of the current application."""
    return t.cast("Board", current_app.extensions["board"])
