"""Caching of views, functions, methods, errors and parts of templates, in memory and in files, and how each is dropped."""

from __future__ import annotations

import typing as t
from collections import Counter
from pathlib import Path

from flask import Flask, abort, jsonify, make_response, render_template_string, request
from flask.views import MethodView
from flask_caching import Cache, CachedResponse
from flask_caching.signals import cache_memoize_hit, cache_view_hit, cache_view_miss

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-Caching"]

PRICES = {"tea": 4, "salt": 1, "rice": 3}

SHELF = """\
{%- cache 60, "shelf", shelf -%}
shelf {{ shelf }}, drawn {{ drawn() }}
{%- endcache -%}
"""

CLEAN_SHELF = """\
{%- cache "del", "shelf", shelf -%}
shelf {{ shelf }}, cleaned
{%- endcache -%}
"""


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.config.update(CACHE_TYPE="SimpleCache", CACHE_DEFAULT_TIMEOUT=60, CACHE_ENABLE_SIGNALS=True)
    cache = Cache(app)
    # A second cache of the same application, kept in files.
    archive = Cache(with_jinja2_ext=False)
    archive.init_app(app, config={"CACHE_TYPE": "FileSystemCache", "CACHE_DIR": str(folder / "archive")})
    app.extensions["scenario"] = {"cache": cache, "archive": archive}
    calls: Counter[str] = Counter()

    def count(name: str) -> int:
        calls[name] += 1
        return calls[name]

    @app.get("/")
    @cache.cached(response_hit_indication=True)
    def home() -> str:
        return f"home {count('home')}"

    @app.get("/search")
    @cache.cached(query_string=True)
    def search() -> t.Any:
        return jsonify(found=sorted(set(request.args.getlist("q")) & set(PRICES)), search=count("search"))

    def is_preview() -> bool:
        return "preview" in request.args

    @app.get("/news")
    @cache.cached(unless=is_preview, forced_update=lambda: "fresh" in request.args)
    def news() -> str:
        return f"news {count('news')}"

    @app.get("/stock/<name>")
    @cache.cached(response_filter=lambda response: "again later" not in response[0])
    def stock(name: str) -> t.Any:
        # Only what succeeded is kept.
        if count("stock") == 1:
            return "again later", 503
        return f"{name}: {calls['stock']}", 200

    @app.get("/missing")
    @cache.cached()
    def missing() -> str:
        abort(404, f"looked {count('missing')} times")

    @app.get("/short")
    @cache.cached()
    def short() -> t.Any:
        response = make_response(f"short {count('short')}")
        response.headers["X-Kept"] = "5"
        return CachedResponse(response, timeout=5)

    @cache.memoize()
    def price(name: str, pieces: int = 1) -> int:
        count("price")
        return PRICES[name] * pieces

    @app.get("/price/<name>/<int:pieces>")
    def price_of(name: str, pieces: int) -> t.Any:
        # The default and the names of arguments do not matter to the key.
        total = price(name, pieces=pieces) if pieces > 1 else price(name)
        return jsonify(total=total, asked=calls["price"])

    @app.delete("/price/<name>")
    def forget_price(name: str) -> str:
        if name == "all":
            cache.delete_memoized(price)
        else:
            cache.delete_memoized(price, name, 2)
        return ""

    class Report(MethodView):
        decorators: t.ClassVar = [archive.cached(key_prefix="report")]

        def get(self) -> str:
            return f"report {count('report')}"

    app.add_url_rule("/report", view_func=Report.as_view("report"))

    @app.get("/shelf/<shelf>")
    def shelf(shelf: str) -> str:
        template = CLEAN_SHELF if "clean" in request.args else SHELF
        return render_template_string(template, shelf=shelf, drawn=lambda: count("shelf"))

    @app.post("/clear")
    def clear() -> t.Any:
        return jsonify(home=cache.delete("view//"), again=cache.delete("view//"), all=cache.clear())

    @app.get("/kept")
    def kept() -> t.Any:
        cache.set("greeting", {"text": "good morning"}, timeout=30)
        cache.add("greeting", "not taken")
        cache.set_many({"one": 1, "two": 2})
        return jsonify(
            greeting=cache.get("greeting"),
            many=cache.get_many("one", "two", "three"),
            has=[cache.has("one"), cache.has("three")],
            archive=archive.get("one"),
        )

    return app


