"""What an alert says it is about. Alerts come from outside, so this only weighs what queries show."""

from __future__ import annotations

from collections.abc import Sequence

from awf.analysis.root_cause import Hints
from awf.core import semconv as sc
from awf.core.incidents import Alert, CauseClass, Incident, Target

_FAILING = frozenset(
    {
        CauseClass.AGENT_ERROR, CauseClass.AGENT_LATENCY, CauseClass.RATE_LIMIT, CauseClass.PROVIDER_OUTAGE,
        CauseClass.DEPENDENCY, CauseClass.CONFIG_CHANGE,
    }
)  # fmt: skip

# The alerts that `awf generate` writes. Others are understood by their labels.
_CAUSES = {
    "AWFAgentErrors": _FAILING | {CauseClass.BAD_INPUT},
    "AWFStepSlow": {CauseClass.AGENT_LATENCY},
    "AWFWorkflowFailures": {CauseClass.WORKFLOW_FAILURE, CauseClass.BAD_INPUT, CauseClass.DEPENDENCY},
    "AWFWorkersSaturated": {CauseClass.WORKER_SATURATION, CauseClass.AGENT_LATENCY},
    "AWFTokenSurge": {CauseClass.TOKEN_SURGE},
    "AWFCostSurge": {CauseClass.TOKEN_SURGE, CauseClass.COST_SURGE},
    "AWFRetryStorm": _FAILING,
    "AWFFallbackSurge": _FAILING,
    "AWFExecutionStuck": {CauseClass.AGENT_LATENCY, CauseClass.WORKER_SATURATION},
    "AWFTelemetryAbsent": {CauseClass.TELEMETRY_GAP},
}
# Alerts about an error budget say by their labels what they are about; any cause can have spent it.
_DISPROVABLE = frozenset({"AWFAgentErrors", "AWFWorkflowFailures", "AWFWorkersSaturated", "AWFStepSlow"})
_LABELS = (sc.WORKFLOW_ID, sc.STEP_ID, sc.AGENT_ID, sc.PROVIDER)


def hints_of(alerts: Sequence[Alert]) -> Hints:
    """Return what the alerts' names and labels point to."""
    causes = {cause for alert in alerts for cause in _CAUSES.get(alert.name, ())}
    targets = tuple(target for alert in alerts if (target := target_of(alert)))
    return Hints(frozenset(causes), targets, bool(alerts) and all(map(is_about_us, alerts)))


def target_of(alert: Alert) -> Target | None:
    """Return the place that an alert's labels name, if they name one."""
    named = {name: alert.labels[name] for name in _LABELS if alert.labels.get(name)}
    return Target(**named) if named else None


def is_about_us(alert: Alert) -> bool:
    """Whether the alert is about AWF's own telemetry or the watcher: whoever says so only makes the watcher do less."""
    return alert.labels.get(sc.LABEL_COMPONENT) in (sc.PIPELINE, sc.WATCHER)


def is_own_repair(alert: Alert, incident: Incident) -> bool:
    """Whether the alert only says that a fallback is used which the watcher itself forced in that incident."""
    action, step_id = incident.action, alert.labels.get(sc.STEP_ID)
    if alert.name != "AWFFallbackSurge" or not step_id or action is None or action.name != "switch_fallback":
        return False
    return any(step[sc.STEP_ID] == step_id for step in action.arguments["steps"])


def is_disprovable(alert: Alert) -> bool:
    """Whether we know where the alert's condition would show, so that its absence says something."""
    return alert.name in _DISPROVABLE
