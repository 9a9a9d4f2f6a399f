"""The service in a thread of its own, for tests whose own interface is synchronous (Playwright, hypothesis)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from awf.core.clock import SystemClock
from awf.core.counters import Counters
from awf.remediation.spec import RemediationConfig
from awf.state import State
from awf.testing import FakeControls, FakePeople, FakeTelemetry
from tests.security._service import Service, service_of
from tests.unit.agents._system import System

Fill = Callable[[State, datetime], Awaitable[None]]


@dataclass
class Threaded:
    """Where it is, its tokens by role, and a link that logs a browser in as `ana`, an approver."""

    url: str
    login: str
    service: Service
    tokens: dict[str, str] = field(default_factory=dict)


@contextmanager
def service_in_thread(fill: Fill, **more: Any) -> Iterator[Threaded]:
    """Serve over a state in memory that `fill` has filled, until the block ends."""
    found: list[Threaded] = []
    is_up, is_done = threading.Event(), threading.Event()

    async def serve() -> None:
        clock = SystemClock()
        async with await State.open(control_timeout_s=0.2, poll_s=0.05) as state:
            await fill(state, datetime.now(UTC))
            system = System(
                state,
                clock,
                FakeTelemetry(clock),
                FakeControls(),
                FakePeople(),
                Counters(),
                RemediationConfig(),
            )  # type: ignore[arg-type]
            system.start()
            async with service_of(system, **more) as service, asyncio.TaskGroup() as group:
                beating = group.create_task(_stay_live(state))
                await service.person("ana")
                tokens = {role: await service.person(f"a-{role}", role) for role in ("viewer", "admin")}
                code = await state.sessions.create_code("ana")
                found.append(Threaded(service.url, f"{service.url}/ui/login?code={code}", service, tokens))
                is_up.set()
                await asyncio.to_thread(is_done.wait)
                beating.cancel()
            await system.watcher.aclose()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="service", daemon=True)
    thread.start()
    assert is_up.wait(30)
    try:
        yield found[0]
    finally:
        is_done.set()
        thread.join(30)
        assert not thread.is_alive()


async def _stay_live(state: State) -> None:
    """Let the engines that are there stay: what is asked of them is not refused for their absence."""
    while True:
        for engine in await state.controls.engines():
            await state.controls.heartbeat(engine.id)
        await asyncio.sleep(1)
