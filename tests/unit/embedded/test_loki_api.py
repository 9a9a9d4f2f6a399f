"""Loki's HTTP API: shapes, parameters and errors, over the in-memory reader."""

import gzip
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from awf.embedded.contracts import Refusal
from awf.embedded.logql import Engine
from awf.embedded.loki_api import create_app
from awf.embedded.model import LogRecord
from awf.errors import Overloaded

from .logql._memory import MINUTE, SECOND, T0, MemoryLogs, demo_records

SELECT = '{service_name="awf-demo"}'
RANGE = {"start": str(T0), "end": str(T0 + 5 * MINUTE)}
CATEGORIZE = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}


class MemorySink:
    def __init__(self) -> None:
        self.logs: list[LogRecord] = []
        self.is_full = False
        self.refusal: Refusal | None = None

    async def write(self, *, logs: Sequence[LogRecord] = (), **_: object) -> Refusal | None:
        if self.is_full:
            raise Overloaded("the store's queue is full")
        self.logs += logs
        return self.refusal


class FixedClock:
    def now(self) -> datetime:
        return datetime.fromtimestamp(T0 / SECOND + 300, UTC)

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
async def client(sink: MemorySink) -> AsyncIterator[httpx.AsyncClient]:
    reader = MemoryLogs(demo_records())
    app = create_app(Engine(reader), reader, sink, clock=FixedClock())  # type: ignore[arg-type]
    mounted = Starlette(routes=[Mount("/some/prefix", app=app), Mount("/", app=app)])
    transport = httpx.ASGITransport(mounted)
    async with httpx.AsyncClient(transport=transport, base_url="http://loki/loki/api/v1") as client:
        yield client


async def data(client: httpx.AsyncClient, path: str, params: Mapping[str, Any], **options: Any) -> Any:
    answer = await client.get(path, params=params, **options)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["status"] == "success"
    return body["data"]


async def test_a_log_query_merges_all_labels_into_the_stream(client: httpx.AsyncClient) -> None:
    found = await data(client, "/query_range", {"query": SELECT + '|= "failed"', "limit": "1", **RANGE})
    assert found["resultType"] == "streams"
    assert "encodingFlags" not in found
    (stream,) = found["result"]
    assert stream["stream"]["agent_id"] == "searcher"
    assert stream["stream"]["level"] == "error"
    assert stream["values"] == [[str(T0 + 110 * SECOND), "Step search failed: agent unavailable in 1100 ms"]]
    assert found["stats"]["summary"]["totalLinesProcessed"] == 1
    assert found["stats"]["summary"]["totalEntriesReturned"] == 1


async def test_categorized_labels_stand_beside_the_line(client: httpx.AsyncClient) -> None:
    query = SELECT + '| agent_id="writer" | pattern "<_> in <took> ms"'
    found = await data(
        client, "/query_range", {"query": query, "direction": "forward", **RANGE}, headers=CATEGORIZE
    )
    assert found["encodingFlags"] == ["categorize-labels"]
    assert [stream["stream"]["level"] for stream in found["result"]] == ["error", "info"]
    assert set(found["result"][1]["stream"]) == {"service_name", "level"}
    at, line, extra = found["result"][1]["values"][0]
    assert (at, line) == (str(T0), "Step search completed in 0 ms")
    assert extra["parsed"] == {"took": "0"}
    assert extra["structuredMetadata"]["execution_id"] == "exec-0"


async def test_an_entry_without_other_labels_has_an_empty_third_element(client: httpx.AsyncClient) -> None:
    query = SELECT + "| keep level, service_name"
    found = await data(client, "/query_range", {"query": query, **RANGE}, headers=CATEGORIZE)
    assert found["result"][0]["values"][0][2] == {}


