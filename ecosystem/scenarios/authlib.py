"""Signing in at a provider with Authlib's Flask client: OpenID Connect over localhost, PKCE, refreshed tokens, refusals, logout."""

from __future__ import annotations

import threading
import time
import typing as t
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from authlib.integrations.flask_client import OAuth, OAuthError, token_update
from flask import Flask, abort, redirect, request, session, url_for
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from werkzeug.serving import WSGIRequestHandler, make_server

from visitor import Visitor

DISTRIBUTIONS = ["Authlib", "requests"]

VARIES = [
    (r"127\.0\.0\.1:\d+", "127.0.0.1:<port>"),
    (r"((?:state|nonce|code_challenge)=)[\w-]{20,43}(?![\w-])", r"\1<random>"),
    (r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{86}", "<id token>"),
]


class Provider:
    """Who knows the users: the least that OpenID Connect asks for."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", {"kid": "first"})
        self.another_key = ECKey.generate_key("P-256", {"kid": "first"})
        self.codes: dict[str, dict[str, str]] = {}
        self.access: dict[str, str] = {}
        self.refresh: dict[str, str] = {}
        self.lasting = 3600
        self.forges = False
        self.asked: list[str] = []
        self.app = self.make_app()
        # Port 0: any that is free.
        self.server = make_server("127.0.0.1", 0, self.app, request_handler=SilentHandler)
        self.url = f"http://127.0.0.1:{self.server.port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Provider:
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def make_tokens(self, user: str, nonce: str | None = None) -> dict[str, t.Any]:
        number = len(self.access) + 1
        self.access[f"access-{number}"] = user
        tokens: dict[str, t.Any] = {"access_token": f"access-{number}", "token_type": "Bearer"}
        tokens["expires_in"] = self.lasting
        if user != "the club":
            self.refresh[f"refresh-{number}"] = user
            tokens["refresh_token"] = f"refresh-{number}"
        if nonce is not None:
            now = int(time.time())
            claims = {
                "iss": self.url,
                "sub": user,
                "aud": "club",
                "iat": now,
                "exp": now + 60,
                "nonce": nonce,
            }
            claims["name"] = user.title()
            key = self.another_key if self.forges else self.key
            tokens["id_token"] = jwt.encode({"alg": "ES256", "kid": "first"}, claims, key)
        return tokens

    def make_app(self) -> Flask:
        app = Flask(__name__)

        @app.before_request
        def remember() -> None:
            self.asked.append(
                f"{request.method} {request.path} {request.form.get('grant_type', '')}".rstrip()
            )

        @app.get("/.well-known/openid-configuration")
        def configuration() -> t.Any:
            return {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "userinfo_endpoint": f"{self.url}/userinfo",
                "end_session_endpoint": f"{self.url}/leave",
                "jwks_uri": f"{self.url}/keys",
                "id_token_signing_alg_values_supported": ["ES256"],
            }

        @app.get("/keys")
        def keys() -> t.Any:
            return {"keys": [self.key.as_dict(private=False)]}

        @app.get("/authorize")
        def authorize() -> t.Any:
            back = {"state": request.args["state"]}
            if "user" in request.args:
                code = f"code-{len(self.codes) + 1}"
                self.codes[code] = {**request.args.to_dict()}
                back["code"] = code
            else:
                back |= {"error": "access_denied", "error_description": "Not today"}
            return redirect(f"{request.args['redirect_uri']}?{urlencode(back)}")

        @app.post("/token")
        def token() -> t.Any:
            if request.authorization is None or request.authorization.password != "a secret of the club":
                return {"error": "invalid_client"}, 401
            kind = request.form["grant_type"]
            if kind == "client_credentials":
                return self.make_tokens("the club")
            if kind == "refresh_token" and request.form["refresh_token"] in self.refresh:
                return self.make_tokens(self.refresh.pop(request.form["refresh_token"]))
            known = self.codes.pop(request.form.get("code", ""), None)
            if known is None:
                return {"error": "invalid_grant", "error_description": "Used already"}, 400
            hashed = sha256(request.form["code_verifier"].encode()).digest()
            assert known["code_challenge"] == urlsafe_b64encode(hashed).rstrip(b"=").decode()
            assert known["redirect_uri"] == request.form["redirect_uri"]
            return self.make_tokens(known["user"], known["nonce"])

        def whose() -> str:
            name = self.access.get(request.authorization.token or "") if request.authorization else None
            return name or abort(401)

        @app.get("/userinfo")
        def userinfo() -> t.Any:
            return {"sub": whose(), "email": f"{whose()}@club.example"}

        @app.post("/api/notes")
        def note() -> t.Any:
            return {"by": whose(), "text": request.json["text"]}, 201

        return app


class SilentHandler(WSGIRequestHandler):
    def log(self, *args: t.Any) -> None:
        """Write no line for each request."""


def make_app(folder: Path) -> Flask:
    provider = Provider()
    app = Flask(__name__)
    app.secret_key = "only for this scenario"
    app.config["CLUB_CLIENT_ID"] = "club"
    app.config["CLUB_CLIENT_SECRET"] = "a secret of the club"
    app.extensions["provider"] = provider
    tokens: dict[str, dict[str, t.Any]] = {}
    updates: list[str] = []
    app.extensions["updates"] = updates

    oauth = OAuth(fetch_token=lambda name: tokens.get(session.get("user", "")))
    club = oauth.register(
        "club",
        server_metadata_url=f"{provider.url}/.well-known/openid-configuration",
        api_base_url=f"{provider.url}/api/",
        # The provider is on this machine: whatever proxy there is, it is not asked.
        client_kwargs={"scope": "openid notes", "code_challenge_method": "S256", "trust_env": False},
    )
    oauth.init_app(app)

    @token_update.connect_via(app)
    def keep_new_token(sender: Flask, name: str, token: dict[str, t.Any], **old: t.Any) -> None:
        tokens[session["user"]] = token
        updates.append(f"{name}: {token['access_token']} for {old['refresh_token']}")

    @app.errorhandler(OAuthError)
    def refused(error: OAuthError) -> t.Any:
        return {"error": error.error, "description": error.description}, 400

    @app.errorhandler(JoseError)
    def forged(error: JoseError) -> t.Any:
        return {"error": error.error}, 403

    @app.get("/login")
    def login() -> t.Any:
        return club.authorize_redirect(url_for("callback", _external=True), **request.args)

    @app.get("/callback")
    def callback() -> t.Any:
        token = club.authorize_access_token()
        session["user"] = token["userinfo"]["sub"]
        tokens[session["user"]] = token
        return {"welcome": token["userinfo"]["name"]}

    @app.get("/me")
    def me() -> t.Any:
        return club.userinfo()

    @app.post("/notes")
    def notes() -> t.Any:
        answer = club.post("notes", json={"text": request.form["text"]})
        return answer.json(), answer.status_code

    @app.get("/machine")
    def machine() -> t.Any:
        token = club.fetch_access_token(grant_type="client_credentials")
        return club.post("notes", json={"text": "beep"}, token=token).json()

    @app.post("/logout")
    def logout() -> t.Any:
        token = tokens.pop(session.pop("user"))
        return club.logout_redirect(url_for("left", _external=True), id_token_hint=token.get("id_token"))

    @app.get("/left")
    def left() -> t.Any:
        return club.validate_logout_response()

    return app


def play(visitor: Visitor) -> None:
    with visitor.app.extensions["provider"] as provider:
        at_provider = Visitor(provider.app, visitor.protocol, visitor.folder, visitor.transcript, VARIES)
        signing_in(visitor, at_provider)
        asking(visitor, provider)
        leaving(visitor)
        refusals(visitor.another(), at_provider, provider)
        visitor.note("asked of the provider", provider.asked)


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


def to_callback(visitor: Visitor, at_provider: Visitor, user: str) -> str:
    """Go to the provider and come back: the URL that a browser would be at next."""
    moved = visitor.get(f"/login?user={user}" if user else "/login")
    back = at_provider.get(path_of(moved.location)).location
    assert back.startswith("http://localhost/callback?")
    return path_of(back)


def signing_in(visitor: Visitor, at_provider: Visitor) -> None:
    assert visitor.get("/me").json["error"] == "missing_token"
    asked = parse_qs(urlsplit(visitor.get("/login").location).query)
    assert asked["client_id"] == ["club"]
    assert asked["scope"] == ["openid notes"]
    assert asked["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= set(asked)

    callback = to_callback(visitor, at_provider, "ada")
    assert visitor.get(callback).json == {"welcome": "Ada"}
    # The state was good for one time.
    assert visitor.get(callback).json["error"] == "mismatching_state"


def asking(visitor: Visitor, provider: Provider) -> None:
    assert visitor.get("/me").json == {"sub": "ada", "email": "ada@club.example"}
    noted = visitor.post("/notes", data={"text": "one"})
    assert (noted.status_code, noted.json) == (201, {"by": "ada", "text": "one"})
    assert visitor.get("/machine").json == {"by": "the club", "text": "beep"}


def leaving(visitor: Visitor) -> None:
    moved = parse_qs(urlsplit(visitor.post("/logout").location).query)
    assert moved["post_logout_redirect_uri"] == ["http://localhost/left"]
    assert "id_token_hint" in moved
    left = visitor.get(f"/left?state={moved['state'][0]}")
    assert left.json == {"post_logout_redirect_uri": "http://localhost/left"}
    assert visitor.get("/left?state=another").json["description"] == 'Invalid "state" parameter'
    assert visitor.get("/me").json["error"] == "missing_token"


def refusals(visitor: Visitor, at_provider: Visitor, provider: Provider) -> None:
    denied = visitor.get(to_callback(visitor, at_provider, ""))
    assert (denied.status_code, denied.json) == (400, {"error": "access_denied", "description": "Not today"})
    assert visitor.get("/callback?code=code-1&state=guessed").json["error"] == "mismatching_state"
    callback = to_callback(visitor, at_provider, "grace")
    # Another browser cannot come in with a code that was taken from this one.
    assert visitor.another().get(callback).json["error"] == "mismatching_state"
    provider.codes.clear()
    assert visitor.get(callback).json == {"error": "invalid_grant", "description": "Used already"}
    provider.forges = True
    assert visitor.get(to_callback(visitor, at_provider, "grace")).json == {"error": "bad_signature"}
    provider.forges = False

    provider.lasting = 30
    assert visitor.get(to_callback(visitor, at_provider, "grace")).json == {"welcome": "Grace"}
    # Half a minute is less than what is left for a request, so that the token is refreshed.
    assert visitor.post("/notes", data={"text": "two"}).json == {"by": "grace", "text": "two"}
    visitor.note("updates", visitor.app.extensions["updates"])
    provider.refresh.clear()
    assert visitor.post("/notes", data={"text": "three"}).json["error"] == "invalid_grant"
