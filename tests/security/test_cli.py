"""``erlen security``: users, roles, tokens, sessions and the log from the command line."""

from __future__ import annotations

import collections.abc as cabc
import json
import os
import re
import sys
import textwrap
import typing as t
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.exc import OperationalError

from erlen import Erlen
from erlen.cli import ErlenGroup
from erlen.ext.security.cli import commands
from erlen.ext.security.emails import parse_email
from erlen.ext.security.errors import WeakPassword
from erlen.ext.security.events import Events
from erlen.ext.security.keys import Keys, digest
from erlen.ext.security.kit import Kit
from erlen.ext.security.settings import Settings
from erlen.ext.security.tokens import Tokens
from erlen.ext.security.types import Client, Passkey, SessionRecord, User
from memory_store import MemoryStore
from moved_clock import Clock
from terminals import Terminal

PASSWORD = "a long enough sentence"


class PlainAccounts:
    """As small as accounts can be: what the commands call, on the store alone."""

    def __init__(self, kit: Kit) -> None:
        self.kit, self.store = kit, kit.store

    def create(
        self,
        email: str,
        password: str | None = None,
        *,
        activated: bool = True,
        roles: cabc.Iterable[str] = (),
    ) -> User:
        self._check(password or PASSWORD)
        address = parse_email(email)
        user = self.store.add_user(
            email=address.address,
            email_key=address.key,
            password_hash=password and f"hash of {password}",
            created_at=self.kit.clock(),
            activated_at=self.kit.clock() if activated else None,
        )
        for role in roles:
            self.store.grant(user.uid, role)
        return self.store.user(user.uid) or user

    def set_active(self, user: User, active: bool) -> None:
        self.store.change_user(user.uid, is_active=active)

    def set_password(self, user: User, password: str) -> None:
        self._check(password)
        self.store.change_user(user.uid, password_hash=f"hash of {password}")

    def delete(self, user: User) -> None:
        self.store.delete_user(user.uid)

    def _check(self, password: str) -> None:
        if len(password) < 12:
            raise WeakPassword(["The password is shorter than 12 characters."])


class PlainSessions:
    """Sessions, on the store alone."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    def all(self, user: User) -> cabc.Sequence[SessionRecord]:
        return self.store.sessions(user.uid)

    def revoke(self, user: User, id: str) -> bool:
        return self.store.end_session_by_id(user.uid, id)

    def revoke_all(self, user: User) -> int:
        return self.store.end_sessions(user.uid)


class PlainFactors:
    """Passkeys, on the store alone."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store

    def available(self, user: User) -> list[str]:
        return ["passkey"] if self.store.passkeys(user.uid) else []

    def remove_all(self, user: User) -> bool:
        return any(
            self.store.delete_passkey(user.uid, one.credential_id) for one in self.store.passkeys(user.uid)
        )


@dataclass
class PlainSecurity:
    """What the commands ask of the extension."""

    kit: Kit
    store: MemoryStore
    tokens: Tokens
    accounts: PlainAccounts
    sessions: PlainSessions
    factors: PlainFactors


@pytest.fixture
def security(settings: Settings, store: MemoryStore, clock: Clock) -> PlainSecurity:
    kit = Kit(
        settings=replace(settings, scopes=("orders:read", "orders:write")),
        store=store,
        keys=Keys(["key"]),
        events=Events(store, clock, None, Client),
        clock=clock,
    )
    return PlainSecurity(
        kit, store, Tokens(kit), PlainAccounts(kit), PlainSessions(store), PlainFactors(store)
    )


@pytest.fixture
def app(security: PlainSecurity) -> Erlen:
    app = Erlen("shop", static_folder=None)
    app.extensions["security"] = security
    app.cli.add_command(commands)
    return app


class Run(t.Protocol):
    def __call__(self, *arguments: str, input: str | bytes | None = None) -> Result: ...


@pytest.fixture
def run(app: Erlen) -> Run:
    """Run a command of the group as ``erlen`` does; standard input is no terminal."""

    def run(*arguments: str, input: str | bytes | None = None) -> Result:
        program = ErlenGroup(create_app=lambda: app)
        result = CliRunner().invoke(program, ["security", *arguments], input=input)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        assert (
            max(map(len, result.stdout.splitlines()), default=0) <= 80
            or "--json" in arguments
            or "list" not in arguments
        )
        return result

    return run


