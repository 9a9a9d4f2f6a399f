"""Label sets: their identity as a key and as a fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LabelKey = tuple[tuple[str, str], ...]

_FNV_OFFSET: Final = 0xCBF29CE484222325
_FNV_PRIME: Final = 0x100000001B3


def label_key(labels: Mapping[str, str]) -> LabelKey:
    """Return a hashable identity of a label set."""
    return tuple(sorted(labels.items()))


def fnv1a64(data: bytes) -> int:
    """Return the 64-bit FNV-1a hash."""
    value = _FNV_OFFSET
    for byte in data:
        value = ((value ^ byte) * _FNV_PRIME) & 0xFFFFFFFFFFFFFFFF
    return value


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return 16 hex digits that stand for a label set: Prometheus' `LabelSet.Fingerprint`, FNV-1a 64 over
    name, 0xFF, value, 0xFF in the order of names (0xFF cannot occur in UTF-8)."""
    data = b"".join(part.encode() + b"\xff" for pair in label_key(labels) for part in pair)
    return f"{fnv1a64(data):016x}"
