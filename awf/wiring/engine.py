"""An engine with its telemetry and its link to the server, wherever it runs."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from awf.core.counters import Counters
from awf.core.ports import EngineDirectory
from awf.errors import ConfigError
from awf.orchestration import Controls, Engine, EventEmitter, Registry
from awf.orchestration.link import EngineLink, EventUpload
from awf.orchestration.otel_exporter import OTelExporter, SpoolOptions
from awf.settings import Settings
from awf.wiring.redaction import build_redactor


def start_engine(
    settings: Settings,
    registry: Registry,
    directory: EngineDirectory,
    uploads: EventUpload,
    *,
    name: str,
    controls_file: Path | None,
) -> tuple[Engine, Callable[[], Awaitable[None]]]:
    """Return a running engine and the function that stops it; its telemetry is that of service `name`."""
    counters = Counters()
    exporter = open_exporter(settings, name, counters, spool=spool_options(settings))
    emitter = EventEmitter(counters, recorder=exporter.record)
    engine = Engine(
        registry, emitter, Controls(registry, controls_file), workers=settings.workers, engine_id=name
    )
    exporter.watch(engine.snapshot)
    link = asyncio.create_task(EngineLink(engine, directory, uploads).run(), name=f"link of {name}")

    async def stop() -> None:
        await engine.aclose(0.5)
        link.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await link
        await emitter.aclose(0.5)
        await exporter.shutdown(1.0)

    return engine, stop


def open_exporter(
    settings: Settings, name: str, counters: Counters, *, spool: SpoolOptions | None = None
) -> OTelExporter:
    """Return an exporter of service `name` that also sends these counters."""
    return OTelExporter(
        default_endpoint(settings), service_name=name, counters=counters, spool=spool,
        redactor=build_redactor(settings, counters), include_content=settings.export_content,
    )  # fmt: skip


def default_endpoint(settings: Settings) -> str:
    """Return the embedded backend's address, or nothing where OTEL_EXPORTER_OTLP_* say another."""
    is_told = any(name.startswith("OTEL_EXPORTER_OTLP_") and value for name, value in os.environ.items())
    return "" if is_told else f"http://{settings.own_address}:{settings.otlp_grpc_port}"


def spool_options(settings: Settings) -> SpoolOptions:
    """Return how events are kept until the collector has them."""
    return SpoolOptions(
        settings.spool_directory,
        max_bytes=settings.spool_max_mb * 1_000_000,
        max_age_s=settings.spool_max_age_s,
        fsync_s=settings.spool_fsync_s,
    )


def load_registry(text: str) -> Registry:
    """Import `module:registry`, a Registry or a function that returns one. Raises ConfigError."""
    module_name, colon, attribute = text.partition(":")
    if not module_name or module_name.startswith(".") or not colon or not attribute:
        raise ConfigError(
            f"AWF_WORKFLOWS={text!r}: expected module:registry", hint="For example myapp.flows:registry."
        )
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"AWF_WORKFLOWS={text!r} cannot be loaded: {error}", hint="Is the module on PYTHONPATH?"
        ) from error
    registry = found() if callable(found) else found
    if not isinstance(registry, Registry):
        raise ConfigError(
            f"AWF_WORKFLOWS={text!r} is a {type(registry).__name__}, expected awf.orchestration.Registry"
        )
    return registry
