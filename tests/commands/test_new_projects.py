"""What ``erlen new`` makes is made, and does what its README says: it runs, its tests pass, it type-checks."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import tomllib
import typing as t
from importlib import metadata
from pathlib import Path

import pytest

PROJECTS = [
    ("minimal", "my-idea"),
    ("full", "my-shop"),
    ("accounts", "my-shop"),
    ("extension", "erlen-visits"),
]


def environment(**variables: str) -> dict[str, str]:
    """Return the environment of this process without what belongs to it alone."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ERLEN_", "PYTEST_", "MAKE", "WERKZEUG_"))
    }
    return {**kept, **variables}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache of mypy's for all projects: what they import is the same."""
    return tmp_path_factory.mktemp("mypy")


class Project:
    """A project that the command has made."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.environment = environment(MYPY_CACHE_DIR=str(cache), PYTHONDONTWRITEBYTECODE="1")

    def run(self, *args: str) -> str:
        """Run a program as ``python -m``, and return what it wrote; it has to succeed."""
        return self.call(sys.executable, "-m", *args)

    def call(self, *args: str) -> str:
        ended = subprocess.run(
            args,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert ended.returncode == 0, ended.stdout
        return ended.stdout


def make(parent: Path, cache: Path, template: str, name: str) -> Project:
    project = Project(parent, cache)
    project.run("erlen", "new", name, "--template", template)
    project.folder = parent / name
    if (project.folder / "src").is_dir():
        # In the place of 'pip install -e .', which would have to ask a registry for what builds it.
        project.environment["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(project.folder / "src"), os.environ.get("PYTHONPATH")])
        )
    return project


@pytest.fixture(scope="module", params=PROJECTS, ids="-".join)
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Project:
    return make(tmp_path_factory.mktemp("made"), cache, *request.param)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Project:
    return make(tmp_path_factory.mktemp("made"), cache, "full", "atlas")


def test_its_tests_pass(project: Project) -> None:
    passed = re.search(r"(\d+) passed", project.run("pytest", "-p", "no:cacheprovider"))
    assert passed is not None
    assert int(passed[1]) >= 2


def test_it_type_checks(project: Project) -> None:
    configured = tomllib.loads((project.folder / "pyproject.toml").read_text(encoding="utf-8"))
    assert configured["tool"]["mypy"]["strict"] is True
    assert "Success: no issues found" in project.run("mypy")


def test_it_is_formatted_and_the_linter_finds_nothing(project: Project) -> None:
    assert "already formatted" in project.run("ruff", "format", "--check", "--no-cache", ".")
    assert "All checks passed" in project.run("ruff", "check", "--no-cache", ".")


@pytest.mark.parametrize("template", ["minimal", "full", "accounts", "extension"])
@pytest.mark.parametrize("name", ["z", "z" * 40])
def test_it_is_formatted_whatever_its_name(tmp_path: Path, cache: Path, template: str, name: str) -> None:
    made = make(tmp_path, cache, template, name)
    made.run("ruff", "format", "--check", "--no-cache", ".")
    made.run("ruff", "check", "--no-cache", ".")


def test_its_routes_are_shown(project: Project) -> None:
    routes = project.run("erlen", "routes")
    assert re.search(r"index +GET +/$", routes, re.MULTILINE)


def test_it_needs_the_version_that_made_it(project: Project) -> None:
    configured = tomllib.loads((project.folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert configured["name"] == project.folder.name
    is_extension = "entry-points" in configured
    of_erlen = configured["optional-dependencies"]["erlen"] if is_extension else configured["dependencies"]
    needed = [line.replace("[passkeys]", "") for line in of_erlen]
    assert f"erlen>={metadata.version('erlen')}" in needed
    extras = {
        line.split("[")[1].rstrip("]")
        for lines in configured["optional-dependencies"].values()
        for line in lines
        if line.startswith("erlen[")
    }
    assert extras == ({"dev"} if is_extension else {"dev", "serve"})
    assert extras <= set(metadata.metadata("erlen").get_all("Provides-Extra") or ())


class Served:
    """The project, served by ``erlen run``."""

    def __init__(self, project: Project, output: Path) -> None:
        self.output = output
        with output.open("w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "erlen", "run", "--port", "0"],
                cwd=project.folder,
                env={**project.environment, "PYTHONUNBUFFERED": "1"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def port(self) -> int:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and self.process.poll() is None:
            found = re.search(r"http://127\.0\.0\.1:(\d+)", self.output.read_text(encoding="utf-8"))
            if found is not None:
                return int(found[1])
            time.sleep(0.05)
        pytest.fail(f"it does not serve:\n{self.output.read_text(encoding='utf-8')}")

    def get(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port(), timeout=30)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        finally:
            connection.close()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        finally:
            self.process.kill()


def test_it_runs_at_once(project: Project, tmp_path: Path) -> None:
    served = Served(project, tmp_path / "log")
    try:
        assert served.get("/")[0] == 200
        if (project.folder / "Containerfile").is_file():
            assert served.get("/health") == (200, '{"status":"ok"}\n')
            status, page = served.get("/notes/")
            if (project.folder / "tests" / "test_accounts.py").is_file():
                assert (status, "login_required" in page) == (401, True)
            else:
                assert (status, "There are no notes yet" in page) == (200, True)
    finally:
        served.stop()


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Project:
    return make(tmp_path_factory.mktemp("made"), cache, "extension", "erlen-notes")


def test_the_tests_of_an_extension_run_on_both_frameworks(extension: Project) -> None:
    listed = extension.run("pytest", "-p", "no:cacheprovider", "--collect-only", "-q")
    for place in ("erlen-wsgi", "erlen-asgi", "flask-wsgi"):
        assert f"test_it_counts[{place}]" in listed


def test_the_tests_of_an_extension_pass_with_flask_as_erlen(extension: Project) -> None:
    assert " passed" in extension.run("erlen.as_flask", "-m", "pytest", "-p", "no:cacheprovider")


def test_the_names_of_an_extension_may_be_those_of_what_it_imports(tmp_path: Path, cache: Path) -> None:
    made = make(tmp_path, cache, "extension", "erlen-storage")
    assert "class Storage:" in made.folder.joinpath("src/erlen_storage/extension.py").read_text("utf-8")
    assert " passed" in made.run("pytest", "-p", "no:cacheprovider")
    assert "Success: no issues found" in made.run("mypy")


# Finds out what 'import erlen_notes' loads, and then serves an application of Flask beside it.
_ON_FLASK_ALONE = """
    import sys, erlen_notes
    assert not {"erlen", "flask"} & {name.partition(".")[0] for name in sys.modules}
    import flask
    app = flask.Flask(__name__, instance_path=sys.argv[1])
    notes = erlen_notes.Notes(app)
    app.add_url_rule("/", "index", lambda: str(notes.add("visit")))
    print(app.test_client().get("/").text, "erlen" in sys.modules)
