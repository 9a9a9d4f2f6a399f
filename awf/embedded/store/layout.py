"""Which tables hold the rows: one a day and signal, and tails that take new rows in order of arrival.

Readers name only the views `samples`, `exemplars`, `logs` and `spans`. A view is replaced in the transaction that
moves rows, so every query sees each row once. Its column `arrival` orders rows of one time by when they came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MS_PER_DAY = 86_400_000
NS_PER_DAY = MS_PER_DAY * 1_000_000
LAST_DAY = 2_932_896  # 9999-12-31: what lies outside of the calendar goes into its first or last day
_TAIL_RANK = 1 << 44  # above any row number
_REPEATS = 4  # how often the same attributes must come to count as repeated
_NAME = re.compile(r"(samples|exemplars|logs|spans)_(?:tail_(\d+)|(\d{8}))")


@dataclass(frozen=True, slots=True)
class Signal:
    """One kind of row. `order` is how a day keeps them: for zone maps, and for compression. `attributes` is the column
    that takes the most room."""

    name: str
    columns: str
    time: str
    per_day: int
    order: str
    labels: str = ""
    attributes: str = ""

    @property
    def per_ms(self) -> int:
        return self.per_day // MS_PER_DAY

    @property
    def column_names(self) -> str:
        return ", ".join(column.split()[0] for column in self.columns.split(","))

    @property
    def day_of(self) -> str:
        """SQL for the number of a row's day since the epoch."""
        return f"greatest(0, least({LAST_DAY}, {self.time} // {self.per_day}))"

    def day(self, day: int) -> str:
        return f"{self.name}_{day_name(day)}"

    def tail(self, number: int) -> str:
        return f"{self.name}_tail_{number}"


# A group of 64 series in order of time: timestamps and ids of neighbours differ by little, which takes a quarter less
# disk than series by series, and a row group still covers few series.
SAMPLES = Signal(
    "samples", "sid uinteger, ts bigint, value double", "ts", MS_PER_DAY, "sid // 64, ts, sid", "series"
)
# A null in `samples.value` is Prometheus' stale marker: DuckDB's bulk insert keeps no NaN payload.
EXEMPLARS = Signal(
    "exemplars", "sid uinteger, ts bigint, value double, labels varchar", "ts", MS_PER_DAY, "ts", "series"
)
LOGS = Signal(
    "logs",
    "sid uinteger, ts bigint, line varchar, metadata varchar",
    "ts",
    NS_PER_DAY,
    "sid, ts",
    "streams",
    "metadata",
)
SPANS = Signal(
    "spans",
    "trace_id varchar, span_id varchar, parent_span_id varchar, name varchar, kind utinyint,"
    " start_ns bigint, end_ns bigint, status utinyint, status_message varchar,"
    " attributes varchar, resource varchar, scope_name varchar, scope_version varchar,"
    " events varchar, links varchar",
    "start_ns",
    NS_PER_DAY,
    "start_ns, trace_id",
    attributes="attributes",
)
SIGNALS = (SAMPLES, EXEMPLARS, LOGS, SPANS)


