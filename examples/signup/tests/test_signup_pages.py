from __future__ import annotations

import threading
import typing as t

import pytest
from sqlalchemy import select

from erlen import Erlen
from erlen.testing import ErlenClient
from signup.database import Signup, store

ANNA = {"name": "Anna Berg", "email": "anna@example.org"}


def entries(app: Erlen) -> t.Sequence[Signup]:
    with app.app_context():
        return store.session.scalars(select(Signup).order_by(Signup.id)).all()


def test_the_page_shows_an_empty_form(client: ErlenClient) -> None:
    response = client.get("/")
    assert response.status_code == 200
    assert 'name="email"' in response.text
    assert "aria-invalid" not in response.text


def test_a_visitor_gets_on_the_list(app: Erlen, client: ErlenClient) -> None:
    client.post("/", data=ANNA)
    (entry,) = entries(app)
    assert (entry.name, entry.email, entry.times_asked) == ("Anna Berg", "anna@example.org", 1)
    assert entry.signed_up_at.utcoffset() is not None


def test_signing_up_leads_to_a_thank_you_page(client: ErlenClient) -> None:
    response = client.post("/", data=ANNA)
    assert (response.status_code, response.location) == (303, "/thanks")
    thanks = client.get("/thanks")
    assert "Anna Berg" in thanks.text
    assert "Your place is kept." in thanks.text
    assert thanks.headers["Cache-Control"] == "no-store"


def test_the_flashed_message_is_shown_once(client: ErlenClient) -> None:
    client.post("/", data=ANNA, follow_redirects=True)
    again = client.get("/thanks")
    assert "Anna Berg" in again.text
    assert "Your place is kept." not in again.text


def test_nobody_is_thanked_who_has_not_signed_up(client: ErlenClient) -> None:
    response = client.get("/thanks")
    assert (response.status_code, response.location) == (302, "/")


def test_names_and_addresses_of_any_alphabet(app: Erlen, client: ErlenClient) -> None:
    response = client.post(
        "/", data={"name": "山田 花子", "email": "花子@例え.テスト"}, follow_redirects=True
    )
    assert "山田 花子" in response.text
    (entry,) = entries(app)
    assert (entry.name, entry.email) == ("山田 花子", "花子@例え.テスト")


def test_white_space_in_names_is_tidied(app: Erlen, client: ErlenClient) -> None:
    client.post("/", data={"name": "  Anna \t  Berg ", "email": "anna@example.org"})
    assert entries(app)[0].name == "Anna Berg"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "Please tell us your name"),
        ("  ", "Please tell us your name"),
        ("12345", "Please use at least one letter"),
        ("x" * 101, "That is 101 characters long, and we have room for 100."),
        ("Anna\x00", "a character in it that cannot be shown"),
        ("Anna\u202egreB", "a character in it that cannot be shown"),
        ("Anna\ue000", "a character in it that cannot be shown"),
    ],
)
def test_a_name_is_refused_with_a_reason(app: Erlen, client: ErlenClient, name: str, message: str) -> None:
    response = client.post("/", data={"name": name, "email": "anna@example.org"})
    assert response.status_code == 422
    assert message in response.text
    assert entries(app) == []


def test_a_name_of_a_script_with_joiners_is_accepted(app: Erlen, client: ErlenClient) -> None:
    name = "علی\u200cرضا"
    client.post("/", data={"name": name, "email": "ali@example.org"})
    assert entries(app)[0].name == name


def test_a_wrong_field_is_marked_and_keeps_what_was_typed(client: ErlenClient) -> None:
    response = client.post("/", data={"name": "Anna Berg", "email": "anna.example.org"})
    assert response.status_code == 422
    assert "Almost there." in response.text
    assert 'value="Anna Berg"' in response.text
    assert 'value="anna.example.org"' in response.text
    assert "The @ is missing." in response.text
    assert response.text.count('aria-invalid="true"') == 1
    assert 'aria-describedby="email-error"' in response.text


def test_the_message_about_a_wrong_field_is_gone_on_the_next_page(client: ErlenClient) -> None:
    client.post("/", data={"name": "", "email": ""})
    assert "Almost there." not in client.get("/").text


def test_missing_fields_count_as_empty(client: ErlenClient) -> None:
    response = client.post("/")
    assert response.status_code == 422
    assert "Please tell us your name" in response.text
    assert "Please give us your e-mail address" in response.text


