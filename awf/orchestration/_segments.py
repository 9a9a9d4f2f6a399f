"""The files of a spool: segments of framed records, named by the position at which they begin.

A frame is the payload's length and CRC-32 (two little-endian u32, the checksum begun at SEED) and the payload.
A position is a byte offset into the endless sequence of a spool's segments.
"""

from __future__ import annotations

import errno
import os
import re
import struct
import zlib
from pathlib import Path
from typing import NamedTuple

MAGIC = b"AWFSPL1\n"
SUFFIX = ".segment"
HEADER = struct.Struct("<II")
# Where checksums begin: from 0 on, the zeros that a dying machine leaves would be so many empty frames.
SEED = 0x41_57_46_31
MAX_PAYLOAD = 4 << 20
CHUNK = 4 * MAX_PAYLOAD
# What a length of at most MAX_PAYLOAD looks like; hardly any other four bytes do.
_LENGTH = re.compile(rb"(?s)(?=..[\x00-\x40]\x00)")


class Frames(NamedTuple):
    """What was read: the payloads, where they end, and whether what follows is damaged."""

    payloads: list[bytes]
    end: int
    is_damaged: bool = False


def frame(payload: bytes) -> bytes:
    """Return the bytes of one record."""
    return HEADER.pack(len(payload), zlib.crc32(payload, SEED)) + payload


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
        if crc32(payload, SEED) != checksum:
            return Frames(payloads, at, is_damaged=True)
        payloads.append(payload)
        at = end
    return Frames(payloads, at)


def resume(data: bytes) -> int:
    """Return where the first whole frame behind damaged data begins; the data's length where there is none."""
    view, size = memoryview(data), len(data)
    for found in _LENGTH.finditer(data, 1):
        at = found.start()
        begin = at + HEADER.size
        if begin > size:
            break
        length, checksum = HEADER.unpack_from(data, at)
        end = begin + length
        if length <= MAX_PAYLOAD and end <= size and zlib.crc32(view[begin:end], SEED) == checksum:
            return at
    return size


def path_of(folder: Path, base: int) -> Path:
    """Return the file of the segment that begins at a position."""
    return folder / f"{base:020d}{SUFFIX}"


def bases(folder: Path) -> list[int]:
    """Return where the segments of a folder begin, in order."""
    return sorted(int(path.stem) for path in folder.glob(f"{'[0-9]' * 20}{SUFFIX}") if path.is_file())


def cursor(position: int) -> bytes:
    """Return what the file `cursor` holds; by its checksum a damaged one, which would skip events, is known."""
    text = b"%020d" % position
    return b"%b %08x\n" % (text, zlib.crc32(text))


def parse_cursor(text: bytes) -> int | None:
    """Return the position; None for a damaged cursor."""
    position = int(text[:20]) if text[:20].isdigit() else 0
    return position if text == cursor(position) else None


def create(folder: Path, base: int) -> int:
    """Make a segment and return its file descriptor. Raises OSError."""
    path = path_of(folder, base)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        append(descriptor, MAGIC, 0)
    except OSError:
        os.close(descriptor)
        path.unlink()
        raise
    return descriptor


def append(descriptor: int, data: bytes, size: int) -> None:
    """Write all of `data` behind the file's `size` bytes, or nothing. Raises OSError."""
    # At its place: what a failed attempt may have left there is written over.
    if os.pwrite(descriptor, data, size) != len(data):  # the disk took a part of it
        os.ftruncate(descriptor, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def cut(path: Path) -> tuple[int, int]:
    """Shorten a segment to the end of its last whole frame; returns its size after and before. Raises OSError."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        size = os.fstat(descriptor).st_size
        good = _last_end(descriptor, size)
        if good < size:
            os.ftruncate(descriptor, good)
        return good, size
    finally:
        os.close(descriptor)


def _last_end(descriptor: int, size: int) -> int:
    if os.pread(descriptor, len(MAGIC), 0) != MAGIC and size <= len(MAGIC):
        return 0
    at = good = len(MAGIC)
    while at < size:
        chunk = os.pread(descriptor, CHUNK, at)
        found = parse(chunk, limit=1 << 30)
        at += found.end or resume(chunk) or size
        if found.payloads:
            good = at
    return good
