"""The hand-listed requests: bodies, headers, cookies, files, templates."""

from __future__ import annotations

from .calling import Case
from .cases_listed import RANGES

URLENCODED = ("Content-Type", "application/x-www-form-urlencoded")
JSON = ("Content-Type", "application/json")
BOUNDARY = ("Content-Type", "multipart/form-data; boundary=edge")


def part(name: str, content: bytes, *, filename: str | None = None, extra: str = "") -> bytes:
    """Return one part of a multipart body."""
    disposition = f'form-data; name="{name}"' + ("" if filename is None else f'; filename="{filename}"')
    return f"--edge\r\nContent-Disposition: {disposition}\r\n{extra}\r\n".encode() + content + b"\r\n"


def multipart(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--edge--\r\n"


def requests() -> list[Case]:
    return [*_urls(), *_bodies(), *_json(), *_headers(), *_limits(), *_sessions()]


def _urls() -> list[Case]:
    queries = (
        "a=1&b=2&a=3", "a", "a=", "=b", "&&a=1&", "a=%C3%BC", "a=%FF", "a=%", "a=%zz", "a=1;b=2", "a+b=c+d", "a=b=c",
        "%00=%00", "\u00fc=raw", "a=%F0%9F%8C%8A", "page=3", "page=x", "page=", "page=%D9%A3",
    )  # fmt: skip
    cases = [Case("requests", "GET", f"/request/args?{query}") for query in queries]
    cases += [Case("requests", "GET", f"/request/args/int?{query}") for query in queries[-4:]]
    cases += [
        Case("requests", "GET", f"/request/url{rest}")
        for rest in ("", "?a=1", "/a%20b?c=%C3%BC", "/%C3%BC", "/%3Fx", "/a%2Fb", "?%FF")
    ]
    for host in (
        "example.org",
        "example.org:80",
        "example.org:8080",
        "EXAMPLE.org",
        "[::1]:5000",
        "xn--bcher-kva.test",
    ):
        cases.append(Case("requests", "GET", "/request/url", (("Host", host),), note=host))
    for host in ("good.test", "bad.test", "a.sub.test", "sub.test", "xsub.test", "good.test:81", "GOOD.test"):
        cases.append(Case("requests-hosts", "GET", "/request/url", (("Host", host),), note=host))
    cases.append(Case("requests", "GET", "/request/url", environ=(("SCRIPT_NAME", "/at"),), note="mounted"))
    cases.append(
        Case("requests", "GET", "/request/url", environ=(("wsgi.url_scheme", "https"),), note="https")
    )
    return cases


def _bodies() -> list[Case]:
    form = b"a=1&b=%C3%BC&a=2"
    files = multipart(
        part("a", b"1"),
        part(
            "file",
            b"content\x00",
            filename="n\u00e4me.txt",
            extra="Content-Type: text/x-own; charset=utf-8\r\n",
        ),
        part("file", b"", filename="second.bin"),
        part("empty", b"", filename=""),
    )
    cases: list[Case] = []
    for method in ("POST", "PUT", "PATCH", "DELETE", "GET"):
        cases.append(Case("requests", method, "/request/form", (URLENCODED,), form))
        cases.append(Case("requests", method, "/request/values?q=1", (URLENCODED,), form))
    for name in ("form", "values", "data", "stream", "ignored-body"):
        cases.append(Case("requests", "POST", f"/request/{name}", (BOUNDARY,), files, note="multipart"))
        cases.append(
            Case(
                "requests",
                "POST",
                f"/request/{name}",
                (("Content-Type", "text/plain"),),
                b"text",
                note="text",
            )
        )
        cases.append(Case("requests", "POST", f"/request/{name}", (), b"\xff\xfe", note="no type"))
        cases.append(Case("requests", "POST", f"/request/{name}", (URLENCODED,), b"", note="empty"))
        cases.append(
            Case(
                "requests", "POST", f"/request/{name}", (URLENCODED, ("Content-Length", "4")), form, note="4"
            )
        )
    odd = {
        "no boundary": (("Content-Type", "multipart/form-data"), files),
        "other boundary": (("Content-Type", "multipart/form-data; boundary=other"), files),
        "quoted boundary": (("Content-Type", 'multipart/form-data; boundary="edge"'), files),
        "truncated": (BOUNDARY, files[:-40]),
        "no name": (BOUNDARY, b"--edge\r\nContent-Disposition: form-data\r\n\r\nx\r\n--edge--\r\n"),
        "no disposition": (BOUNDARY, b"--edge\r\nX: y\r\n\r\nx\r\n--edge--\r\n"),
        "preamble": (BOUNDARY, b"before\r\n" + files + b"after"),
        "charset": (("Content-Type", "application/x-www-form-urlencoded; charset=latin-1"), b"a=%FC"),
        "upper case": (("Content-Type", "APPLICATION/X-WWW-FORM-URLENCODED"), form),
        "bad escape": (URLENCODED, b"a=%zz&b=%"),
        "bad utf-8": (URLENCODED, b"a=%ff&\xff=1"),
        "plus": (URLENCODED, b"a+b=c+d"),
        "nul": (URLENCODED, b"a=\x00"),
        "file name path": (BOUNDARY, multipart(part("f", b"x", filename="../../etc/passwd"))),
    }
    cases += [
        Case("requests", "POST", "/request/form", (kind,), body, note=note)
        for note, (kind, body) in odd.items()
    ]
    for length in ("-1", "x", "99", "0", "", "+5", "1_0", "\u0665", " 5", "5 "):
        cases.append(
            Case(
                "requests",
                "POST",
                "/request/data",
                (("Content-Length", length),),
                b"12345",
                note=repr(length),
            )
        )
    chunked = (
        ("wsgi.input_terminated", True),
        ("CONTENT_LENGTH", None),
        ("HTTP_TRANSFER_ENCODING", "chunked"),
    )
    cases.append(Case("requests", "POST", "/request/data", (), b"12345", chunked, "chunked"))
    cases.append(
        Case("requests", "POST", "/request/data", (), b"12345", chunked[1:], "chunked, not terminated")
    )
    cases.append(Case("requests-debug", "POST", "/request/form", (URLENCODED,), form, note="debug"))
    for app in ("requests", "requests-debug"):
        cases.append(Case(app, "POST", "/request/file", (URLENCODED,), b"upload=x.txt", note="no multipart"))
        cases.append(Case(app, "POST", "/request/file", (BOUNDARY,), files, note="another name"))
        cases.append(Case(app, "POST", "/request/file", (JSON,), b"{}", note="json"))
    return cases


def _json() -> list[Case]:
    cases: list[Case] = []
    bodies = (
        b'{"a": [1, "\xc3\xbc"]}', b"", b"{", b"null", b"0", b'"text"', b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff",
        b"\xef\xbb\xbf{}", '{"a": "ü"}'.encode("utf-16"), b"[]", b" {} ", b"{'a': 1}", b"1e400", b"[1,]",
    )  # fmt: skip
    for kind in ("json", "json/silent", "json/force", "json/twice"):
        for number, body in enumerate(bodies):
            cases.append(Case("requests", "POST", f"/request/{kind}", (JSON,), body, note=f"{number}"))
    for kind in (
        "text/plain",
        "application/vnd.api+json",
        "application/json; charset=utf-8",
        "application/jsonp",
        "",
    ):
        for view in ("json", "json/silent", "json/force"):
            header = (("Content-Type", kind),)
            cases.append(
                Case("requests", "POST", f"/request/{view}", header, b'{"a": 1}', note=kind or "no type")
            )
    cases.append(Case("requests-debug", "POST", "/request/json", (JSON,), b"{", note="debug"))
    cases.append(Case("requests-debug", "POST", "/request/json", (), b"{}", note="debug, no type"))
    cases.append(Case("requests", "GET", "/request/json"))
    return cases


def _headers() -> list[Case]:
    sent: tuple[tuple[str, str], ...] = (
        ("Accept", "text/html;q=0.8, application/json"), ("Accept", "*/*"), ("Accept", "nonsense;;q=x"),
        ("Accept-Language", "de-AT, en;q=0.5"), ("Accept-Encoding", "gzip;q=0"), ("Accept-Charset", "utf-8"),
        ("Authorization", "Basic YW5uOnM6ZWNyZXQ="), ("Authorization", "Basic !!!"), ("Authorization", "Basic"),
        ("Authorization", "Basic YW5uOnM6ZWNyZXQ"), ("Authorization", "Bearer abc.def=="), ("Authorization", "Digest a=b"),
        ("Authorization", ""), ("Authorization", "Basic w7w6w58="), ("Cache-Control", "no-cache, max-age=x"),
        ("If-Match", '"a", W/"b"'), ("If-None-Match", "*"), ("If-Modified-Since", "garbage"),
        ("If-Modified-Since", "Mon, 01 Jan 2024 00:00:00 GMT"), ("If-Range", '"a"'), ("If-Range", "x"),
        ("Range", "bytes=0-1"), ("Range", "bytes=-"), ("User-Agent", "curl/8"), ("Referer", "http://r.test/\u00fc"),
        ("Origin", "null"), ("Date", "x"), ("Max-Forwards", "x"), ("Max-Forwards", "3"), ("Pragma", "no-cache"),
        ("X-Forwarded-For", "1.2.3.4, 5.6.7.8"), ("X-Forwarded-Host", "evil.test"), ("Content-Type", "text/x;;"),
    )  # fmt: skip
    cases: list[Case] = []
    for name, value in sent:
        note = f"{name}: {value}"
        for view in (
            ("parsed", "basic", "headers", "best")
            if name in ("Accept", "Authorization")
            else ("parsed", "headers")
        ):
            cases.append(Case("requests", "GET", f"/request/{view}", ((name, value),), note=note))
    for name in ("X-Own", "x_own", "Content-Type", "Host", "Missing", "Content-Length"):
        cases.append(Case("requests", "GET", f"/request/header/{name}", (("X-Own", "v"),)))
    cookies = (
        "a=1; b=2", "a=1; a=2", "=nameless", "a", "a=\"q\\054\"", "a=\u00fc", "a=%C3%BC", ";;", "a=1,b=2", " a = 1 ",
        "=__Host-a=b", "session=garbage", "a=" + "x" * 5000, "$Version=1; a=b", "a b=c", "a=b c", "a=\"unterminated",
    )  # fmt: skip
    cases += [
        Case("requests", "GET", "/request/cookies", (("Cookie", one),), note=one[:30]) for one in cookies
    ]
    return cases


def _limits() -> list[Case]:
    cases: list[Case] = []
    for app in ("requests-limited", "requests"):
        for size in (5, 40, 60, 190, 250):
            value = b"a=" + b"x" * size
            cases.append(Case(app, "POST", "/request/form", (URLENCODED,), value, note=f"form {size}"))
            body = multipart(part("a", b"x" * size))
            cases.append(Case(app, "POST", "/request/form", (BOUNDARY,), body, note=f"part {size}"))
            cases.append(Case(app, "POST", "/request/data", (), b"x" * size, note=f"data {size}"))
            cases.append(Case(app, "POST", "/request/limited", (), b"x" * size, note=f"own limit {size}"))
            cases.append(Case(app, "POST", "/request/ignored-body", (), b"x" * size, note=f"ignored {size}"))
        for count in (1, 2, 3, 4):
            body = multipart(*(part(f"p{number}", b"") for number in range(count)))
            cases.append(Case(app, "POST", "/request/form", (BOUNDARY,), body, note=f"parts {count}"))
            cases.append(
                Case(app, "POST", "/request/limited-form", (BOUNDARY,), body, note=f"own parts {count}")
            )
    return cases


def _sessions() -> list[Case]:
    names = (
        "set?a=1",
        "get",
        "contains",
        "length",
        "untouched",
        "pop",
        "clear",
        "permanent/1",
        "flash",
        "flashes",
        "kinds",
    )
    cases = [
        Case(app, "GET", f"/session/{name}")
        for app in ("requests", "requests-session", "requests-no-key")
        for name in names
    ]
    cases += [
        Case("requests", "GET", "/session/get", (("Cookie", f"session={value}"),), note=value or "empty")
        for value in ("", "x", "a.b.c", "e30.ZgAAAA.xxxxxxxxxxxxxxxxxxxxxxxxxxx", "\u00fc")
    ]
    return cases


def files() -> list[Case]:
    kinds = (
        "plain",
        "download",
        "named",
        "typed",
        "unconditional",
        "no-etag",
        "own-etag",
        "aged",
        "aged-function",
    )
    targets = [f"/file/{kind}" for kind in kinds]
    targets += [
        "/file-memory", "/file-nameless", "/file-missing", "/file-relative", "/directory/digits.txt", "/resource-file",
        "/directory/gr%C3%BC%C3%9Fe.txt", "/directory/missing", "/directory/../scenario.py", "/directory/%2e%2e/x",
        "/directory/.dot", "/directory/", "/directory/a%00b", "/directory-relative/gr%C3%BC%C3%9Fe.txt", "/directory/NUL",
        "/directory/CON.txt", "/directory/a%5C..%5Cb", "/static/style.css", "/static/with%20space.txt", "/static/", "/static/no",
        "/static/%2Fetc/passwd", "/admin/static/a.css", "/admin/static/../templates/both.html", "/template/page.html",
        "/template/base.html", "/template/both.html", "/template/nothing.html", "/template-list", "/template-string",
        "/template-stream", "/template-stream-string", "/template-macro", "/template-broken", "/template-undefined",
        "/admin/both.html", "/admin/nested/own.html", "/admin/base.html", "/admin/urls",
    ]  # fmt: skip
    cases = [Case("files", "GET", target) for target in targets]
    cases += [
        Case("files-signals", "GET", target)
        for target in targets
        if "template" in target or "/admin/" in target
    ]
    cases += [Case("files", "HEAD", target) for target in targets[:12]]
    cases += [
        Case("files-static-path", "GET", target)
        for target in ("/assets/style.css", "/static/style.css", "/admin/urls")
    ]
    for value in RANGES:
        cases.append(Case("files", "GET", "/file/plain", (("Range", value),), note=value))
    cases.append(Case("files", "GET", "/file-memory", (("Range", "bytes=2-4"),), note="range"))
    cases.append(Case("files", "POST", "/static/style.css"))
    cases.append(Case("files", "GET", "/file/own-etag", (("If-None-Match", '"mine"'),), note="same"))
    cases.append(Case("files", "GET", "/file/own-etag", (("If-None-Match", 'W/"mine"'),), note="weak"))
    cases.append(
        Case(
            "files",
            "GET",
            "/file/own-etag",
            (("If-Range", '"mine"'), ("Range", "bytes=0-1")),
            note="if-range",
        )
    )
    cases.append(
        Case(
            "files", "GET", "/file/own-etag", (("If-Range", '"other"'), ("Range", "bytes=0-1")), note="other"
        )
    )
    return cases
