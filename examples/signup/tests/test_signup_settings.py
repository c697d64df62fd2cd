from __future__ import annotations

import logging
import os
import stat
import typing as t
from pathlib import Path

import pytest

from erlen import Erlen
from signup.database import store
from signup.settings import kept_secret

MakeApp: t.TypeAlias = t.Callable[..., Erlen]


def test_the_database_is_kept_in_the_instance_folder(make_app: MakeApp, tmp_path: Path) -> None:
    make_app()
    assert (tmp_path / "signup.sqlite").is_file()


def test_what_was_written_is_there_after_a_restart(make_app: MakeApp) -> None:
    make_app().test_client().post("/", data={"name": "Anna", "email": "anna@example.org"})
    again = make_app(OWNER_PASSWORD="a password of some length")
    response = again.test_client().get("/owner/", auth=("owner", "a password of some length"))
    assert "anna@example.org" in response.text


def test_any_database_url_can_be_configured(make_app: MakeApp, tmp_path: Path) -> None:
    make_app(DATABASE_URL=f"sqlite:///{tmp_path / 'other.sqlite'}")
    assert (tmp_path / "other.sqlite").is_file()
    assert not (tmp_path / "signup.sqlite").exists()


def test_a_database_in_memory_is_shared_by_all_requests(make_app: MakeApp) -> None:
    app = make_app(DATABASE_URL="sqlite://", OWNER_PASSWORD="a password of some length")
    app.test_client().post("/", data={"name": "Anna", "email": "anna@example.org"})
    response = app.test_client().get("/owner/", auth=("owner", "a password of some length"))
    assert "anna@example.org" in response.text


def test_two_applications_have_two_lists(make_app: MakeApp) -> None:
    first, second = (make_app(DATABASE_URL="sqlite://", OWNER_PASSWORD="p" * 20) for _ in range(2))
    first.test_client().post("/", data={"name": "Anna", "email": "anna@example.org"})
    answer = second.test_client().get("/owner/signups.json", auth=("owner", "p" * 20)).get_json()
    assert answer["total"] == 0


def test_settings_come_from_the_environment(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNUP_PAGE_SIZE", "7")
    monkeypatch.setenv("SIGNUP_APP_NAME", "Flood")
    app = make_app()
    assert app.config["PAGE_SIZE"] == 7
    assert "<span>Flood</span>" in app.test_client().get("/").text


@pytest.mark.parametrize("password", ["1e5", "123456789012345", "true", '"quoted"', "null", "[]"])
def test_a_password_from_the_environment_stays_as_it_is(
    make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setenv("SIGNUP_OWNER_PASSWORD", password)
    assert make_app().test_client().get("/owner/", auth=("owner", password)).status_code == 200


def test_settings_come_from_a_file_in_the_instance_folder(make_app: MakeApp, tmp_path: Path) -> None:
    (tmp_path / "config.py").write_text('APP_NAME = "Flood"\n', encoding="utf-8")
    assert make_app().config["APP_NAME"] == "Flood"


def test_a_password_that_is_no_text_is_an_error(make_app: MakeApp) -> None:
    with pytest.raises(TypeError, match="OWNER_PASSWORD is int, it must be text"):
        make_app(OWNER_PASSWORD=1234)


@pytest.mark.parametrize("size", ["0", "many", -1])
def test_a_page_size_that_cannot_be_is_an_error(make_app: MakeApp, size: object) -> None:
    with pytest.raises(ValueError, match=r"it must be a whole number from 1 up\. Set SIGNUP_PAGE_SIZE=25"):
        make_app(PAGE_SIZE=size)


def test_the_secret_key_is_made_once_and_kept(make_app: MakeApp, tmp_path: Path) -> None:
    first = make_app().secret_key
    assert first == make_app().secret_key
    assert len(t.cast(str, first)) == 32
    assert first == (tmp_path / "secret-key.txt").read_text(encoding="utf-8").strip()


@pytest.mark.skipif(os.name == "nt", reason="file modes mean something else there")
def test_a_secret_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    kept_secret(tmp_path / "secret.txt")
    assert stat.S_IMODE((tmp_path / "secret.txt").stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["secret.txt"]


def test_there_is_no_default_password(make_app: MakeApp, tmp_path: Path) -> None:
    assert not make_app().config["OWNER_PASSWORD"]
    assert not (tmp_path / "owner-password.txt").exists()


def test_in_development_a_password_is_made_and_logged(
    make_app: MakeApp, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    app = make_app(DEBUG=True)
    password = (tmp_path / "owner-password.txt").read_text(encoding="utf-8").strip()
    assert f"user 'owner', password '{password}'" in caplog.text
    assert app.test_client().get("/owner/", auth=("owner", password)).status_code == 200


def test_a_configured_password_is_not_logged(make_app: MakeApp, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    make_app(DEBUG=True, OWNER_PASSWORD="short one")
    assert "The owner's password has 9 characters" in caplog.text
    assert "short one" not in caplog.text


def test_the_tables_can_be_made_by_a_command(make_app: MakeApp) -> None:
    app = make_app(DATABASE_URL="sqlite://")
    result = app.test_cli_runner().invoke(args=["init-db"])
    assert result.exit_code == 0
    assert "The tables are ready in sqlite://" in result.output


def test_tables_that_are_there_already_are_left_alone(make_app: MakeApp) -> None:
    app = make_app(OWNER_PASSWORD="p" * 20)
    app.test_client().post("/", data={"name": "Anna", "email": "anna@example.org"})
    app.test_cli_runner().invoke(args=["init-db"])
    with app.app_context():
        assert store.page("", 1, 10).total == 1
