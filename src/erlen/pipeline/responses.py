"""A view's return value becomes a response."""

from __future__ import annotations

import inspect
import typing as t
from collections.abc import AsyncIterator, Iterator

from markupsafe import escape
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wrappers import Response as ResponseBase

from ..ctx import context_var
from ..response import is_clean
from ..streams import close_body
from ..wrappers import Response

ACCEPTED = (
    "A view returns a str, bytes, a dict or list (sent as JSON), a Response, an iterator of str or bytes (plain or "
    "async), or a WSGI "
    "callable; or a tuple of one of these with a status, with headers, or with both: (body, status), "
    "(body, headers), (body, status, headers)."
)


def make_response(app: t.Any, value: t.Any) -> Response:
    """Make a response of ``app.response_class`` of what a view returned.

    :param app: the application.
    :param value: the return value.
    :raises TypeError: for a value that is none of the documented kinds; the message names the view.
    """
    status: t.Any = None
    headers: t.Any = None
    response: Response
    plan: t.Any = app.plan or app.freeze()
    if isinstance(value, tuple):
        value, status, headers = _taken_apart(value)
    if isinstance(value, HTTPException) and not is_application(value):
        error, value = value, _page_of(app, plan, value)
        _drop_frames(error)
    elif type(value) is bytes and status is headers is None and plan.plain_responses:
        response = plan.respond(value, plan.content_type, plan.default_headers)
        return response
    elif not isinstance(value, app.response_class):
        if isinstance(value, str | bytes | bytearray | Iterator | AsyncIterator):
            # The class sees status and headers, as its own default for the content type depends on them.
            response = app.response_class(value, status=status, headers=headers)
            return response
        value = _converted(app, value)
    if status is not None:
        _set_status(value, status)
    answer: t.Any = value
    if headers:
        answer.headers.update(headers)
    return t.cast(Response, answer)


def _drop_frames(error: BaseException) -> None:
    """Take the tracebacks off an exception that was answered, and off those that led to it.

    They hold the frames of the view, and those whatever was uploaded, until the garbage collector runs.
    """
    error.__traceback__ = None
    if error.__cause__ is None and error.__context__ is None:
        return
    before = [error.__cause__, error.__context__]
    # What somebody is still handling is left to them, such as the error that made them call this application.
    running, frame = set[int](), inspect.currentframe()
    while frame is not None:
        running.add(id(frame))
        frame = frame.f_back
    seen = {id(error)}
    while before:
        one = before.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if one.__traceback__ is None or id(one.__traceback__.tb_frame) not in running:
            one.__traceback__ = None
            before += one.__cause__, one.__context__


def is_application(value: t.Any) -> bool:
    """Return whether a value is called as a WSGI application to make a response of it.

    :param value: what a view or an error handler has returned, without status and headers.
    """
    if not callable(value) or isinstance(value, ResponseBase):
        return False
    return not (isinstance(value, HTTPException) and type(value).__call__ is HTTPException.__call__)


class _Frames(dict[tuple[int, str], tuple[str, str]]):
    """What stands before and behind the description in Werkzeug's page for a status, by code and phrase.

    PERF: 404: writing and escaping it each time costs 4 us.
    """

    def __missing__(self, key: tuple[int, str]) -> tuple[str, str]:
        error = HTTPException(_MARK)
        error.code = key[0]
        before, _, behind = error.get_body().partition(_MARK)
        self[key] = before, behind
        return before, behind


# Nothing else in a page contains it, and escaping does not change it.
_MARK = "\x00description\x00"

_LINE_BREAK = "\n"

_frames = _Frames()

# What makes the page, and may be assigned on an exception as well.
_MAKERS = frozenset({"get_body", "get_description", "get_headers", "get_response"})


def _page_of(app: t.Any, plan: t.Any, error: HTTPException) -> t.Any:
    """Return the response for an HTTP exception: the page that Werkzeug makes of it, unless a class has its own."""
    cls, stock, code = type(error), HTTPException, error.code
    phrase = None if code is None else HTTP_STATUS_CODES.get(code)
    if (
        plan.plain_pages
        # A class with a constructor of its own may not have called that of Werkzeug.
        and getattr(error, "response", None) is None
        and code is not None
        and phrase is not None
        and cls.get_response is stock.get_response
        and cls.get_body is stock.get_body
        and cls.get_description is stock.get_description
        and cls.name is stock.name
        and getattr(cls.get_headers, "__module__", None) == stock.__module__
        and _MAKERS.isdisjoint(vars(error))
    ):
        headers = error.get_headers()
        if all(is_clean(value) for _, value in headers):
            # PERF: 404: the same bytes without a response of Werkzeug's in between, 17 us.
            before, behind = _frames[code, phrase]
            description = escape("" if error.description is None else error.description)
            body = f"{before}{str.replace(description, _LINE_BREAK, '<br>')}{behind}".encode()
            return app.response_class.of_parts(body, code, headers, plan.default_headers)
    # PERF: 404: what calling it as a WSGI application and reading the answer back would make, 30 us sooner.
    return app.response_class.force_type(error.get_response(context_var.get().request.environ))


def close_value(value: t.Any) -> None:
    """Close the stream that a value is or holds, if there is one, as nobody sends it any more.

    :param value: what a view or a hook has returned.
    """
    if type(value) is tuple and value:
        value = value[0]
    if isinstance(value, ResponseBase | Iterator | AsyncIterator):
        close_body(value)


def _taken_apart(value: tuple[t.Any, ...]) -> tuple[t.Any, t.Any, t.Any]:
    if len(value) == 3:
        return value
    if len(value) == 2:
        if isinstance(value[1], Headers | dict | tuple | list):
            return value[0], None, t.cast(t.Any, value[1])
        return value[0], value[1], None
    raise TypeError(f"{_view()} returned a tuple of {len(value)} items: {value!r}. {ACCEPTED}")


def _converted(app: t.Any, value: t.Any) -> t.Any:
    if isinstance(value, dict | list):
        return app.json.response(value)
    if isinstance(value, ResponseBase) or callable(value):
        context = context_var.get()
        try:
            return app.response_class.force_type(value, context.request.environ)
        except TypeError as error:
            raise TypeError(
                f"{_view()} returned {value!r}, a callable that does not behave as a WSGI application: {error}. "
                f"{ACCEPTED}"
            ) from error
    if inspect.iscoroutine(value):
        # Else Python warns of it as well.
        value.close()
        raise TypeError(
            f"{_view()} returned a coroutine that nobody has awaited: {value!r}. Write 'return await ...' in an 'async def' "
            f"view; where a decorator has called an 'async def' function, make what it puts in its place 'async def' as well."
        )
    if value is None:
        raise TypeError(
            f"{_view()} returned None: a 'return' is missing at the end of the function, or on one of its "
            f"branches. {ACCEPTED}"
        )
    raise TypeError(f"{_view()} returned {value!r}, of type {type(value).__name__}. {ACCEPTED}")


def _set_status(response: t.Any, status: t.Any) -> None:
    if isinstance(status, str | bytes | bytearray):
        response.status = status
    else:
        response.status_code = status


def _view() -> str:
    context = context_var.get(None)
    if context is None or not context.has_request:
        return "make_response()"
    return f"The view for {context.request.endpoint!r}"
