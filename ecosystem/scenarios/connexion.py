"""An API made of its OpenAPI description: checked arguments and bodies, sign-in, problems, async views, plain views, the inner app."""

from __future__ import annotations

import asyncio
import io
import sys
import types
import typing as t
from pathlib import Path
from threading import Thread

import connexion
import flask
from a2wsgi import ASGIMiddleware
from werkzeug.test import Client

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["connexion", "a2wsgi"]
APPLICATION = True
PROTOCOLS = ["wsgi"]
NOT_ON_ASGI = "it is the ASGI application itself, and calls the one inside over WSGI"

DESCRIPTION = """\
openapi: 3.0.3
info: {title: Teas, version: "1"}
components:
  securitySchemes:
    password: {type: http, scheme: basic, x-basicInfoFunc: teahouse.check_password}
    key: {type: apiKey, in: header, name: X-Key, x-apikeyInfoFunc: teahouse.check_key}
  schemas:
    Tea:
      type: object
      required: [name]
      properties:
        name: {type: string, minLength: 2}
        minutes: {type: integer, minimum: 1, default: 3}
paths:
  /teas:
    get:
      operationId: teahouse.list_teas
      parameters:
        - {name: kind, in: query, schema: {type: string, enum: [green, black]}}
        - {name: limit, in: query, schema: {type: integer, default: 10}}
        - {name: colours, in: query, explode: false, schema: {type: array, items: {type: string}}}
      responses: {"200": {description: all of them}}
    post:
      operationId: teahouse.add_tea
      requestBody: {required: true, content: {application/json: {schema: {$ref: "#/components/schemas/Tea"}}}}
      responses: {"201": {description: added}}
  /teas/{name}:
    get:
      operationId: teahouse.show_tea
      parameters: [{name: name, in: path, required: true, schema: {type: string}}]
      responses:
        "200":
          description: one
          content: {application/json: {schema: {$ref: "#/components/schemas/Tea"}}}
    delete:
      operationId: teahouse.remove_tea
      security: [{password: []}, {key: []}]
      parameters: [{name: name, in: path, required: true, schema: {type: string}}]
      responses: {"204": {description: gone}}
  /brew/{name}:
    post:
      operationId: teahouse.brew
      parameters: [{name: name, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: it takes a while}}
  /picture:
    post:
      operationId: teahouse.take_picture
      requestBody:
        content:
          multipart/form-data:
            schema:
              type: object
              properties: {title: {type: string}, picture: {type: string, format: binary}}
      responses: {"200": {description: taken}}
"""
#: What the description names; it would be a file of its own.
teahouse = types.ModuleType("teahouse")
TEAS = {"sencha": {"name": "sencha", "minutes": 2}, "broken": {"minutes": "some"}}


def handler(function: t.Any) -> t.Any:
    setattr(teahouse, function.__name__, function)
    return function


@handler
def list_teas(limit: int, kind: str | None = None, colours: list[str] | None = None) -> t.Any:
    teas = [name for name in TEAS if name != "broken"]
    return {"teas": teas[:limit], "kind": kind, "colours": colours, "path": flask.request.path}


@handler
def add_tea(body: dict[str, t.Any]) -> t.Any:
    TEAS[body["name"]] = body
    flask.session["added"] = body["name"]
    return body, 201, {"Location": flask.url_for("/.teahouse_show_tea", name=body["name"])}


@handler
def show_tea(name: str) -> t.Any:
    if name not in TEAS:
        flask.abort(404, f"There is no {name}")
    return TEAS[name]


@handler
def remove_tea(name: str, user: str, token_info: dict[str, t.Any]) -> t.Any:
    TEAS.pop(name)
    return connexion.NoContent, 204, {"X-By": f"{user}, who is {token_info['role']}"}


@handler
async def brew(name: str) -> t.Any:
    await asyncio.sleep(0.01)
    if name == "coffee":
        return connexion.problem(418, "I'm a teapot", "It has no filter")
    if name == "air":
        raise ZeroDivisionError("nothing in it")
    return {"brewed": name, "method": flask.request.method, "view": flask.request.endpoint}


@handler
def take_picture(body: dict[str, t.Any], picture: t.Any) -> t.Any:
    return {"title": body["title"], "file": picture.filename, "size": len(picture.read())}


@handler
def check_password(username: str, password: str) -> t.Any:
    return {"sub": username, "role": "host"} if password == "steam" else None


