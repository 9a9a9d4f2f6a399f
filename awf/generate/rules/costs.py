"""Alerts about agents that suddenly use and cost more than they usually do at this time of the week."""

from __future__ import annotations

from awf.core import semconv as sc
from awf.generate import thresholds as t
from awf.generate.expr import by, rate
from awf.generate.spec import AlertRule, PanelLink, RuleGroup

AGENT = (sc.AGENT_ID,)


def _surge(counter: str, window: str, *, scale: int = 1, least: float) -> str:
    """Over three times the usual rate: that of this time last week, or until there is one, of the hour before."""
    by_unit = f"{scale} * " if scale != 1 else ""
    now = by_unit + by("sum", AGENT, rate(counter, window))
    # Three hours around the moment a week ago, so that a job that starts a little earlier or later is found.
    week = by_unit + by("sum", AGENT, f"rate({counter}[3h] offset 166h30m)")
    hour = by_unit + by("sum", AGENT, f"rate({counter}[1h] offset 10m)")
    # A rate over hours that has only minutes of samples is too small: the agent must be older than that. And a
    # week ago at rest is no measure: whatever it does today would be a surge.
    week = f"({week} > {least / 10:g} and {by('sum', AGENT, f'{counter} offset 169h30m')} >= 0)"
    hour = f"({hour} and {by('sum', AGENT, f'{counter} offset 70m')} > 0)"
    return f"{now} > {t.SURGE_FACTOR} * ({week} or {hour}) and {now} > {least:g}"


SPEC = RuleGroup(
    name="costs",
    interval="15s",
    alerts=(
        AlertRule(
            alert="AWFTokenSurge",
            expr=_surge(sc.TOKENS, "5m", least=10),
            hold="2m",
            severity="warning",
            summary="Agent {{ $labels.agent_id }} uses {{ $value | humanize }} tokens a second, "
            "over three times its usual rate",
            description="Token use is over three times that of this time last week, or of the hour before where there "
            "is no such week yet. Look for a loop, a longer prompt or an unusual input.",
            shown_by=PanelLink("awf-overview", "Tokens per second by direction"),
        ),
        AlertRule(
            alert="AWFCostSurge",
            expr=_surge(sc.COST, "10m", scale=3600, least=1),
            hold="5m",
            severity="warning",
            summary="Agent {{ $labels.agent_id }} costs {{ $value | humanize }} USD an hour, "
            "over three times what is usual",
            description="The cost is over three times that of this time last week, or of the hour before where there "
            "is no such week yet, and over one dollar an hour.",
            shown_by=PanelLink("awf-overview", "Cost per hour by provider"),
        ),
    ),
)
