"""Grafana's contact point for tests: alerts in as an Alertmanager takes them, out as Grafana's signed webhook."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from awf.core.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

NEVER = "0001-01-01T00:00:00Z"
GROUP_WAIT_S = 1.0


@dataclass(slots=True)
class _Group:
    """Alerts of one name, by fingerprint, since when there is news, and what was told."""

    alerts: dict[str, dict[str, Any]] = field(default_factory=dict)
    news_since: float | None = None
    told: dict[str, str] = field(default_factory=dict)


class Contact:
    """Groups alerts by name and posts each group when it has news; what was not taken is posted again."""

    def __init__(self, url: str, secret: str) -> None:
        self._url, self._secret = url, secret
        self._groups: dict[str, _Group] = {}
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.answers: list[int] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(10)

    def take(self, alerts: Sequence[dict[str, Any]]) -> None:
        """Take what Prometheus posts to /api/v2/alerts: an alert with `endsAt` in the past has resolved."""
        with self._lock:
            for alert in alerts:
                group = self._groups.setdefault(alert["labels"]["alertname"], _Group())
                fingerprint = _fingerprint(alert["labels"])
                is_over = datetime.fromisoformat(alert["endsAt"]) <= datetime.now(UTC)
                status = "resolved" if is_over else "firing"
                group.alerts[fingerprint] = _told(alert, fingerprint, status)
                # One that ended before anybody heard of it is no news.
                known = group.told.get(fingerprint, "resolved")
                if status != known and group.news_since is None:
                    group.news_since = time.monotonic()

    def _run(self) -> None:
        while not self._stopping.wait(0.2):
            with self._lock:
                now = time.monotonic()
                due = [
                    (name, dict(group.alerts))
                    for name, group in self._groups.items()
                    if group.news_since is not None and now - group.news_since >= GROUP_WAIT_S
                ]
            for name, alerts in due:
                if self._post(name, list(alerts.values())):
                    with self._lock:
                        group = self._groups[name]
                        group.told = {key: alert["status"] for key, alert in alerts.items()}
                        group.news_since = None

    def _post(self, name: str, alerts: list[dict[str, Any]]) -> bool:
        is_firing = any(alert["status"] == "firing" for alert in alerts)
        body = json.dumps(_body(name, alerts, is_firing=is_firing)).encode()
        now = int(time.time())
        headers = {"Content-Type": "application/json", "User-Agent": "Grafana"}
        headers |= {SIGNATURE_HEADER: sign(self._secret, body, now), TIMESTAMP_HEADER: str(now)}
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.post(self._url, content=body, headers=headers, timeout=30)
            self.answers.append(answer.status_code)
            return answer.is_success
        return False


def _fingerprint(labels: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16]


def _told(alert: dict[str, Any], fingerprint: str, status: str) -> dict[str, Any]:
    uid = alert["labels"]["alertname"].lower()
    return {
        "status": status, "labels": alert["labels"] | {"grafana_folder": "AWF"},
        "annotations": alert.get("annotations", {}), "startsAt": alert["startsAt"],
        "endsAt": alert["endsAt"] if status == "resolved" else NEVER, "fingerprint": fingerprint,
        "generatorURL": f"http://grafana.test/alerting/grafana/{uid}/view?orgId=1",
        "silenceURL": "http://grafana.test/alerting/silence/new", "dashboardURL": "", "panelURL": "",
        "ruleUID": uid, "values": None, "valueString": "", "orgId": 1,
    }  # fmt: skip


def _body(name: str, alerts: list[dict[str, Any]], *, is_firing: bool) -> dict[str, Any]:
    status = "firing" if is_firing else "resolved"
    return {
        "receiver": "awf-watcher", "status": status, "alerts": alerts, "groupLabels": {"alertname": name},
        "commonLabels": {"alertname": name}, "commonAnnotations": {}, "externalURL": "http://grafana.test/",
        "appVersion": "13.2.3", "version": "1", "groupKey": f'{{}}:{{alertname="{name}"}}', "truncatedAlerts": 0,
        "orgId": 1, "title": f"[{status.upper()}] {name}", "state": "alerting" if is_firing else "ok",
        "message": "",
    }  # fmt: skip
