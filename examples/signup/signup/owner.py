"""What the owner sees: the list, its exports, and a way to take somebody off it."""

from __future__ import annotations

import csv
import hmac
import io
import typing as t
import unicodedata
from datetime import UTC, datetime

import click
from werkzeug.datastructures import WWWAuthenticate

from erlen import (
    Blueprint,
    Response,
    abort,
    current_app,
    flash,
    make_response,
    redirect,
    render_template,
    request,
    stream_with_context,
    url_for,
)
from erlen.typing import ResponseReturnValue

from .database import LARGEST_ID, Page, Signup, store
from .export import COLUMNS, csv_row

blueprint = Blueprint("owner", __name__, url_prefix="/owner")

QUERY_LENGTH = 200
_ENTRY = f"/signups/<int(max={LARGEST_ID}):entry_id>/delete"


@blueprint.before_request
def ask_for_password() -> ResponseReturnValue | None:
    """Let nobody in but the owner, and nobody at all while no password is configured."""
    expected = current_app.config["OWNER_PASSWORD"]
    if not expected:
        return render_template("owner/closed.html"), 503
    given = request.authorization
    if given is not None and given.type == "basic":
        right_name = _same(given.username, current_app.config["OWNER_NAME"])
        right_password = _same(given.password, expected)
        # Both are compared in any case, so that the time tells nothing about the name.
        if right_name & right_password:
            return None
    response = make_response(render_template("owner/unauthorized.html"), 401)
    realm = f"{current_app.config['APP_NAME']} owner area"
    response.www_authenticate = WWWAuthenticate("basic", {"realm": realm, "charset": "UTF-8"})
    return response


@blueprint.after_request
def keep_out_of_caches(response: Response) -> Response:
    """Forbid storing what holds personal data."""
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/")
def index() -> ResponseReturnValue:
    """Show a page of the list."""
    query, page = _requested_page()
    return render_template("owner/index.html", page=page, query=query)


@blueprint.get("/signups.json")
def as_json() -> ResponseReturnValue:
    """Return a page of the list as JSON."""
    query, page = _requested_page()
    return {
        "query": query,
        "page": page.number,
        "pages": page.count,
        "total": page.total,
        "signups": [_as_dict(entry) for entry in page.entries],
    }


@blueprint.get("/signups.csv")
def as_csv() -> ResponseReturnValue:
    """Return the list, as far as it matches the search, as a file for spreadsheet programs."""
    response = Response(stream_with_context(_csv_lines(_query())), mimetype="text/csv")
    filename = f"signups-{datetime.now(UTC):%Y-%m-%d}.csv"
    response.headers.set("Content-Disposition", "attachment", filename=filename)
    return response


@blueprint.get(_ENTRY)
def confirm_delete(entry_id: int) -> ResponseReturnValue:
    """Ask before deleting. A page of its own, as it works without scripts."""
    entry = store.get(entry_id)
    if entry is None:
        abort(404)
    return render_template("owner/delete.html", entry=entry, place=_place())


@blueprint.post(_ENTRY)
def delete(entry_id: int) -> ResponseReturnValue:
    """Delete an entry and return to where the owner was in the list."""
    entry = store.get(entry_id)
    if entry is None:
        flash("That entry was gone already.", "info")
    else:
        store.delete(entry)
        flash(f"{entry.name} is no longer on the list.", "success")
    return redirect(url_for("owner.index", **_place()), 303)


@blueprint.cli.command("export")
@click.argument("file", type=click.File("w", encoding="utf-8"), default="-")
def export_command(file: t.TextIO) -> None:
    """Write the list as CSV to FILE, or to the terminal."""
    file.writelines(_csv_lines(""))


def _same(given: str | None, expected: str) -> bool:
    def normal(text: str) -> bytes:
        # RFC 7617, 2.1: user and password are compared in the composed form.
        return unicodedata.normalize("NFC", text).encode("utf-8", "surrogatepass")

    return hmac.compare_digest(normal(given or ""), normal(expected))


def _query() -> str:
    text = request.args.get("q", "")[:QUERY_LENGTH]
    # Databases refuse some control characters with an error; no entry holds one.
    return " ".join("".join(c if unicodedata.category(c) not in ("Cc", "Cs") else " " for c in text).split())


def _requested_page() -> tuple[str, Page]:
    query = _query()
    number = request.args.get("page", 1, type=int)
    return query, store.page(query, number, current_app.config["PAGE_SIZE"])


def _place() -> dict[str, t.Any]:
    """Return where in the list the owner is, as values for ``url_for``."""
    return {"q": _query() or None, "page": request.args.get("page", type=int)}


def _as_dict(entry: Signup) -> dict[str, t.Any]:
    return {
        "id": entry.id,
        "name": entry.name,
        "email": entry.email,
        "signed_up_at": entry.signed_up_at.isoformat(timespec="seconds"),
        "times_asked": entry.times_asked,
    }


def _csv_lines(query: str) -> t.Iterator[str]:
    # The mark at the beginning is what makes spreadsheet programs read the rest as UTF-8.
    yield "\ufeff" + _csv_line(COLUMNS)
    for entry in store.each(query):
        yield _csv_line(csv_row(entry))


def _csv_line(cells: t.Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow(cells)
    return line.getvalue()
