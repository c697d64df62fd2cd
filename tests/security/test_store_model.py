"""Whatever is done in whatever order: the store in SQL and the one in dicts say the same."""

from __future__ import annotations

import dataclasses
import typing as t
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from sqlalchemy import StaticPool, create_engine
from sqlalchemy.orm import sessionmaker

import stores
from erlen.ext.security.errors import EmailTaken
from erlen.ext.security.keys import digest
from erlen.ext.security.sqlalchemy import SQLAlchemyStore
from erlen.ext.security.types import User
from memory_store import COLUMNS, MemoryStore
from records import MINUTE, NOW, a_passkey, a_session, a_token, an_event, an_identity

names = st.sampled_from(["ada", "bob", "eve"])
uids = names.map("uid-{}".format)
secrets = st.sampled_from("stuv")
times = st.integers(-3, 3).map(lambda number: NOW + number * MINUTE)
ends = st.none() | times
roles = st.sampled_from(["admin", "baker"])
purposes = st.sampled_from(["reset", "api"])
families = st.none() | st.sampled_from(["f", "g"])
counts = st.integers(0, 3)


def plain(value: t.Any) -> t.Any:
    """Return an answer in a form in which those of both stores are equal."""
    if isinstance(value, list | tuple):
        return [plain(one) for one in t.cast("list[t.Any]", value)]
    if hasattr(value, "email_key"):
        user: User = value
        values = {name: getattr(user, name) for name in COLUMNS}
        return {**values, "roles": plain(list(user.roles))}
    if hasattr(value, "permissions"):
        return value.name, value.description, tuple(value.permissions)
    return value


