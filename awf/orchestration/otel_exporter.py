"""Turns workflow events into OpenTelemetry traces, metrics and logs, sent by OTLP.

`record` has an event on disk when it returns; one background thread does the rest (`telemetry/`). Without a
spool events wait in memory, and what waits there is lost with the process.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import logging
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from awf.core.counters import Counters
from awf.core.redact import Redactor
from awf.core.semconv import EVENTS_DROPPED
from awf.errors import ConfigError, DataDirError, Overloaded
from awf.orchestration import spool_lanes
from awf.orchestration._drops import Drops
from awf.orchestration.engine import EngineSnapshot
from awf.orchestration.events import WorkflowEvent
from awf.orchestration.memory_spool import MemorySpool
from awf.orchestration.spool import MAX_BYTES, Backlog, Depth, Spool
from awf.orchestration.spool_lanes import INSTANCE, Lane
from awf.orchestration.telemetry.aggregate import MAX_SERIES
from awf.orchestration.telemetry.assembly import METRIC_INTERVAL_S, Destination, Outside, Parts, assemble
from awf.orchestration.telemetry.endpoints import endpoints_from, resource_of
from awf.orchestration.telemetry.housekeeping import Housekeeper
from awf.orchestration.telemetry.metric_wire import Probe, Reading
from awf.orchestration.telemetry.outlets import probe_all
from awf.orchestration.telemetry.pipeline import MAX_AGE_S
from awf.orchestration.telemetry.probes import read_backlog, read_counters, read_engine
from awf.orchestration.telemetry.record import Masker, RecordWriter

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider

logger = logging.getLogger(__name__)

AT_EXIT_S = 2.0


@dataclass(frozen=True, slots=True)
class SpoolOptions:
    """How events are kept on disk. `max_bytes` and `max_age_s` bound what waits for the collector; after
    `fsync_s` seconds an event also survives the machine's death."""

    directory: Path
    max_bytes: int = MAX_BYTES
    max_age_s: float = MAX_AGE_S
    fsync_s: float = 1.0


@dataclass(slots=True)
class _Open:
    """What runs in this process. A fork leaves it behind."""

    backlog: Backlog
    parts: Parts
    lane: Lane | None
    housekeeper: Housekeeper | None

    def let_go(self) -> None:
        """Close the files and give the lane to others, as soon as the thread needs them no more."""
        self.parts.thread.join()
        with contextlib.suppress(OSError):
            self.backlog.close()
        lane, self.lane = self.lane, None
        if lane is not None:
            lane.release()


