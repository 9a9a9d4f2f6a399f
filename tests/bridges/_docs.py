"""The snippets of docs/bridges.md, run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

_PAGE = Path(__file__).parents[2] / "docs" / "bridges.md"


def snippet(heading: str) -> str:
    """Return the first Python block below a heading."""
    section = _PAGE.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found
    return found[1]


class Exporter:
    """Stands where the page has its `exporter`: keeps what it is told to record."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def record(self, event: Any) -> bool:
        self.events.append(event)
        return True
