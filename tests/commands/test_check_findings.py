"""What each check finds, and that it finds nothing where there is nothing.

Weaknesses of systems of this kind that a check looks for are named with the case.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import textwrap
import typing as t
from pathlib import Path

import pytest
from jinja2 import FileSystemBytecodeCache
from werkzeug.debug import DebuggedApplication
from werkzeug.middleware.proxy_fix import ProxyFix

from erlen import Blueprint, Erlen, Request, render_template
from erlen.commands.check import Finding, Subject
from erlen.commands.check.model import Severity
from erlen.commands.check.runner import Report, run_checks
from erlen.commands.check.table import CHECKS
from erlen.sessions import SessionInterface
from erlen.views import MethodView, View

KEY = "b7Qm2xVt9LwRkE4sZcY8nHdJ6uPfA3gX5TjKvN1oS0iW"

Build: t.TypeAlias = t.Callable[[Path], "Erlen | Subject"]

IDS = [check.id for check in CHECKS]


def write(folder: Path, name: str, text: str = "") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return path


def good(folder: Path, **options: t.Any) -> Erlen:
    """Return an application with nothing to find."""
    write(folder, "templates/base.html", "<main>{% block main %}{% endblock %}</main>")
    write(folder, "templates/page.html", "{% extends 'base.html' %}{% block main %}{{ name }}{% endblock %}")
    write(folder, "static/site.css")
    app = Erlen(
        f"shop_{folder.name}", root_path=str(folder), instance_path=str(folder / "instance"), **options
    )
    app.config.update(
        SECRET_KEY=KEY,
        TRUSTED_HOSTS=["shop.example"],
        CONTENT_SECURITY_POLICY={"default-src": "'self'"},
    )

    @app.get("/")
    def index() -> str:
        return render_template("page.html", name="Ada")

    @app.get("/books/<int:number>")
    def book(number: int) -> str:
        return str(number)

    @app.route("/books/<name>", methods=["GET", "POST"])
    def named(name: str) -> str:
        return name

    return app


def with_config(**config: t.Any) -> t.Callable[[Path], Erlen]:
    def build(folder: Path) -> Erlen:
        app = good(folder)
        app.config.update(config)
        return app

    return build


def subject_of(app: Erlen, folder: Path, **environ: str) -> Subject:
    return Subject(app, folder, environ)


def report_of(built: Erlen | Subject, folder: Path, *ids: str) -> Report:
    subject = built if isinstance(built, Subject) else subject_of(built, folder)
    return run_checks(subject, [check for check in CHECKS if not ids or check.id in ids], {})


def found_by(id: str, built: Erlen | Subject, folder: Path) -> list[tuple[Finding, Severity]]:
    return [(finding, severity) for _, finding, severity in report_of(built, folder, id).findings]


def messages(id: str, built: Erlen | Subject, folder: Path) -> str:
    return "\n".join(finding.message for finding, _ in found_by(id, built, folder))


# What a check finds


def shadowed(folder: Path) -> Erlen:
    app = good(folder)
    app.add_url_rule("/books/<title>", "titled", lambda title: title, methods=["GET"])
    return app


def on_a_subdomain(folder: Path) -> Erlen:
    app = good(folder)
    app.add_url_rule("/", "of_the_interface", lambda: "", subdomain="api")
    return app


def without_view(folder: Path) -> Erlen:
    app = good(folder)
    app.add_url_rule("/forgotten", endpoint="forgotten")
    return app


def unanswered(folder: Path) -> Erlen:
    class Basket(MethodView):
        def get(self) -> str:
            return ""

    app = good(folder)
    app.add_url_rule("/basket", view_func=Basket.as_view("basket"), methods=["GET", "POST"])
    return app


def folderless(folder: Path) -> Erlen:
    app = good(folder)
    app.register_blueprint(Blueprint("lost", __name__, root_path=str(folder), template_folder="nowhere"))
    return app


def templateless(folder: Path) -> Erlen:
    app = good(folder)

    @app.get("/other")
    def other() -> str:
        return render_template("othr.html")

    return app


def with_broken_plugin(folder: Path) -> Subject:
    return Subject(
        good(folder), folder, {}, broken_plugins={"mail": "ImportError while 'mail:checks' was loaded"}
    )


def with_unknown_skip(folder: Path) -> Subject:
    return Subject(good(folder), folder, {}, unknown_skips=["cookie-secret"])


def with_braces(folder: Path) -> Erlen:
    app = good(folder)
    app.add_url_rule("/items/{id}", "item", lambda: "")
    return app


def in_debug_mode(folder: Path) -> Erlen:
    app = good(folder)
    app.debug = True
    return app


def with_debugger(folder: Path) -> Erlen:
    """CVE-2016-10516, CVE-2019-14806, CVE-2024-34069: the debugger executes code for whoever reaches it."""
    app = good(folder)
    # Behind another layer.
    t.cast(t.Any, app).wsgi_app = ProxyFix(DebuggedApplication(app.wsgi_app, evalex=True))
    return app


def with_procfile(folder: Path) -> Erlen:
    write(
        folder,
        "Procfile",
        "# erlen run is for development\nrelease: erlen init-db\nweb: erlen --app shop run -p $PORT\n",
    )
    return good(folder)


def logging_all(folder: Path) -> Erlen:
    app = good(folder)
    logging.getLogger(app.name).setLevel(logging.DEBUG)
    return app


def using_sessions(folder: Path) -> Erlen:
    write(folder, "uses_sessions.py", "from erlen import session as kept")
    sys.modules.pop("uses_sessions", None)
    sys.path.insert(0, str(folder))
    importlib.import_module("uses_sessions")
    sys.path.remove(str(folder))
    app = good(folder)
    app.config["SECRET_KEY"] = None
    return app


def with_key_in_code(folder: Path) -> Erlen:
    write(folder, "shop/settings.py", f"\nSECRET_KEY = {KEY!r}\n")
    return good(folder)


def remembering(folder: Path) -> Erlen:
    app = good(folder)
    t.cast(t.Any, app).login_manager = object()
    return app


def pickling(folder: Path) -> Erlen:
    app = good(folder)
    app.session_interface = type("Stored", (type(app.session_interface),), {"pickle_based": True})()
    return app


def with_websocket(folder: Path) -> Erlen:
    app = good(folder)

    @app.websocket("/chat")
    async def chat() -> None: ...

    return app


def with_open_websocket(folder: Path) -> Erlen:
    app = with_websocket(folder)
    app.config["WEBSOCKET_MAX_MESSAGE_SIZE"] = None
    return app


def behind_five_proxies(folder: Path) -> Erlen:
    app = good(folder)
    t.cast(t.Any, app).wsgi_app = ProxyFix(app.wsgi_app, x_for=5)
    return app


def unescaped(folder: Path) -> Erlen:
    class Unescaped(Erlen):
        def select_jinja_autoescape(self, filename: str | None) -> bool:
            return filename is not None and filename.endswith(".xml")

    write(folder, "templates/page.html")
    return Unescaped("unescaped", root_path=str(folder))


def publishing(folder: Path) -> Erlen:
    for name in (".env", ".git/config", "shop.sqlite", "deep/er/.htpasswd", "Thumbs.db", ".env.example"):
        write(folder, f"static/{name}")
    return good(folder)


def with_shared_cache(folder: Path) -> Erlen:
    """Jinja's bytecode cache in a shared temporary folder (CVE-2014-0012)."""
    cache = folder / "shared"
    cache.mkdir()
    cache.chmod(0o1777)
    app = good(folder)
    app.jinja_env.bytecode_cache = FileSystemBytecodeCache(str(cache))
    return app


