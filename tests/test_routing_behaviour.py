"""Routing as requests see it: converters, slashes, redirects, hosts, methods, and what is answered otherwise."""

from __future__ import annotations

import typing as t
import uuid

import pytest
from werkzeug.routing import BaseConverter, Rule, ValidationError
from werkzeug.routing.rules import Submount

from erlen import Erlen, request, session, url_for
from erlen.testing import ErlenClient

FLOAT_OF_400_DIGITS = "9" * 400


def show(**values: object) -> dict[str, object]:
    return {"endpoint": request.endpoint, "values": {name: repr(value) for name, value in values.items()}}


def values_of(client: ErlenClient, path: str) -> dict[str, str] | int:
    """Return the values a path gives its view, or the status of an error."""
    response = client.get(path)
    if response.status_code != 200:
        return response.status_code
    return t.cast("dict[str, str]", t.cast("t.Any", response.json)["values"])


@pytest.mark.parametrize(
    ("rule", "path", "expected"),
    [
        ("/<int:v>", "/5", "5"),
        ("/<int:v>", "/05", "5"),
        ("/<int:v>", "/-5", None),
        ("/<int:v>", "/x", None),
        ("/<int:v>", "/5.0", None),
        ("/<int(signed=True):v>", "/-5", "-5"),
        ("/<int(signed=True):v>", "/+5", None),
        ("/<int(min=3, max=5):v>", "/2", None),
        ("/<int(min=3, max=5):v>", "/4", "4"),
        ("/<int(min=3, max=5):v>", "/6", None),
        ("/<int(fixed_digits=3):v>", "/005", "5"),
        ("/<int(fixed_digits=3):v>", "/5", None),
        ("/<float:v>", "/1.5", "1.5"),
        ("/<float:v>", "/1", None),
        ("/<float:v>", "/-1.5", None),
        ("/<float(signed=True):v>", "/-1.5", "-1.5"),
        ("/<float(min=1.0, max=2.0):v>", "/2.5", None),
        ("/<v>", "/a", "'a'"),
        ("/<v>", "/a/b", None),
        ("/<v>", "/a%2Fb", None),
        ("/<string(length=2):v>", "/ab", "'ab'"),
        ("/<string(length=2):v>", "/abc", None),
        ("/<string(minlength=2, maxlength=3):v>", "/a", None),
        ("/<string(minlength=2, maxlength=3):v>", "/abc", "'abc'"),
        ("/<path:v>", "/a/b", "'a/b'"),
        ("/<path:v>/edit", "/a/b/edit", "'a/b'"),
        ("/<any(a, 'b c'):v>", "/b%20c", "'b c'"),
        ("/<any(a, 'b c'):v>", "/d", None),
        ("/<uuid:v>", f"/{uuid.UUID(int=1)}", repr(uuid.UUID(int=1))),
        ("/<uuid:v>", f"/{uuid.UUID(int=1).hex}", None),
        ("/page-<int:v>.html", "/page-7.html", "7"),
        ("/page-<int:v>.html", "/page-.html", None),
    ],
)
def test_built_in_converter(
    app: Erlen, client: ErlenClient, rule: str, path: str, expected: str | None
) -> None:
    app.add_url_rule(rule, "show", show)
    assert values_of(client, path) == (404 if expected is None else {"v": expected})


@pytest.mark.parametrize(
    "text",
    ["nan", "inf", "1e5", "1.", ".5", "1.5.5", "1_0.5", "²·½", "-1.5", "1,5"],
)
def test_float_converter_answers_404_to_what_is_no_float(app: Erlen, client: ErlenClient, text: str) -> None:
    """Werkzeug: a ValueError of the float converter was answered with 500."""
    app.add_url_rule("/<float:v>", "show", show)
    assert client.get(f"/{text}").status_code == 404


def test_float_converter_takes_more_digits_than_a_float_holds(app: Erlen, client: ErlenClient) -> None:
    """Werkzeug: a ValueError of the float converter was answered with 500."""
    app.add_url_rule("/<float:v>", "show", show)
    assert client.get(f"/{FLOAT_OF_400_DIGITS}.0").status_code in {200, 404}


@pytest.mark.parametrize("rule", ["/<int:v>", "/<int(signed=True):v>"])
def test_int_converter_answers_404_to_more_digits_than_python_converts(
    app: Erlen, client: ErlenClient, rule: str
) -> None:
    """CVE-2020-10735 of Python: ``int()`` raises ValueError above 4,300 digits; not to be answered with 500."""
    app.add_url_rule(rule, "show", show)
    assert client.get(f"/{'9' * 5000}").status_code == 404


