"""Certificates of the development server: looked at before anything is loaded."""

from __future__ import annotations

import contextlib
import os
import typing as t

import click
from werkzeug import serving

if t.TYPE_CHECKING:
    import ssl

    from .settings import Certificate


@contextlib.contextmanager
def prepared(certificate: Certificate) -> t.Generator[Certificate]:
    """Check what was named, and give it in the form that a process started later can be told.

    ``"adhoc"`` becomes a pair of files that are gone after the block: one certificate for all processes that the
    reloader starts, so that a browser has to be asked once.

    :param certificate: what the user named.
    :raises click.UsageError: when it cannot be served with.
    """
    if certificate != "adhoc":
        context_of(certificate)
        yield certificate
        return
    # Only for this kind of certificate.
    import tempfile

    try:
        folder = tempfile.TemporaryDirectory(prefix="erlen-certificate-")
    except OSError as error:
        raise click.UsageError(f"There is no folder to keep the certificate in: {error}.") from None
    with folder:
        yield serving.make_ssl_devcert(os.path.join(folder.name, "localhost"), cn="localhost")


def context_of(certificate: Certificate) -> ssl.SSLContext | None:
    """Return what a server wraps its socket with.

    :param certificate: a pair of files, a context, or nothing.
    :raises click.UsageError: when the files are no certificate with its key.
    """
    if not isinstance(certificate, tuple | list):
        return t.cast("ssl.SSLContext | None", certificate)
    # Not every Python is built with it, and it is slow to import.
    import ssl

    cert, key = t.cast("tuple[str, str | None]", certificate)
    for name, file in (("certificate", cert), ("key", key)):
        if file is not None:
            _check_readable(name, file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # Without a password here OpenSSL would ask on the terminal, in each process.
        context.load_cert_chain(cert, key, password=_no_password)
    except ssl.SSLError as error:
        raise click.UsageError(_explain(error, cert, key)) from None
    except _HasPassword:
        raise click.UsageError(
            f"The key {key or cert!r} is protected by a password, which the development server does not ask for."
            f" Make one without: 'openssl pkey -in {key or cert} -out development.pem'."
        ) from None
    return context


class _HasPassword(Exception):
    pass


def _no_password() -> str:
    raise _HasPassword


def _check_readable(name: str, file: str) -> None:
    try:
        with open(file, "rb"):
            pass
    except OSError as error:
        raise click.UsageError(
            f"The {name} {file!r} cannot be read: {error.strerror}. Is it there, and may this user read it"
            f" ('ls -l {file}')?"
        ) from None


def _explain(error: ssl.SSLError, cert: str, key: str | None) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return (
            f"The key {key!r} is not the key of the certificate {cert!r}. Name the pair that was made together;"
            " 'adhoc' in the place of the certificate makes one for development."
        )
    reason = error.reason.replace("_", " ").lower() if error.reason else str(error)
    files = repr(cert) if key is None else f"{cert!r} and {key!r}"
    return (
        f"{files} cannot be served with: {reason}. Both are files in PEM format: the certificate begins with"
        " '-----BEGIN CERTIFICATE-----', the key with a line such as '-----BEGIN PRIVATE KEY-----'."
    )
