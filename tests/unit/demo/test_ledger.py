from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from awf.demo.fault import FaultBoard
from awf.demo.ledger import Ledger
from awf.demo.workflows import RESEARCH_REPORT, SUPPORT_TRIAGE, registry
from awf.demo.world import DemoWorld
from awf.evaluation.requests import judge_service, read_ledger
from awf.orchestration import Controls, Engine, EventEmitter


async def test_users_write_down_what_a_fault_spoiled_though_everything_completes(tmp_path: Path) -> None:
    world = DemoWorld(time_scale=0.01, base_error_rate=0.0)
    found = registry(world)
    engine = Engine(found, EventEmitter(), Controls(found), workers=20)
    ledger = Ledger(tmp_path / "ledger.jsonl", engine, world)
    FaultBoard(world).turn("agent_errors", on=True, intensity=1.0)
    ids = []
    for name in (RESEARCH_REPORT, SUPPORT_TRIAGE) * 6:
        ids.append(await engine.submit(name, {"subject": "x"}))
        ledger.asked(ids[-1], name)
    async with asyncio.timeout(20):
        for execution_id in ids:
            await engine.wait(execution_id)
        while any(each.ended_at is None for each in read_ledger(tmp_path / "ledger.jsonl")):
            await asyncio.sleep(0.01)
    ledger.turned_away(SUPPORT_TRIAGE)
    ledger.close()
    await engine.aclose()
    *requests, last = read_ledger(tmp_path / "ledger.jsonl")
    assert len(requests) == 12
    assert all(each.is_ok for each in requests)
    assert {each.workflow_id for each in requests if each.spoiled} == {RESEARCH_REPORT}
    assert not last.is_ok
    day = timedelta(days=1)
    now = datetime.now(UTC)
    assert judge_service(requests * 2, now - day, now + day).suffered
