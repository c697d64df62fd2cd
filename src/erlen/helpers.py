"""The functions a view calls: URLs, redirects, flashed messages, files.

They stand for the active application and request, which they read from the context variable once.
"""

from __future__ import annotations

import os
import typing as t
from contextlib import suppress
from datetime import datetime

from werkzeug.exceptions import NotFound
from werkzeug.exceptions import abort as _abort
from werkzeug.security import safe_join as _safe_join
from werkzeug.utils import send_file as _send_file
from werkzeug.utils import send_from_directory as _send_from_directory
from werkzeug.wrappers import Response as BaseResponse

from . import urls
from .ctx import context_var, current_context, current_request_context
from .files import describe
from .paths import get_root_path
from .signals import message_flashed, tell
from .streams import stream_with_context
from .variables import get_variable
from .wrappers import Response

__all__ = [
    "abort",
    "flash",
    "get_debug_flag",
    "get_flashed_messages",
    "get_load_dotenv",
    "get_root_path",
    "get_template_attribute",
    "make_response",
    "redirect",
    "send_file",
    "send_from_directory",
    "stream_with_context",
    "url_for",
]

#: What Windows opens as a device whatever the folder and the extension. The digits include superscripts.
_DEVICES = frozenset(
    ["AUX", "CON", "CONIN$", "CONOUT$", "NUL", "PRN"]
    + [f"{port}{digit}" for port in ("COM", "LPT") for digit in "0123456789¹²³"]
)

# What :func:`send_from_directory` may be given for a file of the common kind.
_COMMON_OPTIONS = frozenset({"as_attachment", "download_name", "max_age", "mimetype"})

#: Whether a file with such a name is one like any other on this system.
_DEVICES_ARE_FILES = os.name != "nt"


def get_debug_flag() -> bool:
    """Return whether ``ERLEN_DEBUG`` asks for debug mode.

    Anything but an empty value, ``0``, ``false`` and ``no`` does. ``FLASK_DEBUG`` is read after ``erlen.as_flask``.
    """
    return (get_variable("DEBUG") or "").lower() not in ("", "0", "false", "no")


def get_load_dotenv(default: bool = True) -> bool:
    """Return whether the command line loads ``.env`` files.

    ``ERLEN_SKIP_DOTENV`` turns that off, unless its value is ``0``, ``false`` or ``no``. ``FLASK_SKIP_DOTENV`` is
    read after ``erlen.as_flask``.

    :param default: what counts when the variable is not set.
    """
    value = (get_variable("SKIP_DOTENV") or "").lower()
    return value in ("0", "false", "no") if value else default


def make_response(*args: t.Any) -> Response:
    """Make a response of what a view may return, in order to add headers or cookies to it.

    :param args: one return value, or the parts of a tuple; nothing for an empty response.
    """
    app = current_context().app
    if not args:
        return t.cast(Response, app.response_class())
    return t.cast(Response, app.make_response(args[0] if len(args) == 1 else args))


def url_for(
    endpoint: str,
    *,
    _anchor: str | None = None,
    _method: str | None = None,
    _scheme: str | None = None,
    _external: bool | None = None,
    **values: t.Any,
) -> str:
    """Build the URL of an endpoint of the active application.

    :param endpoint: the name of the endpoint; with a leading dot, one of the blueprint of this request.
    :param _anchor: the fragment, quoted here.
    :param _method: build the rule of this method, where an endpoint has several.
    :param _scheme: the scheme of an absolute URL.
    :param _external: whether the URL is absolute; by default only outside a request.
    :param values: the variables of the rule; what the rule does not name becomes the query.
    :raises werkzeug.routing.BuildError: when no rule fits and no build error handler knows a URL.
    """
    context = context_var.get(None) or current_context()
    url: str = context.app.url_for(
        endpoint, _anchor=_anchor, _method=_method, _scheme=_scheme, _external=_external, **values
    )
    return url


def redirect(
    location: str,
    code: int = 302,
    Response: type[BaseResponse] | None = None,  # noqa: N803 - the name is part of the API
) -> BaseResponse:
    """Make a response that sends the client to another URL.

    Never hand it a URL that came with the request without checking where that leads.

    :param location: the URL; characters outside ASCII and control characters are quoted.
    :param code: 301, 302, 303, 305, 307 or 308.
    :param Response: the class of the response; by default the application's.
    """
    context = context_var.get(None)
    if context is None or Response is not None:
        return t.cast(BaseResponse, urls.redirect(location, code, Response))
    return t.cast(BaseResponse, context.app.redirect(location, code=code))


def abort(code: int | BaseResponse, *args: t.Any, **kwargs: t.Any) -> t.NoReturn:
    """End the request with an HTTP error.

    :param code: a status code the application's ``aborter`` knows, or a response to send.
    :param args: handed to the exception, the description first.
    :param kwargs: handed to the exception.
    :raises werkzeug.exceptions.HTTPException: always.
    """
    if (context := context_var.get(None)) is not None:
        context.app.aborter(code, *args, **kwargs)
    _abort(code, *args, **kwargs)


def get_template_attribute(template_name: str, attribute: str) -> t.Any:
    """Return a macro or variable of a template, to use it in Python.

    :param template_name: the name of the template.
    :param attribute: the name the template exports.
    """
    engine = current_context().app.template_engine
    return engine.get_attribute(engine.get_template(template_name), attribute)


