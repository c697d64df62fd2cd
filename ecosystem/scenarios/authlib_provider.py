"""A provider with Authlib's Flask OAuth 2 server: client credentials, codes with PKCE, refreshing, revoking, protected views."""

from __future__ import annotations

import time
import typing as t
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from authlib.integrations.flask_oauth2 import (
    AuthorizationServer,
    ResourceProtector,
    client_authenticated,
    current_token,
    token_authenticated,
    token_revoked,
)
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, TokenMixin, grants
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from flask import Flask, render_template_string, request, session

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Authlib"]

VARIES = [
    (r'("access_token": ")\w{42}"', r'\1<random>"'),
    (r'("refresh_token": ")\w{48}"', r'\1<random>"'),
    (r"code=\w{48}", "code=<random>"),
]


@dataclass
class Client(ClientMixin):
    client_id: str
    secret: str
    grants: list[str]
    scope: str
    redirect_uri: str = ""
    auth_methods: tuple[str, ...] = ("client_secret_basic",)

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(one for one in (scope or "").split() if one in self.scope.split())

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.redirect_uri

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == self.secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method in self.auth_methods

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code" and "authorization_code" in self.grants

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in self.grants


@dataclass
class Token(TokenMixin):
    client: Client
    user: str | None
    access_token: str
    token_type: str
    scope: str
    expires_in: int
    refresh_token: str = ""
    revoked: bool = False
    made: float = field(default_factory=time.time)

    def check_client(self, client: Client) -> bool:
        return client is self.client

    def get_scope(self) -> str:
        return self.scope

    def get_expires_in(self) -> int:
        return self.expires_in

    def is_expired(self) -> bool:
        return self.made + self.expires_in < time.time()

    def is_revoked(self) -> bool:
        return self.revoked

    def get_user(self) -> str | None:
        return self.user

    def get_client(self) -> Client:
        return self.client


@dataclass
class Code(AuthorizationCodeMixin):
    client: Client
    user: str
    redirect_uri: str
    scope: str
    code_challenge: str | None
    code_challenge_method: str | None

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


class Store:
    """In place of a database."""

    def __init__(self) -> None:
        self.clients = {
            "weather": Client("weather", "rain", ["client_credentials"], "readings:write"),
            "phone": Client(
                "phone",
                "",
                ["authorization_code", "refresh_token"],
                "profile notes:read notes:write",
                "https://phone.example/back",
                ("none",),
            ),
            "console": Client(
                "console", "sees all", [], "", auth_methods=("client_secret_basic", "client_secret_post")
            ),
        }
        self.codes: dict[str, Code] = {}
        self.tokens: list[Token] = []
        self.signals: list[str] = []

    def save_token(self, token: dict[str, t.Any], request: t.Any) -> None:
        self.tokens.append(Token(client=request.client, user=request.user, **token))

    def find(self, token: str, hint: str | None = None) -> Token | None:
        for one in self.tokens:
            if token in (one.access_token, one.refresh_token):
                return one
        return None


