"""The AWF service answers, is ready, and is of this version."""

from __future__ import annotations

import httpx

from awf import __version__
from awf.core.http import client
from awf.errors import Unavailable
from awf.wiring.doctor.case import Case
from awf.wiring.doctor.findings import Check, Finding, fail, ok
from awf.wiring.doctor.grafana import said
from awf.wiring.doctor.network import unreachable

WHAT = "API"


async def _run(case: Case) -> list[Finding]:
    base = case.settings.api_base
    try:
        async with client(base) as http:
            live, ready = await http.get("/healthz"), await http.get("/readyz")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise unreachable(base, error) from error
    try:
        version, checks = str(live.json()["version"]), dict(ready.json()["checks"])
    except (ValueError, KeyError, TypeError) as error:
        raise Unavailable(
            f"what answers at {base} is not AWF: {said(ready)[:80]!r}",
            hint="Set AWF_API_URL, or AWF_HOST and AWF_API_PORT, to where the AWF server is.",
        ) from error
    case.versions["awf (server)"] = version or __version__
    reasons = [f"{name}: {text}" for name, text in checks.items() if text != "ok"]
    if ready.status_code != 200:
        hint = "The service looks again at each request: mend what it names."
        return [fail(WHAT, f"{base} is not ready: {'; '.join(reasons)}", hint=hint)]
    return [ok(WHAT, base, items=[f"{name}: ok" for name in checks])]


SPEC = Check("api_ready", "service", WHAT, _run)
