"""OTLP's JSON writes ids as hex, where protobuf's JSON expects base64."""

from __future__ import annotations

import base64
import json
from typing import Any

ID_FIELDS = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})


def read_json(body: bytes) -> dict[str, Any]:
    """Return the JSON object with its ids rewritten. Raises ValueError for anything else."""
    value = _rewrite(json.loads(body))
    if not isinstance(value, dict):
        raise ValueError("expected a JSON object")  # noqa: TRY004 - the caller treats both alike
    return value


def _rewrite(value: Any) -> Any:
    # Attribute names never are JSON keys in OTLP (they are values of `key`), so no name can collide.
    if isinstance(value, dict):
        return {
            key: base64.b64encode(bytes.fromhex(item)).decode()
            if key in ID_FIELDS and isinstance(item, str)
            else _rewrite(item)
            for key, item in value.items()
        }
    return [_rewrite(item) for item in value] if isinstance(value, list) else value
