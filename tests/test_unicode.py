"""Unicode wherever a user can put it."""

# Views are registered by their decorators; nothing else mentions them.
# pyright: reportUnusedFunction=false
from __future__ import annotations

import io
import typing as t
from pathlib import Path
from urllib.parse import quote

import pytest

from erlen import (
    Erlen,
    flash,
    get_flashed_messages,
    jsonify,
    redirect,
    render_template,
    render_template_string,
    request,
    send_file,
    send_from_directory,
    session,
    url_for,
)
from erlen.testing import ErlenClient

#: Two, three and four bytes in UTF-8, right-to-left, combining, and a letter outside the BMP.
TEXTS = ["Grüße", "こんにちは", "🌊🏄", "שלום", "e\u0301", "𝔘", "a\u00a0b", "ﬁ", "Ελλάδα", "\u202etxt"]


@pytest.fixture
def app(tmp_path: Path) -> Erlen:
    """Return an application whose views take text in every place; its root path is a temporary folder."""
    app = Erlen("erlen_unicode", root_path=str(tmp_path))
    app.config.update(TESTING=True, SECRET_KEY="Schlüssel 🔑")
    for folder in ("templates", "static", "files"):
        (tmp_path / folder).mkdir()
    _echoes(app)
    _answers(app)
    return app


def _echoes(app: Erlen) -> None:
    @app.route("/path/<value>")
    @app.route("/deep/<path:value>", endpoint="deep")
    def path(value: str) -> t.Any:
        return jsonify([value, request.path, request.view_args])

    @app.route("/args")
    def args() -> t.Any:
        return request.args.to_dict(flat=False)

    @app.route("/form", methods=["POST"])
    def form() -> t.Any:
        names = {name: file.filename for name, file in request.files.items()}
        return {"form": request.form.to_dict(flat=False), "files": names}

    @app.route("/json", methods=["POST"])
    def as_json() -> t.Any:
        return jsonify(request.json)

    @app.route("/cookie/<value>")
    def cookie(value: str) -> t.Any:
        response = jsonify(request.cookies.get("name"))
        response.set_cookie("name", value)
        return response

    @app.route("/session/<value>")
    def in_session(value: str) -> t.Any:
        before = session.get("Schlüssel")
        session["Schlüssel"] = value
        return jsonify(before)

    @app.route("/header")
    def header() -> t.Any:
        return jsonify(request.headers.get("X-Name"))


def _answers(app: Erlen) -> None:
    @app.route("/text/<value>")
    def text(value: str) -> str:
        return value

    @app.route("/bytes/<value>")
    def as_bytes(value: str) -> bytes:
        return value.encode()

    @app.route("/stream/<value>")
    def stream(value: str) -> t.Any:
        return (character for character in value)

    @app.route("/redirect/<value>")
    def go(value: str) -> t.Any:
        return redirect(url_for("path", value=value, frage=value, _anchor=value))

    @app.route("/redirect-raw/<value>")
    def go_raw(value: str) -> t.Any:
        return redirect(f"/path/{value}?frage={value}")

    @app.route("/flash/<value>")
    def flashing(value: str) -> str:
        flash(value, f"Kategorie {value}")
        return "flashed"

    @app.route("/flashes")
    def flashes() -> t.Any:
        return jsonify(get_flashed_messages(with_categories=True))

    @app.route("/template/<value>")
    def template(value: str) -> str:
        return render_template_string("<p>{{ value }} – {{ value|length }}</p>", value=value)

    @app.route("/download/<value>")
    def download(value: str) -> t.Any:
        return send_file(io.BytesIO(b"x"), as_attachment=True, download_name=f"{value}.txt")

    @app.route("/files/<path:name>")
    def files(name: str) -> t.Any:
        return send_from_directory("files", name)

    @app.route("/abort/<value>")
    def failing(value: str) -> t.Any:
        return f"Fehler: {value}", f"404 {value.encode('ascii', 'ignore').decode()}x"

    @app.route("/größe/<value>/", endpoint="größe")
    def size(value: str) -> str:
        return f"{value} {request.endpoint}"


@pytest.fixture
def client(app: Erlen) -> ErlenClient:
    """Return a test client of the application above."""
    return app.test_client()


# What comes in


@pytest.mark.parametrize("text", TEXTS)
def test_paths(client: ErlenClient, text: str) -> None:
    assert client.get(f"/path/{text}").json == [text, f"/path/{text}", {"value": text}]
    assert client.get(f"/path/{quote(text)}").json == [text, f"/path/{text}", {"value": text}]
    deep = f"a/{text}/b"
    assert client.get(f"/deep/{deep}").json == [deep, f"/deep/{deep}", {"value": deep}]


