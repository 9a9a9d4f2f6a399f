"""What every store promises; run over the one in memory and the one in a file."""

from __future__ import annotations

import asyncio
import math
import struct
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from awf.embedded.model import (
    STALE_NAN_BITS,
    Exemplar,
    LineTest,
    LogFilter,
    LogRecord,
    Matcher,
    MatchOp,
    MetricMetadata,
    Samples,
    Span,
    SpanEvent,
    SpanLink,
)
from awf.embedded.store import DuckStore, MemoryStore
from awf.errors import Unavailable

SECOND = 1_000_000_000
STALE = struct.unpack("<d", struct.pack("<Q", STALE_NAN_BITS))[0]
TRACE = "a" * 32
OTHER_TRACE = "b" * 32


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DuckStore]:
    opened = MemoryStore() if request.param == "memory" else DuckStore.open(tmp_path / "store" / "t.duckdb")
    yield opened
    opened.close()


def equal(name: str, value: str) -> Matcher:
    return Matcher(name, MatchOp.EQUAL, value)


def metric(name: str, **labels: str) -> dict[str, str]:
    return {"__name__": name, **labels}


def record(at_s: int, line: str, *, metadata: dict[str, str] | None = None, **labels: str) -> LogRecord:
    return LogRecord(at_s * SECOND, line, {"service_name": "demo", **labels}, metadata or {})


def span(trace_id: str, number: int, at_s: int, *, name: str = "work") -> Span:
    return Span(trace_id, f"{number:016x}", "", name, 1, at_s * SECOND, (at_s + 1) * SECOND)


# -- samples


async def test_samples_come_back_by_series_in_time_order(store: DuckStore) -> None:
    a, b = metric("m", job="a"), metric("m", job="b")
    await store.write(samples=Samples.of([(a, 1000, 1.0), (b, 1000, 10.0), (a, 2000, 2.0), (b, 2000, 20.0)]))
    found = {data.labels["job"]: data for data in store.select([equal("__name__", "m")], 0, 5000)}
    assert found["a"].timestamps_ms.tolist() == [1000, 2000]
    assert found["a"].values.tolist() == [1.0, 2.0]
    assert found["b"].values.tolist() == [10.0, 20.0]
    assert found["a"].labels == a
    assert found["a"].timestamps_ms.dtype == np.int64


async def test_a_range_includes_both_ends_and_leaves_out_series_without_samples_in_it(
    store: DuckStore,
) -> None:
    await store.write(samples=Samples.of([(metric("m"), at, 0.0) for at in (999, 1000, 2000, 2001)]))
    await store.write(samples=Samples.of([(metric("m", job="old"), 10, 0.0)]))
    (data,) = store.select([equal("__name__", "m")], 1000, 2000)
    assert data.timestamps_ms.tolist() == [1000, 2000]
    assert store.series([equal("__name__", "m")], 1000, 2000) == [metric("m")]
    assert not store.select([equal("__name__", "absent")], 0, 5000)


async def test_samples_out_of_order_are_kept_and_come_back_sorted(store: DuckStore) -> None:
    for at in (3000, 1000, 2000):
        await store.write(samples=Samples.of([(metric("m"), at, float(at))]))
    (data,) = store.select([equal("__name__", "m")], 0, 5000)
    assert data.values.tolist() == [1000.0, 2000.0, 3000.0]


async def test_of_two_samples_of_one_moment_the_last_written_wins(store: DuckStore) -> None:
    await store.write(
        samples=Samples.of([(metric("m"), 1000, 1.0), (metric("m"), 2000, 2.0), (metric("m"), 1000, 3.0)])
    )
    await store.write(samples=Samples.of([(metric("m"), 2000, 4.0)]))
    (data,) = store.select([equal("__name__", "m")], 0, 5000)
    assert data.timestamps_ms.tolist() == [1000, 2000]
    assert data.values.tolist() == [3.0, 4.0]


async def test_the_stale_marker_and_an_ordinary_nan_are_told_apart(store: DuckStore) -> None:
    values = [1.0, STALE, math.nan, math.inf, -math.inf]
    await store.write(
        samples=Samples.of([(metric("m"), 1000 + at, value) for at, value in enumerate(values)])
    )
    (data,) = store.select([equal("__name__", "m")], 0, 5000)
    is_stale = data.values.view(np.uint64) == STALE_NAN_BITS
    assert is_stale.tolist() == [False, True, False, False, False]
    assert np.isnan(data.values).tolist() == [False, True, True, False, False]
    assert data.values[3:].tolist() == [math.inf, -math.inf]


