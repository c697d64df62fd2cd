"""Templates: rendering, the Jinja environment, and the one place where the engine can be changed.

``render_template(...)`` asks ``app.template_engine`` for the template, lets ``app.update_template_context`` add
what the context processors give, and has the engine render. The engine is an ``app.template_engine_class``,
:class:`JinjaEngine` unless a subclass of the application names another :class:`TemplateEngine`.
"""

from __future__ import annotations

import typing as t
from collections import ChainMap, OrderedDict
from threading import Lock

from jinja2 import BaseLoader, Template, TemplateNotFound, nodes
from jinja2 import Environment as BaseEnvironment
from jinja2.filters import FILTERS
from jinja2.runtime import Context, new_context
from jinja2.tests import TESTS
from werkzeug.local import LocalProxy

from .ctx import context_var, current_context
from .debug.explain import (
    LoadingAttempt,
    TemplateSource,
    explain_missing_template,
    explain_template_loading_attempts,
)
from .messages import NO_APP_CONTEXT, NO_REQUEST_CONTEXT
from .registry import TellingDict
from .signals import before_render_template, tell, template_rendered
from .streams import stream_with_context
from .typing import Application

#: What names a template: its name, a template object, or a list of them of which the first that exists is taken.
TemplateNames: t.TypeAlias = "str | Template | list[str | Template]"

_AUTOESCAPED = (".html", ".htm", ".xml", ".xhtml", ".svg")

# What templates see as globals, also in macros that are imported without the context. Proxies, as a template
# that does not name 'session' must not open it: an opened session is saved, and answers 'Vary: Cookie'.
_request: t.Any = LocalProxy(context_var, "request", unbound_message=NO_REQUEST_CONTEXT)
_session: t.Any = LocalProxy(context_var, "session", unbound_message=NO_REQUEST_CONTEXT)
_g: t.Any = LocalProxy(context_var, "g", unbound_message=NO_APP_CONTEXT)


# What a dict answers to when it is asked for an attribute.
_DICT_ATTRIBUTES = frozenset(dir(dict))


class _Template(Template):
    """Jinja's template, which copies the globals faster."""

    def new_context(
        self,
        vars: dict[str, t.Any] | None = None,
        shared: bool = False,
        locals: t.Mapping[str, t.Any] | None = None,
    ) -> Context:
        # PERF: template of 12 rows, 14 of 67 us: Jinja goes through a ChainMap twice, key by key in Python.
        globals_: t.Any = self.globals
        if type(globals_) is ChainMap:
            chain = t.cast("ChainMap[str, t.Any]", globals_)
            globals_ = {}
            for values in reversed(chain.maps):
                globals_.update(values)
        return new_context(self.environment, self.name, self.blocks, vars, shared, globals_, locals)


class Environment(BaseEnvironment):
    """Jinja's environment, whose loader looks into the folders of the application and its blueprints.

    :param app: the application.
    :param options: passed on to :class:`jinja2.Environment`.
    """

    template_class = _Template

    #: A new object after each change that matters for compiling a template. :class:`JinjaEngine` compares it.
    generation: object

    def __init__(self, app: Application, **options: t.Any) -> None:
        if "loader" not in options:
            options["loader"] = app.create_global_jinja_loader()
        super().__init__(**options)
        self.app: t.Any = app
        # Jinja folds constants when it compiles, {{ "a"|upper }} calls the filter then. So a filter or test that
        # is replaced later counts as a change; globals are looked up when a template is rendered.
        self.filters = self._watched(self.filters)
        self.tests = self._watched(self.tests)
        self.policies = self._watched(self.policies)
        self.extensions = self._watched(self.extensions)

    def __setattr__(self, name: str, value: t.Any) -> None:
        super().__setattr__(name, value)
        self._changed()

    def getattr(self, obj: t.Any, attribute: str) -> t.Any:
        """Return what ``obj.attribute`` is in a template: an attribute, else an item, else undefined."""
        # PERF: template of 12 rows, 24 of 67 us: a dict that is asked for an attribute first raises an exception
        # for nearly every {{ row.name }}.
        if type(obj) is dict and attribute not in _DICT_ATTRIBUTES:
            try:
                return obj[attribute]
            except KeyError:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def _changed(self) -> None:
        self.__dict__["generation"] = object()

    def _watched(self, values: dict[str, t.Any]) -> dict[str, t.Any]:
        watched = TellingDict[str, t.Any](values)
        watched.changed = self._changed
        return watched


