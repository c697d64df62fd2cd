"""Answer imports of ``flask`` with Erlen's modules.

:func:`install` puts one finder in front of :data:`sys.meta_path`. It answers for ``flask`` and everything below it;
``flask.app`` *is* the module ``erlen.app`` then, so that what an extension replaces in one is replaced in the other.
Nothing is loaded before it is asked for: gevent and others patch the standard library first.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

from . import names

# As typing's constant of that name; typing itself would be loaded for it.
TYPE_CHECKING = False

if TYPE_CHECKING:
    import typing as t
    from importlib.metadata import Distribution, DistributionFinder

IMPORTED_BEFORE = """\
Flask was imported before 'erlen.as_flask' ({file}), and what has imported names from it keeps them. Import \
'erlen.as_flask' before anything that imports flask: as the first line of the program, or for the whole process with \
'python -m erlen.as_flask app.py', 'python -m erlen.as_flask -m pytest', or ERLEN_AS_FLASK=1 in the environment."""

NO_MODULE = """\
Erlen has no module for {name!r}. {reason} If an extension needs it that works on Flask {version}, please report it."""


class Finder:
    """The finder of ``flask`` and its submodules (PEP 451), and of the distribution 'Flask'."""

    def find_spec(
        self, fullname: str, path: t.Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module of Flask, ``None`` for others.

        :param fullname: the dotted name.
        :param path: ignored, as is ``target``.
        :raises ModuleNotFoundError: for a module that Erlen has no counterpart of. Other finders are not asked: they
            would load the real Flask's, or a copy of Erlen's.
        """
        if fullname.partition(".")[0] != "flask":
            return None
        if fullname == "flask" or fullname in names.MADE_UP:
            made_up: t.Any = MadeUp()
            return ModuleSpec(fullname, made_up, is_package=fullname in {"flask", "flask.sansio"})
        own = own_name(fullname)
        # Nothing is imported here: the lock of the import system is held. The package of Erlen has been loaded as Flask's.
        found = PathFinder.find_spec(own, sys.modules[own.rpartition(".")[0]].__path__)
        if found is None:
            raise ModuleNotFoundError(_no_module(fullname), name=fullname)
        loader: t.Any = Alias(found)
        spec = ModuleSpec(
            fullname,
            loader,
            origin=found.origin,
            is_package=found.submodule_search_locations is not None,
        )
        spec.has_location = found.has_location
        return spec

    def find_distributions(self, context: DistributionFinder.Context) -> t.Iterable[Distribution]:
        """Return the distribution that says which Flask this is, for those who ask for its version.

        :param context: whose name is asked for.
        """
        # Only who asks for the version: pip and others who list what is installed have to see what is.
        if (context.name or "").lower() != "flask" or "path" in vars(context):
            return []
        # Slow, and whoever asks has loaded what it needs.
        from .distribution import FlaskDistribution

        return [FlaskDistribution()]


class Alias:
    """The loader that hands out a module of Erlen under Flask's name.

    :param found: the spec of Erlen's module.
    """

    def __init__(self, found: ModuleSpec) -> None:
        self.found = found

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module of Erlen."""
        # Slow.
        from importlib import import_module

        if spec.name in names.REMOVED_MODULES:
            _warn_of_module(spec.name)
        self.module = import_module(self.found.name)
        # The import that is going on is about to replace it.
        self.own_spec = self.module.__spec__
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module back its own spec, and the names that only Flask has."""
        spec = module.__spec__
        module.__spec__ = self.own_spec
        if spec is not None:
            add_names(module, spec.name)

    def get_code(self, fullname: str) -> t.Any:
        """Return the code of the module, for ``python -m``."""
        loader: t.Any = self.found.loader
        return loader.get_code(self.found.name)


class MadeUp:
    """The loader of modules that consist of names from elsewhere: ``flask`` itself."""

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to the import system to make one.

        What it consists of is loaded here, before another thread finds the module half made.
        """
        if spec.name in names.REMOVED_MODULES:
            _warn_of_module(spec.name)
        if spec.name == "flask":
            _import("erlen.public")
            _import("erlen.compat.application")
            for name in names.LOADED:
                _import(own_name(f"flask.{name}"))

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module."""
        if module.__name__ == "flask":
            public = _import("erlen.public")
            module.__file__ = sys.modules["erlen"].__file__
            module.__doc__ = public.__doc__
            vars(module).update({name: getattr(public, name) for name in public.__all__ if name != "Erlen"})
            _register_submodules(module)
        add_names(module, module.__name__)
        if module.__name__ == "flask":
            # 'from flask import *' takes what the module has by now.
            module.Flask = resolve("erlen.compat.application:Flask")  # type: ignore[attr-defined]

    def get_code(self, fullname: str) -> None:
        """Return no code: there is none of its own."""


