"""What the type checkers infer in the code of users. Checked by mypy and pyright, never run."""

from __future__ import annotations

import typing as t

from werkzeug.datastructures import FileStorage, ImmutableMultiDict, MultiDict

import erlen
from erlen import (
    Blueprint,
    Config,
    Erlen,
    Request,
    Response,
    current_app,
    g,
    request,
    session,
    stream_with_context,
)
from erlen.sessions import SessionMixin
from erlen.testing import ErlenClient, ErlenCliRunner
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
