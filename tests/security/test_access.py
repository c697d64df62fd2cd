"""Who may use a view: decorators, blueprints, tokens, HTTP Basic, WebSockets, and what the others are answered."""

from __future__ import annotations

import asyncio
import gc
import json
import typing as t
from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.exceptions import HTTPException

from erlen import Blueprint, Erlen, Response, request, websocket
from erlen.ext import security
from erlen.ext.security import (
    anonymous_required,
    auth_required,
    current_auth,
    current_user,
    fresh_login_required,
    login_required,
    permissions_accepted,
    permissions_required,
    protect,
    roles_accepted,
    roles_required,
    scopes_required,
    still_allowed,
)
from erlen.testing import ErlenClient, WebSocketRejected
from erlen.views import MethodView, View
from guarded import ADA, WRONG, Guarded, guard

pytestmark = pytest.mark.protocol("wsgi", "asgi")

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Mode": "navigate"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


# Views of all kinds


def test_plain_and_async_views_ask_for_a_login(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    @app.get("/plain/<int:number>")
    @login_required
    def plain(number: int) -> str:
        return f"{current_user.uid} {number}"

    @app.get("/async/<int:number>")
    @login_required
    async def asynchronous(number: int) -> str:
        await asyncio.sleep(0)
        return f"{current_user.uid} {number}"

    assert [client.get(f"/{kind}/1").status_code for kind in ("plain", "async")] == [401, 401]
    client.get("/enter/ada")
    parts.store.asked.clear()
    assert [client.get(f"/{kind}/1").text for kind in ("plain", "async")] == ["ada 1", "ada 1"]
    assert parts.store.asked == ["session", "session"]


def test_class_based_views_name_decorators(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    class Plain(View):
        decorators: t.ClassVar[list[t.Any]] = [login_required]

        def dispatch_request(self) -> str:
            return str(current_user.uid)

    class Both(MethodView):
        decorators: t.ClassVar[list[t.Any]] = [login_required]

        def get(self) -> str:
            return str(current_user.uid)

        async def put(self) -> str:
            return f"put by {current_user.uid}"

    class Method(MethodView):
        @login_required
        async def get(self) -> str:
            return str(current_user.uid)

    for view in (Plain, Both, Method):
        app.add_url_rule(f"/{view.__name__}", view_func=view.as_view(view.__name__))
    assert [client.get(f"/{name}").status_code for name in ("Plain", "Both", "Method")] == [401] * 3
    assert client.put("/Both").status_code == 401
    client.get("/enter/ada")
    assert [client.get(f"/{name}").text for name in ("Plain", "Both", "Method")] == ["ada"] * 3
    assert client.put("/Both", json={}).text == "put by ada"


def test_function_keeps_its_name_and_what_it_is_marked_with() -> None:
    def view() -> str:
        """Say something."""
        return ""

    view.mark = 1  # type: ignore[attr-defined]
    guarded: t.Any = roles_required("a")(login_required(view))
    assert (guarded.__name__, guarded.__doc__, guarded.mark) == ("view", "Say something.", 1)


@pytest.mark.parametrize(
    ("decorate", "expected"),
    [
        (roles_required("editor"), 200),
        (roles_required("editor", "author"), 200),
        (roles_required("editor", "owner"), 403),
        (roles_accepted("owner", "author"), 200),
        (roles_accepted("owner", "boss"), 403),
        (permissions_required("read", "write"), 200),
        (permissions_required("read", "delete"), 403),
        (permissions_accepted("delete", "write"), 200),
        (permissions_accepted("delete"), 403),
        (scopes_required("anything"), 200),
    ],
)
def test_roles_and_permissions_decide(
    app: Erlen, client: ErlenClient, parts: Guarded, decorate: t.Any, expected: int
) -> None:
    parts.store.put_role("editor", permissions=["read", "write"])
    parts.store.put_role("author")
    for role in ("editor", "author"):
        parts.store.grant("ada", role)

    app.add_url_rule("/", "index", decorate(lambda: "in"))
    assert client.get("/").status_code == 401
    client.get("/enter/ada")
    assert client.get("/").status_code == expected
    denied = parts.store.events("ada", name="access_denied")
    assert [event.details["path"] for event in denied] == ["/"] * (expected == 403)


def test_withdrawn_role_is_gone_with_the_next_request(
    app: Erlen, client: ErlenClient, parts: Guarded
) -> None:
    parts.store.put_role("editor")
    parts.store.grant("ada", "editor")

    @app.get("/")
    @roles_required("editor")
    def index() -> str:
        return "in"

    client.get("/enter/ada")
    assert client.get("/").status_code == 200
    parts.store.withdraw("ada", "editor")
    assert client.get("/").status_code == 403


def test_user_of_a_view_without_decorator(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    @app.get("/plain")
    def plain() -> str:
        return f"{current_user.is_authenticated} {bool(t.cast('t.Any', current_auth))} {current_user!r}"

    @app.get("/async")
    async def asynchronous() -> str:
        found = await security.load()
        return f"{current_user.is_authenticated} {found is not None}"

    assert client.get("/plain").text == "False False <Anonymous>"
    assert client.get("/async").text == "False False"
    client.get("/enter/ada")
    assert client.get("/plain").text.startswith("True True ")
    assert client.get("/async").text == "True True"


def test_loading_the_user_on_an_event_loop_warns(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    @app.get("/async")
    async def asynchronous() -> str:
        with pytest.warns(RuntimeWarning, match=r"await security\.load\(\)"):
            return str(current_user.uid)

    client.get("/enter/ada")
    assert client.get("/async").text == "ada"


def test_outside_of_requests_the_user_is_nobody(app: Erlen, parts: Guarded) -> None:
    assert not current_user.is_authenticated
    with app.app_context():
        assert not t.cast("t.Any", current_auth)


def test_application_without_accounts_says_so(app: Erlen, client: ErlenClient) -> None:
    @app.get("/")
    @login_required
    def index() -> str:
        return ""

    with pytest.raises(RuntimeError, match="'erlen_test' has no accounts.*Security\\(app, store="):
        client.get("/")


# Answers


def test_browser_is_sent_to_the_login_page_and_back(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    @app.get("/reports/<name>")
    @login_required
    def reports(name: str) -> str:
        return name

    response = client.get("/reports/ü?page=2&q=a%26b", headers=BROWSER)
    assert response.status_code == 302
    target = urlsplit(response.headers["Location"])
    assert target.path == "/account/login"
    assert parse_qs(target.query) == {"next": ["/reports/%C3%BC?page=2&q=a%26b"]}
    assert client.head("/reports/x", headers=BROWSER).status_code == 302


@pytest.mark.parametrize(
    "path", ["//evil.example/x", "/\\evil.example", "///evil.example", "/%5Cevil.example"]
)
def test_next_leads_nowhere_else(app: Erlen, client: ErlenClient, parts: Guarded, path: str) -> None:
    """CVE-2021-32618, CVE-2023-49438: no address of a request makes a ``next`` that browsers read as another origin."""
    app.url_map.merge_slashes = False

    @app.get("/<path:rest>")
    @login_required
    def anything(rest: str) -> str:
        return rest

    response = client.get(path, headers=BROWSER)
    if response.status_code == 404:
        return
    assert response.status_code == 302
    target = urlsplit(response.headers["Location"])
    assert (target.netloc, target.path) == ("", "/account/login")
    for following in parse_qs(target.query).get("next", []):
        assert following[0] == "/"
        assert following[1:2] not in {"/", "\\"}


def test_script_in_a_page_is_not_sent_elsewhere(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    @app.route("/", methods=["GET", "POST"])
    @login_required
    def index() -> str:
        return ""

    for headers in (
        {"Accept": "text/html", "Sec-Fetch-Mode": "cors"},
        {"Accept": "text/html", "X-Requested-With": "XMLHttpRequest"},
    ):
        response = client.get("/", headers=headers)
        assert (response.status_code, response.mimetype) == (401, "text/html")
    response = client.post("/", headers=BROWSER)
    assert (response.status_code, response.mimetype) == (401, "text/html")
    assert '<a href="/account/login">' in response.text


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/problem+json", "image/png"])
def test_program_gets_a_problem(app: Erlen, client: ErlenClient, parts: Guarded, accept: str | None) -> None:
    """RFC 9457."""

    @app.get("/")
    @login_required
    def index() -> str:
        return ""

    response = client.get("/", headers={} if accept is None else {"Accept": accept})
    assert (response.status_code, response.mimetype) == (401, "application/problem+json")
    assert json.loads(response.data) == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "Log in to go on.",
        "code": "login_required",
    }
    assert response.headers["Cache-Control"] == "no-store"
    assert "Accept" in response.headers["Vary"]


def test_page_for_the_refused_is_escaped_and_replaceable(
    app: Erlen, client: ErlenClient, parts: Guarded
) -> None:
    @app.get("/")
    @roles_required("editor")
    def index() -> str:
        return ""

    client.get("/enter/ada")
    response = client.get("/", headers=BROWSER)
    assert (response.status_code, response.mimetype) == (403, "text/html")
    assert "<h1>This is not for you</h1>" in response.text


def test_application_answers_with_an_error_handler_of_its_own(
    app: Erlen, client: ErlenClient, parts: Guarded
) -> None:
    @app.errorhandler(401)
    def unknown(error: HTTPException) -> t.Any:
        return "my own page", 401, {"WWW-Authenticate": dict(error.get_headers())["WWW-Authenticate"]}

    @app.get("/")
    @login_required
    def index() -> str:
        return ""

    response = client.get("/")
    assert response.text == "my own page"
    assert response.headers["WWW-Authenticate"].startswith("Cookie realm=")
    # Where a browser is to log in is no error.
    assert client.get("/", headers=BROWSER).status_code == 302


def test_challenges_name_the_ways_in(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    """RFC 9110, section 15.5.2; RFC 7617, section 2.1; RFC 6750, section 3."""
    app.name = 'the "site" ☃'

    @app.get("/")
    @auth_required("token", "basic", "session")
    def index() -> str:
        return ""

    realm = 'realm="the \\"site\\" ?"'
    assert client.get("/").headers.getlist("WWW-Authenticate") == [
        f"Bearer {realm}",
        f'Basic {realm}, charset="UTF-8"',
        f'Cookie {realm}, form-action="/account/login"',
    ]
    # Browsers would ask for a password in the middle of a page.
    response = client.get("/", headers={"Sec-Fetch-Mode": "cors"})
    assert [one[:6] for one in response.headers.getlist("WWW-Authenticate")] == ["Bearer", "Cookie"]


# Tokens


@pytest.fixture
def guarded_by_token(app: Erlen, parts: Guarded) -> Guarded:
    @app.route("/", methods=["GET", "POST"])
    @auth_required("token", "session")
    def index() -> str:
        return f"{current_user.uid} {current_auth.method}"

    @app.get("/session-first")
    @auth_required("session", "token")
    def session_first() -> str:
        return f"{current_user.uid} {current_auth.method}"

    @app.get("/scoped")
    @auth_required("token", "session")
    @scopes_required("read", "write")
    async def scoped() -> str:
        return f"{current_user.uid} {current_auth.method}"

    @app.get("/inside-out")
    @scopes_required("read")
    @auth_required("token")
    def inside_out() -> str:
        return f"{current_user.uid} {current_auth.method}"

    parts.tokens.known = {
        "good": ("ada", frozenset({"read"})),
        "better": ("ada", frozenset({"read", "write"})),
        "unlimited": ("ada", None),
    }
    return parts


def test_token_lets_in(client: ErlenClient, guarded_by_token: Guarded) -> None:
    response = client.get("/", headers=bearer("good"))
    assert response.text == "ada token"
    assert response.headers["Cache-Control"] == "no-store, private"
    assert "Set-Cookie" not in response.headers
    # RFC 9110, section 11.1: the scheme is not case-sensitive.
    assert client.get("/", headers={"Authorization": "bEARER  good"}).text == "ada token"


@pytest.mark.parametrize(
    "shown", ["Bearer wrong", "Bearer", "Bearer ", "Bearer good,Bearer good", "Bearer good x"]
)
def test_wrong_token_is_refused_also_beside_a_session(
    client: ErlenClient, guarded_by_token: Guarded, shown: str
) -> None:
    client.get("/enter/ada")
    assert client.get("/").text == "ada session"
    response = client.get("/", headers={"Authorization": shown})
    assert response.status_code == 401
    assert response.get_json()["code"] == "invalid_token"
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]
    assert client.get("/session-first", headers={"Authorization": shown}).status_code == 401


def test_what_is_named_first_counts(client: ErlenClient, guarded_by_token: Guarded) -> None:
    client.get("/enter/eve")
    assert client.get("/", headers=bearer("good")).text == "ada token"
    assert client.get("/session-first", headers=bearer("good")).text == "eve session"


def test_token_in_an_address_is_nothing(client: ErlenClient, guarded_by_token: Guarded) -> None:
    """Tokens in addresses end up in logs: RFC 6750, section 2.3 is not there (RFC 9700, section 4.3.2)."""
    for path in ("/?access_token=good", "/?token=good"):
        assert client.get(path).status_code == 401
    assert client.post("/", data={"access_token": "good"}).status_code == 401


def test_scopes_limit_a_token(client: ErlenClient, guarded_by_token: Guarded) -> None:
    response = client.get("/scoped", headers=bearer("good"))
    assert response.status_code == 403
    assert response.get_json()["code"] == "insufficient_scope"
    assert 'error="insufficient_scope", scope="read write"' in response.headers["WWW-Authenticate"]
    for token in ("better", "unlimited"):
        assert client.get("/scoped", headers=bearer(token)).text == "ada token"


def test_ways_in_are_said_once_whatever_stands_above(client: ErlenClient, guarded_by_token: Guarded) -> None:
    assert client.get("/inside-out", headers=bearer("good")).text == "ada token"
    client.get("/enter/ada")
    assert client.get("/inside-out").status_code == 401


def test_token_of_a_switched_off_account_is_wrong(client: ErlenClient, guarded_by_token: Guarded) -> None:
    guarded_by_token.store.change_user("ada", is_active=False)
    assert client.get("/", headers=bearer("good")).status_code == 401


def test_wrong_tokens_are_limited(client: ErlenClient, guarded_by_token: Guarded) -> None:
    for _ in range(3):
        assert client.get("/", headers=bearer("wrong")).status_code == 401
    response = client.get("/", headers=bearer("good"))
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "42"
    assert response.get_json()["code"] == "too_many_attempts"
    # What shows no token is not concerned.
    client.get("/enter/ada")
    assert client.get("/").text == "ada session"


def test_view_for_sessions_ignores_tokens(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    @app.get("/")
    @login_required
    def index() -> str:
        return str(current_auth.method)

    parts.tokens.known["good"] = ("ada", None)
    assert client.get("/", headers=bearer("good")).status_code == 401
    client.get("/enter/ada")
    # As of a proxy that asks for a password of its own.
    assert client.get("/", headers={"Authorization": ADA}).text == "session"


# HTTP Basic


@pytest.fixture
def guarded_by_basic(app: Erlen, parts: Guarded) -> Guarded:
    @app.route("/", methods=["GET", "POST"])
    @auth_required("basic")
    def index() -> str:
        return f"{current_user.uid} {current_auth.method}"

    return parts


def test_password_lets_in_by_basic(client: ErlenClient, guarded_by_basic: Guarded) -> None:
    response = client.get("/", headers={"Authorization": ADA})
    assert response.text == "ada basic"
    assert "Set-Cookie" not in response.headers
    assert not guarded_by_basic.store.sessions("ada")


@pytest.mark.parametrize(
    "shown", [WRONG, "Basic", "Basic !!!", "Basic /////w==", "Basic YWRh", "Basic ", "basic YWRhOgA="]
)
def test_wrong_password_is_refused_by_basic(
    client: ErlenClient, guarded_by_basic: Guarded, shown: str
) -> None:
    response = client.get("/", headers={"Authorization": shown, **BROWSER})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Basic realm="erlen_test", charset="UTF-8"'
    assert guarded_by_basic.limits.counted == 1


def test_wrong_passwords_are_limited(client: ErlenClient, guarded_by_basic: Guarded) -> None:
    for _ in range(3):
        client.get("/", headers={"Authorization": WRONG})
    response = client.get("/", headers={"Authorization": ADA})
    assert (response.status_code, response.headers["Retry-After"]) == (429, "42")


def test_password_alone_is_no_way_around_a_second_factor(
    client: ErlenClient, guarded_by_basic: Guarded
) -> None:
    guarded_by_basic.factors.kinds["ada"] = ["totp"]
    assert client.get("/", headers={"Authorization": ADA}).status_code == 401
    guarded_by_basic.factors.kinds.clear()
    guarded_by_basic.factors.needed.add("ada")
    assert client.get("/", headers={"Authorization": ADA}).status_code == 401


def test_account_that_is_switched_off_is_refused_by_basic(
    client: ErlenClient, guarded_by_basic: Guarded
) -> None:
    guarded_by_basic.store.change_user("ada", is_active=False)
    assert client.get("/", headers={"Authorization": ADA}).status_code == 401


# Freshness, visitors


@pytest.fixture
def with_fresh(app: Erlen, parts: Guarded) -> Guarded:
    @app.route("/delete", methods=["GET", "POST"])
    @fresh_login_required
    def delete() -> str:
        return "deleted"

    return parts


def test_sensitive_things_ask_once_more(client: ErlenClient, with_fresh: Guarded, clock: t.Any) -> None:
    """Re-authentication bypassing freshness: only a proof renews it, no request does."""
    client.get("/enter/ada")
    assert client.get("/delete").text == "deleted"
    for _ in range(4):
        clock.forward(minutes=4)
        client.get("/who")
    response = client.get("/delete", headers=BROWSER)
    assert response.status_code == 302
    assert response.headers["Location"] == "/account/reauthenticate?next=/delete"
    response = client.post("/delete", json={})
    assert response.status_code == 401
    assert response.get_json()["code"] == "fresh_login_required"
    client.get("/renew")
    assert client.get("/delete").text == "deleted"


def test_remembered_user_is_not_fresh(client: ErlenClient, with_fresh: Guarded, clock: t.Any) -> None:
    client.get("/remember/ada")
    clock.forward(days=10)
    assert client.get("/who").text == "ada"
    assert client.get("/delete").status_code == 401


def test_token_is_never_fresh(client: ErlenClient, with_fresh: Guarded) -> None:
    with_fresh.tokens.known["good"] = ("ada", None)
    assert client.get("/delete", headers=bearer("good")).status_code == 401


def test_visitors_alone(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    @app.get("/register")
    @anonymous_required
    async def register() -> str:
        return "register"

    assert client.get("/register").text == "register"
    client.get("/enter/ada")
    response = client.get("/register", headers=BROWSER)
    assert (response.status_code, response.headers["Location"]) == (302, "/")
    assert client.get("/register").get_json()["code"] == "anonymous_required"


# Blueprints


def test_blueprint_is_protected_as_a_whole(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    outer, inner = Blueprint("admin", __name__), Blueprint("inner", __name__)
    protect(outer, "session", "token", roles=["admin"], scopes=["write"])

    @outer.get("/plain")
    def plain() -> str:
        return f"{current_user.uid} {current_auth.method}"

    @inner.get("/async")
    async def asynchronous() -> str:
        return f"{current_user.uid} {current_auth.method}"

    outer.register_blueprint(inner)
    app.register_blueprint(outer, url_prefix="/admin")
    app.add_url_rule("/open", "open", lambda: "open")
    parts.store.put_role("admin")
    parts.store.grant("ada", "admin")
    parts.tokens.known = {"good": ("ada", frozenset({"write"})), "weak": ("ada", frozenset({"read"}))}

    assert client.get("/open").text == "open"
    paths = ("/admin/plain", "/admin/async")
    assert [client.get(path).status_code for path in paths] == [401, 401]
    client.get("/enter/eve")
    assert [client.get(path).status_code for path in paths] == [403, 403]
    client.get("/enter/ada")
    assert [client.get(path).text for path in paths] == ["ada session"] * 2
    visitor = app.test_client()
    assert [visitor.get(path, headers=bearer("good")).text for path in paths] == ["ada token"] * 2
    assert [visitor.get(path, headers=bearer("weak")).status_code for path in paths] == [403, 403]
    # As browsers ask before they send credentials.
    assert visitor.options("/admin/plain").status_code == 200


def test_wrong_token_in_a_protected_blueprint_is_refused_by_the_view(
    app: Erlen, client: ErlenClient, parts: Guarded
) -> None:
    blueprint = Blueprint("admin", __name__)
    protect(blueprint)

    @blueprint.get("/")
    @auth_required("session", "token")
    def index() -> str:
        return "in"

    app.register_blueprint(blueprint)
    client.get("/enter/ada")
    assert client.get("/").text == "in"
    assert client.get("/", headers=bearer("wrong")).status_code == 401


def test_application_is_protected_but_for_the_way_in(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    protect(app)
    app.add_url_rule("/", "index", lambda: "in")
    assert client.get("/").status_code == 401
    assert client.get("/nowhere").status_code == 401
    assert client.get("/account/login").text == "the login page"


# WebSockets


def rejected(client: ErlenClient, path: str, **options: t.Any) -> Response:
    with pytest.raises(WebSocketRejected) as caught, client.websocket(path, **options):
        pass
    return t.cast("Response", caught.value.response)


@pytest.fixture
def with_sockets(app: Erlen, parts: Guarded) -> Guarded:
    @app.websocket("/socket")
    @auth_required("session", "token")
    @roles_required("editor")
    async def socket() -> None:
        await websocket.send(f"{current_user.uid} {current_auth.method}")
        async for _ in websocket:
            await websocket.send(str(await still_allowed()))

    @app.websocket("/anybody")
    async def anybody() -> None:
        async for _ in websocket:
            await websocket.send(str(await still_allowed()))

    parts.store.put_role("editor")
    parts.store.grant("ada", "editor")
    parts.tokens.known["good"] = ("ada", None)
    return parts


def test_websocket_is_refused_before_it_is_accepted(client: ErlenClient, with_sockets: Guarded) -> None:
    response = rejected(client, "/socket")
    assert (response.status_code, response.mimetype) == (401, "application/problem+json")
    assert rejected(client, "/socket", headers=BROWSER).status_code == 401
    assert rejected(client, "/socket", headers=bearer("wrong")).status_code == 401
    client.get("/enter/eve")
    assert rejected(client, "/socket").status_code == 403


def test_websocket_lets_in_and_looks_again(client: ErlenClient, with_sockets: Guarded, clock: t.Any) -> None:
    store = with_sockets.store
    client.get("/enter/ada")
    with client.websocket("/socket") as socket:
        assert socket.receive() == "ada session"
        socket.send("?")
        assert socket.receive() == "True"
        # The session goes on under another secret.
        client.get("/renew")
        socket.send("?")
        assert socket.receive() == "True"
        store.withdraw("ada", "editor")
        socket.send("?")
        assert socket.receive() == "False"
        store.grant("ada", "editor")
        socket.send("?")
        assert socket.receive() == "True"
        clock.forward(hours=12)
        socket.send("?")
        assert socket.receive() == "False"


def test_websocket_of_a_token_looks_again(client: ErlenClient, with_sockets: Guarded) -> None:
    with client.websocket("/socket", headers=bearer("good")) as socket:
        assert socket.receive() == "ada token"
        socket.send("?")
        assert socket.receive() == "True"
        with_sockets.tokens.known.clear()
        socket.send("?")
        assert socket.receive() == "False"


def test_websocket_of_a_user_who_was_asked_nothing(client: ErlenClient, with_sockets: Guarded) -> None:
    with client.websocket("/anybody") as socket:
        socket.send("?")
        assert socket.receive() == "True"
    client.get("/enter/ada")
    with client.websocket("/anybody") as socket:
        socket.send("?")
        assert socket.receive() == "True"
        with_sockets.sessions.revoke_all(with_sockets.ada)
        socket.send("?")
        assert socket.receive() == "False"


def test_blueprint_protects_its_websockets(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    blueprint = Blueprint("live", __name__)
    protect(blueprint)

    @blueprint.websocket("/live")
    async def live() -> None:
        await websocket.send(str(current_user.uid))

    app.register_blueprint(blueprint)
    assert rejected(client, "/live").status_code == 401
    client.get("/enter/ada")
    with client.websocket("/live") as socket:
        assert socket.receive() == "ada"


def test_websocket_of_another_origin_is_refused_also_without_the_core(
    app: Erlen, client: ErlenClient, with_sockets: Guarded
) -> None:
    app.config["CROSS_ORIGIN_PROTECTION"] = False
    client.get("/enter/ada")
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert rejected(client, "/socket", headers=headers).status_code == 403
    with client.websocket("/socket", headers={"Origin": "http://localhost"}) as socket:
        assert socket.receive() == "ada session"


# Mistakes


def test_decorator_above_the_route_is_an_error_at_once(app: Erlen, parts: Guarded) -> None:
    with pytest.raises(
        TypeError, match="'login_required'.* stands above the route of 'index'.*Put it below.*of its own"
    ):

        @login_required
        @app.get("/")
        def index() -> str:
            return ""

    with pytest.raises(TypeError, match="above the route of 'socket'"):

        @roles_required("a")
        @app.websocket("/socket")
        async def socket() -> None: ...


@pytest.mark.parametrize("path", ["/open", "/other"])
def test_decorator_above_the_route_of_a_blueprint_is_an_error_of_each_request(
    path: str, app: Erlen, client: ErlenClient, parts: Guarded
) -> None:
    """What the decorator has made is referred to by nothing, as in a function that makes an application."""

    def add_views() -> None:
        blueprint = Blueprint("shop", __name__)
        blueprint.get("/open")(open_by_mistake)
        login_required(open_by_mistake)
        blueprint.get("/other")(other)
        app.register_blueprint(blueprint)

    def open_by_mistake() -> str:
        return "open"

    def other() -> str:
        return "open to all"

    add_views()
    gc.collect()
    for _ in range(2):
        with pytest.raises(TypeError, match=r"above the route of 'shop\.open_by_mistake'"):
            client.get(path)


def public_page() -> str:
    return "the page"


@pytest.fixture
def make(settings: t.Any, clock: t.Any) -> t.Callable[[bool], Erlen]:
    """Return a factory of applications that is told whether they are private, as for tests."""

    def make(private: bool) -> Erlen:
        app = Erlen("factory")
        guard(app, settings, clock)
        app.add_url_rule("/", view_func=login_required(public_page) if private else public_page)
        return app

    return make


@pytest.mark.parametrize("first", [True, False])
def test_view_may_be_guarded_in_one_application_and_open_in_another(
    first: bool, make: t.Callable[[bool], Erlen]
) -> None:
    made = {private: make(private) for private in (first, not first)}
    assert made[False].test_client().get("/").text == "the page"
    assert made[True].test_client().get("/").status_code == 401


def test_view_may_be_open_after_the_application_that_guarded_it_is_gone(
    make: t.Callable[[bool], Erlen],
) -> None:
    make(True)
    gc.collect()
    assert make(False).test_client().get("/").text == "the page"


def test_decorator_that_comes_after_the_route_is_found_by_the_name(
    app: Erlen, client: ErlenClient, parts: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module has what the decorator has made, and the route the view without it."""
    app.add_url_rule("/", view_func=public_page)
    monkeypatch.setitem(globals(), "public_page", login_required(public_page))
    with pytest.raises(TypeError, match="above the route of 'public_page'"):
        client.get("/")


def test_view_may_be_guarded_and_open_in_one_application(
    app: Erlen, client: ErlenClient, parts: Guarded
) -> None:
    app.add_url_rule("/open", "open", public_page)
    app.add_url_rule("/members", "members", login_required(public_page))
    assert client.get("/open").text == "the page"
    assert client.get("/members").status_code == 401


def test_decorator_above_the_route_of_one_application_is_found_where_another_one_has_it_below(
    app: Erlen, client: ErlenClient, parts: Guarded, settings: t.Any, clock: t.Any
) -> None:
    other = Erlen("other")
    guard(other, settings, clock)
    with pytest.raises(TypeError, match="above the route of 'index'"):

        @other.get("/")
        @login_required
        @app.get("/")
        def index() -> str:
            return ""

    blueprint = Blueprint("shop", __name__)

    @other.get("/shop")
    @login_required
    @blueprint.get("/shop")
    def shop() -> str:
        return ""

    del app.view_functions["index"]
    app.register_blueprint(blueprint)
    with pytest.raises(TypeError, match=r"above the route of 'shop\.shop'"):
        client.get("/shop")


@pytest.mark.parametrize("way", ["cleared", "assigned", "not run"])
def test_decorator_above_the_route_is_found_without_the_hook(
    way: str, app: Erlen, client: ErlenClient, parts: Guarded
) -> None:
    """Each view with a decorator tells of it, where an application has other hooks, or none."""
    blueprint = Blueprint("shop", __name__)
    blueprint.get("/open")(view := lambda: "open")
    login_required(view)
    app.register_blueprint(blueprint)
    app.get("/members")(login_required(lambda: "members"))
    if way == "cleared":
        app.before_request_funcs.clear()
    elif way == "assigned":
        app.before_request_funcs[None] = []
    else:
        t.cast("t.Any", app).preprocess_request = lambda: None
    for _ in range(2):
        with pytest.raises(TypeError, match="above the route"):
            client.get("/members")


def test_list_of_hooks_stays_the_one_it_was(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    hooks, ran = app.before_request_funcs[None], list[str]()
    app.before_request(lambda: ran.append("hook"))
    client.get("/who")
    client.get("/who")
    assert ran == ["hook", "hook"]
    assert app.before_request_funcs[None] is hooks


def test_where_decorators_stand_is_looked_at_once(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    assert client.get("/who").text == "nobody"
    assert app.before_request_funcs[None] == []


def test_decorator_above_the_route_is_found_when_accounts_come_later(settings: t.Any, clock: t.Any) -> None:
    app = Erlen("late")

    def add_view() -> None:
        @login_required
        @app.get("/")
        def index() -> str:
            return ""

        del index

    add_view()
    gc.collect()
    with pytest.raises(TypeError, match="above the route of 'index'"):
        guard(app, settings, clock)


def test_other_decorators_may_stand_in_between(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    import functools

    def shouting(view: t.Any) -> t.Any:
        return functools.wraps(view)(lambda: view().upper())

    @app.get("/")
    @shouting
    @login_required
    def index() -> str:
        return "in"

    client.get("/enter/ada")
    assert client.get("/").text == "IN"


def test_decorator_is_put_on_views_only() -> None:
    given: t.Any = Blueprint("shop", __name__)
    with pytest.raises(TypeError, match=r"no view.*security\.protect\(blueprint\)"):
        login_required(given)
    with pytest.raises(TypeError, match=r"class 'View'.*decorators = \[login_required\]"):
        login_required(View)
    view: t.Any = lambda: ""
    with pytest.raises(TypeError, match=r"roles_required\('editor'\)"):
        roles_required(view)
    with pytest.raises(TypeError, match="takes one name or more"):
        permissions_accepted()
    with pytest.raises(TypeError, match="'cookie'.* Name one or more of 'session', 'token', 'basic'"):
        auth_required("cookie")


def test_request_proxy_is_untouched_by_access(app: Erlen, client: ErlenClient, parts: Guarded) -> None:
    @app.post("/")
    @login_required
    def index() -> str:
        return request.get_data(as_text=True)

    client.get("/enter/ada")
    response = client.post(
        "/", data="a body", content_type="text/plain", headers={"Sec-Fetch-Site": "same-origin"}
    )
    assert response.text == "a body"
