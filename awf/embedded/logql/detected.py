"""What Grafana's log pages ask to offer filters: labels that tell streams apart, and fields found in lines."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import Any, Final
from uuid import UUID

from awf.embedded.contracts import LogReader
from awf.embedded.logql import units
from awf.embedded.logql.engine import Engine
from awf.embedded.logql.entry import COLLISION_SUFFIX, ERROR, ERROR_DETAILS, Entry
from awf.embedded.logql.extract import label_name
from awf.embedded.logql.parameters import Parameters
from awf.embedded.logql.parser import parse_selector
from awf.embedded.logql.pipeline import Pipeline
from awf.embedded.logql.results import LogEntry
from awf.embedded.logql.scan import QueryStats
from awf.embedded.model import LogRecord
from awf.errors import QueryError

MAX_FIELDS: Final = 1_000
MAX_LINES: Final = 5_000
_STATIC: Final = frozenset({"cluster", "namespace", "instance", "pod"})
_PARSERS: Final = ("json", "logfmt")
_INTEGER: Final = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_BOOLEANS: Final = frozenset(("t", "T", "TRUE", "true", "True", "f", "F", "FALSE", "false", "False"))
_TYPES: Final[Mapping[str, Callable[[str], bool]]] = {
    "int": lambda value: _INTEGER.fullmatch(value) is not None,
    "float": lambda value: _reads(float, value),
    "boolean": lambda value: value in _BOOLEANS,
    "duration": lambda value: _reads(units.duration_ns, value),
    "bytes": lambda value: _reads(units.size_bytes, value),
}

Json = dict[str, Any]


class DetectedEndpoints:
    """Each method answers one endpoint."""

    def __init__(self, engine: Engine, reader: LogReader) -> None:
        self._engine = engine
        self._reader = reader

    def calls(self) -> dict[str, Callable[[Parameters], Json]]:
        return {
            "/detected_labels": self.labels,
            "/detected_fields": self.fields,
            "/detected_field/{name}/values": self.values,
        }

    def labels(self, parameters: Parameters) -> Json:
        """Labels of matching streams, without those that only hold ids."""
        text = parameters.text("query")
        matchers = parse_selector(text).matchers if text else ()
        values: defaultdict[str, set[str]] = defaultdict(set)
        for labels in self._reader.streams(matchers, *parameters.span_ns()):
            for name, value in labels.items():
                values[name].add(value)
        shown = {
            name: found for name, found in sorted(values.items()) if name in _STATIC or not _are_ids(found)
        }
        return {
            "detectedLabels": [{"label": name, "cardinality": len(found)} for name, found in shown.items()]
        }

    def fields(self, parameters: Parameters) -> Json:
        """Structured metadata, and what json or logfmt finds in the newest lines."""
        limit = parameters.limit(MAX_FIELDS)
        shown = [each.json(name) for name, each in sorted(self._found(parameters, limit).items())]
        return {"fields": shown, "limit": limit} if shown else {}

    def values(self, parameters: Parameters) -> Json:
        limit = parameters.limit(MAX_FIELDS)
        field = self._found(parameters, MAX_FIELDS).get(parameters.text("name"))
        shown = sorted(field.values)[:limit] if field else []
        return {"values": shown, "limit": limit} if shown else {}

    def _found(self, parameters: Parameters, limit: int) -> dict[str, _Field]:
        entries = self._engine.entries(parameters.query(), *parameters.span_ns(), QueryStats())
        return find_fields(islice(entries, _line_limit(parameters)), limit)


@dataclass(slots=True)
class _Field:
    values: set[str] = field(default_factory=set)
    parsers: dict[str, None] = field(default_factory=dict)
    path: list[str] = field(default_factory=list)
    type: str = "string"

    def json(self, name: str) -> Json:
        return {
            "label": name, "type": self.type, "cardinality": len(self.values),
            "parsers": list(self.parsers) or None,
        } | ({"jsonPath": self.path} if self.path else {})  # fmt: skip


def find_fields(entries: Iterable[LogEntry], limit: int = MAX_FIELDS) -> dict[str, _Field]:
    """Return the first fields by name; the type is that of the value seen last, as in Loki."""
    found: defaultdict[str, _Field] = defaultdict(_Field)
    for entry in entries:
        parser, parsed = _parsed(entry)
        paths = json_paths(entry.line) if parser == "json" else {}
        for name, value in (*entry.metadata.items(), *entry.parsed.items(), *parsed.items()):
            if name in {ERROR, ERROR_DETAILS} or (name not in found and len(found) >= limit):
                continue
            each = found[name]
            each.values.add(value)
            each.type = type_of(value)
            if parser and name not in entry.metadata:
                each.parsers[parser] = None
                each.path = each.path or paths.get(name.removesuffix(COLLISION_SUFFIX), [])
    return dict(found)


@cache
def _pipeline(parser: str) -> Pipeline:
    return Pipeline(parse_selector(f'{{a="b"}} | {parser}').stages)


def _parsed(entry: LogEntry) -> tuple[str, Mapping[str, str]]:
    """Read a line as JSON or else as logfmt; `parser` is empty when it is neither."""
    for name in _PARSERS:
        line = Entry(LogRecord(entry.timestamp_ns, entry.line, entry.stream))
        if _pipeline(name).accepts(line) and not line.error:
            return name, line.parsed
    return "", {}


def json_paths(line: str) -> dict[str, list[str]]:
    """Return where in a line of JSON each label of the parser `json` comes from."""
    found: dict[str, list[str]] = {}
    try:
        waiting: list[tuple[list[str], Any]] = [([], json.loads(line))]
    except (ValueError, RecursionError):
        return {}
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [([*path, key], each) for key, each in value.items()]
        elif path:
            found[label_name("_".join(path))] = path
    return found


def type_of(value: str) -> str:
    """Return the first of Loki's types that a value can be read as."""
    return next((name for name, is_one in _TYPES.items() if is_one(value)), "string")


def _are_ids(values: set[str]) -> bool:
    """Whether all values are numbers or UUIDs; 0 and 1 are the values of a switch."""
    return not values <= {"0", "1"} and all(_is_id(value) for value in values)


def _is_id(value: str) -> bool:
    return _reads(float, value) or _reads(UUID, value)


def _reads(read: Callable[[str], object], value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


def _line_limit(parameters: Parameters) -> int:
    text = parameters.text("line_limit") or "100"
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or not int(text):
        raise QueryError(f"line_limit {text!r:.40} is not a number above 0")
    return min(int(text), MAX_LINES)
