"""Security headers: https alone, HSTS, a content security policy with nonces, other policies, views of their own, cookie flags."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from flask import Flask, redirect, render_template_string, send_from_directory, session, url_for
from flask_talisman import ALLOW_FROM, DENY, Talisman

from visitor import Visitor

DISTRIBUTIONS = ["flask-talisman"]

VARIES = [(r"nonce(-|=\")[\w-]{32}", r"nonce\1<random>")]

POLICY = {
    "default-src": "'self'",
    "script-src": ["'self'", "https://code.example"],
    "style-src": "'self'",
    "img-src": "*",
}

PAGE = """<!doctype html>
<style nonce="{{ csp_nonce() }}">h1 { color: teal }</style>
<h1>{{ title }}</h1>
<script nonce="{{ csp_nonce() }}">console.log({{ title|tojson }})</script>
"""


def make_app(folder: Path) -> Flask:
    (folder / "note.txt").write_text("A file\n")
    app = Flask(__name__)
    app.secret_key = "only for this scenario"
    talisman = Talisman(
        app,
        content_security_policy=POLICY,
        content_security_policy_nonce_in=["script-src", "style-src"],
        content_security_policy_report_uri="/reports",
        feature_policy={"geolocation": "'none'"},
        permissions_policy={"camera": "()", "fullscreen": "(self)"},
        document_policy={"unsized-media": "?0"},
        frame_options=DENY,
        force_https_permanent=True,
        strict_transport_security_max_age=3600,
        strict_transport_security_preload=True,
        referrer_policy="no-referrer",
        session_cookie_samesite="Strict",
        force_file_save=True,
    )

    @app.get("/")
    def home() -> str:
        return render_template_string(PAGE, title="Home & more")

    @app.post("/visit")
    def visit() -> t.Any:
        session["visits"] = session.get("visits", 0) + 1
        return redirect(url_for("home", _external=True))

    @app.get("/health")
    @talisman(force_https=False, content_security_policy=False, permissions_policy={})
    def health() -> t.Any:
        return {"healthy": True}

    @app.get("/widget")
    @talisman(
        frame_options=ALLOW_FROM,
        frame_options_allow_from="https://shop.example",
        content_security_policy="default-src 'self'; frame-ancestors https://shop.example",
        content_security_policy_nonce_in=[],
    )
    def widget() -> str:
        return render_template_string("A widget[{{ csp_nonce() }}]")

    @app.get("/map")
    @talisman(feature_policy="geolocation 'self'", content_security_policy_nonce_in=["default-src"])
    def world_map() -> str:
        return render_template_string('<script nonce="{{ csp_nonce() }}"></script>')

    @app.get("/note")
    def note() -> t.Any:
        return send_from_directory(folder, "note.txt", etag=False, last_modified=0)

    @app.get("/broken")
    def broken() -> str:
        return render_template_string("{{ 1 // 0 }}")

    @app.errorhandler(ZeroDivisionError)
    def calm(error: ZeroDivisionError) -> t.Any:
        return render_template_string(PAGE, title="Sorry"), 500

    return app


def reporting_app() -> Flask:
    """Make an application that is being moved to a policy, and still runs in debug mode: nothing is forced."""
    app = Flask(__name__)
    app.secret_key = "only for this scenario"
    app.debug = True
    talisman = Talisman()
    talisman.init_app(
        app,
        content_security_policy={"default-src": "'none'"},
        content_security_policy_report_only=True,
        content_security_policy_report_uri="https://reports.example/",
        strict_transport_security_include_subdomains=False,
        permissions_policy=None,
        x_content_type_options=False,
        x_xss_protection=True,
    )

    @app.get("/")
    def home() -> str:
        session["seen"] = True
        return "Nothing is forced"

    return app


def play(visitor: Visitor) -> None:
    forced(visitor)
    policies(visitor)
    views(visitor)
    cookies(visitor)
    app = reporting_app()
    report_only(Visitor(app, visitor.protocol, visitor.folder, visitor.transcript, VARIES))


def secure(visitor: Visitor, path: str, method: str = "GET", **options: t.Any) -> t.Any:
    return visitor.ask(method, path, base_url="https://localhost", **options)


def forced(visitor: Visitor) -> None:
    moved = visitor.get("/?page=1&of=2")
    assert (moved.status_code, moved.location) == (301, "https://localhost/?page=1&of=2")
    assert "Strict-Transport-Security" not in moved.headers
    assert visitor.get("/nothing").location == "https://localhost/nothing"
    # A proxy says that the visitor came by https.
    proxied = visitor.get("/", headers={"X-Forwarded-Proto": "https"})
    assert proxied.headers["Strict-Transport-Security"] == "max-age=3600; includeSubDomains; preload"
    assert visitor.get("/health").json == {"healthy": True}


def policies(visitor: Visitor) -> None:
    home = secure(visitor, "/")
    nonces = set(re.findall(r'nonce="([\w-]{32})"', home.text))
    (nonce,) = nonces
    assert home.headers["Content-Security-Policy"].split("; ") == [
        "default-src 'self'",
        f"script-src 'self' https://code.example 'nonce-{nonce}'",
        f"style-src 'self' 'nonce-{nonce}'",
        "img-src *",
        "report-uri /reports",
    ]
    assert nonce not in secure(visitor, "/").text
    assert home.headers["Feature-Policy"] == "geolocation 'none'"
    assert home.headers["Permissions-Policy"] == "camera=(), fullscreen=(self)"
    assert home.headers["Document-Policy"] == "unsized-media=?0"
    assert home.headers["X-Frame-Options"] == "DENY"
    assert home.headers["Referrer-Policy"] == "no-referrer"
    assert home.headers["X-Content-Type-Options"] == "nosniff"
    assert home.headers["X-Download-Options"] == "noopen"

    sorry = secure(visitor, "/broken")
    assert sorry.status_code == 500
    assert re.findall(r'nonce="([\w-]{32})"', sorry.text)[0] in sorry.headers["Content-Security-Policy"]
    assert secure(visitor, "/nothing").headers["X-Frame-Options"] == "DENY"
    assert "default-src" in secure(visitor, "/visit").headers["Content-Security-Policy"]
    with secure(visitor, "/note") as file:
        assert file.headers["X-Content-Type-Options"] == "nosniff"


def views(visitor: Visitor) -> None:
    health = secure(visitor, "/health")
    assert not {"Content-Security-Policy", "Permissions-Policy"} & set(health.headers.keys())
    widget = secure(visitor, "/widget")
    assert widget.text == "A widget[]"
    assert widget.headers["X-Frame-Options"] == "ALLOW-FROM https://shop.example"
    assert widget.headers["Content-Security-Policy"].startswith(
        "default-src 'self'; frame-ancestors https://shop"
    )
    world_map = secure(visitor, "/map")
    assert world_map.headers["Feature-Policy"] == "geolocation 'self'"
    assert world_map.headers["Content-Security-Policy"].startswith("default-src 'self' 'nonce-")


def cookies(visitor: Visitor) -> None:
    counted = secure(visitor, "/visit", "POST")
    assert counted.location == "https://localhost/"
    cookie = visitor.client.get_cookie("session")
    assert (cookie.secure, cookie.http_only, cookie.same_site) == (True, True, "Strict")


def report_only(visitor: Visitor) -> None:
    plain = visitor.get("/")
    assert plain.text == "Nothing is forced"
    assert (
        plain.headers["Content-Security-Policy-Report-Only"]
        == "default-src 'none'; report-uri https://reports.example/"
    )
    assert plain.headers["X-XSS-Protection"] == "1; mode=block"
    assert not {"Permissions-Policy", "X-Content-Type-Options"} & set(plain.headers.keys())
    cookie = visitor.client.get_cookie("session")
    assert (cookie.secure, cookie.same_site) == (False, "Lax")
    assert secure(visitor, "/").headers["Strict-Transport-Security"] == "max-age=31556926"
