"""What a process loads for an application: not what it does not use."""

from __future__ import annotations

import subprocess
import sys

import pytest

APPLICATION = """
import sys
from erlen import Erlen

app = Erlen("erlen_test")


@app.get("/")
def index():
    return {"hello": "world"}


environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_NAME": "localhost", "SERVER_PORT": "80", "wsgi.url_scheme": "http"}
started = []
body = b"".join(app(environ, lambda *args: started.append(args)))
assert started[0][0] == "200 OK" and b"world" in body, (started, body)
"""


def loaded(then: str) -> set[str]:
    """Run the application with more lines, and return the modules that were loaded in the end."""
    code = f"{APPLICATION}\n{then}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["jinja2", "erlen.testing", "pdb", "erlen.debugger", "uvicorn", "granian"])
def test_a_request_without_templates_does_not_load(module: str) -> None:
    assert module not in loaded("")


def test_jinja_is_loaded_with_the_first_template() -> None:
    then = (
        "with app.app_context():\n    assert __import__('erlen').render_template_string('{{ 1 + 1 }}') == '2'"
    )
    assert {"jinja2", "erlen.jinja"} <= loaded(then)


def test_the_class_of_the_environment_is_the_one_of_templating() -> None:
    then = "from erlen.templating import Environment\nassert Erlen.jinja_environment is app.jinja_environment is Environment"
    assert "erlen.jinja" in loaded(then)


def test_a_subclass_has_an_environment_of_its_own() -> None:
    then = """
from erlen.templating import Environment
class Own(Environment): ...
class Application(Erlen):
    jinja_environment = Own
assert type(Application("x").jinja_env) is Own and type(app.jinja_env) is Environment
app.jinja_environment = Own
assert app.jinja_environment is Own
"""
    assert "erlen.jinja" in loaded(then)


def test_a_name_that_templating_does_not_have_is_an_attribute_error() -> None:
    assert loaded("""
import erlen.templating
try:
    erlen.templating.Nothing
except AttributeError as error:
    assert "'erlen.templating' has no attribute 'Nothing'" in str(error)
else:
    raise SystemExit("no error")
""")


def test_plain_requests_do_not_load_asyncio() -> None:
    assert "asyncio" not in loaded("")


def test_a_server_that_loads_asyncio_after_the_application_takes_it_for_one_of_asgi() -> None:
    """uvicorn and others look for the mark of a coroutine function; until Python 3.12 it was one of asyncio's."""
    then = "import asyncio\nassert asyncio.iscoroutinefunction(app.__call__)\nassert b''.join(app.__call__(environ, lambda *args: None))"
    if sys.version_info >= (3, 14):
        then = "import inspect, asyncio\nassert inspect.iscoroutinefunction(app.__call__)"
    assert "asyncio" in loaded(then)


def test_the_call_of_a_subclass_is_its_own() -> None:
    loaded(
        "class Own(Erlen):\n    def __call__(self, *args): return 'own'\nassert Own('x').__call__() == Own('x')() == 'own'"
    )


def test_an_application_is_freed_when_it_is_dropped() -> None:
    loaded(
        "import gc, weakref\ngc.collect(); gc.disable()\nother = weakref.ref(Erlen('other'))\nassert other() is None"
    )
