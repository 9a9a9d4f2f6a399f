"""Every query of every generated dashboard at 100,000 active series: one after the other, beside Debian's Prometheus
when it is there, and as 100 dashboards that refresh every 5 s. Sent as the dashboards page sends them."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

import _fleet
import httpx
from _backend import Backend
from _boards import Ask, Source, asks, boards
from _measuring import Latencies, print_table
from _prometheus import Prometheus, is_installed

MINUTES, ROUNDS = 30, 3
ENOUGH_S = 2.0  # of one query
DASHBOARDS, REFRESH_S, FOR_S = 100, 5.0, 30.0
TARGET = "P99 below 500 ms"


async def _time(client: httpx.AsyncClient, base: str, ask: Ask) -> tuple[float, bool]:
    """Return seconds and whether there was anything in the answer. Raises AssertionError for a refusal."""
    began = time.perf_counter()
    answer = await client.get(f"{base}{ask.query.path}", params=dict(ask.query.parameters))
    seconds = time.perf_counter() - began
    assert answer.status_code == 200, f"{ask.panel}: {answer.text[:300]}"
    found = answer.json()
    data = found.get("data", found)
    return seconds, bool(data.get("result") or data.get("traces") or data.get("series"))


def _spread(seconds: Iterable[float]) -> list[str]:
    values = sorted(seconds)
    most = values[min(len(values) - 1, round(0.99 * len(values)))]
    return [f"{statistics.median(values) * 1e3:,.0f}", f"{most * 1e3:,.0f}"]


# -- one after the other


async def one_by_one(source: Source, client: httpx.AsyncClient, until_ms: int, prometheus: str) -> None:
    rows, everything = [], []
    ours_s = theirs_s = 0.0
    for board in boards():
        ours: dict[int, list[float]] = defaultdict(list)
        wanted = await asks(board, source, until_ms)
        filled = set()
        for number, ask in enumerate(wanted):
            while len(ours[number]) < ROUNDS and sum(ours[number]) < ENOUGH_S:
                seconds, has_data = await _time(client, source.bases[ask.query.datasource.uid], ask)
                ours[number].append(seconds)
                filled |= {number} if has_data else set()
                if prometheus and ask.query.datasource.type == "prometheus":
                    theirs_s += (await _time(client, prometheus, ask))[0]
                    ours_s += seconds
        slowest = max(ours, key=lambda number: statistics.median(ours[number]))
        each = [seconds for found in ours.values() for seconds in found]
        everything += each
        rows.append([
            board.uid, str(len(wanted)), str(len(filled)), *_spread(each),
            wanted[slowest].panel.partition(": ")[2], f"{statistics.median(ours[slowest]) * 1e3:,.0f}",
        ])  # fmt: skip
    rows.append(
        ["all", str(sum(int(row[1]) for row in rows)), "", *_spread(everything), f"target: {TARGET}", ""]
    )
    header = ["one at a time, ms", "queries", "with data", "P50", "P99", "slowest panel", "its median"]
    print_table(f"Dashboards' queries, each up to {ROUNDS} times", header, rows)
    if prometheus:
        print(f"\nPromQL queries of all dashboards, sum of times: {ours_s / theirs_s:.2f} x of Prometheus'")


# -- at once


async def at_once(addresses: Mapping[str, str], until_ms: int) -> None:
    """Refresh like browsers: a dashboard asks all at once, and not again before the last answer is there."""
    latencies, worst = Latencies(), defaultdict(Latencies)
    errors: dict[str, int] = defaultdict(int)
    late = answers = 0
    every = boards()
    began = time.perf_counter()

    async def ask_timed(client: httpx.AsyncClient, source: Source, ask: Ask) -> None:
        nonlocal answers
        try:
            seconds, _ = await _time(client, source.bases[ask.query.datasource.uid], ask)
        except (httpx.HTTPError, AssertionError) as error:
            errors[f"{type(error).__name__} {str(error).partition(':')[2][:120]}"] += 1
            return
        answers += 1
        latencies.add(seconds)
        worst[ask.panel].add(seconds)

    async def dashboard(number: int) -> None:
        # As many connections as a browser has to one server.
        async with httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=6)) as client:
            await refresh(number, client, Source(client, addresses))

    async def refresh(number: int, client: httpx.AsyncClient, source: Source) -> None:
        nonlocal late
        board = every[number % len(every)]
        due = began + number / DASHBOARDS * REFRESH_S
        while due < began + FOR_S:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            moment = until_ms - int(FOR_S * 1000) + int((time.perf_counter() - began) * 1000)
            wanted = await asks(board, source, moment)
            await asyncio.gather(*(ask_timed(client, source, ask) for ask in wanted))
            due += REFRESH_S
            while due < time.perf_counter():
                late += 1
                due += REFRESH_S

    await asyncio.gather(*map(dashboard, range(DASHBOARDS)))
    slowest = max(worst, key=lambda panel: worst[panel].within(0.99))
    rows = [
        ["all panels", *(f"{latencies.within(share) * 1e3:,.0f}" for share in (0.5, 0.99))],
        [slowest, *(f"{worst[slowest].within(share) * 1e3:,.0f}" for share in (0.5, 0.99))],
    ]
    title = (
        f"{DASHBOARDS} dashboards that refresh every {REFRESH_S:.0f} s, for {FOR_S:.0f} s (target: {TARGET})"
    )
    print_table(title, ["ms", "P50", "P99"], rows)
    seconds = time.perf_counter() - began
    print(
        f"\n{answers:,} answers in {seconds:.0f} s, {sum(errors.values())} errors, {late} refreshes left out because"
        " the one before was not done"
    )
    for error, count in errors.items():
        print(f"- {count} x {error}")


async def _measure(addresses: Mapping[str, str], until_ms: int, prometheus: str) -> None:
    async with httpx.AsyncClient(timeout=120) as client:
        await one_by_one(Source(client, addresses), client, until_ms, prometheus)
    await at_once(addresses, until_ms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=200_000, help="log lines, and spans")
    parser.add_argument("--markdown", action="store_true", help="print tables as Markdown")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as opened:
        folder = Path(name)
        (folder / "prometheus").mkdir()
        rows = arguments.rows
        fleet = _fleet.fleet(arguments.series)
        written = _fleet.write(folder / "ours", now=fleet, minutes=MINUTES, lines=rows, spans=rows)
        prometheus = ""
        if is_installed():
            theirs = opened.enter_context(Prometheus(folder / "prometheus"))
            theirs.write(fleet, _fleet.moments(written.until_ms, MINUTES))
            prometheus = theirs.address
        backend = opened.enter_context(Backend(folder / "ours"))
        print(f"{arguments.series:,} series, {written.samples:,} samples of {MINUTES} minutes, {rows:,} lines,"
              f" {rows:,} spans")  # fmt: skip
        asyncio.run(_measure(backend.addresses, written.until_ms, prometheus))
        print(f"most memory: {backend.peak_mb():,.0f} MB")


if __name__ == "__main__":
    main()
