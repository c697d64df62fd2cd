"""Rows to records and back, and what several parts ask of the tables."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import functools
import typing as t

from sqlalchemy import CursorResult, Executable
from sqlalchemy.orm import Session, class_mapper

from ..types import Role, User
from .columns import CleanString
from .models import RoleMixin, UserMixin

if t.TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = t.TypeVar("R", bound="DataclassInstance")
M = t.TypeVar("M")

_MOST = 2**31 - 1


def record_of(kind: type[R], row: object) -> R:
    """Return a row as a record, whose fields have the names of the columns.

    :param kind: the class of the record.
    :param row: the row.
    """
    return kind(**{name: getattr(row, name) for name in _fields(kind)})


def row_of(model: type[M], record: DataclassInstance) -> M:
    """Return a record as a row that can be added.

    :param model: the model of the row.
    :param record: the record.
    :raises ValueError: for a text that is longer than its column.
    """
    values: dict[str, t.Any] = {name: getattr(record, name) for name in _fields(type(record))}
    for name, value in values.items():
        # A mapping of any class; JSON knows the plain one.
        if isinstance(value, cabc.Mapping):
            values[name] = dict(t.cast("cabc.Mapping[str, t.Any]", value))
    check(model, values)
    return model(**values)


def check(model: type[object], values: cabc.Mapping[str, t.Any]) -> None:
    """Refuse what the columns have no place for, on every database alike.

    :param model: the model.
    :param values: by the names of attributes.
    :raises TypeError: for a name that is no column.
    :raises ValueError: for a text that is longer than its column.
    """
    limits = _limits(t.cast("cabc.Hashable", model))
    for name, value in values.items():
        if name not in limits:
            raise TypeError(f"{model.__name__} has no column {name!r}; there are: {', '.join(limits)}.")
        limit = limits[name]
        if limit is not None and isinstance(value, str) and len(value) > limit:
            raise ValueError(f"{model.__name__}.{name} takes {limit} characters, and was given {len(value)}.")


def as_user(row: UserMixin) -> User:
    """Return a row as the user that it is.

    :param row: the row. Pyright does not see that its columns are texts and times.
    """
    return t.cast("User", row)


def as_role(row: RoleMixin) -> Role:
    """Return a row as the role that it is.

    :param row: the row.
    """
    return t.cast("Role", row)


def bounded(number: int) -> int:
    """Return a number of rows as any database takes it.

    :param number: what was asked for.
    """
    return min(max(number, 0), _MOST)


def changed(session: Session, statement: Executable) -> int:
    """Run a statement that changes rows and return how many it met.

    :param session: where it is run.
    :param statement: the statement.
    """
    # Objects in the session are not changed along: it ends with the statement, or loads what it returns after it.
    result = session.execute(statement, execution_options={"synchronize_session": False})
    return t.cast("CursorResult[t.Any]", result).rowcount


@functools.cache
def _fields(kind: type[DataclassInstance]) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


@functools.cache
def _limits(model: cabc.Hashable) -> dict[str, int | None]:
    limits: dict[str, int | None] = {}
    for attribute in class_mapper(t.cast("type[object]", model)).column_attrs:
        type_ = attribute.columns[0].type
        limits[attribute.key] = type_.limit if isinstance(type_, CleanString) else None
    return limits
