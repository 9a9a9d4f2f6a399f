"""What is not the cause, and how that is known: one sentence for each cause that was looked for and not found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from awf.analysis.detectors._failing import health_of
from awf.analysis.detectors._shares import values
from awf.analysis.findings import Picture, clock_time
from awf.core import semconv as sc
from awf.core.incidents import CauseClass, Hypothesis
from awf.core.increase import total

_STEPS = f"{sc.STEP_DURATION}_count"

# What has to have been seen for its absence to say something.
_NEEDS: Mapping[CauseClass, frozenset[str]] = {
    CauseClass.AGENT_ERROR: frozenset({sc.AGENT_INVOCATIONS}),
    CauseClass.AGENT_LATENCY: frozenset({_STEPS}),
    CauseClass.RATE_LIMIT: frozenset({"failures"}),
    CauseClass.PROVIDER_OUTAGE: frozenset({sc.AGENT_INVOCATIONS, sc.COST}),
    CauseClass.DEPENDENCY: frozenset({sc.AGENT_INVOCATIONS, "failures"}),
    CauseClass.BAD_INPUT: frozenset({_STEPS, "failures", "errors"}),
    CauseClass.CONFIG_CHANGE: frozenset({"changes in Grafana"}),
    CauseClass.WORKER_SATURATION: frozenset({sc.EXECUTIONS_PENDING, sc.WORKERS}),
    CauseClass.WORKFLOW_FAILURE: frozenset({sc.WORKFLOWS}),
    CauseClass.TOKEN_SURGE: frozenset({sc.TOKENS}),
    CauseClass.COST_SURGE: frozenset({sc.COST, sc.TOKENS}),
    CauseClass.TELEMETRY_GAP: frozenset({sc.EVENTS}),
}


def rule_out(picture: Picture, hypotheses: Iterable[Hypothesis]) -> tuple[str, ...]:
    """Return why each cause that is no hypothesis is none. Of what could not be looked at nothing is said."""
    named = {each.cause for each in hypotheses}
    said = (
        f"{cause}: {why}"
        for cause, tell in _TELL.items()
        if cause not in named and not _NEEDS[cause] & picture.missing and (why := tell(picture))
    )
    return tuple(said)


def _agent_error(picture: Picture) -> str:
    health = health_of(picture)
    if health.failing:
        return "the agents that fail are explained otherwise"
    count = len(values(picture.rises(sc.AGENT_INVOCATIONS), sc.AGENT_ID))
    return f"none of {count} agents fails clearly more than before" if count else "no agent was at work"


def _agent_latency(picture: Picture) -> str:
    count = len(values(picture.rises(_STEPS), sc.STEP_ID))
    return f"none of {count} steps takes twice as long as before" if count else ""


def _rate_limit(picture: Picture) -> str:
    limited = sum(line.labels.get(sc.ERROR_TYPE) == "rate_limit" for line in picture.failures)
    return f"{limited} of the {len(picture.failures)} newest failures are a refusal by rate"


def _provider_outage(picture: Picture) -> str:
    health = health_of(picture)
    if not health.failing:
        return "no agent fails"
    parts = []
    for provider in sorted({each.provider for each in health.failing if each.provider}):
        well = health.healthy_at(provider)
        parts.append(
            f"{', '.join(well[:3])} at {provider} work"
            if well
            else f"only one agent at {provider} was at work"
        )
    return "; ".join(parts) or "the agents that fail have no provider"


def _dependency(picture: Picture) -> str:
    failing = health_of(picture).failing
    if len(failing) < 2:
        return "no two agents fail"
    return f"{len(failing)} agents fail, but nothing that they say is in common beyond one provider"


def _bad_input(picture: Picture) -> str:
    failed = total(
        picture.rises(_STEPS), picture.start.timestamp() - 1, picture.end.timestamp(), {sc.STATUS: sc.FAILED}
    )
    if not failed:
        return "no step failed for good: another attempt or another agent could do it"
    return f"{failed:.0f} steps failed for good, but not because of what they were given as far as their errors say"


def _config_change(picture: Picture) -> str:
    if not picture.changes:
        return "no change is known shortly before"
    last = picture.changes[-1]
    return (
        f"the last known change ({last.text}, at {clock_time(last.at)}) fits neither the time nor the place"
    )


def _worker_saturation(picture: Picture) -> str:
    pending, workers = picture.gauges.get(sc.EXECUTIONS_PENDING, ()), picture.gauges.get(sc.WORKERS, ())
    if not pending or not workers or not pending[0].points or not workers[0].points:
        return ""
    return f"{pending[0].points[-1][1]:.0f} executions wait for {workers[0].points[-1][1]:.0f} workers"


def _workflow_failure(picture: Picture) -> str:
    count = len(values(picture.rises(sc.WORKFLOWS), sc.WORKFLOW_ID))
    return f"none of {count} workflows fails clearly more than before" if count else ""


def _token_surge(picture: Picture) -> str:
    return "no agent uses three times as many tokens as before" if picture.rises(sc.TOKENS) else ""


def _cost_surge(picture: Picture) -> str:
    return "no agent pays clearly more for a token than before" if picture.rises(sc.COST) else ""


def _telemetry_gap(picture: Picture) -> str:
    seen = [at for each in picture.rises(sc.EVENTS) for at, _ in each.steps]
    if not seen:
        return ""
    return f"the engines reported at {clock_time(picture.last_report or max(seen))}"


_TELL: Mapping[CauseClass, Callable[[Picture], str]] = {
    CauseClass.AGENT_ERROR: _agent_error,
    CauseClass.AGENT_LATENCY: _agent_latency,
    CauseClass.RATE_LIMIT: _rate_limit,
    CauseClass.PROVIDER_OUTAGE: _provider_outage,
    CauseClass.DEPENDENCY: _dependency,
    CauseClass.BAD_INPUT: _bad_input,
    CauseClass.CONFIG_CHANGE: _config_change,
    CauseClass.WORKER_SATURATION: _worker_saturation,
    CauseClass.WORKFLOW_FAILURE: _workflow_failure,
    CauseClass.TOKEN_SURGE: _token_surge,
    CauseClass.COST_SURGE: _cost_surge,
    CauseClass.TELEMETRY_GAP: _telemetry_gap,
}
