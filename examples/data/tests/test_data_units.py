"""A request is one unit of work: committed as a whole or not at all, and its connection is given back."""

from __future__ import annotations

import gc
import os
import threading
import typing as t
from pathlib import Path

import pytest

from data_layers import Layer, only, without
from erlen import Erlen, Response, abort, redirect
from erlen.testing import ErlenClient
from reading_list import Books

BOOK = {"title": "Emma", "author": "Jane Austen", "note": ""}

# What the layers that keep their connection in the thread say on another thread.
REFUSALS = {
    "peewee": "database connection not opened",
    "pony": "db_session is required",
    "django": "You cannot call this from an async context",
}

needs_open_files = pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="counts open files in /proc/self/fd, which is not there"
)


def titles(client: ErlenClient) -> list[str]:
    answer: t.Any = client.get("/books.json").get_json()
    return [book["title"] for book in answer["books"]]


def books_of(app: Erlen) -> Books:
    return t.cast(Books, app.extensions["books"])


def write(app: Erlen) -> None:
    """Change what can be changed: add a book, change and delete those that are there."""
    books = books_of(app)
    first, second = (book.id for book in books.search("", 2))
    books.add("Ulysses", "", "")
    books.change(first, "Another title", "", "")
    books.delete(second)


def at_once(*functions: t.Callable[[], object]) -> None:
    """Call functions in a thread each, all at the same time."""
    start = threading.Barrier(len(functions))
    errors: list[Exception] = []

    def run(function: t.Callable[[], object]) -> None:
        start.wait()
        try:
            function()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_what_a_view_wrote_before_it_raised_is_undone(app: Erlen, client: ErlenClient) -> None:
    @app.post("/broken")
    def broken() -> str:
        write(app)
        raise ZeroDivisionError

    client.post("/several", data={"lines": "Emma\nMiddlemarch"})
    for _ in range(3):
        response = client.post("/broken")
        assert response.status_code == 500
        assert "<h1>Internal Server Error</h1>" in response.text
        assert titles(client) == ["Middlemarch", "Emma"]
    client.post("/add", data=BOOK)
    assert titles(client) == ["Emma", "Middlemarch", "Emma"]


def test_it_is_undone_where_the_error_goes_to_the_server(app: Erlen, client: ErlenClient) -> None:
    """With PROPAGATE_EXCEPTIONS there is no answer, so no ``after_request``."""
    app.config["PROPAGATE_EXCEPTIONS"] = True

    @app.post("/broken")
    def broken() -> str:
        write(app)
        raise ZeroDivisionError

    client.post("/several", data={"lines": "Emma\nMiddlemarch"})
    with pytest.raises(ZeroDivisionError):
        client.post("/broken")
    assert titles(client) == ["Middlemarch", "Emma"]


def test_what_a_view_wrote_before_an_http_error_is_undone(app: Erlen, client: ErlenClient) -> None:
    @app.post("/refused")
    def refused() -> str:
        write(app)
        abort(409)

    client.post("/several", data={"lines": "Emma\nMiddlemarch"})
    assert client.post("/refused").status_code == 409
    assert titles(client) == ["Middlemarch", "Emma"]


def test_what_a_view_wrote_is_kept_with_its_answer(app: Erlen, client: ErlenClient) -> None:
    @app.post("/fine")
    def fine() -> t.Any:
        write(app)
        return redirect("/", 303)

    client.post("/several", data={"lines": "Emma\nMiddlemarch"})
    assert client.post("/fine").status_code == 303
    assert titles(client) == ["Ulysses", "Another title"]


def test_a_hook_that_fails_first_leaves_nothing_behind(app: Erlen, client: ErlenClient, layer: Layer) -> None:
    fails = [True]

    def refuse() -> None:
        if fails:
            raise ZeroDivisionError

    app.before_request_funcs.setdefault(None, []).insert(0, refuse)
    assert client.get("/").status_code == 500
    fails.clear()
    assert client.post("/add", data=BOOK).status_code == 303
    assert titles(client) == ["Emma"]


