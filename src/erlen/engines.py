"""What renders templates, as everything else sees it."""

from __future__ import annotations

import typing as t


class TemplateEngine(t.Protocol):
    """What renders templates. Another engine than Jinja2 is a class with these methods.

    Name it as ``template_engine_class`` in a subclass of the application, or assign an instance to
    ``app.template_engine``::

        class Application(Erlen):
            template_engine_class = MakoEngine

    ``render_template`` and its relatives, context processors, the signals and ``get_template_attribute`` then
    go through it. An engine turns on autoescaping itself. Two things on ``app.jinja_env`` serve any engine:
    ``loader.get_source(app.jinja_env, name)`` finds a template in the folders of application and blueprints,
    and ``globals`` and ``filters`` hold ``url_for``, ``get_flashed_messages``, ``config``, ``session`` and what
    was registered with ``template_global`` and ``template_filter``. Threads share an engine.

    A subclass inherits :meth:`stream` and :meth:`get_attribute`; an engine that is no subclass writes all five
    methods.

    .. versionadded:: 0.1
    """

    def __init__(self, app: t.Any) -> None:
        """Make the engine of an application. It is made at its first use."""

    def get_template(self, template_name_or_list: t.Any) -> t.Any:
        """Return the template of a name, or the first that exists of a list of names.

        What is a template of this engine already is returned as it is. Any object will do for a template;
        receivers of the signals like it to have a ``name``.
        """
        ...

    def from_string(self, source: str) -> t.Any:
        """Return the template that a string holds. Its output is HTML, so it is escaped."""
        ...

    def render(self, template: t.Any, context: dict[str, t.Any]) -> str:
        """Return the output of a template."""
        ...

    def stream(self, template: t.Any, context: dict[str, t.Any]) -> t.Iterator[str]:
        """Yield the output of a template in pieces. Inherited, it is one piece."""
        yield self.render(template, context)

    def get_attribute(self, template: t.Any, name: str) -> t.Any:
        """Return a macro or variable that a template defines."""
        raise NotImplementedError(
            f"{type(self).__name__} cannot return {name!r} of a template: write its method "
            f"get_attribute(template, name), or do without get_template_attribute()."
        )
