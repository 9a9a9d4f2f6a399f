"""Run the benchmarks of the embedded stack and write docs/benchmarks.md from what they print: make bench-docs."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
PARTS = {
    "Coming in": "bench_ingest.py",
    "PromQL": "bench_queries.py",
    "Dashboards": "bench_dashboards.py",
    "A day of data": "bench_day.py",
}
INTRODUCTION = """# Benchmarks of the embedded stack

Written by `make bench-docs`, which runs the benchmarks named below one after the other and keeps what they print; `make
bench` prints the same and more. Server and client run on one machine and share it, so seconds of CPU and ratios travel
better than rates do. Targets stand beside the figures; where a figure misses its target, it says so by being there.

{machine}
"""


def _machine(load: float) -> str:
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    text = (
        f"This run: {os.cpu_count()} cores, {memory_gb:.0f} GB of memory, Python {platform.python_version()},"
        f" DuckDB {duckdb.__version__}, {_prometheus()}."
    )
    if load > 0.5:
        text += (
            f" The machine was not idle: before the first benchmark began, {load:.1f} other programs wanted a core at"
            " any moment. Times and rates are those of such a machine."
        )
    return text


def _prometheus() -> str:
    if (program := shutil.which("prometheus")) is None:
        return "no Prometheus to compare with"
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return f"Prometheus {(told.stdout + told.stderr).split()[2]}"


def main() -> None:
    load = os.getloadavg()[0]
    text = INTRODUCTION.format(machine=_machine(load))
    for title, file in PARTS.items():
        print(f"== {file}", flush=True)
        command = [sys.executable, str(Path(__file__).with_name(file)), "--markdown"]
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        print(told.stdout, flush=True)
        text += f"\n## {title}\n\n`python tests/benchmarks/{file}`\n\n{told.stdout.strip()}\n"
    PAGE.write_text(text)
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