def with_old_package(folder: Path) -> Erlen:
    # A name that is in no environment of this project's; put on the path by the fixture.
    write(
        folder,
        "site/gunicorn-21.0.0.dist-info/METADATA",
        "Metadata-Version: 2.1\nName: gunicorn\nVersion: 21.0.0\n",
    )
    return good(folder)


def matching_by_hand(folder: Path) -> Erlen:
    class ByHand(Erlen):
        def create_url_adapter(self, request: t.Any) -> t.Any:
            return super().create_url_adapter(request)

    return ByHand("by_hand", root_path=str(folder))


def wrapped_and_async(folder: Path) -> Erlen:
    app = good(folder)

    @app.get("/async")
    async def slow() -> str:
        return ""

    t.cast(t.Any, app).wsgi_app = ProxyFix(app.wsgi_app)
    return app


#: An application for each check that it finds something in, with words of the message.
FINDS: dict[str, tuple[Build, str]] = {
    "routes-shadowed": (shadowed, "'/books/<title>' (GET) is matched after '/books/<name>' of 'named' ("),
    "routes-unmatchable": (on_a_subdomain, "for the subdomain 'api', and subdomains are not matched"),
    "routes-braces": (
        with_braces,
        "'{id}' is literal in this rule; write '<id>', or '<int:id>' for a number",
    ),
    "routes-without-view": (without_view, "'/forgotten' names the endpoint 'forgotten'"),
    "views-unanswered": (unanswered, "'/basket' accepts POST, and the class Basket ("),
    "folders-missing": (
        folderless,
        "no folder 'nowhere', which is the template_folder of the blueprint 'lost'",
    ),
    "templates-missing": (templateless, "no template 'othr.html', which the view 'other' ("),
    "config-types": (
        with_config(CROSS_ORIGIN_PROTECTION="False"),
        "is the text 'False', and any text counts as true",
    ),
    "config-secrets": (with_config(SECRET_KEY=12345678901234567), "SECRET_KEY is a int, where text or bytes"),
    "config-unusable": (
        with_config(TRUSTED_ORIGINS=["app.example.com"]),
        "TRUSTED_ORIGINS has 'app.example.com'",
    ),
    "config-unread": (with_config(SESION_COOKIE_SECURE=True), "Is SESSION_COOKIE_SECURE meant?"),
    "server-name": (with_config(SERVER_NAME="https://shop.example"), "it has neither scheme nor path"),
    "extension-checks": (
        with_broken_plugin,
        "The checks 'mail' of an extension could not be loaded: ImportError",
    ),
    "skip-unknown": (with_unknown_skip, "skips 'cookie-secret', and no check has that id"),
    "debug-on": (in_debug_mode, "switched on by the application's own configuration"),
    "testing-on": (with_config(TESTING=True), "TESTING is on"),
    "exceptions-propagated": (with_config(PROPAGATE_EXCEPTIONS=True), "PROPAGATE_EXCEPTIONS is on"),
    "errors-trapped": (with_config(TRAP_HTTP_EXCEPTIONS=True), "abort(404) and its like ends in a 500"),
    "development-middleware": (with_debugger, "werkzeug.debug.DebuggedApplication is around the application"),
    "development-server": (with_procfile, "Procfile:3 starts the development server (erlen run)"),
    "logging-verbose": (logging_all, "Logging is at the level DEBUG"),
    "secret-key-missing": (
        using_sessions,
        "There is no SECRET_KEY, and the module 'uses_sessions' uses sessions",
    ),
    "secret-key-weak": (with_config(SECRET_KEY="hunter2"), "SECRET_KEY has fewer than 32 characters"),
    "secret-key-in-code": (with_key_in_code, "The secret key stands in shop/settings.py:2"),
    "cookie-secure": (with_config(SESSION_COOKIE_SECURE=False), "SESSION_COOKIE_SECURE is False"),
    "cookie-httponly": (with_config(SESSION_COOKIE_HTTPONLY=False), "SESSION_COOKIE_HTTPONLY is False"),
    "cookie-samesite": (with_config(SESSION_COOKIE_SAMESITE=None), "left to the browser"),
    "cookie-domain": (
        with_config(SESSION_COOKIE_DOMAIN="shop.example"),
        "every host below it gets the session",
    ),
    "cookie-prefix": (with_config(SESSION_COOKIE_SECURE=True), "a name that begins with '__Host-'"),
    "cookie-partitioned": (with_config(SESSION_COOKIE_PARTITIONED=True), "never gets the session"),
    "cookie-remember": (remembering, "REMEMBER_COOKIE_SECURE is off"),
    "session-lifetime": (with_config(PERMANENT_SESSION_LIFETIME=365 * 86_400), "is 365 days"),
    "session-size": (with_config(SESSION_COOKIE_OVERFLOW="warn"), "the user is logged out or loses the cart"),
    "session-pickle": (pickling, "Stored reads sessions with pickle"),
    "body-limit": (with_config(MAX_CONTENT_LENGTH=None), "MAX_CONTENT_LENGTH is None"),
    "form-limits": (with_config(MAX_FORM_PARTS=None), "MAX_FORM_PARTS is None"),
    "websocket-limits": (with_open_websocket, "WEBSOCKET_MAX_MESSAGE_SIZE is None"),
    "malformed-requests": (with_config(REFUSE_MALFORMED_REQUESTS=False), "REFUSE_MALFORMED_REQUESTS is off"),
    "cross-origin": (
        with_config(CROSS_ORIGIN_PROTECTION=False),
        "CROSS_ORIGIN_PROTECTION is off: a page of any site",
    ),
    "security-headers": (with_config(REFERRER_POLICY=None), "REFERRER_POLICY is None"),
    "content-security-policy": (
        with_config(CONTENT_SECURITY_POLICY=None),
        "CONTENT_SECURITY_POLICY is not set",
    ),
    "trusted-hosts": (with_config(TRUSTED_HOSTS=None), "TRUSTED_HOSTS is not set"),
    "trusted-origins": (
        with_config(TRUSTED_ORIGINS=["http://a.example"]),
        "TRUSTED_ORIGINS has 'http://a.example'",
    ),
    "proxy-headers": (behind_five_proxies, "ProxyFix(x_for=5) believes 5 proxies"),
    "url-scheme": (with_config(SERVER_NAME="shop.example"), "PREFERRED_URL_SCHEME is not 'https'"),
    "cors-credentials": (with_config(CORS_SUPPORTS_CREDENTIALS=True), "lets every site read answers"),
    "autoescape-off": (
        unescaped,
        "Templates of '.html', '.htm', '.svg', '.xhtml' and strings are not escaped",
    ),
    "static-secrets": (publishing, "Anybody can fetch .env, .git, deep/er/.htpasswd and 1 more from"),
    "shared-caches": (with_shared_cache, "Jinja's bytecode cache is in '"),
    "dependencies": (with_old_package, "gunicorn 21.0.0 has known weaknesses (table of 20"),
    "templates-explained": (with_config(EXPLAIN_TEMPLATE_LOADING=True), "EXPLAIN_TEMPLATE_LOADING is on"),
    "templates-reloaded": (with_config(TEMPLATES_AUTO_RELOAD=True), "Templates are reloaded"),
    "routes-uncompiled": (matching_by_hand, "'create_url_adapter' is overridden"),
    "middleware-plain": (wrapped_and_async, "There is middleware around app.wsgi_app"),
}


