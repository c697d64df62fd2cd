"""Decorators in the wrong place: above a route, where they protect nothing, and on what is no view."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import inspect
import itertools
import sys
import typing as t
import weakref

from erlen import Erlen, current_app, nonblocking

_VERIFIED = "security.verified"

# The applications that have accounts, what decorators were put on, and what they have made of it. The latter is gone at once
# where no route leads to it, as in a function that makes an application.
_applications: weakref.WeakSet[Erlen] = weakref.WeakSet()
_decorated: weakref.WeakSet[t.Any] = weakref.WeakSet()
_guards: weakref.WeakSet[t.Any] = weakref.WeakSet()


def watch(app: Erlen) -> None:
    """Look at where decorators stand in an application from now on, and at all of its views with the first request.

    :param app: the application.
    :raises TypeError: where one stands above a route already.
    """
    _applications.add(app)
    _find_open_views(app)

    @nonblocking
    def look_at_all() -> None:
        # What is found is an error of each request: an open view answers none.
        verify_order()
        with contextlib.suppress(ValueError):
            app.before_request_funcs[None].remove(look_at_all)

    app.before_request(look_at_all)


def verify_order() -> None:
    """Look once at all views of the active application: those of blueprints are not known earlier.

    Guards ask for it as well, as an application may have thrown away its hooks, or run none.

    :raises TypeError: where a decorator stands above a route.
    """
    extensions = current_app.extensions
    if _VERIFIED not in extensions:
        _find_open_views(current_app)
        extensions[_VERIFIED] = True


def remember(view: t.Any, guarded: t.Any) -> None:
    """Note that a decorator was put on a view.

    :param view: the view.
    :param guarded: what the decorator has made of it.
    """
    try:
        _decorated.add(view)
        _guards.add(guarded)
    except TypeError:
        # An object of a class without room for references is no view of a route decorator.
        return


def refuse_wrong_target(decorator: str, view: t.Any) -> None:
    """Refuse to decorate what is no view, or one that a route leads to already.

    :param decorator: its name.
    :param view: what it was put on.
    :raises TypeError: for such a thing.
    """
    if inspect.isclass(view):
        raise TypeError(
            f"'{decorator}' was put on the class {view.__name__!r}, whose requests it would not see. Name it in the class "
            f"instead: decorators = [{decorator}]."
        )
    if not callable(view):
        raise TypeError(
            f"'{decorator}' was put on {view!r}, which is no view. Put it on a view, below its route; for all views of a "
            f"blueprint there is security.protect(blueprint)."
        )
    for app in list(_applications):
        for endpoint, registered in app.view_functions.items():
            # Nearly all are another one, and this runs for each decorator, over all views of all applications.
            about = registered is view or getattr(registered, "__wrapped__", None) is view
            if about and _plain(registered) is view and not _has_its_name(view):
                raise TypeError(_above_route(decorator, endpoint))


def _find_open_views(app: Erlen) -> None:
    views = dict(app.view_functions)
    guarded = {
        id(inner)
        for view in views.values()
        for outer, inner in itertools.pairwise(_chain(view))
        if _is_one_of(_guards, outer)
    }
    for endpoint, view in views.items():
        plain = _plain(view)
        if _is_one_of(_decorated, plain) and id(plain) not in guarded and not _has_its_name(plain):
            raise TypeError(_above_route("login_required", endpoint))


def _has_its_name(view: t.Any) -> bool:
    """Return whether a view is what its module has under its name, and so may be open in one application and guarded in another.

    Of a view below a route that stands below a decorator the module has what the decorator makes of it, and nothing until then.
    """
    module = sys.modules.get(getattr(view, "__module__", None) or "")
    return getattr(module, getattr(view, "__name__", ""), None) is view


def _is_one_of(known: weakref.WeakSet[t.Any], view: t.Any) -> bool:
    try:
        return view in known
    except TypeError:
        # As above: what has no hash is in no set.
        return False


def _plain(view: t.Any) -> t.Any:
    """Return the function that was decorated, behind what holds the handler of a WebSocket."""
    return view if inspect.isroutine(view) else getattr(view, "__wrapped__", view)


def _chain(view: t.Any) -> cabc.Iterator[t.Any]:
    while view is not None:
        yield view
        view = getattr(view, "__wrapped__", None)


def _above_route(decorator: str, endpoint: str) -> str:
    return (
        f"'{decorator}', or a decorator like it, stands above the route of {endpoint!r}, so the route leads to the view without it, "
        f"and lets in everybody. Put it below: first @app.get(...), then @{decorator}, then the function. If the view is to be open "
        f"there, and another way to it is not, put the decorator on a function of its own, which calls the view."
    )
