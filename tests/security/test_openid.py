"""Signing in with OpenID Connect, with a provider that the tests start."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import logging
import threading
import typing as t
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from werkzeug.serving import make_server

from erlen import Response
from erlen.ext.security.errors import ConfigurationError, ProviderError
from erlen.ext.security.kit import Kit
from erlen.ext.security.openid import Claims, OpenID, Provider
from erlen.ext.security.openid.fetching import Fetcher
from erlen.ext.security.settings import Settings
from erlen.ext.security.tokens import Tokens
from memory_store import MemoryStore
from openid_provider import LocalProvider, PrivateKey, encoded, jwk_of, pem_of, signed
from security_kit import Clock, add_user, kit_of, told

BACK = "https://example.test/account/openid/local/callback"
DISCOVERY = "/.well-known/openid-configuration"

RSA_KEY, OTHER_RSA_KEY = (rsa.generate_private_key(65537, 2048) for _ in range(2))


@pytest.fixture
def kit(settings: Settings, store: MemoryStore, clock: Clock) -> Kit:
    return kit_of(settings, store, clock)


@pytest.fixture
def local(clock: Clock) -> LocalProvider:
    return LocalProvider(clock=lambda: clock().timestamp(), key=RSA_KEY)


@pytest.fixture
def openid(kit: Kit, local: LocalProvider) -> OpenID:
    return openid_of(kit, local)


def provider_of(local: LocalProvider, **changes: t.Any) -> Provider:
    values: dict[str, t.Any] = {
        "client_id": local.client_id,
        "client_secret": local.client_secret,
        "label": "Local",
    }
    return Provider(name="local", issuer=local.issuer, **{**values, **changes})


def openid_of(kit: Kit, local: LocalProvider, **changes: t.Any) -> OpenID:
    return OpenID(kit, Tokens(kit), [provider_of(local, **changes)], local.client())


def sign_in(openid: OpenID, local: LocalProvider, **data: t.Any) -> Claims:
    """Go the whole way."""
    url, secret = openid.start("local", BACK, data=data)
    return openid.finish("local", BACK, local.visit(url), secret)


def refused(openid: OpenID, local: LocalProvider, log: pytest.LogCaptureFixture, reason: str) -> None:
    """Go the whole way, and be refused for a reason that only the log has."""
    log.clear()
    with pytest.raises(ProviderError) as raised:
        sign_in(openid, local)
    assert str(raised.value) == "Signing in with Local did not work. Try again."
    assert reason in log.text


# The way as it should be


def test_somebody_signs_in(openid: OpenID, local: LocalProvider) -> None:
    claims = sign_in(openid, local, next="/reports")
    assert claims == Claims(
        issuer="https://id.test",
        subject="subject-1",
        email="ada@id.test",
        email_verified=True,
        name="Ada",
        data={"next": "/reports"},
    )


def test_what_the_browser_is_sent_with(openid: OpenID, local: LocalProvider) -> None:
    """PKCE with S256 (RFC 7636), state and nonce, each another for each login."""
    asked: list[dict[str, str]] = []
    started = [openid.start("local", BACK) for _ in range(2)]
    for url, secret in started:
        assert secret not in url
        assert url.startswith("https://id.test/authorize?")
        asked.append({name: value for name, (value,) in parse_qs(urlsplit(url).query).items()})
    for one in asked:
        assert one.keys() == {
            *("response_type", "client_id", "redirect_uri", "scope", "state", "nonce"),
            *("code_challenge", "code_challenge_method"),
        }
        assert (one["response_type"], one["code_challenge_method"]) == ("code", "S256")
        assert (one["client_id"], one["redirect_uri"]) == ("the client", BACK)
        assert one["scope"] == "openid email profile"
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]
        assert len(asked[0][name]) >= 43


def test_the_verifier_belongs_to_the_challenge(openid: OpenID, local: LocalProvider) -> None:
    sign_in(openid, local)
    digest = hashlib.sha256(local.form["code_verifier"].encode()).digest()
    assert encoded(digest) == local.authorised["code_challenge"]


def test_openid_is_asked_for_in_any_case(kit: Kit, local: LocalProvider) -> None:
    openid = openid_of(kit, local, scopes=("email",))
    sign_in(openid, local)
    assert local.authorised["scope"] == "openid email"


def test_an_endpoint_may_have_a_query(openid: OpenID, local: LocalProvider) -> None:
    local.metadata["authorization_endpoint"] = "https://id.test/authorize?tenant=a"
    assert sign_in(openid, local).subject == "subject-1"
    assert local.authorised["tenant"] == "a"


def test_what_belongs_to_a_login_is_not_stored_readable(
    openid: OpenID, store: MemoryStore, local: LocalProvider
) -> None:
    url, secret = openid.start("local", BACK)
    kept = repr(vars(store))
    query = parse_qs(urlsplit(url).query)
    openid.finish("local", BACK, local.visit(url), secret)
    assert not any(
        text in kept for text in (secret, *query["state"], *query["nonce"], local.form["code_verifier"])
    )


@pytest.mark.parametrize(
    ("methods", "basic"),
    [(None, True), (["client_secret_post", "client_secret_basic"], True), (["client_secret_post"], False)],
)
def test_the_client_shows_itself_as_the_provider_takes_it(
    openid: OpenID, local: LocalProvider, methods: list[str] | None, basic: bool
) -> None:
    local.metadata["token_endpoint_auth_methods_supported"] = methods
    assert sign_in(openid, local).subject == "subject-1"
    assert (local.authorization is not None) is basic
    assert ("client_secret" in local.form) is not basic


def test_a_client_without_a_secret_shows_its_name(kit: Kit, local: LocalProvider) -> None:
    local.client_secret = None
    assert sign_in(openid_of(kit, local), local).subject == "subject-1"
    assert local.authorization is None
    assert local.form["client_id"] == "the client"


def test_a_provider_that_takes_no_known_way_is_refused(
    openid: OpenID, local: LocalProvider, caplog: pytest.LogCaptureFixture
) -> None:
    local.metadata["token_endpoint_auth_methods_supported"] = ["tls_client_auth"]
    refused(openid, local, caplog, "('tls_client_auth',) alone")


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (RSA_KEY, "RS256"),
        (RSA_KEY, "PS256"),
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (ed25519.Ed25519PrivateKey.generate(), "Ed25519"),
    ],
    ids=["RS256", "PS256", "ES256", "Ed25519"],
)
def test_algorithms_with_two_keys_are_taken(
    openid: OpenID, local: LocalProvider, key: PrivateKey, algorithm: str
) -> None:
    local.key, local.algorithm = key, algorithm
    assert sign_in(openid, local).subject == "subject-1"


def test_it_works_over_the_network(kit: Kit, clock: Clock) -> None:
    """A server on this machine, plain http as in development, and the client that is made by default."""
    local = LocalProvider(clock=lambda: clock().timestamp(), key=RSA_KEY)
    server = make_server("127.0.0.1", 0, t.cast("t.Any", local.app), threaded=True)
    local.issuer = f"http://127.0.0.1:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    serving.start()
    try:
        openid = OpenID(kit, Tokens(kit), [provider_of(local)])
        assert sign_in(openid, local).issuer == local.issuer
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


# Coming back


def test_a_login_is_finished_once(openid: OpenID, local: LocalProvider) -> None:
    url, secret = openid.start("local", BACK)
    args = local.visit(url)
    assert openid.finish("local", BACK, args, secret).subject == "subject-1"
    with pytest.raises(ProviderError):
        openid.finish("local", BACK, args, secret)
    assert local.asked.count("/token") == 1, "the provider is not even asked"


def test_a_login_has_to_be_finished_in_time(openid: OpenID, local: LocalProvider, clock: Clock) -> None:
    url, secret = openid.start("local", BACK)
    args = local.visit(url)
    clock.forward(minutes=15)
    with pytest.raises(ProviderError):
        openid.finish("local", BACK, args, secret)


@pytest.mark.parametrize("secret", ["", "x", "\ud800", "\0", "x" * 2**20])
def test_a_browser_that_has_begun_nothing_is_refused(
    openid: OpenID, local: LocalProvider, secret: str
) -> None:
    """Login CSRF: the link of somebody else's login."""
    url, _ = openid.start("local", BACK)
    with pytest.raises(ProviderError, match="did not work"):
        openid.finish("local", BACK, local.visit(url), secret)


