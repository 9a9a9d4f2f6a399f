from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]

PROGRAM = """
import asyncio, sys

class OnlyStandardLibrary:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top == "awf" or top in sys.stdlib_module_names:
            return None
        raise ImportError(f"third-party import of {name}")

sys.meta_path.insert(0, OnlyStandardLibrary())
try:
    import httpx
except ImportError:
    pass
else:
    raise SystemExit("the block does not work")

import awf
import awf.orchestration.link
import awf.orchestration.spool
import awf.orchestration.telemetry.narration
from awf.core.types import AgentManifest
from awf.orchestration import *

async def main():
    async def work(context):
        return AgentResult(f"{context.input['name']} by {context.agent_id}")

    registry = Registry()
    registry.add_agent(AgentManifest("a", "A", "1"), work)
    registry.add_workflow(Workflow("w", (Step("one", "a"), Step("two", "a", ("one",)))))
    emitter = EventEmitter()
    engine = Engine(registry, emitter, Controls(registry))
    record = await engine.wait(await engine.submit("w", {"name": "report"}))
    await engine.aclose()
    await emitter.aclose()
    print(record.status.value, record.output)

asyncio.run(main())
"""


def test_a_workflow_runs_where_every_third_party_import_is_blocked() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.strip() == "completed {'two': 'report by a'}"
