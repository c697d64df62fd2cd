"""The applications that servers are pointed at answer alike, here without a server.

``test_served_answers.py`` runs these tests in a process of their own: Django is configured once in each, and Litestar sets up
logging for all of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import typing as t
from pathlib import Path

import pytest
from benchmarks.apps import Subject
from benchmarks.cases import CASES, scope_of
from benchmarks.database import asgi_apps, wsgi_apps
from benchmarks.database.sources import AsyncSqlite, Sqlite
from benchmarks.database.tables import fill_sqlite
from benchmarks.database.targets import CASES as PAGES
from benchmarks.database.targets import SUBJECTS, target
from benchmarks.serving import targets
from benchmarks.serving.process import Reply
from benchmarks.serving.wrk import Failed
from werkzeug.test import Client

# Other frameworks find fault with code that is right for older versions of theirs.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

INTERFACES = ["wsgi", "asgi"]


def asked_wsgi(app: t.Any, path: str, headers: t.Iterable[tuple[str, str]]) -> tuple[Reply, dict[str, str]]:
    response = Client(app).get(path, base_url="http://127.0.0.1:8000", headers=list(headers))
    sent = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, sent["content-type"].lower(), response.data), sent


def asked_asgi(app: t.Any, path: str, headers: t.Iterable[tuple[str, str]]) -> tuple[Reply, dict[str, str]]:
    place, _, query = path.partition("?")
    scope = scope_of(CASES["plaintext"])
    scope.update(path=place, raw_path=place.encode(), query_string=query.encode())
    scope["headers"] = [
        (b"host", b"127.0.0.1"),
        *((name.lower().encode(), value.encode()) for name, value in headers),
    ]
    messages: list[dict[str, t.Any]] = []
    left: list[dict[str, t.Any]] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, t.Any]:
        return left.pop() if left else await asyncio.get_running_loop().create_future()

    async def send(message: dict[str, t.Any]) -> None:
        messages.append(message)

    asyncio.run(app(scope, receive, send))
    start, *parts = messages
    sent = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    body = b"".join(part.get("body", b"") for part in parts)
    return Reply(start["status"], sent["content-type"].lower(), body), sent


ASKED = {"wsgi": asked_wsgi, "asgi": asked_asgi}


def application(subject: Subject, case: str) -> t.Any:
    factory = subject.factory(CASES[case].factory)
    assert factory is not None
    return factory(**dict(subject.options))


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("case", targets.CASE_NAMES)
def test_all_subjects_answer_as_the_case_says(interface: str, case: str) -> None:
    for name, subject in targets.subjects(interface).items():
        served = targets.target(interface, name, case)
        reply, _ = ASKED[interface](application(subject, case), served.path, served.headers)
        served.check(reply)


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("case", targets.CASE_NAMES)
def test_the_bare_callable_with_headers_sends_what_erlen_sends(interface: str, case: str) -> None:
    subjects = targets.subjects(interface)
    erlen = "erlen" if interface == "wsgi" else "erlen-async"
    one = targets.target(interface, erlen, case)
    expected, headers = ASKED[interface](application(subjects[erlen], case), one.path, one.headers)
    reply, sent = ASKED[interface](application(subjects[targets.SAFE_BARE], case), one.path, one.headers)
    one.check(reply)
    assert sent.keys() == headers.keys()
    if case != "json":
        # Of JSON the separators differ, and so does the length.
        assert (reply, sent) == (expected, headers)


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (Reply(500, "text/html; charset=utf-8", b"no"), "Erlen answers 500, not 200: b'no'"),
        (Reply(200, "text/plain", b"Hello, World!"), "the content type 'text/plain', not 'text/html;"),
        (Reply(200, "text/html; charset=utf-8", b"Hello"), "answers b'Hello', not b'Hello, World!'"),
    ],
)
def test_another_answer_is_refused(reply: Reply, text: str) -> None:
    with pytest.raises(Failed, match=text):
        targets.compare(CASES["plaintext"], "Erlen", reply)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("rows") / "rows.sqlite3"
    fill_sqlite(file)
    return file


@pytest.mark.parametrize("interface", INTERFACES)
@pytest.mark.parametrize("page", PAGES)
def test_all_subjects_show_the_rows_of_the_database(interface: str, page: str, rows: Path) -> None:
    for name, subject in SUBJECTS[interface].items():
        served = target(interface, name, page, "sqlite", str(rows))
        source, apps = (
            (Sqlite(str(rows)), wsgi_apps) if interface == "wsgi" else (AsyncSqlite(str(rows)), asgi_apps)
        )
        with contextlib.closing(source):
            app = getattr(apps, subject.factory)(source, *subject.arguments)
            reply, _ = ASKED[interface](app, served.path, ())
        served.check(reply)


def test_rows_that_the_table_does_not_have_are_refused() -> None:
    served = target("wsgi", "bare", "one query", "sqlite", "")
    with pytest.raises(Failed, match="which the table does not have"):
        served.check(Reply(200, "application/json", b'{"id": 7, "randomNumber": 1}'))
    with pytest.raises(Failed, match="another page than the rows make"):
        target("wsgi", "bare", "fortunes", "sqlite", "").check(Reply(200, "text/html; charset=utf-8", b"<p>"))