async def test_a_metric_query_gives_a_vector_or_a_matrix(client: httpx.AsyncClient) -> None:
    query = f"sum by (level) (count_over_time({SELECT}[5m]))"
    found = await data(client, "/query", {"query": query, "time": str(T0 + 110 * SECOND)})
    assert found["resultType"] == "vector"
    assert found["result"] == [
        {"metric": {"level": "error"}, "value": [1800000110, "4"]},
        {"metric": {"level": "info"}, "value": [1800000110, "8"]},
    ]
    query = f"sum(rate({SELECT}[30s]))"
    found = await data(client, "/query_range", {"query": query, "step": "60", **RANGE})
    assert found["resultType"] == "matrix"
    (series,) = found["result"]
    assert series["metric"] == {}
    assert [time for time, _ in series["values"]] == [1800000000, 1800000060, 1800000120]
    assert series["values"][1][1] == "0.1"


@pytest.mark.parametrize(
    ("start_s", "end_s", "step", "times"),
    [
        (64, 84, "7", [62, 69, 76, 83, 90]),  # Loki's grid is the multiples of the step since 1970
        (60, 80, "10", [60, 70, 80]),
        (61, 61, "10", [60, 70]),
        (60, 60, "10", [60]),
    ],
)
async def test_a_metric_range_is_evaluated_at_multiples_of_its_step(
    client: httpx.AsyncClient, start_s: int, end_s: int, step: str, times: list[int]
) -> None:
    query = {"query": "vector(1)", "start": str(T0 + start_s * SECOND), "end": str(T0 + end_s * SECOND)}
    found = await data(client, "/query_range", {**query, "step": step})
    assert [time - T0 // SECOND for time, _ in found["result"][0]["values"]] == times


async def test_a_number_is_a_scalar(client: httpx.AsyncClient) -> None:
    found = await data(client, "/query", {"query": "1 + 1", "time": "1800000000.5"})
    assert (found["resultType"], found["result"]) == ("scalar", [1800000000.5, "2"])


async def test_get_and_post_and_prefixes_answer_alike(client: httpx.AsyncClient) -> None:
    params = {"query": SELECT, "limit": "3", **RANGE}
    expected = (await data(client, "/query_range", params))["result"]
    posted = await client.post("/query_range", data=params)
    assert posted.json()["data"]["result"] == expected
    prefixed = await client.get("http://loki/some/prefix/loki/api/v1/query_range", params=params)
    assert prefixed.json()["data"]["result"] == expected


@pytest.mark.parametrize(
    ("params", "lines"),
    [
        ({}, 12),  # the last hour
        ({"since": "4m"}, 6),
        ({"start": "1800000060", "end": "1800000100"}, 4),
        ({"start": "1800000060.0", "end": "1800000100.5"}, 5),
        ({"start": "2027-01-15T08:01:00Z", "end": "2027-01-15T09:01:40+01:00"}, 4),
        ({"start": "1800000060000000001", "end": "1800000100000000001"}, 4),
        ({"limit": "2"}, 2),
    ],
)
async def test_times_limits_and_their_defaults(
    client: httpx.AsyncClient, params: dict[str, str], lines: int
) -> None:
    found = await data(client, "/query_range", {"query": SELECT, **params})
    assert sum(len(stream["values"]) for stream in found["result"]) == lines


WRONG = [
    ("/query_range", {}, "the parameter query is missing"),
    ("/query_range", {"query": "{a=b}"}, "parse error at line 1, col 4: syntax error: unexpected IDENTIFIER"),
    ("/query_range", {"query": SELECT, "start": "soon"}, "could not parse 'start' parameter: 'soon'"),
    ("/query_range", {"query": SELECT, "start": "2", "end": "1"}, "end timestamp must not be before"),
    ("/query_range", {"query": SELECT, "limit": "5001"}, "max entries limit per query exceeded"),
    ("/query_range", {"query": SELECT, "limit": "-1"}, "limit must be a positive value"),
    ("/query_range", {"query": SELECT, "limit": "9" * 5_000}, "limit must be a positive value"),
    ("/query_range", {"query": SELECT, "end": "-5"}, "could not parse 'end' parameter"),
    ("/query", {"query": f"topk({'9' * 5_000}, rate({SELECT}[5m]))"}, "invalid parameter topk"),
    ("/query", {"query": f"rate({SELECT}[{'9' * 5_000}s])"}, "out of range"),
    ("/query_range", {"query": SELECT, "direction": "up"}, "invalid direction 'up'"),
    ("/query_range", {"query": SELECT, "step": "x"}, 'cannot parse "x" to a valid duration'),
    ("/query_range", {"query": SELECT, "step": "-5"}, "step widths are not accepted"),
    ("/query_range", {"query": SELECT, "interval": "-5s"}, "cannot parse"),
    ("/query_range", {"query": SELECT, "interval": "-5"}, "interval must be >= 0"),
    ("/query_range", {"query": SELECT, "shards": "0_of_16"}, "the parameter shards asks for a part"),
    ("/query_range", {"query": SELECT + ' |> "<a> x"'}, "named captures are not allowed"),
    ("/query_range", {"query": SELECT, "start": "9" * 30}, "could not parse 'start' parameter"),
    ("/query", {"query": SELECT}, "log queries are not supported as an instant query type"),
    ("/query", {"query": f"sum by (a) (rate({SELECT} | json [5m]))"}, "pipeline error: 'JSONParserErr'"),
    ("/series", {"match[]": "rate({a='b'}[5m])"}, "parse error"),
    ("/series", {"match[]": SELECT + "|= `x`"}, "only label matchers are supported"),
    ("/index/stats", {}, "the parameter query is missing"),
    ("/index/volume", {"query": SELECT, "aggregateBy": "x"}, "invalid aggregateBy"),
]


@pytest.mark.parametrize(("path", "params", "message"), WRONG)
async def test_errors_are_plain_text_with_status_400(
    client: httpx.AsyncClient, path: str, params: dict[str, str], message: str
) -> None:
    answer = await client.get(path, params=params)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")
    assert message in answer.text


async def test_unknown_paths_and_large_forms_are_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get("/no/such/path")).status_code == 404
    assert (await client.post("/query", data={"query": "x" * 300_000})).status_code == 413


