"""Points of counters and gauges to samples.

By far the most of what comes in, so points are taken apart without being parsed, many at once: on the wire their times
and values come first and have fixed sizes, and what is left after them, the attributes, tells the series when it was
seen before. A point that does not look like that is parsed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from struct import Struct

from google.protobuf.message import DecodeError
from opentelemetry.proto.metrics.v1 import metrics_pb2 as pb

from awf.embedded.intake import Intake, add_together
from awf.embedded.model import STALE
from awf.embedded.otlp import lazy
from awf.embedded.otlp.exemplars import exemplars, number
from awf.embedded.otlp.series import Family

_Point = lazy.with_bytes(pb.NumberDataPoint, {lazy.ATTRIBUTE})

_TAGS = slice(0, 19, 9)  # start, time and value take 9 bytes each, of which a tag is the first
_LAYOUTS = {  # by the tags that a point begins with: how its time and value are read
    b"\x11\x19\x21": Struct("<9xxQxd"),  # start, time, value
    b"\x11\x19\x31": Struct("<9xxQxq"),  # ... a whole number
    b"\x19\x21\x3a": Struct("<xQxd"),  # time, value, attributes
    b"\x19\x31\x3a": Struct("<xQxq"),
    b"\x19\x21": Struct("<xQxd"),
    b"\x19\x31": Struct("<xQxq"),
}


def add_numbers(intake: Intake, family: Family, points: Sequence[bytes]) -> None:
    """Add one sample for each point; what is wrong with a point is told and costs that point."""
    add_together(points, partial(_add_known, intake, family), partial(_add_parsed, intake, family))


def _add_known(intake: Intake, family: Family, points: Sequence[bytes]) -> bool:
    """Add samples when all points are alike, of known series and not to be refused; else none."""
    tags = points[0][_TAGS]
    layout = _LAYOUTS.get(tags)
    if layout is None or points[0][layout.size :] not in family.known:
        return False
    if {point[_TAGS] for point in points} != {tags}:
        return False
    size, known = layout.size, family.known.get
    series = [number for point in points if (number := known(point[size:])) is not None]
    heads = b"".join([point[:size] for point in points])
    if len(series) < len(points) or len(heads) < size * len(points):
        return False
    times, values = zip(*layout.iter_unpack(heads), strict=True)
    if not (intake.has_time(min(times)) and intake.has_time(max(times))):
        return False
    intake.extend(series, [time // 1_000_000 for time in times], values)
    return True


def _add_parsed(intake: Intake, family: Family, raw: bytes) -> None:
    try:
        point = _Point.FromString(raw)
    except DecodeError:
        intake.refuse(f"metric {family.name!r}: a point cannot be read")
        return
    if not intake.takes_time(point.time_unix_nano, f"a point of metric {family.name!r}"):
        return
    attributes = tuple(point.attributes)
    # Only a tail of nothing but attributes says all that the parsed point does.
    own = _Point(attributes=attributes).SerializeToString()
    layout = _LAYOUTS.get(raw[_TAGS])
    is_plain = layout is not None and raw[layout.size :] == own
    series = family.series(intake, attributes, known_as=own if is_plain else attributes)
    if series is None:
        return
    stale = point.flags & pb.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK
    intake.add(series, point.time_unix_nano // 1_000_000, STALE if stale else number(point))
    if point.exemplars:
        intake.exemplars += exemplars(intake, series, point.exemplars)