class ListConverter(BaseConverter):
    """Values that are parted by commas."""

    def to_python(self, value: str) -> list[str]:
        return value.split(",")

    def to_url(self, value: t.Iterable[str]) -> str:
        return ",".join(super(ListConverter, self).to_url(item) for item in value)


def test_custom_converter_both_ways(app: Erlen, client: ErlenClient) -> None:
    app.url_map.converters["list"] = ListConverter
    app.add_url_rule("/<list:v>", "show", show)
    assert values_of(client, "/a,b") == {"v": "['a', 'b']"}
    with app.test_request_context():
        assert url_for("show", v=["x y", "z"]) == "/x%20y,z"


def test_custom_converter_with_arguments(app: Erlen, client: ErlenClient) -> None:
    class Base(BaseConverter):
        regex = "[0-9a-f]+"

        def __init__(self, url_map: t.Any, base: int, *, plus: int = 0) -> None:
            super().__init__(url_map)
            self.base, self.plus = base, plus

        def to_python(self, value: str) -> int:
            return int(value, self.base) + self.plus

    app.url_map.converters["base"] = Base
    app.add_url_rule("/<base(16, plus=1):v>", "show", show)
    assert values_of(client, "/ff") == {"v": "256"}


def test_custom_converter_that_does_not_validate_is_not_found(app: Erlen, client: ErlenClient) -> None:
    class Even(BaseConverter):
        regex = r"\d+"

        def to_python(self, value: str) -> int:
            if int(value) % 2:
                raise ValidationError
            return int(value)

    app.url_map.converters["even"] = Even
    app.add_url_rule("/<even:v>", "even", show)
    assert values_of(client, "/4") == {"v": "4"}
    assert values_of(client, "/5") == 404


def test_custom_converter_that_matches_slashes(app: Erlen, client: ErlenClient) -> None:
    class Pair(BaseConverter):
        regex = r"[^/]+/[^/]+"
        part_isolating = False

    app.url_map.converters["pair"] = Pair
    app.add_url_rule("/<pair:v>/end", "show", show)
    assert values_of(client, "/a/b/end") == {"v": "'a/b'"}
    assert values_of(client, "/a/end") == 404


def test_custom_converter_that_reads_the_session(app: Erlen, client: ErlenClient) -> None:
    app.secret_key = "key"

    class Mine(BaseConverter):
        def to_python(self, value: str) -> str:
            return f"{value} of {session.get('user')}"

    app.url_map.converters["mine"] = Mine
    app.add_url_rule("/<mine:v>", "show", show)
    with client.session_transaction() as opened:
        opened["user"] = "Ada"
    response = client.get("/box")
    assert t.cast("t.Any", response.json)["values"] == {"v": "'box of Ada'"}
    assert response.headers["Vary"] == "Cookie"