async def test_an_empty_label_is_no_label(store: DuckStore) -> None:
    await store.write(samples=Samples.of([(metric("m", job=""), 1000, 1.0), (metric("m"), 2000, 2.0)]))
    (data,) = store.select([equal("__name__", "m"), equal("job", "")], 0, 5000)
    assert data.labels == metric("m")
    assert data.values.tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("matchers", "jobs"),
    [
        ([Matcher("job", MatchOp.NOT_EQUAL, "a")], ["", "b", "c"]),
        ([Matcher("job", MatchOp.REGEX, "a|b")], ["a", "b"]),
        ([Matcher("job", MatchOp.REGEX, "a|")], ["", "a"]),
        ([Matcher("job", MatchOp.REGEX, ".+")], ["a", "b", "c"]),
        ([Matcher("job", MatchOp.NOT_REGEX, "a|b")], ["", "c"]),
        ([Matcher("job", MatchOp.NOT_REGEX, "")], ["a", "b", "c"]),
        ([equal("job", "")], [""]),
        ([equal("job", "a"), equal("job", "b")], []),
        ([Matcher("job", MatchOp.NOT_EQUAL, ""), Matcher("job", MatchOp.NOT_EQUAL, "c")], ["a", "b"]),
        ([], ["", "a", "b", "c"]),
    ],
)
async def test_matchers_select_series(store: DuckStore, matchers: list[Matcher], jobs: list[str]) -> None:
    await store.write(samples=Samples.of([(metric("m", job=job), 1000, 0.0) for job in ("a", "b", "c", "")]))
    assert sorted(labels.get("job", "") for labels in store.series(matchers, 0, 5000)) == jobs
    assert sorted(data.labels.get("job", "") for data in store.select(matchers, 0, 5000)) == jobs


async def test_many_series_are_selected_exactly(store: DuckStore) -> None:
    await store.write(samples=Samples.of([(metric("m", i=str(i)), 1000, float(i)) for i in range(3000)]))
    wanted = [Matcher("i", MatchOp.REGEX, ".*[13579]")]
    found = store.select(wanted, 0, 5000)
    assert sorted(data.values[0] for data in found) == [float(i) for i in range(1, 3000, 2)]
    assert len(store.series(wanted, 0, 5000)) == 1500


async def test_metadata_is_kept_and_the_newest_stands(store: DuckStore) -> None:
    await store.write(metadata={"m": MetricMetadata("gauge", "old"), "n": MetricMetadata("counter")})
    await store.write(metadata={"m": MetricMetadata("counter", "new", "seconds")})
    assert store.metadata() == {
        "m": MetricMetadata("counter", "new", "seconds"),
        "n": MetricMetadata("counter"),
    }


async def test_an_exemplar_sent_twice_is_one(store: DuckStore) -> None:
    example = Exemplar(metric("m", le="1"), {"trace_id": TRACE}, 0.5, 1000)
    await store.write(samples=Samples.of([(example.series_labels, 1000, 1.0)]), exemplars=[example])
    await store.write(exemplars=[example, Exemplar(metric("n"), {}, 1.0, 1000)])
    assert store.exemplars([equal("__name__", "m")], 0, 2000) == [example]
    assert store.exemplars([equal("__name__", "m")], 1001, 2000) == []


# -- logs


async def test_logs_come_in_the_asked_direction_from_start_up_to_but_not_including_end(
    store: DuckStore,
) -> None:
    await store.write(logs=[record(at, f"line {at}") for at in (3, 1, 2, 4)])
    newest = store.logs([equal("service_name", "demo")], 1 * SECOND, 4 * SECOND)
    assert [item.line for item in newest] == ["line 3", "line 2", "line 1"]
    oldest = store.logs([equal("service_name", "demo")], 1 * SECOND, 4 * SECOND, newest_first=False)
    assert [item.line for item in oldest] == ["line 1", "line 2", "line 3"]


async def test_exactly_the_same_entry_counts_once_and_any_difference_makes_another(store: DuckStore) -> None:
    entry = record(1, "same", metadata={"b": "2", "a": "1"})
    await store.write(logs=[entry, record(1, "same", metadata={"a": "1", "b": "2"})])
    await store.write(logs=[entry, record(1, "same", metadata={"a": "1"}), record(1, "same", level="error")])
    found = store.logs([], 0, 5 * SECOND)
    assert len(found) == 3
    assert store.logs([], 0, 5 * SECOND, newest_first=False) == found[::-1]
    assert sum(count.entries for count in store.log_counts([], 0, 5 * SECOND, bucket_ns=SECOND)) == 3
    assert entry in found


