"""A trace of every incident that ended, from its timeline: where the time to recovery went.

Ids follow from the incident's: every replica may send it, and a backend keeps one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from awf.core import semconv as sc
from awf.core.counters import Counters
from awf.core.incident_history import closing_of, stages_of
from awf.core.incidents import ActionOutcome, Incident, TimelineEntry
from awf.core.ports import IncidentStore
from awf.errors import StateUnavailable
from awf.orchestration.identity import SpanIdentity, step_span, workflow_span
from awf.orchestration.telemetry.delivery import Delivery, Expired, Stop, Stopped
from awf.orchestration.telemetry.endpoints import TRACES, endpoint_for, resource_of
from awf.orchestration.telemetry.outlets import OtlpTraces, TraceOutlet
from awf.orchestration.telemetry.senders import sender_for
from awf.orchestration.telemetry.spans import Attributes, SpanData
from awf.orchestration.telemetry.wire import Envelope
from awf.settings import Settings
from awf.wiring.engine import default_endpoint
from awf.wiring.redaction import build_mask

Mask = Callable[[str], str]

REMEMBERED, WAITING, RETRY_S = 1_000, 200, 1.0
_BAD = frozenset({ActionOutcome.INEFFECTIVE, ActionOutcome.FAILED, ActionOutcome.UNDONE})


def build_incident_traces(settings: Settings, incidents: IncidentStore, counters: Counters) -> IncidentTraces:
    """Return what sends traces to the collector of the settings. Raises ConfigError, MissingDependency."""
    endpoint = endpoint_for(TRACES, os.environ, endpoint=default_endpoint(settings))
    resource, _ = resource_of(os.environ, "awf-watcher")
    stop = Stop()
    envelope = Envelope(resource, has_schema=True)
    sender = sender_for(endpoint)
    outlet = OtlpTraces(Delivery(TRACES, sender, envelope, counters, stop))
    return IncidentTraces(incidents, outlet, stop, build_mask(settings), sender.close)


class IncidentTraces:
    """Follows the incidents and sends the trace of each when it is closed. Traces wait in memory for a collector
    that is away; the oldest give way."""

    def __init__(
        self,
        incidents: IncidentStore,
        outlet: TraceOutlet,
        stop: Stop,
        mask: Mask = str,
        on_close: Callable[[], object] = lambda: None,
    ) -> None:
        self._incidents = incidents
        self._outlet = outlet
        self._mask = mask
        self._on_close = on_close
        self._stop = stop
        self._sent: OrderedDict[str, None] = OrderedDict()
        self._queue: queue.Queue[Sequence[SpanData]] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._send, name="awf-incident-traces", daemon=True)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow, until `aclose`."""
        self._thread.start()
        self._task = asyncio.create_task(self._follow(), name="incident traces")

    async def aclose(self, timeout_s: float = 1.0) -> None:
        """Send what waits, for `timeout_s` at most."""
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._stop.at(time.monotonic() + timeout_s)
        self._put(())
        await asyncio.to_thread(self._thread.join, timeout_s)
        self._on_close()

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(StateUnavailable):  # it goes on with what was saved meanwhile
                await self._follow_while_it_lasts()
            await asyncio.sleep(RETRY_S)

    async def _follow_while_it_lasts(self) -> None:
        async for incident in self._incidents.changed():
            if closing_of(incident) is None or incident.id in self._sent:
                continue
            self._sent[incident.id] = None
            if len(self._sent) > REMEMBERED:
                self._sent.popitem(last=False)
            self._put(incident_spans(incident, self._mask))

    def _put(self, spans: Sequence[SpanData]) -> None:
        while True:
            with contextlib.suppress(queue.Full):
                return self._queue.put_nowait(spans)
            with contextlib.suppress(queue.Empty):
                self._queue.get_nowait()

    def _send(self) -> None:
        while spans := self._queue.get():
            with contextlib.suppress(Stopped, Expired):
                self._outlet.send(spans, lambda: False)


def trace_id_of(incident: Incident) -> str:
    """Return the id of an incident's trace."""
    return workflow_span(incident.id).trace_id


def incident_spans(incident: Incident, mask: Mask = str) -> list[SpanData]:
    """Return the spans of a closed incident: itself, its stages, and the looks that were taken."""
    closing = closing_of(incident)
    end = closing.at if closing else incident.opened_at
    root = SpanData(
        sc.SPAN_INCIDENT, *workflow_span(incident.id),
        _ns(incident.opened_at), _ns(end), _attributes(incident, mask),
        [(_ns(entry.at), entry.kind, {"text": mask(entry.text)}) for entry in incident.timeline if entry.at <= end],
        error=mask(closing.text) if closing and incident.outcome in _BAD else None,
    )  # fmt: skip
    return [root, *_stages(incident, end), *_looks(incident, mask)]


def _stages(incident: Incident, end: datetime) -> Iterator[SpanData]:
    for number, stage in enumerate(stages_of(incident)):
        yield SpanData(
            f"{sc.SPAN_INCIDENT}.{stage.status}", *_child(incident, f"{stage.status}/{number}"),
            _ns(stage.start), _ns(stage.end or end), {"incident_id": incident.id},
        )  # fmt: skip


def _looks(incident: Incident, mask: Mask) -> Iterator[SpanData]:
    for number, entry in enumerate(incident.timeline):
        took_ms = _took_ms(entry)
        if took_ms is not None:
            attributes: Attributes = {"incident_id": incident.id, "found": mask(entry.text)}
            if isinstance(queries := entry.detail.get("queries"), int):
                attributes["queries"] = queries
            yield SpanData(
                f"{sc.SPAN_INCIDENT}.look", *_child(incident, f"look/{number}"),
                _ns(entry.at - timedelta(milliseconds=took_ms)), _ns(entry.at), attributes,
            )  # fmt: skip


def _child(incident: Incident, name: str) -> SpanIdentity:
    return step_span(incident.id, 1, "", name)


def _took_ms(entry: TimelineEntry) -> float | None:
    took = entry.detail.get("duration_ms") if entry.kind == "investigation" else None
    return float(took) if isinstance(took, int | float) else None


def _attributes(incident: Incident, mask: Mask) -> Attributes:
    found: Attributes = {
        "incident_id": incident.id,
        sc.STATUS: incident.status.value,
        "severity": incident.severity,
        "alerts": sorted({mask(alert.name) for alert in incident.alerts}),
        sc.DECIDED_BY: incident.decided_by,
    }
    if incident.cause is not None:
        found["cause"] = incident.cause.value
    if incident.target is not None:
        found["target"] = mask(str(incident.target))
    if incident.action is not None:
        found["action"] = incident.action.name
    if incident.outcome is not None:
        found["outcome"] = incident.outcome.value
    return found


def _ns(moment: datetime) -> int:
    return int(moment.timestamp() * 1e9)
