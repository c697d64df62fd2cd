"""``erlen check`` as its users call it: what it prints, and how it ends.

Most calls are made in this process. What depends on one of its own, a terminal or ``erlen.as_flask`` for example, has one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
import typing as t
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from erlen.cli import cli
from erlen.commands.check import Check, Finding, Subject
from erlen.commands.check.explain import explanation_of
from erlen.commands.check.table import ALWAYS, CHECKS
from erlen.ext.security.checks import checks as of_accounts

ROOT = Path(__file__).parents[2]
# Extensions that are installed bring checks of their own; those of accounts are part of the distribution.
INSTALLED = [*CHECKS, *of_accounts]
KEY = "b7Qm2xVt9LwRkE4sZcY8nHdJ6uPfA3gX5TjKvN1oS0iW"

APP = f"""
    from erlen import Erlen

    app = Erlen(__name__)
    app.config.update(SECRET_KEY={KEY!r}, TRUSTED_HOSTS=["shop.example"], CONTENT_SECURITY_POLICY="default-src 'self'")
"""


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")


def is_of_erlen(name: str) -> bool:
    others = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "FORWARDED_ALLOW_IPS"}
    return name.startswith(("ERLEN_", "FLASK_", "SIGNUP_")) or name in others


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[None]:
    """Run each test in a folder of its own, and take back what the command does to the process."""
    environ, modules = dict(os.environ), set(sys.modules)
    for name in filter(is_of_erlen, environ):
        del os.environ[name]
    os.environ.update(PYTHONDONTWRITEBYTECODE="1", ERLEN_SKIP_DOTENV="1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    os.environ.clear()
    os.environ.update(environ)
    for name in set(sys.modules) - modules:
        file = getattr(sys.modules[name], "__file__", None)
        if file and Path(file).is_relative_to(tmp_path):
            del sys.modules[name]


def check(*args: str, **variables: str) -> Result:
    """Call the program in this process, at a width of 80 columns."""
    return CliRunner().invoke(cli, args, env={"COLUMNS": "80", **variables})


def process(*args: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    """Call the program in a process of its own."""
    command = [sys.executable, "-m", "erlen", *args]
    environ = os.environ | variables
    return subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, encoding="utf-8", check=False
    )


def ids_in(output: str) -> list[str]:
    return [finding["id"] for finding in json.loads(output)["findings"]]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    text = APP.replace("import Erlen", "import Erlen, session")
    write(tmp_path / "app.py", text.replace(repr(KEY), "__import__('os').environ.get('SHOP_KEY')"))
    return tmp_path


# What it prints


def test_a_good_application_ends_with_a_line_of_figures(shop: Path) -> None:
    result = check("check", SHOP_KEY=KEY)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "Looked at 'app' (Erlen, profile 'safe'): 14 checks, without those of --deploy.",
        "",
        "0 errors, 0 warnings, 14 checks passed",
    ]


def test_findings_are_grouped_with_the_line_to_write_and_the_page(shop: Path) -> None:
    write(shop / "Procfile", "web: erlen run\n")
    with (shop / "app.py").open("a") as app:
        app.write("\napp.config['TEMPLATES_AUTO_RELOAD'] = True\n")
    result = check("check", "--deploy", ERLEN_DEBUG="1")
    lines = result.stdout.splitlines()
    assert result.exit_code == 1
    assert [line for line in lines if line and not line.startswith(" ")] == [
        f"Looked at 'app' (Erlen, profile 'safe'): {len(INSTALLED)} checks.",
        "Errors",
        "Warnings",
        lines[-1],
    ]
    at = lines.index("  secret-key-missing")
    assert lines[at : at + 8] == [
        "  secret-key-missing",
        "    There is no SECRET_KEY, and the module 'app' uses sessions or flashed",
        "    messages: the first one fails.",
        "    > # In the environment, or a file outside of the repository, from",
        "    > # python -c 'import secrets; print(secrets.token_hex())'",
        '    > SECRET_KEY = "..."',
        "    docs/checks.md#secret-key-missing",
        "    More: erlen check --explain secret-key-missing",
    ]
    figures = rf"3 errors, 1 warning, \d+ checks passed, {3 + len(of_accounts)} do not apply"
    assert re.fullmatch(figures, lines[-1])
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in result.stdout


def test_json_has_the_documented_form(shop: Path) -> None:
    result = check("check", "--deploy", "--skip", "cookie-domain", "--json")
    report = json.loads(result.stdout)
    documented = json.loads(
        (ROOT / "docs" / "checks.md").read_text("utf-8").split("```json\n")[1].split("```")[0]
    )
    assert list(report) == list(documented)
    assert list(report["application"]) == list(documented["application"])
    assert list(report["findings"][0]) == list(documented["findings"][0])
    assert list(report["counts"]) == list(documented["counts"])
    assert report["schema"] == documented["schema"] == 1
    assert (report["deploy"], report["failed"], report["error"]) == (True, True, None)
    assert report["skipped"] == [{"id": "cookie-domain", "reason": "--skip"}]
    assert report["counts"]["error"] == 1
    seen = {
        *report["passed"],
        *(one["id"] for name in ("findings", "not_applicable", "skipped") for one in report[name]),
    }
    assert seen == {one.id for one in INSTALLED}
    assert result.exit_code == 1


def test_without_deploy_only_what_always_holds_is_checked(shop: Path) -> None:
    report = json.loads(check("check", "--json").stdout)
    assert report["passed"] == [one.id for one in ALWAYS]
    assert report["deploy"] is False


def test_a_terminal_gets_colours_unless_it_wants_none(shop: Path) -> None:
    pexpect = pytest.importorskip("pexpect")

    def output(**variables: str) -> str:
        args = ["-m", "erlen", "check", "--deploy"]
        terminal = pexpect.spawn(
            sys.executable,
            args,
            cwd=str(shop),
            env=os.environ | variables,
            encoding="utf-8",
            dimensions=(24, 50),
        )
        terminal.expect(pexpect.EOF, timeout=60)
        terminal.close()
        assert terminal.exitstatus == 1
        return t.cast("str", terminal.before)

    colourful = output()
    assert "\x1b[31m\x1b[1mErrors\x1b[0m" in colourful
    plain = output(NO_COLOR="1")
    assert "\x1b" not in plain
    assert plain == re.sub(r"\x1b\[\d+m", "", colourful)
    # The text is as wide as the terminal; lines to be written stay whole.
    assert max(len(line) for line in plain.splitlines() if not line.startswith("    >")) <= 50


# Exit codes


@pytest.mark.parametrize(("level", "code"), [("error", 0), ("warning", 1), ("info", 1), ("never", 0)])
def test_the_level_decides_about_the_exit_code(level: str, code: int, shop: Path) -> None:
    variables = {"SHOP_KEY": KEY, "FORWARDED_ALLOW_IPS": "*"}
    result = check("check", "--deploy", "--fail-level", level, **variables)
    assert (result.exit_code, "0 errors, 1 warning," in result.stdout) == (code, True)


def test_an_error_counts_at_every_level_but_never(shop: Path) -> None:
    codes = [
        check("check", "--deploy", "--fail-level", level).exit_code for level in ("error", "info", "never")
    ]
    assert codes == [1, 1, 0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
        ("app = (", "SyntaxError: '(' was never closed"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("app = None", "No application in module 'app'"),
    ],
)
def test_an_application_that_cannot_be_loaded_is_another_exit_code(
    text: str, words: str, tmp_path: Path
) -> None:
    write(tmp_path / "app.py", text)
    result = check("check", "--deploy")
    assert (result.exit_code, result.stdout, words in result.stderr) == (2, "", True)
    assert "commands/check" not in result.stderr
    with_json = check("check", "--json")
    report = json.loads(with_json.stdout)
    assert (with_json.exit_code, report["application"], report["failed"]) == (2, None, True)
    assert words in report["error"]


def test_a_process_ends_with_these_codes(tmp_path: Path) -> None:
    write(tmp_path / "app.py", "1 / 0")
    broken = process("check")
    assert (broken.returncode, "ZeroDivisionError" in broken.stderr) == (2, True)
    write(tmp_path / "app.py", APP + "\n    app.testing = True\n")
    codes = [process("check", "--deploy", "--fail-level", level).returncode for level in ("error", "never")]
    assert codes == [1, 0]


def test_no_application_at_all_is_another_exit_code(tmp_path: Path) -> None:
    result = check("check")
    assert (result.exit_code, "No application was named" in result.stderr) == (2, True)


def test_the_help_says_what_the_exit_codes_mean() -> None:
    text = " ".join(check("check", "--help").stdout.split())
    assert (
        "0 when nothing was found of the level that counts, 1 when something was (see --fail-level), 2 when"
        in text
    )


# What a check is about


def test_a_check_is_explained_without_an_application(tmp_path: Path) -> None:
    result = check("check", "--explain", "cookie-secure")
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "cookie-secure",
        "The session is sent over https alone.",
        "",
        "Error. With `SESSION_COOKIE_SECURE` off, the session is sent over http as well.",
        '`"auto"`, the default of the safe profile, sets it when the request was https;',
        "behind a proxy that ends TLS, the application has to be told of it",
        "(proxy-headers).",
        "",
        "Made with --deploy.",
        "docs/checks.md#cookie-secure",
    ]


@pytest.mark.parametrize("one", CHECKS, ids=[one.id for one in CHECKS])
def test_every_check_is_explained_by_its_section_alone(one: Check) -> None:
    section = (ROOT / "docs" / "checks.md").read_text("utf-8").split(f"\n### {one.id}\n")[1].split("\n##")[0]
    plain = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", section)
    assert explanation_of(one).split() == plain.split()


def test_a_check_of_an_extension_is_explained_by_its_function() -> None:
    def find(subject: Subject) -> list[Finding]:
        """Look whether mail is sent in the clear."""
        return []

    mail = Check("mail-unencrypted", "error", "Mail is sent over TLS", find, page="docs/mail.md#tls")
    assert explanation_of(mail) == "Error. Look whether mail is sent in the clear."
    find.__doc__ = None
    assert explanation_of(mail) == "Error. The check is an extension's; docs/mail.md#tls is its page."


@pytest.mark.parametrize(("wanted", "near"), [("cookie-secur", " Did you mean 'cookie-secure'?"), ("q", "")])
def test_a_check_that_is_not_there_cannot_be_explained(wanted: str, near: str) -> None:
    result = check("check", "--explain", wanted)
    said = " ".join(result.stderr.split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"There is no check {wanted!r}.{near} 'erlen check --list' names all of them." in said


def test_all_checks_are_listed_without_an_application() -> None:
    result = check("check", "--list")
    rows = [line.split(None, 2) for line in result.stdout.splitlines() if line.startswith("  ")]
    words = {"error": "error", "warning": "warning", "info": "note"}
    assert result.exit_code == 0
    assert rows == [[one.id, words[one.severity], one.title] for one in INSTALLED]


# What is skipped


def test_a_project_says_what_it_does_without_and_why(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(
        shop / "pyproject.toml",
        """
        [tool.erlen.check.skip]
        secret-key-missing = "this application has no sessions, and never will have them: it serves tables of tides"
        """,
    )
    (shop / "deep").mkdir()
    monkeypatch.chdir(shop / "deep")
    result = check("--app", "../app.py", "check", "--deploy", "--skip", "trusted-hosts")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-6:] == [
        "Skipped",
        "  secret-key-missing: this application has no sessions, and never will have",
        "    them: it serves tables of tides",
        "  trusted-hosts: --skip",
        "",
        result.stdout.splitlines()[-1],
    ]
    assert result.stdout.splitlines()[-1].endswith("2 skipped")


def test_a_check_that_is_not_there_cannot_be_skipped(shop: Path) -> None:
    result = check("check", "--skip", "cookie-secur")
    assert result.exit_code == 2
    said = " ".join(result.stderr.split())
    assert (
        "There is no check 'cookie-secur'. Did you mean 'cookie-secure'? 'erlen check --list' names" in said
    )


def test_a_project_that_skips_what_is_not_there_is_told(shop: Path) -> None:
    write(shop / "pyproject.toml", '[tool.erlen.check.skip]\ncookie-secret = "why not"\n')
    assert ids_in(check("check", "--json").stdout) == ["skip-unknown"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[tool.erlen.check]\nskip = ['cookie-secure']", "has to give each check a reason"),
        ("[tool.erlen.check.skip]\ncookie-secure = ' '", "has to give each check a reason"),
        ("[tool.erlen]\ncheck = 7", "has to give each check a reason"),
        ("[tool.erlen", "Could not read"),
    ],
)
def test_a_project_file_of_another_form_is_explained(text: str, words: str, shop: Path) -> None:
    write(shop / "pyproject.toml", text)
    result = check("check")
    assert (result.exit_code, words in result.stderr, "Traceback" in result.stderr) == (2, True, False)


# The application as it is where it is served


def test_debug_mode_that_the_application_has_switched_on_itself_is_seen(tmp_path: Path) -> None:
    """The command line sets ``app.debug`` as ``--debug`` says: that must not hide what a server would do."""
    write(tmp_path / "app.py", APP + "\n    app.debug = True\n    app.jinja_env.globals['name'] = 'x'\n")
    found = ids_in(process("check", "--deploy", "--json").stdout)
    assert "debug-on" in found
    # What follows from it is not told as well: the advice would be the setting that is there.
    assert "templates-reloaded" not in found
    write(tmp_path / "app.py", APP + "\n    app.debug = False\n")
    found = ids_in(process("check", "--deploy", "--json", ERLEN_DEBUG="1").stdout)
    assert not {"debug-on", "templates-reloaded"} & {*found}


def test_debug_mode_of_an_env_file_is_seen_and_can_be_left_out(shop: Path) -> None:
    pytest.importorskip("dotenv")
    write(shop / ".erlenenv", "ERLEN_DEBUG=1\n")
    assert "debug-on" in ids_in(process("check", "--deploy", "--json", ERLEN_SKIP_DOTENV="0").stdout)
    assert "debug-on" not in ids_in(process("check", "--deploy", "--json").stdout)


def test_a_factory_is_called(tmp_path: Path) -> None:
    write(
        tmp_path / "shop.py",
        """
        from erlen import Blueprint, Erlen

        def create_app(name):
            app = Erlen(name)
            app.register_blueprint(Blueprint("admin", __name__, template_folder="missing"))
            return app
        """,
    )
    result = check("--app", "shop:create_app('made')", "check")
    assert "Looked at 'made'" in result.stdout
    assert "There is no folder 'missing'" in result.stdout


def test_a_command_check_of_the_application_comes_first(shop: Path) -> None:
    write(shop / "app.py", APP + "\n    app.cli.command('check')(lambda: print('of the shop'))\n")
    assert check("check").stdout == "of the shop\n"


def test_an_application_of_flask_is_looked_at_as_well(tmp_path: Path) -> None:
    write(
        tmp_path / "app.py",
        f"""
        from flask import Flask

        def create_app():
            app = Flask(__name__)
            app.secret_key = {KEY!r}
            return app
        """,
    )
    result = process("check", "--deploy", "--json", ERLEN_AS_FLASK="1", FLASK_APP="app")
    report = json.loads(result.stdout)
    assert report["application"] == {"name": "app", "class": "Flask", "profile": "flask"}
    assert ids_in(result.stdout) == [
        "cookie-secure",
        "secret-key-in-code",
        "cookie-samesite",
        "session-size",
        "body-limit",
        "malformed-requests",
        "cross-origin",
        "security-headers",
        "security-headers",
        "trusted-hosts",
        "content-security-policy",
    ]
    debugs = process("check", "--deploy", ERLEN_AS_FLASK="1", FLASK_APP="app", FLASK_DEBUG="1")
    assert "Debug mode is on: FLASK_DEBUG is '1'" in debugs.stdout


def test_the_sign_up_example_is_fit_to_be_served(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    variables = {"SIGNUP_SECRET_KEY": KEY, "SIGNUP_DATABASE_URL": f"sqlite:///{tmp_path / 'signup.sqlite'}"}
    folder = ROOT / "examples" / "signup"
    report = json.loads(
        process("--app", "signup", "check", "--deploy", "--json", cwd=folder, **variables).stdout
    )
    assert [(one["id"], one["severity"]) for one in report["findings"]] == [("trusted-hosts", "warning")]
    result = process("--app", "signup", "check", "--deploy", cwd=folder, **variables)
    assert (result.returncode, "0 errors, 1 warning" in result.stdout) == (0, True)


# Secrets


@pytest.mark.parametrize("key", ["hunter2-kMz", "please-change-me-Xy7Q", f"{KEY[:10]}"])
def test_no_secret_is_printed(key: str, tmp_path: Path) -> None:
    write(
        tmp_path / "app.py",
        f"""
        from erlen import Erlen

        class Secrets(dict):
            def __bool__(self):
                raise KeyError({key!r})

        app = Erlen(__name__)
        app.config.update(SECRET_KEY={key!r}, SECRET_KEY_FALLBACKS=[{key!r}], SESSION_COOKIE_DOMAIN=Secrets())
        """,
    )
    for options in ([], ["--json"]):
        result = check("check", "--deploy", *options)
        assert "secret-key-weak" in result.stdout
        assert "cookie-domain" in result.stdout
        assert "secret-key-in-code" in result.stdout
        parts = {key[start : start + 6] for start in range(len(key) - 5)} - {"change", "please"}
        assert [part for part in parts if part in result.stdout + result.stderr] == []


# Checks of extensions, and checks that fail


def plug(folder: Path, value: str) -> None:
    """Put a package with an entry point of the group ``erlen.checks`` into a folder that is on the path."""
    sys.path.insert(0, str(folder))
    write(folder / "mail-1.0.dist-info" / "METADATA", "Metadata-Version: 2.1\nName: mail\nVersion: 1.0\n")
    write(folder / "mail-1.0.dist-info" / "entry_points.txt", f"[erlen.checks]\nmail = {value}\n")


MAIL = """
    from erlen.commands.check import Check, Finding

    def failing(subject):
        raise LookupError(subject.config["SECRET_KEY"])

    def finding(subject):
        yield Finding("Mail is sent in the open.", "MAIL_USE_TLS = True")

    checks = [
        Check("mail-open", "warning", "Mail is encrypted", finding, page="docs/mail.md"),
        Check("mail-failing", "info", "Mail is sent", failing),
    ]
    single = checks[0]
    taken = Check("debug-on", "error", "Another", finding)
    wrong = ["no check"]
