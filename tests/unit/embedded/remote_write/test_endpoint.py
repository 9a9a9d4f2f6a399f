"""Remote write over HTTP, in process: what is stored, what is refused, and what the sender is told."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Iterator
from typing import Any

import cramjam
import httpx
import numpy as np
import pytest
from google.protobuf.message import DecodeError
from starlette.applications import Starlette

from awf.embedded.contracts import Refusal
from awf.embedded.inlet import MAX_BODY_BYTES, Inlet
from awf.embedded.intake import Intake
from awf.embedded.model import STALE, STALE_NAN_BITS, Exemplar, MetricMetadata
from awf.embedded.remote_write import create_routes
from awf.embedded.remote_write.decoder import RemoteWriteDecoder
from awf.embedded.remote_write.endpoint import PATHS
from awf.embedded.remote_write.wire import TimeSeries, unpacked_size
from awf.embedded.store import MemoryStore
from awf.errors import Overloaded, TooLarge, Unavailable

from ._messages import NOW_MS, NOW_NS, pack, request, series_of

HEADERS = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
UP = {"__name__": "up", "job": "a"}


class AnsweringSink:
    """Raises or returns what it is given."""

    def __init__(self, answer: Exception | Refusal) -> None:
        self.answer = answer

    async def write(self, **_rows: Any) -> Refusal:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    opened = MemoryStore()
    yield opened
    opened.close()


def client_of(sink: Any) -> httpx.AsyncClient:
    app = Starlette(routes=create_routes(Inlet(sink, now_ns=lambda: NOW_NS)))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:9009")


@pytest.fixture
async def client(store: MemoryStore) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(store) as opened:
        yield opened


def stored(store: MemoryStore) -> dict[str, list[float]]:
    return {
        data.labels["__name__"]: data.values.tolist() for data in store.select([], NOW_MS - 9_000, NOW_MS)
    }


@pytest.mark.parametrize("path", PATHS)
async def test_samples_are_stored_before_the_answer(
    store: MemoryStore, client: httpx.AsyncClient, path: str
) -> None:
    two = series_of(UP, (NOW_MS - 1000, 1.0), (NOW_MS, STALE))
    message = request(two, ({"__name__": "a:b", "job": "x", "empty": ""}, 0.0))
    assert (await client.post(path, content=pack(message), headers=HEADERS)).status_code == 204
    found = {data.labels["__name__"]: data for data in store.select([], 0, NOW_MS)}
    assert found["up"].timestamps_ms.tolist() == [NOW_MS - 1000, NOW_MS]
    assert found["up"].values.view(np.uint64)[1] == STALE_NAN_BITS
    assert found["a:b"].labels == {"__name__": "a:b", "job": "x"}


async def test_metadata_and_exemplars_come_too(store: MemoryStore, client: httpx.AsyncClient) -> None:
    series = series_of(UP, (NOW_MS, 1.0))
    series.exemplars.add(value=0.5, timestamp=NOW_MS).labels.add(name="trace_id", value="ab")
    message = request(series)
    message.metadata.add(type=1, metric_family_name="up", help="is it", unit="")
    message.metadata.add(type=77, metric_family_name="odd", help="", unit="s")
    assert (await client.post(PATHS[0], content=pack(message), headers=HEADERS)).status_code == 204
    assert store.metadata() == {
        "up": MetricMetadata("counter", "is it"),
        "odd": MetricMetadata("unknown", "", "s"),
    }
    assert store.exemplars([], 0, NOW_MS) == [Exemplar(UP, {"trace_id": "ab"}, 0.5, NOW_MS)]


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ({"job": "x"}, "a series has no metric name"),
        ({"__name__": "a-b"}, "'a-b' is not a metric name"),
        ({"__name__": "bad", "a-b": "x"}, "a series of 'bad' has 'a-b', which is not a label name"),
        ({"__name__": "bad", "": "x"}, "a series of 'bad' has '', which is not a label name"),
        ([("__name__", "bad"), ("a", "1"), ("a", "2")], "a series of 'bad' has a label twice"),
        ({"__name__": "bad", "a": "x" * 20_000}, "have 20012 bytes, over the limit of 16384"),
        ({"__name__": "bad", **{f"l{n}": "x" for n in range(128)}}, "has 129 labels, over the limit of 128"),
    ],
)
async def test_a_series_that_is_none_is_refused_alone(
    store: MemoryStore, client: httpx.AsyncClient, labels: Any, reason: str
) -> None:
    message = request((labels, 1.0), (UP, 2.0))
    for _ in range(2):
        response = await client.post(PATHS[0], content=pack(message), headers=HEADERS)
        assert response.status_code == 400
        assert response.text.startswith("1 samples refused: ")
        assert reason in response.text
        assert response.text.endswith("; 1 samples are stored\n")
    assert stored(store) == {"up": [2.0]}


async def test_samples_of_impossible_times_and_native_histograms_are_refused_alone(
    store: MemoryStore, client: httpx.AsyncClient
) -> None:
    times = (0, -5, -(2**63), 2**63 - 1, NOW_MS + 600_001, NOW_MS)
    series = series_of(UP, *((at, 1.0) for at in times))
    series.histograms.append(b"")
    response = await client.post(PATHS[0], content=pack(request(series)), headers=HEADERS)
    assert response.status_code == 400
    assert response.text == (
        "6 samples refused: a sample of 'up' has no time; a sample of 'up' is from before 1970; "
        "a sample of 'up' is more than 10 minutes ahead; 'up': native histograms are not supported; "
        "1 samples are stored\n"
    )
    assert stored(store) == {"up": [1.0]}


def test_labels_that_cannot_be_read_cost_their_series_only() -> None:
    series = series_of({}, (NOW_MS, 2.0))
    series.labels.append(b"\x0a\x01\xff")
    message = request((UP, 1.0), series)
    message.timeseries.append(b"\xff")
    intake = Intake(NOW_NS)
    RemoteWriteDecoder().decode(pack(message), intake)
    assert list(intake.values) == [1.0]
    assert intake.message == "a series has labels that cannot be read; a series cannot be read"


def test_a_decoder_that_forgets_reads_the_same() -> None:
    decoder = RemoteWriteDecoder(max_known_bytes=2_000)
    for number in range(20):
        intake = Intake(NOW_NS)
        decoder.decode(pack(request((UP, 1.0), ({"__name__": "m", "n": str(number)}, 2.0))), intake)
        assert [labels for labels, _, _ in intake.samples.rows()] == [UP, {"__name__": "m", "n": str(number)}]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"Content-Encoding": "gzip"}, "Content-Encoding is 'gzip', expected snappy"),
        ({"Content-Type": "application/json"}, "Content-Type is 'application/json'"),
        ({"X-Prometheus-Remote-Write-Version": "2.0.0"}, "remote write 2.0.0 with"),
        ({"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}, "is not supported"),
    ],
)
async def test_what_is_not_remote_write_1_is_refused_by_name(
    store: MemoryStore, client: httpx.AsyncClient, changed: dict[str, str], reason: str
) -> None:
    response = await client.post(PATHS[0], content=pack(request((UP, 1.0))), headers={**HEADERS, **changed})
    assert response.status_code == 415
    assert reason in response.text
    assert store.stats().samples == 0


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "does not begin with its size"),
        (b"\xff" * 9, 400, "does not begin with its size"),
        (b"\x05abc", 400, "the body is not a snappy block"),
        (bytes(cramjam.snappy.compress_raw(b"\xff\xff")), 400, "is not a remote write request"),
        (bytes(cramjam.snappy.compress_raw(bytes(MAX_BODY_BYTES + 1))), 413, f"unpacks to over {MAX_BODY_BYTES}"),
        (bytes(MAX_BODY_BYTES + 1), 413, f"the body is over {MAX_BODY_BYTES}"),
    ],
)  # fmt: skip
async def test_a_body_that_cannot_be_read_is_refused_whole(
    store: MemoryStore, client: httpx.AsyncClient, body: bytes, status: int, reason: str
) -> None:
    response = await client.post(PATHS[0], content=body, headers=HEADERS)
    assert (response.status_code, store.stats().samples) == (status, 0)
    assert reason in response.text


def test_a_bomb_is_known_by_its_first_bytes() -> None:
    with pytest.raises(TooLarge):
        unpacked_size(b"\xff\xff\xff\xff\x0f")


@pytest.mark.parametrize("error", [Overloaded("the store is busy"), Unavailable("the disk is full")])
async def test_a_sender_is_told_to_come_back(error: Exception) -> None:
    async with client_of(AnsweringSink(error)) as client:
        response = await client.post(PATHS[0], content=pack(request((UP, 1.0))), headers=HEADERS)
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")


async def test_what_the_store_has_no_room_for_is_told() -> None:
    async with client_of(AnsweringSink(Refusal(1, "the store has 10 series, its limit"))) as client:
        response = await client.post(PATHS[0], content=pack(request((UP, 1.0))), headers=HEADERS)
    assert response.status_code == 400
    assert "1 samples refused: the store has 10 series, its limit" in response.text


def test_a_series_is_the_same_taken_apart_and_parsed() -> None:
    """Values of 0, other times, several samples, samples before labels: known or not, read as protobuf says."""
    plain = series_of(UP, (NOW_MS, 1.5)).SerializeToString()
    labels = series_of(UP).SerializeToString()
    series = [
        plain, plain[len(labels) :] + labels, plain + plain[len(labels) :], plain[len(labels) :],
        *(series_of(UP, sample).SerializeToString() for sample in ((NOW_MS, 0.0), (1, 1.5), (2**34, STALE))),
        plain[:-6] + b"\x80" * 6, plain[:-6] + b"\x01" * 6, plain[:-1], b"", b"\x12\x00",
    ]  # fmt: skip
    decoder = RemoteWriteDecoder()
    for _ in range(2):
        for raw in series:
            intake = Intake(NOW_NS)
            message = request()
            message.timeseries.append(raw)
            decoder.decode(pack(message), intake)
            expected = _parsed(raw)
            assert [(labels, at) for labels, at, _ in intake.samples.rows()] == [
                (UP, at) for at, _ in expected
            ], raw
            assert intake.values.tobytes() == array("d", [value for _, value in expected]).tobytes()


def _parsed(raw: bytes) -> list[tuple[int, float]]:
    """Return the samples that count of one series of UP."""
    try:
        series = TimeSeries.FromString(raw)
    except DecodeError:
        return []
    samples = [(sample.timestamp, sample.value) for sample in series.samples]
    return [(at, value) for at, value in samples if series.labels and 0 < at <= NOW_MS]
