"""Runs scenarios, several at a time, and keeps what came of each: an interrupted campaign goes on where it was."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from awf.core.clock import Clock
from awf.core.codec import from_json, to_json
from awf.errors import AwfError
from awf.evaluation.requests import read_ledger
from awf.evaluation.run import Pace, run_scenario
from awf.evaluation.scenario import Scenario
from awf.evaluation.score import Score, failed, score
from awf.evaluation.stack import Stack

logger = logging.getLogger(__name__)

STAGGER_S = 6.0
"""Starting the product is the most work there is in a scenario: not all at once."""
TRIES = 2
SEEN, SCORE, SCENARIO = "observation.json", "score.json", "scenario.json"


class Campaign:
    """Runs scenarios in folders under `directory`. `tell` hears of each that is over, with how many are."""

    def __init__(
        self,
        directory: Path,
        make_stack: Callable[[Path], Stack],
        clock: Clock,
        *,
        jobs: int,
        pace: Pace,
        keep: bool,
        tell: Callable[[Score, int, int], None],
    ) -> None:
        self._directory = directory
        self._make_stack = make_stack
        self._clock = clock
        self._jobs = jobs
        self._pace = pace
        self._keep = keep
        self._tell = tell
        self._starting = asyncio.Lock()

    async def run(self, scenarios: Sequence[Scenario]) -> list[Score]:
        """Return the scores, in the order of the scenarios."""
        places = asyncio.Semaphore(self._jobs)
        found: dict[str, Score] = {}

        async def take(scenario: Scenario) -> None:
            known = self._known(scenario)
            if known is None:
                async with places:
                    known = await self._one(scenario)
            found[scenario.name] = known
            self._tell(known, len(found), len(scenarios))

        async with asyncio.TaskGroup() as group:
            for scenario in scenarios:
                group.create_task(take(scenario))
        return [found[scenario.name] for scenario in scenarios]

    def _known(self, scenario: Scenario) -> Score | None:
        """Return what an earlier run of exactly this scenario came to."""
        folder = self._directory / scenario.name
        try:
            if json.loads((folder / SCENARIO).read_text(encoding="utf-8")) != _told(scenario):
                return None
            return from_json(Score, json.loads((folder / SCORE).read_text(encoding="utf-8")))
        except (OSError, ValueError, AwfError):
            return None

    async def _one(self, scenario: Scenario) -> Score:
        folder = self._directory / scenario.name
        problem = ""
        for _ in range(TRIES):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            async with self._starting:
                await self._clock.sleep(STAGGER_S if self._jobs > 1 else 0.0)
            stack = self._make_stack(folder)
            try:
                seen = await run_scenario(scenario, stack, self._clock, self._pace)
            except (
                AwfError
            ) as error:  # a port that another took, a process that died: it may go well next time
                problem = error.message
                logger.warning("scenario failed", extra={"scenario": scenario.name, "detail": problem})
                continue
            found = score(scenario, seen, read_ledger(stack.ledger))
            _write(folder / SEEN, to_json(seen))
            _write(folder / SCORE, to_json(found))
            _write(folder / SCENARIO, _told(scenario))
            if not self._keep:
                for name in ("data", "rules"):
                    shutil.rmtree(folder / name, ignore_errors=True)
            return found
        return failed(scenario, problem)


def _told(scenario: Scenario) -> object:
    """Return a scenario as JSON has it, but for its truth, which code may tell better meanwhile."""
    return {
        "troubles": to_json(scenario.troubles), "noise": sorted(scenario.noise), "seed": scenario.seed,
        "number": scenario.number, "warm_up_s": scenario.warm_up_s, "natural_s": scenario.natural_s,
    }  # fmt: skip


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")
