"""What an application asks those who register, beside address and password."""

from __future__ import annotations

import typing as t

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker
from sqlalchemy.pool import StaticPool

from erlen import Erlen
from erlen.ext.security import ConfigurationError, Field, Security, Settings
from erlen.ext.security.mail import Outbox
from erlen.ext.security.sqlalchemy import SQLAlchemyStore, UserMixin, make_models

PAGE = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
JSON = {"Accept": "application/json"}
SENT = {"email": "ada@example.com", "password": "a boat with three masts"}


class Base(DeclarativeBase):
    pass


class Member(UserMixin, Base):
    __tablename__ = "members"
    id: Mapped[int] = mapped_column(primary_key=True)
    nickname: Mapped[str] = mapped_column(default="")
    boat: Mapped[str] = mapped_column(default="none")
    letters: Mapped[bool] = mapped_column(default=False)


MODELS = make_models(Base, Member)
FIELDS = (
    Field(name="nickname", label="Nickname", hint="What others see.", max_length=20),
    Field(
        name="boat",
        label="Boat",
        kind="choice",
        choices=(("sail", "Sails"), ("oars", "Oars")),
        required=False,
    ),
    Field(name="letters", label="Send me letters", kind="checkbox", required=False),
)


@pytest.fixture
def app() -> t.Iterator[Erlen]:
    app = Erlen(__name__)
    app.secret_key = "test"
    app.testing = True
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    Base.metadata.create_all(engine)
    settings = Settings(site_url="https://example.test", argon2_memory=7168, argon2_time=1)
    store = SQLAlchemyStore(sessionmaker(engine), MODELS)
    Security(app, store=store, settings=settings, mailer=Outbox(), register_fields=FIELDS)
    yield app
    engine.dispose()


def member(app: Erlen) -> t.Any:
    return Security.of(app).store.user_by_email("ada@example.com")


def test_the_page_has_the_fields_and_the_user_what_was_written(app: Erlen) -> None:
    client: t.Any = app.test_client()
    page = client.get("/account/register", headers=PAGE).text
    for text in ('name="nickname"', "What others see.", 'maxlength="20"', "Sails", "Send me letters"):
        assert text in page
    sent = {**SENT, "nickname": "Ada", "boat": "oars", "letters": "yes"}
    assert client.post("/account/register", data=sent, headers=PAGE).status_code == 303
    found = member(app)
    assert (found.nickname, found.boat, found.letters) == ("Ada", "oars", True)


def test_what_is_missing_or_not_offered_is_said_at_the_field(app: Erlen) -> None:
    client: t.Any = app.test_client()
    answer = client.post("/account/register", data={**SENT, "boat": "steam"}, headers=PAGE)
    assert answer.status_code == 422
    assert 'id="nickname-error"' in answer.text
    assert 'id="boat-error"' in answer.text
    assert member(app) is None
    told = client.post("/account/register", json={**SENT, "nickname": 7}, headers=JSON)
    assert (told.status_code, list(told.get_json()["errors"])) == (422, ["nickname"])


def test_nobody_registers_with_attributes_that_are_not_asked_for(app: Erlen) -> None:
    """Mass assignment: a form may not make an administrator."""
    client: t.Any = app.test_client()
    more = {"is_active": False, "login_count": 7, "roles": ["admin"], "id": 9}
    answer = client.post("/account/register", json={**SENT, "nickname": "Ada", **more}, headers=JSON)
    assert answer.status_code == 422
    client.post("/account/register", data={**SENT, "nickname": "Ada", "login_count": "7"}, headers=PAGE)
    assert member(app).login_count == 0


def test_of_two_registrations_of_one_address_the_values_of_the_last_count(app: Erlen) -> None:
    """What somebody else has written before its owner came is not kept."""
    client: t.Any = app.test_client()
    for name in ("Eve", "Ada"):
        answer = client.post("/account/register", json={**SENT, "nickname": name}, headers=JSON)
        assert answer.status_code == 202
    assert member(app).nickname == "Ada"


def test_the_document_has_the_fields(app: Erlen) -> None:
    client: t.Any = app.test_client()
    schema = client.get("/account/openapi.json").get_json()["components"]["schemas"]["register"]
    assert set(schema["properties"]) == {"email", "password", "nickname", "boat", "letters"}
    assert set(schema["required"]) == {"email", "password", "nickname"}
    assert schema["properties"]["boat"]["enum"] == ["sail", "oars"]


@pytest.mark.parametrize("name", ["email", "login_count", "csrf_token", "roles"])
def test_a_field_that_visitors_may_not_choose_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Security(register_fields=[Field(name=name)])
