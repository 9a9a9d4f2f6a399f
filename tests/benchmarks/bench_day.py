"""A day of data: searching a million log lines and a million spans over HTTP, and opening the store after kill -9."""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import _fleet
import httpx
from _backend import Backend
from _load import Load
from _measuring import print_table, seconds_per_unit

SERIES, ROUNDS, KILLS = 1_000, 5, 3
ENOUGH_S = 2.0
HOUR_NS = 3_600 * 10**9

LOGS = {  # query, hours, limit
    "a word, the newest 100 lines": ('{service_name=~".+"} |= "in 976 ms"', 24, 100),
    "a word that is rare": ('{service_name="service-3"} |= "workflow-13 failed"', 24, 100),
    "a regular expression": ('{service_name=~".+"} |~ "db-[345] reset"', 24, 100),
    "a field": (
        '{service_name=~".+"} | workflow_id="workflow-7" | event_type="workflow.step.failed"',
        24,
        100,
    ),
    "an hour, newest 100 of an execution": ('{service_name=~".+"} | execution_id="exe_{last:016x}"', 1, 100),
    "every line parsed, for a value that few have": (
        '{service_name=~".+"} | pattern "<_> of <workflow> failed<_>" | workflow="workflow-13"',
        24,
        100,
    ),
    "every line parsed, counted a minute": (
        'sum by (workflow) (count_over_time({service_name=~".+"} | pattern "<_> of <workflow> completed<_>" [1m]))',
        24,
        0,
    ),
    "errors a minute by service": ('sum by (service_name) (count_over_time({level="error"}[1m]))', 24, 0),
}
TRACES = {
    "failed spans": ("{ status = error }", 24),
    "slow spans": ("{ duration > 970ms }", 24),
    "an attribute": ('{ span.workflow_id = "workflow-7" && span.step_id = "step-4" }', 24),
    "an execution": ('{ span.execution_id = "exe_{last:016x}" }', 24),
    "children of a failed root": ('{ name = "awf.workflow" && status = error } > { name = "awf.step" }', 1),
    "spans a minute by step": ("{ } | rate() by (span.step_id)", 24),
    "p95 of durations by step, a minute": ("{ } | quantile_over_time(duration, .95) by (span.step_id)", 24),
    "highest of an attribute, a minute": ("{ } | max_over_time(span.attempt) by (name)", 24),
}


def _get(client: httpx.Client, url: str, parameters: dict[str, str], key: str) -> Callable[[], int]:
    def ask() -> int:
        # A parameter that nobody reads: the server keeps answers, and these are to be found anew.
        answer = client.get(url, params={**parameters, "asked": str(time.monotonic_ns())})
        assert answer.status_code == 200, answer.text
        found = answer.json()
        assert found.get("data", found)[key], f"nothing found for {parameters}"
        return 1

    return ask


def search_logs(client: httpx.Client, backend: Backend, until_ms: int, count: int) -> list[list[str]]:
    rows = []
    for name, (query, hours, limit) in LOGS.items():
        end_ns = until_ms * 1_000_000 + 1
        parameters = {
            "query": query.replace("{last:016x}", f"{(count - 1) // 14:016x}"), "start": str(end_ns - hours * HOUR_NS),
            "end": str(end_ns), **({"limit": str(limit)} if limit else {"step": "60"}),
        }  # fmt: skip
        case = _get(client, f"{backend.addresses['loki']}/loki/api/v1/query_range", parameters, "result")
        rows.append([name, query, *_measured(case)])
    return rows


def search_traces(client: httpx.Client, backend: Backend, until_ms: int, count: int) -> list[list[str]]:
    rows = []
    end_s = until_ms // 1000 + 1
    last = count - 1 - (count - 1) % 7
    for name, (query, hours) in TRACES.items():
        is_metric = "rate()" in query or "_over_time(" in query
        path, key = ("metrics/query_range", "series") if is_metric else ("search", "traces")
        parameters = {"q": query.replace("{last:016x}", f"{last:016x}"), "start": str(end_s - hours * 3600),
                      "end": str(end_s), **({"step": "60s"} if is_metric else {"limit": "20"})}  # fmt: skip
        case = _get(client, f"{backend.addresses['tempo']}/api/{path}", parameters, key)
        rows.append([name, query, *_measured(case)])
    trace = f"{backend.addresses['tempo']}/api/traces/{last + 1:032x}"
    rows.append(["a trace by its id", "", *_measured(_get(client, trace, {}, "batches"))])
    return rows


def _measured(case: Callable[[], int]) -> list[str]:
    """Return the median of some runs, or what is wrong; what takes long runs once."""
    began = time.perf_counter()
    try:
        case()
        first_s = time.perf_counter() - began
        seconds = first_s if first_s > ENOUGH_S else seconds_per_unit({"": case}, rounds=ROUNDS)[""]
    except AssertionError as error:
        return [str(error)[:100]]
    return [f"{seconds * 1e3:,.0f}"]


def open_after_kills(folder: Path) -> list[list[str]]:
    """Kill the server while samples come in, start it again and ask for the newest."""
    with tempfile.TemporaryDirectory() as empty, Backend(Path(empty)) as backend:
        rows = [
            ["an empty folder, for comparison", f"{backend.start_s:.2f}", f"{backend.open_s:.2f}", "", ""]
        ]
    for number in range(KILLS):
        with Backend(folder) as backend:
            load = Load("samples", 300_000, "gRPC", backend.addresses["otlp_grpc"])
            sending = threading.Thread(target=load.run_until_it_fails)
            sending.start()
            time.sleep(1.5)
            backend.kill()
            sending.join()
        began = time.perf_counter()
        with Backend(folder) as backend:
            figures = [f"{backend.start_s:.2f}", f"{backend.open_s:.2f}"]
            count = backend.query("count(last_over_time(bench_tokens_total[1h]))")
            answered_s = time.perf_counter() - began
        rows.append([
            f"kill -9 number {number + 1}", *figures, f"{answered_s:.2f}", count[0]["value"][1] if count else "0",
        ])  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markdown", action="store_true", help="print tables as Markdown")
    parser.add_argument("--rows", type=int, default=1_000_000, help="log lines, and spans")
    count = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        began = time.monotonic()
        written = _fleet.write(folder, day_of=_fleet.durations(SERIES), lines=count, spans=count, hours=24)
        with Backend(folder) as backend, httpx.Client(timeout=120) as client:
            size = backend.disk_mb()
            print(
                f"a day of {SERIES:,} series ({written.samples:,} samples), {count:,} log lines and {count:,} spans:"
                f" {size:,.0f} MB on disk, written in {time.monotonic() - began:.0f} s"
            )
            header = ["", "query", "ms"]
            print_table(
                f"Searching {count:,} log lines of a day",
                header,
                search_logs(client, backend, written.until_ms, count),
            )
            print_table(
                f"Searching {count:,} spans of a day",
                header,
                search_traces(client, backend, written.until_ms, count),
            )
            print(f"\nmost memory: {backend.peak_mb():,.0f} MB")
        header = [
            "seconds (target: open below 2 s)",
            "data opened",
            "with Python's start",
            "to the first answer",
            "series found",
        ]
        print_table("Opening after kill -9 while samples came in", header, open_after_kills(folder))


if __name__ == "__main__":
    main()
