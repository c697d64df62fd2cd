"""A REST API: schemas in and out, arguments, pages, entity tags, errors as JSON, nested blueprints, OpenAPI and its commands."""

from __future__ import annotations

import io
import json
import logging
import typing as t
from pathlib import Path

import marshmallow as ma
from flask import Flask
from flask.logging import default_handler
from flask.views import MethodView
from flask_smorest import Api, Blueprint, Page, abort
from flask_smorest.fields import Upload
from webargs import fields as argument_fields

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["flask-smorest"]


class Station:
    """Where the weather is measured."""

    def __init__(self, number: int, name: str, height: int, tags: t.Sequence[str] = ()) -> None:
        self.number = number
        self.name = name
        self.height = height
        self.tags = list(tags)


class StationSchema(ma.Schema):
    number = ma.fields.Integer(dump_only=True)
    name = ma.fields.String(required=True, validate=ma.validate.Length(min=2))
    height = ma.fields.Integer(load_default=0, metadata={"description": "Metres above the sea"})
    tags = ma.fields.List(ma.fields.String())


class WantedSchema(ma.Schema):
    above = ma.fields.Integer()
    tags = argument_fields.DelimitedList(ma.fields.String())


class KeySchema(ma.Schema):
    class Meta:
        unknown = ma.EXCLUDE

    key = ma.fields.String(required=True, data_key="X-Key", validate=ma.validate.Equal("let me in"))


class SheetSchema(ma.Schema):
    sheet = Upload(required=True)


class ReadingSchema(ma.Schema):
    at = ma.fields.DateTime(required=True)
    degrees = ma.fields.Decimal(places=1, as_string=True, required=True)


def make_stations() -> dict[int, Station]:
    stations = [
        Station(1, "Säntis", 2502, ["summit", "cable car"]),
        Station(2, "Zürich", 556, ["town"]),
        Station(3, "Piz Corvatsch", 3302, ["summit"]),
        Station(4, "Lugano", 273, ["town", "lake"]),
        Station(5, "Jungfraujoch", 3571),
    ]
    return {one.number: one for one in stations}


