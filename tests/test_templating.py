"""Rendering with Jinja: contexts, signals, streaming, the environment, the loader, the cache of strings."""

from __future__ import annotations

import asyncio
import os
import threading
import typing as t
from collections import OrderedDict, defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import jinja2
import pytest
from blinker import ANY
from jinja2.sandbox import SandboxedEnvironment

from erlen import (
    Blueprint,
    Erlen,
    arender_template,
    arender_template_string,
    before_render_template,
    flash,
    g,
    render_template,
    render_template_string,
    session,
    stream_template,
    stream_template_string,
    template_rendered,
)
from erlen.json.provider import DefaultJSONProvider
from erlen.templating import DispatchingJinjaLoader, Environment, JinjaEngine


@pytest.fixture
def app(tmp_path: Path) -> Erlen:
    """An application whose template folder is ``tmp_path / "templates"``."""
    (tmp_path / "templates").mkdir()
    app = Erlen("shop", root_path=str(tmp_path), instance_path=str(tmp_path / "instance"))
    app.secret_key = "a key for tests"
    app.testing = True
    return app


def write(app: Erlen, name: str, source: str) -> Path:
    """Write a template of the application."""
    path = Path(app.root_path, "templates", name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
    return path


def rendered(app: Erlen, source: str, **context: t.Any) -> str:
    """Render a string in a request of its own."""
    with app.test_request_context("/path"):
        return render_template_string(source, **context)


# -- rendering


def test_render_template_of_the_folder(app: Erlen) -> None:
    write(app, "page.html", "Hello {{ name }}")
    with app.test_request_context():
        assert render_template("page.html", name="Ada") == "Hello Ada"


def test_render_template_takes_the_first_that_exists(app: Erlen) -> None:
    write(app, "second.html", "second")
    write(app, "third.html", "third")
    with app.test_request_context():
        assert render_template(["first.html", "second.html", "third.html"]) == "second"


def test_render_template_without_any_that_exists(app: Erlen) -> None:
    with app.test_request_context(), pytest.raises(jinja2.TemplatesNotFound):
        render_template(["first.html", "second.html"])


def test_render_template_takes_a_template_object(app: Erlen) -> None:
    template = app.jinja_env.from_string("{{ name }}")
    with app.test_request_context():
        assert render_template(template, name="Ada") == "Ada"


def test_render_template_in_unicode(app: Erlen) -> None:
    write(app, "größe/Ωmega.html", "ungültig: {{ wert }} ☃")
    with app.test_request_context():
        assert render_template("größe/Ωmega.html", wert="日本") == "ungültig: 日本 ☃"


def test_render_template_outside_a_context_names_the_fix(app: Erlen) -> None:
    with pytest.raises(RuntimeError, match=r"with app\.app_context\(\)"):
        render_template("page.html")


def test_render_template_without_a_request(app: Erlen) -> None:
    with app.app_context():
        g.name = "Ada"
        assert render_template_string("{{ g.name }}{% if request %} request{% endif %}") == "Ada"


@pytest.mark.parametrize("suffix", ["html", "htm", "xml", "xhtml", "svg", "HTML"])
def test_autoescape_of_markup_files(app: Erlen, suffix: str) -> None:
    write(app, f"page.{suffix}", "{{ value }}")
    with app.test_request_context():
        assert render_template(f"page.{suffix}", value="<b>") == "&lt;b&gt;"


def test_autoescape_is_off_for_text_files(app: Erlen) -> None:
    write(app, "mail.txt", "{{ value }}")
    with app.test_request_context():
        assert render_template("mail.txt", value="<b>") == "<b>"


def test_autoescape_of_strings(app: Erlen) -> None:
    assert rendered(app, "{{ value }}{{ value|safe }}", value="<b>") == "&lt;b&gt;<b>"


def test_values_are_never_taken_for_templates(app: Erlen) -> None:
    """Server-side template injection: what users send is a value, not source."""
    assert rendered(app, "{{ value }}", value="{{ 7 * 7 }}{% include 'x' %}") == (
        "{{ 7 * 7 }}{% include &#39;x&#39; %}"
    )


# -- what templates see


def test_globals_of_templates(app: Erlen) -> None:
    app.config["MOTTO"] = "fast"
    app.add_url_rule("/page", "page", str)
    source = "{{ request.path }} {{ config.MOTTO }} {{ url_for('page') }} {{ g.get('name', 'nobody') }}"
    assert rendered(app, source) == "/path fast /page nobody"


def test_globals_in_macros_imported_without_the_context(app: Erlen) -> None:
    write(
        app,
        "macros.html",
        "{% macro show() %}{{ request.path }} {{ g.name }} {{ session.user }}{% endmacro %}",
    )
    with app.test_request_context("/path"):
        g.name = "Ada"
        session["user"] = "eve"
        assert render_template_string("{% from 'macros.html' import show %}{{ show() }}") == "/path Ada eve"


def test_flashed_messages_in_templates(app: Erlen) -> None:
    with app.test_request_context():
        flash("<saved>", "info")
        source = "{% for kind, text in get_flashed_messages(with_categories=true) %}{{ kind }} {{ text }}{% endfor %}"
        assert render_template_string(source) == "info &lt;saved&gt;"


def test_filters_tests_and_globals_of_the_application(app: Erlen) -> None:
    @app.template_filter()
    def reverse_text(value: str) -> str:
        return value[::-1]

    @app.template_test("short")
    def is_short(value: str) -> bool:
        return len(value) < 4

    @app.template_global("double")
    def double(value: int) -> int:
        return 2 * value

    assert rendered(app, "{{ 'abc'|reverse_text }} {{ 'abc' is short }} {{ double(2) }}") == "cba True 4"


def session_case(app: Erlen, source: str) -> str | None:
    """Render a string in a view and return the Vary header of the response."""
    app.add_url_rule("/", "index", lambda: render_template_string(source))
    return app.test_client().get("/").headers.get("Vary")


@pytest.mark.parametrize(
    "source", ["", "{{ request.path }}", "{{ g }}", "{% macro m() %}{{ session.a }}{% endmacro %}"]
)
def test_session_is_not_touched_by_a_template_without_it(app: Erlen, source: str) -> None:
    assert session_case(app, source) is None


@pytest.mark.parametrize(
    "source",
    ["{{ session.a }}", "{{ 'a' in session }}", "{{ session|length }}", "{% if session %}{% endif %}"],
)
def test_session_touched_by_a_template_varies_cve_2026_27205(app: Erlen, source: str) -> None:
    assert session_case(app, source) == "Cookie"


# -- context processors


def test_context_processor_gives_values(app: Erlen) -> None:
    @app.context_processor
    def values() -> dict[str, str]:
        return {"name": "Ada"}

    assert rendered(app, "{{ name }}") == "Ada"


def test_context_processor_yields_to_the_view(app: Erlen) -> None:
    app.context_processor(lambda: {"name": "processor", "g": "processor"})
    assert rendered(app, "{{ name }} {{ g }}", name="view") == "view processor"


def test_context_processors_from_application_to_innermost_blueprint(app: Erlen) -> None:
    outer, inner = Blueprint("outer", "shop"), Blueprint("inner", "shop")
    app.context_processor(lambda: {"a": "app", "b": "app", "c": "app"})
    outer.context_processor(lambda: {"b": "outer", "c": "outer"})
    inner.context_processor(lambda: {"c": "inner"})
    inner.add_url_rule("/inner", "view", lambda: render_template_string("{{ a }} {{ b }} {{ c }}"))
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    app.add_url_rule("/", "view", lambda: render_template_string("{{ a }} {{ b }} {{ c }}"))
    client = app.test_client()
    assert client.get("/inner").text == "app outer inner"
    assert client.get("/").text == "app app app"


def test_context_processor_of_a_blueprint_for_the_application(app: Erlen) -> None:
    blueprint = Blueprint("part", "shop")
    blueprint.app_context_processor(lambda: {"name": "everywhere"})
    app.register_blueprint(blueprint)
    assert rendered(app, "{{ name }}") == "everywhere"


def test_context_processor_registered_after_a_request(app: Erlen) -> None:
    app.add_url_rule("/", "index", lambda: render_template_string("{{ name }}"))
    client = app.test_client()
    assert client.get("/").text == ""
    app.template_context_processors[None].append(lambda: {"name": "late"})
    assert client.get("/").text == "late"


def test_context_processor_that_is_async(app: Erlen) -> None:
    @app.context_processor
    async def values() -> dict[str, str]:
        return {"name": "Ada"}

    assert rendered(app, "{{ name }}") == "Ada"


def test_async_rendering_leaves_the_loop_to_others(app: Erlen) -> None:
    write(app, "page.html", "{{ where() }} {{ name }} {{ request.path }} {{ g.value }}")

    @app.get("/page")
    async def page() -> str:
        g.value = 7
        here = threading.get_ident()
        text = await arender_template(
            "page.html", name="<Ada>", where=lambda: "same" if threading.get_ident() == here else "other"
        )
        return f"{text} {await arender_template_string('{{ name }}', name='Bob')}"

    assert app.test_client().get("/page").text == "other &lt;Ada&gt; /page 7 Bob"


def test_async_context_processor_of_async_rendering_runs_on_the_loop_of_the_view(app: Erlen) -> None:
    loops: list[t.Any] = []

    @app.context_processor
    async def names() -> dict[str, t.Any]:
        await asyncio.sleep(0)
        loops.append(asyncio.get_running_loop())
        return {"name": "Ada"}

    @app.get("/page")
    async def page() -> str:
        loops.append(asyncio.get_running_loop())
        return await arender_template_string("{{ name }}")

    assert app.test_client().get("/page").text == "Ada"
    assert loops[0] is loops[1]


def test_context_processor_that_returns_no_dict_is_explained(app: Erlen) -> None:
    @app.context_processor
    def forgetful() -> t.Any:
        return None

    with pytest.raises(TypeError) as caught:
        rendered(app, "")
    assert "forgetful' returned None, of type NoneType. It has to return a dict" in str(caught.value)
    assert "return {} when there is nothing to add" in str(caught.value)


def test_update_template_context_changes_the_dict_in_place(app: Erlen) -> None:
    app.context_processor(lambda: {"name": "processor", "more": 1})
    context: dict[str, t.Any] = {"name": "view"}
    with app.test_request_context() as active:
        app.update_template_context(context)
        assert context == {"name": "view", "more": 1, "request": active.request, "g": active.g}


def test_update_template_context_is_called_on_a_subclass(tmp_path: Path) -> None:
    class Adding(Erlen):
        def update_template_context(self, context: dict[str, t.Any]) -> None:
            super().update_template_context(context)
            context["added"] = "subclass"

    app = Adding("shop", root_path=str(tmp_path), instance_path=str(tmp_path))
    assert rendered(app, "{{ added }}") == "subclass"


# -- signals


def test_signals_before_and_after_rendering(app: Erlen) -> None:
    write(app, "page.html", "{{ name }}")
    seen: list[tuple[str, t.Any, t.Any, t.Any]] = []

    def before(sender: t.Any, template: t.Any, context: dict[str, t.Any], **extra: t.Any) -> None:
        seen.append(("before", sender, template.name, context["name"]))
        context["name"] = "changed"

    def after(sender: t.Any, template: t.Any, context: dict[str, t.Any], **extra: t.Any) -> None:
        seen.append(("after", sender, template.name, context["name"]))

    with (
        before_render_template.connected_to(before, app),
        template_rendered.connected_to(after, app),
        app.test_request_context(),
    ):
        assert render_template("page.html", name="Ada") == "changed"
    assert seen == [("before", app, "page.html", "Ada"), ("after", app, "page.html", "changed")]


def test_signal_of_a_stream_is_sent_at_its_end(app: Erlen) -> None:
    sent: list[str | None] = []

    def receive(sender: t.Any, template: t.Any, **extra: t.Any) -> None:
        sent.append(template.name)

    with template_rendered.connected_to(receive, ANY), app.test_request_context():
        pieces = stream_template_string("{{ 1 }} {{ 2 }}")
        next(pieces)
        assert sent == []
        list(pieces)
        assert sent == [None]


# -- streaming


def test_stream_template_in_pieces(app: Erlen) -> None:
    write(app, "rows.html", "{% for row in rows %}<li>{{ row }}{% endfor %}")
    with app.test_request_context():
        pieces = list(stream_template("rows.html", rows=["<1>", "<2>"]))
    assert len(pieces) > 2
    assert "".join(pieces) == "<li>&lt;1&gt;<li>&lt;2&gt;"


def test_stream_keeps_the_context_until_its_end(app: Erlen) -> None:
    events: list[str] = []
    app.teardown_request(lambda error: events.append("teardown"))

    def row() -> str:
        events.append("row")
        return f"{g.name} {session.get('user')}"

    @app.route("/")
    def index() -> t.Iterator[str]:
        g.name = "Ada"
        session["user"] = "eve"
        return stream_template_string("{{ request.path }} {{ row() }}", row=row)

    assert app.test_client().get("/").text == "/ Ada eve"
    assert events == ["row", "teardown"]


def test_stream_without_a_request(app: Erlen) -> None:
    with app.app_context():
        assert "".join(stream_template_string("{{ config.TESTING }}")) == "True"


# -- the environment


def test_environment_is_ours_and_jinjas(app: Erlen) -> None:
    assert isinstance(app.jinja_env, Environment)
    assert isinstance(app.jinja_env, jinja2.Environment)
    assert app.jinja_env.app is app
    assert isinstance(app.jinja_env.loader, DispatchingJinjaLoader)


def test_environment_options(app: Erlen) -> None:
    app.jinja_options = {"trim_blocks": True, "extensions": ["jinja2.ext.do"], "autoescape": False}
    assert rendered(app, "{% do [] %}\n{{ '<' }}") == "<"


def test_environment_class_is_replaceable(tmp_path: Path) -> None:
    class Strict(Environment):
        def __init__(self, app: t.Any, **options: t.Any) -> None:
            super().__init__(app, undefined=jinja2.StrictUndefined, **options)

    class Application(Erlen):
        jinja_environment = Strict

    app = Application("shop", root_path=str(tmp_path), instance_path=str(tmp_path))
    with pytest.raises(jinja2.UndefinedError):
        rendered(app, "{{ absent }}")


@pytest.mark.parametrize(
    ("configured", "debug", "expected"),
    [(None, False, False), (None, True, True), (True, False, True), (False, True, False)],
)
def test_environment_reloads_as_configured(
    app: Erlen, configured: bool | None, debug: bool, expected: bool
) -> None:
    app.config["TEMPLATES_AUTO_RELOAD"] = configured
    app.debug = debug
    assert app.jinja_env.auto_reload is expected


def test_tojson_escapes_for_html(app: Erlen) -> None:
    assert rendered(app, "{{ value|tojson }}", value="</script>'") == r'"\u003c/script\u003e\u0027"'


def test_tojson_uses_the_provider_of_the_application(app: Erlen) -> None:
    class Provider(DefaultJSONProvider):
        def dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
            return '"provided"'

    assert rendered(app, "{{ day|tojson }}", day=date(2024, 2, 29)) == '"Thu, 29 Feb 2024 00:00:00 GMT"'
    app.json = Provider(t.cast(t.Any, app))
    assert rendered(app, "{{ day|tojson }}", day=date(2024, 2, 29)) == '"provided"'


def test_overlay_renders_with_the_application(app: Erlen) -> None:
    overlay = app.jinja_env.overlay(variable_start_string="[[", variable_end_string="]]")
    with app.test_request_context("/path"):
        assert overlay.from_string("[[ request.path ]]").render() == "/path"


@pytest.mark.parametrize(
    "source",
    [
        "{{ row.name }} {{ row['name'] }} {{ row.absent }} {{ row.absent is defined }}",
        "{{ row.items() }} {{ row.keys }} {{ row['items'] }}",
        "{{ row.get('name') }} {{ row.__class__ }} {{ row[1] }} {{ row['1'] }}",
        "{{ ordered.name }} {{ ordered.items() }} {{ fallback.absent }}",
        "{{ row|map(attribute='x')|list }} {{ [row]|map(attribute='name')|list }}",
    ],
)
def test_values_are_looked_up_as_jinja_does(app: Erlen, source: str) -> None:
    values: dict[str, t.Any] = {
        "row": {"name": "Ada", "items": "an item", 1: "one"},
        "ordered": OrderedDict(name="Bo"),
        "fallback": defaultdict(lambda: "made"),
    }
    expected = jinja2.Environment(autoescape=True).from_string(source).render(values).replace(" at 0x", "")
    assert rendered(app, source, **values).replace(" at 0x", "") == expected


def test_undefined_value_of_a_dict_names_it(app: Erlen) -> None:
    with pytest.raises(jinja2.UndefinedError, match="'dict object' has no attribute 'absent'"):
        rendered(app, "{{ row.absent.more }}", row={})


def test_globals_of_one_template_win_over_those_of_the_environment(app: Erlen) -> None:
    environment: dict[str, t.Any] = {"name": "environment", "other": "environment"}
    app.jinja_env.globals.update(environment)
    template = app.jinja_env.from_string("{{ name }} {{ other }}", {"name": "template"})
    with app.test_request_context():
        assert render_template(template) == "template environment"


def test_globals_changed_later_are_seen(app: Erlen) -> None:
    assert rendered(app, "{{ late }}") == ""
    late: dict[str, t.Any] = {"late": "here"}
    app.jinja_env.globals.update(late)
    assert rendered(app, "{{ late }}") == "here"


# -- published weaknesses of Jinja2


def test_no_bytecode_cache_in_a_shared_folder_cve_2014_1402(app: Erlen) -> None:
    assert app.jinja_env.bytecode_cache is None


def test_no_sandbox_is_pretended_cve_2016_10745_cve_2019_10906_cve_2025_27516(app: Erlen) -> None:
    """Sandbox escapes by str.format, format_map and |attr: source is trusted here, and no sandbox is offered."""
    assert not isinstance(app.jinja_env, SandboxedEnvironment)


@pytest.mark.parametrize("key", ["a b", "a/b", "a>b", "a=b", "a\tb", "onload=x "])
def test_xmlattr_refuses_keys_that_end_the_name_cve_2024_22195_cve_2024_34064(app: Erlen, key: str) -> None:
    with pytest.raises(ValueError, match="Invalid character in attribute name"):
        rendered(app, "<p{{ {key: 1}|xmlattr }}>", key=key)


def test_xmlattr_escapes_values(app: Erlen) -> None:
    assert rendered(app, "<p{{ {'title': value}|xmlattr }}>", value='"><b>') == (
        '<p title="&#34;&gt;&lt;b&gt;">'
    )


@pytest.mark.parametrize("text", ["@" + "a." * 20_000, "http://" + "(" * 40_000, "a@" * 20_000 + "b.c"])
def test_urlize_of_long_hostile_text_ends_cve_2020_28493(app: Erlen, text: str) -> None:
    assert len(rendered(app, "{{ text|urlize }}", text=text)) >= len(text)


def test_urlize_escapes(app: Erlen) -> None:
    assert "<b>" not in rendered(app, "{{ text|urlize }}", text='http://a.example/"><b>')


# -- the loader


def test_loader_asks_the_application_then_blueprints_in_order(app: Erlen, tmp_path: Path) -> None:
    write(app, "in_app.html", "app")
    for name, templates in {"one": ["in_app", "in_one"], "two": ["in_app", "in_one", "in_two"]}.items():
        (tmp_path / name).mkdir()
        for template in templates:
            (tmp_path / name / f"{template}.html").write_text(name, encoding="utf-8")
        app.register_blueprint(Blueprint(name, "shop", template_folder=name, root_path=str(tmp_path)))
    with app.test_request_context():
        names = ["in_app.html", "in_one.html", "in_two.html"]
        assert [render_template(name) for name in names] == ["app", "one", "two"]
        assert app.jinja_env.list_templates() == names


def test_loader_gives_the_same_when_it_explains(app: Erlen, tmp_path: Path) -> None:
    write(app, "page.html", "app")
    app.config["EXPLAIN_TEMPLATE_LOADING"] = True
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "page.html").write_text("blueprint", encoding="utf-8")
    app.register_blueprint(Blueprint("part", "shop", template_folder="part", root_path=str(tmp_path)))
    with app.test_request_context():
        assert render_template("page.html") == "app"


