from __future__ import annotations

import ast
import asyncio
import contextvars
import threading
import typing as t
from pathlib import Path

import pytest

import erlen
from chapter_11 import Sapling, g, request
from chapter_11.asgi import environ_of
from framework_support import ask, chapter, new_app
from solutions.chapter_11 import Streaming, Watching

FOLDER = Path(__file__).parents[1]


class Answer(t.NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes
    pieces: int


async def over_asgi(
    app: t.Any, path: str, body: t.Sequence[bytes] = (b"",), method: str = "GET", headers: t.Any = ()
) -> Answer:
    """Send one request as an ASGI server does."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path.partition("?")[0], "raw_path": b"", "query_string": path.partition("?")[2].encode(),
        "root_path": "", "headers": [(b"host", b"localhost"), *headers], "server": ("localhost", 80), "client": ("127.0.0.1", 9),
    }  # fmt: skip
    coming = [{"type": "http.request", "body": part, "more_body": True} for part in body]
    coming[-1]["more_body"] = False
    sent: list[t.Any] = []

    async def receive() -> t.Any:
        if coming:
            return coming.pop(0)
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: t.Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *parts = sent
    assert not parts[-1].get("more_body")
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    whole = b"".join(part["body"] for part in parts)
    return Answer(start["status"], told, whole, sum(1 for part in parts if part["body"]))


def build(framework: t.Any) -> t.Any:
    app = new_app(framework)
    app.config["SECRET_KEY"] = "key of the tests"

    @app.before_request
    def before() -> None:
        framework.g.seen = ["before"]

    @app.before_request
    async def abefore() -> None:
        await asyncio.sleep(0)
        framework.g.seen.append("abefore")

    @app.route("/plain/<name>", methods=["GET", "POST"])
    def plain(name: str) -> t.Any:
        framework.session["name"] = name
        return [*framework.g.seen, name, framework.request.form.get("a")]

    @app.route("/async/<name>", methods=["GET", "POST"])
    async def aview(name: str) -> t.Any:
        await asyncio.sleep(0)
        framework.session["name"] = name
        return [*framework.g.seen, name, framework.request.form.get("a")]

    @app.route("/broken")
    async def broken() -> str:
        raise LookupError("rope")

    @app.errorhandler(LookupError)
    async def lookup(error: LookupError) -> tuple[str, int]:
        return f"no {error}", 404

    @app.route("/pieces")
    def pieces() -> t.Any:
        return (part for part in ["a", "b", "c"])

    return app


@pytest.mark.parametrize("number", [11, 12])
@pytest.mark.parametrize("path", ["/plain/ö", "/async/ö?a=b", "/broken", "/pieces", "/nowhere"])
def test_an_application_answers_the_same_over_both_protocols_and_as_erlen(number: int, path: str) -> None:
    ours, theirs = build(chapter(number)), build(erlen)
    over_wsgi = ask(ours, path)
    answer = asyncio.run(over_asgi(ours, path))
    assert (over_wsgi.status_code, over_wsgi.data) == (answer.status, answer.body)
    assert ("Set-Cookie" in over_wsgi.headers) == ("set-cookie" in answer.headers)
    erlens = asyncio.run(over_asgi(theirs, path))
    assert answer.status == erlens.status
    if answer.headers["content-type"] == "application/json":
        assert ask(theirs, path).json == over_wsgi.json
    else:
        assert answer.body == erlens.body


def test_a_body_comes_in_pieces_and_within_its_limit() -> None:
    app = build(chapter(11))
    form = [(b"content-type", b"application/x-www-form-urlencoded")]
    answer = asyncio.run(over_asgi(app, "/async/x", [b"a=", b"1"], "POST", form))
    assert b'"1"' in answer.body
    app.config["MAX_CONTENT_LENGTH"] = 2
    assert asyncio.run(over_asgi(app, "/async/x", [b"a=", b"1"], "POST", form)).status == 413


@pytest.mark.parametrize("number", [11, 12])
def test_half_of_a_body_is_not_taken_for_the_whole(number: int) -> None:
    app, called = new_app(chapter(number)), list[str]()
    app.before_request(lambda: called.append("hook"))
    messages = [
        {"type": "http.request", "body": b"amount=1", "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[t.Any] = []

    async def receive() -> t.Any:
        return messages.pop(0)

    async def send(message: t.Any) -> None:
        sent.append(message)

    asyncio.run(app({"type": "http", "method": "POST", "path": "/", "headers": []}, receive, send))
    assert (called, sent) == ([], [])


def test_a_stream_is_sent_piece_by_piece() -> None:
    assert asyncio.run(over_asgi(build(chapter(11)), "/pieces")).pieces == 3


def test_async_views_wait_on_one_thread_together_and_plain_ones_each_on_their_own() -> None:
    app, threads = Sapling("framework_example"), dict[str, set[int]](plain=set(), coroutine=set())
    together: list[asyncio.Barrier] = []

    @app.route("/async")
    async def coroutine() -> str:
        threads["coroutine"].add(threading.get_ident())
        await together[0].wait()
        return request.path

    @app.route("/plain")
    def plain() -> str:
        threads["plain"].add(threading.get_ident())
        return request.path

    async def all_of() -> list[Answer]:
        together.append(asyncio.Barrier(40))
        paths = ["/async"] * 40 + ["/plain"]
        return await asyncio.gather(*(over_asgi(app, path) for path in paths))

    answers = asyncio.run(all_of())
    assert {answer.body for answer in answers} == {b"/async", b"/plain"}
    assert len(threads["coroutine"]) == 1
    assert threads["coroutine"].isdisjoint(threads["plain"])


def test_a_context_variable_of_a_plain_hook_is_lost_and_g_is_not() -> None:
    app = Sapling("framework_example")
    mine: contextvars.ContextVar[str] = contextvars.ContextVar("mine", default="lost")

    @app.before_request
    def before() -> None:
        mine.set("kept")
        g.mine = "kept"

    @app.route("/")
    async def index() -> str:
        return f"{mine.get()} {g.mine}"

    assert asyncio.run(over_asgi(app, "/")).body == b"lost kept"
    assert ask(app, "/").text == "kept kept"


def test_headers_become_those_of_wsgi() -> None:
    headers = [
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
        (b"accept", b"x"),
        (b"accept", b"y"),
        (b"x_real_ip", b"evil"),
    ]
    environ = environ_of({"method": "GET", "path": "/app/ö", "root_path": "/app", "headers": headers}, b"")
    assert (environ["HTTP_COOKIE"], environ["HTTP_ACCEPT"]) == ("a=1; b=2", "x,y")
    assert "HTTP_X_REAL_IP" not in environ
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/app", "/ö".encode().decode("latin-1"))
    other = environ_of({"method": "GET", "path": "/apple", "root_path": "/app", "headers": []}, b"")
    assert other["PATH_INFO"] == "/apple"


def test_the_life_span_is_acknowledged() -> None:
    sent: list[str] = []
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]

    async def receive() -> t.Any:
        return messages.pop(0)

    async def send(message: t.Any) -> None:
        sent.append(message["type"])

    asyncio.run(t.cast("t.Any", Sapling("framework_example"))({"type": "lifespan"}, receive, send))
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_websocket_is_refused_with_words() -> None:
    with pytest.raises(RuntimeError, match="answers requests and no 'websocket'"):
        asyncio.run(t.cast("t.Any", Sapling("framework_example"))({"type": "websocket"}, print, print))


class Plain(ast.NodeTransformer):
    """Takes ``async``, ``await`` and the letter in front of names away."""

    def __init__(self, spelled: set[str]) -> None:
        self.spelled = spelled

    def visit_Await(self, node: ast.Await) -> ast.AST:
        return t.cast("ast.AST", self.visit(node.value))

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.attr = node.attr[1:] if node.attr in self.spelled else node.attr
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = node.id[1:] if node.id == "acall" else node.id
        return node


@pytest.mark.parametrize("number", [11, 12])
@pytest.mark.parametrize("file", ["dispatch.py", "ctx.py"])
def test_both_spellings_are_the_same(number: int, file: str) -> None:
    tree = ast.parse((FOLDER / f"chapter_{number}" / file).read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    functions = {
        one.name: one
        for node in classes
        for one in node.body
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    spelled = {name for name, one in functions.items() if isinstance(one, ast.AsyncFunctionDef)}
    assert spelled
    # 'apop' stands in the other file.
    plain = Plain(spelled | {"apop", "ado_teardown"})
    for name in spelled:
        ours, theirs = functions[name[1:]], functions[name]
        assert ast.dump(ours.args) == ast.dump(theirs.args)
        body = [plain.visit(statement) for statement in theirs.body[1:]]
        assert [ast.unparse(one) for one in ours.body[1:]] == [ast.unparse(one) for one in body], name


def streaming(seen: list[t.Any]) -> Streaming:
    app = Streaming("framework_example")

    async def pieces(name: str) -> t.AsyncGenerator[str, None]:
        try:
            for number in range(3):
                seen.append((threading.get_ident(), asyncio.get_running_loop()))
                await asyncio.sleep(0)
                yield f"{name}{number}"
        finally:
            await asyncio.sleep(0)
            seen.append("end")

    @app.route("/<name>")
    async def view(name: str) -> t.Any:
        return pieces(name), 202

    @app.route("/plain/<name>")
    def plain(name: str) -> t.Any:
        return pieces(name)

    return app


@pytest.mark.parametrize(("path", "status"), [("/ö", 202), ("/plain/ö", 200)])
def test_an_async_generator_is_sent_piece_by_piece_over_both_protocols(path: str, status: int) -> None:
    seen: list[t.Any] = []
    app = streaming(seen)
    answer = asyncio.run(over_asgi(app, path))
    assert (answer.status, answer.body.decode(), answer.pieces) == (status, "ö0ö1ö2", 3)
    assert seen.pop() == "end"
    assert len(set(seen)) == 1
    if path == "/ö":
        assert seen[0][0] == threading.get_ident()
    seen.clear()
    response = ask(app, path)
    assert (response.status_code, response.text) == (status, "ö0ö1ö2")
    assert seen.pop() == "end"
    assert len(set(seen)) == 1


def test_an_async_generator_that_is_closed_early_is_ended() -> None:
    seen: list[t.Any] = []
    with streaming(seen).test_client().get("/plain/a") as response:
        assert next(iter(response.response)) == b"a0"
    assert seen[-1] == "end"
    assert len(seen) == 2


async def left_alone(app: t.Any, path: str, leaves: t.Callable[[], t.Awaitable[object]]) -> list[str]:
    """Send a request whose client goes away, and return what it was sent."""
    sent: list[str] = []
    coming = [{"type": "http.request", "body": b""}]

    async def receive() -> t.Any:
        if coming:
            return coming.pop()
        await leaves()
        return {"type": "http.disconnect"}

    async def send(message: t.Any) -> None:
        sent.append(message["type"])

    await app({"type": "http", "method": "GET", "path": path, "headers": []}, receive, send)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return sent


def test_a_view_is_stopped_when_its_client_has_gone_and_is_at_its_end_then() -> None:
    app, seen = Watching("framework_example"), list[str]()
    app.teardown_appcontext(lambda failure: seen.append("functions at the end"))

    async def main() -> list[str]:
        began = asyncio.Event()

        @app.route("/")
        async def index() -> str:
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                seen.append("end of the view")
            return "never"

        return await left_alone(app, "/", began.wait)

    assert asyncio.run(main()) == []
    assert seen == ["end of the view", "functions at the end"]


def test_whoever_stays_is_answered_and_nothing_goes_on_afterwards() -> None:
    app = Watching("framework_example")

    @app.route("/<name>")
    async def index(name: str) -> str:
        return f"{1 / len(name)}"

    async def never() -> None:
        await asyncio.Event().wait()

    assert asyncio.run(left_alone(app, "/a", never)) == ["http.response.start", *["http.response.body"] * 2]
    app.config["TESTING"] = True

    @app.before_request
    def broken() -> None:
        raise LookupError("rope")

    with pytest.raises(LookupError):
        asyncio.run(left_alone(app, "/a", never))
