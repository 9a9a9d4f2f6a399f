"""Loki's ruler has AWF's LogQL recording rules, they work, and what they record arrives in the metrics store."""

from __future__ import annotations

import time

from awf.errors import Forbidden, NotFound, Unauthorized
from awf.wiring.doctor import rules
from awf.wiring.doctor.case import LOGS, METRICS, Case
from awf.wiring.doctor.findings import Check, Finding, fail, ok, skip

WHAT = "Loki's recording rules"
_HINT = "Give rules/loki/ of this AWF to Loki's ruler and restart it; `awf generate` writes it."


async def _run(case: Case) -> list[Finding]:
    from awf.generate.loki_rules import RULES

    if LOGS not in case.answering:
        return [skip(WHAT, "needs: a datasource for logs")]
    try:
        body = await case.grafana.store(case.uid(LOGS), "prometheus/api/v1/rules")
    except (Forbidden, Unauthorized) as error:
        return [skip(WHAT, f"this token may not read them: {error.message}", hint=rules.RIGHT)]
    except NotFound:
        return [
            ok(WHAT, "this store of logs has no ruler, so nothing is recorded from logs (the embedded one)")
        ]
    theirs = rules.loaded(body["data"]["groups"], "recording")
    ours = {rule.record: [rule.expr] for rule in RULES}
    found = rules.compare(ours, theirs, with_expressions=False, prefixes=tuple(ours))
    if found.failing:
        name, why = next(iter(found.failing.items()))
        hint = "See Loki's log; a ruler that cannot write to the metrics store says so there."
        return [fail(WHAT, f"{len(found.failing)} fail; {name}: {why}", hint=hint)]
    if found.missing:
        return [fail(WHAT, f"not loaded: {rules.told(found.missing)}", hint=_HINT)]
    return [ok(WHAT, f"{len(theirs)} loaded, as this AWF generates them; {await _recorded(case, ours)}")]


async def _recorded(case: Case, ours: dict[str, list[str]]) -> str:
    if METRICS not in case.answering:
        return "whether they record cannot be seen"
    series = await rules.recorded(case.grafana, case.uid(METRICS), ours, int(time.time()))
    return f"{len(series)} of {len(ours)} names have series now"


SPEC = Check("log_rules", "rules", WHAT, _run, needs=("grafana_answers",), after=("datasources",))
