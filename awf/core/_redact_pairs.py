"""Secrets that are known by the name before them: `password=...`, `"token": "..."`, `Cookie: ...`, `--api-key ...`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from awf.core._redact_names import HINTS, SECRET, WORDS, secret_kind, words_of
from awf.core._redact_shapes import Rule, Span
from awf.core._redact_values import Place, Values, may_follow_a_space

MARKS = ("=", ":", "--", ">", "'", '"')
"""What can stand between a name and its value, or around them."""

_NAME_BACKWARDS = re.compile(r"[\w.-]{0,64}+", re.ASCII)
# A name, its closing quote (with the backslashes of JSON inside of JSON) and what separates it from its value.
# A comma separates in pairs of two texts only: ('cookie', 'a=b').
_AFTER_NAME = (
    r"""[\w.-]{0,40}(?P<close>\\{0,8}["'`]\]?)?"""
    r"""(?P<separator>\s{0,4}(?:=>|:=|={1,2}|:)\s{0,8}|\ {1,4}|>|(?<=["']),\s?(?=b?["']))"""
)
_PAIR_BEGINS = re.compile(r"""[(\[]b?["']$""")
_PAIR_ENDS = re.compile(r"""["'][)\]]""")


class Pairs:
    """Finds the values of secret names. `mask` is the expression of the masks of this redactor."""

    def __init__(self, mask: str, names: Iterable[str] = ()) -> None:
        self._values = Values(mask)
        self._names = [words for name in names if (words := words_of(name))]
        further = "".join(rf"|{'[ ._-]?'.join(words)}" for words in self._names)
        self._name = re.compile(
            rf"(?P<mask>{mask})|(?:{WORDS}{further}){_AFTER_NAME}", re.IGNORECASE | re.ASCII
        )
        self.rule = Rule(self.find, (*HINTS, *("".join(words[:1]) for words in self._names)), MARKS)

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
        position = 0
        while found := self._name.search(text, position):
            position = found.end()
            if found["mask"]:
                continue
            place = self._place(text, found)
            if place is None:
                # The separator may be the start of something else: `token session=...`.
                position = max(found.start() + 1, found.start("separator"))
                continue
            start, end = self._values.find(text, place)
            if place.separator == "," and not _PAIR_ENDS.match(text, end):
                continue
            if end > start:
                yield start, end, place.kind
                position = end

    def _place(self, text: str, found: re.Match[str]) -> Place | None:
        before = _NAME_BACKWARDS.match(text[max(0, found.start() - 64) : found.start()][::-1])
        start = found.start() - (len(before[0]) if before else 0)
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
