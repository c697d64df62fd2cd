"""The class ``flask.Flask`` of a process with ``erlen.as_flask``."""

from __future__ import annotations

import inspect
import threading
import typing as t
import warnings
from abc import ABCMeta
from contextlib import suppress

from ..app import Erlen
from ..blueprints import Blueprint
from ..json.provider import DefaultJSONProvider
from ..lazy import Lazy
from ..profiles import STOCK
from .contexts import FlaskAppContext, FlaskRequestContext
from .encoders import EncoderProvider, provider_with
from .finder import warn_removed
from .removed import JSONDecoder, JSONEncoder, get_env
from .styles import STYLED, accept_both, assigned, without_context

if t.TYPE_CHECKING:
    from jinja2 import Environment as BaseEnvironment

__all__ = ["Flask"]

F = t.TypeVar("F", bound=t.Callable[..., t.Any])


def _warn_of_setting(name: str, instead: str, stacklevel: int = 1) -> None:
    # Where warnings are errors, this is none: Flask takes any attribute.
    with suppress(DeprecationWarning):
        warn_removed(name, "2.3", instead, stacklevel + 1)


class ConfigAlias:
    """An attribute that was a key of the configuration until Flask 2.2.

    :param key: the key.
    """

    def __init__(self, key: str) -> None:
        self.key = key

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, app: t.Any, owner: type | None = None) -> t.Any:
        if app is None:
            return self
        try:
            warn_removed(f"app.{self.name}", "2.3", f"app.config[{self.key!r}]")
        except DeprecationWarning as warning:
            raise AttributeError(str(warning)) from warning
        return app.config.get(self.key)

    def __set__(self, app: t.Any, value: t.Any) -> None:
        _warn_of_setting(f"app.{self.name}", f"app.config[{self.key!r}]", stacklevel=3)
        app.config[self.key] = value


class JSONClass:
    """``json_encoder`` or ``json_decoder``: classes that were replaced by ``app.json``.

    :param stock: the class when none was assigned.
    """

    def __init__(self, stock: type) -> None:
        self.stock = stock

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, app: t.Any, owner: type | None = None) -> t.Any:
        provider = None if app is None else app.json
        if isinstance(provider, EncoderProvider):
            return getattr(provider, self.name.removeprefix("json_"))
        return self.stock if app is None else vars(app).get(self.name, self.stock)

    def __set__(self, app: t.Any, value: t.Any) -> None:
        _warn_of_setting(f"app.{self.name}", "app.json", stacklevel=3)
        # An application for several releases of Flask has a provider of its own as well, which is newer.
        if type(app.json) in {DefaultJSONProvider, EncoderProvider}:
            app.json = provider_with(app, self.name.removeprefix("json_"), value)
        else:
            vars(app)[self.name] = value


class Environment:
    """``app.env``, which Flask removed in 2.3; anything may be assigned to an attribute of that name."""

    def __get__(self, app: t.Any, owner: type | None = None) -> t.Any:
        if app is None:
            return self
        try:
            warn_removed("app.env", "2.3", "app.debug")
        except DeprecationWarning as warning:
            raise AttributeError(str(warning)) from warning
        return get_env()


