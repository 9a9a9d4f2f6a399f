from __future__ import annotations

import base64
from typing import Any

from awf.analysis.traces import failing, self_times_ms, slowest_path, spans


def span(number: int, parent: int, start_ms: int, end_ms: int, *, error: str = "") -> dict[str, Any]:
    def identity(value: int) -> str:
        return base64.b64encode(value.to_bytes(8)).decode() if value else ""

    return {
        "spanId": identity(number), "parentSpanId": identity(parent), "name": f"s{number}",
        "startTimeUnixNano": str(start_ms * 1_000_000), "endTimeUnixNano": str(end_ms * 1_000_000),
        "status": {"code": "STATUS_CODE_ERROR"} if error else {},
        "events": [{"attributes": [{"key": "exception.message", "value": {"stringValue": error}}]}] if error else [],
        "attributes": [{"key": "agent_id", "value": {"stringValue": f"a{number}"}}],
    }  # fmt: skip


def trace(*found: dict[str, Any]) -> dict[str, Any]:
    return {"trace": {"resourceSpans": [{"scopeSpans": [{"spans": list(found)}]}]}}


TREE = spans(
    trace(span(1, 0, 0, 100, error="failed"), span(2, 1, 10, 40), span(3, 1, 30, 90, error="no answer"))
)


def test_ids_in_base64_become_hex_and_attributes_text() -> None:
    assert TREE[0].span_id == "0000000000000001"
    assert TREE[1].parent_id == "0000000000000001"
    assert TREE[2].attributes == {"agent_id": "a3"}


def test_the_failing_span_is_the_one_nearest_the_cause() -> None:
    assert [(each.name, each.message) for each in failing(TREE)] == [("s3", "no answer")]


def test_self_time_leaves_out_children_even_when_they_overlap() -> None:
    times = self_times_ms(TREE)
    assert times["0000000000000001"] == 20
    assert times["0000000000000003"] == 60


def test_the_slowest_path_follows_the_child_that_ended_last() -> None:
    assert [each.name for each in slowest_path(TREE)] == ["s1", "s3"]


def test_broken_traces_are_no_error() -> None:
    assert spans({}) == []
    assert spans({"trace": {"resourceSpans": [{"scopeSpans": [{"spans": ["x"]}]}]}}) == []
    loop = spans(trace(span(1, 2, 0, 10), span(2, 1, 0, 10)))
    assert slowest_path(loop) == []
    assert slowest_path([]) == []


def test_the_form_that_mcp_grafana_gives_is_read() -> None:
    body = {
        "traceId": "ab" * 16,
        "grafanaUrl": "http://127.0.0.1:3000/explore",
        "spans": [
            {"id": "0a" * 8, "name": "awf.step", "startTimeMs": 1_000.0, "durationMs": 200.5, "status": "unset"},
            {
                "id": "0b" * 8, "parentId": "0a" * 8, "name": "awf.agent.invoke", "startTimeMs": 1_010.0,
                "durationMs": 80.5, "status": "error", "attributes": {"agent_id": "writer", "attempt": 2},
                "events": [{"name": "exception", "attributes": {"exception.message": "provider returned 502"}}],
            },
        ],
    }  # fmt: skip
    step, call = spans(body)
    assert (call.parent_id, call.duration_ms) == (step.span_id, 80.5)
    assert failing([step, call]) == [call]
    assert call.message == "provider returned 502"
    assert call.attributes == {"agent_id": "writer", "attempt": "2"}
    assert self_times_ms([step, call])[step.span_id] == 120.0
