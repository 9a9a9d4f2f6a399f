"""All rows together: the figures, and whether they reach the targets."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from awf.evaluation.score import Score

Numbers = Sequence[float]


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure. `target` says in words what it should be; without one it is only told."""

    name: str
    value: float | None
    unit: str = ""
    target: str = ""
    is_met: bool = True
    of: str = ""  # what it was counted over

    @property
    def text(self) -> str:
        if self.value is None:
            return "no data"
        if self.unit == "%":
            return f"{self.value:.0f} %"
        return f"{self.value:g} {self.unit}".strip()


def figures(scores: Sequence[Score]) -> list[Figure]:
    """Return every figure of the report."""
    real = [each for each in scores if not each.is_false_alarm]
    alone = [each for each in real if each.can_be_unattended]
    quiet = [each for each in scores if each.is_false_alarm]
    wrong = sum(len(each.wrong) for each in scores if not each.is_false_alarm)
    acted = sum(len(each.wrong) + each.useless for each in quiet)
    return [
        _share("right target, first hypothesis", real, lambda each: each.target_rank == 1, 90),
        _share("right target, first three", real, lambda each: each.target_rank <= 3),
        _share("right cause, first hypothesis", scores, lambda each: each.cause_rank == 1),
        _share("right cause, first three", scores, lambda each: each.cause_rank <= 3),
        _share("autonomous and correct", alone, lambda each: each.is_autonomous, 80),
        _share("right at all", scores, lambda each: each.is_right),
        Figure("wrong actions", wrong, "", "0", wrong == 0, f"{len(real)} scenarios"),
        Figure("false alarms acted on", acted, "", "0", acted == 0, f"{len(quiet)} false alarms"),
        Figure("questions that a person rejects", sum(each.wrong_questions for each in scores)),
        Figure("actions of no use", sum(each.useless for each in real)),
        Figure("said to be verified, and users disagree", sum(each.disagrees for each in scores)),
        *_times("time to detect", [each.detect_s for each in real]),
        *_times("time to investigate", [each.investigate_s for each in scores], most_p95=5.0),
        *_times("alert to action, question or page", [each.react_s for each in real], most_p95=30.0),
        *_recovery([each for each in real if each.can_be_helped and each.suffered]),
    ]


def _share(
    name: str, rows: Sequence[Score], holds: Callable[[Score], bool], least: float | None = None
) -> Figure:
    count = sum(map(holds, rows))
    share = 100 * count / len(rows) if rows else None
    is_met = least is None or share is None or share >= least
    target = "" if least is None else f">= {least:g} %"
    return Figure(name, share, "%", target, is_met, f"{count} of {len(rows)}")


def _times(name: str, values: Sequence[float | None], most_p95: float | None = None) -> list[Figure]:
    known = [value for value in values if value is not None]
    of = f"{len(known)} of {len(values)}"
    high = percentile(known, 0.95)
    is_met = most_p95 is None or high is None or high < most_p95
    target = "" if most_p95 is None else f"< {most_p95:g} s"
    return [
        Figure(f"{name}, p50", percentile(known, 0.5), "s", of=of),
        Figure(f"{name}, p95", high, "s", target, is_met, of),
    ]


def _recovery(rows: Sequence[Score]) -> list[Figure]:
    """Compare with the fault's own duration; whoever was not helped waits for as long."""
    of = f"{len(rows)} scenarios in which users suffered and something helps"
    ours = [
        min(each.natural_s, each.recover_s) if each.recover_s is not None else each.natural_s for each in rows
    ]
    natural = [each.natural_s for each in rows]
    if not rows:
        return [Figure("time to recovery", None, "s", of=of)]
    share = round(100 * sum(ours) / sum(natural))
    return [
        Figure("time to recovery, p50", percentile(ours, 0.5), "s", of=of),
        Figure("time to recovery, p95", percentile(ours, 0.95), "s", of=of),
        Figure("without the watcher, p50", median(natural), "s", of=of),
        Figure("of the time without the watcher", share, "%", "<= 50 %", share <= 50, of),
    ]


def percentile(values: Numbers, share: float) -> float | None:
    """Return the smallest value that so many are not above (nearest rank), None without values."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
