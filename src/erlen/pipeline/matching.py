"""Which rule answers a request, and what its context is made of.

The common request gets its context from :meth:`Matching.context_of`: matched, and without a request object, which is made
when something asks for it. What is unusual in any way gets a request first, and :meth:`Matching.match` then finds the rule.
"""

from __future__ import annotations

import typing as t
from contextlib import suppress

from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import Map
from werkzeug.routing.exceptions import WebsocketMismatch

from ..ctx import AppContext, Match
from ..routing import Builders, Node, Routes, Undecided, compile_routes
from ..scopes import HANDSHAKE, PRESERVE_CONTEXT, path_info
from ..typing import Receive, Scope
from ..wrappers import Request
from .safety import SAFE_METHODS, check_form, check_path, is_length

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

#: How many host names found valid are remembered.
KNOWN_HOSTS = 256

# Of a match: whether the view can be called without the phases before it, and whether the request may change something.
LONG, SAFE, UNSAFE = 0, 1, 2

# Upper case already, and known to the routes.
_COMMON_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_new: t.Any = object.__new__


class Matching:
    """The part of a plan that finds rules.

    Threads share it. ``_direct``, ``_single``, ``_known_hosts`` grow after it was made; what they hold is the same whichever
    thread puts it there, and each change is a single dict or set operation.
    """

    __slots__ = (
        "_calls_views", "_checks_form", "_context_class", "_direct", "_has_websockets", "_known_hosts",
        "_matches_plainly", "_request_of", "_single", "_singles", "binds_contexts", "binds_plainly",
        "builders", "builds_urls", "injects_url_defaults", "makes_contexts", "routes",
    )  # fmt: skip

    _app: t.Any
    matches_alone: bool
    goes_through_wsgi: bool
    _overridden: frozenset[str]
    steps_for: t.Callable[[str | None], t.Any]

    def _freeze_matching(self, app: t.Any, config: t.Any, overridden: t.AbstractSet[str]) -> None:
        # Addresses without variables: rule and steps of each method.
        self._direct: dict[str, dict[str, Match]] = {}
        # Those that end in their only variable, by what stands before it.
        self._single: dict[str, dict[str, tuple[t.Any, ...]]] = {}
        self._known_hosts: set[str | bytes | None] = {None}
        self._checks_form: bool = config["REFUSE_MALFORMED_REQUESTS"]
        routes = compile_routes(app.url_map)
        self.routes = routes or Routes(Node())
        self._singles = self.routes.singles()
        self._freeze_urls(app, overridden)
        self._matches_plainly = self.binds_plainly and routes is not None
        # Rules that an upgraded request matches, and others do not.
        self._has_websockets = any(rule.websocket for rule in app.url_map.iter_rules())

    def _freeze_urls(self, app: t.Any, overridden: t.AbstractSet[str]) -> None:
        config = app.config
        #: Whether nobody has an opinion of his own on what the map is bound to; a relative URL then needs no host.
        self.binds_plainly = not (
            app.url_map.host_matching
            or app.subdomain_matching
            or config["TRUSTED_HOSTS"] is not None
            or not (config["SERVER_NAME"] or "").isascii()
            or _judges_hosts(app.request_class)
            or _binds_its_way(app.url_map)
            or "create_url_adapter" in overridden
        )
        self.builders = Builders(app.url_map)
        #: Whether ``url_for`` of the application is not replaced.
        self.builds_urls = "url_for" not in overridden
        #: Whether ``inject_url_defaults`` has anything to do.
        self.injects_url_defaults = "inject_url_defaults" in overridden or bool(app.url_default_functions)

    def _freeze_short_way(self, app: t.Any) -> None:
        context_class, request_class = app.request_context_class, app.request_class
        self._context_class: type[t.Any] = context_class
        # Another class is not asked.
        self._request_of: t.Any = getattr(request_class, "_of_context", None)
        #: Whether contexts may be made by :meth:`context_of`: nobody has to see the request before it is matched.
        self.makes_contexts: bool = (
            self.matches_alone
            and context_class.is_made_plainly
            and getattr(request_class, "_is_made_plainly", False)
        )
        #: Whether ``push_at_once`` of such a context only binds it.
        self.binds_contexts: bool = context_class.push_at_once is AppContext.push_at_once
        # Whether views may be called without the phase that calls them.
        self._calls_views = self._overridden.isdisjoint(
            {"full_dispatch_request", "afull_dispatch_request", "awsgi_app"}
        )

    def context_of(self, app: t.Any, environ: WSGIEnvironment) -> t.Any:
        """Return the matched context of a request over WSGI, whose request is made when it is asked for.

        :param app: the application.
        :param environ: the environment.
        :return: ``None`` for what is not that plain: an unknown address, an unusual header, a class of somebody's own.
        """
        if not self.makes_contexts or HANDSHAKE in environ:
            return None
        path: str = environ.get("PATH_INFO", "")
        if self._has_websockets and "HTTP_UPGRADE" in environ:
            return None
        try:
            if self._checks_form and (
                environ.get("HTTP_HOST") not in self._known_hosts
                or ((length := environ.get("CONTENT_LENGTH")) and not is_length(length))
            ):
                self._check_form(environ, path)
            method = environ.get("REQUEST_METHOD", "")
            # PERF: plaintext: an address without variables that was asked for before is one look-up.
            answers = self._direct.get(path)
            match = None if answers is None else answers.get(method)
            if match is None:
                match = self.find(path, method)
        except (HTTPException, Undecided, ValueError):
            return None
        if match is None:
            return None if self._has_websockets else self._missed(app, environ)
        # PERF: plaintext: without a call of the constructor, and with the attributes that are read later set here: 0.3 us.
        context = _new(self._context_class)
        context.app = app
        context._given, context._receive, context._fields = environ, None, None
        context._cookie = environ.get("HTTP_COOKIE")
        context._match, context.steps = match, match[2]
        context._made = context._token = context._session = context._after_request_functions = None
        context._held = 0
        context._more_tokens = ()
        return context

    def context_of_scope(self, app: t.Any, scope: Scope, receive: Receive) -> t.Any:
        """Return the matched context of a request over ASGI that has no body, as :meth:`context_of` does.

        :param app: the application.
        :param scope: the scope of an HTTP request.
        :param receive: the server's callable for the body.
        """
        if not self.makes_contexts or self.goes_through_wsgi or PRESERVE_CONTEXT in scope:
            return None
        try:
            pairs = scope["headers"]
            fields: dict[bytes, bytes] = dict(pairs)
            if (
                len(fields) != len(pairs)
                or scope["method"] != "GET"
                or scope.get("root_path")
                # With a body, or for something else than HTTP. PERF: async plaintext: a set would look for all headers in itself.
                or b"content-length" in fields
                or b"transfer-encoding" in fields
                or b"upgrade" in fields
                or (self._checks_form and fields.get(b"host") not in self._known_hosts)
            ):
                return None
            path: str = scope["path"]
            if not path.isascii():
                path = path_info(scope)
            answers = self._direct.get(path)
            match = None if answers is None else answers.get("GET")
            if match is None:
                match = self.find(path, "GET")
        except Exception:
            # Whatever is wrong, the other way says so.
            return None
        if match is None:
            return None
        # PERF: async plaintext: as above.
        context = _new(self._context_class)
        context.app = app
        context._given, context._receive, context._fields = scope, receive, fields
        context._cookie = fields.get(b"cookie")
        context._match, context.steps = match, match[2]
        context._made = context._token = context._session = context._after_request_functions = None
        context._held = 0
        context._more_tokens = ()
        return context

    def _missed(self, app: t.Any, environ: WSGIEnvironment) -> t.Any:
        """Make the context of a request that no rule answers.

        PERF: 404: the routes are not walked again, 1 us.
        """
        context = app.request_context_class(app, environ)
        context._request.routing_exception = NotFound()
        context.steps = self.steps_for(None)
        return context

    def find(self, path: str, method: str) -> Match | None:
        """Return what answers a request to an address that ``_direct`` does not have, ``None`` where no rule does.

        :param path: the path as WSGI spells it.
        :param method: the method.
        :raises Undecided: where Werkzeug has to decide; :exc:`ValueError` may mean the same.
        :raises HTTPException: for a path that is refused.
        """
        is_ascii = path.isascii()
        if not (is_ascii and path.isprintable()):
            if self._checks_form:
                check_path(path)
            path = path if is_ascii else path.encode("latin1").decode(errors="replace")
        # PERF: int parameter: an address that ends in its only variable is one look-up as well.
        before, _, text = path.rpartition("/")
        single = self._single.get(before)
        if single is not None and is_ascii and (one := single.get(method)) and one[0](text):
            _, rule, name, to_python, steps, way = one
            return rule, {name: to_python(text)}, steps, way
        return self._walk(path, method)

    def _walk(self, path: str, method: str) -> Match | None:
        """Walk the routes, and remember what leads to the same rule the next time."""
        if method not in _COMMON_METHODS:
            raise Undecided
        found = self.routes.match(path, method)
        if found is None:
            return None
        rule, values = found
        steps = self.steps_for(rule.endpoint)
        way = self._way(method) if steps.straight is not None else LONG
        match = (rule, values, steps, way)
        # Only what the rules name is kept: a client may ask with any method.
        if rule.methods is not None and path.isascii():
            before = path.rpartition("/")[0]
            if not values and self.routes.is_whole(path):
                self._direct.setdefault(path, {})[method] = (rule, None, steps, way)
            elif before in self._singles and (leaf := self.routes.single(before, method)):
                self._single.setdefault(before, {})[method] = (*leaf, steps, way)
        return match

    def _way(self, method: str) -> int:
        if not self._calls_views or method in {"HEAD", "OPTIONS"}:
            return LONG
        return SAFE if method in SAFE_METHODS else UNSAFE

    def match(self, context: AppContext) -> None:
        """Find the rule for a context's request and the steps of its endpoint.

        What cannot be matched leaves ``request.routing_exception``.

        :param context: a context with a request, just pushed.
        """
        request: Request = context._request
        environ = request.head
        path = environ.get("PATH_INFO", "")
        is_ascii = path.isascii()
        try:
            # check_form has the rules.
            if self._checks_form and (
                environ.get("HTTP_HOST") not in self._known_hosts
                or ((length := environ.get("CONTENT_LENGTH")) and not is_length(length))
                or not (is_ascii and path.isprintable())
            ):
                self._check_form(environ, path)
            if (
                self._matches_plainly
                and context.matches_plainly
                and not (self._has_websockets and "HTTP_UPGRADE" in environ)
            ):
                decoded = path if is_ascii else path.encode("latin1").decode(errors="replace")
                found = self.routes.match(decoded, request.method)
                if found is not None:
                    request.url_rule, request.view_args = found
                    context.steps = self.steps_for(found[0].endpoint)
                    return
                request.routing_exception = NotFound()
            else:
                context.match_request()
        except (Undecided, ValueError):
            # The latter for more digits than Python reads.
            self._match_by_werkzeug(context)
        except HTTPException as error:
            request.routing_exception = error
        context.steps = self.steps_for(request.endpoint)
        self._ask_for_upgrade(context)

    def _match_by_werkzeug(self, context: AppContext) -> None:
        """Match what the compiled routes leave undecided, unless it is a method that no rule of the path has."""
        methods = self.allowed_methods(context, context.request.method)
        if methods:
            context.request.routing_exception = MethodNotAllowed(valid_methods=methods)
        else:
            context.match_request()

    def allowed_methods(self, context: AppContext, method: str) -> list[str] | None:
        """Return the methods of a path that has rules, but none for this method; ``None`` where Werkzeug has to say.

        :param context: a context with a request.
        :param method: a method in upper case.
        """
        environ = context._request.head
        path = environ.get("PATH_INFO", "")
        if not (self._matches_plainly and context.matches_plainly and path.isascii()) or self._has_websockets:
            return None
        try:
            return self.routes.allowed(path, method)
        except Undecided:
            return None

    def match_websocket(self, context: AppContext) -> None:
        """Find the rule for the handshake of a WebSocket and the steps of its endpoint.

        :param context: a context with a request that came over ASGI as a WebSocket.
        """
        environ = context.request.environ
        try:
            if self._checks_form:
                self._check_form(environ, environ["PATH_INFO"])
            context.match_request()
        except HTTPException as error:
            context.request.routing_exception = error
        context.steps = self.steps_for(context.request.endpoint)

    def _ask_for_upgrade(self, context: AppContext) -> None:
        """Answer an ordinary request for a WebSocket's address with 426."""
        if not self._has_websockets:
            return
        # Slow to load, and not every application has WebSockets.
        from ..websockets import UpgradeRequired, WebSocketHandler

        request = context.request
        over_wsgi = request.scope is None
        error = request.routing_exception
        if isinstance(error, WebsocketMismatch):
            adapter = context.url_adapter
            with suppress(HTTPException):
                rule, _ = adapter.match(return_rule=True, websocket=not adapter.websocket)
                if isinstance(self._app.view_functions.get(rule.endpoint), WebSocketHandler):
                    request.routing_exception = UpgradeRequired(over_wsgi)
        elif error is None and isinstance(self._app.view_functions.get(request.endpoint), WebSocketHandler):
            # Upgraded over WSGI, where nothing can be done with it.
            request.routing_exception = UpgradeRequired(over_wsgi)

    def _check_form(self, environ: t.Mapping[str, t.Any], path: str) -> None:
        check_form(environ, path)
        host = environ.get("HTTP_HOST")
        if len(self._known_hosts) >= KNOWN_HOSTS:
            # Names that somebody made up must not keep the real one out for good.
            self._known_hosts = {None}
        self._known_hosts.add(host)
        if host is not None:
            # As ASGI spells it.
            self._known_hosts.add(host.encode("latin1"))


def _judges_hosts(cls: type[Request]) -> bool:
    """Return whether a request class has an opinion of its own on hosts."""
    return bool(cls.trusted_hosts) or cls.host is not Request.host


def _binds_its_way(url_map: Map) -> bool:
    return any(getattr(type(url_map), name) is not getattr(Map, name) for name in ("bind", "bind_to_environ"))
