"""What the first request freezes, and what thaws it: code that reaches into an application late is honoured."""

from __future__ import annotations

import inspect
import threading
import typing as t

import pytest
from werkzeug.exceptions import NotFound
from werkzeug.routing import Rule

from erlen import Blueprint, Erlen, Response, request, session
from erlen.json.provider import DefaultJSONProvider
from erlen.registry import TellingList
from erlen.scaffold import SetupError
from erlen.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionInterface, SessionMixin
from erlen.testing import ErlenClient


@pytest.fixture
def warm(app: Erlen) -> Erlen:
    """An application that has answered requests of each kind."""
    app.secret_key = "key"
    app.add_url_rule("/", "index", lambda: "index")
    app.add_url_rule("/json", "json", lambda: {"b": "ä", "a": 1}, methods=["GET", "POST"])
    app.add_url_rule("/folder/", "folder", lambda: "folder")
    app.add_url_rule("/template", "template", lambda: app.jinja_env.from_string("{{ 'a'|late }}").render())
    app.jinja_env.filters["late"] = str.upper
    blueprint = Blueprint("shop", __name__, url_prefix="/shop")
    blueprint.add_url_rule("/", "index", lambda: "shop")
    app.register_blueprint(blueprint)
    for path in ("/", "/json", "/shop/", "/missing", "/template"):
        app.test_client().get(path)
    assert app.plan is not None
    return app


def late(*arguments: object) -> str:
    return "late"


# Registries


def test_late_view_is_called(warm: Erlen, client: ErlenClient) -> None:
    warm.view_functions["index"] = late
    assert client.get("/").text == "late"


def test_late_async_view_is_called(warm: Erlen, client: ErlenClient) -> None:
    async def asynchronous() -> str:
        return "late"

    warm.view_functions["index"] = asynchronous
    assert client.get("/").text == "late"


def test_late_dict_of_views_is_used(warm: Erlen, client: ErlenClient) -> None:
    warm.view_functions = t.cast("t.Any", dict(warm.view_functions) | {"index": late})
    assert client.get("/").text == "late"


def _removed(app: Erlen) -> None:
    app.before_request_funcs[None] = [late]
    app.test_client().get("/")
    app.before_request_funcs[None].remove(late)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda app: app.before_request_funcs[None].append(late), "late"),
        (lambda app: app.before_request_funcs[None].insert(0, late), "late"),
        (lambda app: app.before_request_funcs[None].extend([late]), "late"),
        (lambda app: app.before_request_funcs[None].__iadd__([late]), "late"),
        (lambda app: app.before_request_funcs.__setitem__(None, [late]), "late"),
        (lambda app: app.before_request_funcs.setdefault(None, []).append(late), "late"),
        (lambda app: app.before_request_funcs.update({None: [late]}), "late"),
        (lambda app: app.before_request_funcs.__ior__({None: [late]}), "late"),
        (lambda app: setattr(app, "before_request_funcs", {None: [late]}), "late"),
        (lambda app: app.before_request_funcs["shop"].append(late), "index"),
        (_removed, "index"),
    ],
)
def test_late_hook_before_runs(
    warm: Erlen, client: ErlenClient, change: t.Callable[[Erlen], object], expected: str
) -> None:
    change(warm)
    assert client.get("/").text == expected


@pytest.mark.parametrize("spelling", ["update", "__ior__"])
def test_list_put_into_a_registry_tells_of_later_changes(
    warm: Erlen, client: ErlenClient, spelling: str
) -> None:
    getattr(warm.before_request_funcs, spelling)({None: []})
    assert client.get("/").text == "index"
    assert isinstance(warm.before_request_funcs[None], TellingList)
    warm.before_request_funcs[None].append(late)
    assert client.get("/").text == "late"


def test_late_hook_of_a_blueprint_runs_for_its_views(warm: Erlen, client: ErlenClient) -> None:
    warm.before_request_funcs["shop"].append(late)
    assert [client.get("/shop/").text, client.get("/").text] == ["late", "index"]


def test_late_hook_after_runs(warm: Erlen, client: ErlenClient) -> None:
    warm.after_request_funcs[None].append(lambda response: Response("after"))
    assert client.get("/").text == "after"


