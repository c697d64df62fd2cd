"""``erlen --app with_... init-db``."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from data_layers import Layer
from erlen import Erlen

FOLDER = Path(__file__).parents[1]


def test_the_command_makes_what_the_pages_need(
    make_app: t.Callable[[str], Erlen], layer: Layer, database: str
) -> None:
    factory = f"with_{layer.name}:create_app({database!r})"
    command = [sys.executable, "-m", "erlen", "--app", factory, "init-db"]
    done = subprocess.run(command, cwd=FOLDER, check=True, capture_output=True, text=True, encoding="utf-8")
    assert done.stdout.endswith(f" ready in {database}\n")
    assert done.stderr == ""
    client = make_app(database).test_client()
    assert client.post("/add", data={"title": "Emma"}).status_code == 303


# SQLObject closes the cursor of a query that has failed when the query is freed, which may be after its connection is
# closed; that raises in a `__del__`.
@pytest.mark.filterwarnings("ignore:.*Iteration.__del__:pytest.PytestUnraisableExceptionWarning")
def test_without_the_command_there_is_an_error_that_names_what_is_missing(
    make_app: t.Callable[[str], Erlen], database: str
) -> None:
    app = make_app(database)
    app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(Exception, match="(?i)book"):
        app.test_client().get("/")
    # The error is freed here, and what it came through.
    gc.collect()
    app.test_cli_runner().invoke(args=["init-db"])
    assert app.test_client().get("/").status_code == 200


def test_the_command_leaves_alone_what_is_there(app: Erlen) -> None:
    app.test_client().post("/add", data={"title": "Emma"})
    result = app.test_cli_runner().invoke(args=["init-db"])
    assert result.exit_code == 0
    assert "Emma" in app.test_client().get("/").text


def test_a_relative_path_begins_in_the_instance_folder(
    make_app: t.Callable[[str], Erlen], layer: Layer, tmp_path: Path
) -> None:
    app = make_app(str(tmp_path / "here"))
    from_here = os.path.relpath(tmp_path / "below" / "books", app.instance_path)
    layer.close(app)
    again = make_app(from_here)
    assert again.test_cli_runner().invoke(args=["init-db"]).exit_code == 0
    again.test_client().get("/")
    assert (tmp_path / "below" / "books").is_file()
