"""Grafana answers, its database is well, and its version is one that AWF is made for."""

from __future__ import annotations

from awf.errors import Unavailable
from awf.wiring.doctor.case import Case
from awf.wiring.doctor.findings import Check, Finding, fail, ok, warn
from awf.wiring.doctor.supported import RANGES, judge

WHAT = "Grafana"


async def _run(case: Case) -> list[Finding]:
    base = case.grafana.base
    health = await case.grafana.get("/api/health")
    if not isinstance(health, dict) or "database" not in health:
        raise Unavailable(
            f"what answers at {base} is not Grafana", hint="Set AWF_GRAFANA_URL to Grafana's address."
        )
    version = str(health.get("version", ""))
    case.versions[WHAT] = version
    if health["database"] != "ok":
        return [fail(WHAT, f"{base}: its database is {health['database']!r}", hint="See Grafana's log.")]
    complaint = judge(WHAT, version)
    if complaint:
        return [warn(WHAT, f"{base}, version {version or 'not told'}: {complaint}", hint=RANGES[WHAT].hint)]
    return [ok(WHAT, f"{base}, version {version}")]


SPEC = Check("grafana_answers", "grafana", WHAT, _run)
