"""JSON web tokens: in headers, cookies with CSRF, queries and bodies; fresh, refreshed, revoked, expired and forged ones; claims."""

from __future__ import annotations

import base64
import json
import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, jsonify, render_template_string, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    current_user,
    get_jti,
    get_jwt,
    get_jwt_header,
    get_jwt_identity,
    get_jwt_request_location,
    jwt_required,
    set_access_cookies,
    set_refresh_cookies,
    unset_jwt_cookies,
    verify_jwt_in_request,
)

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-JWT-Extended"]

VARIES = [
    (r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{43}", "<token>"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<csrf>"),
]


@dataclass
class Member:
    name: str
    boards: list[str]
    active: bool = True


def members() -> dict[str, Member]:
    return {
        "ada": Member("ada", ["engines", "looms"]),
        "grace": Member("grace", ["ships"]),
        "charles": Member("charles", ["engines"], active=False),
    }


def make_manager(app: Flask, known: dict[str, Member], revoked: set[str]) -> None:
    manager = JWTManager(app, add_context_processor=True)

    @manager.user_identity_loader
    def identity_of(member: Member | str) -> str:
        return member if isinstance(member, str) else member.name

    @manager.user_lookup_loader
    def look_up(header: dict[str, t.Any], data: dict[str, t.Any]) -> Member | None:
        return known.get(data["sub"])

    @manager.additional_claims_loader
    def claims_of(member: Member | str) -> dict[str, t.Any]:
        return {"boards": member.boards} if isinstance(member, Member) else {}

    @manager.additional_headers_loader
    def headers_of(member: Member | str) -> dict[str, t.Any]:
        return {"kid": "2024"}

    @manager.token_in_blocklist_loader
    def is_revoked(header: dict[str, t.Any], data: dict[str, t.Any]) -> bool:
        return data["jti"] in revoked

    @manager.token_verification_loader
    def is_active(header: dict[str, t.Any], data: dict[str, t.Any]) -> bool:
        return known[data["sub"]].active if data["sub"] in known else True

    @manager.expired_token_loader
    def expired(header: dict[str, t.Any], data: dict[str, t.Any]) -> t.Any:
        return (
            {"error": "expired", "whose": data["sub"]},
            401,
            {"WWW-Authenticate": 'Bearer error="invalid_token"'},
        )


def tokens_blueprint(known: dict[str, Member], revoked: set[str]) -> Blueprint:
    """Make what a program uses: tokens in the body, sent back in a header."""
    blueprint = Blueprint("tokens", __name__, url_prefix="/tokens")

    def sign_in() -> Member:
        member = known.get(request.json["name"])
        if member is None or request.json["password"] != "engine":
            abort(403)
        return member

    @blueprint.post("/")
    def both() -> t.Any:
        member = sign_in()
        seconds = request.json.get("seconds")
        access = create_access_token(
            member, fresh=True, expires_delta=timedelta(seconds=seconds) if seconds else None
        )
        return jsonify(access=access, refresh=create_refresh_token(member))

    @blueprint.post("/half-fresh")
    def half_fresh() -> t.Any:
        lasting = timedelta(minutes=request.json["minutes"])
        return "", 204, {"X-Access": create_access_token(sign_in(), fresh=lasting)}

    @blueprint.post("/refresh")
    @jwt_required(refresh=True)
    def refresh() -> t.Any:
        return {"access": create_access_token(current_user)}

    @blueprint.delete("/")
    @jwt_required(verify_type=False)
    def revoke() -> t.Any:
        revoked.add(get_jwt()["jti"])
        return {"revoked": get_jwt()["type"]}

    @blueprint.delete("/<token>")
    @jwt_required(fresh=True)
    def revoke_another(token: str) -> t.Any:
        revoked.add(get_jti(token))
        return "", 204

    @blueprint.get("/claims")
    @jwt_required()
    def claims() -> t.Any:
        ours = {
            name: value for name, value in get_jwt().items() if name in {"sub", "type", "fresh", "boards"}
        }
        return {"claims": ours, "header": get_jwt_header(), "location": get_jwt_request_location()}

    @blueprint.get("/page")
    @jwt_required(optional=True, locations=["headers", "query_string"])
    def page() -> str:
        return render_template_string("{{ current_user.name if current_user else 'nobody' }}")

    @blueprint.post("/body")
    @jwt_required(locations="json")
    def body() -> t.Any:
        return {"who": get_jwt_identity(), "said": request.json["said"]}

    return blueprint