def output_of(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(result: Result, code: int) -> str:
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return " ".join(result.stderr.split())


@pytest.fixture
def ada(security: PlainSecurity) -> User:
    return security.accounts.create("ada@example.com", PASSWORD)


def session_of(user: User, clock: Clock, number: int) -> SessionRecord:
    return SessionRecord(
        key=digest(f"secret {number}"),
        id=f"{number}" * 32,
        uid=user.uid,
        methods=("password", "totp"),
        created_at=clock(),
        authenticated_at=clock(),
        last_seen_at=clock(),
        expires_at=clock() + timedelta(days=1),
        address="2001:db8::1",
        agent="Mozilla/5.0\x1b[2J (X11)",
    )


# The group


def test_the_help_names_every_command(run: Run) -> None:
    assert {"users", "roles", "tokens", "sessions", "log", "purge"} <= set(output_of(run("--help")).split())
    assert "create" in output_of(run("users", "--help"))


def test_an_application_without_accounts_is_told_what_it_lacks() -> None:
    app = Erlen("bare", static_folder=None)
    app.cli.add_command(commands)
    for command in (["users", "list"], ["log"], ["purge"]):
        result = app.test_cli_runner().invoke(args=["security", *command])
        message = refused(result, 1)
        assert "The application 'bare' has no accounts" in message
        assert "Security(app, store=...)" in message


class Unreachable(MemoryStore):
    def users(self, search: str = "", *, limit: int = 100, offset: int = 0) -> t.NoReturn:
        raise OperationalError("SELECT 1", {}, Exception("no such table: users"))

    def roles(self) -> t.NoReturn:
        raise RuntimeError("a mistake of the application")


def test_a_database_without_tables_is_no_traceback(app: Erlen, security: PlainSecurity, run: Run) -> None:
    security.store = Unreachable()
    message = refused(run("users", "list"), 1)
    assert (
        "The database refused: (builtins.Exception) no such table: users See whether it runs and has the tables"
        in message
    )
    # What is not of the database keeps its traceback.
    result = app.test_cli_runner().invoke(args=["security", "roles", "list"])
    assert isinstance(result.exception, RuntimeError)


@pytest.mark.parametrize("name", ["nobody@example.com", "0" * 32, "", " ", "\udcff", "\x1b[2J@example.com"])
def test_a_user_who_is_not_there_is_named_in_the_message(run: Run, name: str) -> None:
    message = refused(run("users", "show", name), 1)
    assert "There is no user" in message or "cannot be used. This is" in message
    assert "\x1b" not in message


# Users


def test_an_account_is_made_with_a_password_from_standard_input(run: Run, store: MemoryStore) -> None:
    store.put_role("editor")
    output = output_of(
        run(
            "users",
            "create",
            "Ada@Example.com",
            "--role",
            "editor",
            "--password-stdin",
            input=f"{PASSWORD}\r\n",
        )
    )
    user = store.user_by_email("ada@example.com")
    assert user is not None
    assert output == f"Made the account of {user.email}, uid {user.uid}.\n"
    assert user.password_hash == f"hash of {PASSWORD}"
    assert user.has_role("editor")
    assert user.activated_at is not None


def test_an_account_is_made_without_a_password_and_not_activated(run: Run, store: MemoryStore) -> None:
    made = json.loads(
        output_of(run("users", "create", "a@example.com", "--no-password", "--not-activated", "--json"))
    )
    user = store.user(made["uid"])
    assert user is not None
    assert (made["has_password"], made["activated_at"], user.password_hash) == (False, None, None)


@pytest.mark.parametrize(
    ("arguments", "given", "code", "message"),
    [
        (["not an address", "--no-password"], None, 1, "'not an address' cannot be used. This is no address"),
        (["ada@example.com", "--no-password"], None, 1, "'ada@example.com' has an account"),
        (["b@example.com", "--no-password", "--role", "x"], None, 1, "There is no role 'x'. Make one with"),
        (["b@example.com", "--no-password", "--password-stdin"], None, 2, "exclude each other"),
        (
            ["b@example.com"],
            PASSWORD,
            2,
            "standard input is no terminal. Write it to standard input and add --password-stdin",
        ),
        (["b@example.com", "--password-stdin"], "", 1, "Standard input is empty"),
        (["b@example.com", "--password-stdin"], "\n", 1, "Standard input is empty"),
        (["b@example.com", "--password-stdin"], "a\nb\n", 1, "Standard input has more than one line"),
        (["b@example.com", "--password-stdin"], "x" * 2**20, 1, "Standard input is too long"),
        (["b@example.com", "--password-stdin"], b"\xff\xfe", 1, "Standard input is not UTF-8"),
        (["b@example.com", "--password-stdin"], "short", 1, "The password is shorter than 12 characters."),
        (["b@example.com", "--password", PASSWORD], None, 2, "No such option"),
        (["b@example.com", PASSWORD], None, 2, "unexpected extra argument"),
        ([], None, 2, "Missing argument 'EMAIL'"),
    ],
)
def test_an_account_that_cannot_be_made_is_not_made(
    run: Run, ada: User, store: MemoryStore, arguments: list[str], given: t.Any, code: int, message: str
) -> None:
    assert message in refused(run("users", "create", *arguments, input=given), code)
    assert [user.email for user in store.users()] == [ada.email]


def test_users_are_listed(run: Run, security: PlainSecurity, ada: User, clock: Clock) -> None:
    bob = security.accounts.create("bob@example.com", activated=False)
    eve = security.accounts.create("eve@example.com")
    security.accounts.set_active(eve, active=False)
    for role in ("admin", "editor"):
        security.store.put_role(role)
        security.store.grant(ada.uid, role)
    security.store.note_login(ada.uid, clock(), "192.0.2.1")
    table = """\
        E-mail           State          Roles          Last login
        ---------------  -------------  -------------  ----------------
        ada@example.com  active         admin, editor  2030-01-02 03:04
        bob@example.com  not activated                 never
        eve@example.com  switched off                  never
        """
    assert output_of(run("users", "list")) == textwrap.dedent(table)
    assert bob.email in output_of(run("users", "list", "--search", "bob"))
    first = run("users", "list", "--limit", "1")
    assert "bob" not in output_of(first)
    assert "These are the first 1. Add --search or --limit" in first.stderr
    assert output_of(run("users", "list", "--search", "zed")) == "No address contains 'zed'.\n"


def test_a_list_of_nobody_says_so(run: Run) -> None:
    assert output_of(run("users", "list")) == "There are no users.\n"
    assert json.loads(output_of(run("users", "list", "--json"))) == {"users": []}
    assert refused(run("users", "list", "--limit", "0"), 2)
    assert "characters that no address has" in refused(run("users", "list", "--search", "\udcff"), 2)


def test_no_output_has_the_hash_of_a_password_or_a_secret(
    run: Run, security: PlainSecurity, ada: User
) -> None:
    security.store.change_user(ada.uid, totp_secret="sealed secret")
    for command in (["users", "show", ada.uid], ["users", "list"]):
        for form in ([], ["--json"]):
            output = output_of(run(*command, *form))
            assert "ada@example.com" in output
            assert "hash of" not in output
            assert "sealed" not in output


def test_a_user_is_shown(run: Run, ada: User, clock: Clock, security: PlainSecurity) -> None:
    security.store.note_login(ada.uid, clock(), "192.0.2.1")
    security.store.add_session(session_of(ada, clock, 1), 9)
    security.tokens.create_api_token(ada, "ci", [])
    shown = f"""\
        E-mail          ada@example.com
        Uid             {ada.uid}
        State           active
        Roles           none
        Password        changed never
        Second factors  none
        Made            2030-01-02 03:04
        Activated       2030-01-02 03:04
        Last login      2030-01-02 03:04 from 192.0.2.1
        Before that     never
        Logins          1, and 0 failed since the last one
        Sessions        1
        Tokens          1 named token, 0 logins of programs
        """
    assert output_of(run("users", "show", "ADA@example.com")) == textwrap.dedent(shown)


def test_an_account_is_switched_off_and_on(run: Run, store: MemoryStore, ada: User) -> None:
    for _ in range(2):
        assert (
            output_of(run("users", "deactivate", ada.email))
            == "The account of ada@example.com is switched off.\n"
        )
    assert "switched off" in output_of(run("users", "list"))
    result = run("users", "activate", ada.email)
    assert output_of(result) == "The account of ada@example.com is switched on.\n"
    assert not result.stderr
    assert (user := store.user(ada.uid))
    assert user.is_active


def test_an_address_is_confirmed_only_when_that_is_asked_for(
    run: Run, security: PlainSecurity, store: MemoryStore
) -> None:
    bob = security.accounts.create("bob@example.com", activated=False)
    assert "--confirm-address" in run("users", "activate", bob.email).stderr
    assert (user := store.user(bob.uid))
    assert user.activated_at is None
    assert not run("users", "activate", bob.email, "--confirm-address").stderr
    assert (user := store.user(bob.uid))
    assert user.activated_at == security.kit.clock()
    assert [(event.name, event.details) for event in store.events(bob.uid)] == [
        ("activated", {"by": "command line"})
    ]


def test_a_password_is_reset(run: Run, store: MemoryStore, ada: User) -> None:
    other = "another long enough sentence"
    assert "has a new password" in output_of(
        run("users", "reset-password", ada.email, "--password-stdin", input=other)
    )
    assert (user := store.user(ada.uid))
    assert user.password_hash == f"hash of {other}"
    assert "shorter than 12" in refused(
        run("users", "reset-password", ada.email, "--password-stdin", input="x"), 1
    )
    assert "--password-stdin" in refused(run("users", "reset-password", ada.email, input=other), 2)


def test_factors_are_reset_and_sessions_end_with_them(
    run: Run, security: PlainSecurity, store: MemoryStore, ada: User, clock: Clock
) -> None:
    assert output_of(run("users", "reset-factors", ada.email)) == "ada@example.com has no second factor.\n"
    key = Passkey(
        credential_id="c", uid=ada.uid, public_key="k", sign_count=0, name="phone", created_at=clock()
    )
    store.add_passkey(key)
    store.add_session(session_of(ada, clock, 1), 9)
    pair = security.tokens.pair(ada, [], [])
    assert "Remove passkey of ada@example.com? Standard input is no terminal" in refused(
        run("users", "reset-factors", ada.email, input="y\n"), 2
    )
    assert store.passkeys(ada.uid)
    assert "were removed" in output_of(run("users", "reset-factors", ada.email, "--yes"))
    assert not store.passkeys(ada.uid)
    assert not store.sessions(ada.uid)
    assert security.tokens.authenticate(pair.access_token) is None


def test_an_account_is_deleted_when_that_is_confirmed(run: Run, store: MemoryStore, ada: User) -> None:
    assert "Add --yes" in refused(run("users", "delete", ada.email, input="y\n"), 2)
    assert store.user(ada.uid)
    assert "was deleted" in output_of(run("users", "delete", ada.uid, "--yes"))
    assert not store.users()


# On a terminal


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an application of one user."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text(
        textwrap.dedent(
            """
            from datetime import UTC, datetime

            from erlen import Erlen
            from erlen.ext.security.cli import commands
            from erlen.ext.security.events import Events
            from erlen.ext.security.keys import Keys
            from erlen.ext.security.kit import Kit
            from erlen.ext.security.settings import Settings
            from erlen.ext.security.tokens import Tokens
            from erlen.ext.security.types import Client
            from memory_store import MemoryStore
            from test_cli import PlainAccounts, PlainFactors, PlainSecurity, PlainSessions

            store = MemoryStore()

            def clock():
                return datetime(2030, 1, 2, tzinfo=UTC)

            events = Events(store, clock, None, Client)
            kit = Kit(settings=Settings(), store=store, keys=Keys(["k"]), events=events, clock=clock)
            accounts = PlainAccounts(kit)
            accounts.create("ada.countess.of.lovelace@analytical-engine.example.com")
            app = Erlen(__name__)
            app.extensions["security"] = PlainSecurity(
                kit, store, Tokens(kit), accounts, PlainSessions(store), PlainFactors(store)
            )
            app.cli.add_command(commands)
            store.put_role("administrator")
            store.put_role("editor-in-chief")
            for role in store.roles():
                store.grant(store.users()[0].uid, role.name)
            """
        ),
        encoding="utf-8",
    )
    return tmp_path


