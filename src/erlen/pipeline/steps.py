"""What is decided at the first request and only read afterwards (D2)."""

from __future__ import annotations

import sys
import typing as t
import weakref
from copy import deepcopy
from dataclasses import dataclass, field

from werkzeug.utils import get_content_type

from ..ctx import context_var
from ..headers import ENCODED
from ..json.provider import DefaultJSONProvider
from ..lazy import is_untouched
from ..typing import Message
from ..wrappers import Response, split_blueprint_path
from .bridge import is_async, is_nonblocking, spelled_async
from .errors import ErrorHandlers
from .hooks import all_of, awaited, each_of, first_of, one_after_another
from .matching import Matching
from .safety import CrossOriginProtection, clean_header, default_headers, policies

Hook: t.TypeAlias = t.Callable[..., t.Any]
AsyncHook: t.TypeAlias = t.Callable[..., t.Coroutine[t.Any, t.Any, t.Any]]

# The keys of the configuration that a plan reads.
_CONFIG_KEYS = (
    "DEBUG",
    "MAX_CONTENT_LENGTH",
    "MAX_FORM_MEMORY_SIZE",
    "MAX_FORM_PARTS",
    "CONTENT_SECURITY_POLICY",
    "CONTENT_SECURITY_POLICY_REPORT_ONLY",
    "CONTENT_TYPE_OPTIONS",
    "CROSS_ORIGIN_PROTECTION",
    "REFERRER_POLICY",
    "REFUSE_MALFORMED_REQUESTS",
    "SERVER_NAME",
    "SESSION_COOKIE_NAME",
    "TRUSTED_HOSTS",
    "TRUSTED_ORIGINS",
)

# What the pipeline has in two spellings.
PHASES = (
    "do_teardown_appcontext",
    "do_teardown_request",
    "dispatch_request",
    "finalize_request",
    "full_dispatch_request",
    "handle_exception",
    "handle_http_exception",
    "handle_user_exception",
    "preprocess_request",
    "process_response",
)

# What makes plain functions of async ones: whoever replaces it wants it to be used.
WRAPPERS = ("async_to_sync", "ensure_sync")

#: Methods of an application of which a plan knows whether a subclass or an instance has replaced them.
OVERRIDABLE = (
    *PHASES,
    *(f"a{name}" for name in PHASES),
    *WRAPPERS,
    "awsgi_app",
    "create_url_adapter",
    "inject_url_defaults",
    "make_response",
    "request_context",
    "url_for",
    "wsgi_app",
)

#: How many content types are remembered.
KNOWN_TYPES = 64


@dataclass(slots=True, eq=False, repr=False)
class Steps:
    """What one endpoint runs, in order, in both spellings.

    In the plain one every callable is plain, async ones are wrapped already. In the async one every callable is async:
    plain hooks that stand together are one step, which runs on a worker thread.

    :param endpoint: the endpoint, ``None`` for requests that match no rule.
    :param view: its view function.
    :param preprocessors: what ``url_value_preprocessor`` registered, outermost first.
    :param before: what ``before_request`` registered, outermost first.
    :param after: what ``after_request`` registered, innermost and latest first.
    :param teardown: what ``teardown_request`` registered, innermost and latest first.
    :param cross_origin_exempt: whether pages of other origins may send unsafe requests.
    :param processes: whether ``process_response`` runs for every response.
    :param preprocesses: whether ``preprocess_request`` has anything to do.
    :param tears_down: whether ``do_teardown_request`` has anything to do.
    :param ends: whether the end of a request has anything to do.
    :param is_async: whether ASGI answers in the async spelling; if not, in one hop to a worker thread.
    :param has_async: whether anything of it is async, and so may ask for a form on an event loop.
    :param finishes_at_once: whether a response may be made without ``finalize_request``.
    :param straight: the view, where nothing stands between the match and it.
    :param streams_body: whether the view begins before the body was received.
    :param request_of: makes the request of a context that has none yet, where there are such contexts.
    """

    endpoint: str | None
    view: Hook | None
    preprocessors: list[Hook]
    before: list[Hook]
    after: list[Hook]
    teardown: list[Hook]
    cross_origin_exempt: bool
    processes: bool
    preprocesses: bool
    tears_down: bool
    ends: bool
    finishes_at_once: bool
    is_async: bool
    has_async: bool
    streams_body: bool
    request_of: t.Callable[[t.Any], t.Any]
    straight: Hook | None = None
    astraight: AsyncHook | None = None
    aview: AsyncHook | None = None
    apreprocessors: list[AsyncHook] = field(default_factory=list[AsyncHook])
    abefore: list[AsyncHook] = field(default_factory=list[AsyncHook])
    aafter: list[AsyncHook] = field(default_factory=list[AsyncHook])
    ateardown: list[AsyncHook] = field(default_factory=list[AsyncHook])


