"""The line of a query that an error is about, with a caret under the place."""

from __future__ import annotations

import re


def excerpt(query: str, line: int, column: int, *, width: int) -> str:
    """Return a line, counted from 1 as the column is, and the caret under it; of a long one `width` characters around it."""
    lines = query.split("\n")
    text = lines[line - 1] if line <= len(lines) else ""
    at = min(column - 1, len(text))
    start = max(0, at - width // 2)
    shown = re.sub(r"[^\x20-\x7e\xa0-\uffff]", " ", text[start : start + width])
    return f"{shown}\n{' ' * (at - start)}^"
