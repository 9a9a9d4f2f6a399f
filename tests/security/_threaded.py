"""The service in a thread of its own, for tests whose own interface is synchronous (Playwright, hypothesis)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

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
def service_in_thread(fill: Fill) -> Iterator[Threaded]:
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
            async with service_of(system) as service:
                await service.person("ana")
                tokens = {role: await service.person(f"a-{role}", role) for role in ("viewer", "admin")}
                code = await state.sessions.create_code("ana")
                found.append(Threaded(service.url, f"{service.url}/ui/login?code={code}", service, tokens))
                is_up.set()
                await asyncio.to_thread(is_done.wait)
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
