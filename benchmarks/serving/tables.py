"""The tables on the terminal."""

from __future__ import annotations

import typing as t

from ..figures import Figure

TITLE, COLUMN = 26, 13

COLUMNS = ("requests/s", "±", "p99 ms", "of bare", "core us/request", "of bare by core")


def print_table(
    heading: str, figures: t.Mapping[str, Figure], titles: t.Mapping[str, str], reference: str
) -> None:
    """Print one case on one server: a line for each subject, the fastest first.

    :param heading: the server and the case.
    :param figures: by the name of the subject.
    :param titles: how the subjects are called.
    :param reference: whom they are set in relation to.
    """
    print(f"\n{heading}")
    print(f"{'':<{TITLE}}" + "".join(f"{name:>{width(name)}}" for name in COLUMNS))
    for name in sorted(figures, key=lambda one: -figures[one].median):
        cells = cells_of(figures[name], figures.get(reference))
        print(
            f"{titles[name]:<{TITLE}}"
            + "".join(f"{cell:>{width(column)}}" for column, cell in zip(COLUMNS, cells, strict=True)),
            flush=True,
        )


def width(column: str) -> int:
    """Return how wide a column is."""
    return 7 if column == "±" else max(COLUMN, len(column) + 2)


def cells_of(one: Figure, reference: Figure | None) -> list[str]:
    """Return what stands in the line of a subject.

    :param reference: whom it is set in relation to.
    """
    p99, processor = one.median_of("p99_ms"), one.median_of("processor_us")
    other = None if reference is None else reference.median_of("processor_us")
    return [
        f"{one.median:,.0f}",
        f"{100 * one.spread / one.median:.0f}%",
        "-" if p99 is None else f"{p99:.1f}",
        "-" if reference is None else f"{one.median / reference.median:.2f}",
        "-" if processor is None else f"{processor:.1f}",
        f"{other / processor:.2f}" if other and processor else "-",
    ]