class OTelExporter:
    """Exports events: `EventEmitter(recorder=exporter.record)`.

    The endpoint is the argument, else `OTEL_EXPORTER_OTLP_ENDPOINT`, else 127.0.0.1; the other `OTEL_*`
    variables are described in `telemetry.endpoints`. `instance_id` is what tells processes of one service apart;
    without it each process is another. With `spool`, a directory, events survive the process.
    Providers that are passed in get their signals and stay open at shutdown. Inputs and outputs of workflows
    are exported only with `include_content`. Raises ConfigError, and DataDirError where no spool can be kept.
    """

    def __init__(  # noqa: PLR0913 - each is a keyword with a default
        self,
        endpoint: str = "",
        *,
        service_name: str = "",
        instance_id: str = "",
        protocol: str = "",
        spool: SpoolOptions | Path | str | None = None,
        redactor: Masker | None = None,
        include_content: bool = False,
        max_series: int = MAX_SERIES,
        counters: Counters | None = None,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
    ) -> None:
        self.counters = counters or Counters()
        self._spool = SpoolOptions(Path(spool)) if isinstance(spool, (Path, str)) else spool
        self._destination = Destination(
            endpoints_from(os.environ, endpoint=endpoint, protocol=protocol),
            metric_interval_s=_milliseconds("OTEL_METRIC_EXPORT_INTERVAL", METRIC_INTERVAL_S * 1000) / 1000,
            max_age_s=self._spool.max_age_s if self._spool else MAX_AGE_S,
            max_series=max_series,
        )
        self._resource, self._is_instance_given = resource_of(os.environ, service_name, instance_id)
        self._writer = RecordWriter(
            redactor or Redactor(counters=self.counters), self.counters, include_content=include_content
        )
        self._drops = Drops(self.counters, "exporter")
        self._watched = [self.counters]
        self._probes: list[Probe] = [self._read_backlog, self._read_counters]
        self._outside = self._open_providers(tracer_provider, meter_provider, logger_provider)
        self._is_closed = False
        self._starting = threading.Lock()
        self._open: _Open | None = None
        self._start()
        forked, ending = weakref.WeakMethod(self._forget), weakref.WeakMethod(self._end)
        if hasattr(os, "register_at_fork"):  # not on Windows, which has no forks
            os.register_at_fork(after_in_child=lambda: (method := forked()) and method())
        atexit.register(lambda: (method := ending()) and method())

    def record(self, event: WorkflowEvent) -> bool:
        """Take an event, from any thread, and say whether it was accepted. One that was not is counted, by
        its reason, and the program goes on."""
        if self._is_closed:
            self._drops.add("closed", type(event).__name__)
            return False
        try:
            is_open = self._open or self._start()  # the child of a fork starts with its first event
            is_open.backlog.append(self._writer.write(event))
        except Overloaded as error:
            self._drops.add("spool_full" if self._spool else "memory_full", event.type, detail=error.message)
        except (OSError, DataDirError) as error:
            self._drops.add("spool_failed", event.type, detail=str(error))
        except Exception as error:  # boundary: whatever an event is made of, its program goes on
            self._drops.add("invalid", type(event).__name__, detail=f"{type(error).__name__}: {error}"[:300])
        else:
            return True
        return False

    async def on_event(self, event: WorkflowEvent) -> None:
        """Take an event as one of an emitter's subscribers. `EventEmitter(recorder=exporter.record)` keeps
        more: there the event is on disk before `emit` returns."""
        self.record(event)

    def watch(self, snapshot: Callable[[], EngineSnapshot]) -> None:
        """Export how busy an engine is; `snapshot` is called from the exporter's thread."""
        self._probes.append(lambda: read_engine(snapshot()))

    def watch_counters(self, counters: Counters) -> None:
        """Export what parts count about themselves; the exporter's own counters are exported anyway."""
        if not any(known is counters for known in self._watched):
            self._watched.append(counters)

    @property
    def waiting(self) -> Depth:
        """How much waits for the collector."""
        return self._open.backlog.depth() if self._open else Depth(0, 0)

    async def flush(self, timeout_s: float = 10.0) -> bool:
        """Send what waits, and say whether all of it has arrived in time."""
        if (is_open := self._open) is None:
            return True
        goal, give_up_at = is_open.backlog.end, time.monotonic() + timeout_s
        while is_open.backlog.acknowledged < goal and time.monotonic() < give_up_at and not self._is_closed:
            is_open.parts.pipeline.hurry()
            await asyncio.sleep(0.005)
        return is_open.backlog.acknowledged >= goal

    async def shutdown(self, timeout_s: float = 3.0) -> None:
        """Send what waits, for `timeout_s` at most; what is left stays in the spool, if there is one. May be
        called again."""
        if (is_open := self._begin_to_end(timeout_s)) is None:
            return
        give_up_at = time.monotonic() + timeout_s
        try:
            while is_open.parts.thread.is_alive() and time.monotonic() < give_up_at:  # noqa: ASYNC110
                await asyncio.sleep(0.01)  # the thread may outlive the loop, so it must not signal it
        finally:
            self._finish(is_open)

    # -- inside

    def _start(self) -> _Open:
        with self._starting:
            return self._open or self._start_once()

    def _start_once(self) -> _Open:
        lane, housekeeper, resource = None, None, self._resource
        backlog: Backlog = MemorySpool()
        with contextlib.ExitStack() as undo:  # it may be tried again with each event, and must hold nothing
            if self._spool is not None:
                lane = spool_lanes.claim(
                    self._spool.directory, resource, is_instance_given=self._is_instance_given
                )
                undo.callback(lane.release)
                resource = lane.resource
                backlog = Spool(lane.folder, max_bytes=self._spool.max_bytes, counters=self.counters)
                undo.callback(backlog.close)
            parts = assemble(
                backlog, resource, self._destination, self.counters, folder=lane.folder if lane else None,
                probes=self._probes, outside=self._outside,
            )  # fmt: skip
            if self._spool is not None:
                housekeeper = Housekeeper(backlog, self._spool.directory, self._destination, self.counters)
                undo.callback(housekeeper.stop)
                housekeeper.start(self._spool.fsync_s)
            parts.start()
            undo.pop_all()
        self._open = _Open(backlog, parts, lane, housekeeper)
        return self._open

    def _forget(self) -> None:
        # In a child of a fork: the parent's threads do not run here, and its spool is not ours.
        self._starting = threading.Lock()
        is_open, self._open = self._open, None
        self.counters.begin_anew()
        # Two processes of one instance would write into each other's series.
        self._resource = self._resource | {INSTANCE: f"{self._resource[INSTANCE]}-{secrets.token_hex(4)}"}
        self._is_instance_given = False
        if is_open is not None:
            is_open.backlog.abandon()
            if is_open.lane:
                is_open.lane.abandon()  # our copy of the lock would keep the lane after the parent's end

    def _end(self) -> None:
        """Give a program that just ends its chance to send what waits."""
        if (is_open := self._begin_to_end(AT_EXIT_S)) is not None:
            is_open.parts.thread.join(AT_EXIT_S)
            self._finish(is_open)

    def _begin_to_end(self, timeout_s: float) -> _Open | None:
        is_open = None if self._is_closed else self._open
        self._is_closed = True
        if is_open is not None:
            is_open.parts.stop.at(time.monotonic() + timeout_s)
            is_open.parts.pipeline.hurry()
        return is_open

    def _finish(self, is_open: _Open) -> None:
        for sender in is_open.parts.senders:
            sender.close()  # aborts what is under way
        if is_open.housekeeper:
            is_open.housekeeper.stop()
        left = is_open.backlog.depth().events
        if left and self._spool is None:
            self.counters.add(EVENTS_DROPPED, left, reason="shutdown")
            logger.warning("events not delivered at shutdown", extra={"events": left})
        if not is_open.parts.thread.is_alive():
            is_open.let_go()
            return
        # A process at its end starts no thread, and holds nothing long.
        with contextlib.suppress(RuntimeError):
            threading.Thread(target=is_open.let_go, name="awf-telemetry-end", daemon=True).start()

    def _open_providers(
        self, tracers: TracerProvider | None, meters: MeterProvider | None, loggers: LoggerProvider | None
    ) -> Outside:
        outside = Outside()
        if tracers is not None or meters is not None or loggers is not None:
            from awf.orchestration.telemetry.sdk_outlets import SdkLogs, SdkMetrics, SdkTraces

            outside.traces = SdkTraces(tracers, self.counters) if tracers is not None else None
            outside.logs = SdkLogs(loggers, self.counters) if loggers is not None else None
            if meters is not None:
                outside.metrics = SdkMetrics(meters, lambda: probe_all(self._probes), self.counters)
        return outside

    def _read_counters(self) -> Iterable[Reading]:
        return [reading for counters in self._watched for reading in read_counters(counters)]

    def _read_backlog(self) -> Iterable[Reading]:
        if (is_open := self._open) is None:
            return ()
        backlog = is_open.backlog
        return read_backlog(backlog.depth(), backlog.max_bytes, is_open.parts.pipeline.oldest_age_s)


def _milliseconds(variable: str, default: float) -> float:
    text = os.environ.get(variable, "") or str(int(default))
    if not text.isdecimal() or int(text) == 0:
        raise ConfigError(f"{variable} is {text!r}, expected a number of milliseconds above 0")
    return float(text)
