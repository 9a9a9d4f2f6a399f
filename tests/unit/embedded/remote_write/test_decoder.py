"""A series is the same taken apart and parsed, whatever its bytes and those beside it."""

from __future__ import annotations

import struct
from array import array

from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st

from awf.embedded.intake import Intake
from awf.embedded.model import STALE
from awf.embedded.remote_write.decoder import RemoteWriteDecoder
from awf.embedded.remote_write.wire import Label, TimeSeries, WriteRequest

from ._messages import NOW_MS, NOW_NS, pack, series_of

ZERO_LOOKALIKE: float = struct.unpack("<d", b"\1\2\3\4\5\6\x12\x07")[0]
VALUES = (0.0, -0.0, 1.5, STALE, ZERO_LOOKALIKE)
sample = st.tuples(st.sampled_from([NOW_MS, NOW_MS - 1, 0, 1, 2**34]), st.sampled_from(VALUES))
labels = st.sampled_from(
    [{"__name__": "up"}, {"__name__": "up", "job": "a"}, {"__name__": "down", "job": ""}]
)
plain = st.tuples(labels, sample).map(lambda drawn: series_of(*drawn).SerializeToString())
parts = [
    b"\x0a" + bytes([len(label)]) + label
    for label in (Label(name="__name__", value="up").SerializeToString(), Label(name="a", value="b").SerializeToString())
]  # fmt: skip
parts += [series_of({}, (NOW_MS, value)).SerializeToString() for value in VALUES]
parts += [b"\x12\x00", b"\x1a\x00", b"\x7a\x01x", b"\x12\x07\x10"]
odd = st.lists(st.sampled_from(parts), max_size=5).map(b"".join)
cut = st.tuples(plain, st.integers(0, 60)).map(lambda drawn: drawn[0][: drawn[1]])


@given(st.lists(st.lists(plain | plain | odd | cut, max_size=8), min_size=1, max_size=4))
def test_series_are_the_same_taken_apart_and_parsed(requests: list[list[bytes]]) -> None:
    decoder = RemoteWriteDecoder()
    for series in [*requests, *requests]:
        message = WriteRequest(timeseries=series)
        found = Intake(NOW_NS)
        decoder.decode(pack(message), found)
        expected = [row for one in series for row in _parsed(one)]
        assert [(own, at) for own, at, _ in found.samples.rows()] == [(own, at) for own, at, _ in expected]
        assert found.values.tobytes() == array("d", [value for _, _, value in expected]).tobytes()


def _parsed(raw: bytes) -> list[tuple[dict[str, str], int, float]]:
    try:
        series = TimeSeries.FromString(raw)
        pairs = [(label.name, label.value) for label in map(Label.FromString, series.labels)]
    except DecodeError:
        return []
    own = {name: value for name, value in pairs if value}
    if "__name__" not in own or len(dict(pairs)) < len(pairs):
        return []
    return [(own, item.timestamp, item.value) for item in series.samples if 0 < item.timestamp <= NOW_MS]
