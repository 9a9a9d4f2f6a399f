"""Names as Prometheus' OTLP translation makes them with suffixes on."""

from __future__ import annotations

import math

import pytest

from awf.embedded.otlp.names import label_name, metric_name, unit_name
from awf.embedded.otlp.values import decimal, labels


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("awf_step_duration_ms", "", "histogram", "awf_step_duration_ms"),
        ("awf_tokens_total", "", "counter", "awf_tokens_total"),
        ("awf_executions_active", "", "sum", "awf_executions_active"),
        ("awf.step.duration", "ms", "histogram", "awf_step_duration_milliseconds"),
        ("awf.step.duration", "s", "histogram", "awf_step_duration_seconds"),
        ("awf.steps", "{step}", "counter", "awf_steps_total"),
        ("awf.steps", "1", "counter", "awf_steps_total"),
        ("awf.steps.total", "", "counter", "awf_steps_total"),
        ("awf.total.steps", "", "counter", "awf_steps_total"),
        ("awf.llm.cost", "USD", "counter", "awf_llm_cost_USD_total"),
        ("awf.llm.cost", "{USD}", "counter", "awf_llm_cost_total"),
        ("awf.queue.depth", "1", "gauge", "awf_queue_depth_ratio"),
        ("awf.queue.ratio", "1", "gauge", "awf_queue_ratio"),
        ("awf.queue.depth", "{item}", "gauge", "awf_queue_depth"),
        ("awf.workflows.active", "1", "sum", "awf_workflows_active"),
        ("system.io", "By", "gauge", "system_io_bytes"),
        ("system.io.bytes", "By", "gauge", "system_io_bytes"),
        ("system.io", "By/s", "gauge", "system_io_bytes_per_second"),
        ("tokens", "{token}/s", "gauge", "tokens_per_second"),
        ("speed", "m/m", "gauge", "speed_meters_per_minute"),
        ("cpu.busy", "%", "gauge", "cpu_busy_percent"),
        ("odd", "fuß/10", "gauge", "odd_fu_per_10"),
        ("gen_ai.client.token.usage", "{token}", "histogram", "gen_ai_client_token_usage"),
        ("2xx.rate", "", "gauge", "_2xx_rate"),
        ("job:rate:5m", "", "gauge", "job:rate:5m"),
        ("__a..b--c__", "", "gauge", "a_b_c"),
        ("äö", "s", "gauge", ""),
    ],
)
def test_metric_names(name: str, unit: str, kind: str, expected: str) -> None:
    assert metric_name(name, unit, kind) == expected


@pytest.mark.parametrize(
    ("attribute", "expected"),
    [
        ("http.route", "http_route"),
        ("a-b/c", "a_b_c"),
        ("a..b", "a__b"),
        ("1st", "key_1st"),
        ("_private", "key_private"),
        ("__reserved", "__reserved"),
    ],
)
def test_label_names(attribute: str, expected: str) -> None:
    assert label_name(attribute) == expected


def test_label_names_that_become_equal_share_one_label() -> None:
    assert labels({"a.b": "2", "a-b": "1", "c": ""}) == {"a_b": "1;2"}


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (100.0, "100"),
        (0.5, "0.5"),
        (0.005, "0.005"),
        (600_000.0, "600000"),
        (1e7, "10000000"),
        (1e-7, "0.0000001"),
        (math.inf, "+Inf"),
        (-math.inf, "-Inf"),
        (-2.5, "-2.5"),
    ],
)
def test_numbers_are_written_without_exponent_or_needless_zero(number: float, expected: str) -> None:
    assert decimal(number) == expected


def test_attribute_values_become_text() -> None:
    values = {"flag": True, "count": 3, "ratio": 2.0, "list": ["ü", 1], "map": {"k": None}, "none": None}
    assert labels(values) == {
        "flag": "true",
        "count": "3",
        "ratio": "2",
        "list": '["ü",1]',
        "map": '{"k":null}',
    }


def test_units_of_metadata() -> None:
    assert unit_name("By/s") == "bytes_per_second"
    assert unit_name("{token}") == ""
