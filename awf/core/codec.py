"""Dataclasses to JSON values and back, by their type hints.

Wire names are the field names. Unknown keys are ignored,
so that a newer peer may send more.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar, cast

from awf.core.clock import isoformat, parse_time
from awf.errors import InvalidInput

T = TypeVar("T")


def to_json(value: object) -> Any:
    """Return a JSON value: dataclasses become objects, times RFC 3339, enums their values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return isoformat(value)
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json(item) for item in value]
    return value


def from_json(kind: type[T], value: object, *, path: str = "") -> T:
    """Build a value of `kind` from JSON. Raises InvalidInput naming the field that does not fit."""
    return cast("T", _read(kind, value, path))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _wrong(path: str, value: object, expected: str) -> InvalidInput:
    where = path or "the body"
    return InvalidInput(f"{where} is {value!r:.80}, expected {expected}", field=path)


def _read(kind: Any, value: object, path: str) -> Any:
    if hasattr(kind, "__supertype__"):
        return _read(kind.__supertype__, value, path)
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        options = [option for option in typing.get_args(kind) if option is not type(None)]
        return None if value is None else _read(options[0], value, path)
    if origin is not None:
        return _read_generic(origin, typing.get_args(kind), value, path)
    if kind is Any or kind is object:
        return value
    if is_dataclass(kind):
        return _read_dataclass(cast("type", kind), value, path)
    return _read_scalar(kind, value, path)


def _read_generic(origin: Any, args: tuple[Any, ...], value: object, path: str) -> Any:
    if issubclass(origin, Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(path, value, "an object")
        return {str(key): _read(args[1], item, f"{path}.{key}".lstrip(".")) for key, item in value.items()}
    if issubclass(origin, Sequence):
        if not isinstance(value, (list, tuple)):
            raise _wrong(path, value, "a list")
        items = (_read(args[0], item, f"{path}[{index}]") for index, item in enumerate(value))
        return tuple(items) if origin is tuple else list(items)
    raise TypeError(f"no JSON form for {origin}")


def _read_dataclass(kind: type, value: object, path: str) -> Any:
    if not isinstance(value, Mapping):
        raise _wrong(path, value, "an object")
    hints = _hints(kind)
    arguments = {}
    for field in fields(kind):
        name = f"{path}.{field.name}".lstrip(".")
        if field.name in value:
            arguments[field.name] = _read(hints[field.name], value[field.name], name)
        elif field.default is MISSING and field.default_factory is MISSING:
            raise InvalidInput(f"{name} is missing", field=name)
    try:
        return kind(**arguments)
    except ValueError as error:
        raise InvalidInput(str(error), field=path) from error


def _read_scalar(kind: Any, value: object, path: str) -> Any:
    if kind is datetime:
        if not isinstance(value, str):
            raise _wrong(path, value, "a time such as 2026-01-31T12:00:00Z")
        try:
            return parse_time(value)
        except ValueError as error:
            raise _wrong(path, value, "a time such as 2026-01-31T12:00:00Z") from error
    if isinstance(kind, type) and issubclass(kind, Enum):
        try:
            return kind(value)
        except ValueError as error:
            choices = ", ".join(str(member.value) for member in kind)
            raise _wrong(path, value, f"one of {choices}") from error
    if kind is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError as error:  # JSON's integers have no limit
            raise _wrong(path, value, "a number") from error
    if (kind is bool or not isinstance(value, bool)) and isinstance(value, kind):
        return value
    raise _wrong(path, value, kind.__name__)
