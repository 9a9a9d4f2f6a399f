"""An action's arguments as words and small tables, whatever an action takes: nobody has to read JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: its text, or, for a list of objects, the rows of a table."""

    label: str
    text: str = ""
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def shown_arguments(arguments: Mapping[str, Any]) -> list[Argument]:
    """Return the arguments in the order in which the action gives them."""
    return [_shown(name, value) for name, value in arguments.items()]


def _shown(name: str, value: Any) -> Argument:
    if isinstance(value, list | tuple) and value and all(isinstance(each, Mapping) for each in value):
        keys = list(dict.fromkeys(str(key) for each in value for key in each))
        rows = tuple(tuple(_text(each.get(key)) for key in keys) for each in value)
        return Argument(_label(name), headings=tuple(map(_label, keys)), rows=rows)
    return Argument(_label(name), _text(value))


def _label(name: str) -> str:
    words = name.removesuffix("_id").replace("_", " ")
    return words[:1].upper() + words[1:]


def _text(value: Any) -> str:
    match value:
        case None | "":
            return "none"
        case bool():
            return "yes" if value else "no"
        case str():
            text = value
        case list() | tuple() if all(isinstance(each, str | int | float) for each in value):
            text = ", ".join(map(_text, value)) or "none"
        case _:
            text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_CHARS else f"{text[:MAX_CHARS]}…"