@pytest.mark.parametrize("id", IDS)
def test_a_check_finds_what_it_is_for(id: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path / "site")
    build, words = FINDS[id]
    found = found_by(id, build(tmp_path), tmp_path)
    assert words in found[0][0].message
    [check] = [check for check in CHECKS if check.id == id]
    assert found[0][1] == check.severity
    lines = [line for finding, _ in found for line in finding.fix.splitlines()]
    # As many columns as are left of 80.
    assert lines
    assert [line for line in lines if len(line.replace(tmp_path.name, "")) > 74] == []


# An application with nothing to find

#: For checks that have nothing to look at in the plain one.
APPLIES: dict[str, Build] = {
    "cookie-remember": lambda folder: remembering_safely(folder),
    "websocket-limits": with_websocket,
    "url-scheme": with_config(SERVER_NAME="shop.example", PREFERRED_URL_SCHEME="https"),
}


def remembering_safely(folder: Path) -> Erlen:
    app = remembering(folder)
    app.config["REMEMBER_COOKIE_SECURE"] = True
    return app


@pytest.mark.parametrize("id", IDS)
def test_a_check_passes_a_good_application(id: str, tmp_path: Path) -> None:
    report = report_of(APPLIES.get(id, good)(tmp_path), tmp_path, id)
    assert ([check.id for check in report.passed], report.findings) == ([id], [])


def test_a_default_application_with_a_key_and_hosts_has_no_error_and_no_warning(tmp_path: Path) -> None:
    app = Erlen("plain", root_path=str(tmp_path))
    app.config.update(SECRET_KEY=KEY, TRUSTED_HOSTS=["shop.example"])
    assert [check.id for check, *_ in report_of(app, tmp_path).findings] == ["content-security-policy"]


def test_the_flask_profile_has_one_finding_for_each_setting(tmp_path: Path) -> None:
    app = Erlen("plain", root_path=str(tmp_path), profile="flask")
    app.config.update(
        SECRET_KEY=KEY, TRUSTED_HOSTS=["shop.example"], CONTENT_SECURITY_POLICY="default-src 'self'"
    )
    found = [(check.id, severity) for check, _, severity in report_of(app, tmp_path).findings]
    assert found == [
        ("cookie-secure", "error"),
        ("cookie-samesite", "warning"),
        ("session-size", "warning"),
        ("body-limit", "warning"),
        ("malformed-requests", "warning"),
        ("cross-origin", "warning"),
        ("security-headers", "warning"),
        ("security-headers", "warning"),
    ]


