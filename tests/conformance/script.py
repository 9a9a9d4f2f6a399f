"""Prometheus' language for tests of PromQL: text to commands, each with its line.

`load STEP` with series below it, `clear`, `eval instant at T QUERY` and `eval range from T to T step T QUERY`
with what is expected below. The older `eval_fail`, `eval_warn`, `eval_info` and `eval_ordered` are read too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from tests.conformance.notation import NotationError, Series, read_number, read_series, unquote

_UNITS_MS = {
    "y": 31_536_000_000,
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}
_DURATION = re.compile(r"(?:(\d+)(ms|[ywdhms]))+")
_LOAD = re.compile(r"load(_with_nhcb)?\s+(\S+)")
_INSTANT = re.compile(r"eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(\S+)\s+)?(.+)")
_RANGE = re.compile(r"eval(?:_(fail|warn|info))?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)")
_EXPECT = re.compile(r"expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?")
_EXPECT_MATRIX = re.compile(r"expect range vector\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)")

About = Literal["ordered", "fail", "warn", "no_warn", "info", "no_info"]


class ScriptError(ValueError):
    """A script cannot be read."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")


@dataclass(frozen=True, slots=True)
class Clear:
    line: int


@dataclass(frozen=True, slots=True)
class Load:
    line: int
    step_ms: int
    series: tuple[Series, ...]
    with_native: bool
    """Whether classic histograms are to be there as native ones too."""
    start_times: frozenset[frozenset[tuple[str, str]]]
    """The series that have times at which their counting began."""


@dataclass(frozen=True, slots=True)
class Expectation:
    about: About
    message: str | None = None
    pattern: re.Pattern[str] | None = None

    def met_by(self, text: str) -> bool:
        return (
            self.message == text
            if self.message is not None
            else bool(not self.pattern or self.pattern.search(text))
        )


@dataclass(slots=True)
class Eval:
    """A query, when to run it, and what should come of it."""

    line: int
    query: str
    start_ms: int
    end_ms: int
    step_ms: int
    is_range: bool
    expectations: list[Expectation] = field(default_factory=list)
    series: list[Series] = field(default_factory=list)
    scalar: float | None = None
    text: str | None = None
    is_matrix: bool = False
    """Whether an instant query returns a range vector, at the times from start to end."""

    def expects(self, about: About) -> list[Expectation]:
        return [item for item in self.expectations if item.about == about]


Command = Clear | Load | Eval


def duration_ms(text: str) -> int:
    """Read a duration such as 1m30s, or 0. Raises ValueError."""
    if text == "0":
        return 0
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is no duration")
    return sum(int(count) * _UNITS_MS[unit] for count, unit in re.findall(r"(\d+)(ms|[ywdhms])", text))


def read_script(text: str) -> list[Command]:
    """Read a whole script. Raises ScriptError naming the line."""
    commands: list[Command] = []
    for first, block in _blocks(text):
        try:
            commands.append(_command(first, block))
        except (NotationError, ValueError, re.error) as error:
            raise error if isinstance(error, ScriptError) else ScriptError(first, str(error)) from error
    return commands


def _blocks(text: str) -> list[tuple[int, list[str]]]:
    """Split into commands: a line and what follows it up to an empty line or the next command."""
    blocks: list[tuple[int, list[str]]] = []
    is_open = False
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            is_open = False
        elif is_open and not re.match(r"(load|eval)[_a-z]*\s|clear$", line):
            blocks[-1][1].append(line)
        else:
            blocks.append((number, [line]))
            is_open = True
    return blocks


def _command(number: int, lines: list[str]) -> Command:
    head = lines[0]
    if head.lower() == "clear":
        return Clear(number)
    if found := _LOAD.fullmatch(head):
        return _load(number, found, lines[1:])
    if found := _RANGE.fullmatch(head):
        modifier, start, end, step, query = found.groups()
        wanted = Eval(number, query, duration_ms(start), duration_ms(end), duration_ms(step), is_range=True)
    elif found := _INSTANT.fullmatch(head):
        modifier, at, query = found.groups()
        moment = duration_ms(at or "0")
        wanted = Eval(number, query, moment, moment, 1, is_range=False)
    else:
        raise ScriptError(number, f"no command of the language: {head!r}")
    if modifier:
        wanted.expectations.append(Expectation(modifier))
    for line in lines[1:]:
        _expect(wanted, line)
    return wanted


def _load(number: int, found: re.Match[str], lines: list[str]) -> Load:
    series, begun = [], set()
    for line in lines:
        metric, mark, rest = line.partition("@st")
        if mark and re.match(r"\s", rest):
            begun.add(frozenset(read_series(metric + " _").labels.items()))
        else:
            series.append(read_series(line))
    return Load(number, duration_ms(found[2]), tuple(series), bool(found[1]), frozenset(begun))


def _expect(wanted: Eval, line: str) -> None:
    if found := re.fullmatch(r"expected_fail_(message|regexp)\s+(.+)", line):
        wanted.expectations = [item for item in wanted.expectations if item.about != "fail"]
        wanted.expectations.append(
            _expectation("fail", "msg" if found[1] == "message" else "regex", found[2])
        )
    elif found := _EXPECT_MATRIX.fullmatch(line):
        wanted.start_ms, wanted.end_ms, wanted.step_ms = (duration_ms(text) for text in found.groups())
        wanted.is_matrix = True
    elif line.startswith("expect string "):
        wanted.text = unquote(line.removeprefix("expect string ").strip())
    elif found := _EXPECT.fullmatch(line):
        wanted.expectations.append(_expectation(*found.groups()))
    elif re.match(r"expect\s", line):
        raise ValueError(f"{line!r} expects nothing known")
    elif (number := read_number(line)) is not None:
        wanted.scalar = number
    else:
        wanted.series.append(read_series(line))


def _expectation(about: About, how: str | None, text: str | None) -> Expectation:
    if how is None or text is None:
        return Expectation(about)
    text = text.strip()
    return Expectation(about, message=text) if how == "msg" else Expectation(about, pattern=re.compile(text))
