"""Files and templates."""

# Views are registered by their decorators; nothing else mentions them.
# pyright: reportUnusedFunction=false
from __future__ import annotations

import io
import typing as t
from pathlib import Path

from .framework import Framework

if t.TYPE_CHECKING:
    from erlen import Erlen

RESOURCES = Path(__file__).parent / "resources"


def register(app: Erlen, f: Framework) -> None:
    _files(app, f)
    _templates(app, f)
    _blueprint(app, f)


def _files(app: Erlen, f: Framework) -> None:
    folder = RESOURCES / "files"
    options: dict[str, dict[str, t.Any]] = {
        "plain": {},
        "download": {"as_attachment": True},
        "named": {"as_attachment": True, "download_name": "ein Bärenname.txt"},
        "typed": {"mimetype": "text/x-other"},
        "unconditional": {"conditional": False},
        "no-etag": {"etag": False},
        "own-etag": {"etag": "mine", "last_modified": 1_700_000_000},
        "aged": {"max_age": 77},
        "aged-function": {"max_age": lambda path: 5},  # pyright: ignore[reportUnknownLambdaType]
    }

    @app.route("/file/<kind>")
    def send(kind: str) -> t.Any:
        return f.send_file(folder / "digits.txt", **options[kind])

    @app.route("/file-memory")
    def memory() -> t.Any:
        return f.send_file(io.BytesIO(b"0123456789"), mimetype="text/plain", download_name="x.txt")

    @app.route("/file-nameless")
    def nameless() -> t.Any:
        return f.send_file(io.BytesIO(b"0123456789"))

    @app.route("/file-missing")
    def missing() -> t.Any:
        return f.send_file(folder / "missing.txt")

    @app.route("/file-relative")
    def relative() -> t.Any:
        return f.send_file("files/digits.txt")

    @app.route("/directory/<path:name>")
    def directory(name: str) -> t.Any:
        return f.send_from_directory(folder, name)

    @app.route("/directory-relative/<path:name>")
    def directory_relative(name: str) -> t.Any:
        return f.send_from_directory("files", name, as_attachment=True)

    @app.route("/resource-file")
    def resource() -> t.Any:
        with app.open_resource("files/digits.txt") as stream:
            return t.cast(bytes, stream.read())


def _templates(app: Erlen, f: Framework) -> None:
    @app.context_processor
    def add_site() -> dict[str, t.Any]:
        return {"site": "Parity", "shadowed": "from the processor"}

    @app.template_filter("shout")
    def shout(value: str) -> str:
        return value.upper() + "!"

    @app.template_test("tiny")
    def tiny(value: int) -> bool:
        return value < 3

    @app.template_global("double")
    def double(value: int) -> int:
        return value * 2

    rows = [{"name": f"row {number}", "price": number * 1.5} for number in range(12)]

    @app.route("/template/<name>.html")
    def page(name: str) -> t.Any:
        return f.render_template(f"{name}.html", rows=rows, evil="<b>&\"'", shadowed="from the view")

    @app.route("/template-list")
    def choose() -> t.Any:
        return f.render_template(["nowhere.html", "base.html"])

    @app.route("/template-string")
    def string() -> t.Any:
        source = "{{ site }} {{ evil }} {{ request.path }} {{ url_for('string') }} {{ g.x is defined }} {{ session }}"
        return f.render_template_string(source, evil="<b>")

    @app.route("/template-stream")
    def stream() -> t.Any:
        return f.stream_template("page.html", rows=rows, evil="<b>")

    @app.route("/template-stream-string")
    def stream_string() -> t.Any:
        return f.stream_template_string("{% for n in range(3) %}{{ n }} {{ request.method }} {% endfor %}")

    @app.route("/template-macro")
    def macro() -> t.Any:
        return f"{f.get_template_attribute('macros.html', 'field')('<name>')}"

    @app.route("/template-broken")
    def broken() -> t.Any:
        return f.render_template_string("{% if %}")

    @app.route("/template-undefined")
    def undefined() -> t.Any:
        return f.render_template_string("[{{ nothing }}]{{ nothing.at.all }}")


def _blueprint(app: Erlen, f: Framework) -> None:
    blueprint = f.blueprint(
        "admin",
        url_prefix="/admin",
        template_folder=str(RESOURCES / "blueprint" / "templates"),
        static_folder=str(RESOURCES / "blueprint" / "static"),
    )

    @blueprint.context_processor
    def add_admin() -> dict[str, t.Any]:
        return {"site": "Admin"}

    @blueprint.app_context_processor
    def add_everywhere() -> dict[str, t.Any]:
        return {"everywhere": "everywhere"}

    @blueprint.app_template_filter()
    def whisper(value: str) -> str:
        return value.lower()

    @blueprint.route("/<name>.html")
    def page(name: str) -> t.Any:
        return f.render_template(f"{name}.html", rows=[], evil="")

    @blueprint.route("/nested/<name>.html")
    def nested(name: str) -> t.Any:
        return f.render_template(f"admin/{name}.html")

    @blueprint.route("/urls")
    def urls() -> t.Any:
        return [
            f.url_for(".static", filename="a.css"),
            f.url_for("static", filename="a.css"),
            f.url_for(".page", name="x"),
        ]

    app.register_blueprint(blueprint)
