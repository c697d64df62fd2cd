"""Another template engine in place of Jinja2: two complete ones, Mako and MiniJinja, used by an application."""

from __future__ import annotations

import threading
import typing as t
from pathlib import Path

import minijinja
import pytest
from blinker import ANY
from werkzeug.local import LocalProxy

from erlen import (
    Blueprint,
    Erlen,
    flash,
    get_template_attribute,
    render_template,
    render_template_string,
    session,
    stream_template,
    stream_template_string,
    template_rendered,
)
from erlen.templating import JinjaEngine, TemplateEngine

mako_template: t.Any = pytest.importorskip("mako.template")


class MakoEngine(TemplateEngine):
    """Mako, with the templates found and the globals registered as for Jinja."""

    def __init__(self, app: Erlen) -> None:
        self.app = app
        self._compiled: dict[str, tuple[t.Any, t.Callable[[], bool] | None]] = {}
        # Protects '_compiled': a template is compiled once, however many threads ask for it at the same time. Held
        # while compiling, which asks for no other template: Mako looks up what a template inherits when rendering.
        self._lock = threading.Lock()

    def get_template(self, template_name_or_list: t.Any) -> t.Any:
        if isinstance(template_name_or_list, str):
            return self._load(template_name_or_list)
        if isinstance(template_name_or_list, list):
            return self._load(self._first_of(t.cast("list[str]", template_name_or_list)))
        return template_name_or_list

    def from_string(self, source: str) -> t.Any:
        return self._compile(source, None)

    def render(self, template: t.Any, context: dict[str, t.Any]) -> str:
        return str(template.render(**{**self.app.jinja_env.globals, **context}))

    def get_attribute(self, template: t.Any, name: str) -> t.Any:
        return template.get_def(name).render

    # Mako asks its 'lookup' for these two, for <%inherit file="..."/> and <%include file="..."/>.
    def adjust_uri(self, uri: str, relativeto: str) -> str:
        return uri

    def _load(self, name: str) -> t.Any:
        with self._lock:
            template, is_current = self._compiled.get(name, (None, None))
            if template is None or (is_current is not None and not is_current()):
                source, _, is_current = self._loader.get_source(self.app.jinja_env, name)
                template = self._compile(source, name)
                self._compiled[name] = template, is_current
            return template

    def _first_of(self, names: list[str]) -> str:
        known = set(self._loader.list_templates())
        return next((name for name in names if name in known), names[-1])

    def _compile(self, source: str, name: str | None) -> t.Any:
        # The filter "h" escapes every ${expression}; values with __html__ are left as they are.
        return mako_template.Template(source, uri=name, lookup=self, default_filters=["h"])

    @property
    def _loader(self) -> t.Any:
        return self.app.jinja_env.loader


class MiniJinjaTemplate(t.NamedTuple):
    """What MiniJinja has no object for: a template's name, and the source of one made from a string."""

    name: str
    source: str | None = None


class SessionItems:
    """The session for MiniJinja, which would copy a mapping, and so open it, before a template asks for it."""

    def __getitem__(self, key: str) -> t.Any:
        return session[key]

    def __contains__(self, key: object) -> bool:
        return key in session


class MiniJinjaEngine(TemplateEngine):
    """MiniJinja, with the templates found and the functions and filters registered as for Jinja."""

    def __init__(self, app: Erlen) -> None:
        self.app = app
        self.environment = minijinja.Environment(
            loader=self._source,
            auto_escape_callback=app.select_jinja_autoescape,
            reload_before_render=bool(app.debug),
            globals={"session": SessionItems()},
        )
        values: dict[str, t.Any] = dict(app.jinja_env.globals)
        for name, value in values.items():
            # No proxies: 'request' and 'g' come with the context of each template. No classes: they are Jinja's own.
            if callable(value) and type(value) is not LocalProxy and not isinstance(value, type):
                self.environment.add_global(name, value)
        # MiniJinja has Jinja's own filters in Rust.
        for name, function in app.jinja_env.filters.items():
            if function.__module__ != "jinja2.filters":
                self.environment.add_filter(name, function)

    def get_template(self, template_name_or_list: t.Any) -> MiniJinjaTemplate:
        match template_name_or_list:
            case MiniJinjaTemplate():
                return template_name_or_list
            case str():
                self._loader.get_source(self.app.jinja_env, template_name_or_list)
                return MiniJinjaTemplate(template_name_or_list)
            case _:
                known = set(self._loader.list_templates())
                return self.get_template(next(name for name in template_name_or_list if name in known))

    def from_string(self, source: str) -> MiniJinjaTemplate:
        return MiniJinjaTemplate("string.html", source)

    def render(self, template: t.Any, context: dict[str, t.Any]) -> str:
        if template.source is None:
            return self.environment.render_template(template.name, **context)
        return self.environment.render_str(template.source, template.name, **context)

    def _source(self, name: str) -> str | None:
        if name not in self._loader.list_templates():
            return None
        source: str = self._loader.get_source(self.app.jinja_env, name)[0]
        return source

    @property
    def _loader(self) -> t.Any:
        return self.app.jinja_env.loader


