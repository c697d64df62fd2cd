"""A viewer of git repositories: lists, files, blame, diffs, an archive, redirects, errors; cloned over HTTP, pushing refused."""

from __future__ import annotations

import io
import tarfile
import typing as t
from pathlib import Path

from dulwich import porcelain
from dulwich.repo import Repo
from klaus import make_app as make_klaus

from serving import serving

if t.TYPE_CHECKING:
    from flask import Flask

    from visitor import Visitor

DISTRIBUTIONS = ["klaus", "dulwich"]
APPLICATION = True

# How long ago the commits were.
VARIES = ((r"\b\d+ years(, \d+ months?)?(?= ago)", "<long>"),)

ANN = b"Ann Other <ann@example.org>"
PICTURE = b"\x89PNG\r\n\x1a\n\x00\xff"
#: When the first commit was; the others follow by the hour. The names of commits are made of it, among others.
BEGIN = 1_600_000_000


def make_app(folder: Path) -> Flask:
    place = folder / "kettle"
    repository = Repo.init(str(place), mkdir=True, default_branch=b"main")
    (place / "src").mkdir()
    (place / "picture.png").write_bytes(PICTURE)
    for number, temperature in enumerate((80, 95)):
        (place / "README.md").write_text(f"# Kettle\n\nIt boils at *{temperature}* degrees.\n")
        (place / "src" / "boil.py").write_text(f"def boil():\n    return {temperature}\n")
        porcelain.add(repository, [str(place / name) for name in ("README.md", "picture.png", "src/boil.py")])
        porcelain.commit(
            repository,
            message=b"Boil at %d degrees" % temperature,
            author=ANN,
            committer=ANN,
            author_timestamp=BEGIN + 3600 * number,
            commit_timestamp=BEGIN + 3600 * number,
            author_timezone=0,
            commit_timezone=0,
        )
    repository.close()
    return make_klaus([str(place)], "Ann's repositories", use_smarthttp=True)


def play(visitor: Visitor) -> None:
    look_at_files(visitor)
    look_at_commits(visitor)
    ask_for_what_is_not_there(visitor)
    clone(visitor)


def look_at_files(visitor: Visitor) -> None:
    home = visitor.get("/").text
    assert "Ann&#39;s repositories" in home
    assert "kettle" in home
    assert "It boils at <em>95</em> degrees." in visitor.get("/kettle/").text
    assert "Boil at 80 degrees" in visitor.get("/kettle/tree/main/").text
    assert "boil.py" in visitor.get("/kettle/tree/main/src").text
    file = visitor.get("/kettle/blob/main/src/boil.py").text
    assert 'class="highlight' in file
    assert "95" in file
    assert visitor.get("/kettle/blame/main/src/boil.py").status_code == 200
    assert visitor.get("/kettle/raw/main/src/boil.py").data == b"def boil():\n    return 95\n"
    assert visitor.get("/kettle/raw/main/picture.png").data == PICTURE
    assert visitor.get("/static/klaus.css").mimetype == "text/css"
    # Behind a proxy that says where the outer world finds it.
    behind = visitor.get("/", headers={"X-Script-Name": "/git", "X-Forwarded-Host": "code.example.org"})
    assert "/git/kettle/" in behind.text


def look_at_commits(visitor: Visitor) -> None:
    head = visitor.app.valid_repos["kettle"].head().decode()
    commit = visitor.get(f"/kettle/commit/{head}/").text
    assert "Boil at 95 degrees" in commit
    assert "README.md" in commit
    assert "+    return 95\n" in visitor.get(f"/kettle/commit/{head}.diff").text
    patch = visitor.get(f"/kettle/commit/{head}.patch")
    assert patch.mimetype == "text/plain"
    assert patch.text.startswith("diff --git a/README.md b/README.md")
    # A stream, whose compressed bytes have the time of day in them.
    archive = visitor.client.get("/kettle/tarball/main/")
    visitor.note(
        "the archive", [archive.status, archive.content_type, archive.headers["Content-Disposition"]]
    )
    with tarfile.open(fileobj=io.BytesIO(archive.data)) as tar:
        assert any(name.endswith("/src/boil.py") for name in tar.getnames())
        visitor.note("what is in it", sorted(tar.getnames()))


def ask_for_what_is_not_there(visitor: Visitor) -> None:
    assert visitor.get("/robots.txt").status_code == 308
    assert visitor.get("/robots.txt/").text.startswith("User-agent:")
    assert visitor.get("/kettle/blob/no-such-branch/src/boil.py").status_code == 404
    missing = visitor.get("/teapot/")
    assert missing.status_code == 404
    assert "No such repository" in missing.text
    assert visitor.post("/kettle/").status_code == 405


def clone(visitor: Visitor) -> None:
    # Middleware around `wsgi_app` answers what git asks.
    offer = visitor.get("/kettle/info/refs?service=git-upload-pack")
    assert offer.mimetype == "application/x-git-upload-pack-advertisement"
    assert b"refs/heads/main" in offer.data
    # The words of its status, "Authentication Required", are not those of the standard: ASGI carries the number alone.
    push = visitor.client.get("/kettle/info/refs?service=git-receive-pack")
    assert push.status_code == 401
    assert push.headers["WWW-Authenticate"].startswith("Digest realm=")
    with serving(visitor.app) as host:
        target = str(visitor.folder / "clone")
        porcelain.clone(f"http://{host}/kettle", target, errstream=io.BytesIO()).close()
    assert (visitor.folder / "clone" / "src" / "boil.py").read_text() == "def boil():\n    return 95\n"
    assert (visitor.folder / "clone" / "picture.png").read_bytes() == PICTURE
