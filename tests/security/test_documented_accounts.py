"""The pages about accounts: their examples run, their commands print what they show, their settings are those that there are."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import itertools
import json
import re
import shlex
import shutil
import subprocess
import sys
import typing as t
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from pyotp.totp import TOTP
from sqlalchemy.orm import DeclarativeBase, Session, mapped_column, sessionmaker
from werkzeug.security import generate_password_hash

from erlen import Erlen
from erlen.ext.security import Security, Settings
from erlen.ext.security.cli import commands
from erlen.ext.security.events import NAMES
from erlen.ext.security.sqlalchemy import SQLAlchemyStore, UserMixin, make_models
from erlen.testing import LiveServer
from erlen.websockets import WebSocketDisconnected
from pytest_projects import Project
from slow_bodies import SlowBody

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "accounts.md").read_text(encoding="utf-8")
SETTINGS = (DOCS / "accounts-settings.md").read_text(encoding="utf-8")
PASSWORD = "a boat with three masts"

ENV = """
from alembic import context
from sqlalchemy import NullPool, create_engine

engine = create_engine(context.config.get_main_option("sqlalchemy.url"), poolclass=NullPool)
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""

BEFORE = """
from alembic import op
revision, down_revision = "one", None
def upgrade():
    op.execute("CREATE TABLE users (id INTEGER NOT NULL PRIMARY KEY, email VARCHAR(255) NOT NULL, password VARCHAR(200) NOT NULL)")
    op.execute("INSERT INTO users VALUES (7, 'Ada@Example.com', '{hashed}')")
"""


def files() -> dict[str, str]:
    """Return the files of the page; blocks of one name are one file."""
    found: dict[str, str] = {}
    for name, text in re.findall(r"```python\n# (\S+)\n(.*?)```", PAGE, re.DOTALL):
        found[name] = found.get(name, "") + text
    return found


