"""Labels and fields that Grafana offers as filters; the answers are those of Loki 3.7 to the same lines."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from awf.embedded import loki_api
from awf.embedded.logql import Engine
from awf.embedded.logql.detected import type_of
from awf.embedded.model import LogRecord
from awf.embedded.store import MemoryStore

LINES = (
    '{"level":"info","n":3,"d":"1.5s","nested":{"a":"x","b":[1,2]},"service_name":"dup"}',
    'level=warn n=7 msg="hi there" ok=false empty=',
    '{"broken": ',
)


@pytest.fixture
async def loki() -> AsyncIterator[httpx.AsyncClient]:
    store = MemoryStore()
    now = time.time_ns() - 1_000_000_000
    await store.write(
        logs=[
            LogRecord(
                now + n, line, {"service_name": "a", "shard": f"{5 + n}", "on": "1"}, {"trace_id": f"t{n}"}
            )
            for n, line in enumerate(LINES)
        ]
    )
    app = loki_api.create_app(Engine(store), store, store)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://loki.test/loki/api/v1/"
    ) as client:
        yield client
    store.close()


async def answer(loki: httpx.AsyncClient, path: str, **parameters: str) -> Any:
    response = await loki.get(path, params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


async def test_labels_that_only_hold_ids_are_no_filters(loki: httpx.AsyncClient) -> None:
    assert await answer(loki, "detected_labels") == {
        "detectedLabels": [{"label": "on", "cardinality": 1}, {"label": "service_name", "cardinality": 1}]
    }
    assert await answer(loki, "detected_labels", query='{service_name="b"}') == {"detectedLabels": []}


async def test_fields_are_found_in_metadata_json_and_logfmt(loki: httpx.AsyncClient) -> None:
    found = await answer(loki, "detected_fields", query='{service_name="a"}')
    assert found["limit"] == 1000
    fields = {each.pop("label"): each for each in found["fields"]}
    assert fields == {
        "d": {"type": "duration", "cardinality": 1, "parsers": ["json"], "jsonPath": ["d"]},
        "level": {"type": "string", "cardinality": 2, "parsers": ["logfmt", "json"], "jsonPath": ["level"]},
        "msg": {"type": "string", "cardinality": 1, "parsers": ["logfmt"]},
        "n": {"type": "int", "cardinality": 2, "parsers": ["logfmt", "json"], "jsonPath": ["n"]},
        "nested_a": {"type": "string", "cardinality": 1, "parsers": ["json"], "jsonPath": ["nested", "a"]},
        "ok": {"type": "boolean", "cardinality": 1, "parsers": ["logfmt"]},
        "service_name_extracted": {
            "type": "string", "cardinality": 1, "parsers": ["json"], "jsonPath": ["service_name"],
        },
        "trace_id": {"type": "string", "cardinality": 3, "parsers": None},
    }  # fmt: skip


async def test_values_of_a_field_and_limits(loki: httpx.AsyncClient) -> None:
    query = '{service_name="a"}'
    assert await answer(loki, "detected_field/n/values", query=query) == {"values": ["3", "7"], "limit": 1000}
    assert await answer(loki, "detected_field/none/values", query=query) == {}
    assert await answer(loki, "detected_fields", query='{service_name="b"}') == {}
    first = await answer(loki, "detected_fields", query=query, limit="1")
    assert [each["label"] for each in first["fields"]] == ["trace_id"]
    newest = await answer(loki, "detected_fields", query=query, line_limit="1")
    assert [(each["label"], each["cardinality"]) for each in newest["fields"]] == [("trace_id", 1)]
    refused = await loki.get("detected_fields", params={"query": query, "line_limit": "0"})
    assert (refused.status_code, refused.text.strip()) == (400, "line_limit '0' is not a number above 0")


@pytest.mark.parametrize(
    ("value", "kind"),
    [("3", "int"), ("-3", "int"), ("3.5", "float"), ("1e3", "float"), ("true", "boolean"), ("12ms", "duration"),
     ("10MiB", "bytes"), ("3KB", "bytes"), ("", "string"), ("3 apples", "string")],
)  # fmt: skip
def test_the_type_of_a_value(value: str, kind: str) -> None:
    assert type_of(value) == kind
