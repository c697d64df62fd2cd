"""Events: as signals, in the store, and as lines of the log; nothing a client sends can forge one."""

from __future__ import annotations

import asyncio
import collections.abc as cabc
import json
import logging
import typing as t
from datetime import UTC, datetime

import pytest

from erlen import Erlen
from erlen.ext.security.events import (
    NAMES,
    Events,
    EventSignal,
    Signals,
    clean_text,
    line_of,
    signal,
    signals,
)
from erlen.ext.security.types import Client, Event
from memory_store import MemoryStore

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
HOSTILE = "curl\r\n2030-01-01 logged_in uid=admin\x1b[2J\x00\u202e\ud800"


@pytest.fixture
def app() -> Erlen:
    return Erlen("events", static_folder=None)


def told_by(app: t.Any, store: t.Any, client: Client = Client()) -> Events:
    return Events(store, lambda: NOW, app, lambda: client)


@pytest.fixture
def listening() -> cabc.Iterator[cabc.Callable[..., None]]:
    """Connect receivers until the test ends."""
    connected: list[tuple[EventSignal, t.Any]] = []

    def listen(name: str, receiver: t.Any, **arguments: t.Any) -> None:
        signal(name).connect(receiver, **arguments)
        connected.append((signal(name), receiver))

    yield listen
    for told, receiver in connected:
        told.disconnect(receiver)


def test_there_is_a_typed_signal_for_each_name() -> None:
    assert len(NAMES) == 31
    for name in NAMES:
        assert getattr(signals, name) is signal(name)
        assert repr(signal(name)) == f"<signal {name} of erlen.ext.security>"
        doc = vars(Signals)[name].__doc__
        assert doc
        assert doc.endswith(".")


def test_an_unknown_event_is_a_mistake_in_the_program(store: MemoryStore) -> None:
    with pytest.raises(
        LookupError, match="'logged_inn' is no event of erlen.ext.security; there are: registered"
    ):
        told_by(None, store).tell("logged_inn")
    assert not store.events()


def test_an_event_is_kept_and_sent_with_its_user(
    app: Erlen, store: MemoryStore, listening: cabc.Callable[..., None]
) -> None:
    got: list[tuple[t.Any, t.Any, Event]] = []

    def receiver(sender: t.Any, user: t.Any, event: Event) -> None:
        got.append((sender, user, event))

    listening("logged_in", receiver, sender=app)
    user = store.add_user(email="a@example.test", email_key="a@example.test")
    client = Client(address="192.0.2.1", agent="Browser")
    event = told_by(app, store, client).tell("logged_in", user, methods=("password", "totp"))
    told_by(Erlen("other", static_folder=None), store).tell("logged_in", user)
    assert got == [(app, user, event)]
    assert event == Event(
        name="logged_in",
        at=NOW,
        uid=user.uid,
        address="192.0.2.1",
        agent="Browser",
        details={"methods": ["password", "totp"]},
    )
    assert store.events()[-1] == event


def test_a_detail_may_have_any_name(store: MemoryStore) -> None:
    event = told_by(None, store).tell("token_created", None, name="deployment", user="somebody")
    assert event.name == "token_created"
    assert event.details == {"name": "deployment", "user": "somebody"}


@pytest.mark.parametrize("number", [0, 1])
def test_a_receiver_that_fails_stops_neither_the_login_nor_the_other_receivers(
    app: Erlen,
    store: MemoryStore,
    listening: cabc.Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    number: int,
) -> None:
    called: list[str] = []

    def works(sender: t.Any, **values: t.Any) -> None:
        called.append("works")

    def fails(sender: t.Any, **values: t.Any) -> None:
        called.append("fails")
        raise RuntimeError("the mail server is away")

    # Blinker promises no order, so either comes first once in a while.
    for receiver in [(works, fails), (fails, works)][number]:
        listening("logged_in", receiver)
    told_by(app, store).tell("logged_in")
    assert sorted(called) == ["fails", "works"]
    assert len(store.events()) == 1
    error = next(record for record in caplog.records if record.levelno == logging.ERROR)
    assert "fails" in error.getMessage()
    assert "'logged_in' failed" in error.getMessage()
    assert "the mail server is away" in caplog.text


def test_what_is_raised_to_end_the_program_is_not_kept_back(
    app: Erlen, store: MemoryStore, listening: cabc.Callable[..., None]
) -> None:
    def stop(sender: t.Any, **values: t.Any) -> None:
        raise KeyboardInterrupt

    listening("logged_in", stop)
    with pytest.raises(KeyboardInterrupt):
        told_by(app, store).tell("logged_in")


