"""What must not be shown: values under names that look like secrets, and those values wherever else they stand."""

from __future__ import annotations

import itertools
import re
import typing as t
from collections import deque
from urllib.parse import quote, quote_plus

#: What stands in place of a secret.
HIDDEN = "[hidden]"

# Parts of names, without the characters that separate words in them.
_PARTS = (
    "password passwd passphrase secret token apikey csrf xsrf credential authorization cookie privatekey accesskey "
    "signingkey encryptionkey sessionid sessionkey jwt bearer"
).split()
# Whole words, which as parts would hide 'author' and 'spin'.
_WORDS = frozenset("auth pass pwd pin otp totp passcode signature sid cvv cvc".split())
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_SEPARATOR = re.compile(r"[\W_]+")

# What is said of a cookie, and is not in it: the keys of the configuration.
_ABOUT = re.compile(r"(?i)cookie[_-]?(?:name|path|domain|secure|httponly|samesite|partitioned|overflow|size)")

# Values that are no secret whatever their name is.
_PLAIN = (bool, type(None))

# A shorter one is no secret, and would hide parts of everything else. A long one is no word that stands in others.
_SHORTEST = 5
_LONG = 16
# Secrets that are remembered, and values in which they are looked for.
_MOST = 500
_LOOKED_AT = 5000

# Words end at what is no letter, and at the escapes of repr() and of URLs.
_BEFORE = r"(?:(?<!\w)|(?<=\\[nrt])|(?<=\\x[0-9a-f]{2})|(?<=%[0-9A-Fa-f]{2}))"

# As in User(password='x'), Login(pin=1234, token=UUID('x')), {"token": "x"} and ('Cookie', 'x'); and that in the text of
# another value, where the quotes have backslashes.
_QUOTED = re.compile(
    r"(?<![\w.-])(?P<name>[\w.-]++)(?P<between>\\{0,7}+['\"]?\s*+[:=,]\s*+(?:(?:[A-Z]\w*+|bytearray)\()?b?)"
    r"(?P<text>'(?:[^'\\]|\\.)*+'|\"(?:[^\"\\]|\\.)*+\""
    r"|\\{1,7}+(?P<quote>['\"])(?:(?!\\{1,7}+(?P=quote)).)*+\\{1,7}+(?P=quote)|[0-9]{4,}+(?![\w.]))"
)
# As in /path?token=x&y=1, and in that query alone.
_IN_QUERY = re.compile(r"(?P<name>(?:(?<=[?&'\"])|\A)[\w.-]++)(?P<between>=)(?P<text>[^&#\s'\"]++)")
# As in postgresql://user:password@host, also where the password has an @ that nobody has quoted.
_IN_URL = re.compile(r"(?<=://)([^\s/:@'\"]*):([^\s/'\"]+)(?=@)")
_QUOTE = re.compile(r"\\*+['\"]")
# What stands for a value in advice: '...', '***', 'xxx', '<key>', '{key}', '$KEY', '%s', 'your-key'.
_PLACEHOLDER = re.compile(
    r"[.\u2026*\u2022_-]++|[xX]{3,}+|<[\w .-]++>|\$?\{\w*+\}|\$[A-Z_]++|%s|%\(\w++\)s|[Yy]our[-_ ][\w -]*+"
)


def is_secret_name(name: str) -> bool:
    """Return whether a name looks as if it had a secret.

    :param name: of a variable, a header, a field or a key.
    """
    name = _ABOUT.sub("", name)
    joined = _SEPARATOR.sub("", name).lower()
    if any(part in joined for part in _PARTS):
        return True
    return any(word.lower() in _WORDS for word in _WORD.findall(name))


def is_hidden(name: t.Any, value: t.Any) -> bool:
    """Return whether a value is not to be shown because of its name.

    :param name: anything; no text is no such name.
    :param value: what it names.
    """
    return isinstance(name, str) and not isinstance(value, _PLAIN) and is_secret_name(name)


class Mask:
    """Takes secrets out of text."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, value: t.Any) -> None:
        """Remember a secret.

        :param value: text of a few characters at least; all text in a list, a tuple or a dict of it is remembered.
        """
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list | tuple):
            for one in t.cast("t.Sequence[t.Any]", value)[:_MOST]:
                self.add(one)
        elif isinstance(value, str) and len(value) >= _SHORTEST and len(self._known) < _MOST:
            text = str(value)
            escaped = repr(text)[1:-1]
            self._known |= {text, escaped}
            if text.isascii():
                self._known |= {quote(text), quote(text, safe=""), quote_plus(text)}
            self._pattern = None

    def add_named(self, pairs: t.Iterable[tuple[t.Any, t.Any]]) -> None:
        """Remember what has a name that looks like that of a secret, also in the dicts and lists among the values.

        :param pairs: names and values.
        """
        waiting = deque(pairs)
        for _ in range(_LOOKED_AT):
            if not waiting:
                break
            name, value = waiting.popleft()
            if is_hidden(name, value):
                self.add(value)
            elif isinstance(value, dict):
                waiting.extend(itertools.islice(t.cast("t.Any", value).items(), _MOST))
            elif isinstance(value, list | tuple):
                waiting.extend((None, one) for one in t.cast("t.Sequence[t.Any]", value)[:_MOST])

    def known(self, text: str) -> str:
        """Return text without the secrets that are remembered.

        :param text: any text.
        """
        if not self._known:
            return text
        if self._pattern is None:
            parts = [
                re.escape(one) if len(one) >= _LONG else rf"{_BEFORE}{re.escape(one)}(?!\w)"
                for one in sorted(self._known, key=len, reverse=True)
            ]
            self._pattern = re.compile("|".join(parts))
        return self._pattern.sub(HIDDEN, text)

    def __call__(self, text: str) -> str:
        """Return text without those secrets, and without what looks like others.

        :param text: any text.
        """
        text = _QUOTED.sub(_masked, self.known(text))
        text = _IN_QUERY.sub(_masked, text)
        return _IN_URL.sub(rf"\1:{HIDDEN}", text)


def _masked(match: re.Match[str]) -> str:
    text = match["text"]
    found = _QUOTE.match(text)
    quote = found[0] if found else ""
    if is_secret_name(match["name"]) and not (quote and _is_no_secret(text[len(quote) : -1].rstrip("\\"))):
        return f"{match['name']}{match['between']}{quote}{HIDDEN}{quote}"
    # In the text of another value may stand more.
    inside = _QUOTED.sub(_masked, text[len(quote) :]) if quote else text
    return f"{match['name']}{match['between']}{quote}{inside}"


def _is_no_secret(text: str) -> bool:
    """Return whether text in quotes is too short for a secret, or stands for one; a few digits may be a PIN."""
    return (len(text) < _SHORTEST and not text.isdecimal()) or _PLACEHOLDER.fullmatch(text) is not None