def test_the_answer_of_another_login_is_refused_and_ends_nobodys_login(
    openid: OpenID, local: LocalProvider
) -> None:
    url, secret = openid.start("local", BACK)
    theirs, _ = openid.start("local", BACK)
    mine = local.visit(url)
    with pytest.raises(ProviderError):
        openid.finish("local", BACK, local.visit(theirs), secret)
    assert openid.finish("local", BACK, mine, secret).subject == "subject-1"


@pytest.mark.parametrize("state", [None, "", "x", "\ud800", "ä", "x" * 2**20])
def test_a_wrong_state_is_refused(openid: OpenID, local: LocalProvider, state: str | None) -> None:
    url, secret = openid.start("local", BACK)
    args = local.visit(url)
    del args["state"]
    if state is not None:
        args["state"] = state
    with pytest.raises(ProviderError):
        openid.finish("local", BACK, args, secret)


def test_a_code_that_was_put_into_another_login_is_refused(openid: OpenID, local: LocalProvider) -> None:
    """PKCE: a stolen code is of no use in the thief's login."""
    victim, _ = openid.start("local", BACK)
    stolen = local.visit(victim)["code"]
    mine, secret = openid.start("local", BACK)
    args = {**local.visit(mine), "code": stolen}
    with pytest.raises(ProviderError):
        openid.finish("local", BACK, args, secret)