async def test_entries_of_one_moment_keep_their_order_of_arrival(store: DuckStore) -> None:
    lines = [f"line {i}" for i in range(20)]
    await store.write(logs=[record(1, line) for line in lines])
    assert [item.line for item in store.logs([], 0, 5 * SECOND, newest_first=False)] == lines
    assert [item.line for item in store.logs([], 0, 5 * SECOND)] == lines[::-1]


async def test_lines_are_filtered_by_substrings_taken_literally(store: DuckStore) -> None:
    await store.write(
        logs=[record(at, line) for at, line in enumerate(["50% off", "50 off", "% OFF", "a'b"])]
    )
    both = LogFilter((LineTest(("50",)), LineTest(("%",))))
    assert [r.line for r in store.logs([], 0, 9 * SECOND, where=both)] == ["50% off"]
    assert [r.line for r in store.logs([], 0, 9 * SECOND, where=LogFilter((LineTest(("a'b",)),)))] == ["a'b"]


async def test_labels_are_those_of_the_stream_and_then_metadata(store: DuckStore) -> None:
    await store.write(
        logs=[
            record(1, "a", level="error", metadata={"agent": 'say "hi"', "level": "hidden"}),
            record(2, "b", metadata={"agent": "x\\y", "level": "warn"}),
            record(3, "c", metadata={"agents": "one", "note": '"agent":"x"'}),
        ]
    )

    def lines(*labels: Matcher) -> str:
        found = store.logs([], 0, 9 * SECOND, where=LogFilter(labels=labels), newest_first=False)
        return "".join(item.line for item in found)

    assert lines(equal("agent", 'say "hi"')) == "a"
    assert lines(equal("agent", "x\\y")) == "b"
    assert lines(equal("agent", "x")) == ""
    assert lines(equal("agent", "")) == "c"
    assert lines(Matcher("agent", MatchOp.NOT_EQUAL, "")) == "ab"
    assert lines(Matcher("agent", MatchOp.REGEX, "say.*|")) == "ac"
    assert lines(Matcher("agent", MatchOp.NOT_REGEX, "say.*|")) == "b"
    assert lines(equal("level", "error")) == "a"
    assert lines(equal("level", "hidden")) == ""
    assert lines(equal("level", "warn")) == "b"
    assert lines(Matcher("level", MatchOp.NOT_EQUAL, "error")) == "bc"
    assert lines(equal("service_name", "demo"), Matcher("level", MatchOp.REGEX, "err.+|warn")) == "ab"


async def test_counts_are_those_of_the_entries(store: DuckStore) -> None:
    await store.write(
        logs=[
            record(1, "é", metadata={"agent": "x"}),
            record(1, "é", metadata={"agent": "x"}),
            record(2, "bb", metadata={"agent": "x", "id": "1"}),
            record(6, "c"),
            record(7, "d", level="error"),
        ]
    )
    found = store.log_counts([], 1 * SECOND, 7 * SECOND, bucket_ns=5 * SECOND, by=["agent"])
    total: Counter[tuple[str | None, int]] = Counter()
    for count in found:
        total[count.metadata.get("agent"), count.bucket] += count.entries
    assert total == {("x", 0): 2, (None, 1): 1}
    assert sum(count.size_bytes for count in found) == 2 + 2 + 1
    whole = store.log_counts([equal("service_name", "demo")], 0, 9 * SECOND, bucket_ns=9 * SECOND, by=None)
    assert sorted((c.entries, *sorted(c.metadata.items())) for c in whole) == [
        (1,), (1,), (1, ("agent", "x")), (1, ("agent", "x"), ("id", "1")),
    ]  # fmt: skip
    assert store.log_size([], 0, 9 * SECOND, where=LogFilter((LineTest(("[bd]",), is_regex=True),))) == 2


async def test_any_text_survives(store: DuckStore) -> None:
    line = "null \0, emoji 🙂, quote \" ' \\ and newline\n"
    await store.write(logs=[record(1, line, metadata={"käse": line})])
    (found,) = store.logs([], 0, 5 * SECOND)
    assert found.line == line
    assert found.metadata == {"käse": line}


async def test_streams_are_those_with_entries_in_the_range(store: DuckStore) -> None:
    await store.write(logs=[record(1, "x", level="info"), record(9, "x", level="error")])
    assert store.streams([], 0, 5 * SECOND) == [{"service_name": "demo", "level": "info"}]


# -- spans


