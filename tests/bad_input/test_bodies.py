"""Malformed forms and JSON."""

from __future__ import annotations

import io
import typing as t

import pytest
from werkzeug.formparser import MultiPartParser
from werkzeug.sansio.multipart import MultipartDecoder

from .calling import JSON, MULTIPART, URLENCODED, Caller, refused

# Werkzeug's parser leaves the file of a part open when the body ends in the middle of it.
pytestmark = pytest.mark.filterwarnings("ignore:Unclosed file <tempfile:ResourceWarning")


# Urlencoded forms


@pytest.mark.parametrize("body", [b"a=%", b"a=%zz", b"a=%ff", b"\xff=1", b"a=\xc3"])
def test_a_form_that_is_no_utf8_is_refused(send: Caller, body: bytes) -> None:
    refused(send("/form", body, **URLENCODED))


def test_a_form_of_another_charset_is_not_decoded_with_it(send: Caller) -> None:
    """The charset of a Content-Type is the client's word: the form stays UTF-8 (WHATWG URL)."""
    kind = "application/x-www-form-urlencoded; charset=utf-7"
    answer = send("/form", b"a=+ADw-script+AD4-", CONTENT_TYPE=kind)
    assert answer.status in (200, 400)
    assert "<script" not in answer.body


def test_an_urlencoded_form_over_the_memory_limit_is_413(send: Caller) -> None:
    """CVE-2026-54283: form limits ignored for urlencoded bodies."""
    refused(send("/form", b"a=" + b"x" * 600_000, **URLENCODED), 413)


def test_an_urlencoded_form_over_the_body_limit_is_413(send: Caller) -> None:
    """CVE-2026-54283, with the limit of the whole body."""
    send.app.config.update(MAX_CONTENT_LENGTH=1000, MAX_FORM_MEMORY_SIZE=None)
    refused(send("/form", b"a=" + b"x" * 1000, **URLENCODED), 413)


