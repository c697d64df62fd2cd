"""Every kind of value a view may return, and some it may not."""

# Views are registered by their decorators; nothing else mentions them.
# pyright: reportUnusedFunction=false
from __future__ import annotations

import datetime
import decimal
import typing as t
import uuid
from dataclasses import dataclass

from werkzeug.datastructures import Headers
from werkzeug.exceptions import Forbidden, ImATeapot
from werkzeug.wrappers import Response as PlainResponse

from .framework import Framework

if t.TYPE_CHECKING:
    from erlen import Erlen


@dataclass
class Point:
    x: int
    y: int


class Marked:
    def __html__(self) -> str:
        return "<b>marked</b>"


def plain_wsgi(environ: t.Any, start_response: t.Any) -> list[bytes]:
    start_response("202 Accepted", [("Content-Type", "text/x-wsgi"), ("X-Path", environ["PATH_INFO"])])
    return [b"from ", b"wsgi"]


def values(f: Framework) -> dict[str, t.Callable[[], t.Any]]:
    """Return what makes each value, by the name its path has."""

    def generator() -> t.Iterator[str]:
        yield "one "
        yield "two ü"

    def byte_generator() -> t.Iterator[bytes]:
        yield b"one "
        yield b"two"

    def failing_generator() -> t.Iterator[str]:
        yield "before "
        raise LookupError("in the middle")

    return {
        "str": lambda: "text ü",
        "empty": lambda: "",
        "bytes": lambda: b"\x00\xff",
        "bytearray": lambda: bytearray(b"array"),
        "dict": lambda: {"b": 1, "a": ["ü", None, True, 1.5]},
        "dict-empty": dict[str, t.Any],
        "list": lambda: [1, "zwei", {"drei": 3}],
        "list-empty": list[t.Any],
        "generator": generator,
        "byte-generator": byte_generator,
        "failing-generator": failing_generator,
        "iterator": lambda: iter(["a", "b"]),
        "wsgi": lambda: plain_wsgi,
        "wsgi-status": lambda: (plain_wsgi, 418),
        "response": lambda: f.Response("response", 201, {"X-One": "1"}, mimetype="text/plain"),
        "response-plain": lambda: PlainResponse("werkzeug", 203),
        "response-status": lambda: (f.Response("r", headers={"X-A": "1"}), 299, {"X-A": "2", "X-B": "3"}),
        "status": lambda: ("made", 201),
        "status-text": lambda: ("made", "201 Very Well Made"),
        "status-text-only": lambda: ("made", "204 NOTHING"),
        "status-none": lambda: ("made", None),
        "status-enum": lambda: ("made", 404, {}),
        "status-odd": lambda: ("made", 799),
        "status-str-number": lambda: ("made", "404"),
        "status-empty-text": lambda: ("made", ""),
        "no-content": lambda: ("", 204),
        "not-modified": lambda: ("text", 304),
        "reset": lambda: ("", 205),
        "headers-dict": lambda: ("text", {"X-One": "1", "Content-Type": "text/plain"}),
        "headers-list": lambda: ("text", [("X-One", "1"), ("X-One", "2")]),
        "headers-values": lambda: ("text", {"X-One": ["1", "2"]}),
        "headers-object": lambda: ("text", Headers([("X-One", "1"), ("X-One", "2")])),
        "headers-length": lambda: ("text", 200, {"Content-Length": "4"}),
        "headers-unicode": lambda: ("text", 200, {"X-Name": "Jürgen"}),
        "headers-newline": lambda: ("text", 200, {"X-Name": "a\r\nSet-Cookie: b=c"}),
        "headers-int": lambda: ("text", 200, {"X-Number": 7}),
        "three": lambda: ("text", 202, {"X-One": "1"}),
        "three-dict": lambda: ({"a": 1}, 202, {"X-One": "1"}),
        "three-list": lambda: ([1], 202, [("X-One", "1")]),
        "tuple-dict-status": lambda: ({"error": "x"}, 400),
        "tuple-list-headers": lambda: ([1, 2], {"X-A": "b"}),
        "http-exception": lambda: ImATeapot("short and stout"),
        "http-exception-status": lambda: (Forbidden(), 418),
        "none": lambda: None,
        "none-status": lambda: (None, 200),
        "int": lambda: 17,
        "float": lambda: 1.5,
        "true": lambda: True,
        "set": lambda: {1},
        "object": object,
        "tuple-one": lambda: ("text",),
        "tuple-four": lambda: ("text", 200, {}, "more"),
        "tuple-empty": lambda: (),
        "tuple-wrong": lambda: ("text", 200, "headers"),
        "callable-wrong": lambda: lambda: "no wsgi",
        "class": lambda: dict,
        "jsonify": lambda: f.jsonify(a=1, b=[2]),
        "jsonify-list": lambda: f.jsonify([1, 2]),
        "jsonify-args": lambda: f.jsonify(1, 2),
        "jsonify-none": lambda: f.jsonify(),
        "jsonify-str": lambda: f.jsonify("ü<&"),
        "jsonify-both": lambda: f.jsonify(1, a=2),
        "json-kinds": lambda: {
            "date": datetime.date(2024, 2, 29),
            "time": datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.UTC),
            "naive": datetime.datetime(2024, 2, 29, 12, 30),
            "decimal": decimal.Decimal("1.10"),
            "uuid": uuid.UUID(int=7),
            "point": Point(1, 2),
            "html": Marked(),
            "markup": f.json.loads('"<i>"'),
        },
        "json-unknown": lambda: {"a": object()},
        "json-keys": lambda: {"b": 1, "a": 2, "c": {"z": 1, "y": 2}},
        "json-mixed-keys": lambda: {1: "a", "b": 2},
        "json-int-keys": lambda: {2: "a", 1: "b"},
        "json-nan": lambda: {"nan": float("nan")},
        "json-large": lambda: {"numbers": list(range(50))},
        "made-response": lambda: f.make_response("made", 201, {"X-A": "1"}),
        "made-response-none": lambda: f.make_response(),
        "made-response-dict": lambda: f.make_response({"a": 1}),
        "made-response-tuple": lambda: f.make_response(("x", 202)),
        "redirect": lambda: f.redirect("/elsewhere?a=ü"),
        "redirect-303": lambda: f.redirect("/elsewhere", 303),
        "redirect-308": lambda: f.redirect("https://example.org/x", code=308),
        "redirect-relative": lambda: f.redirect("elsewhere"),
        "redirect-html": lambda: f.redirect('/a"><script>'),
        "redirect-newline": lambda: f.redirect("/a\r\nX-Evil: 1"),
        "abort-response": lambda: f.abort(f.Response("aborted", 409)),
    }


