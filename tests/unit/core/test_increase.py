"""How much counters rose, over restarts and births."""

from __future__ import annotations

from awf.core.increase import rises, total
from awf.core.ports import Series


def test_the_first_sample_is_the_starting_point() -> None:
    found = rises([Series({"a": "1"}, ((0, 100), (10, 103), (20, 108)))])
    assert total(found, 0, 20, {}) == 8
    assert total(found, 10, 20, {"a": "1"}) == 5
    assert total(found, 0, 20, {"a": "2"}) == 0


def test_a_restart_counts_as_nothing_and_then_goes_on() -> None:
    found = rises([Series({}, ((0, 100), (10, 2), (20, 5)))])
    assert total(found, 0, 20, {}) == 3


def test_a_series_born_later_began_at_zero() -> None:
    found = rises([Series({"s": "ok"}, ((0, 50), (10, 51))), Series({"s": "failed"}, ((10, 4),))])
    assert total(found, 0, 10, {"s": "failed"}) == 4


def test_nothing_rises_in_an_empty_answer() -> None:
    assert total(rises([]), 0, 10, {}) == 0
