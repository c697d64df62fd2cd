"""Accounts in a database of SQLAlchemy's: models, the store, a migration. ``models`` shows how an application declares its users."""

try:
    import sqlalchemy as _sqlalchemy
except ModuleNotFoundError as _error:
    raise ModuleNotFoundError(
        "The accounts of erlen.ext.security are stored with SQLAlchemy, which is not installed. "
        "Install it with: pip install 'erlen[security]'",
        name=_error.name,
    ) from _error

from .columns import UtcDateTime as UtcDateTime
from .models import Models as Models
from .models import UserMixin as UserMixin
from .models import make_models as make_models
from .store import SQLAlchemyStore as SQLAlchemyStore
