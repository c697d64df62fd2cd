from __future__ import annotations

import csv
import io
import typing as t
import unicodedata
from base64 import b64encode

import pytest

from erlen import Erlen
from erlen.testing import ErlenClient
from signup.database import store
from signup.export import harmless

Add: t.TypeAlias = t.Callable[[str, str], None]
Credentials: t.TypeAlias = tuple[str, str]
PATHS = ["/owner/", "/owner/signups.json", "/owner/signups.csv", "/owner/signups/1/delete"]


@pytest.mark.parametrize("path", PATHS)
def test_every_page_asks_for_the_password(client: ErlenClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith('Basic realm="Ebb owner area", charset=')
    assert "UTF-8" in response.headers["WWW-Authenticate"]
    assert "This part is for the owner." in response.text


def test_deleting_asks_for_the_password(client: ErlenClient, add: Add, owner: Credentials) -> None:
    add("Anna", "anna@example.org")
    assert client.post("/owner/signups/1/delete").status_code == 401
    assert client.get("/owner/signups.json", auth=owner).get_json()["total"] == 1


@pytest.mark.parametrize("credentials", [("owner", "wrong"), ("Owner", None), ("", None), ("owner", "")])
def test_wrong_credentials_are_refused(
    client: ErlenClient, owner: Credentials, credentials: tuple[str, str | None]
) -> None:
    name, password = credentials
    response = client.get("/owner/", auth=(name, owner[1] if password is None else password))
    assert response.status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !!!",
        "Basic " + b64encode(b"\xff\xfe:\xff").decode(),
        "Bearer x",
        "Basic b3duZXI=",
        ":",
        "\xff",
    ],
)
def test_a_malformed_authorization_header_is_refused(client: ErlenClient, header: str) -> None:
    assert client.get("/owner/", headers={"Authorization": header}).status_code == 401


def test_a_password_is_the_same_in_both_unicode_forms(make_app: t.Callable[..., Erlen]) -> None:
    app = make_app(SECRET_KEY="test", OWNER_PASSWORD=unicodedata.normalize("NFC", "pässwörter sind hier"))
    typed = unicodedata.normalize("NFD", "pässwörter sind hier")
    assert app.test_client().get("/owner/", auth=("owner", typed)).status_code == 200


@pytest.mark.parametrize("password", [None, ""])
@pytest.mark.parametrize("path", PATHS)
def test_without_a_password_the_area_stays_closed(
    make_app: t.Callable[..., Erlen], path: str, password: str | None
) -> None:
    app = make_app(SECRET_KEY="test", OWNER_PASSWORD=password)
    response = app.test_client().get(path, auth=("owner", ""))
    assert response.status_code == 503
    assert "SIGNUP_OWNER_PASSWORD" in response.text


def test_nothing_of_the_area_is_stored_by_caches(client: ErlenClient, owner: Credentials) -> None:
    for path in PATHS[:3]:
        assert client.get(path).headers["Cache-Control"] == "no-store"
        assert client.get(path, auth=owner).headers["Cache-Control"] == "no-store"


def test_an_empty_list_says_so(client: ErlenClient, owner: Credentials) -> None:
    assert "Nobody has signed up yet." in client.get("/owner/", auth=owner).text


def test_the_list_shows_the_latest_first(client: ErlenClient, add: Add, owner: Credentials) -> None:
    add("Anna", "anna@example.org")
    add("Bo", "bo@example.org")
    page = client.get("/owner/", auth=owner).text
    assert page.index("bo@example.org") < page.index("anna@example.org")


def test_the_list_says_who_asked_more_than_once(client: ErlenClient, add: Add, owner: Credentials) -> None:
    add("Anna", "anna@example.org")
    add("Anna", "Anna@example.org")
    assert "2 times" in client.get("/owner/", auth=owner).text


def test_markup_in_the_list_is_text(client: ErlenClient, add: Add, owner: Credentials) -> None:
    """Stored XSS against the owner."""
    add("<img src=x onerror=alert(1)>", "anna@example.org")
    for path in ("/owner/", "/owner/signups/1/delete", '/owner/?q="><img src=x>'):
        assert "<img" not in client.get(path, auth=owner).text


