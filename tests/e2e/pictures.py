"""PNG with a palette of at most 256 colours, so that the pictures of the documentation stay small."""

from __future__ import annotations

import struct
import zlib
from collections import Counter

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
Pixels = NDArray[np.uint8]


def reduced(png: bytes) -> bytes:
    """Return a picture of Chromium (8 bit RGB or RGBA, not interlaced) with its colours in a palette."""
    pixels = _pixels(png)
    palette = _palette(pixels)
    codes = (pixels.astype(np.uint32) * np.array([65_536, 256, 1], np.uint32)).sum(axis=2, dtype=np.uint32)
    known, places = np.unique(codes, return_inverse=True)
    colours = np.stack([known >> 16, (known >> 8) & 255, known & 255], axis=1).astype(np.int32)
    nearest = np.array([np.argmin(((palette - colour) ** 2).sum(axis=1)) for colour in colours], np.uint8)
    rows = nearest[places].reshape(codes.shape)
    height, width = rows.shape
    raw = np.hstack([np.zeros((height, 1), np.uint8), rows]).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return SIGNATURE + b"".join(
        _chunk(name, body)
        for name, body in (
            (b"IHDR", header),
            (b"PLTE", palette.astype(np.uint8).tobytes()),
            (b"IDAT", zlib.compress(raw, 9)),
            (b"IEND", b""),
        )
    )


def _palette(pixels: Pixels) -> NDArray[np.int32]:
    """Return the most frequent colours, told apart a little more coarsely than they are."""
    coarse = (pixels >> 2).reshape(-1, 3)
    codes = coarse.astype(np.uint32) @ np.array([4_096, 64, 1], np.uint32)
    sums: dict[int, NDArray[np.float64]] = {}
    counts = Counter(codes.tolist())
    flat = pixels.reshape(-1, 3)
    for code, _ in counts.most_common(256):
        sums[code] = np.median(flat[codes == code], axis=0)
    return np.array(list(sums.values()), np.int32)


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _pixels(png: bytes) -> Pixels:
    """Decode; the filters are those of the PNG specification."""
    assert png.startswith(SIGNATURE)
    at, data, width, height, channels = len(SIGNATURE), b"", 0, 0, 3
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        name, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if name == b"IHDR":
            width, height, depth, kind, _, _, interlace = struct.unpack(">IIBBBBB", body)
            assert (depth, interlace) == (8, 0)
            channels = {2: 3, 6: 4}[kind]
        elif name == b"IDAT":
            data += body
        at += 12 + length
    lines = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + width * channels)
    rows = np.zeros((height, width, channels), np.uint8)
    above = np.zeros((width, channels), np.uint8)
    for number, line in enumerate(lines):
        above = _unfiltered(int(line[0]), line[1:].reshape(width, channels), above)
        rows[number] = above
    return rows[:, :, :3]


def _unfiltered(kind: int, line: Pixels, above: Pixels) -> Pixels:
    if kind == 0:
        return line
    if kind == 2:
        return line + above
    if kind == 1:
        return np.cumsum(line, axis=0, dtype=np.uint8)
    return _one_by_one(kind, line.tolist(), above.tolist())


def _one_by_one(kind: int, line: list[list[int]], above: list[list[int]]) -> Pixels:
    """The average (3) and Paeth (4) filters, which depend on the pixel before."""
    channels = len(line[0])
    left, corner = [0] * channels, [0] * channels
    for pixel, top in zip(line, above, strict=True):
        for c in range(channels):
            if kind == 3:
                guess = (left[c] + top[c]) // 2
            else:
                a, b, d = left[c], top[c], corner[c]
                p = a + b - d
                near_a, near_b, near_d = abs(p - a), abs(p - b), abs(p - d)
                guess = a if near_a <= near_b and near_a <= near_d else b if near_b <= near_d else d
            pixel[c] = (pixel[c] + guess) & 255
        left, corner = pixel, top
    return np.array(line, np.uint8)