def terminal(*arguments: str, columns: int = 80) -> Terminal:
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parent / "support")])
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": str(columns), "NO_COLOR": "1"}
    return Terminal("-m", "erlen", "security", *arguments, environment=environment, columns=columns)


needs_terminal = pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal, which Windows lacks")


@needs_terminal
def test_a_password_is_asked_for_twice_and_not_shown(folder: Path) -> None:
    with terminal("users", "create", "bob@example.com") as program:
        program.until(re.escape("New password for bob@example.com: "))
        program.type(f"{PASSWORD}\n")
        program.until(re.escape("Repeat for confirmation: "))
        program.type("something else\n")
        program.until(re.escape("do not match"))
        program.until(re.escape("New password for bob@example.com: "))
        program.type(f"{PASSWORD}\n")
        program.until(re.escape("Repeat for confirmation: "))
        program.type(f"{PASSWORD}\n")
        program.until(re.escape("Made the account of bob@example.com"))
        assert program.ends() == 0
        assert PASSWORD not in program.text


@needs_terminal
def test_ctrl_c_at_a_question_ends_with_130(folder: Path) -> None:
    name = "ada.countess.of.lovelace@analytical-engine.example.com"
    for command, question in [("delete", "cannot be undone. [y/N]"), ("reset-password", "New password")]:
        with terminal("users", command, name) as program:
            program.until(re.escape(question))
            program.interrupt("Stopped")
            assert program.ends() == 130
            assert "Traceback" not in program.text


