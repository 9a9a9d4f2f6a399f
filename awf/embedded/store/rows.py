"""What one `write` carries, and its form as columns for a bulk insert."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from awf.embedded.model import (
    NO_SAMPLES,
    STALE_NAN_BITS,
    Exemplar,
    LogRecord,
    MetricMetadata,
    Samples,
    Span,
)

Columns = dict[str, NDArray[Any]]

_encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
EMPTY_OBJECT = "{}"
EMPTY_LIST = "[]"


@dataclass(frozen=True, slots=True)
class Rows:
    """The arguments of one `Sink.write`."""

    samples: Samples = NO_SAMPLES
    metadata: Mapping[str, MetricMetadata] = field(default_factory=dict)
    exemplars: Sequence[Exemplar] = ()
    logs: Sequence[LogRecord] = ()
    spans: Sequence[Span] = ()

    def __len__(self) -> int:
        return len(self.samples) + len(self.metadata) + len(self.exemplars) + len(self.logs) + len(self.spans)


def encode(value: Mapping[str, Any] | Sequence[Any]) -> str:
    """Return canonical JSON, so that equal metadata is equal text."""
    return _encode(value)


def texts(values: Iterable[str]) -> NDArray[Any]:
    return np.array(list(values), dtype=object)


def int64(values: Iterable[int]) -> NDArray[np.int64]:
    return np.array(list(values), dtype=np.int64)


def sample_columns(ids: NDArray[np.uint32], samples: Sequence[Samples]) -> Columns:
    values = np.concatenate([part.values for part in samples])
    return {
        "sid": ids,
        "ts": np.concatenate([part.timestamps_ms for part in samples]),
        "value": values,
        "stale": values.view(np.uint64) == STALE_NAN_BITS,
    }


def exemplar_columns(ids: NDArray[np.uint32], exemplars: Sequence[Exemplar]) -> Columns:
    return {
        "sid": ids,
        "ts": int64(exemplar.timestamp_ms for exemplar in exemplars),
        "value": np.array([exemplar.value for exemplar in exemplars], dtype=np.float64),
        "labels": texts(encode(exemplar.labels) for exemplar in exemplars),
    }


def log_columns(ids: NDArray[np.uint32], logs: Sequence[LogRecord]) -> Columns:
    return {
        "sid": ids,
        "ts": int64(record.timestamp_ns for record in logs),
        "line": texts(record.line for record in logs),
        "metadata": texts(encode(record.metadata) if record.metadata else EMPTY_OBJECT for record in logs),
    }


def label_columns(new: Mapping[frozenset[tuple[str, str]], int]) -> Columns:
    return {
        "id": np.array(list(new.values()), dtype=np.uint32),
        "labels": texts(encode(dict(key)) for key in new),
    }


def span_columns(spans: Sequence[Span]) -> Columns:
    # Spans of one export share their resource object: encode it once.
    resources = {id(span.resource): span.resource for span in spans}
    encoded = {key: encode(resource) for key, resource in resources.items()}
    return {
        "trace_id": texts(span.trace_id for span in spans),
        "span_id": texts(span.span_id for span in spans),
        "parent_span_id": texts(span.parent_span_id for span in spans),
        "name": texts(span.name for span in spans),
        "kind": np.array([span.kind for span in spans], dtype=np.uint8),
        "start_ns": int64(span.start_ns for span in spans),
        "end_ns": int64(span.end_ns for span in spans),
        "status": np.array([span.status for span in spans], dtype=np.uint8),
        "status_message": texts(span.status_message for span in spans),
        "attributes": texts(encode(span.attributes) if span.attributes else EMPTY_OBJECT for span in spans),
        "resource": texts(encoded[id(span.resource)] for span in spans),
        "scope_name": texts(span.scope_name for span in spans),
        "scope_version": texts(span.scope_version for span in spans),
        "events": texts(
            encode([[event.timestamp_ns, event.name, dict(event.attributes)] for event in span.events])
            if span.events
            else EMPTY_LIST
            for span in spans
        ),
        "links": texts(
            encode([[link.trace_id, link.span_id, dict(link.attributes)] for link in span.links])
            if span.links
            else EMPTY_LIST
            for span in spans
        ),
    }
