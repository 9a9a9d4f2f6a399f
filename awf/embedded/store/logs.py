"""Reading log records and streams."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from awf.embedded.model import LogRecord, Matcher
from awf.embedded.store.cursors import Cursors
from awf.embedded.store.label_index import LabelIndex
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
        contains: Sequence[str] = (),
        newest_first: bool = True,
        limit: int | None = None,
    ) -> list[LogRecord]:
        ids = self._index.find(matchers)
        if not ids:
            return []
        direction = "desc" if newest_first else "asc"
        # The same entry sent twice is one entry, as in Loki; equal times keep the order of arrival.
        inner = (
            f"select sid, ts, line, metadata from logs where sid in ({','.join(map(str, ids))})"
            f" and ts >= ? and ts < ?{' and contains(line, ?)' * len(contains)}"
            f" group by all order by ts {direction}, min(arrival) {direction}"
        )
        bound = "" if limit is None else f" limit {limit:d}"
        found = self._cursors.rows(
            f"select * from ({inner}{bound})",
            [start_ns, end_ns, *contains],
            limit=MAX_RECORDS,
            what="log records",
        )
        return [
            LogRecord(ts, line, labels, json.loads(metadata))
            for sid, ts, line, metadata in found
            if (labels := self._index.labels(sid)) is not None
        ]

    def streams(self, matchers: Sequence[Matcher], start_ns: int, end_ns: int) -> list[Mapping[str, str]]:
        return with_rows(self._cursors, self._index, "logs", self._index.find(matchers), (start_ns, end_ns))
