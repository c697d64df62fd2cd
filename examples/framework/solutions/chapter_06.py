"""Exercises of chapter 6: filters of an application, and pages that are sent while they are made."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager
from functools import cached_property

from chapter_06 import Context, Sapling
from chapter_06.ctx import context_var, current_context
from chapter_06.templating import create_environment

if t.TYPE_CHECKING:
    import jinja2

Filter = t.TypeVar("Filter", bound=t.Callable[..., t.Any])


class WithFilters(Sapling):
    """An application whose templates may have filters of its own."""

    def __init__(self, import_name: str, root_path: str | None = None) -> None:
        super().__init__(import_name, root_path)
        self.filters: dict[str, t.Callable[..., t.Any]] = {}

    @cached_property
    def jinja_env(self) -> jinja2.Environment:
        """The environment, with the filters that were registered until it was needed."""
        environment = create_environment(self)
        environment.filters.update(self.filters)
        return environment

    def template_filter(self, name: str | None = None) -> t.Callable[[Filter], Filter]:
        """Register the decorated function as a filter.

        It is refused once there is an environment. A compiled template has the values in it that filters made of
        constants, so a filter that is replaced then would be the old one on some pages and the new one on others.
        """

        def register(function: Filter) -> Filter:
            # Not `self.jinja_env`: to ask would make one.
            if "jinja_env" in self.__dict__:
                raise RuntimeError(
                    f"The filter {name or function.__name__!r} was registered when templates had been compiled "
                    f"already. Register it where the application is made."
                )
            self.filters[name or function.__name__] = function
            return function

        return register


@contextmanager
def made_active(context: Context) -> t.Generator[None, None, None]:
    """Make a context active for one step, with no functions at its end."""
    token = context_var.set(context)
    try:
        yield
    finally:
        context_var.reset(token)


class Stream:
    """The pieces of a page, each made when the server asks for it, with the request active (chapter 4).

    When the first is asked for, the request is over and its functions at the end have run (chapter 5). So the stream
    has a context of its own, with a ``g`` of its own, and tears it down when it is closed, which servers have to do.

    :param pieces: the generator.
    """

    def __init__(self, pieces: t.Iterator[str]) -> None:
        active = current_context()
        self._context = Context(active.app, active.request)
        self._pieces = pieces
        self._is_open = True

    def __iter__(self) -> t.Self:
        return self

    def __next__(self) -> str:
        with made_active(self._context):
            return next(self._pieces)

    def close(self) -> None:
        """End the stream, early or not."""
        if self._is_open:
            self._is_open = False
            with made_active(self._context):
                self._context.app.do_teardown(None)


def stream_template(name: str, /, **values: t.Any) -> Stream:
    """Return a template of the active application, filled with values, piece by piece."""
    app = current_context().app
    for processor in app.context_processors:
        values = {**processor(), **values}
    return Stream(app.jinja_env.get_template(name).generate(values))
