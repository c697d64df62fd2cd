"""What went wrong, why most likely, and what to change: the texts of debug mode.

Nothing in here is on the way of a request that succeeds. Each function or class is called where an error is
certain, and adds what the error itself does not say.
"""

from __future__ import annotations

import functools
import linecache
import re
import typing as t
from urllib.parse import urlsplit

from werkzeug.routing import RequestRedirect

from ..ctx import context_var
from ..typing import Application

if t.TYPE_CHECKING:
    from types import TracebackType

    from jinja2 import BaseLoader

#: What a loader gives for a template: source, file name, and a function that tells whether it is up to date.
TemplateSource: t.TypeAlias = "tuple[str, str | None, t.Callable[[], bool] | None]"

#: One place that was asked for a template: its loader, the application or blueprint it belongs to, the answer.
LoadingAttempt: t.TypeAlias = "tuple[BaseLoader, t.Any, TemplateSource | None]"


#: How Python says that something was awaited, or called, which is a value.
_NOT_CALLED = re.compile(
    r"object \w+ can't be used in 'await' expression|'\w+' object can't be awaited|'\w+' object is not callable"
)
#: What other frameworks await or call, in a line of code.
_OF_REQUEST = re.compile(
    r"\bawait\s+request\.(json|form|files|data|get_json|get_data)\b"
    r"|\brequest\.(json|form|files|data|args|headers|cookies)\("
)


def explain_what_is_there(error: TypeError, traceback: TracebackType) -> str | None:
    """Return a note for ``await request.json()`` and its like, which other frameworks ask for; ``None`` for other errors.

    :param error: what was raised.
    :param traceback: from the view on.
    """
    if _NOT_CALLED.fullmatch(str(error)) is None:
        return None
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    line = linecache.getline(traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)
    if _OF_REQUEST.search(line) is None:
        return None
    return (
        "The body of a request is there before its view begins, so nothing of 'request' is awaited, and most of it is not "
        "called: write request.get_json(), request.form, request.files or request.get_data(), and request.args['name'] or "
        "request.headers['name']."
    )


class FilesKeyError(KeyError, AssertionError):
    """A file is missing from ``request.files``, but a form field has its name.

    Raised in debug mode only. Elsewhere the same access answers 400.

    :param request: the request.
    :param key: the name that was looked up.
    """

    def __init__(self, request: t.Any, key: str) -> None:
        super().__init__(key)
        names = ", ".join(repr(value) for value in request.form.getlist(key))
        #: What happened and what to write.
        self.message = (
            f"request.files has no file {key!r}, but request.form has a field of that name: {names}. The browser "
            f"sent the name of the file as text, and not its content, because the form was submitted as "
            f"{request.mimetype or 'no content type'!r}. Write the form as "
            '<form method="post" enctype="multipart/form-data">.'
        )

    def __str__(self) -> str:
        # KeyError would show the repr() of the text.
        return self.message


def attach_enctype_error(request: t.Any) -> None:
    """Make ``request.files`` explain a missing file that came as a plain form field.

    :param request: a request whose form is parsed, that is not multipart, and that has no files.
    """
    files_class = _explaining_files(request.files.__class__)
    files = files_class(request.files)
    files.explained_request = request
    request.files = files


@functools.cache
def _explaining_files(base: t.Any) -> t.Any:
    # Made from the class in use, as ``Request.parameter_storage_class`` may be anything.
    def getitem(self: t.Any, key: str) -> t.Any:
        try:
            return base.__getitem__(self, key)
        except KeyError:
            request = self.explained_request
            if key not in request.form:
                raise
            raise FilesKeyError(request, key) from None

    return type(base.__name__, (base,), {"__getitem__": getitem, "__doc__": base.__doc__})


