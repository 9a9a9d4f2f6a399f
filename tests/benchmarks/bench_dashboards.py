"""Every query of every generated dashboard at 100,000 active series: one after the other, beside Debian's Prometheus
when it is there, and as 100 dashboards that refresh every 5 s while samples come in. Sent as the dashboards page sends
them."""

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
from _backend import Backend
from _boards import Ask, Source, asks, boards
from _measuring import Latencies, print_table
from _prometheus import Prometheus, is_installed
from _scrapes import Scrapes
from _tab import Refused, Tab

MINUTES = 30
STEPS_MS = (40_000, 20_000, 0)  # before now: a refresh adds a point to most panels, or none
DASHBOARDS, REFRESH_S, FOR_S = 100, 5.0, 30.0
TARGET = "P99 below 500 ms"


def _spread(seconds: Iterable[float]) -> list[str]:
    values = sorted(seconds)
    most = values[min(len(values) - 1, round(0.99 * len(values)))]
    return [f"{statistics.median(values) * 1e3:,.0f}", f"{most * 1e3:,.0f}"]


# -- one after the other


async def _time(tab: Tab, base: str, ask: Ask) -> tuple[float, bool]:
    """Return seconds and whether there was anything in the answer."""
    began = time.perf_counter()
    found = await tab.get_json(base, ask.query.path, ask.query.parameters)
    seconds = time.perf_counter() - began
    data = found.get("data", found)
    return seconds, bool(data.get("result") or data.get("traces") or data.get("series"))


async def one_by_one(source: Source, tab: Tab, until_ms: int, prometheus: str) -> None:
    rows = []
    all_first, all_again = list[float](), list[float]()
    ours_s = theirs_s = 0.0
    for board in boards():
        first, again, filled = dict[str, float](), list[float](), 0
        for before_ms in STEPS_MS:
            for number, ask in enumerate(await asks(board, source, until_ms - before_ms)):
                seconds, has_data = await _time(tab, source.bases[ask.query.datasource.uid], ask)
                if before_ms != STEPS_MS[0]:
                    again.append(seconds)
                    continue
                first[f"{number} {ask.panel}"] = seconds
                filled += has_data
                if prometheus and ask.query.datasource.type == "prometheus":
                    theirs_s += (await _time(tab, prometheus, ask))[0]
                    ours_s += seconds
        slowest = max(first, key=lambda name: first[name])
        all_first += first.values()
        all_again += again
        rows.append([
            board.uid, str(len(first)), str(filled), *_spread(first.values()), *_spread(again),
            slowest.partition(": ")[2], f"{first[slowest] * 1e3:,.0f}",
        ])  # fmt: skip
    count = str(sum(int(row[1]) for row in rows))
    rows.append(["all", count, "", *_spread(all_first), *_spread(all_again), f"target: {TARGET}", ""])
    header = ["one at a time, ms", "queries", "with data", "first P50", "P99", "again P50", "P99",
              "slowest panel", "its first"]  # fmt: skip
    print_table("Dashboards' queries, first and again 20 s later", header, rows)
    if prometheus:
        print(
            f"\nPromQL queries of all dashboards, sum of first times: {ours_s / theirs_s:.2f} x of Prometheus'"
        )


# -- at once


class Crowd:
    """Dashboards in as many browsers: each asks for all its panels at once, and not again before the last answer is there."""

    def __init__(self, addresses: Mapping[str, str], dashboards: int) -> None:
        self._addresses = addresses
        self._dashboards = dashboards
        self._boards = boards()
        self._began = 0.0
        self.opened, self.refreshed = Latencies(), Latencies()
        self.panels: dict[str, Latencies] = defaultdict(Latencies)
        self.errors: dict[str, int] = defaultdict(int)
        self.answers = self.late = 0
        self.seconds = 0.0

    async def run(self) -> None:
        self._began = time.perf_counter()
        await asyncio.gather(*map(self._dashboard, range(self._dashboards)))
        self.seconds = time.perf_counter() - self._began

    async def _dashboard(self, number: int) -> None:
        board = self._boards[number % len(self._boards)]
        due = self._began + number / self._dashboards * REFRESH_S
        async with Tab() as tab:
            source, latencies = Source(tab, self._addresses), self.opened
            while due < self._began + FOR_S:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                wanted = await asks(board, source, int(time.time() * 1000))
                await asyncio.gather(*(self._ask(tab, source, ask, latencies) for ask in wanted))
                latencies = self.refreshed
                due += REFRESH_S
                while due < time.perf_counter():
                    self.late += 1
                    due += REFRESH_S

    async def _ask(self, tab: Tab, source: Source, ask: Ask, latencies: Latencies) -> None:
        began = time.perf_counter()
        try:
            await tab.get(source.bases[ask.query.datasource.uid], ask.query.path, ask.query.parameters)
        except (OSError, Refused) as error:
            self.errors[f"{type(error).__name__} {str(error)[:120]}"] += 1
            return
        seconds = time.perf_counter() - began
        self.answers += 1
        latencies.add(seconds)
        if latencies is self.refreshed:
            self.panels[ask.panel].add(seconds)


async def at_once(addresses: Mapping[str, str], dashboards: int) -> None:
    crowd = Crowd(addresses, dashboards)
    await crowd.run()
    slowest = max(crowd.panels, key=lambda panel: crowd.panels[panel].within(0.99))
    rows = [
        [name, *(f"{found.within(share) * 1e3:,.0f}" for share in (0.5, 0.99))]
        for name, found in (
            ("refreshes", crowd.refreshed),
            (f"of them {slowest}", crowd.panels[slowest]),
            ("opened, all within 5 s", crowd.opened),
        )
    ]
    title = (
        f"{dashboards} dashboards that refresh every {REFRESH_S:.0f} s, for {FOR_S:.0f} s (target: {TARGET})"
    )
    print_table(title, ["ms", "P50", "P99"], rows)
    print(
        f"\n{crowd.answers:,} answers in {crowd.seconds:.0f} s, {sum(crowd.errors.values())} errors, {crowd.late}"
        " refreshes left out because the one before was not done"
    )
    for error, count in crowd.errors.items():
        print(f"- {count} x {error}")


async def _measure(
    backend: Backend, fleet: _fleet.Fleet, until_ms: int, prometheus: str, *crowds: int
) -> None:
    async with Tab() as tab:
        await one_by_one(Source(tab, backend.addresses), tab, until_ms, prometheus)
    scraping = asyncio.create_task(Scrapes(fleet, backend.addresses["mimir"]).run())
    for dashboards in crowds:
        before_s = backend.cpu_s()
        await at_once(backend.addresses, dashboards)
        print(f"CPU of the server: {backend.cpu_s() - before_s:.0f} s")
    scraping.cancel()
    await asyncio.wait({scraping})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=200_000, help="log lines, and spans")
    parser.add_argument("--dashboards", type=int, nargs="+", default=[DASHBOARDS], help="how many at once")
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
        asyncio.run(_measure(backend, fleet, written.until_ms, prometheus, *arguments.dashboards))
        print(f"most memory: {backend.peak_mb():,.0f} MB")


if __name__ == "__main__":
    main()
