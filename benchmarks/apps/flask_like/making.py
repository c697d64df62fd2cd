"""How an application of Flask's API is made, Quart's as well."""

from __future__ import annotations

import importlib
import pkgutil
import typing as t

from ...data import STATIC, TEMPLATES


def make_app(options: dict[str, t.Any]) -> tuple[t.Any, t.Any]:
    """Return the framework's module and an application of its class.

    :param options: which of each, and arguments of the class.
    """
    framework: t.Any = importlib.import_module(options.pop("framework"))
    application: t.Any = pkgutil.resolve_name(options.pop("name"))
    folders = {"static_folder": str(STATIC), "template_folder": str(TEMPLATES)}
    return framework, application("benchmark", root_path=".", **folders, **options)
