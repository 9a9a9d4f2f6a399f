"""Reading the store in slices of time, so that a query holds one slice of records and not its whole range."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from awf.embedded import deadline
from awf.embedded.contracts import LogReader
from awf.embedded.model import EVERYTHING, LogFilter, LogRecord, Matcher
from awf.errors import QueryLimit

FIRST_SLICE: Final = 1_000
LARGEST_SLICE: Final = 50_000
MAX_LINES: Final = 5_000_000
_GROWTH: Final = 16
_CHECKED_EVERY: Final = 1_000
_NARROW: Final = (
    "Shorten the time range, or narrow with stream labels, line filters and filters of metadata before the "
    "first parser: those cost least."
)


@dataclass(slots=True)
class QueryStats:
    """What answering cost so far."""

    lines: int = 0
    bytes: int = 0


def scan(
    reader: LogReader,
    matchers: Sequence[Matcher],
    span_ns: tuple[int, int],
    stats: QueryStats,
    *,
    where: LogFilter = EVERYTHING,
    newest_first: bool = True,
    rows: int = FIRST_SLICE,
) -> Iterator[LogRecord]:
    """Yield the records of [start, end) in time order. The first slice has about so many rows before
    filters, later ones more. Raises QueryLimit when more than MAX_LINES would be read."""
    for start, end in _slices(reader, matchers, span_ns, rows, newest_first=newest_first):
        records = reader.logs(matchers, start, end, where=where, newest_first=newest_first)
        for first in range(0, len(records), _CHECKED_EVERY):
            deadline.check()
            if stats.lines >= MAX_LINES:
                raise QueryLimit(f"the query reads more than {MAX_LINES} lines", hint=_NARROW)
            for record in records[first : first + _CHECKED_EVERY]:
                stats.lines += 1
                stats.bytes += line_bytes(record.line)
                yield record


def _slices(
    reader: LogReader,
    matchers: Sequence[Matcher],
    span_ns: tuple[int, int],
    rows: int,
    *,
    newest_first: bool,
) -> Iterator[tuple[int, int]]:
    """Yield pieces of the range that have rows, but no more than so many; only one instant may have more."""
    start, end = span_ns
    width = end - start
    while start < end:
        width = min(width, end - start)
        piece = (end - width, end) if newest_first else (start, start + width)
        size = reader.log_size(matchers, *piece)
        if size > rows and width > 1:
            width = max(1, min(width // 2, width * rows // size))
            continue
        start, end = (start, piece[0]) if newest_first else (piece[1], end)
        if size:
            yield piece
            rows = min(rows * 4, LARGEST_SLICE)
        width *= max(2, min(_GROWTH, rows // max(size, 1)))


def check_size(
    reader: LogReader, matchers: Sequence[Matcher], span_ns: tuple[int, int], where: LogFilter
) -> None:
    """Refuse a query that has to look at every line before it looks at one. Raises QueryLimit."""
    lines = reader.log_size(matchers, *span_ns)
    if lines > MAX_LINES and where != EVERYTHING:
        lines = reader.log_size(matchers, *span_ns, where=where)
    if lines > MAX_LINES:
        raise QueryLimit(
            f"the query would read about {lines} lines; at most {MAX_LINES} are read for one query",
            hint=_NARROW,
        )


def line_bytes(line: str) -> int:
    """Return the size of a line as UTF-8."""
    return len(line) if line.isascii() else len(line.encode(errors="replace"))
