"""What visitors see: the sign-up page and the page that says thank you."""

from __future__ import annotations

from erlen import Blueprint, flash, redirect, render_template, request, session, url_for
from erlen.typing import ResponseReturnValue

from .database import store
from .forms import SignupForm

blueprint = Blueprint("pages", __name__)

UNPROCESSABLE_CONTENT = 422


@blueprint.get("/")
def index() -> ResponseReturnValue:
    """Show the empty form."""
    return render_template("pages/index.html", form=SignupForm())


@blueprint.post("/")
def sign_up() -> ResponseReturnValue:
    """Put the visitor on the list, or show the form again with what to change."""
    form = SignupForm.read(request.form)
    address = form.validate()
    if address is None:
        flash("Almost there. Please look at what is marked below.", "error")
        return render_template("pages/index.html", form=form), UNPROCESSABLE_CONTENT
    store.add(form.clean_name, address)
    # The same words whether or not the address was on the list before: who asks learns nothing about others.
    flash("Your place is kept. If you had asked before, you still have just the one.", "success")
    session["signed_up"] = {"name": form.clean_name, "email": address.display}
    return redirect(url_for("pages.thanks"), 303)


@blueprint.get("/thanks")
def thanks() -> ResponseReturnValue:
    """Thank whoever has just signed up in this browser; send anybody else to the form."""
    visitor = session.get("signed_up")
    if visitor is None:
        return redirect(url_for("pages.index"))
    return render_template("pages/thanks.html", visitor=visitor), {"Cache-Control": "no-store"}
