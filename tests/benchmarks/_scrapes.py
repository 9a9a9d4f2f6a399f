"""A fleet that goes on while it is looked at: its samples come in by remote write, as a Prometheus would send them."""

from __future__ import annotations

import asyncio
import time

import cramjam
import httpx
from _fleet import STEP_MS, Fleet

from awf.embedded.remote_write.wire import Label, TimeSeries, WriteRequest

SAMPLES = 2_000  # of one request


class Scrapes:
    """Sends every series' sample each 15 s, all of one moment: a histogram's buckets agree."""

    def __init__(self, fleet: Fleet, address: str) -> None:
        self._fleet = fleet
        self._address = address
        self._packed = [
            [Label(name=name, value=value).SerializeToString() for name, value in sorted(labels.items())]
            for labels in fleet.labels
        ]

    async def run(self) -> None:
        """Go on until cancelled."""
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
        async with httpx.AsyncClient(timeout=60, headers=headers) as client:
            while True:
                due = time.monotonic() + STEP_MS / 1000
                now_ms = int(time.time() * 1000)
                for first in range(0, len(self._packed), SAMPLES):
                    body = self._body(first, now_ms)
                    answer = await client.post(f"{self._address}/api/v1/push", content=body)
                    answer.raise_for_status()
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _body(self, first: int, now_ms: int) -> bytes:
        values = self._fleet.at(now_ms)
        request = WriteRequest()
        for number in range(first, min(first + SAMPLES, len(self._packed))):
            series = TimeSeries(labels=self._packed[number])
            series.samples.add(timestamp=now_ms, value=float(values[number]))
            request.timeseries.append(series.SerializeToString())
        return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
