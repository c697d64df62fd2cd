"""The checks that a project does not want, as ``pyproject.toml`` says it."""

from __future__ import annotations

import tomllib
import typing as t
from pathlib import Path

import click

_EXAMPLE = '[tool.erlen.check.skip]\ncontent-security-policy = "the proxy sets it"'


def read_skips(folder: Path) -> dict[str, str]:
    """Return ids and reasons of ``[tool.erlen.check.skip]`` in the nearest ``pyproject.toml``.

    :param folder: where to begin to look, upwards.
    :raises click.UsageError: for a file that cannot be read, or a table of another form.
    """
    file = next(
        (one for place in (folder, *folder.parents) if (one := place / "pyproject.toml").is_file()), None
    )
    if file is None:
        return {}
    try:
        content: dict[str, t.Any] = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise click.UsageError(f"Could not read {str(file)!r}: {error}") from None
    table: t.Any = content
    for name in ("tool", "erlen", "check", "skip"):
        table = table.get(name, {}) if isinstance(table, dict) else None
    # Without a table there is nothing with a reason.
    reasons: dict[str, t.Any] = table if isinstance(table, dict) else {"": None}
    if not all(isinstance(reason, str) and reason.strip() for reason in reasons.values()):
        raise click.UsageError(
            f"[tool.erlen.check.skip] in {str(file)!r} has to give each check a reason, as text:\n\n{_EXAMPLE}"
        )
    return reasons
