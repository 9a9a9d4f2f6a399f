"""The real Alloy alone, with collectors where the stores stand: what it lets in, and what it passes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.collector import Collector
from tests.stack.native._stack import REPOSITORY, Stack


@dataclass(slots=True)
class Passage:
    """Alloy on its way from a sender to one collector that takes all three signals."""

    stack: Stack
    collector: Collector


@contextmanager
def passage(folder: Path, *variants: str, **environ: str) -> Iterator[Passage]:
    """Run config.alloy as it is, with files from beside it, until the block ends."""
    with Collector("http") as collector:
        stores = {f"{name}_OTLP_URL": collector.url for name in ("MIMIR", "LOKI", "TEMPO")}
        stack = Stack(folder, is_unchanged=True, **stores, **environ).add("alloy")
        for variant in variants:
            shutil.copy(REPOSITORY / "alloy" / variant, stack.alloy_folder())
        try:
            yield Passage(stack.start(), collector)
        finally:
            stack.stop()