def found(client: ErlenClient, owner: Credentials, query: str) -> list[str]:
    answer = client.get("/owner/signups.json", query_string={"q": query}, auth=owner).get_json()
    return [entry["name"] for entry in answer["signups"]]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("berg", ["Åsa Berg"]),
        ("åsa", ["Åsa Berg"]),
        ("A\u030aSA", ["Åsa Berg"]),
        ("  Åsa   Berg ", ["Åsa Berg"]),
        ("bücher", ["100% _Bo_"]),
        ("xn--bcher-kva", ["100% _Bo_"]),
        ("example.org", ["Åsa Berg"]),
        ("nobody", []),
        ("%", ["100% _Bo_"]),
        ("_", ["100% _Bo_"]),
        ("/", []),
        ("\\", []),
        ("' OR 1=1 --", []),
        ("\x00berg\x00", ["Åsa Berg"]),
    ],
)
def test_search(client: ErlenClient, add: Add, owner: Credentials, query: str, names: list[str]) -> None:
    """Wildcards mean themselves, case and composition do not matter, and nothing reaches the SQL."""
    add("Åsa Berg", "asa@example.org")
    add("100% _Bo_", "bo@bücher.example")
    assert found(client, owner, query) == names


def test_a_search_without_result_says_what_was_looked_for(client: ErlenClient, owner: Credentials) -> None:
    assert "Nobody with “zebra”" in client.get("/owner/?q=zebra", auth=owner).text


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("1", ["P5", "P4", "P3"]),
        ("2", ["P2", "P1"]),
        ("3", ["P2", "P1"]),
        ("0", ["P5", "P4", "P3"]),
        ("-7", ["P5", "P4", "P3"]),
        ("x", ["P5", "P4", "P3"]),
        ("9" * 30, ["P2", "P1"]),
        ("9" * 5000, ["P5", "P4", "P3"]),
    ],
)
def test_pages(client: ErlenClient, add: Add, owner: Credentials, page: str, names: list[str]) -> None:
    for number in range(1, 6):
        add(f"P{number}", f"p{number}@example.org")
    answer = client.get("/owner/signups.json", query_string={"page": page}, auth=owner).get_json()
    assert [entry["name"] for entry in answer["signups"]] == names
    assert (answer["pages"], answer["total"]) == (2, 5)


def test_links_between_pages_keep_the_search(client: ErlenClient, add: Add, owner: Credentials) -> None:
    for number in range(4):
        add(f"P{number}", f"p{number}@example.org")
    assert 'href="/owner/?q=p&amp;page=2"' in client.get("/owner/?q=p", auth=owner).text


def test_json(client: ErlenClient, add: Add, owner: Credentials) -> None:
    add("Åsa", "asa@bücher.example")
    answer = client.get("/owner/signups.json", auth=owner).get_json()
    (entry,) = answer["signups"]
    assert entry["name"] == "Åsa"
    assert entry["email"] == "asa@bücher.example"
    assert entry["signed_up_at"].endswith("+00:00")
    assert (answer["page"], answer["pages"], answer["total"], answer["query"]) == (1, 1, 1, "")


def rows(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_csv(client: ErlenClient, add: Add, owner: Credentials) -> None:
    add('Åsa "Å" Berg', "asa@bücher.example")
    response = client.get("/owner/signups.csv", auth=owner)
    assert response.mimetype == "text/csv"
    assert response.headers["Content-Disposition"].startswith("attachment; filename=signups-")
    assert response.data.startswith("\ufeff".encode())
    head, row = rows(response.data)
    assert head == ["id", "name", "email", "signed up at (UTC)", "times asked"]
    assert row[:3] == ["1", 'Åsa "Å" Berg', "asa@bücher.example"]


def test_csv_holds_all_pages_and_only_what_matches(client: ErlenClient, add: Add, owner: Credentials) -> None:
    for number in range(5):
        add(f"P{number}", f"p{number}@example.org")
    add("Other", "other@example.net")
    response = client.get("/owner/signups.csv?q=example.org", auth=owner)
    assert [row[1] for row in rows(response.data)[1:]] == ["P0", "P1", "P2", "P3", "P4"]


def test_the_export_is_complete_over_several_batches(app: Erlen, add: Add) -> None:
    for number in range(4):
        add(f"P{number}", f"p{number}@example.org")
    with app.app_context():
        assert [entry.name for entry in store.each("", batch_size=2)] == ["P0", "P1", "P2", "P3"]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-Anna", "'-Anna"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\uff1d1", "'\uff1d1"),
        ("  =1", "  '=1"),
        ("a;=1", "a;'=1"),
        ("a, -1", "a, '-1"),
        ('";=1', "\";'=1"),
        ("Ana-María", "Ana-María"),
        ("anna+ebb@example.org", "anna+ebb@example.org"),
    ],
)
def test_a_cell_is_never_a_formula(text: str, cell: str) -> None:
    """CWE-1236, formula injection."""
    assert harmless(text) == cell


