"""The messages of remote write 1.0, and what is around them on the wire.

Source: "Prometheus Remote-Write 1.0 specification"; snappy's block format. Series are left as bytes, and in them labels,
so that a series that was seen before is known without being read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from awf.embedded.inlet import MAX_BODY_BYTES
from awf.errors import MalformedPayload, TooLarge

_PACKAGE = "prometheus"
_SCALARS = {
    "string": FieldDescriptorProto.TYPE_STRING, "bytes": FieldDescriptorProto.TYPE_BYTES,
    "double": FieldDescriptorProto.TYPE_DOUBLE, "int64": FieldDescriptorProto.TYPE_INT64,
    "int32": FieldDescriptorProto.TYPE_INT32,  # an enum on the wire
}  # fmt: skip
_MESSAGES = {
    "WriteRequest": "1 timeseries bytes*, 3 metadata MetricMetadata*",
    "TimeSeries": "1 labels bytes*, 2 samples Sample*, 3 exemplars Exemplar*, 4 histograms bytes*",
    "Label": "1 name string, 2 value string",
    "Sample": "1 value double, 2 timestamp int64",
    "Exemplar": "1 labels Label*, 2 value double, 3 timestamp int64",
    "MetricMetadata": "1 type int32, 2 metric_family_name string, 4 help string, 5 unit string",
}


def _describe() -> DescriptorPool:
    file = FileDescriptorProto(name="remote_write.proto", package=_PACKAGE, syntax="proto3")
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for text in fields.split(", "):
            number, name, kind = text.split()
            field = described.field.add(name=name, number=int(number))
            field.label = field.LABEL_REPEATED if kind.endswith("*") else field.LABEL_OPTIONAL
            kind = kind.removesuffix("*")
            field.type = _SCALARS.get(kind, FieldDescriptorProto.TYPE_MESSAGE)
            if kind not in _SCALARS:
                field.type_name = f".{_PACKAGE}.{kind}"
    pool = DescriptorPool()
    pool.Add(file)
    return pool


_pool = _describe()
WriteRequest: Any = GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.WriteRequest"))
TimeSeries: Any = GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.TimeSeries"))
Label: Any = GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.Label"))


_VALUE = b"\x12\x10\x09"  # a sample of 16 bytes that begins with its value
_ZERO = b"\x12\x07\x10"  # one of 7 bytes that begins with its time, as its value is 0
_SAMPLE = Struct("<3sdc6s")
_ZERO_SAMPLE_BYTES = 9


def head(series: bytes) -> bytes:
    """Return what is before the sample at a series' end, if there is one as `last_samples` reads it."""
    return series[: -_ZERO_SAMPLE_BYTES if series[-9:-6] == _ZERO else -_SAMPLE.size]


def last_samples(series: Sequence[bytes]) -> tuple[list[int], tuple[float, ...]] | None:
    """Return milliseconds and value of the sample at each series' end, as Prometheus sends it: with a time that takes
    six bytes. None when one ends in another way."""
    tails = [_VALUE + bytes(8) + one[-7:] if one[-9:-6] == _ZERO else one[-_SAMPLE.size :] for one in series]
    packed = b"".join(tails)
    if len(packed) < _SAMPLE.size * len(series):
        return None
    starts, values, tags, times = zip(*_SAMPLE.iter_unpack(packed), strict=True)
    timestamps_ms = {time: _varint(time) for time in set(times)}
    if {*starts} != {_VALUE} or {*tags} != {b"\x10"} or None in timestamps_ms.values():
        return None
    return [timestamps_ms[time] for time in times], values  # type: ignore[misc]  # none is None


@lru_cache(maxsize=4096)
def _varint(data: bytes) -> int | None:
    """Return the number that takes exactly these bytes, None when none does."""
    if data[-1] >= 0x80 or min(data[:-1]) < 0x80:
        return None
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(data))


def unpacked_size(data: bytes) -> int:
    """Return how many bytes a snappy block unpacks to, before it is unpacked.

    Raises MalformedPayload, and TooLarge past MAX_BODY_BYTES.
    """
    size = 0
    for place, byte in enumerate(data[:5]):
        size |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            if size > MAX_BODY_BYTES:
                raise TooLarge(
                    f"the body unpacks to over {MAX_BODY_BYTES} bytes", hint="Send smaller batches."
                )
            return size
    raise MalformedPayload("the body is not a snappy block: it does not begin with its size")


def unpack(data: bytes) -> bytes:
    """Return what a snappy block holds. Raises MalformedPayload."""
    import cramjam

    try:
        return bytes(cramjam.snappy.decompress_raw(data))
    except cramjam.DecompressionError as error:
        raise MalformedPayload(f"the body is not a snappy block: {error}") from error
