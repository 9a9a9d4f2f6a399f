"""What the service account's token may do: read datasources, dashboards and rules, query, annotate.

Nothing is written: the annotation that is tried has no text, which Grafana refuses after it has looked at rights.
"""

from __future__ import annotations

from awf.errors import AwfError
from awf.wiring.doctor.case import METRICS, Case
from awf.wiring.doctor.findings import Check, Finding, fail, ok, warn
from awf.wiring.doctor.grafana import TOKEN_HINT, said

WHAT = "rights of the token"
_ROLE_HINT = "Give the service account the role Editor, or Viewer and the single right."


async def _run(case: Case) -> list[Finding]:
    whose = "AWF_GRAFANA_TOKEN" if case.grafana.token else "nobody (no AWF_GRAFANA_TOKEN)"
    reads = {
        "read dashboards": "/api/search?type=dash-db&limit=1",
        "read alert rules": "/api/prometheus/grafana/api/v1/rules",
        "query": f"/api/datasources/uid/{case.uid(METRICS)}/health",
        "read datasources": "/api/datasources",
        "read contact points": "/api/v1/provisioning/contact-points",
    }
    refused = {name: text for name, path in reads.items() if (text := await _refused(case, path))}
    # Where a server of its own annotates, this token is the reading one and should not be able to.
    annotates = "" if case.settings.mcp_annotate_url else await _may_annotate(case)
    items = [f"{name}: {refused.get(name) or 'yes'}" for name in reads] + [
        f"annotate: {annotates or _annotates(case)}"
    ]
    needed = [name for name in ("read dashboards", "read alert rules", "query") if name in refused]
    if needed:
        hint = _ROLE_HINT if case.grafana.token else TOKEN_HINT
        return [fail(WHAT, f"{whose} may not {', '.join(needed)}", hint=hint, items=items)]
    if annotates:
        return [
            warn(
                WHAT, f"{whose} may read and query, but not annotate: {annotates}", items=items,
                hint="Remediations are marked in Grafana only with that right (annotations:create, role Editor); "
                "ignore this where the watcher's token is another.",
            )
        ]  # fmt: skip
    missing = [name for name in reads if name in refused]
    if missing:
        return [warn(WHAT, f"{whose} may not {', '.join(missing)}", hint=_ROLE_HINT, items=items)]
    return [ok(WHAT, f"{whose} may read and query; annotate: {_annotates(case)}", items=items)]


def _annotates(case: Case) -> str:
    url = case.settings.mcp_annotate_url
    return f"the business of {url}" if url else "yes"


async def _refused(case: Case, path: str) -> str:
    """Return why a read is not allowed. That something is missing or ill is no matter of rights."""
    response = await case.grafana.send("GET", path)
    return f"{response.status_code} {said(response)}" if response.status_code in {301, 302, 401, 403} else ""


async def _may_annotate(case: Case) -> str:
    response = await case.grafana.send("POST", "/api/annotations", json={"text": ""})
    if response.status_code in {400, 422}:
        return ""
    if response.status_code == 200:  # a Grafana that takes an empty text: take it away again
        try:
            await case.grafana.send("DELETE", f"/api/annotations/{int(response.json()['id'])}")
        except (AwfError, ValueError, KeyError, TypeError):
            return "an empty annotation was taken and could not be removed"
        return ""
    return f"{response.status_code} {said(response)}"


SPEC = Check("grafana_rights", "grafana", WHAT, _run, needs=("grafana_answers",))