async def test_labels_values_and_series(client: httpx.AsyncClient) -> None:
    assert await data(client, "/labels", RANGE) == ["level", "service_name"]
    assert await data(client, "/label", RANGE) == ["level", "service_name"]
    assert await data(client, "/label/level/values", RANGE) == ["error", "info"]
    assert await data(client, "/label/level/values", {"query": '{level=~"e.+"}', **RANGE}) == ["error"]
    assert await data(client, "/label/agent_id/values", RANGE) == []
    expected = [{"level": "error", "service_name": "awf-demo"}]
    assert await data(client, "/series", {"match[]": '{level="error"}', **RANGE}) == expected
    both = {"match[]": ['{level="error"}', '{level="info"}'], **RANGE}
    assert len(await data(client, "/series", both)) == 2
    assert await data(client, "/labels", {"start": "1", "end": "2"}) == []


async def test_index_stats_count_what_is_there(client: httpx.AsyncClient) -> None:
    answer = await client.get("/index/stats", params={"query": SELECT, **RANGE})
    size = sum(len(record.line) for record in demo_records())
    assert answer.json() == {"streams": 2, "chunks": 2, "entries": 12, "bytes": size}


async def test_volume_sums_bytes_by_label(client: httpx.AsyncClient) -> None:
    sizes = {"error": 0, "info": 0}
    for record in demo_records():
        sizes[record.labels["level"]] += len(record.line)
    found = await data(client, "/index/volume", {"query": SELECT, "targetLabels": "level", **RANGE})
    assert found["resultType"] == "vector"
    assert {row["metric"]["level"]: int(row["value"][1]) for row in found["result"]} == sizes
    found = await data(client, "/index/volume", {"query": SELECT, **RANGE, "aggregateBy": "labels"})
    assert [row["metric"] for row in found["result"]] == [{"level": ""}, {"service_name": ""}]


