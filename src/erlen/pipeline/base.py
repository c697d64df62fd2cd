"""What the phases of a request stand on: the plan, and what each phase does in one way on either protocol."""

from __future__ import annotations

import threading
import typing as t
import weakref
from types import TracebackType

from werkzeug.exceptions import BadRequestKeyError, HTTPException, MethodNotAllowed
from werkzeug.routing import MapAdapter, RequestRedirect

from .. import urls
from ..ctx import AppContext, context_var
from ..response import ResponseHeaders
from ..signals import listened, request_finished
from ..typing import ResponseReturnValue
from ..wrappers import Request, Response
from . import responses
from .bridge import call_on_thread, is_async, to_async, to_sync
from .safety import SAFE_METHODS
from .steps import OVERRIDABLE, PHASES, Plan, Steps, replaced_plainly

if t.TYPE_CHECKING:
    from ..sessions import SecureCookieSessionInterface, SessionInterface

T = t.TypeVar("T")

#: A response that nobody sees: the plan it was made by, its whole body, and its content type. Its status is 200.
WholeText: t.TypeAlias = "tuple[Plan, bytes, tuple[str, str]]"


class Base:
    """The part of an application that its phases use."""

    # What other parts of the application provide.
    config: t.Any
    debug: t.Any
    testing: t.Any
    logger: t.Any
    error_handler_spec: t.Any
    json: t.Any
    session_interface: SessionInterface
    request_class: type[Request]
    response_class: type[Response]
    threads: t.Any
    is_serving: bool
    #: Erlen's own methods, to see what a subclass has replaced. The application class fills it.
    stock: t.ClassVar[dict[str, t.Any]] = {}

    #: What the first request froze, ``None`` before it and after a change.
    plan: Plan | None

    _got_first_request = False

    def __init__(self) -> None:
        # Held while a plan is made and while one is dropped, so that a change made meanwhile is not lost.
        self._plan_lock = threading.RLock()
        # No defaults of the class, which every request would look up on its way to these.
        vars(self).update(plan=None, is_serving=False)

    def freeze(self) -> Plan:
        """Decide what requests would otherwise decide each time, and return it."""
        with self._plan_lock:
            cls, own = type(self), vars(self)
            # A copy, as other threads may set attributes meanwhile.
            for name in [name for name, value in list(own.items()) if isinstance(value, _OfPlain)]:
                del own[name]
            overridden = {
                name for name in OVERRIDABLE if name in own or getattr(cls, name) is not self.stock[name]
            }
            plain = replaced_plainly(self, overridden)
            for name in plain.intersection(PHASES):
                own[f"a{name}"] = _OfPlain(self, name)
            plan = Plan(self, overridden, plain)
            vars(self)["plan"] = plan
            return plan

    def _thaw(self) -> None:
        with self._plan_lock:
            vars(self)["plan"] = None

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return the URL adapter for a request, or for building URLs without one.

        :param request: the request, or ``None`` to bind to ``SERVER_NAME``.
        """
        return urls.create_url_adapter(t.cast(t.Any, self), request)

    def begin_serving(self) -> None:
        """Prepare for the first request; ``lifecycle.py`` says how."""
        raise NotImplementedError

    async def abegin_serving(self) -> None:
        """Do what :meth:`begin_serving` does."""
        raise NotImplementedError

    def _check_origin(self, context: AppContext) -> None:
        request = context._made
        head = (context._make_request() if request is None else request).head
        # PERF: form POST: what CrossOriginProtection allows first, 0.2 us.
        if head.get("HTTP_SEC_FETCH_SITE") == "same-origin":
            return
        protection = (self.plan or self.freeze()).protection
        if protection is not None and not (context.steps or self._steps(context)).cross_origin_exempt:
            protection.check(head)

    def _has_session(self, context: AppContext) -> bool:
        """Return whether there may be a session to save, as far as can be said without opening it."""
        plan = self.plan or self.freeze()
        return (
            context._session is not None
            or plan.opens_every_session
            or plan.has_session(context.request.head.get("HTTP_COOKIE", ""))
        )

    def _needs_no_saving(self, context: AppContext) -> bool:
        """Return whether the session that a request has sent is neither touched nor due for a refresh.

        PERF: session untouched: to open it, only to find that, takes 10 us.
        """
        if context._session is not None or (self.plan or self.freeze()).opens_every_session:
            return False
        interface = t.cast("SecureCookieSessionInterface", self.session_interface)
        return not interface._may_be_permanent(t.cast(t.Any, self), context.request)

    def raise_routing_exception(self, request: Request) -> t.NoReturn:
        """Raise what matching the request raised.

        In debug mode a redirect that would lose the body of the request is explained instead.

        :param request: a request with a ``routing_exception``.
        """
        error = request.routing_exception
        assert error is not None
        if isinstance(error, MethodNotAllowed):
            # Werkzeug has them in a set, whose order differs from process to process.
            error.valid_methods = sorted(error.valid_methods or ())
        loses_body = (
            isinstance(error, RequestRedirect)
            and error.code not in {307, 308}
            and request.method not in {"GET", "HEAD", "OPTIONS"}
        )
        if self.debug and loses_body:
            # Slow to load, and only for debug mode.
            from ..debug import FormDataRoutingRedirect

            raise FormDataRoutingRedirect(request)
        raise error

    def make_default_options_response(self) -> Response:
        """Return the answer to OPTIONS: the methods of the URL in the ``Allow`` header."""
        context = context_var.get()
        plan = self.plan or self.freeze()
        # No rule has such a method, so this gives those of all rules for the path.
        methods = plan.allowed_methods(context, "--") or context.url_adapter.allowed_methods()
        response = self.response_class()
        response.allow.update(sorted(methods))
        return response

    def _steps(self, context: AppContext) -> Steps:
        steps: Steps | None = context.steps
        if steps is None:
            # Matching itself raised, or the context was not pushed.
            endpoint = context.request.endpoint if context.has_request else None
            steps = context.steps = (self.plan or self.freeze()).steps_for(endpoint)
        return steps

    def _steps_of_another(self, context: AppContext) -> Steps:
        """Return the steps of a rule that a hook has set."""
        request = context.request
        steps = context.steps = (self.plan or self.freeze()).steps_for(request.url_rule.endpoint)
        if request.method not in SAFE_METHODS:
            # Its view may not be exempt.
            self._check_origin(context)
        return steps

    def response_at_once(self, value: t.Any, context: AppContext) -> Response | None:
        """Return the response for a value after which nothing runs.

        :param value: what a view or an error handler has returned.
        :param context: the context of the request.
        :return: ``None`` where :meth:`finalize_request` has to make it.
        """
        # PERF: hooks, HEAD: what finalize_request would make, for a third of its time.
        plan = self.plan
        if plan is None or (whole := whole_of(plan, value, context)) is None:
            return None
        _, body, content_type = whole
        return plan.respond(body, content_type, plan.default_headers)

    def make_response(self, rv: t.Any) -> Response:
        """Make a response of a view's return value.

        :param rv: a ``str``, ``bytes``, ``dict``, ``list``, response, iterator or WSGI callable, or a tuple of one of
            these with a status, headers, or both.
        :raises TypeError: for anything else; the message says what is accepted.
        """
        plan = self.plan or self.freeze()
        kind = type(rv)
        # PERF: plaintext, json: what the response class would make of these, for a fifth of its time.
        if kind is str:
            if plan.plain_responses:
                return plan.respond(rv.encode(), plan.content_type, plan.default_headers)
        elif (kind is dict or kind is list) and plan.json_text is not None:
            body = plan.json_text(rv).encode()
            return plan.respond(body, plan.json_content_type, plan.default_headers)
        return responses.make_response(self, rv)

    async def amake_response(self, rv: t.Any) -> Response:
        """Do what :meth:`make_response` does; a WSGI application, which is plain code, is called on a worker thread."""
        if responses.is_application(rv[0] if type(rv) is tuple and rv else rv):
            return await self.on_thread(self.make_response, rv)
        return self.make_response(rv)

    def text_response(self, text: str, mimetype: str) -> Response:
        """Make a response with status 200 of a whole text.

        :param text: the body.
        :param mimetype: its type without parameters.
        """
        plan = self.plan or self.freeze()
        if not plan.plain_responses:
            return self.response_class(text, mimetype=mimetype)
        content_type = plan.content_type_of(mimetype)
        return plan.respond(text.encode(), content_type, plan.default_headers)

    def trap_http_exception(self, e: Exception) -> bool:
        """Return whether an HTTP exception is treated as an error of the code, for debugging.

        :param e: the exception; see ``TRAP_HTTP_EXCEPTIONS`` and ``TRAP_BAD_REQUEST_ERRORS``.
        """
        if self.config["TRAP_HTTP_EXCEPTIONS"]:
            return True
        trapped = self.config["TRAP_BAD_REQUEST_ERRORS"]
        if trapped is None:
            return bool(self.debug) and isinstance(e, BadRequestKeyError)
        return bool(trapped) and isinstance(e, HTTPException) and e.code == 400

    def log_exception(
        self,
        exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None],
    ) -> None:
        """Log an exception; the application says how."""
        raise NotImplementedError

    def should_ignore_error(self, error: BaseException | None) -> bool:
        """Return whether teardown functions are not told of an exception; a subclass may override this.

        :param error: the exception.
        """
        return False

    def ensure_sync(self, func: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        """Return a plain function for an async one, and a plain one as it is.

        :param func: the function.
        """
        if is_async(func):
            return self.async_to_sync(func)
        return func

    def async_to_sync(
        self, func: t.Callable[..., t.Coroutine[t.Any, t.Any, t.Any]]
    ) -> t.Callable[..., t.Any]:
        """Return a plain function that runs an async one to its end; :meth:`ensure_sync` calls this.

        :param func: an async function.
        """
        return to_sync(func)

    def ensure_async(self, func: t.Callable[..., t.Any]) -> t.Callable[..., t.Coroutine[t.Any, t.Any, t.Any]]:
        """Return an async function for a plain one, which then runs on a worker thread, and an async one as it is.

        :param func: the function; one marked with :func:`erlen.nonblocking` runs where it is awaited.
        """
        return func if is_async(func) else to_async(func, self.threads.executor, responses.close_value)

    def _ensure_called(
        self, func: t.Callable[..., t.Any]
    ) -> t.Callable[..., t.Coroutine[t.Any, t.Any, t.Any]]:
        """Do what :meth:`ensure_async` does for what ends a context: a cancellation does not keep it from being called."""
        return func if is_async(func) else to_async(func, self.threads.executor, must_run=True)

    async def on_thread(self, function: t.Callable[..., T], *args: t.Any) -> T:
        """Call a plain function on a worker thread, with the context variables of here.

        :param function: the function.
        :param args: its arguments.
        """
        return await call_on_thread(self.threads.executor(), function, *args)

    def _find_error_handler(self, e: Exception, blueprints: list[str]) -> t.Callable[[t.Any], t.Any] | None:
        plan = self.plan or self.freeze()
        return plan.error_handlers.find(self.error_handler_spec, e, blueprints)

    def _answer_with(self, handler: t.Callable[[t.Any], t.Any], e: Exception) -> ResponseReturnValue:
        plan = self.plan or self.freeze()
        value: ResponseReturnValue = plan.error_handlers.forms(handler)[1](e)
        return value

    async def _aanswer_with(self, handler: t.Callable[[t.Any], t.Any], e: Exception) -> ResponseReturnValue:
        plan = self.plan or self.freeze()
        value: ResponseReturnValue = await plan.error_handlers.forms(handler)[2](e)
        return value

    def _explain_bad_key(self, e: Exception) -> None:
        if isinstance(e, BadRequestKeyError) and (self.debug or self.config["TRAP_BAD_REQUEST_ERRORS"]):
            e.show_exception = True

    def _add_default_headers(self, response: t.Any, plan: Plan) -> None:
        if getattr(response, "has_default_headers", False):
            return
        headers = response.headers
        if type(headers) is ResponseHeaders:
            headers.add_missing(plan.default_headers)
        else:
            for name, value in plan.default_headers:
                if name not in headers:
                    headers[name] = value
        response.has_default_headers = True


class _OfPlain:
    """The async spelling of a phase that was replaced in its plain one, alone or later.

    Requests run in the plain spelling then. A WebSocket has the async one only.
    """

    def __init__(self, app: t.Any, name: str) -> None:
        # Weak, as the application holds this.
        self._app = weakref.proxy(app)
        self._name = name

    async def __call__(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        app = self._app
        ensure = app._ensure_called if self._name.startswith("do_teardown") else app.ensure_async
        return await ensure(getattr(app, self._name))(*args, **kwargs)


def whole_of(plan: Plan, value: t.Any, context: AppContext) -> WholeText | None:
    """Return the body for a value after which nothing runs: no hook, no session, no signal.

    It is sent without a response only where ``plan.sends_text``.

    :param plan: the plan that the application has.
    :param value: what a view or an error handler has returned.
    :param context: the context of the request.
    :return: ``None`` where ``finalize_request`` has to make a response.
    """
    steps = context.steps
    if (
        steps is None
        or not steps.finishes_at_once
        or context._after_request_functions is not None
        or context._session is not None
        or (listened and request_finished.receivers)
        or (context._cookie is not None and plan.has_session(context._cookie))
    ):
        return None
    kind = type(value)
    if kind is str:
        return plan, value.encode(), plan.content_type
    if (kind is dict or kind is list) and plan.json_text is not None:
        return plan, plan.json_text(value).encode(), plan.json_content_type
    return None


def explain_call(error: Exception, request: t.Any) -> None:
    """Add what the rule passes to an error of calling a view, and to one from inside it that nothing is awaited here.

    :param error: what was raised; called where the view was.
    :param request: the request.
    """
    if type(error) is not TypeError:
        return
    traceback = error.__traceback__
    # On the way to the view it may have crossed to a thread or a loop.
    while traceback is not None and _leads_to_views(traceback.tb_frame.f_globals.get("__name__", "")):
        traceback = traceback.tb_next
    rule, values = request.url_rule, request.view_args or ()
    note = None
    if traceback is not None:
        # Slow to import, and only errors need it.
        from ..debug import explain_what_is_there

        note = explain_what_is_there(error, traceback)
    elif rule is not None:
        note = (
            f"The rule {rule.rule!r} of the endpoint {rule.endpoint!r} calls its view with "
            f"{', '.join(values) or 'no arguments'}: the names in the rule and the parameters of the view have to agree."
        )
    # Each phase on its way may explain it.
    if note is not None and note not in getattr(error, "__notes__", ()):
        error.add_note(note)


def _leads_to_views(module: str) -> bool:
    return (
        module.startswith(("erlen.pipeline.", "asyncio.", "concurrent.futures.")) or module == "erlen.views"
    )


def no_view(rule: t.Any) -> KeyError:
    """Return the error for a rule without a view function."""
    return KeyError(
        f"The rule {rule.rule!r} has the endpoint {rule.endpoint!r}, and no view function is registered for "
        f"it. Register one with '@app.endpoint({rule.endpoint!r})'."
    )
