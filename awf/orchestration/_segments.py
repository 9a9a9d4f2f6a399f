"""The files of a spool: segments of framed records, named by the position at which they begin.

A frame is the payload's length and CRC-32 (two little-endian u32) and the payload. A position is a byte
offset into the endless sequence of a spool's segments.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

MAGIC = b"AWFSPL1\n"
SUFFIX = ".segment"
HEADER = struct.Struct("<II")
MAX_PAYLOAD = 4 << 20
CHUNK = 4 * MAX_PAYLOAD


class Frames(NamedTuple):
    """What was read: the payloads, where they end, and whether what follows is damaged."""

    payloads: list[bytes]
    end: int
    is_damaged: bool = False


def frame(payload: bytes) -> bytes:
    """Return the bytes of one record."""
    return HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def parse(data: bytes, limit: int) -> Frames:
    """Read up to `limit` frames; a last one that is not whole is left. `end` is an offset into `data`."""
    payloads: list[bytes] = []
    unpack, crc32, size, header, at = HEADER.unpack_from, zlib.crc32, len(data), HEADER.size, 0
    while len(payloads) < limit and at + header <= size:
        length, checksum = unpack(data, at)
        end = at + header + length
        if length > MAX_PAYLOAD:
            return Frames(payloads, at, is_damaged=True)
        if end > size:
            break
        payload = data[at + header : end]
        if crc32(payload) != checksum:
            return Frames(payloads, at, is_damaged=True)
        payloads.append(payload)
        at = end
    return Frames(payloads, at)


def path_of(folder: Path, base: int) -> Path:
    """Return the file of the segment that begins at a position."""
    return folder / f"{base:020d}{SUFFIX}"


def bases(folder: Path) -> list[int]:
    """Return where the segments of a folder begin, in order."""
    return sorted(int(path.stem) for path in folder.glob(f"*{SUFFIX}") if path.stem.isdecimal())


def create(folder: Path, base: int) -> int:
    """Make a segment and return its file descriptor, which appends. Raises OSError."""
    path = path_of(folder, base)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    try:
        append(descriptor, MAGIC, 0)
    except OSError:
        os.close(descriptor)
        path.unlink()
        raise
    return descriptor


def append(descriptor: int, data: bytes, size: int) -> None:
    """Write all of `data` behind the file's `size` bytes, or nothing. Raises OSError."""
    if os.write(descriptor, data) != len(data):  # the disk took a part of it
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def cut(path: Path) -> tuple[int, int]:
    """Shorten a segment to its undamaged beginning; returns its size after and before. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        size = os.fstat(descriptor).st_size
        good = _undamaged(descriptor, size)
        if good < size:
            os.ftruncate(descriptor, good)
        return good, size
    finally:
        os.close(descriptor)


def _undamaged(descriptor: int, size: int) -> int:
    if os.pread(descriptor, len(MAGIC), 0) != MAGIC:
        return 0
    at = len(MAGIC)
    while at < size:
        found = parse(os.pread(descriptor, CHUNK, at), limit=1 << 30)
        at += found.end
        if found.is_damaged or not found.payloads:
            break
    return at
