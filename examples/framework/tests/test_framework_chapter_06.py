from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

import erlen
from chapter_06 import Sapling
from framework_support import ask, chapter

ATTACK = "<script>alert"


def build(framework: t.Any, folder: Path) -> t.Any:
    cls = framework.Erlen if framework is erlen else framework.Sapling
    app = cls("framework_example", root_path=str(folder))

    @app.context_processor
    def values() -> dict[str, t.Any]:
        return {"site": "Wharf", "title": "of the processor"}

    @app.route("/page/<name>")
    def page(name: str) -> str:
        return t.cast("str", framework.render_template("page.html", name=name, title="of the call"))

    @app.route("/mail/<name>")
    def mail(name: str) -> str:
        return t.cast("str", framework.render_template("mail.txt", name=name))

    @app.route("/text")
    def text() -> str:
        source = "{{ request.args.a }} {{ '<' }}{{ site }}"
        return t.cast("str", framework.render_template_string(source))

    return app


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    templates = tmp_path / "templates"
    templates.mkdir()
    (templates / "base.html").write_text(
        "<title>{{ title }}, {{ site }}</title>{% block body %}{% endblock %}"
    )
    (templates / "page.html").write_text(
        "{% extends 'base.html' %}{% from 'macros.html' import link %}{% block body %}{{ link(name) }}{% endblock %}"
    )
    (templates / "macros.html").write_text(
        "{% macro link(name) %}<a href=\"{{ url_for('page', name=name) }}\">{{ name }}</a>{% endmacro %}"
    )
    (templates / "mail.txt").write_text("Dear {{ name }}")
    return tmp_path


@pytest.mark.parametrize("number", range(6, 13))
@pytest.mark.parametrize("path", ["/page/Ada", f"/page/{ATTACK}", "/mail/<b>", "/text?a=<i>"])
def test_templates_give_what_they_give_in_erlen(number: int, path: str, folder: Path) -> None:
    assert ask(build(chapter(number), folder), path).text == ask(build(erlen, folder), path).text


def test_what_a_user_typed_stays_text_in_a_page_and_is_left_alone_in_a_mail(folder: Path) -> None:
    app = build(chapter(6), folder)
    assert "&lt;b&gt;</a>" in ask(app, "/page/<b>").text
    assert ask(app, "/mail/<b>").text == "Dear <b>"


def test_templates_lie_beside_the_module_of_the_application() -> None:
    here = Path(__file__).parent
    assert Sapling("framework_support").root_path == str(here)
    assert Sapling("no_such_module").root_path == str(Path.cwd())
