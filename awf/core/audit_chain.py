"""The audit log's hash chain: what the hash of an entry covers, and whether entries follow one another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from awf.errors import Conflict

GENESIS: Final = "0" * 64
"""What the first entry follows."""

_COVERED = ("seq", "at", "actor", "event", "subject", "detail", "previous_hash")


def digest(entry: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hexadecimal) of an entry: of its fields but `hash`, as JSON with sorted keys and no spaces."""
    body = json.dumps({name: entry[name] for name in _COVERED}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(body.encode()).hexdigest()


class Chain:
    """Follows entries from the first one on. `length` is how many fit so far."""

    def __init__(self) -> None:
        self.length = 0
        self._last = GENESIS

    def follow(self, entry: Mapping[str, Any]) -> None:
        """Take the next entry. Raises Conflict naming what is missing or was changed."""
        if entry["seq"] != self.length + 1:
            raise self.broken("is missing")
        if entry["previous_hash"] != self._last:
            raise self.broken("does not follow the entry before it")
        if entry["hash"] != digest(entry):
            raise self.broken("was changed after it was written")
        self.length, self._last = entry["seq"], entry["hash"]

    def broken(self, how: str) -> Conflict:
        """Return the error that says what is wrong with the next entry."""
        seq = self.length + 1
        return Conflict(
            f"audit entry {seq} {how}", hint="Compare with a backup: someone changed the log.", seq=seq
        )