def register_grants(server: AuthorizationServer, store: Store) -> None:
    class CodeGrant(grants.AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS: t.ClassVar = ["none", "client_secret_basic"]

        def save_authorization_code(self, code: str, request: t.Any) -> None:
            data = request.payload.data
            store.codes[code] = Code(
                client=request.client,
                user=request.user,
                redirect_uri=request.payload.redirect_uri,
                scope=request.scope,
                code_challenge=data.get("code_challenge"),
                code_challenge_method=data.get("code_challenge_method"),
            )

        def query_authorization_code(self, code: str, client: Client) -> Code | None:
            found = store.codes.get(code)
            return found if found is not None and found.client is client else None

        def delete_authorization_code(self, authorization_code: Code) -> None:
            store.codes = {key: one for key, one in store.codes.items() if one is not authorization_code}

        def authenticate_user(self, authorization_code: Code) -> str:
            return authorization_code.user

    class RefreshGrant(grants.RefreshTokenGrant):
        TOKEN_ENDPOINT_AUTH_METHODS: t.ClassVar = ["none"]
        INCLUDE_NEW_REFRESH_TOKEN = True

        def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
            found = store.find(refresh_token)
            return None if found is None or found.revoked else found

        def authenticate_user(self, refresh_token: Token) -> str | None:
            return refresh_token.user

        def revoke_old_credential(self, refresh_token: Token) -> None:
            refresh_token.revoked = True

    class Revocation(RevocationEndpoint):
        CLIENT_AUTH_METHODS: t.ClassVar = ["client_secret_basic", "none"]

        def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:
            return store.find(token_string, token_type_hint)

        def revoke_token(self, token: Token, request: t.Any) -> None:
            token.revoked = True

    class Introspection(IntrospectionEndpoint):
        CLIENT_AUTH_METHODS: t.ClassVar = ["client_secret_post"]

        def query_token(self, token_string: str, token_type_hint: str | None) -> Token | None:
            return store.find(token_string, token_type_hint)

        def check_permission(self, token: Token, client: Client, request: t.Any) -> bool:
            return client.client_id == "console"

        def introspect_token(self, token: Token) -> dict[str, t.Any]:
            return {"client_id": token.client.client_id, "username": token.user, "scope": token.scope}

    server.register_grant(grants.ClientCredentialsGrant)
    server.register_grant(CodeGrant, [CodeChallenge(required=True)])
    server.register_grant(RefreshGrant)
    server.register_endpoint(Revocation)
    server.register_endpoint(Introspection)


def make_protector(store: Store) -> ResourceProtector:
    class Validator(BearerTokenValidator):
        def authenticate_token(self, token_string: str) -> Token | None:
            return store.find(token_string)

    protector = ResourceProtector()
    protector.register_token_validator(Validator(realm="notes"))
    return protector


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.secret_key = "only for this scenario"
    app.config.update(
        OAUTH2_REFRESH_TOKEN_GENERATOR=True,
        OAUTH2_TOKEN_EXPIRES_IN={"authorization_code": 600, "client_credentials": 60},
        OAUTH2_SCOPES_SUPPORTED=["profile", "notes:read", "notes:write", "readings:write"],
        OAUTH2_ERROR_URIS=[("invalid_client", "https://docs.example/clients")],
    )
    store = Store()
    app.extensions["store"] = store
    server = AuthorizationServer()
    server.init_app(app, query_client=store.clients.get, save_token=store.save_token)
    register_grants(server, store)
    require = make_protector(store)

    @client_authenticated.connect_via(server)
    def seen_client(sender: t.Any, client: Client, grant: t.Any) -> None:
        store.signals.append(f"client {client.client_id}")

    @token_authenticated.connect_via(require)
    def seen_token(sender: t.Any, token: Token) -> None:
        store.signals.append(f"token of {token.user or token.client.client_id}")

    @token_revoked.connect_via(server)
    def seen_end(sender: t.Any, token: Token, client: Client) -> None:
        store.signals.append(f"{client.client_id} revoked")

    @app.post("/sign-in")
    def sign_in() -> t.Any:
        session["user"] = request.form["user"]
        return "", 204

    @app.route("/authorize", methods=["GET", "POST"])
    def authorize() -> t.Any:
        user = session.get("user")
        try:
            grant = server.get_consent_grant(end_user=user)
        except OAuth2Error as error:
            return server.handle_error_response(request, error)
        if request.method == "GET":
            asks = "{{ user }}, may {{ grant.client.client_id }} have: {{ grant.request.scope }}?"
            return render_template_string(asks, user=user, grant=grant)
        agreed = user if "yes" in request.form else None
        return server.create_authorization_response(grant_user=agreed, grant=grant)

    @app.post("/token")
    def token() -> t.Any:
        return server.create_token_response()

    @app.post("/revoke")
    def revoke() -> t.Any:
        return server.create_endpoint_response("revocation")

    @app.post("/introspect")
    def introspect() -> t.Any:
        return server.create_endpoint_response("introspection")

    @app.get("/me")
    @require("profile")
    def me() -> t.Any:
        return {"user": current_token.user, "scope": current_token.scope}

    @app.route("/notes", methods=["GET", "PUT"])
    @require(["notes:read notes:write", "readings:write"])
    def notes() -> t.Any:
        return {"by": current_token.user or current_token.client.client_id}

    @app.get("/greeting")
    @require(optional=True)
    def greeting() -> str:
        return f"Hello, {current_token.user if current_token else 'stranger'}"

    @app.get("/with")
    def with_statement() -> t.Any:
        with require.acquire("notes:read") as found:
            return {"found": found.user}

    return app


VERIFIER = "forty-three-characters-or-more-that-nobody-else-knows"
CHALLENGE = urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
CODE_REQUEST = {
    "response_type": "code",
    "client_id": "phone",
    "redirect_uri": "https://phone.example/back",
    "scope": "profile notes:read",
    "state": "s1",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def play(visitor: Visitor) -> None:
    machines(visitor)
    tokens = people(visitor)
    refusals(visitor)
    endings(visitor, tokens)
    store = visitor.app.extensions["store"]
    visitor.note("signals", store.signals)
    assert store.signals[:2] == ["client weather", "token of weather"]
    assert "phone revoked" in store.signals


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def machines(visitor: Visitor) -> None:
    form = {"grant_type": "client_credentials", "scope": "readings:write"}
    given = visitor.post("/token", data=form, auth=("weather", "rain"))
    assert given.headers["Cache-Control"] == "no-store"
    assert (given.json["expires_in"], "refresh_token" in given.json) == (60, False)
    assert visitor.put("/notes", headers=bearer(given.json["access_token"])).json == {"by": "weather"}
    scopes = visitor.get("/me", headers=bearer(given.json["access_token"]))
    assert (scopes.status_code, scopes.json["error"]) == (403, "insufficient_scope")

    wrong = visitor.post("/token", data=form, auth=("weather", "sun"))
    assert (wrong.status_code, wrong.json["error"]) == (401, "invalid_client")
    assert wrong.json["error_uri"] == "https://docs.example/clients"
    assert wrong.headers["WWW-Authenticate"].startswith("Basic")
    unknown = visitor.post("/token", data={**form, "scope": "everything"}, auth=("weather", "rain"))
    assert (unknown.status_code, unknown.json["error"]) == (400, "invalid_scope")
    assert visitor.post("/token", data={"grant_type": "magic"}).json["error"] == "unsupported_grant_type"


def people(visitor: Visitor) -> dict[str, str]:
    visitor.post("/sign-in", data={"user": "ada"})
    page = visitor.get("/authorize", query_string=CODE_REQUEST)
    assert page.text == "ada, may phone have: profile notes:read?"
    denied = visitor.post("/authorize", query_string=CODE_REQUEST)
    assert parse_qs(urlsplit(denied.location).query)["error"] == ["access_denied"]
    agreed = parse_qs(
        urlsplit(visitor.post("/authorize", query_string=CODE_REQUEST, data={"yes": ""}).location).query
    )
    assert agreed["state"] == ["s1"]

    exchange = {"grant_type": "authorization_code", "client_id": "phone", "code": agreed["code"][0]}
    exchange["redirect_uri"] = CODE_REQUEST["redirect_uri"]
    guessed = visitor.post("/token", data={**exchange, "code_verifier": VERIFIER + "!"})
    assert guessed.json["error"] == "invalid_request"
    given = visitor.post("/token", data={**exchange, "code_verifier": VERIFIER})
    assert (given.json["scope"], given.json["expires_in"]) == ("profile notes:read", 600)
    again = visitor.post("/token", data={**exchange, "code_verifier": VERIFIER})
    assert (again.status_code, again.json["error"]) == (400, "invalid_grant")

    refresh = {
        "grant_type": "refresh_token",
        "client_id": "phone",
        "refresh_token": given.json["refresh_token"],
    }
    renewed = visitor.post("/token", data=refresh)
    assert renewed.json["refresh_token"] != given.json["refresh_token"]
    assert visitor.post("/token", data=refresh).json["error"] == "invalid_grant"
    assert visitor.get("/me", headers=bearer(given.json["access_token"])).status_code == 401
    found = visitor.get("/me", headers=bearer(renewed.json["access_token"]))
    assert found.json == {"user": "ada", "scope": "profile notes:read"}
    return renewed.json


def refusals(visitor: Visitor) -> None:
    elsewhere = {**CODE_REQUEST, "redirect_uri": "https://elsewhere.example/"}
    # Not sent there: nobody knows whose address it is.
    refused = visitor.get("/authorize", query_string=elsewhere)
    assert (refused.status_code, refused.location) == (400, None)
    implicit = visitor.get("/authorize", query_string={**CODE_REQUEST, "response_type": "token"})
    assert "unsupported_response_type" in implicit.location
    without = visitor.get("/me")
    assert (without.status_code, without.json["error"]) == (401, "missing_authorization")
    assert 'realm="notes"' in without.headers["WWW-Authenticate"]
    assert (
        visitor.get("/me", headers={"Authorization": "Basic YTpi"}).json["error"] == "unsupported_token_type"
    )
    assert visitor.get("/greeting").text == "Hello, stranger"
    assert visitor.get("/greeting", headers=bearer("guessed")).json["error"] == "invalid_token"


def endings(visitor: Visitor, tokens: dict[str, str]) -> None:
    access = tokens["access_token"]
    assert visitor.get("/with", headers=bearer(access)).json == {"found": "ada"}
    form = {"token": access, "client_id": "console", "client_secret": "sees all"}
    known = {"active": True, "client_id": "phone", "username": "ada", "scope": "profile notes:read"}
    assert visitor.post("/introspect", data=form).json == known
    assert visitor.post("/revoke", data={"token": access, "client_id": "phone"}).json == {}
    assert visitor.post("/introspect", data=form).json == {"active": False}
    assert visitor.get("/with", headers=bearer(access)).status_code == 401
