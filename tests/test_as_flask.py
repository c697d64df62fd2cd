"""``erlen.as_flask`` in processes of its own: how it is switched on, what it loads, the command line."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

HERE = Path(__file__).parent

# What a test prints to show on which framework it ran.
WHICH = "import flask; print(flask.Flask.__module__)"
IS_ERLEN = "erlen.compat.application\n"


class Ended(t.NamedTuple):
    code: int
    output: str
    errors: str


@pytest.fixture
def python(tmp_path: Path) -> t.Callable[..., Ended]:
    """Run Python in an empty folder."""

    def run(*arguments: str, **variables: str) -> Ended:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("ERLEN_", "FLASK_"))
        }
        done = subprocess.run(
            [sys.executable, *arguments],
            env=kept | variables,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run


Python: t.TypeAlias = t.Callable[..., Ended]


def test_the_tests_in_such_a_process(python: Python) -> None:
    ended = python(
        "-m", "erlen.as_flask", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(HERE / "as_flask")
    )
    assert ended.code == 0, ended.output + ended.errors
    assert " passed in " in ended.output


def test_what_the_tests_of_contexts_expect_is_what_flask_does(python: Python) -> None:
    """The same file, on Flask: it imports nothing of Erlen's."""
    file = str(HERE / "as_flask" / "test_contexts.py")
    ended = python("-m", "pytest", "-q", "-p", "no:cacheprovider", file, ON_FLASK="1")
    assert ended.code == 0, ended.output + ended.errors
    assert " passed in " in ended.output


def test_without_it_flask_is_flask(python: Python) -> None:
    assert python("-c", WHICH).output == "flask.app\n"
    assert python("-c", f"import erlen; {WHICH}").output == "flask.app\n"


def test_as_the_first_import(python: Python) -> None:
    assert python("-c", f"import erlen.as_flask; {WHICH}").output == IS_ERLEN


def test_a_second_import_does_nothing(python: Python) -> None:
    code = f"import erlen.as_flask, importlib; importlib.reload(erlen.as_flask); {WHICH}"
    assert python("-c", code).output == IS_ERLEN


def test_a_script(python: Python, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "beside.py").write_text("NAME = 'beside'\n")
    script = tmp_path / "sub" / "script.py"
    script.write_text(f"import sys, beside\n{WHICH}\nprint(__name__, beside.NAME, sys.argv[1:], __file__)\n")
    ended = python("-m", "erlen.as_flask", "sub/script.py", "--debug", "-m")
    # The file with its whole path, as python has it: data beside a script are found by that.
    assert ended.output == f"{IS_ERLEN}__main__ beside ['--debug', '-m'] {script}\n", ended.errors


def test_a_module(python: Python, tmp_path: Path) -> None:
    (tmp_path / "tool.py").write_text(f"import sys\n{WHICH}\nprint(__name__, sys.argv[1:])\n")
    ended = python("-m", "erlen.as_flask", "-m", "tool", "a", "-c")
    assert ended.output == f"{IS_ERLEN}__main__ ['a', '-c']\n", ended.errors


def test_code(python: Python) -> None:
    ended = python("-m", "erlen.as_flask", "-c", f"import sys; {WHICH}; print(__name__, sys.argv)", "a")
    assert ended.output == f"{IS_ERLEN}__main__ ['-c', 'a']\n", ended.errors


def test_the_exit_code_is_that_of_the_program(python: Python) -> None:
    assert python("-m", "erlen.as_flask", "-c", "raise SystemExit(7)").code == 7


@pytest.mark.parametrize(("arguments", "code"), [([], 2), (["-m"], 2), (["-c"], 2), (["--help"], 0)])
def test_usage(python: Python, arguments: list[str], code: int) -> None:
    ended = python("-m", "erlen.as_flask", *arguments)
    assert ended.code == code
    assert ended.errors.startswith("Usage: python -m erlen.as_flask SCRIPT")


def test_a_script_that_is_not_there(python: Python) -> None:
    ended = python("-m", "erlen.as_flask", "pytest")
    assert ended.code == 1
    assert "There is no script 'pytest'" in ended.errors
    assert "python -m erlen.as_flask -m pytest" in ended.errors


def test_flask_was_imported_before(python: Python) -> None:
    ended = python("-c", "import flask; import erlen.as_flask")
    assert ended.code == 1
    message = ended.errors.splitlines()[-1]
    assert message.startswith("ImportError: Flask was imported before 'erlen.as_flask' (")
    assert "flask/__init__.py)" in message
    assert (
        "as the first line of the program, or for the whole process with 'python -m erlen.as_flask app.py'"
        in message
    )


@pytest.mark.parametrize(
    ("value", "framework"),
    [("1", IS_ERLEN), ("true", IS_ERLEN), ("0", "flask.app\n"), ("", "flask.app\n"), ("No", "flask.app\n")],
)
def test_the_variable_works_in_any_process(python: Python, value: str, framework: str) -> None:
    ended = python("-c", WHICH, ERLEN_AS_FLASK=value)
    assert ended.output == framework, ended.errors


