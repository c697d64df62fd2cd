"""Two APIs in one application: namespaces, models, marshalling, masks, validated payloads, parsers, errors, documentation."""

from __future__ import annotations

import csv
import io
import logging
import typing as t
from datetime import UTC, datetime
from pathlib import Path

from flask import Blueprint, Flask, make_response, request
from flask.logging import default_handler
from flask_restx import Api, Namespace, Resource, fields, inputs, marshal, reqparse

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["flask-restx"]

# The entity tag of a file of the documentation page tells when it was installed.
VARIES = [(r'"\d+\.\d+-\d+-\d+"', '"<tag of a file>"')]

Seed: t.TypeAlias = dict[str, t.Any]


class OutOfStock(Exception):
    def __init__(self, name: str, wanted: int) -> None:
        super().__init__(f"{wanted} of {name} are more than there are")
        self.name = name


class Shelf:
    """What the seed bank has."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.seeds: dict[int, Seed] = {}
        self.add("Emmer", "grain", 1200, origin={"country": "TR", "site": "Karacadağ"})
        self.add("Sainfoin", "herb", 90, tags=["fodder", "bees"])
        self.add("Medlar", "tree", 7, origin={"country": "IR"})

    def add(self, name: str, kind: str, amount: int, **more: t.Any) -> Seed:
        number = len(self.seeds) + 1
        stored = datetime(2024, 3, number, 9, 30, tzinfo=UTC)
        seed = {"number": number, "name": name, "kind": kind, "amount": amount, "stored": stored, **more}
        self.seeds[number] = seed
        return seed


class LinesOf(logging.Handler):
    """Collect the messages of a logger."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.levelname} {record.getMessage()}")


def seeds_namespace(shelf: Shelf) -> Namespace:
    namespace = Namespace("seeds", description="What lies on the shelf", path="/seeds", ordered=True)

    origin = namespace.model(
        "Origin", {"country": fields.String(required=True, min_length=2, max_length=2), "site": fields.String}
    )
    draft = namespace.model(
        "Draft",
        {
            "name": fields.String(required=True, description="As the label says", example="Emmer"),
            "kind": fields.String(required=True, enum=["grain", "herb", "tree"]),
            "amount": fields.Integer(min=1, default=1),
            "tags": fields.List(fields.String),
            "origin": fields.Nested(origin, allow_null=True, skip_none=True),
        },
        strict=True,
    )
    seed = namespace.clone(
        "Seed",
        {"number": fields.Integer(readonly=True)},
        draft,
        {
            "stored": fields.DateTime(dt_format="iso8601"),
            "day": fields.Date(attribute="stored"),
            "many": fields.Boolean(attribute=lambda one: one["amount"] > 100),
            "label": fields.FormattedString("{name} ({kind})"),
            "href": fields.Url("seeds_one"),
        },
    )
    wanted = reqparse.RequestParser(bundle_errors=True)
    wanted.add_argument("kind", choices=("grain", "herb", "tree"), location="args", help="No such kind")
    wanted.add_argument("least", type=inputs.natural, default=0, location="args")
    wanted.add_argument("names", action="split", location="args")
    wanted.add_argument("X-Reader", dest="reader", location="headers", default="anonymous")
    taking = namespace.parser()
    taking.add_argument("amount", type=inputs.positive, required=True, location="form")

    @namespace.route("/")
    class All(Resource):
        @namespace.expect(wanted)
        @namespace.marshal_list_with(seed, skip_none=True)
        def get(self) -> t.Any:
            """List the seeds."""
            args = wanted.parse_args()
            found = [
                one
                for one in shelf.seeds.values()
                if args.kind in (None, one["kind"])
                and one["amount"] >= args.least
                and (args.names is None or one["name"] in args.names)
            ]
            return found, 200, {"X-For": args["reader"]}

        @namespace.expect(draft, validate=True)
        @namespace.response(409, "Is on the shelf already")
        @namespace.marshal_with(seed, code=201, envelope="seed")
        def post(self) -> t.Any:
            """Put a seed on the shelf."""
            payload = namespace.payload
            if payload["name"] in [one["name"] for one in shelf.seeds.values()]:
                namespace.abort(409, f"{payload['name']} is there", name=payload["name"])
            payload.setdefault("amount", 1)
            return shelf.add(**payload), 201

    @namespace.route("/<int:number>", endpoint="seeds_one")
    @namespace.param("number", "The number on the drawer")
    @namespace.response(404, "Not on the shelf")
    class One(Resource):
        @namespace.doc("read_a_seed")
        @namespace.marshal_with(seed)
        def get(self, number: int) -> t.Any:
            if number not in shelf.seeds:
                namespace.abort(404, f"Drawer {number} is empty")
            return shelf.seeds[number]

        @namespace.expect(taking)
        def delete(self, number: int) -> t.Any:
            """Take some out."""
            amount = taking.parse_args(strict=True)["amount"]
            one = shelf.seeds[number]
            if amount > one["amount"]:
                raise OutOfStock(one["name"], amount)
            one["amount"] -= amount
            return "", 204

    @namespace.errorhandler(OutOfStock)
    def out_of_stock(error: OutOfStock) -> t.Any:
        """Answer that there is not enough."""
        return {"message": str(error), "name": error.name}, 409, {"Retry-After": "3600"}

    return namespace


