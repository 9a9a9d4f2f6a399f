"""Reading log records and streams."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from awf.embedded.model import EVERYTHING, LogCount, LogFilter, LogRecord, Matcher
from awf.embedded.store.cursors import Cursors
from awf.embedded.store.label_index import LabelIndex
from awf.embedded.store.log_filter import condition, metadata_value
from awf.embedded.store.samples import with_rows

MAX_RECORDS = 500_000


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
        limit: int | None = None,
    ) -> list[LogRecord]:
        ids = self._index.find(matchers)
        if not ids:
            return []
        chosen = condition(where, ids, self._index.labels)
        direction = "desc" if newest_first else "asc"
        # The same entry sent twice is one entry, as in Loki; equal times keep the order of arrival.
        inner = (
            f"select sid, ts, line, metadata from logs where sid in ({','.join(map(str, ids))})"
            f" and ts >= ? and ts < ? and {chosen.sql}"
            f" group by all order by ts {direction}, min(arrival) {direction}"
        )
        bound = "" if limit is None else f" limit {limit:d}"
        found = self._cursors.rows(
            f"select * from ({inner}{bound})",
            [start_ns, end_ns, *chosen.values],
            limit=MAX_RECORDS,
            what="log records",
        )
        return [
            LogRecord(ts, line, labels, json.loads(metadata))
            for sid, ts, line, metadata in found
            if (labels := self._index.labels(sid)) is not None
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
        ids = self._index.find(matchers)
        if not ids:
            return []
        chosen = condition(where, ids, self._index.labels)
        extra = ["metadata"] if by is None else [metadata_value(name) for name in by]
        names = [f"m{index}" for index in range(len(extra))]
        columns = "".join(f", {sql} as {name}" for sql, name in zip(extra, names, strict=True))
        # Hashes tell entries apart: the same entry sent twice is one.
        distinct = (
            f"select distinct sid, ts, hash(line) as h, hash(metadata) as g, strlen(line) as size{columns}"
            f" from logs where sid in ({','.join(map(str, ids))}) and ts >= ? and ts < ? and {chosen.sql}"
        )
        keys = "".join(f", {name}" for name in names)
        found = self._cursors.rows(
            f"select sid, (ts - {start_ns:d}) // {bucket_ns:d} as bucket, count(*), sum(size)::bigint{keys}"
            f" from ({distinct}) group by sid, bucket{keys}",
            [start_ns, end_ns, *chosen.values],
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
        ids = self._index.find(matchers)
        if not ids:
            return 0
        chosen = condition(where, ids, self._index.labels)
        ((count,),) = self._cursors.rows(
            f"select count(*) from logs where sid in ({','.join(map(str, ids))})"
            f" and ts >= ? and ts < ? and {chosen.sql}",
            [start_ns, end_ns, *chosen.values],
            limit=1,
            what="counts",
        )
        return int(count)

    def streams(self, matchers: Sequence[Matcher], start_ns: int, end_ns: int) -> list[Mapping[str, str]]:
        return with_rows(self._cursors, self._index, "logs", self._index.find(matchers), (start_ns, end_ns))


def _metadata(by: Sequence[str] | None, values: Sequence[str | None]) -> Mapping[str, str]:
    if by is None:
        found: Mapping[str, str] = json.loads(values[0] or "{}")
        return found
    return {name: value for name, value in zip(by, values, strict=True) if value is not None}
