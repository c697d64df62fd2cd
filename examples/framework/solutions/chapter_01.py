"""Exercise of chapter 1: several applications behind one address."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


class Mounts:
    """An application that hands a request on to another one, by the beginning of its path.

    :param default: what answers all other paths.
    :param mounts: applications by prefix, such as ``/shop``.
    """

    def __init__(self, default: WSGIApplication, mounts: t.Mapping[str, WSGIApplication]) -> None:
        self.default = default
        self.mounts = sorted(mounts.items(), key=lambda item: -len(item[0]))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        """Answer one request."""
        path: str = environ.get("PATH_INFO", "")
        for prefix, app in self.mounts:
            if path == prefix or path.startswith(f"{prefix}/"):
                below = {
                    "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + prefix,
                    "PATH_INFO": path[len(prefix) :],
                }
                return app({**environ, **below}, start_response)
        return self.default(environ, start_response)
