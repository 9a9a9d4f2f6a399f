"""Parameters of Prometheus' HTTP API: times, durations, limits. Every value that does not fit is named."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from awf.embedded.model import Matcher
from awf.embedded.promql.parser import parse_selector
from awf.errors import InvalidInput, QueryError

FIRST_MS = 0
LAST_MS = 253_402_300_799_999  # the end of the year 9999
_UNITS_MS = {
    "y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1,
}  # fmt: skip
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")


class Parameters:
    """The parameters of one request, from its address and its form."""

    def __init__(self, values: Mapping[str, Sequence[str]]) -> None:
        self._values = values

    def all(self, name: str) -> Sequence[str]:
        return self._values.get(name, ())

    def text(self, name: str, default: str = "") -> str:
        """Return the first value, as Prometheus does."""
        values = self.all(name)
        return values[0] if values else default

    def required(self, name: str) -> str:
        if not self.text(name):
            raise invalid(name, "it is missing")
        return self.text(name)

    def time_ms(self, name: str, default_ms: int) -> int:
        """Read Unix seconds or RFC 3339."""
        text = self.text(name)
        if not text:
            return default_ms
        moment = _seconds_ms(text)
        if moment is None:
            moment = _rfc3339_ms(text)
        if moment is None or not -LAST_MS <= moment <= LAST_MS:
            raise invalid(name, f'cannot parse "{text}" to a valid timestamp')
        return moment

    def duration_ms(self, name: str, default_ms: int = 0) -> int:
        """Read seconds or a Prometheus duration such as 1m30s."""
        text = self.text(name)
        if not text:
            return default_ms
        length = _seconds_ms(text)
        if length is None and (found := _DURATION.fullmatch(text)):
            length = sum(int(n) * unit for n, unit in zip(found.groups("0"), _UNITS_MS.values(), strict=True))
        if length is None or abs(length) > LAST_MS:
            raise invalid(name, f'cannot parse "{text}" to a valid duration')
        return length

    def span_ms(self) -> tuple[int, int]:
        """Read `start` and `end`; without them it is all time."""
        start_ms, end_ms = self.time_ms("start", FIRST_MS), self.time_ms("end", LAST_MS)
        if end_ms < start_ms:
            raise invalid("end", "end timestamp must not be before start time")
        return start_ms, end_ms

    def count(self, name: str, default: int = 0) -> int:
        """Read a number that is not negative; 0 means no limit."""
        text = self.text(name, str(default))
        if not re.fullmatch(r"\d{1,18}", text, re.ASCII):
            raise invalid(name, f'cannot parse "{text}" as a number that is not negative')
        return int(text)

    def choice(self, name: str, choices: Sequence[str]) -> str:
        text = self.text(name)
        if text and text not in choices:
            raise invalid(name, f'"{text}" is none of {", ".join(choices)}')
        return text

    def matchers(self) -> list[tuple[Matcher, ...]]:
        """Read every `match[]` selector."""
        try:
            return [parse_selector(text) for text in self.all("match[]")]
        except QueryError as error:
            raise invalid("match[]", error.message) from error


def invalid(name: str, why: str) -> InvalidInput:
    return InvalidInput(f'invalid parameter "{name}": {why}', field=name)


def _seconds_ms(text: str) -> int | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return round(seconds * 1000) if math.isfinite(seconds) else None


def _rfc3339_ms(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