class Flask(Erlen, metaclass=ABCMeta):
    """An application with Flask 3.1's defaults, in both call styles, and with what Flask removed in 2.3 and 3.0.

    The arguments are those of :class:`erlen.Erlen`. An application made with ``Erlen(...)`` counts as an instance: extensions
    ask for one, and an application on its way from Flask to Erlen uses them.
    """

    default_profile = "flask"
    default_config = STOCK["flask"]
    request_context_class = FlaskRequestContext

    #: The name of the environment, which Flask removed in 2.3.
    env = Environment()
    #: ``PRESERVE_CONTEXT_ON_EXCEPTION`` of the configuration.
    preserve_context_on_exception = ConfigAlias("PRESERVE_CONTEXT_ON_EXCEPTION")
    #: ``PROPAGATE_EXCEPTIONS`` of the configuration.
    propagate_exceptions = ConfigAlias("PROPAGATE_EXCEPTIONS")
    #: ``SEND_FILE_MAX_AGE_DEFAULT`` of the configuration.
    send_file_max_age_default = ConfigAlias("SEND_FILE_MAX_AGE_DEFAULT")
    #: ``SESSION_COOKIE_NAME`` of the configuration.
    session_cookie_name = ConfigAlias("SESSION_COOKIE_NAME")
    #: ``TEMPLATES_AUTO_RELOAD`` of the configuration.
    templates_auto_reload = ConfigAlias("TEMPLATES_AUTO_RELOAD")
    #: ``USE_X_SENDFILE`` of the configuration.
    use_x_sendfile = ConfigAlias("USE_X_SENDFILE")
    #: The class that ``dumps`` used until Flask 2.2; assign a provider to :attr:`json` instead.
    json_encoder = JSONClass(JSONEncoder)
    #: The class that ``loads`` used until Flask 2.2; assign a provider to :attr:`json` instead.
    json_decoder = JSONClass(JSONDecoder)
    _is_calling_first = False
    #: What :meth:`before_first_request` registered.
    before_first_request_funcs = Lazy[list[t.Callable[[], t.Any]]](lambda app: [])

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        accept_both(cls, Flask.__mro__)
        for name, stock in (("json_encoder", JSONEncoder), ("json_decoder", JSONDecoder)):
            given = inspect.getattr_static(cls, name)
            if not isinstance(given, JSONClass):
                _warn_of_setting(
                    f"{cls.__name__}.{name}", f"{cls.__name__}.json_provider_class", stacklevel=2
                )
                setattr(cls, name, described := JSONClass(given or stock))
                described.__set_name__(cls, name)
                if issubclass(DefaultJSONProvider, cls.json_provider_class) or issubclass(
                    cls.json_provider_class, EncoderProvider
                ):
                    settings = {name.removeprefix("json_"): given or stock}
                    cls.json_provider_class = type("EncoderProvider", (EncoderProvider,), settings)

    @classmethod
    def __subclasshook__(cls, subclass: type) -> bool:
        return True if cls is Flask and issubclass(subclass, Erlen) else NotImplemented

    def __setattr__(self, name: str, value: t.Any) -> None:
        super().__setattr__(name, assigned(value) if name in STYLED else value)

    def create_jinja_environment(self) -> BaseEnvironment:
        """Make the Jinja environment, with ``csp_nonce`` only where the configuration has a policy.

        Templates look whether that name is defined: Flask-Talisman has one as well.
        """
        environment = super().create_jinja_environment()
        policies = ("CONTENT_SECURITY_POLICY", "CONTENT_SECURITY_POLICY_REPORT_ONLY")
        if not any(self.config.get(key) for key in policies):
            environment.globals.pop("csp_nonce", None)
        return environment

    def _refuse_view(self, message: str) -> None:
        # In Flask only a request to it fails, and an application may have one that nobody asks for.
        warnings.warn(message, stacklevel=2)

    def _add_static_rule(self, static_host: str | None = None) -> None:
        super()._add_static_rule(static_host)
        view: t.Any = self.view_functions.get("static")
        if view is not None:
            # Extensions exempt views by this name: pgAdmin its static files of the protection against forged requests.
            view.__module__, view.__name__ = "flask.app", "<lambda>"

    def app_context(self) -> FlaskAppContext:
        """Return a context without a request of its own: ``with app.app_context(): ...``."""
        return FlaskAppContext(self)

    @property
    def got_first_request(self) -> bool:
        """Whether the application has begun to answer requests."""
        return self._got_first_request

    def before_first_request(self, f: F) -> F:
        """Call a function once, before the first request is handled; Flask removed this in 2.3.

        :param f: called without arguments, in the context of the request.
        """
        warn_removed("app.before_first_request", "2.3", "app.before_serving")
        self._call_before_first(f)
        return f

    def _call_before_first(self, f: t.Callable[[], t.Any]) -> None:
        self._check_setup_finished("before_first_request")
        if not self.before_first_request_funcs:
            # Held while these run: other requests wait until the first has called them. One of them may send a request.
            self._first_lock = threading.RLock()
            self.before_request_funcs.setdefault(None, []).insert(0, self._call_first)
        self.before_first_request_funcs.append(f)

    def _call_first(self) -> None:
        if self.before_first_request_funcs:
            with self._first_lock:
                if self._is_calling_first:
                    return
                self._is_calling_first = True
                try:
                    while self.before_first_request_funcs:
                        self.ensure_sync(self.before_first_request_funcs[0])()
                        # Not where it raises: the next request tries again.
                        del self.before_first_request_funcs[0]
                finally:
                    self._is_calling_first = False


def _before_app_first_request(self: Blueprint, f: F) -> F:
    """Do what ``Flask.before_first_request`` does, for the application a blueprint is registered on."""
    warn_removed("blueprint.before_app_first_request", "2.3", "app.before_serving")
    self.record_once(lambda state: _call_before_first(state.app, f))
    return f


def _call_before_first(app: t.Any, f: t.Callable[[], t.Any]) -> None:
    if not hasattr(app, "_call_before_first"):
        raise TypeError(
            f"A blueprint or an extension registers {f!r} with 'before_app_first_request', which {app!r} has not: Flask removed "
            f"it in 2.3, and only 'flask.Flask' of 'erlen.as_flask' still has it. Make the application with 'Flask(...)', or "
            f"register the function with 'app.before_serving'."
        )
    app._call_before_first(f)


for _name in STYLED:
    setattr(Flask, _name, without_context(getattr(Erlen, _name)))
# What the class has of its own is not what somebody replaced.
Flask.stock = {name: getattr(Flask, name) for name in Erlen.stock}
# The name by which extensions know the view, see above.
Blueprint.send_static_file.__module__ = "flask.blueprints"
# The one class of blueprints, whatever module it is taken from.
t.cast(t.Any, Blueprint).before_app_first_request = _before_app_first_request
