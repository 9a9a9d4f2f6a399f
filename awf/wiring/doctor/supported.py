"""The versions that AWF is made for, each with the reason for its bounds. One table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Range:
    """From `lowest` on, below `beyond`; both are tuples of numbers, `hint` says why and what to do."""

    lowest: tuple[int, ...]
    beyond: tuple[int, ...]
    hint: str

    def __str__(self) -> str:
        return f"{_text(self.lowest)} or later, below {_text(self.beyond)}"


RANGES: Final[Mapping[str, Range]] = {
    "Grafana": Range((12, 0), (14,), "Signed webhooks came with Grafana 12.0; 14 is not known yet."),
    "Mimir or Prometheus": Range(
        (2, 42), (4,), "Mimir 3 or Prometheus 2.42 to 3; Mimir 2.x is upgraded through 3.1 (docs/deploying-with-grafana.md)."
    ),
    "Loki": Range((3, 0), (5,), "OTLP and structured metadata need Loki 3.0."),
    "Tempo": Range((2, 6), (4,), "TraceQL metrics need Tempo 2.6; the shipped configuration needs 3."),
    "Alloy": Range((1, 11), (2,), "The shipped configuration needs Alloy 1.11 or later of the 1.x line."),
    "mcp-grafana": Range((2, 1, 1), (2, 1, 2), "Tools change between versions: pip install mcp-grafana==2.1.1"),
}  # fmt: skip
_NUMBERS = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


def judge(program: str, version: str) -> str:
    """Return what is wrong with a version; nothing when it is in range."""
    numbers = parse(version)
    if numbers is None:
        return f"expected {RANGES[program]}"
    if numbers < RANGES[program].lowest:
        return f"too old, expected {RANGES[program]}"
    if numbers >= RANGES[program].beyond:
        return f"newer than what AWF was made for ({RANGES[program]})"
    return ""


def parse(version: str) -> tuple[int, ...] | None:
    """Return a version's numbers; None where there are none, as in a build from a branch."""
    found = _NUMBERS.match(version.strip())
    return tuple(int(part) for part in found.groups(default="0")) if found else None


def _text(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