def test_an_urlencoded_form_without_a_length_keeps_its_limits(send: Caller) -> None:
    """CVE-2026-54283, with a body whose length nobody told."""
    options = {"CONTENT_LENGTH": None, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    refused(send("/form", b"a=" + b"x" * 600_000, **URLENCODED, **options), 413)
    send.app.config.update(MAX_CONTENT_LENGTH=1000)
    refused(send("/form", b"a=" + b"x" * 1000, **URLENCODED, **options), 413)


def test_an_urlencoded_form_of_too_many_fields_is_413(send: Caller) -> None:
    """CVE-2026-54283, with the number of fields."""
    assert send("/form", b"&".join(b"a=1" for _ in range(1_000)), **URLENCODED).status == 200
    refused(send("/form", b"&".join(b"a=1" for _ in range(1_001)), **URLENCODED), 413)


# Multipart forms


def part(name: str, content: bytes = b"", extra: str = "") -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
    return b"--edge\r\n" + disposition.encode() + content + b"\r\n"


END = b"--edge--\r\n"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", part("a", b"1") + END),
        ("multipart/form-data; boundary=", part("a", b"1") + END),
        ("multipart/form-data; boundary=other", part("a", b"1") + END),
        ("multipart/form-data; boundary=\xff", part("a", b"1") + END),
        ("multipart/form-data; boundary=" + "x" * 5000, part("a", b"1") + END),
        ("multipart/form-data; boundary=edge", part("a", b"1")),
        ("multipart/form-data; boundary=edge", part("a", b"1")[:-4]),
        ("multipart/form-data; boundary=edge", b"--edge\r\nContent-Disp"),
        ("multipart/form-data; boundary=edge", b"--edge"),
        ("multipart/form-data; boundary=edge", b"nothing of the kind"),
        ("multipart/form-data; boundary=edge", b"--edge\r\n\r\nno headers\r\n" + END),
        ("multipart/form-data; boundary=edge", b"--edge\r\nX: y\r\n\r\nno disposition\r\n" + END),
        (
            "multipart/form-data; boundary=edge",
            b"--edge\r\nContent-Disposition: form-data\r\n\r\nno name\r\n" + END,
        ),
        ("multipart/form-data; boundary=edge", b"--edge\r\nno colon\r\n\r\nx\r\n" + END),
        ("multipart/form-data; boundary=edge", part("a", b"1")[:-4] + b'; filename="f'),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_malformed_multipart_form_is_refused(send: Caller, kind: str, body: bytes) -> None:
    refused(send("/form", body, CONTENT_TYPE=kind))


def test_a_part_that_is_no_utf8_is_no_crash(send: Caller) -> None:
    assert send("/form", part("a", b"\xff\xfe") + END, **MULTIPART).status in (200, 400)
    name = b'--edge\r\nContent-Disposition: form-data; name="\xff"\r\n\r\n1\r\n' + END
    assert send("/form", name, **MULTIPART).status in (200, 400)


@pytest.mark.parametrize(
    "extra",
    ["; filename*=utf-9''x", "; filename*=x", "; filename*=utf-8''%ff", "; filename*0=a; filename*2=b"],
)
def test_an_odd_file_name_is_no_crash(send: Caller, extra: str) -> None:
    assert send("/form", part("a", b"1", extra) + END, **MULTIPART).status in (200, 400)


def test_a_parts_own_charset_is_not_trusted(send: Caller) -> None:
    body = (
        b'--edge\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset=zlib\r\n\r\nx\r\n'
        + END
    )
    assert send("/form", body, **MULTIPART).status in (200, 400)


def test_unlimited_parts_are_413(send: Caller) -> None:
    """CVE-2023-25577, CVE-2023-30798: unlimited multipart parts."""
    body = b"".join(part(f"a{number}") for number in range(1_001))
    refused(send("/form", body + END, **MULTIPART), 413)
    assert send("/form", body[: len(part("a1"))] + END, **MULTIPART).status == 200


def test_files_count_as_parts(send: Caller) -> None:
    """CVE-2023-30798, with files."""
    body = b"".join(part("f", b"", '; filename="x"') for _ in range(1_001))
    refused(send("/form", body + END, **MULTIPART), 413)


def test_a_large_part_is_413(send: Caller) -> None:
    """CVE-2024-47874: no part size limit."""
    refused(send("/form", part("a", b"x" * 600_000) + END, **MULTIPART), 413)


def test_the_memory_limit_is_one_for_each_field_and_the_body_limit_for_all(send: Caller) -> None:
    """CVE-2024-49767: form memory limit misapplied."""
    body = b"".join(part("a", b"x" * 60_000) for _ in range(10)) + END
    assert send("/form", body, **MULTIPART).status == 200
    send.app.config["MAX_CONTENT_LENGTH"] = 500_000
    refused(send("/form", body, **MULTIPART), 413)


def test_headers_of_a_part_are_limited(send: Caller) -> None:
    """CVE-2026-42561: header count and size of a part."""
    many = b"".join(b"X-%d: y\r\n" % number for number in range(50_000))
    body = b'--edge\r\nContent-Disposition: form-data; name="a"\r\n' + many + b"\r\n1\r\n" + END
    assert send("/form", body, **MULTIPART).status in (200, 400, 413)


@pytest.mark.parametrize("filler", [b"\r", b"\n", b"\r\n", b"\n\r"])
def test_a_part_that_begins_with_line_breaks_is_parsed_in_linear_work(
    send: Caller, filler: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CVE-2023-46136: a part that begins with CR or LF costs quadratic time; here the bytes looked at are counted."""
    looked_at = 0
    search = MultipartDecoder._parse_data  # pyright: ignore[reportPrivateUsage]

    def counting(self: t.Any, data: t.Any, *, start: bool) -> t.Any:
        nonlocal looked_at
        looked_at += len(data)
        return search(self, data, start=start)

    monkeypatch.setattr(MultipartDecoder, "_parse_data", counting)
    content = filler + b"x" * (4 * MultiPartParser(io.BytesIO).buffer_size)  # type: ignore[arg-type, call-arg, unused-ignore]
    assert send("/form", part("a", content, '; filename="f"') + END, **MULTIPART).status == 200
    assert looked_at < 4 * len(content)


@pytest.mark.parametrize(
    ("before", "after"), [(b"x\r\n" * 10_000, b""), (b"", b"x" * 30_000), (b"\r\n", b"--edge--")]
)
def test_preamble_and_epilogue_are_dropped(send: Caller, before: bytes, after: bytes) -> None:
    """CVE-2026-40347: preamble and epilogue cost."""
    answer = send("/form", before + part("a", b"1") + END + after, **MULTIPART)
    assert answer.body == '{"files":[],"form":{"a":["1"]}}\n'


def test_a_preamble_without_end_is_413_or_400(send: Caller) -> None:
    """CVE-2026-40347: a preamble that never ends is not kept in memory."""
    send.app.config["MAX_CONTENT_LENGTH"] = 4_000_000
    assert send("/form", b"x" * 3_000_000, **MULTIPART).status in (400, 413)


@pytest.mark.parametrize(
    "kind", ["a" * 10_000, "a/b" + ";" * 10_000, "a/b;" + 'c="' * 5_000, "text/plain; " + "a*0=b; " * 3_000]
)
def test_a_long_content_type_is_no_crash(send: Caller, kind: str) -> None:
    """CVE-2024-24762, CVE-2026-53539, Werkzeug: the cost of option headers and their continuations."""
    assert send("/form", b"a=1", CONTENT_TYPE=kind).status in (200, 400, 415)
    assert send("/headers", CONTENT_TYPE=kind).status == 200


# JSON


@pytest.mark.parametrize(
    "body",
    [b"{", b"{'a': 1}", b"\xff\xfe", b"\x00", b"[1,]", b'{"a": "\xff"}', b"nul", b"{}{}", b'"\n"', b"\xef\xbb\xbf{"],
)  # fmt: skip
def test_malformed_json_is_refused(send: Caller, body: bytes) -> None:
    refused(send("/json", body, **JSON))


def test_no_body_is_no_json(send: Caller) -> None:
    refused(send("/json", b"", "POST", **JSON))


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_deeply_nested_json_is_refused(send: Caller, opening: bytes) -> None:
    """orjson CVE-2024-27454: deep nesting is a client's error, not a RecursionError."""
    refused(send("/json", opening * 100_000, **JSON))
    closing = b"]" if opening == b"[" else b"}"
    refused(send("/json", opening * 100_000 + b"1" + closing * 100_000, **JSON))


@pytest.mark.parametrize("body", [b"NaN", b'{"a": Infinity}', b"[-Infinity]"])
def test_numbers_that_json_has_not_are_refused(send: Caller, body: bytes) -> None:
    """RFC 8259, section 6: NaN and Infinity are not permitted."""
    assert send("/json", body, **JSON).status in (200, 400)


def test_a_number_of_many_digits_is_refused(send: Caller) -> None:
    assert send("/json", b"1" * 100_000, **JSON).status == 400


def test_the_last_of_duplicated_keys_counts(send: Caller) -> None:
    assert send("/json", b'{"a": 1, "a": 2}', **JSON).body == '{"a":2}\n'


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le", "utf-7", "cp037"])
def test_json_in_another_encoding_is_bounded(send: Caller, encoding: str) -> None:
    """CVE-2018-1000656, CVE-2019-1010083: JSON in an unexpected encoding exhausts memory."""
    answer = send("/json", '{"a": "ü"}'.encode(encoding), **JSON)
    assert answer.status in (200, 400)
    if answer.status == 200 and encoding != "utf-7":
        assert answer.body == '{"a":"\\u00fc"}\n'


def test_a_charset_of_the_client_is_not_used_for_json(send: Caller) -> None:
    """CVE-2018-1000656: no codec is taken from the request."""
    for charset in ("utf-7", "zlib", "no-such", "unicode_escape"):
        kind = f"application/json; charset={charset}"
        assert send("/json", b'{"a": "b"}', CONTENT_TYPE=kind).body == '{"a":"b"}\n'


@pytest.mark.parametrize(
    "kind", ["text/plain", "", "application/x-www-form-urlencoded", "text/json", "application/jsonp"]
)
def test_json_needs_its_content_type(send: Caller, kind: str) -> None:
    """CVE-2021-32677: JSON accepted as text/plain lets a form of another site send it."""
    refused(send("/json", b'{"a": 1}', CONTENT_TYPE=kind), 415)
