"""How the store is asked: slices of time, limits and what is pushed down."""

import pytest

from awf.embedded.logql import Engine
from awf.embedded.logql.scan import QueryStats, scan
from awf.embedded.model import LineTest, LogFilter

from ._memory import MINUTE, SECOND, T0, MemoryLogs, demo_records, record

SELECT = '{service_name="awf-demo"} '


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("rows", [1, 2, 3, 5, 100])
def test_slices_lose_and_repeat_nothing_even_inside_one_instant(rows: int, newest_first: bool) -> None:
    times = [0, 0, 0, 0, 1, 2, 2, 2, 3, 3, 3, 3, 3, 9]
    reader = MemoryLogs([record(at, f"line {index}") for index, at in enumerate(times)])
    stats = QueryStats()
    found = list(scan(reader, (), (T0, T0 + MINUTE), stats, newest_first=newest_first, rows=rows))
    assert sorted(item.line for item in found) == sorted(item.line for item in reader.records)
    stamps = [item.timestamp_ns for item in found]
    assert stamps == sorted(stamps, reverse=newest_first)
    assert stats.lines == len(times)


@pytest.mark.parametrize("newest_first", [True, False])
def test_a_limit_takes_entries_from_the_asked_end(newest_first: bool) -> None:
    reader = MemoryLogs(demo_records())
    result = Engine(reader).range(
        SELECT + '|= "failed"', T0, T0 + MINUTE * 5, SECOND, limit=2, newest_first=newest_first
    )
    seconds = [(entry.timestamp_ns - T0) // SECOND for entry in result.entries]  # type: ignore[union-attr]
    assert seconds == ([110, 80] if newest_first else [20, 50])


@pytest.mark.parametrize(("newest_first", "seconds"), [(False, [0, 30, 60, 90]), (True, [110, 80, 50, 20])])
def test_an_interval_leaves_out_entries_that_are_too_close(newest_first: bool, seconds: list[int]) -> None:
    result = Engine(MemoryLogs(demo_records())).range(
        SELECT, T0, T0 + MINUTE * 5, SECOND, newest_first=newest_first, interval_ns=25 * SECOND
    )
    assert [(entry.timestamp_ns - T0) // SECOND for entry in result.entries] == seconds  # type: ignore[union-attr]


def test_a_query_without_filters_reads_little_more_than_it_returns() -> None:
    reader = MemoryLogs([record(index, "x") for index in range(5_000)])
    found = Engine(reader).range(SELECT, T0, T0 + MINUTE * 100, SECOND, limit=20)
    assert len(found.entries) == 20  # type: ignore[union-attr]
    assert sum(len(reader.within(*call["span"])) for call in reader.calls) < 100  # type: ignore[misc]


def test_substrings_are_pushed_down_until_the_line_is_rewritten() -> None:
    reader = MemoryLogs(demo_records())
    query = SELECT + '|= "Step" | json |= "failed" != "x" |= "a" or "b" | line_format "y" |= "y"'
    Engine(reader).range(query, T0, T0 + MINUTE * 5, SECOND)
    assert reader.calls[-1]["where"] == LogFilter(
        (LineTest(("Step",)), LineTest(("failed",)), LineTest(("x",), negative=True), LineTest(("a", "b")))
    )


def test_the_end_of_a_log_query_is_exclusive() -> None:
    reader = MemoryLogs([record(0, "in"), record(60, "out")])
    result = Engine(reader).range(SELECT, T0, T0 + MINUTE, SECOND)
    assert [entry.line for entry in result.entries] == ["in"]  # type: ignore[union-attr]
