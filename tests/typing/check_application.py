"""What the type checkers infer in the code of users. Checked by mypy and pyright, never run."""

from __future__ import annotations

import typing as t

from werkzeug.datastructures import FileStorage, ImmutableMultiDict, MultiDict

import erlen
from erlen import (
    Blueprint,
    Config,
    Erlen,
    EventStream,
    JSONLines,
    Request,
    Response,
    ServerSentEvent,
    current_app,
    g,
    nonblocking,
    request,
    session,
    stream_with_context,
    websocket,
)
from erlen.sessions import SessionMixin
from erlen.testing import AsyncErlenClient, ErlenClient, ErlenCliRunner, LiveServer
from erlen.typing import ResponseReturnValue
from erlen.views import MethodView

app = Erlen(__name__)
blueprint = Blueprint("pages", __name__, url_prefix="/pages")


@app.get("/")
def text() -> str:
    t.assert_type(request.method, str)
    t.assert_type(request.args, MultiDict[str, str])
    t.assert_type(request.form, ImmutableMultiDict[str, str])
    t.assert_type(request.files, ImmutableMultiDict[str, FileStorage])
    t.assert_type(request.get_data(), bytes)
    return "text"


@app.get("/numbers/<int:number>")
def with_argument(number: int) -> dict[str, int]:
    return {"number": number}


@app.post("/status")
def with_status() -> tuple[str, int]:
    return "made", 201


@app.post("/headers")
def with_headers() -> tuple[dict[str, str], int, dict[str, str]]:
    return {}, 201, {"Location": "/"}


@app.get("/list")
def a_list() -> list[str]:
    return ["a", "b"]


@app.get("/response")
def a_response() -> Response:
    response = erlen.make_response("body", 200)
    t.assert_type(response, Response)
    return response


@app.get("/stream")
def a_stream() -> t.Iterator[str]:
    def generate() -> t.Iterator[str]:
        yield "a"

    t.assert_type(stream_with_context(generate()), t.Iterator[str])
    return stream_with_context(generate())


@app.get("/async")
async def asynchronous() -> str:
    return "later"


@app.route("/any", methods=["GET", "POST"], defaults={"page": 1})
def anything(page: int) -> ResponseReturnValue:
    return erlen.redirect(erlen.url_for("text", page=page))


# Decorators hand back what they were given.
t.assert_type(text(), str)
t.assert_type(with_argument(1), dict[str, int])


@app.before_request
def before() -> None:
    g.user = "somebody"


@app.after_request
def after(response: Response) -> Response:
    return response


@app.teardown_request
def teardown(error: BaseException | None) -> None: ...


@app.errorhandler(404)
def not_found(error: Exception) -> tuple[str, int]:
    return "not here", 404


@app.errorhandler(ValueError)
def wrong(error: ValueError) -> ResponseReturnValue:
    return str(error), 400


@app.context_processor
def context() -> dict[str, t.Any]:
    return {"year": 2026}


@app.template_filter("shout")
def shout(text: str) -> str:
    return text.upper()


@blueprint.route("/")
def page() -> str:
    return erlen.render_template("page.html", title="Page")


@app.post("/async")
async def waits() -> dict[str, str]:
    async for piece in request.stream:
        t.assert_type(piece, bytes)
    return {}


@app.get("/pieces")
async def pieces() -> t.AsyncIterator[str]:
    async def generate() -> t.AsyncIterator[str]:
        yield "piece"

    return t.assert_type(stream_with_context(generate()), t.AsyncIterator[str])


@app.get("/events")
async def events() -> EventStream:
    async def generate() -> t.AsyncIterator[ServerSentEvent]:
        yield ServerSentEvent({"count": 1}, id="1")

    return EventStream(generate(), retry=1000)


@app.get("/lines")
def lines() -> JSONLines:
    return JSONLines({"number": number} for number in range(3))


@blueprint.websocket("/echo/<int:room>")
async def echo(room: int) -> None:
    await websocket.accept(subprotocol="chat")
    t.assert_type(await websocket.receive_text(), str)
    t.assert_type(await websocket.receive_bytes(), bytes)
    async for message in websocket:
        t.assert_type(message, str | bytes)
        await websocket.send(message)


@app.lifespan
async def pool() -> t.AsyncIterator[None]:
    yield


@app.before_serving
def prepare() -> None:
    app.spawn(work, 1)


@nonblocking
def work(number: int) -> int:
    return number


t.assert_type(work(1), int)


async def in_async_test() -> None:
    async with app.async_test_client() as client:
        t.assert_type((await client.get("/")).status_code, int)
        async with client.websocket("/pages/echo/1") as socket:
            t.assert_type(await socket.receive(), str | bytes)
    with app.test_client().websocket("/pages/echo/1") as plain:
        t.assert_type(plain.receive(), str | bytes)
    t.assert_type(await erlen.arender_template("page.html"), str)


def in_test_with_fixtures(
    client: ErlenClient, async_client: AsyncErlenClient, runner: ErlenCliRunner, live_server: LiveServer
) -> None:
    t.assert_type(client.get("/").text, str)
    t.assert_type(runner.invoke(args=["count"]).output, str)
    t.assert_type(live_server.url_for("text", page=2), str)
    t.assert_type(live_server.errors, list[Exception])
    with LiveServer(app, interface="asgi") as server:
        t.assert_type(server, LiveServer)
        t.assert_type(server.port, int)


class Items(MethodView):
    init_every_request = False

    def get(self) -> str:
        return "items"


app.add_url_rule("/items", view_func=Items.as_view("items"))
app.register_blueprint(blueprint)

t.assert_type(app.config, Config)
t.assert_type(app.test_client(), ErlenClient)
t.assert_type(app.test_cli_runner(), ErlenCliRunner)


def in_context(own: Request) -> None:
    t.assert_type(erlen.render_template_string("{{ x }}", x=1), str)
    response: Response = erlen.jsonify(a=1)
    t.assert_type(response.status_code, int)
    t.assert_type(erlen.url_for("text"), str)
    session["key"] = "value"
    mixin: SessionMixin = session
    t.assert_type(mixin.permanent, bool)
    t.assert_type(current_app.debug, bool)
    application: Erlen = current_app
    t.assert_type(application.name, str)
    t.assert_type(own.blueprint, str | None)
    t.assert_type(own.blueprints, list[str])


def aborts(value: str | None) -> str:
    if value is None:
        erlen.abort(404)
    # `abort` never returns, so what is left is a str.
    return t.assert_type(value, str)
