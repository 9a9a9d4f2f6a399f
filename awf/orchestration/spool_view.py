"""A look at a lane from outside, also while its process writes to it; nothing is changed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from awf.core.codec import from_json
from awf.errors import InvalidInput
from awf.orchestration import _segments as segments
from awf.orchestration import spool_lanes
from awf.orchestration.spool_lanes import SERVICE

SET_ASIDE = "set_aside.jsonl"


@dataclass(frozen=True, slots=True)
class LaneView:
    """What waits in a lane. `first` is the oldest event's record, None where none waits; `set_aside` counts
    the spans, log records and metrics that the collector refused for good."""

    name: str
    service: str
    resource: dict[str, str]
    is_live: bool
    events: int
    first: bytes | None
    size_bytes: int
    set_aside: int
    is_damaged: bool


def look(folder: Path) -> LaneView:
    """Return what a lane holds now. Raises OSError."""
    resource = spool_lanes.read_resource(folder)
    count, size, first, is_damaged = 0, 0, None, False
    for payloads, is_bad in _waiting(folder):
        first = first or (payloads[0] if payloads else None)
        count += len(payloads)
        size += sum(map(len, payloads))
        is_damaged = is_damaged or is_bad
    return LaneView(
        folder.name, resource.get(SERVICE, ""), resource, spool_lanes.is_held(folder), count, first, size,
        sum(len(entry.items) for entry in read_set_aside(folder)), is_damaged,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SetAside:
    """A request that the collector refused for good: its items (encoded, base64) and what was said."""

    signal: str
    time_ns: int
    detail: str
    items: tuple[str, ...]


def read_set_aside(folder: Path) -> list[SetAside]:
    """Return what was set aside in a lane; lines that are damaged are left out."""
    found = []
    with contextlib.suppress(FileNotFoundError):
        for line in (folder / SET_ASIDE).read_text("utf-8", "replace").splitlines():
            with contextlib.suppress(InvalidInput, ValueError):
                found.append(from_json(SetAside, json.loads(line)))
    return found


def _waiting(folder: Path) -> Iterator[tuple[list[bytes], bool]]:
    position = 0
    with contextlib.suppress(FileNotFoundError):
        position = segments.parse_cursor((folder / "cursor").read_bytes()) or 0
    bases = segments.bases(folder)
    for index, base in enumerate(bases):
        is_last = index + 1 == len(bases)
        if not is_last and bases[index + 1] <= position:
            continue
        with contextlib.suppress(FileNotFoundError), segments.path_of(folder, base).open("rb") as file:
            at = max(position - base, len(segments.MAGIC))
            while True:
                file.seek(at)
                data = file.read(segments.CHUNK)
                found = segments.parse(data, limit=1 << 30)
                yield found.payloads, found.is_damaged
                step = found.end or segments.resume(data)
                if not step:
                    break
                at += step
