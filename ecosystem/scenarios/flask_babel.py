"""Pages in three languages: catalogs, plurals, contexts, lazy texts, dates and numbers of each reader's place and zone."""

from __future__ import annotations

import typing as t
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import (
    Flask,
    flash,
    get_flashed_messages,
    has_request_context,
    jsonify,
    render_template_string,
    request,
    session,
)
from flask_babel import (
    Babel,
    Domain,
    force_locale,
    format_currency,
    format_date,
    format_datetime,
    format_decimal,
    format_percent,
    format_time,
    format_timedelta,
    get_locale,
    get_timezone,
    gettext,
    lazy_gettext,
    lazy_ngettext,
    ngettext,
    npgettext,
    pgettext,
    refresh,
    to_user_timezone,
    to_utc,
)

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-Babel", "babel"]

HEAD = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"'

CATALOGS = {
    ("de", "messages"): """
        "Plural-Forms: nplurals=2; plural=(n != 1);\\n"
        msgid "Good day, %(name)s"
        msgstr "Guten Tag, %(name)s"
        msgid "%(num)d letter"
        msgid_plural "%(num)d letters"
        msgstr[0] "%(num)d Brief"
        msgstr[1] "%(num)d Briefe"
        msgctxt "month"
        msgid "May"
        msgstr "Mai"
        msgctxt "verb"
        msgid "May"
        msgstr "darf"
        msgid "Home"
        msgstr "Startseite"
        msgid "The language was changed"
        msgstr "Die Sprache wurde geändert"
        msgid "Nothing here"
        msgstr "Hier ist nichts"
        """,
    ("pl", "messages"): """
        "Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2);\\n"
        msgid "Good day, %(name)s"
        msgstr "Dzień dobry, %(name)s"
        msgid "%(num)d letter"
        msgid_plural "%(num)d letters"
        msgstr[0] "%(num)d list"
        msgstr[1] "%(num)d listy"
        msgstr[2] "%(num)d listów"
        """,
    ("de", "shop"): """
        msgid "Home"
        msgstr "Zum Laden"
        """,
}

PAGE = """\
<title>{{ title }}</title>
<h1>{% trans %}Good day, {{ name }}{% endtrans %}</h1>
<p>{{ ngettext("%(num)d letter", "%(num)d letters", count) }} ({{ _("Home") }})</p>
<p>{{ day|dateformat("full") }}, {{ day|datetimeformat("short") }}, {{ 1234567.891|decimalformat }}</p>
<p>{{ 0.25|percentformat }}, {{ 19.9|currencyformat("EUR") }}, {{ pgettext("month", "May") }}</p>
"""

DAY = datetime(2024, 2, 29, 23, 30, 5, tzinfo=UTC)


def compile_catalogs(folder: Path) -> None:
    for (locale, domain), entries in CATALOGS.items():
        lines = [HEAD, *(line.strip() for line in entries.strip().splitlines())]
        target = folder / "translations" / locale / "LC_MESSAGES"
        target.mkdir(parents=True, exist_ok=True)
        with (target / f"{domain}.mo").open("wb") as file:
            write_mo(file, read_po(BytesIO("\n".join(lines).encode()), locale=locale, domain=domain))


