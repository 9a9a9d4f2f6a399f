"""Prometheus' HTTP API: shapes, parameters, errors, over an in-process client."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from awf.embedded.model import Exemplar, Matcher, MetricMetadata, SeriesData
from awf.embedded.prometheus_api import create_app
from awf.embedded.prometheus_api.labels import unescaped
from awf.embedded.promql import Engine
from awf.embedded.promql.wire import format_float, format_timestamp
from awf.errors import Unavailable
from awf.testing import FakeClock

from .promql._memory import MemoryReader, load

DATA = """
up{job="api",instance="a"} 1+0x10
up{job="api",instance="b"} 0+0x10
odd{text="é\u2028<"} nan inf -inf 0.00000012 1e21 1234567.25
"""
NOW = datetime(1970, 1, 1, 0, 10, tzinfo=UTC)

GROUPS = [
    {
        "name": "steps", "file": "steps.yaml", "interval": 15,
        "rules": [
            {"name": "job:up:sum", "type": "recording", "query": "sum(up)", "health": "ok"},
            {"name": "Down", "type": "alerting", "query": "up == 0", "state": "firing", "alerts": [],
             "labels": {"severity": "page"}},
        ],
    },
    {"name": "other", "file": "other.yaml", "interval": 15, "rules": [{"name": "Quiet", "type": "alerting"}]},
]  # fmt: skip


class StaticRules:
    def groups(self) -> list[dict[str, Any]]:
        return GROUPS

    def alerts(self) -> list[dict[str, Any]]:
        return [{"labels": {"alertname": "Down"}, "state": "firing"}]


class BrokenReader(MemoryReader):
    def select(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[SeriesData]:
        raise Unavailable("the store is closed")

    def metadata(self) -> Mapping[str, MetricMetadata]:
        raise RuntimeError("secret detail")


def client_of(reader: MemoryReader) -> httpx.AsyncClient:
    app = create_app(Engine(reader), reader, StaticRules(), clock=FakeClock(NOW))
    mounted = Starlette(routes=[Mount("/prometheus", app)])
    return httpx.AsyncClient(transport=httpx.ASGITransport(mounted), base_url="http://test/prometheus/api/v1")


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    reader = load(DATA)
    reader.known = {"up": MetricMetadata("gauge", "Is it up?"), "odd": MetricMetadata("gauge")}
    reader.examples = [
        Exemplar({"__name__": "up", "job": "api"}, {"trace_id": "ab"}, 6.0, 61_500),
        Exemplar({"__name__": "odd"}, {"trace_id": "cd"}, 7.0, 62_000),
    ]
    async with client_of(reader) as found:
        yield found


async def data(client: httpx.AsyncClient, path: str, **parameters: Any) -> Any:
    response = await client.get(path, params=parameters)
    body = response.json()
    assert response.status_code == 200, body
    assert response.headers["content-type"] == "application/json"
    assert body["status"] == "success"
    return body["data"]


async def error(client: httpx.AsyncClient, path: str, **parameters: Any) -> tuple[int, str, str]:
    response = await client.get(path, params=parameters)
    body = response.json()
    assert body.keys() == {"status", "errorType", "error"}
    assert body["status"] == "error"
    return response.status_code, body["errorType"], body["error"]


async def test_an_instant_query_gives_a_vector(client: httpx.AsyncClient) -> None:
    assert await data(client, "/query", query='up{instance="a"}', time="60.5") == {
        "resultType": "vector",
        "result": [{"metric": {"job": "api", "instance": "a", "__name__": "up"}, "value": [60.5, "1"]}],
    }


async def test_the_time_is_now_unless_it_is_given(client: httpx.AsyncClient) -> None:
    assert await data(client, "/query", query="time()") == {"resultType": "scalar", "result": [600, "600"]}
    moment = "1970-01-01T01:00:01.5+01:00"
    assert (await data(client, "/query", query="time()", time=moment))["result"] == [1.5, "1.5"]


async def test_the_other_result_types(client: httpx.AsyncClient) -> None:
    assert await data(client, "/query", query="'a\"é'", time=0) == {
        "resultType": "string", "result": [0, 'a"é'],
    }  # fmt: skip
    assert await data(client, "/query", query='up{instance="a"}[2m]', time=120) == {
        "resultType": "matrix",
        "result": [
            {
                "metric": {"job": "api", "instance": "a", "__name__": "up"},
                "values": [[60, "1"], [120, "1"]],
            }
        ],
    }
    assert await data(client, "/query", query="nope[2m]", time=1) == {"resultType": "matrix", "result": []}
    assert await data(client, "/query", query="nope", time=1) == {"resultType": "vector", "result": []}


async def test_a_range_query_gives_a_matrix(client: httpx.AsyncClient) -> None:
    found = await data(client, "/query_range", query="sum(up)", start=0, end=120, step="1m")
    assert found == {
        "resultType": "matrix",
        "result": [{"metric": {}, "values": [[0, "1"], [60, "1"], [120, "1"]]}],
    }


async def test_special_values_and_labels_are_spelled_as_prometheus_does(client: httpx.AsyncClient) -> None:
    found = await data(client, "/query_range", query="odd", start=0, end=300, step=60)
    assert found["result"][0]["metric"]["text"] == "é\u2028<"
    assert [value for _, value in found["result"][0]["values"]] == [
        "NaN", "+Inf", "-Inf", "1.2e-07", "1e+21", "1234567.25",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (-0.0, "-0"), (1e20, "100000000000000000000"), (0.00001, "0.00001"), (1e-6, "0.000001"),
     (9e-7, "9e-07"), (-1.5e300, "-1.5e+300"), (0.1 + 0.2, "0.30000000000000004"), (1e16, "10000000000000000"),
     (math.inf, "+Inf"), (math.nan, "NaN")],
)  # fmt: skip
def test_numbers_have_the_shortest_digits(value: float, text: str) -> None:
    assert format_float(value) == text


def test_timestamps_have_a_fraction_only_where_there_is_one() -> None:
    assert [format_timestamp(ms) for ms in (0, 1000, 1050, 1_795_226_398_007)] == [
        "0", "1", "1.050", "1795226398.007",
    ]  # fmt: skip


async def test_a_form_works_like_the_address(client: httpx.AsyncClient) -> None:
    response = await client.post("/query", data={"query": "1 + 1", "time": "5"})
    assert response.json()["data"]["result"] == [5, "2"]
    response = await client.post("/labels", data={"match[]": ["up", "odd"]})
    assert response.json()["data"] == ["__name__", "instance", "job", "text"]
    response = await client.post("/query?query=3&time=5", data={"query": "4"})
    assert response.json()["data"]["result"] == [5, "4"]


async def test_a_form_that_is_too_large_is_refused(client: httpx.AsyncClient) -> None:
    response = await client.post("/query", content=b"query=" + b"x" * 300_000)
    assert response.status_code == 413


@pytest.mark.parametrize(
    ("path", "parameters", "message"),
    [
        ("/query", {}, 'invalid parameter "query": it is missing'),
        ("/query", {"query": "sum("}, 'invalid parameter "query"'),
        ("/query", {"query": "histogram_sum(up)"}, "histogram_sum() is not supported"),
        ("/query", {"query": "(" * 200 + "up" + ")" * 200}, "deeper than 100"),
        ("/query", {"query": "up", "time": "soon"}, 'cannot parse "soon" to a valid timestamp'),
        ("/query", {"query": "up", "time": "NaN"}, 'cannot parse "NaN" to a valid timestamp'),
        ("/query", {"query": "up", "time": "2026-01-01T00:00:00"}, "to a valid timestamp"),
        ("/query", {"query": "up", "time": "1e300"}, "to a valid timestamp"),
        ("/query", {"query": "up", "limit": "-1"}, 'invalid parameter "limit"'),
        ("/query", {"query": "up", "timeout": "x"}, 'invalid parameter "timeout"'),
        ("/query", {"query": "up", "lookback_delta": "x"}, 'invalid parameter "lookback_delta"'),
        ("/query_range", {"query": "up", "end": 1, "step": 1}, 'invalid parameter "start"'),
        ("/query_range", {"query": "up", "start": 1, "end": 2}, 'invalid parameter "step"'),
        ("/query_range", {"query": "up", "start": 1, "end": 0, "step": 1}, "end timestamp must not be before"),
        ("/query_range", {"query": "up", "start": 1, "end": 2, "step": 0}, "zero or negative query resolution"),
        ("/query_range", {"query": "up", "start": 1, "end": 2, "step": "1parsec"}, "to a valid duration"),
        ("/query_range", {"query": "up", "start": 0, "end": 11001, "step": 1}, "exceeded maximum resolution"),
        ("/query_range", {"query": "up[5m]", "start": 0, "end": 1, "step": 1}, "invalid expression type"),
        ("/series", {}, "no match[] parameter provided"),
        ("/series", {"match[]": "rate(up[5m])"}, 'invalid parameter "match[]"'),
        ("/series", {"match[]": "up offset 5m"}, "is not a series selector"),
        ("/labels", {"start": "x"}, 'invalid parameter "start"'),
        ("/rules", {"type": "other"}, "none of alert, record"),
        ("/rules", {"match[]": "up +"}, 'invalid parameter "match[]"'),
        ("/rules", {"exclude_alerts": "maybe"}, "none of true, false"),
        ("/rules", {"group_limit": "0"}, "needs to be greater than 0"),
        ("/rules", {"group_next_token": "x"}, "group_limit needs to be present"),
        ("/rules", {"group_limit": "1", "group_next_token": "x"}, "no group has this token"),
        ("/metadata", {"limit": "many"}, 'invalid parameter "limit"'),
    ],
)  # fmt: skip
async def test_a_wrong_parameter_is_named(
    client: httpx.AsyncClient, path: str, parameters: dict[str, Any], message: str
) -> None:
    status, kind, text = await error(client, path, **parameters)
    assert (status, kind) == (400, "bad_data")
    assert message in text


async def test_an_evaluation_error_is_422(client: httpx.AsyncClient) -> None:
    status, kind, text = await error(client, "/query", query="up + on (job) up", time=0)
    assert (status, kind) == (422, "execution")
    assert "many-to-many matching not allowed" in text


async def test_a_store_that_fails_is_told_apart_from_a_bug() -> None:
    async with client_of(BrokenReader()) as client:
        assert await error(client, "/query", query="up") == (503, "unavailable", "the store is closed")
        status, kind, text = await error(client, "/metadata")
    assert (status, kind) == (500, "internal")
    assert "secret" not in text


async def test_series_labels_and_values(client: httpx.AsyncClient) -> None:
    assert await data(client, "/series", **{"match[]": ["up", '{job="api"}']}) == [
        {"__name__": "up", "instance": "a", "job": "api"},
        {"__name__": "up", "instance": "b", "job": "api"},
    ]
    assert await data(client, "/labels") == ["__name__", "instance", "job", "text"]
    assert await data(client, "/label/__name__/values") == ["odd", "up"]
    assert await data(client, "/label/instance/values", **{"match[]": 'up{instance="b"}'}) == ["b"]
    assert await data(client, "/label/nope/values") == []
    assert await data(client, "/series", **{"match[]": "up", "start": 5000}) == []


async def test_a_limit_cuts_and_says_so(client: httpx.AsyncClient) -> None:
    for path, parameters in {
        "/labels": {}, "/label/instance/values": {}, "/series": {"match[]": "up"}, "/query": {"query": "up"},
        "/query_range": {"query": "up", "start": 0, "end": 60, "step": 60},
    }.items():  # fmt: skip
        body = (await client.get(path, params={**parameters, "limit": 1})).json()
        found = body["data"]["result"] if "query" in path else body["data"]
        assert len(found) == 1, path
        assert body["warnings"] == ["results truncated due to limit"]


async def test_metadata(client: httpx.AsyncClient) -> None:
    found = await data(client, "/metadata", metric="up")
    assert found == {"up": [{"type": "gauge", "help": "Is it up?", "unit": ""}]}
    assert list(await data(client, "/metadata", limit=1)) == ["odd"]


async def test_exemplars_of_the_selectors_in_a_query(client: httpx.AsyncClient) -> None:
    assert await data(client, "/query_exemplars", query="rate(up[5m]) / up", start=0, end=100) == [
        {
            "seriesLabels": {"__name__": "up", "job": "api"},
            "exemplars": [{"labels": {"trace_id": "ab"}, "value": "6", "timestamp": 61.5}],
        }
    ]
    assert await data(client, "/query_exemplars", query="up", start=0, end=60) == []


async def test_rules_are_filtered(client: httpx.AsyncClient) -> None:
    async def names(**parameters: Any) -> list[str]:
        groups = (await data(client, "/rules", **parameters))["groups"]
        return [rule["name"] for group in groups for rule in group["rules"]]

    assert await names() == ["job:up:sum", "Down", "Quiet"]
    assert await names(type="alert") == ["Down", "Quiet"]
    assert await names(type="record") == ["job:up:sum"]
    assert await names(**{"rule_name[]": ["Down", "Quiet"]}) == ["Down", "Quiet"]
    assert await names(**{"rule_group[]": "other"}) == ["Quiet"]
    assert await names(**{"file[]": "steps.yaml", "type": "alert"}) == ["Down"]
    assert await names(**{"match[]": ['{severity="page"}', '{severity="info"}']}) == ["Down"]
    assert await names(**{"match[]": '{severity=~"p.+", severity!="page"}'}) == []


async def test_rules_are_shown_page_by_page_and_without_their_alerts(client: httpx.AsyncClient) -> None:
    first = await data(client, "/rules", group_limit=1, exclude_alerts="true")
    assert [group["name"] for group in first["groups"]] == ["steps"]
    assert "alerts" not in first["groups"][0]["rules"][1]
    last = await data(client, "/rules", group_limit=1, group_next_token=first["groupNextToken"])
    assert [group["name"] for group in last["groups"]] == ["other"]
    assert "groupNextToken" not in last


async def test_the_lookback_of_one_query_can_be_set(client: httpx.AsyncClient) -> None:
    instant = {"query": 'up{instance="a"}', "time": 720}
    assert len((await data(client, "/query", **instant))["result"]) == 1
    assert (await data(client, "/query", **instant, lookback_delta="1m"))["result"] == []
    ranged = {"query": "count(up)", "start": 600, "end": 1320, "step": 360}
    found = await data(client, "/query_range", **ranged, lookback_delta="10m")
    assert [at for at, _ in found["result"][0]["values"]] == [600, 960]


@pytest.mark.parametrize(
    ("path", "label"),
    [("instance", "instance"), ("U__instance", "instance"), ("U__a_2e_b", "a.b"), ("U__a__b", "a_b"),
     ("U___ffffff_", "U___ffffff_")],
)  # fmt: skip
def test_label_names_in_paths_may_be_escaped(path: str, label: str) -> None:
    assert unescaped(path) == label


async def test_what_prometheus_says_of_itself(client: httpx.AsyncClient) -> None:
    assert "features" not in await data(client, "/status/buildinfo")
    flags = await data(client, "/status/flags")
    assert flags["query.timeout"] == "30s"
    assert flags["query.max-samples"] == "20000000"
    assert (await data(client, "/status/config"))["yaml"] == 'rule_files:\n- "other.yaml"\n- "steps.yaml"\n'
    assert (await data(client, "/status/runtimeinfo"))["startTime"] == "1970-01-01T00:10:00Z"
    assert (await data(client, "/targets"))["activeTargets"] == []
    status = await data(client, "/status/tsdb", limit=1)
    assert status["headStats"]["numSeries"] == 3
    assert status["seriesCountByMetricName"] == [{"name": "up", "value": 2}]
    assert status["seriesCountByLabelValuePair"] == [{"name": "__name__=up", "value": 2}]
    assert status["labelValueCountByLabelName"] == [{"name": "__name__", "value": 2}]


async def test_what_only_reads_refuses_a_form(client: httpx.AsyncClient) -> None:
    for path in ("/metadata", "/rules", "/alerts", "/label/job/values", "/status/buildinfo"):
        assert (await client.post(path, data={"limit": "1"})).status_code == 405, path


async def test_alerts_build_information_and_health(client: httpx.AsyncClient) -> None:
    assert (await data(client, "/alerts"))["alerts"][0]["labels"] == {"alertname": "Down"}
    assert (await data(client, "/status/buildinfo"))["version"].startswith("3.")
    assert (await data(client, "/format_query", query="sum(up)by(job)")) == "sum by (job) (up)"
    for path in ("ready", "healthy"):
        assert (await client.get(f"http://test/prometheus/-/{path}")).status_code == 200