def _register_submodules(flask: ModuleType) -> None:
    """Let Flask's modules be there with ``flask``, as attributes of it as well: they have been loaded under Erlen's names.

    Without the import system: it locks each module, and another thread that imports one waits for this one to end.
    """
    # Slow.
    from importlib.util import module_from_spec

    spec = Finder().find_spec("flask.sansio")
    assert spec is not None
    modules = {"flask.sansio": module_from_spec(spec)}
    modules |= {f"flask.{name}": sys.modules[own_name(f"flask.{name}")] for name in names.LOADED}
    for name, module in modules.items():
        sys.modules[name] = module
        add_names(module, name)
        owner, _, attribute = name.rpartition(".")
        if owner == "flask" or owner in names.MADE_UP:
            setattr(flask if owner == "flask" else modules[owner], attribute, module)


def _import(name: str) -> ModuleType:
    # Slow.
    from importlib import import_module

    return import_module(name)


def own_name(fullname: str) -> str:
    """Return the name of Erlen's module for one of Flask.

    :param fullname: the dotted name that begins with ``flask``.
    """
    return names.MODULES.get(fullname) or "erlen" + fullname[len("flask") :]


def add_names(module: ModuleType, fullname: str) -> None:
    """Let a module answer for the names that the table has for it.

    :param module: Erlen's module, or one that is made up.
    :param fullname: Flask's name for it. Another may stand for the same module: their names are all there then.
    """
    own = fullname if fullname == "flask" or fullname in names.MADE_UP else own_name(fullname)
    rows = {
        row.name: row
        for row in names.NAMES
        if row.module == fullname or own_name(row.module) == own != "erlen"
    }
    # Of a package that loads its names when one is asked for.
    own_getattr: t.Any = vars(module).get("__getattr__")
    own_dir: t.Any = vars(module).get("__dir__")

    def __getattr__(name: str) -> t.Any:  # noqa: N807 (what it becomes in the module: PEP 562)
        row = rows.get(name)
        if row is None:
            if own_getattr is not None:
                return own_getattr(name)
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")
        value = resolve(row.stands_for)
        if row.removed:
            try:
                warn_removed(f"{row.module}.{name}", row.removed, row.instead)
            except DeprecationWarning as warning:
                # Where warnings are errors, the name is as gone as in Flask: code that tries the new one first goes on.
                raise AttributeError(str(warning)) from warning
        else:
            setattr(module, name, value)
        return value

    def __dir__() -> list[str]:  # noqa: N807 (as above)
        own = vars(module) if own_dir is None else own_dir()
        return sorted({*own, *(name for name, row in rows.items() if not row.removed)})

    if rows:
        vars(module).update(__getattr__=__getattr__, __dir__=__dir__)


def resolve(stands_for: str) -> t.Any:
    """Return what a row of the table stands for.

    :param stands_for: ``module:attribute``, or ``module:`` for the module.
    """
    module_name, _, attribute = stands_for.partition(":")
    module = _import(module_name)
    return getattr(module, attribute) if attribute else module


def warn_removed(name: str, removed: str, instead: str, stacklevel: int = 1) -> None:
    """Warn that Flask has removed a name, at the line of the user's code.

    :param name: what is used, as users write it.
    :param removed: the release of Flask that removed it.
    :param instead: what to write instead.
    :param stacklevel: how many functions lie between this call and the user's code: 1 when the user called the function
        that calls this one. Those of the import system do not count.
    """
    # Slow.
    import warnings

    warnings.warn(
        f"{name!r} was removed in Flask {removed}; 'erlen.as_flask' still has it. Use {instead!r} instead.",
        DeprecationWarning,
        stacklevel=stacklevel + 2,
    )


def _warn_of_module(name: str) -> None:
    removed, instead = names.REMOVED_MODULES[name]
    warn_removed(name, removed, instead, stacklevel=2)


def _no_module(fullname: str) -> str:
    if fullname.startswith("flask.ext"):
        reason = "Flask 1.0 removed 'flask.ext': import the extension under its own name, for example 'flask_login'."
    else:
        reason = f"Flask {names.VERSION} has no such module, or a private one."
    return NO_MODULE.format(name=fullname, reason=reason, version=names.VERSION)


def is_installed() -> bool:
    """Return whether ``import flask`` is answered by Erlen in this process."""
    return any(isinstance(finder, Finder) for finder in sys.meta_path)


def install() -> None:
    """Answer ``import flask`` with Erlen from now on; a second call does nothing.

    :raises ImportError: when the real Flask was imported before.
    """
    if is_installed():
        return
    flask = sys.modules.get("flask")
    if flask is not None:
        file = getattr(flask, "__file__", None) or "no file"
        raise ImportError(IMPORTED_BEFORE.format(file=file), name="flask")
    # Here, as it is all that has to be known of Erlen's other modules: the variables with Flask's prefix count now.
    from ..variables import prefixes

    if "FLASK" not in prefixes:
        prefixes.append("FLASK")
    finder: t.Any = Finder()
    sys.meta_path.insert(0, finder)