@pytest.mark.parametrize("name", ["teardown_request_funcs", "teardown_appcontext_funcs"])
def test_late_teardown_runs(warm: Erlen, client: ErlenClient, name: str) -> None:
    seen: list[t.Any] = []
    registry: t.Any = getattr(warm, name)
    (registry if name == "teardown_appcontext_funcs" else registry[None]).append(seen.append)
    client.get("/")
    assert seen == [None]


def test_late_preprocessor_runs(warm: Erlen, client: ErlenClient) -> None:
    seen: list[t.Any] = []
    warm.url_value_preprocessors[None].append(lambda endpoint, values: seen.append((endpoint, values)))
    client.get("/")
    assert seen == [("index", {})]


def test_late_error_handler_answers(warm: Erlen, client: ErlenClient) -> None:
    warm.error_handler_spec[None][404][NotFound] = lambda error: ("late", 404)
    assert client.get("/missing").text == "late"


def test_hook_that_registers_a_hook_reaches_the_next_request(warm: Erlen, client: ErlenClient) -> None:
    def once(*arguments: object) -> None:
        warm.before_request_funcs[None].append(late)

    warm.before_request_funcs[None].append(once)
    assert client.get("/").text == "index"
    assert client.get("/").text == "late"


# Rules


def test_late_rule_is_refused_with_the_line_of_the_call(warm: Erlen) -> None:
    frame = inspect.currentframe()
    assert frame is not None
    line = frame.f_lineno + 2
    with pytest.raises(SetupError, match="'add_url_rule' was called") as caught:
        warm.add_url_rule("/late", "late", late)
    assert caught.value.location == f"{__file__}:{line}"
    assert str(caught.value).startswith(f"{__file__}:{line}: ")


def test_late_rule_put_into_the_map_is_matched(warm: Erlen, client: ErlenClient) -> None:
    warm.url_map.add(Rule("/late", endpoint="late"))
    warm.view_functions["late"] = late
    assert client.get("/late").text == "late"


def test_late_rule_for_a_known_view_is_matched(warm: Erlen, client: ErlenClient) -> None:
    warm.url_map.add(Rule("/late", endpoint="index"))
    assert client.get("/late").text == "index"


@pytest.mark.parametrize("value", [True, False])
def test_late_strict_slashes(warm: Erlen, client: ErlenClient, value: bool) -> None:
    # Werkzeug reads the setting of the map when a rule is added, so that a late one is for later rules.
    warm.url_map.strict_slashes = value
    assert client.get("/folder").status_code == 308


# What is assigned on the application


class Interface(SessionInterface):
    def open_session(self, app: t.Any, request: t.Any) -> SessionMixin:
        return SecureCookieSession({"opened": "late"})

    def save_session(self, app: t.Any, session: SessionMixin, response: t.Any) -> None:
        response.headers["X-Saved"] = "late"


def test_late_session_interface_opens_and_saves(warm: Erlen, client: ErlenClient) -> None:
    warm.session_interface = Interface()
    assert client.get("/").headers["X-Saved"] == "late"
    warm.view_functions["index"] = lambda: session["opened"]
    assert client.get("/").text == "late"


class Saving(SecureCookieSessionInterface):
    def save_session(self, app: t.Any, session: SessionMixin, response: t.Any) -> None:
        response.headers["X-Saved"] = "always"


def test_overridden_save_session_is_called_though_nothing_touched_the_session(
    warm: Erlen, client: ErlenClient
) -> None:
    warm.session_interface = Saving()
    assert client.get("/").headers.get("X-Saved") == "always"


def test_late_response_class_makes_the_responses(warm: Erlen, client: ErlenClient) -> None:
    class Plain(Response):
        default_mimetype = "text/plain"

    warm.response_class = Plain
    assert client.get("/").mimetype == "text/plain"
    assert client.get("/json").mimetype == "application/json"


def test_late_json_provider_writes_the_responses(warm: Erlen, client: ErlenClient) -> None:
    class Upper(DefaultJSONProvider):
        def dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
            return super().dumps(obj, **kwargs).upper()

    warm.json = Upper(warm)
    assert client.get("/json").text == '{"A":1,"B":"\\U00E4"}\n'


