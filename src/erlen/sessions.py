"""Sessions: the interface that opens and saves them, and the default one that keeps them in a signed cookie."""

from __future__ import annotations

import binascii
import collections.abc as cabc
import hashlib
import hmac
import typing as t
import zlib
from datetime import UTC, datetime

from itsdangerous import BadData, SignatureExpired, TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import want_bytes
from werkzeug.datastructures import CallbackDict
from werkzeug.http import dump_cookie

from .ctx import context_var
from .json.tag import TaggedJSONSerializer
from .pipeline.bridge import nonblocking
from .response import ResponseHeaders
from .typing import Application
from .wrappers import Request

__all__ = [
    "NullSession",
    "SecureCookieSession",
    "SecureCookieSessionInterface",
    "SessionInterface",
    "SessionMixin",
    "SessionTooLarge",
    "session_json_serializer",
]

C = t.TypeVar("C", bound=type[t.Any])

# fmt: off
_READS = (
    "__eq__", "__ge__", "__gt__", "__iter__", "__le__", "__lt__", "__ne__", "__or__", "__repr__", "__reversed__",
    "__ror__", "copy", "items", "keys", "pop", "setdefault", "values",
)
# fmt: on


class SessionMixin(cabc.MutableMapping[str, t.Any]):
    """What a session is beside a mapping."""

    #: Whether the session was made for this request. An interface that cannot tell leaves it ``False``.
    new = False

    #: Whether the contents changed. ``True`` here, for sessions that cannot tell.
    modified = True

    #: Whether the session was read or written, so that the response varies with the cookie.
    accessed = False

    @property
    def permanent(self) -> bool:
        """Whether the session outlives the browser, for ``PERMANENT_SESSION_LIFETIME``; kept in the session."""
        return bool(self.get("_permanent", False))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = bool(value)


