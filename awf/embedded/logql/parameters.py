"""Request parameters as Loki reads them: times, steps, limits and directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from awf.core.clock import parse_time
from awf.embedded.logql import units
from awf.errors import QueryError, UnsupportedQuery

DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 5_000
LAST_NS: Final = 2**62 - 1
_SECOND_NS: Final = 1_000_000_000
_DEFAULT_SINCE_NS: Final = 3_600 * _SECOND_NS
_TARGET_STEPS: Final = 250


class Parameters:
    """The fields of one request. Every reader raises QueryError naming the field and its value."""

    def __init__(self, values: Mapping[str, Sequence[str]], now_ns: int) -> None:
        self._values = values
        self._now_ns = now_ns
        if self.text("shards"):
            raise UnsupportedQuery(
                "the parameter shards asks for a part of the answer, as queriers of a cluster do; the "
                "embedded store is one piece",
                hint="Leave shards out: the answer is whole then.",
            )

    def text(self, name: str) -> str:
        found = self._values.get(name, ())
        return found[0] if found else ""

    def all(self, *names: str) -> list[str]:
        return [value for name in names for value in self._values.get(name, ()) if value]

    def query(self) -> str:
        if not self.text("query"):
            raise QueryError("the parameter query is missing")
        return self.text("query")

    def time_ns(self, name: str, default: int) -> int:
        """Read RFC 3339, float seconds, or whole seconds (up to 10 digits) or nanoseconds."""
        text = self.text(name)
        if not text:
            return default
        try:
            moment = _read_time(text)
        except (ValueError, InvalidOperation, OverflowError):
            moment = -1
        if not 0 <= moment <= LAST_NS:
            raise QueryError(
                f"could not parse '{name}' parameter: {text!r:.60} is not a time; write nanoseconds, "
                "seconds or 2026-01-31T12:00:00Z"
            )
        return moment

    def span_ns(self) -> tuple[int, int]:
        """Return start and end; by default the last hour, or the last `since`."""
        end = self.time_ns("end", self._now_ns)
        since = self._duration("since", _DEFAULT_SINCE_NS)
        start = self.time_ns("start", max(min(end, self._now_ns) - since, 0))
        if end < start:
            raise QueryError("end timestamp must not be before or equal to start time")
        return start, end

    def at_ns(self) -> int:
        return self.time_ns("time", self._now_ns)

    def step_ns(self, span_ns: tuple[int, int]) -> int:
        """Read a duration or float seconds; by default a 250th of the range in whole seconds."""
        start, end = span_ns
        default = max((end - start) // _SECOND_NS // _TARGET_STEPS, 1) * _SECOND_NS
        step = self._duration("step", default)
        if step <= 0:
            raise QueryError(
                "zero or negative query resolution step widths are not accepted. Try a positive integer"
            )
        return step

    def interval_ns(self) -> int:
        """Read how far apart the entries of a log query shall be, 0 for all of them."""
        interval = self._duration("interval", 0)
        if interval < 0:
            raise QueryError("interval must be >= 0")
        return interval

    def limit(self, default: int = DEFAULT_LIMIT) -> int:
        text = self.text("limit")
        if not text:
            return default
        if not text.isdecimal() or len(text) > 9 or int(text) < 1:
            raise QueryError(f"limit must be a positive value, not {text!r:.40}")
        return int(text)

    def count(self, name: str, default: int, *, least: int = 1) -> int:
        """Read a whole number."""
        text = self.text(name)
        if not text:
            return default
        if not text.isdecimal() or len(text) > 9 or int(text) < least:
            raise QueryError(f"{name} must be a whole number from {least} on, not {text!r:.40}")
        return int(text)

    def entry_limit(self) -> int:
        """Return the limit of a log query."""
        limit = self.limit()
        if limit > MAX_LIMIT:
            raise QueryError(
                f"max entries limit per query exceeded, limit > max_entries_limit_per_query "
                f"({limit} > {MAX_LIMIT})"
            )
        return limit

    def newest_first(self) -> bool:
        direction = self.text("direction").lower() or "backward"
        if direction not in {"forward", "backward"}:
            raise QueryError(f"invalid direction '{self.text('direction')}': use forward or backward")
        return direction == "backward"

    def _duration(self, name: str, default: int) -> int:
        text = self.text(name)
        if not text:
            return default
        try:
            return min(int(Decimal(repr(units.number(text))) * _SECOND_NS), LAST_NS)
        except (ValueError, InvalidOperation, OverflowError):
            pass  # not a number: a duration, or wrong
        try:
            return units.range_ns(text)
        except ValueError as error:
            raise QueryError(
                f"cannot parse \"{text:.60}\" to a valid duration for '{name}': write seconds or 1m30s"
            ) from error


def _read_time(text: str) -> int:
    if text.isdecimal():
        return int(text) * (_SECOND_NS if len(text) <= 10 else 1)
    if "T" in text:
        moment = parse_time(text)
        whole = int(moment.replace(microsecond=0).timestamp()) * _SECOND_NS
        return whole + _fraction_ns(text, moment)
    return int(Decimal(repr(units.number(text))) * _SECOND_NS)


def _fraction_ns(text: str, moment: datetime) -> int:
    """`datetime` keeps microseconds; RFC 3339 may have nanoseconds."""
    _, dot, rest = text.partition(".")
    if not dot:
        return moment.astimezone(UTC).microsecond * 1_000
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return int(digits[:9].ljust(9, "0"))
