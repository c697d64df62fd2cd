"""What ASGI hands on of a request, read as WSGI would hand it on.

A request is Werkzeug's, and that is made of a WSGI environment. ``Request.of_scope`` makes the few entries that every
request needs, :func:`fill_environ` the whole environment once somebody asks for it.
"""

from __future__ import annotations

import sys
import typing as t
from urllib.parse import unquote_to_bytes

from werkzeug.wsgi import FileWrapper

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from .typing import Scope

#: The key of an environment under which the scope it was made of stands.
SCOPE = "asgi.scope"

#: The key of a scope and of an environment under which a test client asks for the context to outlive its request.
PRESERVE_CONTEXT = "werkzeug.debug.preserve_context"

#: The key of an environment under which a test client, which closes no response, asks for what begins when one is closed.
BEGINS_AFTERWARDS = "erlen.begins_afterwards"

#: The key of an environment under which stands what cancels its request when the client goes away.
WATCH = "erlen.watch"

#: The key of a head that says that the end of its request runs, and is not to be cut short by a watch that begins meanwhile.
ENDING = "erlen.ending"

#: The key of an environment under which stands what is handed a WebSocket's handshake that has come through middleware.
HANDSHAKE = "erlen.handshake"

#: How many bytes of a file are read at once.
FILE_PIECE = 256 * 1024

# Methods of requests that have no body unless a header says so.
_WITHOUT_BODY = frozenset({"GET", "HEAD"})

# RFC 9113, section 8.2.3: a cookie header may come in pieces.
_SEPARATORS = {"HTTP_COOKIE": "; "}

# Names of headers that WSGI spells in a way of its own.
_OWN_KEYS = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}

# Names of headers as keys of an environment. Filled as names come in, and emptied when it is full, as clients can make up
# any; each change is a single dict operation.
_KEYS: dict[bytes, str | None] = {}
_KNOWN_NAMES = 512

# What is read of most requests that change something: their form, and where they come from.
_OF_CHANGES = ("CONTENT_TYPE", "HTTP_SEC_FETCH_SITE", "HTTP_ORIGIN")

# PERF: form POST over ASGI: a look-up costs less than decoding.
_CONTENT_TYPES = {
    text.encode(): text
    for text in ("application/x-www-form-urlencoded", "application/json", "application/json; charset=utf-8")
}

#: How many bytes a name has at most that is remembered.
KNOWN_LENGTH = 64


class MalformedScope(ValueError):
    """A server called the application with something that is no ASGI scope; the message says what is wrong with it."""


def key_of(name: bytes) -> str | None:
    """Return the key of an environment for the name of a header, ``None`` for a name that no header can have.

    Names with an underscore are left out as WSGI servers do: ``X_Real_IP`` would become what ``X-Real-IP`` becomes, and
    stand in for what a proxy has set.

    :param name: the name, in any case.
    """
    if b"_" in name or not name.isascii() or not name.decode("latin1").isprintable() or b" " in name:
        return None
    lower = name.lower()
    return _OWN_KEYS.get(lower) or f"HTTP_{name.decode('latin1').upper().replace('-', '_')}"


def has_body(scope: Scope, head: t.Mapping[str, str], headers: t.Mapping[bytes, bytes]) -> bool:
    """Return whether a request has a body.

    :param scope: its scope.
    :param head: what was read of that: the method and, where it was announced, the length.
    :param headers: the headers.
    """
    if "CONTENT_LENGTH" in head:
        return head["CONTENT_LENGTH"] != "0"
    if b"transfer-encoding" in headers:
        return True
    # HTTP/2 and 3 need neither header. With GET and HEAD a body without one is dropped: to look for it, all of them would
    # have to wait for an event.
    return head["REQUEST_METHOD"] not in _WITHOUT_BODY and scope.get("http_version", "1.1")[:1] != "1"


def add_changes(head: dict[str, t.Any], headers: t.Mapping[bytes, bytes]) -> None:
    """Add what is read of most requests that change something to the head of one.

    :param head: what was read of its scope.
    :param headers: the headers.
    """
    if b"content-type" in headers:
        kind = headers[b"content-type"]
        head["CONTENT_TYPE"] = _CONTENT_TYPES.get(kind) or kind.decode("latin1")
    site = headers.get(b"sec-fetch-site")
    if site == b"same-origin":
        # Nobody asks where else it may come from.
        head["HTTP_SEC_FETCH_SITE"] = "same-origin"
        return
    if site is None and b"origin" not in headers and not b"".join(headers).islower():
        # A server has to hand on names in lower case. Where one does not, no page of another site profits of it.
        headers = {name.lower(): value for name, value in headers.items()}
    for name, key in ((b"sec-fetch-site", "HTTP_SEC_FETCH_SITE"), (b"origin", "HTTP_ORIGIN")):
        if name in headers:
            head[key] = headers[name].decode("latin1")


