"""One step of one workflow fails whichever agent does it: its own code is wrong."""

from __future__ import annotations

from awf.demo.fault import Fault, failing
from awf.demo.world import STEP

START, STOP = failing(
    STEP, "template_error", "prompt template: 'customer_tier' is undefined", retryable=False
)

SPEC = Fault(
    "step_bug",
    "Step {target} fails in {level:.0%} of its runs, whoever does it (template_error).",
    START,
    STOP,
    aims_at=STEP,
    target="support-triage/draft_reply",
    levels=(0.6, 1.0),
)
