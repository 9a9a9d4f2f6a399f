"""RE2 patterns, as Prometheus and Loki write them, compiled for Python's `re` with the same meaning.

What Python would read differently is translated; what it cannot express, and what could backtrack
without bound, is refused by name. Not a general RE2: only what label matchers and line filters need.
"""

from __future__ import annotations

import re

from awf.errors import QueryError, UnsupportedQuery

_REPEAT = re.compile(r"\{(\d+)(,(\d*))?\}")
_GROUP = re.compile(r"\?(?:P?<(?P<name>\w+)>|(?P<flags>[ims]*(?:-[ims]+)?)(?P<end>[:)]))")
_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
_LITERAL_ESCAPES = frozenset("afnrtvA")
_MAX_WAYS = 10_000.0
_MAX_OPEN_REPEATS = 8


def compile_re2(pattern: str) -> re.Pattern[str]:
    """Compile an RE2 pattern in which `.` matches newlines (`(?s:...)`, as in Prometheus).

    Use `fullmatch` for anchored matching. Raises QueryError when the pattern is wrong, UnsupportedQuery
    when it is right but has no safe equivalent here.
    """
    translated = _Translator(pattern).run()
    try:
        return re.compile(f"(?s:{translated})")
    except (re.error, OverflowError, RecursionError) as error:
        raise QueryError(f"invalid regular expression {pattern!r}: {error}") from error


class _Group:
    """An open parenthesis: how to close it, and in how many ways its content can match one text."""

    def __init__(self, closing: str) -> None:
        self.closing = closing
        self.ways = 1.0
        self.fresh = True  # nothing of it read yet: flags may still come


