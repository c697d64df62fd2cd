"""Checks of the configuration itself: values of the wrong kind, names that nothing reads."""

from __future__ import annotations

import difflib
import typing as t
from datetime import timedelta

from ...config import Config
from ...pipeline.safety import CrossOriginProtection, default_headers, policies
from ...profiles import DEFAULTS
from .model import Finding, Subject

_SAFE = DEFAULTS["safe"]
_BOOLEANS = sorted(
    {key for key, value in _SAFE.items() if isinstance(value, bool)}
    | {"PROPAGATE_EXCEPTIONS", "TRAP_BAD_REQUEST_ERRORS", "TEMPLATES_AUTO_RELOAD", "SESSION_COOKIE_SECURE"}
)
_NUMBERS = sorted(key for key, value in _SAFE.items() if isinstance(value, int) and key not in _BOOLEANS)
_CHOICES: dict[str, tuple[t.Any, ...]] = {
    "SESSION_COOKIE_SAMESITE": ("strict", "lax", "none", None),
    "SESSION_COOKIE_OVERFLOW": ("error", "warn"),
    "PREFERRED_URL_SCHEME": ("http", "https"),
}

#: Keys that Flask has removed, with what took their place.
REMOVED = {
    "ENV": 'app.config["DEBUG"]',
    "JSON_AS_ASCII": "app.json.ensure_ascii",
    "JSON_SORT_KEYS": "app.json.sort_keys",
    "JSONIFY_MIMETYPE": "app.json.mimetype",
    "JSONIFY_PRETTYPRINT_REGULAR": "app.json.compact",
    "PRESERVE_CONTEXT_ON_EXCEPTION": "with client: ... in a test",
}

# Two keys that differ in a letter or two of twenty.
_ALIKE = 0.93


def wrong_kind(subject: Subject) -> t.Iterator[Finding]:
    """Find values that fail when a request needs them, or that mean the opposite of what they say."""
    config = subject.config
    for key in _BOOLEANS:
        value = config.get(key)
        if isinstance(value, str) and value and not (key == "SESSION_COOKIE_SECURE" and value == "auto"):
            yield Finding(
                f"{key} is the text {value!r}, and any text counts as true.",
                f'app.config["{key}"] = {value.lower() in {"1", "true", "yes", "on"}}\n'
                "# In a variable for from_prefixed_env(): true or false, in lower case.",
            )
    for key in _NUMBERS:
        value = config.get(key)
        if value is not None and (not isinstance(value, int | float) or value < 0):
            yield Finding(
                f"{key} is {value!r}, where a number is expected that is not negative.",
                f'app.config["{key}"] = {_SAFE[key]}',
            )
    for key, choices in _CHOICES.items():
        value = config.get(key, _SAFE[key])
        if (value.lower() if isinstance(value, str) else value) not in choices:
            yield Finding(
                f"{key} is {value!r}, which is none of {', '.join(map(repr, choices))}.",
                f'app.config["{key}"] = {_SAFE[key]!r}',
            )
    if not isinstance(config.get("PERMANENT_SESSION_LIFETIME"), timedelta | int | float):
        yield Finding(
            f"PERMANENT_SESSION_LIFETIME is a {type(config.get('PERMANENT_SESSION_LIFETIME')).__name__}, where a "
            f"timedelta or seconds are expected.",
            'app.config["PERMANENT_SESSION_LIFETIME"] = timedelta(days=31)',
        )


def secrets_of_wrong_kind(subject: Subject) -> t.Iterator[Finding]:
    """Find secret keys that are neither text nor bytes; their values are never shown."""
    key = subject.config.get("SECRET_KEY")
    if key and not isinstance(key, str | bytes):
        yield Finding(
            f"SECRET_KEY is a {type(key).__name__}, where text or bytes are expected: the first session fails.",
            "# In a variable for from_prefixed_env(), a key of digits alone is quoted:\nERLEN_SECRET_KEY='\"...\"'",
        )
    fallbacks = subject.config.get("SECRET_KEY_FALLBACKS")
    if isinstance(fallbacks, str | bytes):
        yield Finding(
            "SECRET_KEY_FALLBACKS is a single text, each character of which would be a key.",
            'app.config["SECRET_KEY_FALLBACKS"] = [old_key]',
        )
    elif fallbacks and not all(isinstance(one, str | bytes) for one in fallbacks if one):
        yield Finding(
            "SECRET_KEY_FALLBACKS holds a key that is neither text nor bytes: the first session fails.",
            'app.config["SECRET_KEY_FALLBACKS"] = [old_key]',
        )


def unusable(subject: Subject) -> t.Iterator[Finding]:
    """Find origins, header values and policies that the first request would fail with."""
    config = t.cast("Config", _with_defaults(subject))
    for read in (CrossOriginProtection, default_headers, policies):
        try:
            read(config)
        except (TypeError, ValueError) as error:
            # The texts of these errors are written for users, and have the fix in them.
            message, _, fix = str(error).rpartition(". ")
            yield Finding(f"{message}.", fix)


def _with_defaults(subject: Subject) -> dict[str, t.Any]:
    return {**DEFAULTS["flask"], **subject.config}


def misspelled(subject: Subject) -> t.Iterator[Finding]:
    """Find keys that nothing reads: misspelled ones, and those that Flask has removed."""
    known = list(_SAFE)
    for key in subject.config:
        if key in REMOVED:
            yield Finding(
                f"The key {key} is read by nothing any more.", f"{REMOVED[key]}  # in its place", "info"
            )
        if key in _SAFE:
            continue
        near = difflib.get_close_matches(key, known, n=1, cutoff=_ALIKE)
        if near:
            yield Finding(
                f"The key {key} is read by nothing. Is {near[0]} meant?",
                f'# In place of "{key}":\napp.config["{near[0]}"] = ...',
            )


def plugins(subject: Subject) -> t.Iterator[Finding]:
    """Find checks of extensions that could not be loaded."""
    for name, reason in subject.broken_plugins.items():
        yield Finding(
            f"The checks {name!r} of an extension could not be loaded: {reason}. What they look at is not known.",
            "# Update the extension or remove it; or:\nerlen check --skip extension-checks",
        )


def skips(subject: Subject) -> t.Iterator[Finding]:
    """Find ids in ``pyproject.toml`` that no check has."""
    for one in subject.unknown_skips:
        yield Finding(
            f"pyproject.toml skips {one!r}, and no check has that id.",
            f"# Remove {one} from [tool.erlen.check.skip].",
        )
