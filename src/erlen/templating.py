"""Templates: rendering, the Jinja environment, and the one place where the engine can be changed.

``render_template(...)`` asks ``app.template_engine`` for the template, lets ``app.update_template_context`` add
what the context processors give, and has the engine render. The engine is an ``app.template_engine_class``,
:class:`JinjaEngine` unless a subclass of the application names another :class:`TemplateEngine`. Jinja is loaded when it is
first needed (``jinja.py``), and its classes are names of this module as well.
"""

from __future__ import annotations

import typing as t

from .ctx import context_var, current_context
from .engines import TemplateEngine as TemplateEngine
from .signals import before_render_template, tell, template_rendered
from .streams import stream_with_context
from .typing import Application

if t.TYPE_CHECKING:
    from jinja2 import BaseLoader as BaseLoader
    from jinja2 import Template as Template
    from jinja2 import TemplateNotFound as TemplateNotFound

    from .jinja import DispatchingJinjaLoader as DispatchingJinjaLoader
    from .jinja import Environment as Environment
    from .jinja import JinjaEngine as JinjaEngine
    from .jinja import TemplateNames as TemplateNames
    from .jinja import create_jinja_environment as create_jinja_environment
else:
    _OF_JINJA = frozenset(
        "BaseLoader DispatchingJinjaLoader Environment JinjaEngine Template TemplateNames "
        "TemplateNotFound create_jinja_environment".split()
    )

    def __getattr__(name):
        """Load Jinja when one of its names is asked for (PEP 562)."""
        if name not in _OF_JINJA:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        # Slow to load, and not every application has templates.
        from . import jinja

        value = globals()[name] = getattr(jinja, name)
        return value


__all__ = [
    "DispatchingJinjaLoader",
    "Environment",
    "JinjaEngine",
    "TemplateEngine",
    "arender_template",
    "arender_template_string",
    "render_template",
    "render_template_string",
    "stream_template",
    "stream_template_string",
]


_AUTOESCAPED = (".html", ".htm", ".xml", ".xhtml", ".svg")


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
