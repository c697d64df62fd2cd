"""The store, with its parts put together."""

from __future__ import annotations

from ..store import Store
from .factors import Factors
from .log import Log
from .sessions import Sessions
from .tokens import Tokens
from .users import Roles, Users


class SQLAlchemyStore(Users, Roles, Sessions, Tokens, Factors, Log, Store):
    """Users, roles, sessions, tokens and the log in a database of SQLAlchemy's; SQLite and PostgreSQL are tested.

    Each method is a transaction of its own in a session of its own. Users that it returns belong to no session any more: their
    columns and roles can be read, other relationships are read in a session of the application's.

    With an async factory the same is done on a thread of the store that has a loop. A connection of an async driver belongs to
    the loop it was made on, so give such a store an engine that the application does not use elsewhere.

    :param session_factory: ``sessionmaker(engine)``, or ``async_sessionmaker(engine)``.
    :param models: what :func:`~erlen.ext.security.sqlalchemy.make_models` returned, or the class of users.
    :raises ConfigurationError: where there is nothing to make sessions with, or no models.

    .. versionadded:: 0.1
    """
