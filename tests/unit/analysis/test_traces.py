from __future__ import annotations

import base64
from typing import Any

from awf.analysis.traces import failing, self_times_ms, slowest_path, spans
from awf.embedded.model import Span
from awf.embedded.traceql.otlp import to_json, to_model_json


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


def test_the_short_form_that_tools_get_reads_like_otlp() -> None:
    own = Span(
        "ab" * 16, "cd" * 8, "", "awf.agent.invoke", 1, 1_000, 2_000, status=2, status_message="provider returned 502",
        attributes={"agent_id": "writer"}, resource={"service.name": "awf"},
    )  # fmt: skip
    short = spans({"trace": to_model_json([own])})
    full = spans({"trace": {"resourceSpans": to_json([own])}})
    assert short == full
    assert short[0].is_error
    assert short[0].message == "provider returned 502"
    assert short[0].attributes == {"agent_id": "writer"}