# A transaction of SQLObject's that cannot be rolled back tries it once more in its `__del__`.
@pytest.mark.filterwarnings("ignore:.*Transaction.__del__:pytest.PytestUnraisableExceptionWarning")
@without("zodb")
@needs_open_files
def test_a_connection_that_is_lost_is_replaced_for_the_next_request(
    app: Erlen, client: ErlenClient, layer: Layer, database: str
) -> None:
    """As when a server of databases restarts."""
    app.config["PROPAGATE_EXCEPTIONS"] = True

    @app.post("/lost")
    def lost() -> str:
        write(app)
        layer.lose_connection(app)
        books_of(app).add("Ulysses", "", "")
        return "done"

    client.post("/several", data={"lines": "Emma\nMiddlemarch"})
    for _ in range(2):
        with pytest.raises(Exception, match="closed"):
            client.post("/lost")
        gc.collect()
    assert titles(client) == ["Middlemarch", "Emma"]
    assert client.post("/add", data=BOOK).status_code == 303
    assert layer.connections(app, database) == 0


def test_others_see_a_change_when_it_is_committed(app: Erlen, client: ErlenClient) -> None:
    """Isolation, between two threads."""
    written, looked = threading.Event(), threading.Event()

    @app.post("/slow")
    def slow() -> str:
        books_of(app).add("Ulysses", "", "")
        written.set()
        looked.wait(30)
        return "done"

    codes: list[int] = []
    other = app.test_client()
    thread = threading.Thread(target=lambda: codes.append(other.post("/slow").status_code))
    thread.start()
    try:
        assert written.wait(30)
        assert titles(client) == []
    finally:
        looked.set()
        thread.join()
    assert codes == [200]
    assert titles(client) == ["Ulysses"]


def test_a_dozen_requests_have_a_connection_each(
    app: Erlen, client: ErlenClient, caplog: pytest.LogCaptureFixture
) -> None:
    all_here = threading.Barrier(12)

    @app.get("/wait")
    def wait() -> str:
        books_of(app).search("", 1)
        all_here.wait(30)
        return "done"

    def visit() -> None:
        assert app.test_client().get("/wait").status_code == 200

    at_once(*[visit] * 12)
    assert [record.getMessage() for record in caplog.records if record.levelname != "INFO"] == []


def test_threads_that_write_at_once_lose_nothing(app: Erlen, client: ErlenClient) -> None:
    def add(title: str) -> None:
        visitor = app.test_client()
        for number in range(5):
            response = visitor.post("/add", data={"title": f"{title} {number}"})
            assert response.status_code == 303
            assert visitor.get(response.location).status_code == 200

    names = ["Ada", "Bea", "Cid", "Dov"]
    at_once(*(lambda name=name: add(name) for name in names))
    assert sorted(titles(client)) == [f"{name} {number}" for name in names for number in range(5)]


@without("pony")
def test_threads_that_read_and_then_write_do_not_get_in_each_others_way(
    app: Erlen, client: ErlenClient
) -> None:
    """In SQLite two transactions that have read and then want to write wait for each other; one gets an error."""

    @app.post("/count")
    def count() -> str:
        books = books_of(app)
        (book,) = books.search("", 10)
        books.change(book.id, "Emma, again", "", "")
        return "done"

    def read_and_write() -> None:
        visitor = app.test_client()
        for _ in range(5):
            assert visitor.post("/count").status_code == 200

    client.post("/add", data=BOOK)
    at_once(*[read_and_write] * 4)
    assert titles(client) == ["Emma, again"]


@only("peewee", "django", "zodb")
def test_a_transaction_that_begins_with_reading_may_write(app: Erlen, client: ErlenClient) -> None:
    @app.post("/count")
    def count() -> str:
        books: t.Any = books_of(app)
        books.begin()
        (book,) = books.search("", 10)
        books.change(book.id, f"{book.title}I", "", "")
        return "done"

    def count_up() -> None:
        visitor = app.test_client()
        for _ in range(5):
            assert visitor.post("/count").status_code == 200

    client.post("/add", data={"title": "I"})
    at_once(*[count_up] * 4)
    assert titles(client) == ["I" * 21]


