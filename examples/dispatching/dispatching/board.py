"""A notice board: the application of which there are several instances."""

from __future__ import annotations

import typing as t

from erlen import Blueprint, Erlen, current_app, redirect, render_template_string, request, session, url_for
from erlen.typing import ResponseReturnValue

# Views read the configuration of the instance that answers through ``current_app``; the blueprint itself
# holds no state, so that all instances can share it.
blueprint = Blueprint("board", __name__)

PAGE = """\
<!doctype html>
<html lang="en">
<title>{{ config.TITLE }}</title>
<h1>{{ config.TITLE }}</h1>
<ul>{% for notice in notices %}<li>{{ notice }}</li>{% endfor %}</ul>
<form method="post" action="{{ url_for('board.post') }}">
  <label>Notice <input name="notice" required maxlength="200"></label> <button>Pin up</button>
</form>
<p>You have pinned {{ session.get("pinned", 0) }} here.</p>
</html>
"""


def create_board(config: t.Mapping[str, t.Any]) -> Erlen:
    """Make an instance of the notice board.

    :param config: ``TITLE`` and ``SECRET_KEY``; the key must be another one for each instance, else the
        session cookie of one opens at its neighbour.
    """
    app = Erlen(__name__, static_folder=None)
    app.config.from_mapping(config)
    app.extensions["notices"] = []
    app.register_blueprint(blueprint)
    return app


@blueprint.get("/")
def index() -> ResponseReturnValue:
    """Show the notices of this instance."""
    return render_template_string(PAGE, notices=current_app.extensions["notices"])


@blueprint.post("/")
def post() -> ResponseReturnValue:
    """Pin up a notice. An example: what a real board keeps stands in a database."""
    current_app.extensions["notices"].append(request.form["notice"][:200])
    session["pinned"] = session.get("pinned", 0) + 1
    return redirect(url_for("board.index"), 303)
