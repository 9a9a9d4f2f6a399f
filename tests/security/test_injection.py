"""Hostile text in alerts and telemetry: the watcher does what it would have done without it, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from awf.core import semconv as sc
from awf.core.incidents import Alert, IncidentStatus
from awf.core.registry import discover
from awf.errors import ConfigError
from awf.remediation.playbook import load_playbook
from awf.remediation.policy import load_policy
from awf.remediation.spec import ActionSpec
from tests.security._strings import HOSTILE
from tests.unit.agents._system import (
    FAULT_AT,
    NOW,
    System,
    agent_works,
    alert,
    failing_writer,
    healthy,
    queue,
)


def poisoned(text: str, **labels: str) -> Alert:
    """An alert that has the text wherever text may stand."""
    one_word = text[:200]
    return replace(
        alert(**labels),
        fingerprint=f"f-{hash(text)}",
        labels={**alert(**labels).labels, "team": text, one_word: "x", **labels},
        annotations={
            "summary": text, "description": text, "runbook_url": text,
            **dict.fromkeys(sc.ACTION_ANNOTATIONS, text),
        },
        generator_url=text,
    )  # fmt: skip


def test_there_are_enough_of_them() -> None:
    assert len(set(HOSTILE)) >= 50


@pytest.mark.parametrize("text", HOSTILE)
async def test_an_alert_full_of_it_leads_to_the_usual_action(text: str, system: System) -> None:
    failing_writer(system.telemetry, recovers_at=NOW)
    for number in range(3):
        system.telemetry.add_log(text, FAULT_AT, service_name="awf-demo", level="error", agent_id="writer",
                                 error_type=text, x=str(number))  # fmt: skip
    incident = await system.alert(poisoned(text, agent_id="writer"))
    assert system.kinds == ["force_fallback"]
    (change,) = system.controls.changes
    assert (change.arguments["workflow_id"], change.arguments["step_id"]) == ("research", "draft")
    assert incident.action is not None
    assert incident.action.name == "switch_fallback"
    for entry in incident.timeline:
        assert entry.text.isprintable()


@pytest.mark.parametrize("text", HOSTILE)
async def test_an_agent_by_that_name_is_nothing_an_action_may_touch(text: str, system: System) -> None:
    """Telemetry says that an agent of this name fails. No engine has it, so people are told."""
    healthy(system.telemetry)
    queue(system.telemetry)
    agent_works(system.telemetry, text, text, (FAULT_AT, 1.0, 0.95))
    system.telemetry.add_log(
        text, FAULT_AT, service_name="x", event_type="agent.failed", agent_id=text, workflow_id=text,
        step_id=text, execution_id=text, error_type=text, provider=text, level="error",
    )  # fmt: skip
    incident = await system.alert(poisoned(text, agent_id=text, workflow_id=text, step_id=text))
    assert system.kinds == []
    assert incident.status in (IncidentStatus.ESCALATED, IncidentStatus.FALSE_ALARM)


async def test_an_annotation_that_names_an_action_needs_a_cause_that_was_seen(system: System) -> None:
    healthy(system.telemetry)
    queue(system.telemetry)
    told = replace(alert(team="x"), annotations=dict.fromkeys(sc.ACTION_ANNOTATIONS, "disable_agent"))
    await system.alert(told)
    assert system.kinds == []
    assert await system.state.approvals.pending() == []


def test_text_in_a_policy_or_playbook_is_data(tmp_path: Path) -> None:
    """YAML is read without tags: an object that would run code is an error, not a call."""
    specs = discover("awf.remediation.actions", ActionSpec)
    file = tmp_path / "file.yaml"
    file.write_text("rules: !!python/object/apply:os.system ['touch /tmp/pwned']\n")
    with pytest.raises(ConfigError, match="not YAML"):
        load_policy(file, specs)
    file.write_text("plays: [!!python/name:os.system '']\n")
    with pytest.raises(ConfigError, match="not YAML"):
        load_playbook(file, specs)
