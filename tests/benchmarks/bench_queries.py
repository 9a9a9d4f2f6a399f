"""PromQL over HTTP: range and instant queries over 1,000 series x 6 hours, beside Debian's Prometheus when it is there.

Both have the same samples and answer in turns, JSON included. Prometheus has them in the memory of its head.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Callable, Mapping
from itertools import count
from pathlib import Path

import _fleet
import httpx
from _backend import Backend
from _measuring import print_table, seconds_per_unit
from _prometheus import Prometheus, is_installed

SERIES, ROUNDS = 1_000, 3
RANGES = {
    "rate of 1,000 series by step": ("sum by (step_id) (rate(awf_step_duration_ms_bucket[5m]))", 15),
    "the same, a point a minute": ("sum by (step_id) (rate(awf_step_duration_ms_bucket[5m]))", 60),
    "p95 by workflow": (
        "histogram_quantile(0.95, sum by (le, workflow_id) (rate(awf_step_duration_ms_bucket[5m])))",
        60,
    ),
    "highest of 30 minutes": ("max by (step_id) (max_over_time(awf_step_duration_ms_count[30m]))", 60),
    "share of two rates": (
        "sum by (step_id) (rate(awf_step_duration_ms_count{status='failed'}[5m]))"
        " / sum by (step_id) (rate(awf_step_duration_ms_count[5m]))",
        60,
    ),
    "one series as it is": (
        "awf_step_duration_ms_count{workflow_id='workflow-0',step_id='step-3',status='failed'}",
        15,
    ),
}
INSTANTS = {
    "sum of rates": "sum(rate(awf_step_duration_ms_bucket[5m]))",
    "top 5": "topk(5, sum by (step_id) (rate(awf_step_duration_ms_count[5m])))",
    "all series as they are": "{job='demo'}",
}


def _asks(
    client: httpx.Client, base: str, query: tuple[str, int | None], until: tuple[float, int]
) -> Callable[[], int]:
    (text, step_s), (until_s, minutes) = query, until
    asked = count()

    def ask() -> int:
        # A millisecond earlier each time: what was answered before must not answer it.
        at_s = until_s - next(asked) / 1000
        if step_s is None:
            path, parameters = "query", {"query": text, "time": f"{at_s:.3f}"}
        else:
            path = "query_range"
            times = {"start": f"{at_s - minutes * 60:.3f}", "end": f"{at_s:.3f}", "step": f"{step_s}"}
            parameters = {"query": text, **times}
        answer = client.get(f"{base}/api/v1/{path}", params=parameters)
        assert answer.status_code == 200, answer.text
        assert answer.json()["data"]["result"], answer.text[:300]
        return 1

    return ask


def measure(sides: Mapping[str, tuple[str, Callable[[], float]]], until_s: float, minutes: int) -> None:
    """Ask every side (its address, its CPU seconds) in turns."""
    with httpx.Client(timeout=120) as client:
        for title, queries in (
            (f"Range queries over {SERIES:,} series x {minutes / 60:g} h", RANGES),
            (
                f"Instant queries over {SERIES:,} series",
                {name: (text, None) for name, text in INSTANTS.items()},
            ),
        ):
            rows = [_row(client, name, queries[name], sides, (until_s, minutes)) for name in queries]
            header = ["ms", *(f"{side}{what}" for side in sides for what in ("", ", CPU"))]
            print_table(title, [*header, "time against Prometheus (target: 1 x)", "CPU against it"], rows)


def _row(
    client: httpx.Client,
    name: str,
    query: tuple[str, int | None],
    sides: Mapping[str, tuple[str, Callable[[], float]]],
    until: tuple[float, int],
) -> list[str]:
    cases = {side: _asks(client, base, query, until) for side, (base, _) in sides.items()}
    found = list(seconds_per_unit(cases, rounds=ROUNDS).values())
    used = [_cpu_per_call(cases[side], cpu_s) for side, (_, cpu_s) in sides.items()]
    figures = [f"{value * 1e3:,.1f}" for pair in zip(found, used, strict=True) for value in pair]
    ratios = [f"{each[0] / each[1]:.2f} x" if len(sides) > 1 else "not installed" for each in (found, used)]
    return [name + (f", every {query[1]} s" if query[1] else ""), *figures, *ratios]


def _cpu_per_call(case: Callable[[], int], cpu_s: Callable[[], float]) -> float:
    began = cpu_s()
    for _ in range(ROUNDS):
        case()
    return max(cpu_s() - began, 0.01) / ROUNDS  # the kernel counts in hundredths


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", action="store_true", help="print tables as Markdown")
    parser.add_argument("--minutes", type=int, default=360, help="how much there is of every series")
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as opened:
        folder = Path(name)
        (folder / "prometheus").mkdir()
        fleet = _fleet.durations(SERIES)
        written = _fleet.write(folder / "ours", now=fleet, minutes=minutes)
        ours = opened.enter_context(Backend(folder / "ours"))
        sides = {"ours": (f"{ours.addresses['mimir']}/prometheus", ours.cpu_s)}
        if is_installed():
            theirs = opened.enter_context(Prometheus(folder / "prometheus"))
            theirs.write(fleet, _fleet.moments(written.until_ms, minutes))
            sides["Prometheus"] = (theirs.address, theirs.cpu_s)
        measure(sides, written.until_ms / 1000, minutes)


if __name__ == "__main__":
    main()
