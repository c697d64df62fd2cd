"""Files as responses: names, ranges, conditions, and paths that want out of their directory."""

from __future__ import annotations

import io
import os
import typing as t
from pathlib import Path

import flask
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import NotFound
from werkzeug.test import create_environ
from werkzeug.utils import send_file as werkzeug_send_file
from werkzeug.wrappers import Response as PlainResponse
from werkzeug.wsgi import FileWrapper

from erlen import Erlen, Response
from erlen.files import WHOLE, describe
from erlen.helpers import _names_device, send_file, send_from_directory
from erlen.streams import close_body

CONTENT = b"0123456789"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = tmp_path / "root" / "files"
    files.mkdir(parents=True)
    (files / "digits.txt").write_bytes(CONTENT)
    (files / "größe.txt").write_bytes(CONTENT)
    (files / "folder").mkdir()
    (tmp_path / "root" / "secret.txt").write_bytes(b"secret")
    return tmp_path / "root"


def _application(make: t.Any, root: Path, **options: t.Any) -> t.Any:
    """Return the same application on Flask or on Erlen."""
    app = make("files", root_path=str(root), static_folder=None)
    send: t.Any = flask.send_file if make is flask.Flask else send_file
    send_below: t.Any = flask.send_from_directory if make is flask.Flask else send_from_directory

    def file() -> t.Any:
        return send("files/digits.txt", **options)

    def memory() -> t.Any:
        return send(io.BytesIO(CONTENT), **({"mimetype": "text/plain"} | options))

    def below(path: str) -> t.Any:
        return send_below("files", path, **options)

    app.add_url_rule("/file", "file", file)
    app.add_url_rule("/memory", "memory", memory)
    app.add_url_rule("/below/<path:path>", "below", below)
    return app


@pytest.fixture
def served(root: Path) -> t.Any:
    return _application(Erlen, root).test_client()


class Answer(t.NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]


