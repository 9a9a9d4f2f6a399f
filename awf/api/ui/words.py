"""What the pages say in words: states, outcomes, times and numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

from awf.core.incidents import ActionOutcome, Advice, CauseClass, Incident, IncidentStatus
from awf.core.types import ExecutionRecord, ExecutionStatus

STATUS_WORDS: Final[Mapping[str, str]] = {
    IncidentStatus.INVESTIGATING: "Investigating",
    IncidentStatus.AWAITING_APPROVAL: "Waits for approval",
    IncidentStatus.ACTING: "Acting",
    IncidentStatus.VERIFYING: "Verifying the fix",
    IncidentStatus.RESOLVED: "Resolved",
    IncidentStatus.ESCALATED: "Escalated",
    IncidentStatus.INCONCLUSIVE: "Inconclusive",
    IncidentStatus.FALSE_ALARM: "False alarm",
    IncidentStatus.HELD: "Held",
    ExecutionStatus.PENDING: "Pending",
    ExecutionStatus.RUNNING: "Running",
    ExecutionStatus.COMPLETED: "Completed",
    ExecutionStatus.FAILED: "Failed",
    ExecutionStatus.CANCELLED: "Cancelled",
}

TONES: Final[Mapping[str, str]] = {
    IncidentStatus.AWAITING_APPROVAL: "ask",
    IncidentStatus.HELD: "ask",
    IncidentStatus.RESOLVED: "good",
    IncidentStatus.FALSE_ALARM: "good",
    IncidentStatus.ESCALATED: "bad",
    IncidentStatus.INCONCLUSIVE: "bad",
    ExecutionStatus.COMPLETED: "good",
    ExecutionStatus.FAILED: "bad",
    "critical": "bad",
    "warning": "ask",
}

CAUSE_WORDS: Final[Mapping[CauseClass, str]] = {
    CauseClass.AGENT_ERROR: "An agent fails",
    CauseClass.AGENT_LATENCY: "An agent is slow",
    CauseClass.RATE_LIMIT: "A provider limits the rate",
    CauseClass.PROVIDER_OUTAGE: "A provider is down",
    CauseClass.DEPENDENCY: "Something that several agents need is down",
    CauseClass.BAD_INPUT: "The input cannot be processed",
    CauseClass.CONFIG_CHANGE: "A change broke it",
    CauseClass.WORKER_SATURATION: "All workers are busy",
    CauseClass.WORKFLOW_FAILURE: "A workflow fails",
    CauseClass.TOKEN_SURGE: "Token use surges",
    CauseClass.COST_SURGE: "Cost surges",
    CauseClass.TELEMETRY_GAP: "Telemetry is missing",
    CauseClass.FALSE_ALARM: "Nothing is wrong any more",
    CauseClass.UNKNOWN: "The cause is unknown",
}

OUTCOME_WORDS: Final[Mapping[ActionOutcome, str]] = {
    ActionOutcome.VERIFIED: "done, and fresh traffic shows that it helped",
    ActionOutcome.INEFFECTIVE: "done, but it did not help",
    ActionOutcome.INCONCLUSIVE: "ordered, but whether it helped cannot be told",
    ActionOutcome.REFUSED: "refused, nothing was changed",
    ActionOutcome.FAILED: "failed",
    ActionOutcome.UNDONE: "done, did not help, and was undone",
    ActionOutcome.REJECTED: "rejected by a person, nothing was changed",
    ActionOutcome.NOTIFIED: "done",
}

ACTION_WORDS: Final[Mapping[str, str]] = {
    "restart_workflow": "Run the failed execution again",
    "retry_step": "Run the failed step again",
    "switch_fallback": "Use the fallback agent",
    "increase_timeout": "Give the step more time",
    "disable_agent": "Take the agent out of service",
    "scale_workers": "Run more executions at once",
    "notify_oncall": "Tell the on-call engineer",
}
"""Our own actions in words; one of a third party is shown by its name."""


def action_words(name: str) -> str:
    """Say what an action does."""
    return ACTION_WORDS.get(name, name)


def done_words(incident: Incident) -> str:
    """Say what the watcher did about an incident."""
    if incident.action is None:
        return "Nothing yet" if incident.status.is_open else "Nothing was changed"
    action = action_words(incident.action.name)
    if incident.outcome is not None:
        return f"{action}: {OUTCOME_WORDS[incident.outcome]}"
    match incident.status:
        case IncidentStatus.AWAITING_APPROVAL:
            return f"Nothing yet. Proposed: {action}"
        case IncidentStatus.HELD:
            return f"Nothing, the incident is held. Proposed: {action}"
        case IncidentStatus.ACTING:
            return f"{action}: being done"
        case IncidentStatus.VERIFYING:
            return f"{action}: done, waiting for traffic that shows whether it helped"
    return f"{action}: considered, not done"


def chosen_words(incident: Incident) -> str:
    """Say who chose or decided the action, empty when there is none."""
    match incident.decided_by:
        case "":
            return ""
        case "rules":
            return "Chosen by the watcher's rules"
        case "llm":
            return "Chosen by the language model, within policy"
    return f"Decided by {incident.decided_by}"


def asked_words(incident: Incident) -> str:
    """Say what an incident asks of a person, empty when it asks nothing."""
    match incident.status:
        case IncidentStatus.AWAITING_APPROVAL:
            return "Approve or reject the proposed action"
        case IncidentStatus.HELD:
            return "Resume the watcher, or take over by hand"
        case IncidentStatus.ESCALATED if incident.outcome is ActionOutcome.REJECTED:
            return "Take over by hand: the proposed action was rejected"
        case IncidentStatus.ESCALATED:
            return "Take over by hand: the watcher has done what it may"
        case IncidentStatus.INCONCLUSIVE:
            return "Check by hand whether the problem is gone"
    return ""


def advice_words(advice: Advice) -> str:
    """Return what a language model's advice was taken for, or why the rules decided without it."""
    if advice.decided_by != "llm":
        return f"The rules decided: {advice.reason}"
    chosen = f"It put the first hypothesis first and chose {advice.action}"
    return f"{chosen}: {advice.reason}" if advice.reason else chosen


