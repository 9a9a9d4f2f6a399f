"""One question to a picture each: a function from `Picture` to findings, listed in `DETECTORS`."""

from __future__ import annotations

from collections.abc import Callable

from awf.analysis.detectors.agents import failing_agents
from awf.analysis.detectors.bad_input import unusable_input
from awf.analysis.detectors.changes import changes_behind
from awf.analysis.detectors.dependency import shared_dependencies
from awf.analysis.detectors.steps import slow_steps
from awf.analysis.detectors.telemetry import silence
from awf.analysis.detectors.tokens import cost_surges, token_surges
from awf.analysis.detectors.workers import full_queue
from awf.analysis.detectors.workflows import failing_workflows
from awf.analysis.findings import Finding, Picture

DETECTORS: tuple[Callable[[Picture], list[Finding]], ...] = (
    failing_agents, shared_dependencies, unusable_input, slow_steps, full_queue, failing_workflows, token_surges,
    cost_surges, silence,
)  # fmt: skip


def detect(picture: Picture) -> list[Finding]:
    """Ask every question, then what changed shortly before what was found."""
    found = [finding for detector in DETECTORS for finding in detector(picture)]
    return found + changes_behind(picture, found)
