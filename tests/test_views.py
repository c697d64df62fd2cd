"""Views as classes."""

from __future__ import annotations

import typing as t

import flask.views
import pytest

from erlen import Erlen
from erlen.ctx import current_request_context
from erlen.views import MethodView, View, http_method_funcs


class Greeting(View):
    """Greet somebody."""

    def __init__(self, greeting: str = "Hello", *, end: str = "!") -> None:
        self.greeting = greeting
        self.end = end

    def dispatch_request(self, name: str) -> str:
        return f"{self.greeting}, {name}{self.end}"


class Book(MethodView):
    def get(self, book: int = 0) -> str:
        return f"get {book}"

    def post(self, book: int = 0) -> str:
        return f"post {book}"


def test_the_class_is_made_with_the_arguments_of_as_view(app: Erlen) -> None:
    app.add_url_rule("/<name>", view_func=Greeting.as_view("greet", "Servus", end="?"))
    assert app.test_client().get("/Ada").text == "Servus, Ada?"


def test_the_view_function_has_the_attributes_flask_gives_it() -> None:
    view: t.Any = Greeting.as_view("greet")
    assert view.__name__ == "greet"
    assert view.__doc__ == "Greet somebody."
    assert view.__module__ == Greeting.__module__
    assert view.view_class is Greeting
    assert view.methods is None
    assert view.provide_automatic_options is None


def test_a_view_that_does_not_dispatch_says_so(app: Erlen) -> None:
    class Empty(View):
        pass

    app.add_url_rule("/", view_func=Empty.as_view("empty"))
    with pytest.raises(
        NotImplementedError, match=r"Empty does not say how it answers a request\. Define 'def dispatch"
    ):
        app.test_client().get("/")


def test_each_request_gets_its_own_instance(app: Erlen) -> None:
    class Counted(View):
        made: t.ClassVar[list[int]] = []

        def __init__(self) -> None:
            self.made.append(1)

        def dispatch_request(self) -> str:
            return str(len(self.made))

    app.add_url_rule("/", view_func=Counted.as_view("counted"))
    client = app.test_client()
    assert [client.get("/").text for _ in range(3)] == ["1", "2", "3"]


def test_init_every_request_off_makes_one_instance_when_the_view_is_made(app: Erlen) -> None:
    class Shared(View):
        init_every_request = False
        made: t.ClassVar[list[int]] = []

        def __init__(self) -> None:
            self.made.append(1)

        def dispatch_request(self) -> str:
            return str(len(self.made))

    view = Shared.as_view("shared")
    assert Shared.made == [1]
    app.add_url_rule("/", view_func=view)
    client = app.test_client()
    assert [client.get("/").text for _ in range(3)] == ["1", "1", "1"]


def test_the_view_class_can_be_replaced(app: Erlen) -> None:
    class Polite(Greeting):
        def dispatch_request(self, name: str) -> str:
            return f"Good day, {name}."

    view: t.Any = Greeting.as_view("greet")
    view.view_class = Polite
    app.add_url_rule("/<name>", view_func=view)
    assert app.test_client().get("/Ada").text == "Good day, Ada."


def test_decorators_are_applied_innermost_first(app: Erlen) -> None:
    seen: list[tuple[str, str]] = []

    def wrap(text: str) -> t.Callable[..., t.Any]:
        def decorate(view: t.Any) -> t.Any:
            seen.append((view.__name__, view.__module__))

            def wrapper(**values: t.Any) -> str:
                return f"{text}({view(**values)})"

            wrapper.__name__ = view.__name__
            wrapper.__module__ = view.__module__
            return wrapper

        return decorate

    class Decorated(Greeting):
        decorators: t.ClassVar[list[t.Callable[..., t.Any]]] = [wrap("inner"), wrap("outer")]

    view: t.Any = Decorated.as_view("decorated")
    app.add_url_rule("/<name>", view_func=view)
    assert app.test_client().get("/Ada").text == "outer(inner(Hello, Ada!))"
    assert seen == [("decorated", __name__), ("decorated", __name__)]
    assert view.view_class is Decorated


def test_methods_and_automatic_options_of_the_class_reach_the_rule(app: Erlen) -> None:
    class Only(View):
        methods: t.ClassVar[t.Collection[str] | None] = ["PUT"]
        provide_automatic_options: t.ClassVar[bool | None] = False

        def dispatch_request(self) -> str:
            return "put"

    app.add_url_rule("/", view_func=Only.as_view("only"))
    client = app.test_client()
    assert client.put("/").text == "put"
    response = client.options("/")
    assert response.status_code == 405
    assert response.headers["Allow"] == "PUT"


def test_method_view_calls_the_method_of_the_request(app: Erlen) -> None:
    app.add_url_rule("/<int:book>", view_func=Book.as_view("book"))
    client = app.test_client()
    assert client.get("/3").text == "get 3"
    assert client.post("/3").text == "post 3"


