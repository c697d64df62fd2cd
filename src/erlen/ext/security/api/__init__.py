"""The table of addresses: what is where, who may ask for it, what it takes and what it answers in JSON.

Views are registered by it and the OpenAPI document is built of it, so that neither can forget one.
"""

from __future__ import annotations

from .account import PROFILE, TOKENS
from .entrance import LOGIN, RECOVERY, REGISTRATION
from .factors import DOCUMENT, FACTOR_ROUTES, OPENID
from .shapes import Needs as Needs
from .shapes import Operation as Operation
from .shapes import Route as Route

#: Everything there is.
ROUTES: tuple[Route, ...] = (
    *LOGIN,
    *REGISTRATION,
    *RECOVERY,
    *PROFILE,
    *TOKENS,
    *FACTOR_ROUTES,
    *OPENID,
    *DOCUMENT,
)