@handler
def check_key(key: str) -> t.Any:
    return {"sub": "a machine", "role": "guest"} if key == "kettle" else None


def make_app(folder: Path) -> flask.Flask:
    sys.modules["teahouse"] = teahouse
    (folder / "teas.yaml").write_text(DESCRIPTION)
    options = connexion.options.SwaggerUIOptions(swagger_ui=False)
    outer = connexion.FlaskApp("teahouse", specification_dir=folder, swagger_ui_options=options)
    outer.add_api("teas.yaml", strict_validation=True, validate_responses=True)
    outer.app.secret_key = "only for this scenario"

    @outer.route("/plain")
    def plain() -> str:
        return f"{flask.current_app.name} added {flask.session.get('added')}"

    @outer.app.errorhandler(ZeroDivisionError)
    def divided(error: ZeroDivisionError) -> t.Any:
        return {"divided": str(error)}, 500

    outer.app.extensions["outer"] = outer
    return outer.app


def play(visitor: Visitor) -> None:
    # A visitor of the whole, which is an ASGI application.
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    inner = visitor.client
    visitor.client = Client(ASGIMiddleware(visitor.app.extensions["outer"], loop=loop))
    try:
        ask_with_arguments(visitor)
        send_bodies(visitor)
        sign_in(visitor)
        wait_and_fail(visitor)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
    visitor.client = inner
    assert visitor.get("/plain").text == "teahouse added None"


def ask_with_arguments(visitor: Visitor) -> None:
    teas = visitor.get("/teas?kind=green&limit=1&colours=red,brown")
    assert teas.json == {"teas": ["sencha"], "kind": "green", "colours": ["red", "brown"], "path": "/teas"}
    refused = visitor.get("/teas?kind=blue")
    assert refused.status_code == 400
    assert refused.mimetype == "application/problem+json"
    assert "'blue' is not one of ['green', 'black']" in refused.text
    assert "'few' is not of type 'integer'" in visitor.get("/teas?limit=few").text
    assert "Extra query parameter(s) size" in visitor.get("/teas?size=3").text
    assert visitor.get("/teas/sencha").json == {"name": "sencha", "minutes": 2}
    # An answer that the description does not allow.
    assert visitor.get("/teas/broken").status_code == 500
    assert "There is no oolong" in visitor.get("/teas/oolong").text
    assert visitor.get("/nothing").status_code == 404
    assert visitor.put("/teas").status_code == 405
    assert '"title": "Teas"' in visitor.get("/openapi.json").text


def send_bodies(visitor: Visitor) -> None:
    added = visitor.post("/teas", json={"name": "Tee für Zoë"})
    assert added.status_code == 201
    assert added.json == {"name": "Tee für Zoë"}
    assert added.location == "/teas/Tee%20f%C3%BCr%20Zo%C3%AB"
    assert visitor.get(added.location).json == {"name": "Tee für Zoë"}
    assert visitor.get("/plain").text == "teahouse added Tee für Zoë"
    assert "'name' is a required property" in visitor.post("/teas", json={"minutes": 3}).text
    assert "0 is less than the minimum of 1" in visitor.post("/teas", json={"name": "x y", "minutes": 0}).text
    assert visitor.post("/teas", data="{", content_type="application/json").status_code == 400
    assert visitor.post("/teas", data="name=x", content_type="text/plain").status_code == 415
    form = {"title": "A pot", "picture": (io.BytesIO(b"\x89PNG" * 50_000), "pot.png")}
    assert visitor.post("/picture", data=form).json == {"title": "A pot", "file": "pot.png", "size": 200_000}


def sign_in(visitor: Visitor) -> None:
    assert visitor.delete("/teas/sencha").status_code == 401
    assert visitor.delete("/teas/sencha", auth=("ada", "wrong")).status_code == 401
    gone = visitor.delete("/teas/sencha", auth=("ada", "steam"))
    assert (gone.status_code, gone.headers["X-By"]) == (204, "ada, who is host")
    by_key = visitor.delete("/teas/broken", headers={"X-Key": "kettle"})
    assert by_key.headers["X-By"] == "a machine, who is guest"


def wait_and_fail(visitor: Visitor) -> None:
    assert visitor.post("/brew/sencha").json["brewed"] == "sencha"
    teapot = visitor.post("/brew/coffee")
    assert teapot.status_code == 418
    assert teapot.json["detail"] == "It has no filter"
    assert visitor.post("/brew/air").json == {"divided": "nothing in it"}