def ask(client: t.Any, path: str, *, method: str = "GET", **headers: str) -> Answer:
    """Send a request and close the response, and with it the file."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    with client.open(path, method=method, headers=sent) as response:
        own = {"Date", "Server"}
        kept = {name.lower(): value for name, value in response.headers.items() if name.lower() not in own}
        return Answer(response.status_code, response.get_data(), kept)


RANGES = [
    "bytes=0-3",
    "bytes=0-",
    "bytes=9-",
    "bytes=-3",
    "bytes=-10",
    "bytes=-0",
    "bytes=10-",
    "bytes=20-30",
    "bytes=0-100",
    "bytes=3-1",
    "bytes=0-0,2-3",
    "bytes=a-b",
    "bytes=٣-٤",
    "bytes=",
    "bytes=-",
    "bytes=--1",
    "bytes=0-3,",
    "items=0-1",
    "nonsense",
    "bytes=99999999999999999999999999-",
]


@pytest.mark.parametrize("path", ["/file", "/memory", "/below/digits.txt"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_ranges_are_answered_as_in_flask(root: Path, path: str, method: str) -> None:
    ours = _application(Erlen, root).test_client()
    flasks = _application(flask.Flask, root).test_client()
    for value in RANGES:
        answer, expected = (ask(client, path, method=method, Range=value) for client in (ours, flasks))
        assert answer.status == expected.status, value
        if answer.status < 400:
            assert answer.body == expected.body, value
            assert {**expected.headers, **answer.headers} == answer.headers, value


def test_a_range_is_answered_with_206(served: t.Any) -> None:
    answer = ask(served, "/file", Range="bytes=2-4")
    assert (answer.status, answer.body) == (206, b"234")
    assert answer.headers["content-range"] == "bytes 2-4/10"
    assert answer.headers["content-length"] == "3"
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("value", ["bytes=-0", "bytes=10-", "bytes=20-30"])
def test_a_range_that_cannot_be_satisfied_is_answered_with_416(served: t.Any, value: str) -> None:
    """``bytes=-0`` asks for nothing, and was once answered with everything."""
    answer = ask(served, "/file", Range=value)
    assert answer.status == 416
    assert answer.headers["content-range"] == "bytes */10"


def test_unicode_digits_are_no_range(served: t.Any) -> None:
    assert ask(served, "/file", Range="bytes=٣-٤").status in {200, 416}


def test_cve_2025_62727_the_cost_of_many_ranges_does_not_grow_quadratically(served: t.Any) -> None:
    """With quadratic cost, this header of two megabytes would keep a core busy for minutes."""
    ranges = ",".join(f"{start}-{start}" for start in range(0, 300_000, 2))
    assert ask(served, "/file", Range=f"bytes={ranges}").status in {200, 416}


def test_head_has_the_headers_of_get_and_no_body(served: t.Any) -> None:
    get, head = ask(served, "/file"), ask(served, "/file", method="HEAD")
    assert (head.status, head.body, head.headers) == (200, b"", get.headers)
    assert head.headers["content-length"] == "10"


def test_conditions_are_judged_as_in_flask(root: Path) -> None:
    ours = _application(Erlen, root).test_client()
    flasks = _application(flask.Flask, root).test_client()
    plain = ask(flasks, "/file")
    tag, changed = plain.headers["etag"], plain.headers["last-modified"]
    assert ask(ours, "/file").headers["etag"] == tag
    conditions: list[dict[str, str]] = [
        {"If_None_Match": tag},
        {"If_None_Match": f"W/{tag}"},
        {"If_None_Match": f'"other", {tag}'},
        {"If_None_Match": "*"},
        {"If_None_Match": tag[:-2] + '"'},
        {"If_None_Match": '"x"', "If_Modified_Since": changed},
        {"If_Modified_Since": changed},
        {"If_Modified_Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
        {"If_Modified_Since": "yesterday"},
        {"If_Match": tag},
        {"If_Match": '"other"'},
        {"If_Range": tag, "Range": "bytes=0-1"},
        {"If_Range": '"other"', "Range": "bytes=0-1"},
        {"If_Range": changed, "Range": "bytes=0-1"},
    ]
    for condition in conditions:
        for method in ("GET", "HEAD"):
            answer, expected = (ask(client, "/file", method=method, **condition) for client in (ours, flasks))
            assert (answer.status, answer.body) == (expected.status, expected.body), condition


def test_a_matching_etag_is_answered_with_304_without_a_body(served: t.Any) -> None:
    tag = ask(served, "/file").headers["etag"]
    answer = ask(served, "/file", If_None_Match=tag)
    assert (answer.status, answer.body) == (304, b"")
    assert answer.headers["etag"] == tag
    assert "content-length" not in answer.headers


def test_an_etag_matches_only_as_a_whole(served: t.Any) -> None:
    """A part of the tag, or the tag without its quotation marks inside another, is another tag."""
    tag = ask(served, "/file").headers["etag"].strip('"')
    for other in (f'"{tag[:-1]}"', f'"x{tag}"', f'"{tag},"', f'"a" "{tag}x"'):
        assert ask(served, "/file", If_None_Match=other).status == 200, other


@pytest.mark.parametrize(
    "options",
    [
        {"as_attachment": True},
        {"download_name": "Übersicht 2.pdf"},
        {"download_name": 'a"b;c\\d.txt', "as_attachment": True},
        {"download_name": "€.txt", "as_attachment": True},
        {"mimetype": "application/x-own"},
        {"etag": False},
        {"etag": "own"},
        {"last_modified": 1_000_000_000},
        {"conditional": False},
        {"max_age": 60},
        {"max_age": 0},
    ],
    ids=repr,
)
@pytest.mark.parametrize("path", ["/file", "/memory", "/below/digits.txt"])
def test_options_of_send_file_answer_as_in_flask(root: Path, path: str, options: dict[str, t.Any]) -> None:
    if path == "/memory":
        options = {"download_name": "memory.bin"} | options
    ours = ask(_application(Erlen, root, **options).test_client(), path)
    flasks = ask(_application(flask.Flask, root, **options).test_client(), path)
    for answer in (ours, flasks):
        answer.headers.pop("expires", None)
    assert (ours.status, ours.body) == (flasks.status, flasks.body)
    assert {**flasks.headers, **ours.headers} == ours.headers


def test_a_line_break_in_a_download_name_does_not_split_the_headers(root: Path) -> None:
    app = _application(Erlen, root, download_name="a\r\nX-Split: 1.txt")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    assert "x-split" not in ask(app.test_client(), "/file").headers


def test_max_age_comes_from_the_configuration_and_from_the_method(root: Path) -> None:
    app = _application(Erlen, root)
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = 3600
    assert "max-age=3600" in ask(app.test_client(), "/file").headers["cache-control"]

    class Own(Erlen):
        def get_send_file_max_age(self, filename: str | None) -> int | None:
            return 7 if filename is not None and filename.endswith("digits.txt") else None

    assert (
        "max-age=7"
        in ask(_application(Own, root).test_client(), "/below/digits.txt").headers["cache-control"]
    )


def test_x_sendfile_leaves_the_file_to_the_server(root: Path) -> None:
    app = _application(Erlen, root)
    app.config["USE_X_SENDFILE"] = True
    answer = ask(app.test_client(), "/file")
    assert answer.headers["x-sendfile"] == str(root / "files" / "digits.txt")
    assert answer.body == b""


def test_response_class_of_the_application_is_used(root: Path) -> None:
    app = _application(Erlen, root)

    class Own(app.response_class):  # type: ignore[misc, name-defined]
        pass

    app.response_class = Own
    with app.test_request_context("/"):
        response = send_file("files/digits.txt")
        assert type(response) is Own
        response.close()


@pytest.mark.parametrize("path", ["/file", "/large", "/memory"])
@pytest.mark.parametrize(
    "headers", [{}, {"Range": "bytes=2-5"}, {"If-None-Match": "*"}], ids=["whole", "range", "known"]
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_waits_for_the_end_of_a_file_is_called(
    root: Path, path: str, headers: dict[str, str], method: str
) -> None:
    app: Erlen = _application(Erlen, root)
    ended = list[str]()
    (root / "large.bin").write_bytes(b"." * 3 * WHOLE)
    app.add_url_rule("/large", "large", lambda: send_file("large.bin"))

    @app.after_request
    def wait_for_the_end(response: Response) -> Response:
        response.call_on_close(lambda: ended.append("ended"))
        return response

    with app.test_client().open(path, method=method, headers=headers) as response:
        assert response.status_code < 400
        body = response.data
        assert len(body) == response.content_length or not body
    assert ended == ["ended"]


def test_text_files_are_refused(root: Path) -> None:
    app = Erlen("files")
    with app.test_request_context("/"), pytest.raises(ValueError, match="binary mode"):
        send_file(t.cast(t.Any, io.StringIO("text")), mimetype="text/plain")


def test_a_unicode_path_is_served(served: t.Any) -> None:
    answer = ask(served, "/below/gr%C3%B6%C3%9Fe.txt")
    assert (answer.status, answer.body) == (200, CONTENT)
    assert "filename*=UTF-8''gr%C3%B6%C3%9Fe.txt" in answer.headers["content-disposition"]


OUTSIDE = [
    "../secret.txt",
    "folder/../../secret.txt",
    "..%2fsecret.txt",
    "/etc/passwd",
    "//etc/passwd",
    "..",
    ".",
    "",
    "folder",
    "folder/",
    "nothing",
    "\x00",
    "digits.txt\x00.png",
    "x" * 5000,
    "\udcff",
    "~root",
]

#: Names that mean something on Windows alone; they have to be harmless on every system.
WINDOWS = {
    "cve_2024_49766_unc_path": ["//host/share", "\\\\host\\share", "//host/share/file.txt", "\\\\?\\C:\\x"],
    "cve_2026_48818_unc_path_in_static_files": ["//host@80/share/x", "\\\\host@SSL\\share", "/\\host\\share"],
    "cve_2025_66221_device_names": ["NUL", "CON", "AUX", "PRN", "COM1", "LPT9", "nul", "CONIN$", "conout$"],
    "cve_2026_21860_device_names_with_extension_or_space": [
        "NUL.txt",
        "con.tar.gz",
        "NUL ",
        "aux .txt",
        "COM¹",
        "LPT³.x",
    ],
    "cve_2026_27199_device_names_in_several_segments": [
        "folder/NUL",
        "NUL/folder",
        "a/con.txt/b",
        "folder/COM1 .txt",
    ],
    "stream_markers": ["NUL:", "NUL::$DATA", "con:x"],
    "cve_2017_16762_separators": [
        "a\\..\\b",
        "..\\secret.txt",
        "folder\\..\\..\\secret.txt",
        "..%2f",
        "..%5csecret.txt",
    ],
    "drives": ["C:\\Windows\\win.ini", "C:/Windows/win.ini", "C:secret.txt"],
}
ALL_NAMES = [("outside", name) for name in OUTSIDE] + [
    (case, name) for case in WINDOWS for name in WINDOWS[case]
]


@pytest.mark.parametrize(
    ("case", "name"), ALL_NAMES, ids=[f"{case}-{name[:30]!a}" for case, name in ALL_NAMES]
)
def test_a_path_that_is_no_file_of_the_directory_is_not_found(root: Path, case: str, name: str) -> None:
    app = _application(Erlen, root)
    with app.test_request_context("/"), pytest.raises(NotFound):
        send_from_directory("files", name)


@pytest.mark.parametrize(
    ("case", "name"), ALL_NAMES, ids=[f"{case}-{name[:30]!a}" for case, name in ALL_NAMES]
)
def test_a_url_with_such_a_path_is_answered_without_a_crash(root: Path, case: str, name: str) -> None:
    app = _application(Erlen, root)
    app.config["PROPAGATE_EXCEPTIONS"] = False
    raw = name.encode("utf-8", "surrogateescape").decode("latin-1")
    with app.test_client().get("/", environ_overrides={"PATH_INFO": f"/below/{raw}"}) as response:
        assert response.status_code in {308, 400, 404}
        assert b"secret" not in response.get_data()


@pytest.mark.parametrize("case", [case for case in WINDOWS if "device" in case or "stream" in case])
def test_windows_device_names_are_known_on_every_system(case: str) -> None:
    assert [name for name in WINDOWS[case] if not _names_device(name)] == []


def test_ordinary_names_are_no_devices() -> None:
    ordinary = [
        "console.txt",
        "null",
        "com",
        "com10",
        "auxiliary/a.js",
        "lpt.txt",
        ".nul",
        "a.con",
        "content",
        "prn1",
    ]
    assert [name for name in ordinary if _names_device(name)] == []


def test_a_file_with_a_device_name_is_refused_where_the_name_is_a_device(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "files" / "aux.js").write_bytes(CONTENT)
    app = _application(Erlen, root)
    assert ask(app.test_client(), "/below/aux.js").status == 200
    monkeypatch.setattr("erlen.helpers._DEVICES_ARE_FILES", False)
    assert ask(app.test_client(), "/below/aux.js").status == 404


def test_a_static_file_with_a_device_name_is_refused_as_well(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CVE-2025-66221 and its successors, for the route of static files."""
    (root / "static").mkdir(exist_ok=True)
    (root / "static" / "aux.js").write_bytes(CONTENT)
    app = Erlen("static", root_path=str(root))
    assert ask(app.test_client(), "/static/aux.js").status == 200
    monkeypatch.setattr("erlen.helpers._DEVICES_ARE_FILES", False)
    assert ask(app.test_client(), "/static/aux.js").status == 404


