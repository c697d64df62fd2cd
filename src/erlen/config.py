"""The configuration: a dict that loads itself from files, objects and environment variables."""

from __future__ import annotations

import errno
import itertools
import json
import os
import typing as t
from types import ModuleType

from werkzeug.utils import import_string

from .lazy import pathlib
from .registry import tells_of
from .variables import prefixes

__all__ = ["Config", "ConfigAttribute"]

T = t.TypeVar("T")
Loader: t.TypeAlias = t.Callable[[t.IO[t.Any]], t.Mapping[str, t.Any]]

# What a path may suffer from and still count as "the file is not there" for ``silent=True``.
_NO_FILE = frozenset({errno.ENOENT, errno.EISDIR})
_NO_PYTHON_FILE = _NO_FILE | {errno.ENOTDIR}


class ConfigAttribute(t.Generic[T]):
    """An attribute of the application that stands for a key of its configuration.

    :param name: the key.
    :param get_converter: makes the attribute's value of the key's.
    """

    def __init__(self, name: str, get_converter: t.Callable[[t.Any], T] | None = None) -> None:
        self.__name__ = name
        self.get_converter = get_converter

    @t.overload
    def __get__(self, obj: None, owner: type[t.Any] | None = None) -> t.Self: ...

    @t.overload
    def __get__(self, obj: t.Any, owner: type[t.Any] | None = None) -> T: ...

    def __get__(self, obj: t.Any, owner: type[t.Any] | None = None) -> T | t.Self:
        if obj is None:
            return self
        value = obj.config[self.__name__]
        convert = self.get_converter
        return t.cast(T, value) if convert is None else convert(value)

    def __set__(self, obj: t.Any, value: t.Any) -> None:
        obj.config[self.__name__] = value


