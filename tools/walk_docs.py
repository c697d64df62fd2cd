"""Walk through the built site in a browser: each page, as a desktop and as a phone show it, light and dark.

``python tools/walk_docs.py`` walks through ``build/docs``, which ``make docs`` has made. It says what it finds, and fails
where it finds anything: pages that scroll sideways, pictures without words, text that is hard to read (``walk_docs.js``
has the checks), errors in the console; then what readers do: search, open the menu, choose a version, copy a command,
follow a link within a page.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import json
import shutil
import sys
import threading
import typing as t
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, expect, sync_playwright

ROOT = Path(__file__).parents[1]
DESKTOP, PHONE = (1280, 860), (390, 844)
SCHEMES: t.Final = ("light", "dark")

#: Pages of all kinds; the last has a menu of its own, blocks of code and headings.
REPRESENTATIVE = (
    "index", "start/installation", "tutorial/index", "guide/contexts", "guide/life-cycle", "configuration", "accounts",
    "api/application", "benchmarks/README", "project/changelog", "genindex", "start/quickstart",
)  # fmt: skip

#: What readers look for.
WORDS = (
    "session", "url_for", "blueprint", "upload", "websocket", "SECRET_KEY", "test_client", "deploy", "passkey", "flash",
)  # fmt: skip

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
_CHECKS = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: t.Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def served(folder: Path) -> t.Generator[str, None, None]:
    """Serve a folder at a free port, and return its address."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class Walk:
    """One walk through a site. What it finds is in ``problems``.

    :param browser: what shows the pages.
    :param site: the address of the site, with its version.
    :param tell: called with each problem when it is found.
    """

    def __init__(
        self, browser: Browser, site: str, tell: t.Callable[[str], None] = lambda problem: None
    ) -> None:
        self.problems: list[str] = []
        self._tell = tell
        self._browser, self._site = browser, site
        self._where = ""

    def through(self, pages: t.Iterable[str]) -> None:
        """Look at pages, in both widths and both colour schemes.

        :param pages: their names, as ``guide/index``.
        """
        titles: dict[str, str] = {}
        with self._visitor() as page:
            for name in pages:
                self._where = name
                page.goto(f"{self._site}/{name}.html", wait_until="load")
                # Pictures that wait until they are scrolled to are not there yet.
                page.evaluate("Promise.all([...document.images].map((one) => one.decode().catch(() => {})))")
                other = titles.setdefault(page.title(), name)
                if other != name:
                    self._say(f"has the title of {other}")
                if not page.locator("meta[name=description][content]").count():
                    self._say("has no description")
                self._look(page)

    def use(self) -> None:
        """Do what readers do."""
        with self._visitor() as page:
            for step in (self._search, self._choose_a_version, self._copy, self._jump, self._open_the_menu):
                self._where = step.__name__.strip("_").replace("_", " ")
                try:
                    step(page)
                except (AssertionError, TimeoutError) as problem:
                    self._say(str(problem).strip().replace("\n", " "))

    def _look(self, page: Page) -> None:
        # Most problems are there in each width and each scheme.
        found: dict[str, list[str]] = {}
        for width, height in (DESKTOP, PHONE):
            page.set_viewport_size({"width": width, "height": height})
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                # Styles have to be those of the other scheme when they are read.
                page.evaluate(
                    "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
                )
                for problem in page.evaluate(_CHECKS):
                    found.setdefault(problem, []).append(f"{width} {scheme}")
        for problem, where in found.items():
            self._say(f"{problem} ({', '.join(where)})")

    @contextlib.contextmanager
    def _visitor(self) -> t.Generator[Page, None, None]:
        context: BrowserContext = self._browser.new_context(
            viewport={"width": DESKTOP[0], "height": DESKTOP[1]},
            reduced_motion="reduce",
            permissions=["clipboard-read", "clipboard-write"],
        )
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("console", self._listen)
        page.on("pageerror", lambda error: self._say(f"JavaScript: {error}"))
        try:
            yield page
        finally:
            context.close()

    def _listen(self, line: ConsoleMessage) -> None:
        if line.type == "error":
            self._say(f"console: {line.text} ({line.location['url']})")

    def _say(self, problem: str) -> None:
        self.problems.append(f"{self._where}: {problem}")
        self._tell(self.problems[-1])

    def _search(self, page: Page) -> None:
        for word in WORDS:
            page.goto(f"{self._site}/search.html?q={word}")
            first = page.locator("#search-results .search li a").first
            first.wait_for()

    def _choose_a_version(self, page: Page) -> None:
        here = self._site.rpartition("/")[2]

        def answer(route: Route) -> None:
            route.fulfill(json=["0.0", here])

        page.route("**/versions.json", answer)
        page.goto(f"{self._site}/start/index.html")
        expect(page.locator(".versions select")).to_be_enabled()
        names = page.locator(".versions select").evaluate(
            "(menu) => [...menu.options].map((one) => one.value)"
        )
        if names != ["0.0", here] or page.locator(".versions select").input_value() != here:
            self._say(f"the menu has {names}")
        page.unroute("**/versions.json")

    def _copy(self, page: Page) -> None:
        page.goto(f"{self._site}/start/quickstart.html")
        commands = page.locator(".highlight-console").filter(has_text="$ ").first
        commands.hover()
        commands.locator("button.copybtn").click()
        page.wait_for_function("navigator.clipboard.readText().then((text) => text.length > 0)")
        copied = str(page.evaluate("navigator.clipboard.readText()"))
        shown = commands.inner_text()
        wanted = [line.removeprefix("$ ") for line in shown.splitlines() if line.startswith("$ ")]
        if copied.split("\n") != wanted:
            self._say(f"what is copied is {copied!r}, and the commands are {wanted!r}")

    def _jump(self, page: Page) -> None:
        for size in (DESKTOP, PHONE):
            page.set_viewport_size({"width": size[0], "height": size[1]})
            page.goto(f"{self._site}/start/quickstart.html")
            place = page.locator("article h2").nth(2).locator("a.headerlink").get_attribute("href")
            page.goto(f"{self._site}/start/quickstart.html{place}")
            # The heading is what is seen there, below what stays at the top.
            page.wait_for_function(
                "(() => { const heading = document.querySelector(`${location.hash} h2`);"
                "const box = heading.getBoundingClientRect();"
                "const there = document.elementFromPoint(box.left + 5, box.top + box.height / 2);"
                "return box.top < 200 && heading.contains(there) })()"
            )

    def _open_the_menu(self, page: Page) -> None:
        page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
        page.goto(f"{self._site}/start/quickstart.html")
        menu = page.locator(".sidebar-drawer")
        expect(menu).not_to_be_in_viewport()
        page.locator(".mobile-header label.nav-overlay-icon").click()
        expect(menu).to_be_in_viewport()
        page.locator(".sidebar-tree a", has_text="Tutorial").first.click()
        expect(page).to_have_url(f"{self._site}/tutorial/index.html")
        contents = page.locator(".toc-drawer")
        if contents.locator("a").count():
            page.locator("label.toc-header-icon").click()
            expect(contents).to_be_in_viewport()


