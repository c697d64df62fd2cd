"""Signed access tokens: what is taken, and every way to forge one that has a name."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import typing as t
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from erlen import Erlen
from erlen.ext.security.events import Events
from erlen.ext.security.keys import Keys
from erlen.ext.security.kit import Kit
from erlen.ext.security.settings import Settings
from erlen.ext.security.signed import MAX_LENGTH
from erlen.ext.security.tokens import Tokens
from erlen.ext.security.types import Client, User
from memory_store import MemoryStore

if t.TYPE_CHECKING:
    from conftest import Clock

KEY = "the application's secret key"
SITE = "https://example.test"


def tokens_with(settings: Settings, store: MemoryStore, clock: Clock, *keys: str) -> Tokens:
    events = Events(store, clock, None, Client)
    return Tokens(Kit(settings=settings, store=store, keys=Keys(keys or [KEY]), events=events, clock=clock))


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, scopes=("orders:read", "orders:write"))


@pytest.fixture
def tokens(settings: Settings, store: MemoryStore, clock: Clock) -> Tokens:
    return tokens_with(settings, store, clock)


@pytest.fixture
def user(store: MemoryStore, clock: Clock) -> User:
    return store.add_user(email="ada@example.test", email_key="ada@example.test", activated_at=clock())


@pytest.fixture
def genuine(tokens: Tokens, user: User) -> str:
    return tokens.pair(user, ["orders:read"], ["password"]).access_token


def encoded(value: t.Any) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decoded(part: str) -> dict[str, t.Any]:
    values: dict[str, t.Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return values


def raw_key() -> bytes:
    return Keys([KEY]).derive("access-token")[0]


def signed(header: str, payload: str, key: bytes | None = None) -> str:
    """Sign two parts as they are, by the letter of RFC 7515."""
    content = f"{header}.{payload}".encode()
    return f"{header}.{payload}.{encoded(hmac.digest(key or raw_key(), content, hashlib.sha256))}"


def header_of(token: str) -> dict[str, t.Any]:
    return decoded(token.split(".")[0])


def claims_of(token: str) -> dict[str, t.Any]:
    return decoded(token.split(".")[1])


def with_claims(token: str, **changes: t.Any) -> str:
    """Sign a token again, with other claims; those that are ``...`` are left out."""
    claims = {name: value for name, value in {**claims_of(token), **changes}.items() if value is not ...}
    return signed(token.split(".")[0], encoded(claims))


def with_header(token: str, **changes: t.Any) -> str:
    header = {name: value for name, value in {**header_of(token), **changes}.items() if value is not ...}
    return signed(encoded(header), token.split(".")[1])


# What is made


def test_an_access_token_is_one_of_rfc_9068(tokens: Tokens, clock: Clock, user: User, genuine: str) -> None:
    header, claims = header_of(genuine), claims_of(genuine)
    assert header.pop("kid")
    assert header == {"alg": "HS256", "typ": "at+jwt"}
    now = int(clock().timestamp())
    assert claims.pop("jti") != claims.pop("sid")
    assert claims == {
        "iss": SITE,
        "aud": SITE,
        "client_id": SITE,
        "sub": user.uid,
        "scope": "orders:read",
        "iat": now,
        "exp": now + 600,
    }


def test_an_access_token_tells_who_asks(tokens: Tokens, user: User, genuine: str) -> None:
    found = tokens.authenticate(genuine)
    assert found is not None
    assert (found.user.uid, found.method, found.scopes) == (user.uid, "token", frozenset({"orders:read"}))


def test_the_tests_sign_as_joserfc_does(genuine: str) -> None:
    """So that what is refused below is refused for what it says, not for its signature."""
    assert with_claims(genuine) == with_header(genuine) == genuine


def test_no_token_holds_what_is_secret_or_personal(genuine: str, user: User) -> None:
    assert user.email not in json.dumps(claims_of(genuine))


def test_without_the_url_of_the_site_its_name_or_the_applications_is_the_issuer(
    settings: Settings, store: MemoryStore, clock: Clock, user: User
) -> None:
    named = replace(settings, site_url=None, site_name="Orders")
    token = tokens_with(named, store, clock).pair(user, [], []).access_token
    assert claims_of(token)["iss"] == "Orders"
    other = tokens_with(replace(named, site_name="Invoices"), store, clock)
    assert other.authenticate(token) is None
    events = Events(store, clock, Erlen("orders_application", static_folder=None), Client)
    kit = Kit(
        settings=replace(named, site_name=""), store=store, keys=Keys([KEY]), events=events, clock=clock
    )
    assert claims_of(Tokens(kit).pair(user, [], []).access_token)["iss"] == "orders_application"


def test_the_longest_token_of_ours_is_read(
    settings: Settings, store: MemoryStore, clock: Clock, user: User
) -> None:
    scopes = tuple(f"{number:03}".rjust(7, "s") for number in range(128))
    long = replace(settings, scopes=scopes, site_url="https://" + "ä" * 124)
    tokens = tokens_with(long, store, clock)
    token = tokens.pair(user, scopes, []).access_token
    assert 2700 < len(token) < MAX_LENGTH
    assert tokens.authenticate(token)


# Signature, algorithm, key


def test_a_token_that_was_changed_is_refused(tokens: Tokens, genuine: str) -> None:
    header, payload, signature = genuine.split(".")
    claims = encoded({**claims_of(genuine), "scope": "orders:read orders:write"})
    changed = ("A" if signature[5] != "A" else "B").join([signature[:5], signature[6:]])
    forged = [
        f"{header}.{claims}.{signature}",
        f"{header}.{payload}.{changed}",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{header}..{signature}",
        f"{header}.{payload}.{signature}.{signature}",
        f"{header}.{payload}.{signature}=",
        f"{header}.{payload}.{signature}\n",
        f" {genuine}",
        signed(header, payload, b"another key"),
        signed(header, payload, KEY.encode()),
    ]
    assert [tokens.authenticate(token) for token in forged] == [None] * len(forged)
    assert tokens.authenticate(genuine)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", "", None, 0, ["HS256"], ...])
def test_a_token_without_a_signature_is_refused(tokens: Tokens, genuine: str, algorithm: t.Any) -> None:
    """CVE-2026-28802: ``alg: none`` taken for a signature."""
    payload = genuine.split(".")[1]
    header = {**header_of(genuine), "alg": algorithm}
    if algorithm is ...:
        del header["alg"]
    assert tokens.authenticate(f"{encoded(header)}.{payload}.") is None
    assert tokens.authenticate(signed(encoded(header), payload)) is None


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def test_no_public_key_becomes_a_secret(tokens: Tokens, genuine: str, rsa_key: rsa.RSAPrivateKey) -> None:
    """CVE-2024-37568: algorithm confusion, a token signed with HMAC and a public key, or with RSA in place of HMAC."""
    public = rsa_key.public_key()
    texts = [
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH),
    ]
    header, payload, _ = genuine.split(".")
    assert not any(tokens.authenticate(signed(header, payload, text)) for text in texts)
    key = RSAKey.import_key(rsa_key)
    for algorithm in ["RS256", "PS256"]:
        forged = {**header_of(genuine), "alg": algorithm}
        token = jwt.encode(forged, claims_of(genuine), key, algorithms=[algorithm])
        assert tokens.authenticate(token) is None


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_only_one_algorithm_is_taken_even_with_the_right_key(
    tokens: Tokens, genuine: str, algorithm: str
) -> None:
    key = OctKey.import_key(raw_key())
    token = jwt.encode(
        {**header_of(genuine), "alg": algorithm}, claims_of(genuine), key, algorithms=[algorithm]
    )
    assert tokens.authenticate(token) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"kid": ...},
        {"kid": "another"},
        {"kid": None},
        {"kid": ["a"]},
        {"kid": "../../dev/null"},
        {"jku": "https://attacker.test/keys"},
        {"jwk": {"kty": "oct", "k": "AAAA"}},
        {"x5u": "https://attacker.test/certificate"},
        {"x5c": ["MIIB"]},
        {"crit": ["exp"], "exp": 1},
        {"b64": False, "crit": ["b64"]},
        {"zip": "DEF"},
        {"cty": "JWT"},
    ],
)
def test_a_header_chooses_no_key(tokens: Tokens, genuine: str, changes: dict[str, t.Any]) -> None:
    assert tokens.authenticate(with_header(genuine, **changes)) is None


@pytest.mark.parametrize(
    "kind", ["JWT", "jwt", "AT+JWT", "application/at+jwt", "secevent+jwt", "", None, 1, ...]
)
def test_a_token_of_another_type_is_refused(tokens: Tokens, genuine: str, kind: t.Any) -> None:
    """RFC 8725, section 3.11: an ID token, say, is signed as well."""
    assert tokens.authenticate(with_header(genuine, typ=kind)) is None


def test_a_key_of_another_purpose_signs_no_access_token(tokens: Tokens, genuine: str) -> None:
    header, payload, _ = genuine.split(".")
    for purpose in ["refresh-token", "access-token-name", "totp", ""]:
        assert tokens.authenticate(signed(header, payload, Keys([KEY]).derive(purpose)[0])) is None


def test_tokens_outlive_a_change_of_the_secret_key(
    settings: Settings, store: MemoryStore, clock: Clock, user: User
) -> None:
    old, both, new = (
        tokens_with(settings, store, clock, *keys) for keys in [("old",), ("new", "old"), ("new",)]
    )
    of_old, of_both = (tokens.pair(user, [], []).access_token for tokens in (old, both))
    assert header_of(of_old)["kid"] != header_of(of_both)["kid"]
    assert [tokens.authenticate(of_old) is not None for tokens in (old, both, new)] == [True, True, False]
    # The first key signs.
    assert [tokens.authenticate(of_both) is not None for tokens in (old, both, new)] == [False, True, True]


def test_the_name_of_a_key_tells_nothing_of_it(genuine: str) -> None:
    name = header_of(genuine)["kid"]
    assert len(name) == 16
    assert name not in raw_key().hex()
    assert name not in hashlib.sha256(raw_key()).hexdigest()


# Claims


@pytest.mark.parametrize("name", ["iss", "aud", "client_id", "sub", "jti", "sid", "scope", "iat", "exp"])
@pytest.mark.parametrize("value", [..., None, 1, True, ["https://example.test"], {"a": 1}, 1.5])
def test_a_claim_that_is_missing_or_of_another_type_is_refused(
    tokens: Tokens, genuine: str, name: str, value: t.Any
) -> None:
    assert tokens.authenticate(with_claims(genuine, **{name: value})) is None


@pytest.mark.parametrize("name", ["iss", "aud", "client_id", "sub", "jti", "sid"])
def test_an_empty_claim_is_refused(tokens: Tokens, genuine: str, name: str) -> None:
    assert tokens.authenticate(with_claims(genuine, **{name: ""})) is None


@pytest.mark.parametrize("name", ["iss", "aud", "client_id"])
@pytest.mark.parametrize(
    "value", [SITE + "/", "https://EXAMPLE.test", "https://example.test.evil", "http://example.test"]
)
def test_a_token_of_another_issuer_or_for_another_audience_is_refused(
    tokens: Tokens, genuine: str, name: str, value: str
) -> None:
    assert tokens.authenticate(with_claims(genuine, **{name: value})) is None


@pytest.mark.parametrize("value", ["nobody", "\x00", "\ud800", "x" * 1000])
def test_a_subject_or_a_login_that_is_not_there_is_refused(tokens: Tokens, genuine: str, value: str) -> None:
    assert tokens.authenticate(with_claims(genuine, sub=value)) is None
    assert tokens.authenticate(with_claims(genuine, sid=value)) is None


def test_a_token_of_one_user_with_the_login_of_another_is_refused(
    tokens: Tokens, store: MemoryStore, clock: Clock, genuine: str
) -> None:
    eve = store.add_user(email="eve@example.test", email_key="eve@example.test", activated_at=clock())
    assert tokens.authenticate(with_claims(genuine, sub=eve.uid)) is None


def test_scopes_of_a_token_that_the_settings_do_not_have_count_for_nothing(
    tokens: Tokens, genuine: str
) -> None:
    found = tokens.authenticate(with_claims(genuine, scope="admin  orders:write\torders:writer"))
    assert found is not None
    assert found.scopes == frozenset({"orders:write"})


def test_a_token_ends_at_its_time(tokens: Tokens, clock: Clock, genuine: str) -> None:
    clock.forward(minutes=9, seconds=59)
    assert tokens.authenticate(genuine)
    clock.forward(seconds=1)
    assert tokens.authenticate(genuine) is None


def test_a_token_that_lives_too_long_is_refused(
    settings: Settings, store: MemoryStore, clock: Clock, tokens: Tokens, genuine: str
) -> None:
    exp = claims_of(genuine)["exp"]
    assert tokens.authenticate(with_claims(genuine, exp=exp + 1))
    assert tokens.authenticate(with_claims(genuine, exp=exp + 2)) is None
    shorter = replace(settings, access_token_lifetime=timedelta(minutes=5))
    assert tokens_with(shorter, store, clock).authenticate(genuine) is None


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_a_token_of_the_future_is_refused(tokens: Tokens, clock: Clock, genuine: str, name: str) -> None:
    now = int(clock().timestamp())
    # The clocks of two servers differ a little.
    assert tokens.authenticate(with_claims(genuine, **{name: now + 5}))
    assert tokens.authenticate(with_claims(genuine, **{name: now + 6})) is None


@pytest.mark.parametrize(
    "text",
    ["1e999", "NaN", "Infinity", "-1", "0", "true", '"9999999999"', "[9999999999]", "9" * 1000, "9" * 1900],
)
def test_a_time_that_is_none_is_refused(tokens: Tokens, genuine: str, text: str) -> None:
    claims = json.dumps({**claims_of(genuine), "exp": "HERE"}).replace('"HERE"', text)
    token = signed(genuine.split(".")[0], encoded(claims.encode()))
    assert tokens.authenticate(token) is None


def test_a_begin_that_is_no_whole_number_is_refused(tokens: Tokens, genuine: str) -> None:
    for value in ["0", 0.5, True, [0], {}]:
        assert tokens.authenticate(with_claims(genuine, nbf=value)) is None


# Shapes


def test_a_huge_token_is_refused_even_if_it_is_signed(tokens: Tokens, genuine: str) -> None:
    assert tokens.authenticate(with_claims(genuine, more="x" * 1000))
    assert tokens.authenticate(with_claims(genuine, more="x" * MAX_LENGTH)) is None
    assert tokens.authenticate(genuine + "A" * 2**20) is None


def test_deep_json_is_refused(tokens: Tokens, genuine: str) -> None:
    """CVE-2024-27454: deep nesting; here as deep as fits, in claims and in the header, signed with the right key."""
    header = genuine.split(".")[0]
    for depth in [10, 200, 1400]:
        deep = b"[" * depth + b"]" * depth
        claims = encoded(json.dumps({**claims_of(genuine), "exp": "HERE"}).encode().replace(b'"HERE"', deep))
        assert tokens.authenticate(signed(header, claims)) is None
        assert tokens.authenticate(signed(header, encoded(deep))) is None
        assert tokens.authenticate(signed(encoded(b'{"alg":' + deep + b"}"), genuine.split(".")[1])) is None
    assert tokens.authenticate(signed(header, encoded(b"[" * 3000))) is None


def test_a_name_that_is_there_twice_is_refused(tokens: Tokens, genuine: str) -> None:
    """RFC 7519, section 4: one reader takes the first, another one the last."""
    header, payload, _ = genuine.split(".")
    claims, kid = json.dumps(claims_of(genuine)), header_of(genuine)["kid"]
    assert tokens.authenticate(signed(header, encoded(claims.encode())))
    twice = claims.replace('"scope":', '"scope": "orders:write", "scope":', 1)
    assert tokens.authenticate(signed(header, encoded(twice.encode()))) is None
    inside = claims.replace('"scope":', '"more": {"a": 1, "a": 2}, "scope":', 1)
    assert tokens.authenticate(signed(header, encoded(inside.encode()))) is None
    for first in ["none", "HS256"]:
        double = f'{{"alg":"{first}","typ":"at+jwt","alg":"HS256","kid":"{kid}"}}'
        assert tokens.authenticate(signed(encoded(double.encode()), payload)) is None


@pytest.mark.parametrize(
    "payload", [b"", b"null", b"[]", b'"text"', b"1", b"{", b"\xff", b"{}", b"\xef\xbb\xbf{}"]
)
def test_claims_that_are_no_object_are_refused(tokens: Tokens, genuine: str, payload: bytes) -> None:
    assert tokens.authenticate(signed(genuine.split(".")[0], encoded(payload))) is None


def test_neither_encrypted_tokens_nor_json_ones_are_read(tokens: Tokens, genuine: str) -> None:
    header, payload, signature = genuine.split(".")
    as_json = json.dumps({"protected": header, "payload": payload, "signature": signature})
    for token in [as_json, f"{header}.{payload}.{payload}.{payload}.{signature}", "....", f"{header}." * 500]:
        assert tokens.authenticate(token) is None
