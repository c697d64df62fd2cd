"""What a provider is asked over the network: few things, of known size, in limited time, from where it was said to be."""

from __future__ import annotations

import collections.abc as cabc
import json
import threading
import time
import typing as t
from urllib.parse import urlsplit

from ..errors import ProviderError

if t.TYPE_CHECKING:
    import httpx

#: The most bytes of an answer. Documents of large providers have a tenth of it.
MOST_BYTES = 256 * 1024
#: The most seconds of an answer, from the first to the last byte.
MOST_SECONDS = 10.0
#: The most seconds of silence.
SILENCE_SECONDS = 5.0


class Fetcher:
    """Asks providers.

    :param client: an ``httpx.Client``; without one it is made when the first question is asked.
    :param most_bytes: the longest answer.
    :param most_seconds: the slowest answer.
    """

    def __init__(
        self,
        client: httpx.Client | None,
        *,
        most_bytes: int = MOST_BYTES,
        most_seconds: float = MOST_SECONDS,
    ) -> None:
        self._client, self._most_bytes, self._most_seconds = client, most_bytes, most_seconds
        self._lock = threading.Lock()

    def get(self, url: str) -> dict[str, t.Any]:
        """Return the JSON object at an address.

        :param url: the address.
        :raises ProviderError: for anything else.
        """
        status, document = self._ask("GET", url)
        if status != 200:
            raise ProviderError(f"{url} has answered with the status {status}.")
        return document

    def post(
        self, url: str, data: cabc.Mapping[str, str], headers: cabc.Mapping[str, str]
    ) -> tuple[int, dict[str, t.Any]]:
        """Return the status and the JSON object that a form is answered with.

        :param url: the address.
        :param data: the form.
        :param headers: headers beside those of every request.
        :raises ProviderError: for anything that is no JSON object.
        """
        return self._ask("POST", url, data=dict(data), headers=headers)

    def _ask(
        self,
        method: str,
        url: str,
        *,
        data: dict[str, str] | None = None,
        headers: cabc.Mapping[str, str] | None = None,
    ) -> tuple[int, dict[str, t.Any]]:
        # PERF: httpx is needed where somebody signs in with a provider, and not when an application starts.
        import httpx

        # What is compressed may be far longer than it looks, so nothing compressed is asked for, and nothing is taken.
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
        try:
            with self._made().stream(
                method, url, data=data, headers=sent, follow_redirects=False, timeout=SILENCE_SECONDS
            ) as response:
                if response.headers.get("content-encoding", "identity").lower() != "identity":
                    raise ProviderError(f"{url} has answered in a compressed form that was not asked for.")
                body = self._read(url, response)
        except httpx.HTTPError as error:
            raise ProviderError(f"{url} cannot be reached: {error!r}") from error
        try:
            document = json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ProviderError(f"{url} has answered {response.status_code} with no JSON.") from error
        if not isinstance(document, dict):
            raise ProviderError(f"{url} has answered {response.status_code} with JSON that is no object.")
        return response.status_code, t.cast("dict[str, t.Any]", document)

    def _read(self, url: str, response: httpx.Response) -> bytes:
        end = time.monotonic() + self._most_seconds
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > self._most_bytes:
                raise ProviderError(f"{url} has answered with more than {self._most_bytes} bytes.")
            if time.monotonic() > end:
                raise ProviderError(f"{url} has answered for more than {self._most_seconds} seconds.")
        return bytes(body)

    def _made(self) -> httpx.Client:
        # As in `_ask`.
        import httpx

        with self._lock:
            if self._client is None:
                self._client = httpx.Client(timeout=SILENCE_SECONDS)
            return self._client


def is_safe(url: object, *, loopback: bool = False) -> bool:
    """Return whether an address is one that a provider may have: ``https``, a host, nothing before an ``@``.

    :param url: what was configured, or what a provider says.
    :param loopback: whether plain ``http`` is taken of this machine, as in development.
    """
    if not isinstance(url, str) or not url.isascii() or any(ord(one) <= 32 or one == "\\" for one in url):
        return False
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or "#" in url:
        return False
    return parts.scheme == "https" or (
        loopback and parts.scheme == "http" and host in {"localhost", "127.0.0.1", "::1"}
    )
