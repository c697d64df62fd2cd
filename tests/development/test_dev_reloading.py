"""The reloader, with watchfiles and with Werkzeug's, in real processes."""

from __future__ import annotations

import os
import threading
import time
import typing as t
from pathlib import Path

import pytest

from dev_server import APP, CHAT, DevServer, ended_run, erlen_run

DEBUG = ("--reload", "--no-debugger")

Folder: t.TypeAlias = Path


@pytest.fixture(params=["watchfiles", "Werkzeug's"])
def reloader(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Play a test with either reloader: a module that does not import hides one that does."""
    if request.param != "watchfiles":
        (tmp_path / "watchfiles.py").write_text("raise ImportError('hidden')\n")
        (tmp_path / "watchdog.py").write_text("raise ImportError('hidden')\n")
    return str(request.param)


def test_a_change_is_served(tmp_path: Path, reloader: str) -> None:
    (tmp_path / "app.py").write_text(APP)
    with erlen_run(tmp_path, *DEBUG) as server:
        server.wait_for_answer(200, "first")
        server.write("app.py", APP.replace("first", "the second"))
        server.wait_for_answer(200, "the second")
        server.wait_for_log(r"^ \* app\.py has changed: starting again$")
        assert server.log().count("Running on") == 1
        assert server.log().count("ends") == 1


def test_an_error_is_served_until_it_is_mended(tmp_path: Path, reloader: str) -> None:
    (tmp_path / "app.py").write_text(APP)
    with erlen_run(tmp_path, "--debug") as server:
        server.wait_for_answer(200, "first")
        server.write("app.py", APP + "\n    an error of the user\n")
        server.wait_for_answer(500, "SyntaxError")
        assert "an error of the user" in server.log()
        server.write("app.py", APP.replace("first", "mended, and longer"))
        server.wait_for_answer(200, "mended, and longer")


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import nothing_of_that_name", "No module named 'nothing_of_that_name'"),
        ("import sys; sys.exit('a variable is missing')", "SystemExit: a variable is missing"),
        (APP + "\n@app.before_serving\ndef fail():\n    1 / 0\n", "ZeroDivisionError"),
        (CHAT + "\n@app.before_serving\ndef fail():\n    1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_a_first_start_that_fails_waits_for_the_change(tmp_path: Path, code: str, shown: str) -> None:
    (tmp_path / "app.py").write_text(code)
    with erlen_run(tmp_path, *DEBUG) as server:
        server.wait_for_answer(500, "The application could not be loaded")
        assert shown in server.log()
        assert "erlen/" not in server.log()
        server.write("app.py", APP)
        server.wait_for_answer(200, "first")


def test_the_module_that_was_missing_is_written(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("from shop.views import app\n")
    with erlen_run(tmp_path, *DEBUG) as server:
        server.wait_for_answer(500, "could not be loaded")
        # The folder is new, and the file is in it before anybody can look.
        (tmp_path / "shop").mkdir()
        (tmp_path / "shop" / "views.py").write_text(APP)
        server.wait_for_answer(200, "first")


@pytest.mark.parametrize("options", [("--debug",), ()])
def test_an_application_that_is_not_there_ends_at_once(tmp_path: Path, options: tuple[str, ...]) -> None:
    code, log = ended_run(tmp_path, *options, app="nowhere")
    assert code == 2
    assert "Could not import 'nowhere': there is no such module" in log
    assert "Running on" not in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    "code", ["1 / 0", "x = = 1", "import nothing_of_that_name", "import sys; sys.exit('missing')"]
)
def test_without_the_reloader_an_error_ends_with_the_users_traceback(tmp_path: Path, code: str) -> None:
    (tmp_path / "app.py").write_text(code + "\n")
    ended, log = ended_run(tmp_path)
    assert ended == 1
    assert "app.py" in log
    assert "erlen/" not in log
    assert "Usage:" not in log


def test_a_file_that_was_taken_away_and_comes_back(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with erlen_run(tmp_path, *DEBUG) as server:
        server.wait_for_answer(200, "first")
        (tmp_path / "app.py").rename(tmp_path / "away.txt")
        server.wait_for_answer(500, "could not be loaded")
        assert "Could not import 'app'" in server.log() or "No application was named" in server.log()
        (tmp_path / "away.txt").rename(tmp_path / "app.py")
        server.wait_for_answer(200, "first")


def test_editors_that_write_another_file_and_rename_it(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with erlen_run(tmp_path, *DEBUG) as server:
        server.wait_for_answer(200, "first")
        (tmp_path / ".app.py.swp").write_text(APP.replace("first", "renamed"))
        os.replace(tmp_path / ".app.py.swp", tmp_path / "app.py")
        server.wait_for_answer(200, "renamed")


def test_links_to_folders_and_files_are_followed(tmp_path: Path) -> None:
    real, project = tmp_path / "real", tmp_path / "project"
    (real / "shop").mkdir(parents=True)
    project.mkdir()
    (real / "shop" / "__init__.py").write_text("name = 'one'\n")
    (real / "elsewhere.py").write_text("number = 1\n")
    (project / "shop").symlink_to(real / "shop")
    (project / "linked.py").symlink_to(real / "elsewhere.py")
    code = "import shop, linked\n" + APP.replace('"first"', "f'{shop.name} {linked.number}'")
    (project / "app.py").write_text(code)
    with erlen_run(project, *DEBUG) as server:
        server.wait_for_answer(200, "one 1")
        (real / "shop" / "__init__.py").write_text("name = 'two'\n")
        server.wait_for_answer(200, "two 1")
        (real / "elsewhere.py").write_text("number = 22\n")
        server.wait_for_answer(200, "two 22")


def test_extra_files_and_folders_count_and_excluded_ones_do_not(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "settings.toml").write_text("a = 1")
    (tmp_path / "texts").mkdir()
    options = ("--extra-files", f"settings.toml{os.pathsep}texts", "--exclude-patterns", "made_*.py")
    with erlen_run(tmp_path, *DEBUG, *options) as server:
        server.wait_for_answer(200, "first")
        for name in ("made_of_it.py", "page.html", "notes.txt"):
            server.write(name, "changed = True")
        server.write("settings.toml", "a = 22")
        server.wait_for_log("^ \\* settings.toml has changed")
        server.wait_for_log("^begins$", 2)
        server.wait_for_answer(200, "first")
        server.write("texts/new.txt", "hello")
        server.wait_for_log(f"^ \\* texts{os.sep}new.txt has changed")
        server.wait_for_log("^begins$", 3)
        assert server.log().count("has changed") == 2


def test_installed_files_and_caches_do_not_count(tmp_path: Path) -> None:
    folders = ["node_modules/x", ".venv/lib", "site-packages", "__pycache__", ".git", "env/lib"]
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    (tmp_path / "app.py").write_text(APP)
    with erlen_run(tmp_path, *DEBUG) as server:
        server.wait_for_answer(200, "first")
        for folder in folders:
            server.write(f"{folder}/changed.py", "")
        # What counts comes last, and is the only one that is named.
        server.write("app.py", APP.replace("first", "second"))
        server.wait_for_answer(200, "second")
        changes = [line for line in server.log().splitlines() if "has changed" in line]
        assert changes == [" * app.py has changed: starting again"]


@pytest.mark.parametrize("code", [APP, CHAT], ids=["WSGI", "ASGI"])
def test_connections_wait_during_a_reload_and_none_is_refused(tmp_path: Path, code: str) -> None:
    (tmp_path / "app.py").write_text(code)
    with erlen_run(tmp_path, *DEBUG) as server:
        server.wait_for_answer(200, "first")
        port = server.port
        slow = "import time\ntime.sleep(1)\n" + code.replace("first", "second")
        server.write("app.py", slow)
        server.wait_for_log("has changed")
        time.sleep(0.5)
        answers: list[tuple[int, str]] = []
        askers = [threading.Thread(target=lambda: answers.append(server.get())) for _ in range(5)]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        assert answers == [(200, "second")] * 5
        assert server.port == port


def test_a_change_while_the_application_is_being_loaded_counts(tmp_path: Path) -> None:
    slow = "import time\nprint('loading', flush=True)\ntime.sleep(1)\n" + APP
    (tmp_path / "app.py").write_text(slow)
    with erlen_run(tmp_path, *DEBUG) as server:
        server.wait_for_log("^loading$")
        server.write("app.py", APP.replace("first", "second"))
        server.wait_for_answer(200, "second")
        assert server.log().count("Running on") == 1, server.log()


def test_the_application_is_not_loaded_by_the_reloader_itself(tmp_path: Path) -> None:
    tell = "import os\nfrom werkzeug.serving import is_running_from_reloader\n"
    tell += "print('loaded', is_running_from_reloader(), [n for n in os.environ if 'RELOADER' in n], flush=True)\n"
    (tmp_path / "app.py").write_text(tell + APP)
    with erlen_run(tmp_path, "--debug") as server:
        server.wait_for_answer(200, "first")
        assert [line for line in server.log().splitlines() if line.startswith("loaded")] == ["loaded True []"]


def test_a_module_that_is_imported_late_is_watched(tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "late.py").write_text("name = 'one'\n")
    project = tmp_path / "project"
    project.mkdir()
    view = f"""
@app.get("/late")
def late():
    import sys
    sys.path.append({str(other)!r})
    import late
    return late.name
"""
    (project / "app.py").write_text(APP + view)
    with erlen_run(project, *DEBUG) as server:
        assert server.get("/late") == (200, "one")
        # New folders are looked for once a second.
        deadline = time.monotonic() + 20
        number = 1
        while "late.py has changed" not in server.log() and time.monotonic() < deadline:
            number += 1
            (other / "late.py").write_text(f"name = 'number {number}'\n")
            time.sleep(0.4)
        server.wait_for_log("late.py has changed")


def test_app_run_reloads_as_well(tmp_path: Path) -> None:
    end = "\napp.run(port=0, debug=True, use_debugger=False)\nprint('after', flush=True)\n"
    (tmp_path / "shop.py").write_text(APP + end)
    with DevServer(tmp_path, "shop.py") as server:
        server.wait_for_answer(200, "first")
        assert " * Serving Erlen app 'shop'" in server.log()
        server.write("shop.py", APP.replace("first", "second") + end)
        server.wait_for_answer(200, "second")
        assert server.interrupt() == 0
        assert server.log().count("ends") == 2
