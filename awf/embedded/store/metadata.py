"""Structured metadata as the store keeps it: canonical JSON, of which a query reads only what it asks for."""

from __future__ import annotations

import json
from collections.abc import ItemsView, Iterator, Mapping
from json.decoder import scanstring  # type: ignore[attr-defined]
from json.encoder import encode_basestring_ascii as quoted
from typing import Any


class StoredMetadata(Mapping[str, str]):
    """A mapping of names to texts. A quoted name before a colon is a key: quotes inside values are escaped."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __getitem__(self, name: str) -> str:
        value: str | None = self.get(name)
        if value is None:
            raise KeyError(name)
        return value

    def get(self, name: str, default: Any = None) -> Any:
        key = f"{quoted(name)}:"
        start = self._text.find(key)
        return default if start == -1 else scanstring(self._text, start + len(key) + 1)[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole())

    def __len__(self) -> int:
        return len(self._whole())

    def items(self) -> ItemsView[str, str]:
        return self._whole().items()

    def __repr__(self) -> str:
        return repr(self._whole())

    def _whole(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self._text)
        return found
