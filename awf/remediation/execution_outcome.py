"""How an execution ended, as its own log records say."""

from __future__ import annotations

from datetime import datetime

from awf.core import semconv as sc
from awf.core.actions import Applied, Effect, Verification
from awf.core.escape import logql_string
from awf.core.incidents import Evidence
from awf.remediation.checking import NotYet, observe
from awf.remediation.spec import Tools

ENDED = "workflow.completed|workflow.failed|workflow.cancelled"


async def verify_execution(execution_id: str, applied: Applied, tools: Tools) -> Verification:
    """Wait for the execution's end: completed is effective, anything else is not."""
    query = (
        f'{{{sc.SERVICE_NAME}=~".+"}} | {sc.EXECUTION_ID}={logql_string(execution_id)} '
        f'| {sc.EVENT_TYPE}=~"{ENDED}"'
    )

    async def look(_: datetime, end: datetime) -> Verification | NotYet:
        lines = await tools.telemetry.logs(query, start=applied.at, end=end, limit=1)
        if not lines:
            return NotYet(f"execution {execution_id} has not ended")
        how = lines[0].labels[sc.EVENT_TYPE]
        text = f"execution {execution_id}: {how}"
        effect = Effect.EFFECTIVE if how == "workflow.completed" else Effect.INEFFECTIVE
        return Verification(effect, text, (Evidence("logs", text, query, applied.at, end),))

    return await observe(look, applied, tools)
