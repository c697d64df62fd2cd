"""What users see and change of their accounts, and their tokens."""

from __future__ import annotations

from .. import forms
from .shapes import (
    ACCOUNT,
    CREATED_TOKEN,
    DONE,
    EVENT,
    NUMBER,
    PAIR,
    PROGRAM,
    SENT,
    SESSION,
    TOKEN,
    Operation,
    Route,
    list_of,
    record,
    status,
)

PROFILE = (
    Route(
        endpoint="overview",
        rule="/",
        subject="account",
        needs="session",
        get=Operation(summary="Get your account", answer=ACCOUNT),
    ),
    Route(
        endpoint="password",
        rule="/password",
        subject="account",
        needs="fresh",
        post=Operation(
            summary="Change your password", form=forms.PASSWORD_CHANGE, answer=DONE, faults=(400, 429)
        ),
    ),
    Route(
        endpoint="email",
        rule="/email",
        subject="account",
        needs="fresh",
        post=Operation(
            summary="Ask for another address of e-mail",
            form=forms.NEW_EMAIL,
            answer=SENT,
            status=202,
            faults=(429,),
        ),
    ),
    Route(
        endpoint="confirm_email",
        rule="/email/<token>",
        subject="account",
        post=Operation(
            summary="Confirm a new address with the token of a mail",
            form=forms.NOTHING,
            answer=DONE,
            faults=(400,),
        ),
    ),
    Route(
        endpoint="object_email",
        rule="/email/keep/<token>",
        subject="account",
        post=Operation(
            summary="Undo a change of address that the owner has not asked for",
            form=forms.NOTHING,
            answer=DONE,
            faults=(400,),
        ),
    ),
    Route(
        endpoint="delete",
        rule="/delete",
        subject="account",
        needs="fresh",
        post=Operation(summary="Delete your account", form=forms.NOTHING, answer=DONE),
    ),
    Route(
        endpoint="log",
        rule="/log",
        subject="account",
        needs="session",
        get=Operation(summary="Get what has happened to your account", answer=record(events=list_of(EVENT))),
    ),
    Route(
        endpoint="sessions",
        rule="/sessions",
        subject="sessions",
        needs="session",
        get=Operation(
            summary="List your sessions, and the programs that are logged in with a refresh token",
            answer=record(sessions=list_of(SESSION), programs=list_of(PROGRAM)),
        ),
    ),
    Route(
        endpoint="revoke_session",
        rule="/sessions/<id>/revoke",
        subject="sessions",
        needs="session",
        page=False,
        post=Operation(summary="End one of your sessions", form=forms.NOTHING, answer=DONE, faults=(404,)),
    ),
    Route(
        endpoint="revoke_other_sessions",
        rule="/sessions/revoke",
        subject="sessions",
        needs="session",
        page=False,
        post=Operation(
            summary="End all your sessions but this one, and the logins of all programs",
            form=forms.NOTHING,
            answer=status("done", count=NUMBER),
        ),
    ),
    Route(
        endpoint="revoke_program",
        rule="/sessions/programs/<id>/revoke",
        subject="sessions",
        needs="session",
        page=False,
        post=Operation(
            summary="Log one of your programs out", form=forms.NOTHING, answer=DONE, faults=(404,)
        ),
    ),
)

TOKENS = (
    Route(
        endpoint="tokens",
        rule="/tokens",
        subject="tokens",
        needs="session",
        get=Operation(summary="List your tokens for programs", answer=record(tokens=list_of(TOKEN))),
    ),
    Route(
        endpoint="create_token",
        rule="/tokens/new",
        subject="tokens",
        needs="fresh",
        post=Operation(
            summary="Make a token for a program", form=forms.TOKEN, answer=CREATED_TOKEN, status=201
        ),
    ),
    Route(
        endpoint="revoke_token",
        rule="/tokens/<id>/revoke",
        subject="tokens",
        needs="session",
        page=False,
        post=Operation(summary="Revoke one of your tokens", form=forms.NOTHING, answer=DONE, faults=(404,)),
    ),
    Route(
        endpoint="token",
        rule="/token",
        subject="tokens",
        needs="fresh",
        page=False,
        post=Operation(
            summary="Get an access token and a refresh token for your session", form=forms.SCOPES, answer=PAIR
        ),
    ),
    Route(
        endpoint="refresh_token",
        rule="/token/refresh",
        subject="tokens",
        page=False,
        post=Operation(
            summary="Exchange a refresh token for a new pair",
            form=forms.REFRESH,
            answer=PAIR,
            faults=(400, 429),
        ),
    ),
    Route(
        endpoint="revoke_refresh_token",
        rule="/token/revoke",
        subject="tokens",
        page=False,
        post=Operation(
            summary="Revoke a refresh token and all that came of it", form=forms.REFRESH, answer=DONE
        ),
    ),
)