def test_looking_starts_nothing_and_calls_no_view(tmp_path: Path) -> None:
    app = good(tmp_path)
    called: list[str] = []

    @app.get("/called")
    def view() -> str:
        called.append("view")
        return ""

    app.before_request(lambda: called.append("hook"))
    app.before_serving(lambda: called.append("start"))
    app.teardown_appcontext(lambda error: called.append("end"))
    report_of(app, tmp_path)
    assert (called, app.is_serving) == ([], False)


# Routes


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/a/<int:number>", "/a/<name>"),
        ("/a/<name>", "/a/<int:number>"),
        ("/a/<string(maxlength=1):letter>", "/a/<name>"),
        ("/a/b", "/a/<name>"),
        ("/a/<path:rest>", "/a/<name>"),
        ("/a/<any(b, c):name>", "/a/<any(b, d):name>"),
        ("/a/<float:number>", "/a/<int:number>"),
        ("/a/<uuid:one>", "/a/<string(length=36):text>"),
        ("/a/", "/a/<name>"),
        ("/a/<name>", "/a/<name>/b"),
    ],
)
def test_rules_that_both_get_requests_are_no_finding(first: str, second: str, tmp_path: Path) -> None:
    app = Erlen("rules", root_path=str(tmp_path))
    app.add_url_rule(first, "first", lambda **values: "")
    app.add_url_rule(second, "second", lambda **values: "")
    assert found_by("routes-shadowed", app, tmp_path) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/a", "/a"),
        ("/a/<name>", "/a/<other>"),
        ("/a/<path:rest>", "/a/<path:other>"),
        ("/a/<name>", "/a/<string(length=2):language>"),
        ("/a/<name>", "/a/<string(maxlength=3):short>"),
        ("/a/<any(b, c, d, e, f, g):name>", "/a/<any(b, g):name>"),
        ("/a/<int:number>", "/a/<int(max=9):digit>"),
        ("/<path:rest>", "/<path:page>"),
    ],
)
def test_a_rule_that_no_request_reaches_is_found(first: str, second: str, tmp_path: Path) -> None:
    app = Erlen("rules", root_path=str(tmp_path))
    app.add_url_rule(first, "first", lambda **values: "")
    app.add_url_rule(second, "second", lambda **values: "")
    assert "No request reaches 'second'" in messages("routes-shadowed", app, tmp_path)


def test_rules_for_other_methods_are_no_finding(tmp_path: Path) -> None:
    app = Erlen("rules", root_path=str(tmp_path))
    app.add_url_rule("/a", "read", lambda: "", methods=["GET"])
    app.add_url_rule("/a", "write", lambda: "", methods=["POST"])
    app.add_url_rule("/a", "both", lambda: "", methods=["GET", "PUT"])
    assert found_by("routes-shadowed", app, tmp_path) == []


def test_the_same_rule_twice_is_a_note(tmp_path: Path) -> None:
    app = good(tmp_path)
    app.add_url_rule("/books/<int:again>", "book")
    [(finding, severity)] = found_by("routes-shadowed", app, tmp_path)
    assert (severity, "registered twice" in finding.message) == ("info", True)


def test_rules_of_converters_of_the_application_are_left_alone(tmp_path: Path) -> None:
    from werkzeug.routing import UnicodeConverter

    class Upper(UnicodeConverter):
        regex = "[A-Z]+"

    app = Erlen("rules", root_path=str(tmp_path))
    app.url_map.converters["upper"] = Upper
    app.add_url_rule("/a/<name>", "first", lambda name: "")
    app.add_url_rule("/a/<upper:name>", "second", lambda name: "")
    assert found_by("routes-shadowed", app, tmp_path) == []


def test_rules_of_hosts_and_of_other_subdomains_are_apart(tmp_path: Path) -> None:
    app = Erlen("rules", root_path=str(tmp_path), host_matching=True, static_host="a.example")
    app.add_url_rule("/", "first", lambda: "", host="a.example")
    app.add_url_rule("/", "second", lambda: "", host="b.example")
    app.add_url_rule("/", "third", lambda: "", host="b.example")
    assert "'third'" in messages("routes-shadowed", app, tmp_path)
    assert "'second': its" not in messages("routes-shadowed", app, tmp_path)


def test_subdomains_need_a_server_name(tmp_path: Path) -> None:
    app = good(tmp_path, subdomain_matching=True)
    app.add_url_rule("/", "of_the_interface", lambda: "", subdomain="api")
    assert "without SERVER_NAME" in messages("routes-unmatchable", app, tmp_path)
    app.config["SERVER_NAME"] = "shop.example"
    assert found_by("routes-unmatchable", app, tmp_path) == []


@pytest.mark.parametrize(
    ("rule", "meant"),
    [
        ("/items/:id", "/items/<id>"),
        ("/a:id/:id/x", "/a:id/<id>/x"),
        ("/{a}/<any('{a}', b):x>/{b-c}", "/<a>/<any('{a}', b):x>/<b_c>"),
        ("/{a:int}-{b: uuid}.html", "/<int:a>-<uuid:b>.html"),
        ("/{year:[0-9]+}/{rest:path}", "/<year>/<path:rest>"),
    ],
)
def test_variables_of_other_frameworks_are_found_with_the_rule_that_is_meant(
    rule: str, meant: str, tmp_path: Path
) -> None:
    app = Erlen("rules", root_path=str(tmp_path), static_folder=None)
    app.add_url_rule(rule, "view", lambda **values: "")
    [(finding, _)] = found_by("routes-braces", app, tmp_path)
    assert finding.fix == f"# in place of {rule!r}:\n{meant!r}"
    # The proposal is one that matches.
    app.add_url_rule(meant, "meant", lambda **values: "")
    assert len(found_by("routes-braces", app, tmp_path)) == 1


@pytest.mark.parametrize(
    "rule",
    ["/v1/<x>:cancel", "/v1/items:batch", "/{}", "/{7}", "/{<x>}", "/<any('{a}', ':b'):x>", "/:7", "/::a"],
)
def test_braces_and_colons_that_are_text_are_left_alone(rule: str, tmp_path: Path) -> None:
    app = Erlen("rules", root_path=str(tmp_path), static_folder=None)
    app.add_url_rule(rule, "view", lambda **values: "")
    app.add_url_rule("/elsewhere/{id}", "elsewhere", build_only=True)
    assert found_by("routes-braces", app, tmp_path) == []


