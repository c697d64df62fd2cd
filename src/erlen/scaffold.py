"""What an application and a blueprint have in common: they collect views, hooks and handlers.

Everything here writes into registries; nothing here answers a request. The registries have Flask's names and
shapes: the key ``None`` stands for the owner itself, other keys are names of blueprints.
"""

from __future__ import annotations

import inspect
import os
import typing as t
import weakref
from datetime import timedelta
from functools import update_wrapper

from werkzeug.exceptions import HTTPException, default_exceptions

from . import typing as et
from .ctx import current_context
from .helpers import send_from_directory
from .lazy import Lazy, pathlib
from .paths import get_root_path
from .pipeline.bridge import is_async
from .registry import HookRegistry, TellingDict, TellingList

if t.TYPE_CHECKING:
    from jinja2 import BaseLoader

    from .cli.groups import AppGroup

__all__ = ["Scaffold", "SetupError", "setupmethod"]

F = t.TypeVar("F", bound=t.Callable[..., t.Any])
AfterRequest = t.TypeVar("AfterRequest", bound=et.AfterRequestCallable[t.Any])
BeforeRequest = t.TypeVar("BeforeRequest", bound=et.BeforeRequestCallable)
ContextProcessor = t.TypeVar("ContextProcessor", bound=et.TemplateContextProcessorCallable)
ErrorHandler = t.TypeVar("ErrorHandler", bound=et.ErrorHandlerCallable)
Handler = t.TypeVar("Handler", bound=t.Callable[..., t.Awaitable[t.Any]])
Route = t.TypeVar("Route", bound=et.RouteCallable)
Teardown = t.TypeVar("Teardown", bound=et.TeardownCallable)
URLDefaults = t.TypeVar("URLDefaults", bound=et.URLDefaultCallable)
URLValuePreprocessor = t.TypeVar("URLValuePreprocessor", bound=et.URLValuePreprocessorCallable)

#: A path on disk, as text or as a :class:`pathlib.Path`.
Folder: t.TypeAlias = "str | os.PathLike[str]"

#: Where this package lives: frames of these files are skipped when a user's line is looked for.
_PACKAGE_FOLDER = __file__.removesuffix("scaffold.py")
_READ_MODES = frozenset(["r", "rt", "rb"])


class SetupError(AssertionError):
    """Something was registered too late to take effect everywhere.

    :param message: what happened, why, and the fix.
    :param location: file and line of the late call.
    """

    def __init__(self, message: str, location: str) -> None:
        super().__init__(message)
        self.location = location


def calling_line() -> str:
    """Return ``file:line`` of the innermost frame that is not part of this package."""
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE_FOLDER):
        frame = frame.f_back
    return "an unknown line" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"


def source_line(function: t.Any) -> str:
    """Describe a view for an error message: its name, and where it is written.

    Looks through ``functools.wraps``, ``functools.partial`` and ``View.as_view``.
    """
    target = getattr(function, "view_class", None) or inspect.unwrap(function)
    target = getattr(target, "func", target)
    name = getattr(target, "__qualname__", repr(target))
    try:
        line = (
            inspect.getsourcelines(target)[1] if isinstance(target, type) else target.__code__.co_firstlineno
        )
        return f"{name} ({inspect.getsourcefile(target)}:{line})"
    except (AttributeError, OSError, TypeError):
        return str(name)


def refuse_async(function: t.Any, f_name: str, reason: str, fix: str) -> None:
    """Raise :exc:`TypeError` for a function that is ``async`` where nothing awaits it.

    :param function: what was registered.
    :param f_name: the method that it was given to.
    :param reason: why nothing awaits it there.
    :param fix: what to do instead.
    """
    if is_async(function):
        raise TypeError(
            f"'{f_name}' was given {source_line(function)}, which is async, and {reason}: it would never run. {fix}"
        )


def refuse_async_url_defaults(function: t.Any, f_name: str) -> None:
    """Refuse an async function that is to add values to URLs."""
    refuse_async(
        function,
        f_name,
        "'url_for' calls it in the middle of plain code, where nothing can be awaited",
        "Write 'def' in place of 'async def', and await what it needs in a 'before_request' function, which keeps "
        "it in 'g'.",
    )


