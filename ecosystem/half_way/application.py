"""An application on its way from Flask to Erlen: it is an ``Erlen`` with the safe profile, its extensions are Flask's.

    python -m erlen.as_flask ecosystem/half_way/application.py

``test_half_way.py`` runs it. One file still imports from flask, as an application of many files would for a while.
"""

from __future__ import annotations

import typing as t

from flask import Blueprint as FlaskBlueprint
from flask import current_app as app_of_flask
from flask_caching import Cache
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import FlaskForm
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from wtforms import StringField
from wtforms.validators import DataRequired

from erlen import Erlen, request


class Base(DeclarativeBase):
    pass


db: t.Any = SQLAlchemy(model_class=Base)
login, cache = LoginManager(), Cache(config={"CACHE_TYPE": "SimpleCache"})
old_part = FlaskBlueprint("old", __name__, url_prefix="/old")


class Reader(UserMixin, db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class NameForm(FlaskForm):
    name = StringField(validators=[DataRequired()])


@old_part.get("/where")
def where() -> str:
    return f"{app_of_flask.name} {request.path}"


def make_app() -> Erlen:
    app = Erlen("half_way")
    app.config.update(
        SECRET_KEY="of the example", SQLALCHEMY_DATABASE_URI="sqlite://", WTF_CSRF_ENABLED=False
    )
    db.init_app(app)
    login.init_app(t.cast("t.Any", app))
    cache.init_app(t.cast("t.Any", app))
    limiter = Limiter(get_remote_address, app=t.cast("t.Any", app), storage_uri="memory://")
    app.register_blueprint(t.cast("t.Any", old_part))
    login.user_loader(lambda key: db.session.get(Reader, int(key)))
    with app.app_context():
        db.create_all()

    @app.post("/readers")
    def add() -> t.Any:
        form = NameForm()
        if not form.validate_on_submit():
            return form.errors, 400
        reader = Reader(name=form.name.data)
        db.session.add(reader)
        db.session.commit()
        login_user(reader)
        return {"id": reader.id}, 201

    @app.get("/me")
    @login_required
    async def me() -> dict[str, str]:
        return {"name": current_user.name}

    @app.get("/slow")
    @limiter.limit("2 per hour")
    @cache.cached()
    def slow() -> str:
        return "made once"

    return app


def main() -> None:
    for protocol in ("wsgi", "asgi"):
        client = make_app().test_client(protocol=protocol)
        assert client.get("/me").status_code == 401
        assert client.post("/readers", data={"name": ""}).status_code == 400
        assert client.post("/readers", data={"name": "Ada"}).json == {"id": 1}
        assert client.get("/me").json == {"name": "Ada"}
        assert client.get("/old/where").text == "half_way /old/where"
        assert [client.get("/slow").status_code for _ in range(3)] == [200, 200, 429]
        # The safe profile: no form of another site, and headers that Flask does not send.
        forged = client.post("/readers", data={"name": "Eve"}, headers={"Sec-Fetch-Site": "cross-site"})
        assert forged.status_code == 403
        assert forged.headers["X-Content-Type-Options"] == "nosniff"
    print("done")


if __name__ == "__main__":
    main()
