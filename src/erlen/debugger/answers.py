"""What the debugger answers: exceptions, and requests for its own addresses."""

from __future__ import annotations

import hmac
import json
import typing as t
from http import HTTPStatus

from werkzeug.datastructures import MIMEAccept
from werkzeug.http import dump_cookie, parse_accept_header, parse_options_header
from werkzeug.sansio.http import parse_cookie

from ..ctx import AppContext, context_var
from ..logging import printable
from . import page, reports
from .access import Access
from .asked import RequestReader
from .exchange import CONTROLS, LARGEST, PREFIX, Answer, answer_of, bare_answer, write_error
from .kept import Kept
from .lock import TRIES, Lock
from .masking import Mask
from .problems import Reader, as_text
from .reports import Report
from .viewed import view_of

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Headers: t.TypeAlias = list[tuple[str, str]]

HTML, JSON, TEXT = "text/html", "application/json", "text/plain"


def _of_type(mimetype: str) -> Headers:
    return [("Content-Type", f"{mimetype}; charset=utf-8" if mimetype == TEXT else mimetype)]


class Answers:
    """Answers for one debugger.

    :param application: the application.
    :param lock: the lock of the console.
    :param access: who may see anything.
    """

    def __init__(self, application: t.Any, lock: Lock, access: Access) -> None:
        self._application = application
        self._lock = lock
        self._access = access
        self._kept = Kept()

    def failure(self, error: Exception, environ: WSGIEnvironment, contexts: list[t.Any]) -> Answer:
        """Write the traceback of an exception to the terminal, and return the response for it.

        :param error: the exception.
        :param environ: the request as the server has handed it on.
        :param contexts: its contexts, the last one of the innermost application.
        """
        text = as_text(error)
        method, path = printable(environ.get("REQUEST_METHOD", "")), printable(environ.get("PATH_INFO", ""))
        write_error(environ, f"Exception on {path} [{method}]\n{text}")
        refusal = self._access.refusal(environ)
        if refusal is not None:
            write_error(environ, f"The debugger showed nothing of it to the client: {refusal}\n")
            return bare_answer(environ)
        context = next((one for one in reversed(contexts) if isinstance(one, AppContext)), None)
        if context is not None and not context.has_request:
            context = None
        # While values are printed, proxies stand for what they stood for. Not pushed: the context has been torn down.
        token = None if context is None else context_var.set(context)
        try:
            report = self._report(error, text, environ, context)
        finally:
            if token is not None:
                context_var.reset(token)
        return self._shown(report, environ, context)

    def _report(
        self, error: Exception, text: str, environ: WSGIEnvironment, context: AppContext | None
    ) -> Report:
        mask = Mask()
        mask.add([self._lock.secret, self._lock.cookie])
        view = view_of(context)
        reader = RequestReader(environ, context, self._application, view, mask)
        reader.learn()
        problem = Reader(mask).read(error, view)
        short = text if problem.view is None else as_text(error, has_frames=False)
        return Report(problem, mask(text), mask(short), reader.read())

    def _shown(self, report: Report, environ: WSGIEnvironment, context: AppContext | None) -> Answer:
        kind = wanted_type(environ)
        if kind == HTML:
            token = ""
            # A script of the application that fetches the page gets it without what its console needs.
            if environ.get("HTTP_SEC_FETCH_DEST", "document") == "document":
                frames = {
                    frame.number: frame.frame
                    for problem in report.problem.walk()
                    for frame in problem.frames
                    if frame.frame is not None
                }
                token = self._kept.keep(frames, context)
            body, headers = page.error_page(report, _base(environ), token)
        else:
            # Text is read in a terminal, by curl.
            text = reports.as_json(report) if kind == JSON else reports.as_text(report).translate(CONTROLS)
            body, headers = text.encode("utf-8", "backslashreplace"), _of_type(kind)
        return answer_of(environ, HTTPStatus.INTERNAL_SERVER_ERROR, body, [*headers, ("Vary", "Accept")])

    def own(self, environ: WSGIEnvironment, body: bytes | None) -> Answer:
        """Return the response for one of the debugger's own addresses.

        :param environ: a request that was found to be allowed.
        :param body: its body, ``None`` for one that is too large.
        """
        name = environ["PATH_INFO"][len(PREFIX) :]
        method = environ.get("REQUEST_METHOD")
        if name == "" and method in {"GET", "HEAD"}:
            shown, headers = page.unlock_page(_base(environ))
            return answer_of(environ, HTTPStatus.OK, shown, headers)
        if name == "state" and method in {"GET", "HEAD"}:
            return self._say(environ, HTTPStatus.OK, **self._state(environ))
        action = {"unlock": self._unlock, "run": self._run}.get(name)
        if action is None:
            return self._say(environ, HTTPStatus.NOT_FOUND, error="The debugger has no such address.")
        if method != "POST":
            return self._say(environ, HTTPStatus.METHOD_NOT_ALLOWED, error="This address takes POST.")
        if not _is_same_origin(environ):
            return self._say(environ, HTTPStatus.FORBIDDEN, error="The request did not come from this page.")
        if body is None:
            text = f"The request is larger than {LARGEST} bytes."
            return self._say(environ, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error=text)
        fields = _fields(environ, body)
        if fields is None:
            return self._say(environ, HTTPStatus.BAD_REQUEST, error="The request is no JSON object of texts.")
        return action(environ, fields)

    def _state(self, environ: WSGIEnvironment) -> dict[str, t.Any]:
        is_open = self._lock.is_open_for(parse_cookie(environ.get("HTTP_COOKIE")).get(_cookie_name(environ)))
        return {"is_open": is_open, "tries_left": self._lock.tries_left}

    def _unlock(self, environ: WSGIEnvironment, fields: dict[str, str]) -> Answer:
        if not self._lock.opens(fields.get("secret", "").strip()):
            left = self._lock.tries_left
            if left:
                text = f"This is not the secret. The terminal has it. Tries left: {left}."
            else:
                text = f"After {TRIES} wrong tries the console is locked until the server starts again."
                write_error(environ, f"{text}\n")
            return self._say(environ, HTTPStatus.FORBIDDEN, error=text, tries_left=left)
        cookie = dump_cookie(
            _cookie_name(environ),
            self._lock.cookie,
            httponly=True,
            samesite="Strict",
            secure=environ.get("wsgi.url_scheme") == "https",
            # The application never sees it, nor do those at other ports, with whom cookies are shared.
            path=_base(environ),
        )
        return self._say(environ, HTTPStatus.OK, [("Set-Cookie", cookie)], is_open=True)

    def _run(self, environ: WSGIEnvironment, fields: dict[str, str]) -> Answer:
        if not self._state(environ)["is_open"]:
            return self._say(environ, HTTPStatus.FORBIDDEN, error="The console is locked.", is_locked=True)
        number = fields.get("frame", "")
        console = None
        if number.isascii() and number.isdecimal() and len(number) < 6:
            console = self._kept.console(fields.get("page", ""), int(number))
        if console is None:
            text = "The frames of this page are gone: the server has started again, or has shown many errors since. Reload the page."
            return self._say(environ, HTTPStatus.NOT_FOUND, error=text)
        result = console.run(fields.get("code", ""))
        return self._say(environ, HTTPStatus.OK, output=result.output, is_incomplete=result.is_incomplete)

    def _say(
        self,
        environ: WSGIEnvironment,
        status: HTTPStatus,
        headers: t.Sequence[tuple[str, str]] = (),
        **content: t.Any,
    ) -> Answer:
        return answer_of(environ, status, json.dumps(content).encode(), [*_of_type(JSON), *headers])


