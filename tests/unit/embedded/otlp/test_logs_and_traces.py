"""Log records and spans of OTLP become entries and spans of the store."""

from __future__ import annotations

from typing import Any

import pytest

from awf.embedded.model import LogRecord, Span, SpanEvent, SpanLink
from awf.embedded.otlp.names import metadata_name

from ._messages import NOW_NS, RESOURCE, any_value, attributes, decode, logs, span, traces


def record(body: Any = "hello", *, own: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"timeUnixNano": NOW_NS, "body": any_value(body), "attributes": attributes(own or {}), **more}


def test_few_labels_index_a_record_and_the_rest_is_structured_metadata() -> None:
    one = record(
        own={"error.type": "Timeout", "attempt": 2, "http": {"route": "/"}},
        severityNumber=17, severityText="ERROR", traceId="EREREREREREREREREREREQ==",
        spanId="IiIiIiIiIiI=",
    )  # fmt: skip
    resource = {**RESOURCE, "deployment.environment.name": "prod"}
    rows = decode(logs(one, resource=resource))
    assert list(rows.logs) == [
        LogRecord(
            NOW_NS,
            "hello",
            {
                "service_name": "cart",
                "service_namespace": "shop",
                "deployment_environment_name": "prod",
                "level": "error",
            },
            {
                "region": "eu", "service_instance_id": "i-1", "scope_name": "awf", "error_type": "Timeout",
                "attempt": "2", "http_route": "/", "severity_text": "ERROR", "severity_number": "17",
                "detected_level": "error", "trace_id": "11" * 16, "span_id": "22" * 8,
            },
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("more", "level"),
    [
        ({"severityNumber": 1}, "debug"),
        ({"severityNumber": 5}, "debug"),
        ({"severityNumber": 9}, "info"),
        ({"severityNumber": 16}, "warn"),
        ({"severityNumber": 20}, "error"),
        ({"severityNumber": 24}, "error"),
        ({"severityText": "WARNING"}, "warn"),
        ({"severityText": "FATAL", "severityNumber": 9}, "error"),
        ({"own": {"level": "Critical"}, "severityNumber": 9}, "error"),
        ({"own": {"level": "user text 17"}, "severityNumber": 9}, "info"),
        ({}, "unknown"),
    ],
)
def test_the_level_is_one_of_five(more: dict[str, Any], level: str) -> None:
    (found,) = decode(logs(record(**more))).logs
    assert found.labels["level"] == level
    assert "level" not in found.metadata


@pytest.mark.parametrize(
    ("severity", "level", "detected"),
    [(1, "debug", "trace"), (5, "debug", "debug"), (13, "warn", "warn"), (24, "error", "fatal")],
)
def test_the_detected_level_is_the_finer_word_of_loki(severity: int, level: str, detected: str) -> None:
    (found,) = decode(logs(record(severityNumber=severity))).logs
    assert found.labels["level"] == level
    assert found.metadata["detected_level"] == detected
    assert found.metadata["severity_number"] == str(severity)


def test_a_scope_describes_its_records() -> None:
    request = logs(record())
    scope = request.resource_logs[0].scope_logs[0].scope
    scope.version = "1.2"
    scope.attributes.add(key="sc.attr").value.string_value = "v"
    (found,) = decode(request).logs
    assert found.metadata.items() >= {"scope_name": "awf", "scope_version": "1.2", "sc_attr": "v"}.items()


@pytest.mark.parametrize(
    ("attribute", "name"),
    [("dotted.name-x", "dotted_name_x"), ("a__b", "a_b"), ("a.-b", "a_b"), ("_a", "_a"), ("9lives", "key_9lives"),
     ("__name__", "__name__"), ("__", "")],
)  # fmt: skip
def test_names_of_metadata_have_no_two_underscores_in_a_row(attribute: str, name: str) -> None:
    assert metadata_name(attribute) == name


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({"msg": "map body", "n": 3, "l": [1, 2]}, '{"l":[1,2],"msg":"map body","n":3}'),
        ([1, "two", 12.0, {"b": None, "a": "<"}], '[1,"two",12,{"a":"<","b":null}]'),
        (3, "3"),
        (12.0, "12"),
        (1e21, "1e+21"),
        (1.5e-7, "1.5e-7"),
        (-1e22, "-1e+22"),
        (True, "true"),
        ("ü", "ü"),
    ],
)
def test_a_body_becomes_a_line(body: Any, line: str) -> None:
    assert decode(logs(record(body))).logs[0].line == line


def test_a_nameless_service_and_a_record_without_time() -> None:
    one = {"body": any_value("x"), "observedTimeUnixNano": NOW_NS - 5}
    rows = decode(logs(one, {"body": any_value("y")}, resource={}))
    assert [found.timestamp_ns for found in rows.logs] == [NOW_NS - 5, NOW_NS]
    assert rows.logs[0].labels["service_name"] == "unknown_service"


def test_bad_records_are_refused_and_the_rest_lives() -> None:
    rows = decode(
        logs(
            record("x" * (256 * 1024 + 1)),
            record(timeUnixNano=NOW_NS + 601 * 10**9),
            record(own={"big": "x" * (64 * 1024 + 1)}),
            record("kept"),
        ),
    )
    assert [found.line for found in rows.logs] == ["kept"]
    assert rows.refused == 3
    assert "262145 bytes is over the limit of 262144" in rows.message


def test_a_span_is_taken_over_whole() -> None:
    wire = span(
        parentSpanId="MzMzMzMzMzM=",
        attributes=attributes({"n": 1, "ok": True, "list": ["a"]}),
        status={"code": 2, "message": "boom"},
        events=[{"timeUnixNano": NOW_NS, "name": "exception", "attributes": attributes({"type": "E"})}],
        links=[{"traceId": "EREREREREREREREREREREQ==", "spanId": "IiIiIiIiIiI="}],
    )
    rows = decode(traces(wire))
    assert list(rows.spans) == [
        Span(
            trace_id="11" * 16,
            span_id="22" * 8,
            parent_span_id="33" * 8,
            name="work",
            kind=1,
            start_ns=NOW_NS - 1000,
            end_ns=NOW_NS,
            status=2,
            status_message="boom",
            attributes={"n": 1, "ok": True, "list": ["a"]},
            resource=RESOURCE,
            scope_name="awf",
            scope_version="1",
            events=[SpanEvent(NOW_NS, "exception", {"type": "E"})],
            links=[SpanLink("11" * 16, "22" * 8)],
        )
    ]


@pytest.mark.parametrize(
    "more",
    [
        {"traceId": ""},
        {"traceId": "AAAAAAAAAAAAAAAAAAAAAA=="},
        {"spanId": "IiI="},
        {"startTimeUnixNano": 0},
        {"endTimeUnixNano": 2**64 - 1},
    ],
)
def test_a_span_without_sound_ids_or_times_is_refused_alone(more: dict[str, Any]) -> None:
    rows = decode(traces(span(**more), span()))
    assert len(rows.spans) == 1
    assert rows.refused == 1


def test_an_unknown_kind_or_status_is_unspecified() -> None:
    (found,) = decode(traces(span(kind=1000, status={"code": 77}))).spans
    assert (found.kind, found.status) == (0, 0)
