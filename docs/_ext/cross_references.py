"""References of the API's reference: names that are shown under another name, and names of other packages."""

from __future__ import annotations

import importlib
import inspect
import typing as t

from docutils import nodes
from sphinx.addnodes import desc_signature, pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.util.nodes import make_refnode

#: What docstrings of Erlen refer to, and what is documented elsewhere. A build asks no network, so these are no links.
_OTHERS = frozenset({
    "Headers", "WSGIApplication", "blinker", "builtins", "click", "collections", "contextlib", "datetime", "dict", "email",
    "importlib", "jinja2", "json", "jsonschema", "open", "os", "pathlib", "ssl", "sys", "werkzeug",
})  # fmt: skip

_MISSING = object()


def _resolve(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.reference | nodes.TextElement | None:
    """Link what is shown under the name that users import, as ``erlen.url_for`` for ``erlen.helpers.url_for``."""
    if node.get("refdomain") != "py":
        return None
    target: str = node["reftarget"].lstrip(".")
    shown = _shown_as(env, target)
    if shown is not None:
        place = t.cast("PythonDomain", env.get_domain("py")).objects[shown]
        return make_refnode(app.builder, node["refdoc"], place.docname, place.node_id, content, shown)
    # Types of signatures are what Python says, and may be of anybody; roles in texts are what an author has written.
    is_written = "refwarn" in node
    is_elsewhere = target.partition(".")[0] in _OTHERS
    # Autodoc writes 'alias of' with the whole name of a class, which need not be a public one.
    is_not_shown = target.startswith("erlen.") and _value_of(target) is not _MISSING
    return content if not is_written or is_elsewhere or is_not_shown else None


def _shown_as(env: BuildEnvironment, target: str) -> str | None:
    name = target.rpartition(".")[2]
    objects = t.cast("PythonDomain", env.get_domain("py")).objects
    candidates = [one for one in objects if one.rpartition(".")[2] == name and not objects[one].aliased]
    if not candidates:
        return None
    value = _value_of(target)
    same = [one for one in candidates if value is not _MISSING and _value_of(one) is value]
    if same:
        return min(same, key=len)
    # A type that is imported for type checkers alone stands in signatures by its last name.
    # Not by 'inspect', as proxies answer for what they stand for.
    classes = [one for one in candidates if issubclass(type(_value_of(one)), type)]
    return classes[0] if "." not in target and len(classes) == 1 else None


def _value_of(path: str) -> t.Any:
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value: t.Any = importlib.import_module(".".join(parts[:length]))
        except ImportError:
            continue
        for part in parts[length:]:
            value = inspect.getattr_static(value, part, _MISSING)
        return value
    return _MISSING


def _skip(app: Sphinx, what: str, name: str, member: object, skip: bool, options: t.Any) -> bool | None:
    """Leave out methods of Python's own containers, in a class of ours that only listens to them."""
    pythons = [getattr(cls, name).__doc__ for cls in (dict, list) if hasattr(cls, name)]
    return True if pythons and member.__doc__ in {None, *pythons} else None


def _places_of_sources(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Add the places that pages with sources lead back to: viewcode knows one name of a module, and we have two of some."""
    wanted: dict[str, set[str]] = {}
    modules: dict[str, t.Any] = getattr(app.env, "_viewcode_modules", {})
    for _, _, used, module in (entry for entry in modules.values() if entry):
        for name, page in used.items():
            if page == docname:
                wanted.setdefault(name, set()).add(f"{module}.{name}")
    known = {place for node in doctree.findall(desc_signature) for place in node["ids"]}
    for node in doctree.findall(desc_signature):
        node["ids"] += sorted(wanted.get(node.get("fullname", ""), set()) - known)


def setup(app: Sphinx) -> dict[str, t.Any]:
    """Connect to Sphinx."""
    app.connect("autodoc-skip-member", _skip)
    app.connect("doctree-resolved", _places_of_sources)
    app.connect("missing-reference", _resolve)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
