"""Alert rules and alerts as Grafana tells them: its rules API and the provisioning API (read only)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from awf.embedded.grafana.requests import Json, int_parameter
from awf.embedded.model import Matcher
from awf.embedded.ruler import Ruler
from awf.embedded.ruler.alerts import AlertInstance, AlertState
from awf.embedded.ruler.durations import format_duration
from awf.embedded.ruler.evaluation import GroupState, RuleState
from awf.embedded.ruler.grafana_terms import FOLDER, FOLDER_UID, METRICS_UID, ORG_ID, RECEIVER
from awf.embedded.ruler.payload import NEVER, public_annotations, public_labels, time_text
from awf.embedded.ruler.rules import AlertRule
from awf.embedded.ruler.silences import SilenceMatcher
from awf.embedded.ruler.templates import Template, format_exponent
from awf.embedded.ruler.view import active_alerts, rule_state
from awf.errors import InvalidInput, NotFound

_STATES: Final = {"firing": "firing", "alerting": "firing", "pending": "pending", "normal": "inactive",
                  "inactive": "inactive"}  # fmt: skip
_ALERT_STATES: Final = {AlertState.FIRING: "Alerting", AlertState.PENDING: "Pending"}
_HEALTH: Final = {"ok": "ok", "err": "error", "unknown": "unknown"}

Keep = Callable[[AlertInstance], bool]


class AlertRuleEndpoints:
    """Rules with their alerts, and rules as they are provisioned."""

    def __init__(self, ruler: Ruler) -> None:
        self._ruler = ruler

    def routes(self) -> list[Route]:
        return [
            Route("/api/prometheus/grafana/api/v1/rules", self.rules, methods=["GET"]),
            Route("/api/v1/provisioning/alert-rules", self.provisioned, methods=["GET"]),
            Route("/api/v1/provisioning/alert-rules/{uid}", self.provisioned_rule, methods=["GET"]),
        ]

    async def rules(self, request: Request) -> JSONResponse:
        """Filter as Grafana does: folder, group, name, state, labels of alerts, and how many."""
        params = request.query_params
        states = _states(params.getlist("state"))
        title = params.get("search.rule_name", "").lower()
        keep = _label_filter(params.getlist("matcher"))
        most_alerts = int_parameter(request, "limit_alerts", 100_000, most=100_000)
        left = int_parameter(request, "rule_limit", 0, most=100_000) or 100_000
        in_folder = params.get("folder_uid", FOLDER_UID) == FOLDER_UID
        groups = []
        for group in self._ruler.group_states if in_folder else ():
            if params.get("rule_group", group.group.name) != group.group.name:
                continue
            rules = [
                _rule_json(rule, state, keep, most_alerts)
                for rule, state in _alert_rules(group)
                if title in rule.name.lower()
            ]
            rules = [rule for rule in rules if not states or rule["state"] in states][:left]
            left -= len(rules)
            if rules:
                groups.append(_group_json(group, rules))
        return JSONResponse({"status": "success", "data": {"groups": groups, "totals": _totals(groups)}})

    async def provisioned(self, _request: Request) -> JSONResponse:
        return JSONResponse(list(self._all_provisioned().values()))

    async def provisioned_rule(self, request: Request) -> JSONResponse:
        rule = self._all_provisioned().get(request.path_params["uid"])
        if rule is None:
            raise NotFound("could not find alert rule")
        return JSONResponse(rule)

    def _all_provisioned(self) -> dict[str, Json]:
        rules = [(group, rule) for group in self._ruler.group_states for rule, _ in _alert_rules(group)]
        return {
            rule.uid: _provisioned_json(number, group, rule)
            for number, (group, rule) in enumerate(rules, start=1)
        }


def _alert_rules(group: GroupState) -> list[tuple[AlertRule, RuleState]]:
    return [(state.rule, state) for state in group.rules if isinstance(state.rule, AlertRule)]


def _states(wanted: list[str]) -> set[str]:
    for state in wanted:
        if state not in _STATES:
            raise InvalidInput(f"parameter state is {state!r:.40}, expected one of {', '.join(_STATES)}")
    return {_STATES[state] for state in wanted}


def _label_filter(texts: list[str]) -> Keep:
    """Read `matcher={"name", "value", "isRegex", "isEqual"}` parameters."""
    matchers: list[Matcher] = []
    for text in texts:
        try:
            fields = json.loads(text)
            matcher = SilenceMatcher(
                str(fields["name"]),
                str(fields["value"]),
                bool(fields.get("isRegex", False)),
                bool(fields.get("isEqual", True)),
            ).matcher
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise InvalidInput(
                f"parameter matcher is {text!r:.80}, expected name and value as JSON"
            ) from error
        matchers.append(matcher)

    def keep(instance: AlertInstance) -> bool:
        labels = public_labels(instance)
        return all(matcher.accepts(labels) for matcher in matchers)

    return keep


def _group_json(group: GroupState, rules: list[Json]) -> Json:
    return {
        "name": group.group.name,
        "file": FOLDER,
        "folderUid": FOLDER_UID,
        "rules": rules,
        "totals": _totals([{"rules": rules}]),
        "interval": group.group.interval_ms / 1000,
        "lastEvaluation": time_text(group.last_evaluation_ms),
        "evaluationTime": group.evaluation_s,
    }


def _rule_json(rule: AlertRule, state: RuleState, keep: Keep, most_alerts: int) -> Json:
    active = active_alerts(state)
    alerts = [_alert_json(instance) for instance in active if keep(instance)]
    body: Json = {
        "uid": rule.uid,
        "folderUid": FOLDER_UID,
        "name": rule.name,
        "state": rule_state(active),
        "type": "alerting",
        "query": rule.expr,
        "queriedDatasourceUIDs": [METRICS_UID],
        "duration": rule.for_ms / 1000,
        "keepFiringFor": rule.keep_firing_for_ms / 1000,
        "labels": _sources(rule.labels),
        "annotations": _sources(rule.annotations),
        "alerts": alerts[:most_alerts],
        "totals": _count(alert["state"].lower() for alert in alerts),
        "health": _HEALTH[state.health],
        "lastEvaluation": time_text(state.last_evaluation_ms),
        "evaluationTime": state.evaluation_s,
        "isPaused": False,
        "notificationSettings": {"receiver": RECEIVER},
    }
    if state.last_error:
        body["lastError"] = state.last_error
    fired = [instance.fired_at_ms for instance in active if instance.fired_at_ms is not None]
    return {**body, "activeAt": time_text(min(fired))} if fired else body


def _alert_json(instance: AlertInstance) -> Json:
    return {
        "labels": public_labels(instance),
        "annotations": public_annotations(instance),
        "state": _ALERT_STATES[instance.state],
        "activeAt": time_text(instance.active_at_ms),
        "value": format_exponent(instance.value),
    }


def _totals(groups: list[Json]) -> dict[str, int]:
    return _count(rule["state"] for group in groups for rule in group["rules"])


def _count(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names))


def _sources(templates: Mapping[str, Template]) -> dict[str, str]:
    return {name: template.source for name, template in templates.items()}


def _provisioned_json(number: int, group: GroupState, rule: AlertRule) -> Json:
    model = {"expr": rule.expr, "instant": True, "range": False, "refId": "A"}
    query = {
        "refId": "A",
        "queryType": "",
        "relativeTimeRange": {"from": 600, "to": 0},
        "datasourceUid": METRICS_UID,
        "model": model,
    }
    return {
        "id": number,
        "uid": rule.uid,
        "orgID": ORG_ID,
        "folderUID": FOLDER_UID,
        "ruleGroup": group.group.name,
        "title": rule.name,
        "condition": "A",
        "data": [query],
        # Prometheus' meaning: no series is no alert, an error leaves alerts as they are.
        "noDataState": "OK",
        "execErrState": "KeepLast",
        "for": format_duration(rule.for_ms),
        "keep_firing_for": format_duration(rule.keep_firing_for_ms),
        "annotations": _sources(rule.annotations),
        "labels": _sources(rule.labels),
        "isPaused": False,
        "updated": NEVER,
        "provenance": "file",
    }
