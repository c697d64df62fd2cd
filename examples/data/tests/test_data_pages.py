"""What visitors see, the same in each data layer."""

from __future__ import annotations

import typing as t

import pytest

from erlen.testing import ErlenClient

EMMA = {"title": "Emma", "author": "Jane Austen", "note": "Who?\r\nMy sister."}


def titles(client: ErlenClient, text: str = "") -> list[str]:
    answer: t.Any = client.get("/books.json", query_string={"q": text}).get_json()
    return [book["title"] for book in answer["books"]]


def add(client: ErlenClient, title: str, author: str = "") -> str:
    response = client.post("/add", data={"title": title, "author": author})
    assert response.status_code == 303
    return response.location


def test_an_empty_list_says_so(client: ErlenClient) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert "Nothing here yet." in response.text


def test_a_book_is_added_and_shown(client: ErlenClient) -> None:
    response = client.post("/add", data=EMMA, follow_redirects=True)
    assert response.status_code == 200
    assert "<h1>Emma</h1>" in response.text
    assert "Jane Austen" in response.text
    assert "Who?\nMy sister." in response.text
    assert "Emma" in client.get("/").text


def test_the_list_as_json(client: ErlenClient) -> None:
    number = int(add(client, "Emma", "Jane Austen").strip("/"))
    assert client.get("/books.json").get_json() == {
        "books": [{"id": number, "title": "Emma", "author": "Jane Austen", "note": ""}]
    }


def test_the_latest_book_comes_first(client: ErlenClient) -> None:
    for title in ("One", "Two", "Three"):
        add(client, title)
    assert titles(client) == ["Three", "Two", "One"]


def test_search_looks_at_titles_and_authors(client: ErlenClient) -> None:
    add(client, "Emma", "Jane Austen")
    add(client, "Jane Eyre", "Charlotte Brontë")
    add(client, "Middlemarch", "George Eliot")
    assert titles(client, "jANE") == ["Jane Eyre", "Emma"]
    assert titles(client, "march") == ["Middlemarch"]
    assert "No title and no author has “Ulysses” in it." in client.get("/?q=Ulysses").text


@pytest.mark.parametrize(
    "text", ["%", "_", "\\", "'", '"', "*", "?", "[a]", "' OR 1=1 --", "'); DROP TABLE book; --"]
)
def test_what_means_something_to_a_database_means_itself(client: ErlenClient, text: str) -> None:
    """SQL injection, and patterns of LIKE and GLOB."""
    add(client, "Emma", "Jane Austen")
    number = add(client, f"Before {text} after", text)
    assert titles(client, text) == [f"Before {text} after"]
    client.post(f"{number}/edit", data={"title": text})
    assert titles(client) == [text, "Emma"]


def test_a_search_for_what_cannot_be_shown_finds_nothing(client: ErlenClient) -> None:
    add(client, "Emma")
    assert titles(client, "\x00") == []


def test_any_alphabet_is_kept(client: ErlenClient) -> None:
    number = add(client, "Ψυχή 🌊", "Πλάτων")
    assert "<h1>Ψυχή 🌊</h1>" in client.get(number).text
    assert titles(client, "Πλάτων") == ["Ψυχή 🌊"]


def test_a_book_is_changed(client: ErlenClient) -> None:
    number = add(client, "Ema", "J. Austen")
    assert 'value="Ema"' in client.get(f"{number}/edit").text
    response = client.post(f"{number}/edit", data=EMMA)
    assert (response.status_code, response.location) == (303, number)
    assert "<h1>Emma</h1>" in client.get(number).text
    assert titles(client) == ["Emma"]


def test_a_book_is_deleted(client: ErlenClient) -> None:
    number = add(client, "Emma")
    add(client, "Middlemarch")
    response = client.post(f"{number}/delete")
    assert (response.status_code, response.location) == (303, "/")
    assert titles(client) == ["Middlemarch"]
    assert client.get(number).status_code == 404


