"""Grafana's Alertmanager as the embedded stack has it: firing alerts, silences, one contact point."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from awf.core.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER
from awf.embedded.grafana.requests import Json, bool_parameter, read_json
from awf.embedded.model import Matcher, MatchOp
from awf.embedded.ruler import Ruler
from awf.embedded.ruler.alerts import AlertInstance, AlertState
from awf.embedded.ruler.durations import format_duration
from awf.embedded.ruler.grafana_terms import GROUP_BY, RECEIVER
from awf.embedded.ruler.payload import generator_url, public_annotations, public_labels, time_text
from awf.embedded.ruler.rules import AlertRule
from awf.embedded.ruler.silences import Silence, SilenceMatcher
from awf.errors import InvalidInput

_FILTER: Final = re.compile(
    r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(?:\"([^\"\\]*)\"|([^\"\\\s]*))\s*"
)


class _MatcherBody(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    name: str
    value: str
    is_regex: bool = Field(False, alias="isRegex")
    is_equal: bool = Field(True, alias="isEqual")


class _SilenceBody(BaseModel):
    id: str = ""
    matchers: list[_MatcherBody]
    starts_at: AwareDatetime = Field(alias="startsAt")
    ends_at: AwareDatetime = Field(alias="endsAt")
    created_by: str = Field("", alias="createdBy")
    comment: str = ""


class AlertmanagerEndpoints:
    """What is firing, what is silenced, and where notifications go."""

    def __init__(self, ruler: Ruler) -> None:
        self._ruler = ruler

    def routes(self) -> list[Route]:
        base = "/api/alertmanager/grafana/api/v2"
        provisioning = "/api/v1/provisioning"
        return [
            Route(f"{base}/alerts", self.alerts, methods=["GET"]),
            Route(f"{base}/silences", self.silences, methods=["GET"]),
            Route(f"{base}/silences", self.put_silence, methods=["POST"]),
            Route(f"{base}/silence/{{silence_id}}", self.silence, methods=["GET"]),
            Route(f"{base}/silence/{{silence_id}}", self.expire_silence, methods=["DELETE"]),
            Route(f"{provisioning}/contact-points", self.contact_points, methods=["GET"]),
            Route(f"{provisioning}/policies", self.policies, methods=["GET"]),
            Route(f"{provisioning}/mute-timings", self.mute_timings, methods=["GET"]),
        ]

    async def alerts(self, request: Request) -> JSONResponse:
        active = bool_parameter(request, "active", default=True)
        silenced = bool_parameter(request, "silenced", default=True)
        matchers = _filters(request)
        found = []
        for rule, state in self._ruler.alert_rules():
            for instance in state.active.values():
                if instance.state is not AlertState.FIRING:
                    continue
                labels = public_labels(instance)
                silenced_by = self._ruler.silences.silenced_by(labels)
                wanted = silenced if silenced_by else active
                if wanted and all(matcher.accepts(labels) for matcher in matchers):
                    seen = state.last_evaluation_ms or self._ruler.now_ms()
                    found.append(self._alert_json(rule, instance, silenced_by, seen))
        return JSONResponse(found)

    def _alert_json(
        self, rule: AlertRule, instance: AlertInstance, silenced_by: list[str], seen: int
    ) -> Json:
        state = "suppressed" if silenced_by else "active"
        return {
            "annotations": public_annotations(instance),
            # Alertmanager takes an alert for over when it is not heard of any more; ours is asked directly.
            "endsAt": time_text(seen + 15 * 60 * 1000),
            "fingerprint": instance.fingerprint,
            "generatorURL": generator_url(self._ruler.config.grafana_url, rule.uid),
            "labels": public_labels(instance),
            "receivers": [{"name": RECEIVER}],
            "startsAt": time_text(instance.fired_at_ms),
            "status": {"inhibitedBy": [], "mutedBy": [], "silencedBy": silenced_by, "state": state},
            "updatedAt": time_text(seen),
        }

    async def silences(self, request: Request) -> JSONResponse:
        wanted = [(matcher.name, matcher.op, matcher.value) for matcher in _filters(request)]
        found = []
        for silence in self._ruler.silences.all():
            has = {(item.name, item.matcher.op, item.value) for item in silence.matchers}
            if has.issuperset(wanted):
                found.append(self._silence_json(silence))
        return JSONResponse(found)

    async def silence(self, request: Request) -> JSONResponse:
        return JSONResponse(self._silence_json(self._ruler.silences.get(request.path_params["silence_id"])))

    async def put_silence(self, request: Request) -> JSONResponse:
        """Answer after the silence is on disk."""
        silence_id = self._ruler.silences.put(_read_silence(await read_json(request)))
        await self._ruler.save()
        return JSONResponse({"silenceID": silence_id}, 202)

    async def expire_silence(self, request: Request) -> Response:
        self._ruler.silences.expire(request.path_params["silence_id"])
        await self._ruler.save()
        return JSONResponse({"message": "silence deleted"})

    def _silence_json(self, silence: Silence) -> Json:
        return {
            "id": silence.id,
            "status": {"state": silence.state(self._ruler.now_ms())},
            "matchers": [
                {"name": item.name, "value": item.value, "isRegex": item.is_regex, "isEqual": item.is_equal}
                for item in silence.matchers
            ],
            "startsAt": time_text(silence.starts_at_ms),
            "endsAt": time_text(silence.ends_at_ms),
            "updatedAt": time_text(silence.updated_at_ms),
            "createdBy": silence.created_by,
            "comment": silence.comment,
        }

    async def contact_points(self, request: Request) -> JSONResponse:
        config = self._ruler.config
        if not config.webhook_url or request.query_params.get("name", RECEIVER) != RECEIVER:
            return JSONResponse([])
        settings: dict[str, Any] = {"url": _without_password(config.webhook_url), "httpMethod": "POST"}
        if config.webhook_secret:
            settings["hmacConfig"] = {
                "secret": "[REDACTED]", "header": SIGNATURE_HEADER, "timestampHeader": TIMESTAMP_HEADER,
            }  # fmt: skip
        point = {
            "uid": RECEIVER, "name": RECEIVER, "type": "webhook", "settings": settings,
            "disableResolveMessage": False, "provenance": "file",
        }  # fmt: skip
        return JSONResponse([point])

    async def policies(self, _request: Request) -> JSONResponse:
        config = self._ruler.config
        times = {
            "group_wait": config.group_wait_s,
            "group_interval": config.group_interval_s,
            "repeat_interval": config.repeat_interval_s,
        }
        written = {name: format_duration(round(seconds * 1000)) for name, seconds in times.items()}
        return JSONResponse({"receiver": RECEIVER, "group_by": [GROUP_BY], **written, "provenance": "file"})

    async def mute_timings(self, _request: Request) -> JSONResponse:
        return JSONResponse([])


def _filters(request: Request) -> list[Matcher]:
    """Read `filter=name="value"` parameters. Raises InvalidInput naming the one that is wrong."""
    matchers = []
    for text in request.query_params.getlist("filter"):
        match = _FILTER.fullmatch(text)
        if match is None:
            raise InvalidInput(f'parameter filter is {text!r:.80}, expected name="value"')
        name, op, quoted, plain = match.groups()
        matchers.append(Matcher(name, MatchOp(op), quoted if quoted is not None else plain))
    return matchers


def _read_silence(body: Json) -> Silence:
    try:
        parsed = _SilenceBody.model_validate(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"silence, {where}: {first['msg']}") from error
    return Silence(
        id=parsed.id,
        matchers=tuple(
            SilenceMatcher(item.name, item.value, item.is_regex, item.is_equal) for item in parsed.matchers
        ),
        starts_at_ms=_ms(parsed.starts_at),
        ends_at_ms=_ms(parsed.ends_at),
        created_by=parsed.created_by,
        comment=parsed.comment,
        updated_at_ms=0,
    )


def _ms(moment: datetime) -> int:
    return int(moment.astimezone(UTC).timestamp() * 1000)


def _without_password(url: str) -> str:
    return str(httpx.URL(url).copy_with(username=None, password=None))