class FormDataRoutingRedirect(AssertionError):
    """Routing would redirect a request in a way that makes the browser drop its body.

    Raised in debug mode only, in place of the redirect.

    :param request: the request; its ``routing_exception`` is the redirect.
    """

    def __init__(self, request: t.Any) -> None:
        redirect: RequestRedirect = request.routing_exception
        path = urlsplit(str(redirect.new_url)).path
        advice = f"Send the request to {redirect.new_url!r} in the first place"
        if path == urlsplit(request.base_url).path + "/":
            advice += f": the URL of the rule ends with a slash, {path!r}"
        advice += (
            ". In a template, url_for() builds the right URL for <form action=...>. To keep method and body "
            "over a redirect, redirect with 307 or 308."
        )
        super().__init__(
            f"The {request.method} request to {request.url!r} is redirected with {redirect.code} to "
            f"{redirect.new_url!r}. A browser repeats it there as a GET without the form data. {advice} "
            "(This error is shown in debug mode only.)"
        )


def explain_template_loading_attempts(
    app: Application, template: str, attempts: t.Sequence[LoadingAttempt]
) -> None:
    """Log which places were asked for a template, and what each of them had (``EXPLAIN_TEMPLATE_LOADING``).

    :param app: the application, to whose logger this goes with the level INFO.
    :param template: the name of the template.
    :param attempts: all places, in the order in which they were asked.
    """
    lines = [f"Looking for the template {template!r}:"]
    found: list[str] = []
    for number, (loader, owner, source) in enumerate(attempts, 1):
        place = _owner(app, owner)
        lines.append(f"  {number}. {place}, {describe_loader(loader)}")
        if source is None:
            lines.append("     not there")
        else:
            lines.append(f"     found: {source[1] or 'in memory, it has no file'}")
            found.append(place)
    lines.extend(_verdict(app, template, found))
    app.logger.info("\n".join(lines))


def _verdict(app: Application, template: str, found: list[str]) -> t.Iterator[str]:
    if len(found) == 1:
        return
    if found:
        yield (
            f"{len(found)} places have a template of this name. The first one is used, from {found[0]}: the "
            "application comes first, then the blueprints in the order of their registration. Put a "
            "blueprint's templates into a folder with its name to keep them apart, as in "
            "templates/<blueprint>/page.html."
        )
        return
    yield f"Nobody has {template!r}."
    context = context_var.get(None)
    name = context.request.blueprint if context is not None and context.has_request else None
    if name in app.blueprints:
        folder = app.blueprints[name].template_folder
        yield f"The request belongs to the blueprint {name!r}, " + (
            "which has no template folder: pass Blueprint(..., template_folder='templates') to give it one."
            if folder is None
            else f"which has the template folder {str(folder)!r}. Is the file in there?"
        )


def explain_missing_template(
    app: Application, template: str, places: t.Iterable[tuple[t.Any, BaseLoader]]
) -> str:
    """Return where a template was looked for in vain.

    :param app: the application.
    :param template: the name of the template.
    :param places: each application or blueprint that was asked, with its loader.
    """
    asked = [f"{_owner(app, owner)}: {describe_loader(loader)}" for owner, loader in places]
    if not asked:
        return (
            f"There is no template {template!r}: neither the application {app.name!r} nor a blueprint of it has a "
            f"template folder. The application's is made of 'template_folder' and {app.root_path!r}."
        )
    return f"There is no template {template!r}. Looked for in " + "; ".join(asked)


def _owner(app: Application, owner: t.Any) -> str:
    if owner is app:
        return f"application {app.name!r}"
    return f"blueprint {owner.name!r} ({owner.import_name})"


def describe_loader(loader: BaseLoader) -> str:
    """Return the class of a loader and where it looks, in one line."""
    # Slow to load, and there is no loader without it.
    from jinja2 import ChoiceLoader, FileSystemLoader, PackageLoader, PrefixLoader

    match loader:
        case FileSystemLoader():
            where = ", ".join(loader.searchpath)
        case PackageLoader():
            where = f"folder {loader.package_path!r} of package {loader.package_name!r}"
        case ChoiceLoader():
            where = ", ".join(describe_loader(choice) for choice in loader.loaders)
        case PrefixLoader():
            where = ", ".join(f"{key}: {describe_loader(value)}" for key, value in loader.mapping.items())
        case _:
            return type(loader).__name__
    return f"{type(loader).__name__} ({where})"
