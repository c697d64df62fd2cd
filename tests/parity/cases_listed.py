"""The hand-listed requests: returns, hooks, errors, routing, hosts."""

from __future__ import annotations

from . import part_errors, part_returns, part_routing
from .calling import Case
from .framework import FLASK


def _gets(app: str, *targets: str) -> list[Case]:
    return [Case(app, "GET", target) for target in targets]


def _methods(app: str, target: str, *methods: str) -> list[Case]:
    return [Case(app, method, target) for method in methods]


def returns() -> list[Case]:
    names = list(part_returns.values(FLASK))
    cases = [case for name in names for case in _methods("returns", f"/returns/{name}", "GET", "HEAD")]
    cases += _gets("returns-sorted", *(f"/returns/{name}" for name in names if "json" in name))
    cases += _gets(
        "returns",
        "/cookies/set",
        "/headers/all",
        "/response/autocorrect",
        "/response/direct",
        "/response/closing",
        "/response/mimetype/json",
        "/response/mimetype/xml",
        "/response/mimetype/xhtml+xml",
        "/response/mimetype/javascript",
        "/response/mimetype/octet-stream",
        "/response/content-type",
        "/response/after-this-request",
        "/response/generator-context?a=%C3%BC",
        "/response/generator-decorated",
        "/response/generator-session",
    )
    cases += _methods("returns", "/response/etag", "GET", "HEAD")
    tag = '"cdb23c3c3a5b0fd6b4d1d1ecb4d8a6c4"'
    for header in (
        ("If-None-Match", tag),
        ("If-None-Match", "*"),
        ("If-None-Match", "nonsense"),
        ("If-Modified-Since", "Mon, 01 Jan 2024 00:00:00 GMT"),
        ("If-Modified-Since", "Sun, 31 Dec 2023 00:00:00 GMT"),
        ("If-Modified-Since", "yesterday"),
        ("If-Match", '"other"'),
        ("If-Unmodified-Since", "Sun, 31 Dec 2023 00:00:00 GMT"),
    ):
        cases.append(Case("returns", "GET", "/response/etag", (header,), note=": ".join(header)))
    for value in RANGES:
        cases.append(Case("returns", "GET", "/response/ranges", (("Range", value),), note=value))
    return cases


RANGES = (
    "bytes=0-3", "bytes=5-", "bytes=-4", "bytes=-0", "bytes=0-0", "bytes=9-99", "bytes=10-", "bytes=3-1",
    "bytes=0-1,3-4", "lines=0-1", "bytes", "bytes=a-b", "bytes=\u0661-2", "bytes=", "bytes=--1",
)  # fmt: skip


def hooks() -> list[Case]:
    cases: list[Case] = []
    targets = (
        "/", "/raise", "/stream", "/static-response", "/missing", "/de/page", "/de/page?stop=app1",
        "/parent/", "/parent/child/", "/parent/child/grandchild/", "/parent/raise", "/parent/child/raise",
        "/parent/child/grandchild/raise", "/parent/abort/404", "/parent/child/abort/404", "/parent/missing",
        "/parent/child/grandchild/abort/404", "/again/", "/again/child/", "/parent", "/parent/child?stop=child1",
        "/?stop=app1", "/?stop=app2", "/parent/?stop=parent2", "/parent/child/?stop=parent1",
        "/parent/child/grandchild/?stop=grandchild2", "/?raise=before-app1", "/?raise=before-app2",
        "/?raise=after-app1", "/?raise=after-app2", "/parent/child/?raise=after-child1",
        "/parent/child/?raise=before-child2", "/parent/abort/500", "/parent/child/abort/418", "/static/style.css",
    )  # fmt: skip
    for app in ("hooks", "hooks-signals"):
        cases += _gets(app, *targets)
        cases += _methods(app, "/", "HEAD", "OPTIONS", "POST")
        cases += _methods(app, "/parent/", "HEAD", "OPTIONS", "POST")
    for app in ("teardown", "teardown-signals", "teardown-propagate"):
        views = ("/fine", "/divide", "/unhandled", "/missing")
        cases += _gets(app, *(f"{view}{query}" for view in views for query in ("", "?after=1", "?handler=1")))
    return cases


