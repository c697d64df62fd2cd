"""httpbin: what was sent is told back; authentication, cookies, redirects, streams, compression, ranges, Swagger's pages."""

from __future__ import annotations

import base64
import io
import json
import typing as t
from pathlib import Path

from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

if t.TYPE_CHECKING:
    from flask import Flask

    from visitor import Visitor

DISTRIBUTIONS = ["httpbin", "flasgger"]
APPLICATION = True
ENVIRONMENT = "small"

VARIES = (
    # What the server asks to be used once, in an answer and in the cookie that goes with it.
    (r'(nonce|opaque)="[0-9a-f]{32}"', r'\1="<random>"'),
    # The time in the head of a compressed file.
    (r"(?s)^(\x1f\\x8b\x08\x00).*?(\\xff-)", r"\1<time>\2"),
)


def make_app(folder: Path) -> Flask:
    from httpbin import app

    return app


def play(visitor: Visitor) -> None:
    pages(visitor)
    what_was_sent(visitor)
    signing_in(visitor)
    bodies(visitor)
    assert visitor.get("/status/418").status_code == 418
    assert visitor.post("/status/503").status_code == 503
    assert visitor.get("/get/more").status_code == 404
    refused = visitor.get("/post")
    assert (refused.status_code, refused.allow.as_set()) == (405, {"options", "post"})


def pages(visitor: Visitor) -> None:
    assert "<title>httpbin.org</title>" in visitor.get("/").text
    assert "HTTP Request &amp; Response Service" in visitor.get("/legacy").text
    # The description of the interface, which flasgger reads from the docstrings of the views.
    description = visitor.get("/spec.json").json
    assert description["paths"]["/anything/{anything}"]["patch"]["responses"]["200"]
    assert ".swagger-ui" in visitor.get("/flasgger_static/swagger-ui.css").text
    assert "Customer name" in visitor.get("/forms/post").text
    assert visitor.get("/robots.txt").text == "User-agent: *\nDisallow: /deny\n"


def what_was_sent(visitor: Visitor) -> None:
    told = visitor.get("/get?a=1&a=2&b=x", headers={"X-Thing": "yes"}).json
    assert told["args"] == {"a": ["1", "2"], "b": "x"}
    assert (told["headers"]["X-Thing"], told["url"]) == ("yes", "http://localhost/get?a=1&a=2&b=x")

    fields = {"k": "v", "f": FileStorage(io.BytesIO(b"content of a file"), "a.txt")}
    boundary, body = encode_multipart(fields, boundary="here")
    told = visitor.post("/post", data=body, content_type=f"multipart/form-data; boundary={boundary}").json
    assert (told["form"], told["files"]) == ({"k": "v"}, {"f": "content of a file"})
    assert visitor.put("/put", json={"x": [1, 2]}).json["json"] == {"x": [1, 2]}
    told = visitor.patch("/anything/of/it", data=b"\xff\xfe", content_type="application/octet-stream").json
    assert (told["method"], told["data"]) == ("PATCH", "data:application/octet-stream;base64,//4=")
    assert visitor.get("/user-agent", headers={"User-Agent": "a visitor"}).json == {"user-agent": "a visitor"}

    asked = visitor.options(
        "/get", headers={"Origin": "http://elsewhere", "Access-Control-Request-Headers": "X-A"}
    )
    assert asked.headers["Access-Control-Allow-Origin"] == "http://elsewhere"
    assert asked.headers["Access-Control-Allow-Headers"] == "X-A"


def signing_in(visitor: Visitor) -> None:
    assert visitor.get("/basic-auth/me/secret").headers["WWW-Authenticate"] == 'Basic realm="Fake Realm"'
    password = base64.b64encode(b"me:secret").decode()
    told = visitor.get("/basic-auth/me/secret", headers={"Authorization": f"Basic {password}"})
    assert told.json == {"authenticated": True, "user": "me"}
    assert visitor.get("/bearer").status_code == 401
    assert visitor.get("/bearer", headers={"Authorization": "Bearer abc"}).json["token"] == "abc"
    digest = visitor.get("/digest-auth/auth/me/secret/MD5")
    assert digest.status_code == 401
    assert digest.www_authenticate.type == "digest"

    assert visitor.get("/cookies/set?one=1&two=2").location == "/cookies"
    assert visitor.get("/cookies").json["cookies"].items() >= {"one": "1", "two": "2"}.items()
    assert "one" not in visitor.get("/cookies/delete?one=", follow_redirects=True).json["cookies"]
    assert visitor.get("/redirect/3").location == "/relative-redirect/2"
    assert (
        visitor.get("/redirect/3?absolute=true", follow_redirects=True).json["url"] == "http://localhost/get"
    )
    assert visitor.get("/redirect-to?url=/get&status_code=307").status_code == 307


def bodies(visitor: Visitor) -> None:
    lines = visitor.get("/stream/4").text.splitlines()
    assert [json.loads(line)["id"] for line in lines] == [0, 1, 2, 3]
    assert visitor.get("/drip?numbytes=5&duration=0.05&delay=0").text == "*****"
    for path, coding in (("/gzip", "gzip"), ("/deflate", "deflate"), ("/brotli", "br")):
        assert visitor.get(path).headers["Content-Encoding"] == coding
    part = visitor.get("/range/100?chunk_size=4", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.headers["Content-Range"], part.text) == (
        206,
        "bytes 10-19/100",
        "klmnopqrst",
    )
    assert visitor.get("/range/100", headers={"Range": "bytes=200-"}).status_code == 416
    assert visitor.get("/image", headers={"Accept": "image/webp"}).content_type == "image/webp"
    assert visitor.get("/image", headers={"Accept": "text/plain"}).status_code == 406
    assert visitor.get("/bytes/16?seed=1").content_length == 16
    assert visitor.get("/encoding/utf8").text.startswith("<h1>Unicode Demo</h1>")
    assert visitor.get("/etag/abc", headers={"If-None-Match": "abc"}).status_code == 304
    assert visitor.get("/etag/abc", headers={"If-Match": "other"}).status_code == 412
    assert visitor.get("/cache", headers={"If-Modified-Since": "x"}).status_code == 304
    assert visitor.get("/xml").content_type == "application/xml"