@needs_terminal
def test_no_is_an_answer(folder: Path) -> None:
    name = "ada.countess.of.lovelace@analytical-engine.example.com"
    with terminal("users", "delete", name) as program:
        program.until(re.escape("[y/N]"))
        program.type("n\n")
        assert program.ends() == 1
        assert "Nothing was changed." in program.text


@needs_terminal
def test_a_table_is_no_wider_than_the_terminal(folder: Path) -> None:
    with terminal("users", "list", columns=60) as program:
        assert program.ends() == 0
        lines = [line for line in program.text.splitlines() if line.strip()]
    assert max(map(len, lines)) <= 60
    words = "".join("".join(line[:19].split()) for line in lines)
    assert "lovelace" in words
    assert any(line.endswith("never") for line in lines)


# Roles


def test_roles_are_made_granted_withdrawn_and_deleted(run: Run, store: MemoryStore, ada: User) -> None:
    assert output_of(run("roles", "list")) == "There are no roles.\n"
    made = run(
        "roles",
        "create",
        "editor",
        "--permission",
        "write",
        "--permission",
        "read",
        "--description",
        "Writes.",
    )
    assert output_of(made) == "Made the role editor.\n"
    table = """\
        Role    Permissions  Description
        ------  -----------  -----------
        editor  read, write  Writes.
        """
    assert output_of(run("roles", "list")) == textwrap.dedent(table)
    assert json.loads(output_of(run("roles", "list", "--json"))) == {
        "roles": [{"name": "editor", "description": "Writes.", "permissions": ["read", "write"]}]
    }
    assert (
        output_of(run("roles", "grant", ada.email, "editor")) == "ada@example.com has the role editor now.\n"
    )
    assert (
        output_of(run("roles", "grant", ada.email, "editor"))
        == "ada@example.com has the role editor already.\n"
    )
    assert "any more" in output_of(run("roles", "withdraw", ada.email, "editor"))
    assert "does not have the role" in output_of(run("roles", "withdraw", ada.email, "editor"))
    run("roles", "grant", ada.email, "editor")
    assert "Add --yes" in refused(run("roles", "delete", "editor"), 2)
    assert "was deleted" in output_of(run("roles", "delete", "editor", "--yes"))
    assert (user := store.user(ada.uid))
    assert not user.roles
    assert [(event.name, dict(event.details)) for event in reversed(store.events())] == [
        ("role_granted", {"role": "editor", "by": "command line"}),
        ("role_withdrawn", {"role": "editor", "by": "command line"}),
        ("role_granted", {"role": "editor", "by": "command line"}),
        ("role_withdrawn", {"role": "editor", "by": "command line", "of": "all users"}),
    ]


