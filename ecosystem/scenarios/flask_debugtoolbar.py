"""The toolbar in the pages of a small shop: its panels, its files, redirects held up, the editor of templates."""

from __future__ import annotations

import logging
import re
import typing as t
from pathlib import Path

from flask import Flask, g, jsonify, redirect, render_template, request, session, url_for
from flask_debugtoolbar import DebugToolbarExtension
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-DebugToolbar", "Flask-SQLAlchemy"]

VARIES = [
    # The panel of the templates has a random key, and the representation of objects is where they are.
    (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<key>"),
    (r" at 0x[0-9a-f]+", " at <place>"),
    # How long queries took, and when something was logged.
    (r"<td>\d+\.\d{4}</td>", "<td>duration</td>"),
    (r"(start_time|end_time|duration)=[\d.e-]+", r"\1=..."),
    (r"<td>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?</td>", "<td>time</td>"),
    # The repr of g has the name of the framework.
    (r"&lt;(flask|erlen)\.g of ", "&lt;g of "),
    # The Content-Length.
    (r"^\d{5}$", "<length>"),
]

PAGE = """\
<!doctype html>
<html>
  <body>
    <h1>{{ heading }}</h1>
    <ul>{% for thing in things %}<li>{{ thing.name }}{% endfor %}</ul>
  </body>
</html>
"""


class Base(DeclarativeBase):
    pass


db = SQLAlchemy(model_class=Base)


class Thing(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


def make_app(folder: Path, panels: t.Sequence[str] = (), **config: t.Any) -> Flask:
    templates = folder / "templates"
    templates.mkdir(exist_ok=True)
    (templates / "shelf.html").write_text(PAGE, encoding="utf-8")
    app = Flask(__name__, template_folder=str(templates), static_folder=None)
    app.debug = True
    app.config.update(
        SECRET_KEY="only for this scenario",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/shop.db",
        SQLALCHEMY_RECORD_QUERIES=True,
        DEBUG_TB_TEMPLATE_EDITOR_ENABLED=True,
        **config,
    )
    if panels:
        app.config["DEBUG_TB_PANELS"] = [f"flask_debugtoolbar.panels.{name}" for name in panels]
    db.init_app(app)
    DebugToolbarExtension(app)
    with app.app_context():
        db.create_all()

    @app.get("/shelf/<letter>")
    def shelf(letter: str) -> t.Any:
        g.letter = letter
        session["looked"] = letter
        logging.getLogger("shop").warning("somebody looks for %s", letter)
        things = db.session.scalars(select(Thing).where(Thing.name.startswith(letter)).order_by(Thing.name))
        return render_template("shelf.html", heading=f"Things with {letter}", things=things)

    @app.post("/things")
    def add() -> t.Any:
        db.session.add(Thing(name=request.form["name"]))
        db.session.commit()
        return redirect(url_for("shelf", letter=request.form["name"][0]))

    @app.get("/things.json")
    def as_json() -> t.Any:
        return jsonify([thing.name for thing in db.session.scalars(select(Thing))])

    @app.get("/plain")
    def plain() -> t.Any:
        return "no page", {"Content-Type": "text/plain"}

    return app


PANELS = (
    "headers.HeaderDebugPanel",
    "request_vars.RequestVarsDebugPanel",
    "template.TemplateDebugPanel",
    "sqlalchemy.SQLAlchemyDebugPanel",
    "logger.LoggingPanel",
    "route_list.RouteListDebugPanel",
    "g.GDebugPanel",
)


def panel_of(page: str, name: str) -> str:
    """Return the text of a panel, without the markup."""
    found = re.search(
        rf'<div id="flDebug{name}Panel-content".*?(?=<div id="flDebug|</body>)', page, re.DOTALL
    )
    assert found, f"there is no panel {name}"
    return " ".join(re.sub(r"<[^>]+>", " ", found[0]).split())


def play(visitor: Visitor) -> None:
    app = make_app(visitor.folder, PANELS)
    visitor = type(visitor)(app, visitor.protocol, visitor.folder, visitor.transcript, VARIES)

    held = visitor.post("/things", data={"name": "tea"})
    assert (held.status_code, held.location) == (200, None)
    assert "<h1>Redirect (302)</h1>" in held.text
    assert '<a href="/shelf/t">/shelf/t</a>' in held.text
    assert "INSERT INTO" in panel_of(held.text, "SQLAlchemy")

    page = visitor.get("/shelf/t?color=green").text
    assert page.index("<h1>Things with t</h1>") < page.index('<div id="flDebug"') < page.index("</body>")
    assert "SELECT" in panel_of(page, "SQLAlchemy")
    assert "shelf.html" in panel_of(page, "Template")
    assert "Things with t" in panel_of(page, "Template")
    assert "somebody looks for t" in panel_of(page, "Logging")
    variables = panel_of(page, "RequestVars")
    assert "scenario_flask_debugtoolbar.shelf" in variables
    assert "color" in variables
    assert "looked" in variables
    assert "/shelf/&lt;letter&gt;" in panel_of(page, "RouteList")
    assert "letter t" in panel_of(page, "g")
    assert panel_of(visitor.get("/shelf/none").text, "Logging").count("somebody looks") == 1

    # What is no page is left alone.
    assert visitor.get("/things.json").json == ["tea"]
    assert visitor.get("/plain").text == "no page"
    # Not compared: on Erlen the body of an error is no stream, so its page has the toolbar (docs/differences.md).
    assert visitor.client.get("/nowhere").status_code == 404

    assert visitor.get("/_debug_toolbar/static/css/toolbar.css").mimetype == "text/css"
    assert visitor.client.get("/_debug_toolbar/static/../__init__.py").status_code == 404
    assert (
        visitor.get("/_debug_toolbar/views/sqlalchemy/sql_select?query=forged&duration=1").status_code == 406
    )

    # The editor shows the template of a page, tries another text, and saves it.
    editor = re.search(r"/_debug_toolbar/views/template/[\w-]+", page)
    assert editor
    assert "{{ heading }}" in visitor.client.get(editor[0]).text.replace("&#34;", '"')
    tried = visitor.client.post(editor[0], data={"content": "<b>{{ heading|upper }}</b>"})
    assert tried.text == "<b>THINGS WITH T</b>"
    wrong = visitor.client.post(editor[0], data={"content": "{% if %}"})
    assert (wrong.status_code, wrong.json["lineno"]) == (400, 1)
    visitor.client.post(f"{editor[0]}/save", data={"content": PAGE.replace("h1>", "h2>")})
    assert "<h2>Things with t</h2>" in visitor.get("/shelf/t").text

    play_with_all_panels(visitor)
    play_without(visitor)


def play_with_all_panels(visitor: Visitor) -> None:
    """Look at the panels whose contents are this computer's, or have Erlen's own keys beside Flask's."""
    app = make_app(visitor.folder, DEBUG_TB_INTERCEPT_REDIRECTS=False, SHOP_NAME="corner shop")
    client = type(visitor)(app, visitor.protocol, visitor.folder, []).client
    assert client.post("/things", data={"name": "salt"}).location == "/shelf/s"
    page = client.get("/shelf/s").text
    config = panel_of(page, "ConfigVars")
    keys = (
        "SHOP_NAME",
        "SESSION_COOKIE_NAME",
        "SEND_FILE_MAX_AGE_DEFAULT",
        "DEBUG_TB_ENABLED",
        "MAX_COOKIE_SIZE",
    )
    visitor.note("configuration", [re.findall(rf" {key} (\S+)", config) for key in keys])
    visitor.note("version", re.findall(r"Flask \d\S+", page)[0].split("<")[0])
    assert "Werkzeug" in panel_of(page, "Version")
    assert "CPU time" in panel_of(page, "Timer")
    visitor.note("panels", re.findall(r'<div id="flDebug(\w+)Panel-content"', page))


def play_without(visitor: Visitor) -> None:
    """Without debugging there is no toolbar; with a list of hosts only these see it."""
    quiet = type(visitor)(
        make_app(visitor.folder, DEBUG_TB_ENABLED=False), visitor.protocol, visitor.folder, visitor.transcript
    )
    assert "flDebug" not in quiet.get("/shelf/s").text
    assert quiet.get("/_debug_toolbar/static/css/toolbar.css").status_code == 404
    far = type(visitor)(
        make_app(visitor.folder, DEBUG_TB_HOSTS=("10.0.0.1",)),
        visitor.protocol,
        visitor.folder,
        visitor.transcript,
    )
    assert "flDebug" not in far.get("/shelf/s").text
