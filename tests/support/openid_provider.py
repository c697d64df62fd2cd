"""An OpenID Connect provider for tests, an application of Erlen's: it does what the specification says, and wrong where a test asks for it.

It signs with what ``cryptography`` has, and not with the library that the client checks with, so that both cannot share a mistake.
"""

from __future__ import annotations

import base64
import collections.abc as cabc
import hashlib
import hmac
import json
import secrets
import time
import typing as t
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

import httpx
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from erlen import Erlen, Response, redirect, request

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int) -> str:
    return encoded(value.to_bytes((value.bit_length() + 7) // 8 or 1))


def jwk_of(key: PrivateKey, kid: str | None, **members: t.Any) -> dict[str, t.Any]:
    """Return the public half of a key as providers publish it."""
    named = members if kid is None else {"kid": kid, **members}
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "use": "sig", "n": number(numbers.n), "e": number(numbers.e), **named}
    if isinstance(public, ec.EllipticCurvePublicKey):
        point = public.public_numbers()
        x, y = (encoded(value.to_bytes(32)) for value in (point.x, point.y))
        return {"kty": "EC", "crv": "P-256", "use": "sig", "x": x, "y": y, **named}
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "x": encoded(public.public_bytes_raw()), **named}


def pem_of(key: PrivateKey) -> bytes:
    """Return the public half of a key as a text."""
    kind = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, kind)


def signature_of(key: PrivateKey | bytes | None, algorithm: str, data: bytes) -> bytes:
    if key is None:
        return b""
    if isinstance(key, bytes):
        return hmac.digest(key, data, "sha256")
    if isinstance(key, rsa.RSAPrivateKey):
        sha256 = hashes.SHA256()
        kind = padding.PSS(padding.MGF1(sha256), 32) if algorithm == "PS256" else padding.PKCS1v15()
        return key.sign(data, kind, sha256)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)
    return key.sign(data)


def signed(claims: object, key: PrivateKey | bytes | None, header: dict[str, t.Any]) -> str:
    """Return a JWT, right or wrong."""
    parts = [json.dumps(part).encode() for part in (header, claims)]
    content = ".".join(map(encoded, parts))
    return f"{content}.{encoded(signature_of(key, str(header.get('alg')), content.encode()))}"


@dataclass
class Grant:
    """What a code stands for."""

    client_id: str
    redirect_uri: str
    challenge: str
    nonce: str