def test_method_view_answers_405_for_a_method_it_lacks(app: Erlen) -> None:
    app.add_url_rule("/<int:book>", view_func=Book.as_view("book"))
    response = app.test_client().put("/3")
    assert response.status_code == 405
    assert {method.strip() for method in response.headers["Allow"].split(",")} == {
        "GET",
        "HEAD",
        "OPTIONS",
        "POST",
    }


def test_head_is_answered_by_get_unless_there_is_a_head(app: Erlen) -> None:
    class WithHead(Book):
        def head(self) -> tuple[str, dict[str, str]]:
            return "", {"X-Answered-By": "head"}

    app.add_url_rule("/a", view_func=Book.as_view("a"))
    app.add_url_rule("/b", view_func=WithHead.as_view("b"))
    client = app.test_client()
    response = client.head("/a")
    assert (response.status_code, response.text, response.headers["Content-Length"]) == (200, "", "5")
    assert client.head("/b").headers["X-Answered-By"] == "head"


def test_options_of_the_class_answers_options(app: Erlen) -> None:
    class WithOptions(MethodView):
        def options(self) -> str:
            return "own"

    app.add_url_rule("/", view_func=WithOptions.as_view("own"))
    assert app.test_client().options("/").text == "own"


def test_a_rule_that_accepts_more_than_the_class_has_is_explained(app: Erlen) -> None:
    app.add_url_rule("/", view_func=Book.as_view("book"), methods=["GET", "PUT"])
    with pytest.raises(AssertionError) as caught:
        app.test_client().put("/")
    assert str(caught.value) == (
        "Book has no method 'put', but its URL accepts PUT. Define 'def put(self, ...)', or leave 'PUT' out of "
        "'methods', on the class or in add_url_rule(). The class has: get, post."
    )


def test_other_http_methods_can_be_named(app: Erlen) -> None:
    class Dav(MethodView):
        methods: t.ClassVar[t.Collection[str] | None] = ["PROPFIND"]

        async def propfind(self) -> str:
            return "found"

    app.add_url_rule("/", view_func=Dav.as_view("dav"))
    assert app.test_client().open("/", method="PROPFIND").text == "found"


def _classes(method_view: t.Any) -> list[type[t.Any]]:
    """Return the same classes made with one of the two frameworks."""

    class Base(method_view):  # type: ignore[misc]
        def get(self) -> None: ...

    class Other(method_view):  # type: ignore[misc]
        def post(self) -> None: ...
        async def trace(self) -> None: ...

    class Both(Base, Other):
        def delete(self) -> None: ...

    class Same(Base):
        pass

    class Named(Base):
        methods = ["GET", "PUT"]

    class BelowNamed(Named):
        def patch(self) -> None: ...

    class Mixin:
        def put(self) -> None: ...

    class Mixed(Mixin, method_view):  # type: ignore[misc]
        pass

    class Nothing(method_view):  # type: ignore[misc]
        pass

    return [Base, Other, Both, Same, Named, BelowNamed, Mixed, Nothing]


def test_methods_are_collected_as_in_flask() -> None:
    ours = [set(cls.methods) if cls.methods is not None else None for cls in _classes(MethodView)]
    flasks = [
        set(cls.methods) if cls.methods is not None else None for cls in _classes(flask.views.MethodView)
    ]
    assert ours == flasks
    assert http_method_funcs == flask.views.http_method_funcs


def test_async_dispatch_request_and_async_methods_are_run(app: Erlen) -> None:
    class Waiting(View):
        async def dispatch_request(self) -> str:
            return f"waited for {current_request_context().request.path}"

    class Mixed(MethodView):
        async def get(self) -> str:
            return "async get"

        def post(self) -> str:
            return "plain post"

    app.add_url_rule("/waiting", view_func=Waiting.as_view("waiting"))
    app.add_url_rule("/mixed", view_func=Mixed.as_view("mixed"))
    client = app.test_client()
    assert client.get("/waiting").text == "waited for /waiting"
    assert client.get("/mixed").text == "async get"
    assert client.head("/mixed").headers["Content-Length"] == "9"
    assert client.post("/mixed").text == "plain post"


def test_a_method_set_on_the_class_before_as_view_may_be_async(app: Erlen) -> None:
    class Late(MethodView):
        def get(self) -> str:
            return "plain"

    async def get(self: Late) -> str:
        return "async"

    setattr(Late, "get", get)
    app.add_url_rule("/", view_func=Late.as_view("late"))
    assert app.test_client().get("/").text == "async"


def test_ensure_sync_is_asked_for_async_methods_alone() -> None:
    class Asked(Erlen):
        asked: t.ClassVar[list[str]] = []

        def ensure_sync(self, func: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
            self.asked.append(getattr(func, "__name__", ""))
            return super().ensure_sync(func)

    class Mixed(MethodView):
        async def get(self) -> str:
            return "async"

        def post(self) -> str:
            return "plain"

    app = Asked("asked")
    app.add_url_rule("/", view_func=Mixed.as_view("mixed"))
    client = app.test_client()
    client.get("/")
    client.post("/")
    assert "get" in app.asked
    assert "post" not in app.asked
