"""The requests that Grafana 12 and 13 and mcp-grafana 2.1.1 make, one after the other against the running backend.

Grafana is not here, so these files say what it sends and what it reads of the answer. In an answer `<text>`,
`<number>`, `<object>` and `<list>` stand for any value of that kind, `<items>` for a list that is not empty, and
objects may have more than is written.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml

from awf.embedded.server import EmbeddedConfig, EmbeddedServer, Ports

Backend = tuple[EmbeddedServer, httpx.AsyncClient]

TRACE = "ab" * 16
FILES = {"prometheus": "mimir", "loki": "loki", "tempo": "tempo", "mcp_grafana": "grafana"}
RULES = """
groups:
  - name: demo
    interval: 1h
    rules:
      - record: agent:runs:sum
        expr: sum(agent_runs_total)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backend(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Backend]:
    folder = tmp_path_factory.mktemp("embedded")
    (folder / "rules" / "recording").mkdir(parents=True)
    (folder / "rules" / "recording" / "demo.yaml").write_text(RULES)
    opened = EmbeddedServer(EmbeddedConfig(folder, folder / "rules", ports=Ports(0, 0, 0, 0, 0, 0)))
    await opened.start()
    async with httpx.AsyncClient(timeout=20) as client:
        await fill(client, opened.addresses["otlp_http"])
        yield opened, client
    await opened.stop()


async def fill(client: httpx.AsyncClient, url: str) -> None:
    """Send one counter, one line and one span of a minute ago."""
    now = str(time.time_ns() - 60_000_000_000)
    resource = {"attributes": [attribute("service.name", "demo")]}
    total = {
        "isMonotonic": True,
        "aggregationTemporality": 2,
        "dataPoints": [{"timeUnixNano": now, "asInt": "7", "attributes": [attribute("agent_id", "writer")]}],
    }
    line = {
        "timeUnixNano": now,
        "severityNumber": 17,
        "body": {"stringValue": "it broke"},
        "attributes": [attribute("agent_id", "writer")],
    }
    span = {
        "traceId": TRACE,
        "spanId": "cd" * 8,
        "name": "work",
        "kind": 1,
        "startTimeUnixNano": now,
        "endTimeUnixNano": now,
    }
    bodies = {
        "metrics": {"resourceMetrics": [{"resource": resource_of("awf-demo"), "scopeMetrics": [{"metrics": [
            {"name": "agent_runs_total", "description": "Runs.", "sum": total}]}]}]},
        "logs": {"resourceLogs": [{"resource": resource_of("awf-demo"), "scopeLogs": [{"logRecords": [line]}]}]},
        "traces": {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]},
    }  # fmt: skip
    for signal, body in bodies.items():
        response = await client.post(f"{url}/v1/{signal}", json=body)
        assert (response.status_code, response.json()) == (200, {}), signal


def attribute(name: str, value: str) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": value}}


def resource_of(service: str) -> dict[str, Any]:
    return {"attributes": [attribute("service.name", service)]}


def calls(name: str) -> list[Any]:
    found = yaml.safe_load((Path(__file__).parent / f"{name}.yaml").read_text(encoding="utf-8"))
    return [pytest.param(name, call, id=f"{name}: {call['call']}") for call in found]


@pytest.mark.parametrize(("name", "call"), [case for name in FILES for case in calls(name)])
@pytest.mark.asyncio(loop_scope="module")
async def test_a_call_is_answered_as_its_caller_expects(
    backend: Backend, name: str, call: dict[str, Any]
) -> None:
    server, client = backend
    method = "GET" if "get" in call else "POST"
    response = await client.request(
        method,
        server.addresses[FILES[name]] + filled(call[method.lower()]),
        params=filled(call.get("query")),
        data=filled(call.get("form")),
        headers=call.get("headers"),
    )
    assert response.status_code == call.get("status", 200), response.text
    if "answer" in call:
        differences = list(compare(call["answer"], response.json(), "answer"))
        assert not differences, (differences, response.text[:2000])
    if "type" in call:
        assert response.headers["content-type"] == call["type"]
        assert response.content
    if "text" in call:
        assert response.text == call["text"]


def filled(value: Any) -> Any:
    """Return a path or parameters with the range of the last hour filled in."""
    if isinstance(value, dict):
        return {name: filled(item) for name, item in value.items()}
    if not isinstance(value, str):
        return value
    now = int(time.time()) + 1
    for name, moment in {"from": now - 3600, "to": now}.items():
        for unit, factor in {"s": 1, "ms": 1_000, "ns": 1_000_000_000}.items():
            value = value.replace(f"{{{name}_{unit}}}", str(moment * factor))
    return value.replace("{trace}", TRACE)


KINDS: dict[str, Any] = {
    "<text>": str, "<number>": (int, float), "<object>": dict, "<list>": list, "<items>": list,
}  # fmt: skip


def compare(expected: Any, found: Any, place: str) -> Any:
    """Yield every place where an answer is not what is expected."""
    if isinstance(expected, str) and expected in KINDS:
        if not isinstance(found, KINDS[expected]) or (expected == "<items>" and not found):
            yield f"{place} is {found!r:.80}, not {expected}"
    elif isinstance(expected, dict) and isinstance(found, dict):
        for name, item in expected.items():
            if item == "<absent>":
                if name in found:
                    yield f"{place}.{name} is there"
            elif name not in found:
                yield f"{place}.{name} is missing"
            else:
                yield from compare(item, found[name], f"{place}.{name}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for number, (item, other) in enumerate(zip(expected, found, strict=True)):
            yield from compare(item, other, f"{place}[{number}]")
    elif expected != found:
        yield f"{place} is {found!r:.200}, not {expected!r:.200}"


def test_a_comparison_finds_what_differs() -> None:
    expected = {"a": [{"b": "<text>"}], "c": "<absent>", "d": "<items>", "e": [1]}
    assert not list(compare(expected, {"a": [{"b": "x", "more": 1}], "d": [0], "e": [1]}, "x"))
    wrong = {"a": [{"b": 1}], "c": 1, "d": [], "e": [1, 2]}
    assert len(list(compare(expected, wrong, "x"))) == 4
