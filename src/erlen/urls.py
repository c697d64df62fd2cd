"""Which map a URL is matched against and built from: what the application's URL methods do.

The functions take the application, so that its methods stay one line long and can be overridden one by one.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote

from werkzeug.exceptions import HTTPException
from werkzeug.routing import BuildError, Map, MapAdapter
from werkzeug.utils import redirect as _redirect
from werkzeug.wsgi import get_host

from .ctx import AppContext, context_var
from .typing import Application
from .wrappers import Request

#: What may stand in a fragment unquoted (RFC 3986, section 3.5), and ``%`` for what is quoted already.
_FRAGMENT_SAFE = "%!#$&'()*+,/:;=?@"

#: Control characters have no place in a URL. Browsers drop some of them, header lines end at others.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")

_NO_SERVER_NAME = """\
Cannot build a URL for endpoint {endpoint!r}: {reason}, so the host is not known.

Tell the application where it is served:

    app.config["SERVER_NAME"] = "example.com"
    app.config["PREFERRED_URL_SCHEME"] = "https"  # where it is not "http"
    app.config["APPLICATION_ROOT"] = "/prefix"    # where it is not "/"

In a test or a shell, build the URL inside 'with app.test_request_context():'.
"""


def create_url_adapter(app: Application, request: t.Any) -> MapAdapter | None:
    """Bind the URL map of an application to a request, or to its configured server name.

    The host of the request is checked first, against ``TRUSTED_HOSTS`` where that is configured.

    :param request: the request, or ``None`` for a context without one.
    :return: the adapter; ``None`` without a request and without ``SERVER_NAME``.
    :raises werkzeug.exceptions.SecurityError: for a host that is not trusted.
    """
    config = app.config
    server_name = config["SERVER_NAME"]
    if request is None:
        if server_name is None:
            return None
        return t.cast(
            MapAdapter,
            app.url_map.bind(
                server_name,
                script_name=config["APPLICATION_ROOT"],
                url_scheme=config["PREFERRED_URL_SCHEME"],
            ),
        )
    if (trusted_hosts := config["TRUSTED_HOSTS"]) is not None:
        request.trusted_hosts = trusted_hosts
        # The host may have been looked at, and cached, before the list was known.
        request.__dict__.pop("host", None)
    elif (adapter := _adapter_at_once(app, request)) is not None:
        return adapter
    request.host  # noqa: B018 - raises for a host that is not trusted
    subdomain = None
    if app.url_map.host_matching:
        # The rules name whole hosts, so the host of the request counts, not the configured one.
        server_name = None
    elif server_name is not None and not server_name.isascii():
        # A browser sends the ASCII form of an international name (RFC 5890).
        host, colon, port = server_name.partition(":")
        server_name = f"{host.encode('idna').decode()}{colon}{port}"
    if not (app.url_map.host_matching or app.subdomain_matching):
        subdomain = app.url_map.default_subdomain or ""
    adapter = app.url_map.bind_to_environ(request.environ, server_name=server_name, subdomain=subdomain)
    if request.scheme == "wss":
        # Werkzeug knows a WebSocket by its headers, and its scheme as that of the request it began with.
        adapter.url_scheme = "wss"
    return t.cast(MapAdapter, adapter)


def _adapter_at_once(app: Application, request: t.Any) -> MapAdapter | None:
    """Return what ``bind_to_environ`` returns for the requests that nearly all are, ``None`` for others.

    PERF: url_for x 10, 404: a third of what it costs there: it looks for the host again, and has IDNA look at it.
    """
    url_map, environ = app.url_map, request.environ
    scheme = environ.get("wsgi.url_scheme")
    if (
        type(url_map) is not Map
        or url_map.host_matching
        or app.subdomain_matching
        or app.config["SERVER_NAME"] is not None
        or request.trusted_hosts is not None
        # A proxy of the request says what class that has.
        or request.__class__.host is not Request.host
        or scheme not in _SCHEMES
        or "HTTP_UPGRADE" in environ
    ):
        return None
    host = get_host(environ).lower()
    name = host.partition(":")[0]
    if not host.isascii() or len(name) > _LABEL_LENGTH or ".." in name or name[:1] == ".":
        return None
    return MapAdapter(
        url_map,
        host,
        _decoded(environ.get("SCRIPT_NAME", "/")),
        url_map.default_subdomain or "",
        scheme,
        _decoded(environ.get("PATH_INFO", "/")),
        environ["REQUEST_METHOD"],
        _decoded(environ["QUERY_STRING"]) if "QUERY_STRING" in environ else None,
    )


#: Of each part of a host name (RFC 1035, section 2.3.4).
_LABEL_LENGTH = 63

_SCHEMES = frozenset({"http", "https"})


def _decoded(text: str) -> str:
    # WSGI hands on bytes as latin-1 (PEP 3333); URLs are UTF-8.
    return text if text.isascii() else text.encode("latin1").decode(errors="replace")


def url_for(
    app: Application,
    endpoint: str,
    values: dict[str, t.Any],
    anchor: str | None,
    method: str | None,
    scheme: str | None,
    external: bool | None,
) -> str:
    """Build the URL of an endpoint.

    In a request, URLs are relative to its host unless asked otherwise. Elsewhere they are absolute, and need
    ``SERVER_NAME``. In the request of another application, this application counts as being outside.

    :param endpoint: the name of the endpoint; with a leading dot, one of the blueprint of this request.
    :param values: the variables of the rule; what the rule does not name becomes the query. ``url_defaults``
        functions may change them.
    :param anchor: the fragment, quoted here.
    :param method: build the rule of this method, where an endpoint has several.
    :param scheme: the scheme of an absolute URL.
    :param external: whether the URL is absolute.
    :raises werkzeug.routing.BuildError: when no rule fits and no build error handler knows a URL.
    :raises RuntimeError: when the host is not known.
    :raises ValueError: for a scheme in a URL that shall not be absolute.
    """
    if not isinstance(endpoint, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(_not_an_endpoint(app, endpoint))
    context, name, mount = context_var.get(None), endpoint, None
    plan: t.Any = app.plan
    if context is not None and context.app is app and (request := context._request) is not None:
        if endpoint[:1] == ".":
            blueprint = request.blueprint
            name = endpoint[1:] if blueprint is None else f"{blueprint}{endpoint}"
        if plan is not None and scheme is None and not external:
            mount = _mount_of(context, plan)
    elif endpoint[:1] == "." and context is not None and context.has_request:
        # Of a request around this context, which those of 'erlen.as_flask' have.
        blueprint = context.request.blueprint
        name = endpoint[1:] if blueprint is None else f"{blueprint}{endpoint}"
    if mount is None or plan is None:
        return _built_by_adapter(app, endpoint, name, values, anchor, method, scheme, external)
    # PERF: url_for x 10: a relative URL needs no adapter: 4 us to make it, 2 us to ask it.
    if plan.injects_url_defaults:
        app.inject_url_defaults(name, values)
    url = plan.builders.relative(name, values, mount, method)
    if url is None:
        return _built_by_adapter(
            app, endpoint, name, values, anchor, method, scheme, external, is_complete=True
        )
    return url if anchor is None else _with_anchor(url, anchor)


def _mount_of(context: t.Any, plan: t.Any) -> tuple[str, str, str] | None:
    """Return what relative URLs of a request begin with, its subdomain and its method, ``None`` where that is not certain.

    :param context: the context of the request.
    :param plan: the application's plan.
    """
    adapter = context._url_adapter
    if adapter is not None:
        if plan.builders.knows(adapter):
            return f"{adapter.script_name.rstrip('/')}/", adapter.subdomain, adapter.default_method
        return None
    mount: tuple[str, str, str] | None = context._mount
    if mount is None and plan.binds_plainly and context.binds_plainly:
        request = context._request
        scope = request._scope
        # The environment need not be made of the scope for this.
        has_path = scope is None or scope.get("root_path") or "environ" in vars(request)
        path: str = (request.environ.get("SCRIPT_NAME") or "") if has_path else ""
        domain = plan.builders.map.default_subdomain or ""
        mount = f"{_decoded(path).rstrip('/')}/", domain, request.head.get("REQUEST_METHOD", "GET")
        context._mount = mount
    return mount


def _built_by_adapter(
    app: Application,
    asked: str,
    name: str,
    values: dict[str, t.Any],
    anchor: str | None,
    method: str | None,
    scheme: str | None,
    external: bool | None,
    is_complete: bool = False,
) -> str:
    """Build the URL of an endpoint with a URL adapter.

    :param asked: the name that was given.
    :param name: the name it stands for.
    :param is_complete: whether the functions of ``url_defaults`` have added to the values.
    """
    context = context_var.get(None)
    if context is not None and context.app is not app:
        context = None
    if external is None:
        external = scheme is not None or context is None or not context.has_request
    adapter = _adapter_for(app, context, asked, external)
    if scheme is not None and not external:
        raise ValueError(
            f"url_for({asked!r}, _scheme={scheme!r}, _external=False) contradicts itself: only an absolute "
            f"URL has a scheme. Leave out '_external', or leave out '_scheme'."
        )
    if not is_complete:
        app.inject_url_defaults(name, values)
    url: str | None = None
    if external and (plan := app.plan) is not None and plan.builders.knows(adapter):
        url = plan.builders.absolute(name, values, adapter, method, scheme)
    try:
        url = url or adapter.build(name, values, method=method, url_scheme=scheme, force_external=external)
    except BuildError as error:
        _explain_build_error(error, context, asked, name)
        values.update(_anchor=anchor, _method=method, _scheme=scheme, _external=external)
        return app.handle_url_build_error(error, name, values)
    return url if anchor is None else _with_anchor(url, anchor)


def _with_anchor(url: str, anchor: t.Any) -> str:
    return f"{url}#{quote(str(anchor), safe=_FRAGMENT_SAFE)}"


def _adapter_for(app: Application, context: AppContext | None, endpoint: str, external: bool) -> MapAdapter:
    """Return the adapter to build with, or raise :exc:`RuntimeError` where there is none.

    :param context: the active context of this application, if it has one.
    """
    try:
        adapter = app.create_url_adapter(None) if context is None else context.url_adapter
    except HTTPException:
        # The host is not trusted. The page that says so has links and style sheets as well: relative URLs
        # need no host.
        server_name = app.config["SERVER_NAME"]
        if context is None or (external and server_name is None):
            raise
        adapter = app.url_map.bind(server_name or "", script_name=context.request.root_path or "/")
    if adapter is None:
        active = context_var.get(None)
        if active is None or active.app is app:
            reason = "no request is being handled and SERVER_NAME is not configured"
        else:
            reason = (
                f"the active context is of {active.app!r}, not of {app!r}, and SERVER_NAME is not "
                f"configured for the latter"
            )
        raise RuntimeError(_NO_SERVER_NAME.format(endpoint=endpoint, reason=reason))
    return t.cast(MapAdapter, adapter)


def _not_an_endpoint(app: Application, endpoint: t.Any) -> str:
    """Return the text for a ``url_for`` that was given something other than a name."""
    text = f"url_for() takes the name of an endpoint, not {endpoint!r} of type {type(endpoint).__name__!r}."
    for name, view in app.view_functions.items():
        if view is endpoint:
            return f"{text} That function is registered as {name!r}: call url_for({name!r})."
    return f"{text} Call url_for('name_of_the_view', variable=value)."


def _explain_build_error(error: BuildError, context: AppContext | None, asked: str, endpoint: str) -> None:
    """Add a note to a build error where the cause lies in how the endpoint was named."""
    known = {rule.endpoint for rule in error.adapter.map.iter_rules()} if error.adapter else set[t.Any]()
    if endpoint in known:
        return
    if context is None or not context.has_request:
        if asked.startswith("."):
            error.add_note(
                f"{asked!r} is relative to the blueprint of a request, and no request is being handled. Give the "
                f"whole name: url_for('blueprint{asked}')."
            )
        return
    blueprint = context.request.blueprint
    if asked.startswith("."):
        place = "outside a blueprint" if blueprint is None else f"in the blueprint {blueprint!r}"
        error.add_note(f"{asked!r} means {endpoint!r} {place}.")
        if asked[1:] in known:
            error.add_note(f"The application has {asked[1:]!r}: call url_for({asked[1:]!r}).")
    elif blueprint is not None and f"{blueprint}.{endpoint}" in known:
        error.add_note(
            f"The blueprint of this request has {blueprint + '.' + endpoint!r}: call url_for({'.' + endpoint!r})."
        )


def inject_url_defaults(app: Application, endpoint: str, values: dict[str, t.Any]) -> None:
    """Run the ``url_defaults`` functions for an endpoint: the application's, then its blueprints', outermost first.

    :param values: the values of the URL that is being built; the functions change them.
    """
    functions = app.url_default_functions
    if not functions:
        return
    for function in functions.get(None, ()):
        function(endpoint, values)
    # "a.b.view" belongs to blueprint "b" registered on blueprint "a".
    end = endpoint.find(".")
    while end != -1:
        for function in functions.get(endpoint[:end], ()):
            function(endpoint, values)
        end = endpoint.find(".", end + 1)


def handle_url_build_error(
    app: Application, error: BuildError, endpoint: str, values: dict[str, t.Any]
) -> str:
    """Ask the build error handlers for a URL, and raise the error when none has one.

    A handler that raises :exc:`~werkzeug.routing.BuildError` itself replaces the error for those that follow.

    :param values: what ``url_for`` was given, its options included.
    """
    for handler in app.url_build_error_handlers:
        try:
            url = handler(error, endpoint, values)
        except BuildError as raised:
            error = raised
        else:
            if url is not None:
                return t.cast(str, url)
    raise error


def redirect(location: str, code: int, response_class: t.Any = None) -> t.Any:
    """Make a response that sends the client elsewhere.

    Control characters in the location are percent-encoded: a line break would end the header (CVE-2016-9964), and
    browsers drop tabs, so that a tab between two slashes would name another host.

    :param location: the URL.
    :param code: 301, 302, 303, 305, 307 or 308.
    :param response_class: the class of the response; by default Werkzeug's.
    """
    if _CONTROLS.search(location):
        location = _CONTROLS.sub(lambda match: f"%{ord(match[0]):02X}", location)
    return _redirect(location, code=code, Response=response_class)