def second_api(shelf: Shelf) -> Blueprint:
    """Make an API on a blueprint: it has documentation, errors and a media type of its own."""
    blueprint = Blueprint("second", __name__, url_prefix="/second")
    api = Api(
        blueprint, version="2.0", title="Labels", doc="/help/", serve_challenge_on_401=True, validate=True
    )

    @api.representation("text/csv")
    def as_csv(data: t.Any, code: int, headers: t.Any = None) -> t.Any:
        target = io.StringIO()
        writer = csv.writer(target)
        writer.writerows(data if isinstance(data, list) else [[data["message"]]])
        response = make_response(target.getvalue(), code)
        response.headers.extend(headers or {})
        return response

    @api.route("/labels", "/stickers")
    class Labels(Resource):
        def get(self) -> t.Any:
            return [[one["name"], one["kind"]] for one in shelf.seeds.values()]

        @api.expect([api.model("Label", {"name": fields.String(required=True, pattern="^[A-Z]")})])
        def put(self) -> t.Any:
            return [one["name"] for one in api.payload]

    @api.route("/locked")
    class Locked(Resource):
        def get(self) -> t.Any:
            api.abort(401)

    @api.route("/links")
    class Links(Resource):
        def get(self) -> t.Any:
            here = {
                "labels": fields.Url("second.labels"),
                "whole": fields.Url("second.labels", absolute=True),
            }
            return {**marshal({}, here), "by hand": api.url_for(Labels, page=2), "root": api.base_path}

    @api.route("/broken")
    class Broken(Resource):
        def get(self) -> t.Any:
            return 1 // 0

    @api.errorhandler
    def whatever_else(error: Exception) -> t.Any:
        return {"message": f"The label printer says {type(error).__name__}"}, 503

    return blueprint


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.config["RESTX_JSON"] = {"sort_keys": True, "ensure_ascii": False}
    shelf = Shelf()
    app.extensions["shelf"] = shelf
    app.logger.addHandler(LinesOf(shelf.log))
    app.logger.removeHandler(default_handler)

    api = Api(
        app,
        version="1.0",
        title="Seed bank",
        description="Seeds, and who took them",
        doc="/docs",
        prefix="/v1",
        authorizations={"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
        security="key",
    )
    api.add_namespace(seeds_namespace(shelf))
    app.register_blueprint(second_api(shelf))

    @app.errorhandler(404)
    def not_found(error: Exception) -> t.Any:
        return f"Nothing at {request.path}", 404

    return app


def play(visitor: Visitor) -> None:
    reading_and_writing(visitor)
    refusals(visitor)
    on_the_blueprint(visitor)
    documentation(visitor)


def reading_and_writing(visitor: Visitor) -> None:
    everything = visitor.get("/v1/seeds/", headers={"X-Reader": "ada"})
    assert everything.headers["X-For"] == "ada"
    emmer, sainfoin, medlar = everything.json
    assert emmer["stored"] == "2024-03-01T09:30:00+00:00"
    assert emmer["day"] == "2024-03-01"
    assert (emmer["many"], medlar["many"]) == (True, False)
    assert emmer["label"] == "Emmer (grain)"
    assert emmer["href"] == "/v1/seeds/1"
    assert "origin" not in sainfoin
    assert medlar["origin"] == {"country": "IR"}
    some = visitor.get("/v1/seeds/?least=50&names=Sainfoin,Medlar", headers={"X-Fields": "{name,amount}"})
    assert some.json == [{"name": "Sainfoin", "amount": 90}]

    created = visitor.post("/v1/seeds/", json={"name": "Teff", "kind": "grain", "origin": {"country": "ET"}})
    assert created.status_code == 201
    assert created.json["seed"]["href"] == "/v1/seeds/4"
    assert visitor.delete("/v1/seeds/1", data={"amount": "200"}).status_code == 204
    assert visitor.get("/v1/seeds/1").json["amount"] == 1000
    assert visitor.ask("HEAD", "/v1/seeds/1").status_code == 200
    assert visitor.options("/v1/seeds/1").headers["Allow"].count("DELETE") == 1


def refusals(visitor: Visitor) -> None:
    wrong = visitor.post("/v1/seeds/", json={"name": 5, "kind": "stone", "colour": "red"})
    assert wrong.status_code == 400
    assert wrong.json["message"] == "Input payload validation failed"
    assert wrong.json["errors"]["kind"] == "'stone' is not one of ['grain', 'herb', 'tree']"
    # Aside: that the body is no JSON is said on Erlen only (docs/differences.md, requests and responses).
    broken = visitor.client.post("/v1/seeds/", data="{", content_type="application/json")
    assert (broken.status_code, set(broken.json)) == (400, {"message"})
    assert visitor.post("/v1/seeds/", data="name=Teff").status_code == 415
    assert visitor.post("/v1/seeds/", json={"name": "Teff", "kind": "herb"}).json["name"] == "Teff"
    assert set(visitor.get("/v1/seeds/?kind=stone&least=few").json["errors"]) == {"kind", "least"}
    assert (
        visitor.get("/v1/seeds/1", headers={"X-Fields": "{name"})
        .json["message"]
        .startswith("Mask parse error")
    )
    refused = visitor.delete("/v1/seeds/3", data={"amount": "8"})
    assert (refused.status_code, refused.json["name"]) == (409, "Medlar")
    assert refused.headers["Retry-After"] == "3600"
    assert (
        visitor.delete("/v1/seeds/3", data={"amount": "1", "gently": "yes"})
        .json["message"]
        .startswith("Unknown")
    )
    assert "did you mean" in visitor.get("/v1/seeds/9").json["message"]
    assert visitor.put("/v1/seeds/1").json["message"].startswith("The method is not allowed")
    # Neither API takes what belongs to the application.
    assert visitor.get("/v1/seeds").status_code == 308
    assert visitor.get("/nowhere").text == "Nothing at /nowhere"


def on_the_blueprint(visitor: Visitor) -> None:
    assert visitor.get("/second/labels").json[3] == ["Teff", "grain"]
    table = visitor.get("/second/stickers", headers={"Accept": "text/csv"})
    assert (table.mimetype, table.text.splitlines()[0]) == ("text/csv", "Emmer,grain")
    assert visitor.put("/second/labels", json=[{"name": "Emmer"}, {"name": "Teff"}]).json == ["Emmer", "Teff"]
    assert visitor.put("/second/labels", json=[{"name": "emmer"}]).status_code == 400
    assert visitor.get("/second/locked").headers["WWW-Authenticate"] == 'Basic realm="flask-restx"'
    links = visitor.get("/second/links").json
    assert links["whole"] == "http://localhost/second/labels"
    assert links["by hand"] == "/second/labels?page=2"
    broken = visitor.get("/second/broken", headers={"Accept": "text/csv"})
    assert (broken.status_code, broken.text) == (503, "The label printer says ZeroDivisionError\r\n")
    visitor.note("log", visitor.app.extensions["shelf"].log)
    assert visitor.app.extensions["shelf"].log == ["ERROR Exception on /second/broken [GET]"]


def documentation(visitor: Visitor) -> None:
    specification = visitor.get("/v1/swagger.json").json
    assert specification["basePath"] == "/v1"
    assert set(specification["paths"]) == {"/seeds/", "/seeds/{number}"}
    assert specification["paths"]["/seeds/{number}"]["get"]["operationId"] == "read_a_seed"
    assert set(specification["definitions"]) == {"Origin", "Draft", "Seed"}
    assert visitor.get("/second/swagger.json").json["info"] == {"title": "Labels", "version": "2.0"}
    assert "/v1/swagger.json" in visitor.get("/docs").text
    page = visitor.get("/second/help/").text
    assert "/second/swagger.json" in page
    assert "/swaggerui/droid-sans.css" in page
    with visitor.get("/swaggerui/droid-sans.css") as sheet:
        assert sheet.mimetype == "text/css"
