"""Checks of the secret key. No message holds a key, or a part of one."""

from __future__ import annotations

import ast
import re
import sys
import typing as t
from pathlib import Path
from types import ModuleType

from ...globals import session
from ...helpers import flash
from ...sessions import SecureCookieSessionInterface
from .files import project_files
from .known_keys import KNOWN, PLACEHOLDER
from .model import Finding, Subject
from .surroundings import relative

# The characters of 'secrets.token_urlsafe(24)' and 'secrets.token_hex(16)', and the bytes of 'os.urandom(16)'.
_ENOUGH_CHARACTERS = 32
_ENOUGH_BYTES = 16

# A random key in hexadecimal digits, which is the one with the fewest characters to choose from, has fewer different
# ones once in a hundred million times.
_ENOUGH_DIFFERENT = 8

MAKE_KEY = "python -c 'import secrets; print(secrets.token_hex())'"

_FIX = f'# In the environment, or a file outside of the repository, from\n# {MAKE_KEY}\nSECRET_KEY = "..."'


def missing(subject: Subject) -> t.Iterator[Finding]:
    """Find an application without a secret key: an error where something imports what needs one, else a note."""
    if subject.config.get("SECRET_KEY"):
        return
    interface = subject.app.session_interface
    signs = isinstance(interface, SecureCookieSessionInterface)
    user = _user_of_sessions(subject) if signs else None
    if user is not None:
        yield Finding(
            f"There is no SECRET_KEY, and the module {user!r} uses sessions or flashed messages: the first one fails.",
            _FIX,
        )
        return
    reason = (
        "Nothing that is loaded uses 'session' or 'flash'"
        if signs
        else f"Sessions are kept by {type(interface).__name__}, which needs none perhaps"
    )
    yield Finding(
        f"There is no SECRET_KEY. {reason}; what is imported later, or signs tokens of its own, would fail.",
        _FIX,
        "info",
    )


# Where this package is.
_OWN_FOLDER = Path(__file__).parents[2]


def _user_of_sessions(subject: Subject) -> str | None:
    """Return a module of the project or of an extension that uses what needs a signed session."""
    places = (subject.folder.resolve(), Path(subject.app.root_path).resolve())
    for name, module in list(sys.modules.items()):
        names: dict[str, t.Any] = dict(getattr(module, "__dict__", {}))
        file = names.get("__file__")
        if not isinstance(file, str):
            continue
        path = Path(file)
        # Whatever it is called: with 'erlen.as_flask' the module 'flask' is one of these.
        if _OWN_FOLDER in path.parents:
            continue
        concerns = {"site-packages", "dist-packages"} & {*path.parts} or any(
            path.resolve().is_relative_to(place) for place in places
        )
        if concerns and any(_needs_session(one, value, path) for one, value in names.items()):
            return name
    return None


def _needs_session(name: str, value: t.Any, path: Path) -> bool:
    if value is session or value is flash:
        return True
    # The whole package, of which the source says what it is asked for.
    if type(value) is not ModuleType or value.__name__ not in {"erlen", "flask"}:
        return False
    if getattr(value, "session", None) is not session:
        return False
    try:
        source = path.read_text("utf-8")
    except (OSError, ValueError):
        return False
    return re.search(rf"\b{re.escape(name)}\.(?:session|flash)\b", source) is not None


def weak(subject: Subject) -> t.Iterator[Finding]:
    """Find a secret key that can be guessed: known to everybody, short, or of few different characters."""
    for name, key in _keys(subject):
        reason = _weakness(key)
        if reason is not None:
            yield Finding(
                f"{name} {reason}. Who guesses it can sign sessions, and be any user.",
                _FIX
                if name == "SECRET_KEY"
                else "SECRET_KEY_FALLBACKS = []  # drops the sessions that it signed",
            )


def in_code(subject: Subject) -> t.Iterator[Finding]:
    """Find the secret key in the code: who can read the repository can sign sessions."""
    keys = {key if isinstance(key, str) else key.decode("latin1") for _, key in _keys(subject)}
    if not keys:
        return
    lines = ((path, _line_of(path, keys)) for path in project_files(subject, ".py"))
    found = [f"{relative(path, subject.folder)}:{line}" for path, line in lines if line is not None]
    if found:
        more = f", and in {len(found) - 1} more file{'s' if len(found) > 2 else ''}" if len(found) > 1 else ""
        yield Finding(
            f"The secret key stands in {found[0]}{more}. Whoever reads the code can sign sessions, and be any user.",
            '# And a new key, as this one is known:\nSECRET_KEY = os.environ["SECRET_KEY"]',
        )


def _keys(subject: Subject) -> t.Iterator[tuple[str, str | bytes]]:
    fallbacks = subject.config.get("SECRET_KEY_FALLBACKS") or ()
    named = [("SECRET_KEY", subject.config.get("SECRET_KEY"))]
    if not isinstance(fallbacks, str | bytes):
        named += [(f"SECRET_KEY_FALLBACKS[{number}]", key) for number, key in enumerate(fallbacks)]
    for name, key in named:
        # Of another type is for another check.
        if key and isinstance(key, str | bytes):
            yield name, key


def _weakness(key: str | bytes) -> str | None:
    text = key if isinstance(key, str) else key.decode("latin1")
    if text.strip().lower() in KNOWN or PLACEHOLDER.search(text):
        return "is one that everybody knows, from documentation or a template"
    is_binary = isinstance(key, bytes) and not (text.isascii() and text.isprintable())
    enough, unit = (_ENOUGH_BYTES, "bytes") if is_binary else (_ENOUGH_CHARACTERS, "characters")
    if len(text) < enough:
        return f"has fewer than {enough} {unit}"
    if len(set(text)) < _ENOUGH_DIFFERENT:
        return f"has fewer than {_ENOUGH_DIFFERENT} different characters"
    # A text that stands in its own double before the end is made of repetitions.
    if (text + text).find(text, 1) < len(text):
        return "is a shorter text over and over"
    return None


def _line_of(path: Path, keys: set[str]) -> int | None:
    try:
        source = path.read_text("utf-8")
        if "secret_key" not in source.lower():
            return None
        tree = ast.parse(source)
    except (OSError, ValueError, SyntaxError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
            value = node.value if isinstance(node.value, str) else node.value.decode("latin1")
            if value in keys:
                return node.lineno
    return None
