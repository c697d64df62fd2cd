"""Jinja2: the environment of an application, and the engine that is its default.

Whatever needs Jinja stands here, and is loaded when a template, the environment or one of these names is first asked for:
an application without templates does without.
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

from .ctx import context_var
from .debug.explain import (
    LoadingAttempt,
    TemplateSource,
    explain_missing_template,
    explain_template_loading_attempts,
)
from .engines import TemplateEngine
from .messages import NO_APP_CONTEXT, NO_REQUEST_CONTEXT
from .registry import TellingDict
from .typing import Application

#: What names a template: its name, a template object, or a list of them of which the first that exists is taken.
TemplateNames: t.TypeAlias = "str | Template | list[str | Template]"


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
        #: The filters by their names. A change makes templates compile anew, as does one of those below.
        self.filters = self._watched(self.filters)
        #: The tests by their names.
        self.tests = self._watched(self.tests)
        #: Jinja's policies.
        self.policies = self._watched(self.policies)
        #: Jinja's extensions by their identifiers.
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

    #: How many templates of :func:`erlen.render_template_string` are kept compiled; the one used longest ago goes.
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
