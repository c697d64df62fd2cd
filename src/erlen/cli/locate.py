"""Find the application a command is for: by the path the user named, or by the names users give by habit."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import sys
import traceback
import typing as t
from pathlib import Path
from types import ModuleType

import click

from ..debug import own_traceback
from ..helpers import get_debug_flag
from ..typing import Application
from ..variables import prefixes

#: What holds the application where nobody names one: these files, or packages called like them.
DEFAULT_FILES = ("wsgi.py", "app.py")
_DEFAULT_NAMES = ("app", "application")
_DEFAULT_FACTORIES = ("create_app", "make_app")

# What this package calls on an application. The class itself is in a higher layer (D10), so an application is
# known by what its class can do. The class is asked, as an instance may be a proxy or have costly properties.
_APPLICATION_METHODS = ("app_context", "freeze", "make_shell_context")


class NoAppException(click.UsageError):
    """The application was not found or could not be loaded; the message says where it was looked for."""

    def show(self, file: t.IO[t.Any] | None = None) -> None:
        """Print the message alone: how the command is used is not the question.

        :param file: where to, by default standard error.
        """
        click.secho(f"Error: {self.format_message()}", file=file, err=file is None, fg="red")


class NothingNamed(NoAppException):
    """No application was named, and none is where one is looked for then."""


class BrokenImport(NoAppException):
    """The module was found, and something that it imports was not: the message is the user's own traceback.

    :param module_name: the module that was to be imported.
    :param error: what its import raised; the cause of this one.
    """

    exit_code = 1

    def __init__(self, module_name: str, error: ImportError) -> None:
        hint = _hint_at_environment(error)
        if hint and hint not in getattr(error, "__notes__", ()):
            # A note is shown wherever the error is.
            error.add_note(hint)
        self.trace = "".join(traceback.format_exception(own_traceback(error)))
        super().__init__(f"{type(error).__name__} while {module_name!r} was being imported:\n\n{self.trace}")

    def show(self, file: t.IO[t.Any] | None = None) -> None:
        """Print the traceback, as for every other exception of the user's module.

        :param file: where to, by default standard error.
        """
        click.echo(self.trace, file=file, err=file is None, nl=False)


def _hint_at_environment(error: ImportError) -> str:
    """Say where a library that is missing was looked for: most often another environment is the active one."""
    name = (error.name or "").partition(".")[0]
    if not isinstance(error, ModuleNotFoundError) or not name or name in sys.modules:
        return ""
    return (
        f"Is {name!r} installed for this Python, {sys.executable}? If not, or if another environment was meant:"
        " activate that, and install what the application needs."
    )


def _is_application(value: object) -> t.TypeGuard[Application]:
    return all(callable(getattr(type(value), name, None)) for name in _APPLICATION_METHODS)


def find_best_app(module: ModuleType) -> Application:
    """Return the application of a module that does not say which one it is.

    That is the one named ``app`` or ``application``, else the only one there is, else what a factory named
    ``create_app`` or ``make_app`` returns when called without arguments.

    :param module: the imported module.
    :raises NoAppException: when there is none, or more than one.
    """
    for name in _DEFAULT_NAMES:
        if _is_application(candidate := getattr(module, name, None)):
            return candidate

    # One application under two names is still one.
    named = {id(value): name for name, value in vars(module).items() if _is_application(value)}
    if len(named) > 1:
        names = sorted(named.values())
        raise NoAppException(
            f"Module {module.__name__!r} holds {len(names)} applications: {', '.join(map(repr, names))}."
            f" Say which one, for example '--app {module.__name__}:{names[0]}'."
        )
    for name in named.values():
        return t.cast(Application, getattr(module, name))

    for name in _DEFAULT_FACTORIES:
        factory = getattr(module, name, None)
        if inspect.isfunction(factory):
            application = _call_factory(module, name, factory, (), {})
            if _is_application(application):
                return application
            if application is None:
                raise NoAppException(_returned_none(module, name))

    raise NoAppException(
        f"No application in module {module.__name__!r} ({_file_of(module)}). Looked for one named"
        f" {_choice(_DEFAULT_NAMES)}, for any other, and for a factory named {_choice(_DEFAULT_FACTORIES)}"
        f" that returns one. Name it: '--app {module.__name__}:name'."
    )


def _returned_none(module: ModuleType, name: str) -> str:
    return (
        f"{name!r} in module {module.__name__!r} ({_file_of(module)}) returned None, not an application: is"
        " 'return app' missing at its end, or on one of its branches?"
    )


def find_app_by_string(module: ModuleType, app_name: str) -> Application:
    """Return the application that an expression names in a module.

    :param module: the imported module.
    :param app_name: the name of an application or a factory, or a call of a factory with literal arguments,
        such as ``create_app("test", debug=True)``.
    :raises NoAppException: when the expression is no such thing, or gives no application.
    """
    name, args, kwargs = _parse_name_or_call(app_name)
    try:
        found = getattr(module, name)
    except AttributeError:
        raise NoAppException(
            f"Module {module.__name__!r} ({_file_of(module)}) has no {name!r}. Is it spelled as in the file, and"
            " assigned at its top level?"
        ) from None

    if args is None and _is_application(found):
        return found
    if callable(found):
        found = _call_factory(module, name, found, args or (), kwargs)
    if _is_application(found):
        return found
    if found is None and callable(getattr(module, name)):
        raise NoAppException(_returned_none(module, name))
    raise NoAppException(
        f"'{module.__name__}:{app_name}' gave a {type(found).__name__}, not an application. Name an instance of"
        " 'Erlen', or a function that returns one."
    )


def _parse_name_or_call(text: str) -> tuple[str, tuple[t.Any, ...] | None, dict[str, t.Any]]:
    """Split ``name`` or ``name(literal, key=literal)`` into its parts; without a call the arguments are ``None``."""
    try:
        expression = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        raise NoAppException(
            f"Could not read {text!r} as a name or a call. Write 'name', or 'create_app(\"argument\")' with the"
            " whole of it in quotes for the shell."
        ) from None

    if isinstance(expression, ast.Name):
        return expression.id, None, {}
    if not isinstance(expression, ast.Call) or not isinstance(expression.func, ast.Name):
        raise NoAppException(
            f"{text!r} is neither a plain name nor a call of one. Attributes, subscripts and operators are not"
            " evaluated: assign the application to a name at the top level of the module."
        )
    try:
        args = tuple(ast.literal_eval(argument) for argument in expression.args)
        # A keyword without a name is '**mapping', which is no literal argument either.
        kwargs = {_plain(keyword): ast.literal_eval(keyword.value) for keyword in expression.keywords}
    except (ValueError, TypeError):
        raise NoAppException(
            f"The arguments in {text!r} are not all literal values. Only strings, numbers, None, True, False,"
            " and tuples, lists, sets and dicts of these can be passed."
        ) from None
    return expression.func.id, args, kwargs


def _plain(keyword: ast.keyword) -> str:
    if keyword.arg is None:
        raise ValueError
    return keyword.arg


def _call_factory(
    module: ModuleType, name: str, factory: t.Callable[..., t.Any], args: t.Any, kwargs: dict[str, t.Any]
) -> t.Any:
    """Call a factory. Arguments that do not fit are the command line's mistake; what it raises is its own."""
    try:
        signature = inspect.signature(factory)
    except (ValueError, TypeError):
        return factory(*args, **kwargs)
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        raise NoAppException(
            f"Could not call {name}{signature} in module {module.__name__!r}: {error}. Pass the arguments on the"
            f" command line: --app \"{module.__name__}:{name}('value')\"."
        ) from None
    return factory(*args, **kwargs)


