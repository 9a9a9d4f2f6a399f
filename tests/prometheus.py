"""Debian's Prometheus with samples written to it, stale markers included, and comparing its answers with ours."""

from __future__ import annotations

import math
import socket
import struct
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from awf.embedded.model import SeriesData
from awf.embedded.promql import Scalar, String, VectorSample
from tests.programs import require_program

Key = frozenset[tuple[str, str]]
Points = list[tuple[int, float]]


@contextmanager
def running_prometheus(folder: Path, series: Sequence[SeriesData]) -> Iterator[str]:
    """Run a Prometheus that holds the series; yields the address of its API."""
    server = require_program("prometheus", "prometheus")
    (folder / "prometheus.yml").write_text("")
    port = free_port()
    command = [
        server,
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
        "--web.enable-remote-write-receiver",
    ]
    command += ["--storage.tsdb.retention.time=100y", f"--web.listen-address=127.0.0.1:{port}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            base = f"http://127.0.0.1:{port}"
            wait_until_ready(base, folder / "log")
            write(base, series)
            yield f"{base}/api/v1"
        finally:
            process.terminate()
            process.wait(timeout=20)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_ready(base: str, log: Path) -> None:
    for _ in range(300):
        try:
            if httpx.get(f"{base}/-/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    pytest.fail(f"prometheus did not get ready:\n{log.read_text()[-2000:]}")


def write(base: str, series: Sequence[SeriesData]) -> None:
    """Send the series in one remote write: protobuf, framed as snappy without compressing."""
    request = b"".join(_field(1, _time_series(item)) for item in series)
    answer = httpx.post(
        f"{base}/api/v1/write",
        content=_snappy(request),
        headers={"Content-Encoding": "snappy", "X-Prometheus-Remote-Write-Version": "0.1.0"},
        timeout=60,
    )
    assert answer.status_code == 204, answer.text


def _time_series(item: SeriesData) -> bytes:
    labels = [
        _field(1, _field(1, name.encode()) + _field(2, text.encode()))
        for name, text in sorted(item.labels.items())
    ]
    samples = [
        _field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(moment))
        for moment, value in zip(item.timestamps_ms.tolist(), item.values, strict=True)
    ]
    return b"".join([*labels, *samples])


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _snappy(content: bytes) -> bytes:
    parts = [content[at : at + 65_536] for at in range(0, len(content), 65_536)]
    return _varint(len(content)) + b"".join(
        b"\xf4" + struct.pack("<H", len(part) - 1) + part for part in parts
    )


def keyed(labels: Mapping[str, str]) -> Key:
    return frozenset(labels.items())


def their_points(data: Mapping[str, Any]) -> dict[Key, Points]:
    """Return the points of an answer's `data`, by series."""
    if data["resultType"] in ("scalar", "string"):
        moment, text = data["result"]
        return {frozenset(): [(round(moment * 1000), float(text))]}
    return {
        keyed(item["metric"]): [
            (round(moment * 1000), float(text)) for moment, text in item.get("values") or [item["value"]]
        ]
        for item in data["result"]
    }


def our_points(answer: Scalar | String | Iterable[VectorSample | SeriesData]) -> dict[Key, Points]:
    if isinstance(answer, Scalar):
        return {frozenset(): [(answer.timestamp_ms, answer.value)]}
    assert not isinstance(answer, String)
    return {
        keyed(item.labels): [(item.timestamp_ms, item.value)]
        if isinstance(item, VectorSample)
        else list(zip(item.timestamps_ms.tolist(), item.values.tolist(), strict=True))
        for item in answer
    }


def difference(ours: Mapping[Key, Points], theirs: Mapping[Key, Points]) -> str | None:
    """Return the first difference between two answers, or None."""
    for series in sorted(ours.keys() ^ theirs.keys(), key=sorted):
        return f"only {'ours' if series in ours else 'theirs'}: {dict(series)}"
    for series, points in theirs.items():
        if [moment for moment, _ in ours[series]] != [moment for moment, _ in points]:
            return f"{dict(series)} has other times: {ours[series][:3]}... and {points[:3]}..."
        for (moment, value), (_, wanted) in zip(ours[series], points, strict=True):
            if not close(value, wanted):
                return f"{dict(series)} at {moment}: ours {value!r}, theirs {wanted!r}"
    return None


def close(ours: float, theirs: float) -> bool:
    if math.isnan(theirs) or math.isnan(ours):
        return math.isnan(theirs) and math.isnan(ours)
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
