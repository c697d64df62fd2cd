"""Building URLs, and which map and host they are built from."""

from __future__ import annotations

import importlib
import typing as t

import flask
import pytest
from werkzeug.exceptions import SecurityError
from werkzeug.routing import BuildError

from erlen import Blueprint, Erlen, request, urls
from erlen.ctx import current_request_context
from erlen.helpers import redirect, url_for


def _nothing(**values: t.Any) -> str:
    return ""


def _shop(package: str, **options: t.Any) -> t.Any:
    """Return the same application on Flask or on Erlen."""
    framework = importlib.import_module(package)
    app = getattr(framework, "Flask" if package == "flask" else "Erlen")(
        "shop", static_folder=None, **options
    )
    app.config["TESTING"] = True
    app.add_url_rule("/", "index", _nothing)
    app.add_url_rule("/item/<name>", "item", _nothing, methods=["GET", "POST"])
    app.add_url_rule("/item/<name>/edit", "item", _nothing, methods=["PUT"])
    app.add_url_rule("/files/<path:path>", "files", _nothing)
    app.add_url_rule("/page/", "page", _nothing, defaults={"number": 1})
    app.add_url_rule("/page/<int:number>", "page", _nothing)
    app.add_url_rule("/ü/<float:x>", "unicode", _nothing)
    inner = framework.Blueprint("inner", __name__)
    inner.add_url_rule("/list", "list", _nothing)
    outer = framework.Blueprint("outer", __name__, url_prefix="/outer")
    outer.add_url_rule("/", "index", _nothing)
    outer.register_blueprint(inner, url_prefix="/inner")
    app.register_blueprint(outer)
    return app


def _asked(app: t.Any, endpoint: str, options: dict[str, t.Any]) -> str:
    try:
        return t.cast(str, app.url_for(endpoint, **options))
    except (BuildError, RuntimeError, ValueError) as error:
        return type(error).__name__


CASES: list[tuple[str, dict[str, t.Any]]] = [
    ("index", {}),
    ("index", {"q": "ü&=", "list": [1, 2], "left_out": None}),
    ("index", {"_anchor": "ä b#/?x%20"}),
    ("index", {"_anchor": ""}),
    ("index", {"_external": True}),
    ("index", {"_external": False}),
    ("index", {"_scheme": "https"}),
    ("index", {"_scheme": ""}),
    ("index", {"_scheme": "ftp", "_external": True}),
    ("index", {"_scheme": "https", "_external": False}),
    ("item", {"name": "a/b ü?"}),
    ("item", {"name": "x", "_method": "POST"}),
    ("item", {"name": "x", "_method": "PUT"}),
    ("item", {"name": "x", "_method": "DELETE"}),
    ("item", {}),
    ("files", {"path": "/evil.example/x"}),
    ("files", {"path": "a/../b"}),
    ("page", {"number": 1}),
    ("page", {"number": 2, "sort": "up"}),
    ("unicode", {"x": 1.5}),
    ("outer.index", {}),
    ("outer.inner.list", {"_external": True}),
    (".index", {}),
    (".list", {}),
    ("..index", {}),
    ("nothing", {}),
    ("", {}),
]


@pytest.mark.parametrize("path", ["/", "/outer/", "/outer/inner/list", "/no/such/page"])
@pytest.mark.parametrize(
    "base_url", ["http://localhost/", "https://example.com:8443/mounted/", "http://bücher.example"]
)
@pytest.mark.parametrize("server_name", [None, "Shop.Example:80"])
def test_url_for_in_a_request_is_the_same_as_flask_s(
    path: str, base_url: str, server_name: str | None
) -> None:
    answers: list[list[str]] = []
    for package in ("flask", "erlen"):
        app = _shop(package)
        app.config["SERVER_NAME"] = server_name
        with app.test_request_context(path, base_url=base_url):
            answers.append([_asked(app, endpoint, dict(options)) for endpoint, options in CASES])
    assert answers[1] == answers[0]


