"""One query on both sides, and the few places where equal is not the same to the letter."""

from __future__ import annotations

import re
from typing import Final

from ._answers import Answer, difference, merged, ranked, without_empty

EXCEPTIONS: Final = {
    r"": (without_empty, "Loki has empty labels in a series or not, by whether it splits the query"),
    r"\b(top|bottom)k\b": (ranked, "which of series with equal values is among them is left to chance"),
    r"\| keep\b": (merged, "Loki remembers label sets without the origin of a label, and mixes origins up"),
}
"""Pattern of queries -> what is compared instead, and why."""


def compare(query: str, expected: Answer, found: Answer) -> str:
    """Return the first difference between two answers to a query, empty when there is none."""
    for pattern, (view, _) in EXCEPTIONS.items():
        if re.search(pattern, query):
            expected, found = view(expected), view(found)
    return difference(expected, found)