class Plan(Matching):
    """Everything requests need of an application, frozen.

    Threads share it: its attributes are set once, here. Only ``_steps``, ``context_processors``, ``error_handlers``,
    ``_content_types`` and what ``matching.py`` remembers grow later; what they hold is the same whichever thread puts it there, and each change is a
    single dict or set operation.

    :param app: the application.
    :param overridden: names of pipeline methods that a subclass or an instance has replaced.
    :param plain: those of them that count in their plain spelling alone; see :func:`replaced_plainly`.
    """

    # PERF: plaintext, int parameter: with more than 30 attributes and no slots, Python asks a dict for each method: 2 %.
    __slots__ = (
        "_app", "_config", "_content_types", "_overridden", "_steps", "answers_plainly",
        "ateardown_appcontext", "body_limits", "content_type", "context_processors", "default_headers",
        "encoded_headers", "error_handlers", "explains_forms", "finishes_plainly", "goes_through_wsgi",
        "json_content_type", "json_text", "matches_alone", "needs_environ", "opens_every_session",
        "plain_files", "plain_pages", "plain_responses", "policies", "processes_all", "protection",
        "respond", "sends_text", "session_cookie", "takes_environ", "teardown_appcontext", "tears_down",
    )  # fmt: skip

    def __init__(
        self, app: t.Any, overridden: t.AbstractSet[str] = frozenset(), plain: t.Collection[str] = ()
    ) -> None:
        config = app.config
        # Weak: the application holds its plan, and is to be freed at once when it is dropped.
        self._app: t.Any = weakref.proxy(app)
        # Copies: a list that is changed in place is another one when the configuration changes next.
        self._config = deepcopy([config[key] for key in _CONFIG_KEYS])
        self._steps: dict[str | None, Steps] = {}
        #: What ``update_template_context`` runs for each endpoint; it fills this when a template is first rendered.
        self.context_processors: dict[str | None, list[Hook]] = {}
        #: Which handler answers an exception.
        self.error_handlers = ErrorHandlers(self._app)
        self._freeze_matching(app, config, overridden)
        self._freeze_bodies(app, config)
        self._overridden = frozenset(overridden)
        self.protection = CrossOriginProtection(config) if config["CROSS_ORIGIN_PROTECTION"] else None
        self._freeze_responses(app, config)
        #: Whether a response can be made without ``finalize_request``.
        self.finishes_plainly = (
            self.plain_responses
            and not self.policies
            and overridden.isdisjoint({"finalize_request", "afinalize_request"})
        )
        self._freeze_sessions(app, config)
        #: Whether ``process_response`` has something to do for every response.
        self.processes_all = self.opens_every_session or self._changes("process_response")
        self.teardown_appcontext: list[Hook] = [
            app.ensure_sync(function) for function in reversed(app.teardown_appcontext_funcs)
        ]
        #: Whether ``do_teardown_appcontext`` has anything to do.
        self.tears_down = bool(self.teardown_appcontext) or self._changes("do_teardown_appcontext")
        self._freeze_asgi(app, overridden, plain)

    def _freeze_bodies(self, app: t.Any, config: t.Any) -> None:
        #: The largest body; the largest form and the number of its fields, where urlencoded ones are limited as well.
        self.body_limits: tuple[int | None, int | None, int | None] = (
            config["MAX_CONTENT_LENGTH"],
            config["MAX_FORM_MEMORY_SIZE"] if self._checks_form else None,
            config["MAX_FORM_PARTS"] if self._checks_form else None,
        )
        #: Whether a missing file of a form is explained.
        self.explains_forms: bool = app.debug

    def _freeze_asgi(self, app: t.Any, overridden: t.AbstractSet[str], plain: t.Collection[str]) -> None:
        #: What ``teardown_appcontext`` registered, in the async spelling.
        self.ateardown_appcontext: list[AsyncHook] = awaited(
            app._ensure_called, app.teardown_appcontext_funcs[::-1], each_of
        )
        #: Whether ASGI has to go through ``wsgi_app``, as somebody has put middleware around it.
        self.goes_through_wsgi = "wsgi_app" in overridden
        #: Whether every request takes the plain spelling: a phase that was replaced in that alone has to run.
        self.answers_plainly = self.goes_through_wsgi or bool(plain)
        #: Whether somebody makes contexts in a way of his own, of an environment.
        self.needs_environ = "request_context" in overridden
        #: Whether contexts need a whole environment under ASGI too: for that, or as some response is called in a way
        #: of its own.
        self.takes_environ = self.needs_environ or Response.needs_environ
        #: Whether matching needs no active context.
        self.matches_alone = self._matches_plainly and self.routes.converts_plainly and not self.needs_environ
        self._freeze_short_way(app)

    def _freeze_sessions(self, app: t.Any, config: t.Any) -> None:
        if _leaves_sessions_alone(app):
            self.opens_every_session, name = False, config["SESSION_COOKIE_NAME"]
        else:
            interface = app.session_interface
            self.opens_every_session, name = (
                not _keeps_sessions_plainly(interface),
                interface.get_cookie_name(app),
            )
        #: The name of the cookie that has a session. There may be blanks behind it, so the name alone is looked for.
        self.session_cookie: str = name

    def _freeze_responses(self, app: t.Any, config: t.Any) -> None:
        self.default_headers = default_headers(config)
        self.encoded_headers = [ENCODED[pair] for pair in self.default_headers]
        self.policies = policies(config)
        self.plain_responses = (
            _responds_plainly(app.response_class) and "make_response" not in self._overridden
        )
        #: Whether HTTP exceptions become responses without being asked for one.
        self.plain_pages = self.plain_responses and _function_of(
            app.response_class.force_type
        ) is _function_of(Response.force_type)
        #: Whether responses for files are made without a constructor.
        self.plain_files = self.plain_responses and _tells_of_files_plainly(app.response_class)
        #: Whether text can be sent without a response: one would send it as it is.
        self.sends_text = self.plain_responses and _sends_plainly(app.response_class)
        #: Makes a response of a whole body, where ``plain_responses``.
        self.respond: t.Callable[..., Response] = getattr(app.response_class, "of_bytes", Response.of_bytes)
        self._content_types: dict[str, tuple[str, str]] = {}
        #: The header for the response class's own type.
        self.content_type = self.content_type_of(app.response_class.default_mimetype or "text/plain")
        #: Makes the body of a dict or a list of a view, ``None`` where the provider has its own way.
        self.json_text: t.Callable[[t.Any], str] | None = None
        provider = app.json
        if self.plain_responses and _function_of(provider.response) is DefaultJSONProvider.response:
            self.json_text = provider.text_writer()
            self.json_content_type = self.content_type_of(provider.mimetype)

    def is_outdated(self) -> bool:
        """Return whether the configuration has other values now than those this plan was made of."""
        config = self._app.config
        return any(config.get(key) != value for key, value in zip(_CONFIG_KEYS, self._config, strict=True))

    def _changes(self, name: str) -> bool:
        """Return whether a phase was replaced, in either spelling."""
        return not self._overridden.isdisjoint((name, f"a{name}"))

    def has_session(self, cookie: str | bytes) -> bool:
        """Return whether a ``Cookie`` header has a session, as far as the name says.

        :param cookie: the header, ``bytes`` as ASGI has it.
        """
        text = cookie if isinstance(cookie, str) else cookie.decode("latin1")
        return self.session_cookie in text

    def start_of(self, body: bytes, content_type: tuple[str, str]) -> Message:
        """Return the event that starts a response with status 200 and the default headers.

        :param body: the whole body.
        :param content_type: its ``Content-Type`` header.
        """
        # PERF: async plaintext: the same for each, but for two headers: 0.3 us.
        length = (b"content-length", b"%d" % len(body))
        headers = [ENCODED[content_type], length, *self.encoded_headers]
        return {"type": "http.response.start", "status": 200, "headers": headers}

    def content_type_of(self, mimetype: str) -> tuple[str, str]:
        """Return the ``Content-Type`` header for a type, with a charset where it has one.

        :param mimetype: the type.
        """
        header = self._content_types.get(mimetype)
        if header is None:
            header = ("Content-Type", clean_header("the mimetype", get_content_type(mimetype, "utf-8")))
            if len(self._content_types) < KNOWN_TYPES:
                self._content_types[mimetype] = header
        return header

    def steps_for(self, endpoint: str | None) -> Steps:
        """Return the steps of an endpoint.

        :param endpoint: its dotted name, ``None`` for requests that match no rule.
        """
        steps = self._steps.get(endpoint)
        if steps is None:
            steps = self._steps[endpoint] = self._make_steps(endpoint)
        return steps

    def _make_steps(self, endpoint: str | None) -> Steps:
        app = self._app
        parent = "" if endpoint is None else endpoint.rpartition(".")[0]
        inward = [*(split_blueprint_path(parent) if parent else []), None]
        outward = inward[::-1]

        def hooks(registry: t.Mapping[t.Any, list[Hook]], owners: list[str | None], step: int) -> list[Hook]:
            return [hook for owner in owners for hook in registry.get(owner, [])[::step]]

        def plain(hooks: list[Hook]) -> list[Hook]:
            return [app.ensure_sync(hook) for hook in hooks]

        view = app.view_functions.get(endpoint)
        preprocessors = hooks(app.url_value_preprocessors, outward, 1)
        before = hooks(app.before_request_funcs, outward, 1)
        teardown = hooks(app.teardown_request_funcs, inward, -1)
        after = hooks(app.after_request_funcs, inward, -1)
        functions = [*preprocessors, *before, *after, *teardown, *app.teardown_appcontext_funcs, view]
        has_async = any(is_async(one) or spelled_async(one) for one in functions)
        steps = Steps(
            endpoint=endpoint,
            view=None if view is None else app.ensure_sync(view),
            preprocessors=plain(preprocessors),
            before=plain(before),
            after=plain(after),
            teardown=plain(teardown),
            cross_origin_exempt=_is_exempt(view),
            processes=bool(after) or self.processes_all,
            preprocesses=bool(preprocessors or before) or self._changes("preprocess_request"),
            tears_down=bool(teardown) or self._changes("do_teardown_request"),
            # Without an endpoint there is the exception that matching raised.
            ends=bool(teardown)
            or self._changes("do_teardown_request")
            or self.tears_down
            or endpoint is None,
            finishes_at_once=self.finishes_plainly and not (after or self.processes_all),
            is_async=not self.answers_plainly and (has_async or _never_wait(functions)),
            has_async=has_async,
            streams_body=getattr(view, "streams_request_body", False),
            request_of=self._request_of,
        )
        self._spell_async(steps, view, preprocessors, before, after, teardown)
        self._shorten(steps)
        return steps

    def _spell_async(self, steps: Steps, view: Hook | None, *hooks: list[Hook]) -> None:
        """Make the async spelling, also where ASGI does not begin with it: a hook may set another rule."""
        app = self._app
        preprocessors, before, after, teardown = hooks
        steps.aview = None if view is None else spelled_async(view) or app.ensure_async(view)
        steps.apreprocessors = awaited(app.ensure_async, preprocessors, all_of)
        steps.abefore = awaited(app.ensure_async, before, first_of)
        steps.aafter = awaited(app.ensure_async, after, one_after_another)
        steps.ateardown = awaited(app._ensure_called, teardown, each_of)

    def _shorten(self, steps: Steps) -> None:
        """Note what is to be done before the view, or that nothing is."""
        if self.opens_every_session:
            _open_session_first(steps)
        if not steps.preprocesses and self._overridden.isdisjoint({"dispatch_request", "adispatch_request"}):
            steps.straight, steps.astraight = steps.view, steps.aview


