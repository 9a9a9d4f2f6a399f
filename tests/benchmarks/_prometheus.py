"""Debian's Prometheus as a thing to compare with: takes remote write, answers queries."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import cramjam
import httpx
import numpy as np
from _fleet import Fleet
from _process import cpu_s, peak_mb

from awf.embedded.remote_write.wire import Label, TimeSeries, WriteRequest

HEADERS = {
    "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}  # fmt: skip
MOMENTS, SERIES = 20, 2_000  # of one request


def is_installed() -> bool:
    return shutil.which("prometheus") is not None


class Prometheus:
    """Runs while the `with` block does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> Self:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        (self.folder / "prometheus.yml").write_text("")
        command = ["prometheus", "--config.file=prometheus.yml", "--web.enable-remote-write-receiver"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.path=data"]
        self._process = subprocess.Popen(
            command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.address = f"http://127.0.0.1:{port}"
        self._client = httpx.Client(timeout=120)
        for _ in range(200):
            try:
                if self._client.get(f"{self.address}/-/ready").status_code == 200:
                    return self
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise RuntimeError("prometheus did not get ready")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._client.close()

    def cpu_s(self) -> float:
        return cpu_s(self._process.pid)

    def peak_mb(self) -> float:
        return peak_mb(self._process.pid)

    def write(self, fleet: Fleet, moments: Sequence[int]) -> None:
        """Send every series' samples of these moments (milliseconds, ascending), several in one request."""
        packed = [
            [Label(name=name, value=value).SerializeToString() for name, value in sorted(labels.items())]
            for labels in fleet.labels
        ]
        for begin in range(0, len(moments), MOMENTS):
            part = moments[begin : begin + MOMENTS]
            values = np.stack([fleet.at(moment) for moment in part], axis=1).tolist()
            for first in range(0, len(packed), SERIES):
                request = WriteRequest()
                for labels, row in zip(
                    packed[first : first + SERIES], values[first : first + SERIES], strict=True
                ):
                    series = TimeSeries(labels=labels)
                    for moment, value in zip(part, row, strict=True):
                        series.samples.add(timestamp=moment, value=value)
                    request.timeseries.append(series.SerializeToString())
                body = bytes(cramjam.snappy.compress_raw(request.SerializeToString()))
                answer = self._client.post(f"{self.address}/api/v1/write", content=body, headers=HEADERS)
                assert answer.status_code < 300, answer.text
