"""What Prometheus 3 does and 2.42 does not, edge cases, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest

from awf.embedded.model import SeriesData
from awf.embedded.promql import Engine, Scalar, String, VectorSample
from awf.errors import QueryError, QueryLimit, UnsupportedQuery

from ._memory import MemoryReader, load

MINUTE = 60_000


def instant(data: str, query: str, minutes: float, **options: int) -> dict[str, float]:
    """Evaluate over one-minute samples; keys are labels written `a=b,c=d`."""
    result = Engine(load(data), **options).instant(query, round(minutes * MINUTE))
    assert isinstance(result, list)
    samples = [item for item in result if isinstance(item, VectorSample)]
    assert len(samples) == len(result)
    return {
        ",".join(f"{key}={text}" for key, text in sorted(item.labels.items())): item.value for item in samples
    }


def over(data: str, query: str, *, start: int, end: int, step: int = 1) -> dict[str, list[tuple[int, float]]]:
    result = Engine(load(data)).range(query, start * MINUTE, end * MINUTE, step * MINUTE)
    return {
        ",".join(f"{key}={text}" for key, text in sorted(item.labels.items())): [
            (moment // MINUTE, value)
            for moment, value in zip(item.timestamps_ms.tolist(), item.values.tolist(), strict=True)
        ]
        for item in result
    }


GAUGES = """
g{a="1",b="x"} 0+1x20
g{a="2",b="x"} 10+2x20
g{a="3",b="y"} 100-1x20
"""


def test_the_lookback_is_left_open() -> None:
    assert instant("m 7", "m", 4.999) == {"__name__=m": 7}
    assert instant("m 7", "m", 5) == {}


def test_a_range_is_left_open() -> None:
    assert instant("m 0+1x10", "count_over_time(m[5m])", 10) == {"": 5}
    assert instant("m 0+1x10", "sum_over_time(m[5m])", 10) == {"": 6 + 7 + 8 + 9 + 10}


def test_a_subquery_is_left_open() -> None:
    assert instant("m 0+1x10", "count_over_time(m[5m:1m])", 10) == {"": 5}


def test_a_stale_marker_ends_a_series_at_once() -> None:
    assert instant("m 1 2 stale", "m", 2) == {}
    assert instant("m 1 2 stale", "m", 1.5) == {"__name__=m": 2}
    assert over("m 1 2 stale _ 5", "m", start=0, end=4) == {"__name__=m": [(0, 1), (1, 2), (4, 5)]}


def test_a_range_skips_stale_markers() -> None:
    assert instant("m 1 2 stale 4", "count_over_time(m[10m])", 3) == {"": 3}
    assert instant("m 1 2 stale", "absent_over_time(m[90s])", 2) == {}
    raw = Engine(load("m 1 2 stale 4")).instant("m[10m]", 3 * MINUTE)
    assert isinstance(raw, list)
    assert isinstance(raw[0], SeriesData)
    assert raw[0].values.tolist() == [1, 2, 4]


def test_other_nans_are_values() -> None:
    assert math.isnan(instant("m 1 nan", "m", 1)["__name__=m"])


def test_rate_of_a_counter_that_begins_inside_the_window_stops_at_zero() -> None:
    # Samples 5, 15, 25 at minutes 8, 9, 10: half an interval back would reach zero exactly.
    data = "c _ _ _ _ _ _ _ _ 5 15 25"
    assert instant(data, "increase(c[10m])", 10) == {"": pytest.approx(25.0)}
    # 2.42 would go 0.9 of an interval back here; Prometheus 3 half of one.
    data = "c _ _ _ _ _ _ _ _ 9 19 29"
    assert instant(data, "increase(c[10m])", 10) == {"": pytest.approx(20 * (2 + 0.5) / 2)}


def test_rate_adds_what_was_lost_in_resets_of_its_own_window_only() -> None:
    data = "c 100 200 0 10 20 30 5 15"
    assert instant(data, "resets(c[10m])", 7) == {"": 2}
    assert instant(data, "delta(c[3m])", 5.5) == {"": pytest.approx(30)}
    assert instant(data, "increase(c[3m])", 7) == {"": pytest.approx((15 - 30 + 30) * 3 / 2)}


def test_one_sample_has_no_rate() -> None:
    assert instant("c 1", "rate(c[5m])", 1) == {}
    assert instant("c 1", "count_over_time(c[5m])", 1) == {"": 1}


def test_sums_of_a_window_do_not_suffer_from_other_samples() -> None:
    assert instant("m 1e18 0.1 0.2", "sum_over_time(m[2m])", 2) == {"": pytest.approx(0.3, rel=1e-15)}
    data = "m nan 1 2\nn inf 1 2"
    assert instant(data, 'sum_over_time({__name__=~"m"}[2m])', 2) == {"": 3}
    assert instant(data, "avg_over_time(n[2m])", 2) == {"": 1.5}


def test_the_mean_of_huge_values_does_not_overflow() -> None:
    assert instant("m 1.5e308 1.5e308", "avg_over_time(m[5m])", 1) == {"": 1.5e308}
    assert instant('m{a="1"} 1.5e308\nm{a="2"} 1.5e308', "avg(m)", 0) == {"": 1.5e308}


def test_nan_is_the_smallest_value() -> None:
    data = 'm{a="1"} nan\nm{a="2"} 1\nm{a="3"} 2'
    assert instant(data, "max(m)", 0) == {"": 2}
    assert instant(data, "min(m)", 0) == {"": 1}
    assert list(instant(data, "topk(2, m)", 0)) == ["__name__=m,a=3", "__name__=m,a=2"]
    assert list(instant(data, "bottomk(3, m)", 0))[-1] == "__name__=m,a=1"
    assert list(instant(data, "sort(m)", 0))[-1] == "__name__=m,a=1"
    assert list(instant(data, "sort_desc(m)", 0))[-1] == "__name__=m,a=1"
    assert instant(data, "quantile(1, m)", 0) == {"": 2}
    assert instant("m nan 1 2", "max_over_time(m[5m])", 2) == {"": 2}


def test_topk_keeps_the_first_of_equals_by_labels() -> None:
    assert list(instant('m{a="2"} 1\nm{a="1"} 1', "topk(1, m)", 0)) == ["__name__=m,a=1"]


def test_topk_of_none_and_of_more_than_there_are() -> None:
    assert instant(GAUGES, "topk(0, g)", 1) == {}
    assert instant(GAUGES, "topk(-3, g)", 1) == {}
    assert len(instant(GAUGES, "topk(99, g)", 1)) == 3


def test_grouping_by_a_missing_label_leaves_it_out() -> None:
    assert instant(GAUGES, "sum by (b, nothing) (g)", 1) == {"b=x": 1 + 12, "b=y": 99}
    assert instant(GAUGES, "sum without (a) (g)", 1) == {"b=x": 13, "b=y": 99}
    assert instant(GAUGES, "count by (__name__) (g)", 1) == {"__name__=g": 3}


def test_series_that_follow_each_other_match_without_conflict() -> None:
    data = 'm{pod="1"} 1 1 stale\nm{pod="2"} _ _ _ 5 5\ntotal 10+0x4'
    assert over(data, "m * on () group_left total", start=0, end=4) == {
        "pod=1": [(0, 10), (1, 10)],
        "pod=2": [(3, 50), (4, 50)],
    }
    assert over(data, "total * on () m", start=0, end=4) == {"": [(0, 10), (1, 10), (3, 50), (4, 50)]}


def test_dropping_the_name_joins_series_only_where_they_do_not_meet() -> None:
    apart = "m 1 1 stale\nn _ _ _ 5 5"
    assert over(apart, '{__name__=~"m|n"} * 2', start=0, end=4) == {"": [(0, 2), (1, 2), (3, 10), (4, 10)]}
    with pytest.raises(QueryError, match="vector cannot contain metrics with the same labelset"):
        instant("m 1\nn 1", '{__name__=~"m|n"} * 2', 0)
    with pytest.raises(QueryError, match="vector cannot contain metrics with the same labelset"):
        over("m 1 2 3\nn 1 2 3", 'rate({__name__=~"m|n"}[5m])', start=0, end=3)
    with pytest.raises(QueryError, match="vector cannot contain metrics with the same labelset"):
        instant("m 1\nn 1", '-{__name__=~"m|n"}', 0)


def test_comparisons_filter_keep_names_and_take_the_left_value() -> None:
    assert instant(GAUGES, "g > 50", 1) == {"__name__=g,a=3,b=y": 99}
    assert instant(GAUGES, "50 < g", 1) == {"__name__=g,a=3,b=y": 99}
    assert instant(GAUGES, "g > bool 50", 1) == {"a=1,b=x": 0, "a=2,b=x": 0, "a=3,b=y": 1}
    assert instant(GAUGES, 'g{a="3"} > on (b) g{a="3"}', 1) == {}
    assert instant(GAUGES, 'g > on (b) group_left g{a="1"}', 1) == {"__name__=g,a=2,b=x": 12}
    assert instant(GAUGES, 'g{a="1"} < on (b) group_right g', 1) == {"__name__=g,a=2,b=x": 1}


def test_a_one_to_one_match_is_ambiguous_also_where_a_comparison_leaves_one_out() -> None:
    with pytest.raises(QueryError, match="many-to-one matching must be explicit"):
        instant(GAUGES, 'g{b="x"} + on (b) g{a="1"}', 1)
    with pytest.raises(QueryError, match="many-to-one matching must be explicit"):
        instant(GAUGES, 'g{b="x"} > on (b) g{a="1"}', 1)


def test_set_operators_look_at_each_step() -> None:
    data = "m 1 1 stale\nn 5 5 5 5"
    assert over(data, "m or on () n", start=0, end=3) == {
        "__name__=m": [(0, 1), (1, 1)],
        "__name__=n": [(2, 5), (3, 5)],
    }
    assert over(data, "n unless on () m", start=0, end=3) == {"__name__=n": [(2, 5), (3, 5)]}
    assert over(data, "n and on () m", start=0, end=3) == {"__name__=n": [(0, 5), (1, 5)]}


def test_histogram_quantile_takes_the_buckets_that_exist_at_each_step() -> None:
    data = 'h{le="1"} 0 5 5\nh{le="2"} _ _ 10\nh{le="+Inf"} 0 10 20\nh{le="bad"} 1 1 1\nh 1 1 1'
    result = over(data, "histogram_quantile(0.5, h)", start=0, end=2)[""]
    assert math.isnan(result[0][1])
    assert result[1:] == [(1, 1.0), (2, 2.0)]


def test_histogram_quantile_without_an_infinite_bucket_is_nan() -> None:
    assert math.isnan(instant('h{le="1"} 5\nh{le="2"} 6', "histogram_quantile(0.5, h)", 0)[""])
    assert instant('h{le="1"} 5\nh{le="+Inf"} 6', "histogram_quantile(-1, h)", 0) == {"": -math.inf}
    assert instant('h{le="1"} 1\nh{le="1.0"} 1\nh{le="+Inf"} 2', "histogram_quantile(0.5, h)", 0) == {"": 0.5}
    assert instant('h{le="1"} 4\nh{le="2"} 3\nh{le="+Inf"} 4', "histogram_quantile(1, h)", 0) == {"": 1}
    assert instant('h{le="-1"} 4\nh{le="+Inf"} 4', "histogram_quantile(0.5, h)", 0) == {"": -1}


def test_a_quantile_may_change_from_step_to_step() -> None:
    data = 'm{a="1"} 1 1\nm{a="2"} 3 3'
    assert over(data, "quantile(time() / 60, m)", start=0, end=1) == {"": [(0, 1), (1, 3)]}
    assert over(data, "topk(scalar(vector(time() / 60)), m)", start=0, end=1) == {"__name__=m,a=2": [(1, 3)]}


def test_at_fixes_the_time_and_start_and_end_are_those_of_the_query() -> None:
    assert over(GAUGES, 'g{a="1"} @ 120', start=0, end=2) == {"__name__=g,a=1,b=x": [(0, 2), (1, 2), (2, 2)]}
    assert over(GAUGES, 'max_over_time(g{a="1"}[20m:1m] @ end())', start=0, end=2) == {
        "a=1,b=x": [(0, 2), (1, 2), (2, 2)]
    }
    assert instant(GAUGES, 'g{a="1"} @ 300 offset 2m', 20) == {"__name__=g,a=1,b=x": 3}
    assert instant(GAUGES, 'g{a="1"} offset -2m', 5) == {"__name__=g,a=1,b=x": 7}


def test_predict_linear_extrapolates_from_a_fixed_window_to_each_step() -> None:
    # Prometheus 2.42 loses the later steps of this query (its issue 11708).
    assert over("m 0+10x20", "predict_linear(m[5m] @ 300, 60)", start=5, end=7) == {
        "": [(5, pytest.approx(60)), (6, pytest.approx(70)), (7, pytest.approx(80))]
    }


def test_a_conflict_counts_only_where_the_other_side_has_samples() -> None:
    data = 'm{a="1"} 1 1\nm{a="2"} 1 1\nn _ 5'
    assert instant(data, "n + on () m", 0) == {}
    with pytest.raises(QueryError, match="many-to-many"):
        instant(data, "n + on () m", 1)


def test_subqueries_align_to_their_step() -> None:
    result = Engine(load("m 0+1x10")).instant("m[3m:1m]", 10 * MINUTE - 1)
    assert isinstance(result, list)
    assert isinstance(result[0], SeriesData)
    assert (result[0].timestamps_ms // MINUTE).tolist() == [7, 8, 9]
    assert instant("m 0+1x10", "sum_over_time((m > 7)[5m:1m])", 10) == {"": 8 + 9 + 10}


def test_absent_is_labelled_by_equality_matchers() -> None:
    assert instant("m 1", 'absent(nope{a="1",b!="2",c=~"3"})', 0) == {"a=1": 1}
    assert instant("m 1", 'absent(nope{a="1",a="2",b="3"})', 0) == {"b=3": 1}
    assert instant("m 1", "absent(sum(nope))", 0) == {"": 1}
    assert instant("m 1", 'absent_over_time(nope{a="1"}[5m])', 0) == {"a=1": 1}
    assert instant("m 1", "absent(m)", 0) == {}


def test_timestamp_of_a_selector_is_the_samples_own() -> None:
    assert instant("m 1 2", "timestamp(m)", 3) == {"": 60}
    assert instant("m 1 2", "timestamp(m + 0)", 3) == {"": 180}


def test_label_replace_expands_as_go_does() -> None:
    data = 'm{src="ab-12"} 1'
    replaced = {
        "$1": "ab", "${2}x": "12x", "$2x": "", "$name": "ab", "$$1": "$1", "a$": "a$", "$9": "",
    }  # fmt: skip
    for template, expected in replaced.items():
        query = f'label_replace(m, "dst", "{template}", "src", "(?P<name>[a-z]+)-(\\\\d+)")'
        label = f",dst={expected}" if expected else ""
        assert list(instant(data, query, 0)) == [f"__name__=m{label},src=ab-12"], template
    assert list(instant(data, 'label_replace(m, "src", "", "src", ".*")', 0)) == ["__name__=m"]
    assert list(instant(data, 'label_replace(m, "dst", "x", "src", "a")', 0)) == ["__name__=m,src=ab-12"]


def test_scalars_strings_and_literals() -> None:
    engine = Engine(MemoryReader())
    assert engine.instant("-2 ^ 2 + 0x10 % 5", 1000) == Scalar(1000, -3)
    assert engine.instant("5m", 0) == Scalar(0, 300)
    assert engine.instant(r"""'a"b\n'""", 0) == String(0, 'a"b\n')
    assert engine.instant("time()", 1500) == Scalar(1500, 1.5)
    scalar = engine.instant("scalar(nope)", 0)
    assert isinstance(scalar, Scalar)
    assert math.isnan(scalar.value)
    assert [item.values.tolist() for item in engine.range("1 / 0", 0, 1000, 1000)] == [[math.inf] * 2]


def test_dates() -> None:
    moments = {
        "year": 2024, "month": 2, "day_of_month": 29, "day_of_week": 4, "day_of_year": 60,
        "days_in_month": 29, "hour": 23, "minute": 59,
    }  # fmt: skip
    engine = Engine(MemoryReader())
    for name, expected in moments.items():
        result = engine.instant(f"{name}(vector(1709251199.9))", 0)
        assert result == [VectorSample({}, 0, expected)], name
    assert math.isnan(instant("m nan", "hour(m)", 0)[""])


def test_crossing_bounds_of_clamp_give_nothing() -> None:
    assert instant("m 5", "clamp(m, 10, 1)", 0) == {}
    assert instant("m 5", "clamp(m, 1, 3)", 0) == {"": 3}
    assert math.isnan(instant("m 5", "clamp_max(m, NaN)", 0)[""])


def test_nothing_selected_is_an_empty_answer_everywhere() -> None:
    engine = Engine(MemoryReader())
    for query in (
        "x", "rate(x[5m])", "sum(x)", "topk(1, x)", "count_values('v', x)", "quantile(0.5, x)", "x + x",
        "x and x", "x or x", "x unless x", "histogram_quantile(0.9, x)", "-x", "x[5m]", "x[5m:1m]",
        "max_over_time(x[5m:1m])", "label_replace(x, 'a', 'b', 'c', 'd')", "sort(x)", "quantile_over_time(1, x[5m])",
        "deriv(x[1m])", "x * on (a) group_left (b) x", "timestamp(x)", "clamp(x, 1, 2)", "stddev_over_time(x[1m])",
    ):  # fmt: skip
        assert engine.instant(query, 0) == [], query


@pytest.mark.parametrize(
    ("query", "construct"),
    [
        ("histogram_avg(x)", "histogram_avg"),
        ("start_timestamp(x)", "start_timestamp"),
        ("x </ 2", "</"),
        (r'x{a=~"\\pL"}', r"\p"),
        ('x{a=~"(?x) a"}', "(?x"),
    ],
)
def test_what_is_not_answered_is_refused_by_name(query: str, construct: str) -> None:
    with pytest.raises(UnsupportedQuery) as caught:
        Engine(MemoryReader()).instant(query, 0)
    assert construct in caught.value.message


@pytest.mark.parametrize(
    "query",
    ["", "sum(", "x{", "x)", "rate(x)", "1 > 2", "x + 'a'", "{}", "x[0s]", "nope(x)", "x{a=~'['}", "x offset 99999999y",
     "x @ 99999999999999999", "x[300y]", "label_replace(x, 'a', 'b', 'c', '(')"],
)  # fmt: skip
def test_a_wrong_query_is_a_query_error(query: str) -> None:
    with pytest.raises(QueryError):
        Engine(load('x{c="d"} 1')).instant(query, 0)


def test_range_queries_are_bounded() -> None:
    engine = Engine(MemoryReader())
    assert len(engine.range("1", 0, 11_000, 1)[0].values) == 11_001
    with pytest.raises(QueryLimit, match="11,000"):
        engine.range("1", 0, 11_001, 1)
    with pytest.raises(QueryError, match="end timestamp"):
        engine.range("1", 10, 0, 1)
    with pytest.raises(QueryError, match="step"):
        engine.range("1", 0, 10, 0)
    with pytest.raises(QueryError, match='expression type "range vector"'):
        engine.range("x[5m]", 0, 10, 1)
    with pytest.raises(QueryError, match='expression type "string"'):
        engine.range("'x'", 0, 10, 1)
    with pytest.raises(QueryLimit, match="subquery"):
        engine.instant("max_over_time(x[10y:1s])", 10**12)


def test_results_too_large_to_hold_are_refused() -> None:
    one = np.array([0], dtype=np.int64), np.array([1.0])
    reader = MemoryReader([SeriesData({"__name__": "x", "i": str(i)}, *one) for i in range(2000)])
    with pytest.raises(QueryLimit, match="2000 series at 11000 steps"):
        Engine(reader).range("x", 0, 10_999, 1)


def test_many_series_are_cut_into_runs_and_stay_in_order() -> None:
    moments = np.arange(0, 600_000, 1000, dtype=np.int64)
    reader = MemoryReader(
        [
            SeriesData({"__name__": "x", "i": f"{i:04}"}, moments, np.full(len(moments), float(i)))
            for i in range(2500)
        ]
    )
    result = Engine(reader).range("avg_over_time(x[1m])", 0, 599_000, 1000)
    assert [item.values[-1] for item in result] == list(range(2500))
