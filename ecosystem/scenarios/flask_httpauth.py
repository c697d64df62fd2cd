"""HTTP authentication: Basic, Digest in two kinds, tokens in three places, several at once; roles, guests, error handlers."""

from __future__ import annotations

import typing as t
from base64 import b64encode
from hashlib import md5
from pathlib import Path

from flask import Blueprint, Flask, jsonify
from flask_httpauth import HTTPBasicAuth, HTTPDigestAuth, HTTPTokenAuth, MultiAuth
from itsdangerous import BadSignature, URLSafeSerializer
from werkzeug.datastructures import Authorization, WWWAuthenticate
from werkzeug.security import check_password_hash, generate_password_hash

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-HTTPAuth"]

# What a server thinks of for each challenge.
VARIES = [(r'(nonce|opaque)="[0-9a-f]{32}"', r'\1="<random>"')]

PASSWORDS = {"ada": "difference engine", "grace": "the first bug", "øyvind": "blåbær"}
ROLES = {"ada": ["author", "editor"], "grace": "author", "øyvind": None}


def basic_blueprint() -> tuple[Blueprint, HTTPBasicAuth]:
    auth = HTTPBasicAuth(realm="Archive")
    # The cheapest there is: nothing here is to be kept safe.
    hashes = {name: generate_password_hash(word, "pbkdf2:sha1:1") for name, word in PASSWORDS.items()}
    blueprint = Blueprint("basic", __name__, url_prefix="/basic")

    @auth.verify_password
    def verify(name: str, password: str) -> str | None:
        if name in hashes and check_password_hash(hashes[name], password):
            return name
        return None

    @auth.get_user_roles
    def roles_of(name: str) -> t.Any:
        return ROLES[name]

    @blueprint.get("/")
    @auth.login_required
    def members() -> str:
        return f"Hello, {auth.current_user()}"

    @blueprint.get("/front")
    @auth.login_required(optional=True)
    def front() -> str:
        return f"Hello, {auth.current_user() or 'guest'}"

    @blueprint.get("/write")
    @auth.login_required(role="author")
    def write() -> str:
        return f"{auth.current_user()} writes"

    @blueprint.get("/publish")
    @auth.login_required(role=["owner", ["author", "editor"]])
    def publish() -> str:
        return f"{auth.current_user()} publishes"

    return blueprint, auth


def digest_blueprint() -> Blueprint:
    plain = HTTPDigestAuth(realm="Vault")
    hashed = HTTPDigestAuth(realm="Cellar", use_ha1_pw=True, algorithm="MD5-Sess")
    kept = {name: hashed.generate_ha1(name, word) for name, word in PASSWORDS.items()}
    blueprint = Blueprint("digest", __name__, url_prefix="/digest")
    plain.get_password(PASSWORDS.get)
    hashed.get_password(kept.get)

    @hashed.generate_nonce
    def one_nonce() -> str:
        return "always the same"

    @hashed.verify_nonce
    def is_the_nonce(nonce: str) -> bool:
        return nonce == "always the same"

    @hashed.generate_opaque
    def one_opaque() -> str:
        return "nothing to see"

    @hashed.verify_opaque
    def is_the_opaque(opaque: str) -> bool:
        return opaque == "nothing to see"

    @blueprint.get("/vault")
    @plain.login_required
    def vault() -> str:
        return f"The vault of {plain.current_user()}"

    @blueprint.route("/cellar", methods=["GET", "POST", "OPTIONS"])
    @hashed.login_required
    def cellar() -> str:
        return f"The cellar of {hashed.current_user() or 'somebody'}"

    return blueprint


def token_blueprint(basic: HTTPBasicAuth, signer: URLSafeSerializer) -> Blueprint:
    bearer = HTTPTokenAuth(realm="Programs")
    key = HTTPTokenAuth(scheme="Key", header="X-Api-Key")
    gate = HTTPTokenAuth("Ticket")
    any_of_them = MultiAuth(basic, bearer, key)
    blueprint = Blueprint("token", __name__, url_prefix="/token")

    @bearer.verify_token
    def verify(token: str) -> dict[str, t.Any] | None:
        try:
            return signer.loads(token)
        except BadSignature:
            return None

    @bearer.get_user_roles
    def roles_of(user: dict[str, t.Any]) -> list[str]:
        return user.get("roles", [])

    @bearer.error_handler
    def refused(status: int) -> t.Any:
        return jsonify(error={401: "who are you?", 403: "not you"}[status]), status

    @key.verify_token
    def verify_key(token: str) -> bool:
        return token == "opens everything"

    @gate.verify_token
    def verify_ticket(token: str) -> str | None:
        return f"holder of {token}" if token.isdigit() else None

    @gate.error_handler
    def no_ticket() -> str:
        # A plain string gets the status 401.
        return "Tickets are at the counter"

    @blueprint.post("/")
    @basic.login_required
    def make() -> t.Any:
        return {"token": signer.dumps({"name": basic.current_user(), "roles": ["reader"]})}

    @blueprint.get("/program")
    @bearer.login_required
    def program() -> t.Any:
        return bearer.current_user()

    @blueprint.get("/robot")
    @bearer.login_required(role="robot")
    def robot() -> str:
        return "Beep"

    @blueprint.get("/any")
    @any_of_them.login_required
    def any_way() -> t.Any:
        return {"user": any_of_them.current_user()}

    inside = Blueprint("inside", __name__, url_prefix="/inside")

    @inside.before_request
    @gate.login_required
    def at_the_gate() -> None:
        return None

    @inside.get("/")
    def inner() -> str:
        return f"Welcome, {gate.current_user()}"

    blueprint.register_blueprint(inside)
    return blueprint


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.secret_key = "only for this scenario"
    blueprint, auth = basic_blueprint()
    app.register_blueprint(blueprint)
    app.register_blueprint(digest_blueprint())
    app.register_blueprint(token_blueprint(auth, URLSafeSerializer("only for this scenario")))
    return app