@pytest.mark.parametrize(
    "server_name", [None, "shop.example", "shop.example:443", "müller.example:8080", "[::1]:5000"]
)
@pytest.mark.parametrize("root", ["/", "/mounted", "/mounted/"])
def test_url_for_outside_a_request_is_the_same_as_flask_s(server_name: str | None, root: str) -> None:
    answers: list[list[str]] = []
    for package in ("flask", "erlen"):
        app = _shop(package)
        app.config.update(SERVER_NAME=server_name, APPLICATION_ROOT=root, PREFERRED_URL_SCHEME="https")
        answers.append([_asked(app, endpoint, dict(options)) for endpoint, options in CASES])
        with app.app_context():
            answers[-1] += [_asked(app, endpoint, dict(options)) for endpoint, options in CASES]
    assert answers[1] == answers[0]


@pytest.mark.parametrize("host", ["api.shop.example", "shop.example", "API.Shop.Example:80", "other.example"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"subdomain_matching": True},
        {"host_matching": True, "static_host": "static.example"},
    ],
    ids=["plain", "subdomain_matching", "host_matching"],
)
@pytest.mark.filterwarnings("ignore:Current server name:UserWarning")
def test_hosts_and_subdomains_match_and_build_as_in_flask(host: str, options: dict[str, t.Any]) -> None:
    answers: list[list[t.Any]] = []
    for make in (flask.Flask, Erlen):
        app: t.Any = make("shop", **options)
        app.config["SERVER_NAME"] = "shop.example"
        place = {"host": "<name>.shop.example"} if "host_matching" in options else {"subdomain": "<name>"}
        if options:
            app.add_url_rule("/", "tenant", lambda name: f"tenant {name}", **place)
        app.add_url_rule(
            "/", "index", lambda: "index", **({"host": "shop.example"} if "host_matching" in options else {})
        )
        response = app.test_client().get("/", headers={"Host": host})
        answers.append([response.status_code, response.text if response.status_code == 200 else None])
        with app.test_request_context("/", headers={"Host": host}):
            answers[-1] += [_asked(app, "index", {}), _asked(app, "tenant", {"name": "api"})]
            answers[-1] += [_asked(app, "tenant", {"name": "other", "_external": True})]
    assert answers[1] == answers[0]


def test_default_subdomain_is_used_without_subdomain_matching(app: Erlen) -> None:
    app.url_map.default_subdomain = "www"
    app.config["SERVER_NAME"] = "shop.example"
    app.add_url_rule("/", "index", lambda: "index")
    assert app.test_client().get("/", headers={"Host": "anything.example"}).text == "index"
    with app.test_request_context("/"):
        assert app.url_for("index", _external=True) == "http://www.shop.example/"


def test_no_adapter_without_request_and_server_name(app: Erlen) -> None:
    assert urls.create_url_adapter(t.cast(t.Any, app), None) is None


def test_a_host_that_is_not_trusted_is_answered_with_400(app: Erlen) -> None:
    app.config["TRUSTED_HOSTS"] = ["shop.example", ".trusted.example"]
    app.add_url_rule("/", "index", lambda: "index")
    client = app.test_client()
    for host, status in [
        ("shop.example", 200),
        ("a.b.trusted.example:8080", 200),
        ("evil.example", 400),
        ("shop.example.evil.example", 400),
        ("shopXexample", 400),
    ]:
        assert client.get("/", headers={"Host": host}).status_code == status, host


def test_the_trusted_hosts_count_when_the_host_was_read_before_they_were_known(app: Erlen) -> None:
    request = app.request_class(
        {"HTTP_HOST": "evil.example", "wsgi.url_scheme": "http", "REQUEST_METHOD": "GET"}
    )
    assert request.host == "evil.example"
    app.config["TRUSTED_HOSTS"] = ["shop.example"]
    with pytest.raises(SecurityError, match="evil"):
        urls.create_url_adapter(t.cast(t.Any, app), request)


