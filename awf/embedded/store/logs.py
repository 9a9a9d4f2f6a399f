"""Reading log records and streams."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np

from awf.embedded.model import EVERYTHING, LogCount, LogFilter, LogRecord, Matcher
from awf.embedded.store.cursors import Cursors
from awf.embedded.store.label_index import LabelIndex
from awf.embedded.store.log_filter import Condition, condition, metadata_value
from awf.embedded.store.metadata import StoredMetadata
from awf.embedded.store.samples import with_rows

MAX_RECORDS = 500_000
MAX_COUNTED = 20_000_000
MAX_REPEATED = 50_000


class LogTable:
    """Answers `LogReader` for a database and its index of streams."""

    def __init__(self, cursors: Cursors, index: LabelIndex) -> None:
        self._cursors = cursors
        self._index = index

    def logs(
        self,
        matchers: Sequence[Matcher],
        start_ns: int,
        end_ns: int,
        *,
        where: LogFilter = EVERYTHING,
        newest_first: bool = True,
    ) -> list[LogRecord]:
        rows = self._rows(matchers, start_ns, end_ns, where)
        if rows is None:
            return []
        direction = "desc" if newest_first else "asc"
        found = self._cursors.rows(
            f"select sid, ts, line, metadata from {rows.sql} order by ts {direction}, arrival {direction}",
            rows.values,
            limit=MAX_RECORDS,
            what="log records",
        )
        streams = {sid: self._index.labels(sid) for sid in {row[0] for row in found}}
        return [
            LogRecord(ts, line, labels, StoredMetadata(metadata))
            for sid, ts, line, metadata in _without_repeats(found, newest_first=newest_first)
            if (labels := streams[sid]) is not None
        ]

    def log_counts(
        self,
        matchers: Sequence[Matcher],
        start_ns: int,
        end_ns: int,
        *,
        where: LogFilter = EVERYTHING,
        bucket_ns: int,
        by: Sequence[str] | None = (),
    ) -> list[LogCount]:
        rows = self._rows(matchers, start_ns, end_ns, where)
        if rows is None:
            return []
        extra = ["metadata"] if by is None else [metadata_value(name) for name in by]
        columns = "".join(f", {sql} as m{index}" for index, sql in enumerate(extra))
        keys = "".join(f", m{index}" for index in range(len(extra)))
        found: list[tuple[Any, ...]] = []
        for source in self._distinct(rows, columns, is_filtered=where != EVERYTHING):
            found += self._cursors.rows(
                f"select sid, (ts - {start_ns:d}) // {bucket_ns:d} as bucket, count(*), sum(size)::bigint{keys}"
                f" from ({source.sql}) group by sid, bucket{keys}",
                source.values,
                limit=MAX_RECORDS,
                what="groups of log records",
            )
        return [
            LogCount(labels, _metadata(by, values), bucket, entries, size)
            for sid, bucket, entries, size, *values in found
            if (labels := self._index.labels(sid)) is not None
        ]

    def log_size(
        self, matchers: Sequence[Matcher], start_ns: int, end_ns: int, *, where: LogFilter = EVERYTHING
    ) -> int:
        rows = self._rows(matchers, start_ns, end_ns, where)
        if rows is None:
            return 0
        found = self._cursors.rows(f"select count(*) from {rows.sql}", rows.values, limit=1, what="counts")
        return int(found[0][0])

    def _rows(
        self, matchers: Sequence[Matcher], start_ns: int, end_ns: int, where: LogFilter
    ) -> Condition | None:
        """Return `table where ...` of the rows that a query asks for, None when no stream matches."""
        ids = self._index.find(matchers)
        if not ids:
            return None
        chosen = condition(where, ids, self._index.labels)
        sql = f"logs where sid in ({','.join(map(str, ids))}) and ts >= ? and ts < ? and {chosen.sql}"
        return Condition(sql, (start_ns, end_ns, *chosen.values))

    def _distinct(self, rows: Condition, columns: str, *, is_filtered: bool) -> list[Condition]:
        """Return queries that together have every entry once, told apart by hashes. Entries of different
        times are different: only times that come twice are looked at closely, where they are cheap to find."""
        plain = f"select sid, ts, strlen(line) as size{columns} from {rows.sql}"
        distinct = (
            f"select distinct sid, ts, hash(line) as h, hash(metadata) as g, strlen(line) as size{columns}"
            f" from {rows.sql}"
        )
        if is_filtered:
            return [Condition(distinct, rows.values)]
        times = self._cursors.columns(
            f"select ts from {rows.sql}", rows.values, limit=MAX_COUNTED, what="log records"
        )["ts"]
        times.sort()
        repeated = np.unique(times[1:][times[1:] == times[:-1]])
        if not len(repeated):
            return [Condition(plain, rows.values)]
        if len(repeated) > MAX_REPEATED:
            return [Condition(distinct, rows.values)]
        values = (*rows.values, repeated.tolist())
        return [
            Condition(f"{plain} and ts not in (select unnest(?))", values),
            Condition(f"{distinct} and ts in (select unnest(?))", values),
        ]

    def streams(self, matchers: Sequence[Matcher], start_ns: int, end_ns: int) -> list[Mapping[str, str]]:
        return with_rows(self._cursors, self._index, "logs", self._index.find(matchers), (start_ns, end_ns))


def _metadata(by: Sequence[str] | None, values: Sequence[str | None]) -> Mapping[str, str]:
    if by is None:
        found: Mapping[str, str] = json.loads(values[0] or "{}")
        return found
    return {name: value for name, value in zip(by, values, strict=True) if value is not None}


def _without_repeats(rows: list[tuple[Any, ...]], *, newest_first: bool) -> list[tuple[Any, ...]]:
    """Leave out an entry that was sent again: it is one entry, as in Loki, and stands where it came first."""
    times = [row[1] for row in rows]
    if len(set(times)) == len(times):
        return rows
    kept: list[tuple[Any, ...]] = []
    for _, group in groupby(rows, key=itemgetter(1)):
        instant = list(group)
        if len(instant) > 1:
            instant = list(dict.fromkeys(reversed(instant) if newest_first else instant))
            instant = instant[::-1] if newest_first else instant
        kept += instant
    return kept
