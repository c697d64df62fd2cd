"""The life span of an application and its background work, from the start of a server to its end."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from .conftest import StartServer
from .servers import ASGI_KINDS, KINDS, Kind, NoStart, Server, eventually, new_key
from .wire import read_until

each_kind = pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in KINDS])
each_asgi_kind = pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.name) for kind in ASGI_KINDS])
each_wsgi_kind = pytest.mark.parametrize(
    "kind", [pytest.param(kind, id=kind.name) for kind in KINDS if not kind.is_asgi]
)

# With what servers end whose application cannot start. hypercorn forgets the code of its worker.
FAILED_START = {"uvicorn": 3, "hypercorn": 0, "granian-asgi": 1, "gunicorn-asgi": 3}


@each_kind
def test_a_life_span_lasts_from_before_the_first_request_until_background_work_is_done(
    kind: Kind, start_server: StartServer
) -> None:
    server = start_server(kind)
    begun = server.life()
    assert begun == ["began", "before serving"]
    assert server.post("/plain/spawn").status == 202
    assert server.post("/async/spawn").status == 202
    # The work takes half a second: it is still running.
    assert server.stop() == kind.exit_code
    done = server.life()[len(begun) :]
    assert sorted(done[:-2]) == sorted(["request", "plain work done", "async work done"] * 2)
    assert done[-2:] == ["after serving", "ended"]
    assert server.problems() == []


@each_asgi_kind
def test_a_failure_at_the_start_stops_the_server_and_shows_the_users_traceback(
    kind: Kind, start_server: StartServer
) -> None:
    with pytest.raises(NoStart) as failure:
        start_server(kind, "failing")
    ended, log = failure.value.server.process.returncode, failure.value.server.log()
    assert ended == FAILED_START[kind.name]
    assert "an error on purpose" in log
    assert "in fail_to_start" in log


@each_wsgi_kind
def test_a_failure_at_the_start_is_answered_with_500_where_requests_start_the_application(
    kind: Kind, start_server: StartServer
) -> None:
    server = start_server(kind, "failing")
    for _ in range(2):
        answer = server.get("/ready")
        assert answer.status == 500
        assert "on purpose" not in answer.text
    assert eventually(lambda: server.log().count("in fail_to_start") >= 2)
    assert server.stop() == kind.exit_code


def kind_with_hook(folder: Path) -> Kind:
    """Return gunicorn over WSGI with the configuration that the page about async code shows."""
    page = (Path(__file__).parents[2] / "docs" / "async.md").read_text(encoding="utf-8")
    blocks = [part.split("```")[0] for part in page.split("```python\n")[1:]]
    configuration = folder / "gunicorn.conf.py"
    configuration.write_text(next(block for block in blocks if "def post_worker_init" in block))
    gunicorn = next(kind for kind in KINDS if kind.name == "gunicorn-wsgi")
    return dataclasses.replace(gunicorn, options=f"{gunicorn.options} --config {configuration}")


@pytest.mark.parametrize("events", ["plain", "async"])
def test_the_hook_for_gunicorn_ends_streams_and_the_life_span(
    tmp_path: Path, start_server: StartServer, events: str
) -> None:
    server = start_server(kind_with_hook(tmp_path))
    with server.opened(f"GET /events/{events}?key={new_key()} HTTP/1.1") as opened:
        read_until(opened, b": keep-alive")
        assert server.stop() == 0
        # The end of a chunked body.
        read_until(opened, b"0\r\n\r\n")
    assert server.life()[-2:] == ["after serving", "ended"]


def test_the_hook_for_gunicorn_ends_a_server_whose_start_fails(
    tmp_path: Path, start_server: StartServer
) -> None:
    with pytest.raises(NoStart) as failure:
        start_server(kind_with_hook(tmp_path), "failing")
    assert failure.value.server.process.returncode == 3
    assert "in fail_to_start" in failure.value.server.log()


def test_an_error_in_the_background_is_logged_with_the_request(server: Server) -> None:
    before = server.log().count("Exception in the background task")
    for kind in ("plain", "async"):
        assert server.post(f"/{kind}/spawn/on-purpose").status == 202
    assert eventually(lambda: server.log().count("Exception in the background task") - before == 4)
    assert "spawned by /plain/spawn/on-purpose [POST]" in server.log()
    assert "spawned by /async/spawn/on-purpose [POST]" in server.log()
