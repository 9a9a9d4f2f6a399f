"""Tempo's HTTP API over two workflow traces."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from starlette.applications import Starlette
from starlette.routing import Mount

from awf.embedded.model import Span
from awf.embedded.tempo_api import create_app
from awf.embedded.traceql import Engine

from .traceql._traces import BAD, GOOD, SECOND, T0, Spans, span, workflow_traces

NOW = datetime.fromtimestamp(T0 // SECOND + 60, tz=UTC)
LLM = {"Accept": "application/vnd.grafana.llm"}


class FixedClock:
    def now(self) -> datetime:
        return NOW

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("the API does not wait")


def connect(spans: list[Span], *, prefix: str = "") -> httpx.AsyncClient:
    reader = Spans(spans)
    app = create_app(Engine(reader), reader, clock=FixedClock())
    mounted = Starlette(routes=[Mount(prefix, app)]) if prefix else app
    transport = httpx.ASGITransport(mounted)
    return httpx.AsyncClient(transport=transport, base_url=f"http://tempo{prefix}")


@pytest.fixture
async def tempo() -> AsyncIterator[httpx.AsyncClient]:
    async with connect(workflow_traces()) as client:
        yield client


async def get(client: httpx.AsyncClient, path: str, **parameters: Any) -> Any:
    response = await client.get(path, params=parameters)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    return response.json()


async def test_it_says_that_it_is_there(tempo: httpx.AsyncClient) -> None:
    assert (await tempo.get("/api/echo")).text == "echo\n"
    assert (await tempo.get("/ready")).text == "ready\n"
    assert (await get(tempo, "/api/status/buildinfo"))["version"] == "3.1.0"
    assert (await get(tempo, "/status/buildinfo"))["version"] == "3.1.0"


async def test_a_search_answers_as_tempo_does(tempo: httpx.AsyncClient) -> None:
    body = await get(tempo, "/api/search", q='{ status = error && span.workflow_id = "triage" }')
    spanset = {
        "spans": [
            {
                "spanID": "0000000000000001",
                "startTimeUnixNano": "1700000010000000000",
                "durationNanos": "2000000000",
                "attributes": [
                    {"key": "status", "value": {"stringValue": "error"}},
                    {"key": "workflow_id", "value": {"stringValue": "triage"}},
                ],
            }
        ],
        "matched": 1,
    }
    assert body == {
        "traces": [
            {
                "traceID": "bad",
                "rootServiceName": "awf-engine",
                "rootTraceName": "awf.workflow",
                "startTimeUnixNano": "1700000010000000000",
                "durationMs": 2000,
                "spanSet": spanset,
                "spanSets": [spanset],
                "serviceStats": {
                    "awf-engine": {"spanCount": 3, "errorCount": 1},
                    "awf-agents": {"spanCount": 2, "errorCount": 1},
                },
            }
        ],
        "metrics": {"inspectedTraces": 2, "inspectedSpans": "10"},
    }


async def test_values_keep_their_types_in_results(tempo: httpx.AsyncClient) -> None:
    query = "{ span.attempt = 2 } | select(span.tags, span.step_id, kind)"
    (trace,) = (await get(tempo, "/api/search", q=query))["traces"]
    assert {item["key"]: item["value"] for item in trace["spanSet"]["spans"][0]["attributes"]} == {
        "attempt": {"intValue": "2"},
        "tags": {"arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}},
        "step_id": {"stringValue": "step-4"},
        "kind": {"stringValue": "internal"},
    }


async def test_a_search_that_finds_nothing_is_an_empty_list(tempo: httpx.AsyncClient) -> None:
    assert (await get(tempo, "/api/search", q="{ duration > 1h }"))["traces"] == []


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, [BAD, GOOD]),
        ({"q": "{}"}, [BAD, GOOD]),
        ({"limit": 1}, [BAD]),
        ({"start": T0 // SECOND, "end": T0 // SECOND + 5}, [GOOD]),
        ({"start": T0 + 5 * SECOND, "end": T0 + 20 * SECOND}, [BAD]),
        ({"start": "2023-11-14T22:13:25Z", "end": "2023-11-14T22:13:45Z"}, [BAD]),
        ({"since": "55s"}, [BAD]),
        ({"start": T0 + 11_950_000_000, "end": T0 + 20 * SECOND}, [BAD]),  # it runs until +12 s
        ({"start": T0 + 12_050_000_000, "end": T0 + 20 * SECOND}, []),
        ({"minDuration": "1.5s"}, [BAD]),
        ({"maxDuration": "1500ms"}, [GOOD]),
        ({"tags": "workflow_id=triage"}, [BAD]),
        ({"tags": "workflow_id=tri"}, []),
        ({"tags": "service.name=agents agent_id=writer"}, [GOOD]),
        ({"tags": "service.name=AGENTS"}, []),
        ({"tags": "attempt=2"}, []),  # a number is no string, in Tempo too
        ({"tags": 'workflow_id="research"'}, [GOOD]),
        ({"tags": "error=true"}, []),
        ({"tags": "status.code=error"}, [BAD]),
        ({"tags": "name=workflow root.name=awf"}, [BAD, GOOD]),
        ({"tags": 'workflow_id="\\" || true || \\""'}, []),
        ({"tags": "nothing=here"}, []),
    ],
)
async def test_a_search_is_bounded_by_its_parameters(
    tempo: httpx.AsyncClient, parameters: dict[str, Any], found: list[str]
) -> None:
    body = await get(tempo, "/api/search", **parameters)
    assert [trace["traceID"] for trace in body["traces"]] == [trace_id.lstrip("0") for trace_id in found]


@pytest.mark.parametrize(
    ("path", "parameters", "message"),
    [
        ("/api/search", {"q": "{ status == error }"}, "line 1, col 11"),
        ("/api/search", {"q": "{} | rate()"}, "metrics query"),
        ("/api/search", {"q": "{}", "spss": 101}, "spans per span set exceeds 100. received 101"),
        ("/api/search", {"q": "{ parent.a = 1 }"}, "scope parent"),
        ("/api/search", {"q": "{ .a = 1" + "1" * 9000 + " }"}, "at most 8192"),
        ("/api/search", {"q": "{}", "tags": "a=b"}, "tags and q"),
        ("/api/search", {"tags": "a=b a=c"}, "set twice"),
        ("/api/search", {"tags": "just words"}, "expected key=value"),
        ("/api/search", {"limit": "0"}, "invalid limit"),
        ("/api/search", {"limit": "many"}, "invalid limit: 'many'"),
        ("/api/search", {"spss": "-1"}, "invalid spss"),
        ("/api/search", {"start": "yesterday"}, "invalid start: 'yesterday'"),
        ("/api/search", {"start": "20", "end": "10"}, "start must be before end"),
        ("/api/search", {"end": "9" * 19}, "out of range"),
        ("/api/search", {"minDuration": "fast"}, "invalid minDuration"),
        ("/api/search", {"minDuration": "2s", "maxDuration": "1s"}, "must be greater than minDuration"),
        ("/api/search", {"q": "{}", "minDuration": "1s"}, "have no effect beside q"),
        ("/api/metrics/query", {"q": "{} | sum_over_time(span.attempt)"}, "Ask for { span.attempt != nil }"),
        ("/api/search", {"since": "99999999w"}, "out of range"),
        ("/api/traces/xyz", {}, "trace id 'xyz'"),
        ("/api/v2/traces/" + "1" * 33, {}, "1 to 32 hexadecimal digits"),
        ("/api/metrics/query_range", {}, "q is missing"),
        ("/api/metrics/query_range", {"q": "{}"}, "not a metrics query"),
        ("/api/metrics/query_range", {"q": "{} | rate()", "step": "0"}, "more than 0"),
        ("/api/metrics/query_range", {"q": "{} | rate()", "step": "soon"}, "invalid step"),
        ("/api/metrics/query_range", {"q": "{} | rate()", "step": "1ms"}, "points a series"),
        ("/api/v2/search/tags", {"scope": "galaxy"}, "scope is 'galaxy'"),
        ("/api/v2/search/tag/agent_id/values", {}, "unknown identifier agent_id"),
        ("/api/v2/search/tag/span.a} || {true/values", {}, "unexpected"),
    ],
)
async def test_what_is_wrong_is_400_and_says_what(
    tempo: httpx.AsyncClient, path: str, parameters: dict[str, str], message: str
) -> None:
    response = await tempo.get(path, params=parameters)
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("text/plain")
    assert message in response.text


async def test_a_trace_is_otlp_json_with_ids_as_protobuf_writes_them(tempo: httpx.AsyncClient) -> None:
    trace = (await get(tempo, f"/api/v2/traces/{BAD}"))["trace"]
    engine, agents = trace["resourceSpans"]
    assert engine["resource"]["attributes"] == [
        {"key": "service.name", "value": {"stringValue": "awf-engine"}}
    ]
    assert engine["scopeSpans"][0]["scope"] == {"name": "awf", "version": "0.1.0"}
    root = engine["scopeSpans"][0]["spans"][0]
    assert base64.b64decode(root["traceId"]).hex() == BAD
    assert (root["name"], root["kind"]) == ("awf.workflow", "SPAN_KIND_INTERNAL")
    assert root["status"] == {"code": "STATUS_CODE_ERROR", "message": "gave up"}
    assert root["startTimeUnixNano"] == "1700000010000000000"
    assert {"key": "dry_run", "value": {"boolValue": True}} in root["attributes"]
    failed, retried = agents["scopeSpans"][0]["spans"]
    assert failed["events"][0]["name"] == "exception"
    assert base64.b64decode(retried["links"][0]["traceId"]).hex() == GOOD
    assert "parentSpanId" not in root
    assert (await get(tempo, f"/api/traces/{BAD}"))["batches"] == trace["resourceSpans"]


async def test_short_and_upper_case_trace_ids_are_found(tempo: httpx.AsyncClient) -> None:
    assert await get(tempo, "/api/v2/traces/BAD") == await get(tempo, f"/api/v2/traces/{BAD}")


async def test_an_unknown_trace_is_404_and_in_the_second_version_an_empty_one(
    tempo: httpx.AsyncClient,
) -> None:
    response = await tempo.get("/api/traces/1234")
    assert (response.status_code, response.text) == (404, "trace 1234 not found")
    assert await get(tempo, "/api/v2/traces/1234") == {"trace": {}, "metrics": {}}
    assert (await tempo.get("/api/v2/traces/1234", headers=LLM)).json() == {}
    response = await tempo.get("/api/v2/traces/1234", headers={"Accept": "application/protobuf"})
    assert (response.status_code, response.content) == (200, b"\n\x00\x12\x00")


async def test_a_trace_is_protobuf_when_asked_for(tempo: httpx.AsyncClient) -> None:
    accept = {"Accept": "application/protobuf"}
    body = (await tempo.get(f"/api/traces/{BAD}", headers=accept)).content
    spans = [s for r in TracesData.FromString(body).resource_spans for c in r.scope_spans for s in c.spans]
    assert sorted(int.from_bytes(s.span_id) for s in spans) == [1, 2, 3, 4, 5]
    wrapped = (await tempo.get(f"/api/v2/traces/{BAD}", headers=accept)).content
    assert wrapped.endswith(body + b"\x12\x00")
    assert wrapped[0] == 0x0A


async def test_models_get_the_short_form_of_a_trace(tempo: httpx.AsyncClient) -> None:
    response = await tempo.get("/api/v2/traces/bad", headers=LLM)
    assert response.headers["content-type"] == "application/vnd.grafana.llm+json"
    trace = response.json()["trace"]
    assert trace["traceId"] == BAD
    assert [service["serviceName"] for service in trace["services"]] == ["awf-engine", "awf-agents"]
    assert trace["services"][1]["scopes"][0]["spans"][0] == {
        "spanId": "0000000000000003",
        "name": "awf.agent.invoke",
        "parentSpanId": "0000000000000002",
        "kind": "SPAN_KIND_CLIENT",
        "startTimeUnixNano": "1700000010101000000",
        "endTimeUnixNano": "1700000010199000000",
        "durationMs": 98.0,
        "attributes": {
            "agent_id": "searcher",
            "cost_usd": 0.25,
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.request.model": "small",
        },
        "events": [
            {
                "name": "exception",
                "timeUnixNano": "1700000010150000000",
                "attributes": {"exception.type": "RateLimited", "code": 429},
            }
        ],
        "status": {"code": "STATUS_CODE_ERROR", "message": ""},
    }


@pytest.mark.parametrize("headers", [{}, LLM])
async def test_odd_values_of_others_are_still_shown(headers: dict[str, str]) -> None:
    odd = {"nan": float("nan"), "bytes": b"\x00\xff", "map": {"a": [1, None]}, "huge": 2**62}
    spans = [span(GOOD, 1, 0, "x", at_ms=0, ms=0, attributes=odd, resource={}, kind=99, status=7)]
    async with connect(spans) as tempo:
        response = await tempo.get(f"/api/v2/traces/{GOOD}", headers=headers)
        assert response.status_code == 200
        assert "nan" in response.text
        body = await get(tempo, "/api/search", q="{ .huge > 1 && .nan != 0.0 } | select(kind, status, .map)")
    assert [item["value"] for item in body["traces"][0]["spanSet"]["spans"][0]["attributes"]] == [
        {"intValue": str(2**62)},
        {"stringValue": "unspecified"},
        {"doubleValue": "NaN"},
        {"stringValue": "unset"},
    ]


async def test_names_of_attributes_are_listed_by_scope(tempo: httpx.AsyncClient) -> None:
    scopes = {scope["name"]: scope["tags"] for scope in (await get(tempo, "/api/v2/search/tags"))["scopes"]}
    assert scopes["resource"] == ["service.name"]
    assert {"agent_id", "attempt", "workflow_id"} <= set(scopes["span"])
    assert scopes["event"] == ["code", "exception.type"]
    assert {"duration", "status", "rootName", "event:name"} <= set(scopes["intrinsic"])
    only = await get(tempo, "/api/v2/search/tags", scope="link")
    assert only == {"scopes": [{"name": "link", "tags": ["kind"]}]}
    filtered = await get(
        tempo, "/api/v2/search/tags", scope="span", q='{ name = "awf.workflow" && status = unset }'
    )
    assert filtered["scopes"] == [{"name": "span", "tags": ["execution_id", "workflow_id"]}]
    assert "agent_id" in (await get(tempo, "/api/search/tags"))["tagNames"]


@pytest.mark.parametrize(
    ("name", "query", "values"),
    [
        ("span.agent_id", "{}", [("string", "searcher"), ("string", "writer")]),
        (".service.name", "{}", [("string", "awf-agents"), ("string", "awf-engine")]),
        ("resource.agent_id", "{}", []),
        ("span.attempt", "{}", [("int", "1"), ("int", "2")]),
        ("span.cost_usd", "{ status = error }", [("float", "0.25")]),
        ("span.dry_run", "{}", [("bool", "true")]),
        ("span.tags", "{}", [("string", "a"), ("string", "b")]),
        ("status", "{}", [("keyword", "error"), ("keyword", "ok"), ("keyword", "unset")]),
        ("event:name", "{}", [("string", "exception")]),
        ("duration", "{}", []),
        ("span.agent_id", '{ .agent_id = "writer" } | { kind = client }', [("string", "writer")]),
    ],
)
async def test_values_of_an_attribute_are_listed_with_their_types(
    tempo: httpx.AsyncClient, name: str, query: str, values: list[tuple[str, str]]
) -> None:
    body = await get(tempo, f"/api/v2/search/tag/{name}/values", q=query)
    assert body == {"tagValues": [{"type": kind, "value": text} for kind, text in values]}


async def test_an_empty_value_is_listed_as_protobuf_writes_it() -> None:
    spans = [span(GOOD, 1, 0, "x", at_ms=0, ms=0, resource={})]
    async with connect(spans) as tempo:
        found = await get(tempo, "/api/v2/search/tag/resource.service.name/values")
        assert found == {"tagValues": [{"type": "string"}]}
        assert await get(tempo, "/api/v2/search/tag/trace:id/values") == {"tagValues": []}
        kinds = (await get(tempo, "/api/v2/search/tag/kind/values"))["tagValues"]
    assert [kind["value"] for kind in kinds] == [
        "client", "consumer", "internal", "producer", "server", "unspecified",
    ]  # fmt: skip


async def test_an_instant_query_that_finds_nothing_has_no_series(tempo: httpx.AsyncClient) -> None:
    body = await get(tempo, "/api/metrics/query", q='{ name = "nothing" } | rate() by (name)')
    assert "series" not in body
    body = await get(tempo, "/api/metrics/query_range", q='{ name = "nothing" } | rate() by (name)')
    assert body["series"] == []


async def test_the_older_form_lists_values_only_and_models_get_them_by_type(tempo: httpx.AsyncClient) -> None:
    assert await get(tempo, "/api/search/tag/agent_id/values") == {"tagValues": ["searcher", "writer"]}
    assert (await get(tempo, "/api/search/tag/status/values"))["tagValues"] == ["error", "ok", "unset"]
    response = await tempo.get("/api/v2/search/tag/span.agent_id/values", headers=LLM)
    assert response.json() == {"tagValues": {"string": ["searcher", "writer"]}}


async def test_a_range_query_gives_samples_and_leaves_zeros_out_as_protobuf_does(
    tempo: httpx.AsyncClient,
) -> None:
    body = await get(
        tempo,
        "/api/metrics/query_range",
        q="{ status = error } | rate() by (span.agent_id)",
        start=T0 // SECOND,
        end=T0 // SECOND + 20,
        step="10s",
    )
    zeros = [{"timestampMs": "1700000000000"}, {"timestampMs": "1700000010000"}]
    assert body["series"] == [
        {  # the workflow's span has no agent; it started exactly at +10 s, which closes the second step
            "labels": [{"key": "span.agent_id", "value": {"stringValue": "nil"}}],
            "samples": [zeros[0], zeros[1] | {"value": 0.1}, {"timestampMs": "1700000020000"}],
        },
        {
            "labels": [{"key": "span.agent_id", "value": {"stringValue": "searcher"}}],
            "samples": [*zeros, {"timestampMs": "1700000020000", "value": 0.1}],
        },
    ]


async def test_exemplars_name_the_traces_behind_a_series(tempo: httpx.AsyncClient) -> None:
    times = {"start": T0 // SECOND - 10, "end": T0 // SECOND + 20, "step": "10s", "exemplars": 10}
    body = await get(tempo, "/api/metrics/query_range", q="{} | rate() by (name)", **times)
    by_name = {
        item["labels"][0]["value"]["stringValue"]: item.get("exemplars", []) for item in body["series"]
    }
    found = [exemplar for exemplars in by_name.values() for exemplar in exemplars]
    traces = {exemplar["labels"][0]["value"]["stringValue"] for exemplar in found}
    assert traces == {GOOD, BAD}
    assert {exemplar["labels"][0]["key"] for exemplar in found} == {"trace:id"}
    query = '{ name = "awf.workflow" } | max_over_time(duration)'
    (series,) = (await get(tempo, "/api/metrics/query_range", q=query, **times))["series"]
    assert [(item["timestampMs"], item["value"]) for item in series["exemplars"]] == [
        (str(T0 // 1_000_000), 1.0),
        (str(T0 // 1_000_000 + 10_000), 2.0),
    ]
    for hint in ("exemplars = false", "exemplars = 0"):
        body = await get(tempo, "/api/metrics/query_range", q=f"{query} with ({hint})", **times)
        assert "exemplars" not in body["series"][0]
    body = await get(tempo, "/api/metrics/query_range", q=f"({query}) / ({query})", **times)
    assert "exemplars" not in body["series"][0]


async def test_names_and_values_are_listed_while_a_query_is_still_typed(tempo: httpx.AsyncClient) -> None:
    path = "/api/v2/search/tag/span.agent_id/values"
    for query in ("{ status = ok && span.agent_id = }", "{ status = ok &&", "{ status = ok"):
        values = (await get(tempo, path, q=query))["tagValues"]
        assert [item["value"] for item in values] == ["searcher"]
    assert len((await get(tempo, path, q="{ span."))["tagValues"]) == 2


async def test_metrics_queries_may_be_posted_as_forms(tempo: httpx.AsyncClient) -> None:
    form = {"q": "{} | count_over_time()", "start": T0 // SECOND, "end": T0 // SECOND + 20, "step": "20s"}
    for path in ("/api/metrics/query_range", "/api/metrics/query"):
        posted = await tempo.post(path, data=form)
        assert posted.json() == await get(tempo, path, **form)
        assert (await tempo.post(path, params=form)).json() == posted.json()


async def test_an_instant_query_takes_nanoseconds_and_gives_a_value(tempo: httpx.AsyncClient) -> None:
    query = '{ name = "awf.workflow" } | quantile_over_time(duration, .9) by (resource.service.name)'
    body = await get(tempo, "/api/metrics/query", q=query, start=T0 - 1, end=T0 + 20 * SECOND)
    labels = [
        {"key": "resource.service.name", "value": {"stringValue": "awf-engine"}},
        {"key": "p", "value": {"doubleValue": 0.9}},
    ]
    assert body["series"] == [{"labels": labels, "value": 2.147483648}]


async def test_steps_that_are_not_over_have_no_point(tempo: httpx.AsyncClient) -> None:
    times = {"start": T0 // SECOND, "end": T0 // SECOND + 300}  # now is T0 + 60 s
    body = await get(tempo, "/api/metrics/query_range", q="{} | count_over_time()", step="25s", **times)
    seconds = [int(sample["timestampMs"]) // 1000 - T0 // SECOND for sample in body["series"][0]["samples"]]
    assert seconds == [0, 25, 50]
    body = await get(tempo, "/api/metrics/query", q="{} | rate()", **times)
    assert body["series"][0]["value"] == pytest.approx(9 / 60)  # one of ten spans starts at T0 itself


async def test_the_default_step_gives_about_240_points(tempo: httpx.AsyncClient) -> None:
    body = await get(tempo, "/api/metrics/query_range", q="{} | count_over_time()")
    assert 240 <= len(body["series"][0]["samples"]) <= 242


async def test_comparing_traces_is_refused_in_words(tempo: httpx.AsyncClient) -> None:
    response = await tempo.post(
        "/api/v2/traces/diff", json={"base": {"traceId": GOOD}, "compare": {"traceId": BAD}}
    )
    assert response.status_code == 501
    assert "comparing traces is not supported" in response.text


async def test_it_works_under_a_prefix() -> None:
    async with connect(workflow_traces(), prefix="/api/datasources/proxy/uid/tempo") as tempo:
        assert (await get(tempo, "/api/search", q="{ status = error }"))["traces"][0]["traceID"] == "bad"
        assert await get(tempo, "/api/v2/search/tag/span.agent_id/values")
