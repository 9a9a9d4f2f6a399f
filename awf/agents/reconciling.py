"""Webhooks can be lost: Grafana's own list of what fires is compared with what the incidents know."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from awf.agents.intake import cleaned
from awf.core import semconv as sc
from awf.core.alert_source import AlertSource, FiringAlert, RuleState
from awf.core.clock import Clock, SystemClock
from awf.core.counters import Counters
from awf.core.incidents import Alert
from awf.core.ports import AlertIntake, IncidentStore
from awf.errors import AwfError

logger = logging.getLogger(__name__)

RECENT = 200
MISSED, RESOLVED = "missed", "resolved"
_FOLDER = "grafana_folder"

LabelSet = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ReconcileConfig:
    """How often Grafana is asked, how long a webhook may be on its way, and in which of Grafana's folders the
    rules lie whose alerts concern the watcher though no webhook came."""

    poll_s: float = 30.0
    patience_s: float = 60.0
    folders: frozenset[str] = frozenset({"AWF", "AWF alerts"})


class Reconciler:
    """Hands the watcher what no webhook told: alerts that fire, and known ones that fire no more.

    A rule that Grafana does not have, cannot evaluate or has paused says nothing, and one poll proves nothing: an
    alert counts as missed or over when two polls in a row say so.
    """

    def __init__(
        self,
        source: AlertSource,
        intake: AlertIntake,
        incidents: IncidentStore,
        config: ReconcileConfig | None = None,
        *,
        clock: Clock | None = None,
        counters: Counters | None = None,
    ) -> None:
        self._source = source
        self._intake = intake
        self._incidents = incidents
        self._config = config or ReconcileConfig()
        self._clock = clock or SystemClock()
        self._counters = counters or Counters()
        self._suspected: set[tuple[str, LabelSet]] = set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to poll, until `aclose`."""
        for kind in (MISSED, RESOLVED):
            self._counters.prepare(sc.WATCHER_RECONCILED, kind=kind)
        self._task = asyncio.create_task(self._poll_forever(), name="reconcile alerts")

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def poll(self) -> list[Alert]:
        """Compare once, hand over what differs for the second time, and return it. Raises AwfError."""
        rules = {rule.name: rule for rule in await self._source.alert_rules()}
        known = [alert async for alert in self._known()]
        found = [*self._missed(rules.values(), known), *self._over(rules, known)]
        suspected = {(alert.status, _identity(alert.labels)) for alert in found}
        sure = [alert for alert in found if (alert.status, _identity(alert.labels)) in self._suspected]
        self._suspected = suspected
        for alert in sure:
            kind = MISSED if alert.status == "firing" else RESOLVED
            self._counters.add(sc.WATCHER_RECONCILED, kind=kind)
            logger.info("alert reconciled", extra={"alert": alert.name, "kind": kind})
        if sure:
            told = {"source": "poll", "alerts": [{**alert.labels, "status": alert.status} for alert in sure]}
            await self._intake.handle_alert(sure, json.dumps(told).encode())
        return sure

    def _missed(self, rules: Iterable[RuleState], known: Sequence[Alert]) -> list[Alert]:
        earliest = self._clock.now() - timedelta(seconds=self._config.patience_s)
        told = {_identity(alert.labels) for alert in known if alert.status == "firing"}
        return [
            alert
            for rule in rules
            if rule.is_healthy
            for alert in _alerts(each for each in rule.firing or () if not each.is_silenced)
            if alert.starts_at <= earliest
            and alert.labels.get(_FOLDER) in self._config.folders
            and _identity(alert.labels) not in told
        ]

    def _over(self, rules: Mapping[str, RuleState], known: Sequence[Alert]) -> list[Alert]:
        now = self._clock.now()
        over = []
        for alert in known:
            rule = rules.get(alert.name)
            if alert.status != "firing" or rule is None or not rule.is_healthy or rule.firing is None:
                continue
            if _identity(alert.labels) not in {_identity(each.labels) for each in _alerts(rule.firing)}:
                over.append(replace(alert, status="resolved", ends_at=now))
        return over

    async def _known(self) -> AsyncIterator[Alert]:
        """Yield the alerts of the newest incidents, the newest word of each first."""
        seen: set[LabelSet] = set()
        page = await self._incidents.list(limit=RECENT)
        for incident in page.items:
            for alert in incident.alerts:
                if (identity := _identity(alert.labels)) not in seen:
                    seen.add(identity)
                    yield alert

    async def _poll_forever(self) -> None:
        while True:
            await self._clock.sleep(self._config.poll_s)
            try:
                await self.poll()
            except AwfError as error:
                self._counters.add(sc.WATCHER_FAILURES, stage="polling")
                logger.warning("Grafana's alerts could not be compared", extra={"error": error.message})
            except Exception:  # boundary: an answer of an unknown shape must not end the comparison
                self._counters.add(sc.WATCHER_FAILURES, stage="polling")
                logger.exception("Grafana's alerts could not be compared")


def _alerts(firing: Iterable[FiringAlert]) -> list[Alert]:
    """Return what webhooks would have told. The fingerprints are our own: Grafana's cover labels it does not show."""
    return [
        cleaned(
            Alert(
                fingerprint=f"poll-{_digest(each.labels)}",
                status="firing",
                starts_at=each.active_at,
                labels=each.labels,
                annotations=each.annotations,
            )
        )
        for each in firing
    ]


def _digest(labels: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(sorted(_identity(labels))).encode()).hexdigest()[:16]


def _identity(labels: Mapping[str, str]) -> LabelSet:
    return frozenset((name, text) for name, text in labels.items() if name != _FOLDER)
