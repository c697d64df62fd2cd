from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

import erlen
from chapter_06 import Sapling, g, request
from framework_support import ask, chapter
from solutions.chapter_06 import WithFilters, stream_template

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


def test_a_page_under_a_suffix_that_is_not_listed_is_not_escaped(folder: Path) -> None:
    (folder / "templates" / "page.html.jinja").write_text("{{ name }}")
    app = Sapling("framework_example", root_path=str(folder))
    with app.test_request_context():
        assert chapter(6).render_template("page.html.jinja", name="<b>") == "<b>"


def test_a_filter_is_there_in_templates_and_none_comes_when_they_are_compiled(folder: Path) -> None:
    (folder / "templates" / "loud.html").write_text("{{ 'a' | loud }}{{ name | loud }}")
    app = WithFilters("framework_example", str(folder))

    @app.template_filter()
    def loud(text: str) -> str:
        return f"{text.upper()}!"

    assert "jinja_env" not in app.__dict__
    app.route("/<name>", endpoint="page")(lambda name: chapter(6).render_template("loud.html", name=name))
    assert ask(app, "/b").text == "A!B!"
    with pytest.raises(
        RuntimeError, match="The filter 'quiet' was registered when templates had been compiled"
    ):
        app.template_filter("quiet")(str.lower)


def test_a_streamed_template_is_made_piece_by_piece_with_its_request_and_is_torn_down_once(
    folder: Path,
) -> None:
    (folder / "templates" / "lines.html").write_text(
        "{{ site }} {{ request.args.a }}\n{% for one in lines() %}{{ one }}{% endfor %}"
    )
    app, seen = Sapling("framework_example", str(folder)), list[str]()
    app.context_processor(lambda: {"site": "Wharf"})

    def lines() -> t.Iterator[str]:
        g.connection = "of the stream"
        yield from (f"<{request.args['a']}>" for _ in range(3))

    @app.teardown_appcontext
    def end(failure: BaseException | None) -> None:
        seen.append(getattr(g, "connection", "of the request"))

    @app.route("/")
    def index() -> t.Any:
        return stream_template("lines.html", lines=lines)

    assert ask(app, "/?a=b").text == "Wharf b\n" + "&lt;b&gt;" * 3
    assert seen == ["of the request", "of the stream"]


def test_nothing_is_active_between_two_pieces_and_a_stream_may_be_closed_early(folder: Path) -> None:
    (folder / "templates" / "two.html").write_text("{% for one in 'ab' %}{{ request.path }}{% endfor %}")
    app, ends = Sapling("framework_example", str(folder)), list[t.Any]()
    app.teardown_appcontext(ends.append)
    with app.test_request_context("/path"):
        stream = stream_template("two.html")
    assert (next(stream), ends) == ("/path", [None])
    with pytest.raises(RuntimeError):
        _ = request.path
    stream.close()
    stream.close()
    assert ends == [None, None]
