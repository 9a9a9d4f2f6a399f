"""What a panel asks its datasources."""

from __future__ import annotations

from typing import Any

import pytest

from awf.api.dashboards.datasources import Datasources
from awf.api.dashboards.interpolation import Value
from awf.api.dashboards.queries import Query, build, targets
from awf.api.dashboards.request import Window
from awf.core.ports import Datasource
from awf.errors import NotFound, QueryError, UnsupportedQuery

NOW = 1_800_000_007_000
SOURCES = Datasources(
    [
        Datasource("mimir", "Mimir", "prometheus", is_default=True),
        Datasource("other", "Other", "prometheus", interval="5s"),
        Datasource("loki", "Loki", "loki"),
        Datasource("tempo", "Tempo", "tempo"),
        Datasource("sql", "SQL", "mysql"),
    ]
)
LOKI = {"type": "loki", "uid": "loki"}
TEMPO = {"type": "tempo", "uid": "tempo"}


def query(target: dict[str, Any], *, minutes: int = 30, points: int = 500, **panel: Any) -> Query:
    window = Window(NOW - minutes * 60_000, NOW, points)
    values = {"datasource": Value(("mimir",)), "v": Value(("a",), is_regex=True)}
    return build(panel, target, window=window, values=values, datasources=SOURCES)


def test_a_range_query_lies_on_multiples_of_its_step() -> None:
    found = query({"refId": "A", "expr": "rate(a[$__rate_interval])", "datasource": {"uid": "${datasource}"}})
    assert (found.path, found.datasource.uid, found.expr) == ("/api/v1/query_range", "mimir", "rate(a[1m])")
    assert found.parameters["step"] == "15"
    assert int(found.parameters["start"]) % 15 == int(found.parameters["end"]) % 15 == 0


def test_the_datasources_own_interval_counts() -> None:
    found = query({"expr": "a[$__rate_interval]", "datasource": {"uid": "other"}}, minutes=5)
    assert (found.expr, found.step_ms) == ("a[20s]", 5_000)


def test_a_panel_may_ask_for_fewer_points_or_a_longer_interval() -> None:
    assert query({"expr": "a"}, maxDataPoints=10).step_ms == 120_000
    assert query({"expr": "a"}, interval="1m").step_ms == 60_000
    assert query({"expr": "a", "interval": "5m"}).step_ms == 300_000


def test_an_instant_query_asks_for_the_end_of_the_range() -> None:
    found = query({"expr": "increase(a[$__range])", "instant": True, "range": False})
    assert (found.path, found.shape, found.expr) == ("/api/v1/query", "vector", "increase(a[1800s])")
    assert found.parameters["time"] == str(NOW // 1000)


def test_exemplars_are_asked_for_where_the_panel_has_them() -> None:
    assert query({"expr": "a", "exemplar": True}).exemplars["query"] == "a"
    assert not query({"expr": "a"}).exemplars
    assert not query({"expr": "a", "exemplar": True, "instant": True}).exemplars


def test_logs_are_asked_newest_first_and_no_more_than_a_page_shows() -> None:
    found = query({"expr": '{a="$v"} |= "x"', "datasource": LOKI, "maxLines": 9_999})
    assert (found.path, found.shape) == ("/loki/api/v1/query_range", "logs")
    assert (found.parameters["limit"], found.parameters["direction"]) == ("500", "backward")


@pytest.mark.parametrize(
    ("target", "unit_ms"),
    [
        ({"expr": '{a="b"}', "datasource": LOKI}, 1e-6),
        ({"query": "{ status = error }", "datasource": TEMPO}, 1e3),
    ],
)
def test_logs_and_traces_are_asked_for_whole_steps_around_the_window(
    target: dict[str, Any], unit_ms: float
) -> None:
    def asked(to_ms: int) -> tuple[float, float]:
        window = Window(to_ms - 1_800_000, to_ms)
        found = build({}, target, window=window, values={}, datasources=SOURCES)
        start, end = (int(found.parameters[name]) * unit_ms for name in ("start", "end"))
        assert window.from_ms - found.step_ms < start <= window.from_ms
        assert window.to_ms <= end < window.to_ms + found.step_ms
        return start, end

    assert asked(1_800_000_001_001) == asked(1_800_000_003_999)
    assert asked(1_800_000_001_001) != asked(1_800_000_006_000)


def test_those_who_look_in_the_same_second_ask_the_same_instant() -> None:
    def asked(to_ms: int) -> str:
        window = Window(to_ms - 1_800_000, to_ms)
        target = {"expr": "a", "instant": True}
        return build({}, target, window=window, values={}, datasources=SOURCES).parameters["time"]

    assert asked(1_800_000_001_001) == asked(1_800_000_001_999) == "1800000001"


def test_a_metric_of_logs_is_a_range_query() -> None:
    found = query({"expr": 'sum(count_over_time({a="b"}[$__auto]))', "datasource": LOKI})
    assert found.shape == "matrix"
    assert found.expr.endswith("[5s]))")


def test_traces_are_searched_and_counted() -> None:
    found = query({"query": "{ status = error }", "datasource": TEMPO, "queryType": "traceql"})
    assert (found.path, found.shape, found.parameters["q"]) == ("/api/search", "traces", "{ status = error }")
    assert query({"query": "{ } | rate()", "datasource": TEMPO}).path == "/api/metrics/query_range"


@pytest.mark.parametrize("kind", ["traceId", "traceql", ""])
def test_a_trace_is_read_by_its_id(kind: str) -> None:
    found = query({"query": "0aF7651916cd43dd", "datasource": TEMPO, "queryType": kind})
    assert (found.path, found.shape) == ("/api/v2/traces/0aF7651916cd43dd", "trace")


def test_a_query_that_is_switched_off_is_not_asked() -> None:
    assert targets({"targets": [{"refId": "A", "hide": True}, {"refId": "B"}, "rubbish"]}) == [{"refId": "B"}]


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        ({"expr": "a", "datasource": {"uid": "sql"}}, UnsupportedQuery, "mysql"),
        ({"expr": "a", "datasource": {"uid": "gone"}}, NotFound, "gone"),
        ({"refId": "C", "expr": ""}, UnsupportedQuery, "query C"),
        ({"query": "x", "datasource": TEMPO, "queryType": "serviceMap"}, UnsupportedQuery, "serviceMap"),
        ({"query": "../x", "datasource": TEMPO, "queryType": "traceId"}, QueryError, "not the id of a trace"),
    ],
)
def test_what_it_cannot_ask_it_names(target: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        query(target)
