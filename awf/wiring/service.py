"""The service process: state, watcher, API and pages, and an engine of its own when workflows are given."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from awf import __version__
from awf.agents.telling import Teller
from awf.agents.toolbox import GrafanaMCPClient
from awf.api.app import create_app
from awf.api.runtime import ReadinessCheck, Runtime
from awf.core.clock import SystemClock
from awf.core.counters import Counters
from awf.core.decision_links import DecisionLinks
from awf.core.ports import AlertIntake
from awf.embedded.ports import reserve
from awf.embedded.web import WebServers
from awf.settings import Settings
from awf.state import State
from awf.wiring.channels import channels_of
from awf.wiring.engine import load_registry, open_exporter, start_engine
from awf.wiring.grafana import GrafanaReader
from awf.wiring.incident_traces import build_incident_traces
from awf.wiring.secrets import find
from awf.wiring.state import admin_token, open_state
from awf.wiring.watcher import build_reconciler, build_telemetry, build_watcher


async def start_service(settings: Settings) -> Callable[[], Awaitable[None]]:
    """Start everything in order and return the function that stops it in the reverse order.

    Raises ConfigError and its kin; then nothing is left open.
    """
    async with AsyncExitStack() as opened:
        listener = reserve(settings.host, {"AWF_API_PORT": settings.api_port})[0]
        opened.callback(listener.close)
        state = await open_state(settings)
        opened.push_async_callback(state.aclose)
        leases = state.leases(_name(listener), lapse_s=settings.lease_s)
        if settings.workflows:
            opened.push_async_callback(_start_own_engine(settings, state))
        counters = Counters()
        opened.push_async_callback(open_exporter(settings, "awf-watcher", counters).shutdown, 1.0)
        traces = build_incident_traces(settings, state.incidents, counters)
        opened.push_async_callback(traces.aclose)
        traces.start()
        telemetry = await build_telemetry(settings).open()
        opened.push_async_callback(telemetry.aclose)
        links = DecisionLinks(admin_token(settings), settings.public_base)
        channels = channels_of(settings, links)
        teller = Teller(state.outbox, channels.by_name, SystemClock(), counters)
        opened.push_async_callback(teller.aclose)
        watcher = build_watcher(
            settings, state, leases=leases, telemetry=telemetry, people=teller, counters=counters
        )
        opened.push_async_callback(watcher.aclose)
        readiness: dict[str, ReadinessCheck] = {
            "database": state.check,
            "grafana": partial(_grafana_answers, telemetry),
        }
        dashboards = GrafanaReader(settings.grafana_base, find(settings, "grafana_token"))
        opened.push_async_callback(dashboards.aclose)
        runtime = replace(
            _runtime(settings, state, watcher, readiness, counters),
            dashboards=dashboards,
            buttons=channels.buttons,
            links=links,
            leases=leases,
        )
        servers = WebServers()
        opened.push_async_callback(servers.stop)
        opened.callback(runtime.stopping.set)
        await servers.start(create_app(runtime), listener)
        teller.start()
        await watcher.start()
        if settings.alert_poll_s:
            reconciler = build_reconciler(settings, state, telemetry, watcher, counters)
            opened.push_async_callback(reconciler.aclose)
            reconciler.start()
        return opened.pop_all().aclose


def _start_own_engine(settings: Settings, state: State) -> Callable[[], Awaitable[None]]:
    registry = load_registry(settings.workflows)
    controls_file = settings.data_dir / "controls.json"
    _, stop = start_engine(
        settings, registry, state.controls, state.executions, name="awf", controls_file=controls_file
    )
    return stop


def _runtime(
    settings: Settings,
    state: State,
    watcher: AlertIntake,
    readiness: Mapping[str, ReadinessCheck],
    counters: Counters,
) -> Runtime:
    return Runtime(
        incidents=state.incidents,
        approvals=state.approvals,
        audit=state.audit,
        controls=state.controls,
        directory=state.controls,
        executions=state.executions,
        tokens=state.tokens,
        sessions=state.sessions,
        replays=state.replays,
        switch=state.switch,
        intake=watcher,
        webhook_secret=find(settings, "webhook_secret"),
        webhook_max_bytes=settings.webhook_max_bytes,
        public_url=settings.public_base,
        version=__version__,
        is_loopback=settings.is_loopback,
        counters=counters,
        readiness=readiness,
    )


def _name(listener: socket.socket) -> str:
    """Return what tells this service from others that run now, and is the same after a restart."""
    return f"{socket.gethostname()}:{listener.getsockname()[1]}"


async def _grafana_answers(telemetry: GrafanaMCPClient) -> None:
    """Return when a query through mcp-grafana and Grafana is answered. Raises Unavailable."""
    await telemetry.instant("vector(1)", at=datetime.now(UTC))
