"""URLs that are built without Werkzeug's adapter are those that it builds."""

from __future__ import annotations

import typing as t
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.routing import BaseConverter, BuildError, Map, MapAdapter, Rule, ValidationError

from erlen import Blueprint, Erlen, url_for
from erlen.ctx import AppContext, RequestContext, context_var
from erlen.routing import Builders


class EvenConverter(BaseConverter):
    def to_url(self, value: t.Any) -> str:
        if int(value) % 2:
            raise ValidationError
        return super().to_url(value)


CONVERTERS = {"even": EvenConverter}

segments = st.sampled_from(
    "a ü%2F|x b& <v> <int:v> <int(fixed_digits=3):v> <int(signed=True):v> <float:v> <any(a,b):v> <uuid:v> <path:v> "
    "<even:v> <v>-<int:w> <v>.html".split()
)


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    parts: list[str] = draw(st.lists(segments, max_size=3))
    numbered = [
        part.replace("v>", f"v{number}>").replace("w>", f"w{number}>") for number, part in enumerate(parts)
    ]
    websocket: bool = draw(st.sampled_from([False] * 9 + [True]))
    return Rule(
        f"/{'/'.join(numbered)}{draw(st.sampled_from(['', '/' if parts else '']))}",
        endpoint=draw(st.sampled_from(["one", "one", "two", "blue.two"])),
        methods=None if websocket else draw(st.sampled_from([None, ["GET"], ["POST"], ["GET", "POST"]])),
        defaults=draw(st.sampled_from([None, None, None, {"v0": 1}, {"extra": "ü"}])),
        subdomain=draw(st.sampled_from([None] * 8 + ["api", "<who>"])),
        build_only=draw(st.sampled_from([False, False, True])),
        alias=draw(st.sampled_from([False, False, True])),
        websocket=websocket,
    )


texts = st.one_of(
    st.sampled_from(["", "a", "b", "x y", "//evil", "a/../b", "ü&=?#+%", "\n", "12", "a_b.c~d-e"]),
    st.text(max_size=4),
)
simple: st.SearchStrategy[t.Any] = st.one_of(
    texts,
    st.integers(-3, 10**6),
    st.booleans(),
    st.none(),
    st.floats(),
    st.just(UUID(int=7)),
    st.just(b"b y"),
)
given_values: st.SearchStrategy[t.Any] = st.one_of(
    simple,
    st.lists(simple, max_size=3),
    st.lists(simple, max_size=3).map(tuple),
    st.just([]),
    st.just({"k": 1}),
)
fitting: st.SearchStrategy[t.Any] = st.one_of(
    st.sampled_from([1, 2, 7]), st.sampled_from([1, 2, 7]), given_values
)


@st.composite
def asked_values(draw: st.DrawFn) -> dict[str, t.Any]:
    """Return values that rules often have variables for, and some that they have not."""
    values = {name: draw(fitting) for name in ("v0", "v1", "v2", "w0") if draw(st.integers(0, 5))}
    more = st.dictionaries(st.sampled_from(["extra", "who", "q", "a b", "ü"]), given_values, max_size=2)
    return values | draw(more)


