"""Points of counters and gauges to samples.

By far the most of what comes in, so a point is taken apart without being parsed: on the wire its times and its value
come first and have fixed sizes, and what is left after them, its attributes, tells the series when it was seen before.
A point that does not look like that is parsed.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

from google.protobuf.message import DecodeError
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb

from awf.embedded.intake import Intake
from awf.embedded.model import STALE
from awf.embedded.otlp import lazy
from awf.embedded.otlp.exemplars import exemplars, number
from awf.embedded.otlp.series import Family

_Point = lazy.with_bytes(pb.NumberDataPoint, {lazy.ATTRIBUTE})

_START, _TIME, _DOUBLE, _INT = b"\x11", b"\x19", b"\x21", b"\x31"  # field number and wire type in one byte
_HEAD_BYTES = 18
_HEADS = {
    _TIME + _DOUBLE: Struct("<xQxd").unpack_from,
    _TIME + _INT: Struct("<xQxq").unpack_from,
}


def add_numbers(intake: Intake, family: Family, points: Iterable[bytes]) -> None:
    """Add one sample for each point; what is wrong with a point is told and costs that point."""
    known = family.known.get
    for point in points:
        first = 9 if point[:1] == _START else 0
        unpack = _HEADS.get(point[first : first + 10 : 9])
        if unpack is None or len(point) < first + _HEAD_BYTES:
            _add_parsed(intake, family, point, b"")
            continue
        timestamp_ns, value = unpack(point, first)
        tail = point[first + _HEAD_BYTES :]
        key = known(tail)
        if key is None:
            _add_parsed(intake, family, point, tail)
        elif intake.has_time(timestamp_ns):
            intake.add(key, timestamp_ns // 1_000_000, value)
        else:
            intake.takes_time(timestamp_ns, f"a point of metric {family.name!r}")


def _add_parsed(intake: Intake, family: Family, raw: bytes, tail: bytes) -> None:
    try:
        point = _Point.FromString(raw)
    except DecodeError:
        intake.refuse(f"metric {family.name!r}: a point cannot be read")
        return
    if not intake.takes_time(point.time_unix_nano, f"a point of metric {family.name!r}"):
        return
    attributes = tuple(point.attributes)
    # Only a tail of nothing but attributes says all that the parsed point does.
    is_plain = _Point(attributes=attributes).SerializeToString() == tail
    key = family.key(intake, attributes, known_as=tail if is_plain else attributes)
    if key is None:
        return
    stale = point.flags & pb.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
    intake.add(key, point.time_unix_nano // 1_000_000, STALE if stale else number(point))
    if point.exemplars:
        intake.exemplars += exemplars(intake, key, point.exemplars)
