"""Grafana has the contact point of the watcher, it signs, and the notification policy leads to it."""

from __future__ import annotations

from typing import Any

from awf.core.signing import SIGNATURE_HEADER
from awf.embedded.ruler.grafana_terms import RECEIVER
from awf.errors import AwfError, Forbidden, Unauthorized
from awf.wiring.doctor.case import Case
from awf.wiring.doctor.findings import Check, Finding, fail, ok, skip, warn

WHAT = "contact point"
ROUTE = "notification policy"
PATH = "/webhooks/grafana-alerts"
_RIGHT = "Give the token's service account the right alert.notifications:read, or the role Editor."
_HINT = "Provision docker/grafana/provisioning/alerting/ of this AWF; docs/grafana-dashboards.md has the settings."


async def _run(case: Case) -> list[Finding]:
    try:
        points = await case.grafana.get("/api/v1/provisioning/contact-points")
    except (Forbidden, Unauthorized) as error:
        return [skip(WHAT, f"this token may not read it: {error.message}", hint=_RIGHT)]
    except AwfError as error:
        return [fail(WHAT, error.message, hint=error.hint), skip(ROUTE, "needs: the contact point")]
    point = next((each for each in points if each.get("name") == RECEIVER), None)
    if point is None:
        names = ", ".join(sorted({str(each.get("name")) for each in points})) or "none"
        return [
            fail(WHAT, f"Grafana has no contact point {RECEIVER!r}; it has: {names}", hint=_HINT),
            skip(ROUTE, "needs: the contact point"),
        ]
    return [_point(point), await _route(case)]


def _point(point: dict[str, Any]) -> Finding:
    settings = point.get("settings") or {}
    url = str(settings.get("url", ""))
    hmac = settings.get("hmacConfig") or {}
    if point.get("type") != "webhook" or not url.endswith(PATH):
        return fail(
            WHAT, f"{RECEIVER} is a {point.get('type')} to {url!r}, not a webhook to ...{PATH}", hint=_HINT
        )
    if not hmac and not settings.get("authorization_credentials"):
        hint = "Set hmacConfig of the contact point and AWF_WEBHOOK_SECRET to one secret: unsigned, the watcher only asks."
        return warn(WHAT, f"{url}, unsigned", hint=hint)
    header = str(hmac.get("header") or SIGNATURE_HEADER)
    if hmac and header.lower() != SIGNATURE_HEADER.lower():
        return fail(
            WHAT,
            f"{url} signs in the header {header}",
            hint=f"The watcher reads {SIGNATURE_HEADER}: set hmacConfig.header.",
        )
    if hmac and not hmac.get("timestampHeader"):
        hint = "Set hmacConfig.timestampHeader to X-Grafana-Alerting-Timestamp: without it an old delivery never expires."
        return warn(WHAT, f"{url}, signed, but without a timestamp", hint=hint)
    return ok(WHAT, f"{RECEIVER} to {url}, {'signed' if hmac else 'with a bearer token'}")


async def _route(case: Case) -> Finding:
    try:
        tree = await case.grafana.get("/api/v1/provisioning/policies")
    except AwfError as error:
        return warn(ROUTE, error.message, hint=error.hint)
    if tree.get("receiver") == RECEIVER:
        return ok(ROUTE, f"the root leads to {RECEIVER}")
    matching = [route for route in _routes(tree) if route.get("receiver") == RECEIVER]
    if matching:
        wanted = "; ".join(
            str(route.get("object_matchers") or route.get("matchers") or "all") for route in matching
        )
        return ok(ROUTE, f"a route leads to {RECEIVER} for {wanted}")
    return fail(
        ROUTE, f"no route leads to {RECEIVER}; the root goes to {tree.get('receiver')!r}: alerts never reach the watcher",
        hint="Add a route to it; provisioning a policy replaces the organisation's whole tree.",
    )  # fmt: skip


def _routes(tree: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for route in tree.get("routes") or ():
        found += [route, *_routes(route)]
    return found


SPEC = Check("contact_point", "notifications", WHAT, _run, needs=("grafana_answers",))
