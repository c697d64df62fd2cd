"""Multipart forms: what the short ways make of them is what Werkzeug's parser makes of them."""

from __future__ import annotations

import io
import re
import typing as t
from contextlib import closing

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from werkzeug import formparser
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import MultipartDecoder

from erlen import Erlen, Request, request
from erlen.forms import FormParser
from erlen.multipart import FILE_IN_MEMORY, KNOWS_PATTERNS, Delimiter, MultiPartParser, UploadedFile

BOUNDARY = b"ab"
FILE = b'Content-Disposition: form-data; name="f"; filename="x.bin"\r\nContent-Type: a/b\r\n\r\n'
FIELD = b'Content-Disposition: form-data; name="t"\r\n\r\n'
LATIN = b'Content-Disposition: form-data; name="l"\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\n'

pieces = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"-", b"--", b"--ab", b"--ab\r\n", b"\r\n--ab\r\n", b"\r\n--ab--", b"\n--ab \t\n"]
    + [b"a", b"ab", b"\xe4", b" ", b"\t", b"text " * 7, b"\0" * 40, b"x: y\r\n"]
    + [b"--ab\r\n" + head for head in (FILE, FIELD, LATIN)]
    + [FILE, FIELD, b'Content-Disposition: form-data; filename="nameless"\n\n', b"\r\n\r\n"]
)  # fmt: skip
#: Something that a form may be made of, and what is likely to be read as one.
bodies = st.one_of(
    st.lists(pieces, max_size=14).map(b"".join),
    st.lists(pieces, max_size=10).map(
        lambda parts: b"--ab\r\n" + FILE + b"".join(parts) + b"\r\n--ab\r\n" + FIELD + b"1\r\n--ab--\r\n"
    ),
)


class Pieces(io.RawIOBase):
    """A stream that gives a body in pieces, each of a size of its own."""

    def __init__(self, body: bytes, sizes: list[int]) -> None:
        self._body = io.BytesIO(body)
        self._sizes = iter(sizes)

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        return self._body.read(min(size, next(self._sizes, size)))


def outcome(parser: formparser.MultiPartParser, stream: t.Any, length: int) -> t.Any:
    make, made = parser.stream_factory, list[t.Any]()

    def factory(**told: t.Any) -> t.Any:
        made.append((make(**told), told))
        return made[-1][0]

    parser.stream_factory = t.cast("t.Any", factory)
    try:
        return _outcome(parser, stream, length), [told for _, told in made]
    finally:
        for file, _ in made:
            file.close()


def _outcome(parser: formparser.MultiPartParser, stream: t.Any, length: int) -> t.Any:
    try:
        fields, files = parser.parse(stream, BOUNDARY, length)
    except (ValueError, RequestEntityTooLarge) as error:
        return type(error)
    found = [
        (name, file.filename, file.name, list(file.headers), file.stream.tell(), file.read())
        for name, file in files.items(multi=True)
    ]
    return list(fields.lists()), found


@given(
    bodies,
    st.lists(st.integers(1, 60), max_size=8),
    st.sampled_from([7, 16, 64, 1_000]),
    st.sampled_from([None, 10, 40, 5_000]),
    st.sampled_from([None, 0, 1, 2, 100]),
    st.sampled_from([4, 30, 100, 4_096]),
)
@example(b"--ab\r\n" + FILE + b"y" * 90 + b"\r\n--a" + b"z" * 90 + b"\r\n--ab--", [], 16, None, None, 4)
@example(b"--ab\r\n" + FILE + b"\n" * 90 + b"\r" * 90 + b"\r\n--ab--", [], 7, None, None, 4)
@example(b"--ab\r\n" + FILE + b"y" * 200 + b"\r\n--ab--", [], 64, 100, None, 100)
def test_form_is_what_werkzeug_reads(
    body: bytes,
    sizes: list[int],
    buffer_size: int,
    memory: int | None,
    most_parts: int | None,
    head_size: int,
) -> None:
    limits: dict[str, t.Any] = {"max_form_memory_size": memory, "max_form_parts": most_parts}
    expected = outcome(
        formparser.MultiPartParser(buffer_size=buffer_size, **limits), Pieces(body, sizes), len(body)
    )
    for factory in (None, lambda **_: UploadedFile()):
        parser = MultiPartParser(t.cast("t.Any", factory), buffer_size=buffer_size, **limits)
        parser.head_size = head_size
        assert outcome(parser, Pieces(body, sizes), len(body)) == expected


