"""What was read before, by its bytes: a dict, because one is asked for every attribute of every row."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Read = TypeVar("Read")


class Memory(dict[bytes, Read]):
    """Answers `memory[part]` with `read(part)`, from memory if it can. It is emptied when it has `count` parts;
    a part over `longest` bytes is not worth it. Only one thread may ask."""

    def __init__(self, read: Callable[[bytes], Read], *, count: int, longest: int) -> None:
        super().__init__()
        self._read = read
        self._count = count
        self._longest = longest

    def __missing__(self, part: bytes) -> Read:
        found = self._read(part)
        if len(part) <= self._longest:
            if len(self) >= self._count:
                self.clear()
            self[part] = found
        return found
