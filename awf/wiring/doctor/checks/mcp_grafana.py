"""The mcp-grafana that the watcher investigates with is there, and of the version that AWF speaks to."""

from __future__ import annotations

from awf.errors import MissingDependency
from awf.wiring.doctor.case import Case
from awf.wiring.doctor.findings import Check, Finding, ok
from awf.wiring.doctor.programs import MCP_GRAFANA_VERSION, mcp_grafana_path, said_version

WHAT = "mcp-grafana"


async def _run(case: Case) -> list[Finding]:
    servers = [url for url in (case.settings.mcp_read_url, case.settings.mcp_annotate_url) if url]
    if len(servers) == 2:  # then there is no process of our own; `through mcp-grafana` asks the servers
        return [ok(WHAT, f"servers: {', '.join(servers)}")]
    path = mcp_grafana_path(case.settings)
    version = await said_version(path)
    if MCP_GRAFANA_VERSION not in version:
        raise MissingDependency(
            f"{path} is {version or 'silent about its version'}, expected {MCP_GRAFANA_VERSION}",
            hint=f"pip install mcp-grafana=={MCP_GRAFANA_VERSION}",
        )
    case.versions[WHAT] = MCP_GRAFANA_VERSION
    return [ok(WHAT, f"{path} {MCP_GRAFANA_VERSION}")]


SPEC = Check("mcp_grafana", "settings", WHAT, _run)
