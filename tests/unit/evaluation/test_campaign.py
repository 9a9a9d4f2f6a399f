from __future__ import annotations

from pathlib import Path
from typing import Any

from awf.core.clock import SystemClock
from awf.errors import PortInUse
from awf.evaluation.campaign import TRIES, Campaign
from awf.evaluation.run import SHORT
from awf.evaluation.scenario import generate
from awf.evaluation.score import Score


class BrokenStack:
    """A product that never starts."""

    def __init__(self, folder: Path, calls: list[str]) -> None:
        self.ledger = folder / "ledger.jsonl"
        self._calls = calls

    async def start(self, seed: int, *, missing: frozenset[str], through_relay: bool) -> None:
        self._calls.append(f"start {seed}")
        raise PortInUse("port 4317 is taken")

    async def stop(self) -> None:
        self._calls.append("stop")

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        raise AssertionError("nobody may ask what did not start")

    async def alert(self, body: dict[str, Any]) -> None:
        raise AssertionError("nobody may alert what did not start")

    def order(self, fault: str, *, on: bool, target: str, intensity: float) -> None:
        raise AssertionError("nobody may break what did not start")

    async def cut_telemetry(self) -> None:
        raise AssertionError("nobody may break what did not start")


async def test_a_product_that_does_not_start_is_tried_twice_stopped_and_counted_as_not_right(
    tmp_path: Path,
) -> None:
    calls: list[str] = []
    told: list[tuple[str, int, int]] = []

    def tell(found: Score, number: int, count: int) -> None:
        told.append((found.name, number, count))

    campaign = Campaign(
        tmp_path, lambda folder: BrokenStack(folder, calls), SystemClock(),
        jobs=1, pace=SHORT, keep=True, tell=tell,
    )  # fmt: skip
    scores = await campaign.run(generate(4, 2))
    assert calls == [*(["start 4001", "stop"] * TRIES), *(["start 4002", "stop"] * TRIES)]
    assert [each.problem for each in scores] == ["port 4317 is taken"] * 2
    assert not any(each.is_right or each.target_rank == 1 for each in scores)
    assert told == [("4-01", 1, 2), ("4-02", 2, 2)]
