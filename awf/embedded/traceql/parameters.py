"""Query parameters of Tempo's API: times, durations, whole numbers. Not for what only one endpoint takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from awf.core.clock import parse_time
from awf.errors import QueryError

_NS: Final = 1_000_000_000
DEFAULT_RANGE_NS: Final = 3_600 * _NS
_LAST_NS: Final = 2**63 - 1
_POINTS: Final = 240
_STEPS_NS: Final = tuple(seconds * _NS for seconds in (3_600, 300, 60, 15, 5))
_UNITS: Final = {
    "ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": _NS, "m": 60 * _NS, "h": 3_600 * _NS,
    "d": 86_400 * _NS, "w": 604_800 * _NS,
}  # fmt: skip
_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d|w))+")


class Parameters:
    """The parameters of one request. Every method raises QueryError that names the parameter."""

    def __init__(self, values: Mapping[str, str], now: datetime) -> None:
        self._values = values
        self.now_ns = int(now.timestamp() * 1_000_000) * 1_000

    def text(self, name: str, default: str = "") -> str:
        return self._values.get(name) or default

    def query(self) -> str:
        """Return `q`, or `query` as Grafana sends it."""
        query = self.text("q") or self.text("query")
        if not query:
            raise QueryError("q is missing; it holds the TraceQL query, such as {} | rate()")
        return query

    def number(self, name: str, default: int, *, largest: int) -> int:
        """Return a whole number from 0 to `largest`."""
        text = self.text(name)
        if not text:
            return default
        if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) > largest:
            raise QueryError(f"invalid {name}: {text!r:.80} is not a whole number from 0 to {largest}")
        return int(text)

    def range_ns(self) -> tuple[int, int]:
        """Return start and end; by default the last hour, or `since`."""
        since = self.duration_ns("since", DEFAULT_RANGE_NS)
        end = self._time_ns("end", self.now_ns)
        start = self._time_ns("start", max(min(end, self.now_ns) - since, 0))
        if start >= end:
            raise QueryError(f"start must be before end; start is {start} and end {end} (ns)")
        return start, end

    def step_ns(self, start_ns: int, end_ns: int) -> int:
        """Return `step`, a duration or seconds; by default one that gives about 240 points."""
        text = self.text("step")
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", text):
            return int(float(text) * _NS)
        wanted = (end_ns - start_ns) // _POINTS
        if end_ns - start_ns < 60 * _NS:
            default = max(wanted // 50_000_000, 1) * 50_000_000
        else:
            default = next((wanted // step * step for step in _STEPS_NS if wanted > step), _NS)
        return self.duration_ns("step", default)

    def duration_ns(self, name: str, default: int) -> int:
        text = self.text(name)
        if not text:
            return default
        if not _DURATION.fullmatch(text) or len(text) > 40:
            raise QueryError(f"invalid {name}: {text!r:.80} is not a duration such as 1.5s, 300ms or 1h")
        total = sum(float(n) * _UNITS[unit] for n, unit in re.findall(r"([\d.]+)([a-zµ]+)", text))
        if total > _LAST_NS:
            raise QueryError(f"invalid {name}: {text!r} is out of range")
        return round(total)

    def _time_ns(self, name: str, default: int) -> int:
        """Read seconds (up to ten digits, or with a fraction), nanoseconds or RFC 3339."""
        text = self.text(name)
        if not text:
            return default
        if re.fullmatch(r"[0-9]{1,19}(\.[0-9]+)?", text):
            seconds = "." in text or len(text) <= 10
            nanoseconds = round(float(text) * 1_000) * 1_000_000 if seconds else int(text)
        else:
            try:
                nanoseconds = int(parse_time(text).timestamp() * 1_000_000) * 1_000
            except ValueError as error:
                raise QueryError(
                    f"invalid {name}: {text!r:.80} is not a time; give unix seconds, nanoseconds or RFC 3339"
                ) from error
        if not 0 <= nanoseconds <= _LAST_NS:
            raise QueryError(f"invalid {name}: {text!r:.80} is out of range")
        return nanoseconds
