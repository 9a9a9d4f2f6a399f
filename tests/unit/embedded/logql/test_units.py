from collections.abc import Callable

import pytest

from awf.embedded.logql import units


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (units.range_ns, "1h30m", 5_400_000_000_000),
        (units.range_ns, "100ms", 100_000_000),
        (units.range_ns, "1w2d", 777_600_000_000_000),
        (units.duration_ns, "1.5h", 5_400_000_000_000),
        (units.duration_ns, "-3ms", -3_000_000),
        (units.duration_ns, "1µs", 1_000),
        (units.duration_ns, "0", 0),
        (units.literal_ns, "1d", 86_400_000_000_000),
        (units.size_bytes, "2KB", 2_000),
        (units.size_bytes, "2 kib", 2_048),
        (units.size_bytes, "1.5B", 1),
        (units.size_bytes, "1,024", 1_024),
        (units.size_bytes, "5G", 5_000_000_000),
        (units.number, "1e3", 1_000.0),
        (units.number, "+Inf", float("inf")),
    ],
)
def test_reads(read: Callable[[str], float], text: str, value: float) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (units.range_ns, ""), (units.range_ns, "5"), (units.range_ns, "1m1h"), (units.range_ns, "1.5h"),
        (units.range_ns, "9999999y"), (units.duration_ns, "1d"), (units.duration_ns, "5"), (units.duration_ns, ""),
        (units.size_bytes, "1XB"), (units.size_bytes, "-1KB"), (units.size_bytes, "KB"), (units.size_bytes, "1ib"),
        (units.number, "1_000"), (units.number, " 1"), (units.number, ""), (units.number, "0x10"),
    ],
)  # fmt: skip
def test_refuses(read: Callable[[str], float], text: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read(text)
