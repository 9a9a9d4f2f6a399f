"""Answers of datasources as the page gets them."""

from __future__ import annotations

import json
from typing import Any

from awf.api.dashboards.answers import MAX_LINE_CHARS, MAX_SERIES, read
from awf.api.dashboards.exemplars import read_exemplars
from awf.api.dashboards.queries import Query
from awf.api.dashboards.traces import read_trace
from awf.core.ports import Datasource

MIMIR = Datasource("mimir", "Mimir", "prometheus")


def ranged(steps: int = 4) -> Query:
    return Query(
        "A", MIMIR, "/api/v1/query_range", {}, "a", "matrix", step_ms=15_000, times=(0, steps * 15_000)
    )


def matrix(*values: list[Any], count: int = 1) -> dict[str, Any]:
    result = [{"metric": {"n": str(n)}, "values": list(values)} for n in range(count)]
    return {"data": {"resultType": "matrix", "result": result}}


def test_a_gap_is_nothing_and_times_are_shared() -> None:
    found = read(ranged(), matrix([0, "1"], [30, "2.5"]))
    assert found["times"] == [0, 15_000, 30_000, 45_000, 60_000]
    assert found["series"] == [{"labels": {"n": "0"}, "values": [1.0, None, 2.5, None, None]}]


def test_infinities_and_nan_survive_json() -> None:
    found = read(ranged(), matrix([0, "+Inf"], [15, "NaN"], [30, "-Inf"]))
    assert json.loads(json.dumps(found, allow_nan=False))["series"][0]["values"][:3] == [
        "Infinity",
        None,
        "-Infinity",
    ]


def test_too_many_series_are_cut_and_said_so() -> None:
    found = read(ranged(), matrix([0, "1"], count=MAX_SERIES + 5))
    assert len(found["series"]) == MAX_SERIES
    assert found["cut"] == "200 of 205 series are shown"


def test_too_many_points_are_cut_by_series() -> None:
    found = read(ranged(steps=10_000), matrix([0, "1"], count=50))
    assert len(found["series"]) == 19
    assert found["cut"]


def test_an_instant_answer_has_one_time() -> None:
    query = Query("A", MIMIR, "/api/v1/query", {}, "a", "vector", times=(5_000, 5_000))
    result = [{"metric": {"a": "b"}, "value": [5, "7"]}]
    found = read(query, {"data": {"resultType": "vector", "result": result}})
    assert (found["times"], found["series"][0]["values"]) == ([5_000], [7.0])
    scalar = read(query, {"data": {"resultType": "scalar", "result": [5, "1"]}})
    assert scalar["series"] == [{"labels": {}, "values": [1.0]}]


def test_lines_are_newest_first_across_streams_and_long_ones_are_cut() -> None:
    query = Query("A", MIMIR, "/loki/api/v1/query_range", {"limit": "3"}, "{}", "logs")
    streams = [
        {"stream": {"level": "info"}, "values": [["1000000000", "first"], ["3000000000", "x" * 9_000]]},
        {"stream": {}, "values": [["2000000000", "second", {"structuredMetadata": {"trace_id": "t"}}]]},
    ]
    found = read(query, {"data": {"resultType": "streams", "result": streams}})
    assert [line["at"] for line in found["lines"]] == [3_000, 2_000, 1_000]
    assert found["lines"][1]["labels"] == {"trace_id": "t"}
    assert len(found["lines"][0]["line"]) < MAX_LINE_CHARS + 60
    assert "cut at 4,000 of 9,000" in found["lines"][0]["line"]
    assert found["cut"] == "the newest 3 lines are shown"


