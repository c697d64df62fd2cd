"""What the reference says of a name: the text of this package, and no value that nobody can write."""

from __future__ import annotations

import importlib
import inspect
import re
import typing as t

from docutils import nodes
from sphinx.addnodes import desc_annotation
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging
from sphinx.util.docstrings import prepare_docstring

_logger = logging.getLogger(__name__)

#: Values longer than this are told in words: a configuration has a page of its own.
LONGEST_VALUE = 100

_CLASS = re.compile(r"<class '([\w.]+)'>")
_IN_A_SIGNATURE = re.compile(r"(?<==)(\s*)(?:<[^<>]*>|_sentinel\b)")


def text_of(path: str) -> str | None:
    """Return what a descriptor or a value of this package says of itself, ``None`` where Sphinx finds the text alone.

    Sphinx prefers a comment, also one of another package above the attribute that a class of this package replaces.

    :param path: the dotted path of an attribute.
    """
    owner, _, name = path.rpartition(".")
    for base in _classes_of(owner):
        if name in vars(base):
            is_own = base.__module__.startswith("erlen") and not has_comment(base, name)
            text = getattr(vars(base)[name], "__dict__", {}).get("__doc__") if is_own else None
            return text if isinstance(text, str) else None
        if has_comment(base, name):
            return None
    return None


def is_borrowed(path: str) -> bool:
    """Return whether the text of an attribute would be that of another package, though this one defines it.

    :param path: the dotted path of an attribute.
    """
    owner, _, name = path.rpartition(".")
    own = False
    for base in _classes_of(owner):
        value: t.Any = vars(base).get(name)
        if (text := getattr(value, "__doc__", None)) and text != type(value).__doc__:
            return own and not base.__module__.startswith("erlen")
        own |= base.__module__.startswith("erlen") and (name in vars(base) or _assigns(base, name))
        if has_comment(base, name):
            return own and not base.__module__.startswith("erlen") and text_of(path) is None
    return False


def has_comment(cls: type, name: str) -> bool:
    """Return whether a comment above an attribute documents it, in the source of the class that defines it.

    :param cls: the class.
    :param name: the attribute.
    """
    try:
        analyzer = ModuleAnalyzer.for_module(cls.__module__)
        analyzer.analyze()
    except Exception:  # Sphinx has errors of many kinds for what is not written in Python.
        return False
    return (cls.__qualname__, name) in analyzer.attr_docs


def _assigns(cls: type, name: str) -> bool:
    return f"self.{name} = " in inspect.getsource(cls)


def _classes_of(path: str) -> tuple[type, ...]:
    module, _, name = path.rpartition(".")
    value: t.Any = getattr(importlib.import_module(module), name, None) if module else None
    return value.__mro__ if isinstance(value, type) else ()


def _tell_of_signals(app: Sphinx) -> None:
    # They say themselves what they are for, and Sphinx looks for comments alone.
    from erlen.ext.security import events

    analyzer = ModuleAnalyzer.for_module(events.__name__)
    analyzer.analyze()
    for name in events.NAMES:
        analyzer.attr_docs["Signals", name] = prepare_docstring(events.signal(name).__doc__ or "")


def _use_own_text(app: Sphinx, what: str, name: str, obj: object, options: t.Any, lines: list[str]) -> None:
    if what == "attribute" and (text := text_of(name)) is not None:
        lines[:] = prepare_docstring(text)
    elif what in {"attribute", "property"} and lines and is_borrowed(name):
        _logger.warning("%s has the text of another package: write a comment above it in ours", name)


def shorten_signature(signature: str) -> str:
    """Return a signature whose defaults can be read: what is made anew for each call is three dots.

    :param signature: the parameters, in parentheses.
    """
    return _IN_A_SIGNATURE.sub(r"\1...", signature)


def _use_short_signature(
    app: Sphinx, what: str, name: str, obj: object, options: t.Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    return signature and shorten_signature(signature), returns


def shown_value(value: str) -> str | None:
    """Return how the value of an attribute is shown, ``None`` where it is left out.

    :param value: what ``repr`` says.
    """
    if is_class := _CLASS.fullmatch(value):
        return is_class[1]
    return None if value.startswith("<") or len(value) > LONGEST_VALUE else value


def _mend_values(app: Sphinx, doctree: nodes.document) -> None:
    for node in list(doctree.findall(desc_annotation)):
        before, sign, value = node.astext().partition("= ")
        if not sign or before.strip():
            continue
        shown = shown_value(value)
        if shown is None:
            node.parent.remove(node)
        elif shown != value:
            node.children[-1].parent.replace(node.children[-1], nodes.Text(shown))


def setup(app: Sphinx) -> dict[str, t.Any]:
    """Connect to Sphinx."""
    app.connect("builder-inited", _tell_of_signals)
    app.connect("autodoc-process-docstring", _use_own_text)
    app.connect("autodoc-process-signature", _use_short_signature)
    app.connect("doctree-read", _mend_values)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
