"""Workflows whose executions fail, and the steps they fail at."""

from __future__ import annotations

from datetime import UTC, datetime

from awf.analysis.detectors._shares import failed_shift, values
from awf.analysis.findings import Finding, Picture, clock_time, confidence
from awf.core import semconv as sc
from awf.core.escape import plain_text
from awf.core.incidents import CauseClass, Evidence, Target

STEP_FAILED = "workflow.step.failed"
MOST_EXECUTIONS = 5


def failing_workflows(picture: Picture) -> list[Finding]:
    """Return a finding for each workflow whose failed share rose."""
    found = picture.rises(sc.WORKFLOWS)
    findings = []
    for workflow_id in values(found, sc.WORKFLOW_ID):
        shift = failed_shift(found, picture, sc.WORKFLOW_ID, workflow_id)
        if not shift.is_bad:
            continue
        statement = (
            f"workflow {workflow_id}: {shift.share:.0%} of {shift.count:.0f} executions failed since "
            f"{clock_time(shift.since)}, {shift.share_before:.0%} of {shift.count_before:.0f} before"
        )
        lines = [line for line in picture.errors if line.labels.get(sc.WORKFLOW_ID) == workflow_id]
        evidence = [
            Evidence(
                "metrics", statement, picture.queries.get(sc.WORKFLOWS, ""), picture.start, picture.end,
                shift.share, shift.share_before,
            )
        ]  # fmt: skip
        if lines:
            said = f"newest failure: {plain_text(lines[0].line, 300)}"
            evidence.append(
                Evidence("logs", said, picture.queries.get("errors", ""), picture.start, picture.end)
            )
        still = 1.0 if shift.failed_lately else 0.5
        findings.append(
            Finding(
                cause=CauseClass.WORKFLOW_FAILURE,
                target=Target(workflow_id=workflow_id),
                strength=0.85 * min(1.0, 0.4 + shift.share) * confidence(shift.count) * still,
                summary=f"{shift.share:.0%} of the executions of {workflow_id} fail",
                evidence=tuple(evidence),
                against=() if lines else ("no log line says which step fails",),
                affected=_failed_executions(picture, workflow_id),
                since=datetime.fromtimestamp(shift.since, UTC),
            )
        )
    return findings


def _failed_executions(picture: Picture, workflow_id: str) -> tuple[Target, ...]:
    """Return the newest failed executions with the step and the agent they failed at."""
    found: dict[str, Target] = {}
    for line in picture.errors:
        execution_id = line.labels.get(sc.EXECUTION_ID, "")
        is_step = line.labels.get(sc.EVENT_TYPE) == STEP_FAILED
        if line.labels.get(sc.WORKFLOW_ID) == workflow_id and execution_id and is_step:
            found.setdefault(
                execution_id,
                Target(
                    workflow_id,
                    line.labels.get(sc.STEP_ID, ""),
                    line.labels.get(sc.AGENT_ID, ""),
                    execution_id,
                ),
            )
    return tuple(found.values())[:MOST_EXECUTIONS]
