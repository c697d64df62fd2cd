"""Explanations for debug mode. Only error paths come here, so what is in here may take its time."""

from __future__ import annotations

from .explain import (
    FilesKeyError,
    FormDataRoutingRedirect,
    attach_enctype_error,
    explain_missing_template,
    explain_template_loading_attempts,
)
from .trace import own_traceback

__all__ = [
    "FilesKeyError",
    "FormDataRoutingRedirect",
    "attach_enctype_error",
    "explain_missing_template",
    "explain_template_loading_attempts",
    "own_traceback",
]