class MakoApplication(Erlen):
    template_engine_class = MakoEngine


class MiniJinjaApplication(Erlen):
    template_engine_class = MiniJinjaEngine


MAKO = {
    "base.html": "<title>${self.title()}</title>${self.body()}<%def name='title()'>site</%def>",
    "page.html": (
        "<%inherit file='base.html'/><%def name='title()'>page</%def>"
        "${name}|${motto}|${request.path}|${url_for('page', q='a&b')}\n"
        "% for category, message in get_flashed_messages(with_categories=True):\n"
        "${category}=${message};\n"
        "% endfor\n"
    ),
    "rows.html": "% for row in rows:\n<li>${row}</li>\n% endfor\n",
    "other.html": "<%def name='greet(name)'>Hello ${name}</%def>",
}
MINIJINJA = {
    "base.html": "<title>{% block title %}site{% endblock %}</title>{% block body %}{% endblock %}",
    "page.html": (
        "{% extends 'base.html' %}{% block title %}page{% endblock %}{% block body %}"
        "{{ name }}|{{ motto }}|{{ request.path }}|{{ url_for('page', q='a&b') }}|"
        "{% for category, message in get_flashed_messages(with_categories=true) %}"
        "{{ category }}={{ message }};{% endfor %}{% endblock %}"
    ),
    "rows.html": "{% for row in rows %}<li>{{ row }}</li>{% endfor %}",
    "other.html": "-",
}
STRINGS = {"mako": "${name} ${session['user']}", "minijinja": "{{ name }} {{ session['user'] }}"}


class Case(t.NamedTuple):
    name: str
    app: Erlen