class DispatchingJinjaLoader(BaseLoader):
    """A loader that asks the application, then its blueprints in the order of their registration.

    :param app: the application.
    """

    def __init__(self, app: Application) -> None:
        self.app = app

    def get_source(self, environment: BaseEnvironment, template: str) -> TemplateSource:
        """Return source, file name and up-to-date function of a template.

        Raises :exc:`jinja2.TemplateNotFound`; in debug mode it says where the template was looked for.
        """
        if self.app.config["EXPLAIN_TEMPLATE_LOADING"]:
            source = self._source_explained(environment, template)
        else:
            source = next((found for *_, found in self._attempts(environment, template) if found), None)
        if source is not None:
            return source
        message = explain_missing_template(self.app, template, self._places()) if self.app.debug else None
        raise TemplateNotFound(template, message)

    def list_templates(self) -> list[str]:
        """Return the names of all templates, sorted."""
        return sorted({name for _, loader in self._places() for name in loader.list_templates()})

    def _source_explained(self, environment: BaseEnvironment, template: str) -> TemplateSource | None:
        attempts = list(self._attempts(environment, template))
        explain_template_loading_attempts(self.app, template, attempts)
        return next((source for *_, source in attempts if source is not None), None)

    def _attempts(self, environment: BaseEnvironment, template: str) -> t.Iterator[LoadingAttempt]:
        for owner, loader in self._places():
            try:
                yield loader, owner, loader.get_source(environment, template)
            except TemplateNotFound:
                yield loader, owner, None

    def _places(self) -> t.Iterator[tuple[t.Any, BaseLoader]]:
        for owner in (self.app, *self.app.iter_blueprints()):
            if owner.jinja_loader is not None:
                yield owner, owner.jinja_loader


class TemplateEngine(t.Protocol):
    """What renders templates. Another engine than Jinja2 is a class with these methods.

    Name it as ``template_engine_class`` in a subclass of the application, or assign an instance to
    ``app.template_engine``::

        class Application(Erlen):
            template_engine_class = MakoEngine

    ``render_template`` and its relatives, context processors, the signals and ``get_template_attribute`` then
    go through it. An engine turns on autoescaping itself. Two things on ``app.jinja_env`` serve any engine:
    ``loader.get_source(app.jinja_env, name)`` finds a template in the folders of application and blueprints,
    and ``globals`` and ``filters`` hold ``url_for``, ``get_flashed_messages``, ``config``, ``session`` and what
    was registered with ``template_global`` and ``template_filter``. Threads share an engine.

    A subclass inherits :meth:`stream` and :meth:`get_attribute`; an engine that is no subclass writes all five
    methods.

    .. versionadded:: 0.1
    """

    def __init__(self, app: t.Any) -> None:
        """Make the engine of an application. It is made at its first use."""

    def get_template(self, template_name_or_list: t.Any) -> t.Any:
        """Return the template of a name, or the first that exists of a list of names.

        What is a template of this engine already is returned as it is. Any object will do for a template;
        receivers of the signals like it to have a ``name``.
        """
        ...

    def from_string(self, source: str) -> t.Any:
        """Return the template that a string holds. Its output is HTML, so it is escaped."""
        ...

    def render(self, template: t.Any, context: dict[str, t.Any]) -> str:
        """Return the output of a template."""
        ...

    def stream(self, template: t.Any, context: dict[str, t.Any]) -> t.Iterator[str]:
        """Yield the output of a template in pieces. Inherited, it is one piece."""
        yield self.render(template, context)

    def get_attribute(self, template: t.Any, name: str) -> t.Any:
        """Return a macro or variable that a template defines."""
        raise NotImplementedError(
            f"{type(self).__name__} cannot return {name!r} of a template: write its method "
            f"get_attribute(template, name), or do without get_template_attribute()."
        )


def _folds_filters(environment: t.Any, template: nodes.Template) -> bool:
    """Return whether compiling evaluates a filter or a test that is not Jinja's own, as it stands on a constant.

    What such a one returns may depend on the request: ``{{ 0.25|percentformat }}`` of Flask-Babel on its language.
    """
    for node in template.find_all((nodes.Filter, nodes.Test)):
        is_filter = isinstance(node, nodes.Filter)
        used, stock = (environment.filters, FILTERS) if is_filter else (environment.tests, TESTS)
        function = used.get(node.name)
        # What asks for the template's context is never evaluated early, nor is what stands on a block.
        waits = getattr(getattr(function, "jinja_pass_arg", None), "name", "") == "context"
        is_free = waits or function is stock.get(node.name) or t.cast("t.Any", node).node is None
        if not is_free and next(node.find_all((nodes.Name, nodes.Call)), None) is None:
            return True
    return False


