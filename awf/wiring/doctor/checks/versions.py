"""The versions of everything that tells, against what AWF is made for, and of AWF itself on both sides."""

from __future__ import annotations

from typing import Any

from awf import __version__
from awf.errors import AwfError
from awf.wiring.doctor.case import LOGS, METRICS, TRACES, Case
from awf.wiring.doctor.findings import Check, Finding, ok, warn
from awf.wiring.doctor.supported import RANGES, judge, parse

WHAT = "versions"
_PATHS = {
    METRICS: ("Mimir or Prometheus", "api/v1/status/buildinfo"),
    LOGS: ("Loki", "loki/api/v1/status/buildinfo"),
    TRACES: ("Tempo", "api/status/buildinfo"),
}


async def _run(case: Case) -> list[Finding]:
    versions = dict(case.versions)
    for store, (program, path) in _PATHS.items():
        if store in case.answering:
            versions[program] = await _told(case, store, path)
    if METRICS in case.answering and (alloy := await _alloy(case)):
        versions["Alloy"] = alloy
    server = versions.pop("awf (server)", "")
    found = [_one(program, version) for program, version in versions.items() if program in RANGES]
    return [*found, *([_awf(server)] if server else [])]


def _one(program: str, version: str) -> Finding:
    if not version:
        return ok(program, "does not tell its version")
    if parse(version) is None:
        return ok(program, f"{version} (built from a branch: not judged)")
    if complaint := judge(program, version):
        return warn(program, f"{version}: {complaint}", hint=RANGES[program].hint)
    return ok(program, version)


def _awf(server: str) -> Finding:
    if server == __version__:
        return ok("awf", f"{__version__}, here and on the server")
    hint = "Upgrade the older one; what is generated (dashboards, rules) is compared with this one here."
    return warn("awf", f"{__version__} here, {server} on the server", hint=hint)


async def _told(case: Case, store: str, path: str) -> str:
    try:
        body: Any = await case.grafana.store(case.uid(store), path)
        return str((body.get("data") or body).get("version", ""))
    except (AwfError, AttributeError):
        return ""


async def _alloy(case: Case) -> str:
    """Alloy tells through the metrics that it writes about itself."""
    try:
        body = await case.grafana.store(case.uid(METRICS), "api/v1/query", query="alloy_build_info")
        return str(body["data"]["result"][0]["metric"]["version"])
    except (AwfError, KeyError, IndexError, TypeError):
        return ""


SPEC = Check(
    "versions",
    "versions",
    WHAT,
    _run,
    needs=("grafana_answers",),
    after=("datasources", "mcp_grafana", "api_ready"),
)
