from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

import erlen
from chapter_08 import Blueprint, Sapling, render_template
from framework_support import CHAPTERS, ask, chapter, new_app, told
from solutions.chapter_08 import Nesting


def noting(calls: list[str], name: str) -> t.Callable[[t.Any], t.Any]:
    def note(response: t.Any) -> t.Any:
        calls.append(name)
        return response

    return note


def build(framework: t.Any, calls: list[str]) -> t.Any:
    blueprint = framework.Blueprint("shop", "framework_example", url_prefix="/shop")

    @blueprint.route("/")
    def index() -> str:
        return (
            f"{framework.url_for('.index')} {framework.url_for('index')} {framework.url_for('shop.broken')}"
        )

    @blueprint.route("/broken")
    def broken() -> str:
        raise KeyError("rope")

    @blueprint.errorhandler(LookupError)
    def of_shop(error: Exception) -> tuple[str, int]:
        return "shop", 404

    blueprint.before_request(lambda: calls.append("before shop"))
    blueprint.after_request(noting(calls, "after shop"))
    blueprint.context_processor(lambda: {"owner": "shop"})
    app = new_app(framework)
    app.before_request(lambda: calls.append("before"))
    app.after_request(noting(calls, "after"))
    app.errorhandler(KeyError)(lambda error: ("application", 404))

    @app.route("/")
    def outside() -> str:
        raise KeyError("rope")

    app.add_url_rule("/index", "index", lambda: framework.render_template_string("{{ owner }}"))
    app.register_blueprint(blueprint)
    app.register_blueprint(blueprint, url_prefix="/again", name="again")
    return app


@pytest.mark.parametrize("number", [number for number in CHAPTERS if number >= 8])
@pytest.mark.parametrize(
    "path", ["/", "/index", "/shop/", "/shop", "/shop/broken", "/again/", "/again/broken", "/no"]
)
def test_a_blueprint_does_what_it_does_in_erlen(number: int, path: str) -> None:
    ours, theirs = list[str](), list[str]()
    mine, erlens = ask(build(chapter(number), ours), path), ask(build(erlen, theirs), path)
    assert ours == theirs
    assert told(mine) == told(erlens)


def test_its_templates_come_after_those_of_the_application(tmp_path: Path) -> None:
    for owner in ("app", "shop"):
        (tmp_path / owner / "templates").mkdir(parents=True)
        (tmp_path / owner / "templates" / "both.html").write_text(owner)
    (tmp_path / "shop" / "templates" / "own.html").write_text("own of {{ request.path }}")
    app = Sapling("framework_example", str(tmp_path / "app"))
    shop = Blueprint("shop", "framework_example", root_path=str(tmp_path / "shop"))

    @shop.route("/<name>")
    def show(name: str) -> str:
        return render_template(name)

    app.register_blueprint(shop)
    assert ask(app, "/both.html").text == "app"
    assert ask(app, "/own.html").text == "own of /own.html"


def test_messages_say_what_to_do() -> None:
    app, shop = Sapling("framework_example"), Blueprint("shop", "framework_example")
    with pytest.raises(ValueError, match="is no name for a blueprint"):
        Blueprint("a.b", "framework_example")
    app.register_blueprint(shop)
    with pytest.raises(ValueError, match=r"register_blueprint\(blueprint, name='...'\)"):
        app.register_blueprint(shop)
    ask(app, "/")
    with pytest.raises(RuntimeError, match="'add_url_rule' was called after the first request"):
        app.route("/late", endpoint="late")(lambda: "late")


def test_a_blueprint_can_be_registered_on_another_one() -> None:
    outer, inner = (
        Nesting("outer", "framework_example", "/outer"),
        Blueprint("inner", "framework_example", "/inner"),
    )
    inner.route("/", endpoint="index")(lambda: chapter(8).request.path)
    outer.register_blueprint(inner)
    app = Sapling("framework_example")
    app.register_blueprint(outer, url_prefix="/moved")
    assert ask(app, "/moved/inner/").text == "/moved/inner/"
    assert app.url_for("outer.inner.index") == "/moved/inner/"