def test_formulas_are_guarded_in_the_export(client: ErlenClient, add: Add, owner: Credentials) -> None:
    add('=HYPERLINK("x")', "=cmd@example.org")
    row = rows(client.get("/owner/signups.csv", auth=owner).data)[1]
    assert row[1:3] == ['\'=HYPERLINK("x")', "'=cmd@example.org"]


def test_deleting_asks_first(client: ErlenClient, add: Add, owner: Credentials) -> None:
    add("Anna", "anna@example.org")
    page = client.get("/owner/signups/1/delete?q=an&page=1", auth=owner).text
    assert "off the list?" in page
    assert 'action="/owner/signups/1/delete?q=an&amp;page=1"' in page
    assert found(client, owner, "") == ["Anna"]


def test_deleting_leads_back_to_the_list(client: ErlenClient, add: Add, owner: Credentials) -> None:
    add("Anna", "anna@example.org")
    add("Bo", "bo@example.org")
    response = client.post("/owner/signups/1/delete?q=o&page=1", auth=owner)
    assert (response.status_code, response.location) == (303, "/owner/?q=o&page=1")
    assert "Anna is no longer on the list." in client.get(response.location, auth=owner).text
    assert found(client, owner, "") == ["Bo"]


def test_deleting_twice_is_no_error(client: ErlenClient, add: Add, owner: Credentials) -> None:
    add("Anna", "anna@example.org")
    client.post("/owner/signups/1/delete", auth=owner)
    response = client.post("/owner/signups/1/delete", auth=owner, follow_redirects=False)
    assert response.status_code == 303
    assert "That entry was gone already." in client.get("/owner/", auth=owner).text


def test_the_number_of_a_deleted_entry_is_not_given_again(
    client: ErlenClient, add: Add, owner: Credentials
) -> None:
    add("Anna", "anna@example.org")
    client.post("/owner/signups/1/delete", auth=owner)
    add("Bo", "bo@example.org")
    assert client.get("/owner/signups/1/delete", auth=owner).status_code == 404


def test_who_was_deleted_can_sign_up_again(client: ErlenClient, add: Add, owner: Credentials) -> None:
    add("Anna", "anna@example.org")
    client.post("/owner/signups/1/delete", auth=owner)
    add("Anna", "anna@example.org")
    assert found(client, owner, "") == ["Anna"]


@pytest.mark.parametrize("entry", ["2", "99999999999999999999", "-1", "x", "1.5"])
def test_an_entry_that_does_not_exist(client: ErlenClient, owner: Credentials, entry: str) -> None:
    assert client.get(f"/owner/signups/{entry}/delete", auth=owner).status_code == 404


def test_another_site_cannot_delete(client: ErlenClient, add: Add, owner: Credentials) -> None:
    """CSRF: browsers send Basic credentials with requests of other sites as well."""
    add("Anna", "anna@example.org")
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        response = client.post("/owner/signups/1/delete", auth=owner, headers=headers)
        assert response.status_code == 403
    assert found(client, owner, "") == ["Anna"]


def test_a_get_deletes_nothing(client: ErlenClient, add: Add, owner: Credentials) -> None:
    add("Anna", "anna@example.org")
    client.get("/owner/signups/1/delete", auth=owner)
    client.head("/owner/signups/1/delete", auth=owner)
    assert found(client, owner, "") == ["Anna"]


def test_the_export_command(app: Erlen, add: Add) -> None:
    add("Åsa", "asa@example.org")
    result = app.test_cli_runner().invoke(args=["owner", "export"])
    assert result.exit_code == 0
    assert '"Åsa","asa@example.org"' in result.output
