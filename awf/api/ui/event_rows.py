"""An execution's events as table rows. Events come from other processes: nothing in them is relied on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from awf.core.types import Json


@dataclass(frozen=True, slots=True)
class EventRow:
    at: datetime | None
    type: str
    step: str
    agent: str
    attempt: str
    duration_ms: float | None
    tokens: float | None
    cost: str
    error: str


def event_row(event: Json) -> EventRow:
    metrics = _mapping(event.get("metrics"))
    usage = _mapping(metrics.get("token_usage"))
    tokens = (_number(usage.get("input_tokens")) or 0) + (_number(usage.get("output_tokens")) or 0)
    cost = _number(metrics.get("cost_usd"))
    kind = _text(event.get("type"))
    # A whole execution's figure is the sum of its steps, which may run side by side: no duration.
    is_whole = kind.startswith("workflow.") and not kind.startswith("workflow.step.")
    return EventRow(
        at=_time(event.get("time_ns")),
        type=kind,
        step=_text(event.get("step_id")),
        agent=_text(event.get("agent_id")),
        attempt=_text(event.get("attempt")),
        duration_ms=None if is_whole else _number(metrics.get("execution_time_ms")) or None,
        tokens=tokens or None,
        cost=f"${cost:.4f}" if cost else "",
        error=_text(event.get("error")) or _text(event.get("error_type")),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and abs(value) < 1e15 else None


def _text(value: object) -> str:
    return str(value)[:500] if value else ""


def _time(value: object) -> datetime | None:
    number = value / 1e9 if isinstance(value, int) and 0 <= value < 2**62 else None
    return None if number is None else datetime.fromtimestamp(number, UTC)