def errors() -> list[Case]:
    cases: list[Case] = []
    exceptions = list(part_errors.EXCEPTIONS)
    cases += _gets(
        "errors", *(f"{at}/exception/{name}" for at in ("", "/shop", "/shop/inner") for name in exceptions)
    )
    for app in ("errors-bare", "errors-signals", "errors-testing", "errors-debug", "errors-propagate"):
        cases += _gets(app, *(f"/exception/{name}" for name in exceptions))
    for app in ("errors-contained", "errors-trap-http", "errors-trap-bad"):
        cases += _gets(
            app, *(f"/exception/{name}" for name in ("key", "zero", "not-found", "bad-request", "teapot"))
        )
    codes = (
        301,
        400,
        401,
        403,
        404,
        405,
        406,
        409,
        410,
        413,
        415,
        416,
        418,
        422,
        429,
        451,
        500,
        501,
        503,
        504,
        200,
        999,
    )
    for app, at in (("errors", ""), ("errors", "/shop"), ("errors", "/shop/inner"), ("errors-bare", "")):
        cases += _gets(app, *(f"{at}/abort/{code}" for code in codes))
    for app in ("errors", "errors-bare"):
        cases += _gets(
            app, "/abort/404/text%20%3Cb%3E", "/abort-description", "/missing-key", "/context", "/nowhere"
        )
        cases += _methods(app, "/abort/404", "HEAD", "POST", "PUT", "OPTIONS", "BREW")
        cases += _methods(app, "/missing-form", "POST", "GET")
    for app in ("errors-debug", "errors-trap-bad", "errors-testing", "errors-trap-http"):
        cases += _gets(app, "/missing-key", "/abort/404", "/abort/400", "/nowhere")
        cases += _methods(app, "/missing-form", "POST", "GET")
    cases += _gets(
        "errors", "/shop/nowhere", "/shop/inner/nowhere", "/shop/missing-key", "/shop/inner/missing-key"
    )
    return cases


PATHS = (
    "/plain", "/plain/", "/plain/sub", "//plain", "/plain//sub", "/slash", "/slash/", "/slash//", "/slash/deeper",
    "/slash?a=1&b=%C3%BC", "/lax", "/lax/", "/lax-leaf", "/lax-leaf/", "/string/abc", "/string/a%20b", "/string/",
    "/string/%C3%BC", "/string/a%2Fb", "/string/fixed", "/string/..", "/string/%", "/string/%FF", "/string/%00",
    "/length/ab", "/length/abc", "/bounds/a", "/bounds/ab", "/bounds/abcd", "/bounds/abcde", "/int/0", "/int/7",
    "/int/007", "/int/-1", "/int/x", "/int/1.0", "/int/%D9%A1", "/int/99999999999999999999999", "/int/1%0A",
    "/int-bounds/0", "/int-bounds/9", "/int-bounds/10", "/int-fixed/007", "/int-fixed/7", "/signed/-7", "/signed/7",
    "/signed/+7", "/float/1.5", "/float/1", "/float/1.", "/float/-1.5", "/float/1e5", "/float-signed/-1.5",
    "/float-signed/11.0", "/path/a", "/path/a/b/c", "/path/", "/path/a/edit", "/path/edit", "/path/a//b",
    "/path/a%2Fb", "/any/red", "/any/light%20blue", "/any/pink", "/uuid/00000000-0000-0000-0000-000000000007",
    "/uuid/00000000-0000-0000-0000-00000000000G", "/uuid/ABCDEF00-0000-0000-0000-000000000007", "/list/a+b",
    "/list/a", "/two/ab/12", "/two/ab", "/mixed/1-name", "/mixed/name.json", "/mixed/1-name.json", "/both/1",
    "/both/one", "/deep/a/1/b/c", "/deep/a/x/b", "/defaults/", "/defaults", "/defaults/page/1", "/defaults/page/2",
    "/alias", "/old-alias", "/old-alias?a=b", "/moved", "/moved/7", "/only-post", "/put-delete", "/custom-method",
    "/%C3%BCn%C3%AF/x", "/%c3%bcn%c3%af/%C3%9F", "/with%20space", "/with+space", "/a//b", "/a/b", "/keep//x",
    "/keep/x", "/websocket", "/resource", "/twice/a", "/twice/b", "/named-endpoint", "/no-view", "/nowhere", "",
    "//evil.test/", "//evil.test/..", "/plain%0D%0AX: y", "/\\evil.test", "/@evil.test", "/./plain", "/../plain",
    "/PLAIN", "/plain?", "/plain;a=b", "/static/style.css", "/static/../scenario.py", "/static/%2e%2e/x", "/static",
)  # fmt: skip


