"""What applications and blueprints share: registering, and the files they know."""

from __future__ import annotations

import functools
import gc
import typing as t
import weakref
from datetime import timedelta
from pathlib import Path

import pytest
from werkzeug.exceptions import Forbidden, HTTPException, NotFound

from erlen import Blueprint, Erlen
from erlen.scaffold import Scaffold, SetupError, source_line
from erlen.testing import ErlenClient


def view(*arguments: object) -> str:
    return "answer"


@pytest.fixture
def site(tmp_path: Path) -> Erlen:
    """An application whose root path is a temporary folder with a static file."""
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "größe.txt").write_text("12 m", "utf-8")
    (tmp_path / "secret.txt").write_text("é", "utf-8")
    return Erlen("site", root_path=str(tmp_path))


@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "patch"])
def test_method_decorator_answers_its_method_alone(app: Erlen, client: ErlenClient, method: str) -> None:
    decorated = getattr(app, method)("/")(view)
    assert decorated is view
    others = {"get", "post", "put", "delete", "patch"} - {method}
    assert client.open("/", method=method.upper()).text == "answer"
    assert {client.open("/", method=other.upper()).status_code for other in others} == {405}


def test_method_decorator_passes_options_on(app: Erlen) -> None:
    app.get("/<int:page>", endpoint="pages", defaults={"page": 1})(view)
    (rule,) = (rule for rule in app.url_map.iter_rules() if rule.endpoint == "pages")
    assert rule.defaults == {"page": 1}


def test_methods_given_to_a_method_decorator_show_the_right_call(app: Erlen) -> None:
    with pytest.raises(TypeError) as caught:
        app.get("/form", methods=["POST"])
    assert str(caught.value) == (
        "'get' got methods=['POST'], but it is for GET alone. Use 'route' for several methods: "
        "@app.route('/form', methods=['GET', 'POST'])."
    )


def test_methods_given_as_a_string_to_a_method_decorator_show_the_right_call(app: Erlen) -> None:
    with pytest.raises(TypeError, match=r"methods=\['POST', 'PUT'\]\)"):
        app.post("/form", methods="PUT")


def test_route_without_parentheses_names_the_view(app: Erlen) -> None:
    with pytest.raises(TypeError) as caught:
        app.route(t.cast("str", view))
    assert str(caught.value).startswith(f"'@route' was put on view ({__file__}:")
    assert str(caught.value).endswith("without a rule. Write '@app.route(\"/path\")'.")


def test_route_can_decorate_several_views(app: Erlen, client: ErlenClient) -> None:
    decorate = app.route("/", methods=["GET"], endpoint="one")
    decorate(view)
    decorate(view)
    assert client.get("/").text == "answer"


