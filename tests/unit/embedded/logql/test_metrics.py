"""What metric queries answer: windows, aggregations, operators, errors."""

import math

import pytest

from awf.embedded.logql import Engine, Matrix, Scalar, Vector
from awf.embedded.logql import engine as engine_module
from awf.errors import QueryError, QueryLimit

from ._memory import MINUTE, SECOND, T0, MemoryLogs, demo_records, record

S = '{service_name="awf-demo"}'
NOW = T0 + 110 * SECOND


def instant(query: str, *records: object, at: int = NOW) -> dict[tuple[tuple[str, str], ...], float]:
    reader = MemoryLogs(records or demo_records())  # type: ignore[arg-type]
    result = Engine(reader).instant(query, at)
    assert isinstance(result, Vector)
    return {tuple(sample.labels.items()): sample.value for sample in result.samples}


def total(query: str, *records: object, at: int = NOW) -> float:
    (value,) = instant(query, *records, at=at).values()
    return value


def by(*pairs: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return pairs


def test_a_window_is_open_at_its_start_and_closed_at_its_end() -> None:
    lines = [record(0, "a"), record(60, "b")]
    assert total(f"sum(count_over_time({S}[1m]))", *lines, at=T0 + MINUTE) == 1
    assert total(f"sum(count_over_time({S}[60001ms]))", *lines, at=T0 + MINUTE) == 2
    assert instant(f"sum(count_over_time({S}[1m]))", *lines, at=T0 - 1) == {}


def test_offset_moves_the_window_back() -> None:
    assert total(f"sum(count_over_time({S}[20s] offset 1m))") == 2
    assert instant(f"sum(count_over_time({S}[20s] offset -5m))") == {}


@pytest.mark.parametrize(
    ("query", "value"),
    [
        (f"sum(count_over_time({S}[5m]))", 12),
        (f"sum(rate({S}[5m]))", 12 / 300),
        (f'sum(count_over_time({S} |= "failed" [5m]))', 4),
        (f'count(count_over_time({S} |= "failed" [5m]))', 4),
        (f"sum(bytes_over_time({S} | line_format `é{{{{.agent_id}}}}` [5m]))", 12 * 2 + 6 * 8 + 6 * 6),
        (f"sum(bytes_rate({S} | line_format `xx` [1m]))", 6 * 2 / 60),
        (f"avg(count_over_time({S}[5m]))", 1),
    ],
)
def test_line_aggregations(query: str, value: float) -> None:
    assert total(query) == pytest.approx(value)


TOOK = f'{S} | pattern "<_> in <took> ms" | keep took | unwrap took [5m]'


@pytest.mark.parametrize(
    ("operation", "value"),
    [
        ("sum_over_time({})", 6600), ("avg_over_time({})", 550), ("min_over_time({})", 0),
        ("max_over_time({})", 1100), ("first_over_time({})", 0), ("last_over_time({})", 1100),
        ("stdvar_over_time({})", 119166.6666666), ("stddev_over_time({})", 345.2052529),
        ("quantile_over_time(0.5, {})", 550), ("quantile_over_time(2, {})", math.inf),
        ("rate({})", 22), ("absent_over_time({})", None),
    ],
)  # fmt: skip
def test_unwrapped_aggregations(operation: str, value: float | None) -> None:
    query = operation.format(TOOK)
    if value is None:
        assert instant(query) == {}
    else:
        assert total(query) == pytest.approx(value)


def test_unwrap_converts_durations_and_bytes() -> None:
    lines = [record(0, "d=1m30s b=2KiB")]
    assert total(f"sum_over_time({S} | logfmt | unwrap duration(d) [5m]) ", *lines) == 90
    assert total(f"sum_over_time({S} | logfmt | unwrap duration_seconds(d) [5m])", *lines) == 90
    assert total(f"sum_over_time({S} | logfmt | unwrap bytes(b) [5m])", *lines) == 2048


def test_a_range_without_grouping_keeps_every_label_but_the_unwrapped() -> None:
    found = instant(f"max_over_time({S} | logfmt | unwrap v [5m])", record(0, "v=1 x=2", agent_id="a"))
    assert found == {by(("agent_id", "a"), ("level", "info"), ("service_name", "awf-demo"), ("x", "2")): 1.0}


def test_grouping_by_and_without() -> None:
    assert instant(f"sum by (level) (count_over_time({S}[5m]))") == {
        by(("level", "error")): 4, by(("level", "info")): 8,
    }  # fmt: skip
    found = instant(f"sum without (level, execution_id, trace_id, error_type) (count_over_time({S}[5m]))")
    assert sorted(found.values()) == [6, 6]
    assert instant(f"max_over_time({S} | pattern `<_> in <t> ms` | unwrap t [5m]) by (level)") == {
        by(("level", "error")): 1100, by(("level", "info")): 1000,
    }  # fmt: skip


def test_topk_orders_an_instant_query_by_value() -> None:
    result = Engine(MemoryLogs(demo_records())).instant(
        f"topk(1, sum by (level) (count_over_time({S}[5m])))", NOW
    )
    assert isinstance(result, Vector)
    assert [(sample.labels["level"], sample.value) for sample in result.samples] == [("info", 8)]
    query = f"sort(sum by (level) (count_over_time({S}[5m]))) * 2"
    ordered = Engine(MemoryLogs(demo_records())).instant(query, NOW)
    assert [sample.value for sample in ordered.samples] == [8, 16]  # type: ignore[union-attr]


ERRORS = f'sum(count_over_time({S} | error_type!="" [5m]))'
ALL = f"sum(count_over_time({S}[5m]))"
BY = f"sum by (level) (count_over_time({S}[5m]))"


@pytest.mark.parametrize(
    ("query", "value"),
    [
        (f"{ERRORS} / {ALL}", 1 / 3), (f"{ALL} - {ERRORS} * 2", 4), (f"2 ^ {ERRORS}", 16), (f"{ALL} % 5", 2),
        (f"{ERRORS} > bool 100", 0), (f"100 > bool {ERRORS}", 1), (f"{ERRORS} > 3", 4), (f"3 < {ERRORS}", 4),
        (f"sum(count_over_time({S} |= `nothing` [5m])) or vector(0)", 0), (f"{ALL} and {ERRORS}", 12),
        (f"{ALL} unless sum(count_over_time({S} |= `nothing` [5m]))", 12),
        (f"sum({BY} > 5)", 8), (f"sum({BY} / on(level) {BY})", 2), (f"sum({BY} * ignoring(x) {BY})", 80),
    ],
)  # fmt: skip
def test_operators(query: str, value: float) -> None:
    assert total(query) == pytest.approx(value)


def test_division_by_zero_is_nan() -> None:
    assert math.isnan(total(f"{ALL} / 0"))


def test_a_comparison_drops_what_does_not_hold() -> None:
    assert instant(f"{ERRORS} > 100") == {}


def test_many_to_one_is_refused() -> None:
    with pytest.raises(QueryError, match="found duplicate series on the right hand-side"):
        instant(f"{ALL} / on() {BY}")
    with pytest.raises(QueryError, match="many-to-one matching must be explicit"):
        instant(f"{BY} / on() {ALL}")


def test_group_left_and_right_keep_the_labels_of_the_many_side() -> None:
    assert instant(f"{BY} / on() group_left {ALL}") == {
        by(("level", "error")): 4 / 12, by(("level", "info")): 8 / 12,
    }  # fmt: skip
    assert instant(f"{ALL} - ignoring(level) group_right {BY}") == {
        by(("level", "error")): 8, by(("level", "info")): 4,
    }  # fmt: skip
    assert instant(f"{ALL} > on() group_right {BY}")[by(("level", "info"))] == 12
    one = f'label_replace({ALL}, "from", "x", "", "")'
    assert instant(f'{BY} * on() group_left (from) {one}') == {
        by(("from", "x"), ("level", "error")): 48, by(("from", "x"), ("level", "info")): 96,
    }  # fmt: skip
    with pytest.raises(QueryError, match="found duplicate series on the left hand-side"):
        instant(f"{BY} / on() group_right {ALL}")
    with pytest.raises(QueryError, match="grouping labels must ensure unique matches"):
        instant(f"{BY} * on() group_left (level) {ALL}")


def test_rate_counter_adds_resets_and_extrapolates() -> None:
    query = f"sum(rate_counter({S} | logfmt | keep n | unwrap n [100s]))"
    lines = [record(at, f"n={value}") for at, value in ((15, 0), (35, 10), (55, 30), (75, 5), (95, 15))]
    assert total(query, *lines, at=T0 + 105 * SECOND) == pytest.approx(45 * (80 + 0 + 10) / 80 / 100)
    assert total(query, *lines[1:4], at=T0 + 105 * SECOND) == pytest.approx(25 * (40 + 10 + 10) / 40 / 100)
    assert total(query, record(0, "n=7"), at=T0 + SECOND) == 0


def test_approx_topk_is_exact() -> None:
    assert instant(f"approx_topk(1, {BY})") == instant(f"topk(1, {BY})") == {by(("level", "info")): 8}


def test_label_replace() -> None:
    query = f'label_replace({BY}, "kind", "$1-${{2}}", "level", "(.)(.*)")'
    assert set(instant(query)) == {
        by(("kind", "e-rror"), ("level", "error")), by(("kind", "i-nfo"), ("level", "info")),
    }  # fmt: skip
    with pytest.raises(QueryError, match="two samples at one time"):
        instant(f'label_replace({BY}, "level", "same", "level", ".*")')


def test_absent_over_time_speaks_of_what_is_missing() -> None:
    assert instant('absent_over_time({service_name="gone", level=~"e.+"}[5m])') == {
        by(("service_name", "gone")): 1.0
    }


def test_an_entry_with_an_error_fails_a_metric_query() -> None:
    query = f"sum by (a) (count_over_time({S} | json [5m]))"
    with pytest.raises(QueryError, match="pipeline error: 'JSONParserErr' for series"):
        instant(query)
    assert instant(f'sum by (a) (count_over_time({S} | json | __error__="" [5m]))') == {}
    assert total(f"sum by (__error__) (count_over_time({S} | json [5m]))") == 12
    assert instant(f"sum by (__error__) (count_over_time({S} [5m]))") == {(): 12}
    with pytest.raises(QueryError, match="SampleExtractionErr"):
        instant(f"sum_over_time({S} | logfmt | unwrap n [5m])", record(0, "n=many"))
    assert instant(f'sum_over_time({S} | logfmt | unwrap n | __error__="" [5m])', record(0, "n=many")) == {}


def test_labels_that_a_sum_does_not_need_are_not_parsed() -> None:
    """As in Loki: nothing is parsed for `sum()` over lines, so that nothing can fail."""
    assert total(f"sum(count_over_time({S} | json [5m]))") == 12
    assert instant(f"absent_over_time({S} | json [5m])") == {}
    for grouping in ("without ()", "without (level)", "by (a)"):
        with pytest.raises(QueryError, match="pipeline error"):
            instant(f"sum {grouping} (count_over_time({S} | json [5m]))")


def test_a_range_query_has_a_value_at_each_step_with_samples() -> None:
    reader = MemoryLogs(demo_records())
    result = Engine(reader).range(f"sum(count_over_time({S}[30s]))", T0, T0 + 4 * MINUTE, MINUTE)
    assert isinstance(result, Matrix)
    (series,) = result.series
    assert ((series.timestamps_ns - T0) // SECOND).tolist() == [0, 60, 120]
    assert series.values.tolist() == [1, 3, 2]
    assert result.stats.lines == 12


def test_an_entry_between_windows_is_not_looked_at() -> None:
    reader = MemoryLogs([record(0, "a=1"), record(30, "a=broken"), record(60, "a=2")])
    query = f"sum_over_time({S} | logfmt | unwrap a [10s])"
    (series,) = Engine(reader).range(query, T0, T0 + MINUTE, MINUTE).series  # type: ignore[union-attr]
    assert series.values.tolist() == [1, 2]


def test_the_last_step_is_there_however_long_steps_are() -> None:
    step = 10**15
    matrix = Engine(MemoryLogs([])).range("vector(1)", T0, T0 + 10 * step, step)
    assert matrix.series[0].timestamps_ns.tolist() == [T0 + k * step for k in range(11)]  # type: ignore[union-attr]


def test_values_out_of_range_are_extraction_errors() -> None:
    for line, conversion in (("v=" + "9" * 400, "bytes"), ("v=1e999", ""), (f"v={'9' * 30}h", "duration")):
        unwrap = f"{conversion}(v)" if conversion else "v"
        with pytest.raises(QueryError, match="SampleExtractionErr"):
            instant(f"sum_over_time({S} | logfmt | unwrap {unwrap} [5m])", record(0, line))


def test_overlapping_windows_each_count_their_own() -> None:
    reader = MemoryLogs(demo_records())
    query = f"max_over_time({S} | pattern `<_> in <t> ms` | keep t | unwrap t [45s])"
    result = Engine(reader).range(query, T0, T0 + 3 * MINUTE, 20 * SECOND)
    (series,) = result.series  # type: ignore[union-attr]
    assert series.values.tolist() == [0, 200, 400, 600, 800, 1000, 1100, 1100]


def test_numbers_are_scalars_and_constant_series() -> None:
    engine = Engine(MemoryLogs([]))
    result = engine.instant("1 + 2 * 3 ^ 2", NOW)
    assert isinstance(result, Scalar)
    assert result.value == 19
    matrix = engine.range("1 == 1", T0, T0 + MINUTE, 30 * SECOND)
    assert matrix.series[0].values.tolist() == [1, 1, 1]  # type: ignore[union-attr]


def test_an_empty_answer_is_no_error() -> None:
    engine = Engine(MemoryLogs([]))
    for query in (BY, f"topk(2, {BY})", f"{BY} / {BY}", f"avg(rate({S}[1m]))", f"{BY} or {BY}"):
        assert engine.range(query, T0, T0 + MINUTE, SECOND).series == []  # type: ignore[union-attr]
        assert engine.instant(query, NOW).samples == []  # type: ignore[union-attr]


def test_limits_are_errors_that_say_what_to_do() -> None:
    engine = Engine(
        MemoryLogs([record(0, "x", execution_id=str(n)) for n in range(engine_module.MAX_SERIES + 1)])
    )
    with pytest.raises(QueryLimit, match="11,000 points"):
        engine.range(ALL, T0, T0 + 11_000 * SECOND, SECOND)
    with pytest.raises(QueryLimit, match="maximum number of series"):
        engine.instant(f"count_over_time({S}[5m])", NOW)
    with pytest.raises(QueryError, match="step widths"):
        engine.range(ALL, T0, NOW, 0)
    with pytest.raises(QueryError, match="end timestamp"):
        engine.range(ALL, NOW, T0, SECOND)


def test_a_log_query_cannot_be_instant() -> None:
    with pytest.raises(QueryError, match="please change your query to a range query"):
        Engine(MemoryLogs([])).instant(S, NOW)