def register(app: Erlen, f: Framework) -> None:
    for name, make in values(f).items():
        app.add_url_rule(f"/returns/{name}", f"returns_{name}", make, methods=["GET", "POST"])

    @app.route("/cookies/set")
    def set_cookies() -> t.Any:
        response = f.make_response("cookies")
        response.set_cookie("plain", "value")
        response.set_cookie("all", "v v", 60, path="/p", domain="x.test", secure=True, httponly=True)
        response.set_cookie("strict", "ü", samesite="strict")
        response.delete_cookie("gone", path="/p")
        return response

    @app.route("/headers/all")
    def headers() -> t.Any:
        response = f.Response("headers")
        response.headers["X-A"] = "1"
        response.headers.add("X-A", "2")
        response.headers.extend({"X-B": ["3", "4"]})
        response.cache_control.max_age = 60
        response.cache_control.public = True
        response.vary.add("Accept")
        response.content_language.add("de")
        response.allow.add("GET")
        response.location = "/sub path?x=1"
        response.access_control_allow_origin = "*"
        response.content_security_policy.default_src = "'self'"
        response.www_authenticate.realm = "r"
        return response

    @app.route("/response/autocorrect")
    def autocorrect() -> t.Any:
        response = f.redirect("next")
        response.autocorrect_location_header = True
        return response

    @app.route("/response/direct")
    def direct_passthrough() -> t.Any:
        return f.Response(iter([b"a", b"b"]), direct_passthrough=True)

    @app.route("/response/etag")
    def etag() -> t.Any:
        response = f.make_response("tagged content")
        response.add_etag()
        response.last_modified = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
        return response.make_conditional(f.request)

    @app.route("/response/ranges")
    def ranges() -> t.Any:
        response = f.make_response(b"0123456789")
        return response.make_conditional(f.request, accept_ranges=True, complete_length=10)

    @app.route("/response/closing")
    def closing() -> t.Any:
        response = f.make_response("closing")
        trace: list[str] = app.extensions["parity"]
        response.call_on_close(lambda: trace.append("response closed"))
        return response

    @app.route("/response/mimetype/<kind>")
    def mimetype(kind: str) -> t.Any:
        return f.Response("x", mimetype=f"application/{kind}")

    @app.route("/response/content-type")
    def content_type() -> t.Any:
        return f.Response("x", content_type="text/html; charset=latin-1")

    @app.route("/response/after-this-request")
    def after_this_request() -> t.Any:
        def add(response: t.Any) -> t.Any:
            response.headers["X-After"] = "this"
            app.extensions["parity"].append("after this request")
            return response

        f.after_this_request(add)
        return "after"

    @app.route("/response/generator-context")
    def generator_context() -> t.Any:
        def generate() -> t.Iterator[str]:
            yield f.request.path
            yield f.request.args.get("a", "-")
            app.extensions["parity"].append("stream done")

        return f.stream_with_context(generate())

    @app.route("/response/generator-decorated")
    def generator_decorated() -> t.Any:
        def generate(prefix: str) -> t.Iterator[str]:
            yield prefix
            f.g.streamed = "g"
            yield f.request.method
            yield f.g.streamed

        return f.stream_with_context(generate)("pre "), {"X-Streamed": "yes"}

    @app.route("/response/generator-session")
    def generator_session() -> t.Any:
        f.session["seen"] = 1

        def generate() -> t.Iterator[str]:
            yield str(f.session["seen"])

        return f.stream_with_context(generate())
