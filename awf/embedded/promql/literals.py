"""The values of numbers, durations and strings as they are written in a query, and how they are written."""

from __future__ import annotations

import re

_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_UNITS_MS = (31_536_000_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1000, 1)
_MAX_MS = 2**63 // 1_000_000
_ESCAPE = re.compile(
    rb"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL
)
_SIMPLE = {
    b"a": b"\a",
    b"b": b"\b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"v": b"\v",
    b"\\": b"\\",
}


def read_number(text: str) -> float:
    """Read a number as Go does: decimal, hexadecimal, octal with a leading 0, digits parted by `_`."""
    plain = text.replace("_", "")
    if plain[:2] in ("0x", "0X"):
        return float(int(plain, 16))
    if re.fullmatch(r"0[0-7]+", plain):
        return float(int(plain, 8))
    return float(plain)


def read_duration_ms(text: str) -> int:
    """Read a duration such as 1h30m. Raises ValueError with Prometheus' sentence."""
    found = _DURATION.fullmatch(text)
    if not text or not found:
        raise ValueError(f'not a valid duration string: "{text}"')
    total = sum(int(count or 0) * unit for count, unit in zip(found.groups(), _UNITS_MS, strict=True))
    if total >= _MAX_MS:
        raise ValueError("duration out of range")
    return total


def write_duration_ms(length: int) -> str:
    """Write milliseconds as Prometheus does: weeks and years only when nothing is left over."""
    if length == 0:
        return "0s"
    parts = []
    rest = length
    units = (("y", _UNITS_MS[0], True), ("w", _UNITS_MS[1], True), ("d", _UNITS_MS[2], False),
             ("h", _UNITS_MS[3], False), ("m", 60_000, False), ("s", 1000, False), ("ms", 1, False))  # fmt: skip
    for name, unit, exact in units:
        if exact and rest % unit:
            continue
        if count := rest // unit:
            parts.append(f"{count}{name}")
            rest -= count * unit
    return "".join(parts)


def read_string(text: str) -> str:
    """Return what stands in quotes. Raises ValueError; bytes that are no UTF-8 become lone surrogates."""
    if text[0] == "`":
        return text[1:-1].replace("\r", "")
    quote = text[0].encode()

    def value(found: re.Match[bytes]) -> bytes:
        byte, short, long, octal, char = found.groups()
        if byte:
            return bytes([int(byte, 16)])
        if octal:
            if int(octal, 8) > 255:
                raise ValueError("escape sequence is an invalid Unicode code point")
            return bytes([int(octal, 8)])
        if short or long:
            code = int(short or long, 16)
            if code > 0x10FFFF or 0xD800 <= code < 0xE000:
                raise ValueError("escape sequence is an invalid Unicode code point")
            return chr(code).encode()
        if char == quote:
            return quote
        if char not in _SIMPLE:
            raise ValueError(f"unknown escape sequence \\{char.decode(errors='replace')}")
        return _SIMPLE[char]

    return _ESCAPE.sub(value, text[1:-1].encode()).decode("utf-8", "surrogateescape")


def write_string(text: str) -> str:
    """Quote a string as Go does."""
    out = []
    named = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v",
             '"': r"\"", "\\": r"\\"}  # fmt: skip
    for char in text:
        code = ord(char)
        if char in named:
            out.append(named[char])
        elif 0xDC80 <= code <= 0xDCFF:
            out.append(f"\\x{code - 0xDC00:02x}")
        elif char.isprintable():
            out.append(char)
        elif code < 0x80:
            out.append(f"\\x{code:02x}")
        else:
            out.append(f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}")
    return f'"{"".join(out)}"'
