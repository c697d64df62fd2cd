"""The request as data, without secrets, and without reading anything that the application has not read."""

from __future__ import annotations

import dataclasses
import typing as t

from werkzeug.datastructures import Headers, MultiDict
from werkzeug.sansio.http import parse_cookie
from werkzeug.wrappers import Request

from ..ctx import AppContext
from ..scopes import SCOPE
from .masking import HIDDEN, Mask, is_hidden
from .values import Job, Printer, print_all, safe_text
from .viewed import View

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Pairs: t.TypeAlias = list[tuple[str, str]]

# Characters of a cookie that is looked for elsewhere.
_LEAST = 8

# Headers whose whole value says who somebody is.
_CREDENTIALS = frozenset({"authorization", "proxy-authorization", "cookie"})


@dataclasses.dataclass
class Asked:
    """What was asked for."""

    method: str = ""
    url: str = ""
    protocol: str = ""
    client: str = ""
    endpoint: str = ""
    rule: str = ""
    view: str = ""
    values: Pairs = dataclasses.field(default_factory=list[tuple[str, str]])
    query: Pairs = dataclasses.field(default_factory=list[tuple[str, str]])
    headers: Pairs = dataclasses.field(default_factory=list[tuple[str, str]])
    cookies: list[str] = dataclasses.field(default_factory=list[str])
    #: ``None`` where the application had not read it.
    form: Pairs | None = None
    files: Pairs = dataclasses.field(default_factory=list[tuple[str, str]])
    #: ``None`` where nothing had opened it.
    session: Pairs | None = None


class RequestReader:
    """Makes data of a request, and tells the mask of its secrets.

    :param environ: the request as the server has handed it on.
    :param context: its context, where the application has had one.
    :param application: the application.
    :param view: its view, where one is known.
    :param mask: is told of the secrets.
    """

    def __init__(
        self,
        environ: WSGIEnvironment,
        context: AppContext | None,
        application: t.Any,
        view: View | None,
        mask: Mask,
    ) -> None:
        self._environ = environ
        self._context = context
        self._application = application
        self._view = view
        self._mask = mask
        self._print = Printer(mask)
        self._plain = Request(dict(environ), populate_request=False, shallow=True)
        self._request: t.Any = self._plain if context is None else context.request

    def learn(self) -> None:
        """Tell the mask of every secret in the request and in the configuration."""
        mask, headers = self._mask, self._plain.headers
        # The application's own first: a request could bring more than are remembered.
        config = getattr(self._application if self._context is None else self._context.app, "config", None)
        if isinstance(config, dict):
            mask.add_named(list(t.cast("t.Any", config).items()))
        for name, value in headers.items():
            if name.lower() in _CREDENTIALS:
                mask.add(value)
                mask.add(value.partition(" ")[2])
        mask.add_named(headers.items())
        for value in parse_cookie(self._environ.get("HTTP_COOKIE")).values():
            # A short one is a setting, and its words stand in the source as well.
            if len(value) >= _LEAST:
                mask.add(value)
        credentials = _try(lambda: self._request.authorization, None)
        mask.add([_try(lambda: credentials.password, None), _try(lambda: credentials.token, None)])
        mask.add_named(_try(lambda: self._plain.args.items(multi=True), ()))
        mask.add_named((self._form() or MultiDict()).items(multi=True))
        mask.add_named([("", self._json())])
        mask.add_named((self._session() or {}).items())
        # As in /reset/<token>.
        mask.add_named((getattr(self._request, "view_args", None) or {}).items())

    def read(self) -> Asked:
        """Return the request as data. Call :meth:`learn` first."""
        environ, request, mask = self._environ, self._request, self._mask
        scope = environ.get(SCOPE)
        form, session = self._form(), self._session()
        asked = Asked(
            method=mask(environ.get("REQUEST_METHOD", "")),
            url=mask(_try(lambda: self._plain.url, environ.get("PATH_INFO", ""))),
            protocol=f"{environ.get('SERVER_PROTOCOL', 'HTTP')} over {'WSGI' if scope is None else 'ASGI'}",
            client=environ.get("REMOTE_ADDR") or "",
            query=self._fields(_try(lambda: list(self._plain.args.items(multi=True)), [])),
            headers=[self._header(name, value) for name, value in Headers(self._plain.headers)],
            cookies=[mask(name) for name in parse_cookie(environ.get("HTTP_COOKIE"))],
            form=None if form is None else self._fields(form.items(multi=True)),
            session=None if session is None else self._named(session.items()),
        )
        for name, file in _try(lambda: list(self._files().items(multi=True)), []):
            asked.files.append((mask(name), mask(f"{file.filename!r}, {file.content_type}")))
        context = self._context
        if context is not None:
            asked.endpoint = request.endpoint or ""
            asked.rule = safe_text(lambda: request.url_rule or "")
            asked.values = self._named((request.view_args or {}).items())
            asked.view = "" if self._view is None else self._view.place
        return asked

    def _header(self, name: str, value: str) -> tuple[str, str]:
        if name.lower() in _CREDENTIALS or is_hidden(name, value):
            scheme = value.partition(" ")[0] if "uthorization" in name and " " in value else ""
            return name, f"{scheme} {HIDDEN}".strip()
        return self._mask(name), self._mask(value)

    def _fields(self, pairs: t.Iterable[tuple[str, str]]) -> Pairs:
        return [
            (self._mask(name), HIDDEN if is_hidden(name, value) else self._mask(safe_text(value.__str__)))
            for name, value in pairs
        ]

    def _named(self, pairs: t.Iterable[tuple[t.Any, t.Any]]) -> Pairs:
        jobs = [Job(safe_text(name.__str__), value) for name, value in pairs]
        if jobs:
            print_all(jobs, self._print)
        return [(self._mask(job.name), job.text) for job in jobs]

    def _form(self) -> MultiDict[str, str] | None:
        # Werkzeug keeps here what was parsed. To parse it now would read a body that may still be coming, and raise again
        # what has just been raised.
        form = vars(self._request).get("form")
        return form if isinstance(form, MultiDict) else None

    def _json(self) -> t.Any:
        # Kept in the same way, once for each way in which a mistake in it is answered.
        kept = vars(self._request).get("_cached_json")
        return kept[0] if isinstance(kept, tuple) else None

    def _files(self) -> MultiDict[str, t.Any]:
        files = vars(self._request).get("files")
        return files if isinstance(files, MultiDict) else MultiDict()

    def _session(self) -> dict[str, t.Any] | None:
        if self._context is None or not self._context.session_is_open:
            return None
        session = self._context._session
        return t.cast("dict[str, t.Any] | None", _try(lambda: dict(session), None))


def _try(read: t.Callable[[], t.Any], default: t.Any) -> t.Any:
    """Return what something reads from a request, which may be malformed."""
    try:
        return read()
    except Exception:
        return default