def prepare_import(path: str) -> str:
    """Make the file or folder at a path importable, and return its dotted name.

    :param path: a module's path, with or without ``.py``, or a package's. The folder that holds it, or its
        outermost package, is put first on :data:`sys.path`.
    """
    module = Path(path).resolve()
    if module.suffix == ".py":
        module = module.with_suffix("")
    if module.name == "__init__":
        module = module.parent

    names = [module.name]
    folder = module.parent
    while (folder / "__init__.py").exists():
        names.insert(0, folder.name)
        folder = folder.parent
    if sys.path[:1] != [str(folder)]:
        sys.path.insert(0, str(folder))
    return ".".join(names)


@t.overload
def locate_app(
    module_name: str, app_name: str | None, raise_if_not_found: t.Literal[True] = True
) -> Application: ...
@t.overload
def locate_app(
    module_name: str, app_name: str | None, raise_if_not_found: bool = ...
) -> Application | None: ...
def locate_app(module_name: str, app_name: str | None, raise_if_not_found: bool = True) -> Application | None:
    """Import a module and return its application.

    An :exc:`ImportError` that comes from inside the module becomes a :exc:`NoAppException` with its traceback; every
    other exception that the module raises is left as it is.

    :param module_name: the dotted name of the module.
    :param app_name: see :func:`find_app_by_string`; without it :func:`find_best_app` looks.
    :param raise_if_not_found: ``False`` to return ``None`` for a module that does not exist.
    :raises NoAppException: when the module or an application in it is not found.
    """
    if not module_name:
        raise NoAppException(
            f"':{app_name}' names no module. Write it before the colon: '--app module:{app_name}'."
        )
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        if not _is_missing(module_name, error):
            raise BrokenImport(module_name, error) from error
        if raise_if_not_found:
            raise NoAppException(
                f"Could not import {module_name!r}: there is no such module in {_places()}. Check the spelling"
                " and the folder you are in; '--app' takes a file ('app.py') or a dotted name ('package.module')."
            ) from None
        return None
    return find_best_app(module) if app_name is None else find_app_by_string(module, app_name)


