"""Tempo's older search by tags (`service.name=web error=true`), rewritten as TraceQL."""

from __future__ import annotations

import json
import re
from typing import Final

from awf.errors import QueryError

_PAIR: Final = re.compile(r'\s*([^\s="]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)(?=\s|$)')
_SUBSTRINGS: Final = {
    "name": "name", "root.name": "rootName", "root.service.name": "rootServiceName",
    "service.name": "resource.service.name",
}  # fmt: skip
_STATUSES: Final = frozenset({"ok", "error", "unset"})


def to_query(text: str) -> str:
    """Return a query for traces in which every tag is found on some span.

    As in Tempo the names of spans and services match by a part of them, status codes as what they are,
    and all other attributes only as whole strings: `attempt=2` finds no number.
    Raises QueryError.
    """
    tags = _parse(text)
    return " && ".join(f"{{ {_condition(name, value)} }}" for name, value in tags.items()) or "{}"


def _parse(text: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _PAIR.match(text, at)
        if not found:
            raise QueryError(f"invalid tags: expected key=value at {text[at:].strip()!r:.80}")
        name, value = found[1], found[2]
        if name in tags:
            raise QueryError(f"invalid tags: tag {name} has been set twice")
        tags[name] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        at = found.end()
    return tags


def _condition(name: str, value: str) -> str:
    if name == "status.code":
        if value not in _STATUSES:
            raise QueryError(f"invalid tags: status.code is {value!r}; it must be ok, error or unset")
        return f"status = {value}"
    if name in _SUBSTRINGS:
        return f"{_SUBSTRINGS[name]} =~ {_quoted(f'.*{re.escape(value)}.*')}"
    if name == "http.status_code" and re.fullmatch(r"\d{1,9}", value):
        return f".http.status_code = {value}"
    return f".{_quoted(name)} = {_quoted(value)}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
