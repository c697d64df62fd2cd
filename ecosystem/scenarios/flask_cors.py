"""Cross-origin requests: rules for paths, views and blueprints, preflights, credentials, private networks, errors with headers."""

from __future__ import annotations

import logging
import re
import typing as t
from datetime import timedelta
from pathlib import Path

from flask import Blueprint, Flask, abort, redirect, request, session, url_for
from flask.logging import default_handler
from flask.views import MethodView
from flask_cors import CORS, cross_origin

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["flask-cors"]

SHOP = "https://shop.example"


def shop_blueprint() -> Blueprint:
    """Make pages that one page elsewhere may use, with its visitors' cookies."""
    blueprint = Blueprint("shop", __name__, url_prefix="/shop")
    CORS(
        blueprint,
        origins=[SHOP, "https://till.example"],
        supports_credentials=True,
        expose_headers=["X-Items"],
    )

    @blueprint.route("/basket", methods=["GET", "PUT"])
    def basket() -> t.Any:
        if request.method == "PUT":
            session["basket"] = [*session.get("basket", []), request.json["item"]]
        items = session.get("basket", [])
        return items, {"X-Items": str(len(items))}

    @blueprint.get("/old")
    def old() -> t.Any:
        return redirect(url_for("shop.basket"))

    @blueprint.errorhandler(KeyError)
    def no_item(error: KeyError) -> t.Any:
        return {"missing": error.args[0]}, 400

    return blueprint


def decorated_blueprint() -> Blueprint:
    """Make views that say for themselves who may use them."""
    blueprint = Blueprint("decorated", __name__, url_prefix="/decorated")

    @blueprint.get("/open")
    @cross_origin(send_wildcard=True)
    def everybody() -> str:
        return "for everybody"

    @blueprint.route("/narrow", methods=["GET", "DELETE"])
    @cross_origin(
        origins=re.compile(r"https://[a-z]+\.partner\.example$"),
        methods=["GET", "DELETE"],
        allow_headers=["X-Request-Id", r"X-Partner-.*"],
        max_age=timedelta(minutes=10),
        allow_private_network=True,
    )
    def narrow() -> str:
        return "for partners"

    @blueprint.route("/by-hand", methods=["GET", "OPTIONS"])
    @cross_origin(automatic_options=False, vary_header=False)
    def by_hand() -> t.Any:
        return f"{request.method} from {request.origin}", {"Vary": "Accept"}

    class Resource(MethodView):
        decorators: t.ClassVar = [cross_origin(origins=SHOP, always_send=False)]

        def get(self) -> str:
            return "a class"

        def post(self) -> t.Any:
            abort(409)

    blueprint.add_url_rule("/class", view_func=Resource.as_view("resource"))
    return blueprint


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.secret_key = "only for this scenario"
    app.config["CORS_MAX_AGE"] = 60
    app.logger.removeHandler(default_handler)
    app.logger.addHandler(logging.NullHandler())
    CORS(
        app,
        resources={
            r"/api/*": {"origins": "*", "methods": ["GET", "POST"]},
            r"/api/inner/.*": {"origins": ["http://localhost:3000", r"https://.*\.inner\.example"]},
        },
        allow_headers=["Content-Type", "X-Token"],
    )

    @app.route("/api/words", methods=["GET", "POST"])
    def words() -> t.Any:
        return ["one", "two"]

    @app.get("/api/inner/words")
    def inner_words() -> t.Any:
        return ["three"]

    @app.get("/api/broken")
    def broken() -> t.Any:
        return {}["none"]

    @app.get("/plain")
    def plain() -> str:
        return "for this origin alone"

    @app.errorhandler(404)
    def not_found(error: Exception) -> t.Any:
        return {"error": "not found"}, 404

    app.register_blueprint(shop_blueprint())
    app.register_blueprint(decorated_blueprint())
    return app


def allowed(response: t.Any) -> str | None:
    origin: str | None = response.headers.get("Access-Control-Allow-Origin")
    return origin


def preflight(visitor: Visitor, path: str, origin: str, method: str, headers: str = "", **more: str) -> t.Any:
    asked = {"Origin": origin, "Access-Control-Request-Method": method}
    if headers:
        asked["Access-Control-Request-Headers"] = headers
    return visitor.options(
        path, headers={**asked, **{name.replace("_", "-"): one for name, one in more.items()}}
    )


