"""Superset: migrated and set up by its commands; sign-in, pages with nonces, dashboards and SQL by its API, an export, refusals."""

from __future__ import annotations

import html
import io
import json
import os
import re
import typing as t
import zipfile
from pathlib import Path

if t.TYPE_CHECKING:
    from flask import Flask

    from visitor import Visitor

DISTRIBUTIONS = [
    "apache-superset",
    "Flask-AppBuilder",
    "Flask-JWT-Extended",
    "flask-talisman",
    "Flask-Caching",
]
APPLICATION = True
ENVIRONMENT = "superset"

VARIES = (
    (r"nonce(-|=.)[\w-]{32}", r"nonce\1<random>"),
    (r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{43}", "<token>"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>"),
    (r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?", "<time>"),
    (r'((?:last_modified_time|startDttm|endDttm)": ?)[\d.]+', r"\1<time>"),
    (r'("(?:changed|created)_on_delta_humanized": ?)"(?:now|a second ago|\d+ seconds ago)"', r'\1"<now>"'),
    (r"export_\d{8}T\d{6}", "export_<time>"),
    # An archive, with such times and identifiers in it.
    (r"(?s)^PK\x03\x04.*", "<archive>"),
)

SETTINGS = """
SECRET_KEY = "only for this scenario, and long enough for it"
SQLALCHEMY_DATABASE_URI = "sqlite:///{folder}/superset.db?check_same_thread=false"
TALISMAN_ENABLED = True
RATELIMIT_ENABLED = False
FAB_ADD_SECURITY_API = True
PREVENT_UNSAFE_DB_CONNECTIONS = False
CACHE_CONFIG = DATA_CACHE_CONFIG = {{"CACHE_TYPE": "SimpleCache"}}
FILTER_STATE_CACHE_CONFIG = EXPLORE_FORM_DATA_CACHE_CONFIG = CACHE_CONFIG
"""

ACCOUNT = {"username": "admin", "password": "secret"}


def make_app(folder: Path) -> Flask:
    (folder / "superset_config.py").write_text(SETTINGS.format(folder=folder))
    os.environ["SUPERSET_CONFIG_PATH"] = str(folder / "superset_config.py")
    os.environ["SUPERSET_HOME"] = str(folder)
    os.environ["FLASK_APP"] = "superset.app:create_app()"
    from superset.app import create_app

    return create_app()


def play(visitor: Visitor) -> None:
    install(visitor)
    sign_in(visitor)
    pages(visitor)
    interface(visitor.another())
    assert "data-bootstrap" in visitor.get("/superset/dashboard/1/").text
    assert visitor.get("/superset/dashboard/99/").status_code == 404
    assert visitor.get("/no/such/page").status_code == 404
    assert visitor.get("/logout/").status_code == 302
    assert visitor.get("/superset/welcome/").location.startswith("/login/")


def install(visitor: Visitor) -> None:
    """Make its database and the first account, as one does on the command line."""
    from click.testing import CliRunner
    from flask.cli import ScriptInfo
    from superset.cli.main import superset

    person = ("--firstname", "Ada", "--lastname", "L", "--email", "ada@example.com")
    account = ("--username", ACCOUNT["username"], "--password", ACCOUNT["password"])
    for command in (
        ("db", "upgrade"),
        ("fab", "create-admin", *account, *person),
        ("init",),
        ("fab", "list-users"),
    ):
        info = ScriptInfo(create_app=lambda: visitor.app)
        result = CliRunner().invoke(superset, command, obj=info)
        assert result.exit_code == 0, result.output
        visitor.note(f"$ superset {' '.join(command)}", result.stdout)
    assert "username:admin | email:ada@example.com | role:[Admin]" in result.stdout


def token_of(page: t.Any) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


def data_of(page: t.Any) -> t.Any:
    """Return what a page hands to its scripts."""
    found = re.search(r'data-bootstrap="([^"]*)"', page.text)
    assert found is not None
    return json.loads(html.unescape(found[1]))


def sign_in(visitor: Visitor) -> None:
    assert visitor.get("/health").text == "OK"
    assert visitor.get("/").location == "/superset/welcome/"
    page = visitor.get("/login/")
    policy = page.headers["Content-Security-Policy"]
    nonce = re.search(r"'nonce-([^']+)'", policy)
    assert nonce is not None
    assert f'nonce="{nonce[1]}"' in page.text
    assert data_of(page)["common"]["conf"]["AUTH_TYPE"] == 1
    assert visitor.post("/login/", data=ACCOUNT).location == "/login/?next=%2Flogin%2F"  # without a token
    account = {**ACCOUNT, "csrf_token": token_of(page)}
    assert visitor.post("/login/", data={**account, "password": "no"}).status_code == 302
    assert visitor.get("/api/v1/me/").status_code == 401
    assert visitor.post("/login/", data=account).location == "/"


def pages(visitor: Visitor) -> None:
    assert data_of(visitor.get("/superset/welcome/"))["user"]["username"] == "admin"
    for path in ("/dashboard/list/", "/tablemodelview/list/", "/sqllab/"):
        assert data_of(visitor.get(path))["common"]["conf"]
    assert visitor.get("/users/list/").status_code == 200
    assert visitor.get("/api/v1/me/").json["result"]["username"] == "admin"
    picture = visitor.get("/static/assets/images/superset-logo-horiz.png")
    assert picture.cache_control.public
    assert "SwaggerUIBundle" in visitor.get("/swagger/v1").text


def interface(visitor: Visitor) -> None:
    account = {**ACCOUNT, "provider": "db", "refresh": True}
    assert visitor.post("/api/v1/security/login", json={**account, "password": "no"}).status_code == 401
    tokens = visitor.post("/api/v1/security/login", json=account).json
    assert visitor.get("/api/v1/dashboard/").status_code == 401
    key = {"Authorization": f"Bearer {tokens['access_token']}"}
    renewed = visitor.post(
        "/api/v1/security/refresh", headers={"Authorization": f"Bearer {tokens['refresh_token']}"}
    )
    assert renewed.json["access_token"]
    assert visitor.get("/api/v1/dashboard/", headers=key).json["count"] == 0
    key["X-CSRFToken"] = visitor.get("/api/v1/security/csrf_token/", headers=key).json["result"]

    dashboards = "/api/v1/dashboard/"
    mine = {"dashboard_title": "Mine", "slug": "mine"}
    made = visitor.post(dashboards, json=mine, headers=key)
    assert (made.status_code, made.json["id"]) == (201, 1)
    again = visitor.post(dashboards, json=mine, headers=key)
    assert (again.status_code, again.json) == (422, {"message": {"slug": ["Must be unique"]}})
    assert visitor.post(dashboards, json={"dashboard_title": 3}, headers=key).status_code == 400
    changed = visitor.put("/api/v1/dashboard/1", json={"dashboard_title": "Yours"}, headers=key)
    assert changed.json["result"]["dashboard_title"] == "Yours"
    query = "(filters:!((col:dashboard_title,opr:ct,value:You)))"
    assert visitor.get(dashboards, query_string={"q": query}, headers=key).json["count"] == 1
    assert visitor.get("/api/v1/dashboard/99", headers=key).status_code == 404
    exported = visitor.get("/api/v1/dashboard/export/?q=!(1)", headers=key)
    archive = zipfile.ZipFile(io.BytesIO(exported.get_data()))
    texts = {name.split("/", 1)[1]: archive.read(name).decode() for name in archive.namelist()}
    assert list(texts) == ["metadata.yaml", "dashboards/Yours_1.yaml"]
    visitor.note("archive", texts)

    database = {"database_name": "itself", "sqlalchemy_uri": f"sqlite:///{visitor.folder}/superset.db"}
    made = visitor.post("/api/v1/database/", json={**database, "expose_in_sqllab": True}, headers=key)
    assert made.status_code == 201
    question = {"database_id": 1, "client_id": "abcdefghij", "runAsync": False}
    question["sql"] = "select id, dashboard_title from dashboards"
    answer = visitor.post("/api/v1/sqllab/execute/", json=question, headers=key).json
    assert answer["data"] == [{"id": 1, "dashboard_title": "Yours"}]
    question |= {"client_id": "klmnopqrst", "sql": "select nothing from dashboards"}
    assert "sqlite error" in visitor.post("/api/v1/sqllab/execute/", json=question, headers=key).text
    assert visitor.get("/api/v1/_openapi", headers=key).json["info"]["version"] == "v1"