"""


def test_an_extension_adds_checks_and_one_that_fails_is_reported(shop: Path) -> None:
    plug(shop, "mail:checks")
    write(shop / "mail.py", MAIL)
    result = check("check", SHOP_KEY=KEY)
    assert result.exit_code == 1
    assert (
        "mail-open\n    Mail is sent in the open.\n    > MAIL_USE_TLS = True\n    docs/mail.md"
        in result.stdout
    )
    assert "This check itself failed with LookupError (mail.py:5)" in result.stdout
    assert KEY not in result.stdout
    assert "1 error, 1 warning, 14 checks passed" in result.stdout


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("mail:nothing", "AttributeError while 'mail:nothing' was loaded"),
        ("nowhere:checks", "ModuleNotFoundError while 'nowhere:checks' was loaded"),
        ("mail:wrong", "'mail:wrong' holds a str, not a Check"),
        ("mail:taken", "there is another check with the id 'debug-on'"),
    ],
)
def test_checks_of_an_extension_that_cannot_be_loaded_are_an_error(
    value: str, reason: str, shop: Path
) -> None:
    plug(shop, value)
    write(shop / "mail.py", MAIL)
    result = check("check", "--json")
    [finding] = json.loads(result.stdout)["findings"]
    assert (finding["id"], reason in finding["message"], result.exit_code) == ("extension-checks", True, 1)


def test_a_single_check_can_be_named(shop: Path) -> None:
    plug(shop, "mail:single")
    write(shop / "mail.py", MAIL)
    result = check("check", "--json")
    assert ids_in(result.stdout) == ["mail-open"]


def test_the_command_is_loaded_when_it_is_called_alone() -> None:
    script = "import sys; from erlen.cli import cli; import erlen; erlen.Erlen; print('erlen.commands.check' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "False\n"
