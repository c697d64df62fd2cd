"""What charts are drawn on: a sheet of a fixed width, with text, bars and cells, by matplotlib."""

from __future__ import annotations

import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .results import Role

#: In points, without the margins. A browser makes 368 pixels of the whole: the width of a phone, and two of them stand
#: beside each other on a page, so that neither has to shrink its text.
WIDTH = 266.0
_MARGIN = 5.0

INK, SOFT, LINE = "#1b1f24", "#57606a", "#1b1f2480"

COLOURS: dict[str, str] = {
    "own": "#0969da",
    "variant": "#8dbdf2",
    "reference": "#8c959f",
    "peer": "#c4cbd3",
    "floor": "#e6e9ed",
}

#: The same picture from the same figures: ids that do not differ from run to run, text as text, so that it can be read
#: aloud and found. Where DejaVu is not installed Verdana is, which is as wide, or something narrower.
_SETTINGS: dict[str, t.Any] = {
    "svg.hashsalt": "erlen",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "sans-serif"],
}


class Missing(Exception):
    """The library for charts is not installed."""


def library() -> t.Any:
    """Return matplotlib.

    :raises Missing: where it is not installed.
    """
    try:
        # An extra of its own: whoever measures need not draw.
        import matplotlib as mpl
    except ModuleNotFoundError as error:
        raise Missing(
            "matplotlib is not installed, so no charts can be drawn. Install it with: pip install 'erlen[charts]'"
        ) from error
    return mpl


class Canvas:
    """A sheet; all places are in points from its upper left corner.

    :param height: of the sheet.
    :raises Missing: where matplotlib is not installed.
    """

    def __init__(self, height: float) -> None:
        with library().rc_context(_SETTINGS):
            # Without pyplot, which looks for a screen.
            from matplotlib.figure import Figure  # as in library()

            size = (WIDTH + 2 * _MARGIN) / 72, (height + 2 * _MARGIN) / 72
            self.figure: Figure = Figure(figsize=size, facecolor="white")
            self.axes: Axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_xlim(-_MARGIN, WIDTH + _MARGIN)
        self.axes.set_ylim(height + _MARGIN, -_MARGIN)
        self.axes.axis("off")

    def heading(self, title: str, note: str) -> float:
        """Write what the picture shows, and return where the rest begins."""
        self.text(0, 6, title, size=10.5, bold=True)
        self.text(0, 19.5, note, size=8, soft=True)
        return 34.0

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float,
        align: t.Literal["left", "right", "center"] = "left",
        bold: bool = False,
        soft: bool = False,
        colour: str | None = None,
    ) -> None:
        """Write a line; ``y`` is its middle."""
        with library().rc_context(_SETTINGS):
            self.axes.text(
                x,
                y,
                # No mathematics between dollar signs.
                text.replace("$", r"\$"),
                fontsize=size,
                ha=align,
                va="center_baseline",
                fontweight="bold" if bold else "normal",
                color=colour or (SOFT if soft else INK),
            )

    def bar(self, x: float, y: float, width: float, height: float, role: Role) -> None:
        """Draw a bar in the colour of a role."""
        self.cell(x, y, width, height, COLOURS[role])

    def cell(self, x: float, y: float, width: float, height: float, colour: t.Any) -> None:
        """Fill a rectangle."""
        self.axes.barh(y + height / 2, width, height=height, left=x, color=colour, linewidth=0, clip_on=False)

    def line(self, start: float, end: float, y: float) -> None:
        """Draw how far the rounds lie apart."""
        self.axes.plot((start, end), (y, y), color=LINE, linewidth=0.9, solid_capstyle="butt")

    def save(self, file: Path) -> None:
        """Write the SVG."""
        with library().rc_context(_SETTINGS):
            self.figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        # Each line of the library's ends with a blank where it wraps paths.
        lines = [line.rstrip() for line in file.read_text(encoding="utf-8").splitlines()]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