@pytest.mark.parametrize("name", ["../secret.txt", "a/../../secret.txt", "/secret.txt"])
def test_loader_stays_in_its_folder(app: Erlen, tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    with app.test_request_context(), pytest.raises(jinja2.TemplateNotFound):
        render_template(name)


# -- the cache of compiled strings


def engine_of(app: Erlen) -> JinjaEngine:
    engine = app.template_engine
    assert isinstance(engine, JinjaEngine)
    return engine


def cached(engine: JinjaEngine) -> int:
    """Return how many compiled strings an engine keeps."""
    return len(t.cast("dict[t.Any, t.Any]", vars(engine)["_strings"]))


def test_string_is_compiled_once(app: Erlen) -> None:
    engine = engine_of(app)
    assert engine.from_string("{{ a }}") is engine.from_string("{{ a }}")


def test_strings_made_in_a_loop_do_not_grow_memory(app: Erlen) -> None:
    engine = engine_of(app)
    for number in range(3 * engine.string_cache_size):
        engine.from_string(f"{number} {{{{ a }}}}")
    assert cached(engine) == engine.string_cache_size


def test_string_used_lately_is_kept(app: Erlen) -> None:
    engine = engine_of(app)
    template = engine.from_string("kept")
    for number in range(2 * engine.string_cache_size):
        engine.from_string(str(number))
        assert engine.from_string("kept") is template


def test_string_of_great_length_is_not_kept(app: Erlen) -> None:
    engine = engine_of(app)
    source = "x" * (engine.string_cache_max_length + 1)
    assert engine.from_string(source) is not engine.from_string(source)
    assert cached(engine) == 0


def test_string_that_does_not_compile_is_not_kept(app: Erlen) -> None:
    engine = engine_of(app)
    with pytest.raises(jinja2.TemplateSyntaxError):
        engine.from_string("{% if %}")
    assert cached(engine) == 0


def test_string_sees_a_filter_replaced_after_it_was_compiled(app: Erlen) -> None:
    app.add_template_filter(lambda value: "first", "mark")
    # Both are needed: the constant is filtered when the string is compiled, the variable when it is rendered.
    source = "{{ 'x'|mark }} {{ value|mark }}"
    assert rendered(app, source, value=1) == "first first"
    app.jinja_env.filters["mark"] = lambda value: "second"
    assert rendered(app, source, value=1) == "second second"


def test_string_sees_a_test_replaced_after_it_was_compiled(app: Erlen) -> None:
    source = "{{ 3 is odd }}"
    assert rendered(app, source) == "True"
    app.jinja_env.tests["odd"] = lambda value: False
    assert rendered(app, source) == "False"


def test_string_sees_a_filter_registered_after_it_failed(app: Erlen) -> None:
    with pytest.raises(jinja2.TemplateAssertionError):
        rendered(app, "{{ 'x'|late }}")
    app.add_template_filter(lambda value: "found", "late")
    assert rendered(app, "{{ 'x'|late }}") == "found"


def test_string_sees_settings_and_extensions_of_the_environment(app: Erlen) -> None:
    source = "{% if true %}\nx{% endif %}"
    assert rendered(app, source) == "\nx"
    app.jinja_env.trim_blocks = True
    assert rendered(app, source) == "x"
    with pytest.raises(jinja2.TemplateSyntaxError):
        rendered(app, "{% do [] %}")
    app.jinja_env.add_extension("jinja2.ext.do")
    assert rendered(app, "{% do [] %}") == ""


def test_string_sees_a_changed_file_it_extends(app: Erlen) -> None:
    app.config["TEMPLATES_AUTO_RELOAD"] = True
    path = write(app, "base.html", "old {% block body %}{% endblock %}")
    source = "{% extends 'base.html' %}{% block body %}body{% endblock %}"
    assert rendered(app, source) == "old body"
    path.write_text("new {% block body %}{% endblock %}", encoding="utf-8")
    os.utime(path, (1, 1))
    assert rendered(app, source) == "new body"


def test_string_cache_is_shared_by_threads(app: Erlen) -> None:
    engine = engine_of(app)

    def work(start: int) -> list[str]:
        return [engine.from_string(f"{{{{ {n % 300} }}}}").render() for n in range(start, start + 300)]

    with ThreadPoolExecutor(4) as pool:
        for start, outputs in zip(range(4), pool.map(work, range(4)), strict=True):
            assert outputs == [str(n % 300) for n in range(start, start + 300)]
    assert cached(engine) == engine.string_cache_size


def test_string_cache_belongs_to_one_application(app: Erlen, tmp_path: Path) -> None:
    other = Erlen("other", root_path=str(tmp_path), instance_path=str(tmp_path))
    other.jinja_env.filters["mark"] = lambda value: "other"
    app.jinja_env.filters["mark"] = lambda value: "app"
    assert rendered(app, "{{ 1|mark }}") == "app"
    assert rendered(other, "{{ 1|mark }}") == "other"


def test_a_filter_on_a_constant_is_asked_each_time(app: Erlen) -> None:
    """Jinja calls it when it compiles; Flask compiles a string each time, and filters that know the language rely on it."""
    calls: list[str] = []

    def count(value: object) -> int:
        calls.append("called")
        return len(calls)

    app.jinja_env.filters["language"] = count
    app.jinja_env.tests["spoken"] = lambda value: count(value) > 3
    with app.app_context():
        assert [render_template_string("{{ 1|language }}") for _ in range(2)] == ["1", "2"]
        assert [render_template_string("{{ 'de' is spoken }}") for _ in range(2)] == ["False", "True"]


def test_a_filter_of_jinja_on_a_constant_does_not_keep_a_string_from_being_kept(app: Erlen) -> None:
    engine = app.template_engine
    for source in ("{{ 'a'|upper }}", "{{ value|upper if 1 is odd }}"):
        assert engine.from_string(source) is engine.from_string(source)


def test_test_suites_can_replace_what_renders(app: Erlen, monkeypatch: pytest.MonkeyPatch) -> None:
    # As Flask-Testing does where 'render_templates = False'; with the arguments that Flask gives it.
    monkeypatch.setattr("erlen.templating._render", lambda app, template, context: repr(sorted(context)))
    with app.app_context():
        assert render_template_string("{{ a }}", a=1) == "['a']"
