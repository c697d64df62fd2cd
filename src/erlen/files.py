"""Serve files below the application layer, for the static routes of applications and blueprints."""

from __future__ import annotations

import os
import typing as t

from werkzeug.utils import send_from_directory

from .ctx import current_request_context


def serve_file_from(directory: str | os.PathLike[str], filename: str, max_age: int | None) -> t.Any:
    """Answer the request that is being handled with a file below a directory.

    Ranges, ETags and ``If-Modified-Since`` are honoured. A name that leads out of the directory, or to nothing,
    raises :exc:`~werkzeug.exceptions.NotFound`.

    :param directory: the folder; a relative one counts from the application's root path.
    :param filename: the file's path in it, with forward slashes.
    :param max_age: seconds for ``Cache-Control: max-age``; ``None`` makes clients ask again each time.
    """
    context = current_request_context()
    app = context.app
    return send_from_directory(
        directory,
        filename,
        context.request.environ,
        max_age=max_age,
        use_x_sendfile=app.config["USE_X_SENDFILE"],
        response_class=app.response_class,
        _root_path=app.root_path,
    )
