"""What a process loads for an application: not what it does not use."""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import pytest

from erlen import Blueprint
from erlen.paths import _is_inside

MADE = """
import sys
from erlen import Blueprint, Erlen, jsonify, render_template, request

app = Erlen("erlen_test")
app.register_blueprint(Blueprint("part", "erlen_test"))
"""

APPLICATION = f"""{MADE}


@app.get("/")
def index():
    return {{"hello": "world"}}


environ = {{"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_NAME": "localhost", "SERVER_PORT": "80", "wsgi.url_scheme": "http"}}
started = []
body = b"".join(app(environ, lambda *args: started.append(args)))
assert started[0][0] == "200 OK" and b"world" in body, (started, body)
"""


@functools.cache
def loaded(then: str, before: str = APPLICATION) -> frozenset[str]:
    """Run the application with more lines, and return the modules that were loaded in the end."""
    code = f"{before}\n{then}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return frozenset(done.stdout.split())


def test_the_import_of_the_package_loads_nothing() -> None:
    """``erlen.as_flask`` has to come before everything, and what is only named costs nothing."""
    more = loaded("import erlen", "import sys") - loaded("", "import sys")
    assert more == {"__future__", "erlen"}


# Modules, and what is done with an application that needs them.
LATER = {
    "asyncio": "app.get('/async')(an_async_view); answer('/async')",
    "click": "app.cli",
    "concurrent.futures": "app.spawn(print).result()",
    "decimal": "app.json.default(type('Own', (), {'__html__': str})())",
    "erlen.cli": "app.cli.command('work')(print)",
    "erlen.debug.explain": "import erlen.debug",
    "erlen.debugger": "import erlen.debugger",
    "erlen.eventstream": "import erlen; erlen.EventStream",
    "erlen.json.tag": "app.secret_key = 'k'; answer('/session')",
    "erlen.lifespans": "app.before_serving(print); app.start_serving()",
    "erlen.protocols.lifespan": "import asyncio; asyncio.run(app({'type': 'lifespan'}, receive, send))",
    "erlen.protocols.websocket": "connect_to_nothing()",
    "erlen.sessions": "answer('/session')",
    "erlen.testing": "app.test_client()",
    "erlen.websockets": "app.websocket('/ws')(an_async_view)",
    "itsdangerous": "app.secret_key = 'k'; answer('/session')",
    "jinja2": "app.jinja_env",
    "pathlib": "app.static_folder",
    "queue": "app.spawn(print).result()",
    "signal": "import asyncio; asyncio.run(app({'type': 'lifespan'}, receive, send))",
}

HELPERS = """
from erlen import session

async def an_async_view(): return "hello"
def of_session(): return str(dict(session))

event = "lifespan.shutdown"
async def receive(): return {"type": event}
async def send(message): pass

def answer(path):
    return b"".join(app({**environ, "PATH_INFO": path}, lambda *args: started.append(args)))

def connect_to_nothing():
    global event
    import asyncio
    event = "websocket.connect"
    asyncio.run(app({"type": "websocket", "path": "/nothing", "headers": []}, receive, send))

def late():
    # As if nobody had asked for anything.
    vars(app)["_got_first_request"] = False
    app.get("/session")(of_session)
"""


@pytest.mark.parametrize("module", sorted(LATER))
def test_an_application_does_not_load(module: str) -> None:
    assert module not in loaded("", MADE)


@pytest.mark.parametrize("module", sorted(LATER))
def test_a_plain_request_does_not_load(module: str) -> None:
    assert module not in loaded("")


@pytest.mark.parametrize(("module", "use"), LATER.items(), ids=sorted(LATER))
def test_the_first_use_loads(module: str, use: str) -> None:
    assert module in loaded(f"{HELPERS}\nlate()\n{use}")


@pytest.mark.parametrize("module", ["pdb", "uvicorn", "granian"])
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


# The package's names


def test_the_package_shows_names_that_it_has_not_loaded() -> None:
    then = """
import erlen
assert "erlen.eventstream" not in sys.modules
assert {"EventStream", "WebSocketDisconnected", "Erlen", "jsonify"} <= {*dir(erlen)} & {*erlen.__all__}
"""
    assert "erlen.eventstream" not in loaded(then)


def test_a_star_import_has_every_name() -> None:
    then = """
import erlen
names = {}
exec("from erlen import *", names)
assert names.keys() - {"__builtins__"} == {*erlen.__all__}, names.keys() ^ {*erlen.__all__}
assert names["EventStream"] is erlen.EventStream is sys.modules["erlen.eventstream"].EventStream
"""
    assert "erlen.websockets" in loaded(then)


def test_what_somebody_has_replaced_in_the_package_stays() -> None:
    loaded("""
import erlen
erlen.jsonify = "own"
assert not hasattr(erlen, "nothing") and erlen.EventStream
assert erlen.jsonify == "own"
""")


