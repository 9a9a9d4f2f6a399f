"""Reading the store in pages, so that a query holds one page of records and not its whole range."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from awf.embedded import deadline
from awf.embedded.model import EVERYTHING, LogFilter, LogReader, LogRecord, Matcher
from awf.errors import QueryLimit

FIRST_PAGE: Final = 1_000
LARGEST_PAGE: Final = 50_000
MAX_LINES: Final = 5_000_000
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
    page: int = FIRST_PAGE,
) -> Iterator[LogRecord]:
    """Yield the records of [start, end) in time order, page after growing page.

    A page that is full may end inside one instant. Its last instant is then read again with the next
    page, and a page that is nothing but one instant is read again twice as large.
    Raises QueryLimit when more than MAX_LINES would be read.
    """
    start, end = span_ns
    while start < end:
        deadline.check()
        records = reader.logs(matchers, start, end, where=where, newest_first=newest_first, limit=page)
        is_last = len(records) < page
        if not is_last:
            edge = records[-1].timestamp_ns
            kept = [record for record in records if record.timestamp_ns != edge]
            page = page * 2 if not kept else min(page * 4, LARGEST_PAGE)
            start, end = (start, edge + 1) if newest_first else (edge, end)
            records = kept
        for record in records:
            stats.lines += 1
            stats.bytes += line_bytes(record.line)
            if stats.lines > MAX_LINES:
                raise QueryLimit(f"the query reads more than {MAX_LINES} lines", hint=_NARROW)
            yield record
        if is_last:
            return


def check_size(
    reader: LogReader, matchers: Sequence[Matcher], span_ns: tuple[int, int], where: LogFilter
) -> None:
    """Refuse a query that has to look at every line before it looks at one. Raises QueryLimit."""
    lines = reader.log_size(matchers, *span_ns, where=where)
    if lines > MAX_LINES:
        raise QueryLimit(
            f"the query would read about {lines} lines; at most {MAX_LINES} are read for one query",
            hint=_NARROW,
        )


def line_bytes(line: str) -> int:
    """Return the size of a line as UTF-8."""
    return len(line) if line.isascii() else len(line.encode(errors="replace"))
