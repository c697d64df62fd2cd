"""Play one scenario and write down what was seen.

    python playing.py scenarios/flask_login.py wsgi FOLDER
    python -m erlen.as_flask playing.py scenarios/flask_login.py asgi FOLDER

The first is Flask, the second Erlen; the scenario does not know. ``FOLDER`` gets the transcript, and whatever the
application stores.
"""

from __future__ import annotations

import json
import sys
import typing as t
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from visitor import Entry, Visitor


def load(path: Path) -> ModuleType:
    """Import a scenario from its file.

    :param path: the file.
    """
    # The name it would have as a file of its own: extensions are imported by names like it.
    spec = spec_from_file_location(f"scenario_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def play(scenario: t.Any, protocol: str, folder: Path) -> list[Entry]:
    """Make the application of a scenario and let the visitor in.

    :param scenario: the module: ``make_app(folder)`` returns an application, ``play(visitor)`` visits it.
    :param protocol: ``"wsgi"`` or ``"asgi"``.
    :param folder: an empty folder.
    :return: what the visitor noted.
    """
    transcript: list[Entry] = []
    app = scenario.make_app(folder)
    scenario.play(Visitor(app, protocol, folder, transcript, getattr(scenario, "VARIES", ())))
    return transcript


def main() -> None:
    """Do what the command line says."""
    file, protocol, where = sys.argv[1:]
    folder = Path(where)
    transcript = play(load(Path(file)), protocol, folder)
    # Here, so that a scenario that has to be first (gevent patches) is.
    import flask

    is_erlen = any(base.__module__.startswith("erlen.") for base in flask.Flask.__mro__)
    framework = "erlen" if is_erlen else "flask"
    content = {"framework": framework, "transcript": transcript}
    (folder / "transcript.json").write_text(json.dumps(content), encoding="utf-8")


if __name__ == "__main__":
    main()
