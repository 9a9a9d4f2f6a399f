"""When the alerts about the pipeline fire: at the first loss ever, after an outage, and not for old losses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.generate._promtool import case, check


def _pipeline(
    alert: str, at: str, series: dict[str, str], fires: bool, severity: str, **labels: str
) -> dict[str, Any]:
    expected = {"severity": severity, "component": "pipeline", "job": "triage", **labels}
    return case(alert, at, series, fires, expected)


def _of(name: str, values: str, **labels: str) -> dict[str, str]:
    every = {"job": "triage", "instance": "a", **labels}
    inner = ",".join(f'{key}="{value}"' for key, value in every.items())
    return {f"{name}{{{inner}}}": values}


def _dropped(values: str, reason: str) -> dict[str, str]:
    return _of("awf_events_dropped_total", values, reason=reason)


def _refused(at: str, values: str, fires: bool) -> dict[str, Any]:
    return _pipeline(
        "AWFEventsRefused", at, _dropped(values, "spool_full"), fires, "critical", reason="spool_full"
    )


LOSSES = {
    "AWFEventsRefused": ("critical", ("spool_full", "spool_failed")),
    "AWFEventsLost": ("critical", ("expired", "corrupt")),
    "AWFEventsRejected": ("warning", ("rejected",)),
    "AWFEventsDropped": ("warning", ("queue_full", "handler_failed", "memory_full", "invalid")),
}
HARMLESS = ("shutdown", "closed", "upload_queue_full")
# The counter appears at 10m with the first loss of all and stays.
CASES = {
    f"the first event ever that is {reason} is an alert": _pipeline(
        alert, "11m", _dropped("_x40 1x80", reason), True, severity, reason=reason
    )
    for alert, (severity, reasons) in LOSSES.items()
    for reason in reasons
}
CASES |= {
    f"an event that is {reason} is none of {alert}": _pipeline(
        alert, "11m", _dropped("_x40 1x80", reason), False, severity
    )
    for alert, (severity, own) in LOSSES.items()
    for reason in sorted({*HARMLESS, *(r for _, reasons in LOSSES.values() for r in reasons)} - {*own})
}
CASES |= {
    # How the alert comes and goes: samples are 15 s apart.
    "a loss is over after five minutes": _refused("16m", "_x40 1x80", False),
    "an old loss is none": _refused("40m", "3x200", False),
    "another loss is one": _refused("31m", "3x120 4x80", True),
    "a loss during an outage is heard of after it": _refused("61m", "3x40 _x200 9x80", True),
    "an old loss seen again after an outage is none": _refused("61m", "3x40 _x200 3x80", False),
    "a loss after a restart that counts anew is one": _refused("31m", "5x120 1x80", True),
    "an old loss after a restart is none": _refused("41m", "5x120 1x80", False),
    "losses of two processes are one alert": _pipeline(
        "AWFEventsRefused", "11m",
        _dropped("_x40 1x80", "spool_full") | _of("awf_events_dropped_total", "7x40 8x80", instance="b", reason="spool_full"),
        True, "critical", reason="spool_full",
    ),
    "a request taken only in part is rejected telemetry": _pipeline(
        "AWFEventsRejected", "11m", _of("awf_export_failures_total", "_x40 1x80", reason="traces_partly_rejected"),
        True, "warning", reason="traces_partly_rejected",
    ),
    "metrics not delivered heal by themselves": _pipeline(
        "AWFEventsRejected", "11m", _of("awf_export_failures_total", "_x40 1x80", reason="metrics_not_delivered"),
        False, "warning",
    ),
    "a spool filled by more than 80% is an alert": _pipeline(
        "AWFSpoolNearlyFull", "5m",
        _of("awf_export_spool_bytes", "81x40") | _of("awf_export_spool_limit_bytes", "100x40"), True, "warning",
    ),
    "a spool filled by 80% is none": _pipeline(
        "AWFSpoolNearlyFull", "5m",
        _of("awf_export_spool_bytes", "80x40") | _of("awf_export_spool_limit_bytes", "100x40"), False, "warning",
    ),
    "one full spool among empty ones is an alert": _pipeline(
        "AWFSpoolNearlyFull", "5m",
        _of("awf_export_spool_bytes", "1x40") | _of("awf_export_spool_limit_bytes", "100x40")
        | _of("awf_export_spool_bytes", "99x40", instance="b")
        | _of("awf_export_spool_limit_bytes", "100x40", instance="b"), True, "warning",
    ),
    "a spool without a limit is never full": _pipeline(
        "AWFSpoolNearlyFull", "5m",
        _of("awf_export_spool_bytes", "0x40") | _of("awf_export_spool_limit_bytes", "0x40"), False, "warning",
    ),
    "events that wait for more than two minutes are an alert": _pipeline(
        "AWFExportStalled", "5m", _of("awf_export_spool_oldest_age_seconds", "0+15x40"), True, "critical"
    ),
    "one sample of a high age is none": _pipeline(
        "AWFExportStalled", "5m15s", _of("awf_export_spool_oldest_age_seconds", "0x20 900 0x20"), False, "critical"
    ),
    "events that wait for a minute are none": _pipeline(
        "AWFExportStalled", "5m", _of("awf_export_spool_oldest_age_seconds", "60x40"), False, "critical"
    ),
    "a third of the requests retried is an alert": _pipeline(
        "AWFExportRetries", "20m",
        _of("awf_export_retries_total", "0+1x100", signal="traces", reason="throttled")
        | _of("awf_export_duration_ms_count", "0+2x100", signal="traces"), True, "warning", signal="traces",
    ),
    "no request taken at all is an alert too": _pipeline(
        "AWFExportRetries", "20m",
        _of("awf_export_retries_total", "0+1x100", signal="logs", reason="credentials"), True, "warning",
        signal="logs",
    ),
    "a tenth of the requests retried is none": _pipeline(
        "AWFExportRetries", "20m",
        _of("awf_export_retries_total", "0+1x100", signal="traces", reason="throttled")
        | _of("awf_export_duration_ms_count", "0+9x100", signal="traces"), False, "warning",
    ),
    "five minutes of retries are none": _pipeline(
        "AWFExportRetries", "15m",
        _of("awf_export_retries_total", "0x40 0+1x20 20x80", signal="traces", reason="unreachable")
        | _of("awf_export_duration_ms_count", "0+2x140", signal="traces"), False, "warning",
    ),
    "the first measurement in an overflow series is an alert": _pipeline(
        "AWFSeriesOverflow", "11m", _of("awf_export_series_overflows_total", "_x40 1x80", metric="awf_tokens_total"),
        True, "warning", metric="awf_tokens_total",
    ),
    "an old overflow is none": _pipeline(
        "AWFSeriesOverflow", "41m", _of("awf_export_series_overflows_total", "9x200", metric="awf_tokens_total"),
        False, "warning",
    ),
    "many texts cut at once are an alert": _pipeline(
        "AWFTelemetryTruncated", "11m", _of("awf_export_truncations_total", "_x40 10x80", kind="text"),
        True, "info", kind="text",
    ),
    "a few texts cut are none": _pipeline(
        "AWFTelemetryTruncated", "11m", _of("awf_export_truncations_total", "_x40 9x80", kind="text"), False, "info",
    ),
}  # fmt: skip


@pytest.mark.promtool
def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    check(CASES, tmp_path, only=("pipeline",))
