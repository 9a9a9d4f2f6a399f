from __future__ import annotations

import math

import pytest

from awf.analysis.change import onset, ratio, robust_z


@pytest.mark.parametrize(
    ("before", "after", "expected"), [(2.0, 6.0, 3.0), (0.0, 1.0, math.inf), (0.0, 0.0, 1.0), (4.0, 0.0, 0.0)]
)
def test_ratio_is_defined_for_zero(before: float, after: float, expected: float) -> None:
    assert ratio(before, after) == expected


def test_robust_z_is_not_moved_by_one_outlier() -> None:
    assert robust_z(20.0, [10, 11, 9, 10, 12, 8, 10, 500]) > 5


def test_robust_z_of_a_flat_baseline_is_infinite_for_any_difference() -> None:
    assert robust_z(1.0, [0, 0, 0]) == math.inf
    assert robust_z(0.0, [0, 0, 0]) == 0.0
    assert robust_z(5.0, []) == 0.0


def test_onset_is_where_the_mean_rises() -> None:
    assert onset([0, 0, 1, 0, 0, 9, 8, 10]) == 5


@pytest.mark.parametrize("values", [[], [1], [3, 3, 3, 3], [9, 9, 1, 1], [5, 1, 4, 2, 5, 1, 4, 2]])
def test_no_rise_has_no_onset(values: list[float]) -> None:
    assert onset(values) is None
