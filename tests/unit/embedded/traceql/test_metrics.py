"""Metrics functions: steps, labels, and values that can be checked by hand."""

from __future__ import annotations

import pytest

from awf.embedded.traceql import Engine
from awf.embedded.traceql.metrics import log2_quantile
from awf.embedded.traceql.values import text_of
from awf.errors import QueryError, QueryLimit, UnsupportedQuery

from ._traces import GOOD, SECOND, T0, Spans, span, workflow_traces

STEP = 10 * SECOND
END = T0 + 20 * SECOND


def instant(query: str) -> dict[str, float]:
    """Values of an instant query over both traces, by labels written `a=b,c=d`."""
    result = Engine(Spans(workflow_traces())).metrics_instant(query, T0 - SECOND, END)
    named = {
        ",".join(f"{name}={text_of(value)}" for name, value in series.labels): series.samples
        for series in result.series
    }
    assert {len(samples) for samples in named.values()} <= {1}
    assert {at for samples in named.values() for at, _ in samples} <= {END // 1_000_000}
    return {name: samples[0][1] for name, samples in named.items()}


INSTANTS = {
    "{} | count_over_time()": {"__name__=count_over_time": 10},
    "{} | rate()": {"__name__=rate": 10 / 21},
    "{ false } | rate()": {},
    '{ name = "nothing" } | rate()': {"__name__=rate": 0},
    "{ false } | rate() by (name)": {},
    "{ status = error } | count_over_time() by (name)": {"name=awf.workflow": 1, "name=awf.agent.invoke": 1},
    "{} | count_over_time() by (span.workflow_id)": {
        "span.workflow_id=research": 1, "span.workflow_id=triage": 1, "span.workflow_id=nil": 8,
    },
    "{} | count_over_time() by (status, span.attempt)": {
        "status=error": 2, "status=unset": 3, "status=ok": 1, "status=unset,span.attempt=1": 3,
        "status=unset,span.attempt=2": 1,
    },
    '{} | count_over_time() by (resource.service.name)': {
        "resource.service.name=awf-engine": 6, "resource.service.name=awf-agents": 4,
    },
    '{ name = "awf.workflow" } | max_over_time(duration)': {"__name__=max_over_time": 2.0},
    '{ name = "awf.workflow" } | min_over_time(duration)': {"__name__=min_over_time": 1.0},
    '{ name = "awf.workflow" } | avg_over_time(duration)': {"__name__=avg_over_time": 1.5},
    "{} | sum_over_time(span.cost_usd) by (name)": {"name=awf.agent.invoke": 1.25},
    "{ span.cost_usd != nil } | sum_over_time(span.cost_usd) by (span.agent_id)": {
        "span.agent_id=searcher": 1.0, "span.agent_id=writer": 0.25,
    },
    "{} | sum_over_time(span.agent_id)": {},
    '{ name = "awf.workflow" } | quantile_over_time(duration, .5, 1)': {
        "p=0.5": 2**30 / 1e9, "p=1.0": 2**31 / 1e9,
    },
    '{ name = "awf.workflow" } | quantile_over_time(duration, .9) by (span.workflow_id)': {
        "span.workflow_id=research,p=0.9": 2**30 / 1e9, "span.workflow_id=triage,p=0.9": 2**31 / 1e9,
    },
    "{} | histogram_over_time(span.gen_ai.usage.input_tokens)": {"__bucket=128.0": 3, "__bucket=256.0": 1},
    '{ name = "awf.workflow" } >> { status = error } | count_over_time()': {"__name__=count_over_time": 1},
    '{ name = "awf.step" } | count() > 1 | count_over_time()': {"__name__=count_over_time": 4},
    "{} | count_over_time() by (name) | topk(1)": {"name=awf.agent.invoke": 4},
    "{} | count_over_time() by (name) | bottomk(1)": {"name=awf.workflow": 2},
    "{} | count_over_time() by (name) | topk(2) < 5 | bottomk(1)": {"name=awf.step": 4},
    "{} | count_over_time() by (name) > 2": {"name=awf.agent.invoke": 4, "name=awf.step": 4},
    "{} | count_over_time() by (name) > 2 != 4": {},
    '{ name = "awf.workflow" } | max_over_time(duration) >= 2s': {"__name__=max_over_time": 2.0},
    "({ status = error } | count_over_time()) / ({} | count_over_time())": {
        "__name__=(count_over_time / count_over_time)": 0.2,
    },
    "({} | rate()) / ({} | count_over_time())": {"__name__=(rate / count_over_time)": 1 / 21},
    "({} | count_over_time() by (name)) * ({} | count_over_time())": {
        "name=awf.workflow": 20, "name=awf.agent.invoke": 40, "name=awf.step": 40,
    },
    "({ status = error } | count_over_time() by (name)) - ({} | count_over_time() by (name))": {
        "name=awf.workflow": -1, "name=awf.agent.invoke": -3,
    },
    "100 - 2 * ({} | count_over_time() by (name) | topk(1)) > 5": {"name=awf.agent.invoke": 92},
    "({} | count_over_time()) / ({ false } | count_over_time())": {},
    "({} | count_over_time()) + 7 / 2": {"__name__=count_over_time": 13},
}  # fmt: skip


@pytest.mark.parametrize("query", INSTANTS)
def test_an_instant_query_gives_one_value_a_series(query: str) -> None:
    assert instant(query) == pytest.approx(INSTANTS[query])


def points(query: str, start_ns: int, end_ns: int, *, spans: list[int]) -> list[tuple[int, float]]:
    """Samples of the only series over spans that start at these nanoseconds after T0; times after T0 in s."""
    stored = [span(GOOD, n + 1, 0, "x", at_ms=0, ms=1, attributes={"n": n}) for n in range(len(spans))]
    moved = [
        type(item)(
            **{**{f: getattr(item, f) for f in item.__slots__}, "start_ns": T0 + at, "end_ns": T0 + at + 1}
        )
        for item, at in zip(stored, spans, strict=True)
    ]
    (series,) = Engine(Spans(moved)).metrics_range(query, start_ns, end_ns, STEP).series
    return [((at * 1_000_000 - T0) // SECOND, value) for at, value in series.samples]


def test_steps_are_aligned_closed_on_the_right_and_stamped_with_their_end() -> None:
    spans = [0, 1, STEP, STEP + 1, 3 * STEP]
    found = points("{} | count_over_time()", T0 + 5 * SECOND, T0 + 25 * SECOND, spans=spans)
    assert found == [(0, 1), (10, 2), (20, 1), (30, 1)]


def test_a_rate_is_per_second_of_the_step() -> None:
    assert points("{} | rate()", T0, T0 + STEP, spans=[1, 2, 3]) == [(0, 0.0), (10, 0.3)]


def test_steps_without_spans_have_no_minimum_or_average() -> None:
    assert points("{} | min_over_time(span.n)", T0, T0 + 3 * STEP, spans=[5, 2 * STEP]) == [(10, 0), (20, 1)]


def test_quantiles_are_interpolated_inside_a_power_of_two() -> None:
    assert log2_quantile(1.0, {8.0: 2, 4.0: 1}) == 8.0
    assert log2_quantile(0.3, {4.0: 1, 8.0: 2}) == 4.0
    assert log2_quantile(0.5, {4.0: 1, 8.0: 2}) == pytest.approx(2**2.5)
    assert log2_quantile(0.5, {8.0: 4}) == pytest.approx(2**2.5)
    assert log2_quantile(0.0, {8.0: 1}) == 8.0


def test_quantiles_count_whole_numbers_only() -> None:
    assert instant("{} | quantile_over_time(span.cost_usd, .9)") == {}


def test_compare_counts_values_inside_the_selection_and_outside() -> None:
    found = instant('{ name != "awf.workflow" } | compare({ kind = client }, 1)')
    assert found["__meta_type=selection,span.agent_id=searcher"] == 3
    assert "__meta_type=selection,span.agent_id=writer" not in found
    assert found["__meta_type=selection_total,span.agent_id=nil"] == 4
    assert found["__meta_type=baseline,name=awf.step"] == 4
    assert found["__meta_type=baseline,span.attempt=1"] == 3
    between = instant(f"{{}} | compare({{ true }}, 10, {T0 - 1}, {T0 + 5 * SECOND})")
    assert between["__meta_type=selection,name=awf.workflow"] == 1
    assert between["__meta_type=baseline,name=awf.workflow"] == 1


def test_compare_counts_only_so_many_values() -> None:
    spans = [span(GOOD, n + 1, 0, f"name {n}", at_ms=n, ms=1) for n in range(500)]
    with pytest.raises(QueryLimit, match="compare"):
        Engine(Spans(spans)).metrics_range("{} | compare({ true })", T0, END, SECOND // 500)


def test_bad_ranges_too_many_points_and_searches_are_refused() -> None:
    engine = Engine(Spans(workflow_traces()))
    with pytest.raises(QueryError, match="end must be after start"):
        engine.metrics_range("{} | rate()", END, T0, STEP)
    with pytest.raises(QueryError, match="more than 0"):
        engine.metrics_range("{} | rate()", T0, END, 0)
    with pytest.raises(QueryLimit, match="points"):
        engine.metrics_range("{} | rate()", T0, END, 1_000_000)
    with pytest.raises(QueryError, match="not a metrics query"):
        engine.metrics_range("{}", T0, END, STEP)


def test_too_many_series_are_refused() -> None:
    spans = [span(f"{n:032x}", 1, 0, f"name-{n}", at_ms=n, ms=1) for n in range(1_100)]
    with pytest.raises(QueryLimit, match="series"):
        Engine(Spans(spans)).metrics_instant("{} | rate() by (name)", T0 - 1, END)


def test_a_sum_to_which_some_spans_add_nothing_is_refused() -> None:
    with pytest.raises(UnsupportedQuery, match=r"sum_over_time\(span.cost_usd\) over spans"):
        instant("{} | sum_over_time(span.cost_usd) by (span.agent_id)")
