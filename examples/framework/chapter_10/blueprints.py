"""Blueprints: a part of an application, written down now and registered later."""

from __future__ import annotations

import typing as t

from .scaffold import Scaffold

if t.TYPE_CHECKING:
    from .app import Sapling

Deferred: t.TypeAlias = "t.Callable[[Sapling, str, str], None]"


class Blueprint(Scaffold):
    """Views, hooks and handlers that belong together. It knows no application, so it can be made before one.

    :param name: what its endpoints begin with.
    :param import_name: where it is made, ``__name__``.
    :param url_prefix: what its paths begin with.
    :param root_path: the folder of its templates, for a module without a file.
    """

    def __init__(
        self, name: str, import_name: str, url_prefix: str = "", root_path: str | None = None
    ) -> None:
        super().__init__(import_name, root_path)
        if not name or "." in name:
            raise ValueError(
                f"{name!r} is no name for a blueprint: endpoints are 'blueprint.view', so it needs one, without a dot."
            )
        self.name = name
        self.url_prefix = url_prefix
        self.deferred: list[Deferred] = []

    def add_url_rule(
        self, path: str, endpoint: str, view: t.Callable[..., t.Any], methods: t.Iterable[str] = ("GET",)
    ) -> None:
        """Note a view for a path; the rule is made when it is known where it leads from."""

        def add(app: Sapling, name: str, prefix: str) -> None:
            app.add_url_rule(prefix.rstrip("/") + path, f"{name}.{endpoint}", view, methods)

        self.deferred.append(add)

    def register(self, app: Sapling, name: str, prefix: str) -> None:
        """Put everything into the registries of an application; :meth:`Sapling.register_blueprint` calls this."""
        for add in self.deferred:
            add(app, name, prefix)
        app.before_request_funcs[name] += self.before_request_funcs[None]
        app.after_request_funcs[name] += self.after_request_funcs[None]
        app.context_processors[name] += self.context_processors[None]
        app.error_handlers[name].update(self.error_handlers[None])