def test_late_function_of_the_json_provider_is_used(warm: Erlen, client: ErlenClient) -> None:
    provider: t.Any = warm.json
    provider.dumps = lambda obj, **options: "dumped"
    assert client.get("/json").text == "dumped\n"


def test_late_response_of_the_json_provider_is_used(warm: Erlen, client: ErlenClient) -> None:
    provider: t.Any = warm.json
    provider.response = lambda *args, **kwargs: Response("whole")
    assert client.get("/json").text == "whole"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("sort_keys", False, '{"b":"\\u00e4","a":1}\n'),
        ("ensure_ascii", False, '{"a":1,"b":"ä"}\n'),
        ("compact", False, '{\n  "a": 1,\n  "b": "\\u00e4"\n}\n'),
    ],
)
def test_late_json_setting_counts(
    warm: Erlen, client: ErlenClient, name: str, value: t.Any, expected: str
) -> None:
    setattr(warm.json, name, value)
    assert client.get("/json").text == expected


def test_late_json_mimetype_and_default_count(warm: Erlen, client: ErlenClient) -> None:
    provider: t.Any = warm.json
    provider.mimetype = "application/vnd.late+json"
    assert client.get("/json").mimetype == "application/vnd.late+json"
    warm.view_functions["json"] = lambda: [object()]
    provider.default = lambda value: "late"
    assert client.get("/json").text == '["late"]\n'


def test_late_request_class_makes_the_requests(warm: Erlen, client: ErlenClient) -> None:
    class Own(warm.request_class):  # type: ignore[name-defined, misc]
        own = "late"

    warm.request_class = Own
    warm.view_functions["index"] = lambda: t.cast("t.Any", request).own
    assert client.get("/").text == "late"


def test_late_filter_is_in_templates(warm: Erlen, client: ErlenClient) -> None:
    warm.jinja_env.filters["late"] = lambda value: "late"
    assert client.get("/template").text == "late"


def test_late_subdomain_matching_counts(warm: Erlen, client: ErlenClient) -> None:
    warm.config["SERVER_NAME"] = "example.org"
    assert client.get("/", base_url="http://other.example.org").text == "index"
    warm.subdomain_matching = True
    assert client.get("/", base_url="http://other.example.org").status_code == 404
    assert client.get("/", base_url="http://example.org").text == "index"


# Configuration


@pytest.mark.parametrize(
    ("key", "value", "name", "expected"),
    [
        ("REFERRER_POLICY", "no-referrer", "Referrer-Policy", "no-referrer"),
        ("REFERRER_POLICY", None, "Referrer-Policy", None),
        ("CONTENT_TYPE_OPTIONS", None, "X-Content-Type-Options", None),
        ("CONTENT_SECURITY_POLICY", "default-src 'self'", "Content-Security-Policy", "default-src 'self'"),
        (
            "CONTENT_SECURITY_POLICY_REPORT_ONLY",
            {"img-src": ["a", "b"]},
            "Content-Security-Policy-Report-Only",
            "img-src a b",
        ),
    ],
)
def test_late_header_setting_counts(
    warm: Erlen, client: ErlenClient, key: str, value: t.Any, name: str, expected: str | None
) -> None:
    warm.config[key] = value
    for path in ("/", "/json", "/missing"):
        assert client.get(path).headers.get(name) == expected


def test_late_trusted_origin_counts(warm: Erlen, client: ErlenClient) -> None:
    headers = {"Origin": "https://late.test"}
    assert client.post("/json", headers=headers).status_code == 403
    warm.config["TRUSTED_ORIGINS"] = ["https://late.test"]
    assert client.post("/json", headers=headers).status_code == 200
    warm.config.update(TRUSTED_ORIGINS=[])
    assert client.post("/json", headers=headers).status_code == 403
    warm.config["CROSS_ORIGIN_PROTECTION"] = False
    assert client.post("/json", headers=headers).status_code == 200


def test_late_trusted_origin_added_in_place_counts(warm: Erlen, client: ErlenClient) -> None:
    warm.config["TRUSTED_ORIGINS"] += ["https://late.test"]
    assert client.post("/json", headers={"Origin": "https://late.test"}).status_code == 200