def play(visitor: Visitor) -> None:
    signals: list[str] = []

    def hit(sender: t.Any, cache: Cache, **extra: t.Any) -> None:
        signals.append("hit")

    def miss(sender: t.Any, cache: Cache, **extra: t.Any) -> None:
        signals.append("miss")

    def remembered(sender: t.Any, f: t.Any, args: t.Any, **extra: t.Any) -> None:
        signals.append(f"{f.__name__} {args}")

    cache_view_hit.connect(hit)
    cache_view_miss.connect(miss)
    cache_memoize_hit.connect(remembered)

    first = visitor.get("/")
    assert (first.text, first.headers.get("hit_cache")) == ("home 1", None)
    second = visitor.get("/?with=a+query")
    assert (second.text, second.headers.get("hit_cache")) == ("home 1", "True")

    assert visitor.get("/search?q=tea&q=salt").json == {"found": ["salt", "tea"], "search": 1}
    assert visitor.get("/search?q=salt&q=tea").json == {"found": ["salt", "tea"], "search": 1}
    assert visitor.get("/search?q=rice").json == {"found": ["rice"], "search": 2}

    assert visitor.get("/news").text == "news 1"
    assert visitor.get("/news?preview").text == "news 2"
    assert visitor.get("/news").text == "news 1"
    assert visitor.get("/news?fresh").text == "news 3"
    assert visitor.get("/news").text == "news 3"

    assert visitor.get("/stock/tea").status_code == 503
    assert visitor.get("/stock/tea").text == "tea: 2"
    assert visitor.get("/stock/tea").text == "tea: 2"
    assert visitor.get("/stock/salt").text == "salt: 3"

    assert "looked 1 times" in visitor.get("/missing").text
    again = visitor.get("/missing")
    assert again.status_code == 404
    assert "looked 1 times" in again.text

    visitor.get("/short")
    short = visitor.get("/short")
    assert (short.text, short.headers["X-Kept"]) == ("short 1", "5")

    assert visitor.get("/price/tea/1").json == {"total": 4, "asked": 1}
    assert visitor.get("/price/tea/2").json == {"total": 8, "asked": 2}
    assert visitor.get("/price/tea/2").json == {"total": 8, "asked": 2}
    visitor.delete("/price/tea")
    assert visitor.get("/price/tea/2").json == {"total": 8, "asked": 3}
    assert visitor.get("/price/tea/1").json == {"total": 4, "asked": 3}
    visitor.delete("/price/all")
    assert visitor.get("/price/tea/1").json == {"total": 4, "asked": 4}

    assert visitor.get("/shelf/top").text == "shelf top, drawn 1"
    assert visitor.get("/shelf/low").text == "shelf low, drawn 2"
    assert visitor.get("/shelf/top").text == "shelf top, drawn 1"
    assert visitor.get("/shelf/top?clean").text == "shelf top, cleaned"
    assert visitor.get("/shelf/top").text == "shelf top, drawn 3"

    assert visitor.get("/report").text == "report 1"
    kept = visitor.get("/kept").json
    assert kept["many"] == [1, 2, None]
    assert kept["archive"] is None
    assert visitor.post("/clear").json == {"home": True, "again": False, "all": True}
    assert visitor.get("/").text == "home 2"
    assert visitor.get("/shelf/low").text == "shelf low, drawn 4"
    # The archive was not cleared; another process would find it in the folder.
    assert visitor.get("/report").text == "report 1"
    visitor.note("files of the archive", len(list((visitor.folder / "archive").iterdir())))

    # Outside of requests an application context is enough.
    caches = visitor.app.extensions["scenario"]
    with visitor.app.app_context():
        assert caches["archive"].get("report") == "report 1"
        assert caches["archive"].delete("report")
        caches["cache"].set("from", "outside")
    with visitor.app.test_request_context("/search?q=tea"):
        visitor.note("key of a search", visitor.app.view_functions["search"].make_cache_key(use_request=True))
    assert visitor.get("/report").text == "report 2"
    visitor.note("signals", signals)
