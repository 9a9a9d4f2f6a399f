"""Prometheus' durations (`1h30m`), read and written."""

from __future__ import annotations

import re
from typing import Final

_UNITS_MS: Final = {
    "y": 31_536_000_000, "w": 604_800_000, "d": 86_400_000,
    "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1,
}  # fmt: skip
_PATTERN: Final = re.compile("".join(rf"(?:([0-9]{{1,9}}){unit})?" for unit in _UNITS_MS))


def parse_duration_ms(text: str) -> int:
    """Return milliseconds. Raises ValueError naming the text."""
    if text == "0":
        return 0
    match = _PATTERN.fullmatch(text)
    if not text or match is None:
        msg = f"{text!r:.40} is not a duration such as 30s, 5m or 1h30m"
        raise ValueError(msg)
    return sum(
        int(count or 0) * scale for count, scale in zip(match.groups(), _UNITS_MS.values(), strict=True)
    )


def format_duration(milliseconds: int) -> str:
    """Return the shortest form without years and weeks, as `1h30m`."""
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, milliseconds = divmod(milliseconds, _UNITS_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