def flash(message: str, category: str = "message") -> None:
    """Keep a message for the next page that shows :func:`get_flashed_messages`.

    :param message: the text, or anything else the session can store.
    :param category: free to choose; ``"message"``, ``"error"``, ``"info"`` and ``"warning"`` are usual.
    """
    context = current_request_context()
    session = context.session
    # Assigned, not appended in place: a session notices changes of itself, not of what it holds.
    session["_flashes"] = [*session.get("_flashes", ()), (category, message)]
    if message_flashed.receivers:
        app = context.app
        tell(message_flashed, app, message=message, category=category)


def get_flashed_messages(
    with_categories: bool = False, category_filter: t.Iterable[str] = ()
) -> list[str] | list[tuple[str, str]]:
    """Take the flashed messages out of the session. Further calls in the same request return them again.

    :param with_categories: return pairs of category and message.
    :param category_filter: return only messages of these categories.
    """
    context = current_request_context()
    flashes = context.flashes
    if flashes is None:
        session = context.session
        flashes = context.flashes = session.pop("_flashes") if "_flashes" in session else []
    if category_filter:
        flashes = [flashed for flashed in flashes if flashed[0] in category_filter]
    if with_categories:
        return list(flashes)
    return [message for _, message in flashes]


def _file_settings(max_age: t.Any) -> dict[str, t.Any]:
    """Return what request and application decide about a file response, as arguments for Werkzeug.

    :param max_age: the caller's, ``None`` to leave it to the application.
    """
    context = current_request_context()
    app = context.app
    return {
        "_root_path": app.root_path,
        "environ": context.request.environ,
        "max_age": app.get_send_file_max_age if max_age is None else max_age,
        "response_class": app.response_class,
        "use_x_sendfile": app.config["USE_X_SENDFILE"],
    }


def _common_file(path: t.Any, max_age: t.Any, options: dict[str, t.Any]) -> Response | None:
    """Return the response for a file and a request of the common kind, ``None`` where Werkzeug has to make it.

    :param path: the path, relative to the application's root path.
    :param max_age: as for :func:`send_file`.
    :param options: as for :func:`erlen.files.describe`.
    :raises FileNotFoundError: where there is no such file.
    """
    context = current_request_context()
    app: t.Any = context.app
    plan = app.plan or app.freeze()
    if type(path) is not str or not plan.plain_files or app.config["USE_X_SENDFILE"]:
        return None
    described = describe(
        os.path.join(app.root_path, path),
        context.request.environ,
        max_age=app.get_send_file_max_age if max_age is None else max_age,
        **options,
    )
    if described is None:
        return None
    response: Response = app.response_class.of_file(
        described.body, described.status, described.headers, plan.default_headers
    )
    return response


def send_file(
    path_or_file: os.PathLike[t.Any] | str | t.IO[bytes],
    mimetype: str | None = None,
    as_attachment: bool = False,
    download_name: str | None = None,
    conditional: bool = True,
    etag: bool | str = True,
    last_modified: datetime | int | float | None = None,
    max_age: int | t.Callable[[str | None], int | None] | None = None,
) -> Response:
    """Make a response of a file, with ranges and conditional requests (RFC 9110, sections 13 and 14).

    For a path that came with the request, use :func:`send_from_directory`.

    :param path_or_file: a path, relative to the application's root path, or a file open in binary mode.
    :param mimetype: the media type; by default guessed from the name.
    :param as_attachment: whether the browser shall store the file rather than show it.
    :param download_name: the name it is stored under; by default the path's.
    :param conditional: whether ranges and conditions of the request are honoured.
    :param etag: the entity tag, or whether one is made of path, size and time.
    :param last_modified: when the file changed; by default asked of the file system.
    :param max_age: seconds it may be cached; by default ``app.get_send_file_max_age`` decides.
    """
    if conditional and etag is True and last_modified is None and isinstance(path_or_file, str | os.PathLike):
        with suppress(FileNotFoundError):
            options = {"mimetype": mimetype, "as_attachment": as_attachment, "download_name": download_name}
            response = _common_file(os.fspath(path_or_file), max_age, options)
            if response is not None:
                return response
    settings = _file_settings(max_age)
    settings |= {"mimetype": mimetype, "as_attachment": as_attachment, "download_name": download_name}
    settings |= {"conditional": conditional, "etag": etag, "last_modified": last_modified}
    return t.cast(Response, _send_file(path_or_file, **settings))


def send_from_directory(
    directory: os.PathLike[str] | str, path: os.PathLike[str] | str, **kwargs: t.Any
) -> Response:
    """Make a response of a file below a directory, for paths that came with the request.

    :param directory: a trusted directory, relative to the application's root path.
    :param path: the path below it, with ``/`` between the parts.
    :param kwargs: further arguments of :func:`send_file`.
    :raises werkzeug.exceptions.NotFound: when there is no such file, or the path leaves the directory.
    """
    # Werkzeug refuses device names itself as of 3.1.9, older versions some of them or none.
    if not _DEVICES_ARE_FILES and _names_device(os.fspath(path)):
        raise NotFound
    max_age = kwargs.get("max_age")
    if _COMMON_OPTIONS.issuperset(kwargs):
        below = _safe_join(os.fspath(directory), os.fspath(path))
        if below is None:
            raise NotFound
        options = {name: value for name, value in kwargs.items() if name != "max_age"}
        try:
            response = _common_file(below, max_age, options)
        except FileNotFoundError:
            raise NotFound from None
        if response is not None:
            return response
    settings = kwargs | _file_settings(max_age)
    return t.cast(Response, _send_from_directory(directory, path, **settings))


def _names_device(path: str) -> bool:
    """Return whether Windows reads a part of a path as a device (``CON``, ``nul.txt``, ``a/COM1 .x``)."""
    parts = path.replace("\\", "/").split("/")
    return any(part.partition(":")[0].partition(".")[0].strip(" ").upper() in _DEVICES for part in parts)