@pytest.mark.parametrize("text", TEXTS)
def test_queries(client: ErlenClient, text: str) -> None:
    assert client.get("/args", query_string={text: [text, ""]}).json == {text: [text, ""]}
    assert client.get(f"/args?{quote(text)}={quote(text)}").json == {text: [text]}


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data"])
@pytest.mark.parametrize("text", TEXTS)
def test_forms(client: ErlenClient, text: str, kind: str) -> None:
    expected = {"form": {text: [text]}, "files": {}}
    assert client.post("/form", data={text: text}, content_type=kind).json == expected


@pytest.mark.parametrize("text", TEXTS)
def test_names_of_uploads(client: ErlenClient, text: str) -> None:
    answer = client.post("/form", data={text: (io.BytesIO(b"x"), f"{text}.txt")}).json
    assert answer == {"form": {}, "files": {text: f"{text}.txt"}}


def test_a_name_of_an_upload_as_rfc_8187_writes_it(client: ErlenClient) -> None:
    disposition = "Content-Disposition: form-data; name=\"f\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt"
    body = f"--edge\r\n{disposition}\r\n\r\nx\r\n--edge--\r\n".encode()
    answer = client.post("/form", data=body, content_type="multipart/form-data; boundary=edge").json
    assert answer == {"form": {}, "files": {"f": "Grüße.txt"}}


@pytest.mark.parametrize("text", TEXTS)
def test_json(client: ErlenClient, text: str) -> None:
    assert client.post("/json", json={text: [text]}).json == {text: [text]}
    raw = f'{{"{text}": "{text}"}}'.encode()
    assert client.post("/json", data=raw, content_type="application/json").json == {text: text}


def test_json_answers_are_ascii_unless_the_provider_says_otherwise(app: Erlen) -> None:
    assert app.test_client().post("/json", json="ü").data == b'"\\u00fc"\n'
    app.json.ensure_ascii = False  # type: ignore[attr-defined, unused-ignore]
    assert app.test_client().post("/json", json="ü").data == '"ü"\n'.encode()


@pytest.mark.parametrize("text", TEXTS)
def test_cookies(client: ErlenClient, text: str) -> None:
    client.get(f"/cookie/{text}")
    assert client.get("/cookie/x").json == text


@pytest.mark.parametrize("text", TEXTS)
def test_sessions(client: ErlenClient, text: str) -> None:
    client.get(f"/session/{text}")
    assert client.get("/session/x").json == text


def test_header_values_are_latin_1(client: ErlenClient) -> None:
    """WSGI hands header values on as latin-1 (PEP 3333); UTF-8 in them is for the view to decode."""
    assert client.get("/header", headers={"X-Name": "Jürgen"}).json == "Jürgen"
    raw = "こ".encode().decode("latin-1")
    assert client.get("/header", headers={"X-Name": raw}).json == raw


# What goes out


@pytest.mark.parametrize("view", ["text", "bytes", "stream"])
@pytest.mark.parametrize("text", TEXTS)
def test_bodies_are_utf8(client: ErlenClient, text: str, view: str) -> None:
    response = client.get(f"/{view}/{text}")
    assert response.data == text.encode()
    assert response.content_type == "text/html; charset=utf-8"
    if view != "stream":
        assert response.content_length == len(text.encode())


@pytest.mark.parametrize("view", ["redirect", "redirect-raw"])
@pytest.mark.parametrize("text", TEXTS)
def test_redirects_are_ascii_and_come_back(client: ErlenClient, text: str, view: str) -> None:
    response = client.get(f"/{view}/{text}")
    location = response.headers["Location"]
    assert location.isascii()
    assert quote(text, safe="") in location
    followed = client.get(f"/{view}/{text}", follow_redirects=True)
    assert followed.json == [text, f"/path/{text}", {"value": text}]


@pytest.mark.parametrize("text", TEXTS)
def test_a_redirect_for_a_slash_keeps_the_text(client: ErlenClient, text: str) -> None:
    response = client.get(f"/größe/groß?frage={quote(text)}")
    assert response.status_code == 308
    assert response.headers["Location"].endswith(f"/gr%C3%B6%C3%9Fe/gro%C3%9F/?frage={quote(text)}")


def test_rules_endpoints_and_converters(client: ErlenClient, app: Erlen) -> None:
    assert client.get("/größe/klein/").text == "klein größe"
    with app.test_request_context():
        assert url_for("größe", value="groß") == "/gr%C3%B6%C3%9Fe/gro%C3%9F/"


