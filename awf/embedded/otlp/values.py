"""OTLP's attribute values as Python values, and as label text."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from awf.embedded.otlp.names import label_name


def attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Return attributes as a dict; of a repeated key the last stands."""
    return {pair.key: plain(pair.value) for pair in pairs}


def read_attributes(pairs: Iterable[bytes]) -> dict[str, Any]:
    """Return attributes that were left as bytes. Raises DecodeError."""
    return attributes(map(KeyValue.FromString, pairs))


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
    """Return label text as the Collector writes it: strings as they are, the rest as JSON, keys sorted."""
    if isinstance(value, str):
        return value
    return "" if value is None else _json(value)


def _json(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(key)}:{_json(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, float):
        return _number(value)
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> str:
    """Return a number as ECMAScript writes it: 12, 0.5, 1e+21, 1.5e-7."""
    if np.isfinite(value):
        if value and not 1e-6 <= abs(value) < 1e21:
            return np.format_float_scientific(value, trim="-", exp_digits=1)
        return np.format_float_positional(value, trim="-")
    return "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def labels(values: Mapping[str, Any], name_of: Callable[[str], str] = label_name) -> dict[str, str]:
    """Return attributes as labels. Names that become equal share one label, their values joined by `;`,
    as in Prometheus; empty ones are left out."""
    result: dict[str, str] = {}
    for key in sorted(values):
        name, content = name_of(key), text(values[key])
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
