"""Which protocol an application is better served over: ``app.asgi_reason()``."""

from __future__ import annotations

import contextlib
import typing as t

from erlen import Erlen
from erlen.views import MethodView


def app_with_a_view() -> Erlen:
    app = Erlen("erlen_test")

    @app.get("/")
    def index() -> str:
        return "plain"

    return app


def test_a_plain_application_has_none() -> None:
    assert app_with_a_view().asgi_reason() is None


def test_a_websocket_is_one() -> None:
    app = app_with_a_view()

    @app.websocket("/chat")
    async def chat() -> None: ...

    assert app.asgi_reason() == "the WebSocket '/chat'"


def test_an_async_view_is_one() -> None:
    app = app_with_a_view()

    @app.get("/slow")
    async def slow() -> str:
        return "slow"

    assert app.asgi_reason() == "the async view 'slow'"


def test_an_async_method_of_a_class_is_one() -> None:
    app = app_with_a_view()

    class Item(MethodView):
        async def get(self) -> str:
            return "item"

    app.add_url_rule("/item", view_func=Item.as_view("item"))
    assert app.asgi_reason() == "the async view 'item'"


def test_an_async_hook_is_one() -> None:
    app = app_with_a_view()

    @app.before_request
    async def look_up() -> None: ...

    assert "look_up" in (app.asgi_reason() or "")


def test_an_async_life_span_is_one() -> None:
    app = app_with_a_view()

    @app.lifespan
    @contextlib.asynccontextmanager
    async def pool(app: t.Any) -> t.AsyncGenerator[None, None]:
        yield

    assert "pool" in (app.asgi_reason() or "")


def test_async_views_behind_wsgi_middleware_are_none() -> None:
    """Every request goes through the middleware, in the plain spelling."""
    app = app_with_a_view()

    @app.get("/slow")
    async def slow() -> str:
        return "slow"

    inner: t.Any = app.wsgi_app
    app.wsgi_app = lambda *args: inner(*args)  # type: ignore[method-assign]
    assert app.asgi_reason() is None


def test_a_websocket_behind_wsgi_middleware_is_one() -> None:
    app = app_with_a_view()

    @app.websocket("/chat")
    async def chat() -> None: ...

    inner: t.Any = app.wsgi_app
    app.wsgi_app = lambda *args: inner(*args)  # type: ignore[method-assign]
    assert app.asgi_reason() == "the WebSocket '/chat'"