def test_defaults_redirect_to_the_short_url(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/pages/", "pages", show, defaults={"page": 1})
    app.add_url_rule("/pages/<int:page>", "pages", show)
    assert values_of(client, "/pages/") == {"page": "1"}
    assert values_of(client, "/pages/2") == {"page": "2"}
    response = client.get("/pages/1?sort=up")
    assert (response.status_code, response.location) == (308, "http://localhost/pages/?sort=up")
    with app.test_request_context():
        assert [url_for("pages", page=page) for page in (1, 2)] == ["/pages/", "/pages/2"]


def test_missing_slash_is_redirected_to(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/folder/", "folder", show, methods=["GET", "POST"])
    response = client.get("/folder?a=1&b=ü")
    assert response.status_code == 308
    assert response.location == "http://localhost/folder/?a=1&b=%C3%BC"
    assert client.post("/folder", data={"a": "1"}, follow_redirects=True).status_code == 200


def test_slash_too_many_is_not_found(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/file", "file", show)
    assert client.get("/file/").status_code == 404


def test_strict_slashes_off_for_a_rule(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/folder/", "folder", show, strict_slashes=False)
    app.add_url_rule("/file", "file", show, strict_slashes=False)
    assert {client.get(path).status_code for path in ("/folder", "/folder/", "/file", "/file/")} == {200}


def test_strict_slashes_off_for_the_map(app: Erlen, client: ErlenClient) -> None:
    app.url_map.strict_slashes = False
    app.add_url_rule("/folder/", "folder", show)
    assert client.get("/folder").status_code == 200


def test_slashes_are_merged(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/a/<v>/b", "show", show)
    response = client.get("/a//x///b?q=1")
    assert (response.status_code, response.location) == (308, "http://localhost/a/x/b?q=1")


def test_slashes_inside_a_path_value_are_kept(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/<path:v>", "show", show)
    assert values_of(client, "/a//b") == {"v": "'a//b'"}


def test_slashes_are_not_merged_when_switched_off(app: Erlen, client: ErlenClient) -> None:
    app.url_map.merge_slashes = False
    app.add_url_rule("/a/<v>", "show", show)
    assert client.get("/a//x").status_code == 404


@pytest.mark.parametrize(
    "path", ["//evil.test", "//evil.test/..", "///evil.test", "/\\evil.test", "//evil.test/%2f.."]
)
@pytest.mark.parametrize("rule", ["/<v>/", "/<path:v>/"])
def test_redirect_stays_on_the_host(app: Erlen, client: ErlenClient, rule: str, path: str) -> None:
    """Werkzeug's CVE-2020-28724: ``//evil`` became an open redirect."""
    app.add_url_rule(rule, "show", show)
    location = client.get("/", environ_overrides={"PATH_INFO": path}).headers.get("Location", "")
    assert not location.startswith(("//", "/\\"))
    assert "://" not in location or location.startswith("http://localhost/")


def test_redirect_to_a_template(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/new/<int:v>", "new", show)
    app.add_url_rule("/old/<int:v>", "old", redirect_to="new/<v>")
    response = client.get("/old/3")
    assert (response.status_code, response.location) == (308, "http://localhost/new/3")


def test_redirect_to_a_function(app: Erlen, client: ErlenClient) -> None:
    def target(adapter: t.Any, v: int) -> str:
        return f"new/{v + 1}"

    app.add_url_rule("/old/<int:v>", "old", redirect_to=target)
    assert client.get("/old/3").location == "http://localhost/new/4"


def test_alias_redirects_to_the_canonical_rule(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/users/", "users", show, defaults={"page": 1})
    app.add_url_rule("/users/page/<int:page>", "users", show)
    app.add_url_rule("/users.html", "users", show, defaults={"page": 1}, alias=True)
    response = client.get("/users.html")
    assert (response.status_code, response.location) == (308, "http://localhost/users/")
    with app.test_request_context():
        assert url_for("users", page=1) == "/users/"


def test_build_only_rule_is_not_matched(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/cdn/<v>", "cdn", build_only=True)
    with app.test_request_context():
        assert url_for("cdn", v="a") == "/cdn/a"
    assert client.get("/cdn/a").status_code == 404


def test_static_parts_come_before_variables(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/<path:v>", "path", show)
    app.add_url_rule("/<v>", "text", show)
    app.add_url_rule("/<int:v>", "number", show)
    app.add_url_rule("/fixed", "fixed", show)

    def endpoint(path: str) -> str:
        return t.cast("str", t.cast("t.Any", client.get(path).json)["endpoint"])

    assert [endpoint(path) for path in ("/fixed", "/7", "/x", "/x/y")] == ["fixed", "number", "text", "path"]


def test_one_path_with_a_view_for_each_method(app: Erlen, client: ErlenClient) -> None:
    app.get("/item")(lambda: "read")
    app.post("/item", endpoint="write")(lambda: "write")
    assert (client.get("/item").text, client.post("/item").text) == ("read", "write")


def test_rule_of_another_method_does_not_hide_a_later_match(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/fixed", "fixed", show, methods=["POST"])
    app.add_url_rule("/<v>", "text", show)
    assert values_of(client, "/fixed") == {"v": "'fixed'"}


def test_rules_can_be_added_to_the_map_itself(app: Erlen, client: ErlenClient) -> None:
    app.url_map.add(Submount("/sub", [Rule("/<int:v>", endpoint="show")]))
    app.view_functions["show"] = show
    assert values_of(client, "/sub/1") == {"v": "1"}


def test_head_is_answered_without_a_body(app: Erlen, client: ErlenClient) -> None:
    app.get("/")(lambda: "answer")
    response = client.head("/")
    assert (response.status_code, response.data, response.content_length) == (200, b"", 6)


def test_options_are_answered_with_the_methods_of_all_rules(app: Erlen, client: ErlenClient) -> None:
    app.get("/<v>", endpoint="read")(show)
    app.put("/<v>", endpoint="write")(show)
    response = client.options("/a")
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS, PUT"


def test_wrong_method_is_answered_with_the_right_ones(app: Erlen, client: ErlenClient) -> None:
    app.get("/<v>", endpoint="read")(show)
    app.put("/<v>", endpoint="write")(show)
    response = client.delete("/a")
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS, PUT"


@pytest.mark.parametrize("path", ["/\u00e9", "/a"])
@pytest.mark.parametrize("host_matching", [False, True])
def test_methods_are_named_in_the_same_order_whoever_matches(path: str, host_matching: bool) -> None:
    """A host of its own, or a letter beyond ASCII, leaves the path to Werkzeug, which has them in a set."""
    options: dict[str, t.Any] = {"host": "localhost"} if host_matching else {}
    app = Erlen("shop", static_folder=None, host_matching=host_matching)
    names = ["PUT", "DELETE", "PATCH", "GET", "COPY", "MOVE", "LOCK"]
    app.add_url_rule("/<v>", "all", show, methods=names, **options)
    expected = "COPY, DELETE, GET, HEAD, LOCK, MOVE, OPTIONS, PATCH, PUT"
    for protocol in ("wsgi", "asgi"):
        client = app.test_client(protocol=protocol)
        assert client.post(path).headers["Allow"] == expected
        assert client.options(path).headers["Allow"] == expected


def test_unknown_method_is_answered_with_405(app: Erlen, client: ErlenClient) -> None:
    app.get("/")(lambda: "answer")
    assert client.open("/", method="BREW").status_code == 405


def test_not_found_is_404_for_any_method(app: Erlen, client: ErlenClient) -> None:
    app.get("/a")(lambda: "answer")
    assert {client.open("/b", method=name).status_code for name in ("GET", "POST", "OPTIONS", "HEAD")} == {
        404
    }


@pytest.fixture
def shop() -> Erlen:
    """An application that matches subdomains below ``shop.test``."""
    app = Erlen("shop", root_path="/srv", subdomain_matching=True)
    app.config["SERVER_NAME"] = "shop.test"
    app.add_url_rule("/", "main", show)
    app.add_url_rule("/", "admin", show, subdomain="admin")
    app.add_url_rule("/", "user", show, subdomain="<user>.people")
    return app


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("shop.test", ("main", {})),
        ("SHOP.test", ("main", {})),
        ("admin.shop.test", ("admin", {})),
        ("ada.people.shop.test", ("user", {"user": "'ada'"})),
        ("other.shop.test", None),
    ],
)
def test_subdomain_matching(shop: Erlen, host: str, expected: tuple[str, dict[str, str]] | None) -> None:
    response = shop.test_client().get("/", base_url=f"http://{host}")
    if expected is None:
        assert response.status_code == 404
    else:
        assert response.json == {"endpoint": expected[0], "values": expected[1]}


def test_host_that_is_not_the_server_is_not_found_and_warned_about(shop: Erlen) -> None:
    with pytest.warns(UserWarning, match=r"elsewhere\.test"):
        assert shop.test_client().get("/", base_url="http://elsewhere.test").status_code == 404


def test_url_of_another_subdomain_is_external(shop: Erlen) -> None:
    with shop.test_request_context(base_url="http://shop.test"):
        assert url_for("main") == "/"
        assert url_for("user", user="ada") == "http://ada.people.shop.test/"


def test_server_name_does_not_limit_hosts_without_subdomain_matching(app: Erlen, client: ErlenClient) -> None:
    app.config["SERVER_NAME"] = "shop.test"
    app.add_url_rule("/", "show", show)
    assert values_of(client, "http://elsewhere.test/") == {}


def test_host_matching() -> None:
    app = Erlen("hosts", root_path="/srv", host_matching=True, static_folder=None)
    app.add_url_rule("/", "one", show, host="one.test")
    app.add_url_rule("/", "port", show, host="two.test:8080")
    app.add_url_rule("/", "any", show, host="<name>.test")
    client = app.test_client()

    def endpoint(host: str) -> object:
        return t.cast("t.Any", client.get("/", base_url=f"http://{host}").json or {}).get("endpoint")

    assert [endpoint(host) for host in ("one.test", "two.test:8080", "two.test", "x.org")] == [
        "one",
        "port",
        "any",
        None,
    ]


@pytest.mark.parametrize(
    "text", ["größe", "日本語", "😀", "e\u0301", "a b", "100%", "a+b", "؟", "a;b", "a&b=c"]
)
def test_unicode_value_there_and_back(app: Erlen, client: ErlenClient, text: str) -> None:
    app.add_url_rule("/wert/<v>", "show", show)
    with app.test_request_context():
        url = url_for("show", v=text)
    assert url.isascii()
    assert values_of(client, url) == {"v": repr(text)}


def test_unicode_in_a_rule(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/größe/☃/", "show", show)
    assert values_of(client, "/größe/☃/") == {}
    response = client.get("/größe/☃")
    assert (response.status_code, response.location) == (308, "http://localhost/gr%C3%B6%C3%9Fe/%E2%98%83/")
    with app.test_request_context():
        assert url_for("show") == "/gr%C3%B6%C3%9Fe/%E2%98%83/"


def test_unicode_digits_are_read_as_werkzeug_does(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/<int:v>", "show", show)
    assert values_of(client, "/٣") == {"v": "3"}


@pytest.mark.parametrize("path", ["/%ff", "/%c3%28", "/%00", "/%", "/%zz", "/a%0d%0ab", "/%ed%a0%80"])
def test_path_that_is_no_text_is_not_answered_with_500(app: Erlen, client: ErlenClient, path: str) -> None:
    app.add_url_rule("/<v>", "show", show)
    app.add_url_rule("/", "index", show)
    assert client.get(path).status_code in {200, 400, 404}
    assert values_of(client, "/next") == {"v": "'next'"}


def test_path_below_a_script_name(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/folder/", "folder", lambda: url_for("folder"))
    base = "http://localhost/mounted"
    assert client.get("/folder/", base_url=base).text == "/mounted/folder/"
    assert client.get("/folder", base_url=base).location == "http://localhost/mounted/folder/"


def test_empty_path_is_redirected_to_the_root(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", "index", show)
    response = client.get("/", base_url="http://localhost/mounted", environ_overrides={"PATH_INFO": ""})
    assert (response.status_code, response.location) == (308, "http://localhost/mounted/")


def test_last_of_many_routes_is_found(app: Erlen, client: ErlenClient) -> None:
    for number in range(500):
        app.add_url_rule(f"/r{number}/<v>", f"e{number}", show)
    assert t.cast("t.Any", client.get("/r499/x").json)["endpoint"] == "e499"


def rules_of_many_kinds() -> Erlen:
    app = Erlen("erlen_test", root_path=".")
    for rule, methods in [
        ("/", ["GET"]),
        ("/items", ["GET", "POST"]),
        ("/items/<int:number>", ["GET"]),
        ("/items/<name>", ["POST"]),
        ("/both/<int:number>", ["GET"]),
        ("/both/<name>", ["GET"]),
        ("/mixed/<name>", ["GET"]),
        ("/mixed/new", ["GET"]),
        ("/small/<int(max=9):number>", ["GET"]),
        ("/slash/<int:number>/", ["GET"]),
        ("/deep/<int:number>/<name>", ["GET"]),
        ("/files/<path:name>", ["GET"]),
        ("/plain/<name>", ["GET"]),
        ("/signed/<int(signed=True):number>", ["GET"]),
        ("/default/<int:number>", ["GET"]),
    ]:
        app.add_url_rule(rule, f"{rule} {methods}", lambda **values: {"values": values}, methods=methods)
    app.add_url_rule("/default/", "default", lambda **values: {"values": values}, defaults={"number": 1})
    return app


def test_answers_do_not_depend_on_what_was_asked_before() -> None:
    """What the first request of a kind has found is remembered for those that follow."""
    paths = [
        "/", "/items", "/items/", "/items/7", "/items/007", "/items/x", "/items/7/", "/items//7", "/items/7x", "/items/-7",
        "/items/%D9%A3", "/items/" + "9" * 5000, "/both/7", "/both/x", "/both/", "/mixed/new", "/mixed/old", "/mixed/x/y",
        "/small/9", "/small/10", "/slash/7", "/slash/7/", "/deep/7/x", "/deep/x/7", "/files/a", "/files/a/b", "/plain/%C3%A9",
        "/plain/7", "/plain/a%2Fb", "/signed/-7", "/signed/7", "/default/", "/default/1", "/default/2",
    ]  # fmt: skip
    requests = [(method, path) for path in paths for method in ("GET", "POST", "HEAD", "OPTIONS", "DELETE")]

    def answer(app: Erlen, method: str, path: str) -> tuple[t.Any, ...]:
        response = app.test_client().open(path, method=method)
        allowed = sorted(response.headers.get("Allow", "").split(", "))
        return method, path, response.status_code, response.headers.get("Location"), allowed, response.data

    expected = [answer(rules_of_many_kinds(), *request) for request in requests]
    asked = rules_of_many_kinds()
    assert [answer(asked, *request) for request in requests] == expected
    assert [answer(asked, *request) for request in reversed(requests)] == expected[::-1]
