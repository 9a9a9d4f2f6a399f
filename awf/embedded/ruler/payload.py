"""The body of Grafana's webhook, field by field, as its default contact point sends it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from awf.core.clock import isoformat
from awf.embedded.ruler.alerts import AlertInstance
from awf.embedded.ruler.grafana_terms import (
    APP_VERSION,
    FOLDER,
    GROUP_BY,
    LABEL_FOLDER,
    ORG_ID,
    RECEIVER,
)
from awf.embedded.ruler.templates import format_value

NEVER: Final = "0001-01-01T00:00:00Z"
_HOUR_MS: Final = 3_600_000

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Notified:
    """An alert on its way out: the instance and the rule that it belongs to."""

    rule_uid: str
    instance: AlertInstance

    @property
    def is_resolved(self) -> bool:
        return not self.instance.is_active

    @property
    def status(self) -> str:
        return "resolved" if self.is_resolved else "firing"


def time_text(at_ms: int | None) -> str:
    """Return RFC 3339, or Go's zero time for never."""
    return NEVER if at_ms is None else isoformat(datetime.fromtimestamp(at_ms / 1000, UTC))


def webhook_body(alerts: Sequence[Notified], *, base_url: str, now_ms: int, max_alerts: int) -> Json:
    """Return one notification about alerts of one name. Past `max_alerts` the rest is only counted."""
    ordered = sorted(alerts, key=lambda alert: (alert.is_resolved, sorted(alert.instance.labels.items())))
    shown = [_alert(alert, base_url, now_ms) for alert in ordered[:max_alerts]]
    firing = [alert for alert in shown if alert["status"] == "firing"]
    group_labels = {GROUP_BY: ordered[0].instance.labels[GROUP_BY]}
    common_labels = _common([alert["labels"] for alert in shown])
    status = "resolved" if all(alert.is_resolved for alert in ordered) else "firing"
    return {
        "receiver": RECEIVER,
        "status": status,
        "alerts": shown,
        "groupLabels": group_labels,
        "commonLabels": common_labels,
        "commonAnnotations": _common([alert["annotations"] for alert in shown]),
        "externalURL": f"{base_url}/",
        "version": "1",
        "groupKey": f"{{}}:{{{GROUP_BY}={json.dumps(group_labels[GROUP_BY], ensure_ascii=False)}}}",
        "truncatedAlerts": len(ordered) - len(shown),
        "orgId": ORG_ID,
        "appVersion": APP_VERSION,
        "title": _title(status, len(firing), len(shown) - len(firing), group_labels, common_labels),
        "state": "ok" if status == "resolved" else "alerting",
        "message": _message(firing, [alert for alert in shown if alert["status"] == "resolved"]),
    }


def public_labels(instance: AlertInstance) -> dict[str, str]:
    """Return the labels as Grafana shows them: with the folder, without private `__x__` names."""
    return _public({**instance.labels, LABEL_FOLDER: FOLDER})


def public_annotations(instance: AlertInstance) -> dict[str, str]:
    """Return the annotations without private `__x__` names."""
    return _public(instance.annotations)


def generator_url(base_url: str, rule_uid: str) -> str:
    """Return the page of a rule in Grafana."""
    return f"{base_url}/alerting/grafana/{rule_uid}/view?orgId={ORG_ID}"


def _alert(alert: Notified, base_url: str, now_ms: int) -> Json:
    instance = alert.instance
    labels = public_labels(instance)
    started = instance.fired_at_ms or instance.active_at_ms
    shown_labels = ", ".join(f"{name}={text}" for name, text in sorted(labels.items()))
    value = format_value(instance.value)
    dashboard, panel = _dashboard_urls(instance, base_url, started, instance.resolved_at_ms or now_ms)
    return {
        "status": alert.status,
        "labels": labels,
        "annotations": public_annotations(instance),
        "startsAt": time_text(started),
        "endsAt": time_text(instance.resolved_at_ms),
        "generatorURL": generator_url(base_url, alert.rule_uid),
        "fingerprint": instance.fingerprint,
        "silenceURL": _silence_url(labels, base_url),
        "dashboardURL": dashboard,
        "panelURL": panel,
        "ruleUID": alert.rule_uid,
        # JSON has no NaN or infinity; Grafana's field may be null.
        "values": {"A": instance.value} if math.isfinite(instance.value) else None,
        "valueString": f"[ var='A' labels={{{shown_labels}}} value={value} ]",
        "orgId": ORG_ID,
    }


def _dashboard_urls(instance: AlertInstance, base_url: str, start_ms: int, end_ms: int) -> tuple[str, str]:
    dashboard = instance.annotations.get("__dashboardUid__", "")
    if not dashboard:
        return "", ""
    window = {"from": start_ms - _HOUR_MS, "orgId": ORG_ID, "to": end_ms}
    url = f"{base_url}/d/{dashboard}?{urlencode(window)}"
    panel = instance.annotations.get("__panelId__", "")
    return url, f"{url}&{urlencode({'viewPanel': panel})}" if panel else ""


def _silence_url(labels: Mapping[str, str], base_url: str) -> str:
    matchers = [("matcher", f"{name}={text}") for name, text in sorted(labels.items())]
    query = urlencode([("alertmanager", "grafana"), *matchers, ("orgId", str(ORG_ID))])
    return f"{base_url}/alerting/silence/new?{query}"


def _public(texts: Mapping[str, str]) -> dict[str, str]:
    return {
        name: text
        for name, text in sorted(texts.items())
        if not (name.startswith("__") and name.endswith("__"))
    }


def _common(maps: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *rest = maps
    return {name: text for name, text in first.items() if all(other.get(name) == text for other in rest)}


def _title(
    status: str, firing: int, resolved: int, group: Mapping[str, str], common: Mapping[str, str]
) -> str:
    counts = ""
    if status == "firing":
        counts = f":{firing}" + (f", RESOLVED:{resolved}" if resolved else "")
    others = " ".join(text for name, text in sorted(common.items()) if name not in group)
    title = f"[{status.upper()}{counts}] {' '.join(group.values())} "
    return f"{title}({others})" if others else title


def _message(firing: Sequence[Json], resolved: Sequence[Json]) -> str:
    sections = []
    if firing:
        sections.append("**Firing**\n" + "".join(map(_describe, firing)))
    if resolved:
        sections.append("**Resolved**\n" + "".join(map(_describe, resolved)))
    return "\n\n".join(sections)


def _describe(alert: Json) -> str:
    values = ", ".join(f"{name}={format_value(value)}" for name, value in (alert["values"] or {}).items())
    lines = [f"\nValue: {values or '[no value]'}", "Labels:"]
    lines += [f" - {name} = {text}" for name, text in alert["labels"].items()]
    lines.append("Annotations:")
    lines += [f" - {name} = {text}" for name, text in alert["annotations"].items()]
    for title, field in (("Source", "generatorURL"), ("Silence", "silenceURL"),
                         ("Dashboard", "dashboardURL"), ("Panel", "panelURL")):  # fmt: skip
        if alert[field]:
            lines.append(f"{title}: {alert[field]}")
    return "\n".join(lines) + "\n"
