"""Explanations of debug mode: their texts, when they are given, and when not."""

from __future__ import annotations

import logging
import typing as t
from pathlib import Path

import jinja2
import pytest
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequestKeyError
from werkzeug.routing import RequestRedirect
from werkzeug.test import EnvironBuilder

from erlen import Blueprint, Erlen, Request, render_template, request
from erlen.debug import (
    FilesKeyError,
    FormDataRoutingRedirect,
    attach_enctype_error,
)
from erlen.testing import ErlenClient


@pytest.fixture
def app(tmp_path: Path) -> Erlen:
    """An application in debug mode without templates."""
    app = Erlen("shop", root_path=str(tmp_path), instance_path=str(tmp_path / "instance"))
    app.debug = True
    app.testing = True
    return app


def upload(app: Erlen) -> None:
    @app.post("/upload")
    def upload() -> str:
        return str(request.files["picture"].filename)


def test_file_that_came_as_a_form_field(app: Erlen) -> None:
    upload(app)
    with pytest.raises(FilesKeyError) as caught:
        app.test_client().post("/upload", data={"picture": "me.png"})
    assert isinstance(caught.value, KeyError)
    assert isinstance(caught.value, AssertionError)
    assert str(caught.value) == (
        "request.files has no file 'picture', but request.form has a field of that name: 'me.png'. The browser "
        "sent the name of the file as text, and not its content, because the form was submitted as "
        "'application/x-www-form-urlencoded'. Write the form as "
        '<form method="post" enctype="multipart/form-data">.'
    )


def test_file_that_came_in_no_way_is_a_bad_request(app: Erlen) -> None:
    upload(app)
    with pytest.raises(BadRequestKeyError):
        app.test_client().post("/upload", data={"other": "me.png"})


def test_file_that_came_as_a_form_field_outside_debug_is_a_bad_request(app: Erlen) -> None:
    upload(app)
    app.debug = app.testing = False
    assert app.test_client().post("/upload", data={"picture": "me.png"}).status_code == 400


def test_file_explained_keeps_the_rest_of_the_mapping(app: Erlen) -> None:
    with app.test_request_context("/", method="POST", data={"picture": "me.png"}):
        assert request.files.get("picture") is None
        assert "picture" not in request.files
        assert request.files.getlist("picture") == []
        assert len(request.files) == 0


def test_file_explained_keeps_the_storage_class() -> None:
    class Storing(Request):
        parameter_storage_class = MultiDict  # type: ignore[assignment]

    request = Storing(EnvironBuilder(method="POST", data={"picture": "me.png"}).get_environ())
    attach_enctype_error(request)
    assert type(request.files).__mro__[1] is MultiDict
    with pytest.raises(FilesKeyError):
        request.files["picture"]


class Redirected:
    """As much of a request as the explanation reads."""

    method = "POST"
    url = "http://localhost/signup?a=1"
    base_url = "http://localhost/signup"

    def __init__(self, new_url: str, code: int) -> None:
        self.routing_exception = RequestRedirect(new_url)
        self.routing_exception.code = code


def test_redirect_that_loses_the_form_names_the_slash() -> None:
    error = FormDataRoutingRedirect(Redirected("http://localhost/signup/?a=1", 301))
    assert isinstance(error, AssertionError)
    assert str(error) == (
        "The POST request to 'http://localhost/signup?a=1' is redirected with 301 to "
        "'http://localhost/signup/?a=1'. A browser repeats it there as a GET without the form data. Send the "
        "request to 'http://localhost/signup/?a=1' in the first place: the URL of the rule ends with a slash, "
        "'/signup/'. In a template, url_for() builds the right URL for <form action=...>. To keep method and body "
        "over a redirect, redirect with 307 or 308. (This error is shown in debug mode only.)"
    )


def test_redirect_elsewhere_does_not_name_the_slash() -> None:
    error = FormDataRoutingRedirect(Redirected("http://localhost/register", 302))
    assert "slash" not in str(error)
    assert "'http://localhost/register' in the first place. In a template" in str(error)