def _marks_reads(cls: C) -> C:
    """Decorate a dict so that everything that reads it sets ``accessed``.

    What counts is that the response depends on the cookie: ``in``, ``len`` and comparing tell something of it as well
    as getting an item does (CVE-2026-27205).
    """

    def marking(method: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def read(self: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
            self.accessed = True
            return method(self, *args, **kwargs)

        read.__name__ = method.__name__
        read.__doc__ = method.__doc__
        return read

    for name in _READS:
        setattr(cls, name, marking(getattr(cls, name)))
    return cls


# Those of dict, as ``super()`` costs as much again.
_GETITEM, _SETITEM, _GET = dict[str, t.Any].__getitem__, dict[str, t.Any].__setitem__, dict[str, t.Any].get
_CONTAINS, _LENGTH = dict[str, t.Any].__contains__, dict[str, t.Any].__len__


def _mark_written(session: t.Any) -> None:
    session.modified = True
    session.accessed = True


@_marks_reads
class SecureCookieSession(CallbackDict[str, t.Any], SessionMixin):  # pyright: ignore[reportIncompatibleMethodOverride]
    """A session that knows when it was read and when it was changed.

    A change inside of a value, such as ``session["cart"].append(1)``, cannot be seen: set ``session.modified = True``.

    :param initial: the contents.
    """

    modified = False

    def __init__(self, initial: cabc.Mapping[str, t.Any] | None = None) -> None:
        super().__init__(initial, _mark_written)

    # PERF: session read, session write: what _marks_reads and CallbackDict would make of these takes three times as long.

    def __getitem__(self, key: str, /) -> t.Any:
        self.accessed = True
        return _GETITEM(self, key)

    def __contains__(self, key: object, /) -> bool:
        self.accessed = True
        return _CONTAINS(self, key)

    def __len__(self) -> int:
        self.accessed = True
        return _LENGTH(self)

    def get(self, key: str, default: t.Any = None) -> t.Any:
        """Return the value of a key, or the default where it is missing."""
        self.accessed = True
        return _GET(self, key, default)

    def __setitem__(self, key: str, value: t.Any) -> None:
        _SETITEM(self, key, value)
        update: t.Callable[[t.Any], None] | None = self.on_update
        if update is not None:
            update(self)

    def __ior__(self, value: t.Any, /) -> t.Self:  # type: ignore[override, misc]
        self.update(value)
        return self


class NullSession(SecureCookieSession):
    """The session where none can be opened: it reads as empty, and writing raises an error that tells the fix."""

    def _fail(self, *args: t.Any, **kwargs: t.Any) -> t.NoReturn:
        raise RuntimeError(
            "The session cannot be written: the application has no secret key to sign its cookie with. Set one, "
            "app.secret_key = '...' or the configuration's SECRET_KEY, to a random value that stays the same "
            "over restarts and is kept out of the repository. Make one with: "
            "python -c 'import secrets; print(secrets.token_hex())'"
        )

    __setitem__ = __delitem__ = __ior__ = _fail
    clear = pop = popitem = setdefault = update = _fail


class SessionTooLarge(ValueError):
    """A session does not fit in a cookie, and ``SESSION_COOKIE_OVERFLOW`` is ``"error"``.

    Browsers drop a cookie that is too large without a word: the user would be logged out, or the cart emptied.

    :param size: the bytes of the cookie with its attributes.
    :param limit: ``MAX_COOKIE_SIZE``.
    :param keys: the session's keys, the largest value first.
    """

    def __init__(self, size: int, limit: int, keys: t.Sequence[str]) -> None:
        self.size = size
        self.limit = limit
        super().__init__(
            f"The session does not fit in its cookie: it takes {size} bytes, browsers keep {limit} "
            f"(MAX_COOKIE_SIZE). Its largest values are {', '.join(map(repr, keys[:3]))}. Keep such values in a "
            f"database and their id in the session, or assign a 'session_interface' that stores sessions on "
            f"the server. SESSION_COOKIE_OVERFLOW = 'warn' sends the cookie all the same."
        )


class SessionInterface:
    """What opens the session of a request and saves it with the response.

    Subclasses implement :meth:`open_session` and :meth:`save_session`; assign an instance to
    ``app.session_interface``. The session is opened when it is first touched, at the latest when it is saved.
    """

    #: What :meth:`make_null_session` makes.
    null_session_class = NullSession

    #: Whether sessions are stored with pickle, for extensions that have to know.
    pickle_based = False

    def make_null_session(self, app: Application) -> NullSession:
        """Return the session that takes the place of one that cannot be opened.

        :param app: the application.
        """
        return self.null_session_class()

    def is_null_session(self, obj: object) -> bool:
        """Return whether a session is one of :meth:`make_null_session`; those are not saved.

        :param obj: the session.
        """
        # PERF: session read: the classes of sessions are abstract ones as well, so that isinstance takes 0.5 us.
        if type(obj) is SecureCookieSession and self.null_session_class is NullSession:
            return False
        return isinstance(obj, self.null_session_class)

    def get_cookie_name(self, app: Application) -> str:
        """Return ``SESSION_COOKIE_NAME``."""
        value: str = app.config["SESSION_COOKIE_NAME"]
        return value

    def get_cookie_domain(self, app: Application) -> str | None:
        """Return ``SESSION_COOKIE_DOMAIN``; without one the cookie goes to the exact host that set it."""
        value: str | None = app.config["SESSION_COOKIE_DOMAIN"]
        return value

    def get_cookie_path(self, app: Application) -> str:
        """Return ``SESSION_COOKIE_PATH``, or ``APPLICATION_ROOT`` without one."""
        value: str = app.config["SESSION_COOKIE_PATH"] or app.config["APPLICATION_ROOT"]
        return value

    def get_cookie_httponly(self, app: Application) -> bool:
        """Return ``SESSION_COOKIE_HTTPONLY``."""
        value: bool = app.config["SESSION_COOKIE_HTTPONLY"]
        return value

    def get_cookie_secure(self, app: Application) -> bool:
        """Return ``SESSION_COOKIE_SECURE``; ``"auto"`` is true when the request in this context is https."""
        secure = app.config["SESSION_COOKIE_SECURE"]
        if secure != "auto":
            return t.cast(bool, secure)
        context = context_var.get(None)
        if context is None or not context.has_request:
            return bool(app.config["PREFERRED_URL_SCHEME"] == "https")
        return bool(context.request.is_secure)

    def get_cookie_samesite(self, app: Application) -> str | None:
        """Return ``SESSION_COOKIE_SAMESITE``: ``"Strict"``, ``"Lax"``, ``"None"`` or ``None``."""
        value: str | None = app.config["SESSION_COOKIE_SAMESITE"]
        return value

    def get_cookie_partitioned(self, app: Application) -> bool:
        """Return ``SESSION_COOKIE_PARTITIONED``."""
        value: bool = app.config["SESSION_COOKIE_PARTITIONED"]
        return value

    def get_expiration_time(self, app: Application, session: SessionMixin) -> datetime | None:
        """Return when the cookie ends: ``None``, with the browser, unless the session is permanent.

        :param app: the application.
        :param session: the session.
        """
        return datetime.now(UTC) + app.permanent_session_lifetime if session.permanent else None

    def should_set_cookie(self, app: Application, session: SessionMixin) -> bool:
        """Return whether the response carries the cookie: the session changed, or is permanent and refreshed.

        :param app: the application; ``SESSION_REFRESH_EACH_REQUEST`` says whether.
        :param session: the session.
        """
        return session.modified or (
            session.permanent and t.cast(bool, app.config["SESSION_REFRESH_EACH_REQUEST"])
        )

    def open_session(self, app: Application, request: t.Any) -> SessionMixin | None:
        """Return the session of a request.

        :param app: the application.
        :param request: the request.
        :return: ``None`` when none can be opened; a null session takes its place.
        """
        raise NotImplementedError(_not_implemented(self, "open_session(self, app, request)"))

    def save_session(self, app: Application, session: SessionMixin, response: t.Any) -> None:
        """Save a session, and set its cookie on the response.

        :param app: the application.
        :param session: the session, never a null session.
        :param response: the response.
        """
        raise NotImplementedError(_not_implemented(self, "save_session(self, app, session, response)"))


def _not_implemented(interface: SessionInterface, signature: str) -> str:
    return (
        f"{type(interface).__name__!r} is used as a session interface and has no "
        f"{signature.partition('(')[0]!r} of its own. Add 'def {signature}' to it."
    )


#: What the cookie of a session is written with.
session_json_serializer = TaggedJSONSerializer()


def _sha1(string: bytes = b"") -> t.Any:
    # Named when it is called: systems under FIPS may have no SHA-1, and must be able to choose another before.
    return hashlib.sha1(string)  # noqa: S324 (inside of HMAC, where its collisions do not matter)


_URL_SAFE, _STANDARD = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")


def _encode(data: bytes) -> bytes:
    # PERF: session: three of these, and three of the next, a request; the library's take 1 us more each.
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE).rstrip(b"=")


def _decode(text: bytes) -> bytes:
    return binascii.a2b_base64(text.translate(_STANDARD) + b"==")


class _Signer(TimestampSigner):
    """Signs as its base class does, with the keys derived once."""

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        # hmac takes its fast path for the function of hashlib itself.
        digest = hashlib.sha1 if self.digest_method is _sha1 else self.digest_method
        # The newest first: it signs, and most cookies are signed by it.
        self._hmacs = [hmac.new(self.derive_key(key), digestmod=digest) for key in reversed(self.secret_keys)]

    def sign(self, value: str | bytes) -> bytes:
        """Return a value with its time and its signature."""
        # PERF: session write: the base class takes 1 us more.
        stamp = _encode(self.get_timestamp().to_bytes(8, "big").lstrip(b"\0"))
        signed = b"%b.%b" % (want_bytes(value), stamp)
        return b"%b.%b" % (signed, self.get_signature(signed))

    def get_signature(self, value: str | bytes) -> bytes:
        """Return the signature of a value by the newest key alone (CVE-2025-47278)."""
        # PERF: session: copying what knows its key already costs a third of deriving the key for each cookie.
        mac = self._hmacs[0].copy()
        mac.update(value if type(value) is bytes else want_bytes(value))
        return _encode(mac.digest())

    def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
        """Return whether any of the keys made a signature."""
        try:
            signature = _decode(sig if type(sig) is bytes else want_bytes(sig))
        except binascii.Error:
            return False
        if type(value) is not bytes:
            value = want_bytes(value)
        for keyed in self._hmacs:
            mac = keyed.copy()
            mac.update(value)
            if hmac.compare_digest(signature, mac.digest()):
                return True
        return False


class _CookieSerializer(URLSafeTimedSerializer):
    """Writes and reads as its base class does, with a signer that is kept and a short way for sound cookies."""

    _signer: TimestampSigner | None = None

    def make_signer(self, salt: str | bytes | None = None) -> TimestampSigner:
        """Return the signer for a salt."""
        if salt is not None and want_bytes(salt) != self.salt:
            return t.cast("TimestampSigner", super().make_signer(salt))
        if self._signer is None:
            self._signer = t.cast("TimestampSigner", super().make_signer(self.salt))
        return self._signer

    def load_payload(self, payload: bytes, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Return the contents of URL-safe text."""
        if payload[:1] != b"." and self.is_text_serializer and not args and not kwargs:
            # PERF: session read: the base class takes 2 us more. What it cannot read goes to it, for its error.
            try:
                return self.serializer.loads(_decode(payload).decode())
            except Exception:
                pass
        return super().load_payload(payload, *args, **kwargs)

    def dump_payload(self, obj: t.Any) -> bytes:
        """Return the contents as URL-safe text, compressed where that makes it shorter."""
        plain = want_bytes(self.serializer.dumps(obj))
        # PERF: session: trying to compress costs 6 us, and below this size gains a few bytes at best.
        if len(plain) >= _WORTH_COMPRESSING:
            packed = zlib.compress(plain)
            if len(packed) + 1 < len(plain):
                return b"." + _encode(packed)
        return _encode(plain)

    def loads(  # type: ignore[override]
        self,
        s: str | bytes,
        max_age: int | None = None,
        return_timestamp: bool = False,
        salt: str | bytes | None = None,
    ) -> t.Any:
        """Return the contents of signed text; see ItsDangerous for the arguments and errors."""
        if salt is None and not return_timestamp:
            # PERF: session: the base class takes twice as long, for errors and options that a sound cookie does
            # not need. What is malformed or forged goes to it.
            signer = self.make_signer()
            signed, _, signature = want_bytes(s).rpartition(b".")
            payload, _, timestamp = signed.rpartition(b".")
            if payload and signer.verify_signature(signed, signature):
                age = _age(signer, timestamp)
                if age is not None:
                    if max_age is None or 0 <= age <= max_age:
                        return self.load_payload(payload)
                    # The base class would fail to make a date of a time beyond the calendar.
                    raise SignatureExpired(
                        f"The signature is {age} seconds old, not 0 to {max_age}.", payload
                    )
        return super().loads(s, max_age, return_timestamp, salt)


# Bytes of JSON.
_WORTH_COMPRESSING = 128


def _age(signer: TimestampSigner, timestamp: bytes) -> int | None:
    try:
        return signer.get_timestamp() - int.from_bytes(_decode(timestamp), "big")
    except binascii.Error:
        return None


#: Under which an application keeps the serializer of its sessions with the settings it was made of, and what its cookies
#: have around their value with the attributes that was made of. Each is stored as a whole, so that threads may read and
#: replace it.
_SERIALIZER, _COOKIE = "_session_serializer", "_session_cookie"


class SecureCookieSessionInterface(SessionInterface):
    """Sessions in a signed cookie: users can read what is in it, and cannot change it."""

    #: Keeps signatures apart from others made with the same key.
    salt = "cookie-session"

    #: The hash of the signature, in HMAC.
    digest_method = staticmethod(_sha1)

    #: How ItsDangerous derives the signing key of the secret key and the salt.
    key_derivation = "hmac"

    #: What writes and reads the contents.
    serializer = session_json_serializer

    #: What :meth:`open_session` makes.
    session_class = SecureCookieSession

    def get_signing_serializer(self, app: Application) -> URLSafeTimedSerializer | None:
        """Return what signs and verifies the cookie, ``None`` without a secret key.

        ``SECRET_KEY`` signs; the keys of ``SECRET_KEY_FALLBACKS`` only verify.

        :param app: the application.
        """
        secret_key = app.secret_key
        if not secret_key:
            return None
        fallbacks = app.config["SECRET_KEY_FALLBACKS"] or ()
        settings = (
            secret_key,
            fallbacks if not fallbacks or isinstance(fallbacks, str | bytes) else tuple(fallbacks),
            self.salt,
            self.key_derivation,
            self.digest_method,
            self.serializer,
        )
        # PERF: session: making the serializer and deriving its keys costs 20 us.
        kept: tuple[t.Any, URLSafeTimedSerializer] | None = vars(app).get(_SERIALIZER)
        if kept is None or kept[0] != settings:
            kept = vars(app)[_SERIALIZER] = settings, self._new_serializer(secret_key, fallbacks)
        return kept[1]

    def _new_serializer(self, secret_key: t.Any, fallbacks: t.Any) -> URLSafeTimedSerializer:
        if isinstance(fallbacks, str | bytes):
            raise TypeError(
                "SECRET_KEY_FALLBACKS is a single string, each character of which would be a key that anybody can "
                "guess. Make it a list: SECRET_KEY_FALLBACKS = [old_key]."
            )
        for name, key in [
            ("SECRET_KEY", secret_key),
            *(("SECRET_KEY_FALLBACKS", key) for key in fallbacks if key),
        ]:
            if not isinstance(key, str | bytes):
                # The value stays out of the message: it is a secret.
                raise TypeError(
                    f"{name} holds a key of type {type(key).__name__}; keys are str or bytes. Environment variables "
                    f"are read as JSON, so a key of digits alone becomes a number: quote it there, '\"123\"'."
                )
        return _CookieSerializer(
            # ItsDangerous signs with the last key. An empty one, of a variable that is not set, would let anybody sign.
            [*(key for key in fallbacks if key), secret_key],
            salt=self.salt,
            serializer=self.serializer,
            signer=_Signer,
            signer_kwargs={"key_derivation": self.key_derivation, "digest_method": self.digest_method},
        )

    @nonblocking
    def open_session(self, app: Application, request: t.Any) -> SecureCookieSession | None:
        """Return the session in the request's cookie, an empty one for a missing, forged or expired cookie.

        :param app: the application.
        :param request: the request.
        :return: ``None`` without a secret key.
        """
        serializer = self.get_signing_serializer(app)
        if serializer is None:
            return None
        name = self.get_cookie_name(app)
        cookie = request._first_cookie(name) if isinstance(request, Request) else request.cookies.get(name)
        if cookie:
            lifetime = int(app.permanent_session_lifetime.total_seconds())
            try:
                contents = serializer.loads(cookie, max_age=lifetime)
            except BadData:
                return self.session_class()
            # Another program with the same key and salt may have signed something else than a mapping.
            if type(contents) is dict or isinstance(contents, cabc.Mapping):
                return self.session_class(t.cast("cabc.Mapping[str, t.Any]", contents))
        return self.session_class()

    def _may_be_permanent(self, app: Application, request: t.Any) -> bool:
        """Return whether a session that nobody has touched may have to be saved, as it is permanent.

        What is in the cookie is looked at before its signature is checked; a ``True`` leads to opening it.

        :param app: the application.
        :param request: the request.
        """
        if not app.config["SESSION_REFRESH_EACH_REQUEST"]:
            return False
        stock = SecureCookieSessionInterface
        if (
            self.serializer is not session_json_serializer
            or type(self).get_signing_serializer is not stock.get_signing_serializer
            or not session_json_serializer._reads_plainly(app.json)
        ):
            return True
        cookie: str = request._first_cookie(self.get_cookie_name(app)) or ""
        try:
            contents = _decode(cookie.partition(".")[0].encode())
        except ValueError:
            return True
        # A backslash may be an escape that stands for one of its letters, and what is compressed has no part in front
        # of its first dot.
        return not contents or b"_permanent" in contents or b"\\" in contents

    @nonblocking
    def save_session(self, app: Application, session: SessionMixin, response: t.Any) -> None:
        """Set the cookie when the session changed or is refreshed, and delete it when it was emptied.

        The response varies with the cookie whenever the session was touched or its cookie is set, so that no
        cache hands one user's response to another (CVE-2023-30861).

        :param app: the application.
        :param session: the session.
        :param response: the response.
        :raises SessionTooLarge: when the cookie would be larger than ``MAX_COOKIE_SIZE`` and
            ``SESSION_COOKIE_OVERFLOW`` is ``"error"``.
        """
        # Looking at the session below counts as reading it, so this comes first.
        accessed = session.accessed
        empty = not session
        sets_cookie = session.modified if empty else self.should_set_cookie(app, session)
        if accessed or sets_cookie:
            _vary_on_cookie(response)
        if not sets_cookie:
            return
        if empty:
            response.delete_cookie(self.get_cookie_name(app), **self._cookie_attributes(app))
        else:
            self._set_cookie(app, session, response)

    def _set_cookie(self, app: Application, session: SessionMixin, response: t.Any) -> None:
        serializer = self.get_signing_serializer(app)
        if serializer is None:
            # The key went away after the session was opened.
            self.make_null_session(app).clear()
            return
        # PERF: session: dict() would read key by key through the methods that mark the session as accessed.
        contents = dict(dict[str, t.Any].items(session) if type(session) is SecureCookieSession else session)
        name, value = self.get_cookie_name(app), serializer.dumps(contents)
        attributes = self._cookie_attributes(app)
        attributes["expires"] = expires = self.get_expiration_time(app, session)
        if type(expires) is datetime:
            # Cookies have no fractions of seconds, so that those of one second are equal.
            attributes["expires"] = expires.replace(microsecond=0)
        limit = app.config["MAX_COOKIE_SIZE"]
        before, behind, is_clean = _around_value(app, name, attributes)
        size = len(before) + len(value) + len(behind)
        is_large = limit and size > limit
        if is_large and app.config["SESSION_COOKIE_OVERFLOW"] == "error":
            raise SessionTooLarge(size, limit, _largest_first(session))
        # PERF: session write: the same header, for a fifth of the time.
        is_plain = is_clean and not is_large and type(serializer) is _CookieSerializer
        if is_plain and type(response.headers) is ResponseHeaders and response.sets_cookies_plainly:
            response.headers.add_clean("Set-Cookie", f"{before}{value}{behind}")
        else:
            response.set_cookie(name, value, **attributes)

    def _cookie_attributes(self, app: Application) -> dict[str, t.Any]:
        return {
            "domain": self.get_cookie_domain(app),
            "path": self.get_cookie_path(app),
            "secure": self.get_cookie_secure(app),
            "partitioned": self.get_cookie_partitioned(app),
            "samesite": self.get_cookie_samesite(app),
            "httponly": self.get_cookie_httponly(app),
        }


def _around_value(app: Application, name: str, attributes: dict[str, t.Any]) -> tuple[str, str, bool]:
    """Return what a cookie's header has before and behind a value that needs no quoting, as signed ones need none.

    :return: these, and whether both can be sent as they are: a domain is not checked before it gets here.
    """
    kept: tuple[str, dict[str, t.Any], tuple[str, str, bool]] | None = vars(app).get(_COOKIE)
    if kept is None or kept[0] != name or kept[1] != attributes:
        # Its key is sent as it is, and what follows does not depend on the value.
        before = dump_cookie(name, "", max_size=0)[: len(name.encode()) + 1]
        behind = dump_cookie(name, "", max_size=0, **attributes).removeprefix(before)
        is_clean = f"{before}{behind}".isprintable()
        kept = vars(app)[_COOKIE] = name, attributes, (before, behind, is_clean)
    return kept[2]


_VARY = ("Vary", "Cookie")


def _vary_on_cookie(response: t.Any) -> None:
    headers = response.headers
    if _VARY in headers._list:
        return
    if type(headers) is ResponseHeaders and "vary" not in [name.lower() for name, _ in headers._list]:
        headers.add_clean(*_VARY)
    elif headers.getlist("Vary"):
        response.vary.add("Cookie")
    else:
        # PERF: session: parsing, changing and writing a set of one costs 20 us.
        headers.add(*_VARY)


def _largest_first(session: SessionMixin) -> list[str]:
    return sorted(session, key=lambda key: len(session_json_serializer.dumps(session[key])), reverse=True)


#: The ``session_interface`` of applications that have no other.
stock_interface = SecureCookieSessionInterface()