def test_the_error_page_for_an_untrusted_host_can_link_relatively(app: Erlen) -> None:
    app.config["TRUSTED_HOSTS"] = ["shop.example"]
    app.add_url_rule("/", "index", _nothing)

    @app.errorhandler(400)
    def refused(error: Exception) -> tuple[str, int]:
        with pytest.raises(SecurityError):
            url_for("index", _external=True)
        return f"go to {url_for('index', q=1)}", 400

    response = app.test_client().get("/", base_url="http://evil.example/mounted")
    assert (response.status_code, response.text) == (400, "go to /mounted/?q=1")


def test_outside_a_request_the_error_says_what_to_configure(app: Erlen) -> None:
    app.add_url_rule("/", "index", _nothing)
    with pytest.raises(RuntimeError) as caught:
        app.url_for("index")
    text = str(caught.value)
    assert "Cannot build a URL for endpoint 'index': no request is being handled" in text
    assert 'app.config["SERVER_NAME"] = "example.com"' in text
    assert "with app.test_request_context():" in text


def test_an_application_builds_from_its_own_map_in_the_context_of_another() -> None:
    first, second = Erlen("first"), Erlen("second")
    first.add_url_rule("/first", "index", _nothing)
    second.add_url_rule("/second", "index", _nothing)
    with first.test_request_context("/first"):
        with pytest.raises(
            RuntimeError, match="the active context is of <Erlen 'first'>, not of <Erlen 'second'>"
        ):
            second.url_for("index")
        second.config["SERVER_NAME"] = "second.example"
        assert second.url_for("index") == "http://second.example/second"
        assert url_for("index") == "/first"


def test_a_scheme_for_a_relative_url_is_a_contradiction(app: Erlen) -> None:
    app.add_url_rule("/", "index", _nothing)
    with app.test_request_context("/"), pytest.raises(ValueError) as caught:
        url_for("index", _scheme="https", _external=False)
    assert str(caught.value) == (
        "url_for('index', _scheme='https', _external=False) contradicts itself: only an absolute URL has a "
        "scheme. Leave out '_external', or leave out '_scheme'."
    )


def test_a_function_in_place_of_an_endpoint_is_named(app: Erlen) -> None:
    app.add_url_rule("/", "index", _nothing)
    with app.test_request_context("/"):
        with pytest.raises(TypeError, match=r"registered as 'index': call url_for\('index'\)"):
            url_for(t.cast(t.Any, _nothing))
        with pytest.raises(TypeError, match="takes the name of an endpoint, not None of type 'NoneType'"):
            url_for(t.cast(t.Any, None))


def test_an_anchor_may_be_a_number(app: Erlen) -> None:
    app.add_url_rule("/", "index", _nothing)
    with app.test_request_context("/"):
        assert url_for("index", _anchor=t.cast(t.Any, 5)) == "/#5"


def _notes(path: str | None, endpoint: str) -> list[str]:
    app = _shop("erlen")
    app.config["SERVER_NAME"] = "shop.example"
    context = app.app_context() if path is None else app.test_request_context(path)
    with context, pytest.raises(BuildError) as caught:
        app.url_for(endpoint)
    return getattr(caught.value, "__notes__", [])


@pytest.mark.parametrize(
    ("path", "endpoint", "notes"),
    [
        (
            "/outer/inner/list",
            "list",
            ["The blueprint of this request has 'outer.inner.list': call url_for('.list')."],
        ),
        (
            "/outer/",
            ".item",
            [
                "'.item' means 'outer.item' in the blueprint 'outer'.",
                "The application has 'item': call url_for('item').",
            ],
        ),
        ("/", ".nothing", ["'.nothing' means 'nothing' outside a blueprint."]),
        (
            None,
            ".index",
            [
                (
                    "'.index' is relative to the blueprint of a request, and no request is being handled. Give the "
                    "whole name: url_for('blueprint.index')."
                ),
            ],
        ),
        ("/", "item", []),
    ],
)
def test_build_errors_explain_relative_endpoints(path: str | None, endpoint: str, notes: list[str]) -> None:
    assert _notes(path, endpoint) == notes


