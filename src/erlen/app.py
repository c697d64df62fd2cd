"""The application object: registration, dispatch and life cycle, composed."""

from __future__ import annotations

import os
import sys
import typing as t
import weakref
from datetime import timedelta

from werkzeug.exceptions import Aborter
from werkzeug.local import LocalProxy
from werkzeug.routing import BuildError
from werkzeug.wrappers import Response as BaseResponse

from . import templating, urls
from .config import Config, ConfigAttribute
from .ctx import AppContext, RequestContext, _AppCtxGlobals, context_var, current_request_context
from .engines import TemplateEngine
from .helpers import get_debug_flag, get_flashed_messages, get_load_dotenv
from .json.provider import DefaultJSONProvider, JSONProvider
from .lazy import Lazy, class_default, kept_default
from .lifecycle import LifeCycle
from .logging import create_logger, printable
from .marks import mark_as_coroutine_function, mark_instance
from .paths import default_instance_path
from .pipeline.bridge import Threads
from .pipeline.dispatch import Dispatch
from .pipeline.safety import nonce_of
from .pipeline.steps import OVERRIDABLE
from .profiles import STOCK, defaults_of
from .protocols.asgi import ASGI
from .registration import Registration
from .variables import get_variable
from .wrappers import Request, Response

if t.TYPE_CHECKING:
    import logging
    from types import TracebackType

    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from jinja2 import Environment as BaseEnvironment

    from .sessions import SessionInterface
    from .testing import AsyncErlenClient, ErlenClient, ErlenCliRunner
    from .typing import Receive, Scope, Send

__all__ = ["Erlen"]


def _as_timedelta(value: timedelta | int) -> timedelta:
    return value if isinstance(value, timedelta) else timedelta(seconds=value)


def _absolute(instance_path: str | None) -> str | None:
    if instance_path is not None and not os.path.isabs(instance_path):
        raise ValueError(
            f"instance_path={instance_path!r} is relative, and depends on where the process was started. Pass an "
            f"absolute path: os.path.abspath({instance_path!r})."
        )
    return instance_path


def _stock_session_interface() -> SessionInterface:
    # Slow to load, with what signs cookies, and not every application has sessions.
    from .sessions import stock_interface

    return stock_interface


