"""What the stores are asked, each through its own HTTP API, as Grafana asks them."""

from __future__ import annotations

import time
from typing import Any

import httpx

from tests.stack.native._stack import Stack


def samples(stack: Stack, expr: str) -> list[dict[str, Any]]:
    """Return an instant query's vector."""
    answer = httpx.get(f"{stack.promql_url}/api/v1/query", params={"query": expr}, timeout=10)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"]["result"])


def value(stack: Stack, expr: str) -> float | None:
    """Return the first sample's value."""
    found = samples(stack, expr)
    return float(found[0]["value"][1]) if found else None


def exemplars(stack: Stack, metric: str) -> list[dict[str, str]]:
    """Return the labels of a metric's exemplars of the last hour."""
    now = time.time()
    window = {"query": metric, "start": now - 3600, "end": now + 60}
    answer = httpx.get(f"{stack.promql_url}/api/v1/query_exemplars", params=window, timeout=10)
    assert answer.status_code == 200, answer.text
    return [each["labels"] for series in answer.json()["data"] for each in series["exemplars"]]


def rules(stack: Stack) -> list[dict[str, Any]]:
    """Return the rules that the metrics' store evaluates, each with its health and its group's interval."""
    answer = httpx.get(f"{stack.promql_url}/api/v1/rules", timeout=10)
    assert answer.status_code == 200, answer.text
    groups = answer.json()["data"]["groups"]
    return [rule | {"interval": group["interval"]} for group in groups for rule in group["rules"]]


def lines(stack: Stack, query: str, *, limit: int = 5000) -> list[tuple[dict[str, str], str]]:
    """Return log lines of the last hour with their labels and metadata."""
    now = time.time_ns()
    window = {"query": query, "start": now - 3_600 * 10**9, "end": now + 60 * 10**9, "limit": limit}
    answer = httpx.get(stack.url("loki", "/loki/api/v1/query_range"), params=window, timeout=10)
    assert answer.status_code == 200, answer.text
    return [(s["stream"], line) for s in answer.json()["data"]["result"] for _, line, *_ in s["values"]]


def count_lines(stack: Stack, query: str) -> int:
    """Return how many lines of the last hour there are, however many."""
    counting = {"query": f"sum(count_over_time({query} [1h]))", "time": time.time_ns() + 10**9}
    answer = httpx.get(stack.url("loki", "/loki/api/v1/query"), params=counting, timeout=10)
    assert answer.status_code == 200, answer.text
    found = answer.json()["data"]["result"]
    return int(float(found[0]["value"][1])) if found else 0


def traces(stack: Stack, query: str, *, limit: int = 20) -> list[dict[str, Any]]:
    """Return the summaries of traces that a TraceQL query finds."""
    answer = httpx.get(stack.url("tempo", "/api/search"), params={"q": query, "limit": limit}, timeout=10)
    assert answer.status_code == 200, answer.text
    return list(answer.json().get("traces") or ())


def spans(stack: Stack, trace_id: str) -> list[dict[str, Any]]:
    """Return the spans of one trace, none when there is no such trace."""
    headers = {"accept": "application/json"}
    answer = httpx.get(stack.url("tempo", f"/api/traces/{trace_id}"), headers=headers, timeout=10)
    if answer.status_code != 200:
        return []
    return [s for b in answer.json()["batches"] for c in b["scopeSpans"] for s in c["spans"]]
