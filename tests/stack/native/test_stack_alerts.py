"""The stack's alerts and what they are made of: the real programs have the metrics that rules and dashboards name.

Alloy runs with config.alloy as it is, a collector in Mimir's place; what the stack says about itself goes to
Prometheus all the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from awf.generate import foreign_metrics as fm
from tests.collector import Collector
from tests.stack.native import _queries as ask
from tests.stack.native._otlp import SECOND, Sender
from tests.stack.native._programs import given, require, wait_for
from tests.stack.native._stack import Stack

SIGNALS = ("logs", "traces", "metrics")
# What nothing here provokes: a full queue, a full memory; and programs that are not here.
NOT_HERE = (*fm.ENQUEUE_FAILED, fm.NOTIFICATIONS_FAILED)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack after some traffic, and one log line that Loki refused for good."""
    require("alloy", "loki", "tempo", "prometheus")
    if given("mimir"):
        pytest.skip("what the stack says about itself is then in Mimir, which evaluates no alerts")
    with Collector("http") as collector:
        often = {"ALLOY_SCRAPE_INTERVAL": "2s", "ALLOY_SCRAPE_TIMEOUT": "2s"}
        stack = Stack(
            tmp_path_factory.mktemp("alerts"),
            is_unchanged=True,
            MIMIR_OTLP_URL=f"{collector.url}/otlp",
            **often,
        ).add("prometheus", "loki", "tempo", "alloy")
        try:
            stack.start()
            for signal in SIGNALS:
                Sender(stack.url("alloy_otlp_http"), signal, f"alerts-{signal}").send(range(20))
            late = Sender(stack.url("alloy_otlp_http"), "logs", "alerts-logs")
            late.send_at(100, time.time_ns() - 24 * 3600 * SECOND)
            yield stack
        finally:
            stack.stop()


@pytest.mark.parametrize(
    "metric",
    [
        name for name in fm.LABELS
        if name not in NOT_HERE and not name.startswith("cortex_")
        and (name not in (*fm.SEND_FAILED, *fm.DISCARDED) or name in (fm.SEND_FAILED[2], fm.DISCARDED[1]))
    ],
)  # fmt: skip
def test_the_real_programs_have_the_metric_and_its_labels(stack: Stack, metric: str) -> None:
    found = wait_for(metric, lambda: ask.samples(stack, metric), 40)
    assert set(fm.LABELS[metric]) <= set(found[0]["metric"]), found[0]


def _firing(stack: Stack, alert: str) -> list[dict[str, str]]:
    found = ask.samples(stack, f'ALERTS{{alertname="{alert}", alertstate="firing"}}')
    return [each["metric"] for each in found]


def test_a_line_that_loki_refuses_for_good_is_an_alert_that_names_the_way(stack: Stack) -> None:
    (alert,) = wait_for("alert of lost data", lambda: _firing(stack, "AWFCollectorLosesData"), 60)
    assert alert[fm.COMPONENT_ID] == "otelcol.exporter.otlphttp.loki"


def test_a_store_that_is_gone_is_an_alert_that_names_it(stack: Stack) -> None:
    stack["loki"].kill()

    def named() -> bool:
        return any(alert["job"] == "loki" for alert in _firing(stack, "AWFComponentDown"))

    wait_for("alert of a store that is down", named, 150)
    assert not any(alert["job"] in {"tempo", "alloy"} for alert in _firing(stack, "AWFComponentDown"))
