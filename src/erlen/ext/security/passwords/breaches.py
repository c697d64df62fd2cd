"""Passwords that were stolen elsewhere and are known: where to ask for them."""

from __future__ import annotations

import hashlib
import logging
import re
import typing as t
import unicodedata

if t.TYPE_CHECKING:
    import httpx

_log = logging.getLogger(__name__)

#: Some 2,000 lines of at most 60 bytes come; more is no answer to our question.
MOST_BYTES = 1024 * 1024


class BreachCheck(t.Protocol):
    """Knows passwords that were stolen somewhere.

    .. versionadded:: 0.1
    """

    def count(self, password: str) -> int:
        """Return how often a password was found among stolen ones; 0 where that cannot be told."""
        ...


class HaveIBeenPwned:
    """Asks the range service of Have I Been Pwned.

    Neither the password nor its hash is sent: the first five digits of its SHA-1 are, and the answer has the rest of all hashes
    that begin so, filled up with random lines, so that not even its length says more. A service that does not answer stops nobody.

    :param http: sends the questions.
    :param url: where the service is; another one may have the same interface.
    :param timeout: how many seconds an answer may take.

    .. versionadded:: 0.1
    """

    def __init__(
        self, http: httpx.Client, *, url: str = "https://api.pwnedpasswords.com/range/", timeout: float = 2.0
    ) -> None:
        self._http, self._url, self._timeout = http, url, timeout

    def count(self, password: str) -> int:
        """Return how often a password was found among stolen ones; 0 where that cannot be told.

        :param password: the password.
        """
        # Slow to import, and whoever made the client has done it.
        import httpx

        text = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
        digest = hashlib.sha1(text, usedforsecurity=False).hexdigest().upper()
        try:
            answer = self._ask(digest[:5])
        except (httpx.HTTPError, httpx.StreamError, _NoAnswerError) as error:
            # Nothing of the question: its digits narrow the password down.
            _log.warning(
                "Whether a password is among stolen ones could not be asked (%s); it was taken.",
                type(error).__name__,
            )
            return 0
        found = re.search(rf"^{digest[5:]}:([0-9]{{1,12}})\r?$", answer, re.MULTILINE)
        return int(found[1]) if found else 0

    def _ask(self, prefix: str) -> str:
        headers = {"Add-Padding": "true", "Accept": "text/plain"}
        with self._http.stream(
            "GET", self._url + prefix, headers=headers, timeout=self._timeout, follow_redirects=False
        ) as response:
            if response.status_code != 200:
                raise _NoAnswerError
            content = b""
            for part in response.iter_bytes():
                content += part
                if len(content) > MOST_BYTES:
                    raise _NoAnswerError
        return content.decode("ascii", "replace").upper()


class _NoAnswerError(Exception):
    """The service said something else than what was asked."""
