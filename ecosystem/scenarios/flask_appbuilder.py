"""An address book with the builder's own pages: sign-in, lists, forms, a chart, roles, languages, REST with tokens, its commands."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from click.testing import CliRunner
from flask import Flask, g, redirect
from flask.cli import FlaskGroup
from flask_appbuilder import (
    AppBuilder,
    BaseView,
    Model,
    ModelView,
    SimpleFormView,
    action,
    expose,
    has_access,
)
from flask_appbuilder.api import BaseApi, ModelRestApi, protect
from flask_appbuilder.api import expose as expose_in_api
from flask_appbuilder.charts.views import GroupByChartView
from flask_appbuilder.forms import DynamicForm
from flask_appbuilder.models.group import aggregate_count
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.utils.legacy import get_sqla_class
from sqlalchemy import Column, Date, Engine, ForeignKey, Integer, String, event
from sqlalchemy.orm import relationship
from wtforms import StringField
from wtforms.validators import DataRequired

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-AppBuilder"]
APPLICATION = True

# Tokens of the API, and the times of sign-ins.
VARIES = (
    (r"eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{43}", "<token>"),
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?", "<time>"),
)


@event.listens_for(Engine, "connect")
def do_not_wait_for_the_disk(connection: t.Any, record: t.Any) -> None:
    # Each permission of each view is a transaction of its own.
    connection.execute("pragma synchronous = off")


class Circle(Model):
    __tablename__ = "circle"
    id = Column(Integer, primary_key=True)
    name = Column(String(50), unique=True, nullable=False)

    def __repr__(self) -> str:
        return self.name


class Person(Model):
    __tablename__ = "person"
    id = Column(Integer, primary_key=True)
    name = Column(String(150), unique=True, nullable=False)
    born = Column(Date)
    circle_id = Column(Integer, ForeignKey("circle.id"), nullable=False)
    circle = relationship("Circle")

    def __repr__(self) -> str:
        return self.name


class PersonView(ModelView):
    datamodel = SQLAInterface(Person)
    list_columns: t.ClassVar = ["name", "circle", "born"]

    @action("shout", "Shout", "Really?", "fa-bullhorn")
    def shout(self, people: list[Person]) -> t.Any:
        for person in people:
            person.name = person.name.upper()
            self.datamodel.edit(person)
        return redirect(self.get_redirect())


class CircleView(ModelView):
    datamodel = SQLAInterface(Circle)
    related_views: t.ClassVar = [PersonView]


class PeopleChart(GroupByChartView):
    datamodel = SQLAInterface(Person)
    chart_title = "People in circles"
    definitions: t.ClassVar = [{"group": "circle", "series": [(aggregate_count, "circle")]}]


class Wish(DynamicForm):
    text = StringField("Text", validators=[DataRequired()])


class WishView(SimpleFormView):
    form = Wish
    form_title = "What do you wish for?"

    def form_post(self, form: Wish) -> str:
        return f"{g.user.username} wishes for {form.text.data}"


class Greeting(BaseView):
    route_base = "/greeting"

    @expose("/<name>")
    @has_access
    def greet(self, name: str) -> str:
        return f"Hello {name}, by {g.user.username}"


class CircleApi(ModelRestApi):
    resource_name = "circle"
    datamodel = SQLAInterface(Circle)


class ClockApi(BaseApi):
    resource_name = "clock"

    @expose_in_api("/")
    @protect()
    def tick(self) -> t.Any:
        """Tick.
        ---
        get:
          responses:
            200: {description: tock}
        """
        return self.response(200, message="tock")


def make_app(folder: Path) -> Flask:
    app = Flask(__name__)
    app.config.update(
        SECRET_KEY="only for this scenario, and long enough",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/people.db",
        APP_NAME="Address book",
        LANGUAGES={"en": {"flag": "gb", "name": "English"}, "de": {"flag": "de", "name": "German"}},
        FAB_API_SWAGGER_UI=True,
        FAB_ROLES={"Greeter": [["Greeting", "can_greet"]]},
        RATELIMIT_ENABLED=False,
    )
    db = get_sqla_class()()
    with app.app_context():
        db.init_app(app)
        builder = AppBuilder(app, db.session)
        db.create_all()
        builder.add_view(CircleView, "Circles", category="People")
        builder.add_view(PersonView, "Persons", category="People")
        builder.add_view(PeopleChart, "Chart", category="People")
        builder.add_view(WishView, "Wishes")
        builder.add_view_no_menu(Greeting)
        builder.add_api(CircleApi)
        builder.add_api(ClockApi)
    return app


def run(visitor: Visitor, *args: str) -> str:
    """Run a command of the `flask` command: those of the builder come by an entry point."""
    result = CliRunner().invoke(FlaskGroup(create_app=lambda: visitor.app), list(args))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    visitor.note(f"$ flask {' '.join(args)}", [result.exit_code, result.output])
    return result.output


def token_of(page: t.Any) -> str:
    return re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)[1]


def play(visitor: Visitor) -> None:
    administrate(visitor)
    sign_in(visitor)
    keep_people(visitor)
    look_around(visitor)
    stay_in_ones_role(visitor.another())
    use_the_api(visitor.another())


def administrate(visitor: Visitor) -> None:
    names = ["--firstname", "Ada", "--lastname", "L.", "--email"]
    ada = ["--username", "ada", *names, "ada@example.org", "--password", "steam"]
    assert "Admin User ada created" in run(visitor, "fab", "create-admin", *ada)
    grace = ["--username", "grace", *names, "grace@example.org", "--password", "moth", "--role", "Greeter"]
    assert "User grace created" in run(visitor, "fab", "create-user", *grace)
    assert "username:ada" in run(visitor, "fab", "list-users")
    assert "CircleView" in run(visitor, "fab", "list-views")
    assert "already exists" in run(visitor, "fab", "create-admin", *ada)


def sign_in(visitor: Visitor) -> None:
    assert visitor.get("/circleview/list/").location.startswith("/login/?next=")
    page = visitor.get("/login/")
    assert "Sign In" in page.text
    form = {"username": "ada", "password": "steam", "csrf_token": token_of(page)}
    assert visitor.post("/login/", data=form | {"password": "smoke"}).status_code == 302
    assert "Invalid login" in visitor.get("/login/").text
    # Without the token the form is shown again.
    assert visitor.post("/login/", data=form | {"csrf_token": ""}).status_code == 200
    assert visitor.post("/login/?next=/greeting/you", data=form).location.endswith("/greeting/you")
    assert visitor.get("/greeting/you").text == "Hello you, by ada"


def keep_people(visitor: Visitor) -> None:
    page = visitor.get("/circleview/add")
    assert "Add Circle" in page.text
    token = {"csrf_token": token_of(page)}
    assert visitor.post("/circleview/add", data={"name": "friends"} | token).status_code == 302
    assert "This field is required" in visitor.post("/circleview/add", data={"name": ""} | token).text
    zoe = {"name": "Zoë", "circle": "1", "born": "2001-02-03"}
    assert visitor.post("/personview/add", data=zoe | token).status_code == 302
    assert visitor.post("/personview/edit/1", data=zoe | {"born": "2002-02-03"} | token).status_code == 302
    found = visitor.get("/personview/list/?_flt_0_name=Zo&_oc_PersonView=name&_od_PersonView=asc").text
    assert "Zoë" in found
    assert "2002-02-03" in found
    shout = {"action": "shout", "rowid": "1"} | token
    assert visitor.post("/personview/action_post", data=shout).status_code == 302
    assert "ZOË" in visitor.get("/personview/show/1").text
    assert '"rows": [{"c": [{"v": "friends"}, {"v": 1}]}]' in visitor.get("/peoplechart/chart/").text
    assert visitor.post("/personview/delete/1", data=token).status_code == 302
    assert visitor.post("/wishview/form", data={"text": "tea"} | token).text == "ada wishes for tea"


def look_around(visitor: Visitor) -> None:
    assert "No records found" in visitor.get("/circleview/show/1").text
    assert visitor.get("/lang/de").status_code == 302
    assert "Keine Datensätze gefunden" in visitor.get("/circleview/show/1").text
    assert "grace@example.org" in visitor.get("/users/list/").text
    assert visitor.get("/static/appbuilder/css/ab.css").mimetype == "text/css"
    assert visitor.get("/nowhere").status_code == 404


def stay_in_ones_role(visitor: Visitor) -> None:
    form = {"username": "grace", "password": "moth", "csrf_token": token_of(visitor.get("/login/"))}
    assert visitor.post("/login/", data=form).status_code == 302
    assert visitor.get("/greeting/you").text == "Hello you, by grace"
    assert visitor.get("/circleview/list/").status_code == 403


def use_the_api(visitor: Visitor) -> None:
    sign_in = {"username": "ada", "password": "steam", "provider": "db", "refresh": True}
    wrong = visitor.post("/api/v1/security/login", json=sign_in | {"password": "smoke"})
    assert wrong.status_code == 401
    tokens = visitor.post("/api/v1/security/login", json=sign_in).json
    access = {"Authorization": f"Bearer {tokens['access_token']}"}
    refresh = {"Authorization": f"Bearer {tokens['refresh_token']}"}
    assert "access_token" in visitor.post("/api/v1/security/refresh", headers=refresh).json
    assert visitor.get("/api/v1/clock/").json == {"msg": "Missing Authorization Header"}
    assert visitor.get("/api/v1/clock/", headers=access).json == {"message": "tock"}
    made = visitor.post("/api/v1/circle/", headers=access, json={"name": "foes"})
    assert (made.status_code, made.json["id"]) == (201, 2)
    assert visitor.post("/api/v1/circle/", headers=access, json={"name": 3}).status_code == 422
    query = "(order_column:name,order_direction:asc,filters:!((col:name,opr:sw,value:f)))"
    listed = visitor.get(f"/api/v1/circle/?q={query}", headers=access).json
    assert [one["name"] for one in listed["result"]] == ["foes", "friends"]
    assert visitor.delete("/api/v1/circle/2", headers=access).json == {"message": "OK"}
    assert visitor.get("/api/v1/circle/2", headers=access).status_code == 404
    assert "/api/v1/circle/{pk}" in visitor.get("/api/v1/_openapi", headers=access).json["paths"]
