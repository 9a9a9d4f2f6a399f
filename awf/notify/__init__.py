"""Ways to reach people; one file each, whose SPEC is a `NotifierSpec`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from awf.core.ports import Notifier


class Options(BaseModel):
    """What a channel is set up with. A field of the type `SecretStr` may also be given as a file: `NAME_file`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


@dataclass(frozen=True, slots=True)
class NotifierSpec:
    """A kind of channel. `open` builds one from its options and raises ConfigError naming a wrong one."""

    name: str
    description: str
    options: type[Options]
    open: Callable[[Any], Notifier]
