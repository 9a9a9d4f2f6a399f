"""Where alerts come in: of Grafana, of Alertmanager, or as CloudEvents."""

from __future__ import annotations

import hmac

from fastapi import APIRouter, Request

from awf.api import cloudevents
from awf.api.gate import LOOPBACK
from awf.api.grafana import GrafanaWebhook, read_alerts, without_tests
from awf.api.runtime import Parts, Runtime
from awf.core.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, verify
from awf.core.types import Json
from awf.errors import Unauthorized

router = APIRouter(tags=["webhooks"])

_SCHEMAS = {
    "application/json": GrafanaWebhook.model_json_schema(),
    cloudevents.ONE: cloudevents.CloudEvent.model_json_schema(),
    cloudevents.BATCH: {"type": "array", "items": cloudevents.CloudEvent.model_json_schema()},
}
_BODY = {"content": {kind: {"schema": schema} for kind, schema in _SCHEMAS.items()}, "required": True}

_RECEIVED: Json = {"status": "received", "incidents": [], "duplicates": 0}


@router.post("/webhooks/grafana-alerts", status_code=202, openapi_extra={"requestBody": _BODY})
async def receive_alerts(request: Request, parts: Parts) -> Json:
    """Take a delivery of Grafana, of Alertmanager or as CloudEvents, signed or with the shared secret as bearer;
    answers once it is durable.

    Test notifications (of `awf doctor`, of Grafana's *Test* button) are counted in the answer and open nothing.
    """
    body = await request.body()
    _authenticate(request, parts, body)
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type in (cloudevents.ONE, cloudevents.BATCH):
        alerts = cloudevents.read_events(body, content_type)
    else:
        alerts = read_alerts(body)
    real = without_tests(alerts)
    answer = _RECEIVED if alerts and not real else await parts.intake.handle_alert(real, body)
    tests = len(alerts) - len(real)
    return {**answer, "tests": tests} if tests else answer


def _authenticate(request: Request, parts: Runtime, body: bytes) -> None:
    secret = parts.webhook_secret
    if not secret:
        # Without a secret the watcher investigates but asks before every action, so a local one may come in.
        if request.client is None or request.client.host not in LOOPBACK:
            raise Unauthorized(
                "webhooks from other machines need a shared secret", hint="Set AWF_WEBHOOK_SECRET."
            )
        return
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if SIGNATURE_HEADER in request.headers or scheme.lower() != "bearer":
        verify(
            secret,
            body,
            request.headers.get(SIGNATURE_HEADER, ""),
            request.headers.get(TIMESTAMP_HEADER),
            now=parts.clock.now().timestamp(),
        )
    elif not hmac.compare_digest(token.strip().encode(), secret.encode()):
        raise Unauthorized("the webhook's bearer token is not the shared secret")
