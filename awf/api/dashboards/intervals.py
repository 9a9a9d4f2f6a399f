"""How dense the points of a query are: Grafana's rounding of intervals and its `$__rate_interval`."""

from __future__ import annotations

import re
from typing import Final

DEFAULT_SCRAPE_MS: Final = 15_000
"""What Grafana assumes of a Prometheus datasource that does not say."""
MAX_POINTS: Final = 11_000  # Prometheus refuses more
_UNITS_MS: Final = {
    "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000,
}  # fmt: skip
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwy])")
# Up to the first number an interval is rounded to the second (both in milliseconds).
_ROUNDED: Final = (
    (10, 1), (15, 10), (35, 20), (75, 50), (150, 100), (350, 200), (750, 500), (1_500, 1_000), (3_500, 2_000),
    (7_500, 5_000), (12_500, 10_000), (17_500, 15_000), (25_000, 20_000), (45_000, 30_000), (90_000, 60_000),
    (210_000, 120_000), (450_000, 300_000), (750_000, 600_000), (1_050_000, 900_000), (1_500_000, 1_200_000),
    (2_700_000, 1_800_000), (5_400_000, 3_600_000), (9_000_000, 7_200_000), (16_200_000, 10_800_000),
    (32_400_000, 21_600_000), (86_400_000, 43_200_000), (604_800_000, 86_400_000),
    (1_814_400_000, 604_800_000), (3_628_800_000, 2_592_000_000),
)  # fmt: skip


def round_interval_ms(interval_ms: float) -> int:
    """Return the nearest interval that reads well, as Grafana rounds."""
    return next((rounded for most, rounded in _ROUNDED if interval_ms <= most), 31_536_000_000)


def duration_ms(text: str, default_ms: int = 0) -> int:
    """Read a duration such as `30s`, `1m30s` or `>15s`; the default for what is not one."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text.strip().lstrip(">"):
        return default_ms
    return round(sum(float(number) * _UNITS_MS[unit] for number, unit in parts))


def duration_text(milliseconds: float) -> str:
    """Return a duration in its largest whole unit, as the query languages read it."""
    whole = max(1, round(milliseconds))
    # Days and longer are written in hours: what Grafana does, and read by everyone.
    for unit in ("h", "m", "s"):
        if whole % _UNITS_MS[unit] == 0:
            return f"{whole // _UNITS_MS[unit]}{unit}"
    return f"{whole}ms"


def interval_ms(range_ms: int, points: int, least_ms: int) -> int:
    """Return the distance of the points: at most `points` of them, and never closer than `least_ms`."""
    wanted = max(round_interval_ms(range_ms / max(1, points)), least_ms)
    safe = round_interval_ms(range_ms / MAX_POINTS)
    return max(1, wanted, safe)


def rate_interval_ms(interval: int, scrape_ms: int) -> int:
    """Return `$__rate_interval`: long enough to hold two samples even when one scrape is missed."""
    return max(interval + scrape_ms, 4 * scrape_ms)