def routing() -> list[Case]:
    cases = _gets("routing", *PATHS)
    cases += _gets(
        "routing-debug", "/slash", "/defaults/page/1", "/old-alias", "/nowhere", "/int/x", "/async/raise"
    )
    for target in (
        "/plain",
        "/only-post",
        "/resource",
        "/put-delete",
        "/no-options",
        "/own-options",
        "/custom-method",
    ):
        cases += _methods(
            "routing", target, "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PURGE", "BREW"
        )
    for target in ("/slash", "/alias", "/old-alias", "/moved", "/defaults/page/1", "//plain", "/lax"):
        cases += _methods("routing", target, "HEAD", "OPTIONS", "POST")
        cases += _methods("routing-debug", target, "HEAD", "OPTIONS", "POST")
    for target in ("/class/counter/1", "/class/items", "/class/items/3", "/class/head", "/class/async"):
        cases += _methods("routing", target, "GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE")
    cases += _gets(
        "routing", "/async/view/3", "/async/raise", "/async/session", "/async/hooked", "/async/view/x"
    )
    for app in ("routing", "routing-named"):
        cases += _gets(app, *(f"/build/{name}" for name in part_routing.BUILDS))
    cases += _methods("routing-no-options", "/plain", "GET", "OPTIONS", "POST")
    cases += [
        Case("routing", "GET", "/slash?a=1", environ=(("SCRIPT_NAME", "/mounted"),), note="mounted"),
        Case("routing", "GET", "/build/external", environ=(("SCRIPT_NAME", "/mounted"),), note="mounted"),
        Case("routing", "GET", "/slash", environ=(("wsgi.url_scheme", "https"),), note="https"),
        Case("routing", "GET", "/slash", (("Host", "b\u00fccher.test:8080"),), note="host"),
        Case(
            "routing", "GET", "/slash", environ=(("HTTP_HOST", None), ("SERVER_PORT", "81")), note="no host"
        ),
        Case("routing-named", "GET", "/plain", (("Host", "other.test"),), note="other host"),
        Case("routing", "GET", "/plain", environ=(("PATH_INFO", "plain"),), note="no slash"),
        Case("routing", "GET", "/plain", environ=(("PATH_INFO", None),), note="no path"),
        Case("routing", "get", "/plain", note="lower case"),
    ]
    return cases


def hosts() -> list[Case]:
    cases: list[Case] = []
    for host in (
        "one.test",
        "ann.two.test",
        "two.test",
        "a.b.two.test",
        "ONE.test",
        "one.test:80",
        "one.test:8080",
        "x",
    ):
        cases += [
            Case("hosts", "GET", path, (("Host", host),), note=host)
            for path in ("/", "/port", "/static/style.css")
        ]
    for host in (
        "parity.test",
        "ann.parity.test",
        "admin.parity.test",
        "a.b.parity.test",
        "other.test",
        "Admin.Parity.test",
    ):
        for path in ("/", "/home", "/home/"):
            cases.append(Case("subdomains", "GET", path, (("Host", host),), note=host))
    return cases
