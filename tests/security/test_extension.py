"""``Security``: what it makes of an application, and what it says where something is missing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib
import subprocess
import sys
import typing as t

import pytest
from werkzeug.exceptions import HTTPException

import erlen.ext.security
from erlen import Erlen, render_template_string
from erlen.ext.security import (
    ConfigurationError,
    Security,
    Settings,
    TooManyAttempts,
    current_user,
    login_required,
)
from erlen.ext.security.mail import Outbox
from erlen.testing import ErlenClient
from memory_store import MemoryStore

BOTH = pytest.mark.protocol("wsgi", "asgi")
OWN = {"Sec-Fetch-Site": "same-origin"}
PAGE = {"Accept": "text/html"}


@pytest.fixture
def security(app: Erlen, store: MemoryStore, settings: Settings, clock: t.Any) -> Security:
    app.secret_key = "a key of tests"
    return Security(app, store=store, settings=settings, mailer=Outbox(), clock=clock)


def log_in(client: ErlenClient, **more: t.Any) -> t.Any:
    sent = {"email": "ada@example.com", "password": "correct horse battery", **more}
    return client.post("/account/login", data=sent, headers={**OWN, **PAGE})


@BOTH
def test_user_logs_in_and_out_by_the_pages(app: Erlen, client: ErlenClient, security: Security) -> None:
    @app.get("/own")
    @login_required
    async def own() -> str:
        return f"hello {current_user.email}"

    with app.app_context():
        security.accounts.create("ada@example.com", "correct horse battery")
    sent = client.get("/own", headers=PAGE)
    assert sent.headers["Location"] == "/account/login?next=/own"
    answer = client.post(
        sent.headers["Location"],
        data={"email": "ada@example.com", "password": "correct horse battery"},
        headers={**OWN, **PAGE},
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/own")
    assert client.get("/own").text == "hello ada@example.com"
    client.post("/account/logout", data={}, headers={**OWN, **PAGE})
    assert client.get("/own").status_code == 401


@BOTH
def test_login_form_works_without_headers_and_without_the_core(
    app: Erlen, client: ErlenClient, security: Security
) -> None:
    """Login CSRF: the page's own form is taken, another one is not, also with the defaults of Flask."""
    app.config["CROSS_ORIGIN_PROTECTION"] = False
    with app.app_context():
        security.accounts.create("ada@example.com", "correct horse battery")
    assert log_in(client).status_code == 403
    page = client.get("/account/login", headers=PAGE).text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    assert token
    assert log_in(client, csrf_token=token).status_code == 303


@BOTH
def test_templates_know_the_user(app: Erlen, client: ErlenClient, security: Security) -> None:
    @app.get("/")
    def index() -> str:
        return render_template_string(
            "{% macro name() %}{{ current_user.email }}{% endmacro %}"
            "{{ current_user.is_authenticated }} {{ has_role('editor') }} {{ has_permission('write') }} {{ name() }}"
            "{% if csrf_field() and csrf_token() %} form{% endif %}"
        )

    with app.app_context():
        security.store.put_role("editor", permissions=["write"])
        security.accounts.create("ada@example.com", "correct horse battery", roles=["editor"])
    assert client.get("/").text == "False False False None form"
    log_in(client)
    assert client.get("/").text == "True True True ada@example.com form"


@BOTH
def test_limit_that_a_view_reaches_is_answered(app: Erlen, client: ErlenClient, security: Security) -> None:
    @app.get("/")
    def index() -> str:
        raise TooManyAttempts(7)

    response = client.get("/")
    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")


def test_each_application_has_parts_of_its_own(store: MemoryStore, settings: Settings) -> None:
    security = Security(store=store, settings=settings, mailer=Outbox())
    apps = [Erlen(f"app{number}") for number in range(2)]
    with pytest.raises(RuntimeError, match="has 0 applications"):
        _ = security.accounts
    for app in apps:
        app.secret_key = "a key of tests"
        security.init_app(app)
    assert Security.of(apps[0]) is not Security.of(apps[1])
    with pytest.raises(RuntimeError, match=r"has 2 applications.*Security\.of\(app\)"):
        _ = security.accounts
    for app in apps:
        with app.app_context():
            assert security.accounts is Security.of(app).accounts


def test_parts_are_there_without_a_context_where_there_is_one_application(
    security: Security, app: Erlen
) -> None:
    parts = Security.of(app)
    names = "settings store kit keys events passwords limits tokens sessions factors accounts logins openid mailer"
    assert all(getattr(security, name) is getattr(parts, name) for name in names.split())


def test_application_is_told_of_accounts_once(app: Erlen, security: Security, store: MemoryStore) -> None:
    with pytest.raises(ConfigurationError, match="'erlen_test' has accounts already"):
        security.init_app(app)
    with pytest.raises(ConfigurationError, match="has accounts already"):
        Security(app, store=store)


def test_missing_secret_key_is_an_error_with_the_fix(app: Erlen, store: MemoryStore) -> None:
    with pytest.raises(ConfigurationError, match=r"SECRET_KEY, which is not set.*token_hex"):
        Security(app, store=store)
    # The second attempt is no second time.
    app.secret_key = "a key of tests"
    Security(app, store=store, settings=Settings(), mailer=Outbox())


def test_keys_have_to_be_keys(app: Erlen, store: MemoryStore) -> None:
    app.secret_key = "a key of tests"
    app.config["SECRET_KEY_FALLBACKS"] = "old"
    with pytest.raises(ConfigurationError, match=r"SECRET_KEY_FALLBACKS is a single string.*\[old_key\]"):
        Security(app, store=store)
    app.config["SECRET_KEY_FALLBACKS"] = [123456]
    with pytest.raises(ConfigurationError, match="quote it") as caught:
        Security(app, store=store)
    assert "123456" not in str(caught.value)


def test_former_keys_still_read(app: Erlen, store: MemoryStore, settings: Settings) -> None:
    app.secret_key = "former"
    sealed = Security(app, store=store, settings=settings, mailer=Outbox()).keys.seal("text", "test")
    later = Erlen("later")
    later.secret_key, later.config["SECRET_KEY_FALLBACKS"] = "newer", ["former"]
    security = Security(later, store=store, settings=settings, mailer=Outbox())
    assert security.keys.unseal(sealed, "test") == "text"


def test_application_that_matches_hosts_has_no_accounts(store: MemoryStore, settings: Settings) -> None:
    """Their pages would be reached by nobody, and the way to the login page would lead to no host."""
    app = Erlen(__name__, host_matching=True, static_host="example.test")
    app.secret_key = "a key"
    with pytest.raises(ConfigurationError, match="matches hosts.*an application of its own for each host"):
        Security(app, store=store, settings=settings)


def test_missing_store_is_an_error_with_the_fix(app: Erlen) -> None:
    app.secret_key = "a key of tests"
    with pytest.raises(ConfigurationError, match=r"no store.*Security\(app, store=SQLAlchemyStore\("):
        Security(app)


def test_settings_come_from_the_configuration(app: Erlen, store: MemoryStore) -> None:
    app.secret_key = "a key of tests"
    app.config["SECURITY_SESSION_IDEL"] = 60
    with pytest.raises(ConfigurationError, match="Did you mean SECURITY_SESSION_IDLE"):
        Security(app, store=store)
    del app.config["SECURITY_SESSION_IDEL"]
    app.config["SECURITY_URL_PREFIX"] = "/me"
    security = Security(app, store=store, mailer=Outbox())
    assert security.settings.url_prefix == "/me"
    assert app.test_client().get("/me/login").status_code == 200


def test_commands_are_there(app: Erlen, security: Security) -> None:
    result = app.test_cli_runner().invoke(args=["security", "users", "list"])
    assert result.exit_code == 0


def test_each_public_name_is_there() -> None:
    for name in erlen.ext.security.__all__:
        assert getattr(erlen.ext.security, name) is not None
    assert set(erlen.ext.security.__all__) <= set(dir(erlen.ext.security))
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = importlib.import_module("erlen.ext.security").nothing


@pytest.mark.parametrize("package", ["cryptography", "argon2"])
def test_missing_package_is_an_error_with_the_command(package: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "try:\n    from erlen.ext.security import Security\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"Accounts need '{package}" in done.stdout
    assert "pip install 'erlen[security]'" in done.stdout


def test_hashes_of_a_former_flask_security_are_read_with_its_salt(
    app: Erlen, store: MemoryStore, settings: Settings
) -> None:
    app.secret_key, salt, password = "a key of tests", "the salt of that time", "a boat with three masts"
    Security(app, store=store, settings=settings, mailer=Outbox(), legacy_salt=salt)
    mixed = base64.b64encode(hmac.digest(salt.encode(), password.encode(), "sha512")).decode()
    digest = base64.b64encode(hashlib.pbkdf2_hmac("sha512", mixed.encode(), b"0123456789abcdef", 1000))
    hashed = f"$pbkdf2-sha512$1000$MDEyMzQ1Njc4OWFiY2RlZg${digest.decode().rstrip('=').replace('+', '.')}"
    assert Security.of(app).passwords.verify(password, hashed).matches
    assert not Security.of(app).passwords.verify("another boat with masts", hashed).matches


def test_handler_of_every_http_exception_does_not_stand_in_front_of_refusals(
    app: Erlen, client: ErlenClient, security: Security
) -> None:
    @app.errorhandler(HTTPException)
    def page(error: HTTPException) -> t.Any:
        return "a page", error.code

    @app.get("/members")
    @login_required
    def members() -> str:
        return ""

    answer = client.get("/members")
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert "WWW-Authenticate" in answer.headers
    assert client.get("/nothing").text == "a page"
