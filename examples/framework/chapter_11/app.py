"""The application: what a WSGI server calls, once a request."""

from __future__ import annotations

import typing as t
from functools import cached_property
from inspect import iscoroutinefunction

from werkzeug.test import create_environ

from .asgi import ASGI
from .cli import AppGroup
from .config import DEFAULTS, Config
from .ctx import Context, current_context
from .dispatch import Dispatch
from .routing import Router, Rule
from .sessions import SessionInterface
from .templating import create_environment
from .testing import CommandRunner, SaplingClient

if t.TYPE_CHECKING:
    import jinja2
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

    from .asgi import Receive, Scope, Send
    from .blueprints import Blueprint

Teardown = t.TypeVar("Teardown", bound=t.Callable[[BaseException | None], object])


class Sapling(Dispatch, ASGI):
    """An application: rules that lead to endpoints, and the views of these. The arguments are :class:`Scaffold`'s."""

    def __init__(self, import_name: str, root_path: str | None = None) -> None:
        super().__init__(import_name, root_path)
        self.router = Router()
        self.view_functions: dict[str, t.Callable[..., t.Any]] = {}
        self.teardown_funcs: list[t.Callable[[BaseException | None], object]] = []
        self.blueprints: dict[str, Blueprint] = {}
        # What extensions keep for this application, under their names.
        self.extensions: dict[str, t.Any] = {}
        # Whether a request was answered; what is registered from then on would be missing in those before.
        self.is_serving = False
        self.has_async_views = False
        self.config = Config(DEFAULTS)
        self.session_interface = SessionInterface()
        self.cli = AppGroup()

    def add_url_rule(
        self, path: str, endpoint: str, view: t.Callable[..., t.Any], methods: t.Iterable[str] = ("GET",)
    ) -> None:
        """Register a view for a path; what :meth:`route` does. The arguments are those of :meth:`Scaffold.add_url_rule`."""
        self.check_setup("add_url_rule")
        self.has_async_views = self.has_async_views or iscoroutinefunction(view)
        if self.view_functions.setdefault(endpoint, view) is not view:
            raise ValueError(
                f"Two views have the endpoint {endpoint!r}, and the second would never be called. Give one of them "
                f"another: route({path!r}, endpoint='...')."
            )
        answered = {method.upper() for method in methods}
        if "GET" in answered:
            answered.add("HEAD")
        automatic_options = "OPTIONS" not in answered
        self.router.add(Rule(path, endpoint, answered | {"OPTIONS"}, automatic_options))

    def teardown_appcontext(self, hook: Teardown) -> Teardown:
        """Call a function when a context ends, whatever has happened, with the exception that nobody handled."""
        self.teardown_funcs.append(hook)
        return hook

    def register_blueprint(
        self, blueprint: Blueprint, url_prefix: str | None = None, name: str | None = None
    ) -> None:
        """Make what a blueprint has collected part of this application.

        :param blueprint: the blueprint.
        :param url_prefix: what its paths begin with, in place of its own.
        :param name: what its endpoints begin with, in place of its own name; for a blueprint registered twice.
        """
        self.check_setup("register_blueprint")
        name = name or blueprint.name
        if name in self.blueprints:
            raise ValueError(
                f"There is a blueprint {name!r} already, and endpoints would not say which one is meant. Give this one "
                f"a name for its registration: register_blueprint(blueprint, name='...')."
            )
        self.blueprints[name] = blueprint
        blueprint.register(self, name, blueprint.url_prefix if url_prefix is None else url_prefix)

    def check_setup(self, method: str) -> None:
        """Refuse a registration that comes too late."""
        if self.is_serving:
            raise RuntimeError(
                f"'{method}' was called after the first request, which was answered without what it registers. Call it "
                f"where the application is made; a module that registers views has to be imported there."
            )

    @cached_property
    def jinja_env(self) -> jinja2.Environment:
        """The environment of the templates, made when one is first needed."""
        return create_environment(self)

    def url_for(self, endpoint: str, /, **values: t.Any) -> str:
        """Return the URL of an endpoint; one that begins with a dot is of the active request's blueprint."""
        if endpoint.startswith("."):
            blueprint = current_context().blueprint
            endpoint = endpoint[1:] if blueprint is None else blueprint + endpoint
        return self.router.build(endpoint, values)

    @t.overload
    def __call__(self, first: WSGIEnvironment, second: StartResponse, /) -> t.Iterable[bytes]: ...

    @t.overload
    def __call__(self, first: Scope, second: Receive, third: Send, /) -> t.Awaitable[None]: ...

    def __call__(self, first: t.Any, second: t.Any, third: t.Any = None, /) -> t.Any:
        """Answer one request: a WSGI server calls this with two arguments, an ASGI server with three."""
        if third is not None:
            return self.asgi_app(first, second, third)
        # By a method of another name, which can be replaced: `app.wsgi_app = Middleware(app.wsgi_app)`. Python looks
        # for `__call__` on the class alone.
        return self.wsgi_app(first, second)

    def app_context(self) -> Context:
        """Return a context without a request, for a ``with`` statement."""
        return Context(self)

    def test_request_context(self, path: str = "/", **options: t.Any) -> Context:
        """Return the context of a request that is made up. The arguments are those of ``EnvironBuilder``."""
        return self.request_context(create_environ(path, **options))

    def test_client(self) -> SaplingClient:
        """Return a client for tests."""
        return SaplingClient(self)

    def test_cli_runner(self) -> CommandRunner:
        """Return a runner of commands for tests."""
        return CommandRunner(self)
