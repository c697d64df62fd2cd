"""A club with accounts: a page for members, a page for administrators, an interface for programs.

Everything about accounts comes with ``Security``: the pages under ``/account``, the mails, the commands. What is here is a
user of one's own, and three views that say who may see them.
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

from sqlalchemy import create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, sessionmaker

from erlen import Blueprint, Erlen, render_template
from erlen.ext.security import (
    Security,
    auth_required,
    current_user,
    login_required,
    roles_required,
    scopes_required,
)
from erlen.ext.security.sqlalchemy import SQLAlchemyStore, UserMixin, make_models

if t.TYPE_CHECKING:
    from erlen.ext.security.mail import Mailer


class Base(DeclarativeBase):
    """The models of the club."""


class Member(UserMixin, Base):
    """A member: the columns of an account, and what the club wants to know."""

    __tablename__ = "members"
    id: Mapped[int] = mapped_column(primary_key=True)
    nickname: Mapped[str] = mapped_column(default="")


MODELS = make_models(Base, Member)

club = Blueprint("club", __name__)


@club.get("/")
def home() -> str:
    """Show what there is to see."""
    return render_template("home.html")


@club.get("/members")
@login_required
def members() -> str:
    """Show what members see."""
    return render_template("members.html")


@club.get("/admin")
@roles_required("admin")
def admin() -> str:
    """Show who there is; for administrators, who need a second factor as well."""
    return render_template("admin.html", members=Security.of(_app()).store.users())


@club.get("/api/me")
@auth_required("token", "session")
@scopes_required("profile:read")
def me() -> dict[str, t.Any]:
    """Tell a program whose token it has."""
    return {"email": current_user.email, "roles": [role.name for role in current_user.roles]}


def _app() -> Erlen:
    # The proxy stands for the application of the request.
    from erlen import current_app

    return current_app


def create_app(config: dict[str, t.Any] | None = None, mailer: Mailer | None = None) -> Erlen:
    """Return the application.

    :param config: replaces settings.
    :param mailer: where mails go to in place of the terminal.
    """
    app = Erlen(__name__)
    app.config.update(
        # For this walk alone: a key that everybody can read protects nothing.
        SECRET_KEY=os.environ.get("SECRET_KEY", "only for the walk through the example"),
        DATABASE_URL=f"sqlite:///{Path(app.instance_path) / 'club.sqlite'}",
        SECURITY_SITE_NAME="The Harbour Club",
        SECURITY_LOGIN_REDIRECT="/members",
        SECURITY_SCOPES=["profile:read", "profile:write"],
        SECURITY_SECOND_FACTOR_ROLES=["admin"],
        SECURITY_MAIL_URL="console:",
    )
    app.config.update(config or {})
    Path(app.instance_path).mkdir(parents=True, exist_ok=True)
    app.extensions["database"] = engine = create_engine(app.config["DATABASE_URL"])
    event.listen(engine, "connect", _prepare)
    # An application that lives on has migrations: erlen.ext.security.sqlalchemy.migrations.
    Base.metadata.create_all(engine)
    store = SQLAlchemyStore(sessionmaker(engine), MODELS)
    if store.role("admin") is None:
        store.put_role("admin", "Sees everybody", ["members:list"])
    Security(app, store=store, mailer=mailer)
    app.register_blueprint(club)
    return app


def _prepare(connection: t.Any, _: object) -> None:
    # SQLite keeps foreign keys only when it is told to, and waits for other writers.
    for pragma in ("foreign_keys = ON", "journal_mode = WAL", "busy_timeout = 5000"):
        connection.execute(f"PRAGMA {pragma}")