def answered(challenge: WWWAuthenticate, method: str, uri: str, name: str, password: str) -> Authorization:
    """Answer a challenge as a browser does (RFC 7616), at its first attempt."""

    def digest(*parts: str) -> str:
        return md5(":".join(parts).encode()).hexdigest()

    count, ours = "00000001", "0a4f113b"
    secret = digest(name, challenge.realm or "", password)
    if challenge.algorithm == "MD5-Sess":
        secret = digest(secret, challenge.nonce or "", ours)
    response = digest(secret, challenge.nonce or "", count, ours, "auth", digest(method, uri))
    values = {"username": name, "realm": challenge.realm, "nonce": challenge.nonce, "uri": uri}
    values |= {"qop": "auth", "nc": count, "cnonce": ours, "response": response, "opaque": challenge.opaque}
    return Authorization("digest", values)


def play(visitor: Visitor) -> None:
    basic(visitor)
    roles(visitor)
    digest(visitor)
    tokens(visitor)


def basic(visitor: Visitor) -> None:
    refused = visitor.get("/basic/")
    assert (refused.status_code, refused.text) == (401, "Unauthorized Access")
    assert refused.headers["WWW-Authenticate"] == 'Basic realm="Archive"'
    assert visitor.get("/basic/", auth=("ada", "difference engine")).text == "Hello, ada"
    assert visitor.get("/basic/", auth=("ada", "another")).status_code == 401
    # Names are sent in UTF-8 or, by old clients, in Latin-1.
    latin = b64encode("øyvind:blåbær".encode("latin-1")).decode()
    assert visitor.get("/basic/front", auth=("øyvind", "blåbær")).text == "Hello, øyvind"
    assert visitor.get("/basic/front", headers={"Authorization": f"Basic {latin}"}).text == "Hello, øyvind"
    assert visitor.get("/basic/front").text == "Hello, guest"
    assert visitor.get("/basic/", headers={"Authorization": "Basic ???"}).status_code == 401


def roles(visitor: Visitor) -> None:
    assert visitor.get("/basic/write", auth=("grace", "the first bug")).text == "grace writes"
    assert visitor.get("/basic/write", auth=("øyvind", "blåbær")).status_code == 403
    assert visitor.get("/basic/publish", auth=("ada", "difference engine")).text == "ada publishes"
    assert visitor.get("/basic/publish", auth=("grace", "the first bug")).status_code == 403


def digest(visitor: Visitor) -> None:
    challenge = visitor.get("/digest/vault").www_authenticate
    assert (challenge.type, challenge.realm, challenge.get("qop")) == ("digest", "Vault", "auth")
    right = answered(challenge, "GET", "/digest/vault", "ada", "difference engine")
    assert visitor.get("/digest/vault", auth=right).text == "The vault of ada"
    wrong = answered(challenge, "GET", "/digest/vault", "ada", "analytical engine")
    assert visitor.get("/digest/vault", auth=wrong).status_code == 401
    # The refusal was another challenge, and the session has forgotten the first.
    assert visitor.get("/digest/vault", auth=right).status_code == 401
    assert visitor.another().get("/digest/vault", auth=right).status_code == 401

    cellar = visitor.get("/digest/cellar").www_authenticate
    assert cellar.algorithm == "MD5-Sess"
    reading = answered(cellar, "GET", "/digest/cellar", "grace", "the first bug")
    assert visitor.get("/digest/cellar", auth=reading).text == "The cellar of grace"
    assert visitor.post("/digest/cellar", auth=reading).status_code == 401
    # Preflights come without credentials, and are let through to a view that takes them.
    assert visitor.options("/digest/cellar").text == "The cellar of somebody"


def tokens(visitor: Visitor) -> None:
    token = visitor.post("/token/", auth=("grace", "the first bug")).json["token"]
    bearer = {"Authorization": f"Bearer {token}"}
    assert visitor.get("/token/program", headers=bearer).json == {"name": "grace", "roles": ["reader"]}
    forged = visitor.get("/token/program", headers={"Authorization": f"Bearer {token}x"})
    assert (forged.status_code, forged.json) == (401, {"error": "who are you?"})
    assert forged.headers["WWW-Authenticate"] == 'Bearer realm="Programs"'
    assert visitor.get("/token/robot", headers=bearer).json == {"error": "not you"}

    assert visitor.get("/token/any", headers=bearer).json["user"]["name"] == "grace"
    assert visitor.get("/token/any", headers={"X-Api-Key": "opens everything"}).json == {"user": None}
    assert visitor.get("/token/any", auth=("ada", "difference engine")).json == {"user": "ada"}
    assert visitor.get("/token/any").headers["WWW-Authenticate"] == 'Basic realm="Archive"'

    without = visitor.get("/token/inside/")
    assert (without.status_code, without.text) == (401, "Tickets are at the counter")
    assert (
        visitor.get("/token/inside/", headers={"Authorization": "Ticket 12"}).text == "Welcome, holder of 12"
    )
