"""Sessions: what is kept of a visitor from one request to the next, in a signed cookie."""

from __future__ import annotations

import hashlib
import typing as t

from itsdangerous import BadSignature, URLSafeTimedSerializer

if t.TYPE_CHECKING:
    from .app import Sapling
    from .wrappers import Request, Response


class Session(dict[str, t.Any]):
    """A dict that knows whether it was looked at, and whether it was changed."""

    accessed = modified = False

    def __getitem__(self, name: str) -> t.Any:
        self.accessed = True
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        self.accessed = True
        return super().__contains__(name)

    def get(self, name: str, default: t.Any = None) -> t.Any:
        """Return a value, or the default."""
        self.accessed = True
        return super().get(name, default)

    def __setitem__(self, name: str, value: t.Any) -> None:
        self.accessed = self.modified = True
        super().__setitem__(name, value)

    def __delitem__(self, name: str) -> None:
        self.accessed = self.modified = True
        super().__delitem__(name)

    def pop(self, name: str, *default: t.Any) -> t.Any:
        """Remove a value and return it."""
        self.accessed = True
        self.modified = self.modified or super().__contains__(name)
        return super().pop(name, *default)

    def clear(self) -> None:
        """Remove all values."""
        self.accessed = self.modified = True
        super().clear()


class NullSession(Session):
    """The session of an application without a key: it can be read, as it is empty, and not written."""

    def __setitem__(self, name: str, value: t.Any) -> None:
        raise RuntimeError(
            f"session[{name!r}] was set, and nothing can sign the cookie: the application has no SECRET_KEY. Make one "
            f"with 'python -c \"import secrets; print(secrets.token_hex())\"', keep it out of the repository, and set "
            f"app.config['SECRET_KEY']."
        )


class SessionInterface:
    """Opens and saves sessions. An application may have another one, which keeps them elsewhere."""

    salt = "cookie-session"

    def serializer(self, app: Sapling) -> URLSafeTimedSerializer:
        """Return what signs and verifies, with a key that is derived from the secret key and the salt."""
        return URLSafeTimedSerializer(
            app.config["SECRET_KEY"],
            salt=self.salt,
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha1},
        )

    def open_session(self, app: Sapling, request: Request) -> Session:
        """Return the session of a request; an empty one where its cookie is missing, too old or not from here."""
        if not app.config["SECRET_KEY"]:
            return NullSession()
        cookie = request.cookies.get(app.config["SESSION_COOKIE_NAME"], "")
        try:
            return Session(self.serializer(app).loads(cookie, max_age=app.config["SESSION_LIFETIME"]))
        except BadSignature:
            return Session()

    def save_session(self, app: Sapling, session: Session, response: Response) -> None:
        """Set the cookie if the session was changed, and delete it if nothing is left."""
        if session.accessed:
            # What a cache keeps of this page is for this visitor.
            response.vary.add("Cookie")
        if not session.modified:
            return
        name, config = app.config["SESSION_COOKIE_NAME"], app.config
        safe: dict[str, t.Any] = {
            "httponly": True,
            "secure": config["SESSION_COOKIE_SECURE"],
            "samesite": config["SESSION_COOKIE_SAMESITE"],
        }
        if session:
            response.set_cookie(name, self.serializer(app).dumps(dict(session)), **safe)
        else:
            response.delete_cookie(name, **safe)