def test_redirects_and_addresses_for_building_alone_need_no_view(tmp_path: Path) -> None:
    app = good(tmp_path)
    app.add_url_rule("/old", "old", redirect_to="/")
    app.add_url_rule("/elsewhere", "elsewhere", build_only=True)
    assert found_by("routes-without-view", app, tmp_path) == []


def test_a_class_without_an_answer_is_found(tmp_path: Path) -> None:
    app = good(tmp_path)

    class Empty(View): ...

    app.add_url_rule("/empty", view_func=Empty.as_view("empty"))
    assert "has no 'dispatch_request'" in messages("views-unanswered", app, tmp_path)


# Templates


def test_a_template_with_a_mistake_is_found_through_the_one_that_extends_it(tmp_path: Path) -> None:
    app = good(tmp_path)
    write(tmp_path, "templates/base.html", "\n{% if %}")
    assert "The template 'base.html', which the template 'page.html' uses, cannot be compiled" in messages(
        "templates-missing", app, tmp_path
    )
    assert "(templates/base.html:2)" in messages("templates-missing", app, tmp_path)


def test_what_a_template_includes_perhaps_is_left_alone(tmp_path: Path) -> None:
    app = good(tmp_path)
    write(tmp_path, "templates/base.html", "{% include 'a.html' ignore missing %}{% include name %}")
    assert found_by("templates-missing", app, tmp_path) == []


def test_templates_of_another_loader_are_not_looked_for(tmp_path: Path) -> None:
    from jinja2 import FunctionLoader

    app = templateless(tmp_path)
    asked: list[str] = []
    app.jinja_loader = FunctionLoader(lambda name: asked.append(name))
    report = report_of(app, tmp_path, "templates-missing")
    assert [reason for _, reason in report.not_applicable] == ["templates are not read from folders alone"]
    assert asked == []


def test_autoescape_is_judged_by_what_decides_it(tmp_path: Path) -> None:
    app = good(tmp_path)
    app.jinja_env.autoescape = False
    assert "are not escaped" in messages("autoescape-off", app, tmp_path)
    app.jinja_env.autoescape = lambda name: name is None or not name.endswith(".svg")
    assert [severity for _, severity in found_by("autoescape-off", app, tmp_path)] == ["warning"]


# Secrets


@pytest.mark.parametrize(
    "key",
    [
        "dev",
        "You-Will-Never-Guess",
        b'_5#y2L"F4Q8z\n\xec]/',
        "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
        "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET_KEY",
        "this-is-a-very-secret-key-of-more-than-32-characters",
        "django-insecure-%4a9)x2s(1q^w8#e7r6t5y4u3i2o1p0",
        "please-change-me-before-you-go-to-production-with-it",
    ],
)
def test_a_published_key_is_found(key: str | bytes, tmp_path: Path) -> None:
    """Superset's default key (CVE-2023-27524) and Airflow's (CVE-2020-17526) are among those that are known."""
    assert "one that everybody knows" in messages(
        "secret-key-weak", with_config(SECRET_KEY=key)(tmp_path), tmp_path
    )


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("k4PzV7nQ", "has fewer than 32 characters"),
        (b"\x8a\x01\xf3", "has fewer than 16 bytes"),
        ("a" * 64, "has fewer than 8 different characters"),
        ("k4PzV7nQxT" * 4, "is a shorter text over and over"),
    ],
)
def test_a_key_that_can_be_guessed_is_found(key: str | bytes, reason: str, tmp_path: Path) -> None:
    assert reason in messages("secret-key-weak", with_config(SECRET_KEY=key)(tmp_path), tmp_path)


@pytest.mark.parametrize("number", range(40))
def test_a_random_key_is_strong(number: int, tmp_path: Path) -> None:
    import secrets

    keys = [
        secrets.token_hex(),
        secrets.token_hex(16),
        secrets.token_urlsafe(24),
        os.urandom(16),
        os.urandom(24),
    ]
    app = with_config(SECRET_KEY=keys[0], SECRET_KEY_FALLBACKS=keys[1:])(tmp_path)
    assert found_by("secret-key-weak", app, tmp_path) == []


def test_an_application_without_sessions_is_advised_alone(tmp_path: Path) -> None:
    [(finding, severity)] = found_by("secret-key-missing", with_config(SECRET_KEY=None)(tmp_path), tmp_path)
    assert (severity, "Nothing that is loaded uses 'session' or 'flash'" in finding.message) == (
        "info",
        True,
    )


