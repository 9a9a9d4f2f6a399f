"""OTLP's messages with parts left as bytes: what was seen before is then known without being read.

On the wire an embedded message and bytes are the same, so a description that says "bytes" parses the same data.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_COMMON = ".opentelemetry.proto.common.v1"
RESOURCE = ".opentelemetry.proto.resource.v1.Resource"
SCOPE = f"{_COMMON}.InstrumentationScope"
NUMBER = ".opentelemetry.proto.metrics.v1.NumberDataPoint"
ATTRIBUTE = f"{_COMMON}.KeyValue"


def with_bytes(request: type[Any], types: set[str]) -> type[Any]:
    """Return a twin of a message class in which every field of these message types is bytes."""
    pool = DescriptorPool()
    _add(pool, request.DESCRIPTOR.file, types, set())
    return GetMessageClass(pool.FindMessageTypeByName(request.DESCRIPTOR.full_name))


def _add(pool: DescriptorPool, file: FileDescriptor, types: set[str], added: set[str]) -> None:
    for needed in file.dependencies:
        _add(pool, needed, types, added)
    if file.name in added:
        return
    added.add(file.name)
    description = FileDescriptorProto()
    file.CopyToProto(description)
    # Messages of `common` contain themselves; they stay whole for whoever reads a part at last.
    if f".{file.package}" != _COMMON:
        for message in description.message_type:
            _blur(message, types)
    pool.Add(description)


def _blur(message: DescriptorProto, types: set[str]) -> None:
    for field in message.field:
        if field.type_name in types:
            field.type = FieldDescriptorProto.TYPE_BYTES
            field.ClearField("type_name")
    for nested in message.nested_type:
        _blur(nested, types)
