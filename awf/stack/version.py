"""Versions as numbers that can be compared, and ranges of them: `>=3.1 <4`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from awf.errors import ConfigError

Numbers = tuple[int, ...]

_VERSION = re.compile(r"v?(\d+(?:\.\d+)*)")
_TERM = re.compile(r"(>=|<=|==|>|<)(\d+(?:\.\d+)*)")
_COMPARE: Final[dict[str, Callable[[Numbers, Numbers], bool]]] = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, ">": operator.gt, "<": operator.lt,
}  # fmt: skip


def numbers(text: str) -> Numbers | None:
    """Return what a version begins with as numbers: `v1.20.1-boringcrypto` is (1, 20, 1). None without any."""
    found = _VERSION.match(text.strip())
    return _trim(tuple(int(part) for part in found[1].split("."))) if found else None


@dataclass(frozen=True, slots=True)
class Range:
    """Every version for which all terms hold; the empty text holds for every version."""

    text: str

    def __post_init__(self) -> None:
        for term in self.text.split():
            if not _TERM.fullmatch(term):
                raise ConfigError(
                    f"version range {self.text!r} has the term {term!r}",
                    hint="A range is terms such as >=3.1 <4, with spaces between them.",
                )

    def __contains__(self, version: Numbers) -> bool:
        for sign, text in _TERM.findall(self.text):
            if not _COMPARE[sign](_trim(version), _trim(tuple(int(part) for part in text.split(".")))):
                return False
        return True


def _trim(version: Numbers) -> Numbers:
    """3.1 and 3.1.0 are one version."""
    while len(version) > 1 and version[-1] == 0:
        version = version[:-1]
    return version
