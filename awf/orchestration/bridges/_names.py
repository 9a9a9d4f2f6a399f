"""What of a framework's names and texts may go into an event."""

from __future__ import annotations

import json
import re

MAX_LABEL_CHARS = 100
MAX_CONTENT_CHARS = 20_000

_IDS = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|(?<![0-9A-Za-z])[0-9a-fA-F]{16,}")


def label(name: object, otherwise: str) -> str:
    """Return a name fit for a metric label: one line, not long, ids in it replaced by an asterisk."""
    return _IDS.sub("*", " ".join(str(name or "").split()))[:MAX_LABEL_CHARS] or otherwise


def provider_of(model: str) -> str:
    """Return the provider in a model's name such as `anthropic/claude`, as routers write it; else empty."""
    provider, slash, _ = model.partition("/")
    return provider if slash else ""


def text(content: object) -> str:
    """Return content as text, JSON unless it is text already, cut to a bounded length."""
    found = content if isinstance(content, str) else json.dumps(content, default=str, ensure_ascii=False)
    return found[:MAX_CONTENT_CHARS]