def test_a_folder_whose_name_begins_alike_is_outside(root: Path) -> None:
    """CVE-2023-29159."""
    (root / "files-secret").mkdir()
    (root / "files-secret" / "a.txt").write_bytes(b"secret")
    assert ask(_application(Erlen, root).test_client(), "/below/../files-secret/a.txt").status == 404


def test_a_symbolic_link_is_followed(root: Path) -> None:
    """What stands in the directory is trusted; only the path is not."""
    os.symlink(root / "secret.txt", root / "files" / "linked.txt")
    assert ask(_application(Erlen, root).test_client(), "/below/linked.txt").body == b"secret"


def test_the_directory_counts_from_the_root_path_or_is_absolute(root: Path) -> None:
    app = _application(Erlen, root)
    with app.test_request_context("/"):
        for directory in ("files", root / "files", str(root / "files")):
            response = send_from_directory(directory, "digits.txt")
            response.direct_passthrough = False
            assert response.get_data() == CONTENT
            response.close()


@pytest.mark.protocol("wsgi")
def test_a_wsgi_file_wrapper_is_used_and_closed(root: Path) -> None:
    closed: list[bool] = []

    class Wrapper:
        def __init__(self, file: t.IO[bytes], size: int = 8192) -> None:
            self.file = file

        def __iter__(self) -> t.Iterator[bytes]:
            yield from self.file

        def close(self) -> None:
            self.file.close()
            closed.append(self.file.closed)

    client = _application(Erlen, root).test_client()
    with client.get("/file", environ_overrides={"wsgi.file_wrapper": Wrapper}) as response:
        assert response.get_data() == CONTENT
    assert closed == [True]


