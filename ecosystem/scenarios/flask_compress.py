"""Compressed answers: four algorithms and what a client prefers, a least size, streams, files, entity tags, a cache, single views."""

from __future__ import annotations

import gzip
import json
import sys
import typing as t
import zlib
from pathlib import Path

import brotli
from flask import (
    Flask,
    Response,
    jsonify,
    make_response,
    render_template_string,
    request,
    stream_with_context,
)
from flask_compress import Compress

from visitor import Visitor

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

DISTRIBUTIONS = ["Flask-Compress", "Brotli"]

VARIES = [
    # Of a file that was gzipped: four bytes with the time.
    (r"(?s)\A(\x1f\\x8b\x08\x00)(?:\\x[0-9a-f]{2}|.){1,4}([\x00\x02]\\xff)", r"\1<time>\2"),
    # Of a file that was written just now: its time and a hash of its path in the entity tag.
    (r'"\d+\.\d+-(\d+)-\d+(:\w+)?"', r'"<time>-\1-<path>\2"'),
]

PLAIN: dict[str, t.Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "zstd": zstd.decompress,
}

VERSES = [f"Verse {number}: the river runs on, and on, and on.\n" for number in range(40)]


class Shelf:
    """Keep what was compressed, and count how often it was of use."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.found = 0

    def get(self, key: str) -> bytes | None:
        self.found += key in self.kept
        return self.kept.get(key)

    def set(self, key: str, value: bytes) -> None:
        self.kept[key] = value


def make_app(folder: Path) -> Flask:
    (folder / "static").mkdir()
    (folder / "static" / "poem.txt").write_text("".join(VERSES))
    (folder / "static" / "dots.png").write_bytes(b"\x89PNG" + b"." * 2000)
    app = Flask(__name__, static_folder=str(folder / "static"), static_url_path="/static")
    app.config["COMPRESS_ALGORITHM"] = ["br", "zstd", "gzip", "deflate"]
    Compress(app)

    @app.get("/poem")
    def poem() -> str:
        return "".join(VERSES)

    @app.get("/verse")
    def verse() -> str:
        return VERSES[0]

    @app.get("/words")
    def words() -> t.Any:
        response = jsonify([verse.split() for verse in VERSES])
        response.vary.add("Accept-Language")
        return response

    @app.get("/tagged/<kind>")
    def tagged(kind: str) -> Response:
        response = make_response("".join(VERSES))
        response.set_etag("v1", weak=kind == "weak")
        return response

    @app.get("/stream")
    def stream() -> Response:
        def lines() -> t.Iterator[str]:
            for line in VERSES:
                yield request.args.get("before", "") + line

        return Response(stream_with_context(lines()), mimetype="text/plain")

    @app.get("/already")
    def already() -> t.Any:
        return zlib.compress("".join(VERSES).encode()), {"Content-Encoding": "deflate"}

    @app.errorhandler(404)
    def not_found(error: Exception) -> t.Any:
        return render_template_string("{% for one in verses %}{{ one }}{% endfor %}", verses=VERSES), 404

    return app


def app_with_cache() -> Flask:
    """Make an application that compresses some views only, everything they say, and each of its pages once."""
    app = Flask(__name__)
    app.config.update(
        COMPRESS_REGISTER=False,
        COMPRESS_MIN_SIZE=0,
        COMPRESS_ALGORITHM="gzip",
        COMPRESS_LEVEL=9,
        COMPRESS_STREAMS=False,
        COMPRESS_CACHE_BACKEND=Shelf,
        COMPRESS_CACHE_KEY=lambda request: request.full_path,
    )
    compress = Compress()
    compress.init_app(app)
    app.extensions["shelf"] = compress.cache

    @app.get("/small")
    @compress.compressed()
    def small() -> str:
        return f"Hello, {request.args['name']}"

    @app.get("/left")
    def left() -> str:
        return "".join(VERSES)

    @app.get("/stream")
    @compress.compressed()
    def stream() -> Response:
        return Response((verse for verse in VERSES), mimetype="text/plain")

    return app


def play(visitor: Visitor) -> None:
    algorithms(visitor)
    left_alone(visitor)
    entity_tags(visitor)
    streams(visitor)
    files(visitor)
    visitor = Visitor(app_with_cache(), visitor.protocol, visitor.folder, visitor.transcript, VARIES)
    single_views(visitor)


def accepting(what: str) -> dict[str, str]:
    return {"Accept-Encoding": what}


def plain(response: t.Any, encoding: str) -> str:
    """Check how an answer is encoded, and decode it."""
    assert response.headers["Content-Encoding"] == encoding
    assert "Accept-Encoding" in response.headers["Vary"]
    return PLAIN[encoding](response.data).decode()


def algorithms(visitor: Visitor) -> None:
    whole = "".join(VERSES)
    for encoding in PLAIN:
        answer = visitor.get("/poem", headers=accepting(encoding))
        assert plain(answer, encoding) == whole
        assert answer.content_length == len(answer.data) < len(whole) / 4
    # Of those a client likes as much as each other, the server chooses.
    assert plain(visitor.get("/poem", headers=accepting("gzip, deflate, br;q=0.9, zstd")), "zstd") == whole
    assert plain(visitor.get("/poem", headers=accepting("compress, *;q=0.1")), "br") == whole
    words = visitor.get("/words", headers=accepting("deflate"))
    assert json.loads(plain(words, "deflate"))[3][:2] == ["Verse", "3:"]
    assert words.headers["Vary"] == "Accept-Language, Accept-Encoding"


def left_alone(visitor: Visitor) -> None:
    for path, accepted in [
        ("/poem", ""),
        ("/poem", "identity, gzip;q=0.5"),
        ("/poem", "compress"),
        ("/verse", "gzip"),
    ]:
        answer = visitor.get(path, headers=accepting(accepted))
        assert "Content-Encoding" not in answer.headers
        assert answer.headers["Vary"] == "Accept-Encoding"
    already = visitor.get("/already", headers=accepting("gzip, deflate"))
    assert plain(already, "deflate") == "".join(VERSES)
    missing = visitor.get("/nothing", headers=accepting("gzip"))
    assert (missing.status_code, "Content-Encoding" in missing.headers) == (404, False)


def entity_tags(visitor: Visitor) -> None:
    strong = visitor.get("/tagged/strong", headers=accepting("br"))
    assert strong.headers["ETag"] == '"v1:br"'
    same = visitor.get("/tagged/strong", headers={**accepting("br"), "If-None-Match": '"v1:br"'})
    assert (same.status_code, same.data) == (304, b"")
    other = visitor.get("/tagged/strong", headers={**accepting("deflate"), "If-None-Match": '"v1:br"'})
    assert (other.status_code, other.headers["ETag"]) == (200, '"v1:deflate"')
    weak = visitor.get("/tagged/weak", headers=accepting("br"))
    assert weak.headers["ETag"] == 'W/"v1"'
    head = visitor.ask("HEAD", "/tagged/weak", headers=accepting("br"))
    assert head.content_length == weak.content_length


def streams(visitor: Visitor) -> None:
    for encoding in ("br", "deflate", "zstd"):
        answer = visitor.get("/stream?before=* ", headers=accepting(encoding))
        assert plain(answer, encoding).startswith("* Verse 0")
        assert "Content-Length" not in answer.headers
    # Streams are not gzipped, unless that is asked for in the configuration.
    assert visitor.get("/stream", headers=accepting("gzip")).text.startswith("Verse 0")


def files(visitor: Visitor) -> None:
    with visitor.get("/static/poem.txt", headers=accepting("br")) as poem:
        assert plain(poem, "br") == "".join(VERSES)
        assert poem.headers["ETag"].endswith(':br"')
        known = {**accepting("br"), "If-None-Match": poem.headers["ETag"]}
    with visitor.get("/static/poem.txt", headers=known) as again:
        assert again.status_code == 304
    with visitor.get("/static/poem.txt", headers={"Range": "bytes=0-6"}) as beginning:
        assert (beginning.status_code, beginning.text) == (206, "Verse 0")
    with visitor.get("/static/dots.png", headers=accepting("br")) as dots:
        assert "Content-Encoding" not in dots.headers


def single_views(visitor: Visitor) -> None:
    assert plain(visitor.get("/small?name=ada", headers=accepting("gzip, br")), "gzip") == "Hello, ada"
    assert plain(visitor.get("/small?name=grace", headers=accepting("gzip")), "gzip") == "Hello, grace"
    assert plain(visitor.get("/small?name=ada", headers=accepting("gzip")), "gzip") == "Hello, ada"
    assert "Vary" not in visitor.get("/left", headers=accepting("gzip")).headers
    assert visitor.get("/stream", headers=accepting("gzip")).text == "".join(VERSES)
    shelf = visitor.app.extensions["shelf"]
    assert (sorted(shelf.kept), shelf.found) == (["gzip;/small?name=ada", "gzip;/small?name=grace"], 1)
