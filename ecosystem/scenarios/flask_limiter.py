"""Limits of requests: by default, by route, by blueprint, shared, conditional, with a cost; headers; 429; the command."""

from __future__ import annotations

import typing as t
from pathlib import Path

from flask import Blueprint, Flask, jsonify, make_response, request
from flask.cli import FlaskGroup
from flask_limiter import Limiter, RateLimitExceeded
from flask_limiter.util import get_remote_address

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-Limiter", "rich"]

# When the window of an hour ends: the moment, and the seconds until then.
VARIES = [(r"^\d{10}$", "<moment>"), (r"^(3600|359\d)$", "<an hour>")]

HEADERS = ("X-RateLimit-Limit", "X-RateLimit-Remaining")


def who() -> str:
    """Return the key of an account, and where there is none the address."""
    return request.headers.get("X-Account") or get_remote_address()


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.config.update(
        RATELIMIT_HEADERS_ENABLED=True, RATELIMIT_STORAGE_URI="memory://", RATELIMIT_STRATEGY="fixed-window"
    )
    breaches: list[str] = []
    limiter = Limiter(
        who,
        app=app,
        default_limits=["4 per hour"],
        application_limits=["100 per day"],
        on_breach=lambda limit: breaches.append(str(limit.limit)),
    )
    app.extensions["scenario"] = {"breaches": breaches, "limiter": limiter}

    @limiter.request_filter
    def from_the_monitor() -> bool:
        return request.headers.get("User-Agent") == "monitor"

    @app.errorhandler(429)
    def too_many(error: RateLimitExceeded) -> t.Any:
        # What the function of a limit gave, or else this.
        return error.response or (jsonify(error="too many requests", limit=error.description), 429)

    @app.get("/")
    def home() -> str:
        # Four in an hour, as nothing else is said.
        return "home"

    @app.get("/health")
    @limiter.exempt
    def health() -> str:
        return "fine"

    @app.route("/letters", methods=["GET", "POST"])
    @limiter.limit("2 per hour", methods=["POST"], error_message="two letters an hour have to do")
    def letters() -> t.Any:
        return ("posted", 201) if request.method == "POST" else "a mailbox"

    @app.post("/login")
    @limiter.limit("2 per hour", deduct_when=lambda response: response.status_code == 403)
    def login() -> t.Any:
        # Only what failed counts.
        return ("welcome", 200) if request.form["word"] == "sesame" else ("no", 403)

    @app.get("/print/<int:pages>")
    @limiter.limit("10 per hour", cost=lambda: request.view_args["pages"])
    def print_pages(pages: int) -> str:
        limit = limiter.current_limit
        return f"{limit.remaining} pages left of {limit.limit}"

    @app.get("/reports/<name>")
    def report(name: str) -> t.Any:
        try:
            with limiter.limit("1 per hour", key_func=lambda: name):
                return f"{name}, computed"
        except RateLimitExceeded:
            return f"{name}, of yesterday"

    searches = limiter.shared_limit("3 per hour", scope="searches")

    @app.get("/search/people")
    @searches
    def people() -> str:
        return "people"

    @app.get("/search/places")
    @searches
    def places() -> str:
        return "places"

    shop = Blueprint("shop", __name__, url_prefix="/shop")
    limiter.limit(
        lambda: "3 per hour" if request.headers.get("X-Account") == "gold" else "1 per hour",
        on_breach=lambda limit: make_response("the shop is full", 429),
    )(shop)

    @shop.get("/")
    def shelves() -> str:
        return "shelves"

    @shop.get("/imprint")
    @limiter.exempt
    def imprint() -> str:
        return "imprint"

    app.register_blueprint(shop)
    return app


def play(visitor: Visitor) -> None:
    first = visitor.get("/")
    assert first.text == "home"
    assert [first.headers[name] for name in HEADERS] == ["4", "3"]
    for remaining in "210":
        assert visitor.get("/").headers["X-RateLimit-Remaining"] == remaining
    refused = visitor.get("/")
    assert refused.status_code == 429
    assert refused.json == {"error": "too many requests", "limit": "4 per 1 hour"}
    assert int(refused.headers["Retry-After"]) > 3500
    # Another account, and who is not counted at all.
    assert visitor.get("/", headers={"X-Account": "silver"}).text == "home"
    assert visitor.get("/", headers={"User-Agent": "monitor"}).text == "home"
    health = visitor.get("/health")
    assert (health.text, health.headers.get("X-RateLimit-Limit")) == ("fine", None)

    for status in (201, 201, 429):
        answer = visitor.post("/letters")
        assert answer.status_code == status
    assert answer.json == {"error": "too many requests", "limit": "two letters an hour have to do"}
    assert visitor.get("/letters").text == "a mailbox"

    for word, status in [("sesame", 200), ("barley", 403), ("sesame", 200), ("barley", 403), ("sesame", 429)]:
        assert visitor.post("/login", data={"word": word}).status_code == status

    assert visitor.get("/print/7").text == "3 pages left of 10 per 1 hour"
    assert visitor.get("/print/4").status_code == 429

    assert visitor.get("/reports/sales").text == "sales, computed"
    assert visitor.get("/reports/sales").text == "sales, of yesterday"
    assert visitor.get("/reports/stock").text == "stock, computed"

    visitor.get("/search/people")
    visitor.get("/search/places")
    assert visitor.get("/search/people").headers["X-RateLimit-Remaining"] == "0"
    assert visitor.get("/search/places").status_code == 429

    assert visitor.get("/shop/").text == "shelves"
    full = visitor.get("/shop/")
    assert (full.status_code, full.text) == (429, "the shop is full")
    assert visitor.get("/shop/imprint").text == "imprint"
    for remaining in "21":
        golden = visitor.get("/shop/", headers={"X-Account": "gold"})
        assert [golden.headers[name] for name in HEADERS] == ["3", remaining]
    assert visitor.get("/nowhere").status_code == 404

    # The plugin of the command line, found by its entry point.
    def run(*args: str) -> str:
        program = FlaskGroup(create_app=lambda: visitor.app)
        result = visitor.app.test_cli_runner().invoke(program, ["limiter", *args], env={"COLUMNS": "100"})
        visitor.note(f"$ limiter {' '.join(args)}", [result.exit_code, result.output])
        return result.output

    assert "MemoryStorage" in run("config")
    assert "letters: /letters" in run("limits")
    assert "(0 out of 4 remaining)" in run("limits", "--endpoint", "home", "--key", "127.0.0.1")
    assert "Cleared" in run("clear", "-y", "--endpoint", "home", "--key", "127.0.0.1")
    assert visitor.get("/").headers["X-RateLimit-Remaining"] == "3"
    visitor.app.extensions["scenario"]["limiter"].reset()
    assert visitor.get("/shop/").text == "shelves"
    visitor.note("breaches", visitor.app.extensions["scenario"]["breaches"])
