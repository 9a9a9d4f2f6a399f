"""The whole product for one scenario of the evaluation: its processes, on ports and data of its own."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Protocol

from awf.core.http import client, raise_for_problem, reaching
from awf.core.types import Json
from awf.errors import Unavailable
from awf.settings import PREFIX, TEST_PREFIX, Settings, load
from awf.wiring.demo import switch_fault
from awf.wiring.ports import PORTS
from awf.wiring.quick_rules import write_quick_rules
from awf.wiring.secrets import WEBHOOK, LocalSecrets, read_or_make

READY_S, LOOK_S = 60.0, 0.25
HOST = "127.0.0.1"
TAKEN_OVER = frozenset({
    "AWF_PLAYBOOK_FILE", "AWF_POLICY_FILE", "AWF_SETTLE_S", "AWF_VERIFY_TIMEOUT_S", "AWF_COOLDOWN_S",
    "AWF_MAX_ACTIONS_PER_HOUR", "AWF_MCP_GRAFANA", "AWF_MCP_TIMEOUT_S", "AWF_LOG_LEVEL",
})  # fmt: skip
"""Settings of the caller that hold in a scenario too: they are part of what is evaluated."""


class Processes(Protocol):
    """What starts `awf NAME` in processes of their own, and stops them."""

    async def start(self, name: str, arguments: tuple[str, ...] = ()) -> Any: ...

    async def wait_ready(self, child: Any, url: str, timeout_s: float) -> None: ...

    async def stop(self) -> None: ...


Launch = Callable[[Path, Mapping[str, str]], Processes]


class ProductStack:
    """Implements the harness's `Stack`: telemetry backend, service with watcher, demo worker."""

    def __init__(self, directory: Path, launch: Launch) -> None:
        self._directory = directory
        self._launch = launch
        self._settings = _settings(directory)
        self._admin_token = ""
        self._started: list[Processes] = []
        self._relay: Relay | None = None

    @property
    def ledger(self) -> Path:
        return self._directory / "ledger.jsonl"

    async def start(self, seed: int, *, missing: frozenset[str], through_relay: bool) -> None:
        settings = self._settings
        secrets = LocalSecrets.ensure(settings)
        self._admin_token = secrets.admin_token
        ports = {f"AWF_{name.upper()}": str(getattr(settings, name)) for name in PORTS}
        rules = await asyncio.to_thread(write_quick_rules, self._directory / "rules", settings.public_base)
        environ = secrets.environ(settings) | ports | {"AWF_RULES_DIR": str(rules)}
        product = self._open(environ)
        backend = await product.start("embedded")
        service = await product.start("serve")
        await product.wait_ready(backend, f"http://{HOST}:{settings.mimir_port}/prometheus/-/ready", READY_S)
        await product.wait_ready(service, f"{settings.api_base}/readyz", READY_S)
        way = await self._way(missing, through_relay=through_relay)
        demo = self._open(environ | {"AWF_DEMO_FAULTS": ""} | way)
        await demo.start("demo", ("--ledger", str(self.ledger), "--seed", str(seed)))
        await self._engine_is_there()

    async def stop(self) -> None:
        for processes in reversed(self._started):
            await processes.stop()
        self._started.clear()
        if self._relay:
            await self._relay.aclose()

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return await self._send(method, path, body, self._admin_token)

    async def alert(self, body: Json) -> None:
        secret = read_or_make(self._settings.data_dir, WEBHOOK)
        await self._send("POST", "/webhooks/grafana-alerts", body, secret)

    def order(self, fault: str, *, on: bool, target: str, intensity: float) -> None:
        switch_fault(self._settings, fault, on=on, target=target, intensity=intensity)

    async def cut_telemetry(self) -> None:
        if self._relay:
            await self._relay.aclose()

    async def _engine_is_there(self) -> None:
        """Wait for the demo: what is ordered before it listens is lost."""
        for _ in range(round(READY_S / LOOK_S)):
            if (await self.ask("GET", "/api/v1/engines"))["items"]:
                return
            await asyncio.sleep(LOOK_S)
        log = self._directory / "logs" / "demo.log"
        raise Unavailable(f"the demo was not there after {READY_S:.0f} s", hint=f"Its log is {log}.")

    def _open(self, environ: Mapping[str, str]) -> Processes:
        processes = self._launch(self._directory / "logs", environ)
        self._started.append(processes)
        return processes

    async def _way(self, missing: frozenset[str], *, through_relay: bool) -> dict[str, str]:
        """Return where the demo sends its telemetry, when that is not straight to the backend."""
        if not missing and not through_relay:
            return {}
        port = self._settings.otlp_grpc_port
        if through_relay:
            self._relay = await Relay.open(port)
            port = self._relay.port
        way = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{HOST}:{port}"}
        return way | {f"OTEL_{signal.upper()}_EXPORTER": "none" for signal in missing}

    async def _send(self, method: str, path: str, body: Mapping[str, Any] | None, token: str) -> Any:
        base = self._settings.api_base
        async with client(base, token=token, timeout_s=30.0) as http:
            with reaching("the service", base):
                response = await http.request(method, path, json=body)
            raise_for_problem(response)
            return response.json() if response.content else None


class Relay:
    """A port that passes bytes on to another one, until it is closed."""

    def __init__(self) -> None:
        self.port = 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @classmethod
    async def open(cls, port: int) -> Relay:
        relay = cls()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            far_reader, far_writer = await asyncio.open_connection(HOST, port)
            relay._open |= {writer, far_writer}
            await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))

        relay._server = await asyncio.start_server(serve, HOST, 0)
        relay.port = relay._server.sockets[0].getsockname()[1]
        return relay

    async def aclose(self) -> None:
        """Take no connection any more and end those that there are."""
        if self._server:
            self._server.close()
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


def forget_surroundings(environ: MutableMapping[str, str]) -> None:
    """Remove the settings that a scenario makes itself: where things are, who may what, where telemetry goes."""
    for name in list(environ):
        is_ours = name.startswith(PREFIX) and not name.startswith(TEST_PREFIX) and name not in TAKEN_OVER
        if is_ours or name.startswith("OTEL_"):
            del environ[name]


def _settings(directory: Path) -> Settings:
    listeners = [socket.create_server((HOST, 0)) for _ in PORTS]
    ports = {name: each.getsockname()[1] for name, each in zip(PORTS, listeners, strict=True)}
    for each in listeners:
        each.close()
    return load(data_dir=directory / "data", **ports)
