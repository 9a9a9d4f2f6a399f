"""The watcher has the secret by which it knows Grafana's webhooks."""

from __future__ import annotations

from awf.errors import ConfigError
from awf.wiring.doctor.case import Case
from awf.wiring.doctor.findings import Check, Finding, ok
from awf.wiring.secrets import find

WHAT = "webhook secret"


async def _run(case: Case) -> list[Finding]:
    if not find(case.settings, "webhook_secret"):
        raise ConfigError(
            "not set: the watcher asks a person for everything",
            hint="Set AWF_WEBHOOK_SECRET to the secret of Grafana's contact point.",
        )
    return [ok(WHAT, "set")]


SPEC = Check("webhook_secret", "settings", WHAT, _run)