def test_spans_have_the_attributes_that_the_query_selects() -> None:
    tempo = Query("A", MIMIR, "/api/search", {}, "{}", "traces", format="spans")
    span = {"spanID": "b", "name": "awf.step", "startTimeUnixNano": "2000000000", "durationNanos": "5000000",
            "attributes": [{"key": "step_id", "value": {"stringValue": "draft"}}]}  # fmt: skip
    found = read(
        tempo, {"traces": [{"traceID": "t", "rootTraceName": "root", "spanSets": [{"spans": [span]}]}]}
    )
    assert found["traces"] == [
        {
            "trace_id": "t",
            "at": 2_000,
            "name": "awf.step",
            "attributes": {"step_id": "draft"},
            "duration_ms": 5.0,
        }
    ]


def test_a_trace_is_its_spans_in_the_order_of_their_tree() -> None:
    tempo = Query("A", MIMIR, "/api/v2/traces/ab", {}, "ab", "trace")
    spans = [
        {"spanId": "2", "parentSpanId": "1", "name": "step", "startTimeUnixNano": "3000000",
         "endTimeUnixNano": "5000000", "attributes": [{"key": "step_id", "value": {"stringValue": "draft"}}]},
        {"spanId": "1", "name": "workflow", "startTimeUnixNano": "1000000", "endTimeUnixNano": "5000000"},
    ]  # fmt: skip
    batch = {
        "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "demo"}}]},
        "scopeSpans": [{"spans": spans}],
    }
    found = read(tempo, {"trace": {"resourceSpans": [batch]}})["trace"]
    assert (found["trace_id"], found["start_ms"], found["duration_ms"]) == ("ab", 1.0, 4.0)
    shown = [
        (row["name"], row["service"], row["depth"], row["start"], row["width"]) for row in found["spans"]
    ]
    assert shown == [("workflow", "demo", 0, 0.0, 1000.0), ("step", "demo", 1, 500.0, 500.0)]
    assert found["spans"][1]["attributes"] == (("step_id", "draft"),)
    assert read(tempo, {"trace": {}}) == {"trace": None, "cut": ""}


def test_rubbish_is_an_empty_answer() -> None:
    for answer in (
        {},
        {"data": None},
        {"data": {"resultType": "matrix", "result": "x"}},
        {"data": {"result": [1]}},
    ):
        assert read(ranged(), answer)["series"] == []


def test_exemplars_that_lie_together_are_thinned_out_and_the_highest_stay() -> None:
    exemplars = [{"labels": {"trace_id": f"t{n}"}, "value": str(n), "timestamp": n / 10} for n in range(400)]
    answer = {"data": [{"seriesLabels": {"le": "1"}, "exemplars": exemplars}]}
    found = read_exemplars(ranged(), answer)
    assert len(found) < 20
    assert max(each["value"] for each in found) == 399
    assert found[0]["labels"]["trace_id"].startswith("t")


def span(name: str, span_id: str, parent: str = "", start: int = 0, end: int = 10) -> dict[str, Any]:
    return {"name": name, "spanId": span_id, "parentSpanId": parent, "startTimeUnixNano": str(start),
            "endTimeUnixNano": str(end), "attributes": [{"key": "k", "value": {"boolValue": True}}]}  # fmt: skip


def trace(*spans: dict[str, Any]) -> dict[str, Any]:
    return {"trace": {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}}


def test_a_trace_is_in_the_order_of_its_tree() -> None:
    found = read_trace(
        trace(
            span("late", "c", "a", 6),
            span("root", "a"),
            span("early", "b", "a", 1, 5),
            span("leaf", "d", "b", 2, 3),
        )
    )
    assert found is not None
    assert [(row.name, row.depth) for row in found.spans] == [
        ("root", 0),
        ("early", 1),
        ("leaf", 2),
        ("late", 1),
    ]
    assert found.spans[1].start == 100.0
    assert found.spans[0].attributes == (("k", "true"),)


def test_a_trace_with_a_lost_parent_or_a_circle_is_still_shown() -> None:
    found = read_trace(
        trace(span("orphan", "b", "gone"), span("self", "c", "c"), span("x", "d", "e"), span("y", "e", "d"))
    )
    assert found is not None
    assert {row.name for row in found.spans} >= {"orphan", "self"}
    assert read_trace({"trace": {}}) is None
