"""Did a signal change, by how much, and when: plain statistics on short series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, median

_MAD_TO_SIGMA = 1.4826  # of a normal distribution


def ratio(before: float, after: float) -> float:
    """Return after / before; infinite when something came from nothing, 1 when both are nothing."""
    if before > 0:
        return after / before
    return math.inf if after > 0 else 1.0


def robust_z(value: float, baseline: Sequence[float]) -> float:
    """Return how many robust standard deviations (1.4826 MAD) a value lies from the baseline's median.

    A baseline that never moved makes any difference infinite; an empty one makes it 0.
    """
    if not baseline:
        return 0.0
    middle = median(baseline)
    spread = _MAD_TO_SIGMA * median(abs(each - middle) for each in baseline)
    if spread == 0:
        return 0.0 if value == middle else math.copysign(math.inf, value - middle)
    return (value - middle) / spread


def onset(values: Sequence[float], *, least_gain: float = 0.3) -> int | None:
    """Return the index at which the mean rises, by the split that leaves the least squared error.

    The maximum-likelihood estimate of one change of a normal mean: Hinkley, "Inference about the change-point in a
    sequence of random variables", Biometrika 57 (1970). None when no split explains at least `least_gain` of the
    variance, or when the mean falls there.
    """
    count = len(values)
    if count < 2:
        return None
    total, squares = sum(values), sum(each * each for each in values)
    spread = squares - total * total / count
    if spread <= 1e-12 * max(1.0, squares):
        return None
    best, at, left = 0.0, 0, 0.0
    for index in range(1, count):
        left += values[index - 1]
        right = total - left
        gain = left * left / index + right * right / (count - index) - total * total / count
        if gain > best:
            best, at = gain, index
    if best < least_gain * spread or fmean(values[at:]) <= fmean(values[:at]):
        return None
    return at