def make_app(folder: Path) -> Flask:
    compile_catalogs(folder)
    app = Flask(__name__)
    app.secret_key = "only for this scenario"
    app.config.update(
        BABEL_TRANSLATION_DIRECTORIES=str(folder / "translations"),
        BABEL_DEFAULT_LOCALE="en",
        BABEL_DEFAULT_TIMEZONE="Europe/Berlin",
    )

    def select_locale() -> str | None:
        if not has_request_context():
            return None
        return session.get("locale") or request.accept_languages.best_match(["en", "de", "pl", "ar"])

    def select_zone() -> str | None:
        return session.get("zone") if has_request_context() else None

    babel = Babel(app, locale_selector=select_locale, timezone_selector=select_zone)
    babel.date_formats["datetime.short"] = "yyyy-MM-dd HH:mm"
    shop = Domain(domain="shop")
    # Made when no request is there; read in each.
    title = lazy_gettext("Home")
    letters = lazy_ngettext("%(num)d letter", "%(num)d letters", 3)

    @app.get("/<name>/<int:count>")
    def page(name: str, count: int) -> str:
        return render_template_string(PAGE, name=name, count=count, title=title, day=DAY)

    @app.get("/texts")
    def texts() -> t.Any:
        return jsonify(
            locale=str(get_locale()),
            plural=[ngettext("%(num)d letter", "%(num)d letters", number) for number in (1, 2, 5, 22)],
            contexts=[pgettext("month", "May"), pgettext("verb", "May")],
            both=npgettext("month", "May", "Mays", 1),
            lazy=[str(title), title.upper(), f"{title}!", str(letters), title == "Home"],
            json=title,
            shop=shop.gettext("Home"),
            unknown=gettext("no such text, %(at)s", at="here"),
            known=sorted(str(locale) for locale in babel.list_translations()),
        )

    @app.get("/numbers")
    def numbers() -> t.Any:
        return jsonify(
            zone=str(get_timezone()),
            date=[format_date(DAY), format_date(date(2024, 3, 1), "long")],
            time=[
                format_time(DAY, "short"),
                format_datetime(DAY, "full"),
                format_datetime(DAY, "EEEE, HH:mm"),
            ],
            as_it_is=format_datetime(DAY, "short", rebase=False),
            delta=[
                format_timedelta(timedelta(days=3)),
                format_timedelta(timedelta(hours=-2), add_direction=True),
            ],
            decimal=format_decimal(-1234.5),
            percent=format_percent(0.345),
            money=[format_currency(1099.98, "USD"), format_currency(1099.98, "PLN")],
            to_user=to_user_timezone(DAY).isoformat(),
            to_utc=to_utc(datetime(2024, 7, 1, 12)).isoformat(),
        )

    @app.post("/settings")
    def settings() -> t.Any:
        before = gettext("The language was changed")
        session.update(request.form)
        # Without it the rest of this request would stay in the language before.
        refresh()
        flash(gettext("The language was changed"))
        return jsonify(before=before, after=get_flashed_messages(), zone=str(get_timezone()))

    @app.get("/letter")
    def letter() -> t.Any:
        with force_locale("pl"):
            inner = gettext("Good day, %(name)s", name="Olga")
            with force_locale("de"):
                innermost = format_date(DAY, "long")
            inner_again = str(get_locale())
        return jsonify([inner, innermost, inner_again, gettext("Good day, %(name)s", name="Olga")])

    @app.errorhandler(404)
    def missing(error: Exception) -> t.Any:
        return gettext("Nothing here"), 404

    @app.cli.command("greet")
    def greet() -> None:
        """Greet without a request: in the locale of the configuration, or one that is forced."""
        print(gettext("Good day, %(name)s", name="you"), get_locale())
        with force_locale("de"):
            print(gettext("Good day, %(name)s", name="you"), format_date(DAY, "full"))

    return app


def play(visitor: Visitor) -> None:
    def speaking(language: str) -> dict[str, str]:
        return {"Accept-Language": language}

    assert "<h1>Good day, Ada</h1>\n<p>1 letter (Home)</p>" in visitor.get("/Ada/1").text
    german = visitor.get("/Ada/2", headers=speaking("fr, de;q=0.7, en;q=0.3")).text
    assert "<title>Startseite</title>\n<h1>Guten Tag, Ada</h1>\n<p>2 Briefe (Startseite)</p>" in german
    # Midnight is over in Berlin.
    assert "<p>Freitag, 1. März 2024, 2024-03-01 00:30, 1.234.567,891</p>" in german
    assert "<p>25\xa0%, 19,90\xa0€, Mai</p>" in german
    polish = visitor.get("/<Olga>/5", headers=speaking("pl")).text
    assert "<h1>Dzień dobry, &lt;Olga&gt;</h1>\n<p>5 listów (Home)</p>" in polish

    assert visitor.get("/texts").json["lazy"][:3] == ["Home", "HOME", "Home!"]
    texts = visitor.get("/texts", headers=speaking("de")).json
    assert texts["contexts"] == ["Mai", "darf"]
    assert texts["lazy"] == ["Startseite", "STARTSEITE", "Startseite!", "3 Briefe", False]
    assert (texts["json"], texts["shop"]) == ("Startseite", "Zum Laden")
    assert texts["unknown"] == "no such text, here"
    assert texts["known"] == ["de", "en", "pl"]
    plural = visitor.get("/texts", headers=speaking("pl")).json["plural"]
    assert plural == ["1 list", "2 listy", "5 listów", "22 listy"]

    assert visitor.get("/numbers").json["decimal"] == "-1,234.5"
    assert visitor.get("/numbers", headers=speaking("de")).json["delta"] == ["3 Tage", "vor 2 Stunden"]
    visitor.get("/numbers", headers=speaking("ar"))

    changed = visitor.post("/settings", data={"locale": "de", "zone": "Asia/Tokyo"}).json
    assert changed["before"] == "The language was changed"
    assert changed["after"] == ["Die Sprache wurde geändert"]
    assert changed["zone"] == "Asia/Tokyo"
    numbers = visitor.get("/numbers").json
    assert numbers["to_user"] == "2024-03-01T08:30:05+09:00"
    assert numbers["to_utc"] == "2024-07-01T03:00:00"
    assert visitor.get("/nowhere").text == "Hier ist nichts"

    assert visitor.get("/letter").json == ["Dzień dobry, Olga", "1. März 2024", "pl", "Guten Tag, Olga"]
    assert visitor.another().get("/letter").json[3] == "Good day, Olga"
    assert visitor.run("greet").startswith("Good day, you")
