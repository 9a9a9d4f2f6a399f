"""How the failed share of something changed, and since when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from awf.analysis.change import onset
from awf.analysis.findings import ALERT_LAG_S, Picture
from awf.core import semconv as sc
from awf.core.increase import Rises, total

LATELY_S = 60.0
LEAST_FAILED = 3  # as in the alert AWFAgentErrors


@dataclass(frozen=True, slots=True)
class Shift:
    """Failed and all cases before and after a moment (unix seconds)."""

    since: float
    failed: float
    count: float
    failed_before: float
    count_before: float
    failed_lately: float

    @property
    def share(self) -> float:
        return self.failed / self.count if self.count else 0.0

    @property
    def share_before(self) -> float:
        return self.failed_before / self.count_before if self.count_before else 0.0

    @property
    def is_bad(self) -> bool:
        """More failures than chance: at least three, a fifth of all, clearly more than before."""
        return self.failed >= LEAST_FAILED and self.share >= 0.2 and self.share >= self.share_before + 0.15


def failed_shift(found: Sequence[Rises], picture: Picture, label: str, value: str) -> Shift:
    """Return how `status` of the counters with this label value shifted within the picture."""
    return shift_of([each for each in found if each.labels.get(label) == value], picture, found)


def shift_of(found: Sequence[Rises], picture: Picture, beside: Sequence[Rises]) -> Shift:
    """Return how the failed share of these counters shifted within the picture. `beside` is all of the same metric."""
    failed = [each for each in found if each.labels.get(sc.STATUS) == sc.FAILED]
    done = [each for each in found if each.labels.get(sc.STATUS) in (sc.COMPLETED, sc.FAILED)]
    first, last = picture.start.timestamp(), picture.end.timestamp()
    since = rise_begins(failed, picture, beside)
    if total(failed, since, last, {}) < LEAST_FAILED:
        # Of three failures the last two may look like the beginning: take in all that the alert counted.
        since = min(since, _shortly_before(picture))
    return Shift(
        since=since,
        failed=total(failed, since, last, {}),
        count=total(done, since, last, {}),
        failed_before=total(failed, first - 1, since, {}),
        count_before=total(done, first - 1, since, {}),
        failed_lately=total(failed, last - LATELY_S, last, {}),
    )


def rise_begins(found: Iterable[Rises], picture: Picture, beside: Iterable[Rises] = ()) -> float:
    """Return since when counters rise faster; without a clear moment, shortly before the alert.

    A counter of failures is born with the first of them: that there was none before is told by those `beside` it.
    """
    per_time: dict[float, float] = {at: 0.0 for each in beside for at, _ in each.steps}
    for each in found:
        for at, rise in each.steps:
            per_time[at] = per_time.get(at, 0.0) + rise
    times = sorted(per_time)
    index = onset([per_time[at] for at in times])
    if index is None:
        return _shortly_before(picture)
    return times[index - 1]


def _shortly_before(picture: Picture) -> float:
    return max(picture.start.timestamp(), picture.alert_start.timestamp() - ALERT_LAG_S)


def values(found: Iterable[Rises], label: str) -> list[str]:
    """Return the values that a label has, sorted."""
    return sorted({each.labels[label] for each in found if each.labels.get(label)})