def stations_blueprint(stations: dict[int, Station]) -> Blueprint:
    blueprint = Blueprint("stations", __name__, url_prefix="/stations", description="Where we measure")

    def find(number: int) -> Station:
        if number not in stations:
            abort(404, message=f"There is no station {number}", headers={"X-Known": str(len(stations))})
        return stations[number]

    @blueprint.route("/")
    class Stations(MethodView):
        @blueprint.etag
        @blueprint.arguments(WantedSchema, location="query")
        @blueprint.response(200, StationSchema(many=True))
        @blueprint.paginate(Page, page_size=2, max_page_size=3)
        def get(self, wanted: dict[str, t.Any]) -> t.Any:
            """List stations

            The lowest first.
            ---
            This part is for those who read the code.
            """
            found = [
                one
                for one in stations.values()
                if one.height >= wanted.get("above", 0) and set(wanted.get("tags", ())) <= set(one.tags)
            ]
            return sorted(found, key=lambda one: one.height)

        @blueprint.etag
        @blueprint.arguments(KeySchema, location="headers")
        @blueprint.arguments(StationSchema, example={"name": "Chur", "height": 593})
        @blueprint.response(201, StationSchema)
        @blueprint.alt_response(409, description="There is one of this name")
        def post(self, key: dict[str, str], new: dict[str, t.Any]) -> t.Any:
            """Add a station"""
            if new["name"] in [one.name for one in stations.values()]:
                abort(409, message="There is one of this name", errors={"name": [new["name"]]})
            station = Station(len(stations) + 1, **new)
            stations[station.number] = station
            return station

    @blueprint.route("/<int(min=1):number>")
    @blueprint.etag
    class One(MethodView):
        @blueprint.response(200, StationSchema)
        def get(self, number: int) -> Station:
            return find(number)

        @blueprint.arguments(StationSchema)
        @blueprint.response(200, StationSchema)
        def put(self, new: dict[str, t.Any], number: int) -> Station:
            station = find(number)
            blueprint.check_etag(station, StationSchema)
            station.name, station.height = new["name"], new["height"]
            return station

        @blueprint.response(204)
        def delete(self, number: int) -> None:
            blueprint.check_etag(find(number), StationSchema)
            del stations[number]

    readings = Blueprint("readings", __name__, url_prefix="/<int:number>/readings")
    pages: dict[int, list[t.Any]] = {1: [], 2: []}

    @readings.post("/")
    @readings.arguments(ReadingSchema(many=True))
    @readings.response(201, ReadingSchema(many=True))
    def add_readings(new: list[t.Any], number: int) -> t.Any:
        """Add readings"""
        pages.setdefault(number, []).extend(new)
        return new, {"X-Readings": str(len(pages[number]))}

    @readings.get("/")
    @readings.response(200, ReadingSchema(many=True), headers={"X-Unit": {"description": "of the degrees"}})
    @readings.paginate(page_size=1)
    @readings.doc(summary="Read", operationId="read")
    def list_readings(number: int, pagination_parameters: t.Any) -> t.Any:
        pagination_parameters.item_count = len(pages[number])
        wanted = pages[number][pagination_parameters.first_item : pagination_parameters.last_item + 1]
        return wanted, 200, {"X-Unit": "celsius"}

    @readings.route("/sheet", methods=["PUT"])
    @readings.arguments(SheetSchema, location="files")
    @readings.response(200)
    def put_sheet(files: dict[str, t.Any], number: int) -> t.Any:
        lines = files["sheet"].read().decode().splitlines()
        return {"name": files["sheet"].filename, "lines": len(lines)}

    blueprint.register_blueprint(readings)
    return blueprint


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.config.update(
        API_TITLE="Weather",
        API_VERSION="v1",
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/docs",
        OPENAPI_SWAGGER_UI_PATH="/ui",
        OPENAPI_SWAGGER_UI_URL="https://cdn.example/swagger-ui/",
        OPENAPI_SWAGGER_UI_CONFIG={"deepLinking": False},
        OLD_API_TITLE="Weather, as it was",
        OLD_API_VERSION="v0",
        OLD_OPENAPI_VERSION="2.0",
    )
    app.logger.removeHandler(default_handler)
    app.logger.addHandler(logging.NullHandler())

    api = Api(app)
    api.register_blueprint(stations_blueprint(make_stations()))

    broken = Blueprint("broken", __name__, description="Answers 500")

    @broken.get("/broken")
    def answer() -> None:
        raise LookupError("nobody is to read this")

    old = Api(app, config_prefix="old")
    old.register_blueprint(broken, url_prefix="/old")
    return app


def play(visitor: Visitor) -> None:
    pages(visitor)
    arguments(visitor)
    entity_tags(visitor)
    nested(visitor)
    errors(visitor)
    documentation(visitor)


