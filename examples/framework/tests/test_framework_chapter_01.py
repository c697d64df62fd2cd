from __future__ import annotations

import threading
import typing as t
from urllib.request import urlopen
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from werkzeug.test import Client

from chapter_01 import Sapling
from framework_support import ask
from solutions.chapter_01 import Mounts


@pytest.fixture
def app() -> Sapling:
    app = Sapling()
    app.route("/")(lambda environ: "Hello")
    app.route("/größe")(lambda environ: f"größe, {environ['REQUEST_METHOD']}")
    return app


def test_a_path_leads_to_its_view(app: Sapling) -> None:
    response = ask(app, "/")
    assert (response.status, response.text) == ("200 OK", "Hello")


def test_another_path_is_not_found(app: Sapling) -> None:
    response = ask(app, "/nowhere")
    assert (response.status_code, response.text) == (404, "Nothing answers /nowhere.\n")


def test_a_path_is_what_its_bytes_mean_in_utf_8(app: Sapling) -> None:
    assert ask(app, "/gr%C3%B6%C3%9Fe").text == "größe, GET"


def test_the_length_is_that_of_the_bytes(app: Sapling) -> None:
    assert ask(app, "/größe").headers["Content-Length"] == "12"


def test_the_answer_to_head_has_headers_and_no_body(app: Sapling) -> None:
    response = ask(app, "/", "HEAD")
    assert (response.headers["Content-Length"], response.data) == ("5", b"")


def test_middleware_can_be_put_around_the_method_and_not_around_the_call(app: Sapling) -> None:
    def other(environ: t.Any, start_response: t.Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"other"]

    app.__call__ = other  # type: ignore[method-assign]
    assert Client(app).get("/").text == "Hello"
    app.wsgi_app = other  # type: ignore[method-assign]
    assert Client(app).get("/").text == "other"


class Silent(WSGIRequestHandler):
    def log_message(self, format: str, *args: t.Any) -> None:
        pass


def test_the_server_of_the_standard_library_serves_it(app: Sapling) -> None:
    with make_server("127.0.0.1", 0, app, handler_class=Silent) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        with urlopen(f"http://127.0.0.1:{server.server_port}/") as response:
            assert response.read() == b"Hello"
        thread.join()


def test_mounted_applications_get_the_rest_of_the_path(app: Sapling) -> None:
    shop = Sapling()
    shop.route("/cart")(lambda environ: f"cart of {environ['SCRIPT_NAME']}")
    client = Client(Mounts(app, {"/shop": shop}))
    assert client.get("/shop/cart").text == "cart of /shop"
    assert client.get("/").text == "Hello"
    assert client.get("/shopping/cart").status_code == 404