@pytest.mark.parametrize("code", [None, "", "x" * 5000, "made up"])
def test_a_wrong_code_is_refused(openid: OpenID, local: LocalProvider, code: str | None) -> None:
    local.callback["code"] = code
    with pytest.raises(ProviderError, match="did not work"):
        sign_in(openid, local)


def test_another_address_to_come_back_to_is_refused(openid: OpenID, local: LocalProvider) -> None:
    url, secret = openid.start("local", BACK)
    with pytest.raises(ProviderError):
        openid.finish("local", "https://example.test/elsewhere", local.visit(url), secret)
    assert "/token" not in local.asked


@pytest.mark.parametrize("announced", [True, False])
def test_the_answer_has_to_be_from_the_provider(
    openid: OpenID, local: LocalProvider, caplog: pytest.LogCaptureFixture, announced: bool
) -> None:
    """RFC 9207, ASVS 10.2.2."""
    local.metadata["authorization_response_iss_parameter_supported"] = announced
    for wrong in ("https://evil.test", "https://id.test/", "HTTPS://ID.TEST", " "):
        local.callback["iss"] = wrong
        refused(openid, local, caplog, "RFC 9207")
    local.callback["iss"] = None
    if announced:
        refused(openid, local, caplog, "RFC 9207")
    else:
        assert sign_in(openid, local).subject == "subject-1", "a provider that does not say it need not"


def test_an_error_of_somebody_else_is_not_believed(openid: OpenID, local: LocalProvider) -> None:
    local.callback.update(iss="https://evil.test", error="access_denied", code=None)
    with pytest.raises(ProviderError, match="did not work"):
        sign_in(openid, local)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ("access_denied", "You have not let Local sign you in."),
        ("server_error", "Local has not signed you in (server_error)."),
        ("<script>alert(1)</script>", "Local has not signed you in (another error)."),
        ("Call 0900 1234", "Local has not signed you in (another error)."),
    ],
)
def test_a_refusal_of_the_provider_has_a_text_of_ours(
    openid: OpenID, local: LocalProvider, error: str, text: str
) -> None:
    local.callback.update(
        code=None, error=error, error_description="Call 0900 1234", error_uri="https://evil.test"
    )
    with pytest.raises(ProviderError) as raised:
        sign_in(openid, local)
    assert str(raised.value) == text


def test_an_unknown_provider_is_refused(openid: OpenID) -> None:
    with pytest.raises(ProviderError, match="no provider of this name"):
        openid.start("another", BACK)
    with pytest.raises(ProviderError, match="no provider of this name"):
        openid.finish("../local", BACK, {}, "x")


