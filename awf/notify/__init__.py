"""Channels that reach people; one file each, whose SPEC is a `NotifierSpec`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from awf.core.ports import Notifier


@dataclass(frozen=True, slots=True)
class NotifierSpec:
    """A kind of channel. `open` builds one from its options and raises ConfigError naming a wrong one."""

    name: str
    description: str
    open: Callable[[Mapping[str, str]], Notifier]
