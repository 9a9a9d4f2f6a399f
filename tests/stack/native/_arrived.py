"""Which numbers of an `_otlp.Sender` are in a store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx

from tests.collector import Collector
from tests.stack.native import _queries as ask
from tests.stack.native._otlp import METRIC, trace_id
from tests.stack.native._stack import Stack


def logs(stack: Stack, service: str) -> set[int]:
    """Return the numbers of the lines of the last hour."""
    return {int(labels["number"]) for labels, _ in ask.lines(stack, f'{{service_name="{service}"}}')}


def traces(stack: Stack, service: str, wanted: list[int]) -> set[int]:
    """Return those of the wanted numbers that are found by their trace id."""
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda number: bool(ask.spans(stack, trace_id(service, number).hex())), wanted)
        return {number for number, is_there in zip(wanted, found, strict=True) if is_there}


def samples(stack: Stack, service: str) -> set[int]:
    """Return the values of every raw sample of the last 7 hours."""
    query = {"query": f'{METRIC}{{job="{service}"}}[7h]'}
    answer = httpx.get(f"{stack.promql_url}/api/v1/query", params=query, timeout=20)
    assert answer.status_code == 200, answer.text
    return {
        int(float(number)) for series in answer.json()["data"]["result"] for _, number in series["values"]
    }


def collected(collector: Collector) -> set[int]:
    """Return the values of every sample that a collector in Mimir's place was sent."""
    return {
        int(point.as_double)
        for request in collector.metric_requests
        for group in request.resource_metrics
        for scope in group.scope_metrics
        for metric in scope.metrics
        for point in metric.gauge.data_points
    }
