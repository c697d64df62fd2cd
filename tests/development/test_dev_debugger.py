"""The debugger in the development server: there in debug mode, with one secret over all reloads."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from dev_server import APP, CHAT, erlen_run

pytest.importorskip("erlen.debugger")

FAIL = '\n@app.get("/fail")\n{kind} fail():\n    number = 41\n    return 1 / (number - 41)\n'


@pytest.mark.parametrize(("code", "kind"), [(APP, "def"), (CHAT, "async def")], ids=["WSGI", "ASGI"])
def test_it_shows_what_a_view_raises(tmp_path: Path, code: str, kind: str) -> None:
    (tmp_path / "app.py").write_text(code + FAIL.format(kind=kind))
    with erlen_run(tmp_path, "--debug") as server:
        status, page = server.get("/fail")
        assert status == 500
        assert "ZeroDivisionError" in page
        assert "number - 41" in page


@pytest.mark.parametrize("options", [(), ("--debug", "--no-debugger")])
def test_it_is_not_there_unless_asked_for(tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "app.py").write_text(APP + FAIL.format(kind="def"))
    with erlen_run(tmp_path, *options) as server:
        assert "number - 41" not in server.get("/fail")[1]
        assert server.get("/__debugger__/")[0] == 404
        assert "Debugger:" not in server.log()


def test_the_link_is_told_once_and_its_secret_stays(tmp_path: Path) -> None:
    look = (
        '\n@app.get("/look")\ndef look():\n    import gc, os\n    from erlen.debugger import Debugger\n'
        "    [secret] = [one.secret for one in gc.get_objects() if isinstance(one, Debugger)]\n"
        "    return f'{secret} {[n for n in os.environ if secret in os.environ[n]]}'\n"
    )
    (tmp_path / "app.py").write_text(APP + look)
    with erlen_run(tmp_path, "--debug") as server:
        link = t.cast(str, server.wait_for_log(r"^ \* Debugger: (\S+)$")[1])
        assert link.startswith(f"http://127.0.0.1:{server.port}/")
        secret, _, variables = server.get("/look")[1].partition(" ")
        assert link.endswith(secret)
        assert variables == "[]"
        server.write("app.py", APP.replace("first", "second") + look)
        server.wait_for_answer(200, "second")
        assert server.get("/look")[1] == f"{secret} []"
        assert server.log().count("Debugger:") == 1