def test_async_build_error_handler_is_refused(app: Erlen) -> None:
    async def ask(error: BuildError, endpoint: str, values: dict[str, t.Any]) -> str:
        raise AssertionError("nobody awaits this")

    app.url_build_error_handlers.append(t.cast("t.Any", ask))
    with (
        app.test_request_context("/"),
        pytest.raises(
            TypeError, match="'url_build_error_handlers' is async.*write 'def' in place of 'async def'"
        ),
    ):
        url_for("missing")


def test_build_error_handlers_are_asked_in_order_with_the_options(app: Erlen) -> None:
    seen: list[t.Any] = []

    def first(error: BuildError, endpoint: str, values: dict[str, t.Any]) -> None:
        seen.append((type(error), endpoint, values))

    def second(error: BuildError, endpoint: str, values: dict[str, t.Any]) -> str:
        return f"/elsewhere/{endpoint}"

    handlers: list[t.Any] = [first, second]
    app.url_build_error_handlers.extend(handlers)
    with app.test_request_context("/"):
        assert url_for("nothing", a=1, _anchor="x") == "/elsewhere/nothing"
    values = {"a": 1, "_anchor": "x", "_method": None, "_scheme": None, "_external": False}
    assert seen == [(BuildError, "nothing", values)]


def test_a_build_error_from_a_handler_replaces_the_first(app: Erlen) -> None:
    seen: list[BuildError] = []

    def replace(error: BuildError, endpoint: str, values: dict[str, t.Any]) -> str:
        raise BuildError("replaced", {}, None)

    def look(error: BuildError, endpoint: str, values: dict[str, t.Any]) -> None:
        seen.append(error)

    handlers: list[t.Any] = [replace, look]
    app.url_build_error_handlers.extend(handlers)
    with app.test_request_context("/"), pytest.raises(BuildError) as caught:
        url_for("nothing")
    assert caught.value.endpoint == "replaced"
    assert seen == [caught.value]


def test_other_errors_of_a_build_error_handler_go_on(app: Erlen) -> None:
    def broken(error: BuildError, endpoint: str, values: dict[str, t.Any]) -> str:
        raise ZeroDivisionError

    app.url_build_error_handlers.append(broken)
    with app.test_request_context("/"), pytest.raises(ZeroDivisionError):
        url_for("nothing")


def test_url_defaults_run_from_the_application_to_the_innermost_blueprint(app: Erlen) -> None:
    order: list[str] = []

    def note(name: str) -> t.Callable[[str, dict[str, t.Any]], None]:
        def add(endpoint: str, values: dict[str, t.Any]) -> None:
            order.append(f"{name} {endpoint}")
            values.setdefault("lang", name)

        return add

    inner = Blueprint("inner", __name__)
    inner.add_url_rule("/list", "list", _nothing)
    inner.url_defaults(note("inner"))
    outer = Blueprint("outer", __name__, url_prefix="/<lang>")
    outer.url_defaults(note("outer"))
    outer.register_blueprint(inner)
    app.url_defaults(note("app"))
    app.register_blueprint(outer)
    with app.test_request_context("/"):
        assert url_for("outer.inner.list") == "/app/list"
        assert url_for("outer.inner.list", lang="de") == "/de/list"
    assert order[:3] == ["app outer.inner.list", "outer outer.inner.list", "inner outer.inner.list"]


