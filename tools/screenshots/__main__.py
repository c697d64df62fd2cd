"""Take the pictures in ``docs/images`` anew."""

from __future__ import annotations

import argparse
import shutil
import sys
import typing as t
from pathlib import Path

from playwright.sync_api import sync_playwright

from .scenes import SCENES
from .studio import Studio

IMAGES = Path(__file__).parents[2] / "docs" / "images"

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Take the pictures that are asked for, all without a name, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m screenshots", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SCENES)}")
    parser.add_argument("--folder", type=Path, default=IMAGES, help="where they go")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - set(SCENES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(SCENES)}")
    browser = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if browser is None:
        print(
            f"Chromium is needed, under one of the names {', '.join(_NAMES)}: apt install chromium",
            file=sys.stderr,
        )
        return 1
    given.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for name in given.names or SCENES:
            for picture in SCENES[name](Studio(chromium, given.folder)):
                print(picture.name)
        chromium.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
