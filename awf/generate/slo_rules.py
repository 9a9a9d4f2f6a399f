"""What is made of the SLOs: recorded series for eight windows, the error budget, and burn-rate alerts.

Every minute it is recorded how many events of an SLO, and how many bad ones, the last five minutes brought. All
windows are sums over those two series: a share is weighted by its traffic, a long window costs one sample a
minute and group whatever lies below, and an outage or a restart is put right in one place. The alerts are the
multi-window, multi-burn-rate ones of "The Site Reliability Workbook" (Google, chapter 5, table 5-8).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from awf.core import semconv as sc
from awf.generate.expr import risen
from awf.generate.slo import Slo
from awf.generate.spec import AlertRule, PanelLink, RecordingRule, RuleGroup
from awf.generate.thresholds import BURNS, Burn

BASE: Final = "5m"
PER_BASE: Final = 5  # evaluations in BASE: each event is in so many samples of the recorded series
LEAST_BAD: Final = 3  # as everywhere in AWF's alerts: fewer failures are no outage, whatever their share
MOST_SHARE: Final = 0.9  # an objective with a large budget is never spent 14 times as fast as allowed
WINDOWS: Final = {
    "slo_hours": ("1m", ("5m", "30m", "1h", "2h")),
    "slo_days": ("2m", ("6h", "1d", "3d")),
    "slo_month": ("3m", ("30d",)),
}
"""Group -> how often it is evaluated, and its windows: the longer, the slower and the rarer. Five minutes would be
too rare: a query finds a sample for as long."""


HELD: Final = {"1h": "2m", "6h": "5m", "1d": "15m", "3d": "1h"}
"""Long window -> how long an alert waits: the longer it took to burn, the less does a moment matter."""
MEANS: Final = {
    14.4: "is gone in two days",
    6: "is gone in five days",
    3: "is gone in ten days",
    1: "will not do",
}
"""What burning so many times as fast as allowed comes to."""


def slo_groups(slos: Sequence[Slo]) -> tuple[RuleGroup, ...]:
    """Return the rule groups of all SLOs; none without SLOs."""
    if not slos:
        return ()
    base = [rule for slo in slos for rule in _base(slo)]
    groups = []
    for name, (interval, windows) in WINDOWS.items():
        rules = [RecordingRule(f"{sc.SLO_ERRORS}{window}", _share(window)) for window in windows]
        if name == "slo_hours":
            rules = base + rules
        if name == "slo_month":
            rules += _budgets(slos)
        groups.append(RuleGroup(name=name, interval=interval, recording=tuple(rules), is_of_slos=True))
    alerts = tuple(map(_burn_alert, BURNS))
    return (*groups, RuleGroup(name="slo_burn", interval="1m", alerts=alerts, is_of_slos=True))


def _base(slo: Slo) -> Iterable[RecordingRule]:
    """The last rule reads what the one before has just recorded: rules of a group run one after the other."""
    about = {sc.SLO: slo.name}
    total = f'{sc.SLO_TOTAL}{{{sc.SLO}="{slo.name}"}}'
    counted = f"({_risen(str(slo.good or slo.bad), slo)} or on ({sc.SUBJECT}) {total} * 0)"
    bad = counted if slo.bad else f"clamp_min({total} - on ({sc.SUBJECT}) group_left () {counted}, 0)"
    yield RecordingRule(sc.SLO_OBJECTIVE, f"vector({slo.objective:g})", about)
    yield RecordingRule(sc.SLO_TOTAL, _risen(str(slo.total), slo), about)
    yield RecordingRule(sc.SLO_BAD, bad, about)


def _risen(counter: str, slo: Slo) -> str:
    labels = ", ".join(f'"{label}"' for label in slo.group_by)
    expr = risen(counter, str(slo.total), slo.group_by, BASE)
    return f'label_join({expr}, "{sc.SUBJECT}", "/", {labels})'


def _share(window: str) -> str:
    """Bad by all; nothing where nothing happened, which is neither good nor bad."""
    if window == BASE:
        return f"{sc.SLO_BAD} / ({sc.SLO_TOTAL} > 0)"
    return f"sum_over_time({sc.SLO_BAD}[{window}]) / (sum_over_time({sc.SLO_TOTAL}[{window}]) > 0)"


def _budgets(slos: Sequence[Slo]) -> list[RecordingRule]:
    allowed = f"on ({sc.SLO}) group_left () (1 - {sc.SLO_OBJECTIVE})"
    rules = []
    for window in sorted({slo.window for slo in slos}):
        names = "|".join(slo.name for slo in slos if slo.window == window)
        which = f'{{{sc.SLO}=~"{names}"}}'
        spent = f"{sc.SLO_ERRORS}30d{which}"  # recorded just before; the sums are the most expensive ones there are
        if window != "30d":
            bad, total = f"{sc.SLO_BAD}{which}[{window}]", f"{sc.SLO_TOTAL}{which}[{window}]"
            spent = f"sum_over_time({bad}) / (sum_over_time({total}) > 0)"
        rules.append(RecordingRule(sc.ERROR_BUDGET_REMAINING, f"1 - {spent} / {allowed}"))
    return rules


def _burn_alert(burn: Burn) -> AlertRule:
    budget = f"1 - {sc.SLO_OBJECTIVE}" if burn.factor == 1 else f"{burn.factor:g} * (1 - {sc.SLO_OBJECTIVE})"
    allowed = f"> on ({sc.SLO}) group_left () clamp_max({budget}, {MOST_SHARE:g})"
    enough = f"sum_over_time({sc.SLO_BAD}[{burn.long}]) >= {(LEAST_BAD - 0.5) * PER_BASE:g}"
    return AlertRule(
        alert=burn.alert,
        expr=f"({sc.SLO_ERRORS}{burn.long} {allowed}) and ({sc.SLO_ERRORS}{burn.short} {allowed}) and {enough}",
        hold=HELD[burn.long],
        severity=burn.severity,
        summary="{{ $labels.slo }} of {{ $labels.subject }}: {{ $value | humanizePercentage }} were bad over "
        f"{_words(burn.long)}",
        description=f"Going on like this, the month's error budget {MEANS[burn.factor]}: it was spent "
        f"{burn.factor:g} times as fast as allowed over {_words(burn.long)}, and still is over the last "
        f"{_words(burn.short)}.",
        shown_by=PanelLink("awf-slo", f"Burn rate, {burn.long} and {burn.short}"),
    )


def _words(window: str) -> str:
    unit = {"m": "minutes", "h": "hours", "d": "days"}[window[-1]]
    return f"one {unit[:-1]}" if window[:-1] == "1" else f"{window[:-1]} {unit}"
