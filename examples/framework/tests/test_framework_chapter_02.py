from __future__ import annotations

import typing as t

import pytest
from werkzeug.exceptions import Forbidden
from werkzeug.utils import redirect

import erlen
from chapter_02 import Response, Sapling
from framework_support import ask, told
from solutions.chapter_02 import Conditional

VALUES: dict[str, t.Callable[[], t.Any]] = {
    "text": lambda: "größe",
    "bytes": lambda: b"raw",
    "dict": lambda: {"a": [1, 2]},
    "list": lambda: [1, 2],
    "generator": lambda: (part for part in ["a", "b"]),
    "status": lambda: ("made", 201),
    "headers": lambda: ("text", {"Content-Type": "text/plain"}),
    "both": lambda: ({"a": 1}, 202, {"X-Number": "7"}),
    "redirect": lambda: redirect("/text"),
    "error": Forbidden,
}


def of_sapling(value: t.Callable[[], t.Any]) -> Sapling:
    app = Sapling()
    app.route("/")(lambda request: value())
    return app


@pytest.mark.parametrize("kind", VALUES)
def test_a_value_becomes_the_response_that_erlen_makes_of_it(kind: str) -> None:
    other = erlen.Erlen("framework_example")
    other.add_url_rule("/", "value", VALUES[kind])
    ours, theirs = ask(of_sapling(VALUES[kind]), "/"), ask(other, "/")
    assert told(ours)[:1] + told(ours)[2:] == told(theirs)[:1] + told(theirs)[2:]
    if ours.is_json:
        assert ours.json == theirs.json
    else:
        assert told(ours) == told(theirs)


def test_a_raised_http_error_is_the_response() -> None:
    app = Sapling()

    @app.route("/")
    def index(request: t.Any) -> str:
        raise Forbidden("Not yours.")

    response = ask(app, "/")
    assert response.status_code == 403
    assert "Not yours." in response.text


def test_none_is_refused_with_the_likely_cause() -> None:
    with pytest.raises(TypeError, match="may lack its 'return'"):
        Sapling().make_response(None)


def test_a_tuple_of_another_length_is_refused() -> None:
    with pytest.raises(TypeError, match="a tuple of 4"):
        Sapling().make_response(("a", 200, {}, "b"))


def test_all_responses_are_of_the_class_of_the_application() -> None:
    app = Sapling()
    assert type(app.make_response(Forbidden())) is Response
    assert type(app.make_response(redirect("/"))) is Response


def test_a_form_and_a_query_are_there_when_they_are_asked_for() -> None:
    app = Sapling()
    app.route("/")(lambda request: f"{request.args['a']} {request.form['b']}")
    assert ask(app, "/?a=1", "POST", data={"b": "2"}).text == "1 2"


def test_a_body_over_the_limit_is_refused() -> None:
    app = Sapling()
    app.route("/")(lambda request: f"{len(request.get_data())}")
    assert ask(app, "/", "POST", data=b"x" * 1000).text == "1000"
    assert ask(app, "/", "POST", data=b"x" * (16 * 1024 * 1024 + 1)).status_code == 413


def test_a_client_that_has_the_page_is_not_sent_it_again() -> None:
    app = Conditional()
    app.route("/")(lambda request: "page")
    first = ask(app, "/")
    second = ask(app, "/", headers={"If-None-Match": first.headers["ETag"]})
    assert (second.status_code, second.data) == (304, b"")
    assert ask(app, "/", headers={"If-None-Match": '"other"'}).text == "page"
