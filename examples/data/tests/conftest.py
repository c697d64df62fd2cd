"""The reading list in each data layer, with a database of its own for each test."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest

# The example is a folder to copy, not an installed distribution.
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1]))

from data_layers import LAYERS, Layer
from erlen import Erlen
from erlen.testing import ErlenClient


@pytest.fixture(params=LAYERS, ids=lambda layer: layer.name)
def layer(request: pytest.FixtureRequest) -> Layer:
    return t.cast(Layer, request.param)


@pytest.fixture(params=["wsgi", "asgi"])
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The protocol that the test clients of this test speak."""
    monkeypatch.setattr(ErlenClient, "default_protocol", request.param)
    return t.cast(str, request.param)


@pytest.fixture
def database(tmp_path: Path) -> str:
    return str(tmp_path / "books")


@pytest.fixture
def make_app(layer: Layer) -> t.Iterator[t.Callable[[str], Erlen]]:
    """What makes an application without tables."""
    made: list[Erlen] = []

    def make(database: str) -> Erlen:
        app = layer.create_app(database)
        made.append(app)
        return app

    yield make
    for app in made:
        layer.close(app)


@pytest.fixture
def app(make_app: t.Callable[[str], Erlen], database: str) -> Erlen:
    app = make_app(database)
    assert app.test_cli_runner().invoke(args=["init-db"]).exit_code == 0
    return app


@pytest.fixture
def client(app: Erlen, protocol: str) -> ErlenClient:
    return app.test_client()
