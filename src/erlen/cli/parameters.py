"""Parameter types of the commands: certificates and lists of paths."""

from __future__ import annotations

import importlib.util
import sys
import typing as t
from pathlib import Path

import click

# Generic for type checkers in every version of Click, at run time in the latest ones alone.
if t.TYPE_CHECKING:
    _ParamType = click.ParamType[t.Any]
else:
    _ParamType = click.ParamType


class CertParamType(_ParamType):
    """A certificate: the path of a file, the word ``adhoc``, or the import name of an ``SSLContext``."""

    #: What help texts call a value of this type.
    name = "path"

    def __init__(self) -> None:
        #: What checks that a value is the path of a file.
        self.path_type = click.Path(exists=True, dir_okay=False, resolve_path=True)

    def convert(self, value: t.Any, param: click.Parameter | None, ctx: click.Context | None) -> t.Any:
        """Return a path, ``"adhoc"`` or an :class:`ssl.SSLContext`.

        :raises click.BadParameter: for anything else, or when what it needs is not installed.
        """
        try:
            # Not every Python is built with it, and it is slow to import.
            import ssl
        except ImportError:
            raise click.BadParameter(
                "This Python was built without the 'ssl' module, which '--cert' needs.", ctx, param
            ) from None

        if isinstance(value, ssl.SSLContext):
            return value
        try:
            return self.path_type(value, param, ctx)
        except click.BadParameter:
            if str(value).lower() == "adhoc":
                return self._adhoc(param, ctx)
            return self._imported(value, ssl.SSLContext, param, ctx)

    def _imported(
        self, value: str, wanted: type[t.Any], param: click.Parameter | None, ctx: click.Context | None
    ) -> t.Any:
        module_name, _, name = value.replace(":", ".").rpartition(".")
        missing = f"File {value!r} does not exist"
        if not module_name or not all(one.isidentifier() for one in value.replace(":", ".").split(".")):
            raise click.BadParameter(f"{missing}.", ctx, param)
        # As for the application: a program that was installed does not look into the folder it is started in.
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
                raise
            raise click.BadParameter(
                f"{missing}, and there is no module {module_name!r} that could have an SSLContext {name!r}.",
                ctx,
                param,
            ) from None
        found = getattr(module, name, None)
        if isinstance(found, wanted):
            return found
        says = f"is {found!r}, not an ssl.SSLContext" if hasattr(module, name) else "is not there"
        raise click.BadParameter(f"{missing}, and {name!r} in the module {module_name!r} {says}.", ctx, param)

    def _adhoc(self, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            found = importlib.util.find_spec("cryptography")
        except ValueError:
            # Somebody has put an empty one in its place.
            found = None
        if found is None:
            raise click.BadParameter(
                "'adhoc' makes a certificate with the library 'cryptography', which is not installed."
                " Install it with: pip install cryptography",
                ctx,
                param,
            )
        return "adhoc"


def validate_key(ctx: click.Context, param: click.Parameter, value: t.Any) -> t.Any:
    """Check ``--key`` against ``--cert``, and put both as one pair where ``--cert`` was.

    :raises click.BadParameter: when one stands without the other, or the certificate takes no key.
    """
    cert = ctx.params.get("cert")
    is_path = isinstance(cert, str) and cert != "adhoc"
    if value is None:
        if is_path:
            raise click.BadParameter("A certificate file needs its key: add '--key path'.", ctx, param)
        return None
    if cert is None:
        raise click.BadParameter("A key needs its certificate: add '--cert path'.", ctx, param)
    if not is_path:
        kind = "'adhoc'" if cert == "adhoc" else "an SSLContext"
        raise click.BadParameter(f"'--cert' is {kind}, which takes no key: leave out '--key'.", ctx, param)
    ctx.params["cert"] = cert, value
    return value


class SeparatedPathType(click.Path):
    """Several paths in one value, separated as in ``PATH``: by ``:``, on Windows by ``;``."""

    def convert(self, value: t.Any, param: click.Parameter | None, ctx: click.Context | None) -> t.Any:
        """Return the list of paths."""
        if isinstance(value, list | tuple):
            return list(t.cast("t.Iterable[t.Any]", value))
        convert_one = super().convert
        return [convert_one(item, param, ctx) for item in self.split_envvar_value(value)]


class NamesType(_ParamType):
    """Several names in one value, separated by commas."""

    name = "names"

    def convert(self, value: t.Any, param: click.Parameter | None, ctx: click.Context | None) -> t.Any:
        """Return the list of names."""
        if isinstance(value, list | tuple):
            return list(t.cast("t.Iterable[t.Any]", value))
        return [part.strip() for part in str(value).split(",") if part.strip()]


class AddressesType(NamesType):
    """Several IP addresses or networks in one value, separated by commas."""

    name = "addresses"

    def convert(self, value: t.Any, param: click.Parameter | None, ctx: click.Context | None) -> t.Any:
        """Return the list of addresses.

        :raises click.BadParameter: for what is no address.
        """
        # For those who ask for it alone.
        import ipaddress

        parts: list[str] = super().convert(value, param, ctx)
        for part in parts:
            try:
                ipaddress.ip_network(part)
            except ValueError as error:
                raise click.BadParameter(
                    f"{part!r} is neither an address nor a network: {error}. Write '192.168.1.20', or '192.168.1.0/24'.",
                    ctx,
                    param,
                ) from None
        return parts