async def test_patterns_are_mined_with_samples_by_step(client: httpx.AsyncClient) -> None:
    found = await data(client, "/patterns", {"query": SELECT, "step": "1m", **RANGE})
    assert found[0] == {
        "pattern": "Step search completed in <_> ms",
        "level": "info",
        "samples": [[1800000000, 4], [1800000060, 4]],
    }


async def test_ready_and_buildinfo(client: httpx.AsyncClient) -> None:
    assert (await client.get("http://loki/ready")).text == "ready\n"
    assert (await client.get("/status/buildinfo")).json()["version"]


def pushed(**changes: object) -> dict[str, object]:
    stream = {
        "stream": {"app": "x", "none": ""},
        "values": [["5", "line", {"trace_id": "abc"}], ["6", "two"]],
    }
    return {"streams": [{**stream, **changes}]}


@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_push_stores_lines_with_their_metadata(
    client: httpx.AsyncClient, sink: MemorySink, encoding: str
) -> None:
    body = json.dumps(pushed()).encode()
    headers = {"content-type": "application/json; charset=utf-8", "content-encoding": encoding}
    content = gzip.compress(body) if encoding else body
    answer = await client.post("/push", content=content, headers=headers)
    assert answer.status_code == 204
    assert sink.logs == [
        LogRecord(5, "line", {"app": "x"}, {"trace_id": "abc"}),
        LogRecord(6, "two", {"app": "x"}, {}),
    ]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "the body is [], expected an object"),
        ({}, "streams is None, expected a list"),
        (pushed(stream={}), "streams[0].stream: at least one label pair"),
        (pushed(stream={"a b": "x"}), "'a b' is not a label name"),
        (pushed(stream={"a": 1}), "streams[0].stream.a is 1, expected a string"),
        (pushed(values=[["x", "line"]]), "streams[0].values[0][0] is 'x', expected nanoseconds"),
        (pushed(values=[["9" * 19, "line"]]), "expected nanoseconds"),
        (pushed(values=[["9" * 5_000, "line"]]), "expected nanoseconds"),
        (pushed(values=[["1", 5]]), "streams[0].values[0][1] is 5, expected a string"),
        (pushed(values=[["1"]]), "streams[0].values[0] is ['1'], expected [nanoseconds, line]"),
        (pushed(values=[["1", "x", "y"]]), "streams[0].values[0][2] is 'y', expected an object"),
        (pushed(values=[["1", "\ud800"]]), "is not valid Unicode"),
    ],
)
async def test_push_names_the_field_that_is_wrong_and_stores_nothing(
    client: httpx.AsyncClient, sink: MemorySink, body: object, message: str
) -> None:
    answer = await client.post(
        "/push", content=json.dumps(body), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 400
    assert message in answer.text
    assert sink.logs == []


async def test_push_refuses_what_it_cannot_read(client: httpx.AsyncClient, sink: MemorySink) -> None:
    as_json = {"content-type": "application/json"}
    protobuf = await client.post("/push", content=b"x", headers={"content-type": "application/x-protobuf"})
    assert protobuf.status_code == 415
    assert "push JSON as application/json, or send OTLP" in protobuf.text
    assert (await client.post("/push", content=b"{", headers=as_json)).status_code == 400
    broken = await client.post("/push", content=b"x", headers={**as_json, "content-encoding": "gzip"})
    assert "not gzip" in broken.text
    bomb = gzip.compress(b" " * (17 * 1024 * 1024))
    large = await client.post("/push", content=bomb, headers={**as_json, "content-encoding": "gzip"})
    assert large.status_code == 413
    sink.is_full = True
    busy = await client.post("/push", json=pushed())
    assert busy.status_code == 429
    assert busy.headers["retry-after"] == "1"


async def test_pushed_lines_that_the_store_has_no_room_for_are_told(
    client: httpx.AsyncClient, sink: MemorySink
) -> None:
    sink.refusal = Refusal(1, "the stream is new")
    answer = await client.post("/push", json=pushed())
    assert answer.status_code == 429
    assert f"1 of {len(sink.logs)} entries were left out: the stream is new" in answer.text
