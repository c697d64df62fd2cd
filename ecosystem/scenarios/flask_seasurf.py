"""Tokens against forged requests: in forms, JSON and headers, exempt views, referers, a new token at sign-in."""

from __future__ import annotations

import typing as t
from pathlib import Path

from flask import Flask, jsonify, render_template_string, request, session
from flask_seasurf import SeaSurf

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-SeaSurf"]
REMOVED_FROM_FLASK = ["flask._app_ctx_stack"]

# The token.
VARIES = [(r"\b[0-9a-f]{64}\b", "<token>")]

FORM = '<form method="post"><input name="_csrf_token" value="{{ csrf_token() }}"><input name="text"></form>'


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.secret_key = "only for this scenario"
    app.logger.disabled = True
    csrf = SeaSurf(app)
    csrf.exempt_urls(("/hooks/",))
    notes: list[str] = []

    @app.route("/notes", methods=["GET", "POST", "DELETE"])
    def take_note() -> t.Any:
        if request.method == "GET":
            return render_template_string(FORM)
        if request.method == "DELETE":
            notes.clear()
        else:
            notes.append((request.get_json() if request.is_json else request.form)["text"])
        return jsonify(notes)

    @app.post("/login")
    def login() -> t.Any:
        session["user"] = "ada"
        csrf.generate_new_token()
        return render_template_string(FORM)

    @csrf.exempt
    @app.post("/callback")
    def callback() -> str:
        # Only who has no key of its own has to have a token.
        if request.headers.get("X-Key") != "known":
            csrf.validate()
        return "called"

    @csrf.exempt
    @csrf.set_cookie
    @app.get("/about")
    def about() -> str:
        return "about"

    @csrf.exempt
    @app.get("/imprint")
    def imprint() -> str:
        return "imprint"

    @app.post("/hooks/<name>")
    def hook(name: str) -> str:
        return f"hook {name}"

    @csrf.skip_validation
    def trusted(request: t.Any) -> bool:
        return request.headers.get("X-Robot") == "ours"

    @csrf.disable_cookie
    def no_cookie(response: t.Any) -> bool:
        return request.headers.get("X-Robot") is not None

    @app.errorhandler(403)
    def forged(error: t.Any) -> t.Any:
        return jsonify(error=error.description), 403

    return app


def play(visitor: Visitor) -> None:
    def token() -> str:
        return visitor.client.get_cookie("_csrf_token").value

    assert visitor.post("/notes", json={"text": "first"}).status_code == 403
    form = visitor.get("/notes")
    assert "Max-Age=432000" in form.headers["Set-Cookie"]
    assert f'value="{token()}"' in form.text
    # Who asked for no token and has one gets no cookie again.
    posted = visitor.post("/notes", data={"text": "first", "_csrf_token": token()})
    assert posted.json == ["first"]
    assert "Set-Cookie" not in posted.headers
    assert visitor.post("/notes", json={"text": "second", "_csrf_token": token()}).json == ["first", "second"]
    # Before the header it asks for JSON, which Werkzeug refuses by now if there is none: 'json' throughout.
    assert visitor.delete("/notes", headers={"X-CSRFToken": token()}, json={}).json == []
    assert visitor.delete("/notes", headers={"X-CSRFToken": token()}).status_code == 415
    wrong = visitor.post("/notes", data={"text": "third", "_csrf_token": "0" * 64})
    assert (wrong.status_code, wrong.json["error"]) == (403, "CSRF token missing or incorrect.")
    stranger = visitor.another()
    assert stranger.post("/notes", data={"text": "theirs", "_csrf_token": token()}).status_code == 403

    # At sign-in the token becomes another one.
    before = token()
    assert visitor.post("/login", data={"_csrf_token": before}).status_code == 200
    assert token() != before
    assert visitor.post("/notes", data={"text": "old", "_csrf_token": before}).status_code == 403
    assert visitor.post("/notes", data={"text": "new", "_csrf_token": token()}).json == ["new"]

    # Over https the page that sends has to be one of ours.
    def secure(**headers: str) -> t.Any:
        sent = {"X-CSRFToken": token(), **headers}
        return visitor.post("/notes", base_url="https://localhost", json={"text": "safe"}, headers=sent)

    assert "Referer checking failed" in secure().json["error"]
    assert "https://evil.example/" in secure(Referer="https://evil.example/").json["error"]
    assert secure(Referer="https://localhost/notes").json == ["new", "safe"]

    assert visitor.post("/callback", json={}).status_code == 403
    assert visitor.post("/callback", headers={"X-Key": "known"}).text == "called"
    assert visitor.post("/hooks/build").text == "hook build"
    assert visitor.post("/notes", headers={"X-Robot": "ours"}, data={"text": "robot"}).json[-1] == "robot"
    newcomer = visitor.another()
    assert "Set-Cookie" not in newcomer.get("/imprint").headers
    assert "Set-Cookie" not in newcomer.get("/notes", headers={"X-Robot": "theirs"}).headers
    assert "_csrf_token=" in newcomer.get("/about").headers["Set-Cookie"]
