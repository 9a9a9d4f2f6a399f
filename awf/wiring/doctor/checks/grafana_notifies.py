"""Grafana itself sends a test notification by its contact point, and the watcher takes it.

Grafana 13 tests a stored contact point in its resource API, Grafana 12 in the older Alertmanager API. Both need a
right that a Viewer lacks; without it the check says so, and `webhook_signature` has tried the rest of the way.
"""

from __future__ import annotations

import secrets
from typing import Any

from awf.core.semconv import DOCTOR_ALERT
from awf.embedded.ruler.grafana_terms import RECEIVER
from awf.wiring.doctor.case import Case
from awf.wiring.doctor.findings import Check, Finding, fail, ok, skip
from awf.wiring.doctor.grafana import said

WHAT = "Grafana notifies"
RESOURCES = "/apis/notifications.alerting.grafana.app/v1beta1/namespaces"
OLDER = "/api/alertmanager/grafana/config/api/v1/receivers/test"


async def _run(case: Case) -> list[Finding]:
    alert = {
        "labels": {"alertname": DOCTOR_ALERT, "awf_doctor": secrets.token_hex(4)},
        "annotations": {"summary": "Test notification of `awf doctor`; nothing is wrong."},
    }
    base = f"{RESOURCES}/{await _namespace(case)}/receivers"
    listed = await case.grafana.send("GET", base)
    if listed.status_code == 404:
        return [await _older(case, alert)]
    if listed.status_code != 200:
        return [_untried(listed.status_code, said(listed))]
    for item in listed.json().get("items") or ():
        if item.get("spec", {}).get("title") == RECEIVER:
            integration = item["spec"]["integrations"][0]
            body = {"integration": integration, "alert": alert}
            answer = await case.grafana.send(
                "POST", f"{base}/{item['metadata']['name']}/test", json=body, timeout=40.0
            )
            if answer.status_code != 200:
                return [_untried(answer.status_code, said(answer))]
            told = answer.json()
            is_sent = told.get("status") == "success"
            return [
                _verdict("" if is_sent else str(told.get("error") or told.get("status")), "its resource API")
            ]
    return [skip(WHAT, f"this token does not see the contact point {RECEIVER!r}")]


async def _namespace(case: Case) -> str:
    number = (await case.grafana.get("/api/org")).get("id", 1)
    return "default" if number == 1 else f"org-{number}"


async def _older(case: Case, alert: dict[str, Any]) -> Finding:
    points = await case.grafana.get("/api/v1/provisioning/contact-points", name=RECEIVER)
    configs = [
        {key: point.get(key) for key in ("uid", "name", "type", "settings", "disableResolveMessage")}
        for point in points
    ]
    body = {"receivers": [{"name": RECEIVER, "grafana_managed_receiver_configs": configs}], "alert": alert}
    answer = await case.grafana.send("POST", OLDER, json=body, timeout=40.0)
    if answer.status_code in {401, 403, 404, 410}:
        return _untried(answer.status_code, said(answer))
    try:
        found = answer.json()["receivers"][0]["grafana_managed_receiver_configs"][0]
    except (ValueError, KeyError, IndexError, TypeError):
        return _verdict(f"{answer.status_code} {said(answer)}", "its Alertmanager API")
    return _verdict("" if found.get("status") == "ok" else str(found.get("error")), "its Alertmanager API")


def _untried(status: int, text: str) -> Finding:
    return skip(
        WHAT, f"Grafana does not let this token send a test ({status} {text})",
        hint="A token of the role Editor may; or press Test on the contact point in Grafana.",
    )  # fmt: skip


def _verdict(error: str, way: str) -> Finding:
    if not error:
        return ok(
            WHAT, f"a test notification of Grafana ({way}) was taken by the watcher, and opened no incident"
        )
    hint = (
        "Grafana must reach the address of the contact point: inside compose http://awf:8000, not 127.0.0.1."
    )
    if "401" in error or "signature" in error:
        hint = "Contact point and watcher have different secrets: give both one (hmacConfig.secret, AWF_WEBHOOK_SECRET)."
    return fail(WHAT, f"Grafana ({way}) could not deliver: {error[:300]}", hint=hint)


SPEC = Check("grafana_notifies", "notifications", WHAT, _run, needs=("contact_point",))
