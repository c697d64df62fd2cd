"""Where links in mails lead: to the site of the settings, and never to a host that a request has named."""

from __future__ import annotations

import collections.abc as cabc
import typing as t
from urllib.parse import urlsplit

from erlen import has_request_context, request

from ..errors import ConfigurationError
from ..settings import Settings

NO_SITE = """\
A link for a mail was to be built, and SECURITY_SITE_URL is not set. The 'Host' header of a request cannot say where the site is: \
whoever asks for the recovery of somebody's account would choose where the link leads, and would get the token in it. \
Set SECURITY_SITE_URL = "https://example.com"."""

WRONG_SITE = """\
SECURITY_SITE_URL is {url!r}. It has to be scheme and host, and the path below which the application is mounted if there is one, \
as in 'https://example.com'."""


class Links:
    """Builds complete URLs of endpoints.

    :param app: the application.
    :param settings: they have ``site_url``.
    :raises ConfigurationError: for a ``site_url`` that is no URL.
    """

    def __init__(self, app: t.Any, settings: Settings) -> None:
        self._app = app
        self._site = None if settings.site_url is None else _site_of(settings.site_url)

    def __call__(self, endpoint: str, values: cabc.Mapping[str, t.Any]) -> str:
        """Return the URL of an endpoint.

        :param endpoint: the endpoint.
        :param values: values of the rule; others go to the query.
        :raises ConfigurationError: without ``site_url``, but for debug mode and tests.
        """
        scheme, host, root = self._site or self._of_request()
        values = dict(values)
        self._app.inject_url_defaults(endpoint, values)
        adapter = self._app.url_map.bind(host, root, url_scheme=scheme)
        return t.cast("str", adapter.build(endpoint, values, force_external=True))

    def _of_request(self) -> tuple[str, str, str]:
        if not (self._app.debug or self._app.testing):
            raise ConfigurationError(NO_SITE)
        if not has_request_context():
            return "http", "localhost:5000", "/"
        return request.scheme, request.host, request.root_path or "/"


def _site_of(url: str) -> tuple[str, str, str]:
    try:
        parts = urlsplit(url)
        # Reading the port refuses one that is no number.
        is_complete = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or True)
    except ValueError:
        is_complete = False
        parts = urlsplit("")
    if not is_complete or parts.query or parts.fragment or "@" in parts.netloc:
        raise ConfigurationError(WRONG_SITE.format(url=url))
    return parts.scheme, parts.netloc, parts.path.rstrip("/") + "/"
