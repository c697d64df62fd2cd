"""Two sets of uploads: what they allow, folders and names of their own, names that are taken or evil, serving."""

from __future__ import annotations

import io
import typing as t
from pathlib import Path

from flask import Flask, jsonify, request, url_for
from flask_uploads import AUDIO, IMAGES, UploadNotAllowed, UploadSet, configure_uploads

if t.TYPE_CHECKING:
    from werkzeug.datastructures import FileStorage

    from visitor import Visitor

DISTRIBUTIONS = ["Flask-Reuploaded"]

# The tag of a file: when it was saved, its size, a sum of its path.
VARIES = ((r'^"[\d.]+-(\d+)-\d+"$', r'"<time>-\1-<path>"'),)


class Recordings(UploadSet):
    """Sound that has something in it."""

    def file_allowed(self, storage: FileStorage, basename: str) -> bool:
        begin = storage.stream.read(4)
        storage.stream.seek(0)
        return bool(begin) and super().file_allowed(storage, basename)


photos = UploadSet("photos", IMAGES)
recordings = Recordings("recordings", AUDIO)
papers = UploadSet("papers", ("txt", "pdf"), default_dest=lambda app: str(Path(app.instance_path, "papers")))


def make_app(folder: Path) -> Flask:
    app = Flask(__name__, instance_path=str(folder / "instance"))
    app.config["UPLOADS_DEFAULT_DEST"] = str(folder / "uploads")
    app.config["UPLOADS_AUTOSERVE"] = True
    app.config["UPLOADED_PHOTOS_ALLOW"] = ["heic"]
    app.config["UPLOADED_PHOTOS_DENY"] = ["svg"]
    # Papers are served by somebody else.
    app.config["UPLOADED_PAPERS_URL"] = "https://papers.example.org/"
    configure_uploads(app, (photos, recordings))
    configure_uploads(app, papers)

    @app.errorhandler(UploadNotAllowed)
    def refused(error: UploadNotAllowed) -> t.Any:
        return jsonify(error=str(error) or "Not this kind of file"), 415

    @app.errorhandler(ValueError)
    def wrong(error: ValueError) -> t.Any:
        return jsonify(error=str(error)), 400

    @app.post("/photos")
    def add_photo() -> t.Any:
        name = photos.save(
            request.files["photo"], folder=request.form.get("album"), name=request.form.get("name")
        )
        shown = Path(photos.path(name)).relative_to(folder)
        return {"name": name, "kept in": shown.as_posix()}, 201, {"Location": photos.url(name)}

    @app.post("/recordings")
    def add_recordings() -> t.Any:
        names = [recordings.save(recording) for recording in request.files.getlist("recording")]
        return {"names": names, "urls": [recordings.url(name) for name in names]}, 201

    @app.post("/papers")
    def add_paper() -> t.Any:
        name = papers.save(request.files["paper"], name=f"{request.form['author']}/draft.")
        return {"name": name, "url": papers.url(name), "content": Path(papers.path(name)).read_text()}, 201

    @app.get("/")
    def overview() -> t.Any:
        kept = sorted(path for path in folder.rglob("*") if path.is_file())
        return {
            "kept": [path.relative_to(folder).as_posix() for path in kept],
            "a photo": url_for("_uploads.uploaded_file", setname="photos", filename="a b.png"),
        }

    return app


def file(name: str, content: bytes = b"content") -> tuple[io.BytesIO, str]:
    return io.BytesIO(content), name


def play(visitor: Visitor) -> None:
    kept = visitor.post("/photos", data={"photo": file("Kitten on the Sofa.PNG", b"\x89PNG a kitten")})
    assert kept.status_code == 201
    assert kept.json == {"name": "Kitten_on_the_Sofa.png", "kept in": "uploads/photos/Kitten_on_the_Sofa.png"}
    assert kept.location == "http://localhost/_uploads/photos/Kitten_on_the_Sofa.png"
    again = visitor.post("/photos", data={"photo": file("Kitten on the Sofa.PNG", b"another")})
    assert again.json["name"] == "Kitten_on_the_Sofa_1.png"
    in_album = visitor.post("/photos", data={"photo": file("x.heic"), "album": "2026", "name": "first."})
    assert in_album.json["name"] == "2026/first.heic"

    assert visitor.post("/photos", data={"photo": file("drawing.svg")}).status_code == 415
    assert visitor.post("/photos", data={"photo": file("program.exe")}).json == {
        "error": "Not this kind of file"
    }
    renamed = visitor.post("/photos", data={"photo": file("photo.png"), "name": "program.exe"})
    assert renamed.json == {"error": "File extension 'exe' is not allowed"}
    assert visitor.post("/photos", data={"photo": file("p.png"), "name": ".."}).status_code == 400
    evil = visitor.post("/photos", data={"photo": file("../../evil.png"), "album": "../../../etc"})
    assert evil.json == {"name": "etc/evil.png", "kept in": "uploads/photos/etc/evil.png"}
    assert visitor.post("/photos", data={}).status_code == 400

    several = visitor.post("/recordings", data={"recording": [file("a.mp3"), file("b.ogg", b"b" * 700_000)]})
    assert several.json["names"] == ["a.mp3", "b.ogg"]
    assert visitor.post("/recordings", data={"recording": file("empty.mp3", b"")}).status_code == 415
    paper = visitor.post("/papers", data={"paper": file("notes.txt", b"Lemma 1"), "author": "emmy"})
    assert paper.json == {
        "name": "emmy/draft.txt",
        "url": "https://papers.example.org/emmy/draft.txt",
        "content": "Lemma 1",
    }

    served = visitor.get(kept.location)
    assert served.data == b"\x89PNG a kitten"
    assert served.mimetype == "image/png"
    assert visitor.get(kept.location, headers={"If-None-Match": served.headers["ETag"]}).status_code == 304
    part = visitor.get(several.json["urls"][1], headers={"Range": "bytes=0-9"})
    assert (part.status_code, part.data) == (206, b"b" * 10)
    assert visitor.get("/_uploads/photos/2026/first.heic").data == b"content"
    assert visitor.get("/_uploads/photos/nothing.png").status_code == 404
    assert visitor.get("/_uploads/drawings/a.png").status_code == 404
    assert visitor.get("/_uploads/photos/../recordings/a.mp3").status_code == 404
    assert visitor.get("/").json["kept"] == [
        "instance/papers/emmy/draft.txt",
        "uploads/photos/2026/first.heic",
        "uploads/photos/Kitten_on_the_Sofa.png",
        "uploads/photos/Kitten_on_the_Sofa_1.png",
        "uploads/photos/etc/evil.png",
        "uploads/recordings/a.mp3",
        "uploads/recordings/b.ogg",
    ]
