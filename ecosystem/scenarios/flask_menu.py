"""Menus that views register themselves in: nested, active, visible, with arguments of the page and lists made for it."""

from __future__ import annotations

import typing as t
from pathlib import Path

from flask import Blueprint, Flask, jsonify, render_template_string, request
from flask_menu import Menu, current_menu, register_menu

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-Menu"]
REMOVED_FROM_FLASK = ["app.before_first_request", "blueprint.before_app_first_request"]

PAGE = """\
{%- macro draw(entry) -%}
<ul>{% for one in entry.children if one.visible %}
<li{% if one.active %} class="active"{% endif %}><a href="{{ one.url }}">{{ one.text }}</a>{{ one.badge }}
{%- if one.has_visible_child(recursive=False) %}{{ draw(one) }}{% endif %}{% endfor %}
</ul>
{%- endmacro -%}
<h1>{{ heading }}</h1>
{{ draw(current_menu.submenu("main")) }}
"""


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    Menu(app)
    order: list[str] = []
    app.extensions["order"] = order

    @app.before_request
    def first_of_each_request() -> None:
        order.append("before")

    @app.get("/")
    @register_menu(app, "main.home", "Home", order=0)
    def home() -> str:
        return render_template_string(PAGE, heading="Home")

    @app.before_first_request
    def once() -> None:
        order.append("first")

    @app.get("/shop/")
    @register_menu(app, "main.shop", "Shop", order=1, badge=" (new)")
    def shop() -> str:
        return render_template_string(PAGE, heading="Shop")

    @app.get("/staff/")
    @register_menu(
        app, "main.staff", "Staff", order=9, visible_when=lambda: request.args.get("user") == "ada"
    )
    def staff() -> str:
        return render_template_string(PAGE, heading="Staff")

    def recent() -> list[dict[str, str]]:
        return [{"text": f"Thing {number}", "url": f"/shop/{number}"} for number in (7, 9)]

    shelves = Blueprint("shelves", __name__, url_prefix="/shop/<shelf>")

    @shelves.get("/")
    @register_menu(
        shelves,
        "main.shop.shelf",
        "This shelf",
        visible_when=lambda: "shelf" in (request.view_args or {}),
        endpoint_arguments_constructor=lambda: {"shelf": (request.view_args or {}).get("shelf", "none")},
    )
    def look(shelf: str) -> str:
        return render_template_string(PAGE, heading=shelf)

    @shelves.get("/prices")
    @register_menu(
        shelves,
        "main.shop.prices",
        "Prices",
        order=2,
        endpoint_arguments_constructor=lambda: {"shelf": "all"},
        active_when=lambda: request.endpoint == "shelves.prices",
        dynamic_list_constructor=recent,
    )
    def prices(shelf: str) -> str:
        return render_template_string(PAGE, heading=f"Prices of {shelf}")

    app.register_blueprint(shelves)

    @app.get("/crumbs")
    @register_menu(app, "main.shop.crumbs", "Crumbs", order=5)
    def crumbs() -> t.Any:
        path = current_menu.list_path("main", "main.shop.crumbs")
        return jsonify(
            path=[entry.text for entry in path],
            active=current_menu.active_item.text,
            wrong=current_menu.list_path("main.home", "main.shop"),
            nowhere=current_menu.submenu("main.nowhere", auto_create=False),
            dynamic=current_menu.submenu("main.shop.prices").dynamic_list,
        )

    @app.post("/close")
    def close() -> t.Any:
        current_menu.submenu("main.shop").hide()
        outside = current_menu.submenu("main.outside")
        outside.register(text="Elsewhere", external_url="https://example.org/", order=3)
        return "", 204

    return app


def links(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.startswith("<li")]


def play(visitor: Visitor) -> None:
    # What the views registered is entered in the menu when the first request comes.
    with visitor.app.app_context():
        assert current_menu.submenu("main").children == []
    assert links(visitor.get("/").text) == [
        '<li class="active"><a href="/">Home</a>',
        '<li><a href="/shop/">Shop</a> (new)<ul>',
        '<li><a href="/shop/all/prices">Prices</a>',
        '<li><a href="/crumbs">Crumbs</a>',
    ]
    assert visitor.app.extensions["order"] == ["first", "before"]
    shelf = links(visitor.get("/shop/tea/").text)
    assert '<li class="active"><a href="/shop/">Shop</a> (new)<ul>' in shelf
    assert '<li class="active"><a href="/shop/tea/">This shelf</a>' in shelf
    prices = visitor.get("/shop/salt/prices").text
    assert '<li class="active"><a href="/shop/all/prices">Prices</a>' in prices
    assert "Staff" not in prices
    assert '<a href="/staff/">Staff</a>' in visitor.get("/staff/?user=ada").text

    crumbs = visitor.get("/crumbs").json
    assert crumbs["path"][1:] == ["Shop", "Crumbs"]
    assert (crumbs["active"], crumbs["wrong"], crumbs["nowhere"]) == ("Crumbs", None, None)
    assert crumbs["dynamic"][1] == {"text": "Thing 9", "url": "/shop/9"}

    assert visitor.post("/close").status_code == 204
    after = visitor.get("/").text
    assert "Shop" not in after
    assert '<a href="https://example.org/">Elsewhere</a>' in after
    assert visitor.get("/nowhere").status_code == 404
    order = visitor.app.extensions["order"]
    assert order.count("first") == 1
    visitor.note("order", order)
    # Too late for this, as for all that sets an application up.
    try:
        visitor.app.before_first_request(lambda: None)
    except AssertionError:
        visitor.note("late", "refused")
