"""How much memory and disk the store may take, and who gets what of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FOLD_WEIGHT = 1_000_000
SEAL_SAMPLES = 131_072
DATABASE_SHARE = 0.4
MIN_HEAD_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Limits:
    """`memory_mb` is shared by the database, the newest samples in memory (the head) and the label sets.

    The head has what the label sets leave; these may grow until the head has its least share, then new ones
    are refused. `fold_weight` says when a tail is due, in samples; None: only when told.
    """

    memory_mb: int = 1_024
    max_bytes: int | None = None
    wal: Path | None = None
    fold_weight: int | None = FOLD_WEIGHT
    seal_samples: int = SEAL_SAMPLES

    @property
    def database_mb(self) -> int:
        return max(64, int(self.memory_mb * DATABASE_SHARE))

    @property
    def own_bytes(self) -> int:
        """Head and label sets together."""
        return int(self.memory_mb * (1 - DATABASE_SHARE)) << 20

    @property
    def label_bytes(self) -> int:
        return self.own_bytes - (int(self.memory_mb * MIN_HEAD_SHARE) << 20)
