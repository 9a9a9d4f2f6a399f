"""An event as it is kept in a spool: one JSON array, masked and clamped, with its place in the trace.

Inputs and outputs stay out unless asked for. This runs inside `emit()`: names come again and again, so
each is masked and quoted once.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from json.encoder import encode_basestring_ascii
from typing import Any, NamedTuple, Protocol

from awf.core.counters import Counters
from awf.core.semconv import TRUNCATIONS
from awf.core.types import TaskMetrics
from awf.orchestration import identity
from awf.orchestration.events import WorkflowEvent

MAX_TEXT = 64 << 10
MAX_NAME = 512
MAX_ATTRIBUTES = 100  # backends take 128; the rest is for our own
MAX_VALUE = 4 << 10
MAX_DATA = 256 << 10
# Masking a text of megabytes takes seconds, inside `emit()`. It is cut before, a secret's length behind the
# limit, so that none is cut in two and missed.
SLACK = 8 << 10
MAX_ITEMS = 1000
MAX_DEPTH = 16
MAX_TIME_NS = 2**63 - 1
MAX_COUNT = 2**53  # what a float still counts exactly
MEMO_SIZE = 8192

# What of an event's data is told; the rest is between the engine and its subscribers.
EXPORTED = frozenset({
    "delay_s", "fallback_of", "reason", "missing", "restarted_from", "retried_step", "links", "attributes",
})  # fmt: skip
CONTENT = frozenset({"input", "output"})


class Record(NamedTuple):
    """An event as the exporter sees it. `took_ms` is None where the event has no metrics.

    The first fields, `record[:KIND]`, are the same for very many events: what follows from them alone is
    worked out once.
    """

    type: str
    workflow_id: str
    step_id: str
    agent_id: str
    framework: str
    attempt: int
    error_type: str
    model: str
    provider: str
    execution_id: str
    run: int
    time_ns: int
    trace_id: str
    span_id: str
    parent_id: str
    took_ms: float | None
    input_tokens: int
    output_tokens: int
    cost_usd: float
    retry_count: int
    error: str
    data: Mapping[str, Any] | None


KIND = 9


class Masker(Protocol):
    """What keeps secrets in: `core.redact.Redactor`."""

    def text(self, text: str) -> str: ...

    def value(self, name: str, value: object) -> object: ...


class RecordWriter:
    """Turns events into records. With `include_content`, inputs and outputs go along, masked as well."""

    def __init__(self, masker: Masker, counters: Counters, *, include_content: bool = False) -> None:
        self._masker = masker
        self._counters = counters
        self._exported = EXPORTED | CONTENT if include_content else EXPORTED
        self._names = _Quotes(masker, self.clamp, MAX_NAME)
        self._texts = _Quotes(masker, self.clamp, MAX_TEXT)

    def write(self, event: WorkflowEvent) -> bytes:
        """Return the record's bytes. Raises TypeError, ValueError for an event that is none."""
        names, data, span = self._names, event.data, identity.of(event)
        if not 0 <= event.time_ns <= MAX_TIME_NS:
            raise ValueError(f"an event at {event.time_ns} ns since the epoch")
        model = provider = ""
        rest = "null"
        if data:
            model, provider = data.get("model") or "", data.get("provider") or ""
            rest = self._data(data) if not data.keys() <= _OWN else rest
        return (
            f"[{names[event.type._value_]},{names[event.workflow_id]},{names[event.step_id or '']},"
            f"{names[event.agent_id or '']},{names[event.framework]},{event.attempt:d},"
            f"{names[event.error_type]},{names[model]},{names[provider]},"
            f'{names[event.execution_id]},{event.run:d},{event.time_ns:d},"{span.trace_id}","{span.span_id}",'
            f'"{span.parent_id}",{_metrics(event.metrics)},{self._texts[event.error]},{rest}]'
        ).encode("ascii")

    def _data(self, data: Mapping[str, Any]) -> str:
        room = _Room(MAX_DATA)
        told = {key: self._masker.value(key, room.take(data[key])) for key in data.keys() & self._exported}
        if isinstance(attributes := told.get("attributes"), Mapping):
            told["attributes"] = self._attributes(attributes)
        elif attributes is not None:
            told["attributes"] = {"value": self._attribute(attributes)}
        for key in ("links", "missing"):
            if key in told and not isinstance(told[key], (list, tuple)):
                told[key] = [str(told[key])]
        for key in told.keys() & _TEXTS:
            if isinstance(told[key], str):
                told[key] = self.clamp(str(told[key]), MAX_VALUE)
        for key in told.keys() & CONTENT:
            told[key] = self.clamp(json.dumps(told[key], default=str, ensure_ascii=False), MAX_TEXT)
        text = json.dumps(told, default=str) if told else "null"
        if room.is_short or len(text) > MAX_DATA:
            self._counters.add(TRUNCATIONS, kind="data")
        if len(text) <= MAX_DATA:
            return text
        # An event larger than all others would be in the way of many.
        short = {key: self.clamp(str(told[key]), MAX_VALUE) for key in told.keys() & _TEXTS}
        short |= {key: self.clamp(str(told[key]), MAX_TEXT // 2) for key in told.keys() & CONTENT}
        return json.dumps(short)

    def _attributes(self, attributes: Mapping[Any, Any]) -> dict[str, Any]:
        if len(attributes) > MAX_ATTRIBUTES:
            self._counters.add(TRUNCATIONS, kind="attributes")
        kept = list(attributes.items())[:MAX_ATTRIBUTES]
        return {self.clamp(str(key), MAX_NAME): self._attribute(value) for key, value in kept}

    def _attribute(self, value: object) -> object:
        if isinstance(value, (bool, int, float)):
            return value
        if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
            return [self.clamp(str(item), MAX_VALUE) for item in list(value)[:MAX_ATTRIBUTES]]
        return self.clamp(str(value), MAX_VALUE)

    def clamp(self, text: str, limit: int, missing: int = 0) -> str:
        """Return a text of at most about `limit` characters; one that is cut, or of which so many characters
        are `missing` already, says so and is counted."""
        if len(text) <= limit and not missing:
            return text
        self._counters.add(TRUNCATIONS, kind="text")
        return f"{text[:limit]}… [{max(0, len(text) - limit) + missing} characters cut]"


class _Room:
    """What fits of data that somebody made as large as they liked."""

    def __init__(self, left: int) -> None:
        self._left = left
        self.is_short = False

    def take(self, value: object, depth: int = 0) -> object:
        """Return the value without what is too much of it."""
        if isinstance(value, (str, bytes)):
            return self._take_text(value)
        if not isinstance(value, (Mapping, list, tuple)):
            return value
        if depth == MAX_DEPTH:
            self.is_short = True
            return None
        self.is_short |= len(value) > MAX_ITEMS
        if isinstance(value, Mapping):
            pairs = islice(value.items(), MAX_ITEMS)
            return {
                self._take_text(key) if isinstance(key, str) else key: self.take(item, depth + 1)
                for key, item in pairs
                if self._left > 0
            }
        return [self.take(item, depth + 1) for item in value[:MAX_ITEMS] if self._left > 0]

    def _take_text(self, text: str | bytes) -> str | bytes:
        kept = text[: MAX_TEXT + SLACK]
        self._left -= len(kept)
        self.is_short |= len(kept) < len(text) or self._left < 0
        # A part of it could be a part of a secret.
        return kept if self._left >= 0 else ""


class _Quotes(dict[str, str]):
    """Texts as JSON strings, masked and clamped; made when they are first asked for."""

    def __init__(self, masker: Masker, clamp: Callable[[str, int, int], str], limit: int) -> None:
        self._masker = masker
        self._clamp = clamp
        self._limit = limit

    def __missing__(self, text: str) -> str:
        kept = text[: self._limit + SLACK]  # also of an enum of texts: its text rather than its name
        masked = self._masker.text(kept)
        quoted = encode_basestring_ascii(self._clamp(masked, self._limit, len(text) - len(kept)))
        # What was masked is asked for again each time, because each time is counted.
        if len(text) <= MAX_NAME and masked == text:
            if len(self) >= MEMO_SIZE:
                self.clear()
            self[text] = quoted
        return quoted


_TEXTS = frozenset({"fallback_of", "reason", "restarted_from", "retried_step"})
_OWN = frozenset({"model", "provider"})


def _metrics(metrics: TaskMetrics | None) -> str:
    if metrics is None:
        return "null,0,0,0,0"
    tokens = metrics.token_usage
    return (
        f"{_amount(metrics.execution_time_ms)!r},{_count(tokens.input_tokens):d},"
        f"{_count(tokens.output_tokens):d},{_amount(metrics.cost_usd)!r},{_count(metrics.retry_count):d}"
    )


def _amount(number: float) -> float:
    """Return what counters and durations may be: finite, not negative, and small enough to be added up."""
    number = float(number)
    return min(max(number, 0.0), float(MAX_COUNT)) if math.isfinite(number) else 0.0


def _count(number: int) -> int:
    return min(max(number, 0), MAX_COUNT)


def read(payloads: Sequence[bytes]) -> list[Record]:
    """Return the records of these bytes. Raises ValueError where one is no record."""
    try:
        return [Record._make(fields) for fields in json.loads(b"[" + b",".join(payloads) + b"]")]
    except TypeError as error:
        raise ValueError(str(error)) from error
