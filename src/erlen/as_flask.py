"""Make ``import flask`` Erlen, for the whole process.

Import this before anything that imports flask, or run a program with it:

.. code-block:: console

    $ python -m erlen.as_flask app.py
    $ python -m erlen.as_flask -m pytest
    $ ERLEN_AS_FLASK=1 gunicorn app:app

Extensions and applications that were written for Flask run on Erlen then, as they are: ``flask.Flask`` is
:class:`erlen.compat.application.Flask`, an :class:`erlen.Erlen` with Flask's defaults.
"""

from __future__ import annotations

from .compat.finder import install

install()

if __name__ == "__main__":
    # Only for the program.
    from .compat.running import main

    main()