class JinjaEngine(TemplateEngine):
    """Jinja2, by way of ``app.jinja_env``.

    :param app: the application.
    """

    #: How many templates of :func:`render_template_string` are kept compiled; the one used longest ago goes.
    string_cache_size: int = 128

    #: How many characters the source of such a template may have to be kept. Together the two numbers are the
    #: limit of what sources made of users' input can cost.
    string_cache_max_length: int = 16_384

    def __init__(self, app: t.Any) -> None:
        self.app = app
        self._strings: OrderedDict[tuple[t.Any, ...], Template] = OrderedDict()
        # Protects the order and the size of '_strings', which change at each look-up. Compiling is done outside.
        self._lock = Lock()

    def get_template(self, template_name_or_list: TemplateNames) -> Template:
        """Return the template, from Jinja's own cache where it is in there and up to date."""
        template: Template = self.app.jinja_env.get_or_select_template(template_name_or_list)
        return template

    def from_string(self, source: str) -> Template:
        """Return the template that a string holds, compiled once while it stays in the cache."""
        environment = self.app.jinja_env
        # What was compiled before a change of the environment is never asked for again, and so drops out.
        key = (environment, getattr(environment, "generation", None), source)
        with self._lock:
            if (template := self._strings.get(key)) is not None:
                self._strings.move_to_end(key)
                return template
        parsed: nodes.Template = environment.parse(source)
        keeps = len(source) <= self.string_cache_max_length and not _folds_filters(environment, parsed)
        template = t.cast(Template, environment.from_string(parsed))
        if keeps:
            with self._lock:
                self._strings[key] = template
                while len(self._strings) > self.string_cache_size:
                    self._strings.popitem(last=False)
        return template

    def render(self, template: Template, context: dict[str, t.Any]) -> str:
        """Return the output of a template."""
        return template.render(context)

    def stream(self, template: Template, context: dict[str, t.Any]) -> t.Iterator[str]:
        """Yield the output of a template, piece by piece as Jinja makes it."""
        return template.generate(context)

    def get_attribute(self, template: Template, name: str) -> t.Any:
        """Return a macro or exported variable of a template. Raises :exc:`AttributeError`."""
        return getattr(template.module, name)


def create_jinja_environment(app: Application, globals_: dict[str, t.Any]) -> BaseEnvironment:
    """Make the Jinja environment of an application, an ``app.jinja_environment``.

    :param app: the application.
    :param globals_: what templates may use beside ``url_for``, ``config``, ``request``, ``session`` and ``g``.
    """
    options = dict(app.jinja_options)
    options.setdefault("autoescape", app.select_jinja_autoescape)
    if "auto_reload" not in options:
        configured = app.config["TEMPLATES_AUTO_RELOAD"]
        options["auto_reload"] = app.debug if configured is None else configured
    environment: BaseEnvironment = app.jinja_environment(app, **options)
    globals_ = {
        "url_for": app.url_for,
        "config": app.config,
        "request": _request,
        "session": _session,
        "g": _g,
        **globals_,
    }
    environment.globals.update(globals_)

    def dumps(value: t.Any, **kwargs: t.Any) -> str:
        # Asks for 'app.json' each time: it may be assigned after the environment was made.
        text: str = app.json.dumps(value, **kwargs)
        return text

    environment.policies["json.dumps_function"] = dumps
    return environment


def select_jinja_autoescape(filename: str | None) -> bool:
    """Return whether the output of a template is escaped: HTML, XML and SVG files are, and strings."""
    return filename is None or filename.lower().endswith(_AUTOESCAPED)


def update_template_context(app: Application, context: dict[str, t.Any]) -> None:
    """Add what context processors give to a template's context.

    The application's run first, then those of the request's blueprints from the outermost to the innermost.
    The later one wins, and what the view passed wins over all.

    :param app: the application.
    :param context: the context, changed in place.
    """
    active = context_var.get(None)
    request = active.request if active is not None and active.has_request else None
    provided: dict[str, t.Any] = {}
    for processor in _processors(app, request):
        values = processor()
        try:
            provided.update(values)
        except (TypeError, ValueError):
            raise TypeError(_wrong_processor(processor, values)) from None
    provided.update(context)
    context.update(provided)


def _processors(app: Application, request: t.Any) -> list[t.Callable[[], t.Any]]:
    """Return the context processors of a request in their order, async ones wrapped."""
    plan = app.plan
    if plan is None:
        return _collect_processors(app, request)
    # PERF: template of 12 rows: looking at each processor whether it is async costs 2 us apiece. They are kept
    # with the plan, as it is dropped when one is added. Threads that find none at the same time store the same.
    kept: dict[str | None, list[t.Callable[[], t.Any]]] = plan.context_processors
    endpoint = None if request is None else request.endpoint
    if (processors := kept.get(endpoint)) is None:
        processors = kept[endpoint] = _collect_processors(app, request)
    return processors