# The short way, beside Werkzeug's

_NAMES = [
    "plain.txt",
    "style.css",
    "page.html",
    "archive.tar.gz",
    "a.tgz",
    "UPPER.TXT",
    "none",
    ".hidden",
    "x.unknown",
]
_SIZES = [0, 1, 10, WHOLE, WHOLE + 1]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    for number, name in enumerate([*_NAMES, "größe.txt", "two words.txt", 'quote".txt']):
        path = folder / name
        path.write_bytes(
            bytes(range(256)) * (_SIZES[number % len(_SIZES)] // 256)
            + b"x" * (_SIZES[number % len(_SIZES)] % 256)
        )
        os.utime(path, (1_700_000_000.123456 + number, 1_700_000_000.987654 + number))
    return folder


_TAGS = ["tag", "weak", "several", '"other"', "*", "", "bad"]
_DATES = ["date", "Mon, 01 Jan 2001 00:00:00 GMT", "Mon, 01 Jan 2035 00:00:00 GMT", "yesterday", ""]
_REQUESTS = st.fixed_dictionaries(
    {"REQUEST_METHOD": st.sampled_from(["GET", "GET", "HEAD", "POST"])},
    optional={
        "HTTP_RANGE": st.sampled_from([*RANGES, "bytes=00-05", "bytes=0-65535", "bytes=1-65536", ""]),
        "HTTP_IF_NONE_MATCH": st.sampled_from(_TAGS),
        "HTTP_IF_MATCH": st.sampled_from(_TAGS),
        "HTTP_IF_MODIFIED_SINCE": st.sampled_from(_DATES),
        "HTTP_IF_RANGE": st.sampled_from(_TAGS + _DATES),
    },
)
_OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "mimetype": st.sampled_from([None, "text/x-own", "application/x-own"]),
        "as_attachment": st.booleans(),
        "download_name": st.sampled_from([None, "own.css", "Übersicht.pdf", "a b.txt"]),
        "max_age": st.sampled_from([None, 0, 60, -1, lambda path: len(path)]),
        "etag": st.sampled_from([True, False, "own"]),
        "conditional": st.booleans(),
    },
)


