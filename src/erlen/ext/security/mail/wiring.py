"""How the mails of one application come together."""

from __future__ import annotations

import typing as t
from contextlib import nullcontext

from erlen import has_app_context, render_template

from ..kit import Kit
from .courier import Courier
from .links import Links
from .mailer import Mailer, mailer_of
from .messages import Postman, Translate, in_english

_CALL = "{% autoescape false %}{{ _(text, **values) }}{% endautoescape %}"


def postman_of(
    app: t.Any,
    kit: Kit,
    mailer: Mailer | None = None,
    *,
    translate: t.Callable[[str], str] | None = None,
) -> Postman:
    """Return the postman of an application.

    Its mails are rendered by the application's templates and sent by its background threads, and it writes to users when their
    second factors change.

    :param app: the application.
    :param kit: the settings, among them ``mail_url``.
    :param mailer: sends the mails in place of what ``mail_url`` names.
    :param translate: returns a text in the language of the reader, ``gettext`` for example; what templates of the application
        call ``_`` by default, as Flask-Babel and Jinja's ``i18n`` extension provide it.
    """
    postman = Postman(
        kit,
        mailer or mailer_of(kit.settings.mail_url, debug=app.debug or app.testing),
        Links(app, kit.settings),
        _in_application(app),
        courier=Courier(app.spawn),
        translate=_translating(app, translate),
        site=app.name,
    )
    postman.notify_of_factors(app)
    return postman


def _in_application(app: t.Any) -> t.Callable[[str, dict[str, t.Any]], str]:
    def render(template: str, context: dict[str, t.Any]) -> str:
        # A request has one, and with it the language of its reader.
        with nullcontext() if has_app_context() else app.app_context():
            return render_template(template, **context)

    return render


def _translating(app: t.Any, translate: t.Callable[[str], str] | None) -> Translate:
    if translate is not None:
        return lambda text, /, **values: in_english(str(translate(text)), **values)

    def as_templates_do(text: str, /, **values: t.Any) -> str:
        if "_" not in app.jinja_env.globals:
            return in_english(text, **values)
        # It may ask for the context of a template, so a template calls it. HTML is escaped by the one that shows the text.
        template = app.jinja_env.from_string(_CALL)
        return t.cast("str", template.render(text=text, values=values))

    return as_templates_do