class BrokenStore(MemoryStore):
    def add_event(self, event: Event) -> None:
        raise ConnectionError("no database")


def test_a_store_that_is_away_loses_no_event(
    app: Erlen, listening: cabc.Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    got: list[Event] = []

    def receiver(sender: t.Any, user: t.Any, event: Event) -> None:
        got.append(event)

    listening("password_changed", receiver)
    with caplog.at_level(logging.INFO, "erlen.security"):
        told_by(app, BrokenStore()).tell("password_changed")
    assert [event.name for event in got] == ["password_changed"]
    assert caplog.messages[0] == "password_changed"
    assert "'password_changed' could not be added to the store" in caplog.messages[1]


def test_an_async_receiver_is_called_from_plain_and_from_async_code(
    app: Erlen, store: MemoryStore, listening: cabc.Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    got: list[str] = []

    async def receiver(sender: t.Any, user: t.Any, event: Event) -> None:
        await asyncio.sleep(0)
        got.append(event.name)

    listening("logged_in", receiver)
    listening("logged_out", receiver)
    events = told_by(app, store)
    events.tell("logged_in")

    async def view() -> None:
        events.tell("logged_out")

    asyncio.run(view())
    assert got == ["logged_in", "logged_out"]
    assert not [record for record in caplog.records if record.levelno == logging.ERROR]


def test_a_muted_signal_is_not_sent_and_the_event_is_kept(
    app: Erlen, store: MemoryStore, listening: cabc.Callable[..., None]
) -> None:
    got: list[t.Any] = []
    listening("logged_in", lambda sender, **values: got.append(values), weak=False)
    with signals.logged_in.muted():
        told_by(app, store).tell("logged_in")
    assert not got
    assert len(store.events()) == 1


def test_a_user_agent_forges_no_line_of_the_log(store: MemoryStore, caplog: pytest.LogCaptureFixture) -> None:
    """CVE-2024-1681: log injection with line feeds in what a client sends."""
    client = Client(address="192.0.2.1\nroot", agent=HOSTILE)
    with caplog.at_level(logging.INFO, "erlen.security"):
        event = told_by(None, store, client).tell(
            "login_failed", None, email=HOSTILE, more=[{HOSTILE: HOSTILE}]
        )
    (line,) = caplog.messages
    assert line.isascii()
    assert line.isprintable()
    assert line.startswith(
        'login_failed address="192.0.2.1\\ufffdroot" agent="curl\\ufffd\\ufffd2030-01-01 logged_in'
    )
    for text in [event.agent, event.address, json.dumps(event.details, ensure_ascii=False)]:
        assert text
        assert text.isprintable()
        text.encode()


def test_a_detail_cannot_stand_for_who_it_was() -> None:
    event = Event(name="login_failed", at=NOW, uid="abc", details={"uid": "admin", "email": 'a" uid="admin'})
    assert line_of(event) == 'login_failed uid="abc" details.uid="admin" details.email="a\\" uid=\\"admin"'


def test_texts_are_cut_however_long_they_are(store: MemoryStore) -> None:
    event = told_by(None, store, Client(agent="x" * 2**20)).tell("login_failed", None, email="y\n" * 2**19)
    assert event.agent == "x" * 256
    assert len(event.details["email"]) == 256


def test_details_are_values_that_json_has(store: MemoryStore) -> None:
    event = told_by(None, store).tell(
        "token_created",
        None,
        ends=NOW,
        scopes=("a", "b"),
        count=3,
        rate=0.5,
        remember=True,
        none=None,
        kind={"x"},
    )
    assert event.details == {
        "ends": "2030-01-02T03:04:05+00:00",
        "scopes": ["a", "b"],
        "count": 3,
        "rate": 0.5,
        "remember": True,
        "none": None,
        "kind": ["x"],
    }
    json.dumps(event.details)


def test_attacks_are_warnings_and_the_rest_is_information(
    store: MemoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "erlen.security"):
        for name in NAMES:
            told_by(None, store).tell(name)
    assert {record.getMessage() for record in caplog.records if record.levelno == logging.WARNING} == {
        "login_failed",
        "login_locked",
        "second_factor_failed",
        "code_used",
        "refresh_reused",
        "access_denied",
        "account_deactivated",
    }
    assert {record.levelno for record in caplog.records} == {logging.WARNING, logging.INFO}


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Zoë 東京 😀", "Zoë 東京 😀"),
        ("a\tb", "a\ufffdb"),
        ("a\u2028b\x85c", "a\ufffdb\ufffdc"),
        ("\u202egpj.exe", "\ufffdgpj.exe"),
        ("\udcff", "\ufffd"),
    ],
)
def test_what_is_not_printable_is_replaced(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned
