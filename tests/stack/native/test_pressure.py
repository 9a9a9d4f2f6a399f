"""More than Alloy can hold: it makes senders wait or turns them away, and AWF's spool gives what they keep."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx

from awf.orchestration.otel_exporter import OTelExporter, SpoolOptions
from tests.stack.native._alloy import passage
from tests.stack.native._otlp import log, post
from tests.stack.native._programs import require, wait_for
from tests.unit.orchestration.telemetry._events import completed

EXECUTIONS = 1500
QUEUE_BYTES = 3_000_000  # more than one request of AWF's exporter, less than what is sent


async def test_a_full_queue_makes_senders_wait_and_nothing_is_lost(tmp_path: Path) -> None:
    require("alloy")
    small = {"ALLOY_QUEUE_BYTES": str(QUEUE_BYTES), "ALLOY_RETRY_MAX_INTERVAL": "1s"}
    with passage(tmp_path, **small) as alloy:
        alloy.collector.stop()
        exporter = OTelExporter(
            alloy.stack.url("alloy_otlp_grpc"), service_name="pressed", spool=SpoolOptions(tmp_path / "spool")
        )
        events = [event for number in range(EXECUTIONS) for event in completed(f"pressed-{number}")]
        for event in events:
            assert exporter.record(event)
        assert not await exporter.flush(8), "the queue was never full"
        alloy.collector.start()
        assert await exporter.flush(90)
        await exporter.shutdown()

        def arrived() -> bool:
            # A request whose answer never came is sent again: the same line twice is one line to Loki.
            return len({_key(record) for record in alloy.collector.logs}) == len(events)

        wait_for("every line", arrived, 60, lambda: f"{len(alloy.collector.logs)} of {len(events)}")


def _key(record: Any) -> bytes:
    return record.SerializeToString(deterministic=True)


def test_above_its_memory_limit_alloy_turns_senders_away_and_counts_them(tmp_path: Path) -> None:
    require("alloy")
    with (
        passage(tmp_path, ALLOY_MEMORY_LIMIT="20MiB", ALLOY_MEMORY_SPIKE="5MiB") as alloy,
        httpx.Client() as http,
    ):
        url = alloy.stack.url("alloy_otlp_http")

        def refused() -> bool:
            return not post(http, url, "logs", log("pressed", 1, time.time_ns()))

        wait_for("a refusal", refused, 20)
        counted = httpx.get(alloy.stack.url("alloy", "/metrics"), timeout=10).text
        assert "otelcol_receiver_refused_log_records_total" in counted
