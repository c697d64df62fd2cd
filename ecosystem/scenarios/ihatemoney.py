"""I Hate Money: a shared budget with members, bills, settlement, history, mails, a feed, its API, its limits and its commands."""

from __future__ import annotations

import base64
import os
import re
import typing as t
import warnings
from pathlib import Path

if t.TYPE_CHECKING:
    from flask import Flask

    from visitor import Visitor

DISTRIBUTIONS = ["ihatemoney", "Flask-Babel", "Flask-Talisman", "Flask-Limiter", "Flask-WTF", "Flask-RESTful"]
APPLICATION = True
ENVIRONMENT = "small"

VARIES = (
    # A token of the project, signed with its password, which is salted.
    (r"WyJyYWNsZXR0ZSJd\.[\w-]{27}", "<token>"),
    # The picture of a link with such a token in it.
    (r'(class="qrcode"[^>]*><path d=)"[^"]*"', r'\1"<picture>"'),
    # Today; the time of each change; when it was the last one, and a sum of that; the end of this minute.
    (r'(type="date" value|"creation_date"|Added on|pubDate)([":=> ]+)[\w ,-]*2\d\d\d[-\d]*', r"\1\2<today>"),
    (r"\w{3} \d+, \d{4}, \d+:\d\d:\d\d\W[AP]M", "<time>"),
    (r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d UTC$", "<time>"),
    (r"^[0-9a-f]{32}$", "<sum>"),
    (r"retry after [\d/]+, [\d:]+\W[AP]M", "retry after <time>"),
)

SETTINGS = """
SQLALCHEMY_DATABASE_URI = "sqlite:///{folder}/budget.db"
SECRET_KEY = "only for this scenario"
SESSION_COOKIE_SECURE = False
ACTIVATE_ADMIN_DASHBOARD = True
PASSWORD_HASH_METHOD = "pbkdf2:sha256:1000"
MAIL_SUPPRESS_SEND = True
BABEL_DEFAULT_TIMEZONE = "UTC"
"""


def make_app(folder: Path) -> Flask:
    (folder / "settings.cfg").write_text(SETTINGS.format(folder=folder))
    os.environ["IHATEMONEY_SETTINGS_FILE_PATH"] = str(folder / "settings.cfg")
    from ihatemoney.currency_convertor import CurrencyConverter
    from ihatemoney.run import create_app
    from ihatemoney.utils import generate_password_hash

    # It would ask a service for them.
    CurrencyConverter.get_rates = lambda self: {"USD": 1.0, "EUR": 0.5, CurrencyConverter.no_currency: 1.0}
    with warnings.catch_warnings(action="ignore"):  # about a database in /tmp, where folders of tests are
        app = create_app(instance_path=str(folder))
    with app.app_context():
        app.config["ADMIN_PASSWORD"] = generate_password_hash("the key")
    return app


def token_of(page: t.Any) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


def play(visitor: Visitor) -> None:
    strangers(visitor)
    make_project(visitor)
    spend(visitor)
    project = interface(visitor)
    read_feed(visitor, project)
    sign_in(visitor.another())
    commands(visitor)


def strangers(visitor: Visitor) -> None:
    home = visitor.get("/")
    assert "Try out the demo" in home.text
    assert home.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert visitor.get("/healthcheck").text == "OK"
    assert visitor.get("/", headers={"Accept-Language": "de"}).text.count("Demo ausprobieren") == 1
    assert visitor.get("/lang/fr", headers={"Referer": "http://localhost/"}).status_code == 302
    assert "Gestion de comptes" in visitor.get("/").text
    visitor.get("/lang/en")
    assert "body" in visitor.get("/static/css/main.css").text
    assert visitor.get("/raclette/").location == "/create?project_id=raclette"
    missing = visitor.get("/no/such/page")
    assert (missing.status_code, "unable to find the page" in missing.text) == (404, True)


def make_project(visitor: Visitor) -> None:
    token = token_of(visitor.get("/create"))
    form = {"name": "raclette party", "id": "raclette", "password": "party", "default_currency": "USD"}
    form["contact_email"] = "raclette@example.com"
    assert "The CSRF token is missing" in visitor.post("/create", data=form).text
    form["csrf_token"] = token
    assert "This field is required" in visitor.post("/create", data={**form, "name": ""}).text
    with visitor.app.mail.record_messages() as outbox:
        made = visitor.post("/create", data=form, follow_redirects=True)
    assert "A reminder email has just been sent to you" in made.text
    visitor.note("mails", [[mail.subject, mail.recipients, mail.sender, mail.body] for mail in outbox])
    for name, weight in (("Zoe", "1"), ("Fred", "2")):
        form = {"csrf_token": token, "name": name, "weight": weight}
        added = visitor.post("/raclette/members/add", data=form, follow_redirects=True)
        assert f"{name} has been added" in added.text


def spend(visitor: Visitor) -> None:
    form = {
        "csrf_token": token_of(visitor.get("/raclette/add")),
        "date": "2024-08-10",
        "what": "fromage à raclette",
        "payer": "1",
        "payed_for": ["1", "2"],
        "amount": "10*3",
        "original_currency": "USD",
        "bill_type": "Expense",
    }
    assert "The bill has been added" in visitor.post("/raclette/add", data=form, follow_redirects=True).text
    assert "This field is required" in visitor.post("/raclette/add", data={**form, "amount": "ten"}).text
    assert "20.00" in visitor.get("/raclette/settle_bills").text
    assert "$30.00" in visitor.get("/raclette/statistics").text
    edited = visitor.post("/raclette/edit/1", data={**form, "amount": "60"}, follow_redirects=True)
    assert "The bill has been modified" in edited.text
    assert "Amount changed" in re.sub(r"\s+", " ", visitor.get("/raclette/history").text)
    bills = visitor.get("/raclette/export/bills.csv")
    assert bills.text.splitlines()[1] == 'fromage à raclette,Expense,60.0,USD,2024-08-10,Zoe,1.0,"Zoe, Fred"'
    assert visitor.get("/raclette/export/transactions.json").json[0]["amount"] == 40.0
    assert visitor.get("/raclette/export/bills.pdf").status_code == 404
    assert "/raclette/join/" in visitor.get("/raclette/invite").text


def interface(visitor: Visitor) -> dict[str, t.Any]:
    assert visitor.get("/api/projects/raclette").status_code == 401
    key = {"Authorization": "Basic " + base64.b64encode(b"raclette:party").decode()}
    project = visitor.get("/api/projects/raclette", headers=key).json
    assert [member["balance"] for member in project["members"]] == [40.0, -40.0]
    members = "/api/projects/raclette/members"
    assert visitor.post(members, data={"name": "Ada"}, headers=key).status_code == 201
    assert visitor.post(members, data={"name": "Ada"}, headers=key).status_code == 400
    assert visitor.delete(f"{members}/3", headers=key).json == "OK"
    assert visitor.get("/api/projects/raclette/bills/9", headers=key).status_code == 404
    bearer = {
        "Authorization": "Bearer " + visitor.get("/api/projects/raclette/token", headers=key).json["token"]
    }
    assert visitor.get("/api/projects/raclette/bills", headers=bearer).json[0]["what"] == "fromage à raclette"
    assert "EUR" in visitor.get("/api/currencies").json
    return project


def read_feed(visitor: Visitor, project: dict[str, t.Any]) -> None:
    found = re.search(r'href="(/raclette/feed/[^"]+)"', visitor.get("/raclette/").text)
    assert found is not None
    feed = visitor.get(found[1])
    assert feed.mimetype == "application/rss+xml"
    assert "<title>fromage à raclette - $60.00</title>" in feed.text
    again = visitor.get(found[1], headers={"If-None-Match": feed.headers["ETag"]})
    assert (again.status_code, again.text) == (304, "")
    assert visitor.get("/raclette/feed/forged.xml").status_code == 404


def sign_in(visitor: Visitor) -> None:
    assert visitor.get("/raclette/").location == "/authenticate?project_id=raclette"
    form = {"id": "raclette", "csrf_token": token_of(visitor.get("/authenticate?project_id=raclette"))}
    wrong = visitor.post("/authenticate", data={**form, "password": "no"})
    assert "This private code is not the right one. Only 2 attempts left." in wrong.text
    assert visitor.post("/authenticate", data={**form, "password": "party"}).location == "/raclette/"
    assert "fromage" in visitor.get("/raclette/").text
    assert visitor.post("/exit", data=form).location == "/"

    assert visitor.get("/dashboard").location == "/admin?goto=/dashboard"
    form = {"csrf_token": token_of(visitor.get("/admin")), "admin_password": "no"}
    assert "Only 2 attempts left" in visitor.post("/admin?goto=/dashboard", data=form).text
    form["admin_password"] = "the key"
    assert visitor.post("/admin?goto=/dashboard", data=form).location == "/dashboard"
    assert "raclette party" in visitor.get("/dashboard").text
    visitor.post("/admin", data=form)
    assert "Too many failed login attempts." in visitor.post("/admin", data=form).text


def commands(visitor: Visitor) -> None:
    from click.testing import CliRunner
    from ihatemoney.manage import cli

    def run(*args: str) -> str:
        result = CliRunner().invoke(cli, args)
        assert result.exit_code == 0, result.output
        # Flask's command fills the lines of a table with spaces at their ends.
        lines = [line.rstrip() for line in result.stdout.splitlines()]
        visitor.note(f"$ ihatemoney {' '.join(args)}", lines)
        return result.stdout

    # Each makes an application of its own with the same factory.
    assert "gunicorn" in run("generate-config", "gunicorn.conf.py")
    assert "/<project_id>/settle_bills" in run("routes")
    assert run("get-project-count") == "Number of projects: 1\n"
    run("delete-project", "raclette")
    assert visitor.get("/raclette/").location == "/create?project_id=raclette"
