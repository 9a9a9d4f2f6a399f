"""What the embedded store costs over DuckDB itself: the same rows inserted as ready-made arrays, the same rows read
by plain SQL. Every write is a durable commit in both."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from _measuring import print_table, seconds_per_unit

from awf.embedded.model import LogRecord, Matcher, MatchOp, Samples, Span
from awf.embedded.store import DuckStore

ROUNDS = 4
WRITES = 6  # each round
SERIES = [
    {"__name__": "m_total", "workflow_id": f"w-{n % 20}", "step_id": f"s-{n}", "agent_id": f"a-{n % 50}", "job": "x"}
    for n in range(1_000)
]  # fmt: skip
STREAMS = [{"service_name": f"service-{n}", "level": "info"} for n in range(10)]
RESOURCE = {"service.name": "demo", "service.instance.id": "host-1"}
RAW_TABLES = """
create table samples (sid uinteger, ts bigint, value double);
create table logs (sid uinteger, ts bigint, line varchar, metadata varchar);
create table spans (trace_id varchar, span_id varchar, parent_span_id varchar, name varchar, kind utinyint,
    start_ns bigint, end_ns bigint, status utinyint, attributes varchar, resource varchar);
create index spans_by_trace on spans (trace_id);
"""

Columns = dict[str, Any]


class Raw:
    """DuckDB with our settings and tables, and nothing of ours around it."""

    def __init__(self, path: Path) -> None:
        self.connection = duckdb.connect(str(path), config={"threads": "2", "memory_limit": "512MB"})
        self.connection.execute(RAW_TABLES)

    def insert(self, table: str, rows: Columns) -> None:
        self.connection.begin()
        self.connection.register("incoming", rows)
        self.connection.execute(f"insert into {table} select * from incoming")
        self.connection.unregister("incoming")
        self.connection.commit()


# -- the same rows in the form of each


def samples(count: int) -> Iterator[tuple[dict[str, Any], Columns]]:
    """Yield batches that go on in time: a sample of every series, then the next of every series."""
    for first in itertools.count(0, count):
        numbers = np.arange(first, first + count)
        columns = {
            "sid": (numbers % len(SERIES)).astype(np.uint32),
            "ts": numbers // len(SERIES) * 5_000,
            "value": numbers * 1.5,
        }
        rows = zip(columns["sid"].tolist(), columns["ts"].tolist(), columns["value"].tolist(), strict=True)
        yield {"samples": Samples.of((SERIES[sid], ts, value) for sid, ts, value in rows)}, columns


def logs(count: int) -> Iterator[tuple[dict[str, Any], Columns]]:
    for first in itertools.count(0, count):
        records = [
            LogRecord(
                n * 1_000_000, f"step s-{n % 100} of report completed in {n % 977} ms", STREAMS[n % len(STREAMS)],
                {"execution_id": f"exe_{n // 14:016x}", "workflow_id": "report", "step_id": f"s-{n % 100}"},
            )
            for n in range(first, first + count)
        ]  # fmt: skip
        yield (
            {"logs": records},
            {
                "sid": np.arange(first, first + count).astype(np.uint32) % len(STREAMS),
                "ts": np.array([record.timestamp_ns for record in records]),
                "line": np.array([record.line for record in records], dtype=object),
                "metadata": np.array([json.dumps(record.metadata) for record in records], dtype=object),
            },
        )


def spans(count: int) -> Iterator[tuple[dict[str, Any], Columns]]:
    for first in itertools.count(0, count):
        found = [
            Span(
                f"{n // 7:032x}", f"{n:016x}", f"{n - n % 7:016x}" if n % 7 else "", "awf.step", 1, n * 1_000_000,
                n * 1_000_000 + 500_000, attributes={"workflow_id": "report", "step_id": f"s-{n % 7}"},
                resource=RESOURCE, scope_name="awf",
            )
            for n in range(first, first + count)
        ]  # fmt: skip
        names = ("trace_id", "span_id", "parent_span_id", "name", "kind", "start_ns", "end_ns", "status")
        columns = {
            name: np.array([getattr(span, name) for span in found], dtype=None if name in ("start_ns", "end_ns") else object)
            for name in names
        }  # fmt: skip
        columns |= {name: columns[name].astype(np.uint8) for name in ("kind", "status")}
        columns["attributes"] = np.array([json.dumps(span.attributes) for span in found], dtype=object)
        columns["resource"] = np.array([json.dumps(RESOURCE)] * count, dtype=object)
        yield {"spans": found}, columns


# -- writing


def measure_writes(store: DuckStore, shared: DuckStore, raw: Raw) -> None:
    rows = [
        _write_row(store, shared, raw, "samples", samples(1_000)),
        _write_row(store, shared, raw, "samples", samples(10_000)),
        _write_row(store, shared, raw, "logs", logs(1_000)),
        _write_row(store, shared, raw, "spans", spans(500)),
    ]
    header = [
        "rows a second",
        "raw insert",
        "write",
        f"{WRITES} writes at once",
        "time against raw",
        "at once",
    ]
    print_table("Writing", header, rows)


def _write_row(
    store: DuckStore,
    shared: DuckStore,
    raw: Raw,
    table: str,
    batches: Iterator[tuple[dict[str, Any], Columns]],
) -> list[str]:
    made = list(itertools.islice(batches, WRITES * (ROUNDS + 1)))
    size = len(made[0][0][table])
    one_by_one, by_hand, together = iter(made), iter(made), iter(made)

    def write() -> int:
        for arguments, _ in itertools.islice(one_by_one, WRITES):
            asyncio.run(store.write(**arguments))
        return WRITES * size

    def write_at_once() -> int:
        async def write_all() -> None:
            await asyncio.gather(*(shared.write(**each) for each, _ in itertools.islice(together, WRITES)))

        asyncio.run(write_all())
        return WRITES * size

    def insert() -> int:
        for _, columns in itertools.islice(by_hand, WRITES):
            raw.insert(table, columns)
        return WRITES * size

    found = seconds_per_unit({"raw": insert, "store": write, "together": write_at_once}, rounds=ROUNDS)
    return [
        f"{table}, {size:,} a write",
        *(f"{1 / seconds:,.0f}" for seconds in found.values()),
        f"{found['store'] / found['raw']:.1f} x",
        f"{found['together'] / found['raw']:.1f} x",
    ]


# -- reading


def measure_reads(store: DuckStore, raw: Raw) -> None:
    everything = 1 << 60
    name = Matcher("__name__", MatchOp.EQUAL, "m_total")
    one = Matcher("step_id", MatchOp.EQUAL, "s-7")
    service = Matcher("service_name", MatchOp.EQUAL, "service-3")
    sql = raw.connection.execute
    trace = f"{3:032x}"
    pairs: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "all samples of 1,000 series": (
            lambda: store.select([name], 0, everything),
            lambda: sql("select sid, ts, value from samples order by sid, ts").fetchnumpy(),
        ),
        "one series": (
            lambda: store.select([name, one], 0, everything),
            lambda: sql("select ts, value from samples where sid = 7 order by ts").fetchnumpy(),
        ),
        "newest 100 log records of a stream": (
            lambda: store.logs([service], 0, everything, limit=100),
            lambda: sql("select * from logs where sid = 3 order by ts desc limit 100").fetchall(),
        ),
        "log records with a word": (
            lambda: store.logs([service], 0, everything, contains=["in 976 ms"], limit=100),
            lambda: sql(
                "select * from logs where sid = 3 and contains(line, 'in 976 ms') order by ts desc limit 100"
            ).fetchall(),
        ),
        "one trace": (
            lambda: store.trace(trace),
            lambda: sql("select * from spans where trace_id = ?", [trace]).fetchall(),
        ),
    }  # fmt: skip
    rows = []
    for what, (ours, plain) in pairs.items():
        found = seconds_per_unit({"raw": _once(plain), "store": _once(ours)}, rounds=7)
        rows.append([
            what, f"{found['raw'] * 1e3:,.2f}", f"{found['store'] * 1e3:,.2f}", f"{found['store'] / found['raw']:.1f} x",
        ])  # fmt: skip
    print_table("Reading", ["ms", "plain SQL", "store", "against SQL"], rows)


def _once(work: Callable[[], object]) -> Callable[[], int]:
    def case() -> int:
        assert work()
        return 1

    return case


def main() -> None:
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as opened:
        folder = Path(name)
        store, shared = (DuckStore.open(folder / f"{each}.duckdb") for each in ("store", "shared"))
        raw = Raw(folder / "raw.duckdb")
        for closing in (store.close, shared.close, raw.connection.close):
            opened.callback(closing)
        measure_writes(store, shared, raw)
        measure_reads(store, raw)
        stats = store.stats()
        print(f"\nread from {stats.samples:,} samples, {stats.logs:,} log records, {stats.spans:,} spans")


if __name__ == "__main__":
    main()