def test_a_process_that_a_program_starts_does_the_same(python: Python) -> None:
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WHICH!r}])"
    assert python("-m", "erlen.as_flask", "-c", code).output == IS_ERLEN


def test_processes_of_multiprocessing_do_the_same(python: Python, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(
        "import multiprocessing, flask\n"
        "def which(queue): queue.put(flask.Flask.__module__)\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    queue = context.Queue()\n"
        "    process = context.Process(target=which, args=(queue,))\n"
        "    process.start()\n"
        "    print(queue.get(timeout=60))\n"
        "    process.join()\n"
    )
    ended = python("-m", "erlen.as_flask", "job.py")
    assert ended.output == IS_ERLEN, ended.errors


def test_nothing_of_erlen_is_loaded_before_it_is_asked_for(python: Python) -> None:
    code = (
        "import os, sys; before = set(sys.modules); import erlen.as_flask; loaded = set(sys.modules) - before;"
        "print(sorted(name for name in loaded if name.partition('.')[0] not in "
        "{'erlen', 'importlib', 'types', '__future__', 'warnings', '_warnings'}));"
        "print(sorted(name for name in loaded if name.startswith('erlen')))"
    )
    ended = python("-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}")
    rest, own = ended.output.splitlines()
    assert rest == "[]"
    assert own == str(
        sorted(
            "erlen erlen.as_flask erlen.compat erlen.compat.finder erlen.compat.names erlen.variables".split()
        )
    )


def test_gevent_may_patch_after_it(python: Python) -> None:
    code = (
        "import erlen.as_flask, warnings; warnings.simplefilter('error')\n"
        "from gevent import monkey; monkey.patch_all()\n"
        "import flask, threading\n"
        "app = flask.Flask('patched')\n"
        "app.add_url_rule('/', view_func=lambda: threading.current_thread().__class__.__name__)\n"
        "print(app.test_client().get('/').text)"
    )
    ended = python("-c", code)
    assert ended.code == 0, ended.errors
    assert ended.errors == ""


APP = """
import flask
app = flask.Flask(__name__)

@app.cli.command()
def which():
    print(flask.Flask.__module__, app.debug)
"""


def test_the_variables_of_flask_count(python: Python, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    ended = python("-m", "erlen", "which", ERLEN_AS_FLASK="1", FLASK_APP="shop", FLASK_DEBUG="1")
    assert ended.output == "erlen.compat.application True\n", ended.errors


def test_those_of_erlen_come_first(python: Python, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    variables = {"ERLEN_APP": "shop", "FLASK_APP": "nowhere", "ERLEN_DEBUG": "0", "FLASK_DEBUG": "1"}
    ended = python("-m", "erlen", "which", ERLEN_AS_FLASK="1", **variables)
    assert ended.output == "erlen.compat.application False\n", ended.errors


def test_flaskenv_is_read(python: Python, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    (tmp_path / ".flaskenv").write_text("FLASK_APP=shop\nFLASK_DEBUG=1\n")
    ended = python("-m", "erlen", "which", ERLEN_AS_FLASK="1")
    assert ended.output == "erlen.compat.application True\n", ended.errors
    ended = python("-m", "erlen", "which", ERLEN_AS_FLASK="1", FLASK_SKIP_DOTENV="1")
    assert "No application was named" in ended.errors


def test_options_from_the_environment(python: Python, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        f"{APP}\nimport click\n@app.cli.command()\n@click.option('--name')\ndef greet(name): print(name)\n"
    )
    ended = python("-m", "erlen", "greet", ERLEN_AS_FLASK="1", FLASK_APP="shop", FLASK_GREET_NAME="Ada")
    assert ended.output == "Ada\n", ended.errors


def test_the_debug_option_sets_one_variable(python: Python, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        f"{APP}\nimport os\n@app.cli.command()\ndef show(): print(os.environ['FLASK_DEBUG'], os.environ.get('ERLEN_DEBUG'),"
        " os.environ['FLASK_RUN_FROM_CLI'])\n"
    )
    ended = python("-m", "erlen", "--app", "shop", "--debug", "show", ERLEN_AS_FLASK="1", ERLEN_DEBUG="0")
    assert ended.output == "1 None true\n", ended.errors


def test_flask_as_a_program(python: Python, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    ended = python("-m", "erlen.as_flask", "-m", "flask", "--app", "shop", "which")
    assert ended.output == "erlen.compat.application False\n", ended.errors
    ended = python("-m", "flask", "--app", "shop", "which", ERLEN_AS_FLASK="1")
    assert ended.output == "erlen.compat.application False\n", ended.errors


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A distribution with a command for Flask's command line."""
    info = tmp_path / "site" / "flask_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: flask-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[flask.commands]\nplugged = flask_plugin:plugged\n")
    (tmp_path / "site" / "flask_plugin.py").write_text(
        "import click, flask\nfrom flask.cli import with_appcontext\n"
        "@click.command()\n@with_appcontext\ndef plugged(): print('plugged into', flask.current_app.name)\n"
    )
    (tmp_path / "shop.py").write_text(APP)
    return tmp_path / "site"


def test_plugins_of_flask_are_commands(python: Python, plugin: Path) -> None:
    ended = python("-m", "erlen", "--app", "shop", "plugged", ERLEN_AS_FLASK="1", PYTHONPATH=str(plugin))
    assert ended.output == "plugged into shop\n", ended.errors


def test_without_it_they_are_not(python: Python, plugin: Path) -> None:
    ended = python("-m", "erlen", "plugged", PYTHONPATH=str(plugin))
    assert ended.code == 2
    assert "'plugged' is none of Erlen's own commands" in ended.errors


def test_users_do_not_share_a_context_that_a_server_has_inherited(python: Python, tmp_path: Path) -> None:
    """``app.app_context().push()`` in a module, which many applications have."""
    (tmp_path / "shared.py").write_text(
        "import asyncio\nimport flask\nfrom erlen.testing.exchange import scope_of\nfrom werkzeug.test import EnvironBuilder\n"
        "app = flask.Flask(__name__)\napp.app_context().push()\n"
        "app.before_request(lambda: flask.g.setdefault('user', flask.request.args['user']) and None)\n"
        "app.add_url_rule('/', view_func=lambda: flask.g.user)\n"
        "async def ask(user):\n"
        "    sent = []\n"
        "    async def receive(): return {'type': 'http.request', 'body': b'', 'more_body': False}\n"
        "    async def send(message): sent.append(message)\n"
        "    await app(scope_of(EnvironBuilder('/', query_string={'user': user}).get_environ()), receive, send)\n"
        "    return sent[1]['body'].decode()\n"
        "async def main(): print(*[await ask(user) for user in ('alice', 'bob', 'eve')])\n"
        "asyncio.run(main())\n"
    )
    ended = python("-m", "erlen.as_flask", "shared.py")
    assert ended.output == "alice bob eve\n", ended.errors


def test_looking_at_the_package_does_not_switch_it_on(python: Python) -> None:
    code = "import erlen; [getattr(erlen, name, None) for name in ('as_flask', *dir(erlen), 'a.b')];"
    assert python("-c", f"{code} {WHICH}").output == "flask.app\n"


def test_the_package_may_be_loaded_again(python: Python) -> None:
    ended = python("-c", "import importlib, erlen; erlen.Erlen; print(importlib.reload(erlen).Erlen)")
    assert ended.output == "<class 'erlen.app.Erlen'>\n", ended.errors


def test_threads_may_import_flask_at_the_same_time(python: Python, tmp_path: Path) -> None:
    (tmp_path / "threads.py").write_text(
        "import importlib, sys, threading\nimport erlen.as_flask\nsys.setswitchinterval(1e-6)\n"
        "names = 'flask flask.globals flask.app flask.json.provider flask.cli flask.sansio.app'.split()\n"
        "failed = []\nbarrier = threading.Barrier(len(names))\n"
        "def load(name):\n"
        "    barrier.wait()\n"
        "    try: importlib.import_module(name)\n"
        "    except Exception as error: failed.append(error)\n"
        "threads = [threading.Thread(target=load, args=(name,)) for name in names]\n"
        "[thread.start() for thread in threads]\n[thread.join(60) for thread in threads]\nprint(failed)\n"
    )
    ended = python("threads.py")
    assert ended.output == "[]\n", ended.errors


def test_options_of_our_own_commands_with_either_prefix(python: Python, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    for variable in ("ERLEN_RUN_PORT", "FLASK_RUN_PORT"):
        ended = python("-m", "erlen", "run", ERLEN_AS_FLASK="1", FLASK_APP="shop", **{variable: "no number"})
        assert (ended.code, "'no number' is not a valid integer" in ended.errors) == (2, True), ended.errors


def test_a_variable_that_is_named_like_a_command_is_no_option(python: Python, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(
        f"{APP}\nimport click\n@app.cli.group()\ndef db(): pass\n"
        "@db.command()\n@click.option('--message')\ndef migrate(message): print(message)\n"
    )
    variables = {
        "ERLEN_DB": "a message",
        "ERLEN_DB_MIGRATE": "a message",
        "FLASK_DB_MIGRATE_MESSAGE": "hello",
    }
    ended = python("-m", "erlen", "db", "migrate", ERLEN_AS_FLASK="1", FLASK_APP="shop", **variables)
    assert ended.output == "hello\n", ended.errors


def test_code_is_a_module(python: Python) -> None:
    code = "import pickle\nclass Made: pass\nprint(type(pickle.loads(pickle.dumps(Made()))).__name__)"
    assert python("-m", "erlen.as_flask", "-c", code).output == "Made\n"


def test_a_module_that_is_not_there(python: Python) -> None:
    ended = python("-m", "erlen.as_flask", "-m", "nowhere")
    assert ended.code == 1
    assert ended.errors.startswith("There is no module 'nowhere'. Options of python itself come first")
