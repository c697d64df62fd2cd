"""Headers of responses in the form in which ASGI sends them."""

from __future__ import annotations

#: How many headers are remembered in the form in which they are sent.
KNOWN_HEADERS = 1024

#: How many characters name and value have together at most to be remembered: clients have a say in some values.
KNOWN_LENGTH = 1024


class _Encoded(dict[tuple[str, str], tuple[bytes, bytes]]):
    """Headers as ASGI wants them. Most responses have the same ones, so they are encoded once.

    PERF: async plaintext: asked for all headers of a response by C code, 0.1 us.
    """

    def __missing__(self, pair: tuple[str, str]) -> tuple[bytes, bytes]:
        name, value = pair
        try:
            # ASGI asks for names in lower case.
            encoded = (name.lower().encode("ascii"), value.encode("latin1"))
        except UnicodeEncodeError as error:
            raise ValueError(
                f"The header {name!r} of this response is {value!r}, which cannot be sent: names are ASCII, and values "
                f"Latin-1 (RFC 9110, section 5.5). Encode the value, for example with urllib.parse.quote()."
            ) from error
        # A cookie is another one for each user, and nobody else's business.
        if encoded[0] != b"set-cookie" and len(name) + len(value) <= KNOWN_LENGTH:
            if len(self) >= KNOWN_HEADERS:
                self.clear()
            self[pair] = encoded
        return encoded


#: The headers, asked for by name and value.
ENCODED = _Encoded()