class Stores(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.engine = create_engine("sqlite://", poolclass=StaticPool)
        stores.Base.metadata.create_all(self.engine)
        self.one = SQLAlchemyStore(sessionmaker(self.engine), stores.MODELS)
        self.other = MemoryStore()

    def teardown(self) -> None:
        self.looks_the_same()
        self.engine.dispose()

    def same(self, method: str, *arguments: t.Any, **keywords: t.Any) -> None:
        answers: list[t.Any] = []
        for store in (self.one, self.other):
            try:
                answers.append(plain(getattr(store, method)(*arguments, **keywords)))
            except (EmailTaken, LookupError) as error:
                answers.append(type(error))
        assert answers[0] == answers[1], (method, arguments, keywords)

    @rule(name=names, address=names, at=times)
    def add_user(self, name: str, address: str, at: t.Any) -> None:
        if self.other.user(f"uid-{name}") is None:
            values = {"uid": f"uid-{name}", "created_at": at, "totp_last_step": 1}
            self.same("add_user", email=address.upper(), email_key=address, **values)

    @rule(uid=uids, address=names, active=st.booleans())
    def change_user(self, uid: str, address: str, active: bool) -> None:
        self.same("change_user", uid, email=address, email_key=address, is_active=active)

    @rule(uid=uids, expected=st.none() | st.just("x"), value=st.none() | st.just("x"))
    def change_user_if(self, uid: str, expected: str | None, value: str | None) -> None:
        self.same("change_user_if", uid, {"password_hash": expected}, password_hash=value)

    @rule(uid=uids)
    def delete_user(self, uid: str) -> None:
        self.same("delete_user", uid)

    @rule(uid=uids, at=times, address=st.none() | st.just("192.0.2.1"), step=counts)
    def note(self, uid: str, at: t.Any, address: str | None, step: int) -> None:
        self.same("note_failure", uid, at)
        self.same("take_totp_step", uid, step)
        if step != 1:
            self.same("note_login", uid, at, address)

    @rule(role=roles, permissions=st.sets(st.sampled_from("xyz")))
    def put_role(self, role: str, permissions: set[str]) -> None:
        self.same("put_role", role, "text", permissions)

    @rule(uid=uids, role=roles)
    def grant(self, uid: str, role: str) -> None:
        self.same("grant", uid, role)

    @rule(uid=uids, role=roles)
    def withdraw(self, uid: str, role: str) -> None:
        self.same("withdraw", uid, role)

    @rule(role=roles)
    def delete_role(self, role: str) -> None:
        self.same("delete_role", role)

    @rule(uid=uids, secret=secrets, at=times, seen=times, until=times, limit=st.integers(1, 3))
    def add_session(self, uid: str, secret: str, at: t.Any, seen: t.Any, until: t.Any, limit: int) -> None:
        key = digest(secret)
        known = self.other._sessions.values()
        if not any(one.key == key or one.id == f"id-{secret}" for one in known):
            record = a_session(uid, secret, created_at=at, last_seen_at=seen, expires_at=until)
            self.same("add_session", record, limit)

    @rule(secret=secrets, other=secrets, at=times)
    def change_session(self, secret: str, other: str, at: t.Any) -> None:
        self.same("change_session", digest(secret), last_seen_at=at)
        if self.other.session(digest(other)) is None:
            self.same("change_session", digest(secret), key=digest(other))

    @rule(uid=uids, secret=secrets, how=counts)
    def end_session(self, uid: str, secret: str, how: int) -> None:
        if how == 0:
            self.same("end_session", digest(secret))
        elif how == 1:
            self.same("end_session_by_id", uid, f"id-{secret}")
        else:
            self.same("end_sessions", uid, but=digest(secret) if how == 2 else None)

    @rule(uid=st.none() | uids, secret=secrets, purpose=purposes, at=times, until=ends, family=families)
    def add_token(
        self, uid: str | None, secret: str, purpose: str, at: t.Any, until: t.Any, family: str | None
    ) -> None:
        if digest(secret) not in self.other._tokens:
            values = {"purpose": purpose, "created_at": at, "expires_at": until, "family": family}
            self.same("add_token", a_token(uid, secret, **values))

    @rule(secret=secrets, purpose=purposes, at=times)
    def use_token(self, secret: str, purpose: str, at: t.Any) -> None:
        self.same("use_token", digest(secret), purpose, at)
        self.same("note_token", digest(secret), at)

    @rule(uid=uids, secret=secrets, some=st.lists(purposes, max_size=2), family=families)
    def end_tokens(self, uid: str, secret: str, some: list[str], family: str | None) -> None:
        self.same("end_tokens", uid, *some, family=family)
        self.same("end_token", uid, f"id-{secret}", "api")

    @rule(uid=uids, name=secrets, count=counts, at=times)
    def passkeys(self, uid: str, name: str, count: int, at: t.Any) -> None:
        self.same("add_passkey", a_passkey(uid, name, sign_count=count, created_at=at))
        self.same("note_passkey", name, count, count + 1, at)

    @rule(uid=uids, name=secrets, at=times)
    def identities(self, uid: str, name: str, at: t.Any) -> None:
        self.same("add_identity", an_identity(uid, name, created_at=at))

    @rule(uid=uids, name=secrets)
    def forget(self, uid: str, name: str) -> None:
        self.same("delete_passkey", uid, name)
        self.same("delete_identity", uid, "https://id.example", name)
        self.same("forget_attempts", name)

    @rule(key=secrets, at=times, start=times)
    def count_attempt(self, key: str, at: t.Any, start: t.Any) -> None:
        self.same("count_attempt", key, at, start)

    @rule(uid=st.none() | uids, name=st.sampled_from(["logged_in", "logged_out"]), at=times)
    def add_event(self, uid: str | None, name: str, at: t.Any) -> None:
        self.same("add_event", an_event(name, uid, at=at))

    @rule(now=times, before=times, later=st.booleans())
    def purge(self, now: t.Any, before: t.Any, later: bool) -> None:
        self.same("purge", now + timedelta(days=7) if later else now, before)

    @rule()
    def looks_the_same(self) -> None:
        self.same("users")
        self.same("roles")
        self.same("events")
        for uid in ("uid-ada", "uid-bob", "uid-eve"):
            for method in ("user", "sessions", "passkeys", "identities"):
                self.same(method, uid)
            self.same("tokens", uid, "api")
        for secret in "stuv":
            self.same("session", digest(secret))
            self.same("token", digest(secret), "reset")
            self.same("attempts", secret, NOW - MINUTE)


def test_both_stores_say_the_same() -> None:
    run_state_machine_as_test(Stores, settings=settings(max_examples=10, stateful_step_count=20))


def test_both_stores_have_the_same_attributes_of_a_user() -> None:
    mapped = {attribute.key for attribute in stores.User.__mapper__.column_attrs}
    assert mapped - {"id"} == COLUMNS
    assert dataclasses.is_dataclass(MemoryStore().put_role("admin"))
