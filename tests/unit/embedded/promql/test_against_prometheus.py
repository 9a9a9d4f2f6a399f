"""The engine gives the values of Debian's Prometheus 2.42 (with its closed ranges) on a jittered data set.

What Prometheus 3 changed is covered by the other tests of this folder. Counters here begin before every
window, because 2.42 extrapolates the beginning of a series a little differently.
"""

from __future__ import annotations

import math
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from awf.embedded.model import SeriesData
from awf.embedded.promql import Engine, Scalar, VectorSample
from awf.errors import QueryError
from tests.programs import require_program

from ._memory import MemoryReader

pytestmark = pytest.mark.promtool

START_MS = 1_700_000_400_000
SPAN_MS = 3_600_000
AT_MS = START_MS + 3_000_000

QUERIES = """
requests_total
requests_total{code="500"}
requests_total{code!~"5..",host=~"h[01]"}
requests_total offset 7m
requests_total @ 1700002000
sum(requests_total @ end()) - sum(requests_total @ start())
rate(requests_total[5m])
increase(requests_total[7m13s])
irate(requests_total[2m])
delta(temperature[10m])
idelta(temperature[2m])
deriv(temperature[10m])
predict_linear(temperature[10m], 3600)
predict_linear(temperature[10m] offset 3m, 600)
changes(state[15m])
resets(requests_total[30m])
avg_over_time(temperature[10m])
min_over_time(temperature[10m])
max_over_time(temperature[10m] offset 5m)
sum_over_time(temperature[3m])
count_over_time(temperature[10m])
last_over_time(temperature[10m])
quantile_over_time(0.3, temperature[10m])
quantile_over_time(1.5, temperature[10m])
stddev_over_time(temperature[10m])
stdvar_over_time(temperature[10m])
present_over_time(temperature[10m])
absent_over_time(gap[1m])
absent(gap{a="b",c=~"d"})
sum by (code) (rate(requests_total[5m]))
sum without (host) (rate(requests_total[5m]))
avg by (host) (temperature)
min(temperature)
max by (nothing) (temperature)
count by (code, host) (requests_total)
group(temperature)
stddev by (host) (temperature)
stdvar(temperature)
topk(2, temperature)
bottomk by (room) (1, temperature)
quantile by (host) (0.4, temperature)
count_values("value", state)
histogram_quantile(0.9, sum by (le, host) (rate(latency_bucket[5m])))
histogram_quantile(0.5, rate(latency_bucket[10m]))
histogram_quantile(1.2, latency_bucket)
requests_total / on (host, code) group_left requests_total offset 5m
sum by (host) (rate(requests_total{code="500"}[5m])) / sum by (host) (rate(requests_total[5m]))
rate(requests_total[5m]) / ignoring (code) group_left sum without (code) (rate(requests_total[5m]))
temperature * on (host) group_left (version) info_metric
info_metric * on (host) group_right (version) temperature
temperature > 20
20 < temperature
temperature > bool on (host, room) (temperature offset 5m)
temperature and on (host) requests_total{code="500"}
temperature unless on (host) requests_total{host="h1"}
temperature or requests_total
-temperature ^ 2 % 7
temperature atan2 on (host, room) (temperature * 2)
scalar(sum(temperature)) + 1
vector(time()) - 1.5e9
timestamp(temperature)
timestamp(sum(temperature))
hour(vector(time())) + minute() / 100
day_of_week() * 1000 + day_of_month() * 10 + days_in_month()
month() * 10000 + year() + day_of_week(temperature * 1e6)
label_replace(temperature, "floor", "f-$1", "room", "r(.*)")
label_join(temperature, "place", "/", "host", "room")
sort_desc(temperature)
clamp(temperature, 15, 22)
clamp_min(temperature, 20) + clamp_max(temperature, 20)
round(temperature, 0.3)
abs(temperature - 20) + ceil(temperature) + floor(temperature) + sgn(temperature - 20)
exp(temperature / 10) + ln(temperature) + log2(temperature) + log10(temperature) + sqrt(temperature)
max_over_time(rate(requests_total[2m])[20m:1m])
avg_over_time(sum(temperature)[10m:] offset 1m)
min_over_time(temperature[10m:90s] @ 1700002000)
rate(sum by (code) (requests_total)[10m:30s])
gap
sum(gap)
count(temperature > 18) by (host)
pi() * 2
3 > bool 2
""".strip().splitlines()


