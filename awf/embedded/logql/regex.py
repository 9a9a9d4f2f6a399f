"""RE2 patterns on Python's engine: what both mean alike is translated, the rest is refused by name.

Python backtracks where RE2 does not, so repeated groups that can blow up are refused as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NoReturn

from awf.errors import QueryError, UnsupportedQuery

MAX_PATTERN_CHARS = 2_000

_SHARED_ESCAPES = frozenset("dDwWsSbBAntrfvax0")
_OPENERS = re.compile(r"\(\?(?:P?<(\w+)>|([ims]+)(\)|:)|:)")
_BOUNDED = re.compile(r"\{(\d+)(,?)(\d*)\}")
_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_MAX_REPEAT = 1_000


@dataclass(slots=True)
class _Group:
    """What is open while scanning: whether it repeats without bound, and flags opened inside it."""

    unbounded: bool = False
    flag_groups: int = 0
    empty: bool = True


@dataclass(slots=True)
class _Scan:
    pattern: str
    position: int = 0
    out: list[str] = field(default_factory=list)
    stack: list[_Group] = field(default_factory=lambda: [_Group()])
    last_unbounded: bool = False
    multiline: bool = False

    def run(self) -> str:
        while self.position < len(self.pattern):
            self._step(self.pattern[self.position])
        if len(self.stack) != 1:
            raise QueryError(f"error parsing regexp: missing closing ): `{self.pattern}`")
        return "".join(self.out) + ")" * self.stack[0].flag_groups

    def _emit(self, text: str, width: int | None = None) -> None:
        self.out.append(text)
        self.position += len(text) if width is None else width

    def _step(self, char: str) -> None:
        top = self.stack[-1]
        if char == "(":
            self._open()
            return
        if char in "*+?{" and (char != "{" or _BOUNDED.match(self.pattern, self.position)):
            self._repeat(char)
            return
        if char == ")":
            self._close()
            return
        self.last_unbounded = False
        if char == "|":
            self._emit("|")
            top.empty = True
            return
        top.empty = False
        if char == "\\":
            self._escape()
        elif char == "[":
            self._class()
        elif char == "$" and not self.multiline:
            self._emit(r"\Z", 1)
        else:
            self._emit(char)

    def _open(self) -> None:
        if not self.pattern.startswith("(?", self.position):
            self.stack.append(_Group())
            self._emit("(")
            return
        found = _OPENERS.match(self.pattern, self.position)
        if found is None:
            self._refuse(self.pattern[self.position : self.position + 4])
        name, flags, end = found.groups()
        if flags and "m" in flags:
            if self.position:
                self._refuse(found[0])
            self.multiline = True
        if end == ")":
            # RE2 applies `(?i)` up to the end of the group; only at its start is a scoped group the same.
            if not self.stack[-1].empty or "|" in self.pattern[: self.position]:
                self._refuse(f"{found[0]} in the middle of a pattern")
            self.stack[-1].flag_groups += 1
            self._emit(f"(?{flags}:", len(found[0]))
            return
        self.stack.append(_Group())
        self._emit(f"(?P<{name}>" if name else found[0], len(found[0]))

    def _close(self) -> None:
        if len(self.stack) == 1:
            raise QueryError(f"error parsing regexp: unexpected ): `{self.pattern}`")
        group = self.stack.pop()
        self._emit(")" * (group.flag_groups + 1), 1)
        self.stack[-1].empty = False
        self.stack[-1].unbounded |= group.unbounded
        self.last_unbounded = group.unbounded

    def _repeat(self, char: str) -> None:
        bounded = _BOUNDED.match(self.pattern, self.position) if char == "{" else None
        text = bounded[0] if bounded else char
        if bounded and max(int(bounded[1]), int(bounded[3] or 0)) > _MAX_REPEAT:
            raise QueryError(f"error parsing regexp: invalid repeat count: `{text}`")
        if self.pattern.startswith("?", self.position + len(text)):
            text += "?"
        if self.pattern[self.position + len(text) : self.position + len(text) + 1] in {"*", "+"}:
            raise QueryError(f"error parsing regexp: invalid nested repetition operator in `{self.pattern}`")
        many = char != "?" and not (bounded and (not bounded[2] or bounded[3]))
        many = many or bool(bounded and int(bounded[3] or bounded[1]) > 10)
        if many and self.last_unbounded:
            self._refuse(f"the repeated group before {text!r} that itself repeats without bound")
        self.stack[-1].unbounded |= many
        self._emit(text)

    def _escape(self) -> None:
        char = self.pattern[self.position + 1 : self.position + 2]
        if char == "z":
            self._emit(r"\Z", 2)
        elif char and (char in _SHARED_ESCAPES or not char.isalnum()):
            self._emit(f"\\{char}")
        else:
            self._refuse(f"\\{char}")

    def _class(self) -> None:
        found = _CLASS.match(self.pattern, self.position)
        if found is None:
            raise QueryError(f"error parsing regexp: missing closing ]: `{self.pattern}`")
        if "[:" in found[0] or re.search(r"\\[pPQE]", found[0]):
            self._refuse(f"the character class {found[0]}")
        # Python warns of, and may one day read, set operations that RE2 takes literally.
        body = re.sub(r"(?<!\\)(\[|&&|~~|\|\|)", lambda m: "\\" + "\\".join(m[0]), found[0][1:])
        self._emit("[" + body, len(found[0]))

    def _refuse(self, construct: str) -> NoReturn:
        raise UnsupportedQuery(
            f"{construct} in the regular expression `{self.pattern}` is not supported by the embedded store",
            hint="Rewrite the expression with plain groups, classes and repetitions.",
        )


@lru_cache(maxsize=512)
def translate(pattern: str) -> str:
    """Return the pattern for Python's `re`. Raises QueryError or UnsupportedQuery naming the construct."""
    if len(pattern) > MAX_PATTERN_CHARS:
        raise QueryError(f"regular expression of {len(pattern)} characters; at most {MAX_PATTERN_CHARS}")
    translated = _Scan(pattern).run()
    try:
        re.compile(translated, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise QueryError(f"error parsing regexp: {error}: `{pattern}`") from error
    return translated


@lru_cache(maxsize=512)
def search_pattern(pattern: str) -> re.Pattern[str]:
    """Compile for use anywhere in a line."""
    return re.compile(translate(pattern), re.ASCII)


@lru_cache(maxsize=512)
def anchored_pattern(pattern: str) -> re.Pattern[str]:
    """Compile for a whole label value, as Prometheus anchors its matchers; use `fullmatch`."""
    return re.compile(f"(?s:{translate(pattern)})", re.ASCII)


def scoped_flags(pattern: str) -> str:
    """Return an equal pattern whose leading `(?i)` is `(?i:...)`, so that it may be put inside another."""
    found = re.match(r"\(\?([ims]+)\)", pattern)
    return pattern if found is None else f"(?{found[1]}:{pattern[found.end() :]})"
