"""Rooms, and who is in them: the state of the chat, in the memory of one process.

Everything here is called on the event loop of the server, by ``async`` views and WebSockets, and waits for nothing. So one
call is over before the next begins, and no lock is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
import typing as t
import zlib
from collections import deque
from dataclasses import dataclass

from erlen import current_app, json

from . import words
from .limits import Limits

STANDING_ROOMS = {
    "The jetty": "For whoever comes by.",
    "Lighthouse": "Weather, tides, and what is in sight.",
    "Net loft": "Mending, making, and asking how.",
}

#: How many colours there are for visitors; the style sheet has them.
TONES = 6


#: The code that closes a WebSocket; those of applications begin with 4000 (RFC 6455).
TOO_SLOW = 4008


def current_hall() -> Hall:
    """Return the rooms of the current application."""
    return t.cast(Hall, current_app.extensions["chat"])


@dataclass(frozen=True)
class Visitor:
    """Somebody with a name. The same visitor may be in several rooms, and in several tabs."""

    id: str
    name: str

    @classmethod
    def of(cls, session: t.Mapping[str, t.Any]) -> Visitor | None:
        """Return the visitor whom a session names, if it names one."""
        kept = session.get("visitor")
        return None if kept is None else cls(kept["id"], kept["name"])

    def as_json(self) -> dict[str, t.Any]:
        """Return what pages are told of the visitor."""
        return {"id": self.id, "name": self.name, "tone": zlib.crc32(self.id.encode()) % TONES}


class Seat:
    """One page that is open in a room, and the events that wait to be sent to it.

    :param visitor: who sits there.
    :param size: how many events may wait.
    """

    def __init__(self, visitor: Visitor, size: int) -> None:
        self.visitor = visitor
        self.outbox: asyncio.Queue[str] = asyncio.Queue(size)
        #: With which code and reason the WebSocket is to be closed.
        self.farewell: tuple[int, str] | None = None

    def give(self, event: str) -> None:
        """Put an event where it waits to be sent. Never waits itself: one slow page must not stop the others."""
        if self.outbox.full():
            self.end(TOO_SLOW, "You were too far behind the others.")
        elif self.farewell is None:
            self.outbox.put_nowait(event)

    def end(self, code: int, reason: str) -> None:
        """Ask the visitor to leave, instead of all that waits."""
        self.farewell = (code, reason)
        while not self.outbox.empty():
            self.outbox.get_nowait()
        self.outbox.put_nowait(event("goodbye"))


class Room:
    """A room, who is in it, and what was said last.

    :param title: as it is shown.
    :param about: a line about it.
    :param limits: see :class:`Limits`.
    :param changed: called when somebody comes, goes or says something.
    """

    def __init__(self, title: str, about: str, limits: Limits, changed: t.Callable[[], None]) -> None:
        self.title = title
        self.about = about
        self.address = words.address_of(title)
        self.used_at = time.monotonic()
        self._limits = limits
        self._changed = changed
        self._seats: list[Seat] = []
        self._history: deque[dict[str, t.Any]] = deque(maxlen=limits.history)

    @property
    def people(self) -> dict[str, Visitor]:
        """Who is here, by id: one visitor may have several seats."""
        return {seat.visitor.id: seat.visitor for seat in self._seats}

    @contextlib.contextmanager
    def seat(self, visitor: Visitor) -> t.Generator[Seat]:
        """Take a seat, and leave it at the end of the block."""
        seat = Seat(visitor, self._limits.outbox)
        is_new = self.people.get(visitor.id) != visitor
        self._seats.append(seat)
        people = [person.as_json() for person in self.people.values()]
        seat.give(event("welcome", people=people, messages=list(self._history)))
        if is_new:
            self._tell(event("joined", visitor=visitor.as_json()), but=seat)
        try:
            yield seat
        finally:
            self._leave(seat)

    def _leave(self, seat: Seat) -> None:
        if seat in self._seats:
            self._seats.remove(seat)
            if seat.visitor.id not in self.people:
                self._tell(event("left", visitor=seat.visitor.as_json()))

    def say(self, visitor: Visitor, text: str) -> None:
        """Send a message to everybody in the room, who said it included."""
        said = {"id": secrets.token_urlsafe(9), "by": visitor.as_json(), "text": text, "at": time.time()}
        self._history.append(said)
        self._tell(event("message", **said))

    def _tell(self, event: str, but: Seat | None = None) -> None:
        for seat in list(self._seats):
            if seat is not but:
                seat.give(event)
            if seat.farewell is not None:
                self._leave(seat)
        self.used_at = time.monotonic()
        self._changed()


class Hall:
    """All rooms.

    :param limits: how much there may be of what.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.rooms: dict[str, Room] = {}
        self.messages = 0
        # The version of what the counter shows. Its beginning says which process it is of: after a restart, a number
        # that a page has seen means nothing any more.
        self._process = secrets.token_hex(4)
        self._changes = 0
        self._change = asyncio.Event()
        for title, about in STANDING_ROOMS.items():
            self._add(title, about)

    def _add(self, title: str, about: str) -> Room:
        room = Room(title, about, self.limits, self._changed)
        self.rooms[room.address] = room
        self._changed()
        return room

    def find(self, address: str) -> Room | None:
        """Return a room, which is kept from being tidied while somebody is about to enter."""
        room = self.rooms.get(address)
        if room is not None:
            room.used_at = time.monotonic()
        return room

    def open(self, title: str) -> Room:
        """Return the room of a title, and make it if it is new.

        :raises words.Refused: when there are enough rooms.
        """
        room = self.find(words.address_of(title))
        if room is not None:
            return room
        if len(self.rooms) >= self.limits.rooms:
            raise words.Refused(
                f"All {len(self.rooms)} rooms are taken. Join one, or wait until one is empty."
            )
        return self._add(title, "")

    def say(self, room: Room, visitor: Visitor, text: str) -> None:
        """Say something in a room, and count it."""
        self.messages += 1
        room.say(visitor, text)

    # What the counter shows

    @property
    def version(self) -> str:
        """What changes with every change."""
        return f"{self._process}-{self._changes}"

    def numbers(self) -> dict[str, t.Any]:
        """Return how many people are there, how many messages were sent, and how many people are in each room."""
        rooms = self.rooms.values()
        return {
            "people": len({id for room in rooms for id in room.people}),
            "messages": self.messages,
            "rooms": [
                {
                    "address": room.address,
                    "title": room.title,
                    "about": room.about,
                    "people": len(room.people),
                }
                for room in rooms
            ],
        }

    def _changed(self) -> None:
        self._changes += 1
        self._change.set()
        self._change = asyncio.Event()

    async def change(self) -> None:
        """Wait for the next change."""
        await self._change.wait()

    # Tidying

    def tidy(self) -> None:
        """Close the rooms that visitors have opened and nobody has used for a while."""
        long_ago = time.monotonic() - self.limits.empty_for
        for room in list(self.rooms.values()):
            if room.title not in STANDING_ROOMS and not room.people and room.used_at <= long_ago:
                del self.rooms[room.address]
                self._changed()

    async def tidy_for_ever(self) -> None:
        """Tidy from time to time."""
        while True:
            await asyncio.sleep(self.limits.tidy_every)
            self.tidy()


def event(kind: str, **values: t.Any) -> str:
    """Return an event as it is sent to pages. It is written once, however many get it."""
    return json.dumps({"event": kind, **values})