def test_a_role_is_not_changed_by_accident(run: Run, store: MemoryStore) -> None:
    store.put_role("admin", "Everything.", ["all"])
    assert "There is a role 'admin'. Add --change" in refused(run("roles", "create", "admin"), 1)
    assert (role := store.role("admin"))
    assert set(role.permissions) == {"all"}
    assert (
        output_of(run("roles", "create", "admin", "--change", "--permission", "some"))
        == "Changed the role admin.\n"
    )
    assert (role := store.role("admin"))
    assert set(role.permissions) == {"some"}
    assert "There is no role 'other'. There are: admin." in refused(
        run("roles", "create", "other", "--change"), 1
    )


@pytest.mark.parametrize("name", ["", " ", "a ", "x" * 81, "a\nb", "\x1b[2J", "\udcff"])
def test_a_name_that_is_none_makes_no_role(run: Run, store: MemoryStore, name: str) -> None:
    for arguments in ([name], ["editor", "--permission", name]):
        assert "no name of a role or a permission" in refused(run("roles", "create", *arguments), 2)
    assert not store.roles()


def test_a_role_that_is_not_there_is_named(run: Run, ada: User) -> None:
    for command in (["grant", ada.email, "x"], ["withdraw", ada.email, "x"], ["delete", "x", "--yes"]):
        assert "There is no role 'x'. Make one with 'erlen security roles create'." in refused(
            run("roles", *command), 1
        )


