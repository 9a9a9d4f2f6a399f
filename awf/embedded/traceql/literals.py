"""Numbers, durations and strings of a query as values."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from lark import Token

from awf.embedded.traceql.complaints import misplaced
from awf.embedded.traceql.values import Duration

_ESCAPE: Final = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_SIMPLE: Final = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"} | {
    char: char for char in '\\"'
}
_UNITS_NS: Final = {
    "ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9,
    "d": 86_400 * 10**9, "w": 604_800 * 10**9, "y": 31_536_000 * 10**9,
}  # fmt: skip


def number(token: Token) -> int | float:
    value = int(token) if token.isdigit() and len(token) < 20 else float(token)
    if value >= 2**63 and token.isdigit():
        raise misplaced(token, f"the number {token} is out of range")
    return value


def duration(token: Token) -> Duration:
    parts: Iterable[tuple[str, str]] = re.findall(r"([\d.]+)([a-zµ]+)", token)
    total = sum(float(amount) * _UNITS_NS[unit] for amount, unit in parts)
    if total >= 2**63:
        raise misplaced(token, f"the duration {token} is out of range")
    return Duration(round(total))


def unquote(token: Token) -> str:
    """Return the text of a string literal as Go reads it."""
    if token.startswith("`"):
        return token[1:-1].replace("\r", "")

    def replace(found: re.Match[str]) -> str:
        body = found[1]
        if body in _SIMPLE:
            return _SIMPLE[body]
        if body[0] in "xuU" and len(body) > 1 and int(body[1:], 16) <= 0x10FFFF:
            return chr(int(body[1:], 16))
        if len(body) == 3 and body.isdigit():
            return chr(int(body, 8))
        raise misplaced(token, f"invalid escape \\{body} in a string")

    return _ESCAPE.sub(replace, token[1:-1])