def wanted_type(environ: WSGIEnvironment) -> str:
    """Return as what an exception is shown: as a page to those who ask for HTML, as JSON to scripts, else as text.

    :param environ: the request.
    """
    accepted = parse_accept_header(environ.get("HTTP_ACCEPT"), MIMEAccept)
    # What is asked for by name; '*/*' asks for nothing.
    named = MIMEAccept([(kind, quality) for kind, quality in accepted if not kind.startswith("*")])
    found = named.best_match([HTML, "application/xhtml+xml", JSON, TEXT])
    if found is None:
        is_script = environ.get("HTTP_SEC_FETCH_DEST") == "empty" or "HTTP_X_REQUESTED_WITH" in environ
        return JSON if is_script else TEXT
    return HTML if found == "application/xhtml+xml" else found


def _base(environ: WSGIEnvironment) -> str:
    """Return the path of the debugger's own addresses, below where the server has mounted the application."""
    root: str = environ.get("SCRIPT_NAME", "").encode("latin1").decode("utf-8", "replace").strip("/")
    return f"/{root}{PREFIX}" if root else PREFIX


def _cookie_name(environ: WSGIEnvironment) -> str:
    # Browsers share cookies between the ports of a host.
    host = environ.get("HTTP_HOST", "")
    port = host.rpartition(":")[2] if not host.endswith("]") and ":" in host else ""
    return f"erlen_debugger_{port or environ.get('wsgi.url_scheme', 'http')}"


def _is_same_origin(environ: WSGIEnvironment) -> bool:
    """Return whether a page of this very origin has sent a request."""
    if environ.get("HTTP_SEC_FETCH_SITE", "same-origin") != "same-origin":
        return False
    origin = f"{environ.get('wsgi.url_scheme')}://{environ.get('HTTP_HOST')}"
    told = environ.get("HTTP_ORIGIN", "")
    return hmac.compare_digest(told.lower().encode(), origin.lower().encode())


def _fields(environ: WSGIEnvironment, body: bytes) -> dict[str, str] | None:
    # A form of another site could send anything else without asking.
    if parse_options_header(environ.get("CONTENT_TYPE"))[0] != JSON:
        return None
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    named = t.cast("dict[str, t.Any]", fields)
    return named if all(isinstance(value, str) for value in named.values()) else None