# Tokens


def test_a_token_is_printed_alone_and_once(run: Run, security: PlainSecurity, ada: User) -> None:
    result = run("tokens", "create", ada.email, "--name", "backup", "--scope", "orders:read", "--days", "7")
    secret = output_of(result).removesuffix("\n")
    found = security.tokens.authenticate(secret)
    assert found is not None
    assert found.scopes == frozenset({"orders:read"})
    assert "shown this once. It works until 2030-01-09 03:04 UTC." in result.stderr
    for form in ([], ["--json"]):
        assert secret not in output_of(run("tokens", "list", ada.email, *form))
    made = json.loads(output_of(run("tokens", "create", ada.email, "--name", "other", "--json")))
    assert security.tokens.authenticate(made["token"])
    assert made["expires_at"] == "2030-04-02T03:04:05+00:00"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--name", ""], 1, "A token needs a name"),
        (["--name", "x", "--days", "91"], 1, "lives for 90 days at most"),
        (["--name", "x", "--days", "9" * 30], 1, "lives for 90 days at most"),
        (["--name", "x", "--days", "0"], 2, "not in the range"),
        (["--name", "x", "--scope", "admin"], 1, "There are: orders:read, orders:write."),
        ([], 2, "Missing option '--name'"),
    ],
)
def test_a_token_that_cannot_be_is_not_made(
    run: Run, security: PlainSecurity, ada: User, arguments: list[str], code: int, message: str
) -> None:
    assert message in refused(run("tokens", "create", ada.email, *arguments), code)
    assert not security.tokens.api_tokens(ada)


def test_tokens_are_listed_and_revoked_by_the_beginning_of_their_id(
    run: Run, security: PlainSecurity, ada: User, clock: Clock
) -> None:
    assert output_of(run("tokens", "list", ada.email)) == "ada@example.com has no tokens.\n"
    secret, token = security.tokens.create_api_token(ada, "backup", ["orders:read"], timedelta(minutes=1))
    kept, other = security.tokens.create_api_token(ada, "ci", [])
    pair = security.tokens.pair(ada, [], ["password"])
    (family,) = security.tokens.families(ada)
    security.tokens.authenticate(secret)
    clock.forward(minutes=1)
    lines = output_of(run("tokens", "list", ada.email)).splitlines()
    assert lines[0].split() == "Id Name Scopes Works until Last used".split()
    assert sorted(lines[2:]) == sorted(
        [
            f"{token.id[:8]}  backup   orders:read  expired           2030-01-02 03:04",
            f"{other.id[:8]}  ci                    2030-04-02 03:04  never",
            f"{family.id[:8]}  (login)               2030-04-02 03:04  never",
        ]
    )
    assert {
        one["kind"] for one in json.loads(output_of(run("tokens", "list", ada.email, "--json")))["tokens"]
    } == {
        "named",
        "login",
    }
    assert "no token whose id begins with 'zz'" in refused(run("tokens", "revoke", ada.email, "zz"), 1)
    assert "no token whose id begins with ''" in refused(run("tokens", "revoke", ada.email, ""), 1)
    assert (
        output_of(run("tokens", "revoke", ada.email, other.id[:8])) == "Revoked 1 token of ada@example.com.\n"
    )
    assert security.tokens.authenticate(kept) is None
    assert security.tokens.authenticate(pair.access_token)
    assert output_of(run("tokens", "revoke", ada.email, "--all")) == "Revoked 2 tokens of ada@example.com.\n"
    assert security.tokens.authenticate(pair.access_token) is None
    for arguments in ([], ["abc", "--all"]):
        assert "or all of them with --all" in refused(run("tokens", "revoke", ada.email, *arguments), 2)


