"""Every query of every dashboard, asked as Grafana asks it: the real stores answer, and what has data shows it."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from awf.core.semconv import WORKFLOWS
from tests.stack.generated_boards import Query, queries
from tests.stack.native import _queries as ask
from tests.stack.native._programs import wait_for
from tests.stack.native._stack import Stack
from tests.stack.native._workload import Workload

SECOND = 10**9
# Panels of the overview that a demo without faults fills; an empty one would be a name that does not exist.
FILLED = "awf-overview"


@pytest.fixture(scope="module")
def stack(workload: Workload) -> Stack:
    stack = workload.stack
    wait_for("a rate", lambda: ask.samples(stack, f"rate({WORKFLOWS}[1m]) > 0"), 90, workload.explain)
    wait_for("logs", lambda: ask.lines(stack, '{service_name="awf-demo"}', limit=5), 60, workload.explain)
    wait_for("traces", lambda: ask.traces(stack, '{ name = "awf.workflow" }'), 60, workload.explain)
    return stack


@pytest.mark.parametrize("query", queries(), ids=lambda query: query.where)
def test_the_real_store_answers(stack: Stack, query: Query) -> None:
    answer = _asked(stack, query)
    assert answer.status_code == 200, f"{query.asked}: {answer.text}"


def test_most_panels_of_the_overview_have_data(stack: Stack) -> None:
    asked = [query for query in queries() if query.board == FILLED]
    empty = [query.where for query in asked if not _found(query, _asked(stack, query).json())]
    assert len(empty) < len(asked) / 2, f"without data: {empty}"


def _asked(stack: Stack, query: Query) -> httpx.Response:
    now = time.time()
    start = now - 600
    if query.kind == "prometheus":
        window: dict[str, Any] = {"query": query.asked, "start": start, "end": now, "step": 15}
        return httpx.post(f"{stack.promql_url}/api/v1/query_range", data=window, timeout=30)
    if query.kind == "loki":
        window = {"query": query.asked, "start": int(start * SECOND), "end": int(now * SECOND), "limit": 100}
        return httpx.get(stack.url("loki", "/loki/api/v1/query_range"), params=window, timeout=30)
    window = {"q": query.asked, "start": int(start), "end": int(now) + 1}
    return httpx.get(stack.url("tempo", "/api/search"), params=window, timeout=30)


def _found(query: Query, answer: dict[str, Any]) -> bool:
    if query.kind == "tempo":
        return bool(answer.get("traces"))
    return bool(answer["data"]["result"])
