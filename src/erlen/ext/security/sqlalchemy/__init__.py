"""Accounts in a database of SQLAlchemy's: models, the store, a migration. ``models`` shows how an application declares its users."""

from importlib.util import find_spec

__all__ = ["Models", "SQLAlchemyStore", "UserMixin", "UtcDateTime", "make_models"]

if find_spec("sqlalchemy") is None:
    raise ModuleNotFoundError(
        "The accounts of erlen.ext.security are stored with SQLAlchemy, which is not installed. "
        "Install it with: pip install 'erlen[security]'",
        name="sqlalchemy",
    )

from .columns import UtcDateTime as UtcDateTime
from .models import Models as Models
from .models import UserMixin as UserMixin
from .models import make_models as make_models
from .store import SQLAlchemyStore as SQLAlchemyStore
