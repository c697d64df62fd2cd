"""Views as classes: :class:`View`, and :class:`MethodView` with one method for each HTTP method."""

from __future__ import annotations

import typing as t
from inspect import iscoroutinefunction

from .ctx import current_context, current_request_context
from .pipeline.bridge import spell_async
from .typing import ResponseReturnValue, RouteCallable

__all__ = ["MethodView", "View", "http_method_funcs"]

#: The methods of a :class:`MethodView` that answer requests.
http_method_funcs = frozenset(["delete", "get", "head", "options", "patch", "post", "put", "trace"])


def _name_after(function: t.Any, name: str, cls: type[t.Any]) -> None:
    """Give a function a name, and module and docstring of the class it stands for."""
    function.__name__, function.__module__, function.__doc__ = name, cls.__module__, cls.__doc__


class View:
    """A view as a class: override :meth:`dispatch_request`, register :meth:`as_view`.

    ::

        class Greeting(View):
            def dispatch_request(self, name):
                return f"Hello, {name}!"

        app.add_url_rule("/hello/<name>", view_func=Greeting.as_view("greeting"))
    """

    #: The HTTP methods the view answers, for rules that name none; ``None`` for the default, GET.
    methods: t.ClassVar[t.Collection[str] | None] = None

    #: Whether the application answers OPTIONS for the view; ``None`` for the application's setting.
    provide_automatic_options: t.ClassVar[bool | None] = None

    #: Decorators of the view function that :meth:`as_view` makes, innermost first. A decorator of the class
    #: itself does not see the requests.
    decorators: t.ClassVar[list[t.Callable[..., t.Any]]] = []

    #: Whether each request gets an instance of its own. Without, one instance answers all requests, on all
    #: threads: then keep nothing of a request on ``self``.
    init_every_request: t.ClassVar[bool] = True

    # Typed so that type checkers accept whatever arguments an override has for its URL, and an async one.
    def dispatch_request(
        self, *args: t.Any, **kwargs: t.Any
    ) -> ResponseReturnValue | t.Awaitable[ResponseReturnValue]:
        """Answer the request; the variables of the URL are arguments. Override this, plain or ``async``."""
        raise NotImplementedError(
            f"{type(self).__name__} does not say how it answers a request. Define 'def dispatch_request(self, "
            f"...)' in it, with the variables of its URL as arguments."
        )

    @classmethod
    def as_view(cls, name: str, *class_args: t.Any, **class_kwargs: t.Any) -> RouteCallable:
        """Make a view function of the class.

        :param name: the name of the function, and so of the endpoint where none is given.
        :param class_args: arguments for the class when it is instantiated.
        :param class_kwargs: keyword arguments for the class when it is instantiated.
        """
        # Looked at here rather than with each request (D2).
        is_async = iscoroutinefunction(cls.dispatch_request)
        shared = None if cls.init_every_request else cls(*class_args, **class_kwargs)

        def instance() -> View:
            return view.view_class(*class_args, **class_kwargs) if shared is None else shared

        def dispatch(**values: t.Any) -> t.Any:
            answer = instance().dispatch_request
            if is_async:
                answer = current_context().app.ensure_sync(answer)
            return answer(**values)

        async def adispatch(**values: t.Any) -> t.Any:
            return await instance()._adispatch(**values)

        # Under ASGI a view without decorators around it is awaited as it is.
        if is_async or cls._dispatches_to_async():
            spell_async(dispatch, adispatch)
        # Before the decorators, as they look at the name, and after, as not all of them copy it.
        _name_after(dispatch, name, cls)
        view: t.Any = dispatch
        for decorator in cls.decorators:
            view = decorator(view)
        _name_after(view, name, cls)
        view.view_class, view.methods = cls, cls.methods
        view.provide_automatic_options = cls.provide_automatic_options
        return t.cast(RouteCallable, view)

    @classmethod
    def _dispatches_to_async(cls) -> bool:
        """Return whether a plain :meth:`dispatch_request` may call something async."""
        return False

    async def _adispatch(self, **values: t.Any) -> t.Any:
        return await t.cast(t.Any, self.dispatch_request(**values))


class MethodView(View):
    """A view whose methods ``get``, ``post`` ... answer the HTTP methods of these names.

    ``methods`` is the set of those that the class and its bases define. HEAD is answered by ``get`` where
    there is no ``head``.

    ::

        class Book(MethodView):
            def get(self, book_id): ...
            async def delete(self, book_id): ...

        app.add_url_rule("/books/<int:book_id>", view_func=Book.as_view("book"))
    """

    _async_methods: t.ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        if "methods" not in cls.__dict__:
            methods = {name.upper() for name in http_method_funcs if hasattr(cls, name)}
            for base in cls.__bases__:
                methods.update(getattr(base, "methods", None) or ())
            if methods:
                cls.methods = methods
        cls._find_async_methods()

    @classmethod
    def as_view(cls, name: str, *class_args: t.Any, **class_kwargs: t.Any) -> RouteCallable:
        """Make a view function of the class; see :meth:`View.as_view`."""
        # Once more: methods may have been set on the class since it was made.
        cls._find_async_methods()
        return super().as_view(name, *class_args, **class_kwargs)

    @classmethod
    def _find_async_methods(cls) -> None:
        names = http_method_funcs.union(method.lower() for method in cls.methods or ())
        cls._async_methods = frozenset(
            name for name in names if iscoroutinefunction(getattr(cls, name, None))
        )

    def dispatch_request(self, **kwargs: t.Any) -> ResponseReturnValue:
        """Answer the request with the method named like its HTTP method.

        :param kwargs: the variables of the URL.
        :raises AssertionError: when the rule accepts an HTTP method the class does not have.
        """
        context = current_request_context()
        answer, is_async = self._method_for(context.request.method.lower())
        if is_async:
            answer = context.app.ensure_sync(answer)
        return t.cast(ResponseReturnValue, answer(**kwargs))

    def _method_for(self, name: str) -> tuple[t.Callable[..., t.Any], bool]:
        """Return the method for an HTTP method, and whether it is async."""
        answer = getattr(self, name, None)
        if answer is None and name == "head":
            name = "get"
            answer = getattr(self, name, None)
        if answer is None:
            raise AssertionError(self._not_implemented(name))
        return answer, name in self._async_methods

    @classmethod
    def _dispatches_to_async(cls) -> bool:
        return bool(cls._async_methods) and cls.dispatch_request is MethodView.dispatch_request

    async def _adispatch(self, **values: t.Any) -> t.Any:
        if not self._dispatches_to_async():
            return await super()._adispatch(**values)
        context = current_request_context()
        answer, _ = self._method_for(context.request.method.lower())
        return await context.app.ensure_async(answer)(**values)

    def _not_implemented(self, name: str) -> str:
        has = ", ".join(sorted(method for method in http_method_funcs if hasattr(self, method)))
        return (
            f"{type(self).__name__} has no method {name!r}, but its URL accepts {name.upper()}. Define "
            f"'def {name}(self, ...)', or leave {name.upper()!r} out of 'methods', on the class or in "
            f"add_url_rule(). The class has: {has or 'none'}."
        )
