"""What a pipeline knows at one position of its spool: its series and the spans that have begun.

It goes on from there after a restart, so nothing is counted twice and no beginning is missed.
"""

from __future__ import annotations

import json
import logging
import zlib
from pathlib import Path

from awf.orchestration.telemetry.aggregate import MetricState
from awf.orchestration.telemetry.spans import SpanBuilder

logger = logging.getLogger(__name__)

# Another version of AWF may keep its snapshots in another form, under another name.
FORMAT = "awf-1"


def save(path: Path, position: int, metrics: MetricState, spans: SpanBuilder) -> None:
    """Replace the file. Raises OSError."""
    found = {FORMAT: {"position": position, "metrics": metrics.dump(), "spans": spans.dump()}}
    text = json.dumps(found, separators=(",", ":")).encode("ascii")
    draft = path.with_suffix(".new")
    try:
        draft.write_bytes(b"%b\n%08x\n" % (text, zlib.crc32(text)))
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)  # it takes the room that is needed
        raise


def load(path: Path, metrics: MetricState, spans: SpanBuilder) -> int | None:
    """Return the position that was saved, with everything as it was there; None to begin anew."""
    try:
        found = json.loads(_checked(path.read_bytes()))[FORMAT]
        position = int(found["position"])
        spans.load(found["spans"])
        metrics.load(found["metrics"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        logger.warning(
            "snapshot of the telemetry cannot be read: counters begin anew",
            extra={"file": str(path), "detail": str(error)},
        )
        return None
    return position


def _checked(content: bytes) -> bytes:
    text, _, checksum = content.rstrip(b"\n").rpartition(b"\n")
    if checksum != b"%08x" % zlib.crc32(text):
        raise ValueError("its checksum is another one")
    return text