def _of_werkzeug(path: str, environ: dict[str, t.Any], options: dict[str, t.Any]) -> t.Any:
    options = {"max_age": None} | options
    return werkzeug_send_file(path, environ, response_class=General, **options)


class General(PlainResponse):
    default_mimetype = "text/html"
    autocorrect_location_header = False


def _answer(make: t.Callable[[], t.Any], environ: dict[str, t.Any]) -> t.Any:
    """Return what a response is sent as, without the time of day."""
    sent: list[t.Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: t.Any = None) -> t.Any:
        sent[:] = [status, [("Date", "now") if name == "Date" else (name, value) for name, value in headers]]

    try:
        response = make()
        body = response(environ, start_response)
        sent.append(b"".join(body))
        close_body(body)
        response.close()
    except Exception as error:
        return type(error), str(error)
    return [(name, value) if name != "Expires" else name for name, value in sent.pop(1)], *sent


@given(
    name=st.sampled_from([*_NAMES, "größe.txt", "two words.txt", 'quote".txt']),
    asked=_REQUESTS,
    options=_OPTIONS,
)
def test_files_are_sent_as_by_werkzeug(
    files: Path, name: str, asked: dict[str, str], options: dict[str, t.Any]
) -> None:
    path = str(files / name)
    first = _of_werkzeug(path, create_environ(), {})
    tag, date = first.headers["ETag"], first.headers["Last-Modified"]
    first.close()
    told = {"tag": tag, "weak": f"W/{tag}", "several": f'"a", {tag}', "bad": tag[:-1], "date": date}
    environ = create_environ() | {key: told.get(value, value) for key, value in asked.items()}
    app = Erlen("files", profile="flask")
    with app.request_context(environ.copy()):
        ours = _answer(lambda: send_file(path, **options), environ.copy())
        below = _answer(lambda: send_from_directory(str(files), name, **options), environ.copy())
    expected = _answer(lambda: _of_werkzeug(path, environ, options), environ.copy())
    assert ours == expected
    assert below == expected


