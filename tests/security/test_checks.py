"""What ``erlen check --deploy`` says about accounts."""

from __future__ import annotations

import json
import typing as t
from importlib.metadata import entry_points

import pytest
from click.testing import CliRunner

from erlen import Erlen
from erlen.cli import ScriptInfo, cli
from erlen.commands.check import Check
from erlen.ext.security import Security, Settings
from erlen.ext.security.checks import checks
from erlen.ext.security.mail import Outbox
from erlen.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionInterface
from memory_store import MemoryStore

OURS = {one.id for one in checks}
GOOD: dict[str, t.Any] = {
    "site_url": "https://example.test",
    "mail_url": "smtp://mail.example.test:587",
    "mail_sender": "accounts@example.test",
    "rate_storage": "redis://localhost:6379",
}


def found(settings: dict[str, t.Any], **more: t.Any) -> dict[str, str]:
    """Return the ids of checks that the command says something about, with the severities."""
    app = Erlen(__name__)
    app.secret_key = "test"
    Security(app, store=MemoryStore(), settings=Settings(**settings), **more)
    return report(app)


def report(app: Erlen) -> dict[str, str]:
    args, info = ["check", "--deploy", "--json"], ScriptInfo(create_app=lambda: app)
    result = CliRunner().invoke(cli, args, obj=info)
    told = json.loads(result.stdout)
    assert not [one for one in told["findings"] if one["id"] == "extension-checks"]
    return {one["id"]: one["severity"] for one in told["findings"] if one["id"] in OURS}


def test_nothing_is_said_of_good_settings() -> None:
    assert found(GOOD) == {}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"site_url": None}, {"accounts-site-url": "error"}),
        ({"site_url": "http://example.test"}, {"accounts-site-url": "error"}),
        ({"mail_url": ""}, {"accounts-mail": "error"}),
        ({"mail_url": "console:"}, {"accounts-mail": "error"}),
        ({"activation_required": False}, {"accounts-activation": "warning"}),
        ({"activation_required": False, "registration": False}, {}),
        ({"rate_storage": "memory://"}, {"accounts-rates": "warning"}),
        ({"argon2_memory": 7168}, {"accounts-hashes": "warning"}),
        ({"argon2_memory": 7168, "argon2_time": 5}, {}),
        ({"argon2_memory": 47104, "argon2_time": 1}, {}),
    ],
)
def test_what_is_not_for_strangers_is_said(change: dict[str, t.Any], expected: dict[str, str]) -> None:
    assert found({**GOOD, **change}) == expected


def test_a_mailer_of_the_application_counts() -> None:
    assert found({**GOOD, "mail_url": ""}, mailer=Outbox()) == {}


class Kept(SessionInterface):
    """Keeps sessions somewhere."""


class Changing(Kept):
    def regenerate(self, session: t.Any) -> None: ...


class Held(SecureCookieSession):
    def regenerate(self) -> None: ...


class Holding(Kept):
    session_class = Held


class Longer(SecureCookieSessionInterface):
    """Still in the cookie."""

    def get_expiration_time(self, app: t.Any, session: t.Any) -> None: ...


class Elsewhere(SecureCookieSessionInterface):
    """Made of the one for cookies, and keeps sessions somewhere."""

    def open_session(self, app: t.Any, request: t.Any) -> t.Any: ...


@pytest.mark.parametrize(
    ("interface", "expected"),
    [
        (SecureCookieSessionInterface, {}),
        (Longer, {}),
        (Elsewhere, {"accounts-session-ids": "error"}),
        (Kept, {"accounts-session-ids": "error"}),
        (Changing, {}),
        (Holding, {}),
    ],
)
def test_sessions_on_the_server_need_other_ids(
    interface: type[SessionInterface], expected: dict[str, str]
) -> None:
    """Session fixation, where an id can be planted."""
    app = Erlen(__name__)
    app.secret_key = "test"
    app.session_interface = interface()
    Security(app, store=MemoryStore(), settings=Settings(**GOOD))
    assert report(app) == expected


def test_an_application_without_accounts_hears_nothing() -> None:
    assert report(Erlen(__name__)) == {}


def test_the_checks_come_in_by_the_way_that_every_extension_has() -> None:
    loaded: dict[str, list[Check]] = {one.name: one.load() for one in entry_points(group="erlen.checks")}
    assert loaded["security"] == checks
