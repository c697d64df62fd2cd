"""What views read of a request: query, form, files, JSON, cookies, headers, sessions, limits."""

# Views are registered by their decorators; nothing else mentions them.
# pyright: reportUnusedFunction=false
from __future__ import annotations

import typing as t

from .framework import Framework

if t.TYPE_CHECKING:
    from erlen import Erlen

ANY_METHOD = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def _shown(value: t.Any) -> t.Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return f"{value}"


def register(app: Erlen, f: Framework) -> None:
    _parts(app, f)
    _json(app, f)
    _sessions(app, f)


def _parts(app: Erlen, f: Framework) -> None:
    @app.route("/request/url", methods=ANY_METHOD)
    @app.route("/request/url/<path:rest>", methods=ANY_METHOD)
    def url(rest: str = "") -> t.Any:
        names = (
            "url base_url root_url host_url host path full_path script_root scheme is_secure method "
            "remote_addr query_string content_length content_type mimetype is_json endpoint blueprint"
        )
        return {name: _shown(getattr(f.request, name)) for name in names.split()}

    @app.route("/request/args")
    def args() -> t.Any:
        return {"flat": f.request.args.to_dict(), "lists": f.request.args.to_dict(flat=False)}

    @app.route("/request/args/int")
    def args_int() -> t.Any:
        return {"page": f.request.args.get("page", 1, type=int), "in": "page" in f.request.args}

    @app.route("/request/form", methods=ANY_METHOD)
    def form() -> t.Any:
        files = {
            name: [[one.filename, one.mimetype, one.read().decode("latin-1")] for one in several]
            for name, several in f.request.files.lists()
        }
        return {"form": f.request.form.to_dict(flat=False), "files": files}

    @app.route("/request/file", methods=ANY_METHOD)
    def file() -> t.Any:
        return f.request.files["upload"].read()

    @app.route("/request/values", methods=ANY_METHOD)
    def values() -> t.Any:
        return {"values": f.request.values.to_dict(flat=False)}

    @app.route("/request/data", methods=ANY_METHOD)
    def data() -> t.Any:
        return f.request.get_data(), {"Content-Type": "application/x-data"}

    @app.route("/request/stream", methods=ANY_METHOD)
    def stream() -> t.Any:
        return f.request.stream.read(3) + b"|" + f.request.stream.read()

    @app.route("/request/ignored-body", methods=ANY_METHOD)
    def ignored() -> t.Any:
        return "not read"

    @app.route("/request/cookies")
    def cookies() -> t.Any:
        return {"cookies": f.request.cookies.to_dict(flat=False)}

    @app.route("/request/headers")
    def headers() -> t.Any:
        return {"headers": sorted([name, value] for name, value in f.request.headers.items())}

    @app.route("/request/header/<name>")
    def header(name: str) -> t.Any:
        return {"value": f.request.headers.get(name), "in": name in f.request.headers}

    @app.route("/request/parsed")
    def parsed() -> t.Any:
        names = (
            "accept_mimetypes accept_languages accept_encodings accept_charsets authorization cache_control "
            "if_match if_none_match if_modified_since if_unmodified_since if_range range user_agent referrer "
            "origin date max_forwards pragma access_route"
        )
        return {name: _shown(getattr(f.request, name)) for name in names.split()}

    @app.route("/request/basic")
    def basic() -> t.Any:
        authorization = f.request.authorization
        if authorization is None:
            return "none", 401
        return {
            "type": authorization.type,
            "user": authorization.username,
            "password": authorization.password,
            "token": authorization.token,
        }

    @app.route("/request/best")
    def best() -> t.Any:
        return f"{f.request.accept_mimetypes.best_match(['text/html', 'application/json'])}"

    @app.route("/request/limited", methods=ANY_METHOD)
    def limited() -> t.Any:
        f.request.max_content_length = 10
        return f"{len(f.request.get_data())}"

    @app.route("/request/limited-form", methods=ANY_METHOD)
    def limited_form() -> t.Any:
        f.request.max_form_memory_size = 10
        f.request.max_form_parts = 2
        return f.request.form.to_dict(flat=False)


def _json(app: Erlen, f: Framework) -> None:
    @app.route("/request/json", methods=ANY_METHOD)
    def as_json() -> t.Any:
        return f.jsonify(f.request.json)

    @app.route("/request/json/silent", methods=ANY_METHOD)
    def silent() -> t.Any:
        return f.jsonify(f.request.get_json(silent=True))

    @app.route("/request/json/force", methods=ANY_METHOD)
    def force() -> t.Any:
        return f.jsonify(f.request.get_json(force=True))

    @app.route("/request/json/twice", methods=ANY_METHOD)
    def twice() -> t.Any:
        return f.jsonify([f.request.get_json(), f.request.get_json(), f.request.data.decode()])


def _sessions(app: Erlen, f: Framework) -> None:
    @app.route("/session/set", methods=["GET", "POST"])
    def put() -> t.Any:
        for name, value in f.request.values.items():
            f.session[name] = value
        return "set"

    @app.route("/session/kinds")
    def kinds() -> t.Any:
        f.session["tuple"] = (1, "zwei")
        f.session["bytes"] = b"\x00\xff"
        f.session["markup"] = f.module("json").loads("1")
        f.session["nested"] = {"list": [{" t": 1}, (2,)]}
        f.session["none"] = None
        return "kinds"

    @app.route("/session/get")
    def get() -> t.Any:
        return {"session": sorted([key, repr(value)] for key, value in f.session.items())}

    @app.route("/session/contains")
    def contains() -> t.Any:
        return str("a" in f.session)

    @app.route("/session/length")
    def length() -> t.Any:
        return str(len(f.session))

    @app.route("/session/untouched")
    def untouched() -> t.Any:
        return "untouched"

    @app.route("/session/pop")
    def pop() -> t.Any:
        return f"{f.session.pop('a', None)}"

    @app.route("/session/clear")
    def clear() -> t.Any:
        f.session.clear()
        return "cleared"

    @app.route("/session/permanent/<int:on>")
    def permanent(on: int) -> t.Any:
        f.session.permanent = bool(on)
        return f"{f.session.permanent} {f.session.new} {f.session.modified} {f.session.accessed}"

    @app.route("/session/nested")
    def nested() -> t.Any:
        f.session.setdefault("list", []).append("x")
        if f.request.args.get("modified"):
            f.session.modified = True
        return f"{f.session['list']}"

    @app.route("/session/flash")
    def flash() -> t.Any:
        f.flash("hello ü")
        f.flash("careful", "warning")
        return "flashed"

    @app.route("/session/flashes")
    def flashes() -> t.Any:
        kept: t.Any = f.get_flashed_messages(with_categories=True)
        only: t.Any = f.get_flashed_messages(category_filter=["warning"])
        return {"flashes": kept, "only": only}

    @app.route("/session/template")
    def template() -> t.Any:
        return f.render_template("flashes.html")
