"""Names that are made from other names, the same wherever they are made."""

from __future__ import annotations

import re
from typing import Final

UID_LENGTH: Final = 40  # Grafana's limit


def rule_uid(name: str) -> str:
    """Return a rule's uid in Grafana, its name in snake case: links and dedupe keys survive restarts and edits."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:UID_LENGTH] or "rule"
