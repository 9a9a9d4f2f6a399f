"""Metrics of the programs around AWF that rules and dashboards ask for, spelled once; ours are in `core/semconv.py`.

Alloy's are those of its OpenTelemetry components, with the label `component_id` (`otelcol.exporter.otlphttp.mimir`)
and, of queues, `data_type`. They exist only once a component had something to count.
"""

from __future__ import annotations

from typing import Final

UP: Final = "up"

# -- Alloy: per signal, as `_total` counters; queues as gauges
SIGNALS: Final = ("spans", "metric_points", "log_records")
SENT: Final = tuple(f"otelcol_exporter_sent_{signal}_total" for signal in SIGNALS)
SEND_FAILED: Final = tuple(f"otelcol_exporter_send_failed_{signal}_total" for signal in SIGNALS)
ENQUEUE_FAILED: Final = tuple(f"otelcol_exporter_enqueue_failed_{signal}_total" for signal in SIGNALS)
REFUSED: Final = tuple(f"otelcol_receiver_refused_{signal}_total" for signal in SIGNALS)
ACCEPTED: Final = tuple(f"otelcol_receiver_accepted_{signal}_total" for signal in SIGNALS)
QUEUE_SIZE: Final = "otelcol_exporter_queue_size"
QUEUE_CAPACITY: Final = "otelcol_exporter_queue_capacity"

COMPONENT_ID: Final = "component_id"
DATA_TYPE: Final = "data_type"

STACK_JOBS: Final = ("alloy", "mimir", "loki", "tempo", "grafana")
"""The values of `job` under which Alloy scrapes itself and the stores."""

# -- the stores and Grafana, about themselves
DISCARDED: Final = (
    "cortex_discarded_samples_total",
    "loki_discarded_samples_total",
    "tempo_discarded_spans_total",
)
REQUESTS: Final = tuple(f"{name}_request_duration_seconds_count" for name in ("cortex", "loki", "tempo"))
HELD: Final = (
    "cortex_ingester_memory_series",
    "loki_ingester_memory_streams",
    "tempo_live_store_live_traces",
)
RULES_FAILED: Final = "cortex_prometheus_rule_evaluation_failures_total"
NOTIFICATIONS_FAILED: Final = "grafana_alerting_notifications_failed_total"
MEMORY: Final = "process_resident_memory_bytes"
STARTED: Final = "process_start_time_seconds"

LABELS: Final[dict[str, tuple[str, ...]]] = {
    UP: (),
    **dict.fromkeys((*SENT, *SEND_FAILED, *ENQUEUE_FAILED), (COMPONENT_ID,)),
    **dict.fromkeys((*REFUSED, *ACCEPTED), (COMPONENT_ID,)),
    **dict.fromkeys((QUEUE_SIZE, QUEUE_CAPACITY), (COMPONENT_ID, DATA_TYPE)),
    **dict.fromkeys(DISCARDED, ("reason",)),
    **dict.fromkeys(REQUESTS, ("status_code",)),
    **dict.fromkeys(HELD, ()),
    RULES_FAILED: ("rule_group",),
    NOTIFICATIONS_FAILED: ("integration",),
    MEMORY: (),
    STARTED: (),
}
"""What is asked for -> its labels beside `job` and `instance`."""
