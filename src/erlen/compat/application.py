"""The class ``flask.Flask`` of a process with ``erlen.as_flask``."""

from __future__ import annotations

import abc
import inspect
import threading
import typing as t
import warnings

from jinja2 import Environment as BaseEnvironment

from ..app import Erlen
from ..blueprints import Blueprint
from ..profiles import STOCK
from .contexts import FlaskRequestContext
from .encoders import EncoderProvider, provider_with
from .finder import warn_removed
from .removed import JSONDecoder, JSONEncoder, get_env
from .styles import STYLED, accept_both, assigned, without_context

F = t.TypeVar("F", bound=t.Callable[..., t.Any])


class FlaskType(abc.ABCMeta):
    """The type of :class:`Flask`: an application made with ``Erlen(...)`` counts as an instance as well.

    Extensions ask ``isinstance(app, Flask)``, and an application on its way from Flask to Erlen uses them.
    """

    def __instancecheck__(cls, instance: t.Any) -> bool:
        return super().__instancecheck__(instance) or (cls.is_flask_itself() and isinstance(instance, Erlen))

    def __subclasscheck__(cls, subclass: type) -> bool:
        return super().__subclasscheck__(subclass) or (cls.is_flask_itself() and issubclass(subclass, Erlen))

    def is_flask_itself(cls) -> bool:
        """Return whether this is :class:`Flask`, and not a class derived from it."""
        return "profile_of_flask" in vars(cls)


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
        warn_removed(f"app.{self.name}", "2.3", f"app.config[{self.key!r}]")
        return app.config.get(self.key)

    def __set__(self, app: t.Any, value: t.Any) -> None:
        warn_removed(f"app.{self.name}", "2.3", f"app.config[{self.key!r}]")
        app.config[self.key] = value


class JSONClass:
    """``json_encoder`` or ``json_decoder``, the latter's counterpart: classes that were replaced by ``app.json``.

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
        return self.stock

    def __set__(self, app: t.Any, value: t.Any) -> None:
        warn_removed(f"app.{self.name}", "2.3", "app.json")
        app.json = provider_with(app, self.name.removeprefix("json_"), value)


class Flask(Erlen, metaclass=FlaskType):
    """An application with Flask 3.1's defaults, in both call styles, and with what Flask removed in 2.3 and 3.0.

    The arguments are those of :class:`erlen.Erlen`.
    """

    profile_of_flask = "flask"
    default_profile = "flask"
    default_config = STOCK["flask"]
    request_context_class = FlaskRequestContext

    env = property(lambda app: app._environment())
    preserve_context_on_exception = ConfigAlias("PRESERVE_CONTEXT_ON_EXCEPTION")
    propagate_exceptions = ConfigAlias("PROPAGATE_EXCEPTIONS")
    send_file_max_age_default = ConfigAlias("SEND_FILE_MAX_AGE_DEFAULT")
    session_cookie_name = ConfigAlias("SESSION_COOKIE_NAME")
    templates_auto_reload = ConfigAlias("TEMPLATES_AUTO_RELOAD")
    use_x_sendfile = ConfigAlias("USE_X_SENDFILE")
    json_encoder = JSONClass(JSONEncoder)
    json_decoder = JSONClass(JSONDecoder)

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        #: What :meth:`before_first_request` registered.
        self.before_first_request_funcs: list[t.Callable[[], t.Any]] = []
        # Held while these run: other requests wait until the first has called them.
        self._first_lock = threading.Lock()
        for name in ("json_encoder", "json_decoder"):
            # A subclass may have one as a class attribute.
            cls = inspect.getattr_static(type(self), name)
            if not isinstance(cls, JSONClass):
                self.json = provider_with(self, name.removeprefix("json_"), cls)

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        accept_both(cls, Flask.__mro__)

    def __setattr__(self, name: str, value: t.Any) -> None:
        super().__setattr__(name, assigned(value) if name in STYLED else value)

    def create_jinja_environment(self) -> BaseEnvironment:
        """Make :attr:`jinja_env`, with ``csp_nonce`` only where the configuration has a policy.

        Templates look whether that name is defined: Flask-Talisman has one as well.
        """
        environment = super().create_jinja_environment()
        policies = ("CONTENT_SECURITY_POLICY", "CONTENT_SECURITY_POLICY_REPORT_ONLY")
        if not any(self.config.get(key) for key in policies):
            environment.globals.pop("csp_nonce", None)
        return environment

    def _refuse_class(self, message: str) -> None:
        # In Flask only a request to it fails, and an application may have one that nobody asks for.
        warnings.warn(message, stacklevel=2)

    def _add_static_rule(self, static_host: str | None = None) -> None:
        super()._add_static_rule(static_host)
        view: t.Any = self.view_functions.get("static")
        if view is not None:
            # Extensions exempt views by this name: pgAdmin its static files of the protection against forged requests.
            view.__module__, view.__name__ = "flask.app", "<lambda>"

    def _environment(self) -> str:
        warn_removed("app.env", "2.3", "app.debug")
        return get_env()

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
            self.before_request_funcs.setdefault(None, []).insert(0, self._call_first)
        self.before_first_request_funcs.append(f)

    def _call_first(self) -> None:
        if self.before_first_request_funcs:
            with self._first_lock:
                while self.before_first_request_funcs:
                    self.ensure_sync(self.before_first_request_funcs[0])()
                    del self.before_first_request_funcs[0]


def _before_app_first_request(self: Blueprint, f: F) -> F:
    """Do what :meth:`Flask.before_first_request` does, for the application a blueprint is registered on."""
    warn_removed("blueprint.before_app_first_request", "2.3", "app.before_serving")
    self.record_once(lambda state: state.app._call_before_first(f))
    return f


for _name in STYLED:
    setattr(Flask, _name, without_context(getattr(Erlen, _name)))
# What the class has of its own is not what somebody replaced.
Flask.stock = {name: getattr(Flask, name) for name in Erlen.stock}
# The name by which extensions know the view, see above.
Blueprint.send_static_file.__module__ = "flask.blueprints"
# The one class of blueprints, whatever module it is taken from.
t.cast(t.Any, Blueprint).before_app_first_request = _before_app_first_request
