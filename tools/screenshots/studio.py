"""A browser that pictures are taken with."""

from __future__ import annotations

import contextlib
import typing as t
from pathlib import Path

from playwright.sync_api import Browser, Page

DESKTOP, PHONE = (1280, 860), (390, 844)


class Studio:
    """Opens pages of a size, and takes pictures of them.

    :param browser: what opens them.
    :param folder: where the pictures go.
    """

    def __init__(self, browser: Browser, folder: Path) -> None:
        self._browser, self._folder = browser, folder

    @contextlib.contextmanager
    def page(self, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> t.Generator[Page, None, None]:
        """Return an empty page of a visitor of its own.

        :param size: of what is seen, in CSS pixels.
        :param dark: whether the visitor prefers dark colours.
        """
        context = self._browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            locale="en-GB",
            # What moves would make each picture another one.
            reduced_motion="reduce",
        )
        try:
            yield context.new_page()
        finally:
            context.close()

    def take(self, page: Page, name: str) -> Path:
        """Take a picture of what is seen of a page, and return its file.

        :param page: the page.
        :param name: of the file, without its ending.
        """
        path = self._folder / f"{name}.png"
        page.evaluate("document.activeElement?.blur()")
        page.screenshot(path=path, animations="disabled", caret="hide")
        return path
