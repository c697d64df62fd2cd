from __future__ import annotations

import flask
import pytest

from erlen import Erlen
from erlen.profiles import DEFAULTS, defaults_of

#: The keys that Erlen adds to Flask's.
ADDED = {
    "REFUSE_MALFORMED_REQUESTS",
    "SESSION_COOKIE_OVERFLOW",
    "CROSS_ORIGIN_PROTECTION",
    "TRUSTED_ORIGINS",
    "CONTENT_TYPE_OPTIONS",
    "REFERRER_POLICY",
    "CONTENT_SECURITY_POLICY",
    "CONTENT_SECURITY_POLICY_REPORT_ONLY",
    "BACKGROUND_THREADS",
    "SHUTDOWN_TIMEOUT",
    "THREAD_POOL_SIZE",
    "WEBSOCKET_CLOSE_TIMEOUT",
    "WEBSOCKET_MAX_MESSAGE_SIZE",
    "WEBSOCKET_RECEIVE_TIMEOUT",
}

#: All in which the safe profile differs.
SAFER = {
    "MAX_CONTENT_LENGTH": 16 * 1024 * 1024,
    "SESSION_COOKIE_SECURE": "auto",
    "SESSION_COOKIE_SAMESITE": "Lax",
    "SESSION_COOKIE_OVERFLOW": "error",
    "REFUSE_MALFORMED_REQUESTS": True,
    "CROSS_ORIGIN_PROTECTION": True,
    "CONTENT_TYPE_OPTIONS": "nosniff",
    "REFERRER_POLICY": "strict-origin-when-cross-origin",
}


def test_the_flask_profile_has_the_defaults_of_flask() -> None:
    theirs = dict(flask.Flask("erlen_test", root_path=".").config)
    ours = defaults_of("flask")
    assert {name: ours[name] for name in theirs} == theirs
    assert set(ours) - set(theirs) == ADDED


def test_the_safe_profile_differs_in_these_values_alone() -> None:
    safe, plain = DEFAULTS["safe"], DEFAULTS["flask"]
    assert set(safe) == set(plain)
    assert {name: value for name, value in safe.items() if value != plain[name]} == SAFER


def test_an_application_is_safe_unless_told_otherwise() -> None:
    assert Erlen("erlen_test", root_path=".").config["SESSION_COOKIE_SAMESITE"] == "Lax"
    assert Erlen("erlen_test", root_path=".", profile="flask").config["SESSION_COOKIE_SAMESITE"] is None


def test_defaults_are_not_shared() -> None:
    defaults_of("safe")["TRUSTED_ORIGINS"].append("https://example.org")
    assert defaults_of("safe")["TRUSTED_ORIGINS"] == []


def test_an_unknown_profile_is_explained() -> None:
    with pytest.raises(ValueError) as raised:
        defaults_of("secure")
    assert str(raised.value) == (
        "There is no profile 'secure'. Pass profile='safe' or profile='flask', or leave it out for 'safe'."
    )