def test_endpoint_gives_a_rule_its_view(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", endpoint="late")
    assert app.endpoint("late")(view) is view
    assert client.get("/").text == "answer"


def test_rule_without_endpoint_and_view_is_refused(app: Erlen) -> None:
    with pytest.raises(AssertionError, match="add_url_rule\\('/path', endpoint='name'\\)"):
        app.add_url_rule("/")


def test_view_without_a_name_is_refused(app: Erlen) -> None:
    with pytest.raises(TypeError, match="has no '__name__' to be used as endpoint"):
        app.add_url_rule("/", view_func=functools.partial(view))


def test_view_without_a_name_is_accepted_with_an_endpoint(app: Erlen, client: ErlenClient) -> None:
    app.add_url_rule("/", endpoint="partial", view_func=functools.partial(view))
    assert client.get("/").text == "answer"


@pytest.mark.parametrize(
    ("method", "registry"),
    [
        ("before_request", "before_request_funcs"),
        ("after_request", "after_request_funcs"),
        ("teardown_request", "teardown_request_funcs"),
        ("context_processor", "template_context_processors"),
        ("url_value_preprocessor", "url_value_preprocessors"),
        ("url_defaults", "url_default_functions"),
    ],
)
def test_hook_is_stored_under_none_and_handed_back(app: Erlen, method: str, registry: str) -> None:
    blueprint = Blueprint("part", __name__)
    for owner in (app, blueprint):
        assert getattr(owner, method)(view) is view
        assert getattr(owner, registry)[None][-1] is view


def test_error_handler_is_stored_by_code_and_class(app: Erlen) -> None:
    class Own(HTTPException):
        code = 418

    assert app.errorhandler(404)(view) is view
    app.register_error_handler(Forbidden, view)
    app.register_error_handler(Own, view)
    app.register_error_handler(ValueError, view)
    app.register_error_handler(HTTPException, view)
    assert app.error_handler_spec[None] == {
        404: {NotFound: view},
        403: {Forbidden: view},
        418: {Own: view},
        None: {ValueError: view, HTTPException: view},
    }


def test_error_handler_for_an_unknown_code_is_refused(app: Erlen) -> None:
    with pytest.raises(ValueError) as caught:
        app.errorhandler(999)
    assert str(caught.value) == (
        "No exception belongs to the status code 999, so no handler for it would ever run. Register an exception "
        "class of your own: class MyError(HTTPException): code = 999."
    )


def test_error_handler_for_an_instance_is_refused(app: Erlen) -> None:
    with pytest.raises(TypeError, match=r"the instance KeyError\('a'\).*@app.errorhandler\(KeyError\)"):
        app.register_error_handler(t.cast("type[Exception]", KeyError("a")), view)


@pytest.mark.parametrize("given", [int, KeyboardInterrupt])
def test_error_handler_for_a_class_that_is_no_exception_is_refused(app: Erlen, given: t.Any) -> None:
    with pytest.raises(ValueError, match=f"'{given.__name__}' does not derive from Exception"):
        app.errorhandler(given)


def test_error_handler_for_a_string_is_refused(app: Erlen) -> None:
    with pytest.raises(
        TypeError, match="'404', which is neither an exception class nor a status code as an int"
    ):
        app.errorhandler(t.cast("int", "404"))


def test_errorhandler_without_parentheses_names_the_function(app: Erlen) -> None:
    with pytest.raises(
        TypeError, match=r"'@errorhandler' was put on view \(.*without saying for which error"
    ):
        app.errorhandler(t.cast("int", view))


def test_registries_tell_their_owner_when_they_change() -> None:
    class Counting(Scaffold):
        count = 0
        name = "counting"

        def _thaw(self) -> None:
            self.count += 1

        def _check_setup_finished(self, f_name: str) -> None:
            pass

    owner = Counting("counting", root_path="/srv")
    for change in (
        lambda: owner.before_request(view),
        lambda: owner.endpoint("e")(view),
        lambda: owner.register_error_handler(404, view),
        lambda: owner.before_request_funcs[None].clear(),
    ):
        before = owner.count
        change()
        assert owner.count > before


def test_registries_do_not_keep_their_owner_alive() -> None:
    blueprint = Blueprint("part", __name__)
    reference = weakref.ref(blueprint)
    gc.disable()
    try:
        del blueprint
        assert reference() is None
    finally:
        gc.enable()


def test_source_line_of_classes_and_wrapped_functions() -> None:
    @functools.wraps(view)
    def wrapper() -> str:
        return view()

    line = view.__code__.co_firstlineno
    assert source_line(wrapper) == source_line(functools.partial(view)) == f"view ({__file__}:{line})"
    assert source_line(len) == "len"
    assert source_line(3) == "3"
    assert source_line(SetupError).startswith("SetupError (")


@pytest.mark.parametrize(
    ("folder", "url_path", "absolute", "expected"),
    [
        (None, None, None, None),
        (None, "/s/", None, "/s"),
        ("static", None, "/srv/static", "/static"),
        ("a/b/", None, "/srv/a/b", "/b"),
        ("/other/b", None, "/other/b", "/b"),
        ("static", "/s/", "/srv/static", "/s"),
        ("static", "", "/srv/static", ""),
        (Path("a", "b"), None, "/srv/a/b", "/b"),
    ],
)
def test_static_folder_and_path(folder: t.Any, url_path: t.Any, absolute: t.Any, expected: t.Any) -> None:
    blueprint = Blueprint("part", __name__, folder, url_path, root_path="/srv")
    assert blueprint.static_folder == absolute
    assert blueprint.static_url_path == expected
    assert blueprint.has_static_folder is (folder is not None)


def test_static_settings_can_be_assigned_later() -> None:
    blueprint = Blueprint("part", __name__, root_path="/srv")
    blueprint.static_folder = "assets"
    assert blueprint.static_url_path == "/assets"
    blueprint.static_url_path = "/files/"
    assert (blueprint.static_folder, blueprint.static_url_path) == ("/srv/assets", "/files")
    blueprint.static_folder = None
    assert not blueprint.has_static_folder


def test_static_file_is_served_with_an_etag(site: Erlen) -> None:
    client = site.test_client()
    response = client.get("/static/größe.txt")
    assert (response.text, response.headers["Cache-Control"]) == ("12 m", "no-cache")
    etag = response.headers["ETag"]
    response.close()
    with client.get("/static/größe.txt", headers={"If-None-Match": etag}) as unchanged:
        assert unchanged.status_code == 304
    with client.get("/static/größe.txt", headers={"Range": "bytes=3-"}) as part:
        assert (part.status_code, part.get_data()) == (206, b"m")


@pytest.mark.parametrize("age", [60, timedelta(minutes=1)])
def test_static_file_max_age_from_the_configuration(site: Erlen, age: t.Any) -> None:
    site.config["SEND_FILE_MAX_AGE_DEFAULT"] = age
    with site.test_client().get("/static/größe.txt") as response:
        assert response.cache_control.max_age == 60


def test_static_file_max_age_by_a_subclass(tmp_path: Path) -> None:
    class Site(Erlen):
        def get_send_file_max_age(self, filename: str | None) -> int | None:
            return 9 if filename == "a.css" else None

    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "a.css").touch()
    with Site("site", root_path=str(tmp_path)).test_client().get("/static/a.css") as response:
        assert response.cache_control.max_age == 9