def test_a_name_that_the_package_does_not_have_is_an_attribute_error() -> None:
    loaded("""
import erlen, erlen.public
for module in erlen, erlen.public:
    try:
        module.nothing
    except AttributeError as error:
        assert f"{module.__name__!r} has no attribute 'nothing'" in str(error)
    else:
        raise SystemExit("no error")
""")


# Sessions, which are loaded when somebody asks for them

SESSIONS = """
from erlen import session

@app.get("/count")
def count():
    session["count"] = session.get("count", 0) + 1
    return str(session["count"])

class Own:
    opened = saved = 0
    def open_session(self, app, request):
        type(self).opened += 1
        return {}
    def save_session(self, app, session, response): type(self).saved += 1
    def get_cookie_name(self, app): return "own"
    def is_null_session(self, session): return False

def cookies(): return [value for name, value in started[-1][1] if name == "Set-Cookie"]
"""


def answers(then: str) -> frozenset[str]:
    """Run lines after a first request that has not loaded sessions."""
    lines = f"""
assert "erlen.sessions" not in sys.modules and app.plan is not None and not app.plan.opens_every_session
{HELPERS}
late()
{SESSIONS}
{then}
"""
    return loaded(lines)


def test_a_session_after_requests_without_one() -> None:
    answers("""
app.secret_key = "key"
app.config["SESSION_COOKIE_NAME"] = "visits"
assert answer("/count") == b"1"
(cookie,) = cookies()
assert cookie.startswith("visits=")
environ["HTTP_COOKIE"] = cookie.partition(";")[0]
assert answer("/count") == b"2"
""")


def test_an_interface_that_comes_after_requests_without_sessions() -> None:
    answers("""
app.session_interface = Own()
answer("/")
assert (Own.opened, Own.saved) == (1, 1) and app.plan.opens_every_session
""")


def test_an_interface_of_a_subclass_is_used_from_the_first_request() -> None:
    answers("""
class Other(Erlen):
    session_interface = Own()
app = Other("other")
app.get("/")(lambda: "hello")
assert answer("/") == b"hello" and (Own.opened, Own.saved) == (1, 1)
assert "erlen.sessions" not in sys.modules or app.plan.opens_every_session
""")


def test_all_applications_have_the_same_default_interface() -> None:
    answers("""
one, other = Erlen("one").session_interface, app.session_interface
assert one is other is Erlen.session_interface is vars(Erlen)["session_interface"]
assert type(one).__name__ == "SecureCookieSessionInterface"
""")


def test_a_default_interface_that_was_changed_before_the_first_request_is_asked() -> None:
    loaded(
        f"""
{SESSIONS}
environ = {{"REQUEST_METHOD": "GET", "PATH_INFO": "/", "SERVER_NAME": "localhost", "SERVER_PORT": "80", "wsgi.url_scheme": "http"}}
import erlen.sessions
erlen.sessions.SecureCookieSessionInterface.get_cookie_name = lambda self, app: "patched"
app.get("/")(lambda: "hello")
b"".join(app(environ, lambda *args: None))
assert app.plan.session_cookie == "patched"
""",
        MADE,
    )


# The command line, as well


def test_commands_of_a_blueprint_come_with_it() -> None:
    loaded("""
one, other = Blueprint("one", "erlen_test"), Blueprint("other", "erlen_test", cli_group=None)
one.cli.command("work")(lambda: None)
other.cli.command("rest")(lambda: None)
vars(app)["_got_first_request"] = False
app.register_blueprint(one)
app.register_blueprint(other)
assert sorted(app.cli.commands) == ["one", "rest"], app.cli.commands
assert (app.cli.name, one.cli.name, other.cli.name) == ("erlen_test", "one", "other")
""")


def test_a_group_that_a_subclass_brings_comes_with_the_blueprint() -> None:
    loaded("""
from erlen.cli import AppGroup
class Part(Blueprint):
    cli = AppGroup("own")
Part.cli.command("work")(lambda: None)
vars(app)["_got_first_request"] = False
app.register_blueprint(Part("tools", "erlen_test"))
assert [*app.cli.commands] == ["tools"]
""")


# What pathlib did, which is slow to load

FOLDERS = [
    "static",
    "files/public",
    "a.b",
    "a b",
    "d\u00e9p\u00f4t",
    "static/.",
    "..",
    ".",
    "/",
    "",
    "C:",
    "a\\b",
]


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_url_of_static_files_ends_in_the_name_of_their_folder(folder: str) -> None:
    expected = f"/{Path(folder.rstrip('/' + chr(92))).name}".rstrip("/")
    blueprint = Blueprint("part", __name__, static_folder=folder)
    assert blueprint.static_url_path == expected


INSIDE = ["/a", "/a/b", "/a/b/", "/a/bc", "/", "/b/a", "/a//b/c"]


@pytest.mark.parametrize("folder", INSIDE)
@pytest.mark.parametrize("path", INSIDE)
def test_what_is_inside_of_a_folder(path: str, folder: str) -> None:
    assert _is_inside(path, folder) is Path(path).is_relative_to(folder)
