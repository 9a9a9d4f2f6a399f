"""How fast telemetry comes in over OTLP: requests made beforehand in another process, each acknowledged after its
rows are on disk. Server and sender share the machine's cores, so the server's CPU seconds say more than the rate.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from _backend import Backend
from _load import Load
from _measuring import print_table

CASES = {  # rows, target a second
    "samples": (1_000_000, 100_000),
    "histograms": (1_000_000, 100_000),
    "lines": (200_000, 20_000),
    "spans": (200_000, 20_000),
}
NAMES = {
    "samples": "samples of counters",
    "histograms": "samples of histograms",
    "lines": "log lines",
    "spans": "spans",
}
TRANSPORTS = {"gRPC": "otlp_grpc", "HTTP": "otlp_http"}
HEADER = ("", "a second", "target", "CPU s per million", "peak MB", "disk MB per million", "sent again")


def measure(kind: str, count: int, transport: str) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as name:
        backend = Backend(Path(name))
        with backend:
            load = Load(kind, count, transport, backend.addresses[TRANSPORTS[transport]])
            before = backend.cpu_s()
            result = load.run()
            used, peak = backend.cpu_s() - before, backend.peak_mb()
        rows = result["rows"]
        return (
            f"{NAMES[kind]}, {transport}",
            f"{rows / result['seconds']:,.0f}",
            f"{CASES[kind][1]:,}",
            f"{used / rows * 1e6:.1f}",
            f"{peak:,.0f}",
            f"{backend.disk_mb() / rows * 1e6:.1f}",
            str(result["retries"]),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="how much of the rows to send")
    parser.add_argument("kinds", nargs="*", default=list(CASES), help=", ".join(CASES))
    arguments = parser.parse_args()
    rows = [
        measure(kind, int(CASES[kind][0] * arguments.share), transport)
        for kind in arguments.kinds
        for transport in TRANSPORTS
    ]
    print_table("Ingest", HEADER, rows)


if __name__ == "__main__":
    main()
