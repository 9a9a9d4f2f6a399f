"""What the harness asks of the product that a scenario runs against. `awf/wiring` builds one out of processes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from awf.core.types import Json


class Stack(Protocol):
    """The whole product, alone on ports and data of its own."""

    @property
    def ledger(self) -> Path:
        """Where the demo writes what its users got."""
        ...

    async def start(self, seed: int, *, missing: frozenset[str], through_relay: bool) -> None:
        """Start it, the demo's traffic drawn from `seed`; the signals in `missing` (`logs`, `traces`) go where nobody takes them. Raises AwfError."""
        ...

    async def stop(self) -> None: ...

    async def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Call the API as an admin and return its JSON. Raises AwfError."""
        ...

    async def alert(self, body: Json) -> None:
        """Deliver a webhook as Grafana would."""
        ...

    def order(self, fault: str, *, on: bool, target: str, intensity: float) -> None:
        """Tell the demo to begin or to end a fault."""
        ...

    async def cut_telemetry(self) -> None:
        """Let nothing more of the demo's telemetry arrive. It was started through a relay."""
        ...