@pytest.mark.parametrize("needs_break", [True, False])
@given(st.lists(pieces, max_size=12).map(b"".join), st.integers(0, 12))
@example(b"\r\n--ab\r\n", 1)
@example(b"--ab--ab\n", 0)
def test_boundary_is_found_where_werkzeugs_pattern_matches(
    needs_break: bool, data: bytes, position: int
) -> None:
    decoder = MultipartDecoder(BOUNDARY)
    pattern: re.Pattern[bytes] = decoder.boundary_re if needs_break else decoder.preamble_re
    expected, found = pattern.search(data, position), Delimiter(BOUNDARY, needs_break).search(data, position)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert (found.start(), found.end(), found.group(1)) == (expected.start(), expected.end(), expected[1])


def test_boundary_with_characters_that_patterns_give_a_meaning() -> None:
    body = b"--a.b+(c\r\n" + FIELD + b"1\r\n--aXb+(c\r\n\r\n--a.b+(c--"
    fields, _ = MultiPartParser().parse(io.BytesIO(body), b"a.b+(c", len(body))
    assert fields.to_dict() == {"t": "1\r\n--aXb+(c\r\n"}


def test_short_way_for_boundaries_is_taken_with_the_werkzeug_that_is_installed() -> None:
    """Where this fails, Werkzeug has changed its patterns: forms are parsed as well, 200 us slower each."""
    assert KNOWS_PATTERNS


def test_boundary_that_is_not_ascii_or_missing_is_refused() -> None:
    for boundary in ("ä", ""):
        parser = FormParser(silent=False)
        with pytest.raises(ValueError, match=r"boundary|ascii"):
            parser.parse(io.BytesIO(b"--ab--"), "multipart/form-data", 6, {"boundary": boundary})


# Files


def uploaded(**_: t.Any) -> t.Any:
    return UploadedFile()


def parsed(content: bytes, factory: t.Any = uploaded) -> FileStorage:
    body = b"--ab\r\n" + FILE + content + b"\r\n--ab--\r\n"
    parser = MultiPartParser(factory)
    _, files = parser.parse(io.BytesIO(body), BOUNDARY, len(body))
    return files["f"]


