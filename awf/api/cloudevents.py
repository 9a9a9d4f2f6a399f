"""Alerts that come as CloudEvents 1.0, one or a batch: the envelope around a webhook's body or a single alert."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, StringConstraints, TypeAdapter, ValidationError

from awf.api.grafana import GrafanaAlert, GrafanaWebhook, Time
from awf.api.problems import invalid_fields
from awf.core.clock import isoformat
from awf.core.incidents import Alert

ONE: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"

Attribute = Annotated[str, StringConstraints(min_length=1, max_length=1_024)]


class CloudEvent(BaseModel):
    """What is read of an envelope. Its data is a delivery as of Grafana or Alertmanager (it has `alerts`), or one
    alert: `labels`, and if it has them `status`, `annotations`, `startsAt`, `endsAt` and `fingerprint`."""

    specversion: Literal["1.0"]
    id: Attribute
    source: Attribute
    type: Attribute
    time: Time | None = None
    data: dict[str, Any]

    def alerts(self) -> list[Alert]:
        if "alerts" in self.data:
            found = GrafanaWebhook.model_validate(self.data).alerts
        else:
            found = [GrafanaAlert.model_validate(self._defaults() | self.data)]
        return [alert.to_alert() for alert in found]

    def _defaults(self) -> dict[str, Any]:
        """Say of one alert what only its envelope says. Equal labels of one source are one alert."""
        labels = self.data.get("labels")
        identity = json.dumps([self.source, labels], sort_keys=True).encode()
        began = {} if self.time is None else {"startsAt": isoformat(self.time)}
        return {"status": "firing", "fingerprint": hashlib.sha256(identity).hexdigest()[:16], **began}


_events: TypeAdapter[list[CloudEvent]] = TypeAdapter(
    Annotated[list[CloudEvent], Field(min_length=1, max_length=1_000)]
)


def read_events(body: bytes, content_type: str) -> list[Alert]:
    """Return the alerts of all events of a body. Raises InvalidInput naming the field."""
    try:
        if content_type == BATCH:
            events = _events.validate_json(body)
        else:
            events = [CloudEvent.model_validate_json(body)]
        return [alert for event in events for alert in event.alerts()]
    except ValidationError as error:
        raise invalid_fields(error.errors()) from error
