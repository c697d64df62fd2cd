"""The back office of a tea shop: tables, search, filters, forms in forms, actions, CSV, files, own pages, no access."""

from __future__ import annotations

import io
import re
import typing as t
from pathlib import Path

from flask import Flask, flash, redirect, request, session, url_for
from flask_admin import Admin, AdminIndexView, BaseView, expose
from flask_admin.actions import action
from flask_admin.contrib.fileadmin import FileAdmin
from flask_admin.contrib.sqla import ModelView
from flask_admin.form import FileUploadField, SecureForm
from flask_admin.menu import MenuLink
from flask_admin.model.template import macro
from flask_admin.theme import Bootstrap4Theme
from flask_babel import Babel
from flask_sqlalchemy import SQLAlchemy
from wtforms.validators import NumberRange, ValidationError

if t.TYPE_CHECKING:
    from visitor import Visitor

DISTRIBUTIONS = ["Flask-Admin", "Flask-SQLAlchemy", "Flask-Babel"]

VARIES = (
    # Tokens of the forms: when they end, and a signature.
    (r"\d{14}##[0-9a-f]{40}", "<token>"),
    # When a file was changed; when a list was taken.
    (r"\d{4}-\d\d-\d\d[ _]\d\d[:-]\d\d[:-]\d\d", "<time>"),
    # The tag of a file: when it was changed, its size, a sum of its path.
    (r'^"[\d.]+-(\d+)-\d+"$', r'"<time>-\1-<path>"'),
)

TEMPLATES = {
    # Every page of the back office is built on this one.
    "office.html": """{% extends "admin/base.html" %}
{% block page_body %}<!-- the office of {{ session.get("staff") }} -->{{ super() }}{% endblock %}""",
    "stock.html": """{% extends "admin/master.html" %}
{% block body %}<h1>{{ admin_view.name }}</h1>
{% for tea in teas %}<p>{{ tea.name }}: {{ tea.stock }} of {{ wanted }}</p>{% endfor %}
<a href="{{ get_url(".wanted", grams=500) }}">Half a kilo</a>
{% endblock %}""",
    "list.html": """{% extends "admin/model/list.html" %}
{% macro price(model, column) %}<b>{{ "%.2f"|format(model.price / 100) }}</b>{% endmacro %}""",
}


def staff_only(view: type) -> type:
    """Keep everybody out who has not signed in."""
    view.is_accessible = lambda self: "staff" in session
    view.inaccessible_callback = lambda self, name, **kwargs: redirect(url_for("sign_in", next=request.url))
    return view


