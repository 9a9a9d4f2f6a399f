"""The recording rules are loaded where metrics are kept, are those of this AWF, work, and record something."""

from __future__ import annotations

import time

from awf.errors import Forbidden, Unauthorized
from awf.wiring.doctor import rules
from awf.wiring.doctor.case import METRICS, Case
from awf.wiring.doctor.findings import Check, Finding, fail, ok, skip, warn

WHAT = "recording rules"
_OURS = ("awf:", "workflow:awf_", "agent:awf_", "step:awf_")
_HINT = "Give rules/recording/ of this AWF to the ruler (Mimir: the mounted folder) and restart it; `awf generate` writes it."


async def _run(case: Case) -> list[Finding]:
    if METRICS not in case.answering:
        return [skip(WHAT, "needs: a datasource for metrics")]
    try:
        body = await case.grafana.store(case.uid(METRICS), "api/v1/rules", type="record")
    except (Forbidden, Unauthorized) as error:
        return [skip(WHAT, f"this token may not read them: {error.message}", hint=rules.RIGHT)]
    ours = rules.generated("record", case.settings)
    theirs = rules.loaded(body["data"]["groups"], "recording")
    found = rules.compare(ours, theirs, with_expressions=True, prefixes=_OURS)
    recorded = await rules.recorded(case.grafana, case.uid(METRICS), ours, int(time.time()))
    silent = [name for name in ours if name not in recorded]
    items = [f"{name}: {'records' if name in recorded else 'records nothing now'}" for name in sorted(ours)]
    if found.failing:
        name, why = next(iter(found.failing.items()))
        return [
            fail(
                WHAT,
                f"{len(found.failing)} fail; {name}: {why}",
                items=items,
                hint="Mend the rule, or generate it anew.",
            )
        ]
    if found.missing:
        return [fail(WHAT, f"not loaded: {rules.told(found.missing)}", items=items, hint=_HINT)]
    if found.changed or found.extra:
        parts = [
            f"{words}: {rules.told(names)}"
            for words, names in (
                ("with another expression", found.changed),
                ("unknown to this AWF", found.extra),
            )
            if names
        ]
        return [warn(WHAT, "; ".join(parts), items=items, hint=_HINT)]
    detail = f"{len(theirs)} loaded, as this AWF generates them; {len(recorded)} of {len(ours)} names have series now"
    if silent and not recorded:
        hint = "Rules record once workflows have run and a few evaluations are done; see `telemetry`."
        return [warn(WHAT, detail, hint=hint, items=items)]
    return [ok(WHAT, detail, items=items)]


SPEC = Check("recording_rules", "rules", WHAT, _run, needs=("grafana_answers",), after=("datasources",))
