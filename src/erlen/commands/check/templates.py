"""Checks of templates: that those which views render are there, and that HTML is escaped."""

from __future__ import annotations

import ast
import inspect
import textwrap
import typing as t
from pathlib import Path

import jinja2
from jinja2 import nodes

from ... import templating
from .model import DoesNotApply, Finding, Subject
from .surroundings import place_of, relative

_RENDERS: tuple[t.Any, ...] = (
    templating.render_template,
    templating.arender_template,
    templating.stream_template,
)

# Loaders that read files or hold texts. Another one may ask a database for templates.
_PLAIN_LOADERS = (
    jinja2.FileSystemLoader,
    jinja2.PackageLoader,
    jinja2.DictLoader,
    jinja2.ChoiceLoader,
    jinja2.PrefixLoader,
)


def missing_folders(subject: Subject) -> t.Iterator[Finding]:
    """Find template and static folders that are named and not there."""
    app = subject.app
    for owner in (app, *app.iter_blueprints()):
        call = f"{type(owner).__name__}({'__name__' if owner is app else repr(owner.name)}, ..."
        what = f"the {'application' if owner is app else 'blueprint'} {owner.name!r}"
        folders = {"template_folder": owner.template_folder, "static_folder": owner.static_folder}
        for argument, folder in folders.items():
            if folder is None:
                continue
            path = Path(owner.root_path, folder)
            # The application's own defaults are named by nobody.
            default = owner is app and path in {
                Path(owner.root_path, "templates"),
                Path(owner.root_path, "static"),
            }
            if not default and not path.is_dir():
                yield Finding(
                    f"There is no folder {relative(path, subject.folder)!r}, which is the {argument} of {what}.",
                    f"# The place of the folder, relative to {relative(Path(owner.root_path), subject.folder)!r}:\n"
                    f'{call}, {argument}="...")',
                )


def missing_templates(subject: Subject) -> t.Iterator[Finding]:
    """Find templates that views render by name, or that such templates extend or include, and that are not there.

    Templates with a mistake in their syntax are found as well. Only what is named as a text is looked at.
    """
    app = subject.app
    loaders = [
        owner.jinja_loader for owner in (app, *app.iter_blueprints()) if owner.jinja_loader is not None
    ]
    if not isinstance(app.template_engine, templating.JinjaEngine):
        raise DoesNotApply("templates are rendered by another engine than Jinja2")
    if type(app.jinja_env.loader) is not templating.DispatchingJinjaLoader:
        raise DoesNotApply("the application has a template loader of its own")
    if not all(type(loader) in _PLAIN_LOADERS for loader in loaders):
        raise DoesNotApply("templates are not read from folders alone")

    seen: set[str] = set()
    for view in dict.fromkeys(app.view_functions.values()):
        where = place_of(view, subject.folder)
        for name in _rendered_by(view):
            yield from _look_at(subject, name, f"the view {getattr(view, '__name__', view)!r}{where}", seen)


def _look_at(subject: Subject, name: str, user: str, seen: set[str]) -> t.Iterator[Finding]:
    if name in seen:
        return
    seen.add(name)
    environment: jinja2.Environment = subject.app.jinja_env
    loader = t.cast("jinja2.BaseLoader", environment.loader)
    try:
        source, file, _ = loader.get_source(environment, name)
        tree = environment.parse(source, name, file)
    except jinja2.TemplateSyntaxError as error:
        place = f"{relative(Path(error.filename), subject.folder) if error.filename else name}:{error.lineno}"
        yield Finding(
            f"The template {name!r}, which {user} uses, cannot be compiled: {error.message} ({place}).",
            f"# Correct line {error.lineno} of {name!r}.",
        )
    except jinja2.TemplateNotFound:
        yield Finding(
            f"There is no template {name!r}, which {user} uses.",
            f"# Add templates/{name}, or correct the name.",
        )
    else:
        for other in _used_by(tree):
            yield from _look_at(subject, other, f"the template {name!r}", seen)


def _used_by(tree: nodes.Template) -> t.Iterator[str]:
    for node in tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
        template = t.cast("t.Any", node).template
        optional = getattr(node, "ignore_missing", False)
        if isinstance(template, nodes.Const) and isinstance(template.value, str) and not optional:
            yield template.value


def _rendered_by(view: t.Any) -> t.Iterator[str]:
    """Yield the names of templates that a view renders, where they stand in its source as texts."""
    target: t.Any = getattr(view, "view_class", None) or inspect.unwrap(view)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(target)))
    except (OSError, TypeError, SyntaxError):
        return
    module = inspect.getmodule(target)
    names: t.Mapping[str, t.Any] = {} if module is None else vars(module)
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args):
            continue
        first = node.args[0]
        if (
            names.get(node.func.id) in _RENDERS
            and isinstance(first, ast.Constant)
            and isinstance(first.value, str)
        ):
            yield first.value


def autoescape_off(subject: Subject) -> t.Iterator[Finding]:
    """Find kinds of templates whose output is HTML and is not escaped. What decides it is called."""
    app = subject.app
    if not isinstance(app.template_engine, templating.JinjaEngine):
        raise DoesNotApply("templates are rendered by another engine than Jinja2")
    decides: t.Any = app.jinja_env.autoescape
    shown: dict[str | None, str] = {
        "page.html": "'.html'",
        "page.htm": "'.htm'",
        "page.xml": "'.xml'",
        "page.svg": "'.svg'",
    }
    shown.update({"page.xhtml": "'.xhtml'", None: "strings"})
    unsafe = [title for name, title in shown.items() if not (decides(name) if callable(decides) else decides)]
    if not unsafe:
        return
    kinds = " and ".join(filter(None, [", ".join(unsafe[:-1]), unsafe[-1]]))
    yield Finding(
        f"Templates of {kinds} are not escaped: what users send can put scripts into the pages of others.",
        "# Remove what sets 'autoescape' in jinja_options, on jinja_env or by\n"
        "# overriding select_jinja_autoescape. For a single text that is HTML:\n{{ text|safe }}",
        None if {"'.html'", "strings"} & {*unsafe} else "warning",
    )


def explained(subject: Subject) -> t.Iterator[Finding]:
    """Find ``EXPLAIN_TEMPLATE_LOADING``, which writes lines to the log for each template that is looked for."""
    if subject.config.get("EXPLAIN_TEMPLATE_LOADING"):
        yield Finding(
            "EXPLAIN_TEMPLATE_LOADING is on: each look-up of a template asks every folder, and is logged.",
            'app.config["EXPLAIN_TEMPLATE_LOADING"] = False',
        )


def reloaded(subject: Subject) -> t.Iterator[Finding]:
    """Find templates that are compared with their files each time they are rendered."""
    app = subject.app
    if not isinstance(app.template_engine, templating.JinjaEngine):
        raise DoesNotApply("templates are rendered by another engine than Jinja2")
    if app.debug and app.config["TEMPLATES_AUTO_RELOAD"] is None:
        # Debug mode reloads them, and is a finding of its own.
        return
    if app.jinja_env.auto_reload:
        yield Finding(
            "Templates are reloaded when their files change: each time one is rendered, its file is looked at, and "
            "those of all templates that it extends and includes.",
            'app.config["TEMPLATES_AUTO_RELOAD"] = None  # reload in debug mode alone',
        )
