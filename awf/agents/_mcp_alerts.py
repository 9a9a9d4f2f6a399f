"""Alert rules and silences as mcp-grafana tells them, read into our types."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from awf.core.alert_source import FiringAlert, RuleState
from awf.core.clock import parse_time

FIRING = "firing"
_FIRING_STATES = frozenset({"alerting", "firing", "recovering"})

Silenced = Callable[[Mapping[str, str]], bool]


def rule_states(answer: Any) -> list[RuleState]:
    """Read the list of rules; those that fire come without their instances, which the list leaves out."""
    return [
        RuleState(
            str(rule["uid"]),
            str(rule["title"]),
            rule.get("health") == "ok" and not rule.get("is_paused"),
            None if rule.get("state") == FIRING else (),
        )
        for rule in answer or ()
    ]


def firing_alerts(answer: Any, is_silenced: Silenced) -> tuple[FiringAlert, ...]:
    """Read one rule's instances: those that fire."""
    alerts = answer.get("alerts") or () if isinstance(answer, Mapping) else ()
    return tuple(
        FiringAlert(
            labels := _texts(alert["labels"]),
            _texts(alert.get("annotations")),
            parse_time(alert["activeAt"]),
            is_silenced(labels),
        )
        for alert in alerts
        if str(alert.get("state", "")).split(" ")[0].lower() in _FIRING_STATES
    )


def silenced_by(answer: Any) -> Silenced:
    """Return whether labels are silenced now. A silence holds when each of its matchers does."""
    active = [each for each in answer or () if (each.get("status") or {}).get("state") == "active"]

    def is_silenced(labels: Mapping[str, str]) -> bool:
        return any(_all_match(each.get("matchers") or (), labels) for each in active)

    return is_silenced


def _all_match(matchers: Sequence[Mapping[str, Any]], labels: Mapping[str, str]) -> bool:
    return bool(matchers) and all(_matches(matcher, labels) for matcher in matchers)


def _matches(matcher: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value, wanted = labels.get(matcher["name"], ""), str(matcher["value"])
    if not matcher.get("isRegex"):
        is_same = value == wanted
    else:
        try:
            is_same = re.fullmatch(wanted, value) is not None
        except re.error:  # Go's syntax and not Python's: the alert is taken for one that people hear of
            return False
    return is_same is bool(matcher.get("isEqual", True))


def _texts(found: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in (found or {}).items()}
