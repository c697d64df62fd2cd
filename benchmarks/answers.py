"""What a subject answers, and whether that is what its case says."""

from __future__ import annotations

import json
import typing as t
from dataclasses import dataclass, replace
from urllib.parse import urljoin

from .cases import ADDRESS, JSON, PORT, Case, at

#: Sends one request, with headers beside those of its case, and returns the whole answer.
Ask = t.Callable[[Case, "tuple[tuple[str, str], ...]"], "Answer"]


#: Headers that an answer may have beside those of its case, and why. Any other makes it unequal.
ALLOWED: dict[str, str] = {
    "x-content-type-options": "Erlen's safe profile",
    "referrer-policy": "Erlen's safe profile",
    "vary": "of pages that read a session, where the framework says so; of Falcon's errors",
    "etag": "what a framework tells about a file",
    "last-modified": "what a framework tells about a file",
    "accept-ranges": "what a framework tells about a file",
    "cache-control": "what a framework tells about a file; BlackSheep about a template as well",
    "expires": "what a framework tells about a file",
    "content-disposition": "what a framework tells about a file",
    "date": "of a file; of all else it is the server's",
    "transfer-encoding": "BlackSheep frames a body of unknown length itself",
    "set-cookie": "of a session that was not changed: Litestar sends it again with each answer",
}


class Unequal(Exception):
    """A subject does not answer as the case says, so comparing times would mean nothing."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def cookies(self) -> tuple[tuple[str, str], ...]:
        """The header in which a browser sends back the cookies that were set."""
        pairs = [value.partition(";")[0] for name, value in self.headers if name.lower() == "set-cookie"]
        return (("Cookie", "; ".join(pairs)),) if pairs else ()

    @property
    def validators(self) -> tuple[tuple[str, str], ...]:
        """The headers in which a browser says what version of the page it has."""
        pairs = (("If-None-Match", self.header("etag")), ("If-Modified-Since", self.header("last-modified")))
        return tuple((name, value) for name, value in pairs if value is not None)


def introduce(case: Case, name: str, ask: Ask) -> tuple[tuple[str, str], ...]:
    """Return the headers that a browser sends beside those of the case, as of a visit before.

    :raises Unequal: where the visit before does not give them.
    """
    more: tuple[tuple[str, str], ...] = ()
    if case.login is not None:
        more += ask(at(case, case.login), ()).cookies
        if not more:
            raise Unequal(f"{name} sets no cookie at {case.login}")
    if case.validators:
        validators = ask(at(case, case.path), ()).validators
        if not validators:
            raise Unequal(f"{name} sends neither an ETag nor a Last-Modified for {case.path}")
        more += validators
    return more


def checked(case: Case, name: str, ask: Ask, more: tuple[tuple[str, str], ...]) -> Answer:
    """Return a subject's answer to a case, once it is known to be the case's.

    :param more: what :func:`introduce` has returned.
    :raises Unequal: where its status, a header, its body, or what its cookies hold is not as the case says.
    """
    answer = ask(case, more)
    if answer.status != case.status:
        raise Unequal(f"{name} answers {answer.status}, not {case.status}: {answer.body[:200]!r}")
    kind = answer.header("content-type")
    if case.content_type is not None and (kind or "").lower() != case.content_type:
        raise Unequal(f"{name} answers with the content type {kind!r}, not {case.content_type!r}")
    for header, value in case.required:
        sent = answer.header(header)
        if sent is None or (value is not None and _absolute(header, sent) != _absolute(header, value)):
            raise Unequal(f"{name} answers with {header}: {sent}, not {value or 'some value'}")
    _check_other_headers(case, name, answer)
    if case.body is not None and normal(case, answer.body) != normal(case, case.body):
        raise Unequal(f"{name} answers {answer.body[:200]!r}, not {case.body[:200]!r}")
    if case.again is not None:
        path, body = case.again
        _check_again(name, ask(at(case, path), answer.cookies), path, body)
    # A second one, as the first may have been special: routes are compiled, templates are loaded.
    if replace(ask(case, more), headers=()) != replace(answer, headers=()):
        raise Unequal(f"{name} answers the second request otherwise than the first")
    return answer


def _check_other_headers(case: Case, name: str, answer: Answer) -> None:
    length = answer.header("content-length")
    if length is None and not (case.chunked or case.status == 304 or answer.header("transfer-encoding")):
        raise Unequal(f"{name} does not say how long its answer is")
    if length is not None and case.method != "HEAD" and int(length) != len(answer.body):
        raise Unequal(f"{name} announces {length} bytes and sends {len(answer.body)}")
    expected = {"content-type", "content-length", *ALLOWED, *(header for header, _ in case.required)}
    if case.login is None and case.again is None:
        expected.remove("set-cookie")
    for header, value in answer.headers:
        if header.lower() not in expected:
            raise Unequal(f"{name} sends the header {header}: {value}, which is not among those it may have")


def _check_again(name: str, answer: Answer, path: str, body: bytes) -> None:
    if (answer.status, answer.body) != (200, body):
        raise Unequal(
            f"{name} answers {answer.status} {answer.body[:200]!r} at {path} to the cookies it has set, not {body!r}"
        )


def _absolute(header: str, value: str) -> str:
    """Return a value as it is compared: an address may leave out where it is."""
    return urljoin(f"http://{ADDRESS}:{PORT}/", value) if header == "location" else value


def normal(case: Case, body: bytes) -> t.Any:
    """Return a body as it is compared: of JSON what it says, as separators and a last line break are free."""
    if case.method == "HEAD":
        # Whoever leaves a body here leaves it to the server to drop it.
        return b""
    return json.loads(body) if case.content_type == JSON and body else body
