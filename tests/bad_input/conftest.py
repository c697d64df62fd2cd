"""The application that malformed requests are sent to."""

# Views are registered by their decorators; nothing else mentions them.
# pyright: reportUnusedFunction=false
from __future__ import annotations

import logging
import typing as t

import pytest

from erlen import Erlen, jsonify, request, send_from_directory, session

from .calling import URLENCODED, Caller


@pytest.fixture
def send(tmp_path: t.Any, validated: t.Any, caplog: pytest.LogCaptureFixture) -> t.Iterator[Caller]:
    """Return the caller of an application with the safe profile; after the test it still works, and no crash is logged."""
    (tmp_path / "file.txt").write_text("0123456789")
    app = Erlen("erlen_bad_input", root_path=str(tmp_path))
    app.config.update(SECRET_KEY="key", PROPAGATE_EXCEPTIONS=False)
    _views(app, str(tmp_path))
    caller = Caller(app, validated)
    with caplog.at_level(logging.WARNING):
        yield caller
        assert caller("/path/next").body == "next"
        assert caller("/form", b"a=1", **URLENCODED).body == '{"files":[],"form":{"a":["1"]}}\n'
    assert [record.getMessage() for record in caplog.records] == []


def _views(app: Erlen, folder: str) -> None:
    @app.route("/")
    def index() -> str:
        return "index"

    @app.route("/path/<path:name>")
    def path(name: str) -> str:
        return name

    @app.route("/slash/")
    def slash() -> str:
        return "slash"

    @app.route("/args")
    def args() -> t.Any:
        return request.args.to_dict(flat=False)

    @app.route("/form", methods=["POST", "PUT"])
    def form() -> t.Any:
        return {"form": request.form.to_dict(flat=False), "files": sorted(request.files)}

    @app.route("/data", methods=["POST"])
    def data() -> bytes:
        return request.get_data()

    @app.route("/json", methods=["POST"])
    def as_json() -> t.Any:
        return jsonify(request.get_json())

    @app.route("/cookies")
    def cookies() -> t.Any:
        return request.cookies.to_dict(flat=False)

    @app.route("/session")
    def in_session() -> t.Any:
        return {"session": dict(session)}

    @app.route("/url")
    def url() -> t.Any:
        return {"url": request.url, "host": request.host, "path": request.path}

    @app.route("/file")
    def file() -> t.Any:
        return send_from_directory(folder, "file.txt", max_age=0)

    @app.route("/basic")
    def basic() -> t.Any:
        authorization = request.authorization
        if authorization is None or authorization.type != "basic":
            return "no credentials", 401
        return f"{authorization.username}:{authorization.password}"

    @app.route("/headers")
    def headers() -> t.Any:
        names = (
            "accept_mimetypes accept_languages accept_encodings accept_charsets authorization cache_control "
            "if_match if_none_match if_modified_since if_unmodified_since range date max_forwards "
            "content_length mimetype mimetype_params access_route user_agent referrer origin pragma"
        )
        shown = {name: f"{getattr(request, name)}" for name in names.split()}
        return {"if_range": f"{request.if_range.etag} {request.if_range.date}", **shown}
