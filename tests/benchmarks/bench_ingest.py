"""How fast telemetry comes in: requests made beforehand in another process, each acknowledged after its rows are on disk.

Server and sender share the machine's cores, so the server's CPU seconds say more than the rate. Debian's Prometheus
takes the same remote write when it is there.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Protocol

from _backend import Backend
from _load import Load
from _measuring import print_table
from _process import size_mb
from _prometheus import Prometheus, is_installed

CASES = {  # what it is called, rows, target a second
    "samples": ("samples of counters", 1_000_000, 100_000),
    "histograms": ("samples of histograms", 1_000_000, 100_000),
    "remote": ("samples", 1_000_000, 100_000),
    "lines": ("log lines", 200_000, 20_000),
    "spans": ("spans", 200_000, 20_000),
}
OTLP = {"OTLP gRPC": ("gRPC", "otlp_grpc"), "OTLP HTTP": ("HTTP", "otlp_http")}
HEADER = ("", "a second", "target", "CPU s per million", "peak MB", "disk MB per million", "sent again")


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
        f"{used / rows * 1e6:.1f}", f"{server.peak_mb():,.0f}", str(rows), str(result["retries"]),
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
    print_table("What comes in (targets: 3 MB of disk per million samples)", HEADER, rows)
    print("\nPrometheus acknowledges before its samples are safe on disk; its figure of the disk is its log.")


if __name__ == "__main__":
    main()
