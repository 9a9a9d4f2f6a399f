"""Run the whole product on this machine with no container: telemetry backend, service, demo workload.

Ctrl-C stops everything; the data stays in AWF_DATA_DIR and a second start finds it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
import time
from typing import TYPE_CHECKING

from awf.cli._story import follow, tell
from awf.core.semconv import EXECUTIONS_ACTIVE

if TYPE_CHECKING:
    from awf.cli._supervisor import Supervisor
    from awf.settings import Settings
    from awf.wiring.secrets import LocalSecrets

HELP = "run everything on this machine, with the demo workload"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-demo", action="store_true", help="do not run the demo workload")
    parser.add_argument(
        "--faults",
        metavar="NAME:SECONDS,...",
        help="faults to inject into the demo (AWF_DEMO_FAULTS); '' for none",
    )


def run(args: argparse.Namespace) -> int:
    from awf.settings import load

    return asyncio.run(_up(load(), args))


async def _up(settings: Settings, args: argparse.Namespace) -> int:
    from awf.cli._supervisor import Supervisor
    from awf.wiring.ports import require_free
    from awf.wiring.secrets import LocalSecrets

    require_free(settings)
    secrets = LocalSecrets.ensure(settings)
    environ = secrets.environ(settings)
    if args.faults is not None:
        environ["AWF_DEMO_FAULTS"] = args.faults
    supervisor = Supervisor(settings.data_dir / "logs", environ, _relay)
    finished = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, finished.set)
    try:
        starting = asyncio.create_task(_start(settings, supervisor, secrets, demo=not args.no_demo))
        story = asyncio.create_task(_until(finished, starting, settings, supervisor, secrets))
        await story
    finally:
        started = time.monotonic()
        await supervisor.stop()
        tell(
            "stopped",
            f"everything, in {time.monotonic() - started:.1f} s; the data is in {settings.data_dir}",
        )
    return 0


async def _until(
    finished: asyncio.Event,
    starting: asyncio.Task[None],
    settings: Settings,
    supervisor: Supervisor,
    secrets: LocalSecrets,
) -> None:
    """Wait for the start, then follow the story until a signal or until a child ends."""
    signalled = asyncio.create_task(finished.wait())
    await asyncio.wait({signalled, starting}, return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        return
    starting.result()
    story = asyncio.create_task(follow(settings.api_base, secrets.admin_token))
    death = asyncio.create_task(supervisor.first_death())
    await asyncio.wait({signalled, death}, return_when=asyncio.FIRST_COMPLETED)
    story.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await story
    if death.done():
        raise death.result()
    death.cancel()


async def _start(settings: Settings, supervisor: Supervisor, secrets: LocalSecrets, *, demo: bool) -> None:
    began = time.monotonic()
    host = settings.own_address
    backend = await supervisor.start("embedded")
    service = await supervisor.start("serve")
    await supervisor.wait_ready(backend, f"http://{host}:{settings.mimir_port}/prometheus/-/ready", 30)
    await supervisor.wait_ready(service, f"http://{host}:{settings.api_port}/readyz", 30)
    if demo:
        await supervisor.start("demo")
    tell("ready", f"in {time.monotonic() - began:.1f} s")
    for name, address in (
        ("pages", f"{await secrets.login_link(settings)} (logs your browser in, once)"),
        ("dashboards", f"{settings.public_base}/ui/dashboards"),
        ("API", f"{settings.public_base}/docs"),
        ("metrics", f"http://{host}:{settings.mimir_port}/prometheus/api/v1/query?query={EXECUTIONS_ACTIVE}"),
        ("logs", f"http://{host}:{settings.loki_port}/loki/api/v1/labels"),
        ("traces", f"http://{host}:{settings.tempo_port}/api/search"),
        ("OTLP", f"{host}:{settings.otlp_grpc_port} (gRPC), {host}:{settings.otlp_http_port} (HTTP)"),
        (
            "next",
            _what_comes(settings, supervisor.environ.get("AWF_DEMO_FAULTS", settings.demo_faults), demo=demo),
        ),
    ):
        print(f"          {name:<13} {address}", flush=True)


def _what_comes(settings: Settings, faults: str, *, demo: bool) -> str:
    """Say what a newcomer will see."""
    if not demo:
        return "send telemetry to OTLP; alerts and what the watcher does about them appear here"
    planned = [part.strip().partition(":") for part in faults.split(",") if part.strip()]
    if not planned:
        command = f"AWF_DATA_DIR={settings.data_dir} {sys.argv[0]} demo fault agent_errors"
        return f"three demo workflows run; break one with `{command}`"
    when = ", ".join(f"{name} after {seconds} s" for name, _, seconds in planned)
    return f"three demo workflows run; the demo breaks itself: {when}. Watch what the watcher does"


def _relay(line: str) -> None:
    kind, _, text = line.partition(" ")
    tell(kind, text)
