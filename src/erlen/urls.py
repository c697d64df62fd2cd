"""Which map a URL is matched against and built from: what the application's URL methods do.

The functions take the application, so that its methods stay one line long and can be overridden one by one.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import quote

from werkzeug.exceptions import HTTPException
from werkzeug.routing import BuildError, MapAdapter
from werkzeug.utils import redirect as _redirect

from .ctx import AppContext, context_var
from .typing import Application

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


def url_for(
    app: Application,
    endpoint: str,
    *,
    _anchor: str | None = None,
    _method: str | None = None,
    _scheme: str | None = None,
    _external: bool | None = None,
    **values: t.Any,
) -> str:
    """Build the URL of an endpoint.

    In a request, URLs are relative to its host unless asked otherwise. Elsewhere they are absolute, and need
    ``SERVER_NAME``. In the request of another application, this application counts as being outside.

    :param endpoint: the name of the endpoint; with a leading dot, one of the blueprint of this request.
    :param _anchor: the fragment, quoted here.
    :param _method: build the rule of this method, where an endpoint has several.
    :param _scheme: the scheme of an absolute URL.
    :param _external: whether the URL is absolute.
    :param values: the variables of the rule; what the rule does not name becomes the query.
    :raises werkzeug.routing.BuildError: when no rule fits and no build error handler knows a URL.
    :raises RuntimeError: when the host is not known.
    :raises ValueError: for a scheme in a URL that shall not be absolute.
    """
    if not isinstance(endpoint, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(_not_an_endpoint(app, endpoint))
    context = context_var.get(None)
    if context is not None and context.app is not app:
        context = None
    in_request = context is not None and context.has_request
    if _external is None:
        _external = _scheme is not None or not in_request
    # PERF: url_for x 10: the adapter is there after the first URL of a request; the call would cost 0.2 us each.
    adapter: MapAdapter | None = None if context is None else context._url_adapter
    if adapter is None:
        adapter = _adapter_for(app, context, endpoint, _external)
    if _scheme is not None and not _external:
        raise ValueError(
            f"url_for({endpoint!r}, _scheme={_scheme!r}, _external=False) contradicts itself: only an absolute "
            f"URL has a scheme. Leave out '_external', or leave out '_scheme'."
        )
    asked = endpoint
    if endpoint[:1] == "." and context is not None and in_request:
        blueprint = context.request.blueprint
        endpoint = endpoint[1:] if blueprint is None else blueprint + endpoint
    app.inject_url_defaults(endpoint, values)
    try:
        url = adapter.build(endpoint, values, method=_method, url_scheme=_scheme, force_external=_external)
    except BuildError as error:
        _explain_build_error(error, context, asked, endpoint)
        values.update(_anchor=_anchor, _method=_method, _scheme=_scheme, _external=_external)
        return app.handle_url_build_error(error, endpoint, values)
    if _anchor is not None:
        url = f"{url}#{quote(str(_anchor), safe=_FRAGMENT_SAFE)}"
    return url


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
