"""Loki's JSON push body to log records, checked field by field before anything is stored."""

from __future__ import annotations

import gzip
import io
import json
import re
from typing import Any, Final

from awf.embedded.logql.parameters import LAST_NS
from awf.embedded.logql.scan import line_bytes
from awf.embedded.model import LogRecord
from awf.errors import MalformedPayload, TooLarge

MAX_PUSH_BYTES: Final = 16 * 1024 * 1024
MAX_LINE_BYTES: Final = 256 * 1024
MAX_LABELS: Final = 15
_LABEL: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TIMESTAMP: Final = re.compile(r"[0-9]{1,19}")


def inflate(body: bytes, encoding: str) -> bytes:
    """Undo the content encoding. Raises MalformedPayload, or TooLarge past MAX_PUSH_BYTES."""
    if encoding in {"", "identity"}:
        return body
    if encoding != "gzip":
        raise MalformedPayload(f"content encoding {encoding!r:.40} is not supported: use gzip or none")
    try:
        plain = gzip.GzipFile(fileobj=io.BytesIO(body)).read(MAX_PUSH_BYTES + 1)
    except (OSError, EOFError, ValueError) as error:
        raise MalformedPayload(f"the body is not gzip: {error}") from error
    if len(plain) > MAX_PUSH_BYTES:
        raise TooLarge(f"the body is larger than {MAX_PUSH_BYTES} bytes")
    return plain


def decode(body: bytes) -> list[LogRecord]:
    """Read `{"streams": [{"stream": {..}, "values": [[ns, line, {metadata}]]}]}`.

    Raises MalformedPayload naming the first field that does not fit.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise MalformedPayload(f"the body is not JSON: {error}") from error
    streams = _expect(document, dict, "the body").get("streams")
    return [
        record
        for index, stream in enumerate(_expect(streams, list, "streams"))
        for record in _stream(_expect(stream, dict, f"streams[{index}]"), f"streams[{index}]")
    ]


def _stream(stream: dict[str, Any], path: str) -> list[LogRecord]:
    labels = _labels(stream.get("stream"), f"{path}.stream")
    if not labels:
        raise MalformedPayload(f"{path}.stream: at least one label pair is required per stream")
    if len(labels) > MAX_LABELS:
        raise MalformedPayload(f"{path}.stream has {len(labels)} labels, at most {MAX_LABELS} are allowed")
    values = _expect(stream.get("values"), list, f"{path}.values")
    return [_record(labels, value, f"{path}.values[{index}]") for index, value in enumerate(values)]


def _record(labels: dict[str, str], value: object, path: str) -> LogRecord:
    if not isinstance(value, list) or len(value) not in {2, 3}:
        raise MalformedPayload(f"{path} is {value!r:.80}, expected [nanoseconds, line] or with metadata")
    timestamp, line = value[0], value[1]
    if not isinstance(timestamp, str) or not _is_timestamp(timestamp):
        raise MalformedPayload(f"{path}[0] is {timestamp!r:.80}, expected nanoseconds in a string")
    if not isinstance(line, str):
        raise MalformedPayload(f"{path}[1] is {line!r:.80}, expected a string")
    _check_text(line, f"{path}[1]")
    if line_bytes(line) > MAX_LINE_BYTES:
        raise MalformedPayload(f"{path}[1] is longer than {MAX_LINE_BYTES} bytes")
    metadata = _labels(value[2], f"{path}[2]") if len(value) == 3 else {}
    return LogRecord(int(timestamp), line, labels, metadata)


def _is_timestamp(text: str) -> bool:
    return _TIMESTAMP.fullmatch(text) is not None and int(text) <= LAST_NS


def _labels(value: object, path: str) -> dict[str, str]:
    """Return label pairs; an empty value is no label."""
    pairs = _expect(value, dict, path)
    for name, text in pairs.items():
        if _LABEL.fullmatch(name) is None:
            raise MalformedPayload(f"{path}: {name!r:.80} is not a label name")
        if not isinstance(text, str):
            raise MalformedPayload(f"{path}.{name} is {text!r:.80}, expected a string")
        _check_text(text, f"{path}.{name}")
    return {name: text for name, text in pairs.items() if text}


def _check_text(text: str, path: str) -> None:
    """JSON can spell half of a surrogate pair, which no other encoding can carry."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise MalformedPayload(f"{path} is not valid Unicode: {error.reason}") from error


def _expect(value: object, kind: type, path: str) -> Any:
    if not isinstance(value, kind):
        expected = "an object" if kind is dict else "a list"
        raise MalformedPayload(f"{path} is {value!r:.80}, expected {expected}")
    return value
