"""The OpenAPI 3.1 document of the JSON that the pages speak, built of the table of addresses and the forms."""

from __future__ import annotations

import typing as t
from importlib import metadata

from .api import ROUTES, Operation, Route
from .forms import REGISTER, Form
from .settings import Settings

_PROBLEM: dict[str, t.Any] = {
    "type": "object",
    "description": "What is wrong (RFC 9457).",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "object",
            "description": "Sentences for each field that is not right.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
    "required": ["type", "title", "status"],
}

_FAULTS = {
    400: "What was sent is wrong: credentials, a code, a token",
    401: "Nobody is logged in, or not lately enough",
    403: "A request from a page of another site, or of somebody who may not do this",
    404: "There is no such thing",
    409: "It would contradict what is there",
    422: "Fields are missing, or not of their type",
    429: "Too many attempts; Retry-After says how many seconds to wait",
    502: "A provider did not answer",
}

_ABOUT = (
    "Everything that the pages of accounts do, as JSON: at the same addresses, with 'Content-Type: application/json' and "
    "'Accept: application/json'. Errors are problems (RFC 9457). A login is a session in a cookie; programs exchange it for "
    "tokens, or use tokens that a user has made."
)


def _of_settings(form: Form, settings: Settings) -> dict[str, t.Any]:
    if "scopes" in form.fields:
        form = form.changed("scopes", choices=tuple((scope, scope) for scope in settings.scopes))
    schema = form.schema
    # An enumeration of nothing is no schema.
    if "scopes" in form.fields and not settings.scopes:
        schema["properties"]["scopes"]["items"] = {"type": "string"}
        schema["properties"]["scopes"]["maxItems"] = 0
    return schema


def _answers(route: Route, method: str, operation: Operation) -> dict[str, t.Any]:
    answers: dict[str, t.Any] = {
        str(operation.status): {
            "description": operation.summary,
            "content": {"application/json": {"schema": dict(operation.answer)}},
        }
    }
    faults = {*operation.faults}
    if method == "post":
        faults |= {400, 403, 422}
    if route.needs != "nobody":
        faults |= {401, 403}
    for status in sorted(faults):
        answers[str(status)] = {"$ref": f"#/components/responses/{status}"}
    return answers


def _operation(route: Route, method: str, operation: Operation, settings: Settings) -> dict[str, t.Any]:
    described: dict[str, t.Any] = {
        "operationId": f"{method}_{route.endpoint}",
        "summary": operation.summary,
        "tags": [route.subject],
        "responses": _answers(route, method, operation),
        # An empty requirement is 'nobody has to be logged in'.
        "security": [] if route.needs == "nobody" else [{"session": []}],
    }
    if route.needs == "fresh":
        described["description"] = "The login has to be fresh; see 'reauthenticate'."
    if operation.form is not None:
        described["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {"schema": {"$ref": f"#/components/schemas/{operation.form.name}"}}
            },
        }
    if method == "post" and route.endpoint in _WITH_NEXT:
        described["parameters"] = [
            {
                "name": "next",
                "in": "query",
                "required": False,
                "description": "Where it goes on: a path of this site, or an address of an allowed origin.",
                "schema": {"type": "string"},
            }
        ]
    return described


_WITH_NEXT = frozenset({"login", "passkey_login", "verify", "reauthenticate", "openid_start"})


def _operations(route: Route) -> list[tuple[str, Operation]]:
    pairs = (("get", route.get), ("post", route.post))
    return [(method, operation) for method, operation in pairs if operation is not None]


def _fault(text: str) -> dict[str, t.Any]:
    schema = {"$ref": "#/components/schemas/problem"}
    return {"description": text, "content": {"application/problem+json": {"schema": schema}}}


def document(
    settings: Settings, origin: str, cookie: str = "session", register_form: Form = REGISTER
) -> dict[str, t.Any]:
    """Return the document.

    :param settings: of the application.
    :param origin: where the site is, with the path below which the application is mounted.
    :param cookie: the name of the session's cookie.
    :param register_form: what the application asks those who register.
    """
    paths: dict[str, t.Any] = {}
    schemas: dict[str, t.Any] = {"problem": _PROBLEM}
    for route in ROUTES:
        if not (found := _operations(route)):
            continue
        item: dict[str, t.Any] = {}
        if route.variables:
            item["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in route.variables
            ]
        for method, operation in found:
            item[method] = _operation(route, method, operation, settings)
            if operation.form is not None:
                form = register_form if operation.form is REGISTER else operation.form
                schemas[form.name] = _of_settings(form, settings)
        paths[route.path] = item
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Accounts of {settings.site_name}" if settings.site_name else "Accounts",
            "version": metadata.version("erlen"),
            "description": _ABOUT,
        },
        "servers": [{"url": origin + settings.url_prefix.rstrip("/")}],
        "tags": [{"name": name} for name in dict.fromkeys(route.subject for route in ROUTES)],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": {str(status): _fault(text) for status, text in _FAULTS.items()},
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": cookie}},
        },
    }