@pytest.mark.parametrize("number", ["/99", "/2147483647", "/2147483648", "/9223372036854775808"])
def test_a_book_that_is_not_there(client: ErlenClient, number: str) -> None:
    add(client, "Emma")
    answers = [client.get(number), client.get(f"{number}/edit")]
    answers += [client.post(f"{number}/edit", data=EMMA), client.post(f"{number}/delete")]
    assert [response.status_code for response in answers] == [404] * 4
    assert "<h1>Not Found</h1>" in answers[0].text
    assert titles(client) == ["Emma"]


@pytest.mark.parametrize(
    ("field", "typed", "message"),
    [
        ("title", " ", "A book needs a title."),
        ("title", "x" * 201, "That is 201 characters long, and there is room for 200."),
        ("author", "x" * 101, "That is 101 characters long, and there is room for 100."),
        ("note", "x" * 2001, "That is 2001 characters long, and there is room for 2000."),
        ("title", "Em\x00ma", "There is a character in it that cannot be shown."),
        ("note", "Who\x00?", "There is a character in it that cannot be shown."),
    ],
)
def test_a_form_is_refused_with_a_reason(client: ErlenClient, field: str, typed: str, message: str) -> None:
    number = add(client, "Middlemarch")
    for page in ("/add", f"{number}/edit"):
        response = client.post(page, data={**EMMA, field: typed})
        assert response.status_code == 422
        assert message in response.text
        assert response.text.count('aria-invalid="true"') == 1
        assert f'aria-describedby="{field}-error"' in response.text
        # What was typed elsewhere is still there.
        assert "Emma" in response.text or field == "title"
        assert "Jane Austen" in response.text or field == "author"
    assert titles(client) == ["Middlemarch"]


def test_several_books_are_added(client: ErlenClient) -> None:
    response = client.post("/several", data={"lines": "Emma; Jane Austen\r\nMiddlemarch"})
    assert response.status_code == 303
    assert titles(client) == ["Middlemarch", "Emma"]
    assert titles(client, "austen") == ["Emma"]


def test_of_several_books_all_are_added_or_none(client: ErlenClient) -> None:
    lines = "Emma; Jane Austen\r\nMiddlemarch; George Eliot\r\n; nobody"
    response = client.post("/several", data={"lines": lines})
    assert response.status_code == 422
    assert "Nothing was added. Line 3: A book needs a title." in response.text
    assert "Middlemarch; George Eliot" in response.text
    assert titles(client) == []


def test_the_page_lists_the_latest_hundred(client: ErlenClient) -> None:
    client.post("/several", data={"lines": "\n".join(f"Book {number}" for number in range(1, 102))})
    page = client.get("/").text
    assert "These are the latest 100." in page
    assert "Book 101<" in page
    assert "Book 1<" not in page
    assert titles(client, "Book 1")[-1] == "Book 1"


def test_markup_is_text(client: ErlenClient) -> None:
    """Stored and reflected XSS."""
    evil = "<script>alert(1)</script>"
    number = add(client, evil, '"><img src=x>')
    for page in ("/", number, f"{number}/edit", f"/?q={evil}", "/?q=%22%3E%3Cimg"):
        text = client.get(page).text
        assert "<script>" not in text
        assert "<img" not in text


def test_a_form_of_another_site_changes_nothing(client: ErlenClient) -> None:
    """CSRF, by the defaults of the safe profile."""
    number = add(client, "Emma")
    elsewhere = {"Sec-Fetch-Site": "cross-site"}
    for page in ("/add", "/several", f"{number}/edit", f"{number}/delete"):
        assert client.post(page, data=EMMA | {"lines": "X"}, headers=elsewhere).status_code == 403
    assert titles(client) == ["Emma"]


def test_following_a_link_deletes_nothing(client: ErlenClient) -> None:
    number = add(client, "Emma")
    assert client.get(f"{number}/delete").status_code == 405
    assert titles(client) == ["Emma"]


def test_the_style_sheet_is_served(client: ErlenClient) -> None:
    with client.get("/static/site.css") as response:
        assert response.mimetype == "text/css"