def test_a_login_that_was_begun_before_the_secret_key_changed_is_refused(
    openid: OpenID,
    local: LocalProvider,
    settings: Settings,
    store: MemoryStore,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    url, secret = openid.start("local", BACK)
    later = openid_of(kit_of(settings, store, clock, ("another key",)), local)
    with pytest.raises(ProviderError):
        later.finish("local", BACK, local.visit(url), secret)
    assert "the secret key has changed" in caplog.text


# Two providers


@pytest.fixture
def evil(clock: Clock) -> LocalProvider:
    """Another provider that the application trusts, and that is not worth it."""
    return LocalProvider(
        clock=lambda: clock().timestamp(),
        issuer="https://evil.test",
        key=OTHER_RSA_KEY,
        client_secret="theirs",
    )


@pytest.fixture
def both(kit: Kit, local: LocalProvider, evil: LocalProvider) -> OpenID:
    transports = {
        f"all://{urlsplit(one.issuer).netloc}": httpx.WSGITransport(app=t.cast("t.Any", one.app))
        for one in (local, evil)
    }
    other = Provider(name="evil", issuer=evil.issuer, client_id=evil.client_id, client_secret="theirs")
    return OpenID(kit, Tokens(kit), [provider_of(local), other], httpx.Client(mounts=transports))


def test_a_mix_up_of_two_providers_is_refused(
    both: OpenID, local: LocalProvider, evil: LocalProvider
) -> None:
    """The browser was sent to the evil provider, which sent it on to the honest one, to get the honest one's code."""
    url, secret = both.start("evil", BACK)
    asked = urlsplit(url).query
    args = local.visit(f"{local.issuer}/authorize?{asked}")
    with pytest.raises(ProviderError):
        both.finish("evil", BACK, args, secret)
    assert evil.form == {}, "the code was not sent to it"


@pytest.mark.parametrize("announced", [True, False])
def test_the_answer_of_one_provider_is_of_no_use_at_the_address_of_another(
    both: OpenID, local: LocalProvider, evil: LocalProvider, announced: bool
) -> None:
    """Also of providers that do not say whom an answer is from."""
    for one in (local, evil):
        one.metadata["authorization_response_iss_parameter_supported"] = announced
        one.callback = {} if announced else {"iss": None}
    url, secret = both.start("local", BACK)
    args = local.visit(url)
    with pytest.raises(ProviderError):
        both.finish("evil", BACK, args, secret)
    assert evil.form == {}


def test_a_provider_cannot_speak_for_another(both: OpenID, local: LocalProvider, evil: LocalProvider) -> None:
    """ASVS 6.8.1: its own key, and the issuer and subject of somebody else."""
    evil.claims["iss"] = local.issuer
    url, secret = both.start("evil", BACK)
    with pytest.raises(ProviderError):
        both.finish("evil", BACK, evil.visit(url), secret)


def test_one_subject_at_two_providers_is_two_people(
    both: OpenID, store: MemoryStore, local: LocalProvider, evil: LocalProvider
) -> None:
    """ASVS 6.8.1."""
    ada = add_user(store)
    url, secret = both.start("local", BACK)
    claims = both.finish("local", BACK, local.visit(url), secret)
    assert both.link(ada, claims)
    url, secret = both.start("evil", BACK)
    theirs = both.finish("evil", BACK, evil.visit(url), secret)
    assert (theirs.subject, theirs.email) == (claims.subject, claims.email)
    assert both.user_of(theirs) is None


# Accounts


def test_an_account_is_found_by_issuer_and_subject_alone(
    openid: OpenID, store: MemoryStore, local: LocalProvider
) -> None:
    """An address of e-mail links nothing, verified or not."""
    add_user(store, "ada@id.test")
    bob = add_user(store, "bob@example.com")
    claims = sign_in(openid, local)
    assert claims.email_verified
    assert openid.user_of(claims) is None
    assert openid.link(bob, claims)
    found = openid.user_of(claims)
    assert found is not None and found.uid == bob.uid
    assert openid.user_of(replace(claims, email="another@id.test")) is not None
    assert openid.user_of(replace(claims, subject="SUBJECT-1")) is None
    assert openid.user_of(replace(claims, issuer="https://id.test/")) is None


def test_an_account_somewhere_else_is_of_one_user(
    openid: OpenID, store: MemoryStore, local: LocalProvider
) -> None:
    ada, bob = add_user(store), add_user(store, "bob@example.com")
    claims = sign_in(openid, local)
    assert openid.link(ada, claims)
    assert not openid.link(bob, claims)
    found = openid.user_of(claims)
    assert found is not None and found.uid == ada.uid


def test_accounts_are_unlinked_by_their_owner_alone(
    openid: OpenID, store: MemoryStore, local: LocalProvider
) -> None:
    ada, bob = add_user(store), add_user(store, "bob@example.com")
    claims = sign_in(openid, local)
    openid.link(ada, claims)
    assert not openid.unlink(bob, claims.issuer, claims.subject)
    assert openid.user_of(claims) is not None
    assert openid.unlink(ada, claims.issuer, claims.subject)
    assert openid.user_of(claims) is None
    assert told(store) == [
        ("identity_added", {"issuer": "https://id.test"}),
        ("identity_removed", {"issuer": "https://id.test"}),
    ]


@pytest.mark.parametrize("said", [False, None, "true", 1, [True]])
def test_an_address_is_verified_where_the_provider_says_true(
    openid: OpenID, local: LocalProvider, said: object
) -> None:
    local.claims["email_verified"] = said
    assert not sign_in(openid, local).email_verified


@pytest.mark.parametrize("said", [None, 1, ["a@b.test"], {}, "a\0@b.test", "a\u202e@b.test", "a" * 300])
def test_what_a_provider_says_to_be_shown_is_a_text_without_tricks(
    openid: OpenID, local: LocalProvider, said: object
) -> None:
    local.claims.update(email=said, name=said)
    claims = sign_in(openid, local)
    assert (claims.email, claims.email_verified, claims.name) == ("", False, "")


# ID tokens


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"iss": None}, "is from None"),
        ({"iss": "https://id.test/"}, "is from"),
        ({"iss": ["https://id.test"]}, "is from"),
        ({"aud": None}, "is for None"),
        ({"aud": "another client"}, "not for this application"),
        ({"aud": "the client and more"}, "not for this application"),
        ({"aud": []}, "not for this application"),
        ({"aud": ["the client", 1], "azp": "the client"}, "not for this application"),
        ({"aud": {"the client": 1}}, "not for this application"),
        ({"aud": ["the client", "another"]}, "asked for by None"),
        ({"aud": ["the client", "another"], "azp": "another"}, "asked for by 'another'"),
        ({"azp": "another"}, "asked for by 'another'"),
        ({"nonce": None}, "another nonce"),
        ({"nonce": "another"}, "another nonce"),
        ({"nonce": 1}, "another nonce"),
        ({"nonce": "\ud800"}, "another nonce"),
        ({"sub": None}, "has the subject"),
        ({"sub": ""}, "has the subject"),
        ({"sub": 1}, "has the subject"),
        ({"sub": True}, "has the subject"),
        ({"sub": ["subject-1"]}, "has the subject"),
        ({"sub": "x" * 256}, "has the subject"),
        ({"sub": "subject-1\0"}, "has the subject"),
        ({"sub": "subject-\u0661"}, "has the subject"),
        ({"exp": None}, "does not say when"),
        ({"iat": None}, "does not say when"),
        ({"exp": "9999999999"}, "which is no time"),
        ({"exp": True}, "which is no time"),
        ({"exp": float("nan")}, "which is no time"),
        ({"exp": float("inf")}, "which is no time"),
        ({"iat": "now"}, "which is no time"),
        ({"nbf": []}, "which is no time"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_a_wrong_claim_is_refused(
    openid: OpenID,
    local: LocalProvider,
    caplog: pytest.LogCaptureFixture,
    claims: dict[str, t.Any],
    reason: str,
) -> None:
    local.claims.update(claims)
    refused(openid, local, caplog, reason)


@pytest.mark.parametrize(
    "claims",
    [{"aud": ["the client"]}, {"azp": "the client"}, {"aud": ["x", "the client"], "azp": "the client"}],
)
def test_a_token_for_this_application_is_taken(
    openid: OpenID, local: LocalProvider, claims: dict[str, t.Any]
) -> None:
    local.claims.update(claims)
    assert sign_in(openid, local).subject == "subject-1"


@pytest.mark.parametrize(
    ("name", "seconds", "reason"),
    [
        ("exp", -61, "has expired"),
        ("exp", -60, "has expired"),
        ("exp", -59, None),
        ("iat", 61, "of the future"),
        ("iat", 60, None),
        ("nbf", 61, "of the future"),
        ("nbf", 60, None),
        ("iat", -60, None),
        ("iat", -61, "older than this login"),
    ],
)
def test_a_token_is_of_now(
    openid: OpenID,
    local: LocalProvider,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    name: str,
    seconds: int,
    reason: str | None,
) -> None:
    local.claims[name] = clock().timestamp() + seconds
    if reason is None:
        assert sign_in(openid, local).subject == "subject-1"
    else:
        refused(openid, local, caplog, reason)


def test_the_id_token_of_another_login_is_refused(
    openid: OpenID, local: LocalProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """ASVS 10.5.1: a replay, stopped by the nonce."""
    tokens: list[str] = []

    def keep(claims: dict[str, t.Any]) -> str:
        tokens.append(local.signed(claims))
        return tokens[0]

    local.sign = keep
    assert sign_in(openid, local).subject == "subject-1"
    refused(openid, local, caplog, "another nonce")


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
def test_a_token_that_nobody_has_signed_is_refused(
    openid: OpenID, local: LocalProvider, caplog: pytest.LogCaptureFixture, algorithm: str
) -> None:
    """CVE-2026-28802: `alg: none`. ASVS 6.8.2, 9.1.2."""
    local.sign = lambda claims: signed(claims, None, {"alg": algorithm, "kid": "key-1"})
    refused(openid, local, caplog, "UnsupportedAlgorithmError")


def test_a_signature_that_was_cut_off_is_refused(
    openid: OpenID, local: LocalProvider, caplog: pytest.LogCaptureFixture
) -> None:
    local.sign = lambda claims: local.signed(claims).rpartition(".")[0] + "."
    refused(openid, local, caplog, "bad_signature")


@pytest.mark.parametrize("kid", ["key-1", None])
@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_public_key_is_no_shared_secret(
    openid: OpenID,
    local: LocalProvider,
    caplog: pytest.LogCaptureFixture,
    algorithm: str,
    kid: str | None,
) -> None:
    """CVE-2024-37568: the public key of the provider used as the secret of an HMAC."""
    header = {"alg": algorithm, **({"kid": kid} if kid else {})}
    for secret in (pem_of(RSA_KEY), json.dumps(jwk_of(RSA_KEY, "key-1")).encode(), b""):
        local.sign = lambda claims, secret=secret: signed(claims, secret, header)
        refused(openid, local, caplog, "UnsupportedAlgorithmError")


def test_a_shared_secret_among_the_keys_is_left_out(
    openid: OpenID, local: LocalProvider, caplog: pytest.LogCaptureFixture
) -> None:
    local.keys = [{"kty": "oct", "k": encoded(b"x" * 32), "kid": "key-1"}]
    refused(openid, local, caplog, "0 keys of https://id.test fit")


@pytest.mark.parametrize(
    "algorithms", [("none",), ("HS256",), ("RS256", "HS256"), (), ("rs256",), ("EdDSA",)]
)
def test_an_algorithm_with_one_key_cannot_be_configured(
    local: LocalProvider, algorithms: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigurationError, match="has the algorithms"):
        provider_of(local, algorithms=algorithms)


def test_an_algorithm_that_is_not_configured_is_refused(
    kit: Kit, local: LocalProvider, caplog: pytest.LogCaptureFixture
) -> None:
    refused(openid_of(kit, local, algorithms=("ES256",)), local, caplog, "UnsupportedAlgorithmError")


def test_a_key_for_one_algorithm_is_for_no_other(
    openid: OpenID, local: LocalProvider, caplog: pytest.LogCaptureFixture
) -> None:
    local.keys = [jwk_of(RSA_KEY, "key-1", alg="RS256")]
    assert sign_in(openid, local).subject == "subject-1"
    local.sign = lambda claims: signed(claims, RSA_KEY, {"alg": "PS256", "kid": "key-1"})
    refused(openid, local, caplog, "0 keys")


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "dpop+jwt", 1])
def test_a_token_of_another_kind_is_refused(
    openid: OpenID, local: LocalProvider, caplog: pytest.LogCaptureFixture, typ: object
) -> None:
    """ASVS 9.2.2."""
    local.sign = lambda claims: local.signed(claims, typ=typ)
    refused(openid, local, caplog, "ID token")