def default_path(folder: str) -> str | None:
    """Return the path of the module that is taken where no application is named, ``None`` where there is none.

    It has to be in the folder: a module of that name elsewhere on Python's path is somebody else's.

    :param folder: where it is looked for.
    """
    for file in DEFAULT_FILES:
        path = Path(folder, file)
        if path.is_file() or (path.with_suffix("") / "__init__.py").is_file():
            return str(path)
    return None


def load_path(path: str, app_name: str | None) -> Application:
    """Import the module at a path, and return its application.

    :param path: as for :func:`prepare_import`.
    :param app_name: as for :func:`locate_app`.
    :raises NoAppException: also when another module of its name was imported before.
    """
    if not path:
        return locate_app("", app_name)
    module_name = prepare_import(path)
    file = Path(path if path.endswith(".py") else f"{path}.py").resolve()
    module = sys.modules.get(module_name)
    if (
        file.is_file()
        and module is not None
        and Path(getattr(module, "__file__", None) or file).resolve() != file
    ):
        raise NoAppException(
            f"{str(file)!r} cannot be imported as {module_name!r}: Python has a module of that name already,"
            f" {_file_of(module)}. Rename the file."
        )
    return locate_app(module_name, app_name)


def _is_missing(module_name: str, error: ImportError) -> bool:
    """Tell a module that is not there from one that is and fails to import something else."""
    return (
        isinstance(error, ModuleNotFoundError)
        and error.name is not None
        and f"{module_name}.".startswith(f"{error.name}.")
    )


class ScriptInfo:
    """What a command knows of its application; Click passes it on as ``ctx.obj``.

    :param app_import_path: where the application is: a file or a dotted name, and after a colon the name of
        the application or a call of its factory.
    :param create_app: returns the application; then nothing is looked for.
    :param set_debug_flag: set ``app.debug`` from ``--debug`` or ``ERLEN_DEBUG``.
    :param load_dotenv_defaults: read ``.env`` and ``.erlenenv`` as well.
    """

    def __init__(
        self,
        app_import_path: str | None = None,
        create_app: t.Callable[..., Application] | None = None,
        set_debug_flag: bool = True,
        load_dotenv_defaults: bool = True,
    ) -> None:
        self.app_import_path = app_import_path
        self.create_app = create_app
        self.set_debug_flag = set_debug_flag
        self.load_dotenv_defaults = load_dotenv_defaults
        #: Anything that commands want to hand to one another.
        self.data: dict[t.Any, t.Any] = {}
        #: Whether the application has switched debug mode on itself; ``None`` until it is loaded.
        self.configured_debug: bool | None = None
        self._loaded_app: Application | None = None

    def load_app(self) -> Application:
        """Return the application; it is loaded by the first call.

        :raises NoAppException: when it is not found.
        """
        if self._loaded_app is not None:
            return self._loaded_app
        application = self._find()
        self.configured_debug = application.debug
        if self.set_debug_flag:
            # Through the attribute, so that what depends on it follows.
            application.debug = get_debug_flag()
        self._loaded_app = application
        return application

    def _find(self) -> Application:
        if self.create_app is not None:
            return self.create_app()
        if self.app_import_path:
            # The colon of a Windows drive is followed by a slash.
            path, *name = re.split(r":(?![\\/])", self.app_import_path, maxsplit=1)
            return load_path(path, name[0] if name else None)
        if (path := default_path("")) is not None:
            return load_path(path, None)
        raise NothingNamed(
            f"No application was named, and neither {_choice(DEFAULT_FILES, 'nor')} is in {str(Path.cwd())!r}. Name"
            f" it with 'erlen --app path/to/module.py', or set {' or '.join(f'{prefix}_APP' for prefix in prefixes)}."
            + (
                " FLASK_APP is set, and read only with ERLEN_AS_FLASK=1."
                if os.environ.get("FLASK_APP") and len(prefixes) == 1
                else ""
            )
        )


#: Pass the :class:`ScriptInfo` to a command as its first argument.
pass_script_info = click.make_pass_decorator(ScriptInfo, ensure=True)


def _choice(names: t.Sequence[str], word: str = "or") -> str:
    return f" {word} ".join(map(repr, names))


def _file_of(module: ModuleType) -> str:
    file: str | None = getattr(module, "__file__", None)
    # A folder without '__init__.py' is a package as well.
    return file or "".join(list(getattr(module, "__path__", ()))[:1]) or "built in"


def _places() -> str:
    return f"{sys.path[0]!r} or on the rest of Python's path" if sys.path else "Python's path, which is empty"
