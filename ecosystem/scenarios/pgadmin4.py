"""pgAdmin 4: sign-in, the scripts of its pages, groups and servers made by its browser tree, preferences, users, refusals."""

from __future__ import annotations

import os
import re
import sys
import typing as t
from importlib.util import find_spec
from pathlib import Path

if t.TYPE_CHECKING:
    from flask import Flask

    from visitor import Visitor

DISTRIBUTIONS = [
    "pgadmin4",
    "Flask-Security-Too",
    "Flask-SQLAlchemy",
    "Flask-Migrate",
    "Flask-Babel",
    "Flask-WTF",
]
APPLICATION = True
ENVIRONMENT = "pgadmin4"

VARIES = (
    (r"nonce(-|=.)[\w-]{22}", r"nonce\1<random>"),
    # The cookie: the identifier of a session and a signature.
    (r"pga4_session=[0-9a-f-]{36}![\w+/]{43}=", "pga4_session=<random>"),
    # Tokens, signed with a longer sum than other applications'.
    (r"[\w-]+\.[\w-]{6}\.[\w-]{43}", "<token>"),
)

SETTINGS = """
SERVER_MODE = True
DATA_DIR = {folder!r}
LOG_FILE = DATA_DIR + "/pgadmin.log"
SQLITE_PATH = DATA_DIR + "/pgadmin4.db"
SESSION_DB_PATH = DATA_DIR + "/sessions"
STORAGE_DIR = DATA_DIR + "/storage"
AZURE_CREDENTIAL_CACHE_DIR = DATA_DIR + "/azure"
KERBEROS_CCACHE_DIR = DATA_DIR + "/kerberos"
UPGRADE_CHECK_ENABLED = False
MASTER_PASSWORD_REQUIRED = False
CONSOLE_LOG_LEVEL = 50
"""

ACCOUNT = {"email": "me@example.com", "password": "secret1", "internal_button": "Login"}


def make_app(folder: Path) -> Flask:
    (folder / "settings").mkdir()
    (folder / "settings" / "config_local.py").write_text(SETTINGS.format(folder=str(folder)))
    # For whom its database is made.
    os.environ.update(PGADMIN_SETUP_EMAIL=ACCOUNT["email"], PGADMIN_SETUP_PASSWORD=ACCOUNT["password"])
    found = find_spec("pgadmin4")
    assert found is not None
    # Its modules are imported from its folder, and its settings from wherever they are found.
    sys.path[:0] = [*found.submodule_search_locations, str(folder / "settings")]
    import pgAdmin4

    return pgAdmin4.app


def play(visitor: Visitor) -> None:
    sign_in(visitor)
    key = look_around(visitor)
    make_servers(visitor, key)
    settings(visitor, key)
    assert visitor.get("/favicon.ico").location.startswith("/static/favicon.ico?ver=")
    assert visitor.get("/static/favicon.ico").status_code == 200
    assert visitor.get("/static/js/generated/style.css").status_code == 200
    assert "Query Tool" in visitor.get("/help/help/query_tool.html").text
    assert visitor.get("/no/such").status_code == 404
    assert visitor.get("/logout").status_code == 302
    assert visitor.get("/browser/").location == "/login?next=/browser/"


def token_of(page: t.Any) -> str:
    found = re.search(r'"csrfToken": "([^"]+)"', page.text)
    assert found is not None
    return found[1]


def sign_in(visitor: Visitor) -> None:
    assert visitor.get("/").location == "/login?next=/"
    assert visitor.get("/misc/ping").text == "PING"
    assert visitor.get("/user_management/user/").status_code == 401
    page = visitor.get("/login?next=/")
    assert "<title>pgAdmin 4</title>" in page.text
    assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
    account = {**ACCOUNT, "csrf_token": token_of(page)}
    wrong = visitor.post("/authenticate/login", data={**account, "password": "no"}, follow_redirects=True)
    assert "Incorrect username or password" in wrong.text
    # Without the token.
    assert visitor.post("/authenticate/login", data=ACCOUNT).location == "/login"
    account["csrf_token"] = token_of(visitor.get("/login"))
    assert visitor.post("/authenticate/login", data=account).location == "/browser/"


def look_around(visitor: Visitor) -> dict[str, str]:
    """Return the header that the scripts of the page send."""
    assert "pgAdmin 4" in visitor.get("/browser/").text
    script = visitor.get("/browser/js/utils.js")
    assert script.mimetype == "application/javascript"
    found = re.search(r"pgAdmin\['csrf_token'\] = '([^']+)'", script.text)
    assert found is not None
    assert "'browser.index'" in visitor.get("/browser/js/endpoints.js").text
    assert visitor.get("/browser/js/messages.js").status_code == 200
    assert visitor.get("/tools/translations.js").status_code == 200
    return {"X-pgA-CSRFToken": found[1]}


def make_servers(visitor: Visitor, key: dict[str, str]) -> None:
    assert visitor.get("/browser/nodes/", headers=key).json["data"][0]["label"] == "Servers"
    group = visitor.post("/browser/server_group/obj/", json={"name": "At home"}, headers=key)
    assert group.json["node"]["label"] == "At home"
    refused = visitor.post("/browser/server_group/obj/", json={"name": "Other"})
    assert (refused.status_code, "The CSRF token is missing" in refused.text) == (401, True)
    again = visitor.post("/browser/server_group/obj/", json={"name": "At home"}, headers=key)
    assert (again.status_code, again.json["success"]) == (400, 0)

    server = {
        "gid": 2,
        "name": "mine",
        "host": "127.0.0.1",
        "port": 1,
        "username": "me",
        "db": "books",
        "maintenance_db": "postgres",
        "connect_now": False,
        "connection_params": [{"name": "sslmode", "keyword": "sslmode", "value": "prefer"}],
    }
    assert visitor.post("/browser/server/obj/2/", json=server, headers=key).json["node"]["label"] == "mine"
    lacking = {name: value for name, value in server.items() if name != "name"}
    assert visitor.post("/browser/server/obj/2/", json=lacking, headers=key).status_code == 410
    assert (
        visitor.put("/browser/server/obj/2/1", json={"comment": "slow"}, headers=key).json["node"][
            "description"
        ]
        == "slow"
    )
    assert visitor.get("/browser/server/obj/2/1", headers=key).json["comment"] == "slow"
    assert visitor.get("/browser/server/nodes/2/", headers=key).json["result"][0]["connected"] is False
    assert visitor.get("/browser/server/connect/2/1", headers=key).json["data"]["connected"] is False
    assert visitor.delete("/browser/server/obj/2/1", headers=key).json["success"] == 1
    assert visitor.delete("/browser/server_group/obj/2", headers=key).json["success"] == 1


def settings(visitor: Visitor, key: dict[str, str]) -> None:
    assert visitor.get("/user_management/user/", headers=key).json[0]["email"] == ACCOUNT["email"]
    assert "'is_admin': true" in visitor.get("/user_management/current_user.js", headers=key).text.lower()
    assert "label" in visitor.get("/preferences/", headers=key).text
    assert visitor.get("/preferences/get_all", headers=key).json[0]["label"]
    state = {"servers": "[1]"}
    assert visitor.post("/settings/save_tree_state/", json=state, headers=key).json["success"] == 1
    assert visitor.get("/settings/get_tree_state/", headers=key).json == state
    assert visitor.get("/sqleditor/get_user_macros", headers=key).json == []
    assert visitor.get("/about/", headers=key).status_code == 200
