"""Flask and Erlen: one package, as their API is one."""

from .bodies import form, json_post, upload
from .files import static, static_304, static_range, stream
from .pages import error_handler, hooks, redirect, template, template_string, url_for
from .requests import (
    as_json,
    get_only,
    head,
    large_json,
    parameter,
    path_parameter,
    plain,
    query_and_header,
    routes,
    string_parameter,
)
from .visits import after_this_request, flash, session

__all__ = [
    "after_this_request",
    "as_json",
    "error_handler",
    "flash",
    "form",
    "get_only",
    "head",
    "hooks",
    "json_post",
    "large_json",
    "parameter",
    "path_parameter",
    "plain",
    "query_and_header",
    "redirect",
    "routes",
    "session",
    "static",
    "static_304",
    "static_range",
    "stream",
    "string_parameter",
    "template",
    "template_string",
    "upload",
    "url_for",
]
