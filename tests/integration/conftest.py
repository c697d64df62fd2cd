"""The servers, one of each kind for all tests; what they have written is shown beside a test that fails."""

from __future__ import annotations

import typing as t

import pytest

from .servers import KINDS, Kind, Server


def _params(kinds: t.Iterable[Kind]) -> list[t.Any]:
    return [pytest.param(kind, id=kind.name) for kind in kinds]


def _start(kind: Kind, factory: pytest.TempPathFactory, **options: t.Any) -> Server:
    if kind.is_missing:
        pytest.skip(f"{kind.module} is not installed: pip install {kind.module}")
    return Server(kind, factory.mktemp(kind.name), **options)


@pytest.fixture(scope="session", params=_params(KINDS))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Server]:
    """Return a server that runs until the last test with it has ended; then its log must be clean."""
    running = _start(request.param, tmp_path_factory)
    try:
        running.before = running.get("/left").json
        yield running
    finally:
        exit_code = running.stop()
    assert running.problems() == []
    assert exit_code == running.kind.exit_code


class StartServer(t.Protocol):
    """Starts a server for one test."""

    def __call__(self, kind: Kind, name: str = "app", prefix: str = "") -> Server: ...


@pytest.fixture
def start_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[StartServer]:
    """Return a function that starts a server for this test alone."""
    started: list[Server] = []
    request.node.servers = started

    def start(kind: Kind, name: str = "app", prefix: str = "") -> Server:
        running = _start(kind, tmp_path_factory, name=name, prefix=prefix)
        started.append(running)
        return running

    yield start
    for running in started:
        running.stop()


# Where in the output of its server a test began.
_began = pytest.StashKey[int]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> t.Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what servers have written while a test ran that fails."""
    report = yield
    running = getattr(item, "funcargs", {}).get("server")
    if isinstance(running, Server):
        if call.when == "setup":
            item.stash[_began] = len(running.log())
        elif report.failed:
            shown = running.log()[item.stash.get(_began, 0) :]
            report.sections.append((f"output of {running.kind.name}", shown))
    if report.failed:
        started: list[Server] = getattr(item, "servers", [])
        report.sections += [(f"output of {one.kind.name}", one.log()) for one in started]
    return report
