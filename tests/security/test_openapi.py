"""The OpenAPI document: it is one, it has every address, and what is answered is what it says."""

from __future__ import annotations

import re
import typing as t

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from account_pages import ADA, PASSWORD, Site
from erlen.ext.security.api import ROUTES
from erlen.ext.security.openapi import document
from erlen.ext.security.settings import Settings


@pytest.fixture
def site(clock: t.Any) -> Site:
    return Site(clock)


@pytest.mark.parametrize("scopes", [(), ("read", "write")])
def test_the_document_is_openapi(scopes: tuple[str, ...]) -> None:
    made = document(Settings(scopes=scopes, site_name="Example"), "https://example.test")
    OpenAPIV31SpecValidator(made).validate()
    assert made["servers"] == [{"url": "https://example.test/account"}]


def test_the_document_knows_where_the_application_is_mounted(site: Site) -> None:
    made = site.client.get("/account/openapi.json", environ_overrides={"SCRIPT_NAME": "/club"}).get_json()
    assert made["servers"] == [{"url": "http://localhost/club/account"}]


def test_every_address_that_speaks_json_is_in_the_document(site: Site) -> None:
    made = site.fetch("/account/openapi.json").get_json()
    documented = {
        (path, method) for path, item in made["paths"].items() for method in item.keys() & {"get", "post"}
    }
    served = {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule.removeprefix("/account")), method.lower())
        for rule in site.app.url_map.iter_rules()
        if rule.endpoint.startswith("security.") and rule.endpoint != "security.static"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    # What browsers alone ask for: pages that have nothing but a form, and where a provider sends them back to.
    pages = {(route.path, "get") for route in ROUTES if route.page and route.get is None}
    assert documented == served - pages
    assert ("/openid/{name}/callback", "get") in pages


class Checked:
    """A site whose answers are compared with the document."""

    def __init__(self, site: Site) -> None:
        self.site, self.made = site, site.fetch("/account/openapi.json").get_json()
        self.seen: set[tuple[str, str, int]] = set()

    def __call__(self, method: str, path: str, values: t.Any = None, **named: str) -> t.Any:
        address = "/account" + path.format(**named)
        answer = self.site.fetch(address) if method == "get" else self.site.send(address, values)
        operation = self.made["paths"][path][method]
        described = operation["responses"].get(str(answer.status_code))
        assert described is not None, (path, answer.status_code, answer.text)
        if "$ref" in described:
            described = self.made["components"]["responses"][described["$ref"].rpartition("/")[2]]
        [(mimetype, content)] = described["content"].items()
        assert answer.mimetype == mimetype
        schema = {**content["schema"], "components": self.made["components"]}
        Draft202012Validator(schema).validate(answer.get_json())
        if values is not None and answer.status_code < 300 and "requestBody" in operation:
            name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[
                2
            ]
            Draft202012Validator(self.made["components"]["schemas"][name]).validate(values)
        self.seen.add((path, method, answer.status_code))
        return answer.get_json()


def test_what_is_answered_is_what_the_document_says(site: Site, clock: t.Any) -> None:
    call = Checked(site)
    call("post", "/register", {"email": ADA, "password": PASSWORD})
    call("post", "/register", {"email": ADA, "password": "short"})
    call("post", "/activate", {"email": ADA})
    call("post", "/activate/{token}", {}, token="wrong")
    secret = site.link().rpartition("/")[2]
    call("post", "/activate/{token}", {}, token=secret)
    call("post", "/activate/{token}", {"password": "wrong password here"}, token=secret)
    call("post", "/activate/{token}", {"password": PASSWORD}, token=secret)
    call("post", "/login", {"email": ADA, "password": "wrong password here"})
    call("get", "/")
    call("post", "/login", {"email": ADA, "password": PASSWORD, "remember": False})
    for path in (
        "/",
        "/log",
        "/sessions",
        "/tokens",
        "/second-factor",
        "/second-factor/codes",
        "/passkeys",
        "/identities",
    ):
        call("get", path)
    call("post", "/tokens/new", {"name": "backup", "scopes": ["read"], "days": "7"})
    [token] = call("get", "/tokens")["tokens"]
    call("post", "/tokens/{id}/revoke", {}, id=token["id"])
    call("post", "/tokens/{id}/revoke", {}, id=token["id"])
    call("post", "/token", {"scopes": ["read"]})
    [program] = call("get", "/sessions")["programs"]
    call("post", "/sessions/programs/{id}/revoke", {}, id=program["id"])
    call("post", "/sessions/programs/{id}/revoke", {}, id=program["id"])
    pair = call("post", "/token", {"scopes": ["read"]})
    renewed = call("post", "/token/refresh", {"refresh_token": pair["refresh_token"]})
    call("post", "/token/refresh", {"refresh_token": "wrong"})
    call("post", "/token/revoke", {"refresh_token": renewed["refresh_token"]})
    call("post", "/sessions/revoke", {})
    call("post", "/sessions/{id}/revoke", {}, id="wrong")
    call("post", "/second-factor/codes", {})
    setup = call("get", "/second-factor/app")
    call("post", "/second-factor/app", {"sealed": setup["sealed"], "code": "000000"})
    call("post", "/second-factor/app", {"sealed": setup["sealed"], "code": site.code(setup["secret"])})
    call("post", "/second-factor/codes", {})
    clock.forward(minutes=20)
    call("post", "/second-factor/app/remove", {})
    call("post", "/reauthenticate", {"password": "wrong password here"})
    call("post", "/reauthenticate", {"password": PASSWORD})
    call("get", "/sessions")
    call("post", "/password", {"current": PASSWORD, "password": "quite another password"})
    call("post", "/email", {"email": "lovelace@example.com"})
    call("post", "/email/{token}", {}, token="wrong")
    call("post", "/email/keep/{token}", {}, token="wrong")
    call("post", "/logout", {})
    step = call("post", "/login", {"email": ADA, "password": "quite another password"})
    call("post", "/login/passkey/options", {"step": "verify", "pending": step["pending"]})
    call("post", "/login/passkey/options", {"step": "verify", "pending": "wrong"})
    call("post", "/login/passkey/options", {})
    call("post", "/verify", {"kind": "totp", "code": "000000", "pending": step["pending"]})
    code = site.code(setup["secret"])
    call("post", "/verify", {"kind": "totp", "code": code, "pending": step["pending"]})
    call("post", "/passkeys/options", {})
    call("post", "/passkeys/{id}/remove", {}, id="wrong")
    call("post", "/passkeys", {"name": "phone", "credential": {}})
    call("post", "/login/passkey", {"credential": {}})
    call("post", "/identities/remove", {"issuer": "https://op.test", "subject": "1"})
    call("post", "/openid/{name}", {}, name="wrong")
    call("post", "/second-factor/app/remove", {})
    call("post", "/recover", {"email": ADA})
    call("post", "/reset/{token}", {"password": PASSWORD}, token=site.link().rpartition("/")[2])
    call("post", "/login", {"email": ADA, "password": PASSWORD})
    call("post", "/delete", {})
    call("get", "/openapi.json")
    reached = {(path, method) for path, method, _ in call.seen}
    documented = {
        (path, m) for path, item in call.made["paths"].items() for m in item.keys() & {"get", "post"}
    }
    assert documented - reached == set()
