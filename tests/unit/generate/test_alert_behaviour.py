"""When the generated alerts fire and when they do not, as Prometheus' own rule tester sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.generate._promtool import case, check

AGENT = 'agent_id="writer"'


def _tokens(*values: str) -> dict[str, str]:
    return {f"awf_tokens_total{{{AGENT}}}": " ".join(values)}


def _invocations(completed: str, failed: str) -> dict[str, str]:
    name = f"awf_agent_invocations_total{{{AGENT}"
    return {f'{name},status="completed"}}': completed, f'{name},status="failed"}}': failed}


SURGE = {"severity": "warning", "agent_id": "writer"}
ERRORS = {"severity": "critical", "agent_id": "writer"}
CASES = {
    "a new agent at a steady rate is no surge": case(
        "AWFTokenSurge", "14m", _tokens("0+1500x400"), False, SURGE
    ),
    "four times the rate of the hour before is one": case(
        "AWFTokenSurge", "108m", _tokens("0+1500x400", "606000+6000x60"), True, SURGE
    ),
    "half of the calls failing is an alert": case(
        "AWFAgentErrors", "5m", _invocations("0+1x40", "0+1x40"), True, ERRORS
    ),
    "one failed call of a rarely used agent is none": case(
        "AWFAgentErrors", "5m", _invocations("0x40", "0x18 1x22"), False, ERRORS
    ),
    "a tenth of the calls failing is none": case(
        "AWFAgentErrors", "5m", _invocations("0+9x40", "0+1x40"), False, ERRORS
    ),
    "five minutes of silence after events are an alert": case(
        "AWFTelemetryAbsent", "20m", {"awf_events_total": "0+1x40 _x80"}, True,
        {"severity": "critical", "component": "pipeline"},
    ),
    "more than twice as many waiting as workers is an alert": case(
        "AWFWorkersSaturated", "5m", {"awf_executions_pending": "9x40", "awf_workers": "4x40"}, True,
        {"severity": "warning"},
    ),
    "a system that never ran is not silent": case(
        "AWFTelemetryAbsent", "30m", {"up": "1x200"}, False, {"severity": "critical"}
    ),
}  # fmt: skip


@pytest.mark.promtool
@pytest.mark.parametrize("name", CASES)
def test_alerts_fire_when_they_should(name: str, tmp_path: Path) -> None:
    check(CASES[name], tmp_path)