"""


def test_an_extension_works_on_flask_without_erlen(extension: Project, tmp_path: Path) -> None:
    shown = extension.call(sys.executable, "-c", textwrap.dedent(_ON_FLASK_ALONE), str(tmp_path / "instance"))
    assert shown == "1 False\n"


def test_the_commands_of_an_extension(extension: Project) -> None:
    extension.run(
        "erlen", "shell", "-c", "print(app.test_client().get('/').json, app.test_client().get('/').json)"
    )
    assert extension.run("erlen", "notes", "list") == "       2  front page\n"
    assert extension.run("erlen", "notes", "clear", "--yes") == "Forgot 1.\n"


def test_an_extension_cannot_be_published_before_it_has_a_licence(extension: Project) -> None:
    configured = tomllib.loads((extension.folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "license" not in configured
    assert "Private :: Do Not Upload" in configured["classifiers"]
    assert "has no licence yet" in (extension.folder / "LICENSE").read_text(encoding="utf-8")


def test_the_names_of_an_extension_are_in_its_readme(extension: Project) -> None:
    readme = (extension.folder / "README.md").read_text(encoding="utf-8")
    settings = (extension.folder / "src" / "erlen_notes" / "settings.py").read_text(encoding="utf-8")
    keys = re.findall(r'= "(NOTES_\w+)"', settings)
    assert keys == ["NOTES_DATABASE", "NOTES_URL_PREFIX"]
    assert [key for key in keys if f"| `{key}` |" not in readme] == []
    configured = tomllib.loads((extension.folder / "pyproject.toml").read_text(encoding="utf-8"))
    [entry_point] = configured["project"]["entry-points"]["erlen.checks"].values()
    assert entry_point == "erlen_notes.checks:checks"


def test_the_command_of_a_full_project_makes_the_database(full: Project) -> None:
    shown = full.run("erlen", "init-db")
    file = full.folder / "instance" / "atlas.sqlite"
    assert str(file) in shown
    assert file.is_file()


def test_a_full_project_does_not_run_without_its_key(full: Project, tmp_path: Path) -> None:
    copy = tmp_path / "clone"
    shutil.copytree(full.folder, copy, ignore=shutil.ignore_patterns(".env", "instance"))
    ended = subprocess.run(
        [sys.executable, "-m", "erlen", "run", "--port", "0"],
        cwd=copy,
        env=full.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert "There is no secret key. Set ATLAS_SECRET_KEY in the environment" in ended.stderr


@pytest.fixture
def with_make(full: Project) -> Project:
    """Give the project an environment: that of these tests, as pip would have to ask a registry for one."""
    if shutil.which("make") is None:
        pytest.skip("needs make")
    bin_folder = full.folder / ".venv" / "bin"
    if not bin_folder.is_symlink():
        bin_folder.parent.mkdir()
        bin_folder.symlink_to(Path(sys.executable).parent, target_is_directory=True)
    (full.folder / ".venv" / ".installed").touch()
    return full


def test_make_test_of_a_full_project_runs_all_checks(with_make: Project) -> None:
    missing = [
        name for name in ("mypy", "pytest", "ruff") if not (Path(sys.executable).parent / name).exists()
    ]
    if missing:
        pytest.skip(f"needs {missing} beside {sys.executable}")
    shown = with_make.call("make")
    for line in ("already formatted", "All checks passed", "Success: no issues found", " passed"):
        assert line in shown


def test_make_gives_a_clone_of_a_full_project_a_key(with_make: Project) -> None:
    (with_make.folder / ".env").unlink()
    with_make.call("make", ".env", f"PYTHON={sys.executable}")
    file = with_make.folder / ".env"
    assert re.fullmatch(r"ATLAS_SECRET_KEY=[\w-]{43}\n", file.read_text(encoding="utf-8"))
    assert file.stat().st_mode & 0o077 == 0


def test_what_the_container_of_a_full_project_copies_is_there(full: Project) -> None:
    text = (full.folder / "Containerfile").read_text(encoding="utf-8")
    copied = [name for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE) for name in line.split()[:-1]]
    assert copied == ["pyproject.toml", "README.md", "atlas", "app.py"]
    ignored = (full.folder / ".dockerignore").read_text(encoding="utf-8").split("\n")
    for name in copied:
        assert (full.folder / name).exists()
        assert f"!{name}" in ignored
    assert "USER 10001" in text
    assert t.cast("str", re.findall(r"SECRET_KEY=(\S*)", text)[0]) == "..."


def test_the_environment_of_a_full_project_has_no_key_that_could_be_taken_over(full: Project) -> None:
    assert "\nATLAS_SECRET_KEY=\n" in (full.folder / ".env.example").read_text(encoding="utf-8")


def test_the_page_about_new_projects_has_every_file(project: Project) -> None:
    template = "full" if (project.folder / "Containerfile").is_file() else "minimal"
    template = "extension" if (project.folder / "src").is_dir() else template
    page = Path(__file__).parents[2].joinpath("docs", "new-project.md").read_text(encoding="utf-8")
    part = page.partition(f"\n## {template}\n")[2].partition("\n## ")[0]
    if (project.folder / "tests" / "test_accounts.py").is_file():
        part += page.partition("\n## accounts\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    documented = {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}
    made = {
        path.relative_to(project.folder).as_posix() + "/" * path.is_dir()
        for path in project.folder.rglob("*")
    }
    assert documented <= made
    # What the other tests have left there.
    others = (".mypy_cache/", ".pytest_cache/", "instance/")
    files = {name for name in made if not name.endswith("/") and not name.startswith(others)}
    assert {name for name in files if not name.startswith(tuple(documented))} == set()
