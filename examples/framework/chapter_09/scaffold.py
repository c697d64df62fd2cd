"""What an application and a blueprint have in common: they collect views, hooks and handlers."""

from __future__ import annotations

import typing as t
from collections import defaultdict

from .errors import Handler, key_of
from .paths import root_path_of

if t.TYPE_CHECKING:
    from .wrappers import Response

View = t.TypeVar("View", bound=t.Callable[..., t.Any])
Before = t.TypeVar("Before", bound=t.Callable[[], t.Any])
After = t.TypeVar("After", bound="t.Callable[..., Response]")
Processor = t.TypeVar("Processor", bound=t.Callable[[], dict[str, t.Any]])
Answer = t.TypeVar("Answer", bound=Handler)


class Scaffold:
    """Registries, and the decorators that write into them.

    The key ``None`` of a registry is the owner itself; an application has those of its blueprints under their names.

    :param import_name: where the owner is made, ``__name__``: its templates lie beside that file.
    :param root_path: the folder itself, for a module without a file.
    """

    def __init__(self, import_name: str, root_path: str | None = None) -> None:
        self.import_name = import_name
        self.root_path = root_path or root_path_of(import_name)
        self.before_request_funcs = defaultdict[str | None, list[t.Callable[[], t.Any]]](list)
        self.after_request_funcs = defaultdict[str | None, list[t.Callable[..., "Response"]]](list)
        self.context_processors = defaultdict[str | None, list[t.Callable[[], dict[str, t.Any]]]](list)
        self.error_handlers = defaultdict[str | None, dict[type[Exception], Handler]](dict)

    def route(
        self, path: str, methods: t.Iterable[str] = ("GET",), endpoint: str | None = None
    ) -> t.Callable[[View], View]:
        """Register the decorated view for a path."""

        def register(view: View) -> View:
            self.add_url_rule(path, endpoint or view.__name__, view, methods)
            return view

        return register

    def add_url_rule(
        self, path: str, endpoint: str, view: t.Callable[..., t.Any], methods: t.Iterable[str] = ("GET",)
    ) -> None:
        """Register a view for a path; what :meth:`route` does.

        :param path: the path, with its variables.
        :param endpoint: the name that the view has for :meth:`url_for`.
        :param view: the view; it is called with the variables by name.
        :param methods: the HTTP methods it answers.
        """
        raise NotImplementedError

    def before_request(self, hook: Before) -> Before:
        """Call a function before each view; what it returns, if not ``None``, answers in the view's place."""
        self.before_request_funcs[None].append(hook)
        return hook

    def after_request(self, hook: After) -> After:
        """Call a function with each response, the latest registered first; it returns the one to send."""
        self.after_request_funcs[None].append(hook)
        return hook

    def context_processor(self, processor: Processor) -> Processor:
        """Call a function for each template; the dict it returns is among the template's variables."""
        self.context_processors[None].append(processor)
        return processor

    def errorhandler(self, what: type[Exception] | int) -> t.Callable[[Answer], Answer]:
        """Let the decorated function answer exceptions of a class, or HTTP errors of a status."""
        cls = key_of(what)

        def register(handler: Answer) -> Answer:
            self.error_handlers[None][cls] = handler
            return handler

        return register
