"""What the documentation says is so."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import time
import types
import typing as t
from datetime import timedelta
from pathlib import Path

import pytest

from erlen import Erlen, render_template, render_template_string, stream_template
from erlen.profiles import DEFAULTS
from pages import play

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("examples/*/README.md")])


def reference_of_keys() -> list[tuple[str, str, str, str]]:
    """Return key, safe default, Flask's default and reason of each configuration key that the page has."""
    text = (DOCS / "configuration.md").read_text(encoding="utf-8")
    return [
        (one["key"], one["safe"], one["flask"] or one["safe"], one["why"])
        for one in re.finditer(
            r"^#### `(?P<key>\w+)`\n\n"
            r"Default: `(?P<safe>[^`]+)`(?: in both profiles|, with `profile=\"flask\"` `(?P<flask>[^`]+)`)\.\n\n"
            r"(?:.+\.\n)+\*Why:\* (?P<why>.+)$",
            text,
            re.MULTILINE,
        )
    ]


def blocks_of(page: str) -> list[str]:
    """Return the blocks of Python in a page."""
    parts = (ROOT / page).read_text(encoding="utf-8").split("```python\n")
    return [part.split("```")[0] for part in parts[1:]]


def test_the_page_about_configuration_has_every_key_once() -> None:
    assert sorted(key for key, *_ in reference_of_keys()) == sorted(DEFAULTS["safe"])


@pytest.mark.parametrize(("key", "safe", "flask", "why"), reference_of_keys())
def test_a_key_of_the_page_about_configuration_has_its_defaults_and_why(
    key: str, safe: str, flask: str, why: str
) -> None:
    values = [eval(text, {"timedelta": timedelta}) for text in (safe, flask)]
    assert values == [DEFAULTS["safe"][key], DEFAULTS["flask"][key]]
    assert re.fullmatch(r"[A-Z].{20,}\.", why), "a sentence says why"


def test_the_examples_of_the_page_about_configuration_work(tmp_path: Path) -> None:
    assert play([DOCS / "configuration.md"], tmp_path)


def test_the_page_about_data_layers_has_the_versions_that_are_tested() -> None:
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().splitlines()
    pinned = dict(line.split("==") for line in pins)
    lines = (ROOT / "examples" / "data" / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.count("|") == 6]
    documented = {row[0].lower().replace("ponyorm", "pony"): row[1] for row in rows[2:]}
    assert len(documented) == 6
    assert documented == {name: pinned[name] for name in documented}


def test_the_engine_of_the_page_about_templates_works(tmp_path: Path) -> None:
    pytest.importorskip("mako")
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "base.html").write_text("<main>${self.body()}</main>", encoding="utf-8")
    (folder / "page.html").write_text(
        "<%inherit file='base.html'/>${name} ${url_for('page')}", encoding="utf-8"
    )
    names: dict[str, t.Any] = {}
    exec(blocks_of("docs/templates.md")[0], names)
    app: Erlen = names["Application"]("documented", root_path=str(tmp_path))

    @app.get("/page")
    def page() -> list[str]:
        return [
            render_template("page.html", name="<Ada>"),
            render_template_string("${name}", name="<Ada>"),
            "".join(stream_template("page.html", name="Bob")),
        ]

    assert app.test_client().get("/page").json == [
        "<main>&lt;Ada&gt; /page</main>",
        "&lt;Ada&gt;",
        "<main>Bob /page</main>",
    ]


def test_the_application_of_the_first_page_works() -> None:
    names: dict[str, t.Any] = {"__name__": "documented"}
    exec(blocks_of("README.md")[0], names)
    assert names["app"].test_client().get("/?name=Ada").json == {"hello": "Ada"}


class Pool:
    """What the page about async code takes from a driver: it belongs to the loop that it was made on."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.is_open = True

    async def query(self, name: str) -> str:
        assert self.is_open
        future = self.loop.create_future()
        self.loop.call_later(0.001, future.set_result, f"all of {name}")
        return t.cast("str", await future)

    async def close(self) -> None:
        self.is_open = False


@pytest.fixture
def of_async_page(monkeypatch: pytest.MonkeyPatch) -> t.Iterator[dict[str, t.Any]]:
    """Return what the blocks of the page about async code define, run one after the other."""
    sent: list[str] = []

    async def connect(name: str) -> Pool:
        assert name == "shop.db"
        return Pool()

    database, mail = types.ModuleType("shop.database"), types.ModuleType("shop.mail")
    vars(database)["connect"] = connect
    vars(mail)["send_confirmation"] = sent.append
    monkeypatch.setitem(sys.modules, "shop", types.ModuleType("shop"))
    monkeypatch.setitem(sys.modules, "shop.database", database)
    monkeypatch.setitem(sys.modules, "shop.mail", mail)
    names: dict[str, t.Any] = {"__name__": "documented", "sent": sent}
    for block in blocks_of("docs/async.md"):
        exec(block, names)
    yield names
    names["app"].stop_serving()


@pytest.mark.parametrize("over", ["wsgi", "asgi"])
def test_the_views_of_the_page_about_async_code_work(of_async_page: dict[str, t.Any], over: str) -> None:
    app: Erlen = of_async_page["app"]
    with app.test_client(protocol=over) as client:
        assert client.get("/plain").text == "Hello, world"
        assert of_async_page["g"].started
        assert client.post("/async", data={"a": "1"}).json == {"sent": {"a": "1"}}
        assert client.put("/files/large", data=b"x" * 100_000).json == {"large": 100_000}
        assert client.get("/rows").text.splitlines()[-1] == '{"row": 999}'
        assert client.get("/stock").text == "all of stock"
        assert client.get("/prices").text == "all of prices"
        assert client.post("/orders", data={"mail": "ada@example.com"}).status_code == 202
        pool: Pool = app.extensions["pool"]
    assert of_async_page["sent"] == ["ada@example.com"]
    assert not pool.is_open


def test_a_pool_of_the_life_span_is_of_another_loop_in_async_views_over_wsgi(
    of_async_page: dict[str, t.Any],
) -> None:
    app: Erlen = of_async_page["app"]

    @app.get("/direct")
    async def direct() -> str:
        return t.cast("str", await app.extensions["pool"].query("stock"))

    app.testing = True
    with app.test_client(protocol="asgi") as client:
        assert client.get("/direct").text == "all of stock"
    with app.test_client() as client, pytest.raises(RuntimeError, match="attached to a different loop"):
        client.get("/direct")


def test_the_test_of_the_page_about_async_code_passes(of_async_page: dict[str, t.Any]) -> None:
    asyncio.run(of_async_page["test_chat"]())


def test_the_stop_of_the_page_about_async_code_is_heard(of_async_page: dict[str, t.Any]) -> None:
    app: Erlen = of_async_page["app"]
    numbers: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: numbers.append(number))
    try:
        of_async_page["post_worker_init"](types.SimpleNamespace(wsgi=app))
        assert app.is_serving
        signal.raise_signal(signal.SIGTERM)
        while not of_async_page["is_stopping"].is_set():
            time.sleep(0.001)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert numbers == [signal.SIGTERM]


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_what_a_page_links_to_is_there(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_the_headings_that_a_page_links_to_are_in_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings
