"""Contact points as Grafana 13 has them in its resource API: the list, one, and the test notification.

The provisioning API's older form is in `alertmanager`.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Any, Final

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from awf.core.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER
from awf.embedded.grafana.requests import Json, read_json
from awf.embedded.ruler import Ruler
from awf.embedded.ruler.grafana_terms import RECEIVER
from awf.errors import InvalidInput, NotFound

API: Final = "notifications.alerting.grafana.app/v1beta1"
NAMESPACE: Final = "default"
NAME: Final = base64.urlsafe_b64encode(RECEIVER.encode()).decode().rstrip("=")
MAX_LABELS: Final = 64


class ReceiverEndpoints:
    """One contact point: where the ruler notifies."""

    def __init__(self, ruler: Ruler) -> None:
        self._ruler = ruler

    def routes(self) -> list[Route]:
        base = f"/apis/{API}/namespaces/{NAMESPACE}/receivers"
        return [
            Route(base, self.index, methods=["GET"]),
            Route(f"{base}/{{name}}", self.get, methods=["GET"]),
            Route(f"{base}/{{name}}/test", self.test, methods=["POST"]),
        ]

    async def index(self, _request: Request) -> JSONResponse:
        items = [self._receiver()] if self._ruler.config.webhook_url else []
        return JSONResponse({"kind": "ReceiverList", "apiVersion": API, "metadata": {}, "items": items})

    async def get(self, request: Request) -> JSONResponse:
        self._check(request)
        return JSONResponse(self._receiver())

    async def test(self, request: Request) -> JSONResponse:
        """Send a test with the stored settings. Others are refused: this is no way to send to anywhere."""
        self._check(request)
        body = await read_json(request)
        integration = body.get("integration")
        if not isinstance(integration, dict) or integration.get("uid") != RECEIVER:
            raise InvalidInput(
                f"integration: only the stored one, with the uid {RECEIVER!r}, can be tested here"
            )
        alert = body.get("alert") or {}
        labels = {"alertname": "TestAlert", "instance": "Grafana"} | _texts(alert, "labels")
        annotations = {"summary": "Notification test"} | _texts(alert, "annotations")
        began = time.monotonic()
        why = await self._ruler.try_contact_point(labels, annotations)
        took = f"{(time.monotonic() - began) * 1000:.0f}ms"
        answer: Json = {"apiVersion": API, "kind": "CreateReceiverIntegrationTest", "duration": took}
        return JSONResponse(answer | ({"status": "failure", "error": why} if why else {"status": "success"}))

    def _check(self, request: Request) -> None:
        if request.path_params["name"] != NAME or not self._ruler.config.webhook_url:
            raise NotFound("receiver not found")

    def _receiver(self) -> Json:
        config = self._ruler.config
        url = str(httpx.URL(config.webhook_url).copy_with(username=None, password=None))
        settings: Json = {"url": url, "httpMethod": "POST"}
        integration: Json = {"uid": RECEIVER, "type": "webhook", "version": "v1", "settings": settings}
        if config.webhook_secret:
            settings["hmacConfig"] = {"header": SIGNATURE_HEADER, "timestampHeader": TIMESTAMP_HEADER}
            integration["secureFields"] = {"hmacConfig.secret": True}
        return {
            "kind": "Receiver", "apiVersion": API, "metadata": {"name": NAME, "namespace": NAMESPACE},
            "spec": {"title": RECEIVER, "integrations": [integration]},
        }  # fmt: skip


def _texts(alert: Any, field: str) -> dict[str, str]:
    """Return labels or annotations of a test. Raises InvalidInput."""
    found = alert.get(field) if isinstance(alert, Mapping) else alert
    found = found or {}
    if (
        not isinstance(found, Mapping)
        or len(found) > MAX_LABELS
        or not all(isinstance(v, str) for v in found.values())
    ):
        raise InvalidInput(f"alert.{field} must be at most {MAX_LABELS} texts by name")
    return dict(found)
