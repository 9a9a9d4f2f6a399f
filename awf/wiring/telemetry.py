"""The embedded telemetry backend, with the generated rules and dashboards."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from awf.core.counters import Counters
from awf.embedded.query_pool import share_the_interpreter
from awf.embedded.server import EmbeddedConfig, EmbeddedServer, Ports
from awf.errors import DataDirError
from awf.generate.output import render_dashboards, render_rules, write
from awf.generate.slo import load_slos
from awf.settings import Settings
from awf.wiring.engine import open_exporter
from awf.wiring.secrets import GRAFANA, WEBHOOK, read_or_make


async def start_telemetry(settings: Settings) -> Callable[[], Awaitable[None]]:
    """Start the backend and return the function that stops it. Raises PortInUse, DataDirError, ConfigError.

    What its ruler counts about itself it sends to itself, like any other process.
    """
    share_the_interpreter()
    counters = Counters()
    server = EmbeddedServer(embedded_config(settings), counters=counters)
    await server.start()
    exporter = open_exporter(settings, "awf-embedded", counters)

    async def stop() -> None:
        await exporter.shutdown(1.0)
        await server.stop()

    return stop


def embedded_config(settings: Settings) -> EmbeddedConfig:
    """Return what the backend is told; writes the generated rules and dashboards into the data directory."""
    grafana_token = settings.secret("grafana_token") or read_or_make(settings.data_dir, GRAFANA)
    generated = settings.data_dir / "generated"
    rules = render_rules(settings.public_base, load_slos(settings.slo_file)) if not settings.rules_dir else {}
    return EmbeddedConfig(
        data_dir=settings.data_dir,
        rules_dir=settings.rules_dir or _written(generated / "rules", rules),
        dashboards_dir=_written(generated / "dashboards", render_dashboards(settings.public_base)),
        host=settings.host,
        ports=Ports(
            grafana=settings.grafana_port,
            mimir=settings.mimir_port,
            loki=settings.loki_port,
            tempo=settings.tempo_port,
            otlp_grpc=settings.otlp_grpc_port,
            otlp_http=settings.otlp_http_port,
        ),
        allowed_hosts=tuple(filter(None, (name.strip() for name in settings.allowed_hosts.split(",")))),
        grafana_token=grafana_token,
        webhook_url=f"{settings.api_base}/webhooks/grafana-alerts",
        webhook_secret=settings.secret("webhook_secret") or read_or_make(settings.data_dir, WEBHOOK),
        rule_interval_s=settings.rule_interval_s,
        group_wait_s=settings.group_wait_s,
        group_interval_s=settings.group_interval_s,
        repeat_interval_s=settings.repeat_interval_s,
        memory_mb=settings.store_memory_mb,
        max_mb=settings.store_max_mb,
        retention_days=settings.retention_days,
        query_timeout_s=settings.query_timeout_s,
        query_threads=settings.query_threads,
    )


def _written(folder: Path, files: dict[str, str]) -> Path:
    try:
        # A rule that no longer exists must not be evaluated from an older version's file.
        for path in folder.rglob("*"):
            if path.is_file() and path.relative_to(folder).as_posix() not in files:
                path.unlink()
        write(folder, files)
    except OSError as error:
        raise DataDirError(
            f"the data directory cannot be written: {error}", hint="Set AWF_DATA_DIR to another folder."
        ) from error
    return folder