@pytest.mark.skipif(os.name != "posix", reason="the short way is that of POSIX systems")
def test_common_files_are_described_without_werkzeug(files: Path) -> None:
    """The short way is taken at all: without this, the comparison above could pass on nothing."""
    asked: list[dict[str, str]] = [{}, {"HTTP_RANGE": "bytes=0-0"}, {"HTTP_IF_NONE_MATCH": '"a"'}]
    for headers in asked:
        described = describe(str(files / "style.css"), create_environ() | headers)
        assert described is not None
        described.body.close()


def test_body_of_a_file_is_a_file_wrapper(files: Path) -> None:
    app = Erlen("files")
    for name in ("style.css", "none"):
        with app.test_request_context("/"):
            response: t.Any = send_file(files / name)
        assert isinstance(response.response, FileWrapper)
        assert response.direct_passthrough
        assert response.is_streamed
        assert response.response.file.name == str(files / name)
        assert response.response.seekable()
        assert response.response.tell() == 0
        response.response.seek(1)
        assert b"".join(response.response) == (files / name).read_bytes()[1:]
        response.close()
        assert response.response.file.closed


def test_file_that_nobody_sends_is_closed(files: Path) -> None:
    app, opened = Erlen("files"), set[str]()
    with app.test_request_context("/"):
        for _ in range(3):
            response: t.Any = send_file(files / "style.css")
            opened.add(str(response.response._descriptor))
            response.close()
            with pytest.raises(ValueError, match="closed already"):
                response.response.file
            response = None
    # The same number again and again: each was given back.
    assert len(opened) == 1


def test_file_of_which_a_part_is_sent_may_shrink_meanwhile(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "shrinking.txt"
    path.write_bytes(CONTENT)
    app = Erlen("files")
    with app.test_request_context("/"):
        response: t.Any = send_file(path)
    path.write_bytes(CONTENT[:3])
    assert response.response.take() == CONTENT[:3]


def test_what_is_no_file_or_unusual_is_left_to_werkzeug(files: Path, tmp_path: Path) -> None:
    assert describe(str(files / "style.css"), create_environ(), mimetype="a\nb") is None
    assert describe(str(files / "style.css"), create_environ(), max_age=1.5) is None
    os.mkfifo(tmp_path / "pipe.txt")
    assert describe(str(tmp_path / "pipe.txt"), create_environ()) is None
    (tmp_path / "folder.txt").mkdir()
    assert describe(str(tmp_path / "folder.txt"), create_environ()) is None
    assert describe(str(tmp_path / "a\0b.txt"), create_environ()) is None
    with pytest.raises(FileNotFoundError):
        describe(str(tmp_path / "nothing.txt"), create_environ())


@pytest.mark.parametrize("name", ["set_etag", "make_conditional"])
def test_response_class_that_has_a_say_in_files_is_asked(root: Path, name: str) -> None:
    called: list[str] = []

    def method(self: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        called.append(name)
        return getattr(Response, name)(self, *args, **kwargs)

    app = _application(Erlen, root)
    app.response_class = type("Own", (Response,), {name: method})
    assert ask(app.test_client(), "/file").status == 200
    assert called == [name]


def test_static_folder_is_joined_again_when_it_was_assigned(tmp_path: Path) -> None:
    app = Erlen("static", root_path=str(tmp_path))
    assert app.static_folder == str(tmp_path / "static")
    app.static_folder = "other"
    assert app.static_folder == str(tmp_path / "other")
    app.root_path = str(tmp_path / "moved")
    assert app.static_folder == str(tmp_path / "moved" / "other")