@pytest.mark.parametrize(
    "size", [0, 1, 65_536, 600_000, FILE_IN_MEMORY, FILE_IN_MEMORY + 1, 3 * FILE_IN_MEMORY]
)
@pytest.mark.parametrize("pattern", [bytes(range(256)), b"\r\n--a", b"x"])
def test_file_of_any_size_comes_back(size: int, pattern: bytes) -> None:
    content = (pattern * (size // len(pattern) + 1))[:size]
    with closing(parsed(content)) as file:
        assert file.stream.tell() == 0
        assert file.read() == content
        file.seek(0)
        assert file.stream.readline() == content[: content.find(b"\n") + 1 or len(content)]
        file.seek(0, io.SEEK_END)
        assert file.stream.tell() == size


def test_file_is_in_memory_up_to_a_mebibyte_and_then_on_disk() -> None:
    for size, is_on_disk in ((FILE_IN_MEMORY, False), (FILE_IN_MEMORY + 1, True)):
        with closing(parsed(b"x" * size)) as file:
            assert isinstance(file.stream, UploadedFile)
            assert vars(file.stream)["_rolled"] is is_on_disk


def test_file_in_memory_can_be_written_truncated_and_moved_to_disk() -> None:
    with closing(parsed(b"x" * 100_000)) as file:
        file.seek(10)
        assert file.stream.write(b"yz") == 2
        file.stream.truncate(20)
        assert file.stream.fileno() > 2
        file.seek(0)
        assert file.read() == b"x" * 10 + b"yz" + b"x" * 8
        file.stream.seek(0, io.SEEK_END)
        assert file.stream.write(b"w" * FILE_IN_MEMORY) == FILE_IN_MEMORY


def test_place_of_somebodys_own_gets_bytes(app: Erlen) -> None:
    class Own(io.BytesIO):
        def write(self, data: t.Any) -> int:
            assert type(data) is bytes
            return super().write(data)

    content = bytes(range(256)) * 1_000
    body = b"--ab\r\n" + FILE + content + b"\r\n--ab--"
    with closing(parsed(content, lambda **_: Own())) as file:
        assert type(file.stream) is Own
        assert file.read() == content

    class OwnRequest(Request):
        def _get_file_stream(self, *_: t.Any, **told: t.Any) -> t.IO[bytes]:
            assert told == {
                "total_content_length": len(body),
                "content_type": "a/b",
                "filename": "x.bin",
                "content_length": 0,
            }
            return Own()

    app.request_class = OwnRequest
    with app.test_request_context(
        "/", method="POST", data=body, content_type="multipart/form-data; boundary=ab"
    ):
        assert type(request.files["f"].stream) is Own
        assert request.files["f"].read() == content


def test_files_of_a_form_that_is_refused_are_closed() -> None:
    made = list[UploadedFile]()

    def factory(**_: t.Any) -> t.Any:
        made.append(UploadedFile())
        return made[-1]

    body = b"--ab\r\n" + FILE + b"x" * 100_000 + b"\r\n--ab\r\n" + FILE + b"y" * 100_000
    with pytest.raises(ValueError, match="cannot parse"):
        MultiPartParser(t.cast("t.Any", factory)).parse(io.BytesIO(body), BOUNDARY, len(body))
    assert [file.closed for file in made] == [True, True]


def test_files_are_closed_at_the_end_of_the_request(app: Erlen) -> None:
    kept: list[t.Any] = []

    @app.post("/")
    def upload() -> str:
        kept.extend(file.stream for file in request.files.values())
        return "".join(request.form)

    for body, text in ((FILE + b"x", ""), (FIELD + b"x", "t")):
        answer = app.test_client().post(
            "/",
            data=b"--ab\r\n" + body + b"\r\n--ab--",
            content_type="multipart/form-data; boundary=ab",
        )
        assert answer.text == text
    assert [stream.closed for stream in kept] == [True]


@pytest.mark.parametrize("limit", [None, 65_537, 70_000, 131_072, 300_000, 500_000, 10_000_000])
@pytest.mark.parametrize("size", [60_000, 200_000, 600_000])
def test_file_may_be_larger_than_a_field_whatever_is_read_at_once(limit: int | None, size: int) -> None:
    app = Erlen(__name__)
    app.config["MAX_FORM_MEMORY_SIZE"] = limit
    sizes: list[int] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            sizes.append(size or 0)
            return super().read(size)

    @app.post("/")
    def post() -> str:
        return f"{len(request.files['f'].read())} {len(request.form['t'])}"

    def send(field: int) -> t.Any:
        body = b"--ab\r\n" + FILE + b"\n" * size + b"\r\n--ab\r\n" + FIELD + b"x" * field + b"\r\n--ab--\r\n"
        return app.test_client().post(
            "/",
            content_type="multipart/form-data; boundary=ab",
            input_stream=Watched(body),
            content_length=len(body),
        )

    assert send(9).text == f"{size} 9"
    # No piece is larger than a field may be, as the decoder refuses it then.
    assert max(sizes) <= (limit or 1 << 20)
    if limit is not None:
        assert send(limit + 1).status_code == 413