@pytest.mark.parametrize(("use", "severity"), [("framework.session", "error"), ("framework.g", "info")])
def test_a_module_that_imports_the_whole_package_is_read(
    use: str, severity: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    write(tmp_path, "uses_all.py", f"import erlen as framework\ndef view(): return {use}")
    sys.modules.pop("uses_all", None)
    importlib.import_module("uses_all")
    app = with_config(SECRET_KEY=None)(tmp_path)
    assert [found for _, found in found_by("secret-key-missing", app, tmp_path)] == [severity]


def test_sessions_of_another_interface_may_need_no_key(tmp_path: Path) -> None:
    class Stored(SessionInterface): ...

    app = using_sessions(tmp_path)
    app.session_interface = Stored()
    assert [severity for _, severity in found_by("secret-key-missing", app, tmp_path)] == ["info"]


def test_a_weak_fallback_key_is_found(tmp_path: Path) -> None:
    """Fallback keys open sessions: each is as good as the first one (CVE-2025-47278 is about the order)."""
    app = with_config(SECRET_KEY_FALLBACKS=[KEY[::-1], "changeme"])(tmp_path)
    assert "SECRET_KEY_FALLBACKS[1] is one that everybody knows" in messages("secret-key-weak", app, tmp_path)


def test_a_key_of_the_instance_folder_is_not_in_the_code(tmp_path: Path) -> None:
    write(tmp_path, "instance/config.py", f"SECRET_KEY = {KEY!r}")
    write(tmp_path, "venv/pyvenv.cfg")
    write(tmp_path, "venv/copy.py", f"SECRET_KEY = {KEY!r}")
    write(tmp_path, "default.py", "SECRET_KEY = 'dev'")
    assert found_by("secret-key-in-code", good(tmp_path), tmp_path) == []


def test_a_key_in_several_files_is_one_finding(tmp_path: Path) -> None:
    for name in ("a.py", "b.py", "c.py"):
        write(tmp_path, name, f"SECRET_KEY = {KEY!r}")
    [(finding, _)] = found_by("secret-key-in-code", good(tmp_path), tmp_path)
    assert "stands in a.py:1, and in 2 more files." in finding.message


def test_a_key_of_bytes_is_found_in_the_code(tmp_path: Path) -> None:
    key = bytes(range(100, 200, 3))
    write(tmp_path, "shop.py", f"app.secret_key = {key!r}")
    assert "shop.py:1" in messages("secret-key-in-code", with_config(SECRET_KEY=key)(tmp_path), tmp_path)


@pytest.mark.parametrize("fallbacks", ["one-text", [1], b"bytes"])
def test_fallback_keys_of_the_wrong_kind_are_found(fallbacks: t.Any, tmp_path: Path) -> None:
    app = with_config(SECRET_KEY_FALLBACKS=fallbacks)(tmp_path)
    assert "SECRET_KEY_FALLBACKS" in messages("config-secrets", app, tmp_path)


# Configuration


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"MAX_CONTENT_LENGTH": "16"}, "MAX_CONTENT_LENGTH is '16', where a number"),
        ({"MAX_FORM_PARTS": -1}, "MAX_FORM_PARTS is -1"),
        ({"SESSION_COOKIE_SAMESITE": "loose"}, "is 'loose', which is none of 'strict', 'lax', 'none', None"),
        ({"SESSION_COOKIE_SECURE": "yes"}, "SESSION_COOKIE_SECURE is the text 'yes'"),
        ({"PERMANENT_SESSION_LIFETIME": "31"}, "is a str, where a timedelta or seconds"),
    ],
)
def test_a_value_of_the_wrong_kind_is_found(config: dict[str, t.Any], words: str, tmp_path: Path) -> None:
    assert words in messages("config-types", with_config(**config)(tmp_path), tmp_path)


def test_a_policy_that_cannot_be_sent_is_found(tmp_path: Path) -> None:
    app = with_config(CONTENT_SECURITY_POLICY="default-src 'self'\nX: y", REFERRER_POLICY="nö")(tmp_path)
    found = messages("config-unusable", app, tmp_path)
    assert "Content-Security-Policy is set to" in found
    assert "Referrer-Policy is set to 'nö'" in found


def test_a_key_that_flask_removed_is_a_note(tmp_path: Path) -> None:
    [(finding, severity)] = found_by("config-unread", with_config(JSON_SORT_KEYS=False)(tmp_path), tmp_path)
    assert (severity, finding.fix) == ("info", "app.json.sort_keys  # in its place")


def test_keys_of_extensions_and_of_applications_are_left_alone(tmp_path: Path) -> None:
    keys = ("SESSION_TYPE", "REMEMBER_COOKIE_SECURE", "SQLALCHEMY_DATABASE_URI", "PAGE_SIZE", "MAIL_SERVER")
    assert found_by("config-unread", with_config(**dict.fromkeys(keys))(tmp_path), tmp_path) == []


@pytest.mark.parametrize(
    "name", ["shop.example", "shop.example:8000", "localhost", "bücher.example", "[::1]:80"]
)
def test_a_host_is_a_server_name(name: str, tmp_path: Path) -> None:
    assert found_by("server-name", with_config(SERVER_NAME=name)(tmp_path), tmp_path) == []


@pytest.mark.parametrize(
    "name", ["shop.example/shop", "shop example", ".shop.example", 8000, "shop.example:99999", ""]
)
def test_what_is_no_host_is_no_server_name(name: t.Any, tmp_path: Path) -> None:
    assert "SERVER_NAME is" in messages("server-name", with_config(SERVER_NAME=name)(tmp_path), tmp_path)


def test_an_application_root_begins_with_a_slash(tmp_path: Path) -> None:
    app = with_config(APPLICATION_ROOT="shop")(tmp_path)
    assert "APPLICATION_ROOT is 'shop'" in messages("server-name", app, tmp_path)


# Debug mode and what belongs to it


def test_debug_mode_of_the_environment_names_the_variable(tmp_path: Path) -> None:
    app = in_debug_mode(tmp_path)
    [(finding, _)] = found_by("debug-on", subject_of(app, tmp_path, ERLEN_DEBUG="1"), tmp_path)
    assert finding.message.startswith("Debug mode is on: ERLEN_DEBUG is '1'")
    [(finding, _)] = found_by("debug-on", subject_of(app, tmp_path, ERLEN_DEBUG="no"), tmp_path)
    assert "own configuration" in finding.message


def test_a_debugger_around_asgi_is_found(tmp_path: Path) -> None:
    Debugger = type(
        "Debugger", (), {"__module__": "erlen.debugger.middleware", "__call__": lambda *args: None}
    )
    layer = Debugger()
    app = good(tmp_path)
    vars(layer)["app"] = app.asgi
    t.cast(t.Any, app).asgi = layer
    assert "erlen.debugger.middleware.Debugger is around" in messages("development-middleware", app, tmp_path)


def test_a_profiler_is_a_warning(tmp_path: Path) -> None:
    from werkzeug.middleware.profiler import ProfilerMiddleware

    app = good(tmp_path)
    t.cast(t.Any, app).wsgi_app = ProfilerMiddleware(app.wsgi_app)
    [(finding, severity)] = found_by("development-middleware", app, tmp_path)
    assert (severity, "measures every request" in finding.message) == ("warning", True)


