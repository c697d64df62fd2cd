"""Second factors, accounts elsewhere, and the document about all of it."""

from __future__ import annotations

from .. import forms
from .shapes import (
    DONE,
    FACTORS,
    IDENTITY,
    NUMBER,
    OPTIONS,
    PASSKEY,
    TEXT,
    TEXTS,
    TRUTH,
    Operation,
    Route,
    list_of,
    record,
    status,
)

FACTOR_ROUTES = (
    Route(
        endpoint="second_factor",
        rule="/second-factor",
        subject="second factors",
        needs="session",
        get=Operation(
            summary="Get which second factors you have",
            answer=record(factors=FACTORS, codes_left=NUMBER, must_set_up=TRUTH),
        ),
    ),
    Route(
        endpoint="totp",
        rule="/second-factor/app",
        subject="second factors",
        needs="fresh",
        get=Operation(
            summary="Get a secret for an authenticator application",
            answer=record(secret=TEXT, uri=TEXT, sealed=TEXT),
        ),
        post=Operation(
            summary="Confirm it with the first code",
            form=forms.TOTP,
            answer=status("done", codes=TEXTS),
            status=201,
            faults=(400, 429),
        ),
    ),
    Route(
        endpoint="remove_totp",
        rule="/second-factor/app/remove",
        subject="second factors",
        needs="fresh",
        page=False,
        post=Operation(
            summary="Do without the authenticator application", form=forms.NOTHING, answer=DONE, faults=(404,)
        ),
    ),
    Route(
        endpoint="codes",
        rule="/second-factor/codes",
        subject="second factors",
        needs="fresh",
        get=Operation(summary="Get how many recovery codes are left", answer=record(codes_left=NUMBER)),
        post=Operation(
            summary="Make new recovery codes; the old ones end",
            form=forms.NOTHING,
            answer=record(codes=TEXTS),
            status=201,
            faults=(409,),
        ),
    ),
    Route(
        endpoint="passkeys",
        rule="/passkeys",
        subject="second factors",
        needs="fresh",
        get=Operation(summary="List your passkeys", answer=record(passkeys=list_of(PASSKEY))),
        post=Operation(
            summary="Add a passkey",
            form=forms.PASSKEY,
            answer=status("done", codes=TEXTS),
            status=201,
            faults=(400, 404),
        ),
    ),
    Route(
        endpoint="new_passkey_options",
        rule="/passkeys/options",
        subject="second factors",
        needs="fresh",
        page=False,
        post=Operation(
            summary="Get what navigator.credentials.create() needs",
            form=forms.NOTHING,
            answer=OPTIONS,
            faults=(404,),
        ),
    ),
    Route(
        endpoint="remove_passkey",
        rule="/passkeys/<id>/remove",
        subject="second factors",
        needs="fresh",
        page=False,
        post=Operation(summary="Remove a passkey", form=forms.NOTHING, answer=DONE, faults=(404,)),
    ),
)

OPENID = (
    Route(
        endpoint="identities",
        rule="/identities",
        subject="signing in with others",
        needs="fresh",
        get=Operation(
            summary="List the accounts elsewhere that log you in", answer=record(identities=list_of(IDENTITY))
        ),
    ),
    Route(
        endpoint="remove_identity",
        rule="/identities/remove",
        subject="signing in with others",
        needs="fresh",
        page=False,
        post=Operation(
            summary="Forget an account elsewhere", form=forms.IDENTITY, answer=DONE, faults=(404, 409)
        ),
    ),
    Route(
        endpoint="openid_start",
        rule="/openid/<name>",
        subject="signing in with others",
        page=False,
        post=Operation(
            summary="Get where to send the browser for signing in with a provider",
            form=forms.NOTHING,
            answer=record(url=TEXT),
            faults=(404, 502),
        ),
    ),
    # Browsers alone come back from a provider.
    Route(endpoint="openid_callback", rule="/openid/<name>/callback", subject="signing in with others"),
)

DOCUMENT = (
    Route(
        endpoint="openapi",
        rule="/openapi.json",
        subject="this document",
        page=False,
        get=Operation(summary="Get this document", answer={"type": "object"}),
    ),
)