def test_url_values_pulled_from_one_url_are_put_into_the_next(app: Erlen) -> None:
    shop = Blueprint("shop", __name__, url_prefix="/<lang>")

    @shop.url_value_preprocessor
    def pull(endpoint: str | None, values: dict[str, t.Any] | None) -> None:
        assert values is not None
        current["lang"] = values.pop("lang")

    @shop.url_defaults
    def put(endpoint: str, values: dict[str, t.Any]) -> None:
        values.setdefault("lang", current["lang"])

    @shop.route("/")
    def index() -> str:
        return url_for(".about")

    @shop.route("/about")
    def about() -> str:
        return "about"

    current: dict[str, str] = {}
    app.register_blueprint(shop)
    assert app.test_client().get("/de/").text == "/de/about"


def test_url_methods_of_a_subclass_are_called() -> None:
    class Traced(Erlen):
        def inject_url_defaults(self, endpoint: str, values: dict[str, t.Any]) -> None:
            values["injected"] = "yes"

        def handle_url_build_error(self, error: BuildError, endpoint: str, values: dict[str, t.Any]) -> str:
            return "/handled"

    app = Traced("traced")
    app.add_url_rule("/", "index", _nothing)
    with app.test_request_context("/"):
        assert url_for("index") == "/?injected=yes"
        assert url_for("nothing") == "/handled"


@pytest.mark.parametrize(
    "path", ["//evil.example", "//evil.example/page", "///evil.example/page", "/\\evil.example/page"]
)
def test_cve_2020_28724_a_path_with_two_slashes_is_no_redirect_to_another_host(app: Erlen, path: str) -> None:
    app.add_url_rule("/<path:path>/", "any", _nothing)
    app.add_url_rule("/evil.example/page/", "page", _nothing)
    response = app.test_client().get("/", environ_overrides={"PATH_INFO": path})
    assert response.status_code in {200, 308, 404}
    if response.status_code == 308:
        assert response.headers["Location"].startswith("http://localhost/")


@pytest.mark.parametrize(
    "path", ["//evil.example", "///evil.example", "/\\evil.example", "/\t/evil.example", "@evil.example"]
)
def test_cve_2020_28724_redirecting_to_the_path_of_the_request_stays_here(app: Erlen, path: str) -> None:
    @app.before_request
    def away() -> t.Any:
        return redirect(current_request_context().request.path)

    location = app.test_client().get("/", environ_overrides={"PATH_INFO": path}).headers["Location"]
    assert location[0] == "/"
    assert location[1:2] not in {"/", "\\"}


def test_cve_2026_54282_an_at_sign_in_the_path_does_not_move_the_authority(app: Erlen) -> None:
    app.add_url_rule("/<name>/", "any", _nothing)
    response = app.test_client().get("/", environ_overrides={"PATH_INFO": "@evil.example"})
    assert response.headers["Location"] == "http://localhost/@evil.example/"


@pytest.mark.parametrize(
    ("location", "sent"),
    [
        ("/a\r\nSet-Cookie: x=1", "/a%0D%0ASet-Cookie:%20x=1"),
        ("/a\nX: y", "/a%0AX:%20y"),
        ("/\t/evil.example", "/%09/evil.example"),
        ("/a\x00b\x7f", "/a%00b%7F"),
        ("/ü?q=ü", "/%C3%BC?q=%C3%BC"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
    ],
)
def test_cve_2016_9964_control_characters_do_not_split_the_headers_of_a_redirect(
    app: Erlen, location: str, sent: str
) -> None:
    for view in (redirect, app.redirect):
        fresh = Erlen("redirects")
        fresh.add_url_rule("/", "away", lambda view=view: view(location))
        response = fresh.test_client().get("/")
        assert response.status_code == 302
        assert response.headers["Location"] == sent
        assert "Set-Cookie" not in response.headers


def test_adapter_is_made_of_the_proxy_of_the_request_too(app: Erlen) -> None:
    with app.test_request_context("/", base_url="http://shop.example/"):
        adapter = app.create_url_adapter(request)
        assert adapter is not None
        assert adapter.server_name == "shop.example"
