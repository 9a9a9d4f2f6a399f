"""Intervals as Grafana chooses them."""

from __future__ import annotations

import pytest

from awf.api.dashboards.intervals import (
    MAX_POINTS,
    duration_ms,
    duration_text,
    interval_ms,
    rate_interval_ms,
    round_interval_ms,
)

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.mark.parametrize(
    ("exact", "rounded"),
    [
        (1_800, 2_000),
        (4_000, 5_000),
        (14_000, 15_000),
        (50_000, MINUTE),
        (400_000, 5 * MINUTE),
        (5 * DAY, DAY),
    ],
)
def test_an_interval_is_rounded_to_one_that_reads_well(exact: int, rounded: int) -> None:
    assert round_interval_ms(exact) == rounded


def test_points_are_no_closer_than_the_scrape_interval() -> None:
    assert interval_ms(30 * MINUTE, 1_000, 15_000) == 15_000
    assert interval_ms(6 * HOUR, 500, 15_000) == 30_000


def test_a_query_never_has_more_points_than_prometheus_answers() -> None:
    for days in (1, 7, 30, 365, 3_650):
        assert days * DAY / interval_ms(days * DAY, 4_000, 1) < MAX_POINTS


def test_the_rate_interval_holds_four_scrapes() -> None:
    assert rate_interval_ms(15_000, 15_000) == 60_000
    assert rate_interval_ms(120_000, 15_000) == 135_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30s", 30_000), (">15s", 15_000), ("1m30s", 90_000), ("", 7), ("x", 7), ("1m x", 7)],
)
def test_durations_are_read(text: str, expected: int) -> None:
    assert duration_ms(text, 7) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(15_000, "15s"), (90_000, "90s"), (DAY, "24h"), (250, "250ms")]
)
def test_durations_are_written_in_their_largest_whole_unit(value: int, expected: str) -> None:
    assert duration_text(value) == expected
