"""The plugin for pytest. Every run of pytest imports this module, wherever Erlen is installed, so it loads nothing yet.

What is here for everybody are the options, the marker, and the decision which fixtures are registered. The fixtures
themselves are in ``fixtures``, and what they do in ``provided``, which loads Erlen when a test asks for it.
"""

from __future__ import annotations

import typing as t
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

_CHOICES = {"erlen_fixtures": ("auto", "always", "never"), "erlen_interface": ("auto", "wsgi", "asgi")}

_MARK = "_pytestfixturefunction"

# Why fixtures were left out, for the header.
_left_out = pytest.StashKey[dict[str, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the configuration file."""
    parser.addini(
        "erlen_app",
        "The application of the fixture 'app', for example \"shop:create_app('test')\". Without it ERLEN_APP, 'wsgi.py' and"
        " 'app.py' are looked at.",
        default="",
    )
    parser.addini(
        "erlen_fixtures",
        "Which fixtures of Erlen's are there: 'auto', those whose name no other plugin has; 'always', all; 'never', none.",
        default="auto",
    )
    parser.addini(
        "erlen_interface",
        "What the fixture 'live_server' speaks: 'wsgi', 'asgi', or 'auto' for what the application is better served over.",
        default="auto",
    )
    parser.addini(
        "erlen_check_contexts",
        "Fail a test that leaves a context pushed.",
        type="bool",
        default=False,
    )


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the marker and, after all other plugins, the fixtures."""
    config.addinivalue_line(
        "markers",
        "erlen_config(**values): set values in the configuration of the fixture 'app' for one test, before anything else uses"
        " the application: @pytest.mark.erlen_config(PROPAGATE_EXCEPTIONS=False).",
    )
    for name, choices in _CHOICES.items():
        if config.getini(name) not in choices:
            raise pytest.UsageError(
                f"{name} = {config.getini(name)!r} in the configuration of pytest is not one of {', '.join(choices)}."
            )
    wanted: str = config.getini("erlen_fixtures")
    if wanted != "never":
        _register_fixtures(config, {} if wanted == "always" else _fixtures_of_others(config))
    if config.getini("erlen_check_contexts"):
        # Start-up cost: only who asks for it.
        from .checks import ContextCheck

        config.pluginmanager.register(ContextCheck(), "erlen-contexts")


def _register_fixtures(config: pytest.Config, taken: dict[str, str]) -> None:
    # Start-up cost: not where no fixture is wanted.
    from . import fixtures

    chosen: t.Any = ModuleType("erlen.testing.chosen", fixtures.__doc__)
    for name in (*fixtures.NAMES, *fixtures.HELPERS):
        if name not in taken:
            setattr(chosen, name, getattr(fixtures, name))
    config.stash[_left_out] = {name: taken[name] for name in fixtures.NAMES if name in taken}
    config.pluginmanager.register(chosen, "erlen-fixtures")


def _fixtures_of_others(config: pytest.Config) -> dict[str, str]:
    """Return the fixtures of plugins, with the name of each plugin; those of a conftest.py are nearer than any plugin's."""
    # Start-up cost: as above.
    from . import fixtures

    found: dict[str, str] = {}
    kind = t.cast(type, type(fixtures.app))
    for plugin_name, plugin in config.pluginmanager.list_name_plugin():
        if plugin is None or Path(getattr(plugin, "__file__", None) or "").name == "conftest.py":
            continue
        # Not by 'getattr', which may load something.
        namespace = vars(plugin) if isinstance(plugin, ModuleType) else vars(type(plugin))
        for attribute, value in list(namespace.items()):
            # Before pytest 8.4 a fixture was a function with a mark.
            if type(value) is kind and (kind is not FunctionType or _MARK in vars(value)):
                name = getattr(vars(value).get(_MARK, value), "name", None) or attribute
                found[name] = plugin_name
    return found


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say with ``-v`` which fixtures are not Erlen's."""
    left_out = config.stash.get(_left_out, {})
    if not left_out or config.get_verbosity() < 1:
        return None
    names = ", ".join(f"{name!r} of {plugin!r}" for name, plugin in left_out.items())
    return f"erlen: fixtures of other plugins: {names}; Erlen's with 'erlen_fixtures = always'"
