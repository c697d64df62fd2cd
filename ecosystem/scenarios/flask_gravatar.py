"""Pictures of users as a filter of templates, with settings of the extension, of the application and of the page."""

from __future__ import annotations

import typing as t
from hashlib import md5
from pathlib import Path

from flask import Flask, current_app, jsonify, render_template_string, request
from flask_gravatar import Gravatar

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-Gravatar"]
REMOVED_FROM_FLASK = ["flask._request_ctx_stack", "flask._app_ctx_stack"]

MEMBERS = {"ada": "Ada@Example.org", "grace": "grace@example.org"}

PAGE = """\
<ul>{% for name, address in members|dictsort %}<li><img alt="{{ name }}" src="{{ address|gravatar(size=40) }}">{% endfor %}</ul>
"""


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    gravatar = Gravatar(app, size=80, rating="pg", default="retro", force_lower=True)

    @app.get("/members")
    def members() -> str:
        return render_template_string(PAGE, members=MEMBERS)

    @app.get("/picture/<name>")
    def picture(name: str) -> t.Any:
        if name not in MEMBERS:
            return "nobody of that name", 404
        return jsonify(gravatar(MEMBERS[name], **{key: request.args.get(key) for key in request.args}))

    @app.get("/plain")
    def plain() -> str:
        return render_template_string('{{ "grace@example.org"|gravatar(use_ssl=True, force_default=True) }}')

    @app.get("/extension")
    def extension() -> t.Any:
        return jsonify(same=current_app.extensions["gravatar"] is gravatar, size=gravatar.size)

    return app


def key_of(address: str) -> str:
    return md5(address.encode()).hexdigest()


def play(visitor: Visitor) -> None:
    grace = key_of("grace@example.org")
    members = visitor.get("/members").text
    # The address as it is written, unless the filter is told otherwise: the extension's own setting of it is not asked.
    assert f"http://www.gravatar.com/avatar/{key_of('Ada@Example.org')}?s=40&amp;d=retro&amp;r=pg" in members
    assert f"http://www.gravatar.com/avatar/{grace}?s=40&amp;d=retro&amp;r=pg" in members

    plain = f"http://www.gravatar.com/avatar/{grace}?s=80&d=retro&r=pg"
    secure = plain.replace("http://www.", "https://secure.")
    assert visitor.get("/picture/grace").json == plain
    # The picture comes the way the page does, also behind a proxy.
    assert visitor.get("/picture/grace", base_url="https://localhost").json == secure
    assert visitor.get("/picture/grace", headers={"X-Forwarded-Proto": "https"}).json == secure
    assert visitor.get("/picture/grace?size=200&default=identicon").json == plain.replace(
        "80", "200"
    ).replace("retro", "identicon")
    assert visitor.get("/picture/ada?force_lower=1").json == plain.replace(grace, key_of("ada@example.org"))
    assert visitor.get("/picture/nobody").status_code == 404
    assert visitor.get("/plain").text == f"{secure}&f=y".replace("&", "&amp;")

    # The configuration is asked first, in each request.
    visitor.app.config.update(GRAVATAR_SIZE=32, GRAVATAR_BASE_URL="https://pictures.example.org/")
    assert (
        visitor.get("/picture/grace").json == f"https://pictures.example.org/avatar/{grace}?s=32&d=retro&r=pg"
    )
    assert visitor.get("/extension").json == {"same": True, "size": 32}

    # Without a context the extension knows what it was made with alone.
    gravatar = visitor.app.extensions["gravatar"]
    assert gravatar("grace@example.org") == plain
    with visitor.app.app_context():
        assert gravatar.size == 32
        visitor.note("outside of requests", gravatar("grace@example.org"))
