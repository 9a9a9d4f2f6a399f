"""Taking rows out of a store and into one: Parquet for all signals, OpenMetrics for samples.

Rows that are there already do no harm: the same row twice reads as one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb

from awf.embedded.model import LogRecord, Matcher, MatchOp, Samples
from awf.embedded.store import openmetrics
from awf.embedded.store.duck import DuckStore
from awf.embedded.store.layout import LOGS, MS_PER_DAY, SAMPLES, SPANS
from awf.embedded.store.rows import Rows
from awf.embedded.store.samples import STALE
from awf.embedded.store.spans import spans_of
from awf.errors import InvalidInput

BATCH = 20_000
FORMATS = ("parquet", "openmetrics")
_QUERIES = {
    SAMPLES.name: "select labels, ts, value from samples join series on id = sid where ts between {start} and {end}"
    " order by sid, ts, arrival",
    LOGS.name: "select labels, ts, line, metadata from logs join streams on id = sid"
    " where ts between {start}000000 and {end}999999 order by ts, arrival",
    SPANS.name: f"select {SPANS.column_names} from spans where start_ns between {{start}}000000 and {{end}}999999"
    " order by start_ns",
}


def export(
    store: DuckStore, target: Path, *, form: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
) -> dict[str, int]:
    """Write rows of a range into a new directory (parquet) or file (openmetrics); return how many of each."""
    if matchers and form != "openmetrics":
        raise InvalidInput(
            "matchers select series of an OpenMetrics export", hint="Add --format openmetrics."
        )
    if target.exists():
        raise InvalidInput(f"{target} exists already", hint="Name a path that does not.")
    try:
        if form == "openmetrics":
            return {SAMPLES.name: _export_text(store, target, matchers, start_ms, end_ms)}
        target.mkdir(parents=True)
    except OSError as error:
        raise InvalidInput(
            f"{target} cannot be written: {error.strerror}", hint="Name another path."
        ) from error
    return {
        name: store.copy_to(target / f"{name}.parquet", query.format(start=start_ms, end=end_ms))
        for name, query in _QUERIES.items()
    }


def _export_text(
    store: DuckStore, target: Path, matchers: Sequence[Matcher], start_ms: int, end_ms: int
) -> int:
    count = 0
    first, last = store.sample_range()
    # A metric's lines must stand together; a day at a time keeps memory small.
    names = sorted({labels.get("__name__", "") for labels in store.series(matchers, start_ms, end_ms)})
    partial = target.with_name(f".{target.name}.partial")
    with partial.open("w", encoding="utf-8") as file:
        for name in names:
            wanted = [*matchers, Matcher("__name__", MatchOp.EQUAL, name)]
            for since in range(max(start_ms, first), min(end_ms, last) + 1, MS_PER_DAY):
                until = min(since + MS_PER_DAY - 1, end_ms)
                for line in openmetrics.lines(store.select(wanted, since, until)):
                    file.write(line)
                    count += 1
        file.write("# EOF\n")
    partial.replace(target)
    return count


def load(store: DuckStore, source: Path) -> tuple[dict[str, int], list[str]]:
    """Store what `export` wrote; return how many rows of each signal, and what could not be read."""
    problems: list[str] = []
    if source.is_dir():
        return {name: _load_parquet(store, source / f"{name}.parquet", name) for name in _QUERIES}, problems
    count = 0
    try:
        with source.open(encoding="utf-8", errors="replace") as file:
            rows = openmetrics.read(file, problems)
            while batch := list(islice(rows, BATCH)):
                store.put(Rows(samples=Samples.of(batch)))
                count += len(batch)
    except OSError as error:
        raise InvalidInput(
            f"{source} cannot be read: {error.strerror}", hint="Name what `export` wrote."
        ) from error
    return {SAMPLES.name: count}, problems


def _load_parquet(store: DuckStore, path: Path, name: str) -> int:
    if not path.exists():
        return 0
    count = 0
    for batch in _batches(path):
        store.put(Rows(**{name: _ROWS[name](batch)}))
        count += len(batch)
    return count


def _batches(path: Path) -> Iterator[list[tuple[Any, ...]]]:
    with duckdb.connect(":memory:", config={"threads": "1"}) as connection:
        try:
            found = connection.execute("select * from read_parquet(?)", [str(path)])
        except duckdb.Error as error:
            raise InvalidInput(f"{path} is not Parquet: {error}", hint="Name what `export` wrote.") from error
        while batch := found.fetchmany(BATCH):
            yield batch


_ROWS: dict[str, Callable[[list[tuple[Any, ...]]], Any]] = {
    SAMPLES.name: lambda rows: Samples.of(
        (json.loads(labels), ts, STALE if value is None else value) for labels, ts, value in rows
    ),
    LOGS.name: lambda rows: [
        LogRecord(ts, line, json.loads(labels), json.loads(metadata)) for labels, ts, line, metadata in rows
    ],
    SPANS.name: spans_of,
}
