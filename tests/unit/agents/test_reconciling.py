"""What no webhook told: found by asking Grafana what fires, twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from awf.agents.reconciling import Reconciler
from awf.core import semconv as sc
from awf.core.alert_source import FiringAlert, RuleState
from awf.core.incidents import Alert, IncidentStatus
from tests.unit.agents._system import ALERT_AT, System, alert

LABELS = {"alertname": "AWFAgentErrors", "severity": "critical", "agent_id": "writer"}
FIRING = FiringAlert(
    LABELS | {"grafana_folder": "AWF"}, {"summary": "it fails"}, ALERT_AT - timedelta(minutes=2)
)
RULE = RuleState("rule-1", "AWFAgentErrors", is_healthy=True, firing=(FIRING,))
QUIET = replace(RULE, firing=())
WRITER = alert(agent_id="writer")


class Rules:
    """What Grafana answers, as a test wants it."""

    def __init__(self, *rules: RuleState) -> None:
        self.rules = list(rules)

    async def alert_rules(self) -> list[RuleState]:
        return self.rules


def reconciler(system: System, *rules: RuleState) -> Reconciler:
    source = Rules(*rules)
    return Reconciler(
        source, system.watcher, system.state.incidents, clock=system.clock, counters=system.counters
    )


async def polls(found: Reconciler, times: int = 2) -> list[list[Alert]]:
    return [await found.poll() for _ in range(times)]


async def test_an_alert_that_no_webhook_told_opens_an_incident_once(system: System) -> None:
    found = reconciler(system, RULE)
    told = await polls(found, 5)
    await system.watcher.settled()
    assert [len(each) for each in told] == [0, 1, 0, 0, 0]
    page = await system.state.incidents.list()
    assert [incident.alerts[0].labels for incident in page.items] == [FIRING.labels]
    assert system.counters.get(sc.WATCHER_RECONCILED, kind="missed") == 1


async def test_an_alert_whose_incident_is_closed_but_that_still_fires_is_known(system: System) -> None:
    incident = await system.alert(WRITER)
    assert incident.status is IncidentStatus.ESCALATED  # nothing is to be seen: people were told
    assert await polls(reconciler(system, RULE), 3) == [[], [], []]


@pytest.mark.parametrize(
    "rule",
    [
        replace(RULE, firing=(replace(FIRING, is_silenced=True),)),
        replace(RULE, firing=(replace(FIRING, labels=LABELS | {"grafana_folder": "Payments"}),)),
        replace(RULE, firing=(replace(FIRING, active_at=ALERT_AT),)),
        replace(RULE, is_healthy=False),
        replace(RULE, firing=None),
    ],
    ids=["silenced", "of another team", "webhook on its way", "cannot be evaluated", "not asked for"],
)
async def test_an_alert_that_is_none_of_ours_or_not_sure_is_left_alone(
    system: System, rule: RuleState
) -> None:
    assert await polls(reconciler(system, rule), 3) == [[], [], []]


async def test_a_known_alert_that_fires_no_more_is_resolved_after_two_polls(system: System) -> None:
    await system.alert(WRITER)
    first, second, third = await polls(reconciler(system, QUIET), 3)
    assert (first, third) == ([], [])
    assert [(each.fingerprint, each.status) for each in second] == [(WRITER.fingerprint, "resolved")]
    page = await system.state.incidents.list()
    assert page.items[0].resolved_at is not None
    assert system.counters.get(sc.WATCHER_RECONCILED, kind="resolved") == 1


@pytest.mark.parametrize(
    "rules",
    [
        [],
        [replace(QUIET, is_healthy=False)],
        [replace(QUIET, firing=None)],
        [replace(RULE, firing=(replace(FIRING, is_silenced=True),))],
    ],
    ids=["no such rule", "cannot be evaluated", "not asked for", "silenced"],
)
async def test_what_grafana_does_not_say_ends_no_alert(system: System, rules: list[RuleState]) -> None:
    await system.alert(WRITER)
    assert await polls(reconciler(system, *rules), 3) == [[], [], []]


async def test_one_odd_poll_proves_nothing(system: System) -> None:
    await system.alert(WRITER)
    source = Rules(QUIET)
    found = Reconciler(source, system.watcher, system.state.incidents, clock=system.clock)
    told = []
    for rule in (QUIET, RULE, QUIET, RULE):
        source.rules = [rule]
        told.append(await found.poll())
    assert told == [[], [], [], []]
