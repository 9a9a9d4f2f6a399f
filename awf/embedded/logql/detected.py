"""Fields that lines and metadata turn out to have: names, types and how many values, for Grafana's field lists."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from awf.embedded.logql import units
from awf.embedded.logql.entry import ERROR, ERROR_DETAILS, Entry
from awf.embedded.logql.extract import logfmt_parser
from awf.embedded.logql.extract_json import json_parser
from awf.embedded.logql.results import LogEntry
from awf.embedded.model import LogRecord

_BOOLEANS: Final = frozenset(
    {"1", "0", "t", "f", "T", "F", "true", "false", "True", "False", "TRUE", "FALSE"}
)
_INTEGER: Final = re.compile(r"[+-]?0*\d{1,18}")
_KEPT_LABELS: Final = frozenset({"cluster", "namespace", "instance", "pod"})
_logfmt: Final = logfmt_parser(strict=False, keep_empty=False)


@dataclass(slots=True)
class Field:
    """One name and what was seen of it; `parsers` are those that make it a label, none for metadata."""

    kind: str = "string"
    values: set[str] = field(default_factory=set)
    parsers: set[str] = field(default_factory=set)


def detect(entries: Iterable[LogEntry], limit: int) -> dict[str, Field]:
    """Return at most `limit` fields of the entries, in the order in which they are found."""
    found: dict[str, Field] = {}
    for entry in entries:
        parsed, parser = parse_line(entry)
        for values, parsers in ((entry.metadata, set[str]()), (parsed, {parser} if parser else set[str]())):
            for name, value in values.items():
                if name in {ERROR, ERROR_DETAILS} or (name not in found and len(found) >= limit):
                    continue
                known = found.setdefault(name, Field())
                known.kind = kind_of(value)
                known.values.add(value)
                known.parsers |= parsers
    return found


def parse_line(entry: LogEntry) -> tuple[dict[str, str], str]:
    """Return what the query parsed already together with what JSON or else logfmt gives, and which it was."""
    for name, parse in (("json", json_parser), ("logfmt", _logfmt)):
        probe = Entry(LogRecord(entry.timestamp_ns, entry.line, entry.stream, entry.metadata))
        parse(probe)
        if not probe.error:
            return entry.parsed | probe.parsed, name
    return entry.parsed, ""


def kind_of(value: str) -> str:
    """Name the type of a value as Loki does."""
    if _INTEGER.fullmatch(value):
        return "int"
    if _reads(units.number, value):
        return "float"
    if value in _BOOLEANS:
        return "boolean"
    if _reads(units.duration_ns, value):
        return "duration"
    return "bytes" if _reads(units.size_bytes, value) else "string"


def is_worth_showing(name: str, values: set[str]) -> bool:
    """Tell whether a stream label tells streams apart in words: one with only ids or numbers does not."""
    if name in _KEPT_LABELS or values <= {"0", "1"}:
        return bool(values)
    return not all(_reads(units.number, value) or _reads(uuid.UUID, value) for value in values)


def _reads(read: Callable[[str], object], value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True