class _Translator:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._out: list[str] = []
        self._groups = [_Group("")]
        self._atom_ways = 1.0  # of what a quantifier would repeat
        self._open_repeats = 0

    def run(self) -> str:
        while self._at < len(self._text):
            self._step(self._text[self._at])
        if len(self._groups) > 1:
            raise QueryError(f"invalid regular expression {self._text!r}: missing closing )")
        return "".join(self._out) + self._groups[0].closing

    def _step(self, char: str) -> None:
        match char:
            case "\\":
                self._emit(self._escape())
            case "[":
                self._emit(self._character_class())
            case "(":
                self._open()
                return
            case ")":
                self._close()
                return
            case "|":
                self._groups[-1].ways += 1
                self._emit("|")
            case "*" | "+" | "?" | "{":
                self._quantifier(char)
            case "$":
                self._emit(r"\Z")
            case _:
                self._emit(char)
        self._groups[-1].fresh = False

    def _emit(self, text: str, *, width: int = 1) -> None:
        self._out.append(text)
        self._at += width
        self._atom_ways = 1.0

    def _refuse(self, what: str) -> UnsupportedQuery:
        return UnsupportedQuery(f"{what} in the regular expression {self._text!r} is not supported")

    def _escape(self) -> str:
        """Translate the escape at the cursor, leaving the cursor on its last character."""
        following = self._text[self._at + 1 : self._at + 2]
        if following == "Q":
            end = self._text.find(r"\E", self._at)
            stop = len(self._text) if end < 0 else end
            literal = self._text[self._at + 2 : stop]
            self._at = min(stop + 2, len(self._text)) - 1
            return f"(?:{re.escape(literal)})"
        self._at += 1
        if following.lower() in _CLASSES:
            negated = "^" if following.isupper() else ""
            return f"[{negated}{_CLASSES[following.lower()]}]"
        if following == "z":
            return r"\Z"
        return self._plain_escape(following)

    def _plain_escape(self, following: str) -> str:
        if not following:
            raise QueryError(f"invalid regular expression {self._text!r}: trailing backslash")
        is_hex = following == "x" and re.match(r"[0-9A-Fa-f]{2}", self._text[self._at + 1 :])
        known = following in _LITERAL_ESCAPES or is_hex
        if following.isascii() and following.isalnum() and not known:
            raise self._refuse(f"\\{following}")
        return f"\\{following}"

    def _character_class(self) -> str:
        start = self._at
        out = ["["]
        self._at += 1
        if self._text[self._at : self._at + 1] == "^":
            out.append("^")
            self._at += 1
        first = True
        while first or self._text[self._at : self._at + 1] != "]":
            if self._at >= len(self._text):
                raise QueryError(f"invalid regular expression {self._text!r}: missing closing ]")
            out.append(self._class_item(first=first))
            first = False
        if "--" in self._text[start : self._at]:
            raise self._refuse("'--' in a character class")
        return "".join(out) + "]"

    def _class_item(self, *, first: bool) -> str:
        char = self._text[self._at]
        if self._text.startswith("[:", self._at):
            raise self._refuse(f"the class {self._text[self._at : self._at + 10]!r}")
        if char == "\\":
            following = self._text[self._at + 1 : self._at + 2]
            if following in _CLASSES:
                self._at += 2
                return _CLASSES[following]
            if following in {"D", "W", "S", "A", "Q"}:
                raise self._refuse(f"\\{following} in a character class")
            self._at += 1
            text = self._plain_escape(following)
            self._at += 1
            return text
        self._at += 1
        return f"\\{char}" if char in "[&~|" or (char == "]" and first) else char

    def _open(self) -> None:
        if self._text[self._at + 1 : self._at + 2] != "?":
            self._emit("(")
            self._groups.append(_Group(")"))
            return
        found = _GROUP.match(self._text, self._at + 1)
        if not found:
            raise self._refuse(repr(self._text[self._at : self._at + 4]))
        width = found.end() - self._at
        if found["name"]:
            self._emit(f"(?P<{found['name']}>", width=width)
            self._groups.append(_Group(")"))
        elif found["end"] == ":":
            self._emit(f"(?{found['flags']}:", width=width)
            self._groups.append(_Group(")"))
        else:
            self._set_flags(found["flags"], width)

    def _set_flags(self, flags: str, width: int) -> None:
        """`(?i)` holds to the end of its group; Python has it only as a group of its own."""
        if not self._groups[-1].fresh or not flags:
            raise self._refuse(f"(?{flags}) after the start of its group")
        if "m" in flags:
            raise self._refuse(f"(?{flags})")
        self._emit(f"(?{flags}:", width=width)
        self._groups[-1].closing = ")" + self._groups[-1].closing

    def _close(self) -> None:
        if len(self._groups) == 1:
            raise QueryError(f"invalid regular expression {self._text!r}: unexpected )")
        group = self._groups.pop()
        self._emit(group.closing)
        self._atom_ways = group.ways
        self._groups[-1].ways *= group.ways
        self._groups[-1].fresh = False

    def _quantifier(self, char: str) -> None:
        found = _REPEAT.match(self._text, self._at) if char == "{" else None
        if char == "{" and not found:
            self._emit(r"\{")
            return
        low, high = (0.0, 1.0) if char == "?" else (0.0, float("inf"))
        if found:
            low = float(found[1])
            high = low if found[2] is None else float(found[3] or "inf")
            if low > 1000 or (high != float("inf") and high > 1000):
                raise QueryError(f"invalid regular expression {self._text!r}: repeat count above 1000")
        self._count_ways(low, high)
        self._emit(found[0] if found else char, width=len(found[0]) if found else 1)
        if self._text[self._at : self._at + 1] == "?":
            self._emit("?")
        if self._text[self._at : self._at + 1] in {"*", "+", "?"}:
            raise QueryError(f"invalid regular expression {self._text!r}: nested repetition operator")

    def _count_ways(self, low: float, high: float) -> None:
        """Refuse what backtracking would try in too many ways: repetition of something ambiguous."""
        choices = high - low + 1
        if high == float("inf"):
            self._open_repeats += 1
            choices = 2.0
        # Each round of an ambiguous part multiplies the ways; 200 rounds are over any bound.
        rounds = min(high, 200.0) if self._atom_ways > 1 else 0.0
        ways = choices * self._atom_ways**rounds
        if ways > _MAX_WAYS or self._open_repeats > _MAX_OPEN_REPEATS:
            raise self._refuse("repetition of a part that itself repeats or has alternatives")
        self._groups[-1].ways = max(self._groups[-1].ways, 1.0) * max(ways, 1.0)
        self._groups[-1].ways = min(self._groups[-1].ways, _MAX_WAYS + 1)