def cookies_blueprint(known: dict[str, Member]) -> Blueprint:
    """Make what a browser uses: the same tokens in cookies."""
    blueprint = Blueprint("cookies", __name__, url_prefix="/cookies")

    @blueprint.post("/")
    def sign_in() -> Response:
        response = jsonify(hello=request.form["name"])
        member = known[request.form["name"]]
        lasting = timedelta(minutes=int(request.form.get("minutes", "60")))
        set_access_cookies(response, create_access_token(member, expires_delta=lasting))
        set_refresh_cookies(response, create_refresh_token(member), max_age=3600)
        return response

    @blueprint.post("/out")
    def sign_out() -> Response:
        response = jsonify(goodbye=True)
        unset_jwt_cookies(response)
        return response

    @blueprint.before_request
    def members_only() -> None:
        if request.endpoint == "cookies.notes":
            verify_jwt_in_request(locations="cookies")

    @blueprint.after_request
    def renew_what_ends_soon(response: Response) -> Response:
        try:
            end = get_jwt()["exp"]
        except (RuntimeError, KeyError):
            return response
        if end < (datetime.now(UTC) + timedelta(minutes=10)).timestamp():
            set_access_cookies(response, create_access_token(current_user))
            response.headers["X-Renewed"] = "yes"
        return response

    written: list[str] = []

    @blueprint.route("/notes", methods=["GET", "POST"])
    def notes() -> list[str]:
        if request.method == "POST":
            written.append(f"{current_user.name}: {request.form['note']}")
        return written

    return blueprint


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.config.update(
        JWT_SECRET_KEY="a key of more than thirty-two bytes for this scenario",
        JWT_TOKEN_LOCATION=["headers", "cookies"],
        JWT_CSRF_CHECK_FORM=True,
        JWT_COOKIE_SAMESITE="Lax",
        JWT_REFRESH_COOKIE_PATH="/tokens/refresh",
        JWT_ENCODE_ISSUER="scenario",
        JWT_DECODE_ISSUER="scenario",
        JWT_QUERY_STRING_NAME="token",
    )
    known = members()
    revoked: set[str] = set()
    make_manager(app, known, revoked)
    app.register_blueprint(tokens_blueprint(known, revoked))
    app.register_blueprint(cookies_blueprint(known))
    app.extensions["members"] = known
    return app


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def forged(token: str, **claims: t.Any) -> str:
    """Change claims of a token, and keep its signature."""
    header, payload, signature = token.split(".")
    content = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    changed = base64.urlsafe_b64encode(json.dumps({**content, **claims}).encode()).rstrip(b"=").decode()
    return f"{header}.{changed}.{signature}"


def play(visitor: Visitor) -> None:
    in_headers(visitor)
    elsewhere(visitor)
    refusals(visitor)
    in_cookies(visitor.another())


def tokens(visitor: Visitor, name: str, **more: t.Any) -> t.Any:
    return visitor.post("/tokens/", json={"name": name, "password": "engine", **more}).json


def in_headers(visitor: Visitor) -> None:
    ada = tokens(visitor, "ada")
    seen = visitor.get("/tokens/claims", headers=bearer(ada["access"])).json
    assert seen["claims"] == {"boards": ["engines", "looms"], "fresh": True, "sub": "ada", "type": "access"}
    assert (seen["header"]["kid"], seen["location"]) == ("2024", "headers")

    assert (
        visitor.post("/tokens/refresh", headers=bearer(ada["access"])).json["msg"]
        == "Only refresh tokens are allowed"
    )
    again = visitor.post("/tokens/refresh", headers=bearer(ada["refresh"])).json["access"]
    assert visitor.get("/tokens/claims", headers=bearer(again)).json["claims"]["fresh"] is False
    stale = visitor.delete(f"/tokens/{ada['refresh']}", headers=bearer(again))
    assert (stale.status_code, stale.json) == (401, {"msg": "Fresh token required"})
    assert visitor.delete(f"/tokens/{ada['refresh']}", headers=bearer(ada["access"])).status_code == 204
    assert (
        visitor.post("/tokens/refresh", headers=bearer(ada["refresh"])).json["msg"]
        == "Token has been revoked"
    )

    assert visitor.delete("/tokens/", headers=bearer(again)).json == {"revoked": "access"}
    assert visitor.get("/tokens/claims", headers=bearer(again)).status_code == 401


