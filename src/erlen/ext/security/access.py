"""Who may use a view: decorators for plain and async views and for the handlers of WebSockets, and a hook for blueprints.

A decorator stands below the route::

    @app.get("/reports")
    @auth_required("session", "token")
    @roles_required("accountant")
    def reports(): ...

What is not let in is answered by ``answers.py``, a WebSocket before it is accepted. An async view waits for a worker thread that
asks the store; after that ``current_user`` is a look-up.
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import inspect
import typing as t
from dataclasses import dataclass, replace

from werkzeug.exceptions import HTTPException

from erlen import abort, current_app, redirect, request

from . import answers, basic, csrf
from .current import State, authentication, entry, state
from .errors import TooManyAttempts
from .order import refuse_wrong_target, remember, verify_order
from .sessions import is_usable, keep_private
from .types import Authentication

P = t.ParamSpec("P")
R = t.TypeVar("R")

_Kind: t.TypeAlias = t.Literal["role", "permission"]
Check: t.TypeAlias = cabc.Callable[[Authentication], None]

METHODS = ("session", "token", "basic")

# By the scheme of the Authorization header.
_SCHEMES = {"bearer": "token", "basic": "basic"}

# Who asks


def _authenticate(current: State, methods: cabc.Sequence[str]) -> Authentication:
    """Return who asks, found by one of some methods; the first one that the request brings counts."""
    known = entry()
    shown, shows = _shown(current, methods)
    if known.method in methods and (found := authentication()) is not None:
        return found
    for one in methods:
        if one == "session" and (found := current.sessions.current()) is not None:
            csrf.check_csrf()
            known.method, known.authentication = "session", None
            return found
        if one == shows and shown is not None:
            if one == "basic":
                csrf.check_csrf(by_session=False)
            known.method, known.authentication = one, shown
            keep_private()
            return shown
    raise answers.unknown(methods)


def _shown(current: State, methods: cabc.Sequence[str]) -> tuple[Authentication | None, str | None]:
    """Return whose credentials the ``Authorization`` header has. Wrong ones are refused, also beside a session."""
    scheme, _, rest = request.headers.get("Authorization", "").partition(" ")
    method = _SCHEMES.get(scheme.lower())
    if method is None or method not in methods:
        return None, None
    if entry().method == method:
        return entry().authentication, method
    found = _of_token(current, rest.strip()) if method == "token" else basic.authenticate(current)
    if found is None:
        raise answers.unknown(methods, "invalid_token" if method == "token" else "wrong_credentials")
    return found, method


def _of_token(current: State, bearer: str) -> Authentication | None:
    address = request.remote_addr
    current.limits.check("api", address)
    found = current.tokens.authenticate(bearer)
    if found is not None and is_usable(found.user, current.kit.settings):
        return found
    current.limits.hit("api", address)
    return None


def _need_factor(found: Authentication) -> None:
    """Refuse a user whose role asks for a second factor and who has none; the pages on which one is set up are open to them."""
    known = entry()
    if known.looked_at != found.user.uid and not _is_own_page():
        _check_factor(found)
        known.looked_at = found.user.uid
        known.checks.append(_check_factor)


def _check_factor(found: Authentication) -> None:
    if state().factors.must_set_up(found.user):
        raise answers.without_factor()


@dataclass(frozen=True, slots=True)
class _Guard:
    """What a view asks of those who use it.

    :param name: the decorator, for messages.
    :param methods: how one may show who one is; none where what another guard has found is good enough.
    :param check: raises what is answered to those who may not.
    """

    name: str
    methods: tuple[str, ...] = ()
    check: Check | None = None

    def enter(self) -> None:
        """Let the active request pass, or raise what is answered."""
        verify_order()
        current = state()
        try:
            found = _authenticate(current, self.methods or (entry().method or "session",))
            _need_factor(found)
            if self.check is not None:
                self._examine(current, found, self.check)
        except TooManyAttempts as error:
            refused = answers.too_many(error)
            refused.prepare()
            raise refused from None
        except answers.Refused as error:
            error.prepare()
            raise

    def _examine(self, current: State, found: Authentication, check: Check) -> None:
        try:
            check(found)
        except answers.Refused as error:
            if error.code == 403:
                current.kit.events.tell("access_denied", found.user, path=request.path[:200], by=self.name)
            raise
        entry().checks.append(check)


# Decorators


def _decorated(guard: _Guard, view: cabc.Callable[P, R]) -> cabc.Callable[P, R]:
    refuse_wrong_target(guard.name, view)
    # Which methods let one in is said once; what stands above follows.
    methods = guard.methods or t.cast("tuple[str, ...]", getattr(view, "security_methods", ()))
    return _wrapped(replace(guard, methods=methods).enter, methods, view)


def _wrapped(
    enter: cabc.Callable[[], None], methods: tuple[str, ...], view: cabc.Callable[P, R]
) -> cabc.Callable[P, R]:
    given: t.Any = view
    guarded: t.Any
    if inspect.iscoroutinefunction(view) or inspect.iscoroutinefunction(getattr(view, "__call__", None)):  # noqa: B004

        @functools.wraps(view)
        async def aguarded(*args: P.args, **kwargs: P.kwargs) -> t.Any:
            await current_app.ensure_async(enter)()
            return await given(*args, **kwargs)

        guarded = aguarded
    else:

        @functools.wraps(view)
        def plain_guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            enter()
            return view(*args, **kwargs)

        guarded = plain_guarded
    guarded.security_methods = methods
    remember(view, guarded)
    return t.cast("cabc.Callable[P, R]", guarded)


def login_required(view: cabc.Callable[P, R]) -> cabc.Callable[P, R]:
    """Ask for a user who is logged in, by a session unless :func:`auth_required` says otherwise.

    :param view: a view, plain or async, or the handler of a WebSocket.

    .. versionadded:: 0.1
    """
    return _decorated(_Guard("login_required"), view)


def fresh_login_required(view: cabc.Callable[P, R]) -> cabc.Callable[P, R]:
    """Ask for a user who has shown within ``fresh_for`` who they are; others are sent to do it once more.

    A session that is only remembered is not fresh, and neither a token nor a password of HTTP Basic ever is.

    :param view: a view, plain or async, or the handler of a WebSocket.

    .. versionadded:: 0.1
    """
    return _decorated(_Guard("fresh_login_required", ("session",), _check_fresh), view)


def auth_required(*methods: str) -> cabc.Callable[[cabc.Callable[P, R]], cabc.Callable[P, R]]:
    """Ask for a user who shows in one of some ways who they are. What is wrong is refused, also beside another way that is right.

    :param methods: ``session``, ``token`` (in the ``Authorization: Bearer`` header alone), ``basic``.

    .. versionadded:: 0.1
    """
    guard = _Guard("auth_required", _methods(methods))
    return lambda view: _decorated(guard, view)


def roles_required(*names: str) -> cabc.Callable[[cabc.Callable[P, R]], cabc.Callable[P, R]]:
    """Ask for a user who has all of some roles.

    :param names: the roles.

    .. versionadded:: 0.1
    """
    return _asking("roles_required", names, _has_all("role", names))


def roles_accepted(*names: str) -> cabc.Callable[[cabc.Callable[P, R]], cabc.Callable[P, R]]:
    """Ask for a user who has one of some roles.

    :param names: the roles.

    .. versionadded:: 0.1
    """
    return _asking("roles_accepted", names, _has_any("role", names))


def permissions_required(*names: str) -> cabc.Callable[[cabc.Callable[P, R]], cabc.Callable[P, R]]:
    """Ask for a user whose roles permit all of some things.

    :param names: the permissions.

    .. versionadded:: 0.1
    """
    return _asking("permissions_required", names, _has_all("permission", names))


def permissions_accepted(*names: str) -> cabc.Callable[[cabc.Callable[P, R]], cabc.Callable[P, R]]:
    """Ask for a user whose roles permit one of some things.

    :param names: the permissions.

    .. versionadded:: 0.1
    """
    return _asking("permissions_accepted", names, _has_any("permission", names))


def scopes_required(*names: str) -> cabc.Callable[[cabc.Callable[P, R]], cabc.Callable[P, R]]:
    """Ask for a token with all of some scopes. Sessions and passwords have no scopes, and pass.

    :param names: the scopes.

    .. versionadded:: 0.1
    """
    return _asking("scopes_required", names, _has_scopes(names))


def anonymous_required(view: cabc.Callable[P, R]) -> cabc.Callable[P, R]:
    """Ask for a visitor who is not logged in; users are sent to where a login leads.

    :param view: a view, plain or async.

    .. versionadded:: 0.1
    """
    refuse_wrong_target("anonymous_required", view)
    return _wrapped(_refuse_user, (), view)


def _refuse_user() -> None:
    if authentication() is None:
        return
    if answers.is_for_people():
        abort(redirect(state().kit.settings.login_redirect))
    raise answers.forbidden("anonymous_required", "You are logged in. Log out first.")


def _asking(
    decorator: str, names: tuple[str, ...], check: Check
) -> cabc.Callable[[cabc.Callable[P, R]], cabc.Callable[P, R]]:
    _names(decorator, names)
    guard = _Guard(decorator, (), check)
    return lambda view: _decorated(guard, view)


def _names(where: str, names: cabc.Sequence[t.Any]) -> None:
    if not names or not all(isinstance(name, str) and name for name in names):
        shown = ", ".join(map(repr, names))
        raise TypeError(f"'{where}' was given ({shown}), and takes one name or more: {where}('editor').")


def _methods(methods: cabc.Sequence[t.Any]) -> tuple[str, ...]:
    if not methods or not set(methods) <= set(METHODS):
        shown, known = ", ".join(map(repr, methods)), ", ".join(map(repr, METHODS))
        raise TypeError(f"One shows who one is by ({shown}), says this call. Name one or more of {known}.")
    return tuple(dict.fromkeys(methods))


# What is asked


def _check_fresh(found: Authentication) -> None:
    if not state().sessions.is_fresh(found):
        raise answers.stale()


def _has_all(what: _Kind, names: cabc.Sequence[str]) -> Check:
    def check(found: Authentication) -> None:
        has = found.user.has_role if what == "role" else found.user.has_permission
        if not all(has(name) for name in names):
            raise answers.forbidden()

    return check


def _has_any(what: _Kind, names: cabc.Sequence[str]) -> Check:
    def check(found: Authentication) -> None:
        has = found.user.has_role if what == "role" else found.user.has_permission
        if not any(has(name) for name in names):
            raise answers.forbidden()

    return check


def _has_scopes(names: cabc.Sequence[str]) -> Check:
    def check(found: Authentication) -> None:
        if found.scopes is not None and not found.scopes.issuperset(names):
            raise answers.insufficient_scope((found.method,), names)

    return check


# Blueprints


class HasHooks(t.Protocol):
    """An application or a blueprint."""

    def before_request(self, f: t.Any, /) -> t.Any:
        """Register a hook."""
        ...


def protect(
    target: HasHooks,
    *methods: str,
    roles: cabc.Iterable[str] = (),
    any_roles: cabc.Iterable[str] = (),
    permissions: cabc.Iterable[str] = (),
    any_permissions: cabc.Iterable[str] = (),
    scopes: cabc.Iterable[str] = (),
    fresh: bool = False,
) -> None:
    """Ask the same of all views of a blueprint, of its WebSockets and of the blueprints in it; or of a whole application.

    The pages of this extension and the application's static files stay open, and so are automatic answers to OPTIONS.

    :param target: the blueprint, before it is registered, or the application.
    :param methods: as for :func:`auth_required`; ``session`` without any.
    :param roles: as for :func:`roles_required`.
    :param any_roles: as for :func:`roles_accepted`.
    :param permissions: as for :func:`permissions_required`.
    :param any_permissions: as for :func:`permissions_accepted`.
    :param scopes: as for :func:`scopes_required`.
    :param fresh: as for :func:`fresh_login_required`.

    .. versionadded:: 0.1
    """
    checks: list[Check] = []
    for key, given, make in (
        ("roles", roles, functools.partial(_has_all, "role")),
        ("any_roles", any_roles, functools.partial(_has_any, "role")),
        ("permissions", permissions, functools.partial(_has_all, "permission")),
        ("any_permissions", any_permissions, functools.partial(_has_any, "permission")),
        ("scopes", scopes, _has_scopes),
    ):
        names = [given] if isinstance(given, str) else list(given)
        if names:
            _names(key, names)
            checks.append(make(names))
    if fresh:
        checks.append(_check_fresh)
    first = _Guard("protect", ("session",) if fresh and not methods else _methods(methods or ("session",)))
    guards = [first, *(replace(first, check=check) for check in checks)]

    def enter() -> None:
        if not _is_open():
            for guard in guards:
                guard.enter()

    target.before_request(enter)


def _is_open() -> bool:
    rule: t.Any = request.url_rule
    # A browser asks so before it sends credentials (CORS), and is told nothing of the view.
    if request.method == "OPTIONS" and getattr(rule, "provide_automatic_options", False):
        return True
    return request.endpoint == "static" or _is_own_page()


def _is_own_page() -> bool:
    return "security" in request.blueprints


# Async views, WebSockets that stay open


async def load() -> Authentication | None:
    """Find out who asks, in an async view without a decorator. After that ``current_user`` is a look-up.

    .. versionadded:: 0.1
    """
    return t.cast("Authentication | None", await current_app.ensure_async(authentication)())


async def still_allowed() -> bool:
    """Return whether a request that was let in would be let in now: the session or token still counts, with the roles asked for.

    Call it when a body has come slowly. Where a WebSocket or a stream is open, call it before what matters, or once a minute, and
    close the WebSocket with 1008 when it is false.

    .. versionadded:: 0.1
    """
    return t.cast("bool", await current_app.ensure_async(_is_still_allowed)())


def _is_still_allowed() -> bool:
    known, before = entry(), authentication()
    if before is None:
        # A visitor, of whom nothing was asked.
        return known.method is None
    now = _look_again(state(), before)
    if now is None:
        return False
    try:
        for check in known.checks:
            check(now)
    except HTTPException:
        return False
    return True


def _look_again(current: State, before: Authentication) -> Authentication | None:
    if before.record is not None:
        return current.sessions.look_again(before.record)
    if before.method == "token":
        bearer = request.headers.get("Authorization", "").partition(" ")[2]
        found = current.tokens.authenticate(bearer.strip())
    else:
        user = current.kit.store.user(before.user.uid)
        # The password was right when it was shown.
        found = None if user is None else replace(before, user=user)
        if found is not None and found.user.password_changed_at != before.user.password_changed_at:
            return None
    return found if found is not None and is_usable(found.user, current.kit.settings) else None
