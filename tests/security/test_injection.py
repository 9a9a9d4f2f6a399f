"""Hostile text in alerts and telemetry: the watcher does what it would have done without it, and nothing else."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from awf.core import semconv as sc
from awf.core.counters import Counters
from awf.core.incidents import Alert, CauseClass, Incident, IncidentStatus
from awf.core.registry import discover
from awf.errors import ConfigError
from awf.remediation.playbook import load_playbook
from awf.remediation.policy import load_policy
from awf.remediation.spec import ActionSpec, RemediationConfig
from awf.state import State
from awf.testing import FakeClock, FakeControls, FakePeople, FakeTelemetry
from tests.security import _strings
from tests.security._shapes import language_of, shape
from tests.security._strings import HOSTILE
from tests.unit.agents._system import (
    FAULT_AT,
    IN_MEMORY,
    NOW,
    System,
    agent_works,
    alert,
    engine,
    failing_writer,
    healthy,
    open_system,
    queue,
)

GROUPS = ("QUERIES", "SHELLS", "PAGES", "TEMPLATES", "PROMPTS", "CHATS", "BYTES", "PATHS")
PLAIN = "plain-name"


@pytest.fixture
def url() -> str:
    """So many incidents need no file each."""
    return IN_MEMORY


def poisoned(text: str, **labels: str) -> Alert:
    """An alert that has the text wherever text may stand."""
    usual = alert(**labels)
    return replace(
        usual,
        fingerprint=f"f-{text}",
        labels={**usual.labels, "team": text, text: "x"},
        annotations={
            "summary": text, "description": text, "runbook_url": text,
            **dict.fromkeys(sc.ACTION_ANNOTATIONS, text),
        },
        generator_url=text,
    )  # fmt: skip


def asked(system: System) -> Counter[str]:
    """Return the queries that were made, without the names of traces and texts of annotations."""
    others = {"list", *(each["text"] for each in system.telemetry.written)}
    return Counter(query for query in system.telemetry.queries if query not in others)


def test_there_are_enough_of_them() -> None:
    assert len(set(HOSTILE)) >= 50
    assert {text for group in GROUPS for text in getattr(_strings, group)} == set(HOSTILE)


async def test_alerts_and_log_lines_full_of_it_lead_to_the_usual_queries_and_action(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=NOW)
    await system.alert(alert(agent_id="writer"))
    usual = asked(system)
    for group in GROUPS:
        texts: tuple[str, ...] = getattr(_strings, group)
        async with open_system() as other:
            failing_writer(other.telemetry, recovers_at=NOW)
            for text in texts:
                other.telemetry.add_log(text, FAULT_AT, service_name="awf-demo", level="error", agent_id="writer",
                                        error_type=text, team=text)  # fmt: skip
            incident = await other.alert(*(poisoned(text, agent_id="writer") for text in texts))
            assert len(incident.alerts) == len(texts)
            assert asked(other) == usual, group
            assert other.kinds == system.kinds == ["set_fallback_forced"]
            (change,), (expected,) = other.controls.changes, system.controls.changes
            assert change.arguments == expected.arguments, group
            assert all(entry.text.isprintable() for entry in incident.timeline), group


async def blamed(name: str, state: State) -> tuple[System, Incident]:
    """Let telemetry say that an agent of this name fails, which no engine has."""
    clock = FakeClock(NOW)
    system = System(
        state, clock, FakeTelemetry(clock), FakeControls(engine()), FakePeople(), Counters(), RemediationConfig()
    )  # fmt: skip
    system.start()
    queue(system.telemetry)
    agent_works(system.telemetry, name, name, (FAULT_AT, 1.0, 0.95))
    system.telemetry.add_log(
        name, FAULT_AT, service_name="x", event_type="agent.failed", agent_id=name, workflow_id=name,
        step_id=name, execution_id=name, error_type=name, provider=name, level="error",
    )  # fmt: skip
    incident = await system.alert(poisoned(name, agent_id=name, workflow_id=name, step_id=name))
    await system.watcher.aclose()
    return system, incident


async def test_an_agent_by_that_name_changes_no_query_and_is_nothing_an_action_may_touch() -> None:
    async with await State.open(clock=FakeClock(NOW)) as state:
        system, _ = await blamed(PLAIN, state)
        usual = Counter(shape(language_of(query), query, PLAIN) for query in asked(system))
        assert sum("THE NAME" in tree for tree in usual) >= 2
        for name in HOSTILE:
            system, incident = await blamed(name, state)
            assert Counter(shape(language_of(query), query, name) for query in asked(system)) == usual, name
            assert (incident.cause, incident.target.agent_id) == (CauseClass.AGENT_ERROR, name)
            assert (system.kinds, incident.status) == ([], IncidentStatus.ESCALATED), name
            recorded = [each for found in incident.hypotheses for each in found.evidence if each.query]
            trees = {shape(language_of(each.query), each.query, name) for each in recorded}
            assert trees <= set(usual), name


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
