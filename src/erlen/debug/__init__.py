"""Explanations for debug mode. Only error paths come here, so what is in here may take its time."""

from __future__ import annotations

from .explain import FilesKeyError as FilesKeyError
from .explain import FormDataRoutingRedirect as FormDataRoutingRedirect
from .explain import attach_enctype_error as attach_enctype_error
from .explain import explain_missing_template as explain_missing_template
from .explain import explain_template_loading_attempts as explain_template_loading_attempts
from .explain import explain_what_is_there as explain_what_is_there
from .trace import own_traceback as own_traceback

__all__ = ["FilesKeyError", "FormDataRoutingRedirect"]
