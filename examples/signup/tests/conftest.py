"""The application with a database of its own for each test."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest

# The example is a folder to copy, not an installed distribution.
sys.path.insert(0, str(Path(__file__).parents[1]))

from erlen import Erlen
from erlen.testing import ErlenClient
from signup import create_app
from signup.addresses import EmailAddress
from signup.database import store

PASSWORD = "correct horse ✓ staple"


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OWNER_PASSWORD", "OWNER_NAME", "DATABASE_URL", "SECRET_KEY", "PAGE_SIZE"):
        monkeypatch.delenv(f"SIGNUP_{name}", raising=False)


@pytest.fixture
def make_app(tmp_path: Path) -> t.Iterator[t.Callable[..., Erlen]]:
    made: list[Erlen] = []

    def make(**config: t.Any) -> Erlen:
        app = create_app({"TESTING": True, **config}, instance_path=tmp_path)
        made.append(app)
        return app

    yield make
    for app in made:
        store.dispose(app)


@pytest.fixture
def app(make_app: t.Callable[..., Erlen]) -> Erlen:
    return make_app(SECRET_KEY="test", OWNER_PASSWORD=PASSWORD, PAGE_SIZE=3)


@pytest.fixture
def client(app: Erlen) -> ErlenClient:
    return app.test_client()


@pytest.fixture
def add(app: Erlen) -> t.Callable[[str, str], None]:
    """What puts somebody on the list without the form."""

    def put(name: str, email: str) -> None:
        with app.app_context():
            store.add(name, EmailAddress.parse(email))

    return put


@pytest.fixture
def owner() -> tuple[str, str]:
    return ("owner", PASSWORD)
