"""Type aliases for users' annotations, and the protocol of the application for the layers below it."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from .config import Config

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from werkzeug.datastructures import Headers
    from werkzeug.sansio.response import Response

__all__ = [
    "AfterRequestCallable",
    "AppOrBlueprintKey",
    "BeforeFirstRequestCallable",
    "BeforeRequestCallable",
    "ErrorHandlerCallable",
    "HeaderName",
    "HeaderValue",
    "HeadersValue",
    "Message",
    "Receive",
    "ResponseClass",
    "ResponseReturnValue",
    "ResponseValue",
    "RouteCallable",
    "Scope",
    "Send",
    "ShellContextProcessorCallable",
    "TeardownCallable",
    "TemplateContextProcessorCallable",
    "TemplateFilterCallable",
    "TemplateGlobalCallable",
    "TemplateTestCallable",
    "URLDefaultCallable",
    "URLValuePreprocessorCallable",
]

#: What ASGI describes a connection with: an HTTP request, a WebSocket, or the life span of the process.
Scope: t.TypeAlias = cabc.MutableMapping[str, t.Any]

#: An event that a server hands on, or that an application sends (ASGI 3).
Message: t.TypeAlias = cabc.MutableMapping[str, t.Any]

#: A server's callable for the next event.
Receive: t.TypeAlias = cabc.Callable[[], cabc.Awaitable[Message]]

#: A server's callable for events of the application.
Send: t.TypeAlias = cabc.Callable[[Message], cabc.Awaitable[None]]

#: What a view may return as the body of a response.
ResponseValue: t.TypeAlias = t.Union[
    "Response",
    str,
    bytes,
    list[t.Any],
    cabc.Mapping[str, t.Any],
    cabc.Iterator[str],
    cabc.Iterator[bytes],
    cabc.AsyncIterable[str],
    cabc.AsyncIterable[bytes],
]

#: The name of a header.
HeaderName: t.TypeAlias = str

#: The value of a header, or all values of a header that stands more than once.
HeaderValue: t.TypeAlias = str | list[str] | tuple[str, ...]

#: The headers a view may return as the last item of a tuple.
HeadersValue: t.TypeAlias = t.Union[
    "Headers", cabc.Mapping[str, HeaderValue], cabc.Sequence[tuple[str, HeaderValue]]
]

#: Everything a view may return.
ResponseReturnValue: t.TypeAlias = t.Union[
    ResponseValue,
    tuple[ResponseValue, HeadersValue],
    tuple[ResponseValue, int],
    tuple[ResponseValue, int, HeadersValue],
    "WSGIApplication",
]

#: A response class: Werkzeug's base is the bound, as a view may return one of its plain responses.
ResponseClass = t.TypeVar("ResponseClass", bound="Response")

#: ``None`` for the application, else the name of a blueprint.
AppOrBlueprintKey: t.TypeAlias = str | None

AfterRequestCallable: t.TypeAlias = (
    cabc.Callable[[ResponseClass], ResponseClass]
    | cabc.Callable[[ResponseClass], cabc.Awaitable[ResponseClass]]
)
BeforeFirstRequestCallable: t.TypeAlias = cabc.Callable[[], None] | cabc.Callable[[], cabc.Awaitable[None]]
BeforeRequestCallable: t.TypeAlias = (
    cabc.Callable[[], ResponseReturnValue | None]
    | cabc.Callable[[], cabc.Awaitable[ResponseReturnValue | None]]
)
ShellContextProcessorCallable: t.TypeAlias = cabc.Callable[[], dict[str, t.Any]]
TeardownCallable: t.TypeAlias = (
    cabc.Callable[[BaseException | None], None] | cabc.Callable[[BaseException | None], cabc.Awaitable[None]]
)
TemplateContextProcessorCallable: t.TypeAlias = (
    cabc.Callable[[], dict[str, t.Any]] | cabc.Callable[[], cabc.Awaitable[dict[str, t.Any]]]
)
TemplateFilterCallable: t.TypeAlias = cabc.Callable[..., t.Any]
TemplateGlobalCallable: t.TypeAlias = cabc.Callable[..., t.Any]
TemplateTestCallable: t.TypeAlias = cabc.Callable[..., bool]
URLDefaultCallable: t.TypeAlias = cabc.Callable[[str, dict[str, t.Any]], None]
URLValuePreprocessorCallable: t.TypeAlias = (
    cabc.Callable[[str | None, dict[str, t.Any] | None], None]
    | cabc.Callable[[str | None, dict[str, t.Any] | None], cabc.Awaitable[None]]
)

#: Handlers take the exception they are registered for, so the argument cannot be typed more closely.
ErrorHandlerCallable: t.TypeAlias = (
    cabc.Callable[[t.Any], ResponseReturnValue] | cabc.Callable[[t.Any], cabc.Awaitable[ResponseReturnValue]]
)
RouteCallable: t.TypeAlias = (
    cabc.Callable[..., ResponseReturnValue] | cabc.Callable[..., cabc.Awaitable[ResponseReturnValue]]
)


class Application(t.Protocol):
    """The application as the layers below it see it; :class:`erlen.Erlen` is the one that fulfils it.

    Attributes that have types of higher layers or that users replace freely are ``Any``.
    """

    import_name: str
    name: t.Any
    logger: t.Any
    root_path: str
    instance_path: str
    debug: t.Any
    testing: t.Any
    secret_key: t.Any
    permanent_session_lifetime: t.Any
    extensions: dict[str, t.Any]
    blueprints: dict[str, t.Any]
    subdomain_matching: bool
    plan: t.Any
    url_map: t.Any
    view_functions: t.Any
    request_class: t.Any
    response_class: t.Any
    session_interface: t.Any
    app_ctx_globals_class: t.Any
    aborter: t.Any
    json: t.Any
    jinja_env: t.Any
    jinja_environment: t.Any
    jinja_loader: t.Any
    template_engine: t.Any
    jinja_options: dict[str, t.Any]
    template_context_processors: t.Any
    url_build_error_handlers: list[t.Any]
    url_default_functions: t.Any
    error_handler_spec: t.Any
    cli: t.Any

    @property
    def config(self) -> Config: ...

    def _thaw(self) -> None: ...
    def ensure_sync(self, func: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]: ...
    def ensure_async(
        self, func: t.Callable[..., t.Any]
    ) -> t.Callable[..., t.Coroutine[t.Any, t.Any, t.Any]]: ...
    async def on_thread(self, function: t.Callable[..., t.Any], *args: t.Any) -> t.Any: ...
    def create_global_jinja_loader(self) -> t.Any: ...
    def create_url_adapter(self, request: t.Any) -> t.Any: ...
    def do_teardown_request(self, exc: BaseException | None = ...) -> None: ...
    def do_teardown_appcontext(self, exc: BaseException | None = ...) -> None: ...
    async def ado_teardown_request(self, exc: BaseException | None = ...) -> None: ...
    async def ado_teardown_appcontext(self, exc: BaseException | None = ...) -> None: ...
    def inject_url_defaults(self, endpoint: str, values: dict[str, t.Any]) -> None: ...
    def handle_url_build_error(self, error: t.Any, endpoint: str, values: dict[str, t.Any]) -> str: ...
    def update_template_context(self, context: dict[str, t.Any]) -> None: ...
    def select_jinja_autoescape(self, filename: str | None) -> bool: ...
    def get_send_file_max_age(self, filename: str | None) -> int | None: ...
    def make_response(self, rv: t.Any) -> t.Any: ...
    def text_response(self, text: str, mimetype: str) -> t.Any: ...
    def url_for(self, /, endpoint: str, **values: t.Any) -> str: ...
    def redirect(self, location: str, code: int = ...) -> t.Any: ...
    def app_context(self) -> t.Any: ...

    is_stopping: bool
    stop_callbacks: dict[t.Callable[[], object], None]

    is_serving: bool

    def has_life_span(self) -> bool: ...
    def asgi_reason(self) -> str | None: ...
    def start_serving(self) -> bool: ...
    def stop_serving(self) -> None: ...
    async def astart_serving(self) -> bool: ...
    async def astop_serving(self) -> None: ...
    def test_request_context(self, *args: t.Any, **kwargs: t.Any) -> t.Any: ...
    def make_shell_context(self) -> dict[str, t.Any]: ...
    def iter_blueprints(self) -> t.Iterable[t.Any]: ...
    def wsgi_app(self, environ: t.Any, start_response: t.Any) -> t.Iterable[bytes]: ...