class LosingMatch(RequestRedirect):
    """A redirect as the router of a custom map may raise it: the method is not kept."""

    code = 302


def test_redirect_of_routing_that_loses_the_form_is_refused_in_debug(app: Erlen) -> None:
    @app.before_request
    def lose_the_method() -> None:
        request.routing_exception = LosingMatch("http://localhost/new")

    with pytest.raises(FormDataRoutingRedirect):
        app.test_client().post("/old", data={"a": "1"})
    assert app.test_client().get("/old").status_code == 302
    app.debug = False
    assert app.test_client().post("/old", data={"a": "1"}).status_code == 302


def test_redirect_of_routing_with_308_is_followed_in_debug(app: Erlen) -> None:
    @app.post("/signup/")
    def signup() -> str:
        return request.form["name"]

    response = app.test_client().post("/signup", data={"name": "Ada"}, follow_redirects=True)
    assert response.text == "Ada"


def explained(app: Erlen, caplog: pytest.LogCaptureFixture, name: str, path: str = "/") -> list[str]:
    """Render a template with EXPLAIN_TEMPLATE_LOADING and return the lines that were logged."""
    app.config["EXPLAIN_TEMPLATE_LOADING"] = True
    with caplog.at_level(logging.INFO), app.test_request_context(path):
        try:
            render_template(name)
        except jinja2.TemplateNotFound:
            pass
    return [line for record in caplog.records for line in record.getMessage().splitlines()]


def folders(app: Erlen, tmp_path: Path) -> None:
    """Give the application and the blueprints 'one' and 'two' a template folder, and 'bare' none."""
    for name in ("templates", "one", "two"):
        (tmp_path / name).mkdir()
    for name in ("one", "two"):
        (tmp_path / name / "page.html").write_text(name, encoding="utf-8")
        blueprint = Blueprint(name, "shop", template_folder=name, root_path=str(tmp_path))
        blueprint.add_url_rule(f"/{name}", "view", str)
        app.register_blueprint(blueprint)
    bare = Blueprint("bare", "shop", root_path=str(tmp_path))
    bare.add_url_rule("/bare", "view", str)
    app.register_blueprint(bare)


