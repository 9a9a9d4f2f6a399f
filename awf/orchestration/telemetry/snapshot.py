"""What a pipeline knows at one position of its spool: its series and the spans that have begun.

It goes on from there after a restart, so nothing is counted twice and no beginning is missed.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
import zlib
from pathlib import Path
from typing import Any

from awf.orchestration.telemetry.aggregate import MetricState
from awf.orchestration.telemetry.spans import SpanBuilder

logger = logging.getLogger(__name__)

# Another version of AWF may keep its snapshots in another form, under another name.
FORMAT = "awf-1"
ROOM = 64 << 10  # by which a file grows: hundreds of open spans
_HEADER = re.compile(rb"(\d{12}) ([0-9a-f]{8})\n")


class Snapshots:
    """Two copies in a folder, written one after the other, of which the newer whole one counts.

    They are written in place and never shortened: where both exist, another snapshot needs no more room,
    also on a full disk. A process that dies while it writes leaves the other one, and so does damage.
    """

    def __init__(self, folder: Path) -> None:
        self._files = [folder / "snapshot.a", folder / "snapshot.b"]
        self._number = 0

    def save(self, position: int, metrics: MetricState, spans: SpanBuilder) -> None:
        """Write both files anew. Raises OSError; what was saved before then still counts."""
        state = {"position": position, "metrics": metrics.dump(), "spans": spans.dump()}
        self._number += 1
        found = {FORMAT: state, "number": self._number}
        text = json.dumps(found, separators=(",", ":")).encode("ascii")
        for path in self._files:
            _write(path, b"%012d %08x\n%b" % (len(text), zlib.crc32(text), text))

    def load(self, metrics: MetricState, spans: SpanBuilder) -> int | None:
        """Return the position that was saved last, with everything as it was there; None to begin anew."""
        whole = [found for found in map(_read, self._files) if found]
        for found in sorted(whole, key=lambda it: int(it["number"]), reverse=True):
            try:
                position = int(found[FORMAT]["position"])
                spans.load(found[FORMAT]["spans"])
                metrics.load(found[FORMAT]["metrics"])
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                logger.warning("snapshot of the telemetry cannot be read", extra={"detail": str(error)})
                continue
            self._number = int(found["number"])
            return position
        if any(path.exists() for path in self._files):
            logger.warning(
                "no snapshot of the telemetry can be read: counters begin anew",
                extra={"folder": str(self._files[0].parent)},
            )
        return None


def _read(path: Path) -> dict[str, Any]:
    """Return what a file holds; nothing where it is not whole."""
    try:
        content = path.read_bytes()
        header = _HEADER.match(content)
        text = content[header.end() : header.end() + int(header[1])] if header else b""
        if header is None or int(header[2], 16) != zlib.crc32(text):
            return {}
        found = json.loads(text)
        return found if isinstance(found.get("number"), int) else {}
    except (OSError, ValueError, AttributeError):
        return {}


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size < len(data):  # room for more than that, as far as there is some
            with contextlib.suppress(OSError):
                os.pwrite(descriptor, bytes(len(data) + ROOM - size), size)
        if os.pwrite(descriptor, data, 0) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)