def test_a_key_inside_the_token_is_not_looked_at(
    openid: OpenID, local: LocalProvider, caplog: pytest.LogCaptureFixture
) -> None:
    """ASVS 9.1.3: jwk and jku of the header."""
    header = {"alg": "RS256", "kid": "key-1", "jku": "https://evil.test/jwks"}
    local.sign = lambda claims: signed(claims, OTHER_RSA_KEY, header)
    refused(openid, local, caplog, "bad_signature")
    inside = {"alg": "ES256", "jwk": jwk_of(ec.generate_private_key(ec.SECP256R1()), None)}
    local.sign = lambda claims: signed(claims, OTHER_RSA_KEY, inside)
    refused(openid, local, caplog, "0 keys")


def test_a_header_that_has_to_be_understood_is_refused(openid: OpenID, local: LocalProvider) -> None:
    local.sign = lambda claims: local.signed(claims, crit=["b64"], b64=False)
    with pytest.raises(ProviderError):
        sign_in(openid, local)
    local.sign = lambda claims: local.signed(claims, crit=["unheard-of"])
    with pytest.raises(ProviderError):
        sign_in(openid, local)


@pytest.mark.parametrize(
    "token",
    [None, 1, "", "a", "a.b", "a.b.c", "a.b.c.d.e", "...", "é.é.é", "x" * 2**17, {"a": 1}],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_token_is_refused(openid: OpenID, local: LocalProvider, token: object) -> None:
    local.answer["id_token"] = token
    with pytest.raises(ProviderError, match="did not work"):
        sign_in(openid, local)


@pytest.mark.parametrize("payload", [[], "x", 1, None])
def test_claims_that_are_no_object_are_refused(openid: OpenID, local: LocalProvider, payload: object) -> None:
    local.sign = lambda _: signed(payload, RSA_KEY, {"alg": "RS256", "kid": "key-1"})
    with pytest.raises(ProviderError):
        sign_in(openid, local)


@pytest.mark.parametrize("alg", [None, 1, [], {}, ["RS256"]])
def test_a_header_of_other_types_is_refused(openid: OpenID, local: LocalProvider, alg: object) -> None:
    local.sign = lambda claims: signed(claims, RSA_KEY, {"alg": alg, "kid": "key-1"})
    with pytest.raises(ProviderError):
        sign_in(openid, local)


@pytest.mark.parametrize("answer", [{"token_type": "mac"}, {"token_type": None}, {"token_type": 1}])
def test_a_token_that_is_no_bearer_token_is_refused(
    openid: OpenID, local: LocalProvider, caplog: pytest.LogCaptureFixture, answer: dict[str, t.Any]
) -> None:
    local.answer.update(answer)
    refused(openid, local, caplog, "not Bearer")


# Keys


def test_keys_are_asked_for_once(openid: OpenID, local: LocalProvider, clock: Clock) -> None:
    for _ in range(3):
        assert sign_in(openid, local).subject == "subject-1"
    assert local.asked.count("/jwks") == local.asked.count(DISCOVERY) == 1
    clock.forward(hours=1)
    assert sign_in(openid, local).subject == "subject-1"
    assert local.asked.count("/jwks") == local.asked.count(DISCOVERY) == 2


def test_a_new_key_is_asked_for(openid: OpenID, local: LocalProvider, clock: Clock) -> None:
    assert sign_in(openid, local).subject == "subject-1"
    clock.forward(minutes=1)
    local.key, local.kid = OTHER_RSA_KEY, "key-2"
    assert sign_in(openid, local).subject == "subject-1"
    assert local.asked.count("/jwks") == 2


def test_unknown_keys_are_asked_for_once_a_minute(
    openid: OpenID, local: LocalProvider, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    assert sign_in(openid, local).subject == "subject-1"
    clock.forward(minutes=1)
    local.sign = lambda claims: local.signed(claims, kid="made up")
    for _ in range(5):
        refused(openid, local, caplog, "0 keys")
    assert local.asked.count("/jwks") == 2
    clock.forward(minutes=1)
    refused(openid, local, caplog, "0 keys")
    assert local.asked.count("/jwks") == 3


def test_a_key_that_was_withdrawn_is_taken_for_an_hour_at_most(
    openid: OpenID, local: LocalProvider, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    assert sign_in(openid, local).subject == "subject-1"
    local.keys = [jwk_of(OTHER_RSA_KEY, "key-2")]
    clock.forward(hours=1)
    refused(openid, local, caplog, "0 keys")


def test_a_provider_with_one_key_need_not_name_it(
    openid: OpenID, local: LocalProvider, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    local.kid = None
    assert sign_in(openid, local).subject == "subject-1"
    clock.forward(hours=1)
    local.keys = [jwk_of(RSA_KEY, None), jwk_of(OTHER_RSA_KEY, None)]
    refused(openid, local, caplog, "2 keys")


@pytest.mark.parametrize(
    "keys",
    [
        [None, 1, "x", [], {}],
        [
            {"kty": "RSA"},
            {"kty": 1},
            {"kty": "RSA", "n": 1, "e": []},
            {"kty": "EC", "crv": "x", "x": "!", "y": "!"},
        ],
        [{**jwk_of(RSA_KEY, "key-1"), "use": "enc"}],
        [jwk_of(rsa.generate_private_key(65537, 1024), "key-1")],
    ],
    ids=["no keys", "broken keys", "for encryption", "too short"],
)
def test_keys_that_are_of_no_use_are_left_out(
    openid: OpenID, local: LocalProvider, caplog: pytest.LogCaptureFixture, clock: Clock, keys: list[t.Any]
) -> None:
    local.keys = keys
    refused(openid, local, caplog, "0 keys")
    clock.forward(minutes=1)
    local.keys = [*keys, jwk_of(RSA_KEY, "another"), jwk_of(OTHER_RSA_KEY, "key-2")]
    local.kid = "another"
    assert sign_in(openid, local).subject == "subject-1", "beside them others are taken"


@pytest.mark.parametrize("document", [{}, {"keys": None}, {"keys": {}}, {"keys": [{}] * 101}], ids=range(4))
def test_what_is_no_list_of_keys_is_refused(
    openid: OpenID, local: LocalProvider, caplog: pytest.LogCaptureFixture, document: dict[str, t.Any]
) -> None:
    local.responses["/jwks"] = lambda: Response(json.dumps(document))
    refused(openid, local, caplog, "no list of keys")


# What the provider says of itself


def not_begun(openid: OpenID, log: pytest.LogCaptureFixture, reason: str) -> None:
    with pytest.raises(ProviderError, match="Signing in with Local did not work"):
        openid.start("local", BACK)
    assert reason in log.text


@pytest.mark.parametrize(
    "issuer", ["https://id.test/", "https://ID.test", "http://id.test", "https://evil.test", "", None, 1, []]
)
def test_the_issuer_has_to_be_the_same_to_the_last_character(
    openid: OpenID, local: LocalProvider, caplog: pytest.LogCaptureFixture, issuer: object
) -> None:
    """ASVS 10.5.3."""
    local.metadata["issuer"] = issuer
    not_begun(openid, caplog, "says that its issuer is")


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
@pytest.mark.parametrize(
    "url",
    [
        None,
        1,
        "",
        "/relative",
        "http://id.test/x",
        "http://localhost/x",
        "https://",
        "https://a@b.test/",
        "javascript:1",
    ],
)
def test_endpoints_are_addresses_with_https(
    openid: OpenID, local: LocalProvider, caplog: pytest.LogCaptureFixture, name: str, url: object
) -> None:
    local.metadata[name] = url
    not_begun(openid, caplog, f"says that its {name} is")


def test_metadata_of_another_type_are_refused(
    openid: OpenID, local: LocalProvider, caplog: pytest.LogCaptureFixture
) -> None:
    local.metadata["token_endpoint_auth_methods_supported"] = "client_secret_basic"
    not_begun(openid, caplog, "which is no list")


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (lambda: Response("", 404), "with no JSON"),
        (lambda: Response("{}", 500), "with the status 500"),
        (lambda: Response("<html>"), "with no JSON"),
        (lambda: Response("[" * 100_000), "with no JSON"),
        (lambda: Response("[]"), "that is no object"),
        (lambda: Response(b"\xff\xfe\xfd"), "with no JSON"),
        (lambda: Response(b'{"issuer": "' + b"x" * 300_000 + b'"}'), "with more than 262144 bytes"),
        (lambda: Response("{}", 302, {"Location": "https://id.test/jwks"}), "with the status 302"),
        (
            lambda: Response(gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"}),
            "in a compressed form",
        ),
    ],
    ids=["404", "500", "HTML", "deep", "list", "binary", "long", "redirect", "compressed"],
)
def test_an_odd_answer_is_refused(
    openid: OpenID,
    local: LocalProvider,
    caplog: pytest.LogCaptureFixture,
    response: t.Callable[[], Response],
    reason: str,
) -> None:
    local.responses[DISCOVERY] = response
    not_begun(openid, caplog, reason)
    assert local.asked == [DISCOVERY], "redirects are not followed"
    del local.responses[DISCOVERY]
    assert openid.start("local", BACK)[0], "a failure is not kept"


@pytest.mark.parametrize(
    "response", [lambda: Response("{}", 302, {"Location": "https://id.test/jwks"}), lambda: Response("no")]
)
def test_an_odd_answer_to_the_code_is_refused(
    openid: OpenID, local: LocalProvider, response: t.Callable[[], Response]
) -> None:
    local.responses["/token"] = response
    with pytest.raises(ProviderError, match="did not work"):
        sign_in(openid, local)
    assert local.asked[-1] == "/token"


def test_a_redirect_is_not_followed_by_a_client_that_would(kit: Kit, local: LocalProvider) -> None:
    local.responses[DISCOVERY] = lambda: Response("", 302, {"Location": "https://id.test/elsewhere"})
    transport = httpx.WSGITransport(app=t.cast("t.Any", local.app))
    client = httpx.Client(transport=transport, follow_redirects=True)
    with pytest.raises(ProviderError):
        OpenID(kit, Tokens(kit), [provider_of(local)], client).start("local", BACK)
    assert local.asked == [DISCOVERY]


def test_an_answer_that_takes_too_long_is_refused(local: LocalProvider) -> None:
    fetcher = Fetcher(local.client(), most_seconds=-1)
    with pytest.raises(ProviderError, match="for more than -1 seconds"):
        fetcher.get(f"{local.issuer}/jwks")


def test_a_provider_that_cannot_be_reached_is_named_in_the_log(
    kit: Kit, caplog: pytest.LogCaptureFixture
) -> None:
    # Nobody listens on port 1.
    provider = Provider(name="local", label="Local", issuer="http://127.0.0.1:1", client_id="x")
    not_begun(OpenID(kit, Tokens(kit), [provider]), caplog, "http://127.0.0.1:1/.well-known")


# Configuration


@pytest.mark.parametrize(
    "issuer",
    [
        "",
        "id.test",
        "http://id.test",
        "http://localhost.evil.test",
        "http://localhost:80@evil.test",
        "http://localhost\\@evil.test",
        "https://user@id.test",
        "https://id.test?x",
        "https://id.test#x",
        "https://id.test/\n",
        "https://id .test",
        "https://id.test:x",
        "https://[",
        "ftp://id.test",
        "//id.test",
        "https:///x",
        "https://ïd.test",
    ],
)
def test_an_issuer_that_is_no_address_with_https_is_refused(issuer: str) -> None:
    """`http://localhost:80@evil` among others."""
    with pytest.raises(ConfigurationError, match="has the issuer"):
        Provider(name="local", issuer=issuer, client_id="x")


@pytest.mark.parametrize(
    "issuer", ["https://id.test", "https://id.test:8443/realms/a", "http://localhost:8080", "http://[::1]:1"]
)
def test_an_issuer_is_an_address_with_https_or_of_this_machine(issuer: str) -> None:
    assert Provider(name="a-b_1", issuer=issuer, client_id="x").title == "a-b_1"


@pytest.mark.parametrize("name", ["", "a b", "a/b", "..", "ä"])
def test_a_name_that_fits_no_address_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="needs a name"):
        Provider(name=name, issuer="https://id.test", client_id="x")


def test_a_provider_needs_to_know_the_client() -> None:
    with pytest.raises(ConfigurationError, match="needs the client_id"):
        Provider(name="a", issuer="https://id.test", client_id="")


def test_two_providers_need_two_names(kit: Kit, local: LocalProvider) -> None:
    with pytest.raises(ConfigurationError, match="there are: local, local"):
        OpenID(kit, Tokens(kit), [provider_of(local), provider_of(local)])


def test_secrets_are_not_shown(
    openid: OpenID, local: LocalProvider, caplog: pytest.LogCaptureFixture
) -> None:
    assert "secret: of" not in repr(provider_of(local))
    with caplog.at_level(logging.DEBUG, logger="erlen"):
        local.claims["nonce"] = "another"
        with pytest.raises(ProviderError):
            sign_in(openid, local)
    basic = base64.b64encode(b"the+client:a+secret%3A+of+%26+the+client").decode()
    assert local.authorization == f"Basic {basic}"
    for text in (basic, "secret: of", local.form["code"], local.form["code_verifier"]):
        assert text not in caplog.text
