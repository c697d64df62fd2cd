"""Types of columns that hold the same on every database."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sqlalchemy import JSON, DateTime, Dialect, String, Text, TypeDecorator

# What no database agrees to keep in a text: NUL (PostgreSQL), and halves of surrogate pairs, which UTF-8 has not.
_UNFIT = re.compile("[\0\ud800-\udfff]")


class UtcDateTime(TypeDecorator[datetime]):
    """Times that are aware and in UTC, also where the database knows no zones, as SQLite."""

    #: What the database is asked for.
    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what is stored: the time in UTC.

        :param value: an aware time.
        :param dialect: not asked.
        :raises ValueError: for a time without a zone.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(
                f"The time {value!r} has no zone, so it says nothing certain. Make it with datetime.now(UTC)."
            )
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time, aware.

        :param value: what the driver returned, with a zone or without.
        :param dialect: not asked.
        """
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class _Clean(TypeDecorator[str]):
    """Text from anywhere. What a database would refuse with an error is replaced by U+FFFD, in what is looked up as well."""

    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Return the text as any database keeps it.

        :param value: the text.
        :param dialect: not asked.
        """
        return None if value is None else _UNFIT.sub("\ufffd", value)


class CleanText(_Clean):
    """Text of any length from anywhere."""

    impl = Text
    cache_ok = True


class CleanString(_Clean):
    """Text from anywhere that has an index.

    :param length: the most characters.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.limit = length


class Texts(TypeDecorator[tuple[str, ...]]):
    """Several texts in one column, as a list of JSON."""

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> list[str] | None:
        """Return the list.

        :param value: the texts.
        :param dialect: not asked.
        """
        return None if value is None else list(value)

    def process_result_value(self, value: list[str] | None, dialect: Dialect) -> tuple[str, ...] | None:
        """Return the texts.

        :param value: what JSON has.
        :param dialect: not asked.
        """
        return None if value is None else tuple(value)
