"""OTLP's attribute values as Python values, and as label text."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from awf.embedded.otlp.names import label_name


def attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Return attributes as a dict; of a repeated key the last stands."""
    return {pair.key: plain(pair.value) for pair in pairs}


def plain(value: AnyValue) -> Any:
    """Return str, bool, int, float, list, dict or None; bytes become base64."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return getattr(value, kind)


def text(value: Any) -> str:
    """Return label text: strings as they are, numbers without a needless `.0`, the rest as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, float):
        return decimal(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def labels(values: Mapping[str, Any]) -> dict[str, str]:
    """Return attributes as labels. Names that become equal share one label, their values joined by `;`,
    as in Prometheus; empty ones are left out."""
    result: dict[str, str] = {}
    for key in sorted(values):
        name, content = label_name(key), text(values[key])
        if name and content:
            result[name] = f"{result[name]};{content}" if name in result else content
    return result


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield leaves of nested maps, keys joined by `_` as Loki joins them."""
    for key, value in values.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{key}_")
        else:
            yield f"{prefix}{key}", value


@lru_cache(maxsize=4096)
def decimal(value: float) -> str:
    """Return a number as Prometheus writes `le`: 100, 0.5, +Inf; never an exponent."""
    if np.isfinite(value):
        return np.format_float_positional(value, trim="-")
    return "NaN" if np.isnan(value) else "+Inf" if value > 0 else "-Inf"