def test_a_book_is_changed_by_one_and_deleted_by_another(app: Erlen, client: ErlenClient) -> None:
    """Whoever comes second is told that there is no such book."""
    codes: set[int] = set()

    def send(page: str) -> None:
        codes.add(app.test_client().post(page, data=BOOK).status_code)

    for _ in range(15):
        number = client.post("/add", data=BOOK).location
        at_once(*[lambda page=f"{number}/{what}": send(page) for what in ("edit", "edit", "delete")])
    assert 303 in codes
    assert codes <= {303, 404}
    assert titles(client) == []


@only("pony")
def test_pony_refuses_to_change_what_another_has_changed_since_it_was_read(
    app: Erlen, client: ErlenClient
) -> None:
    @app.post("/late")
    def late() -> str:
        books = books_of(app)
        (book,) = books.search("", 10)
        assert book.title == "Emma"
        visitor = app.test_client()
        at_once(lambda: visitor.post(f"/{book.id}/edit", data={"title": "Theirs"}))
        books.change(book.id, "Mine", "", "")
        return "done"

    client.post("/add", data=BOOK)
    assert client.post("/late").status_code == 500
    assert titles(client) == ["Theirs"]


@needs_open_files
def test_every_connection_is_given_back(app: Erlen, client: ErlenClient, layer: Layer, database: str) -> None:
    """Threads that come and go, as those of ``erlen run``, with requests that end well, badly and not at all."""

    @app.post("/broken")
    def broken() -> str:
        write(app)
        raise ZeroDivisionError

    def visit() -> None:
        visitor = app.test_client()
        number = visitor.post("/add", data=BOOK).location
        codes = [visitor.get(page).status_code for page in ("/", "/?q=emma", number, "/99", "/nowhere")]
        assert codes == [200, 200, 200, 404, 404]
        assert visitor.post("/broken").status_code == 500
        assert visitor.post("/several", data={"lines": "Emma\n;"}).status_code == 422

    client.post("/several", data={"lines": "Emma\nMiddlemarch"})
    for _ in range(6):
        at_once(*[visit] * 4)
        assert layer.connections(app, database) == 0
    assert len(titles(client)) == 26


@needs_open_files
def test_the_connection_is_there_during_the_request(
    app: Erlen, client: ErlenClient, layer: Layer, database: str
) -> None:
    """What is counted above can be counted."""
    counts: list[int] = []

    @app.get("/look")
    def look() -> str:
        books_of(app).search("", 1)
        counts.append(layer.connections(app, database))
        return "done"

    client.get("/look")
    assert counts == [1]


def test_an_async_view_beside_the_others_mixes_up_no_connections(
    app: Erlen, client: ErlenClient, layer: Layer, database: str
) -> None:
    """Over ASGI the hooks around it would run on several threads."""
    mixed: list[bool] = []

    @app.get("/async")
    async def view() -> str:
        return "done"

    @app.before_request
    def come() -> None:
        threads[threading.get_ident()] = True

    @app.teardown_request
    def go(error: BaseException | None) -> None:
        mixed.append(not threads.pop(threading.get_ident(), False))

    def visit() -> None:
        visitor = app.test_client()
        for _ in range(5):
            assert visitor.get("/async").status_code == 200
            assert visitor.post("/add", data=BOOK).status_code == 303

    threads: dict[int, bool] = {}
    at_once(*[visit] * 6)
    assert len(titles(client)) == 30
    if layer.in_thread:
        assert not any(mixed)


@pytest.mark.parametrize("protocol", ["asgi"], indirect=True)
def test_a_query_in_an_async_view(app: Erlen, client: ErlenClient, layer: Layer) -> None:
    """Where the connection is an object of the context it works, else there is an error that says why."""
    app.config["PROPAGATE_EXCEPTIONS"] = True

    @app.get("/async")
    async def view() -> str:
        return str(len(books_of(app).search("", 10)))

    client.post("/add", data=BOOK)
    if layer.in_thread:
        with pytest.raises(Exception, match=REFUSALS[layer.name]):
            client.get("/async")
    else:
        assert client.get("/async").text == "1"
    assert titles(client) == ["Emma"]


