"""A point of a counter or gauge is the same taken apart and parsed, whatever its bytes and those beside it."""

from __future__ import annotations

import struct
from array import array

from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import NumberDataPoint

from awf.embedded.intake import Intake
from awf.embedded.model import STALE, LabelKey, key_of
from awf.embedded.otlp import lazy
from awf.embedded.otlp.metrics import MetricsDecoder

from ._messages import NOW_NS

_Blurred = lazy.with_bytes(ExportMetricsServiceRequest, {lazy.NUMBER})


def _fixed(tag: int, value: bytes) -> bytes:
    return bytes([tag]) + value


def _attribute(key: str, value: str) -> bytes:
    point = NumberDataPoint()
    point.attributes.add(key=key).value.string_value = value
    return point.SerializeToString()


START, TIME = (_fixed(tag, NOW_NS.to_bytes(8, "little")) for tag in (0x11, 0x19))
PAST = _fixed(0x19, (NOW_NS - 10**9).to_bytes(8, "little"))
NO_TIME = _fixed(0x19, bytes(8))
DOUBLE, NAN = _fixed(0x21, struct.pack("<d", 5.5)), _fixed(0x21, b"\x02\0\0\0\0\0\xf0\x7f")
WHOLE = _fixed(0x31, struct.pack("<q", -(2**62) - 1))
ONE, TWO = _attribute("a", "1"), _attribute("a", "2")
EXEMPLAR, STALE_FLAG, UNKNOWN = b"\x2a\x00", b"\x40\x01", b"\x7a\x01x"

plain = st.tuples(
    st.sampled_from([b"", START]), st.sampled_from([TIME, PAST, NO_TIME]), st.sampled_from([DOUBLE, NAN, WHOLE]),
    st.lists(st.sampled_from([ONE, TWO, _attribute("b", "")]), max_size=2).map(b"".join),
).map(b"".join)  # fmt: skip
parts = [START, TIME, PAST, DOUBLE, WHOLE, ONE, TWO, EXEMPLAR, STALE_FLAG, UNKNOWN]
odd = st.lists(st.sampled_from(parts), max_size=6).map(b"".join)
cut = st.tuples(plain, st.integers(0, 40)).map(lambda drawn: drawn[0][: drawn[1]])


@given(st.lists(st.lists(plain | plain | odd | cut, max_size=8), min_size=1, max_size=4))
def test_points_are_the_same_taken_apart_and_parsed(requests: list[list[bytes]]) -> None:
    decoder = MetricsDecoder()
    for points in [*requests, *requests]:
        request = _Blurred()
        metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="g")
        metric.gauge.data_points.extend(points)
        found = decoder.decode(request.SerializeToString(), Intake(NOW_NS))
        expected = [read for point in points if (read := _parsed(point)) is not None]
        assert [(labels, at) for labels, at, _ in found.samples.rows()] == [
            (dict(key), at) for key, at, _ in expected
        ]
        assert found.values.tobytes() == array("d", [value for _, _, value in expected]).tobytes()
        assert found.refused == len(points) - len(expected)


def _parsed(raw: bytes) -> tuple[LabelKey, int, float] | None:
    try:
        point = NumberDataPoint.FromString(raw)
    except DecodeError:
        return None
    if not point.time_unix_nano:
        return None
    value = float(point.as_int) if point.HasField("as_int") else point.as_double
    labels = {"__name__": "g", **{pair.key: pair.value.string_value for pair in point.attributes}}
    return key_of(labels), point.time_unix_nano // 1_000_000, STALE if point.flags & 1 else value
