"""The body of Grafana's webhook: what is read of it, and how much of it is accepted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    StringConstraints,
    ValidationError,
)

from awf.api.problems import invalid_fields
from awf.core.incidents import Alert
from awf.core.semconv import DOCTOR_ALERT

TESTS: Final = ({"alertname": DOCTOR_ALERT}, {"alertname": "TestAlert", "instance": "Grafana"})
"""Labels of alerts that only try the way: those of `awf doctor`, and of *Test* on Grafana's contact point."""


def _text_only(value: object) -> object:
    """Pydantic also reads numbers as times; a sender that writes one is mistaken."""
    if not isinstance(value, str):
        raise ValueError("expected a time such as 2026-01-31T12:00:00Z")  # noqa: TRY004 - pydantic's way
    return value


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("expected a time that exists in UTC") from error


Time = Annotated[AwareDatetime, BeforeValidator(_text_only), AfterValidator(_to_utc)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Label = Annotated[str, StringConstraints(max_length=4_096)]
Note = Annotated[str, StringConstraints(max_length=16_384)]
Text = Annotated[str, StringConstraints(max_length=8_192)]


class GrafanaAlert(BaseModel):
    """One alert instance. Unknown fields are ignored: Grafana adds some with every release."""

    status: Literal["firing", "resolved"]
    labels: dict[Name, Label] = Field(max_length=128)
    annotations: dict[Name, Note] | None = Field(None, max_length=128)
    starts_at: Time = Field(alias="startsAt")
    ends_at: Time | None = Field(None, alias="endsAt")
    fingerprint: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    generator_url: Text | None = Field(None, alias="generatorURL")
    rule_uid: Text | None = Field(None, alias="ruleUID")
    values: dict[Name, float | None] | None = Field(None, max_length=128)

    def to_alert(self) -> Alert:
        values = {
            name: number
            for name, number in (self.values or {}).items()
            if number is not None and math.isfinite(number)
        }
        return Alert(
            fingerprint=self.fingerprint,
            status=self.status,
            starts_at=self.starts_at,
            labels=self.labels,
            annotations=self.annotations or {},
            values=values,
            ends_at=_real_time(self.ends_at),
            rule_uid=self.rule_uid or "",
            generator_url=self.generator_url or "",
        )


class GrafanaWebhook(BaseModel):
    """A delivery: every alert has a status of its own, the group's says little."""

    alerts: list[GrafanaAlert] = Field(min_length=1, max_length=1_000)


def read_alerts(body: bytes) -> list[Alert]:
    """Return the alerts of a webhook. Raises InvalidInput naming the field."""
    try:
        return [alert.to_alert() for alert in GrafanaWebhook.model_validate_json(body).alerts]
    except ValidationError as error:
        raise invalid_fields(error.errors()) from error


def without_tests(alerts: Iterable[Alert]) -> list[Alert]:
    """Return the alerts that tell of something. No rule of AWF has the name of a test."""
    return [alert for alert in alerts if not any(test.items() <= alert.labels.items() for test in TESTS)]


def _real_time(moment: datetime | None) -> datetime | None:
    """Go's zero time stands for "still firing"."""
    return None if moment is None or moment.year == 1 else moment
