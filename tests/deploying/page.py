"""What stands in the page about deploying: its commands, and the files that it shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "deploying.md"
EXAMPLE = ROOT / "examples" / "signup"
FILES = EXAMPLE / "deploy"

#: The port that every command of the page serves on.
PORT = "127.0.0.1:8000"


def text() -> str:
    """Return the page."""
    return PAGE.read_text(encoding="utf-8")


def section(heading: str) -> str:
    """Return what stands below a heading, up to the next one of its level or above.

    :param heading: the line, with its marks.
    """
    level = len(heading) - len(heading.lstrip("#"))
    lines = text().splitlines()
    begin = lines.index(heading) + 1
    end, in_block = begin, False
    while end < len(lines):
        if lines[end].startswith("```"):
            in_block = not in_block
        # In a block, a line that begins like that is a comment.
        if not in_block and re.match(rf"#{{1,{level}}} ", lines[end]):
            break
        end += 1
    return "\n".join(lines[begin:end])


def blocks(language: str, within: str | None = None) -> list[str]:
    """Return the blocks of a language.

    :param language: what stands behind the backticks.
    :param within: the part of the page to look in, else the page.
    """
    found = re.findall(rf"^```{language}\n(.*?)^```$", text() if within is None else within, re.M | re.S)
    return [str(block) for block in found]


def commands(heading: str) -> list[list[str]]:
    """Return the commands of a section, each as a list of words; a line that ends with a backslash goes on.

    :param heading: the heading of the section.
    """
    lines = "".join(blocks("console", section(heading))).replace("\\\n", " ").splitlines()
    return [shlex.split(line[2:], comments=True) for line in lines if line.startswith("$ ")]


def command(heading: str, program: str, containing: str = "") -> list[str]:
    """Return the one command of a section that starts a program.

    :param heading: the heading of the section.
    :param program: its first word.
    :param containing: words that it has as well.
    """
    wanted = set(containing.split())
    [found] = [words for words in commands(heading) if words[0] == program and wanted <= set(words)]
    return found


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """Replace parts of a file of the example, and refuse a part that is not in it."""
    for part, value in pairs:
        assert re.search(part, text, re.MULTILINE), f"{part!r} is not in the file"
        text = re.sub(part, value.replace("\\", r"\\"), text, flags=re.MULTILINE)
    return text
