"""The engine gives the values of Debian's Prometheus 2.42 (with its closed ranges) on a jittered data set.

What Prometheus 3 changed is covered by the other tests of this folder. Counters here begin before every
window, because 2.42 extrapolates the beginning of a series a little differently.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from awf.embedded.model import SeriesData
from awf.embedded.promql import Engine
from awf.errors import QueryError
from tests.prometheus import difference, keyed, our_points, running_prometheus, their_points

from ._memory import MemoryReader
from ._samples import SPAN_MS, START_MS, data_set

pytestmark = pytest.mark.promtool

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


@pytest.fixture(scope="module")
def series() -> list[SeriesData]:
    return data_set()


@pytest.fixture(scope="module")
def prometheus(series: list[SeriesData], tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with (
        running_prometheus(tmp_path_factory.mktemp("prometheus"), series) as address,
        httpx.Client(base_url=address, timeout=30) as client,
    ):
        yield client


def answer(client: httpx.Client, path: str, **parameters: str) -> Any:
    response = client.post(path, data=parameters)
    assert response.status_code == 200, response.text
    return response.json()["data"]


@pytest.mark.parametrize("query", QUERIES)
def test_instant_values_equal_prometheus(
    query: str, prometheus: httpx.Client, series: list[SeriesData]
) -> None:
    theirs = answer(prometheus, "query", query=query, time=str(AT_MS / 1000))
    ours = Engine(MemoryReader(series), closed_ranges=True).instant(query, AT_MS)
    assert not difference(our_points(ours), their_points(theirs))


@pytest.mark.parametrize("query", QUERIES)
def test_range_values_equal_prometheus(
    query: str, prometheus: httpx.Client, series: list[SeriesData]
) -> None:
    start, end, step = START_MS + 1_800_000, START_MS + SPAN_MS, 37_000
    theirs = answer(
        prometheus, "query_range", query=query, start=str(start / 1000), end=str(end / 1000), step="37"
    )
    ours = Engine(MemoryReader(series), closed_ranges=True).range(query, start, end, step)
    assert not difference(our_points(ours), their_points(theirs))
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
