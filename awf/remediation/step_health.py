"""How steps did in a window, by their own duration histogram and retries: what a remediation is judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from awf.core import semconv as sc
from awf.core.actions import Applied, Effect, Verification
from awf.core.escape import promql_any_of
from awf.core.incidents import Target
from awf.core.increase import rises, total
from awf.core.ports import Telemetry
from awf.remediation.checking import NotYet, metric, observe
from awf.remediation.spec import Tools

STEP_S = 5
BEFORE = timedelta(seconds=60)
GOOD_SHARE = 0.9
CHANCE = 1  # so many failures happen to anybody


@dataclass(frozen=True, slots=True)
class StepHealth:
    """One step in one window."""

    completed: float
    failed: float
    mean_ms: float
    retries: float
    fallbacks: float = 0.0

    @property
    def count(self) -> float:
        return self.completed + self.failed

    @property
    def share(self) -> float:
        return self.completed / self.count if self.count else 0.0

    @property
    def retries_per_step(self) -> float:
        return self.retries / self.count if self.count else 0.0

    @property
    def fallbacks_per_step(self) -> float:
        return self.fallbacks / self.count if self.count else 0.0

    @property
    def is_well(self) -> bool:
        """Whether runs complete, but for few."""
        return self.completed > 0 and (self.share >= GOOD_SHARE or self.failed <= CHANCE)

    def __str__(self) -> str:
        return (
            f"{self.share:.0%} of {self.count:.0f} completed, {self.mean_ms:.0f} ms on average, "
            f"{self.retries_per_step:.2f} retries and {self.fallbacks_per_step:.2f} fallbacks each"
        )


async def read_steps(
    telemetry: Telemetry, places: Sequence[Target], start: datetime, end: datetime
) -> tuple[Mapping[Target, StepHealth], str]:
    """Return each place's health in (start, end], and the query that says so."""
    at_steps = f"{sc.STEP_ID}=~{promql_any_of(place.step_id for place in places)}"
    here = f"{sc.WORKFLOW_ID}=~{promql_any_of(place.workflow_id for place in places)}, {at_steps}"
    by = f"{sc.WORKFLOW_ID}, {sc.STEP_ID}"
    count = f"sum by ({by}, {sc.STATUS}) ({sc.STEP_DURATION}_count{{{here}}})"
    queries = (
        count,
        f"sum by ({by}) ({sc.STEP_DURATION}_sum{{{here}}})",
        f"sum by ({sc.STEP_ID}) ({sc.RETRIES}{{{at_steps}}})",
        f"sum by ({sc.STEP_ID}) ({sc.FALLBACKS}{{{at_steps}}})",
    )
    counts, sums, retries, fallbacks = [
        rises(await telemetry.range(query, start=start - BEFORE, end=end, step_s=STEP_S)) for query in queries
    ]
    window = (start.timestamp(), end.timestamp())
    found = {}
    for place in places:
        labels = {sc.WORKFLOW_ID: place.workflow_id, sc.STEP_ID: place.step_id}
        done = total(counts, *window, labels | {sc.STATUS: sc.COMPLETED})
        failed = total(counts, *window, labels | {sc.STATUS: sc.FAILED})
        spent = total(sums, *window, labels)
        again, instead = (total(each, *window, {sc.STEP_ID: place.step_id}) for each in (retries, fallbacks))
        found[place] = StepHealth(done, failed, spent / max(1.0, done + failed), again, instead)
    return found, count


async def verify_steps(
    changed: Sequence[Target], applied: Applied, tools: Tools, *, seen_at: Sequence[Target] = ()
) -> Verification:
    """Compare steps after an action with the minute before it: they must complete, and with less trouble.

    Where the trouble is seen in other steps (`seen_at`), those must do better, and the changed ones just complete.
    """
    places = tuple(dict.fromkeys((*seen_at, *changed)))
    judged = frozenset(seen_at or changed)

    async def look(start: datetime, end: datetime) -> Verification | NotYet:
        if not places:
            return NotYet("no step is known to judge by")
        after, query = await read_steps(tools.telemetry, places, start, end)
        few = min(after.items(), key=lambda item: item[1].count)
        if few[1].count < tools.config.min_steps:
            wanted = tools.config.min_steps
            return NotYet(f"{few[1].count:.0f} of at least {wanted} runs of {few[0]} to judge by")
        before, _ = await read_steps(tools.telemetry, places, applied.at - BEFORE, applied.at)
        bad = [
            place
            for place in places
            if not after[place].is_well or (place in judged and not is_better(before[place], after[place]))
        ]
        shown = bad or places
        text = "; ".join(f"{place}: {after[place]} (before: {before[place]})" for place in shown[:3])
        evidence = tuple(metric(f"{p}: {after[p]}", query, start, end, after[p].share) for p in shown)
        return Verification(Effect.INEFFECTIVE if bad else Effect.EFFECTIVE, text, evidence)

    return await observe(look, applied, tools)


def is_better(before: StepHealth, after: StepHealth) -> bool:
    """Whether steps complete now, and fail, wait or retry clearly less than before.

    A fallback before was a failure of the first choice; one after may be the remedy itself.
    """
    if not after.is_well:
        return False
    if before.count == 0:
        return True  # it did not even run; now it completes
    return (
        after.share >= before.share + 0.05
        or after.mean_ms <= 0.9 * before.mean_ms
        or after.retries_per_step <= 0.5 * (before.retries_per_step + before.fallbacks_per_step) - 0.01
    )