async def test_a_span_comes_back_as_it_was_written(store: DuckStore) -> None:
    written = Span(
        trace_id=TRACE,
        span_id="1" * 16,
        parent_span_id="2" * 16,
        name="awf.step",
        kind=3,
        start_ns=5,
        end_ns=9,
        status=2,
        status_message="timeout",
        attributes={
            "text": "x",
            "flag": True,
            "count": 3,
            "ratio": 0.5,
            "list": ["a", 1],
            "map": {"k": None},
        },
        resource={"service.name": "demo"},
        scope_name="awf",
        scope_version="1",
        events=(SpanEvent(6, "exception", {"type": "E"}),),
        links=(SpanLink(OTHER_TRACE, "3" * 16, {"why": "retry"}),),
    )
    await store.write(spans=[written])
    assert store.trace(TRACE) == [written]
    assert store.trace("c" * 32) == []


async def test_a_span_sent_twice_counts_once_and_spans_come_by_start(store: DuckStore) -> None:
    await store.write(spans=[span(TRACE, 2, 20), span(TRACE, 1, 10)])
    await store.write(spans=[span(TRACE, 2, 20)])
    assert [item.start_ns for item in store.trace(TRACE)] == [10 * SECOND, 20 * SECOND]


async def test_a_range_gives_whole_traces(store: DuckStore) -> None:
    await store.write(spans=[span(TRACE, 1, 10), span(TRACE, 2, 50), span(OTHER_TRACE, 3, 50)])

    def found(start_s: int, end_s: int) -> list[Span]:
        return store.spans_of(store.traces(start_s * SECOND, end_s * SECOND))

    assert {item.trace_id for item in found(5, 10)} == {TRACE}
    assert len(found(10, 10)) == 2
    assert len(found(50, 60)) == 3


# -- the whole


async def test_many_writers_and_readers_at_once(store: DuckStore) -> None:
    async def write(number: int) -> None:
        for at in range(20):
            await store.write(samples=Samples.of([(metric("m", i=str(number)), at, float(at))]))

    async def read() -> int:
        return len(await asyncio.to_thread(store.select, [equal("__name__", "m")], 0, 100))

    await asyncio.gather(*(write(number) for number in range(10)), *(read() for _ in range(20)))
    found = store.select([equal("__name__", "m")], 0, 100)
    assert [len(data.values) for data in found] == [20] * 10


async def test_retention_drops_the_days_that_are_over_and_label_sets_nobody_uses(store: DuckStore) -> None:
    old, new = metric("m", job="old"), metric("m", job="new")
    next_day = 86_400
    await store.write(
        samples=Samples.of([(old, 1000, 1.0), (new, 1000, 1.0), (new, next_day * 1000, 2.0)]),
        exemplars=[Exemplar(old, {}, 1.0, 1000)],
        logs=[record(1, "old", level="info"), record(next_day, "new")],
        spans=[span(TRACE, 1, 1), span(OTHER_TRACE, 2, next_day)],
    )
    await store.sweep(older_than_ms=next_day * 1000 - 1)
    assert store.stats().samples == 3
    await store.sweep(older_than_ms=next_day * 1000)
    assert [data.labels for data in store.select([], 0, 10**9)] == [new]
    assert [item.line for item in store.logs([], 0, 10**6 * SECOND)] == ["new"]
    assert [item.trace_id for item in store.traces(0, 10**6 * SECOND)] == [OTHER_TRACE]
    assert store.exemplars([], 0, 10**9) == []
    stats = store.stats()
    assert (stats.samples, stats.logs, stats.spans, stats.series, stats.streams) == (1, 1, 1, 1, 1)
    await store.write(samples=Samples.of([(old, next_day * 1000 + 500, 3.0)]))
    assert len(store.select([equal("job", "old")], 0, 10**9)) == 1


async def test_a_closed_store_refuses(store: DuckStore) -> None:
    store.close()
    with pytest.raises(Unavailable):
        await store.write(samples=Samples.of([(metric("m"), 1, 1.0)]))
    with pytest.raises(Unavailable):
        store.trace(TRACE)


async def test_closing_while_a_query_runs_ends_the_query(store: DuckStore) -> None:
    await store.write(logs=[record(at, "x" * 100) for at in range(20_000)])
    started = threading.Event()

    def read() -> None:
        while True:
            started.set()
            store.logs([], 0, 100_000 * SECOND, where=LogFilter((LineTest(("x",)),)))

    reading = asyncio.create_task(asyncio.to_thread(read))
    await asyncio.to_thread(started.wait, 10)
    await asyncio.to_thread(store.close)
    with pytest.raises(Unavailable):
        await asyncio.wait_for(reading, 10)
