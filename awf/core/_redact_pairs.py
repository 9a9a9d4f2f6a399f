"""Secrets that are known by the name before them: `password=...`, `"token": "..."`, `Cookie: ...`, `--api-key ...`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from awf.core._redact_names import BEARER, HINTS, SECRET, WORDS, secret_kind, words_of
from awf.core._redact_shapes import Rule, Span

MARKS = ("=", ":", "--", ">")
"""What can stand between a name and its value."""

_NAME_BACKWARDS = re.compile(r"[\w.-]{0,64}+", re.ASCII)
# Commas, semicolons and ampersands end a value where another name or a space follows.
_BARE = re.compile(r"""(?:[^\s"'`,;&\\<]|\\(?!["'])|[,;&](?![\s,;&]|\\?["']|[\w.-]{1,64}\s{0,2}[=:]|$))+""")
_QUOTE = re.compile(r"""(\\{0,8})(["'`])""")
_LIST = re.compile(r"\[[^\]]*+\]?")
_LINE = re.compile(r"""(?:[^\r\n"'\\]|\\(?!["'nr]))+""")
_TO_THE_END = re.compile(r"[^\r\n]+")
_SCHEME = re.compile(
    r"(bearer|basic|token|apikey|negotiate|ntlm|digest|aws4-hmac-sha256)[ \t]+", re.IGNORECASE
)
_WHOLE_LINE_SCHEMES = frozenset(("digest", "aws4-hmac-sha256"))
_PLACEHOLDER = re.compile(
    r"""\$?\{(?:[\w.:-]{0,64}\}|\s*["'{}]|\s*$)|\$[A-Za-z_]\w*|%\(?[a-z]|<[\w -]{1,40}>|\*+"""
)
_NOTHING = frozenset(
    ("none", "null", "nil", "true", "false", "undefined", "redacted", "[redacted]", "<redacted>", "[]")
)
_CLOSING = ")}]>.!?"
# Names that are also words of a sentence: "unexpected token: end of input".
_PROSE_NAMES = frozenset(("token", "session", "auth", "authorization", "cookie", "jwt", "sig", "pass"))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a secret name ends: what comes next is its value."""

    name: str
    kind: str
    separator: str
    start: int
    is_quoted: bool


class Pairs:
    """Finds the values of secret names. `mask` matches the masks of this redactor, which are left alone."""

    def __init__(self, mask: str, names: Iterable[str] = ()) -> None:
        self._mask = re.compile(rf"{mask}(?:[{re.escape(_CLOSING)}\s]|\\[nr])*")
        self._names = [words for name in names if (words := words_of(name))]
        further = "".join(rf"|{'[ ._-]?'.join(words)}" for words in self._names)
        self._name = re.compile(
            rf"(?P<mask>{mask})"
            rf"|(?:{WORDS}{further})[\w.-]{{0,40}}"
            r"""(?P<close>\\{0,8}["'`]\]?)?(?P<separator>\s{0,4}(?:=>|:=|={1,2}|:)\s{0,8}|\ {1,4}|>)""",
            re.IGNORECASE | re.ASCII,
        )
        self.rule = Rule(self.find, (*HINTS, *("".join(words[:1]) for words in self._names)), MARKS)

    def kind(self, name: str) -> str | None:
        """Return the kind of secret that a name announces, None for a harmless name."""
        found = secret_kind(name)
        if found is None and self._names:
            words = words_of(name)
            compact = "".join(words)
            if any(compact.endswith("".join(each)) for each in self._names):
                return SECRET
        return found

    def is_masked(self, value: str) -> bool:
        """Return whether a value is one mask, and what may close it."""
        return self._mask.fullmatch(value) is not None

    def find(self, text: str) -> Iterator[Span]:
        position = 0
        while found := self._name.search(text, position):
            position = found.end()
            place = None if found["mask"] else self._place(text, found)
            if place is None:
                # The separator may be the start of something else: `token session=...`.
                position = position if found["mask"] else max(found.start() + 1, found.start("separator"))
                continue
            start, end = self._value(text, place)
            if end > start:
                yield start, end, place.kind
                position = end

    def _place(self, text: str, found: re.Match[str]) -> _Place | None:
        before = _NAME_BACKWARDS.match(text[max(0, found.start() - 64) : found.start()][::-1])
        start = found.start() - (len(before[0]) if before else 0)
        close = found["close"] or ""
        name = text[start : found.start("close" if close else "separator")]
        separator = found["separator"].strip()
        if not separator and not name.startswith("--"):
            return None  # `--password hunter2`; elsewhere a space separates words
        if separator == ">" and text[start - 1 : start] != "<":
            return None  # `<password>hunter2</password>`
        kind = self.kind(name)
        return _Place(name, kind, separator, found.end(), bool(close)) if kind else None

    def _value(self, text: str, place: _Place) -> tuple[int, int]:
        start = place.start
        quote = _QUOTE.match(text, start)
        if quote:
            return self._unless_harmless(text, quote.end(), _end_of_quoted(text, quote))
        if place.separator == ">":
            end = text.find("<", start)
            return self._unless_harmless(text, start, end if end >= 0 else len(text))
        if masked := self._mask.match(text, start):
            following = _BARE.match(text, masked.end())
            if not following or masked[0][-1:].isspace():
                return start, start
        elif text[start : start + 1] == "[":
            bracket = _LIST.match(text, start)
            return self._unless_harmless(text, start, bracket.end() if bracket else start)
        start, end = _bare(text, place)
        value = text[start:end]
        if _PLACEHOLDER.match(value) or (start == place.start and _is_prose(place, value)):
            return start, start
        while end - 1 > start and text[end - 1] in _CLOSING and not self.is_masked(text[start:end]):
            end -= 1
        return self._unless_harmless(text, start, end)

    def _unless_harmless(self, text: str, start: int, end: int) -> tuple[int, int]:
        value = text[start:end]
        is_harmless = (
            not value.strip()
            or value.lower() in _NOTHING
            or _PLACEHOLDER.fullmatch(value) is not None
            or self.is_masked(value)
        )
        return (start, start) if is_harmless else (start, end)


def _is_prose(place: _Place, value: str) -> bool:
    """Return whether `name: value` is rather a sentence."""
    if place.is_quoted or place.separator != ":" or place.name.lower() not in _PROSE_NAMES:
        return False
    return (value.isalpha() and value[1:].islower() and len(value) <= 20) or len(value) <= 3


def _end_of_quoted(text: str, quote: re.Match[str]) -> int:
    """Return where the quoted value ends: at the same quote with the same backslashes, or with the text."""
    end = quote.end()
    while (end := text.find(quote[0], end)) >= 0:
        backslashes = 0
        while text[end - backslashes - 1] == "\\":
            backslashes += 1
        if backslashes % 2 == 0 or quote[1]:
            return end
        end += len(quote[0])
    return len(text)


def _bare(text: str, place: _Place) -> tuple[int, int]:
    """Return the span of a value without quotes. Headers go on to the end of their line."""
    start = place.start
    last = (words_of(place.name) or [""])[-1]
    if last in {"cookie", "cookies"} and place.separator == ":":
        line = _LINE.match(text, start)
        return start, line.end() if line else start
    if place.kind == BEARER and (scheme := _SCHEME.match(text, start)):
        start = scheme.end()
        if scheme[1].lower() in _WHOLE_LINE_SCHEMES:
            line = _TO_THE_END.match(text, start)
            return start, line.end() if line else start
    bare = _BARE.match(text, start)
    return start, bare.end() if bare else start