def joined(pairs: t.Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return headers by their names, the values of those that come several times joined to one."""
    headers: dict[bytes, bytes] = {}
    for name, value in pairs:
        separator = b"; " if name == b"cookie" else b","
        headers[name] = headers[name] + separator + value if name in headers else value
    return headers


def path_info(scope: Scope) -> str:
    """Return the path below the root path, as WSGI spells it: bytes as characters of Latin-1 (PEP 3333)."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    if "\ufffd" in path and (raw := scope.get("raw_path")):
        # The server has replaced bytes that are no UTF-8. Whether they are refused is not the server's to decide.
        return _below(unquote_to_bytes(raw.partition(b"?")[0]).decode("latin1"), _as_latin1(root))
    if root:
        path = _below(path, root)
    return path if path.isascii() else _as_latin1(path)


def _below(path: str, root: str) -> str:
    root = root.rstrip("/")
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in {"", "/"}:
        return path[len(root) :]
    return path


def _as_latin1(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("latin1")


def fill_environ(environ: WSGIEnvironment, scope: Scope, body: t.Any) -> None:
    """Make the WSGI environment (PEP 3333) that says what a scope says.

    :param environ: what :meth:`erlen.Request.of_scope` has made of the scope; the rest is added.
    :param scope: the scope of an HTTP request or a WebSocket.
    :param body: the body, a file; its end is that of the body.
    """
    name, port = scope.get("server") or ("localhost", None)
    environ.update(
        {
            "SCRIPT_NAME": _as_latin1(scope.get("root_path", "").rstrip("/")),
            "QUERY_STRING": scope.get("query_string", b"").decode("latin1"),
            "SERVER_NAME": name,
            # A Unix socket has none.
            "SERVER_PORT": str(port or (443 if scope.get("scheme") in {"https", "wss"} else 80)),
            "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": scope.get("scheme", "http"),
            "wsgi.input": body,
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FilePieces,
            SCOPE: scope,
        }
    )
    if raw := scope.get("raw_path"):
        # As servers of WSGI have it: Calibre-Web reads what was asked for before it was decoded.
        query = scope.get("query_string")
        target = raw.partition(b"?")[0] + (b"?" + query if query else b"")
        environ["RAW_URI"] = environ["REQUEST_URI"] = target.decode("latin1")
    if scope.get("client"):
        environ["REMOTE_ADDR"], port = scope["client"]
        if port is not None:
            environ["REMOTE_PORT"] = str(port)
    add_headers(environ, scope["headers"])


class FilePieces(FileWrapper):
    """A file in pieces that are worth the hop to a worker thread."""

    def __init__(self, file: t.IO[bytes], buffer_size: int = 0) -> None:
        super().__init__(file, max(buffer_size, FILE_PIECE))


def add_headers(environ: WSGIEnvironment, headers: t.Iterable[tuple[bytes, bytes]]) -> None:
    """Put the headers of a scope into an environment.

    :param environ: the environment.
    :param headers: names and values.
    """
    key: str | None
    for key in ("HTTP_HOST", "HTTP_COOKIE", "CONTENT_LENGTH", *_OF_CHANGES):
        environ.pop(key, None)
    for name, value in headers:
        try:
            key = _KEYS[name]
        except KeyError:
            key = key_of(name)
            if len(_KEYS) >= _KNOWN_NAMES:
                _KEYS.clear()
            if len(name) <= KNOWN_LENGTH:
                _KEYS[name] = key
        if key is not None:
            text = value.decode("latin1")
            environ[key] = f"{environ[key]}{_SEPARATORS.get(key, ',')}{text}" if key in environ else text


def _are_headers(value: t.Any) -> bool:
    if not isinstance(value, list | tuple):
        return False
    try:
        return all(
            isinstance(name, bytes) and isinstance(content, bytes) for name, content in t.cast(t.Any, value)
        )
    except (TypeError, ValueError):
        return False


def _is_address(value: t.Any) -> bool:
    return value is None or (isinstance(value, list | tuple) and len(t.cast("list[t.Any]", value)) == 2)


# The keys that are read, what they hold, and whether the scope must have them.
_SHAPES: dict[str, tuple[str, t.Callable[[t.Any], bool], bool]] = {
    "method": ("a str in capitals", lambda value: isinstance(value, str), False),
    "path": ("a str", lambda value: isinstance(value, str), True),
    "raw_path": ("bytes or None", lambda value: isinstance(value, bytes | None), False),
    "root_path": ("a str", lambda value: isinstance(value, str), False),
    "scheme": ("a str", lambda value: isinstance(value, str), False),
    "http_version": ("a str", lambda value: isinstance(value, str), False),
    "query_string": ("bytes", lambda value: isinstance(value, bytes), False),
    "headers": ("a list of pairs of bytes", _are_headers, True),
    "client": ("a pair of address and port, or None", _is_address, False),
    "server": ("a pair of host and port, or None", _is_address, False),
}


def problem_of(scope: Scope) -> str | None:
    """Return what is wrong with a scope of an HTTP request or a WebSocket, ``None`` where nothing is.

    :param scope: what a server has called the application with.
    """
    for key, (shape, fits, is_needed) in _SHAPES.items():
        if key not in scope:
            if is_needed:
                return f"it has no {key!r}, which is {shape}"
        elif not fits(scope[key]):
            return f"its {key!r} is {scope[key]!r}, not {shape}"
    return None


def malformed(scope: Scope, error: Exception) -> Exception:
    """Return the error to raise for a scope that could not be read: what is wrong with it, or the error itself.

    :param scope: what a server has called the application with.
    :param error: what reading it raised.
    """
    problem = problem_of(scope)
    if problem is None:
        return error
    return MalformedScope(
        f"The server called the application with a scope that is no ASGI 3 scope of a request: {problem}. The likely "
        f"cause is middleware that has changed it. The scope was {scope!r}."
    )
