"""How fast telemetry comes in: requests made beforehand in another process, each acknowledged after its rows are on disk.

Server and sender share the machine's cores, so the server's CPU seconds say more than the rate. Debian's Prometheus
takes the same remote write when it is there. What stays on disk is measured with more samples, written straight into
the store: in the file as it is, in use after all tails are folded into their days, and in the file made anew.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Protocol

import numpy as np
from _backend import Backend
from _fleet import STEP_MS, fleet
from _load import Load
from _measuring import print_table
from _process import size_mb
from _prometheus import Prometheus, is_installed

from awf.embedded.model import KeyTable, Samples, key_of
from awf.embedded.server import STORE_FILE
from awf.embedded.store import DuckStore
from awf.embedded.store.rewrite import rewrite
from awf.embedded.store.rows import Rows

CASES = {  # what it is called, rows, target a second
    "samples": ("samples of counters", 1_000_000, 100_000),
    "histograms": ("samples of histograms", 1_000_000, 100_000),
    "remote": ("samples", 1_000_000, 100_000),
    "lines": ("log lines", 200_000, 20_000),
    "spans": ("spans", 200_000, 20_000),
}
OTLP = {"OTLP gRPC": ("gRPC", "otlp_grpc"), "OTLP HTTP": ("HTTP", "otlp_http")}
HEADER = (
    "",
    "a second",
    "target",
    "CPU s per million",
    "peak MB",
    "disk MB per million",
    "waits ms, p99",
    "sent again",
)
KEPT_SERIES, KEPT_ROUNDS, MEMORY_MB = 10_000, 300, 1_024
KEPT_HEADER = ("MB per million samples", "right after", "after the fold", "made anew", "target")


class Server(Protocol):
    folder: Path

    def cpu_s(self) -> float: ...
    def peak_mb(self) -> float: ...


def measure(name: str, kind: str, share: float, transport: str, address: str, server: Server) -> list[str]:
    """Send one kind to a running server; the row lacks the disk, which is known when the server has stopped."""
    load = Load(kind, int(CASES[kind][1] * share), transport, address)
    before = server.cpu_s()
    result = load.run()
    used, rows = server.cpu_s() - before, result["rows"]
    return [
        f"{CASES[kind][0]}, {name}", f"{rows / result['seconds']:,.0f}", f"{CASES[kind][2]:,}",
        f"{used / rows * 1e6:.1f}", f"{server.peak_mb():,.0f}", str(rows), f"{result['p99_ms']:,.0f}",
        str(result["retries"]),
    ]  # fmt: skip


def ours(kind: str, share: float) -> list[list[str]]:
    rows = []
    ways = {"remote write": ("HTTP", "mimir")} if kind == "remote" else OTLP
    for name, (transport, face) in ways.items():
        with tempfile.TemporaryDirectory() as folder:
            with Backend(Path(folder)) as server:
                row = measure(name, kind, share, transport, server.addresses[face], server)
            rows.append(_with_disk(row, Path(folder)))
    return rows


def theirs(share: float) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        with Prometheus(Path(folder)) as server:
            row = measure("remote write to Prometheus", "remote", share, "HTTP", server.address, server)
        return _with_disk(row, Path(folder) / "data")


def _with_disk(row: list[str], folder: Path) -> list[str]:
    return [*row[:5], f"{size_mb(folder) / int(row[5]) * 1e6:.1f}", *row[6:]]


def kept(name: str, spread_ms: int, jitter_ms: int) -> list[str]:
    """Write some hours of a fleet; each series has a moment of its own within `spread_ms`, and is late by jitter."""
    found, random = fleet(KEPT_SERIES), np.random.default_rng(1)
    table = KeyTable([key_of(labels) for labels in found.labels])
    series = np.arange(KEPT_SERIES, dtype=np.uint32)
    began_ms = time.time_ns() // 1_000_000 - KEPT_ROUNDS * STEP_MS
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / STORE_FILE
        store = DuckStore.open(file, memory_mb=MEMORY_MB)
        for round_ms in range(began_ms, began_ms + KEPT_ROUNDS * STEP_MS, STEP_MS):
            late = random.integers(0, jitter_ms + 1, KEPT_SERIES)
            at_ms = round_ms + series.astype(np.int64) * 37 % (spread_ms + 1) + late
            store.put(Rows(samples=Samples(table, series, at_ms, found.at(round_ms))))
        sizes = [size_mb(Path(folder))]
        store.fold()
        sizes.append(store.stats().used_bytes / 1e6)
        store.close()
        sizes.append(rewrite(file, MEMORY_MB)[1] / 1e6)
    per_million = KEPT_SERIES * KEPT_ROUNDS / 1e6
    return [name, *(f"{size / per_million:.1f}" for size in sizes), "3"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", action="store_true", help="print tables as Markdown")
    parser.add_argument("--share", type=float, default=1.0, help="how much of the rows to send")
    parser.add_argument("kinds", nargs="*", default=list(CASES), help=", ".join(CASES))
    arguments = parser.parse_args()
    rows = []
    for kind in arguments.kinds:
        rows += ours(kind, arguments.share)
        if kind == "remote" and is_installed():
            rows.append(theirs(arguments.share))
    print_table("What comes in", HEADER, rows)
    print(
        "\nThe disk is that of the moment after; Prometheus acknowledges before its samples are safe on it."
    )
    print_table(
        f"What stays on disk of {KEPT_SERIES * KEPT_ROUNDS:,} samples of {KEPT_SERIES:,} series",
        KEPT_HEADER,
        [
            kept("all series at the same moments", 0, 0),
            kept("each series at its own moments", STEP_MS, 0),
            kept("the same, late by up to 5 ms", STEP_MS, 5),
        ],
    )


if __name__ == "__main__":
    main()
