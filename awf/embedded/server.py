"""The embedded telemetry backend as one object: store, receivers, query APIs, ruler, Grafana's face."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TypedDict

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from awf.core.clock import Clock, SystemClock
from awf.core.counters import Counters
from awf.embedded import (
    grafana,
    logql,
    loki_api,
    otlp,
    prometheus_api,
    promql,
    remote_write,
    store_admin,
    tempo_api,
    traceql,
)
from awf.embedded.answer_cache import AnswerCache
from awf.embedded.changes import Changes
from awf.embedded.hosts import HostCheck
from awf.embedded.inlet import Inlet
from awf.embedded.ports import reserve
from awf.embedded.query_pool import QueryPool
from awf.embedded.ruler import Ruler, RulerConfig
from awf.embedded.store import DuckStore
from awf.embedded.web import WebServers

logger = logging.getLogger(__name__)

STORE_FILE = "telemetry.duckdb"
GRPC_STOP_GRACE_S = 1.0
ANSWERS_SHARE, RANGES_SHARE = 64, 16
"""Which part of the store's memory each API's kept answers, and the kept results of range queries, may have beside
it."""
SWEEP_INTERVAL_S = 3600.0
MS_PER_DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Ports:
    """One port per face; 0 takes a free one."""

    grafana: int = 3000
    mimir: int = 9009
    loki: int = 3100
    tempo: int = 3200
    otlp_grpc: int = 4317
    otlp_http: int = 4318

    @property
    def by_setting(self) -> dict[str, int]:
        return {f"AWF_{item.name.upper()}_PORT": getattr(self, item.name) for item in fields(self)}


@dataclass(frozen=True, slots=True)
class EmbeddedConfig:
    """What the backend is told. `rules_dir` holds `recording/` and `alerts/`; times are in seconds."""

    data_dir: Path
    rules_dir: Path
    dashboards_dir: Path | None = None
    host: str = "127.0.0.1"
    ports: Ports = field(default_factory=Ports)
    allowed_hosts: tuple[str, ...] = ()
    grafana_token: str = ""
    webhook_url: str = ""
    webhook_secret: str = ""
    rule_interval_s: float = 5.0
    group_wait_s: float = 2.0
    group_interval_s: float = 60.0
    repeat_interval_s: float = 14_400.0
    memory_mb: int = 1_024
    max_mb: int = 10_240
    retention_days: int = 30
    query_timeout_s: float = 30.0
    query_threads: int = 4


class _Shared(TypedDict):
    clock: Clock
    queries: QueryPool


class EmbeddedServer:
    """Start it once, stop it once. After `start`, `ports` and `addresses` say where everything is."""

    def __init__(
        self, config: EmbeddedConfig, *, clock: Clock | None = None, counters: Counters | None = None
    ) -> None:
        self.config = config
        self.ports = config.ports
        self._clock = clock or SystemClock()
        self._counters = counters or Counters()
        self._opened = AsyncExitStack()

    @property
    def addresses(self) -> dict[str, str]:
        """Return name -> URL, and host:port for gRPC."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.config.host, self.config.host)  # noqa: S104
        host = f"[{host}]" if ":" in host else host
        return {
            "grafana": f"http://{host}:{self.ports.grafana}",
            "mimir": f"http://{host}:{self.ports.mimir}",
            "loki": f"http://{host}:{self.ports.loki}",
            "tempo": f"http://{host}:{self.ports.tempo}",
            "otlp_grpc": f"{host}:{self.ports.otlp_grpc}",
            "otlp_http": f"http://{host}:{self.ports.otlp_http}",
        }

    async def start(self) -> None:
        """Open everything and serve. Raises PortInUse, DataDirError or ConfigError, and then nothing
        is left open."""
        try:
            await self._start()
        except BaseException:
            await self._opened.aclose()
            raise

    async def stop(self) -> None:
        """Stop serving, finish what was accepted and close the store; under 3 seconds."""
        await self._opened.aclose()

    async def _start(self) -> None:
        sockets = self._reserve()
        store = await asyncio.to_thread(
            DuckStore.open,
            self.config.data_dir / STORE_FILE,
            memory_mb=self.config.memory_mb,
            max_mb=self.config.max_mb,
            counters=self._counters,
        )
        self._opened.push_async_callback(asyncio.to_thread, store.close)
        kept = promql.RangeCache(
            store.sample_changes, max_bytes=(self.config.memory_mb << 20) // RANGES_SHARE
        )
        engine = promql.Engine(store, kept=kept)
        ruler = await Ruler.open(
            self._ruler_config(),
            engine=engine,
            sink=store,
            check_expr=promql.parse,
            clock=self._clock,
            counters=self._counters,
        )
        annotations = await grafana.AnnotationStore.open(self.config.data_dir)
        self._opened.push_async_callback(annotations.close)
        inlet = Inlet(store, retention_ns=self.config.retention_days * MS_PER_DAY * 1_000_000)
        self._opened.callback(inlet.close)
        receiver = otlp.Receiver(inlet)

        apps = self._apps(store, engine, ruler, annotations)
        apps["otlp_http"] = otlp.create_app(receiver)
        apps["mimir"] = Starlette(
            routes=[
                *remote_write.create_routes(inlet),
                *store_admin.create_routes(store, self.config.grafana_token),
                Mount("/prometheus", apps["mimir"]),
            ]
        )
        await self._serve(apps, sockets, receiver, ruler)
        self._start_sweeping(store)

    def _apps(
        self,
        store: DuckStore,
        engine: promql.Engine,
        ruler: Ruler,
        annotations: grafana.AnnotationStore,
    ) -> dict[str, ASGIApp]:
        queries = QueryPool(threads=self.config.query_threads, timeout_s=self.config.query_timeout_s)
        self._opened.callback(queries.close)
        shared: _Shared = {"clock": self._clock, "queries": queries}
        retention = {"storage.tsdb.retention.time": f"{self.config.retention_days}d"}
        prometheus = prometheus_api.create_app(
            engine, store, ruler, flags=retention, answers=self._answers(store.sample_changes), **shared
        )
        loki_engine, tempo_engine = logql.Engine(store), traceql.Engine(store)
        loki = loki_api.create_app(
            loki_engine, store, store, answers=self._answers(store.log_changes), **shared
        )
        tempo = tempo_api.create_app(tempo_engine, store, answers=self._answers(store.span_changes), **shared)
        grafana_app = grafana.create_app(
            prometheus=prometheus,
            loki=loki,
            tempo=tempo,
            ruler=ruler,
            annotations=annotations,
            dashboards_dir=self.config.dashboards_dir,
            token=self.config.grafana_token,
            public_url=self.addresses["grafana"],
        )
        return {
            "grafana": grafana_app,
            "mimir": prometheus,
            "loki": loki,
            "tempo": tempo,
        }

    def _answers(self, changes: Changes) -> AnswerCache:
        return AnswerCache(changes, max_bytes=(self.config.memory_mb << 20) // ANSWERS_SHARE)

    def _reserve(self) -> dict[str, socket.socket]:
        """Bind all ports, or none."""
        names = [item.name for item in fields(Ports)]
        sockets = dict(zip(names, reserve(self.config.host, self.config.ports.by_setting), strict=True))
        for sock in sockets.values():
            self._opened.callback(sock.close)
        self.ports = Ports(**{name: sock.getsockname()[1] for name, sock in sockets.items()})
        return sockets

    def _ruler_config(self) -> RulerConfig:
        config = self.config
        return RulerConfig(
            rules_dir=config.rules_dir,
            data_dir=config.data_dir,
            grafana_url=self.addresses["grafana"],
            webhook_url=config.webhook_url,
            webhook_secret=config.webhook_secret,
            rule_interval_s=config.rule_interval_s,
            group_wait_s=config.group_wait_s,
            group_interval_s=config.group_interval_s,
            repeat_interval_s=config.repeat_interval_s,
        )

    async def _serve(
        self,
        apps: dict[str, ASGIApp],
        sockets: dict[str, socket.socket],
        receiver: otlp.Receiver,
        ruler: Ruler,
    ) -> None:
        web, grpc = WebServers(), otlp.GrpcServer(receiver)

        async def stop() -> None:
            await asyncio.gather(web.stop(), grpc.stop(GRPC_STOP_GRACE_S), ruler.stop())

        self._opened.push_async_callback(stop)
        for name, app in apps.items():
            checked = HostCheck(app, host=self.config.host, also=self.config.allowed_hosts)
            await web.start(checked, sockets[name])
        sockets["otlp_grpc"].close()  # gRPC binds for itself
        await grpc.start(self.config.host, self.ports.otlp_grpc)
        await ruler.start()

    def _start_sweeping(self, store: DuckStore) -> None:
        task = asyncio.create_task(self._sweep(store))

        async def stop() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._opened.push_async_callback(stop)

    async def _sweep(self, store: DuckStore) -> None:
        while True:
            await self._clock.sleep(SWEEP_INTERVAL_S)
            now_ms = int(self._clock.now().timestamp() * 1000)
            try:
                await store.sweep(older_than_ms=now_ms - self.config.retention_days * MS_PER_DAY)
            except Exception:  # boundary: retention tries again in an hour
                logger.exception("retention failed")