def test_late_trusted_host_counts(warm: Erlen, client: ErlenClient) -> None:
    assert client.get("/", base_url="http://other.test").status_code == 200
    warm.config["TRUSTED_HOSTS"] = ["example.org"]
    assert client.get("/", base_url="http://other.test").status_code == 400
    assert client.get("/", base_url="http://example.org").status_code == 200


def test_late_debug_indents_json(warm: Erlen, client: ErlenClient) -> None:
    warm.debug = True
    assert client.get("/json").text.startswith("{\n")
    warm.config["DEBUG"] = False
    assert client.get("/json").text.startswith('{"')


def test_late_malformed_setting_counts(warm: Erlen, client: ErlenClient) -> None:
    environ = {"CONTENT_LENGTH": "x"}
    assert client.get("/", environ_overrides=environ).status_code == 400
    warm.config["REFUSE_MALFORMED_REQUESTS"] = False
    assert client.get("/", environ_overrides=environ).status_code == 200


def test_late_name_of_the_session_cookie_counts(warm: Erlen, client: ErlenClient) -> None:
    warm.view_functions["index"] = lambda: session.setdefault("a", "b")
    warm.config["SESSION_COOKIE_NAME"] = "late"
    assert client.get("/").headers["Set-Cookie"].startswith("late=")


def test_late_session_cookie_of_that_name_is_refreshed(warm: Erlen, client: ErlenClient) -> None:
    warm.config["SESSION_COOKIE_NAME"] = "late"
    with client.session_transaction() as transaction:
        transaction["a"] = "b"
        transaction.permanent = True
    assert client.get("/").headers["Set-Cookie"].startswith("late=")


def test_late_secret_key_opens_sessions(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", lambda: session.setdefault("a", "b"))
    with pytest.raises(RuntimeError, match="secret"):
        client.get("/")
    app.secret_key = "late"
    assert client.get("/").text == "b"


def test_config_of_another_class_assigned_late_is_read(warm: Erlen, client: ErlenClient) -> None:
    replaced = warm.config_class(warm.root_path, dict(warm.config))
    replaced["REFERRER_POLICY"] = "origin"
    warm.config = replaced
    assert client.get("/").headers["Referrer-Policy"] == "origin"


# What does not thaw


def test_attribute_that_does_not_matter_thaws_nothing(warm: Erlen, client: ErlenClient) -> None:
    t.cast("t.Any", warm).counter = 0
    client.get("/")
    plan = warm.plan

    def counting() -> str:
        t.cast("t.Any", warm).counter += 1
        warm.extensions["seen"] = True
        return "counted"

    warm.view_functions["index"] = counting
    client.get("/")
    frozen = warm.plan
    client.get("/")
    client.get("/")
    assert warm.plan is frozen
    assert frozen is not plan
    assert t.cast("t.Any", warm).counter == 3


def test_setting_of_the_application_s_own_thaws_nothing(warm: Erlen) -> None:
    plan = warm.plan
    warm.config["OWN"] = 1
    warm.config.update(OTHER=2)
    warm.config["REFERRER_POLICY"] = warm.config["REFERRER_POLICY"]
    assert warm.plan is plan


def test_requests_thaw_nothing(warm: Erlen, client: ErlenClient) -> None:
    plan = warm.plan
    for path in ("/", "/json", "/shop/", "/missing", "/folder", "/template"):
        client.get(path)
    client.options("/")
    client.post("/json", json={})
    with client.session_transaction() as transaction:
        transaction["a"] = 1
    client.get("/")
    assert warm.plan is plan


def test_reading_a_registry_for_an_unknown_key_serves_on(warm: Erlen, client: ErlenClient) -> None:
    assert list(warm.before_request_funcs["unknown"]) == []
    assert client.get("/").text == "index"


def test_applications_thaw_alone(warm: Erlen) -> None:
    other = Erlen("other")
    other.test_client().get("/")
    plan = other.plan
    warm.before_request_funcs[None].append(late)
    assert warm.plan is None
    assert other.plan is plan


def test_change_in_a_request_is_seen_by_the_next_on_every_thread(warm: Erlen) -> None:
    results: list[str] = []

    def ask() -> None:
        results.append(warm.test_client().get("/").text)

    warm.view_functions["index"] = late
    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == ["late"] * 4
