"""Times: always with an offset, always UTC inside, one form on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awf.core.clock import Clock, SystemClock, isoformat, parse_time, unix_ns
from awf.testing import FakeClock


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00.123456Z", datetime(2026, 1, 31, 12, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-01-31T12:00:00.123456789Z", datetime(2026, 1, 31, 12, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-01-31T14:00:00+02:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T06:30:00-05:30", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),  # Go's zero time: Grafana's open `endsAt`
    ],
)
def test_rfc_3339_is_read_as_utc(text: str, expected: datetime) -> None:
    moment = parse_time(text)
    assert (moment, moment.tzinfo) == (expected, UTC)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-01-31T12:00:00", "'2026-01-31T12:00:00' has no UTC offset"),
        ("2026-01-31", "'2026-01-31' has no UTC offset"),
        ("yesterday", "'yesterday'"),
        ("", "''"),
        ("2026-02-30T00:00:00Z", "day is out of range"),
        ("0001-01-01T00:00:00+01:00", "outside the years 1 to 9999"),
        ("9999-12-31T23:59:59-01:00", "outside the years 1 to 9999"),
    ],
)
def test_what_is_no_moment_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_time(text)


ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES))  # noqa: DTZ001 - the strategy's bounds
def test_written_times_are_read_back_to_the_millisecond(moment: datetime) -> None:
    text = isoformat(moment)
    assert text.endswith("Z")
    assert timedelta(0) <= moment - parse_time(text) < timedelta(milliseconds=1)


def test_times_of_any_zone_are_written_in_utc() -> None:
    zone = timezone(timedelta(hours=-5, minutes=-30))
    assert isoformat(datetime(2026, 1, 31, 6, 30, tzinfo=zone)) == "2026-01-31T12:00:00.000Z"


@pytest.mark.parametrize("clock", [SystemClock(), FakeClock()], ids=["system", "fake"])
async def test_clocks_tell_aware_utc_and_do_not_go_back(clock: Clock) -> None:
    before = clock.now()
    await clock.sleep(0.001)
    assert before.tzinfo is UTC
    assert clock.now() >= before + timedelta(milliseconds=1)


def test_nanoseconds_are_those_of_the_system_clock() -> None:
    before = SystemClock().now().timestamp()
    assert before - 1 < unix_ns() / 1e9 < SystemClock().now().timestamp() + 1