def pages(visitor: Visitor) -> None:
    first = visitor.get("/stations/")
    assert [one["name"] for one in first.json] == ["Lugano", "Zürich"]
    counted = {"total": 5, "total_pages": 3, "first_page": 1, "last_page": 3, "page": 1, "next_page": 2}
    assert json.loads(first.headers["X-Pagination"]) == counted
    assert visitor.get("/stations/", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    last = visitor.get("/stations/?page=3&page_size=2", headers={"If-None-Match": first.headers["ETag"]})
    assert [one["name"] for one in last.json] == ["Jungfraujoch"]
    assert [one["name"] for one in visitor.get("/stations/?tags=summit,cable car&above=2000").json] == [
        "Säntis"
    ]
    too_many = visitor.get("/stations/?page_size=4")
    assert too_many.status_code == 422
    assert "page_size" in too_many.json["errors"]["query"]


def arguments(visitor: Visitor) -> None:
    key = {"X-Key": "let me in"}
    created = visitor.post("/stations/", json={"name": "Chur", "tags": ["town"]}, headers=key)
    assert (created.status_code, created.json["number"], created.json["height"]) == (201, 6, 0)
    assert visitor.post("/stations/", json={"name": "Chur"}, headers=key).json["errors"] == {"name": ["Chur"]}
    assert set(visitor.post("/stations/", json={"name": "Bern"}).json["errors"]) == {"headers"}
    wrong = visitor.post("/stations/", json={"name": "B", "number": 7, "height": "high"}, headers=key)
    assert set(wrong.json["errors"]["json"]) == {"name", "number", "height"}
    malformed = visitor.post("/stations/", data='{"name": ', content_type="application/json", headers=key)
    assert (malformed.status_code, malformed.json["errors"]) == (400, {"json": ["Invalid JSON body."]})


def entity_tags(visitor: Visitor) -> None:
    tag = visitor.get("/stations/2").headers["ETag"]
    new = {"name": "Zürich-Fluntern", "height": 555}
    assert visitor.put("/stations/2", json=new).json["status"] == "Precondition Required"
    assert visitor.put("/stations/2", json=new, headers={"If-Match": '"another"'}).status_code == 412
    changed = visitor.put("/stations/2", json=new, headers={"If-Match": tag})
    assert changed.json["height"] == 555
    assert changed.headers["ETag"] != tag
    assert visitor.delete("/stations/2", headers={"If-Match": tag}).status_code == 412
    gone = visitor.delete("/stations/2", headers={"If-Match": changed.headers["ETag"]})
    assert gone.status_code == 204


def nested(visitor: Visitor) -> None:
    readings = [
        {"at": "2024-06-01T06:00:00+00:00", "degrees": "2.34"},
        {"at": "2024-06-01T07:00:00+00:00", "degrees": 3},
    ]
    added = visitor.post("/stations/1/readings/", json=readings)
    assert (added.status_code, added.headers["X-Readings"]) == (201, "2")
    second = visitor.get("/stations/1/readings/?page=2")
    assert second.json == [{"at": "2024-06-01T07:00:00+00:00", "degrees": "3.0"}]
    sheet = {"sheet": (io.BytesIO(b"06:00;2.34\n07:00;3\n"), "readings.csv")}
    assert visitor.put("/stations/1/readings/sheet", data=sheet).json == {"name": "readings.csv", "lines": 2}


def errors(visitor: Visitor) -> None:
    missing = visitor.get("/stations/9")
    assert missing.json == {"code": 404, "status": "Not Found", "message": "There is no station 9"}
    assert missing.headers["X-Known"] == "5"
    assert visitor.get("/stations/0").json == {"code": 404, "status": "Not Found"}
    assert visitor.patch("/stations/1").json == {"code": 405, "status": "Method Not Allowed"}
    assert visitor.get("/old/broken").json == {"code": 500, "status": "Internal Server Error"}


def documentation(visitor: Visitor) -> None:
    document = visitor.get("/docs/openapi.json").json
    assert set(document["paths"]) == {
        "/stations/",
        "/stations/{number}",
        "/stations/{number}/readings/",
        "/stations/{number}/readings/sheet",
    }
    listing = document["paths"]["/stations/"]["get"]
    assert (listing["summary"], listing["description"]) == ("List stations", "The lowest first.")
    assert {"$ref": "#/components/parameters/IF_NONE_MATCH"} in listing["parameters"]
    page = visitor.get("/docs/ui").text
    assert "https://cdn.example/swagger-ui/" in page
    assert "/docs/openapi.json" in page
    assert json.loads(visitor.run("openapi", "print")) == document
    assert visitor.run("openapi", "list-config-prefixes") == '""\n"OLD_"\n'
    target = visitor.folder / "old.json"
    visitor.run("openapi", "write", "--config-prefix", "old", str(target))
    assert json.loads(target.read_text())["swagger"] == "2.0"
    visitor.note("old.json", target.read_text())
    assert "config prefix" in visitor.run("openapi", "print", "--config-prefix", "none")