def test_middleware_that_names_itself_is_no_endless_chain(tmp_path: Path) -> None:
    app = good(tmp_path)

    def layer(environ: t.Any, start_response: t.Any) -> list[bytes]:
        return []

    vars(layer)["app"] = layer
    t.cast(t.Any, app).wsgi_app = layer
    assert found_by("development-middleware", app, tmp_path) == []


def test_queries_in_the_log_are_found(tmp_path: Path) -> None:
    app = with_config(SQLALCHEMY_ECHO=True)(tmp_path)
    assert "SQLALCHEMY_ECHO is on" in messages("logging-verbose", app, tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Procfile", "web: flask run --host=0.0.0.0"),
        ("Dockerfile", 'FROM python\nCMD ["flask", "--app", "shop", "run"]'),
        ("Containerfile", "CMD erlen -A shop run"),
        ("compose.yaml", "services:\n  web:\n    command: python -m flask --debug run"),
        ("deploy/shop.service", "[Service]\nExecStart=/srv/venv/bin/erlen --app=shop run"),
        ("docker/entrypoint.sh", "exec python shop.py"),
        ("Procfile", "web: python3.12 -m shop"),
    ],
)
def test_a_development_server_is_found(name: str, text: str, tmp_path: Path) -> None:
    write(tmp_path, name, text)
    write(tmp_path, "shop.py", "if __name__ == '__main__':\n    create_app().run(host='0.0.0.0')\n")
    assert "starts the development server" in messages("development-server", good(tmp_path), tmp_path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Procfile", "web: erlen --app shop serve\nworker: python worker.py\nlogs: docker run erlen"),
        (
            "Dockerfile",
            "FROM a AS dev\nCMD flask run\nFROM a\nRUN erlen --app shop init-db\nCMD gunicorn shop:app",
        ),
        ("Dockerfile.dev", "CMD flask run"),
        ("docker-compose.override.yml", "command: flask run"),
        ("compose.yaml", "# command: flask run\nimage: flask"),
        ("shop.service", "ExecStart=/srv/venv/bin/gunicorn shop:app"),
        ("Procfile", "web: python served.py"),
    ],
)
def test_a_server_for_production_is_no_finding(name: str, text: str, tmp_path: Path) -> None:
    write(tmp_path, name, text)
    write(tmp_path, "worker.py", "import asyncio\nasyncio.run(main())\n")
    write(tmp_path, "served.py", "import uvicorn\nuvicorn.run(app)\n")
    assert found_by("development-server", good(tmp_path), tmp_path) == []


def test_debug_mode_in_a_container_file_is_found(tmp_path: Path) -> None:
    write(tmp_path, "Dockerfile", "FROM python\nENV ERLEN_DEBUG=1\nENV FLASK_DEBUG=1\nENV ERLEN_DEBUG=0")
    found = messages("development-server", good(tmp_path), tmp_path)
    # The other variable is not read in this process.
    assert found.splitlines() == [
        "Dockerfile:2 switches debug mode on with ERLEN_DEBUG. Errors show the code and its variables to strangers."
    ]


# Cookies


@pytest.mark.parametrize(
    "config",
    [
        {"SESSION_COOKIE_NAME": "__Host-session"},
        {"SESSION_COOKIE_NAME": "__Secure-session", "SESSION_COOKIE_SECURE": False},
        {
            "SESSION_COOKIE_NAME": "__Host-session",
            "SESSION_COOKIE_SECURE": True,
            "SESSION_COOKIE_PATH": "/shop",
        },
        {
            "SESSION_COOKIE_NAME": "__Host-session",
            "SESSION_COOKIE_SECURE": True,
            "SESSION_COOKIE_DOMAIN": "a.example",
        },
    ],
)
def test_a_cookie_that_browsers_drop_for_its_name_is_an_error(
    config: dict[str, t.Any], tmp_path: Path
) -> None:
    [(finding, severity)] = found_by("cookie-prefix", with_config(**config)(tmp_path), tmp_path)
    assert (severity, "users are never logged in" in finding.message) == ("error", True)


def test_a_cookie_with_a_prefix_that_it_keeps_is_no_finding(tmp_path: Path) -> None:
    """CVE-2023-23934: the prefix is worth something since a cookie without a name does not pass for one with it."""
    app = with_config(SESSION_COOKIE_NAME="__Host-session", SESSION_COOKIE_SECURE=True)(tmp_path)
    assert found_by("cookie-prefix", app, tmp_path) == []


def test_a_session_for_frames_needs_secure_and_protection(tmp_path: Path) -> None:
    app = with_config(SESSION_COOKIE_SAMESITE="None", CROSS_ORIGIN_PROTECTION=False)(tmp_path)
    assert [severity for _, severity in found_by("cookie-samesite", app, tmp_path)] == ["error", "warning"]
    app.config.update(SESSION_COOKIE_SECURE=True, CROSS_ORIGIN_PROTECTION=True)
    assert found_by("cookie-samesite", app, tmp_path) == []


def test_sessions_that_end_at_once_are_an_error(tmp_path: Path) -> None:
    app = with_config(PERMANENT_SESSION_LIFETIME=0)(tmp_path)
    assert [severity for _, severity in found_by("session-lifetime", app, tmp_path)] == ["error"]


def test_a_size_of_cookies_that_browsers_do_not_keep_is_found(tmp_path: Path) -> None:
    app = with_config(MAX_COOKIE_SIZE=100_000)(tmp_path)
    assert "browsers keep 4093 bytes" in messages("session-size", app, tmp_path)


# Limits and hosts


