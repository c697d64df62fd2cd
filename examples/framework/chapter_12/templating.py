"""Templates, by Jinja."""

from __future__ import annotations

import os
import typing as t

import jinja2

from .ctx import current_context
from .globals import g, request, session
from .helpers import get_flashed_messages, url_for
from .signals import template_rendered

if t.TYPE_CHECKING:
    from .app import Sapling


def create_environment(app: Sapling) -> jinja2.Environment:
    """Return the environment of an application's templates.

    They lie in the folder ``templates`` beside its module; what is not there is looked for beside its blueprints.
    """
    owners = [app, *app.blueprints.values()]
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([os.path.join(owner.root_path, "templates") for owner in owners]),
        autoescape=jinja2.select_autoescape(["html", "htm", "xml", "svg"], default_for_string=True),
    )
    # Here, and not in each render's variables, so that imported macros see them as well.
    functions: dict[str, t.Any] = {"url_for": url_for, "get_flashed_messages": get_flashed_messages}
    proxies: dict[str, t.Any] = {"request": request, "session": session, "g": g}
    environment.globals.update(functions | proxies)
    return environment


def render_template(name: str, /, **values: t.Any) -> str:
    """Return a template of the active application, filled with values."""
    return render(current_context().app.jinja_env.get_template(name), values)


def render_template_string(source: str, /, **values: t.Any) -> str:
    """Return a template that is given as text, filled with values. The text must not be of a user's making."""
    return render(current_context().app.jinja_env.from_string(source), values)


def render(template: jinja2.Template, values: dict[str, t.Any]) -> str:
    """Return a template with values; those of the call come before those of context processors."""
    context = current_context()
    for processor in context.collect(context.app.context_processors):
        values = {**processor(), **values}
    text = template.render(values)
    template_rendered.send(context.app, template=template, context=values)
    return text