@tells_of(("__setitem__", "__delitem__", "clear", "pop", "popitem", "setdefault"))
class Config(dict[str, t.Any]):
    """A dict of settings with methods that fill it. Only names in upper case are taken from files and objects.

    :param root_path: the folder that relative file names start from.
    :param defaults: the first contents.
    """

    #: Called after each mutation; the application listens here, to drop what it froze of the configuration.
    changed: t.Callable[[], object] | None = None

    #: The prefix of :meth:`from_prefixed_env` where a call names none.
    env_prefix: t.ClassVar[str] = "ERLEN"

    def __init__(self, root_path: str | os.PathLike[str], defaults: dict[str, t.Any] | None = None) -> None:
        super().__init__(defaults or {})
        #: The folder that relative file names start from.
        self.root_path = root_path

    def _tell(self) -> None:
        if self.changed is not None:
            self.changed()

    def update(self, *args: t.Any, **kwargs: t.Any) -> None:
        """Set several keys, as :meth:`dict.update` does."""
        super().update(*args, **kwargs)
        self._tell()

    def __ior__(self, value: t.Any, /) -> t.Self:  # type: ignore[override, misc]
        super().update(value)
        self._tell()
        return self

    def from_envvar(self, variable_name: str, silent: bool = False) -> bool:
        """Load the Python file that an environment variable names; see :meth:`from_pyfile`.

        :param variable_name: the variable that holds the path.
        :param silent: whether to return ``False`` for an unset variable or a missing file.
        :return: whether a file was loaded.
        """
        path = os.environ.get(variable_name)
        if path:
            return self.from_pyfile(path, silent=silent)
        if silent:
            return False
        state = "not set" if path is None else "empty"
        raise RuntimeError(
            f"The environment variable {variable_name!r} is {state}, so no configuration was loaded. Set it to "
            f"the path of a Python file, or pass 'silent=True' if the file is optional."
        )

    def from_prefixed_env(
        self, prefix: str | None = None, *, loads: t.Callable[[str], t.Any] = json.loads
    ) -> bool:
        """Set keys from the environment variables that begin with a prefix and an underscore.

        ``ERLEN_MAIL__PORT=25`` sets ``config["MAIL"]["PORT"]``: two underscores go into a nested dict.

        :param prefix: the prefix, without its underscore; by default :attr:`env_prefix`.
        :param loads: makes a value of a variable's text; where it raises, the text itself is the value.
        :return: ``True``.
        """
        given = self.env_prefix if prefix is None else prefix
        # 'ERLEN' stands for all prefixes of the command line; what is set later wins.
        starts = [
            f"{one}_" for one in reversed(prefixes if given == prefixes[0] and prefix is None else [given])
        ]
        for start, variable in itertools.product(starts, sorted(os.environ)):
            if variable.startswith(start):
                text = os.environ[variable]
                try:
                    value = loads(text)
                except Exception:
                    value = text
                self._set_nested(variable, variable.removeprefix(start).split("__"), value)
        self._tell()
        return True

    def _set_nested(self, variable: str, path: list[str], value: t.Any) -> None:
        target: dict[str, t.Any] = self
        for depth, name in enumerate(path[:-1], start=1):
            found: t.Any = target.setdefault(name, {})
            if not isinstance(found, dict):
                parent = "__".join(path[:depth])
                raise TypeError(
                    f"The environment variable {variable!r} sets a key inside of {parent!r}, but {parent!r} is "
                    f"already the {type(found).__name__} {found!r}. Set {parent!r} to a dict, "
                    f"or drop one of the two variables."
                )
            target = t.cast("dict[str, t.Any]", found)
        target[path[-1]] = value

    def from_pyfile(self, filename: str | os.PathLike[str], silent: bool = False) -> bool:
        """Run a Python file and take its names in upper case.

        :param filename: the file, absolute or relative to :attr:`root_path`.
        :param silent: whether to return ``False`` for a missing file.
        :return: whether the file was loaded.
        :raises OSError: when the file cannot be read.
        """
        path = str(pathlib.Path(self.root_path, filename))
        module = ModuleType("config")
        module.__file__ = path
        try:
            source = pathlib.Path(path).read_bytes()
        except OSError as error:
            if silent and error.errno in _NO_PYTHON_FILE:
                return False
            raise _explained(error, path) from None
        exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102 (what this method is for)
        self.from_object(module)
        return True

    def from_object(self, obj: object | str) -> None:
        """Take the attributes in upper case of a module, a class or any object.

        A class is not called: for properties, pass an instance. A dict has no such attributes: use
        :meth:`from_mapping`.

        :param obj: the object, or the dotted name it is imported by.
        :raises ImportError: when nothing has that name.
        """
        if isinstance(obj, str):
            obj = import_string(obj)
        self.update({name: getattr(obj, name) for name in dir(obj) if name.isupper()})

    def from_file(
        self,
        filename: str | os.PathLike[str],
        load: Loader,
        silent: bool = False,
        text: bool = True,
    ) -> bool:
        """Read a file with a loader such as ``json.load``, or ``tomllib.load`` with ``text=False``.

        :param filename: the file, absolute or relative to :attr:`root_path`.
        :param load: makes a mapping of the open file; its names in upper case are taken.
        :param silent: whether to return ``False`` for a missing file.
        :param text: whether the file is opened as text (UTF-8 unless the loader decodes) or as bytes.
        :return: whether the file was loaded.
        :raises OSError: when the file cannot be read.
        :raises TypeError: when the loader returns anything but a mapping.
        """
        path = str(pathlib.Path(self.root_path, filename))
        try:
            # The platform's encoding would make a file mean different things on different machines.
            with pathlib.Path(path).open("r" if text else "rb", encoding="utf-8" if text else None) as file:
                settings: t.Any = load(file)
        except OSError as error:
            if silent and error.errno in _NO_FILE:
                return False
            raise _explained(error, path) from None
        if not isinstance(settings, t.Mapping):
            raise TypeError(
                f"The loader {load!r} made a {type(settings).__name__} of {path!r}, and a configuration is a "
                f"mapping of names to values. Let the file hold one object or table at its top."
            )
        return self.from_mapping(t.cast("t.Mapping[str, t.Any]", settings))

    def from_mapping(self, mapping: t.Mapping[str, t.Any] | None = None, **kwargs: t.Any) -> bool:
        """Take the keys in upper case of a mapping and of the keyword arguments; others are left out.

        :param mapping: names and values.
        :return: ``True``.
        """
        settings = {**dict(mapping or {}), **kwargs}
        self.update({name: value for name, value in settings.items() if name.isupper()})
        return True

    def get_namespace(
        self, namespace: str, lowercase: bool = True, trim_namespace: bool = True
    ) -> dict[str, t.Any]:
        """Return the settings whose names begin with a prefix, for example as keyword arguments of a library.

        :param namespace: the prefix, such as ``"MAIL_"``.
        :param lowercase: whether the names are returned in lower case.
        :param trim_namespace: whether the prefix is cut off.
        """
        start = len(namespace) if trim_namespace else 0
        found = {name[start:]: value for name, value in self.items() if name.startswith(namespace)}
        return {name.lower(): value for name, value in found.items()} if lowercase else found

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {super().__repr__()}>"


def _explained(error: OSError, path: str) -> OSError:
    """Give an error of the file system, whose type callers rely on, a text that helps."""
    hint = "check its permissions"
    if error.errno in _NO_PYTHON_FILE:
        hint = "make the file, correct the path (relative ones start at the application's 'root_path', or in its "
        hint += (
            "instance folder with 'instance_relative_config=True'), or pass 'silent=True' if it is optional"
        )
    error.strerror = f"Cannot load the configuration file ({error.strerror}): {hint}"
    return error