def setupmethod(f: F) -> F:
    """Refuse a method with :exc:`SetupError` once its owner is in use.

    :param f: a method of a class that has ``_check_setup_finished``.
    """
    name = f.__name__

    def register(self: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        self._check_setup_finished(name)
        return f(self, *args, **kwargs)

    return t.cast("F", update_wrapper(register, f))


def endpoint_from_view_func(view_func: t.Any) -> str:
    """Return the endpoint that a view has when it is registered without one: its name."""
    if view_func is None:
        raise AssertionError(
            "A URL rule needs an endpoint or a view to take the name of, and got neither. Pass one: "
            "add_url_rule('/path', endpoint='name') or add_url_rule('/path', view_func=view)."
        )
    try:
        return t.cast("str", view_func.__name__)
    except AttributeError:
        raise TypeError(
            f"{view_func!r} has no '__name__' to be used as endpoint (a functools.partial, or an object with "
            f"'__call__'). Name it: add_url_rule('/path', endpoint='name', view_func=...)."
        ) from None


class Scaffold:
    """The registration methods that applications and blueprints share.

    :param import_name: the module or package the owner is defined in, usually ``__name__``.
    :param static_folder: folder of static files, relative to the root path; ``None`` for no static files.
    :param static_url_path: URL prefix of the static files; by default the folder's last part.
    :param template_folder: folder of templates, relative to the root path; ``None`` for none.
    :param root_path: folder that the others are relative to; by default where ``import_name`` lives.
    """

    name: t.Any
    #: Drops what was made of the registries. Declared and not defined: a method here would hide the one that the
    #: application inherits from its pipeline.
    if t.TYPE_CHECKING:

        def _thaw(self) -> None: ...

    _static_folder: str | None = None
    # What the path of the static files was made of, and the path: replaced as a whole, as threads share it.
    _static_path: tuple[tuple[str, str], str] | None = None
    _static_url_path: str | None = None

    # What was registered, by owner: the name of a blueprint, or ``None`` for the application.

    #: The views by their endpoints.
    view_functions: TellingDict[str, t.Callable[..., t.Any]]
    #: What :meth:`errorhandler` registered: owner, status code or ``None``, exception class, handler.
    error_handler_spec: HookRegistry[
        et.AppOrBlueprintKey, HookRegistry[int | None, dict[type[Exception], et.ErrorHandlerCallable]]
    ]
    #: What :meth:`before_request` registered, by owner.
    before_request_funcs: HookRegistry[et.AppOrBlueprintKey, list[et.BeforeRequestCallable]]
    #: What :meth:`after_request` registered, by owner.
    after_request_funcs: HookRegistry[et.AppOrBlueprintKey, list[et.AfterRequestCallable[t.Any]]]
    #: What :meth:`teardown_request` registered, by owner.
    teardown_request_funcs: HookRegistry[et.AppOrBlueprintKey, list[et.TeardownCallable]]
    #: What :meth:`context_processor` registered, by owner.
    template_context_processors: HookRegistry[et.AppOrBlueprintKey, list[et.TemplateContextProcessorCallable]]
    #: What :meth:`url_value_preprocessor` registered, by owner.
    url_value_preprocessors: HookRegistry[et.AppOrBlueprintKey, list[et.URLValuePreprocessorCallable]]
    #: What :meth:`url_defaults` registered, by owner.
    url_default_functions: HookRegistry[et.AppOrBlueprintKey, list[et.URLDefaultCallable]]

    def __init__(
        self,
        import_name: str,
        static_folder: Folder | None = None,
        static_url_path: str | None = None,
        template_folder: Folder | None = None,
        root_path: str | None = None,
    ) -> None:
        #: The module or package this is defined in.
        self.import_name = import_name
        #: The folder that other paths are relative to.
        self.root_path = get_root_path(import_name) if root_path is None else root_path
        self.static_folder = static_folder
        self.static_url_path = static_url_path
        #: The folder of templates, relative to :attr:`root_path`; ``None`` for none.
        self.template_folder = template_folder
        self._create_registries()

    def _make_cli(self) -> AppGroup:
        """Make the group of commands."""
        # Slow to load, and servers do without.
        from .cli.groups import AppGroup

        return AppGroup(getattr(self, "name", None))

    #: Commands for the command line, a group that is made when first used.
    cli = Lazy(_make_cli)

    def _has_commands(self) -> bool:
        """Return whether there are any commands, without loading what they are made of."""
        is_made = "cli" in vars(self) or type(self).cli is not Scaffold.cli
        return is_made and bool(self.cli.commands)

    def _create_registries(self) -> None:
        self.view_functions = TellingDict()
        self.view_functions.changed = self._changed_callback()
        self.error_handler_spec = self._registry(lambda: HookRegistry(TellingDict))
        self.before_request_funcs = self._registry(TellingList)
        self.after_request_funcs = self._registry(TellingList)
        self.teardown_request_funcs = self._registry(TellingList)
        self.template_context_processors = self._registry(TellingList)
        self.url_value_preprocessors = self._registry(TellingList)
        self.url_default_functions = self._registry(TellingList)

    def _registry(self, make: t.Callable[[], t.Any]) -> HookRegistry[t.Any, t.Any]:
        return HookRegistry[t.Any, t.Any](make).listen(self._changed_callback())

    def _changed_callback(self) -> t.Callable[[], None]:
        # A weak reference: the registries must not keep their owner alive, so that an application which is no
        # longer used is freed at once and not when the garbage collector comes round.
        method = weakref.WeakMethod(self._thaw)

        def changed() -> None:
            if (thaw := method()) is not None:
                thaw()

        return changed

    def _check_setup_finished(self, f_name: str) -> None:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    # Files

    @property
    def static_folder(self) -> str | None:
        """The absolute path of the static files, ``None`` without them. Assigned, it may be relative."""
        if self._static_folder is None:
            return None
        # PERF: static file: joining the two each time costs 7 us. Both may be assigned at any time.
        made_of = self.root_path, self._static_folder
        known = self._static_path
        if known is None or known[0] != made_of:
            known = self._static_path = made_of, str(pathlib.Path(*made_of))
        return known[1]

    @static_folder.setter
    def static_folder(self, value: Folder | None) -> None:
        self._static_folder = None if value is None else os.fspath(value).rstrip("/\\")

    @property
    def has_static_folder(self) -> bool:
        """Whether a folder of static files is set; it need not exist."""
        return self._static_folder is not None

    @property
    def static_url_path(self) -> str | None:
        """The URL prefix of the static files; derived from the folder's name when it was not set."""
        if self._static_url_path is None and self._static_folder is not None:
            folder = self._static_folder
            # pathlib is slow to load, and what can be an identifier has nothing to take off.
            name = folder if folder.isidentifier() else pathlib.Path(folder).name
            return f"/{name}".rstrip("/")
        return self._static_url_path

    @static_url_path.setter
    def static_url_path(self, value: str | None) -> None:
        self._static_url_path = None if value is None else value.rstrip("/")

    def _make_jinja_loader(self) -> BaseLoader | None:
        """Find this owner's templates on disk; ``None`` without a template folder."""
        if self.template_folder is None:
            return None
        # Slow to load, and not every application has templates.
        from jinja2 import FileSystemLoader

        return FileSystemLoader(pathlib.Path(self.root_path, self.template_folder))

    #: The loader of this owner's templates, ``None`` without a template folder; assignable.
    jinja_loader = Lazy(_make_jinja_loader)

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        """Return for how many seconds a client may keep a file, ``None`` when it must ask each time.

        The default reads ``SEND_FILE_MAX_AGE_DEFAULT`` of the active application; override it to decide by name.

        :param filename: the name of the file.
        """
        value = current_context().app.config["SEND_FILE_MAX_AGE_DEFAULT"]
        if isinstance(value, timedelta):
            return int(value.total_seconds())
        return t.cast("int | None", value)

    def send_static_file(self, filename: str) -> t.Any:
        """Answer with a static file; this is the view of the static route.

        :param filename: the file's path below :attr:`static_folder`.
        :raises RuntimeError: where there is no static folder.
        :raises NotFound: where there is no such file.
        """
        folder = self.static_folder
        if folder is None:
            raise RuntimeError(
                f"{self!r} has no static folder, so it cannot serve {filename!r}. Name one when you create it: "
                f"{type(self).__name__}(..., static_folder='static')."
            )
        return send_from_directory(folder, filename, max_age=self.get_send_file_max_age(filename))

    def open_resource(self, resource: str, mode: str = "rb", encoding: str | None = "utf-8") -> t.IO[t.Any]:
        """Open a file below the root path for reading.

        :param resource: the file's path, relative to :attr:`root_path`.
        :param mode: ``"rb"``, ``"r"`` or ``"rt"``; others raise :exc:`ValueError`.
        :param encoding: the encoding in the text modes.
        """
        if mode not in _READ_MODES:
            raise ValueError(
                f"open_resource({resource!r}) was asked for mode {mode!r}, but resources are read-only: use 'rb' "
                f"or 'r'. For files that are written, use 'app.open_instance_resource'."
            )
        path = pathlib.Path(self.root_path, resource)
        return path.open(mode, encoding=None if "b" in mode else encoding)

    # Views

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: et.RouteCallable | None = None,
        provide_automatic_options: bool | None = None,
        **options: t.Any,
    ) -> None:
        """Register a URL rule; applications and blueprints say how."""
        raise NotImplementedError

    @setupmethod
    def route(self, rule: str, **options: t.Any) -> t.Callable[[Route], Route]:
        """Decorate a view with the URL rule it answers.

        :param rule: the rule, ``"/users/<int:id>"``.
        :param options: as for :meth:`add_url_rule`, ``methods=["GET", "POST"]`` among them.
        """
        if callable(rule):
            raise TypeError(
                f"'@route' was put on {source_line(rule)} without a rule. Write '@app.route(\"/path\")'."
            )
        endpoint = options.pop("endpoint", None)

        def decorate(f: Route) -> Route:
            self.add_url_rule(rule, endpoint, f, **options)
            return f

        return decorate

    @setupmethod
    def get(self, rule: str, **options: t.Any) -> t.Callable[[Route], Route]:
        """Decorate a view that answers GET, and with it HEAD.

        :param rule: the rule.
        :param options: as for :meth:`add_url_rule`, without ``methods``.
        :raises TypeError: where ``methods`` is given all the same.
        """
        return self.route(rule, **_for_method("GET", rule, options))

    @setupmethod
    def post(self, rule: str, **options: t.Any) -> t.Callable[[Route], Route]:
        """Decorate a view that answers POST.

        :param rule: the rule.
        :param options: as for :meth:`add_url_rule`, without ``methods``.
        :raises TypeError: where ``methods`` is given all the same.
        """
        return self.route(rule, **_for_method("POST", rule, options))

    @setupmethod
    def put(self, rule: str, **options: t.Any) -> t.Callable[[Route], Route]:
        """Decorate a view that answers PUT.

        :param rule: the rule.
        :param options: as for :meth:`add_url_rule`, without ``methods``.
        :raises TypeError: where ``methods`` is given all the same.
        """
        return self.route(rule, **_for_method("PUT", rule, options))

    @setupmethod
    def delete(self, rule: str, **options: t.Any) -> t.Callable[[Route], Route]:
        """Decorate a view that answers DELETE.

        :param rule: the rule.
        :param options: as for :meth:`add_url_rule`, without ``methods``.
        :raises TypeError: where ``methods`` is given all the same.
        """
        return self.route(rule, **_for_method("DELETE", rule, options))

    @setupmethod
    def patch(self, rule: str, **options: t.Any) -> t.Callable[[Route], Route]:
        """Decorate a view that answers PATCH.

        :param rule: the rule.
        :param options: as for :meth:`add_url_rule`, without ``methods``.
        :raises TypeError: where ``methods`` is given all the same.
        """
        return self.route(rule, **_for_method("PATCH", rule, options))

    @setupmethod
    def websocket(self, rule: str, **options: t.Any) -> t.Callable[[Handler], Handler]:
        """Decorate an async function that handles the WebSockets of a URL rule.

        .. code-block:: python

            @app.websocket("/echo/<int:room>")
            async def echo(room):
                async for message in websocket:
                    await websocket.send(f"{room}: {message}")

        :param rule: the rule.
        :param options: as for :meth:`add_url_rule`, without ``methods``.
        :raises TypeError: for a plain function.

        .. versionadded:: 0.1
        """
        if "methods" in options:
            raise TypeError(
                f"'websocket' got methods={options['methods']!r}, but a WebSocket always begins with GET."
            )
        # Slow to load, and not every application has WebSockets.
        from .websockets import WebSocketHandler

        endpoint = options.pop("endpoint", None)

        def decorate(f: Handler) -> Handler:
            handler = WebSocketHandler(f)
            self.add_url_rule(
                rule, endpoint, handler, provide_automatic_options=False, websocket=True, **options
            )
            return f

        return decorate

    @setupmethod
    def endpoint(self, endpoint: str) -> t.Callable[[F], F]:
        """Decorate the view of an endpoint whose URL rule is added apart from it.

        :param endpoint: the full name, that of the blueprint included.
        """

        def decorate(f: F) -> F:
            self.view_functions[endpoint] = f
            return f

        return decorate

    # Hooks

    @setupmethod
    def before_request(self, f: BeforeRequest) -> BeforeRequest:
        """Run a function before each view; what it returns other than ``None`` is the answer instead.

        On a blueprint: before the views of that blueprint and of those nested in it.

        :param f: takes nothing, and returns ``None`` or what a view may return.
        """
        self.before_request_funcs[None].append(f)
        return f

    @setupmethod
    def after_request(self, f: AfterRequest) -> AfterRequest:
        """Run a function on each response; it takes the response and returns one.

        Skipped when an exception was not handled; use :meth:`teardown_request` for what must always happen.

        :param f: takes the response, and returns it or another one.
        """
        self.after_request_funcs[None].append(f)
        return f

    @setupmethod
    def teardown_request(self, f: Teardown) -> Teardown:
        """Run a function when the request is over, failed or not.

        :param f: takes the unhandled exception or ``None``; what it returns is ignored.
        """
        self.teardown_request_funcs[None].append(f)
        return f

    @setupmethod
    def context_processor(self, f: ContextProcessor) -> ContextProcessor:
        """Add the names in the dict that a function returns to the context of templates.

        :param f: takes nothing and returns the dict; called each time a template is rendered.
        """
        self.template_context_processors[None].append(f)
        return f

    @setupmethod
    def url_value_preprocessor(self, f: URLValuePreprocessor) -> URLValuePreprocessor:
        """Let a function look at, and change, the endpoint's URL values before the other hooks run.

        :param f: takes the endpoint and the dict of values.
        """
        self.url_value_preprocessors[None].append(f)
        return f

    @setupmethod
    def url_defaults(self, f: URLDefaults) -> URLDefaults:
        """Let a function add values when a URL is built.

        :param f: takes the endpoint and the dict of values; not ``async``, which raises :exc:`TypeError`.
        """
        refuse_async_url_defaults(f, "url_defaults")
        self.url_default_functions[None].append(f)
        return f

    # Errors

    @setupmethod
    def errorhandler(
        self, code_or_exception: type[Exception] | int
    ) -> t.Callable[[ErrorHandler], ErrorHandler]:
        """Decorate the function that answers an error.

        :param code_or_exception: a status code, ``404``, or an exception class.
        """

        def decorate(f: ErrorHandler) -> ErrorHandler:
            self.register_error_handler(code_or_exception, f)
            return f

        # A wrong argument is reported where the decorator stands, not where the function ends.
        self._get_exc_class_and_code(code_or_exception)
        return decorate

    @setupmethod
    def register_error_handler(
        self, code_or_exception: type[Exception] | int, f: et.ErrorHandlerCallable
    ) -> None:
        """Register the function that answers an error; :meth:`errorhandler` as a call.

        :param code_or_exception: a status code, ``404``, or an exception class.
        :param f: takes the exception and returns what a view may return.
        """
        error_class, code = self._get_exc_class_and_code(code_or_exception)
        self.error_handler_spec[None][code][error_class] = f

    @staticmethod
    def _get_exc_class_and_code(
        exc_class_or_code: type[Exception] | int,
    ) -> tuple[type[Exception], int | None]:
        """Return the class that a handler is registered for, and its status code where it has one."""
        given: t.Any = exc_class_or_code
        if isinstance(given, int):
            if given not in default_exceptions:
                raise ValueError(
                    f"No exception belongs to the status code {given}, so no handler for it would ever run. "
                    f"Register an exception class of your own: class MyError(HTTPException): code = {given}."
                )
            return default_exceptions[given], given
        if not isinstance(given, type):
            raise TypeError(_not_a_class(given))
        if not issubclass(given, Exception):
            raise ValueError(  # noqa: TRY004 - the class that Flask raises
                f"{given.__name__!r} does not derive from Exception, and handlers are only asked for such. "
                f"Register an exception class or a status code: @app.errorhandler(404)."
            )
        return given, given.code if issubclass(given, HTTPException) else None


def _not_a_class(given: t.Any) -> str:
    if isinstance(given, Exception):
        return (
            f"An error handler was registered for the instance {given!r}. Handlers belong to classes: "
            f"@app.errorhandler({type(given).__name__})."
        )
    if inspect.isroutine(given):
        return (
            f"'@errorhandler' was put on {source_line(given)} without saying for which error. Write "
            f"'@app.errorhandler(404)' or '@app.errorhandler(SomeError)'."
        )
    return (
        f"An error handler was registered for {given!r}, which is neither an exception class nor a status code "
        f"as an int. Write '@app.errorhandler(404)' or '@app.errorhandler(SomeError)'."
    )


def _for_method(method: str, rule: str, options: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return the options of a route that answers one method, and refuse ``methods`` among those given."""
    if "methods" in options:
        raise TypeError(
            f"'{method.lower()}' got methods={options['methods']!r}, but it is for {method} alone. Use 'route' for "
            f"several methods: @app.route({rule!r}, methods={[method, *_as_list(options['methods'], method)]!r})."
        )
    return {**options, "methods": [method]}


def _as_list(methods: t.Any, without: str) -> list[str]:
    given = [methods] if isinstance(methods, str) else list(methods)
    return [name for name in given if name.upper() != without]