def test_a_duplicate_is_counted_and_changes_nothing_else(app: Erlen, client: ErlenClient) -> None:
    client.post("/", data=ANNA)
    client.post("/", data={"name": "Somebody Else", "email": "ANNA@Example.org"})
    (entry,) = entries(app)
    assert (entry.name, entry.email, entry.times_asked) == ("Anna Berg", "anna@example.org", 2)


def test_a_duplicate_is_answered_kindly_and_tells_nothing(app: Erlen) -> None:
    """User enumeration: the answers to a new and to a known address are the same, byte for byte."""
    answers: list[tuple[object, ...]] = []
    for _ in range(2):
        visitor = app.test_client()
        posted = visitor.post("/", data=ANNA)
        answers.append((posted.status_code, posted.location, posted.data, visitor.get("/thanks").data))
    assert answers[0] == answers[1]
    assert b"If you had asked before, you still have just the one." in t.cast(bytes, answers[1][-1])


def test_two_at_once_with_one_address_are_one_entry(app: Erlen) -> None:
    start = threading.Barrier(4)
    codes: list[int] = []

    def sign_up() -> None:
        visitor = app.test_client()
        start.wait()
        codes.append(visitor.post("/", data=ANNA).status_code)

    threads = [threading.Thread(target=sign_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [303] * 4
    (entry,) = entries(app)
    assert entry.times_asked == 4


def test_markup_in_a_name_is_text(client: ErlenClient) -> None:
    """Stored and reflected XSS."""
    evil = {"name": "<script>alert(1)</script>", "email": '"><img src=x>@example.org'}
    assert "<script" not in client.post("/", data=evil).text
    evil["email"] = "anna@example.org"
    page = client.post("/", data=evil, follow_redirects=True).text
    assert "&lt;script&gt;" in page
    assert "<script" not in page


def test_a_body_that_is_too_large_is_answered_in_the_look_of_the_site(client: ErlenClient) -> None:
    response = client.post("/", data={"name": "x" * 70_000, "email": "anna@example.org"})
    assert response.status_code == 413
    assert "Too much to carry" in response.text


def test_too_many_form_parts_are_refused(client: ErlenClient) -> None:
    """CVE-2023-25577: unlimited multipart parts."""
    parts = {f"field{number}": "x" for number in range(30)}
    response = client.post("/", data=parts, content_type="multipart/form-data")
    assert response.status_code == 413


def test_a_page_that_does_not_exist(client: ErlenClient) -> None:
    response = client.get("/nowhere/<b>")
    assert response.status_code == 404
    assert "Washed away" in response.text
    assert "<b>" not in response.text


def test_the_wrong_method_keeps_its_allow_header(client: ErlenClient) -> None:
    response = client.delete("/")
    assert response.status_code == 405
    assert "Not this way" in response.text
    assert {"GET", "POST"} <= {method.strip() for method in response.headers["Allow"].split(",")}


def test_a_failure_is_answered_in_the_look_of_the_site(make_app: t.Callable[..., Erlen]) -> None:
    app = make_app(SECRET_KEY="test", PROPAGATE_EXCEPTIONS=False)
    with app.app_context():
        Signup.metadata.drop_all(store.engine)
    response = app.test_client().post("/", data=ANNA)
    assert response.status_code == 500
    assert "We ran aground" in response.text
    assert "sqlite" not in response.text.lower()


def test_a_form_on_another_site_cannot_post_here(app: Erlen, client: ErlenClient) -> None:
    """CSRF, by the safe profile's defaults."""
    response = client.post("/", data=ANNA, headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 403
    assert "Not from over there" in response.text
    assert entries(app) == []


def test_pages_need_nothing_inline_and_nothing_from_elsewhere(client: ErlenClient) -> None:
    page = client.post("/", data={}).text
    for forbidden in ("<style", "<script", " style=", " onclick=", "//cdn", "https://"):
        assert forbidden not in page


def test_the_content_security_policy_is_sent(client: ErlenClient) -> None:
    policy = client.get("/").headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


def test_static_files_are_served(client: ErlenClient) -> None:
    with client.get("/static/site.css") as response:
        assert response.mimetype == "text/css"
    with client.get("/static/favicon.svg") as response:
        assert response.mimetype == "image/svg+xml"
