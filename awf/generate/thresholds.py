"""The figures that alerts fire at, which dashboards draw as lines: one place for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

WORKFLOW_FAILED_SHARE: Final = 0.2
AGENT_FAILED_SHARE: Final = 0.3
STEP_SLOW_MS: Final = 10_000.0
PENDING_PER_WORKER: Final = 2
SPOOL_FULL: Final = 0.8
EXPORT_STALLED_S: Final = 120.0
EXPORT_RETRIED_SHARE: Final = 0.2
TRUNCATED_IN_5M: Final = 10
RETRIED_SHARE: Final = 0.4
FALLBACK_SHARE: Final = 0.3
SURGE_FACTOR: Final = 3
EXECUTION_STUCK_S: Final = 3600.0
QUEUE_FULL: Final = 0.8
APPROVAL_EXPIRES_SOON_S: Final = 600.0

# -- no alert's: what is said to be good
SUCCESS_GOOD: Final = 0.99
INVESTIGATION_TARGET_MS: Final = 5_000.0


@dataclass(frozen=True, slots=True)
class Burn:
    """An error budget is spent `factor` times as fast as allowed, over a long window and still over a short one."""

    alert: str
    factor: float
    long: str
    short: str
    severity: Literal["critical", "warning"]


BURNS: Final = (
    Burn("AWFErrorBudgetBurnsVeryFast", 14.4, "1h", "5m", "critical"),
    Burn("AWFErrorBudgetBurnsFast", 6, "6h", "30m", "critical"),
    Burn("AWFErrorBudgetBurnsSteadily", 3, "1d", "2h", "warning"),
    Burn("AWFErrorBudgetBurnsSlowly", 1, "3d", "6h", "warning"),
)
"""The rates and windows of "The Site Reliability Workbook" (Google, chapter 5, table 5-8), for a budget of a month."""