class Layout:
    """The tables there are. The keeper changes it, one change at a time; the writer reads `tail`."""

    def __init__(self, connection: Any) -> None:
        self.days: dict[str, frozenset[int]] = {signal.name: frozenset() for signal in SIGNALS}
        self.tails: tuple[int, ...] = ()
        tails = set()
        for (name,) in connection.execute("select table_name from duckdb_tables()").fetchall():
            match = _NAME.fullmatch(name)
            if match is None:
                continue
            signal, tail, day = match.groups()
            if tail:
                tails.add(int(tail))
            else:
                self.days[signal] |= {_day_number(day)}
        self.tails = tuple(sorted(tails))
        if not self.tails:
            self.rotate(connection)

    @property
    def tail(self) -> int:
        return self.tails[-1]

    @property
    def all_days(self) -> list[int]:
        return sorted(frozenset().union(*self.days.values()))

    def rotate(self, connection: Any) -> None:
        """Begin a new tail; those before it take no more rows."""
        number = self.tails[-1] + 1 if self.tails else 1
        with transaction(connection):
            for signal in SIGNALS:
                connection.execute(f"create table {signal.tail(number)} ({signal.columns})")
            self._show(connection, self.days, (*self.tails, number))
        self.tails = (*self.tails, number)

    def fold(self, connection: Any) -> None:
        """Move the oldest tail into the tables of its days, in one transaction."""
        number, *rest = self.tails
        days = dict(self.days)
        with transaction(connection):
            for signal in SIGNALS:
                days[signal.name] |= _fold(connection, signal, signal.tail(number), days[signal.name])
            for signal in SIGNALS:
                connection.execute(f"drop table {signal.tail(number)}")
            self._show(connection, days, rest)
        self.days, self.tails = days, tuple(rest)

    def drop(self, connection: Any, gone: Iterable[int]) -> None:
        """Drop whole days, in one transaction."""
        unwanted = frozenset(gone)
        days = {name: kept - unwanted for name, kept in self.days.items()}
        with transaction(connection):
            for signal in SIGNALS:
                for day in sorted(self.days[signal.name] & unwanted):
                    connection.execute(f"drop table {signal.day(day)}")
            connection.execute(f"delete from seen where day in ({_numbers(unwanted)})")
            self._show(connection, days, self.tails)
        self.days = days

    def _show(self, connection: Any, days: dict[str, frozenset[int]], tails: Iterable[int]) -> None:
        """Make the views show these tables, the oldest first."""
        for signal in SIGNALS:
            tables = [(signal.day(day), 0) for day in sorted(days[signal.name])]
            tables += [(signal.tail(tail), rank) for rank, tail in enumerate(tails, start=1)]
            union = " union all ".join(
                f"select {signal.column_names}, rowid + {rank * _TAIL_RANK} as arrival from {table}"
                for table, rank in tables
            )
            connection.execute(f"create or replace view {signal.name} as {union}")


def _fold(connection: Any, signal: Signal, tail: str, known: frozenset[int]) -> frozenset[int]:
    found = connection.execute(f"select distinct {signal.day_of} from {tail}").fetchall()
    days = frozenset(int(day) for (day,) in found)
    for day in sorted(days):
        if day not in known:
            connection.execute(f"create table {signal.day(day)} ({_day_columns(connection, signal, tail)})")
        connection.execute(
            f"insert into {signal.day(day)} select {signal.column_names} from {tail}"
            f" where {signal.day_of} = {day} order by {signal.order}, rowid"
        )
    if days and signal.labels:
        connection.execute(
            f"insert into seen select distinct '{signal.labels}', {signal.day_of}, sid from {tail}"
            f" except select labels, day, sid from seen where day in ({_numbers(days)})"
        )
    return days


def _day_columns(connection: Any, signal: Signal, tail: str) -> str:
    """Return the columns of a new day.

    Attributes that hardly repeat, such as ids, take a third of the room with zstd. Left to itself DuckDB takes a
    dictionary, which is small and quick to search where they do repeat.
    """
    if not signal.attributes:
        return signal.columns
    share = f"approx_count_distinct({signal.attributes}) > count(*) / {_REPEATS}"
    if not connection.execute(f"select {share} from {tail}").fetchone()[0]:
        return signal.columns
    column = f"{signal.attributes} varchar"
    return signal.columns.replace(column, f"{column} using compression zstd")


@contextmanager
def transaction(connection: Any) -> Iterator[None]:
    """All or nothing."""
    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        connection.rollback()
        raise


def day_name(day: int) -> str:
    """Return the date of a day since the epoch, as tables are named: 20261127."""
    return f"{datetime.fromtimestamp(day * 86_400, UTC):%Y%m%d}"


def _day_number(name: str) -> int:
    return int(datetime.strptime(name, "%Y%m%d").replace(tzinfo=UTC).timestamp()) // 86_400


def _numbers(days: Iterable[int]) -> str:
    return ",".join(map(str, sorted(days)))