class Erlen(LifeCycle, Registration, Dispatch, ASGI):
    """A web application: its views, hooks, configuration and templates, and what WSGI and ASGI servers call.

    .. code-block:: python

        from erlen import Erlen

        app = Erlen(__name__)


        @app.get("/")
        def index():
            return "Hello"

    :param import_name: the module or package the application is defined in, usually ``__name__``. Templates, static
        files and the instance folder are found beside it.
    :param static_url_path: URL prefix of the static files; by default the name of their folder.
    :param static_folder: folder of static files, relative to the root path; ``None`` for none.
    :param static_host: the host of the static route; needed with ``host_matching``.
    :param host_matching: match rules by ``host`` instead of ``subdomain``.
    :param subdomain_matching: match the subdomain below ``SERVER_NAME``.
    :param template_folder: folder of templates, relative to the root path; ``None`` for none.
    :param instance_path: absolute path of the folder for files of this deployment; found when not given.
    :param instance_relative_config: whether the configuration's relative file names start in that folder.
    :param root_path: folder that others are relative to; by default where ``import_name`` lives.
    :param profile: ``"safe"`` or ``"flask"``: the defaults of the configuration. See ``erlen.profiles``.
    """

    #: The profile of an application that is not given one.
    default_profile: t.ClassVar[str] = "safe"
    #: The configuration an application starts with; with a ``profile`` argument, that profile's.
    default_config: t.Mapping[str, t.Any] = STOCK["safe"]

    #: What :data:`erlen.request` stands for is an object of this class, :class:`erlen.Request` or a subclass.
    request_class: type[Request] = Request
    #: What the return value of a view is made into, :class:`erlen.Response` or a subclass.
    response_class: type[Response] = Response
    #: What :meth:`request_context` makes, :class:`erlen.ctx.RequestContext` or a subclass.
    request_context_class: type[RequestContext] = RequestContext
    #: What opens and saves sessions.
    session_interface: SessionInterface = kept_default(_stock_session_interface)
    #: What :attr:`json` is made of when it is first used.
    json_provider_class: type[JSONProvider] = DefaultJSONProvider
    #: What :meth:`make_config` makes, :class:`erlen.Config` or a subclass.
    config_class: type[Config] = Config
    #: The class of :attr:`aborter`, Werkzeug's ``Aborter`` or a subclass.
    aborter_class: type[Aborter] = Aborter
    #: What :data:`erlen.g` stands for is an object of this class; a subclass may begin with attributes of its own.
    app_ctx_globals_class: type[t.Any] = _AppCtxGlobals
    #: The class of test clients, ``None`` for :class:`erlen.testing.ErlenClient`.
    test_client_class: type[ErlenClient] | None = None
    #: The class of async test clients, ``None`` for :class:`erlen.testing.AsyncErlenClient`.
    async_test_client_class: type[AsyncErlenClient] | None = None
    #: The class of CLI runners, ``None`` for :class:`erlen.testing.ErlenCliRunner`.
    test_cli_runner_class: type[ErlenCliRunner] | None = None

    #: The class of :attr:`jinja_env`, by default :class:`erlen.templating.Environment`.
    jinja_environment: type[BaseEnvironment] = class_default(lambda: templating.Environment)
    #: Options for :attr:`jinja_environment`, read when the environment is made.
    jinja_options: dict[str, t.Any] = {}
    #: What renders templates. Replace it, on a subclass or an instance, to use another engine than Jinja2.
    template_engine_class: type[TemplateEngine] = class_default(lambda: templating.JinjaEngine)

    #: Whether tests use the application: ``TESTING`` of the configuration.
    testing = ConfigAttribute[bool]("TESTING")
    #: What sessions are signed with: ``SECRET_KEY`` of the configuration.
    secret_key = ConfigAttribute["str | bytes | None"]("SECRET_KEY")
    #: How long a permanent session lasts: ``PERMANENT_SESSION_LIFETIME`` of the configuration, as a ``timedelta``.
    permanent_session_lifetime = ConfigAttribute[t.Any](
        "PERMANENT_SESSION_LIFETIME", get_converter=_as_timedelta
    )

    def __init__(
        self,
        import_name: str,
        static_url_path: str | None = None,
        static_folder: str | os.PathLike[str] | None = "static",
        static_host: str | None = None,
        host_matching: bool = False,
        subdomain_matching: bool = False,
        template_folder: str | os.PathLike[str] | None = "templates",
        instance_path: str | None = None,
        instance_relative_config: bool = False,
        root_path: str | None = None,
        *,
        profile: str | None = None,
    ) -> None:
        Dispatch.__init__(self)
        LifeCycle.__init__(self)
        Registration.__init__(
            self,
            import_name,
            static_folder,
            static_url_path,
            template_folder,
            root_path,
            host_matching=host_matching,
            subdomain_matching=subdomain_matching,
        )
        #: The absolute path of the folder for files of this deployment. It need not exist.
        self.instance_path = _absolute(instance_path) or self.auto_find_instance_path()
        #: The name of the profile, ``"safe"`` or ``"flask"``.
        self.profile = profile or self.default_profile
        self._profile_is_given = profile is not None
        #: The configuration, a :class:`erlen.Config`: a dict with methods that fill it.
        self.config = self.make_config(instance_relative_config)
        #: What ``erlen.abort`` calls.
        self.aborter = self.make_aborter()
        #: What reads and writes JSON, a :attr:`json_provider_class`; assignable.
        self.json: JSONProvider = self.json_provider_class(self)
        #: What extensions keep for this application, by the name of the extension.
        self.extensions: dict[str, t.Any] = {}
        self._add_static_rule(static_host)
        mark_instance(self, Erlen)

    def __setattr__(self, name: str, value: t.Any) -> None:
        object.__setattr__(self, name, value)
        if name in _FROZEN_FROM:
            self._thaw()
            if name == "config":
                self._listen_to_config()

    def _listen_to_config(self) -> None:
        owner = weakref.ref(self)

        def changed() -> None:
            app = owner()
            if app is None:
                return
            # The lock: a plan that is being made may have read the old value already.
            with app._plan_lock:
                if app.plan is not None and app.plan.is_outdated():
                    app._thaw()

        self.config.changed = changed

    # What an application is made of

    def _make_name(self) -> str:
        """Return the import name, or the file's name when that is ``__main__``."""
        if self.import_name != "__main__":
            return self.import_name
        file = getattr(sys.modules["__main__"], "__file__", None)
        return "__main__" if file is None else os.path.splitext(os.path.basename(file))[0]

    #: The name in logs and messages: the import name, or the file's when that is ``__main__``.
    name: Lazy[str] = Lazy(_make_name)

    def _make_logger(self) -> logging.Logger:
        """Return the logger named like this application; see ``erlen.logging``."""
        return create_logger(self)

    #: The logger, named like the application.
    logger = Lazy(_make_logger)

    def _make_jinja_env(self) -> BaseEnvironment:
        """Make the Jinja environment."""
        return self.create_jinja_environment()

    #: The Jinja environment, made when first used.
    jinja_env = Lazy(_make_jinja_env)

    def _make_template_engine(self) -> TemplateEngine:
        """Make the engine behind ``render_template``."""
        return self.template_engine_class(self)

    #: The engine behind ``render_template``, a :attr:`template_engine_class`, made when first used; assignable.
    template_engine = Lazy(_make_template_engine)

    def _make_threads(self) -> Threads:
        """Make the worker threads, ``THREAD_POOL_SIZE`` of them at most."""
        return Threads(self.config["THREAD_POOL_SIZE"])

    #: The threads on which ASGI runs plain views and hooks.
    threads = Lazy(_make_threads)

    @property
    def debug(self) -> bool:
        """Whether debug mode is on: ``DEBUG`` of the configuration."""
        debug: bool = self.config["DEBUG"]
        return debug

    @debug.setter
    def debug(self, value: bool) -> None:
        self.config["DEBUG"] = value
        if self.config["TEMPLATES_AUTO_RELOAD"] is None and "jinja_env" in vars(self):
            self.jinja_env.auto_reload = value

    def make_config(self, instance_relative: bool = False) -> Config:
        """Return the configuration the application starts with.

        :param instance_relative: whether relative file names start in the instance folder.
        """
        root_path = self.instance_path if instance_relative else self.root_path
        given = self._profile_is_given or any(type(self).default_config is stock for stock in STOCK.values())
        defaults = defaults_of(self.profile) if given else dict(type(self).default_config)
        defaults["DEBUG"] = get_debug_flag()
        return self.config_class(root_path, defaults)

    def make_aborter(self) -> Aborter:
        """Return the object behind ``erlen.abort``, an :attr:`aborter_class`."""
        return self.aborter_class()

    def auto_find_instance_path(self) -> str:
        """Return where the instance folder is when no ``instance_path`` was given."""
        return default_instance_path(self.import_name)

    def open_instance_resource(
        self, resource: str, mode: str = "rb", encoding: str | None = "utf-8"
    ) -> t.IO[t.Any]:
        """Open a file of the instance folder, for reading or writing.

        :param resource: the path, relative to the instance folder.
        :param mode: as for :func:`open`.
        :param encoding: of text modes.
        """
        path = os.path.join(self.instance_path, resource)
        return open(path, mode, encoding=None if "b" in mode else encoding)

    # Templates

    def create_jinja_environment(self) -> BaseEnvironment:
        """Make :attr:`jinja_env`; override it to change what Jinja offers to templates."""
        more = {"get_flashed_messages": get_flashed_messages, "csp_nonce": _csp_nonce}
        return templating.create_jinja_environment(self, more)

    def create_global_jinja_loader(self) -> templating.DispatchingJinjaLoader:
        """Make the loader that looks through the application's and the blueprints' template folders."""
        return templating.DispatchingJinjaLoader(self)

    def select_jinja_autoescape(self, filename: str | None) -> bool:
        """Return whether a template is autoescaped: HTML, XML, SVG, and those without a file.

        :param filename: the template's name, ``None`` for a string.
        """
        return templating.select_jinja_autoescape(filename)

    def update_template_context(self, context: dict[str, t.Any]) -> None:
        """Add what the context processors return to a template's context; values of the view win.

        :param context: the context, changed in place.
        """
        templating.update_template_context(self, context)

    # URLs

    def url_for(
        self,
        /,
        endpoint: str,
        *,
        _anchor: str | None = None,
        _method: str | None = None,
        _scheme: str | None = None,
        _external: bool | None = None,
        **values: t.Any,
    ) -> str:
        """Return the URL of an endpoint.

        :param endpoint: its name; with a leading dot, relative to the blueprint of the request.
        :param _anchor: the fragment.
        :param _method: the method the rule has to answer.
        :param _scheme: the scheme, for an external URL.
        :param _external: whether scheme and host are in it; by default only without a request.
        :param values: values of the rule's variables; others become the query.
        :raises werkzeug.routing.BuildError: where no rule fits and no handler helps.
        """
        return urls.url_for(self, endpoint, values, _anchor, _method, _scheme, _external)

    def inject_url_defaults(self, endpoint: str, values: dict[str, t.Any]) -> None:
        """Let the functions of ``url_defaults`` add to the values of a URL.

        :param endpoint: the endpoint.
        :param values: its values, changed in place.
        """
        urls.inject_url_defaults(self, endpoint, values)

    def handle_url_build_error(self, error: BuildError, endpoint: str, values: dict[str, t.Any]) -> str:
        """Ask the ``url_build_error_handlers`` for a URL that could not be built.

        :param error: what building raised; it is raised again when no handler has a URL.
        :param endpoint: the endpoint.
        :param values: its values.
        """
        return urls.handle_url_build_error(self, error, endpoint, values)

    def redirect(self, location: str, code: int = 302) -> BaseResponse:
        """Make a response that leads to another URL, of :attr:`response_class`; :func:`erlen.redirect` calls this.

        :param location: the URL to go to.
        :param code: the status, 301, 302, 303, 307 or 308.
        """
        return t.cast(BaseResponse, urls.redirect(location, code, self.response_class))

    # Errors

    # Here, as the line names the file that logs it, and who reads or filters logs knows it from Flask as 'app'.
    def log_exception(
        self,
        exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None],
    ) -> None:
        """Log an exception with the method and the path of the request.

        :param exc_info: as :func:`sys.exc_info` returns it.
        """
        request = context_var.get().request
        self.logger.error(
            "Exception on %s [%s]", printable(request.path), printable(request.method), exc_info=exc_info
        )

    # Contexts

    def app_context(self) -> AppContext:
        """Return a context without a request: ``with app.app_context(): ...``."""
        return AppContext(self)

    def request_context(self, environ: WSGIEnvironment) -> RequestContext:
        """Make the context of a request, a :attr:`request_context_class`, without making it the active one.

        :param environ: the WSGI environment (PEP 3333).
        """
        return self.request_context_class(self, environ, None, None)

    def test_request_context(self, *args: t.Any, **kwargs: t.Any) -> RequestContext:
        """Return the context of a request made up for a test or a shell; no hook and no view runs.

        :param args: as for :class:`erlen.testing.EnvironBuilder` without ``app``, so is ``kwargs``.
        """
        # Slow to load, and servers do without.
        from .testing import EnvironBuilder

        builder = EnvironBuilder(self, *args, **kwargs)
        try:
            return self.request_context(builder.get_environ())
        finally:
            builder.close()

    # Serving and testing

    @t.overload
    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse, /) -> t.Iterable[bytes]: ...
    @t.overload
    def __call__(self, scope: Scope, receive: Receive, send: Send, /) -> t.Awaitable[None]: ...
    def __call__(self, environ: t.Any, start_response: t.Any, send: t.Any = None) -> t.Any:
        """Answer what a server hands on: over WSGI with two arguments, over ASGI with three.

        Middleware around :attr:`wsgi_app` and :attr:`asgi` is included.
        """
        if send is None:
            return self.wsgi_app(environ, start_response)
        return self.asgi(environ, start_response, send)

    def run(
        self,
        host: str | None = None,
        port: int | None = None,
        debug: bool | None = None,
        load_dotenv: bool = True,
        **options: t.Any,
    ) -> None:
        """Serve the application for development; production needs a server made for it.

        :param host: the address, by default that of ``SERVER_NAME`` or 127.0.0.1.
        :param port: the port, by default that of ``SERVER_NAME`` or 5000.
        :param debug: switches debug mode, with the reloader and the debugger.
        :param load_dotenv: whether ``.env`` and ``.erlenenv`` are read.
        :param options: as for :func:`werkzeug.serving.run_simple`. With WebSockets or async functions the application is
            served over ASGI, as by ``erlen run``, where uvicorn is installed.
        """
        if get_variable("RUN_FROM_CLI") == "true":
            # The command imports the module that calls this; it serves the application itself.
            return
        # Slow to load, and servers do without.
        from . import cli

        if get_load_dotenv(load_dotenv):
            cli.load_dotenv()
            if get_variable("DEBUG") is not None:
                self.debug = get_debug_flag()
        if debug is not None:
            self.debug = bool(debug)
        name, _, number = (self.config["SERVER_NAME"] or "").partition(":")
        port = port if port is not None else int(number or 5000)
        for option in ("use_reloader", "use_debugger"):
            options.setdefault(option, self.debug)
        options.setdefault("threaded", True)
        try:
            cli.serving.run_in_code(self, host or name or "127.0.0.1", port, options)
        finally:
            # A session of an interactive interpreter may go on and register more.
            vars(self)["_got_first_request"] = False

    def test_client(self, use_cookies: bool = True, **kwargs: t.Any) -> ErlenClient:
        """Return a client that sends requests to this application without a server.

        :param use_cookies: whether it keeps cookies.
        :param kwargs: for :attr:`test_client_class`.
        """
        # Slow to load, and servers do without, as do they below.
        from .testing import ErlenClient

        cls = self.test_client_class or ErlenClient
        return cls(self, self.response_class, use_cookies=use_cookies, **kwargs)

    def async_test_client(self, use_cookies: bool = True, **kwargs: t.Any) -> AsyncErlenClient:
        """Return a client for async tests: the calls of :meth:`test_client`, awaited, over ASGI.

        :param use_cookies: whether it keeps cookies.
        :param kwargs: for :attr:`async_test_client_class`.

        .. versionadded:: 0.1
        """
        # As above.
        from .testing import AsyncErlenClient

        cls = self.async_test_client_class or AsyncErlenClient
        return cls(self, self.response_class, use_cookies=use_cookies, **kwargs)

    def test_cli_runner(self, **kwargs: t.Any) -> ErlenCliRunner:
        """Return a runner that calls this application's commands in a test.

        :param kwargs: for :attr:`test_cli_runner_class`.
        """
        # As above.
        from .testing import ErlenCliRunner

        cls = self.test_cli_runner_class or ErlenCliRunner
        return cls(self, **kwargs)

    def make_shell_context(self) -> dict[str, t.Any]:
        """Return the names of the interactive shell: the application, ``g``, and those registered for it."""
        names: dict[str, t.Any] = {"app": self, "g": LocalProxy(context_var, "g")}
        for processor in self.shell_context_processors:
            names.update(processor())
        return names


# Assigning one of these on an instance makes the next request decide anew (see ``pipeline/steps.py``).
_FROZEN_FROM = frozenset(
    {
        *OVERRIDABLE,
        "after_request_funcs",
        "async_to_sync",
        "before_request_funcs",
        "config",
        "ensure_sync",
        "json",
        "request_class",
        "request_context_class",
        "response_class",
        "session_interface",
        "subdomain_matching",
        "teardown_appcontext_funcs",
        "teardown_request_funcs",
        "url_default_functions",
        "url_map",
        "url_value_preprocessors",
        "view_functions",
    }
)

Erlen.stock = {name: getattr(Erlen, name) for name in OVERRIDABLE}

# Servers that take either look whether what they call is a coroutine function: for them the application is ASGI's.
# WSGI servers do not look.
mark_as_coroutine_function(Erlen)


def _csp_nonce() -> str:
    return nonce_of(current_request_context())
