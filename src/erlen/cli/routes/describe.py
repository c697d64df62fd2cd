"""One rule and its view, as they are shown and as JSON has them."""

from __future__ import annotations

import functools
import inspect
import typing as t
from pathlib import Path

from werkzeug.routing import BaseConverter, Rule

from ...typing import Application

# By name: these layers are above this one. Without that of the module, which is one of Flask's after 'erlen.as_flask'.
_STATIC_OF_APPLICATION = "Registration._add_static_rule.<locals>.static"
_STATIC_OF_BLUEPRINT = "Scaffold.send_static_file"
_OWN_FOLDER = Path(__file__).parents[2]


class View(t.NamedTuple):
    """Where the code of an endpoint is.

    :param name: module and name, ``"shop.views:index"``.
    :param file: the path of its file, ``None`` where there is none.
    :param line: the line it begins in, with its decorators.
    """

    name: str
    file: str | None
    line: int | None

    @property
    def place(self) -> str:
        """File and line; the file from this folder on if it is in it."""
        if self.file is None:
            return ""
        path = Path(self.file)
        if path.is_relative_to(Path.cwd()):
            path = path.relative_to(Path.cwd())
        return f"{path}:{self.line}" if self.line else str(path)


def view_of(application: Application, endpoint: str, method: str | None = None) -> View | None:
    """Return the view of an endpoint, ``None`` where none is registered.

    :param application: the application.
    :param endpoint: the endpoint.
    :param method: of a class, the method that answers is asked for.
    """
    view: t.Any = application.view_functions.get(endpoint)
    if view is None:
        return None
    target: t.Any = getattr(view, "view_class", None)
    if target is None:
        target = view
    elif method is not None:
        target = getattr(target, method.lower(), target)
    while isinstance(target, functools.partial):
        target = target.func
    target = inspect.unwrap(target)
    name = getattr(target, "__qualname__", None) or type(target).__qualname__
    return View(f"{getattr(target, '__module__', None) or '?'}:{name}", *_place_of(target))


def view_in_words(application: Application, endpoint: str, view: View) -> tuple[str, str]:
    """Return name and place of a view for people: of the framework's own routes, the folder that is served.

    :param application: the application.
    :param endpoint: the endpoint.
    :param view: its view.
    """
    folder = _static_folder_of(application, application.view_functions[endpoint])
    if folder is None:
        return view.name, view.place
    path = Path(folder)
    return f"static files of {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}", ""


def _static_folder_of(application: Application, view: t.Any) -> str | None:
    target: t.Any = inspect.unwrap(view)
    file = getattr(getattr(target, "__code__", None), "co_filename", "")
    name = getattr(target, "__qualname__", "") if Path(file).parent == _OWN_FOLDER else ""
    # A blueprint's is its method.
    owners = {_STATIC_OF_APPLICATION: application, _STATIC_OF_BLUEPRINT: getattr(target, "__self__", None)}
    folder: str | None = getattr(owners.get(name), "static_folder", None)
    return folder


def _place_of(target: t.Any) -> tuple[str | None, int | None]:
    code = getattr(target, "__code__", None)
    if code is not None:
        return code.co_filename, code.co_firstlineno
    try:
        return inspect.getsourcefile(target), inspect.getsourcelines(target)[1]
    except (OSError, TypeError):
        # Made by a call, or no class and no function.
        return None, None


def converters_of(rule: Rule) -> dict[str, BaseConverter]:
    """Return the converter of each variable of a rule."""
    return dict(t.cast(t.Any, rule)._converters)


def converter_name(rule: Rule, name: str) -> str:
    """Return the name of a variable's converter, as it stands in rules: ``"int"``, ``"string"``.

    :param rule: a rule of a map.
    :param name: the name of the variable.
    """
    cls = type(converters_of(rule)[name])
    known: t.Mapping[str, t.Any] = rule.map.converters
    names = [key for key, value in known.items() if value is cls and key != "default"]
    return names[0] if names else cls.__name__


def methods_of(rule: Rule, *, every: bool = False) -> str:
    """Return the methods of a rule as one text.

    :param rule: the rule.
    :param every: name HEAD and OPTIONS as well.
    """
    if rule.websocket:
        return "WEBSOCKET"
    if rule.methods is None:
        return "any"
    return ", ".join(sorted(rule.methods if every else rule.methods - {"HEAD", "OPTIONS"}))


def notes_of(rule: Rule) -> str:
    """Return what is special about a rule, nothing for most."""
    notes: list[str] = []
    if rule.build_only:
        notes.append("only builds URLs")
    if rule.redirect_to is not None:
        target = rule.redirect_to
        notes.append(f"redirects to {target if isinstance(target, str) else 'what a function returns'}")
    if rule.alias:
        notes.append("alias")
    if rule.defaults:
        notes.append(", ".join(f"{name}={value!r}" for name, value in rule.defaults.items()))
    return "; ".join(notes)


def plain(value: t.Any) -> t.Any:
    """Return a value as JSON has it; as text where that has no such type."""
    return value if value is None or isinstance(value, str | int | float) else str(value)


def rule_as_json(application: Application, rule: Rule, method: str | None = None) -> dict[str, t.Any]:
    """Return everything about a rule.

    :param application: the application.
    :param rule: a rule of its map.
    :param method: of a class, the method that answers is named as the view.
    """
    view = view_of(application, rule.endpoint, method)
    redirect_to = rule.redirect_to
    matches_hosts = application.url_map.host_matching
    return {
        "endpoint": str(rule.endpoint),
        "rule": rule.rule,
        "methods": None if rule.methods is None else sorted(rule.methods),
        "host": rule.host if matches_hosts else None,
        "subdomain": None if matches_hosts else rule.subdomain or None,
        "websocket": bool(rule.websocket),
        "arguments": {name: converter_name(rule, name) for name in converters_of(rule)},
        "defaults": {name: plain(value) for name, value in (rule.defaults or {}).items()},
        "redirect_to": redirect_to
        if redirect_to is None or isinstance(redirect_to, str)
        else str(view_name(redirect_to)),
        "alias": bool(rule.alias),
        "build_only": bool(rule.build_only),
        "blueprint": blueprint_of(application, rule),
        "view": None if view is None else view._asdict(),
    }


def view_name(function: t.Any) -> str:
    """Return module and name of a function."""
    return f"{getattr(function, '__module__', '?')}:{getattr(function, '__qualname__', repr(function))}"


def blueprint_of(application: Application, rule: Rule) -> str | None:
    """Return the name of the blueprint that a rule is of."""
    name = str(rule.endpoint).rpartition(".")[0]
    return name if name in application.blueprints else None