@dataclass
class LocalProvider:
    """The provider; its attributes are the switches.

    :param clock: returns the time, in seconds.
    :param metadata: what its metadata say instead; ``None`` leaves a member out.
    :param claims: what its ID tokens say instead; ``None`` leaves a claim out.
    :param answer: what its token endpoint says instead.
    :param callback: what it sends the browser back with instead.
    :param sign: makes the ID token of its claims.
    """

    clock: cabc.Callable[[], float] = time.time
    issuer: str = "https://id.test"
    client_id: str = "the client"
    client_secret: str | None = "a secret: of & the client"
    subject: str = "subject-1"
    key: PrivateKey = field(default_factory=lambda: rsa.generate_private_key(65537, 2048))
    algorithm: str = "RS256"
    kid: str | None = "key-1"
    metadata: dict[str, t.Any] = field(default_factory=dict[str, t.Any])
    claims: dict[str, t.Any] = field(default_factory=dict[str, t.Any])
    answer: dict[str, t.Any] = field(default_factory=dict[str, t.Any])
    callback: dict[str, str | None] = field(default_factory=dict[str, "str | None"])
    keys: list[t.Any] | None = None
    sign: cabc.Callable[[dict[str, t.Any]], str] | None = None
    #: What a path answers with instead.
    responses: dict[str, cabc.Callable[[], Response]] = field(default_factory=dict[str, t.Any])
    #: The paths that were asked for.
    asked: list[str] = field(default_factory=list[str])
    #: The last authorisation request, and the last form and headers of the token endpoint.
    authorised: dict[str, str] = field(default_factory=dict[str, str])
    form: dict[str, str] = field(default_factory=dict[str, str])
    authorization: str | None = None

    def __post_init__(self) -> None:
        self.app = app = Erlen("openid_provider")
        self._grants: dict[str, Grant] = {}

        @app.before_request
        def note() -> Response | None:
            self.asked.append(request.path)
            instead = self.responses.get(request.path)
            return None if instead is None else instead()

        app.get("/.well-known/openid-configuration")(self._configuration)
        app.get("/jwks")(self._jwks)
        app.get("/authorize")(self._authorize)
        app.post("/token")(self._token)

    def client(self) -> httpx.Client:
        """Return what asks this provider and nobody else."""
        return httpx.Client(transport=httpx.WSGITransport(app=t.cast("t.Any", self.app)))

    def visit(self, url: str) -> dict[str, str]:
        """Do what a browser does that is sent here, and return the query it comes back with."""
        with self.client() as browser:
            response = browser.get(url)
        assert response.status_code == 302, response.text
        back = urlsplit(response.headers["location"])
        assert f"{back.scheme}://{back.netloc}{back.path}" == self.authorised["redirect_uri"]
        return {name: values[0] for name, values in parse_qs(back.query).items()}

    def _configuration(self) -> dict[str, t.Any]:
        said = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self.algorithm],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "authorization_response_iss_parameter_supported": True,
        }
        return without_none({**said, **self.metadata})

    def _jwks(self) -> dict[str, t.Any]:
        return {"keys": [jwk_of(self.key, self.kid)] if self.keys is None else self.keys}

    def _authorize(self) -> t.Any:
        asked = self.authorised = request.args.to_dict()
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe()
        self._grants[code] = Grant(
            asked["client_id"], asked["redirect_uri"], asked["code_challenge"], asked["nonce"]
        )
        back = without_none({"code": code, "state": asked["state"], "iss": self.issuer, **self.callback})
        return redirect(f"{asked['redirect_uri']}?{urlencode(back)}")

    def _token(self) -> t.Any:
        self.form, self.authorization = request.form.to_dict(), request.headers.get("Authorization")
        grant = self._grants.pop(self.form.get("code", ""), None)
        challenge = encoded(hashlib.sha256(self.form["code_verifier"].encode()).digest())
        if grant is None or grant != Grant(
            self._shown_client(), self.form["redirect_uri"], challenge, grant.nonce
        ):
            return {"error": "invalid_grant"}, 400
        said = {
            "iss": self.issuer,
            "sub": self.subject,
            "aud": self.client_id,
            "iat": int(self.clock()),
            "exp": int(self.clock()) + 300,
            "nonce": grant.nonce,
            "email": "ada@id.test",
            "email_verified": True,
            "name": "Ada",
        }
        claims = without_none({**said, **self.claims})
        token = self.sign(claims) if self.sign is not None else self.signed(claims)
        said = {"access_token": "unused", "token_type": "Bearer", "expires_in": 300, "id_token": token}
        return without_none({**said, **self.answer})

    def signed(self, claims: dict[str, t.Any], **header: t.Any) -> str:
        """Return an ID token as it should be, but for what the header says instead."""
        said = {"alg": self.algorithm, "typ": "JWT", "kid": self.kid}
        return signed(claims, self.key, without_none({**said, **header}))

    def _shown_client(self) -> str:
        """Return which client has shown that it is that one, as far as it can."""
        client_id, secret = self.form.get("client_id"), self.form.get("client_secret")
        if self.authorization is not None:
            pair = base64.b64decode(self.authorization.removeprefix("Basic ")).decode()
            client_id, secret = map(unquote_plus, pair.split(":"))
        return str(client_id) if secret == self.client_secret else ""


def without_none(values: dict[str, t.Any]) -> dict[str, t.Any]:
    return {name: value for name, value in values.items() if value is not None}