def make_app(folder: Path) -> Flask:
    for kept in ("templates", "papers/old", "pictures"):
        (folder / kept).mkdir(parents=True)
    for name, text in TEMPLATES.items():
        (folder / "templates" / name).write_text(text)
    (folder / "papers" / "opening.txt").write_text("Nine to five")

    app = Flask(__name__, template_folder=str(folder / "templates"))
    app.config["SECRET_KEY"] = "only for this scenario"
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{folder / 'teas.db'}"
    Babel(app, locale_selector=lambda: request.accept_languages.best_match(["en", "de"]))
    db = SQLAlchemy(app)

    class Origin(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(40), nullable=False, unique=True)

        def __str__(self) -> str:
            return self.name

    class Tea(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        name = db.Column(db.String(40), nullable=False, unique=True)
        price = db.Column(db.Integer, nullable=False, info={"label": "Cents"})
        stock = db.Column(db.Integer, nullable=False, default=0)
        organic = db.Column(db.Boolean, nullable=False, default=False)
        picture = db.Column(db.String(80))
        origin_id = db.Column(db.ForeignKey(Origin.id))
        origin = db.relationship(Origin, backref="teas")
        tastings = db.relationship("Tasting", backref="tea", cascade="all, delete-orphan")

    class Tasting(db.Model):
        id = db.Column(db.Integer, primary_key=True)
        note = db.Column(db.String(80), nullable=False)
        tea_id = db.Column(db.ForeignKey(Tea.id), nullable=False)

    @staff_only
    class OfficeIndex(AdminIndexView):
        pass

    @staff_only
    class TeaView(ModelView):
        form_base_class = SecureForm
        list_template = "list.html"
        page_size = 3
        can_view_details = True
        can_export = True
        named_filter_urls = True
        column_list = ["name", "origin.name", "price", "stock", "organic"]
        column_labels = {"origin.name": "From"}
        # The list as CSV is streamed. Flask has ended the database session by then, so that rows cannot load what they
        # refer to; Erlen ends it after the stream (docs/differences.md, Contexts).
        column_select_related_list = [Tea.origin]
        column_searchable_list = ["name", Origin.name]
        column_filters = ["price", "organic", "origin.name"]
        column_editable_list = ["stock"]
        column_sortable_list = ["name", "price"]
        column_default_sort = "name"
        column_formatters = {"price": macro("price")}
        column_formatters_export = {"price": lambda view, context, model, name: f"{model.price / 100:.2f}"}
        form_columns = ["name", "price", "stock", "organic", "origin", "picture", "tastings"]
        form_args = {"price": {"validators": [NumberRange(min=1)]}}
        form_ajax_refs = {"origin": {"fields": (Origin.name,), "page_size": 5}}
        form_extra_fields = {
            "picture": FileUploadField(base_path=str(folder / "pictures"), allowed_extensions=["png"])
        }
        inline_models = [(Tasting, {"form_columns": ["id", "note"]})]

        def on_model_change(self, form: t.Any, model: Tea, is_created: bool) -> None:
            if model.name == "coffee":
                raise ValidationError("Not in this shop")

        @action("restock", "Order more", "Order more of these?")
        def restock(self, ids: list[str]) -> None:
            for tea in db.session.query(Tea).filter(Tea.id.in_(ids)):
                tea.stock += 100
            db.session.commit()
            flash(f"Ordered {len(ids)} teas", "success")

    @staff_only
    class OriginView(ModelView):
        can_create = False
        can_delete = False

        def is_visible(self) -> bool:
            return session["staff"] == "the owner"

    @staff_only
    class StockView(BaseView):
        @expose("/")
        @expose("/<int:grams>/")
        def wanted(self, grams: int = 100) -> str:
            return self.render("stock.html", teas=db.session.query(Tea).order_by(Tea.name), wanted=grams)

        @expose("/inventory", methods=["POST"])
        def inventory(self) -> t.Any:
            return redirect(self.get_url("tea.index_view", search=request.form["name"]))

    @staff_only
    class Papers(FileAdmin):
        allowed_extensions = ["txt", "md"]
        editable_extensions = ["txt"]

    admin = Admin(
        app,
        name="Tea",
        index_view=OfficeIndex(name="Office"),
        theme=Bootstrap4Theme(base_template="office.html", swatch="flatly", fluid=True),
    )
    admin.add_view(TeaView(Tea, db, category="Shop"))
    admin.add_view(OriginView(Origin, db, category="Shop", name="Origins"))
    admin.add_view(StockView(name="What is there", endpoint="stock", category="Shop"))
    admin.add_view(Papers(str(folder / "papers"), name="Papers"))
    admin.add_link(MenuLink(name="The shop itself", url="/"))

    with app.app_context():
        db.create_all()
        assam, uji = Origin(name="Assam"), Origin(name="Uji")
        db.session.add_all(
            [
                Tea(name="Second flush", price=900, stock=40, origin=assam),
                Tea(name="Sencha", price=1200, stock=15, organic=True, origin=uji),
                Tea(name="Gyokuro", price=3100, stock=5, organic=True, origin=uji),
                Tea(name="Earl Grey", price=700, stock=80),
            ]
        )
        db.session.commit()

    @app.get("/")
    def shop() -> list[str]:
        return [f"{tea.name} {tea.price} {tea.stock}" for tea in db.session.query(Tea).order_by(Tea.name)]

    @app.route("/sign-in", methods=["GET", "POST"])
    def sign_in() -> t.Any:
        if request.method == "POST":
            session["staff"] = request.form["name"]
            return redirect(url_for("admin.index"))
        return "Who are you?"

    return app


def token_of(page: t.Any) -> str:
    found = re.search(r'name="csrf_token" type="hidden" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


def rows(page: t.Any) -> list[str]:
    """Return the names in the table of the page."""
    return re.findall(r'<td class="col-name">\s*([^<]+?)\s*</td>', page.text)


def play(visitor: Visitor) -> None:
    assert visitor.get("/admin/tea/").location == "/sign-in?next=http://localhost/admin/tea/"
    assert visitor.post("/admin/tea/delete/", data={"id": "1"}).location.startswith("/sign-in")
    assert visitor.post("/sign-in", data={"name": "the help"}).location == "/admin/"
    tables(visitor)
    forms(visitor)
    pages_and_files(visitor)


def tables(visitor: Visitor) -> None:
    everything = visitor.get("/admin/tea/")
    assert "<!-- the office of the help -->" in everything.text
    assert rows(everything) == ["Earl Grey", "Gyokuro", "Second flush"]
    assert "<b>31.00</b>" in everything.text
    assert "Origins" not in everything.text
    assert rows(visitor.get("/admin/tea/?page=1")) == ["Sencha"]
    assert rows(visitor.get("/admin/tea/?sort=2&desc=1&page_size=20"))[0] == "Gyokuro"
    assert rows(visitor.get("/admin/tea/?search=uji")) == ["Gyokuro", "Sencha"]
    found = visitor.get("/admin/tea/?flt0_price_smaller_than=2000&flt1_organic_equals=1")
    assert rows(found) == ["Sencha"]
    assert "Aktionen" not in found.text
    assert "Suche" in visitor.get("/admin/tea/", headers={"Accept-Language": "de"}).text
    exported = visitor.get("/admin/tea/export/csv/?search=uji")
    assert exported.text.splitlines()[1] == "Gyokuro,Uji,31.00,5,True"
    assert visitor.get("/admin/tea/export/xlsx/").location == "/admin/tea/"
    assert visitor.get("/admin/tea/ajax/lookup/?name=origin&query=ass").json == [[1, "Assam"]]
    assert visitor.get("/admin/tea/ajax/lookup/?name=nothing&query=").status_code == 404

    token = token_of(everything)
    edit = {"csrf_token": token, "list_form_pk": "1"}
    assert visitor.post("/admin/tea/ajax/update/", data={**edit, "stock": "41"}).status_code == 200
    wrong = visitor.post("/admin/tea/ajax/update/", data={**edit, "stock": "some"})
    assert (wrong.status_code, wrong.text) == (500, "Failed to update record. Not a valid integer value.")
    chosen = {"csrf_token": token, "action": "restock", "rowid": ["3", "4"]}
    assert visitor.post("/admin/tea/action/", data=chosen).location == "/admin/tea/"
    assert "Ordered 2 teas" in visitor.get("/admin/tea/details/?id=3").text
    assert visitor.get("/").json[:2] == ["Earl Grey 700 180", "Gyokuro 3100 105"]


def forms(visitor: Visitor) -> None:
    token = token_of(visitor.get("/admin/tea/new/?url=/admin/tea/?page=1"))
    without_token = visitor.post("/admin/tea/new/", data={"name": "Lapsang", "price": "1500", "stock": "7"})
    assert "Failed to create record." in without_token.text
    tea = {"csrf_token": token, "name": "Lapsang", "price": "0", "stock": "7", "origin": "1"}
    cheap = visitor.post("/admin/tea/new/", data=tea)
    assert "Failed to create record." in cheap.text
    assert "Number must be at least 1." in cheap.text
    coffee = visitor.post("/admin/tea/new/", data={**tea, "name": "coffee", "price": "1"})
    assert "Not in this shop" in coffee.text
    taken = visitor.post("/admin/tea/new/", data={**tea, "name": "Sencha", "price": "1"})
    assert "Already exists." in taken.text
    inline = {
        "tastings-0-id": "",
        "tastings-0-note": "Smoke",
        "tastings-1-id": "",
        "tastings-1-note": "Leather",
    }
    made = visitor.post("/admin/tea/new/?url=/admin/tea/?page=1", data={**tea, **inline, "price": "1500"})
    assert made.location == "/admin/tea/?page=1"

    edited = visitor.get("/admin/tea/edit/?id=5")
    assert "Record was successfully created." in edited.text
    assert 'value="Leather"' in edited.text
    change = {
        **tea,
        "name": "Lapsang Souchong",
        "price": "1600",
        "tastings-0-id": "1",
        "tastings-0-note": "Smoke and pine",
        "tastings-1-id": "2",
        "tastings-1-note": "Leather",
        "del-tastings-1": "on",
        "picture": (io.BytesIO(b"no picture"), "leaf.txt"),
        "_continue_editing": "Save and Continue Editing",
    }
    assert "Invalid file extension" in visitor.post("/admin/tea/edit/?id=5", data=change).text
    change["picture"] = (io.BytesIO(b"a leaf"), "leaf.png")
    assert (
        visitor.post("/admin/tea/edit/?id=5", data=change).location == "/admin/tea/edit/?id=5&url=/admin/tea/"
    )
    again = visitor.get("/admin/tea/edit/?id=5").text
    assert 'value="Smoke and pine"' in again
    assert "Leather" not in again
    assert (visitor.folder / "pictures" / "leaf.png").read_bytes() == b"a leaf"
    assert (
        visitor.get("/admin/tea/edit/?id=77", follow_redirects=True).text.count("Record does not exist.") == 1
    )

    visitor.post("/admin/tea/delete/", data={"id": "5"})
    assert "Failed to delete record." in visitor.get("/admin/").text
    gone = visitor.post("/admin/tea/delete/", data={"id": "5", "csrf_token": token}, follow_redirects=True)
    assert "Record was successfully deleted." in gone.text
    assert visitor.get("/admin/tea/delete/").status_code == 405
    assert visitor.get("/admin/origin/new/").location == "/admin/origin/"


def pages_and_files(visitor: Visitor) -> None:
    assert "Sencha: 15 of 100" in visitor.get("/admin/stock/").text
    assert "<h1>What is there</h1>" in visitor.get("/admin/stock/500/").text
    assert visitor.post("/admin/stock/inventory", data={"name": "Uji"}).location == "/admin/tea/?search=Uji"
    assert visitor.get("/admin/static/admin/css/bootstrap4/admin.css").status_code == 200

    assert "opening.txt" in visitor.get("/admin/papers/").text
    sent = {"upload": (io.BytesIO(b"A list"), "suppliers.md")}
    assert visitor.post("/admin/papers/upload/old", data=sent).location == "/admin/papers/b/old"
    program = {"upload": (io.BytesIO(b"#!"), "program.sh")}
    assert "Invalid file type." in visitor.post("/admin/papers/upload/", data=program).text
    assert visitor.get("/admin/papers/download/old/suppliers.md").text == "A list"
    visitor.post("/admin/papers/mkdir/", data={"name": "new"})
    moved = visitor.post("/admin/papers/rename/", data={"path": "opening.txt", "name": "hours.txt"})
    assert moved.location == "/admin/papers/"
    visitor.post("/admin/papers/edit/?path=hours.txt", data={"content": "Ten to four"})
    visitor.post("/admin/papers/delete/", data={"path": "old"})
    assert visitor.get("/admin/papers/download/../teas.db").status_code == 404
    papers = visitor.folder / "papers"
    visitor.note("papers", sorted(path.relative_to(papers).as_posix() for path in papers.rglob("*")))
    assert (papers / "hours.txt").read_text() == "Ten to four"
