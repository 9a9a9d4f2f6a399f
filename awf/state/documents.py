"""Text and JSON in the form that every database keeps and gives back unchanged."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Dialect, Text, TypeDecorator
from sqlalchemy.types import TypeEngine


def storable(text: str) -> str:
    """Return text that can be stored: half a surrogate pair becomes `?` and NUL, which PostgreSQL refuses, U+FFFD."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")


def dump_json(value: Any) -> str:
    """Return a document's text. Half a surrogate pair, which JSON may hold and UTF-8 may not, becomes `?`, and a
    number that is none becomes null: stored as they are, they would fail every answer that lists the document."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace").decode()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


class StoredText(TypeDecorator[str]):
    """Text of any length that is ordered by its code points in every database and under every locale."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Text(collation="C") if dialect.name == "postgresql" else Text())

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        del dialect
        return None if value is None else storable(value)
