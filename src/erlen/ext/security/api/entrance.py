"""How one gets in: logging in, registration, recovery."""

from __future__ import annotations

from .. import forms
from .shapes import DONE, OPTIONS, SENT, STEP, TEXT, Operation, Route, status

LOGIN = (
    Route(
        endpoint="login",
        rule="/login",
        subject="login",
        post=Operation(
            summary="Log in with a password; it may ask for a second factor",
            form=forms.LOGIN,
            answer=STEP,
            faults=(400, 429),
        ),
    ),
    Route(
        endpoint="passkey_options",
        rule="/login/passkey/options",
        subject="login",
        page=False,
        post=Operation(
            summary="Get what navigator.credentials.get() needs",
            form=forms.PASSKEY_OPTIONS,
            answer=OPTIONS,
            faults=(400, 404, 429),
        ),
    ),
    Route(
        endpoint="passkey_login",
        rule="/login/passkey",
        subject="login",
        page=False,
        post=Operation(
            summary="Log in with a passkey alone",
            form=forms.PASSKEY_LOGIN,
            answer=STEP,
            faults=(400, 404, 429),
        ),
    ),
    Route(
        endpoint="verify",
        rule="/verify",
        subject="login",
        post=Operation(
            summary="Answer with the second factor", form=forms.VERIFY, answer=STEP, faults=(400, 429)
        ),
    ),
    Route(
        endpoint="reauthenticate",
        rule="/reauthenticate",
        subject="login",
        needs="session",
        post=Operation(
            summary="Show again who you are, for what is sensitive",
            form=forms.REAUTHENTICATE,
            answer=status("done", next=TEXT),
            faults=(400, 429),
        ),
    ),
    Route(
        endpoint="logout",
        rule="/logout",
        subject="login",
        post=Operation(summary="End the session of this browser", form=forms.NOTHING, answer=DONE),
    ),
)

REGISTRATION = (
    Route(
        endpoint="register",
        rule="/register",
        subject="registration",
        post=Operation(
            summary="Make an account; a mail says how it goes on",
            form=forms.REGISTER,
            answer=SENT,
            status=202,
            faults=(429,),
        ),
    ),
    Route(
        endpoint="activate",
        rule="/activate/<token>",
        subject="registration",
        post=Operation(
            summary="Activate an account with the token of a mail and the password of its registration",
            form=forms.ACTIVATE,
            answer=DONE,
            faults=(400, 429),
        ),
    ),
    Route(
        endpoint="resend_activation",
        rule="/activate",
        subject="registration",
        post=Operation(
            summary="Have the activation mail sent again",
            form=forms.ADDRESS,
            answer=SENT,
            status=202,
            faults=(429,),
        ),
    ),
)

RECOVERY = (
    Route(
        endpoint="recover",
        rule="/recover",
        subject="recovery",
        post=Operation(
            summary="Have a recovery mail sent", form=forms.ADDRESS, answer=SENT, status=202, faults=(429,)
        ),
    ),
    Route(
        endpoint="reset",
        rule="/reset/<token>",
        subject="recovery",
        post=Operation(
            summary="Set a password with the token of a mail",
            form=forms.RESET,
            answer=DONE,
            faults=(400, 429),
        ),
    ),
)