def play(visitor: Visitor) -> None:
    paths(visitor)
    errors(visitor)
    credentials(visitor)
    views(visitor)


def paths(visitor: Visitor) -> None:
    assert allowed(visitor.get("/api/words")) == "*"
    assert allowed(visitor.get("/api/words", headers={"Origin": SHOP})) == SHOP
    asked = preflight(visitor, "/api/words", SHOP, "POST", "content-type, x-token, x-other")
    assert asked.headers["Access-Control-Allow-Methods"] == "GET, POST"
    assert asked.headers["Access-Control-Allow-Headers"] == "content-type, x-token"
    assert asked.headers["Access-Control-Max-Age"] == "60"
    assert "Access-Control-Allow-Methods" not in preflight(visitor, "/api/words", SHOP, "DELETE").headers

    # The longest rule that fits is the one.
    assert allowed(visitor.get("/api/inner/words", headers={"Origin": SHOP})) is None
    inner = visitor.get("/api/inner/words", headers={"Origin": "https://A.inner.example"})
    assert (allowed(inner), inner.headers["Vary"]) == ("https://A.inner.example", "Origin")
    assert allowed(visitor.get("/plain", headers={"Origin": SHOP})) is None


def errors(visitor: Visitor) -> None:
    missing = visitor.get("/api/nothing", headers={"Origin": SHOP})
    assert (missing.json, allowed(missing)) == ({"error": "not found"}, SHOP)
    broken = visitor.get("/api/broken", headers={"Origin": SHOP})
    assert (broken.status_code, allowed(broken)) == (500, SHOP)
    assert allowed(visitor.delete("/api/words", headers={"Origin": SHOP})) == SHOP
    assert allowed(visitor.get("/nothing", headers={"Origin": SHOP})) is None


def credentials(visitor: Visitor) -> None:
    origin = {"Origin": SHOP}
    asked = preflight(visitor, "/shop/basket", SHOP, "PUT", "content-type")
    assert (asked.status_code, asked.headers["Access-Control-Allow-Credentials"]) == (200, "true")
    visitor.put("/shop/basket", json={"item": "tea"}, headers=origin)
    basket = visitor.put("/shop/basket", json={"item": "cup"}, headers=origin)
    assert (basket.json, basket.headers["X-Items"]) == (["tea", "cup"], "2")
    assert basket.headers["Access-Control-Expose-Headers"] == "X-Items"
    assert basket.headers["Vary"] == "Origin, Cookie"
    assert (
        "Access-Control-Allow-Credentials"
        not in visitor.get("/shop/basket", headers={"Origin": "null"}).headers
    )
    # Where no origin asks, the first that may is named.
    assert allowed(visitor.get("/shop/basket")) == SHOP
    refused = visitor.put("/shop/basket", json={}, headers=origin)
    assert (refused.json, allowed(refused)) == ({"missing": "item"}, SHOP)
    moved = visitor.get("/shop/old", headers=origin)
    assert (moved.location, allowed(moved)) == ("/shop/basket", SHOP)


def views(visitor: Visitor) -> None:
    assert allowed(visitor.get("/decorated/open", headers={"Origin": SHOP})) == "*"
    partner = "https://north.partner.example"
    wanted = {"Access_Control_Request_Private_Network": "true"}
    asked = preflight(visitor, "/decorated/narrow", partner, "DELETE", "X-Partner-Key, X-Other", **wanted)
    assert asked.headers["Access-Control-Allow-Headers"] == "X-Partner-Key"
    assert asked.headers["Access-Control-Allow-Private-Network"] == "true"
    assert asked.headers["Access-Control-Max-Age"] == "600"
    assert asked.headers["Allow"].count("DELETE") == 1
    assert allowed(preflight(visitor, "/decorated/narrow", partner + ".org", "DELETE")) is None
    assert visitor.delete("/decorated/narrow", headers={"Origin": partner}).text == "for partners"

    by_hand = preflight(visitor, "/decorated/by-hand", SHOP, "GET")
    assert (by_hand.text, by_hand.headers.getlist("Vary")) == (f"OPTIONS from {SHOP}", ["Accept"])
    assert allowed(visitor.get("/decorated/class")) is None
    assert allowed(visitor.get("/decorated/class", headers={"Origin": SHOP})) == SHOP
    assert allowed(visitor.post("/decorated/class", headers={"Origin": SHOP})) is None
