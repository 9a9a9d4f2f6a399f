"""Rules and alerts in the JSON shapes of Prometheus' `/api/v1/rules` and `/api/v1/alerts`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from awf.embedded.ruler.alerts import AlertInstance, AlertState
from awf.embedded.ruler.evaluation import GroupState, RuleState
from awf.embedded.ruler.payload import time_text
from awf.embedded.ruler.rules import AlertRule
from awf.embedded.ruler.templates import format_exponent

Json = dict[str, Any]


def group_json(state: GroupState) -> Json:
    """Return one group with its rules."""
    return {
        "name": state.group.name,
        "file": state.group.file,
        "rules": [_rule_json(rule) for rule in state.rules],
        "interval": state.group.interval_ms / 1000,
        "limit": 0,
        "evaluationTime": state.evaluation_s,
        "lastEvaluation": time_text(state.last_evaluation_ms),
    }


def alert_json(instance: AlertInstance) -> Json:
    """Return one pending or firing alert."""
    alert: Json = {
        "labels": dict(instance.labels),
        "annotations": dict(instance.annotations),
        "state": instance.state.value,
        "activeAt": time_text(instance.active_at_ms),
        "value": format_exponent(instance.value),
    }
    if instance.keep_firing_since_ms is not None:
        alert["keepFiringSince"] = time_text(instance.keep_firing_since_ms)
    return alert


def active_alerts(state: RuleState) -> list[AlertInstance]:
    """Return what is pending or firing of one rule."""
    return [instance for instance in state.active.values() if instance.is_active]


def rule_state(instances: Iterable[AlertInstance]) -> str:
    """Return the state of a rule: the worst of its instances."""
    states = {instance.state for instance in instances}
    for state in (AlertState.FIRING, AlertState.PENDING):
        if state in states:
            return state.value
    return AlertState.INACTIVE.value


def _rule_json(state: RuleState) -> Json:
    rule = state.rule
    common: Json = {
        "name": rule.name,
        "query": rule.expr,
        "health": state.health,
        "evaluationTime": state.evaluation_s,
        "lastEvaluation": time_text(state.last_evaluation_ms),
    }
    if state.last_error:
        common["lastError"] = state.last_error
    if not isinstance(rule, AlertRule):
        return {**common, "labels": dict(rule.labels), "type": "recording"}
    active = active_alerts(state)
    return {
        **common,
        "state": rule_state(active),
        "duration": rule.for_ms / 1000,
        "keepFiringFor": rule.keep_firing_for_ms / 1000,
        "labels": {name: template.source for name, template in rule.labels.items()},
        "annotations": {name: template.source for name, template in rule.annotations.items()},
        "alerts": [alert_json(instance) for instance in active],
        "type": "alerting",
    }
