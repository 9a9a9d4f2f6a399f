"""What the watcher reads out of each alert that `awf generate` writes: where to look, or that only people can help."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from awf.agents.hints import hints_of, is_about_us, target_of
from awf.core import semconv as sc
from awf.core.incidents import ActionOutcome, CauseClass, IncidentStatus, Target
from awf.generate.output import rule_groups
from awf.generate.spec import AlertRule
from tests.unit.agents._system import NOW, System, alert, failing_writer, healthy

RULES = {rule.alert: rule for group in rule_groups().values() for rule in group.alerts}
PLACES = {sc.WORKFLOW_ID, sc.STEP_ID, sc.AGENT_ID, sc.PROVIDER}


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_every_alert_says_where_to_look_or_that_it_is_about_awf(rule: AlertRule) -> None:
    fired = alert(rule.alert, severity=rule.severity, component=rule.component)
    if rule.component:
        assert is_about_us(fired)
        assert rule.action == "notify_oncall"
        return
    named = {label for label in PLACES if f"$labels.{label}" in rule.summary}
    is_slo = "$labels.subject" in rule.summary  # its series have the labels of the objective's group
    assert named or is_slo or rule.alert == "AWFWorkersSaturated"
    assert hints_of([fired]).causes or is_slo


def test_an_error_budgets_alert_names_what_it_is_about() -> None:
    fired = alert("AWFErrorBudgetBurnsFast", slo="step-latency", subject="r/s", workflow_id="r", step_id="s")
    assert target_of(fired) == Target(workflow_id="r", step_id="s")


async def test_a_burning_budget_is_acted_on_as_the_failures_behind_it(system: System) -> None:
    failing_writer(system.telemetry)
    incident = await system.alert(
        alert("AWFErrorBudgetBurnsVeryFast", slo="agent-success", subject="writer", agent_id="writer")
    )
    assert incident.cause is CauseClass.AGENT_ERROR
    assert incident.action is not None
    assert incident.action.name == "switch_fallback"


async def test_a_slow_burn_of_which_nothing_is_left_to_see_is_told_and_nothing_is_done(
    system: System,
) -> None:
    healthy(system.telemetry)
    slow = alert("AWFErrorBudgetBurnsSlowly", severity="warning", slo="workflow-success", subject="research",
                 workflow_id="research")  # fmt: skip
    incident = await system.alert(slow)
    assert (incident.status, incident.outcome) == (IncidentStatus.ESCALATED, ActionOutcome.NOTIFIED)
    assert system.kinds == []


async def test_trouble_of_the_watcher_itself_is_told_in_its_own_words(system: System) -> None:
    failing_writer(system.telemetry)
    incident = await system.alert(alert("AWFApprovalExpiring", severity="warning", component="watcher"))
    assert system.kinds == []
    assert incident.hypotheses[0].summary.startswith("AWFApprovalExpiring is about the watcher itself")


async def test_a_fallback_that_the_watcher_forced_is_no_news_to_it(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=NOW + timedelta(seconds=1))
    repaired = await system.alert(alert(agent_id="writer"))
    assert repaired.status is IncidentStatus.RESOLVED
    await system.alert(alert(agent_id="writer", status="resolved"))
    system.clock.advance(60)
    surge = alert("AWFFallbackSurge", severity="warning", step_id="draft")
    surge = replace(surge, starts_at=system.clock.now())
    incident = await system.alert(surge)
    assert incident.id == repaired.id
    system.clock.advance(1200)
    await system.watcher.sweep()
    await system.watcher.settled()
    assert len(await system.incidents()) == 1, "nor after a while, when what still fires is looked at again"
    assert system.people.pages == []


async def test_a_fallback_that_it_did_not_force_is_looked_into(system: System) -> None:
    failing_writer(system.telemetry, recovers_at=NOW + timedelta(seconds=1))
    repaired = await system.alert(alert(agent_id="writer"))
    system.clock.advance(60)
    surge = alert("AWFFallbackSurge", severity="warning", step_id="check")
    surge = replace(surge, starts_at=system.clock.now())
    assert (await system.alert(surge)).id != repaired.id
