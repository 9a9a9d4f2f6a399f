"""A ruler with a clock that tests move, an engine that answers from a table, a receiver in process."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from awf.core.counters import Counters
from awf.core.signing import SIGNATURE_HEADER, TIMESTAMP_HEADER, verify
from awf.embedded.contracts import Refusal
from awf.embedded.model import NO_SAMPLES, Samples
from awf.embedded.ruler import Ruler, RulerConfig

START_MS = 1_795_226_400_000
SECRET = "s3cret"


@dataclass
class FakeClock:
    ms: int = START_MS

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.ms / 1000, UTC)

    async def sleep(self, seconds: float) -> None:
        self.ms += int(seconds * 1000)


@dataclass
class Vector:
    labels: dict[str, str]
    timestamp_ms: int
    value: float


@dataclass
class FakeEngine:
    """Answers by expression; an exception in the table is raised."""

    answers: dict[str, Any] = field(default_factory=dict)

    def instant(self, query: str, at_ms: int) -> Any:
        answer = self.answers.get(query, [])
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, list):
            return [Vector(labels, at_ms, value) for labels, value in answer]
        return answer


@dataclass
class FakeSink:
    samples: list[tuple[dict[str, str], int, float]] = field(default_factory=list)
    refusal: Refusal | None = None

    async def write(self, *, samples: Samples = NO_SAMPLES, **_: Any) -> Refusal | None:
        self.samples.extend(samples.rows())
        return self.refusal

    def take(self) -> list[tuple[dict[str, str], int, float]]:
        taken, self.samples = self.samples, []
        return taken


@dataclass
class Receiver(httpx.AsyncBaseTransport):
    """Takes webhooks, checks their signature against the clock, answers `status`."""

    clock: FakeClock
    status: int = 202
    error: Exception | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.error is not None:
            raise self.error
        body = await request.aread()
        self.requests.append(request)
        verify(
            SECRET, body, request.headers[SIGNATURE_HEADER], request.headers[TIMESTAMP_HEADER],
            now=self.clock.ms / 1000,
        )  # fmt: skip
        if self.status < 300:
            self.bodies.append(json.loads(body))
        return httpx.Response(self.status, text="answer")

    def take(self) -> list[dict[str, Any]]:
        taken, self.bodies = self.bodies, []
        return taken


@dataclass
class Stage:
    """Everything around one ruler; `restart` builds a new one over the same files."""

    directory: Path
    clock: FakeClock
    engine: FakeEngine
    sink: FakeSink
    receiver: Receiver
    counters: Counters
    ruler: Ruler

    async def restart(self, downtime_s: float = 0) -> None:
        await self.ruler.stop()
        self.clock.ms += int(downtime_s * 1000)
        self.ruler = await open_ruler(self)

    async def step(self, seconds: float = 0) -> None:
        """Move the clock, evaluate every group, notify what is due."""
        self.clock.ms += int(seconds * 1000)
        for group in self.ruler.group_states:
            await self.ruler.evaluate(group, self.clock.ms)
        await self.ruler.notify()

    def states(self) -> list[str]:
        return [alert["state"] for alert in self.ruler.alerts()]


async def open_ruler(stage: Stage) -> Ruler:
    config = RulerConfig(
        rules_dir=stage.directory / "rules", data_dir=stage.directory, webhook_url="http://watcher.test/hook",
        webhook_secret=SECRET, grafana_url="http://grafana.test",
    )  # fmt: skip
    return await Ruler.open(
        config, engine=stage.engine, sink=stage.sink, check_expr=str, clock=stage.clock,
        counters=stage.counters, transport=stage.receiver,
    )  # fmt: skip


@pytest.fixture
async def stage(tmp_path: Path):
    """Return a function that opens a ruler over the text of one rule file."""
    opened: list[Stage] = []

    async def make(rules: str) -> Stage:
        (tmp_path / "rules" / "alerts").mkdir(parents=True, exist_ok=True)
        (tmp_path / "rules" / "alerts" / "file.yaml").write_text(rules)
        clock = FakeClock()
        made = Stage(tmp_path, clock, FakeEngine(), FakeSink(), Receiver(clock), Counters(), None)
        made.ruler = await open_ruler(made)
        opened.append(made)
        return made

    yield make
    for made in opened:
        await made.ruler.stop()


MakeStage = Callable[[str], Awaitable[Stage]]
