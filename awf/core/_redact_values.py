"""Where the value after a secret name ends, and whether it is worth hiding: `None` and `{password}` are not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from awf.core._redact_names import BEARER, PASSWORD, secret_kind, words_of

CLOSING: Final = {")": "(", "}": "{", "]": "[", ">": "<", ".": "", "!": "", "?": ""}
"""What closes a sentence, or brackets that a value did not open: it is left outside of the mask."""

# Commas, semicolons and ampersands end a value where another name or a space follows; so does a closing tag.
_BARE = re.compile(
    r"""(?:[^\s"'`,;&\\<]|\\(?!["'])|<(?!/)|[,;&](?![\s,;&]|\\?["']|[\w.-]{1,64}\s{0,2}[=:]|$))+"""
)
_QUOTE = re.compile(r"""(?:[bru]{0,2})((\\{0,8})["'`])""", re.IGNORECASE)
_CALL = re.compile(r"""[A-Za-z_][\w.]{0,80}\((?=[bru]{0,2}\\{0,8}["'`])""")  # SecretStr('...')
_SPACE = re.compile(r"\s")
_LIST = re.compile(r"\[[^\]]*+\]?")
_LINE = re.compile(r"""(?:[^\r\n"'\\]|\\(?!["'nr]))+""")
_TO_THE_END = re.compile(r"[^\r\n]+")
_SCHEME = re.compile(
    r"(bearer|basic|token|apikey|negotiate|ntlm|digest|aws4-hmac-sha256)[ \t]+", re.IGNORECASE
)
_WHOLE_LINE_SCHEMES = frozenset(("digest", "aws4-hmac-sha256"))

_NOTHING = frozenset(
    ("none", "null", "nil", "true", "false", "undefined", "redacted", "[redacted]", "<redacted>", "[]")
)
_PLACEHOLDER = re.compile(
    r"\$\{[\w.:-]{0,64}\}|\$[A-Z_][A-Z0-9_]*|%[sdrv]|%\([\w.]{1,40}\)s|<[\w -]{1,40}>|\*+|\.+|x{3,}"
)
_BRACES = re.compile(r"\{{1,2}([\w.:-]{0,64})\}{1,2}")
_OBJECT = re.compile(r"""\{(?:\s|\\{0,8}["'{}]|$)|\$\{\{|\$\([a-z]""")  # its parts are looked at one by one
# Last words of names that are also words of a sentence: "InvalidToken: the token has expired".
_PROSE_NAMES = frozenset(("token", "session", "auth", "authorization", "cookie", "jwt", "sig"))
# What a sentence about a secret goes on with: "password: field required".
_REMARKS = frozenset(
    ("field", "required", "must", "should", "cannot", "can't", "is", "not", "missing", "invalid", "incorrect",
     "wrong", "expired", "rotated", "changed", "failed", "too", "value", "string")
)  # fmt: skip
_FOLDERS = frozenset(("PWD", "OLDPWD"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret name ends: what comes next is its value."""

    name: str
    kind: str
    separator: str
    start: int
    is_quoted: bool


def is_quote(text: str, start: int) -> bool:
    """Return whether a quoted value begins there."""
    return _QUOTE.match(text, start) is not None


class Values:
    """Finds values. `mask` is the expression of the masks of a redactor, which are left alone."""

    def __init__(self, mask: str) -> None:
        self._mask = re.compile(rf"{mask}(?:[{re.escape(''.join(CLOSING))}\s]|\\[nr])*")

    def find(self, text: str, place: Place) -> tuple[int, int, bool]:
        """Return start and end of the value, and whether it must be masked. What is no value is empty."""
        start = place.start
        if call := _CALL.match(text, start):
            start = call.end()
        if quote := _QUOTE.match(text, start):
            return self._judged(text, quote.end(), _end_of_quoted(text, quote), place)
        if place.separator == ">":
            return self._judged(text, start, _end_of_element(text, start), place)
        if _OBJECT.match(text, start):
            return start, start, False
        if masked := self._mask.match(text, start):
            if masked[0][-1:].isspace() or not _BARE.match(text, masked.end()):
                return start, masked.end(), False
        elif bracket := _LIST.match(text, start):
            return self._judged(text, start, bracket.end(), place)
        return self._bare(text, place)

    def _bare(self, text: str, place: Place) -> tuple[int, int, bool]:
        start, end = _without_quotes(text, place)
        value = text[start:end]
        if start == place.start and _is_prose(place, value):
            return start, end, False
        if not self._judged(text, start, end, place)[2]:
            return start, end, False
        while end - 1 > start and (opening := CLOSING.get(text[end - 1])) is not None:
            if opening and opening in value:
                break
            end -= 1
        return self._judged(text, start, end, place)

    def _judged(self, text: str, start: int, end: int, place: Place) -> tuple[int, int, bool]:
        value = text[start:end]
        is_harmless = (
            not value.strip()
            or value.lower() in _NOTHING
            or _PLACEHOLDER.fullmatch(value) is not None
            or _is_template(value)
            or self._mask.fullmatch(value) is not None
            or (place.name in _FOLDERS and value.startswith("/"))
        )
        return start, end, not is_harmless


def _is_template(value: str) -> bool:
    """Return whether `{settings.db_password}` stands for a value; `{hunter2}` is how ODBC quotes one."""
    braces = _BRACES.fullmatch(value)
    return braces is not None and (not braces[1] or secret_kind(braces[1]) is not None)


def _is_prose(place: Place, value: str) -> bool:
    """Return whether `name: value` is rather a sentence."""
    if place.name.lower() == "pass" and (value.isdigit() or place.separator == ":"):
        return len(value) <= 5 or not value.isdigit()  # tests, mostly
    if place.is_quoted or place.separator != ":":
        return False
    if value.lower() in _REMARKS:
        return True
    if (words_of(place.name) or [""])[-1] not in _PROSE_NAMES:
        return False
    return (value.isalpha() and value[1:].islower() and len(value) <= 20) or len(value) <= 3


def _end_of_quoted(text: str, quote: re.Match[str]) -> int:
    """Return where the quoted value ends: at the same quote with the same backslashes, or with the text."""
    end = quote.end()
    while (end := text.find(quote[1], end)) >= 0:
        backslashes = 0
        while text[end - backslashes - 1] == "\\":
            backslashes += 1
        # Inside of `\"...\"` a quote of the value has more backslashes; inside of "..." an odd number of them.
        if backslashes == 0 or (not quote[2] and backslashes % 2 == 0):
            return end
        end += len(quote[1])
    return len(text)


def _end_of_element(text: str, start: int) -> int:
    """Return where the text of an element ends; `<your-token> means ...` is none."""
    end = text.find("<", start)
    if end < 0:
        return start if _SPACE.search(text, start) else len(text)  # cut off
    return end if text.startswith("</", end) else start


def _without_quotes(text: str, place: Place) -> tuple[int, int]:
    """Return the span of a value without quotes. Headers go on to the end of their line."""
    start = place.start
    if (words_of(place.name) or [""])[-1] in {"cookie", "cookies"} and place.separator == ":":
        return start, _end(_LINE.match(text, start), start)
    if place.kind == BEARER and (scheme := _SCHEME.match(text, start)):
        start = scheme.end()
        if scheme[1].lower() in _WHOLE_LINE_SCHEMES:
            return start, _end(_TO_THE_END.match(text, start), start)
    return start, _end(_BARE.match(text, start), start)


def _end(found: re.Match[str] | None, start: int) -> int:
    return found.end() if found else start


def may_follow_a_space(text: str, place: Place) -> bool:
    """Return whether a value may stand after a name and a space only: `--token abc`, `PASSWORD 'abc'`."""
    return place.name.startswith("--") or (place.kind == PASSWORD and is_quote(text, place.start))
