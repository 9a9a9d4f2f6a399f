"""Run the benchmarks of the embedded stack and write docs/benchmarks.md from what they print.

`make bench-docs` runs this; with `--short` it is a smaller run."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
PARTS = {  # file, what makes it short
    "Coming in": ("bench_ingest.py", "--share 0.4"),
    "PromQL": ("bench_queries.py", "--minutes 60"),
    "Dashboards": ("bench_dashboards.py", "--series 10000 --rows 50000"),
    "A day of data": ("bench_day.py", "--rows 50000"),
}
INTRODUCTION = """# Benchmarks of the embedded stack

Written by `{command}`.

It runs the benchmarks named below one after the other and keeps what they print; `make bench` prints the same and more.
Server and client run on one machine and share it, so seconds of CPU and ratios travel better than rates do. Targets
stand beside the figures; where a figure misses its target, it says so by being there.

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
    return textwrap.fill(text, 120)


def _prometheus() -> str:
    if (program := shutil.which("prometheus")) is None:
        return "no Prometheus to compare with"
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return f"Prometheus {(told.stdout + told.stderr).split()[2]}"


def main() -> None:
    load = os.getloadavg()[0]
    is_short = "--short" in sys.argv
    command = "python tests/benchmarks/_docs.py --short" if is_short else "make bench-docs"
    text = INTRODUCTION.format(machine=_machine(load), command=command)
    for title, (file, short) in PARTS.items():
        options = short if is_short else ""
        print(f"== {file} {options}", flush=True)
        command = [sys.executable, str(Path(__file__).with_name(file)), *options.split(), "--markdown"]
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        print(told.stdout, flush=True)
        named = f"python tests/benchmarks/{file} {options}".strip()
        text += f"\n## {title}\n\n`{named}`\n\n{told.stdout.strip()}\n"
    PAGE.write_text(text)
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
