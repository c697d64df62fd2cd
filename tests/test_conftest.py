"""The checks that every test goes through do find what they are for."""

from __future__ import annotations

import typing as t

import pytest
from werkzeug.test import Client

from erlen import Erlen, has_app_context
from erlen.testing import ErlenClient


def test_calls_of_the_test_client_are_validated(app: Erlen, client: ErlenClient) -> None:
    def broken(environ: t.Any, start_response: t.Any) -> t.Any:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return ["text where PEP 3333 asks for bytes"]

    app.wsgi_app = broken  # type: ignore[assignment, method-assign]
    with pytest.raises(AssertionError, match="bytestring"):
        client.get("/")


def test_calls_of_werkzeugs_client_are_validated() -> None:
    def broken(environ: t.Any, start_response: t.Any) -> t.Any:
        start_response("200 OK", [("Bad_", "x"), ("Content-Type", "text/plain")])
        return []

    with pytest.raises(AssertionError, match="Bad_"):
        Client(broken).get("/")


@pytest.mark.leaks_context
def test_a_context_that_is_left_is_popped_1(app: Erlen) -> None:
    app.app_context().push()


def test_a_context_that_is_left_is_popped_2() -> None:
    assert not has_app_context()
