"""Paths as they stand in the request line, and applications that are served below a prefix."""

from __future__ import annotations

import json

import pytest

from .conftest import StartServer
from .servers import KINDS, Server
from .wire import Answer, dial, read_answer

# Servers that do otherwise than the rest, and what.
WHOLE_URL_IS_PATH = {
    "hypercorn": "the path is the whole URL of the request line",
    "gunicorn-asgi": "the path is the whole URL of the request line",
}

in_both_kinds = pytest.mark.parametrize("kind", ["plain", "async"])


def ask(server: Server, target: str) -> Answer:
    """Send a request line as it is: ``http.client`` would look at the path."""
    with server.opened(f"GET {target} HTTP/1.1\nConnection: close") as opened:
        answer = read_answer(opened)
    assert answer is not None
    return answer


@in_both_kinds
def test_an_encoded_path_is_decoded_once(server: Server, kind: str) -> None:
    assert (
        ask(server, f"/{kind}/echo/1/caf%C3%A9%E2%82%AC%F0%9F%98%80").json["rest"]
        == "caf\xe9\u20ac\U0001f600"
    )
    assert ask(server, f"/{kind}/echo/1/a%20b+c%2520").json["rest"] == "a b+c%20"


@in_both_kinds
def test_an_encoded_question_mark_belongs_to_the_path(server: Server, kind: str) -> None:
    answer = ask(server, f"/{kind}/echo/1/a%3Fb=1?c=2").json
    assert (answer["rest"], answer["args"]) == ("a?b=1", {"c": ["2"]})


@in_both_kinds
def test_an_encoded_slash_is_one(server: Server, kind: str) -> None:
    assert ask(server, f"/{kind}/echo/1/a%2Fb").json["rest"] == "a/b"


@in_both_kinds
@pytest.mark.parametrize("path", ["%FF", "caf%E9", "%C3", "%ED%A0%80", "%C0%AF"])
def test_a_path_that_is_no_utf_8_is_refused(server: Server, kind: str, path: str) -> None:
    assert ask(server, f"/{kind}/echo/1/{path}").status == 400


@in_both_kinds
@pytest.mark.parametrize("path", ["a%00b", "a%0D%0Ab", "a%1Bb", "a%7Fb"])
def test_control_characters_in_a_path_are_refused(server: Server, kind: str, path: str) -> None:
    assert ask(server, f"/{kind}/echo/1/{path}").status == 400


@in_both_kinds
def test_a_query_that_is_no_utf_8_is_refused(server: Server, kind: str) -> None:
    assert ask(server, f"/{kind}/echo/1/a?b=%FF").status == 400


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "//evil.example/",
        "//evil.example/..",
        "///evil.example/plain/slash",
        "/\\evil.example",
    ],
)
def test_two_slashes_lead_to_no_other_host(server: Server, target: str) -> None:
    """Werkzeug's CVE-2020-28724."""
    answer = ask(server, target)
    place = answer.headers.get("Location", "")
    assert answer.status in {308, 400, 404}
    assert place.startswith((f"http://127.0.0.1:{server.port}/", "/")) or not place
    assert not place.startswith(("//", "/\\"))


@in_both_kinds
def test_two_slashes_in_front_of_a_route_lead_to_it(server: Server, kind: str) -> None:
    assert ask(server, f"//{kind}/quick").text == "quick"


@pytest.mark.parametrize(
    "path",
    [
        "../application.py",
        "..%2Fapplication.py",
        "%2e%2e/application.py",
        "%2E%2E%2Fapplication.py",
        "x/../../application.py",
        "..\\application.py",
        "//etc/passwd",
        "%2Fetc%2Fpasswd",
    ],
)
def test_no_path_leads_out_of_the_static_folder(server: Server, path: str) -> None:
    answer = ask(server, f"/static/{path}")
    assert answer.status in {308, 400, 404}
    assert b"import" not in answer.body
    assert b"root:" not in answer.body


@in_both_kinds
def test_dots_in_a_path_reach_no_other_view(server: Server, kind: str) -> None:
    """A proxy that forbids ``/plain`` has not seen it in ``/x/../plain``."""
    assert ask(server, f"/x/../{kind}/quick").status == 404
    assert ask(server, f"/x/%2e%2e/{kind}/quick").status == 404


@in_both_kinds
def test_a_whole_url_as_target_is_taken_for_its_path(server: Server, kind: str) -> None:
    """RFC 9112, section 3.2.2: a server has to accept the absolute form."""
    answer = ask(server, f"http://127.0.0.1:{server.port}/{kind}/echo/1/x?a=1")
    if server.kind.name in WHOLE_URL_IS_PATH:
        assert answer.status == 404
    else:
        assert answer.json["args"] == {"a": ["1"]}


# Below a prefix


@pytest.fixture(params=[pytest.param(kind, id=kind.name) for kind in KINDS])
def mounted(request: pytest.FixtureRequest, start_server: StartServer) -> Server:
    return start_server(request.param, prefix="/mounted")


def test_an_application_below_a_prefix_knows_it(mounted: Server) -> None:
    root = f"http://127.0.0.1:{mounted.port}"
    for kind in ("plain", "async"):
        assert mounted.get(f"{mounted.path_prefix}/{kind}/address?q=1").json == {
            "built": "/mounted/plain/echo/7/a%20b?q=%C3%A9",
            "external": f"{root}/mounted/plain/quick",
            "url": f"{root}/mounted/{kind}/address?q=1",
            "path": f"/{kind}/address",
            "root": "/mounted",
            "scheme": "http",
            "client": "127.0.0.1",
        }
        assert mounted.get(f"{mounted.path_prefix}/{kind}/echo/1/caf%C3%A9%2Fx").json["rest"] == "caf\xe9/x"
        assert mounted.get(f"{mounted.path_prefix}/{kind}/echo/1/caf%FF").status == 400
        answer = mounted.get(f"{mounted.path_prefix}/{kind}/slash")
        assert answer.headers["Location"] == f"{root}/mounted/{kind}/slash/"
    assert mounted.get(f"{mounted.path_prefix}/static/hello.txt").text == "Hello from a file.\n"
    if mounted.kind.is_asgi:
        with dial(mounted.port, f"{mounted.path_prefix}/ws/rooms/7/x") as opened:
            built = json.loads(opened.recv())["built"]
        assert built == f"ws://127.0.0.1:{mounted.port}/mounted/ws/rooms/7/x"
