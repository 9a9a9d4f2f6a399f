"""The alert rules are loaded in Grafana, are those of this AWF, and can be evaluated."""

from __future__ import annotations

from awf.wiring.doctor import rules
from awf.wiring.doctor.case import Case
from awf.wiring.doctor.findings import Check, Finding, fail, ok, warn

WHAT = "alert rules"
_HINT = (
    "Give docker/grafana/provisioning/alerting/ of this AWF to Grafana and restart it (embedded: AWF_RULES_DIR, or "
    "nothing for the generated ones)."
)


async def _run(case: Case) -> list[Finding]:
    body = await case.grafana.get("/api/prometheus/grafana/api/v1/rules")
    groups = body["data"]["groups"]
    ours = rules.generated("alert", case.settings)
    theirs = rules.loaded(groups, "alerting")
    found = rules.compare(ours, theirs, with_expressions=False, prefixes=("AWF",))
    items = [f"{rule.name}: {rule.error or rule.health}" for rule in theirs]
    paused = [str(rule["name"]) for group in groups for rule in group["rules"] if rule.get("isPaused")]
    firing = [
        str(rule["name"]) for group in groups for rule in group["rules"] if rule.get("state") == "firing"
    ]
    if found.failing:
        name, why = next(iter(found.failing.items()))
        return [
            fail(
                WHAT,
                f"{len(found.failing)} cannot be evaluated; {name}: {why}",
                items=items,
                hint="See its query in Grafana.",
            )
        ]
    if found.missing:
        return [fail(WHAT, f"not loaded: {rules.told(found.missing)}", items=items, hint=_HINT)]
    notes = [
        f"{words}: {rules.told(names)}"
        for words, names in (("unknown to this AWF", found.extra), ("paused", paused))
        if names
    ]
    if notes:
        return [warn(WHAT, "; ".join(notes), items=items, hint=_HINT)]
    state = f"firing: {rules.told(firing)}" if firing else "none fires"
    return [ok(WHAT, f"{len(theirs)} loaded, {len(ours)} of this AWF; {state}", items=items)]


SPEC = Check("alert_rules", "rules", WHAT, _run, needs=("grafana_answers",))