def built(adapter: MapAdapter, asked: tuple[t.Any, ...]) -> t.Any:
    """Return what Werkzeug builds, or the kind of error it raises."""
    endpoint, values, method, external, scheme = asked
    try:
        return adapter.build(endpoint, values, method, force_external=external, url_scheme=scheme)
    except Exception as error:
        return type(error)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(rules(), min_size=1, max_size=6),
    st.sampled_from([{}, {}, {}, {}, {"default_subdomain": "api"}, {"sort_parameters": True}]),
    st.lists(
        st.tuples(
            st.sampled_from(["one", "one", "one", "two", "blue.two", "three"]),
            asked_values(),
            st.sampled_from([None, None, None, None, None, "GET", "POST", "PUT", ""]),
            st.booleans(),
            st.sampled_from([None, None, "https", "http", "", "ftp", "wss"]),
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(["", "/", "/app", "/ü/app/", "//"]),
    st.sampled_from([None, None, None, "api", "other"]),
    st.sampled_from(["http", "https", "ws"]),
    st.sampled_from(["GET", "POST"]),
)
def test_built_urls_agree_with_werkzeug(
    made: list[Rule],
    options: dict[str, t.Any],
    asked: list[tuple[t.Any, ...]],
    script_name: str,
    subdomain: str | None,
    scheme: str,
    method: str,
) -> None:
    """What is built is what Werkzeug builds; where it raises an error, nothing is."""
    try:
        url_map = Map(made, converters=CONVERTERS, **options)
        url_map.update()
    except (ValueError, LookupError, TypeError):
        return  # such a rule cannot be registered
    adapter = url_map.bind("localhost:8000", script_name, subdomain, scheme, method)
    builders = Builders(url_map)
    assert builders.knows(adapter)
    mount = (f"{adapter.script_name.rstrip('/')}/", t.cast(str, adapter.subdomain), method)
    for one in asked:
        endpoint, values, wanted, external, given_scheme = one
        if external:
            url = builders.absolute(endpoint, values, adapter, wanted, given_scheme)
            expected = built(adapter, one)
        else:
            url = builders.relative(endpoint, values, mount, wanted)
            expected = built(adapter, (endpoint, values, wanted, False, None))
        if url is not None:
            assert url == expected


@pytest.mark.parametrize(
    ("rule", "values", "url"),
    [
        ("/", {}, "/"),
        ("/a/b/", {"q": "a b", "page": 2}, "/a/b/?q=a+b&page=2"),
        ("/u/<name>", {"name": "a/ü"}, "/u/a/%C3%BC"),
        ("/u/<int:id>/edit", {"id": 42, "sort": ["up", None, 1]}, "/u/42/edit?sort=up&sort=1"),
        ("/f/<path:p>", {"p": "//a/b"}, "/f///a/b"),
        ("/<path:p>", {"p": "//a/b"}, "/a/b"),
        ("/x-<int:a>.<ext>", {"a": 1, "ext": "txt", "left": None}, "/x-1.txt"),
        ("/q", {"empty": [], "none": [None]}, "/q"),
    ],
)
def test_common_urls_are_built_without_werkzeug(rule: str, values: dict[str, t.Any], url: str) -> None:
    """The short way is taken at all: without this, the comparison above could pass on nothing."""
    url_map = Map([Rule(rule, endpoint="e", methods=["GET"])])
    adapter = url_map.bind("localhost")
    assert Builders(url_map).relative("e", values, ("/", "", "GET"), None) == url
    assert Builders(url_map).absolute("e", values, adapter, None, None) == f"http://localhost{url}"
    assert adapter.build("e", values) == url


def test_unknown_endpoints_are_not_kept() -> None:
    builders = Builders(Map([Rule("/", endpoint="e")]))
    assert builders.relative("unknown", {}, ("/", "", "GET"), None) is None
    assert builders.relative("e", {}, ("/", "", "GET"), None) == "/"
    assert list(builders) == ["e"]


def test_rules_that_build_in_their_own_way_are_left_to_werkzeug() -> None:
    class Shouting(Rule):
        def build(self, *args: t.Any, **kwargs: t.Any) -> tuple[str, str] | None:
            made = super().build(*args, **kwargs)
            return made and (made[0], made[1].upper())

    assert Builders(Map([Shouting("/a", endpoint="e")])).relative("e", {}, ("/", "", "GET"), None) is None


# The way there: what an application decides before.


def _nothing(**values: t.Any) -> str:
    return ""


def _app(cls: type[Erlen] = Erlen) -> Erlen:
    app = cls("shop", static_folder=None)
    app.add_url_rule("/", "index", _nothing)
    app.add_url_rule("/item/<name>", "item", _nothing)
    blueprint = Blueprint("blue", __name__, url_prefix="/blue")
    blueprint.add_url_rule("/<int:number>", "number", _nothing)
    app.register_blueprint(blueprint)
    return app


def _urls() -> list[str]:
    return [
        url_for("index"),
        url_for("item", name="ü /", q="a b", _anchor="x y"),
        url_for("blue.number", number=1),
        url_for("index", _external=True),
        url_for("index", _scheme="https"),
        url_for("index", _method="GET", _external=False),
    ]


@pytest.mark.parametrize(
    "base_url", ["http://localhost/", "https://example.com:8443/ü/app/", "http://EX.com:80"]
)
def test_the_adapter_changes_nothing(base_url: str) -> None:
    """Relative URLs are built before there is an adapter, with one, and with one that Werkzeug is left alone with."""
    app = _app()
    with app.test_request_context("/", base_url=base_url):
        before = _urls()
    with app.test_request_context("/", base_url=base_url) as context:
        assert context.url_adapter is not None
        assert _urls() == before
    with app.test_request_context("/", base_url=base_url) as context:
        adapter = context.url_adapter
        adapter.build = lambda *args, **kwargs: MapAdapter.build(adapter, *args, **kwargs)
        assert _urls() == before


def test_relative_urls_take_no_adapter() -> None:
    app = _app()
    with app.test_request_context("/", base_url="http://localhost/mounted") as context:
        assert [url_for("index"), url_for("item", name="a")] == ["/mounted/", "/mounted/item/a"]
        assert context._url_adapter is None


def test_an_adapter_that_is_assigned_is_the_one_that_counts() -> None:
    app = _app()
    with app.test_request_context("/") as context:
        assert url_for("index") == "/"
        context.url_adapter = app.url_map.bind("example.com", "/elsewhere")
        assert url_for("index") == "/elsewhere/"
        assert url_for("index", _external=True) == "http://example.com/elsewhere/"
        context.url_adapter = None
        assert url_for("index") == "/"


def test_what_is_overridden_is_asked() -> None:
    class Context(RequestContext):
        @property
        def url_adapter(self) -> t.Any:
            return self.app.url_map.bind("example.com", "/context")

        @url_adapter.setter
        def url_adapter(self, value: t.Any) -> None:
            raise AttributeError

    class App(Erlen):
        def create_url_adapter(self, request: t.Any) -> MapAdapter:
            return self.url_map.bind("example.com", "/created")

    class Defaults(Erlen):
        def inject_url_defaults(self, endpoint: str, values: dict[str, t.Any]) -> None:
            values["more"] = 1

    class Own(Erlen):
        def url_for(self, /, endpoint: str, **values: t.Any) -> str:
            return f"own {endpoint} {values}"

    app = _app()
    app.request_context_class = Context
    for one, url in [(app, "/context/"), (_app(App), "/created/"), (_app(Defaults), "/?more=1")]:
        with one.test_request_context("/"):
            assert url_for("index") == url
    with _app(Own).test_request_context("/"):
        assert url_for("index").startswith("own index {")
    app = _app()
    with app.test_request_context("/"):
        assert url_for("index") == "/"
        vars(app)["url_for"] = None
        app.url_for = lambda endpoint, **values: "assigned"  # type: ignore[method-assign]
        assert url_for("index") == "assigned"


def test_rules_and_defaults_that_come_later_count() -> None:
    app = _app()
    with app.test_request_context("/"):
        assert url_for("index") == "/"
        app.url_map.add(Rule("/first/<x>", endpoint="index"))
        assert url_for("index", x=1) == "/first/1"
        app.url_default_functions[None].append(lambda endpoint, values: values.setdefault("y", 2))
        assert url_for("index", x=1) == "/first/1?y=2"
    with app.test_request_context("/"):
        assert url_for("index", x=1) == "/first/1?y=2"
        app.url_default_functions = t.cast(t.Any, {})
        assert url_for("index", x=1) == "/first/1"


def test_defaults_are_injected_once_where_werkzeug_builds_after_all() -> None:
    app = _app()
    calls: list[str] = []
    app.url_defaults(lambda endpoint, values: calls.append(endpoint))
    with app.test_request_context("/"), pytest.raises(BuildError):
        url_for("item")
    assert calls == ["item"]


def test_a_relative_url_outside_a_request() -> None:
    app = _app()
    app.config["SERVER_NAME"] = "example.com"
    app.config["APPLICATION_ROOT"] = "/mounted"
    with app.test_request_context("/"):
        assert url_for("index") == "/mounted/"
    with app.app_context():
        assert [url_for("index", _external=False), url_for("index")] == [
            "/mounted/",
            "http://example.com/mounted/",
        ]


hosts = st.one_of(
    st.none(),
    st.sampled_from(
        [
            "localhost",
            "EXAMPLE.com:80",
            "example.com:443",
            "[::1]:5000",
            "a..b",
            ".a",
            "a.",
            "",
            "xn--bcher-kva.de",
        ]
    ),
    st.integers(62, 65).map(lambda length: f"{'a' * length}.example"),
    st.text(alphabet="ab.:-_1[]ü", max_size=8),
)


@settings(max_examples=300, deadline=None)
@given(
    hosts,
    st.sampled_from(["http", "https"]),
    st.fixed_dictionaries(
        {},
        optional={
            "SCRIPT_NAME": st.sampled_from(["", "/app", "/\xc3\xbc/"]),
            "PATH_INFO": st.sampled_from(["", "/", "/\xc3\xbc", "/\xff"]),
            "QUERY_STRING": st.sampled_from(["", "a=1", "\xc3\xbc"]),
            "HTTP_CONNECTION": st.just("upgrade"),
            "HTTP_UPGRADE": st.just("websocket"),
        },
    ),
)
def test_adapters_are_those_that_werkzeug_binds(host: str | None, scheme: str, more: dict[str, str]) -> None:
    app = _app()
    environ: dict[str, t.Any] = {
        "REQUEST_METHOD": "POST",
        "SERVER_NAME": "server",
        "SERVER_PORT": "8000",
        "wsgi.url_scheme": scheme,
        **more,
    }
    if host is not None:
        environ["HTTP_HOST"] = host
    answers: list[t.Any] = []
    ways: list[t.Callable[[], t.Any]] = [
        lambda: app.create_url_adapter(app.request_class(environ.copy())),
        lambda: app.url_map.bind_to_environ(environ.copy(), subdomain=""),
    ]
    for bind in ways:
        try:
            answers.append(vars(bind()))
        except Exception as error:
            answers.append(type(error))
    assert answers[0] == answers[1]


def test_a_copied_context_builds_as_the_original() -> None:
    app = _app()
    with app.test_request_context("/", base_url="http://localhost/mounted") as context:
        assert url_for("index") == "/mounted/"
        with context.copy():
            assert url_for("index") == "/mounted/"
    assert context_var.get(None) is None
    assert AppContext.binds_plainly
