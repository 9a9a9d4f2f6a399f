"""Which engines there are, and which of them a change concerns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select

from awf.core.clock import isoformat, parse_time
from awf.core.codec import from_json
from awf.core.types import ControlKind, EngineId, EngineInfo, ExecutionStatus
from awf.state.leases import was_away
from awf.state.schema import engines, executions

LIVE_FOR = timedelta(seconds=15)


def live_engines(conn: Connection, now: datetime) -> list[EngineInfo]:
    """Return the engines heard of lately, by id."""
    query = (
        select(engines.c.doc, engines.c.last_seen)
        .where(engines.c.last_seen >= isoformat(now - LIVE_FOR))
        .order_by(engines.c.id)
    )
    return [
        replace(from_json(EngineInfo, row.doc), last_seen=parse_time(row.last_seen))
        for row in conn.execute(query)
    ]


def may_report(conn: Connection, now: datetime) -> bool:
    """Whether an engine is silent that may just not have been heard: no service could, until lately."""
    silent = select(engines.c.id).where(engines.c.last_seen < isoformat(now - LIVE_FOR)).limit(1)
    return conn.execute(silent).first() is not None and was_away(conn, now, LIVE_FOR)


def choose_targets(
    conn: Connection, kind: ControlKind, arguments: Mapping[str, Any], live: list[EngineInfo]
) -> list[EngineId]:
    """Return the live engines that a change is for; none when nobody can carry it out."""
    if "engine_id" in arguments:
        live = [engine for engine in live if engine.id == arguments["engine_id"]]
    match kind:
        case ControlKind.SET_WORKER_LIMIT:
            return [engine.id for engine in live]
        case ControlKind.SET_AGENT_ENABLED:
            agent_id = arguments.get("agent_id")
            return [engine.id for engine in live if any(each.id == agent_id for each in engine.agents)]
        case ControlKind.SET_FALLBACK_FORCED | ControlKind.SET_TIMEOUT_FACTOR:
            return [engine.id for engine in live if _runs(engine, arguments)]
        case ControlKind.START_EXECUTION:
            return _least_busy(conn, [engine.id for engine in live if _runs(engine, arguments)])
        case ControlKind.RESTART_EXECUTION | ControlKind.RETRY_STEP | ControlKind.CANCEL_EXECUTION:
            query = select(executions.c.engine_id).where(executions.c.id == arguments.get("execution_id"))
            owner = conn.execute(query).scalar()
            return [engine.id for engine in live if engine.id == owner]


def _runs(engine: EngineInfo, arguments: Mapping[str, Any]) -> bool:
    return any(workflow.id == arguments.get("workflow_id") for workflow in engine.workflows)


def _least_busy(conn: Connection, able: list[EngineId]) -> list[EngineId]:
    if len(able) < 2:
        return able
    unfinished = (ExecutionStatus.PENDING.value, ExecutionStatus.RUNNING.value)
    query = (
        select(executions.c.engine_id, func.count().label("load"))
        .where(executions.c.status.in_(unfinished), executions.c.engine_id.in_(able))
        .group_by(executions.c.engine_id)
    )
    load = {row.engine_id: row.load for row in conn.execute(query)}
    return [min(able, key=lambda engine_id: (load.get(engine_id, 0), engine_id))]