def replaced_plainly(app: t.Any, overridden: t.AbstractSet[str]) -> set[str]:
    """Return the names of phases of which the plain spelling was replaced later than the async one, or alone.

    :param app: the application: what is assigned on it comes after its class, and that after the classes it is made of.
    :param overridden: names of methods that are not Erlen's own.
    """
    owners = [vars(app), *map(vars, type(app).__mro__)]

    def place(name: str) -> int:
        return next((number for number, owner in enumerate(owners) if name in owner), len(owners))

    return {name for name in (*PHASES, *WRAPPERS) if name in overridden and place(name) < place(f"a{name}")}


def _open_session_first(steps: Steps) -> None:
    """Open the session before anything async could, as that could do it on the loop alone, and it may wait."""
    steps.preprocesses = True
    steps.preprocessors.insert(0, lambda endpoint, values: context_var.get().open_session())

    async def open_session(endpoint: str | None, values: t.Any) -> None:
        await context_var.get().aopen_session()

    steps.apreprocessors.insert(0, open_session)


def _never_wait(functions: t.Iterable[Hook | None]) -> bool:
    return all(one is None or is_nonblocking(one) for one in functions)


def _function_of(method: t.Any) -> t.Any:
    return getattr(method, "__func__", None)


def _leaves_sessions_alone(app: t.Any) -> bool:
    """Return whether nobody has loaded what keeps sessions, so that it can only be Erlen's own."""
    return (
        "erlen.sessions" not in sys.modules
        and "session_interface" not in vars(app)
        and is_untouched(type(app), "session_interface")
    )