@without("zodb")
def test_a_database_that_cannot_write_is_an_error_page(
    app: Erlen, client: ErlenClient, database: str
) -> None:
    """Some layers write when the view asks, some when the request commits. Nobody is told that it is done."""
    number = client.post("/add", data=BOOK).location
    # Where SQLite would write its journal, a folder is in the way.
    Path(f"{database}-journal").mkdir()
    answers = [client.post("/add", data=BOOK), client.post(f"{number}/edit", data={"title": "Ulysses"})]
    answers.append(client.post(f"{number}/delete"))
    assert [response.status_code for response in answers] == [500] * 3
    Path(f"{database}-journal").rmdir()
    assert titles(client) == ["Emma"]
    assert client.post("/add", data=BOOK).status_code == 303


@only("zodb")
def test_a_commit_that_fails_is_an_error_page(app: Erlen, client: ErlenClient) -> None:
    """A ConflictError of ZODB, from a change beside the lock."""
    books: t.Any = books_of(app)

    @app.post("/conflict")
    def conflict() -> str:
        (book,) = books.search("", 10)
        books.change(book.id, "Mine", "", "")
        # Another transaction, which does not ask for the lock.
        elsewhere: t.Any = books.database.connect(type(books.connection.transaction_manager)())
        elsewhere.root()["books"][book.id].title = "Theirs"
        elsewhere.transaction_manager.commit()
        elsewhere.close()
        return "done"

    client.post("/add", data=BOOK)
    assert client.post("/conflict").status_code == 500
    assert titles(client) == ["Theirs"]
    assert client.post("/add", data=BOOK).status_code == 303


def test_the_data_are_there_in_the_next_application(
    make_app: t.Callable[[str], Erlen], layer: Layer, database: str, protocol: str
) -> None:
    first = make_app(database)
    first.test_cli_runner().invoke(args=["init-db"])
    first.test_client().post("/add", data=BOOK)
    layer.close(first)
    assert titles(make_app(database).test_client()) == ["Emma"]


@without("django")
def test_two_applications_have_two_lists(
    make_app: t.Callable[[str], Erlen], tmp_path: Path, protocol: str
) -> None:
    first, second = (make_app(str(tmp_path / name)) for name in ("first", "second"))
    for app in (first, second):
        app.test_cli_runner().invoke(args=["init-db"])
    first.test_client().post("/add", data=BOOK)
    assert titles(first.test_client()) == ["Emma"]
    assert titles(second.test_client()) == []


@only("django")
def test_django_has_one_database_in_a_process(layer: Layer, tmp_path: Path) -> None:
    create_app: t.Callable[[str], Erlen] = layer.module.create_app
    layer.create_app(str(tmp_path / "first"))
    create_app(str(tmp_path / "first"))
    with pytest.raises(
        RuntimeError, match=r"This process has its Django database in .*first', and cannot have"
    ):
        create_app(str(tmp_path / "second"))


@only("zodb")
def test_one_application_has_a_file_of_zodb_open(make_app: t.Callable[[str], Erlen], database: str) -> None:
    first, second = make_app(database), make_app(database)
    first.test_cli_runner().invoke(args=["init-db"])
    assert first.test_client().get("/").status_code == 200
    second.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(Exception, match="Couldn't lock"):
        second.test_client().get("/")
    assert first.test_client().get("/").status_code == 200


def test_an_answer_is_committed_before_it_leaves(app: Erlen, client: ErlenClient) -> None:
    """Whoever follows the redirect finds the book, whichever thread and connection they get."""
    seen: list[list[str]] = []

    # Registered after the layer's own, so it runs before that: nothing is committed here.
    @app.after_request
    def look(response: Response) -> Response:
        if response.status_code == 303:
            threading_look(seen)
        return response

    def threading_look(seen: list[list[str]]) -> None:
        thread = threading.Thread(target=lambda: seen.append(titles(app.test_client())))
        thread.start()
        thread.join()

    client.post("/add", data=BOOK)
    threading_look(seen)
    assert seen == [[], ["Emma"]]