def test_an_id_that_two_begin_with_is_not_guessed(run: Run, security: PlainSecurity, ada: User) -> None:
    for number in range(17):
        security.tokens.create_api_token(ada, str(number), [])
    starts = [token.id[0] for token in security.tokens.api_tokens(ada)]
    # Of 17 ids two begin with one of 16 digits.
    twice = next(start for start in starts if starts.count(start) > 1)
    assert "of more than one token begins with" in refused(run("tokens", "revoke", ada.email, twice), 1)
    assert len(security.tokens.api_tokens(ada)) == 17


# Sessions, the log, upkeep


def test_sessions_are_listed_and_ended(run: Run, security: PlainSecurity, ada: User, clock: Clock) -> None:
    assert output_of(run("sessions", "list", ada.email)) == "ada@example.com has no sessions.\n"
    for number in (1, 2, 3):
        security.store.add_session(session_of(ada, clock, number), 9)
    output = output_of(run("sessions", "list", ada.email))
    assert "11111111  password, totp  2030-01-02 03:04  2001:db8::1" in output
    assert "\x1b" not in output
    as_json = output_of(run("sessions", "list", ada.email, "--json"))
    assert len(json.loads(as_json)["sessions"]) == 3
    assert digest("secret 1") not in as_json
    assert output_of(run("sessions", "revoke", ada.email, "2")) == "Ended 1 session of ada@example.com.\n"
    assert {one.id[0] for one in security.store.sessions(ada.uid)} == {"1", "3"}
    security.tokens.pair(ada, [], [])
    ended = output_of(run("sessions", "revoke", ada.email, "--all"))
    assert ended == "Ended 2 sessions and 1 login of programs of ada@example.com.\n"
    assert "or all of them with --all" in refused(run("sessions", "revoke", ada.email), 2)


def test_the_log_is_shown(run: Run, security: PlainSecurity, ada: User, clock: Clock) -> None:
    assert output_of(run("log")) == "The log has nothing of that.\n"
    tell = security.kit.events.tell
    tell("logged_in", ada, methods=["password", "totp"], remember=True)
    clock.forward(minutes=1)
    tell("login_failed", None, email="x\ny", reason="unknown")
    gone = security.accounts.create("gone@example.com")
    tell("account_deleted", gone)
    security.store.delete_user(gone.uid)
    assert output_of(run("log")) == textwrap.dedent(
        f"""\
        Time              Event            User             Address
        ----------------  ---------------  ---------------  -------
        2030-01-02 03:05  account_deleted  ({gone.uid[:8]})
        2030-01-02 03:05  login_failed
            email: x\ufffdy; reason: unknown
        2030-01-02 03:04  logged_in        ada@example.com
            methods: password, totp; remember: true
        """
    )
    assert len(output_of(run("log", "--user", ada.email)).splitlines()) == 4
    assert len(output_of(run("log", "--event", "login_failed")).splitlines()) == 4
    (event,) = json.loads(output_of(run("log", "--limit", "1", "--json")))["events"]
    assert event == {
        "at": "2030-01-02T03:05:05+00:00",
        "name": "account_deleted",
        "uid": gone.uid,
        "address": None,
        "agent": "",
        "details": {},
    }


def test_an_event_that_is_none_has_a_hint(run: Run) -> None:
    assert "'login_failde' is no event. Did you mean 'login_failed'?" in refused(
        run("log", "--event", "login_failde"), 2
    )
    assert "There are: registered, activated" in refused(run("log", "--event", "zzz"), 2)


def test_what_has_expired_is_purged(run: Run, security: PlainSecurity, ada: User, clock: Clock) -> None:
    security.store.add_session(session_of(ada, clock, 1), 9)
    assert output_of(run("purge")) == "Deleted 0 rows that had expired.\n"
    clock.forward(days=1)
    assert output_of(run("purge")) == "Deleted 1 row that had expired.\n"
