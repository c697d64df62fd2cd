"""One application a path prefix, put together by Werkzeug's ``DispatcherMiddleware``.

Start it with ``python -m dispatching.by_path`` and open http://127.0.0.1:5000/north/
"""

from __future__ import annotations

import secrets
import typing as t

from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import run_simple

from .board import create_board
from .front import create_front

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def create_site(boards: t.Mapping[str, t.Mapping[str, t.Any]]) -> WSGIApplication:
    """Put a notice board below each prefix and the front door before all of them.

    ``url_for`` needs no help: the prefix arrives as ``SCRIPT_NAME`` and is part of every URL. Cookies have to be
    told, as a browser sends a cookie of ``/`` to all prefixes.

    :param boards: the configuration of each board by its prefix, which begins with a slash.
    """
    mounts: dict[str, WSGIApplication] = {
        prefix: create_board({"APPLICATION_ROOT": prefix, "SESSION_COOKIE_PATH": prefix, **config})
        for prefix, config in boards.items()
    }
    front = create_front({config["TITLE"]: f"{prefix}/" for prefix, config in boards.items()})
    return DispatcherMiddleware(front, mounts)


def main() -> None:
    """Serve two boards for a look at them; their keys are new at each start."""
    site = create_site(
        {
            "/north": {"TITLE": "North pier", "SECRET_KEY": secrets.token_hex()},
            "/south": {"TITLE": "South pier", "SECRET_KEY": secrets.token_hex()},
        }
    )
    run_simple("127.0.0.1", 5000, site, threaded=True)


if __name__ == "__main__":
    main()
