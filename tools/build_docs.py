"""Build the site of the documentation: this version below the folder, and what leads to it.

``build/docs`` is what a server of files gets. Each version has a folder, ``versions.json`` is what the menu of versions
shows, and the first page leads to the newest release, or to ``dev`` while there is none. The folders of earlier versions
stay where they are, so a release is built into the folder that the site has been built into before.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
from importlib.metadata import version as installed_version
from pathlib import Path

from sphinx.cmd.build import main as sphinx

from check_links import problems_of
from reference import missing_from, shown_by_site, unknown_of

ROOT = Path(__file__).parents[1]

_LEADS_ON = """\
<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>Erlen</title>
  <meta http-equiv="refresh" content="0; url={version}/">
  <link rel="canonical" href="{version}/">
  <p><a href="{version}/">Erlen {version}</a></p>
</html>
"""


def main() -> int:
    """Build, check the links, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "docs", help="where the site goes")
    parser.add_argument("--jobs", default="1", help="processes that build, as sphinx-build takes them")
    arguments = parser.parse_args()
    # The theme's colours configure logging when they are imported, unless somebody has.
    logging.getLogger().addHandler(logging.NullHandler())
    output: Path = arguments.output
    version = _version()
    site = output / version
    # What an earlier build has left would hide that a page is missing.
    shutil.rmtree(site, ignore_errors=True)
    options = ["-q", "-E", "-W", "--keep-going", "-n", "-j", arguments.jobs, "-D", f"version={version}"]
    doctrees = ["-d", str(output / ".doctrees")]
    if code := sphinx(["-b", "html", *options, *doctrees, str(ROOT / "docs"), str(site)]):
        return code
    versions = _versions(output)
    (output / "versions.json").write_text(json.dumps(versions) + "\n", encoding="utf-8")
    (output / "index.html").write_text(_LEADS_ON.format(version=versions[0]), encoding="utf-8")
    problems = problems_of(site)
    shown = shown_by_site(site)
    problems += [f"{name} is public, and no page of the reference shows it" for name in missing_from(shown)]
    problems += [f"{name} is in the reference, and there is no such name" for name in unknown_of(shown)]
    for problem in problems:
        print(problem, file=sys.stderr)
    pages = len(list(site.rglob("*.html")))
    print(f"{pages} pages in {os.path.relpath(site)}")
    return 1 if problems else 0


def _version() -> str:
    """Return what this version is called in addresses: all that are no release yet are ``dev``."""
    release = installed_version("erlen")
    return "dev" if "dev" in release else ".".join(release.split(".")[:2])


def _versions(output: Path) -> list[str]:
    """Return the versions that are there, the newest first, ``dev`` at the end."""
    names = [page.parent.name for page in output.glob("*/index.html")]
    numbers = sorted((name for name in names if name != "dev"), key=_as_numbers, reverse=True)
    return [*numbers, *(name for name in names if name == "dev")]


def _as_numbers(version: str) -> list[int]:
    return [int(part) if part.isdecimal() else 0 for part in version.split(".")]


if __name__ == "__main__":
    sys.exit(main())