def test_template_loading_names_each_place(
    app: Erlen, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    folders(app, tmp_path)
    lines = explained(app, caplog, "page.html")
    assert lines == [
        "Looking for the template 'page.html':",
        f"  1. application 'shop', FileSystemLoader ({tmp_path / 'templates'})",
        "     not there",
        f"  2. blueprint 'one' (shop), FileSystemLoader ({tmp_path / 'one'})",
        f"     found: {tmp_path / 'one' / 'page.html'}",
        f"  3. blueprint 'two' (shop), FileSystemLoader ({tmp_path / 'two'})",
        f"     found: {tmp_path / 'two' / 'page.html'}",
        (
            "2 places have a template of this name. The first one is used, from blueprint 'one' (shop): the application "
            "comes first, then the blueprints in the order of their registration. Put a blueprint's templates into a "
            "folder with its name to keep them apart, as in templates/<blueprint>/page.html."
        ),
    ]


def test_template_loading_says_when_nobody_has_it(
    app: Erlen, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    folders(app, tmp_path)
    assert explained(app, caplog, "absent.html")[-1] == "Nobody has 'absent.html'."


def test_template_loading_hints_at_the_folder_of_the_blueprint(
    app: Erlen, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    folders(app, tmp_path)
    assert explained(app, caplog, "absent.html", "/one")[-1] == (
        "The request belongs to the blueprint 'one', which has the template folder 'one'. Is the file in there?"
    )


def test_template_loading_hints_at_a_blueprint_without_folder(
    app: Erlen, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    folders(app, tmp_path)
    assert explained(app, caplog, "absent.html", "/bare")[-1] == (
        "The request belongs to the blueprint 'bare', which has no template folder: pass "
        "Blueprint(..., template_folder='templates') to give it one."
    )


def test_template_loading_describes_other_loaders(app: Erlen, caplog: pytest.LogCaptureFixture) -> None:
    app.jinja_loader = jinja2.ChoiceLoader(
        [
            jinja2.PrefixLoader({"mail": jinja2.FunctionLoader(lambda name: None)}),
            jinja2.DictLoader({"page.html": ""}),
        ]
    )
    lines = explained(app, caplog, "page.html")
    assert lines[1:] == [
        "  1. application 'shop', ChoiceLoader (PrefixLoader (mail: FunctionLoader), DictLoader)",
        "     found: in memory, it has no file",
    ]


def test_missing_template_says_where_it_was_looked_for_in_debug(app: Erlen, tmp_path: Path) -> None:
    folders(app, tmp_path)
    with app.app_context(), pytest.raises(jinja2.TemplateNotFound) as caught:
        render_template("absent.html")
    assert caught.value.name == "absent.html"
    assert str(caught.value) == (
        "There is no template 'absent.html'. Looked for in "
        f"application 'shop': FileSystemLoader ({tmp_path / 'templates'}); "
        f"blueprint 'one' (shop): FileSystemLoader ({tmp_path / 'one'}); "
        f"blueprint 'two' (shop): FileSystemLoader ({tmp_path / 'two'})"
    )


def test_missing_template_outside_debug_names_no_folder(app: Erlen) -> None:
    app.debug = False
    with app.app_context(), pytest.raises(jinja2.TemplateNotFound) as caught:
        render_template("absent.html")
    assert str(caught.value) == "absent.html"


def test_missing_template_of_an_application_without_folder(tmp_path: Path) -> None:
    app = Erlen("shop", template_folder=None, root_path=str(tmp_path), instance_path=str(tmp_path))
    app.debug = True
    with app.app_context(), pytest.raises(jinja2.TemplateNotFound) as caught:
        render_template("absent.html")
    assert str(caught.value) == (
        "There is no template 'absent.html': neither the application 'shop' nor a blueprint of it has a template "
        f"folder. The application's is made of 'template_folder' and {str(tmp_path)!r}."
    )


async def awaits_json() -> t.Any:
    return await request.json()


async def awaits_get_json() -> t.Any:
    return await request.get_json()


async def awaits_form() -> t.Any:
    return await request.form()  # type: ignore[operator]


def calls_json() -> t.Any:
    return request.json()


def calls_args() -> t.Any:
    return request.args("number")  # type: ignore[operator]


def calls_headers() -> t.Any:
    return request.headers("Accept")  # type: ignore[operator]


async def awaits_something_else() -> t.Any:
    numbers: t.Any = {}
    return await numbers


async def calls_something_else() -> t.Any:
    numbers: t.Any = {}
    return numbers()


def calls_what_the_body_names() -> t.Any:
    handlers: t.Any = {"number": None}
    return handlers[next(iter(request.form), "number")](request.get_data())


@pytest.mark.parametrize(
    "view", [awaits_json, awaits_get_json, awaits_form, calls_json, calls_args, calls_headers]
)
def test_body_that_is_awaited_as_in_other_frameworks(app: Erlen, client: ErlenClient, view: t.Any) -> None:
    app.debug = False
    app.add_url_rule("/", methods=["POST"], view_func=view)
    with pytest.raises(TypeError) as caught:
        client.post("/", json={"number": 7})
    (note,) = caught.value.__notes__
    assert note.startswith(
        "The body of a request is there before its view begins, so nothing of 'request' is awaited"
    )
    assert "write request.get_json(), request.form, request.files" in note
    assert note.endswith("request.args['name'] or request.headers['name'].")


@pytest.mark.parametrize("view", [awaits_something_else, calls_something_else, calls_what_the_body_names])
def test_other_values_that_are_awaited_are_not_explained(
    app: Erlen, client: ErlenClient, view: t.Any
) -> None:
    app.add_url_rule("/", view_func=view)
    with pytest.raises(TypeError) as caught:
        client.get("/")
    assert not hasattr(caught.value, "__notes__")