def ago(moment: datetime, now: datetime) -> str:
    """Return a time relative to now, such as `3 min ago` or `in 54 min`."""
    seconds = (now - moment).total_seconds()
    span = abs(seconds)
    if span < 1:
        return "now"
    units = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
    size, unit = next((each for each in units if span >= each[0]), units[-1])
    text = f"{int(span // size)} {unit}"
    return f"{text} ago" if seconds > 0 else f"in {text}"


def duration(milliseconds: float | None) -> str:
    """Return a duration with its unit."""
    if milliseconds is None:
        return ""
    if milliseconds < 1_000:
        return f"{milliseconds:.0f} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1_000:.2f} s"
    return f"{milliseconds / 60_000:.1f} min"


def run_time_ms(record: ExecutionRecord, now: datetime) -> float | None:
    """Return how long an execution ran, or has been running."""
    if record.started_at is None:
        return None
    end = record.finished_at or now
    return max(0.0, (end - record.started_at).total_seconds() * 1_000)


def number(value: float | None) -> str:
    """Return a measured value with at most four significant digits; a count stays whole."""
    if value is None:
        return ""
    if not math.isfinite(value) or abs(value) >= 1e15:
        return f"{value:.4g}"
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def sentence(value: object) -> str:
    """Return text with its first letter large and the rest as it is: ids keep their spelling."""
    text = str(value)
    return text[:1].upper() + text[1:]


def pretty(value: object) -> str:
    """Return JSON for reading, bounded."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= 20_000 else f"{text[:20_000]}\n… cut at 20,000 of {len(text):,} characters"


def web_link(url: str) -> str:
    """Return the address if it is one of the web, else nothing: `javascript:` links must not get through."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return url if parts.scheme in ("http", "https") and parts.netloc else ""