def test_forms_without_any_limit_have_a_finding_for_each(tmp_path: Path) -> None:
    """CVE-2023-25577, CVE-2023-30798: parts without a limit; CVE-2024-49767, CVE-2026-54283: fields without one."""
    app = with_config(MAX_FORM_PARTS=None, MAX_FORM_MEMORY_SIZE=None)(tmp_path)
    assert len(found_by("form-limits", app, tmp_path)) == 2


def test_a_limit_that_is_none_is_found(tmp_path: Path) -> None:
    app = with_config(MAX_CONTENT_LENGTH=10 * 1024**3)(tmp_path)
    assert "MAX_CONTENT_LENGTH is 10240 MiB" in messages("body-limit", app, tmp_path)


def test_tokens_in_forms_take_the_place_of_the_protection_while_they_are_on(tmp_path: Path) -> None:
    app = with_config(CROSS_ORIGIN_PROTECTION=False)(tmp_path)
    app.extensions["csrf"] = object()
    assert found_by("cross-origin", app, tmp_path) == []
    app.config["WTF_CSRF_ENABLED"] = False
    assert "WTF_CSRF_ENABLED is False" in messages("cross-origin", app, tmp_path)


@pytest.mark.parametrize("host", ["*", "https://shop.example", "*.shop.example", "", 7])
def test_a_trusted_host_that_no_request_has_is_an_error(host: t.Any, tmp_path: Path) -> None:
    app = with_config(TRUSTED_HOSTS=["shop.example", host])(tmp_path)
    [(finding, severity)] = found_by("trusted-hosts", app, tmp_path)
    assert (severity, "which matches no host" in finding.message) == ("error", True)


def test_a_whole_top_level_domain_is_too_many_hosts(tmp_path: Path) -> None:
    app = with_config(TRUSTED_HOSTS=[".com", ".shop.example", ".localhost"])(tmp_path)
    assert (
        messages("trusted-hosts", app, tmp_path)
        == "TRUSTED_HOSTS has '.com', which trusts every host of that top-level domain."
    )


def test_hosts_of_the_request_class_count(tmp_path: Path) -> None:
    app = with_config(TRUSTED_HOSTS=None)(tmp_path)

    class Own(Request):
        trusted_hosts = ["shop.example"]

    app.request_class = Own
    assert found_by("trusted-hosts", app, tmp_path) == []


@pytest.mark.parametrize("counts", [{}, {"x_for": 1, "x_proto": 1, "x_host": 1}, {"x_for": 2}])
def test_proxies_as_they_are_usual_are_no_finding(counts: dict[str, int], tmp_path: Path) -> None:
    app = good(tmp_path)
    t.cast(t.Any, app).wsgi_app = ProxyFix(app.wsgi_app, **counts)
    assert found_by("proxy-headers", app, tmp_path) == []


def test_proxy_fix_twice_is_an_error(tmp_path: Path) -> None:
    app = good(tmp_path)
    t.cast(t.Any, app).wsgi_app = ProxyFix(ProxyFix(app.wsgi_app))
    [(finding, severity)] = found_by("proxy-headers", app, tmp_path)
    assert (severity, "2 times" in finding.message) == ("error", True)


def test_headers_of_proxies_from_anybody_are_an_error(tmp_path: Path) -> None:
    """Litestar's X-Forwarded-For that defeats a limit of requests is of this kind."""
    headers = pytest.importorskip("uvicorn.middleware.proxy_headers")
    app = good(tmp_path)
    asgi = app.asgi
    t.cast(t.Any, app).asgi = headers.ProxyHeadersMiddleware(asgi, trusted_hosts="*")
    assert [severity for _, severity in found_by("proxy-headers", app, tmp_path)] == ["error"]
    t.cast(t.Any, app).asgi = headers.ProxyHeadersMiddleware(asgi, trusted_hosts="127.0.0.1")
    assert found_by("proxy-headers", app, tmp_path) == []


def test_servers_that_believe_every_proxy_are_found(tmp_path: Path) -> None:
    subject = subject_of(good(tmp_path), tmp_path, FORWARDED_ALLOW_IPS="*")
    assert "FORWARDED_ALLOW_IPS is '*'" in messages("proxy-headers", subject, tmp_path)


def test_a_server_name_of_this_machine_leads_nowhere(tmp_path: Path) -> None:
    app = with_config(SERVER_NAME="localhost:5000", PREFERRED_URL_SCHEME="https")(tmp_path)
    assert "lead to the reader's own machine" in messages("url-scheme", app, tmp_path)


def test_credentials_for_named_origins_are_no_finding(tmp_path: Path) -> None:
    app = with_config(CORS_SUPPORTS_CREDENTIALS=True, CORS_ORIGINS=["https://app.example"])(tmp_path)
    assert found_by("cors-credentials", app, tmp_path) == []


# Files


def test_code_in_a_static_folder_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path, "static/lesson.py")
    assert [severity for _, severity in found_by("static-secrets", good(tmp_path), tmp_path)] == ["warning"]


def test_the_static_folder_of_a_blueprint_is_looked_at(tmp_path: Path) -> None:
    app = good(tmp_path)
    write(tmp_path, "admin/static/.env")
    app.register_blueprint(
        Blueprint("admin", __name__, root_path=str(tmp_path / "admin"), static_folder="static")
    )
    assert ".env from the static folder 'admin/static'" in messages("static-secrets", app, tmp_path)


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="users have no numbers here")
@pytest.mark.parametrize(
    "config",
    [
        {"CACHE_TYPE": "FileSystemCache", "CACHE_DIR": "shared"},
        {"SESSION_TYPE": "filesystem", "SESSION_FILE_DIR": "shared"},
    ],
)
def test_a_cache_of_an_extension_that_others_write_to_is_found(
    config: dict[str, str], tmp_path: Path
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    app = with_config(**{key: str(shared) if value == "shared" else value for key, value in config.items()})(
        tmp_path
    )
    shared.chmod(0o700)
    assert found_by("shared-caches", app, tmp_path) == []
    shared.chmod(0o777)
    assert "What they put there is executed" in messages("shared-caches", app, tmp_path)
