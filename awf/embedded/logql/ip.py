"""The `ip()` filter: an address, a range or a prefix, looked for anywhere in a text."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

# Where an address may begin, by its first characters: the same places that Loki looks at.
_HINT: Final = re.compile(rb"(?P<v4>[0-9](?=.{3})(?=.{0,2}\.))|::[0-9a-fA-F]|[0-9a-fA-F]{1,4}:", re.DOTALL)
_SPAN_V4: Final = re.compile(rb"[0-9.]+")
_SPAN_V6: Final = re.compile(rb"[0-9a-fA-F:.]+")


def ip_test(pattern: str) -> Callable[[str], bool]:
    """Return whether a text has an address that the pattern describes. Raises ValueError for a bad pattern."""
    contains = _contains(pattern)

    def test(text: str) -> bool:
        raw = text.encode(errors="replace")
        position = 0
        while (hint := _HINT.search(raw, position)) is not None:
            span = _span(raw, hint)
            address = _address(span.decode())
            if address is not None and contains(address):
                return True
            position = hint.start() + len(span) + 1
        return False

    return test


def _span(raw: bytes, hint: re.Match[bytes]) -> bytes:
    """Return what could belong to an address from where the hint begins."""
    found = (_SPAN_V4 if hint["v4"] else _SPAN_V6).match(raw, hint.start())
    return found[0] if found else b""


def _contains(pattern: str) -> Callable[[Address], bool]:
    single = _address(pattern)
    if single is not None:
        return lambda address: address == single
    first, dash, last = pattern.partition("-")
    low, high = _address(first), _address(last)
    if dash and low is not None and high is not None and type(low) is type(high) and int(low) <= int(high):
        return lambda address: type(address) is type(low) and int(low) <= int(address) <= int(high)
    base, slash, bits = pattern.partition("/")
    if slash and re.fullmatch(r"0|[1-9]\d{0,2}", bits) and _address(base) is not None:
        try:
            network = ip_network(pattern, strict=False)
        except ValueError:
            pass  # more bits than an address has
        else:
            return lambda address: address in network
    raise ValueError(f'ip: invalid pattern: "{pattern:.60}"')


def _address(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None
