from __future__ import annotations

import pytest

from awf.errors import ConfigError
from awf.stack.version import Range, numbers


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("3.2.1", (3, 2, 1)),
        ("v1.20.1", (1, 20, 1)),
        ("18.6-trixie", (18, 6)),
        ("3.1.0", (3, 1)),
        ("13.2.3+security-01", (13, 2, 3)),
        ("", None),
        ("main-abc", None),
    ],
)
def test_a_version_is_read_up_to_what_is_not_a_number(text: str, wanted: tuple[int, ...] | None) -> None:
    assert numbers(text) == wanted


@pytest.mark.parametrize(
    ("text", "version", "is_in"),
    [
        (">=3.1 <4", (3, 1), True),
        (">=3.1 <4", (3, 1, 1), True),
        (">=3.1 <4", (3, 0, 9), False),
        (">=3.1 <4", (4,), False),
        ("<4", (3, 99), True),
        ("==2.1.1", (2, 1, 1), True),
        ("==2.1.1", (2, 1, 2), False),
        ("<3.1", (3, 1), False),
        (">=1.11", (1, 9), False),
        ("", (1,), True),
    ],
)
def test_a_range_holds_for_the_versions_in_it(text: str, version: tuple[int, ...], is_in: bool) -> None:
    assert (version in Range(text)) is is_in


def test_a_range_that_is_none_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'>= 3' has the term '>='"):
        Range(">= 3")
