"""The recorded calls, the data they are asked over, and how an answer is compared with what its caller reads of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml

TRACE = "ab" * 16
KINDS: dict[str, Any] = {
    "<text>": str, "<number>": (int, float), "<object>": dict, "<list>": list, "<items>": list,
}  # fmt: skip


def calls(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load((Path(__file__).parent / f"{name}.yaml").read_text(encoding="utf-8")))


def bodies() -> dict[str, Any]:
    """Return one counter, one line and one span of a minute ago, as OTLP's JSON by signal."""
    at = str(time.time_ns() - 60_000_000_000)
    total = {
        "isMonotonic": True,
        "aggregationTemporality": 2,
        "dataPoints": [{"timeUnixNano": at, "asInt": "7", "attributes": [attribute("agent_id", "writer")]}],
    }
    line = {
        "timeUnixNano": at,
        "severityNumber": 17,
        "body": {"stringValue": "it broke"},
        "attributes": [attribute("agent_id", "writer"), attribute("level", "error")],
    }
    span = {
        "traceId": TRACE,
        "spanId": "cd" * 8,
        "name": "work",
        "kind": 1,
        "startTimeUnixNano": at,
        "endTimeUnixNano": at,
    }
    resource = {"attributes": [attribute("service.name", "awf-demo")]}
    return {
        "metrics": {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [
            {"name": "agent_runs_total", "description": "Runs.", "sum": total}]}]}]},
        "logs": {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": [line]}]}]},
        "traces": {"resourceSpans": [{"resource": {"attributes": [attribute("service.name", "demo")]},
                                      "scopeSpans": [{"spans": [span]}]}]},
    }  # fmt: skip


def attribute(name: str, value: str) -> dict[str, Any]:
    return {"key": name, "value": {"stringValue": value}}


async def replay(client: httpx.AsyncClient, base: str, call: dict[str, Any]) -> list[str]:
    """Send a call and return what of the answer is not as its caller expects."""
    method = "GET" if "get" in call else "POST"
    response = await client.request(
        method,
        base + filled(call[method.lower()]),
        params=filled(call.get("query")),
        data=filled(call.get("form")),
        headers=call.get("headers"),
    )
    if response.status_code != call.get("status", 200):
        return [f"{response.status_code}: {response.text[:500]}"]
    found: list[str] = []
    if "answer" in call:
        found += compare(call["answer"], response.json(), "answer")
    if "type" in call and (response.headers["content-type"] != call["type"] or not response.content):
        found.append(f"{len(response.content)} bytes of {response.headers['content-type']}")
    if "text" in call and response.text != call["text"]:
        found.append(response.text)
    return [f"{each} in {response.text[:1000]}" for each in found]


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


def compare(expected: Any, found: Any, place: str) -> Iterator[str]:
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
