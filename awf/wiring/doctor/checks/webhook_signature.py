"""The watcher takes a test notification with the right signature, refuses a wrong one, and opens no incident."""

from __future__ import annotations

import json
import secrets
import time
from datetime import UTC, datetime

import httpx

from awf.core.clock import isoformat
from awf.core.http import client
from awf.core.semconv import DOCTOR_ALERT
from awf.core.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from awf.wiring.doctor.case import Case
from awf.wiring.doctor.findings import Check, Finding, fail, ok, warn
from awf.wiring.doctor.grafana import said
from awf.wiring.doctor.network import unreachable
from awf.wiring.secrets import find

WHAT = "signed webhook"
PATH = "/webhooks/grafana-alerts"


async def _run(case: Case) -> list[Finding]:
    secret = find(case.settings, "webhook_secret")
    right, wrong = await _post(case, secret), await _post(case, secrets.token_hex(16))
    if right.status_code == 401:
        hint = "AWF_WEBHOOK_SECRET here is not the service's: give both, and the contact point, one secret."
        if "away from this clock" in said(right):
            hint = "Set both clocks: see `clocks`."
        return [fail(WHAT, f"the watcher refuses the signature: {said(right)}", hint=hint)]
    if right.status_code != 202:
        hint = "See the service's log."
        return [fail(WHAT, f"the watcher answers {right.status_code}: {said(right)}", hint=hint)]
    if wrong.status_code != 401:
        hint = (
            "Set AWF_WEBHOOK_SECRET for the service, too: without it anyone on its machine may send alerts."
        )
        return [warn(WHAT, f"the watcher takes a wrong signature as well ({wrong.status_code})", hint=hint)]
    if right.json().get("incidents") or not right.json().get("tests"):
        hint = "The service is of an older version, which takes test notifications for alerts: upgrade it."
        return [warn(WHAT, "taken, but not as a test", hint=hint)]
    return [ok(WHAT, "taken with the right signature, refused with a wrong one; no incident was opened")]


async def _post(case: Case, secret: str) -> httpx.Response:
    now = time.time()
    body = json.dumps(_notification()).encode()
    headers = {
        "Content-Type": "application/json",
        TIMESTAMP_HEADER: str(int(now)),
        SIGNATURE_HEADER: sign(secret, body, int(now)),
    }
    base = case.settings.api_base
    try:
        async with client(base) as http:
            return await http.post(PATH, content=body, headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise unreachable(base, error) from error


def _notification() -> dict[str, object]:
    alert = {
        "status": "firing",
        "labels": {"alertname": DOCTOR_ALERT},
        "annotations": {"summary": "Test notification of `awf doctor`; nothing is wrong."},
        "startsAt": isoformat(datetime.now(UTC)),
        "fingerprint": secrets.token_hex(8),
    }
    return {"receiver": "awf-watcher", "status": "firing", "alerts": [alert], "version": "1"}


SPEC = Check("webhook_signature", "notifications", WHAT, _run, needs=("api_ready", "webhook_secret"))
