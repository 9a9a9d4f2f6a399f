"""A script of the operator's as an action: planned from its manifest, run once in the sandbox, judged by telemetry."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from awf.core.actions import Applied, ApplyStatus, Effect, Plan, Verification, WorkOrder
from awf.core.escape import plain_text
from awf.core.incidents import ActionCall, Target, Verdict
from awf.remediation._launcher import CANNOT_CLOSE, CANNOT_START
from awf.remediation.checking import NotYet, metric, observe
from awf.remediation.manifest import SCRIPT, Manifest, PromqlCheck
from awf.remediation.once import is_first
from awf.remediation.places import affected
from awf.remediation.sandbox import Bounds, Ended, run_confined
from awf.remediation.spec import ActionSpec, Situation, Tools
from awf.remediation.step_health import verify_steps

logger = logging.getLogger(__name__)

CHANGED_NOTHING: Final = 3
"""The exit code by which a script says that it refused, and left everything as it was."""

PARTS: Final = tuple(asdict(Target()))


@dataclass(frozen=True, slots=True)
class ScriptAction:
    """A manifest with its programs, as they were when it was read."""

    manifest: Manifest
    command: Path
    undo_command: Path | None
    bounds: Bounds
    digest: str

    def spec(self) -> ActionSpec:
        return ActionSpec(
            name=self.manifest.name,
            description=self.manifest.description,
            is_reversible=self.undo_command is not None,
            blast_radius=self.manifest.blast_radius,
            default=Verdict.ASK,
            plan=self.plan,
            places=places,
            apply=self.apply,
            verify=self.verify,
            undo=self.undo,
            is_custom=True,
        )

    def plan(self, situation: Situation) -> Plan:
        """Fill the parameters from where the cause was seen, by the names of the parts of a place."""
        known = {name: text for name, text in asdict(affected(situation)[0]).items() if text}
        known["cause"] = situation.hypothesis.cause.value
        arguments: dict[str, Any] = {}
        for name, schema in self.manifest.properties.items():
            if name in known:
                arguments[name] = known[name]
            elif isinstance(schema, Mapping) and "default" in schema:
                arguments[name] = schema["default"]
        wrong = next(self.manifest.validator().iter_errors(arguments), None)
        if wrong is not None:
            return Plan(None, f"its parameters do not suit this place: {plain_text(wrong.message, 200)}")
        call = ActionCall(self.manifest.name, {**arguments, SCRIPT: self.digest})
        return Plan(call, f"the script {self.command.name} can be run")

    async def apply(self, work: WorkOrder, tools: Tools) -> Applied:
        ended = await self._run(self.command, work, tools, phase="apply")
        if isinstance(ended, Applied) or ended.code != 0:
            return ended if isinstance(ended, Applied) else _not_done(ended, tools)
        before = ({"before": _said_before(ended.output)},) if self.undo_command else ()
        said = _last_line(ended.output)
        detail = f"the script ended: {said}" if said else "the script ended"
        return Applied(ApplyStatus.APPLIED, detail, tools.clock.now(), before)

    async def undo(self, work: WorkOrder, applied: Applied, tools: Tools) -> Applied:
        if self.undo_command is None:
            raise ValueError(f"{self.manifest.name} has no undo")
        before = applied.before[0].get("before")
        ended = await self._run(self.undo_command, work, tools, phase="undo", before=before)
        if isinstance(ended, Applied) or ended.code != 0:
            return ended if isinstance(ended, Applied) else _not_done(ended, tools)
        return Applied(ApplyStatus.APPLIED, "the script that undoes it ended", tools.clock.now())

    async def verify(self, work: WorkOrder, applied: Applied, tools: Tools) -> Verification:
        check = self.manifest.verify
        if isinstance(check, PromqlCheck):
            return await _verify_promql(check, applied, tools)
        if check == "steps":
            return await verify_steps(places(work.call), applied, tools)
        return Verification(Effect.INCONCLUSIVE, "its manifest names no signal to judge it by")

    async def _run(
        self, program: Path, work: WorkOrder, tools: Tools, *, phase: str, before: object = None
    ) -> Ended | Applied:
        """Run a program once. What keeps it from that is returned as what became of the action."""
        now = tools.clock.now()
        if work.call.arguments.get(SCRIPT) != digest_of(self.command, self.undo_command):
            why = f"{program.name} is not the script that was decided on: it was changed since"
            return Applied(ApplyStatus.REFUSED, why, now)
        if tools.audit is None:
            return Applied(ApplyStatus.REFUSED, "without an audit log no script is run", now)
        if not await is_first(tools.audit, work, phase):
            why = "the script was begun before, and whether it ended is not known: it is not run twice"
            return Applied(ApplyStatus.UNCONFIRMED, why, now)
        arguments = {name: value for name, value in work.call.arguments.items() if name != SCRIPT}
        given = {
            "action": work.call.name, "phase": phase, "incident_id": work.incident_id,
            "key": f"{work.incident_id}/{work.call.digest}", "arguments": arguments, "before": before,
        }  # fmt: skip
        ended = await run_confined(program, json.dumps(given).encode(), self.bounds)
        extra = {
            "action": work.call.name,
            "phase": phase,
            "code": ended.code,
            "stderr": ended.errors[-2_000:],
        }
        logger.info("script ended", extra=extra)
        return ended


def places(call: ActionCall) -> tuple[Target, ...]:
    """Return the place that the arguments name; a script that names none concerns everything."""
    return (Target(**{name: str(call.arguments[name]) for name in PARTS if name in call.arguments}),)


def digest_of(*programs: Path | None) -> str:
    """Return the hash of what programs hold, empty when one cannot be read."""
    found = hashlib.sha256()
    try:
        for program in programs:
            body = b"" if program is None else program.read_bytes()
            found.update(len(body).to_bytes(8, "big") + body)
    except OSError:
        return ""
    return found.hexdigest()


def _not_done(ended: Ended, tools: Tools) -> Applied:
    """Nobody knows what a script did that broke off; one that refused says so by its code."""
    said = _last_line(ended.errors) or _last_line(ended.output) or "it said nothing"
    now = tools.clock.now()
    match ended.code:
        case None:
            return Applied(ApplyStatus.UNCONFIRMED, f"{ended.why}; last it said: {said}", now)
        case code if code == CANNOT_CLOSE:
            return Applied(ApplyStatus.REFUSED, "its network cannot be closed on this machine", now)
        case code if code in (CHANGED_NOTHING, CANNOT_START):
            return Applied(ApplyStatus.FAILED, f"the script changed nothing: {said}", now)
    return Applied(ApplyStatus.UNCONFIRMED, f"the script ended with code {ended.code}: {said}", now)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return plain_text(lines[-1], 300) if lines else ""


def _said_before(output: str) -> Any:
    """Return `before` of the JSON object that a script may print last: it is handed to its undo."""
    lines = output.strip().splitlines()
    try:
        said = json.loads(lines[-1]) if lines else None
    except (ValueError, RecursionError):
        return None
    return said.get("before") if isinstance(said, dict) else None


async def _verify_promql(check: PromqlCheck, applied: Applied, tools: Tools) -> Verification:
    before = await _reading(check, applied.at, tools)

    async def look(start: datetime, end: datetime) -> Verification | NotYet:
        values = await _reading(check, end, tools)
        if not values or not before:
            return NotYet("no reading of its signal, now or when it was done")
        worst = max(values) if check.below is not None else min(values)
        text = f"its signal is {worst:g}, it was {max(before):g} when it was done"
        if all(map(check.holds, before)):
            return NotYet(f"{text}: good before it as well, so it says nothing")
        if not all(map(check.holds, values)):
            return NotYet(text, Effect.INEFFECTIVE)
        return Verification(Effect.EFFECTIVE, text, (metric(text, check.promql, start, end, worst),))

    return await observe(look, applied, tools)


async def _reading(check: PromqlCheck, at: datetime, tools: Tools) -> list[float]:
    return [sample.value for sample in await tools.telemetry.instant(check.promql, at=at)]