@pytest.fixture(params=["mako", "minijinja"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    """An application on one of the two engines."""
    return make_case(request.param, tmp_path)


def make_case(engine: str, tmp_path: Path) -> Case:
    """Make an application with its templates on the engine of a name."""
    application, sources = {
        "mako": (MakoApplication, MAKO),
        "minijinja": (MiniJinjaApplication, MINIJINJA),
    }[engine]
    (tmp_path / "templates").mkdir()
    for name, source in sources.items():
        (tmp_path / "templates" / name).write_text(source, encoding="utf-8")
    app = application("shop", root_path=str(tmp_path), instance_path=str(tmp_path / "instance"))
    app.secret_key = "a key for tests"

    @app.context_processor
    def motto() -> dict[str, str]:
        return {"motto": "fast & <kind>", "name": "the view's own value wins"}

    @app.route("/page")
    def page() -> str:
        flash("<saved>", "info")
        return render_template("page.html", name="<Zoë>")

    return Case(engine, app)


def test_page_with_inheritance_context_processor_url_and_flashes(case: Case) -> None:
    text = case.app.test_client().get("/page").text.replace("&#x2f;", "/")
    assert "<title>page</title>" in text
    assert "&lt;Zoë&gt;|fast &amp; &lt;kind&gt;|/page|" in text
    assert "q=a%26b" in text
    assert "info=&lt;saved&gt;;" in text


def test_render_template_string_escapes_and_reaches_the_session(case: Case) -> None:
    @case.app.route("/string")
    def string() -> str:
        session["user"] = "<ada>"
        return render_template_string(STRINGS[case.name], name="<b>")

    response = case.app.test_client().get("/string")
    assert response.text == "&lt;b&gt; &lt;ada&gt;"
    assert response.headers["Vary"] == "Cookie"


def test_session_is_not_touched_by_a_template_without_it(case: Case) -> None:
    @case.app.route("/rows")
    def rows() -> str:
        return render_template("rows.html", rows=[1])

    assert "Vary" not in case.app.test_client().get("/rows").headers


def test_streaming(case: Case) -> None:
    @case.app.route("/rows")
    def rows() -> t.Iterator[str]:
        return stream_template("rows.html", rows=["<1>", "<2>"])

    @case.app.route("/string")
    def string() -> t.Iterator[str]:
        session["user"] = "eve"
        return stream_template_string(STRINGS[case.name], name="<b>")

    client = case.app.test_client()
    assert "".join(client.get("/rows").text.split()) == "<li>&lt;1&gt;</li><li>&lt;2&gt;</li>"
    assert client.get("/string").text == "&lt;b&gt; eve"


def test_first_template_of_a_list(case: Case) -> None:
    with case.app.test_request_context():
        assert "<li>1</li>" in render_template(["absent.html", "rows.html"], rows=[1])


def test_template_of_a_blueprint(case: Case, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "part.html").write_text("a part", encoding="utf-8")
    case.app.register_blueprint(Blueprint("parts", "shop", template_folder="parts", root_path=str(tmp_path)))
    with case.app.test_request_context():
        assert render_template("part.html") == "a part"


def test_signals_carry_the_template_of_the_engine(case: Case) -> None:
    seen: list[t.Any] = []

    def receive(sender: t.Any, template: t.Any, context: dict[str, t.Any], **extra: t.Any) -> None:
        seen.append((sender, template, context["rows"]))

    with template_rendered.connected_to(receive, ANY), case.app.test_request_context():
        template = case.app.template_engine.get_template("rows.html")
        render_template(template, rows=[7])
    assert seen == [(case.app, template, [7])]


def test_globals_registered_on_the_application(case: Case) -> None:
    @case.app.template_global()
    def shout(text: str) -> str:
        return text.upper() + "!"

    source = {"mako": "${shout('hi')}", "minijinja": "{{ shout('hi') }}"}[case.name]
    with case.app.test_request_context():
        assert render_template_string(source) == "HI!"


def test_get_template_attribute_with_mako(tmp_path: Path) -> None:
    app = make_case("mako", tmp_path).app
    with app.app_context():
        assert get_template_attribute("other.html", "greet")("<you>") == "Hello &lt;you&gt;"


def test_get_template_attribute_explains_an_engine_without_it(tmp_path: Path) -> None:
    app = make_case("minijinja", tmp_path).app
    with app.app_context(), pytest.raises(NotImplementedError) as caught:
        get_template_attribute("other.html", "greet")
    assert str(caught.value) == (
        "MiniJinjaEngine cannot return 'greet' of a template: write its method get_attribute(template, name), or "
        "do without get_template_attribute()."
    )


def test_engine_is_made_once_and_may_be_assigned(tmp_path: Path) -> None:
    app = Erlen("shop", root_path=str(tmp_path), instance_path=str(tmp_path))
    assert isinstance(app.template_engine, JinjaEngine)
    assert app.template_engine is app.template_engine
    app.template_engine = MakoEngine(app)
    with app.app_context():
        assert render_template_string("${1 + 1}") == "2"


class PlainEngine:
    """An engine that inherits nothing: Python's own formatting."""

    def __init__(self, app: Erlen) -> None:
        self.app = app

    def get_template(self, template_name_or_list: t.Any) -> str:
        return str(template_name_or_list)

    def from_string(self, source: str) -> str:
        return source

    def render(self, template: str, context: dict[str, t.Any]) -> str:
        return template.format(**context)

    def stream(self, template: str, context: dict[str, t.Any]) -> t.Iterator[str]:
        yield self.render(template, context)

    def get_attribute(self, template: str, name: str) -> t.Any:
        return getattr(template, name)


def test_engine_need_not_be_a_subclass(tmp_path: Path) -> None:
    app = Erlen("shop", root_path=str(tmp_path), instance_path=str(tmp_path))
    engine: TemplateEngine = PlainEngine(app)
    app.template_engine = engine
    with app.app_context():
        assert render_template_string("Hello {name}", name="Ada") == "Hello Ada"
        assert "".join(stream_template_string("Hello {name}", name="Bo")) == "Hello Bo"