def data_set() -> list[SeriesData]:
    """Jittered counters with resets and gaps, gauges, a histogram, an info metric and a gappy series."""
    random = np.random.default_rng(7)

    def times() -> np.ndarray[Any, np.dtype[np.int64]]:
        grid = np.arange(START_MS - 900_000, START_MS + SPAN_MS, 15_000)
        return np.sort(grid + random.integers(-2000, 2000, len(grid)))

    def counter(labels: dict[str, str], pace: float) -> SeriesData:
        moments = times()
        grown = 500.0 + np.cumsum(random.poisson(pace, len(moments))).astype(np.float64)
        for reset in random.choice(np.arange(100, len(moments)), 2, replace=False):
            grown[reset:] -= grown[reset] - random.integers(0, 3)
        kept = random.random(len(moments)) > 0.02
        return SeriesData(labels, moments[kept], grown[kept])

    def gauge(labels: dict[str, str], level: float, *, digits: int) -> SeriesData:
        moments = times()
        return SeriesData(labels, moments, np.round(level + random.normal(0, 2, len(moments)), digits))

    series = []
    for host in ("h0", "h1", "h2"):
        for code in ("200", "404", "500"):
            labels = {"__name__": "requests_total", "host": host, "code": code}
            series.append(counter(labels, 20.0 / int(code[0])))
        for room in ("r1", "r2"):
            labels = {"__name__": "temperature", "host": host, "room": room}
            series.append(gauge(labels, 20.0, digits=3))
        series.append(gauge({"__name__": "state", "host": host}, 2.0, digits=0))
        info = {"__name__": "info_metric", "host": host, "version": f"v-{host}"}
        series.append(SeriesData(info, (moments := times()), np.ones(len(moments))))
        series.extend(histogram(host, times(), random))
    moments = times()
    kept = (moments // 600_000) % 2 == 0
    series.append(SeriesData({"__name__": "gap"}, moments[kept], np.arange(kept.sum(), dtype=np.float64)))
    return series


def histogram(host: str, moments: Any, random: np.random.Generator) -> list[SeriesData]:
    seen = np.cumsum(random.poisson(3, (len(moments), 5)), axis=0)
    counts = np.cumsum(seen, axis=1).astype(np.float64) + 1000 * np.arange(1, 6)
    return [
        SeriesData({"__name__": "latency_bucket", "host": host, "le": bound}, moments, counts[:, index])
        for index, bound in enumerate(("0.1", "0.5", "1", "5", "+Inf"))
    ]


def open_metrics(series: list[SeriesData]) -> str:
    lines = []
    for name in sorted({item.labels["__name__"] for item in series}):
        lines.append(f"# TYPE {name} unknown")
        for item in (item for item in series if item.labels["__name__"] == name):
            labels = ",".join(f'{key}="{text}"' for key, text in item.labels.items() if key != "__name__")
            lines.extend(
                f"{name}{{{labels}}} {value!r} {moment / 1000:.3f}"
                for moment, value in zip(item.timestamps_ms.tolist(), item.values.tolist(), strict=True)
            )
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def series() -> list[SeriesData]:
    return data_set()


@pytest.fixture(scope="module")
def prometheus(series: list[SeriesData], tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    server = require_program("prometheus", "prometheus")
    promtool = require_program("promtool", "prometheus")
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "data.om").write_text(open_metrics(series))
    (folder / "prometheus.yml").write_text("")
    loaded = [promtool, "tsdb", "create-blocks-from", "openmetrics", "data.om", "data"]
    subprocess.run(loaded, cwd=folder, check=True, capture_output=True, timeout=60)
    port = free_port()
    command = [server, "--config.file=prometheus.yml", "--storage.tsdb.path=data"]
    command += ["--storage.tsdb.retention.time=100y", f"--web.listen-address=127.0.0.1:{port}"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30) as client:
                wait_until_ready(client, folder / "log")
                yield client
        finally:
            process.terminate()
            process.wait(timeout=20)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_until_ready(client: httpx.Client, log: Path) -> None:
    for _ in range(200):
        try:
            if client.get("../../-/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"prometheus did not get ready:\n{log.read_text()[-2000:]}")


def answer(client: httpx.Client, path: str, **parameters: str) -> Any:
    response = client.post(path, data=parameters)
    assert response.status_code == 200, response.text
    return response.json()["data"]


def close(ours: float, theirs: float) -> bool:
    if math.isnan(theirs) or math.isnan(ours):
        return math.isnan(theirs) and math.isnan(ours)
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-12)


def assert_same(query: str, ours: dict[Any, list[Any]], theirs: dict[Any, list[Any]]) -> None:
    assert ours.keys() == theirs.keys(), query
    for labels, points in theirs.items():
        assert [time for time, _ in ours[labels]] == [time for time, _ in points], (query, labels)
        for (moment, value), (_, expected) in zip(ours[labels], points, strict=True):
            assert close(value, expected), (query, labels, moment, value, expected)


def points_of(item: dict[str, Any]) -> list[tuple[int, float]]:
    values = item.get("values") or [item["value"]]
    return [(round(moment * 1000), float(text)) for moment, text in values]


def keyed(labels: Any) -> frozenset[tuple[str, str]]:
    return frozenset(dict(labels).items())


@pytest.mark.parametrize("query", QUERIES)
def test_instant_values_equal_prometheus(
    query: str, prometheus: httpx.Client, series: list[SeriesData]
) -> None:
    theirs = answer(prometheus, "query", query=query, time=str(AT_MS / 1000))
    ours = Engine(MemoryReader(series), closed_ranges=True).instant(query, AT_MS)
    if isinstance(ours, Scalar):
        assert theirs["resultType"] == "scalar"
        assert close(ours.value, float(theirs["result"][1]))
        return
    assert isinstance(ours, list)
    samples = [item for item in ours if isinstance(item, VectorSample)]
    assert_same(
        query,
        {keyed(item.labels): [(item.timestamp_ms, item.value)] for item in samples},
        {keyed(item["metric"]): points_of(item) for item in theirs["result"]},
    )


@pytest.mark.parametrize("query", QUERIES)
def test_range_values_equal_prometheus(
    query: str, prometheus: httpx.Client, series: list[SeriesData]
) -> None:
    start, end, step = START_MS + 1_800_000, START_MS + SPAN_MS, 37_000
    theirs = answer(
        prometheus, "query_range", query=query, start=str(start / 1000), end=str(end / 1000), step="37"
    )
    ours = Engine(MemoryReader(series), closed_ranges=True).range(query, start, end, step)
    assert_same(
        query,
        {
            keyed(item.labels): list(zip(item.timestamps_ms.tolist(), item.values.tolist(), strict=True))
            for item in ours
        },
        {keyed(item["metric"]): points_of(item) for item in theirs["result"]},
    )
    assert [keyed(item.labels) for item in ours] == [keyed(item["metric"]) for item in theirs["result"]]


@pytest.mark.parametrize(
    "query",
    [
        "requests_total / on (host) temperature",
        "temperature / on (host) info_metric",
        "temperature * on (host) group_left (room) info_metric",
        "info_metric + on (host) group_left temperature",
        'label_replace(temperature, "room", "x", "", "")',
        'label_replace(temperature, "", "x", "host", "h.*")',
        "-{__name__=~'temperature|info_metric',host='h0'} or absent(label_replace(temperature,'room','','',''))",
    ],
)
def test_an_evaluation_error_reads_as_in_prometheus(
    query: str, prometheus: httpx.Client, series: list[SeriesData]
) -> None:
    response = prometheus.post("query", data={"query": query, "time": str(AT_MS / 1000)})
    assert response.status_code == 422, response.text
    with pytest.raises(QueryError) as caught:
        Engine(MemoryReader(series), closed_ranges=True).instant(query, AT_MS)
    theirs, ours = response.json()["error"], caught.value.message
    assert re.sub(r"\[.*\]", "", ours) == re.sub(r"\[.*\]", "", theirs)
