"""Secrets that are known by the name before them: `password=...`, `"token": "..."`, `Cookie: ...`, `--api-key ...`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from awf.core._redact_names import SECRET, STEMS, secret_kind, words_of
from awf.core._redact_shapes import Rule, Span
from awf.core._redact_values import Place, Values, may_follow_a_space

MARKS = ("=", ":", "--", ">", "'", '"')
"""What can stand between a name and its value, or around them."""

_NAME_BACKWARDS = re.compile(r"[\w.-]{0,64}+", re.ASCII)
# The rest of a name, its closing quote (with the backslashes of JSON inside of JSON) and what separates it from
# its value. A comma separates in pairs of two texts only: ('cookie', 'a=b').
_AFTER_STEM = re.compile(
    r"""[\w.-]{0,40}(?:\ provided)?(?P<close>\\{0,8}["'`]\]?)?"""
    r"""(?P<separator>\s{0,4}(?:=>|:=|={1,2}|:)\s{0,8}|\ {1,4}|>|(?<=["']),\s?(?=[bB]?["']))""",
    re.ASCII,
)
_PAIR_BEGINS = re.compile(r"""[(\[]b?["']$""")
_PAIR_ENDS = re.compile(r"""["'][)\]]""")


class Pairs:
    """Finds the values of secret names. `mask` is the expression of the masks of this redactor."""

    def __init__(self, mask: str, names: Iterable[str] = ()) -> None:
        self._values = Values(mask)
        self._mask = re.compile(mask)
        self._names = [words for name in names if (words := words_of(name))]
        further = ["[ ._-]?".join(words) for words in self._names]
        # Every alternative begins with a letter of its own, in lower case: that makes the search fast.
        self._stem = re.compile("|".join((*further, *STEMS, r"\[")))
        self.rule = Rule(self.find, (*STEMS, *(words[0] for words in self._names)), MARKS)

    def kind(self, name: str) -> str | None:
        """Return the kind of secret that a name announces, None for a harmless name."""
        found = secret_kind(name)
        if found is None and self._names:
            compact = "".join(words_of(name))
            if any(compact.endswith("".join(words)) for words in self._names):
                return SECRET
        return found

    def find(self, text: str) -> Iterator[Span]:
        """Find the values of secret names in a text."""
        lowered = _lowered(text)
        position = 0
        while stem := self._stem.search(lowered, position):
            position = stem.end()
            if stem[0] == "[":
                mask = self._mask.match(text, stem.start())
                position = mask.end() if mask else position
                continue
            after = _AFTER_STEM.match(text, position)
            place = self._place(text, stem, after) if after else None
            if place is None:
                continue
            start, end, is_secret = self._values.find(text, place)
            if place.separator == "," and not _PAIR_ENDS.match(text, end):
                position = place.start
                continue
            position = max(place.start, end)
            if is_secret:
                yield start, end, place.kind

    def _place(self, text: str, stem: re.Match[str], found: re.Match[str]) -> Place | None:
        start = _start_of_name(text, stem)
        close = found["close"] or ""
        name = text[start : found.start("close" if close else "separator")]
        kind = self.kind(name)
        if kind is None:
            return None
        place = Place(name, kind, found["separator"].strip(), found.end(), bool(close))
        if place.separator == "" and not may_follow_a_space(text, place):
            return None  # elsewhere a space separates words
        if place.separator == ">" and text[start - 1 : start] != "<":
            return None  # `<password>hunter2</password>`
        if place.separator == "," and not _PAIR_BEGINS.search(text[max(0, start - 3) : start]):
            return None
        return place


def _start_of_name(text: str, stem: re.Match[str]) -> int:
    start = stem.start() - _length_of_name_before(text, stem.start())
    if stem[0] == "key" and start == stem.start() and text[start - 1 : start] == " ":
        start -= 1 + _length_of_name_before(text, start - 1)  # `API key: abc`
    return start


def _length_of_name_before(text: str, end: int) -> int:
    before = _NAME_BACKWARDS.match(text[max(0, end - 64) : end][::-1])
    return len(before[0]) if before else 0


def _lowered(text: str) -> str:
    """Return the text in lower case, each character where it was."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(character.lower() if character.isascii() else character for character in text)
