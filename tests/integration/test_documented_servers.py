"""The commands with which the page about async code starts its servers."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from .servers import KINDS, Kind, Server

PAGE = (Path(__file__).parents[2] / "docs" / "async.md").read_text(encoding="utf-8")
LINES = re.findall(
    r"^\$ (.*?)(?: +#.*)?$", PAGE.partition("```console\n")[2].partition("```")[0], re.MULTILINE
)


def kind_of(line: str) -> Kind:
    """Return the server of a command, with its options and the port; the application is that of these tests."""
    program, *options, application = line.split()
    kind = next(
        one
        for one in KINDS
        if one.module == program and one.is_asgi == ("asgi" in line or program == "uvicorn")
    )
    port = re.search(r"--(?:bind \S+|port \S+)", kind.options)
    assert port is not None
    return dataclasses.replace(
        kind,
        options=" ".join([*options, port[0]]),
        application=application.replace("app:app", "application:{name}"),
    )


@pytest.mark.parametrize("line", LINES)
def test_a_command_of_the_page_serves(line: str, tmp_path: Path) -> None:
    kind = kind_of(line)
    if kind.is_missing:
        pytest.skip(f"{kind.module} is not installed")
    server = Server(kind, tmp_path)
    try:
        assert server.get("/ready").status == 200
    finally:
        server.stop()


def test_each_server_of_the_table_is_among_them() -> None:
    assert [line.split()[0] for line in LINES] == ["uvicorn", "granian", "hypercorn", "gunicorn", "gunicorn"]