def examples(language: str) -> list[tuple[str, str]]:
    """Return the commands of the page with what they print, in their order."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]]
    return [(line, output) for line, _, output in (part.partition("\n") for part in parts)]


def blurred(text: str) -> str:
    """Return a text without what is another each time: times, ids, secrets."""
    text = re.sub(r"\d{4}-\d\d-\d\d([ T])\d\d:\d\d(:\d\d\.\d+\+00:00)?", "TIME", text)
    text = re.sub(r"\beyJ[\w.-]+|\berlen_\w{49}\b|\b[0-9a-f]{32}\b", "SECRET", text)
    text = re.sub(r'("refresh_token":)"[^"]+"', r'\1"SECRET"', text)
    return re.sub(r"^[0-9a-f]{8}(?= )", "ID", text, flags=re.MULTILINE)


@pytest.fixture
def club(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[t.Callable[[str], t.Any]]:
    """Write the files of the page into a folder; return what imports one of them."""
    monkeypatch.chdir(tmp_path)
    # As with 'erlen run --debug': mails are printed.
    monkeypatch.setenv("ERLEN_DEBUG", "1")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, text in files().items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    names = [name.removesuffix(".py") for name in files() if "/" not in name]

    def load(name: str) -> t.Any:
        importlib.invalidate_caches()
        return importlib.import_module(name)

    with contextlib.ExitStack() as leave:
        yield load
        for name in names:
            module = sys.modules.pop(name, None)
            engine = getattr(module, "engine", None)
            if isinstance(engine, sa.Engine):
                leave.callback(engine.dispose)


def user_of(module: t.Any, email: str, *roles: str, permissions: t.Iterable[str] = ()) -> t.Any:
    security: Security = module.security
    for role in roles:
        security.store.put_role(role, "", permissions)
    return security.accounts.create(email, PASSWORD, roles=roles)


def logged_in(app: Erlen, email: str) -> t.Any:
    client: t.Any = app.test_client()
    answer = client.post("/account/login", json={"email": email, "password": PASSWORD})
    assert answer.json["status"] == "logged_in"
    return client


def statuses(client: t.Any, *paths: str) -> list[int]:
    return [client.get(path).status_code for path in paths]


def test_every_block_of_python_has_a_file() -> None:
    assert PAGE.count("```python\n") == PAGE.count("```python\n# ")


def test_the_views_of_the_page_let_in_whom_they_say(club: t.Callable[[str], t.Any]) -> None:
    module = club("club")
    user_of(module, "ada@example.com")
    user_of(module, "bob@example.com", "editor", permissions=["articles:write", "articles:publish"])
    user_of(module, "eve@example.com", "admin", "auditor")
    everybody = "/", "/members", "/keys", "/async", "/api/articles"
    some = "/admin", "/staff", "/articles/new", "/articles/drafts", "/office/", "/bookings/1", "/welcome"
    visitor: t.Any = module.app.test_client()
    assert statuses(visitor, *everybody, *some[:-1]) == [401] * 11
    assert visitor.get("/welcome").text == "for visitors who are not logged in"
    assert visitor.get("/async/anybody").text == "Hello, visitor"
    assert visitor.get("/", headers={"Accept": "text/html"}).location.startswith("/account/login?next=/")
    ada, bob, eve = (logged_in(module.app, f"{name}@example.com") for name in ("ada", "bob", "eve"))
    assert [statuses(one, *everybody) for one in (ada, bob, eve)] == [[200] * 5] * 3
    assert statuses(ada, *some) == [403, 403, 403, 403, 403, 200, 403]
    assert statuses(bob, *some) == [403, 200, 200, 200, 403, 404, 403]
    assert statuses(eve, *some) == [200, 200, 403, 403, 200, 404, 403]
    assert ada.get("/async/anybody").text == "Hello, ada@example.com"
    assert "Sign out" in ada.get("/menu").text
    assert ["Administration" in one.get("/menu").text for one in (ada, bob, eve)] == [False, False, True]
    assert ["Write" in one.get("/menu").text for one in (ada, bob, eve)] == [False, True, False]
    assert "Anmelden" in visitor.get("/account/login", headers={"Accept": "text/html"}).text


def test_the_websocket_of_the_page_ends_with_the_session(club: t.Callable[[str], t.Any]) -> None:
    module = club("club")
    user = user_of(module, "ada@example.com")
    client = logged_in(module.app, "ada@example.com")
    with client.websocket("/live") as socket:
        socket.send("ahoy")
        assert socket.receive() == "ada@example.com: ahoy"
        module.security.store.end_sessions(user.uid)
        socket.send("ahoy")
        with pytest.raises(WebSocketDisconnected, match="1008"):
            socket.receive()


@pytest.mark.parametrize("is_asked_before", [False, True])
def test_the_body_of_the_page_is_there_before_anything_is_done(
    is_asked_before: bool, club: t.Callable[[str], t.Any]
) -> None:
    module = club("club")
    if is_asked_before:
        module.app.before_request(lambda: str(module.current_user.email) and None)
    user = user_of(module, "ada@example.com")
    client = logged_in(module.app, "ada@example.com")
    client.environ_base["HTTP_SEC_FETCH_SITE"] = "same-origin"
    assert client.post("/sell-the-club", data={"buyer": "Eve"}).text == "Sold to Eve."
    body = SlowBody(b"buyer=Eve", lambda: module.security.store.end_sessions(user.uid))
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": "9"}
    assert client.post("/sell-the-club", input_stream=body, headers=headers).status_code == 401


@pytest.mark.protocol("wsgi", "asgi")
def test_the_stream_of_the_page_ends_with_the_session(club: t.Callable[[str], t.Any]) -> None:
    module = club("club")
    module.LOOK_EVERY = 0.01
    user = user_of(module, "ada@example.com")
    client = logged_in(module.app, "ada@example.com")
    with client.get("/news", buffered=False) as answer:
        pieces = (piece for piece in answer.response if b"data:" in piece)
        assert b"ada@example.com" in next(pieces)
        module.security.store.end_sessions(user.uid)
        # What it had asked already may have been on its way.
        assert len(list(itertools.islice(pieces, 100))) < 100


def test_the_registration_of_the_page_asks_for_more(club: t.Callable[[str], t.Any]) -> None:
    module = club("club")
    client: t.Any = module.app.test_client()
    sent = {"email": "ada@example.com", "password": PASSWORD, "nickname": "Ada"}
    headers = {"Sec-Fetch-Site": "same-origin"}
    assert client.post("/join", data=sent).status_code == 403
    assert client.post("/join", data=sent, headers=headers).status_code == 202
    assert module.security.store.user_by_email("ada@example.com").nickname == "Ada"
    assert client.post("/join", data={**sent, "password": "short"}, headers=headers).status_code == 422


def test_a_role_that_asks_for_a_second_factor_is_of_no_use_to_the_application_of_the_page(
    club: t.Callable[[str], t.Any], tmp_path: Path
) -> None:
    # With one setting more.
    setting = 'SECURITY_SITE_NAME="The Harbour Club",'
    text = files()["club.py"]
    assert setting in text
    (tmp_path / "club.py").write_text(
        text.replace(setting, f'{setting} SECURITY_SECOND_FACTOR_ROLES=["admin"],'), encoding="utf-8"
    )
    module = club("club")
    user_of(module, "eve@example.com", "admin", "auditor")
    eve = logged_in(module.app, "eve@example.com")
    assert eve.get("/admin", headers={"Accept": "text/html"}).location == "/account/second-factor"
    assert eve.get("/account/second-factor").status_code == 200
    secret = eve.get("/account/second-factor/app").json
    code = TOTP(secret["secret"]).now()
    assert (
        eve.post("/account/second-factor/app", json={"sealed": secret["sealed"], "code": code}).status_code
        == 201
    )
    assert statuses(eve, "/admin") == [200]


def test_the_signal_of_the_page_is_heard(club: t.Callable[[str], t.Any]) -> None:
    module = club("club")
    client: t.Any = module.app.test_client()
    for _ in range(5):
        client.post("/account/login", json={"email": "ada@example.com", "password": "wrong"})
    assert len(module.seen) == 1
    assert module.seen[0].endswith(" 127.0.0.1")


def test_the_events_of_the_page_are_those_there_are() -> None:
    section = PAGE.partition("The events: ")[2].partition("\n\n")[0]
    assert tuple(re.findall(r"`(\w+)`", section)) == NAMES


def test_the_provider_of_the_page_is_offered(club: t.Callable[[str], t.Any]) -> None:
    module = club("club_openid")
    page = module.partner.test_client().get("/account/login", headers={"Accept": "text/html"}).text
    assert "Harbours of the World" in page
    assert Security.of(module.partner).openid.providers[0].name == "harbours"


def test_the_mailer_of_the_page_is_handed_mails(club: t.Callable[[str], t.Any]) -> None:
    mailer = club("club_mail").QueueMailer()
    module = club("club")
    app = Erlen("mailing")
    app.config.update(
        SECRET_KEY="test", SECURITY_SITE_URL="https://club.example", SECURITY_MAIL_SENDER="club@example.com"
    )
    Security(app, store=module.security.store, mailer=mailer)
    sent = {"email": "ada@example.com", "password": PASSWORD}
    assert app.test_client().post("/account/register", json=sent).status_code == 202
    mail = mailer.waiting.get(timeout=30)
    assert (mail["to"], mail["from"]) == ("ada@example.com", "club@example.com")
    assert "https://club.example/account/activate/" in mail["text"]
    app.stop_serving()


@pytest.mark.parametrize("name", ["async_club", "club_memory"])
def test_another_store_of_the_page_works(club: t.Callable[[str], t.Any], name: str) -> None:
    if name == "async_club":
        pytest.importorskip("aiosqlite")
    module = club(name)
    try:
        Security.of(module.app).accounts.create("ada@example.com", PASSWORD)
        client = logged_in(module.app, "ada@example.com")
        if name == "async_club":
            assert client.get("/").text == "Hello, ada@example.com"
    finally:
        if name == "async_club":
            module.store.close()


def test_the_breach_check_of_the_page_is_taken(club: t.Callable[[str], t.Any]) -> None:
    assert Security.of(club("club_breaches").app).passwords.problems("short")


def migrated(folder: Path, *scripts: str) -> sa.Engine:
    """Run migrations on a new database."""
    (folder / "env.py").write_text(ENV, encoding="utf-8")
    url = f"sqlite:///{folder / 'migrated.db'}"
    for number, script in enumerate(scripts):
        (folder / "versions" / f"added{number}.py").write_text(script, encoding="utf-8")
    config = Config(stdout=io.StringIO())
    config.set_main_option("script_location", str(folder))
    config.set_main_option("sqlalchemy.url", url)
    command.upgrade(config, "head")
    return sa.create_engine(url, poolclass=sa.NullPool)


def test_the_migration_of_the_page_makes_the_tables(club: t.Callable[[str], t.Any], tmp_path: Path) -> None:
    module = club("club")
    engine = migrated(tmp_path / "migrations")
    tables = {name: set(table.columns.keys()) for name, table in module.Base.metadata.tables.items()}
    inspector = sa.inspect(engine)
    made = {name: {one["name"] for one in inspector.get_columns(name)} for name in tables}
    assert made == tables


def test_the_migration_of_the_page_takes_users_along(club: t.Callable[[str], t.Any], tmp_path: Path) -> None:
    club("club")
    hashed = generate_password_hash(PASSWORD, "pbkdf2:sha256:1000")
    engine = migrated(tmp_path / "existing", BEFORE.format(hashed=hashed))
    base: t.Any = type("Base", (DeclarativeBase,), {})
    columns = {"__tablename__": "users", "id": mapped_column(sa.Integer, primary_key=True)}
    user: t.Any = type("User", (UserMixin, base), columns)
    app = Erlen("taken along")
    app.config["SECRET_KEY"] = "test"
    Security(app, store=SQLAlchemyStore(sessionmaker(engine), make_models(base, user)))
    logged_in(app, "ada@example.com")
    with Session(engine) as session:
        found = session.scalars(sa.select(user)).one()
        assert (found.id, found.password_hash[:9]) == (7, "$argon2id")
    described = {one["name"]: one["nullable"] for one in sa.inspect(engine).get_columns("users")}
    assert described == {column.name: column.nullable for column in user.__table__.columns}


def test_the_class_of_the_page_has_the_columns_of_django(club: t.Callable[[str], t.Any]) -> None:
    module = club("from_django")
    assert module.User.password_hash.property.columns[0] is module.User.__table__.columns.password
    assert module.User(password_hash="pbkdf2_sha256$1$a$b").password_hash == "pbkdf2_sha256$1$a$b"


def test_the_commands_of_the_page_print_what_it_shows(club: t.Callable[[str], t.Any]) -> None:
    module = club("club")
    runner = module.app.test_cli_runner()
    for line, output in examples("console"):
        words = shlex.split(line)
        given = ""
        if words[0] == "echo":
            given, words = f"{words[1]}\n", words[3:]
        assert words[:3] == ["erlen", "--app", "club"]
        result = runner.invoke(args=words[3:], input=given)
        assert (result.exit_code, blurred(result.stdout)) == (0, blurred(output)), line


def test_the_table_of_commands_has_every_one() -> None:
    section = PAGE.partition("\n## Commands\n")[2].partition("\n## ")[0]
    first = {cell for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for cell in [row]}
    documented: set[str] = set()
    for cell in first:
        calls = re.findall(r"`([\w -]+)`", cell)
        group = calls[0].split()[0]
        for call in calls:
            words = [word for word in call.split() if word.islower()]
            documented.add(
                " ".join(words if len(words) > 1 or group in {"log", "purge"} else [group, *words])
            )
    there = {
        f"{name} {one}".strip()
        for name, group in commands.commands.items()
        for one in (group.commands if isinstance(group, click.Group) else [""])
    }
    assert documented == there


def test_the_calls_of_curl_are_answered_as_the_page_shows(club: t.Callable[[str], t.Any]) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    module = club("club")
    user_of(module, "ada@example.com")
    shown: dict[str, str] = {}
    with LiveServer(module.app) as server:
        for line, output in examples("sh"):
            call = line.replace("http://127.0.0.1:5000", server.url)
            finished = subprocess.run(
                ["sh", "-c", call],
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
                env={"PATH": "/usr/bin:/bin", **shown},
            )
            # In debug mode it is indented.
            answer = json.loads(finished.stdout)
            assert json.loads(blurred(json.dumps(answer, separators=(",", ":")))) == json.loads(
                blurred(output)
            ), line
            names = "token", "access_token", "refresh_token"
            # The page shows the first refresh token twice.
            shown = {name.upper(): answer[name] for name in names if name in answer} | shown


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    project = Project(tmp_path)
    for name in ("club.py", "tests/test_club.py"):
        project.write(name, files()[name])
    project.configure("pythonpath = .", "erlen_app = club:app")
    outcome = project.run("--import-mode=importlib")
    assert outcome.counts == {"passed": 3}, outcome.text


# The settings


def rows() -> list[tuple[str, str]]:
    return re.findall(r"^\| `SECURITY_(\w+)` \| `(.*?)` \| \S", SETTINGS, re.MULTILINE)


def test_the_page_about_settings_has_each_with_its_default() -> None:
    documented = {name.lower(): eval(text, {"timedelta": timedelta}) for name, text in rows()}
    assert documented == {field.name: field.default for field in dataclasses.fields(Settings)}
    assert len(documented) == len(rows())


def test_there_are_at_most_forty_settings() -> None:
    assert len(dataclasses.fields(Settings)) <= 40


def test_the_example_of_the_page_about_settings_works() -> None:
    [block] = re.findall(r"```python\n(.*?)```", SETTINGS, re.DOTALL)
    names: dict[str, t.Any] = {}
    exec(block, names)
    assert names["settings"].session_idle == timedelta(hours=2)


def test_settings_that_the_pages_name_are_there() -> None:
    named = {
        name
        for page in DOCS.glob("accounts*.md")
        for name in re.findall(r"SECURITY_([A-Z0-9_]+)", page.read_text(encoding="utf-8"))
    }
    # Of Flask-Security.
    named -= {"PASSWORD_SALT", "PASSWORD_SINGLE_HASH"}
    assert {name.lower() for name in named if name} <= {field.name for field in dataclasses.fields(Settings)}


def test_the_field_of_the_page_is_asked_for(club: t.Callable[[str], t.Any]) -> None:
    module = club("club_fields")
    page = module.app.test_client().get("/account/register", headers={"Accept": "text/html"}).text
    assert "Nickname" in page


def test_the_frame_of_the_page_is_around_the_pages(tmp_path: Path, club: t.Callable[[str], t.Any]) -> None:
    [frame] = re.findall(r"^```jinja\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    templates = tmp_path / "templates"
    (templates / "security").mkdir(parents=True)
    (templates / "security" / "base.html").write_text(frame, encoding="utf-8")
    (templates / "layout.html").write_text("<main>{% block main %}{% endblock %}</main>", encoding="utf-8")
    text = club("club").app.test_client().get("/account/login", headers={"Accept": "text/html"}).text
    assert text.startswith('<main><div class="security">')
    assert text.endswith("</div></main>")
    assert 'name="password"' in text