def elsewhere(visitor: Visitor) -> None:
    token = tokens(visitor, "grace")["access"]
    assert visitor.get("/tokens/page").text == "nobody"
    assert visitor.get(f"/tokens/page?token={token}").text == "grace"
    assert visitor.post("/tokens/body", json={"access_token": token, "said": "bug"}).json["said"] == "bug"
    half = {"name": "grace", "password": "engine", "minutes": 5}
    fresh = visitor.post("/tokens/half-fresh", json=half).headers["X-Access"]
    assert visitor.delete(f"/tokens/{token}", headers=bearer(fresh)).status_code == 204
    assert visitor.post("/tokens/body", json={"access_token": token, "said": "moth"}).status_code == 401


def refusals(visitor: Visitor) -> None:
    assert "Missing JWT in headers or cookies" in visitor.get("/tokens/claims").json["msg"]
    assert visitor.get("/tokens/page", headers={"Authorization": "Bearer"}).status_code == 422
    token = tokens(visitor, "ada", seconds=-60)["access"]
    expired = visitor.get("/tokens/claims", headers=bearer(token))
    assert (expired.status_code, expired.json) == (401, {"error": "expired", "whose": "ada"})
    assert expired.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    wrong = visitor.get("/tokens/claims", headers=bearer(forged(token, exp=4102444800)))
    assert (wrong.status_code, wrong.json) == (422, {"msg": "Signature verification failed"})
    assert visitor.get("/tokens/claims", headers=bearer("no.token")).status_code == 422
    charles = tokens(visitor, "charles")["access"]
    inactive = visitor.get("/tokens/claims", headers=bearer(charles))
    assert (inactive.status_code, inactive.json["msg"]) == (400, "User claims verification failed")
    del visitor.app.extensions["members"]["charles"]
    assert (
        visitor.get("/tokens/claims", headers=bearer(charles)).json["msg"] == "Error loading the user charles"
    )


def in_cookies(visitor: Visitor) -> None:
    assert visitor.get("/cookies/notes").status_code == 401
    signed_in = visitor.post("/cookies/", data={"name": "ada", "minutes": "5"})
    assert len(signed_in.headers.getlist("Set-Cookie")) == 4
    assert visitor.post("/cookies/notes", data={"note": "none"}).json == {"msg": "Missing CSRF token"}
    csrf = visitor.client.get_cookie("csrf_access_token").value
    first = visitor.post("/cookies/notes", data={"note": "one"}, headers={"X-CSRF-TOKEN": csrf})
    assert first.json == ["ada: one"]
    assert first.headers["X-Renewed"] == "yes"
    old = visitor.post("/cookies/notes", data={"note": "two", "csrf_token": csrf})
    assert old.json == {"msg": "CSRF double submit tokens do not match"}
    csrf = visitor.client.get_cookie("csrf_access_token").value
    second = visitor.post("/cookies/notes", data={"note": "two", "csrf_token": csrf})
    assert second.json == ["ada: one", "ada: two"]
    assert "X-Renewed" not in second.headers
    # The refresh token goes to one path only.
    csrf = visitor.client.get_cookie("csrf_refresh_token").value
    assert visitor.post("/tokens/refresh", headers={"X-CSRF-TOKEN": csrf}).status_code == 200
    assert visitor.post("/cookies/out").json == {"goodbye": True}
    assert visitor.get("/cookies/notes").status_code == 401