@pytest.mark.parametrize("text", TEXTS)
def test_flashed_messages(client: ErlenClient, text: str) -> None:
    client.get(f"/flash/{text}")
    assert client.get("/flashes").json == [[f"Kategorie {text}", text]]


@pytest.mark.parametrize("text", TEXTS)
def test_template_strings(client: ErlenClient, text: str) -> None:
    assert client.get(f"/template/{text}").text == f"<p>{text} – {len(text)}</p>"


@pytest.mark.parametrize("text", ["Grüße", "こんにちは", "🌊"])
def test_template_files(app: Erlen, text: str) -> None:
    (Path(app.root_path) / "templates" / f"{text}.html").write_text(
        f"{text} {{{{ wert }}}}", encoding="utf-8"
    )
    app.add_url_rule("/file-template", "file_template", lambda: render_template(f"{text}.html", wert=text))
    assert app.test_client().get("/file-template").text == f"{text} {text}"


@pytest.mark.parametrize("text", TEXTS)
def test_names_of_downloads(client: ErlenClient, text: str) -> None:
    """RFC 6266 and RFC 8187: an ASCII name for old clients, the real one beside it."""
    with client.get(f"/download/{text}") as response:
        disposition = response.headers["Content-Disposition"]
    assert disposition.isascii()
    assert f"filename*=UTF-8''{quote(f'{text}.txt', safe='')}" in disposition


@pytest.mark.parametrize("name", ["größe.txt", "こんにちは.txt", "🌊.txt"])
def test_files_in_folders(app: Erlen, name: str) -> None:
    for folder in ("static", "files"):
        (Path(app.root_path) / folder / name).write_text(name, encoding="utf-8")
        with app.test_client().get(f"/{folder}/{name}") as response:
            assert response.data == name.encode()
            assert response.headers["ETag"].isascii()
    with app.test_request_context():
        assert url_for("static", filename=name) == f"/static/{quote(name)}"


def test_a_header_of_an_answer_is_latin_1(app: Erlen) -> None:
    app.add_url_rule("/latin", "latin", lambda: ("x", {"X-Name": "Jürgen"}))
    assert app.test_client().get("/latin").headers["X-Name"] == "Jürgen"


def test_an_error_page_escapes_what_it_shows(client: ErlenClient) -> None:
    response = client.get("/nirgends/<b>ü")
    assert response.status_code == 404
    assert "<b>" not in response.text


# Host names


def test_an_international_host_is_read_as_it_is_sent(app: Erlen) -> None:
    """RFC 5890: on the wire a host name is in its ASCII form."""
    app.add_url_rule("/host", "host", lambda: jsonify([request.host, url_for("host", _external=True)]))
    answer = app.test_client().get("/host", base_url="http://xn--bcher-kva.test").json
    assert answer == ["xn--bcher-kva.test", "http://xn--bcher-kva.test/host"]


def test_a_test_client_sends_an_international_host_in_its_ascii_form(app: Erlen) -> None:
    app.add_url_rule("/host", "host", lambda: request.host)
    assert app.test_client().get("/host", base_url="http://bücher.test").text == "xn--bcher-kva.test"


@pytest.mark.parametrize("server_name", ["bücher.test", "xn--bcher-kva.test"])
def test_an_international_server_name_is_matched(tmp_path: Path, server_name: str) -> None:
    app = Erlen("erlen_unicode", root_path=str(tmp_path), subdomain_matching=True)
    app.config["SERVER_NAME"] = server_name
    app.add_url_rule("/", "index", lambda: "index")
    app.add_url_rule("/", "shop", lambda: "subdomain", subdomain="shop")
    client = app.test_client()
    assert client.get("/", base_url="http://xn--bcher-kva.test").text == "index"
    assert client.get("/", base_url="http://shop.xn--bcher-kva.test").text == "subdomain"


def test_an_international_host_is_trusted_in_both_forms(app: Erlen) -> None:
    app.add_url_rule("/host", "host", lambda: request.host)
    for trusted in ("bücher.test", "xn--bcher-kva.test"):
        app.config["TRUSTED_HOSTS"] = [trusted]
        assert app.test_client().get("/host", headers={"Host": "xn--bcher-kva.test"}).status_code == 200
        assert app.test_client().get("/host", headers={"Host": "xn--mnchen-3ya.test"}).status_code == 400


def test_an_external_url_has_an_ascii_host(app: Erlen) -> None:
    app.config["SERVER_NAME"] = "bücher.test"
    with app.app_context():
        assert url_for("path", value="ü").startswith(("http://xn--bcher-kva.test/", "http://bücher.test/"))