def _keeps_sessions_plainly(interface: t.Any) -> bool:
    """Return whether a session that nobody touched, without a cookie, needs neither opening nor saving."""
    # Slow to load, and not every application has sessions.
    from ..sessions import SecureCookieSessionInterface

    stock = SecureCookieSessionInterface
    decisive = (
        "get_cookie_name",
        "is_null_session",
        "open_session",
        "save_session",
        "session_class",
        "should_set_cookie",
    )
    return (
        isinstance(interface, stock)
        and not vars(interface)
        and all(getattr(type(interface), name) is getattr(stock, name) for name in decisive)
    )


def _responds_plainly(cls: type[t.Any]) -> bool:
    """Return whether :meth:`Response.of_bytes` makes what the class's constructor would make."""
    return (
        issubclass(cls, Response)
        and cls.__init__ is Response.__init__
        and cls.set_data is Response.set_data
        and cls.automatically_set_content_length
        and cls.default_status == Response.default_status
        and (cls.default_mimetype or "").startswith("text/")
    )


def _sends_plainly(cls: type[t.Any]) -> bool:
    """Return whether a response of a class sends text as it is."""
    return (
        cls._sends_plainly
        and cls.__call__ is Response.__call__
        and _function_of(cls.of_bytes) is _function_of(Response.of_bytes)
    )


def _tells_of_files_plainly(cls: type[t.Any]) -> bool:
    """Return whether a response class has no opinion on what Werkzeug tells of a file."""
    decisive = (
        "cache_control",
        "content_length",
        "expires",
        "last_modified",
        "make_conditional",
        "set_etag",
    )
    return all(getattr(cls, name) is getattr(Response, name) for name in decisive)


def _is_exempt(view: t.Any) -> bool:
    return bool(
        getattr(view, "cross_origin_exempt", False)
        or getattr(getattr(view, "view_class", None), "cross_origin_exempt", False)
    )