def _collect_processors(app: Application, request: t.Any) -> list[t.Callable[[], t.Any]]:
    names = [None] if request is None else [None, *reversed(request.blueprints)]
    # 'get', as looking a name up in the registry would add it.
    registered = app.template_context_processors.get
    return [app.ensure_sync(processor) for name in names for processor in registered(name, ())]


def _wrong_processor(processor: t.Any, values: t.Any) -> str:
    name = getattr(processor, "__qualname__", repr(processor))
    return (
        f"The context processor {name!r} returned {values!r}, of type {type(values).__name__}. It has to return a "
        "dict of names and values for the templates: return {} when there is nothing to add."
    )


def default_template_context() -> dict[str, t.Any]:
    """Give templates ``request`` and ``g`` themselves; the globals are proxies, which are slower."""
    active = context_var.get(None)
    if active is None:
        return {}
    if active.has_request:
        return {"g": active.g, "request": active.request}
    return {"g": active.g}


# Flask's name for it.
_default_template_ctx_processor = default_template_context


def render_template(template_name_or_list: TemplateNames, **context: t.Any) -> str:
    """Render a template of the ``templates`` folders.

    :param template_name_or_list: the name of the template, or a list of names of which the first that exists
        is rendered.
    :param context: the variables of the template.
    """
    app = current_context().app
    return _render(app, app.template_engine.get_template(template_name_or_list), context)


async def arender_template(template_name_or_list: TemplateNames, **context: t.Any) -> str:
    """Render a template for an async view: on a worker thread, so that the event loop goes on meanwhile.

    Async context processors run on the loop of the view. :func:`render_template` works in an async view as well; there
    the loop waits, and an async context processor runs on a loop of its own.

    :param template_name_or_list: as for :func:`render_template`.
    :param context: the variables of the template.

    .. versionadded:: 0.1
    """
    text: str = await current_context().app.on_thread(
        lambda: render_template(template_name_or_list, **context)
    )
    return text


async def arender_template_string(source: str, **context: t.Any) -> str:
    """Render the template that a string holds for an async view; see :func:`arender_template`.

    :param source: as for :func:`render_template_string`.
    :param context: the variables of the template.

    .. versionadded:: 0.1
    """
    text: str = await current_context().app.on_thread(lambda: render_template_string(source, **context))
    return text


def render_template_string(source: str, **context: t.Any) -> str:
    """Render the template that a string holds, with autoescaping.

    The source must be the programmer's: what users send belongs into the variables, never into the source.

    :param source: the template.
    :param context: the variables of the template.
    """
    app = current_context().app
    return _render(app, app.template_engine.from_string(source), context)


def stream_template(template_name_or_list: TemplateNames, **context: t.Any) -> t.Iterator[str]:
    """Render a template in pieces. A view may return the iterator; the context lives as long as it is read.

    :param template_name_or_list: as for :func:`render_template`.
    :param context: the variables of the template.
    """
    active = current_context()
    engine: TemplateEngine = active.app.template_engine
    return _stream(active.app, engine, engine.get_template(template_name_or_list), context)


def stream_template_string(source: str, **context: t.Any) -> t.Iterator[str]:
    """Render the template that a string holds in pieces, as :func:`stream_template` does.

    :param source: as for :func:`render_template_string`.
    :param context: the variables of the template.
    """
    active = current_context()
    engine: TemplateEngine = active.app.template_engine
    return _stream(active.app, engine, engine.from_string(source), context)


# Flask-Testing replaces this, so its arguments are those of Flask.
def _render(app: t.Any, template: t.Any, context: dict[str, t.Any]) -> str:
    app.update_template_context(context)
    # PERF: sending to nobody costs more than looking.
    if before_render_template.receivers:
        tell(before_render_template, app, template=template, context=context)
    output: str = app.template_engine.render(template, context)
    if template_rendered.receivers:
        tell(template_rendered, app, template=template, context=context)
    return output


def _stream(
    app: t.Any, engine: TemplateEngine, template: t.Any, context: dict[str, t.Any]
) -> t.Iterator[str]:
    app.update_template_context(context)
    if before_render_template.receivers:
        tell(before_render_template, app, template=template, context=context)

    def pieces() -> t.Iterator[str]:
        yield from engine.stream(template, context)
        if template_rendered.receivers:
            tell(template_rendered, app, template=template, context=context)

    return stream_with_context(pieces())