@pytest.mark.parametrize(
    "path",
    [
        "../secret.txt",
        "%2e%2e/secret.txt",
        "..%5csecret.txt",
        "//srv/share",
        "NUL",
        "CON.txt",
        "no.txt",
        "a/NUL",
    ],
)
def test_static_file_outside_the_folder_or_missing(site: Erlen, path: str) -> None:
    """Werkzeug's CVE-2024-49766, CVE-2025-66221, CVE-2026-21860, CVE-2026-27199: UNC paths and device names."""
    assert site.test_client().get(f"/static/{path}", follow_redirects=True).status_code == 404


def test_static_file_whose_name_has_a_nul(site: Erlen) -> None:
    assert 400 <= site.test_client().get("/static/%00").status_code < 500


def test_static_file_without_a_folder(app: Erlen) -> None:
    with app.test_request_context(), pytest.raises(RuntimeError) as caught:
        Blueprint("part", __name__).send_static_file("a.css")
    assert str(caught.value) == (
        "<Blueprint 'part'> has no static folder, so it cannot serve 'a.css'. Name one when you create it: "
        "Blueprint(..., static_folder='static')."
    )


def test_open_resource_reads_bytes_and_text(site: Erlen) -> None:
    with site.open_resource("secret.txt") as file:
        assert file.read() == "é".encode()
    for mode in ("r", "rt"):
        with site.open_resource("secret.txt", mode) as file:
            assert file.read() == "é"
    with site.open_resource("secret.txt", "r", encoding="latin-1") as file:
        assert file.read() == "Ã©"


def test_open_resource_does_not_write(site: Erlen) -> None:
    with pytest.raises(ValueError, match=r"mode 'w', but resources are read-only.*open_instance_resource"):
        site.open_resource("secret.txt", "w")


def test_template_folder_makes_a_loader(tmp_path: Path) -> None:
    assert Blueprint("part", __name__).jinja_loader is None
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "a.html").write_text("A", "utf-8")
    blueprint = Blueprint("part", __name__, template_folder=Path("pages"), root_path=str(tmp_path))
    assert blueprint.jinja_loader is not None
    assert blueprint.jinja_loader.list_templates() == ["a.html"]


def test_root_path_is_where_the_module_lives() -> None:
    import erlen

    assert Blueprint("part", "erlen").root_path == str(Path(erlen.__file__).parent)


def test_representation() -> None:
    assert repr(Blueprint("part", __name__)) == "<Blueprint 'part'>"
