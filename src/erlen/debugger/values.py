"""Values as text, within bounds: of size, of time, and of what a ``__repr__`` may do."""

from __future__ import annotations

import contextvars
import itertools
import threading
import typing as t
import weakref
from collections import deque

from werkzeug.datastructures import Headers, MultiDict
from werkzeug.local import LocalProxy

from .masking import HIDDEN, Mask, is_hidden

#: Characters of one value, and of all values of one page.
LONGEST = 1500
LONGEST_TOGETHER = 400_000

#: Characters of a message or a note.
LONGEST_TEXT = 10_000

#: Seconds in which all values of one page are printed. What is not printed then is left out.
PATIENCE = 2.0

# Items of a list or a dict, outside and in another one, and how deep they are looked into.
_ITEMS = (60, 20, 10, 6)
_BRACKETS: dict[type, tuple[str, str]] = {
    list: ("[", "]"),
    tuple: ("(", ")"),
    set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
    deque: ("deque([", "])"),
}
# Of a __repr__ no more is looked at.
_CUT = 50_000
# Bits of an int that is printed: 1200 digits. Python refuses those of more than 4300.
_BITS = 4000

# Classes whose values took too long.
_slow: weakref.WeakSet[type] = weakref.WeakSet()


class Printer:
    """Prints values, without the secrets in them.

    :param mask: knows the secrets.
    """

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        #: The class whose ``__repr__`` runs, or has run last.
        self.running: type | None = None

    def __call__(self, name: t.Any, value: t.Any) -> str:
        """Return a value as text, whatever it does.

        :param name: its name: one that looks like that of a secret hides it.
        :param value: anything.
        """
        if is_hidden(name, value):
            return HIDDEN
        try:
            text = self._mask(self._print(value, 0))
        except BaseException as error:
            return f"<{type_name(type(value))} whose __repr__ raised {type_name(type(error))}>"
        return text if len(text) <= LONGEST else f"{text[:LONGEST]} ... ({len(text)} characters)"

    def _print(self, value: t.Any, depth: int) -> str:
        cls = type(value)
        if cls is LocalProxy:
            try:
                value = value._get_current_object()
            except RuntimeError:
                return "<a proxy outside of its context>"
            cls = type(value)
        if cls in _slow:
            return f"<{type_name(cls)}, which took too long to print before>"
        if issubclass(cls, str | bytes | bytearray):
            return self._print_text(value)
        if issubclass(cls, int) and cls.__repr__ is int.__repr__ and value.bit_length() > _BITS:
            return f"<an int of {value.bit_length()} bits>"
        if issubclass(cls, Headers):
            # With names and values apart, so that a secret is seen.
            return f"{cls.__name__}({self._print_dict(list(value), len(value), depth)})"
        if issubclass(cls, dict) and (cls.__repr__ is dict.__repr__ or issubclass(cls, MultiDict)):
            return self._print_dict(value.items(), len(value), depth)
        if cls in _BRACKETS:
            return self._print_items(value, *_BRACKETS[cls], depth)
        self.running = cls
        return repr(value)[:_CUT]

    def _print_text(self, value: t.Any) -> str:
        if len(value) <= LONGEST:
            return repr(value)
        # What is cut off in the middle of a secret could not be recognised.
        begun = value[:_CUT]
        room = LONGEST - 200
        text = begun if isinstance(begun, str) else begun.decode("utf-8", "surrogateescape")
        masked = self._mask(text)[:room]
        shown = masked if isinstance(begun, str) else masked.encode("utf-8", "surrogateescape")
        return f"{shown!r} ... ({len(value)} {'characters' if isinstance(value, str) else 'bytes'})"

    def _print_dict(self, items: t.Iterable[t.Any], length: int, depth: int) -> str:
        if depth >= len(_ITEMS):
            return "{...}"
        shown = [
            f"{self._print(key, depth + 1)}: {self._inside(key, value, depth)}"
            for key, value in itertools.islice(items, _ITEMS[depth])
        ]
        return "{" + ", ".join([*shown, *_more(length - len(shown))]) + "}"

    def _print_items(self, value: t.Any, left: str, right: str, depth: int) -> str:
        if depth >= len(_ITEMS):
            return f"{left}...{right}"
        if isinstance(value, set | frozenset) and not value:
            return f"{type(value).__name__}()"
        shown: list[str] = []
        for one in itertools.islice(value, _ITEMS[depth]):
            if type(one) is tuple and len(one) == 2 and is_hidden(one[0], one[1]):
                shown.append(f"({one[0]!r}, {HIDDEN})")
            else:
                shown.append(self._print(one, depth + 1))
        shown += _more(len(value) - len(shown))
        comma = "," if type(value) is tuple and len(value) == 1 else ""
        return f"{left}{', '.join(shown)}{comma}{right}"

    def _inside(self, name: t.Any, value: t.Any, depth: int) -> str:
        return HIDDEN if is_hidden(name, value) else self._print(value, depth + 1)


def _more(count: int) -> list[str]:
    return [f"... and {count} more"] if count > 0 else []


def type_name(cls: type) -> str:
    """Return the name of a class, with its module unless that is Python's own.

    :param cls: the class.
    """
    try:
        name = (
            f"{cls.__qualname__}"
            if cls.__module__ in {"builtins", "__main__"}
            else f"{cls.__module__}.{cls.__qualname__}"
        )
    except Exception:  # A metaclass may do anything.
        return "<a class without a name>"
    return name


class Job:
    """A value that is to be printed.

    :param name: its name.
    :param value: the value.
    """

    def __init__(self, name: str, value: t.Any) -> None:
        self.name = name
        self.value = value
        #: The value as text.
        self.text = "<not printed, as the values before it took too long or were too many>"
        self.is_hidden = is_hidden(name, value)


def print_all(jobs: t.Sequence[Job], printer: Printer, patience: float = PATIENCE) -> None:
    """Print values in a thread that is left behind when it takes too long.

    :param jobs: the values, the most wanted ones first.
    :param printer: prints one.
    :param patience: seconds that they have together.
    """
    state: dict[str, t.Any] = {"job": None, "is_over": False}
    done = threading.Event()

    def run() -> None:
        length = 0
        for job in jobs:
            if state["is_over"] or length > LONGEST_TOGETHER:
                break
            state["job"], printer.running = job, None
            text = printer(job.name, job.value)
            if not state["is_over"]:
                job.text = text
            length += len(text)
        done.set()

    # With the context variables of who asks: values may be proxies.
    variables = contextvars.copy_context()
    threading.Thread(target=variables.run, args=(run,), name="erlen-debugger", daemon=True).start()
    if done.wait(patience):
        return
    state["is_over"] = True
    job: Job | None = state["job"]
    if job is not None and not done.is_set():
        # In a list it is the item that is slow. Its thread may never end, and no other one is to wait for it.
        cls = printer.running or type(job.value)
        job.text = f"<{type_name(cls)}, which took longer than {patience:g} seconds to print>"
        if cls.__module__ != "builtins":
            _slow.add(cls)


def safe_text(make: t.Callable[[], t.Any], longest: int = LONGEST_TEXT) -> str:
    """Return text that users' code makes, or what it raised.

    :param make: for example ``error.__str__``.
    :param longest: more characters are cut off.
    """
    try:
        text = str(make())
    except (
        BaseException
    ) as error:  # As of a __repr__: sys.exit() in it must not end the request without a page.
        return f"<its text could not be made: {type_name(type(error))}>"
    return text if len(text) <= longest else f"{text[:longest]} ... ({len(text)} characters)"