def walk(
    folder: Path,
    pages: t.Sequence[str] | None = None,
    *,
    uses: bool = True,
    tell: t.Callable[[str], None] = lambda problem: None,
) -> list[str]:
    """Walk through a site and return what is wrong with it.

    :param folder: of one version.
    :param pages: the pages to look at; without, all.
    :param uses: whether to do what readers do as well.
    :param tell: called with each problem when it is found.
    """
    chosen = pages or sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.html"))
    browser = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if browser is None:
        raise SystemExit(
            f"Chromium is needed, under one of the names {', '.join(_NAMES)}: apt install chromium"
        )
    with served(folder.parent) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        one = Walk(chromium, f"{address}/{folder.name}", tell)
        one.through(chosen)
        if uses:
            one.use()
        chromium.close()
    return one.problems


def main(arguments: t.Sequence[str] | None = None) -> int:
    """Walk, say what is wrong, and return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="as guide/index; all without one")
    parser.add_argument("--site", type=Path, default=ROOT / "build" / "docs", help="where the site is")
    given = parser.parse_args(arguments)
    versions = given.site / "versions.json"
    if not versions.exists():
        print(f"There is no site in {given.site}: make docs", file=sys.stderr)
        return 1
    newest = json.loads(versions.read_text(encoding="utf-8"))[-1]
    problems = walk(given.site / newest, given.pages or None, tell=functools.partial(print, flush=True))
    print(f"{len(problems)} problems", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
