"""Parts of a UTC date, from Unix seconds: minute, hour, day_of_week, days_in_month and so on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from awf.embedded.promql.values import Floats

Moments = NDArray[np.datetime64]

_LIMIT_S = 2.0**53


def _part(read: Callable[[Moments], NDArray[np.int64]]) -> Callable[[Floats], Floats]:
    def apply(seconds: Floats) -> Floats:
        usable = np.abs(seconds) < _LIMIT_S  # NaN and infinities have no date
        moments = np.where(usable, np.trunc(seconds), 0).astype("datetime64[s]")
        return np.where(usable, read(moments).astype(np.float64), np.nan)

    return apply


def _since(moments: Moments, unit: str, within: str) -> NDArray[np.int64]:
    """Count whole units since the enclosing one began."""
    start = moments.astype(f"datetime64[{within}]")
    count = moments.astype(f"datetime64[{unit}]") - start.astype(f"datetime64[{unit}]")
    return np.asarray(count, dtype=np.int64)


def _day_of_week(moments: Moments) -> NDArray[np.int64]:
    days = moments.astype("datetime64[D]").astype(np.int64)
    return (days + 4) % 7  # 1970-01-01 was a Thursday


def _days_in_month(moments: Moments) -> NDArray[np.int64]:
    month = moments.astype("datetime64[M]")
    length = (month + np.timedelta64(1, "M")).astype("datetime64[D]") - month.astype("datetime64[D]")
    return np.asarray(length, dtype=np.int64)


PARTS: dict[str, Callable[[Floats], Floats]] = {
    "minute": _part(lambda moments: _since(moments, "m", "h")),
    "hour": _part(lambda moments: _since(moments, "h", "D")),
    "day_of_week": _part(_day_of_week),
    "day_of_month": _part(lambda moments: _since(moments, "D", "M") + 1),
    "day_of_year": _part(lambda moments: _since(moments, "D", "Y") + 1),
    "days_in_month": _part(_days_in_month),
    "month": _part(lambda moments: _since(moments, "M", "Y") + 1),
    "year": _part(lambda moments: moments.astype("datetime64[Y]").astype(np.int64) + 1970),
}
