"""The pictures of the documentation are taken by ``tools/screenshots``, and can be."""

from __future__ import annotations

from pathlib import Path

import pytest

from browser import NAMES, executable
from pages import ROOT
from screenshots.__main__ import main

IMAGES = ROOT / "docs" / "images"


@pytest.mark.servers
@pytest.mark.skipif(
    executable() is None, reason=f"there is no Chromium, under none of the names {', '.join(NAMES)}"
)
def test_every_picture_is_taken(tmp_path: Path) -> None:
    assert main(["--folder", str(tmp_path)]) == 0
    taken = {path.name for path in tmp_path.iterdir()}
    assert taken == {path.name for path in IMAGES.iterdir()}
    assert {path.name for path in tmp_path.iterdir() if path.stat().st_size < 5_000} == set()


def test_every_picture_is_shown() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("examples/*/README.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    assert [path.name for path in IMAGES.iterdir() if f"images/{path.name})" not in text] == []


def test_a_picture_that_does_not_exist_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["signpu"])
    assert "there is no signpu; there are signup, chat" in capsys.readouterr().err
