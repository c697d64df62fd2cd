"""What an application and a blueprint need of the command line: groups whose commands run in a context.

The scaffold imports this module, and importing it runs ``cli/__init__.py``; so nothing in this package imports
the scaffold or anything above it.
"""

from __future__ import annotations

import typing as t
from functools import update_wrapper

import click

from ..ctx import context_var
from .locate import ScriptInfo

F = t.TypeVar("F", bound=t.Callable[..., t.Any])


def with_appcontext(f: F) -> F:
    """Run a command's callback inside the context of the application.

    An active context is kept. Without one the application is loaded, and its context lasts until Click's
    context closes, so parameter callbacks and result callbacks see it as well.

    :param f: the callback; put this decorator below ``@click.command``.
    """

    @click.pass_context
    def enter_context(ctx: click.Context, /, *args: t.Any, **kwargs: t.Any) -> t.Any:
        if context_var.get(None) is None:
            application = ctx.ensure_object(ScriptInfo).load_app()
            ctx.with_resource(application.app_context())
        return ctx.invoke(f, *args, **kwargs)

    return t.cast("F", update_wrapper(enter_context, f))


class AppGroup(click.Group):
    """A Click group whose commands run inside an application context; ``app.cli`` is one."""

    @t.overload
    def command(self, f: t.Callable[..., t.Any], /) -> click.Command: ...
    @t.overload
    def command(
        self, *args: t.Any, **kwargs: t.Any
    ) -> t.Callable[[t.Callable[..., t.Any]], click.Command]: ...
    def command(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Register a command, as :meth:`click.Group.command`, inside an application context.

        :param with_appcontext: pass ``False`` for a command that needs no application.
        """
        in_context = kwargs.pop("with_appcontext", True)
        callback, args = _bare_callback(args)
        register: t.Callable[..., click.Command] = super().command(*args, **kwargs)

        def decorate(f: t.Callable[..., t.Any]) -> click.Command:
            return register(with_appcontext(f) if in_context else f)

        return decorate if callback is None else decorate(callback)

    @t.overload
    def group(self, f: t.Callable[..., t.Any], /) -> click.Group: ...
    @t.overload
    def group(self, *args: t.Any, **kwargs: t.Any) -> t.Callable[[t.Callable[..., t.Any]], click.Group]: ...
    def group(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Register a group, as :meth:`click.Group.group`; it is an :class:`AppGroup` unless ``cls`` is given."""
        kwargs.setdefault("cls", AppGroup)
        return super().group(*args, **kwargs)


def _bare_callback(args: tuple[t.Any, ...]) -> tuple[t.Callable[..., t.Any] | None, tuple[t.Any, ...]]:
    """Split off the function that ``@group.command`` without parentheses passes."""
    if len(args) == 1 and callable(args[0]):
        return args[0], ()
    return None, args
